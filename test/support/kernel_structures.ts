// The structures of a kernel as they are in its dump: every list, tree, table, array and ring that can be come by from its
// global variables, tasks and modules, by what their types say.
//
//   variables --> objects --> what pointers in them point to --> ...      each looked through for structures
import { virtAddr } from '../../src/base/address.ts';
import { globalVariables } from '../../src/debuginfo/global_variables.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { type CompoundType, type Member, sizeOf, strip, type Type } from '../../src/debuginfo/type.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import type { HostileDump } from './hostile_dump.ts';

/**
 * - `list`: a `struct list_head` with something on it
 * - `hlist`: the first link of a chain that ends
 * - `rbtree`, `maple`, `xarray`: the root of one that has a node
 * - `table`: an array of list heads or of chains
 * - `array`: a pointer with a length beside it
 * - `ring`: numbers that say where something begins and ends, beside what they are about
 */
export type StructureKind = 'list' | 'hlist' | 'rbtree' | 'maple' | 'xarray' | 'table' | 'array' | 'ring';

export interface Structure {
  readonly kind: StructureKind;
  /** `task_struct.children`: the same for all of a kind. */
  readonly name: string;
  /** Virtual address of the head, the root, the first element, or the pointer. */
  readonly address: bigint;
  /** Elements of a table; of an array and a ring, the numbers beside. */
  readonly count: number;
  readonly numbers: readonly { readonly address: bigint; readonly size: number }[];
}

/** Objects looked through, and of each type: the rest are more of the same. */
const maxObjects = 6000;
const maxOfType = 60;

const heads: Readonly<Record<string, StructureKind>> = {
  list_head: 'list',
  hlist_head: 'hlist',
  hlist_bl_head: 'hlist',
  hlist_nulls_head: 'hlist',
  llist_head: 'hlist',
  rb_root: 'rbtree',
  rb_root_cached: 'rbtree',
  maple_tree: 'maple',
  xarray: 'xarray',
  radix_tree_root: 'xarray',
};
const lengthName = /^(n|nr|num|max|size|len|count|cnt)$|^(nr|num|max|n)_|_(nr|num|count|cnt|len|size|entries|fds)$/;
const ringName = /(^|_)(head|tail|in|out|first|last|next|begin|end|seq|id|bits|shift|mask|order)$/;

/** Every structure that is found. */
export function structuresOf(kernel: Kernel): readonly Structure[] {
  const found = new Finder(kernel);
  for (const name of Object.keys(globalVariables)) {
    if (kernel.ownSymbol(name) === null) continue;
    kernel.faults.attempt(name, () => found.variable(name, kernel.optionalVariable(name)), undefined);
  }
  for (const cpu of kernel.cpus.possible) {
    kernel.faults.attempt('runqueues', () => found.plan('rq', kernel.perCpu('runqueues', cpu)), undefined);
  }
  for (const { object } of kernel.modules) found.plan('module', object);
  for (const { object } of kernel.tasks.all) found.plan('task_struct', object);
  return found.all();
}

/** Those whose head, root, pointer or numbers are in one of some frames. */
export function structuresIn(
  dump: HostileDump,
  structures: readonly Structure[],
  frames: ReadonlySet<number>,
): readonly Structure[] {
  const frameOf = (address: bigint): number => dump.kernel.faults.attempt('frame', () => dump.frame(address), -1);
  return structures.filter(({ address }) => frames.has(frameOf(address)));
}

