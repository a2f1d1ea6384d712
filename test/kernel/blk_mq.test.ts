// Disks and the requests that they have not answered.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { requestsInFlight } from '../../src/kernel/blk_mq.ts';
import { blockDeviceName, type Disk, disks, partitionName } from '../../src/kernel/genhd.ts';
import { readSbitmap, setBits } from '../../src/kernel/sbitmap.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const common = `
  struct list_head { struct list_head *next, *prev; };
  struct klist { struct list_head k_list; };
  struct klist_node { void *n_klist; struct list_head n_node; };
  struct kobject { struct list_head entry; };
  struct kset { struct list_head list; struct kobject kobj; };
  struct device_private { struct klist_node knode_class; struct device *device; };
  struct device { int id; struct device_private *p; };
  struct atomic { int counter; };
`;
const newest = `${common}
  struct class { const char *name; };
  struct subsys_private { struct kset subsys; struct klist klist_devices; struct class *class; };
  struct gendisk { int major; int first_minor; char disk_name[32]; void *fops; void *queue; };
  struct block_device { struct atomic __bd_flags; struct gendisk *bd_disk; struct device bd_device; };
`;
const oldest = `${common}
  struct subsys_private { struct kset subsys; struct klist klist_devices; };
  struct class { struct subsys_private *p; };
  struct hd_struct { struct device __dev; int partno; };
  struct gendisk { int major; int first_minor; char disk_name[32]; struct hd_struct part0; void *fops; void *queue; };
`;

/** Puts devices into the block class; each of `devices` is a `struct device`. */
function register(kernel: SyntheticKernel, own: KernelObject, devices: readonly KernelObject[], dead = 0): void {
  const nodes = devices.map((device, i) => {
    const entry = kernel.allocate('struct device_private');
    kernel.set(entry, 'device', device);
    kernel.set(device, 'p', entry);
    kernel.set(entry, 'knode_class.n_klist', i === devices.length - 1 ? dead : 0);
    return entry.member('knode_class.n_node').address;
  });
  kernel.link(own.member('klist_devices.k_list').address, ...nodes);
}

describe('disks', () => {
  test('of kernels whose classes keep to themselves (6.4) and whose partitions have flags (6.10)', () => {
    const kernel = new SyntheticKernel(newest);
    const block = kernel.allocate('struct class', 'block_class');
    const sets = kernel.allocate('struct kset');
    const pointer = { kind: 'pointer', size: 8, target: kernel.type('struct kset') } as const;
    kernel.define('class_kset', kernel.reserve(8), 8, pointer);
    kernel.space.words(kernel.address('class_kset'), sets.address);
    const [other, own] = [kernel.allocate('struct subsys_private'), kernel.allocate('struct subsys_private')];
    kernel.set(own!, 'class', block);
    kernel.link(sets.member('list').address, ...[other!, own!].map((each) => each.member('subsys.kobj.entry').address));
    const make = (name: string, major: number, partition: number): KernelObject => {
      const disk = kernel.allocate('struct gendisk');
      kernel.set(disk, 'disk_name', name);
      kernel.set(disk, 'major', major);
      const device = kernel.allocate('struct block_device');
      kernel.set(device, '__bd_flags.counter', 0x100 | partition);
      kernel.set(device, 'bd_disk', disk);
      return device;
    };
    const devices = [make('vda', 254, 0), make('vda', 254, 1), make('nvme0n1', 259, 0), make('gone', 7, 0)];
    register(
      kernel,
      own!,
      devices.map((device) => device.member('bd_device')),
      1,
    );
    assert.deepEqual(
      disks(kernel).map(({ name, major }) => `${name} ${major}`),
      ['vda 254', 'nvme0n1 259'],
    );
    assert.equal(blockDeviceName(devices[1]!), 'vda1');
    assert.equal(partitionName('nvme0n1', 2), 'nvme0n1p2');
  });

  test('of kernels with a hd_struct for each partition (before 5.11)', () => {
    const kernel = new SyntheticKernel(oldest);
    const own = kernel.allocate('struct subsys_private');
    kernel.set(kernel.allocate('struct class', 'block_class'), 'p', own);
    const disk = kernel.allocate('struct gendisk');
    kernel.set(disk, 'disk_name', 'sda');
    const part = kernel.allocate('struct hd_struct');
    kernel.set(part, 'partno', 1);
    register(kernel, own, [disk.member('part0.__dev'), part.member('__dev')]);
    assert.deepEqual(
      disks(kernel).map(({ name, address }) => [name, address]),
      [['sda', disk.address]],
    );
  });
});

describe('sbitmap', () => {
  const types = `
    struct sbitmap_word { unsigned long word; unsigned long cleared; };
    struct sbitmap { unsigned int depth; unsigned int shift; unsigned int map_nr; struct sbitmap_word *map; };
  `;
  function bitmap(depth: number, shift: number, ...words: [bigint, bigint][]) {
    const kernel = new SyntheticKernel(types);
    const map = kernel.allocate('struct sbitmap');
    const base = kernel.reserve(Math.max(16, words.length * 16));
    kernel.space.words(base, ...words.flat());
    for (const [member, value] of Object.entries({ depth, shift, map_nr: words.length }))
      kernel.set(map, member, value);
    kernel.set(map, 'map', base);
    return { kernel, map };
  }
  test('bits given back count as free, and bits past the depth do not count', () => {
    const { map } = bitmap(20, 4, [0b1011n, 0b0010n], [0xffffn, 0n]);
    assert.deepEqual([...setBits(readSbitmap(map))], [0, 3, 16, 17, 18, 19]);
  });
  test('a map that cannot be one is refused', () => {
    for (const { map } of [bitmap(65, 6, [0n, 0n]), bitmap(8, 20, [0n, 0n]), bitmap(2 ** 31, 6, [0n, 0n])]) {
      assert.throws(() => readSbitmap(map), /words of/);
    }
  });
});

const queueTypes = `
  struct sbitmap_word { unsigned long word; unsigned long cleared; };
  struct sbitmap { unsigned int depth; unsigned int shift; unsigned int map_nr; struct sbitmap_word *map; };
  struct sbitmap_queue { struct sbitmap sb; };
  struct blk_mq_tags {
    unsigned int nr_reserved_tags; struct sbitmap_queue bitmap_tags; struct sbitmap_queue breserved_tags;
    struct request **rqs; struct request **static_rqs;
  };
  struct blk_mq_ctx { unsigned int cpu; };
  struct blk_mq_hw_ctx { struct blk_mq_tags *tags; struct blk_mq_tags *sched_tags; };
  struct request_queue { struct blk_mq_hw_ctx **queue_hw_ctx; unsigned int nr_hw_queues; };
  struct bio { struct bio *bi_next; };
  struct request {
    struct request_queue *q; struct blk_mq_ctx *mq_ctx; u32 cmd_flags; int tag; int internal_tag; unsigned int __data_len;
    u64 __sector; struct bio *bio; u64 start_time_ns; int state; unsigned long deadline;
  };
