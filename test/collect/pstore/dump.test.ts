// What a dump holds besides its own death: ramoops' region, the boot before, machine checks that nobody printed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machineChecksOfKernel } from '../../../src/collect/hardware/raw_mce.ts';
import { ramoopsOf } from '../../../src/collect/pstore/dump.ts';
import { ramDeath, ramZone } from '../../support/pstore_writer.ts';
import { SyntheticKernel } from '../../support/synthetic_kernel.ts';
import type { SyntheticMemory } from '../../support/synthetic_memory.ts';

const ramoopsTypes = `
struct persistent_ram_ecc_info { int block_size; int ecc_size; };
struct persistent_ram_zone { unsigned long size; char *old_log; unsigned long old_log_size; };
struct ramoops_context {
  struct persistent_ram_zone **dprzs; struct persistent_ram_zone *cprz; struct persistent_ram_zone *mprz;
  unsigned long long phys_addr; unsigned long size;
  unsigned long record_size; unsigned long console_size; unsigned long ftrace_size; unsigned long pmsg_size;
  unsigned int max_dump_cnt;
  struct persistent_ram_ecc_info ecc_info;
};`;

function withRamoops(region: Buffer | null): { kernel: SyntheticKernel; console: string } {
  const kernel = new SyntheticKernel(ramoopsTypes);
  const context = kernel.allocate('struct ramoops_context', 'oops_cxt');
  const console = '[    5.000000] the boot before says goodbye\n';
  const zone = kernel.allocate('struct persistent_ram_zone');
  const log = kernel.reserve(4096);
  kernel.space.write(log, Buffer.from(console));
  kernel.set(zone, 'old_log', log);
  kernel.set(zone, 'old_log_size', console.length);
  const death = kernel.allocate('struct persistent_ram_zone');
  const old = Buffer.from(
    ramDeath('1717236180.123456', 'Panic#1 Part1\n<0>[   48.1] Kernel panic - not syncing: old\n', false),
  );
  const oldLog = kernel.reserve(4096);
  kernel.space.write(oldLog, old);
  kernel.set(death, 'old_log', oldLog);
  kernel.set(death, 'old_log_size', old.length);
  const list = kernel.reserve(16);
  kernel.space.words(list, death.address, 0n);
  kernel.set(context, 'dprzs', list);
  kernel.set(context, 'max_dump_cnt', 2);
  kernel.set(context, 'cprz', zone);
  kernel.set(context, 'phys_addr', 0x8000_0000);
  kernel.set(context, 'size', 8192);
  kernel.set(context, 'record_size', 4096);
  kernel.set(context, 'console_size', 4096);
  if (region !== null) (kernel.dump.memory as SyntheticMemory).write(0x8000_0000, region);
  return { kernel, console };
}

const textOf = (content: Uint8Array): string => Buffer.from(content).toString();

test("the region that a dump holds, and the kernel's copies of what was in it before", () => {
  const region = Buffer.concat([
    ramZone(4096, ramDeath('1717236999.000000', 'Oops#1 Part1\n<1>[   99.0] Oops: 0002 [#1]\n', false)),
    ramZone(4096, '[    1.000000] this boot\n'),
  ]);
  const { kernel, console } = withRamoops(region);
  const found = ramoopsOf(kernel, 'vmcore')!;
  assert.equal(found.missing, null);
  assert.deepEqual(
    found.records.map(({ type, reason, content }) => [type, reason, textOf(content)]),
    [
      ['dmesg', 'Oops', '<1>[   99.0] Oops: 0002 [#1]\n'],
      ['console', null, '[    1.000000] this boot\n'],
      ['dmesg', 'Panic', '<0>[   48.1] Kernel panic - not syncing: old\n'],
      ['console', null, console],
    ],
  );
});

test('where the region is not in the dump, the boot before still is; what is the same comes once', () => {
  const { kernel, console } = withRamoops(null);
  const found = ramoopsOf(kernel, 'vmcore')!;
  assert.match(found.missing!, /./);
  assert.deepEqual(
    found.records.map(({ type }) => type),
    ['dmesg', 'console'],
  );
  const same = withRamoops(Buffer.concat([ramZone(4096, ''), ramZone(4096, console)]));
  assert.equal(ramoopsOf(same.kernel, 'vmcore')!.records.filter(({ type }) => type === 'console').length, 1);
});

test('lengths and pointers that make no sense cost themselves alone', () => {
  const { kernel } = withRamoops(null);
  const context = kernel.object('ramoops_context', kernel.address('oops_cxt'));
  kernel.set(context, 'cprz', 0xdead_beef_0000n);
  kernel.set(context, 'max_dump_cnt', 0xffff_ffff);
  assert.deepEqual(
    ramoopsOf(kernel, 'vmcore')!.records.map(({ type }) => type),
    ['dmesg'],
  );
  kernel.set(context, 'size', 0x7fff_ffff_ffffn);
  assert.equal(ramoopsOf(kernel, 'vmcore'), null);
  assert.equal(ramoopsOf(new SyntheticKernel(ramoopsTypes), 'vmcore'), null);
});

const mceTypes = `
struct mce { unsigned long long status, misc, addr, mcgstatus, ip, tsc, time; unsigned char cpuvendor, inject_flags, severity, pad;
  unsigned int cpuid; unsigned char cs, bank, cpu, finished; unsigned int extcpu, socketid, apicid; unsigned long long mcgcap, synd, ipid; };
struct llist_node { struct llist_node *next; };
struct llist_head { struct llist_node *first; };
struct mce_evt_llist { struct llist_node llnode; struct mce mce; };
struct cpumask { unsigned long bits[1]; };`;

test('machine checks that wait to be printed when the kernel dies', () => {
  const kernel = new SyntheticKernel(mceTypes);
  const head = kernel.allocate('struct llist_head', 'mce_event_llist');
  const first = kernel.allocate('struct mce_evt_llist');
  const second = kernel.allocate('struct mce_evt_llist');
  kernel.set(head, 'first', first);
  kernel.set(first, 'llnode.next', second);
  // a list that goes round
  kernel.set(second, 'llnode.next', first);
  kernel.set(first, 'mce.status', 0xbe00_0000_0100_0091n);
  kernel.set(first, 'mce.addr', 0x1234_5000);
  kernel.set(first, 'mce.bank', 13);
  kernel.set(first, 'mce.extcpu', 3);
  kernel.set(first, 'mce.cpuid', 0x50654);
  const errors = machineChecksOfKernel(kernel);
  assert.deepEqual(
    errors.map(({ cpu, bank, unit, address }) => [cpu, bank, unit, address]),
    [[3, 13, 'memory', '0x12345000']],
  );
});
