// bpf and sbitmapq: programs and maps, their instructions as the verifier writes them, tags in use.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NotFoundError, UsageError } from '../../src/base/errors.ts';
import { bpf } from '../../src/commands/system/bpf.ts';
import { bpfLines } from '../../src/commands/system/bpf_text.ts';
import { sbitmapq } from '../../src/commands/system/sbitmapq.ts';
import type { BpfInstruction } from '../../src/kernel/bpf.ts';
import { CommandKernel, lines } from '../support/command_kernel.ts';

const instruction = (
  code: number,
  destination: number,
  source: number,
  offset: number,
  immediate: number,
): BpfInstruction => ({ code, destination, source, offset, immediate });

describe('BPF instructions', () => {
  const cases: readonly (readonly [BpfInstruction, string])[] = [
    [instruction(0xbf, 6, 1, 0, 0), '(bf) r6 = r1'],
    [instruction(0xb7, 1, 0, 0, 0x0a6968), '(b7) r1 = 682344'],
    [instruction(0xb4, 2, 0, 0, -1), '(b4) w2 = -1'],
    [instruction(0x07, 1, 0, 0, -8), '(07) r1 += -8'],
    [instruction(0x1f, 3, 4, 0, 0), '(1f) r3 -= r4'],
    [instruction(0x87, 3, 0, 0, 0), '(87) r3 = -r3'],
    [instruction(0xdc, 5, 0, 0, 16), '(dc) r5 = be16 r5'],
    [instruction(0x7b, 10, 1, -8, 0), '(7b) *(u64 *)(r10 -8) = r1'],
    [instruction(0x62, 10, 0, -4, 5), '(62) *(u32 *)(r10 -4) = 5'],
    [instruction(0x61, 2, 6, 0, 0), '(61) r2 = *(u32 *)(r6 +0)'],
    [instruction(0xdb, 1, 2, 0, 0), '(db) lock *(u64 *)(r1 +0) += r2'],
    [instruction(0x15, 0, 0, 3, 0), '(15) if r0 == 0x0 goto pc+3'],
    [instruction(0xad, 1, 2, -5, 0), '(ad) if r1 < r2 goto pc-5'],
    [instruction(0x05, 0, 0, -2, 0), '(05) goto pc-2'],
    [instruction(0x85, 0, 0, 0, 6), '(85) call bpf_trace_printk#6'],
    [instruction(0x85, 0, 1, 0, 4), '(85) call pc+4'],
    [instruction(0x95, 0, 0, 0, 0), '(95) exit'],
    [instruction(0xff, 0, 0, 0, 0), '(ff) BUG_ff'],
  ];
  for (const [one, text] of cases) {
    test(text, () => assert.equal([...bpfLines([one], () => 'bpf_trace_printk')][0]!.text, text));
  }
  test('64 bits of immediate value take two places; the second is no instruction', () => {
    const wide = [instruction(0x18, 1, 0, 0, -1), instruction(0, 0, 0, 0, 0x7f), instruction(0x95, 0, 0, 0, 0)];
    assert.deepEqual(
      [...bpfLines(wide, () => null)].map(({ number, text }) => [number, text]),
      [
        [0, '(18) r1 = 0x7fffffffff'],
        [2, '(95) exit'],
      ],
    );
  });
});

