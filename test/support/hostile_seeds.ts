// Dumps made hostile from a seed: members of the kernel's objects, whatever they are, made to loop, to alias, to fan out,
// or to lie about a length. What a member is, its type tells:
//
//   list_head, rb_node, ...   to itself, to another's, into a chain of millions, into memory that repeats itself
//   pointer                   to memory that repeats: zeroes, pointers to itself, small numbers; to another object
//   number                    0, one too many, millions, all bits
import { virtAddr } from '../../src/base/address.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { sizeOf, strip, type Type } from '../../src/debuginfo/type.ts';
import type { Dice } from '../robustness/mutate.ts';
import type { HostileDump } from './hostile_dump.ts';

interface Place {
  readonly name: string;
  readonly address: bigint;
  readonly type: Type;
}

/** Damages a dump. @returns what was done */
export function makeHostile(dump: HostileDump, dice: Dice): string {
  const objects = objectsOf(dump);
  const regions = regionsOf(dump);
  const done: string[] = [];
  for (let n = dice.pick([1, 2, 4, 8]); n > 0; n--) {
    const object = dice.pick(objects);
    const place = somewhereIn({ name: object.name, address: object.value.address, type: object.value.type }, dice);
    const value = newValue(dump, place, objects, regions, dice);
    if (value === null) continue;
    const all = dice.next() < 0.3 ? objects.filter(({ name }) => name === object.name) : [object];
    for (const one of all) {
      const at = one.value.address + (place.address - object.value.address);
      const size = Math.min(8, sizeOf(place.type) || 8);
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
      dump.write(at, bytes.subarray(0, size));
    }
    done.push(`${all.length} ${place.name} = ${value.toString(16)}`);
  }
  return done.join(', ');
}

function objectsOf({ kernel }: HostileDump): { readonly name: string; readonly value: KernelObject }[] {
  const found: { readonly name: string; readonly value: KernelObject }[] = [];
  const add = (name: string, get: () => KernelObject | null): void => {
    const value = kernel.faults.attempt(name, get, null);
    if (value !== null && value.address !== 0n) found.push({ name, value });
  };
  for (const name of [
    'modules',
    'slab_caches',
    'super_blocks',
    'init_task',
    'init_pid_ns',
    'init_mm',
    'init_uts_ns',
    'init_nsproxy',
    'init_css_set',
    'init_net',
    'cgrp_dfl_root',
    'workqueues',
    'net_namespace_list',
    'tk_core',
    'irq_desc_tree',
    'sparse_irqs',
    'audit_queue',
  ]) {
    if (kernel.ownSymbol(name) !== null) add(name, () => kernel.optionalVariable(name));
  }
  add('prb', () => kernel.object('struct printk_ringbuffer', kernel.space.pointer(kernel.address('prb'))));
  for (const cpu of kernel.cpus.possible) add('rq', () => kernel.perCpu('runqueues', cpu));
  for (const { object } of kernel.modules) add('module', () => object);
  for (const { object } of kernel.tasks.all) {
    add('task', () => object);
    for (const name of ['mm', 'signal', 'sighand', 'files', 'fs', 'nsproxy', 'cred', 'thread_pid']) {
      add(name, () => (object.member(name).isNull ? null : object.member(name).deref()));
    }
  }
  return found;
}

/** Virtual memory without end, of a few pages each. */
function regionsOf(dump: HostileDump): readonly bigint[] {
  const zeroes = dump.repeat(Buffer.alloc(4096));
  const ones = dump.repeat(Buffer.from('0100000000000000'.repeat(512), 'hex'));
  const self = dump.repeat((start) => {
    const page = Buffer.alloc(4096);
    for (let i = 0; i < 4096; i += 8) page.writeBigUInt64LE(start + BigInt(((i * 37) % 4096) & ~7), i);
    return page;
  });
  const nodes = 400_000;
  const chain = Buffer.alloc(nodes * 16);
  const start = dump.place(chain);
  for (let i = 0; i < nodes; i++) {
    chain.writeBigUInt64LE(start + BigInt(((i + 1) % nodes) * 16), i * 16);
    chain.writeBigUInt64LE(start + BigInt(((i + 7) % nodes) * 16), i * 16 + 8);
  }
  dump.write(start, chain);
  return [zeroes, ones, self, self, start, start, dump.selfMapped()];
}

/** A member of a member ... that is no struct. */
function somewhereIn(place: Place, dice: Dice): Place {
  const type = strip(place.type);
  if (type.kind === 'array' && type.length > 0) {
    const size = sizeOf(type.element);
    const index = dice.below(type.length);
    return somewhereIn(
      { name: `${place.name}[]`, address: place.address + BigInt(index * size), type: type.element },
      dice,
    );
  }
  if ((type.kind !== 'struct' && type.kind !== 'union') || type.members.length === 0) return place;
  const member = dice.pick(type.members);
  return somewhereIn(
    {
      name: `${place.name}.${member.name}`,
      address: place.address + BigInt(Math.floor(member.bitOffset / 8)),
      type: member.type,
    },
    dice,
  );
}

function newValue(
  dump: HostileDump,
  { address, type, name }: Place,
  objects: readonly { readonly name: string; readonly value: KernelObject }[],
  regions: readonly bigint[],
  dice: Dice,
): bigint | null {
  const old = dump.kernel.faults.attempt(name, () => dump.kernel.space.u64(virtAddr(address)), null);
  if (old === null) return null;
  return strip(type).kind === 'pointer'
    ? dice.pick([
        address,
        dice.pick(objects).value.address,
        ...regions,
        ...regions.map((region) => region + BigInt(dice.below(512) * 8)),
        old + 8n,
      ])
    : dice.pick([
        0n,
        old + 1n,
        old - 1n,
        0xffffn,
        4_000_000n,
        0x7fff_ffffn,
        0xffff_ffff_ffff_ffffn,
        dice.pick(regions),
      ]);
}