`;

function device() {
  const kernel = new SyntheticKernel(queueTypes);
  const queue = kernel.allocate('struct request_queue');
  const hardware = kernel.allocate('struct blk_mq_hw_ctx');
  const table = kernel.reserve(8);
  kernel.space.words(table, hardware.address);
  kernel.set(queue, 'queue_hw_ctx', table);
  kernel.set(queue, 'nr_hw_queues', 1);
  const tagSet = (member: string): KernelObject => {
    const tags = kernel.allocate('struct blk_mq_tags');
    for (const map of ['bitmap_tags', 'breserved_tags']) {
      kernel.set(tags, `${map}.sb.depth`, 8);
      kernel.set(tags, `${map}.sb.shift`, 3);
      kernel.set(tags, `${map}.sb.map_nr`, 1);
      kernel.set(tags, `${map}.sb.map`, kernel.allocate('struct sbitmap_word'));
    }
    kernel.set(tags, 'rqs', kernel.reserve(128));
    kernel.set(tags, 'static_rqs', kernel.reserve(128));
    kernel.set(hardware, member, tags);
    return tags;
  };
  const disk: Disk = {
    address: virtAddr(0n),
    name: 'vda',
    major: 254,
    minor: 0,
    queue: queue.address,
    operations: virtAddr(0n),
  };
  /** A request in slot `tag` of a set of tags. */
  const add = (tags: KernelObject, slots: string, tag: number, values: Record<string, number | bigint>) => {
    const request = kernel.allocate('struct request');
    for (const [member, value] of Object.entries({ q: queue.address, tag, internal_tag: -1, ...values }))
      kernel.set(request, member, value);
    kernel.space.words(tags.member(slots).pointer() + BigInt(tag * 8), request.address);
    const word = tags.member('bitmap_tags.sb.map').deref();
    kernel.set(word, 'word', word.member('word').bigint() | (1n << BigInt(tag)));
    return request;
  };
  return { kernel, disk, tagSet, add };
}

describe('requests in flight', () => {
  test('what was given to the device, with age and bios, and what waits in the elevator', () => {
    const { kernel, disk, tagSet, add } = device();
    const [tags, waiting] = [tagSet('tags'), tagSet('sched_tags')];
    const second = kernel.allocate('struct bio');
    const first = kernel.allocate('struct bio');
    kernel.set(first, 'bi_next', second);
    kernel.set(second, 'bi_next', first); // a loop ends
    const context = kernel.allocate('struct blk_mq_ctx');
    kernel.set(context, 'cpu', 3);
    add(tags, 'rqs', 2, {
      state: 1,
      cmd_flags: 0x801,
      __sector: 2048,
      __data_len: 4096,
      start_time_ns: 77,
      bio: first.address,
      mq_ctx: context.address,
    });
    add(waiting, 'static_rqs', 5, { state: 0, internal_tag: 5, tag: -1, __sector: -1n });
    const requests = requestsInFlight(kernel, disk);
    assert.deepEqual(
      requests.map(({ tag, state, operation, sector, length, since, cpu, bios }) => ({
        ...{ tag, state, operation, sector, length, since, cpu },
        bios: bios.length,
      })),
      [
        { tag: 2, state: 'issued', operation: 'write', sector: 2048, length: 4096, since: 77n, cpu: 3, bios: 2 },
        { tag: 5, state: 'queued', operation: 'read', sector: null, length: 0, since: null, cpu: null, bios: 0 },
      ],
    );
  });

  test('a tag whose slot has another request, or one of another disk, is nobody’s', () => {
    const { kernel, disk, tagSet, add } = device();
    const tags = tagSet('tags');
    add(tags, 'rqs', 1, { state: 0, tag: 6 });
    add(tags, 'rqs', 2, { state: 1, q: 0x1234 });
    assert.deepEqual(requestsInFlight(kernel, disk), []);
  });

  test('an unreadable request costs itself', () => {
    const { kernel, disk, tagSet, add } = device();
    const tags = tagSet('tags');
    kernel.space.exclude(add(tags, 'rqs', 1, { state: 1 }).address);
    add(tags, 'rqs', 2, { state: 2 });
    const { value, faults } = kernel.faults.collect(() => requestsInFlight(kernel, disk));
    assert.deepEqual(
      value.map(({ tag, state }) => [tag, state]),
      [[2, 'complete']],
    );
    assert.deepEqual(
      faults.map(({ what }) => what),
      ['request 1 of vda'],
    );
  });
});