class Finder {
  private readonly kernel: Kernel;
  private readonly structures: Structure[] = [];
  private readonly planned: { readonly name: string; readonly address: bigint; readonly type: CompoundType }[] = [];
  private readonly seen = new Set<string>();
  private readonly ofType = new Map<string, number>();
  /** Code and constants: structures are elsewhere, and what points here points to what only looks like one. */
  private readonly image: { readonly start: bigint; readonly end: bigint };

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.image = { start: kernel.address('_stext'), end: kernel.address('__end_rodata') };
  }

  variable(name: string, object: KernelObject | null): void {
    if (object !== null) this.member(name, object.address, object.type, null);
  }

  plan(name: string, { address, type }: KernelObject): void {
    const stripped = strip(type);
    if (stripped.kind === 'struct' || stripped.kind === 'union') this.planAt(name, address, stripped);
  }

  all(): readonly Structure[] {
    for (let i = 0; i < Math.min(this.planned.length, maxObjects); i++) {
      const { name, address, type } = this.planned[i]!;
      this.compound(name, address, type);
    }
    return this.structures;
  }

  private planAt(name: string, address: bigint, type: CompoundType): void {
    const key = `${address} ${type.name}`;
    const sameType = this.ofType.get(type.name) ?? 0;
    if (type.size === 0 || this.seen.has(key) || sameType >= maxOfType || this.word(address) === null) return;
    this.seen.add(key);
    this.ofType.set(type.name, sameType + 1);
    this.planned.push({ name, address, type });
  }

  private compound(name: string, address: bigint, type: CompoundType): void {
    const its = type.name === '' ? name : type.name;
    for (const member of type.members) {
      if (member.bitSize > 0) continue;
      this.member(
        member.name === '' ? its : `${its}.${member.name}`,
        address + BigInt(Math.floor(member.bitOffset / 8)),
        member.type,
        { type, address },
      );
    }
    this.ring(its, address, type);
  }

  private member(
    name: string,
    address: bigint,
    type: Type,
    around: { readonly type: CompoundType; readonly address: bigint } | null,
  ): void {
    const stripped = strip(type);
    if (stripped.kind === 'struct' || stripped.kind === 'union') {
      const kind = heads[stripped.name];
      if (kind === undefined) this.compound(name, address, stripped);
      else this.head(kind, name, address, stripped);
    } else if (stripped.kind === 'array') {
      const size = sizeOf(stripped.element);
      if (headOf(stripped.element) !== null && stripped.length >= 4) {
        this.add({ kind: 'table', name, address, count: stripped.length, numbers: [] });
      }
      for (let i = 0; i < Math.min(4, stripped.length); i++)
        this.member(`${name}[]`, address + BigInt(i * size), stripped.element, null);
    } else if (stripped.kind === 'pointer') this.pointer(name, address, stripped.target, around);
  }

  private pointer(
    name: string,
    address: bigint,
    target: Type,
    around: { readonly type: CompoundType; readonly address: bigint } | null,
  ): void {
    const value = this.word(address);
    if (value === null || this.word(value) === null) return;
    const pointed = strip(target);
    if (headOf(target) !== null) this.add({ kind: 'table', name, address: value, count: 64, numbers: [] });
    else if (pointed.kind === 'struct' || pointed.kind === 'union') this.planAt(pointed.name, value, pointed);
    if (around === null) return;
    const numbers = numbersIn(around.type, around.address, lengthName);
    if (numbers.length > 0) this.add({ kind: 'array', name, address, count: 1, numbers });
  }

  private head(kind: StructureKind, name: string, address: bigint, type: CompoundType): void {
    const first = this.word(kind === 'list' ? address : address + BigInt(offsetOfFirst(type, kind)));
    if (first === null || first === 0n || first === address) return;
    if ((kind === 'maple' || kind === 'xarray') && ((first & 3n) !== 2n || first <= 4096n)) return; // a single entry
    if (this.word(first & ~3n) === null) return;
    const at = kind === 'list' ? address : address + BigInt(offsetOfFirst(type, kind));
    this.add({ kind, name, address: at, count: 1, numbers: [] });
  }

  private ring(name: string, address: bigint, type: CompoundType): void {
    const numbers = numbersIn(type, address, ringName);
    if (numbers.length >= 2) this.add({ kind: 'ring', name, address, count: 1, numbers });
  }

  private add(structure: Structure): void {
    this.structures.push(structure);
  }

  private word(address: bigint): bigint | null {
    const { arch, faults, space } = this.kernel;
    const isImage = address >= this.image.start && address < this.image.end;
    if (isImage || !arch.isKernelAddress(virtAddr(address))) return null;
    return faults.attempt('structures', () => space.u64(virtAddr(address)), null);
  }
}

function headOf(type: Type): StructureKind | null {
  const stripped = strip(type);
  const kind = stripped.kind === 'struct' ? heads[stripped.name] : undefined;
  return kind === 'list' || kind === 'hlist' ? kind : null;
}

/** Bytes to the pointer to the first node. */
function offsetOfFirst(type: CompoundType, kind: StructureKind): number {
  const names = { rbtree: /^(rb_node|rb_root)$/, maple: /^ma_root$/, xarray: /^(xa_head|rnode)$/ }[kind as 'rbtree'];
  const member = names === undefined ? undefined : type.members.find(({ name }) => names.test(name));
  return (member?.bitOffset ?? 0) / 8;
}

/** The plain numbers of a type, some of them within a `counter`, whose names say something. */
function numbersIn(type: CompoundType, address: bigint, names: RegExp): Structure['numbers'] {
  return type.members.flatMap((member: Member) => {
    if (member.bitSize > 0 || !names.test(member.name)) return [];
    let its = strip(member.type);
    while (its.kind === 'struct' && its.members.length === 1) its = strip(its.members[0]!.type);
    return its.kind === 'int' ? [{ address: address + BigInt(member.bitOffset / 8), size: its.size }] : [];
  });
}