describe('bpf', () => {
  const types = `
    struct xa_node { u8 shift; void *slots[64]; };
    struct xarray { void *xa_head; };
    struct idr { struct xarray idr_rt; };
    enum bpf_prog_type { BPF_PROG_TYPE_UNSPEC, BPF_PROG_TYPE_SOCKET_FILTER };
    enum bpf_map_type { BPF_MAP_TYPE_UNSPEC, BPF_MAP_TYPE_HASH };
    struct bpf_map { enum bpf_map_type map_type; u32 key_size; u32 value_size; u32 max_entries; u32 map_flags; u32 id; char name[16]; };
    struct bpf_prog_aux { u32 used_map_cnt; u32 id; struct bpf_map **used_maps; u64 load_time; char name[16]; };
    struct bpf_prog {
      u16 pages; u16 gpl_compatible : 1; enum bpf_prog_type type; u32 len; u32 jited_len; u8 tag[8];
      void *bpf_func; struct bpf_prog_aux *aux; u64 insnsi[4];
    };
  `;
  function machine(): CommandKernel {
    const kernel = new CommandKernel(types, [0n]);
    const put = (name: string, id: number, object: bigint): void => {
      const node = kernel.allocate('struct xa_node');
      kernel.set(node, `slots[${id}]`, object);
      kernel.set(kernel.allocate('struct idr', name), 'idr_rt.xa_head', node.address | 2n);
    };
    const map = kernel.allocate('struct bpf_map');
    for (const [member, value] of Object.entries({
      map_type: 1,
      key_size: 4,
      value_size: 8,
      max_entries: 10,
      id: 5,
      name: 'counts',
    }))
      kernel.set(map, member, value);
    const aux = kernel.allocate('struct bpf_prog_aux');
    const maps = kernel.reserve(8);
    kernel.space.words(maps, map.address);
    for (const [member, value] of Object.entries({ used_map_cnt: 1, id: 3, used_maps: maps, name: 'tell\x07tale' }))
      kernel.set(aux, member, value);
    const prog = kernel.allocate('struct bpf_prog');
    for (const [member, value] of Object.entries({ pages: 1, gpl_compatible: 1, type: 1, len: 2, tag: 'ABCDEFG', aux }))
      kernel.set(prog, member, value);
    kernel.space.words(prog.member('insnsi').address, 0x0000_0007_0000_00b7n, 0x95n);
    put('prog_idr', 3, prog.address);
    put('map_idr', 5, map.address);
    return kernel;
  }

  test('all programs and maps, and one program with its instructions', () => {
    const all = lines(machine().run(bpf, ''));
    assert.match(all[1]!, /^ {2}3 {2}[0-9a-f]{16} {2}[0-9a-f]{16} +SOCKET_FILTER +4142434445464700 {2}5$/);
    assert.match(all[4]!, /^ {2}5 {2}[0-9a-f]{16} +HASH +00000000$/);
    const one = lines(machine().run(bpf, '-p 3 -T'));
    assert.deepEqual(
      one.slice(4),
      [
        '     GPL_COMPATIBLE: yes  NAME: "tell\\x07tale"  UID: (unused)',
        '   0: (b7) r0 = 7',
        '       b7 00 00 00 07 00 00 00',
        '   1: (95) exit',
        '       95 00 00 00 00 00 00 00',
      ].map((line) => line) as string[],
    );
    assert.match(
      lines(machine().run(bpf, '-m 5'))[2]!,
      /KEY_SIZE: 4 {2}VALUE_SIZE: 8 {2}MAX_ENTRIES: 10 {2}MEMLOCK: 4096/,
    );
  });
  test('an id that there is not, or that is none, is refused; without programs nothing is listed', () => {
    assert.throws(() => machine().run(bpf, '-p 4'), NotFoundError);
    assert.throws(() => machine().run(bpf, '-m x'), UsageError);
    assert.equal(new CommandKernel(types, [0n]).run(bpf, '').text, '\n');
    assert.equal(new CommandKernel(types, [0n]).run(bpf, '-P').text, '');
  });
});

describe('sbitmapq', () => {
  const types = `
    struct list_head { struct list_head *next, *prev; };
    struct wait_queue_head { int lock; struct list_head head; };
    struct atomic { int counter; };
    struct sbitmap_word { unsigned long word; unsigned long cleared; };
    struct sbitmap { unsigned int depth; unsigned int shift; unsigned int map_nr; bool round_robin; struct sbitmap_word *map; };
    struct sbq_wait_state { struct wait_queue_head wait; };
    struct sbitmap_queue { struct sbitmap sb; unsigned int wake_batch; struct atomic wake_index; struct sbq_wait_state *ws; };
    struct thing { int id; };
  `;
  function machine() {
    const kernel = new CommandKernel(types, [0n]);
    const queue = kernel.allocate('struct sbitmap_queue');
    const words = kernel.allocate('struct sbitmap_word');
    kernel.set(words, 'word', 0b1011);
    kernel.set(words, 'cleared', 0b0010);
    for (const [member, value] of Object.entries({
      'sb.depth': 20,
      'sb.shift': 6,
      'sb.map_nr': 1,
      'sb.map': words,
      wake_batch: 2,
    }))
      kernel.set(queue, member, value);
    const states = kernel.allocate({ kind: 'array', element: kernel.type('struct sbq_wait_state'), length: 8 });
    for (const state of states.elements()) kernel.link(state.member('wait.head').address);
    kernel.link(states.index(3).member('wait.head').address, kernel.reserve(16));
    kernel.set(queue, 'ws', states.address);
    return { kernel, queue };
  }
  test('a queue: bits given back count as cleared, and who waits is shown', () => {
    const { kernel, queue } = machine();
    const output = lines(kernel.run(sbitmapq, queue.address.toString(16)));
    assert.deepEqual(output.slice(0, 5), ['depth = 20', 'busy = 2', 'cleared = 1', 'bits_per_word = 64', 'map_nr = 1']);
    assert.equal(output.filter((line) => line.includes('.wait = active')).length, 1);
    assert.equal(output.at(-1), '00000000: 0900 00');
  });
  test('the structs of the bits in use', () => {
    const { kernel, queue } = machine();
    const things = kernel.allocate({ kind: 'array', element: kernel.type('struct thing'), length: 20 });
    kernel.set(things.index(3), 'id', 33);
    const at = (bit: number): string => things.index(bit).address.toString(16);
    const run = (line: string): string[] =>
      lines(kernel.run(sbitmapq, `${line} -a ${things.address.toString(16)} ${queue.address.toString(16)}`));
    assert.deepEqual(run('-s thing'), [`0: ${at(0)}`, `3: ${at(3)}`]);
    assert.deepEqual(run('-s thing.id').at(-1), '  id = 33');
  });
  test('what is no kernel address, or no sbitmap, is refused', () => {
    const { kernel, queue } = machine();
    assert.throws(() => kernel.run(sbitmapq, '0'), /invalid kernel virtual address: 0/);
    assert.throws(() => kernel.run(sbitmapq, `-s thing ${queue.address.toString(16)}`), UsageError);
    kernel.set(queue, 'sb.shift', 40);
    assert.throws(() => kernel.run(sbitmapq, queue.address.toString(16)), /bits in 1 words/);
  });
});
