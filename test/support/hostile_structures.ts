// Dumps made hostile from a seed by kind of structure: lists, trees, tables, arrays and rings of the kernel, whichever, made
//
//   to loop       a link leads back: to itself, to what came before, to the root
//   to alias      a link leads into another structure of the same kind, or its nodes are copies of one
//   to fan out    many lead to the same chain; each slot of a level of a tree is the one node below
//   to lie        a length, an index or a shift is what it cannot be, over memory that has no end
import { virtAddr } from '../../src/base/address.ts';
import { offsetOf } from '../../src/debuginfo/type.ts';
import type { Dice } from '../robustness/mutate.ts';
import type { HostileDump } from './hostile_dump.ts';
import type { Structure, StructureKind } from './kernel_structures.ts';

export const structureKinds: readonly StructureKind[] = [
  'list',
  'hlist',
  'rbtree',
  'maple',
  'xarray',
  'table',
  'array',
  'ring',
];

const page = 4096;
/** Nodes of a long chain: with all else that is added, the file stays under 100 MB. */
const chainNodes = 1_500_000;
/** Copies of a node. */
const copies = 1500;

/**
 * Damages structures of a dump.
 * @param all those of its kernel @param kinds of which kinds, one of them each time
 * @returns what was done
 */
export function damageStructures(
  dump: HostileDump,
  all: readonly Structure[],
  dice: Dice,
  kinds = structureKinds,
): string {
  const damage = new Damage(dump, dice, all);
  const there = kinds.filter((kind) => all.some((one) => one.kind === kind));
  const done: string[] = [];
  for (let n = dice.pick([1, 1, 2, 4]); n > 0; n--) {
    const kind = dice.pick(there);
    const ofKind = all.filter((one) => one.kind === kind);
    // a name first: thousands of a kind have the same
    const name = dice.pick([...new Set(ofKind.map((one) => one.name))]);
    const named = ofKind.filter((one) => one.name === name);
    const targets = dice.next() < 0.5 ? named : [dice.pick(named)];
    const how = dump.kernel.faults.attempt(name, () => damage.of(kind, targets), 'what cannot be done');
    done.push(`${targets.length} ${kind} ${name}: ${how}`);
  }
  return done.join(', ');
}

class Damage {
  private readonly dump: HostileDump;
  private readonly dice: Dice;
  private readonly all: readonly Structure[];
  private chain: bigint | null = null;

  constructor(dump: HostileDump, dice: Dice, all: readonly Structure[]) {
    this.dump = dump;
    this.dice = dice;
    this.all = all;
  }

  of(kind: StructureKind, targets: readonly Structure[]): string {
    const [how, apply] = this.dice.pick(this.ways(kind, targets[0]!));
    for (const target of targets) apply(target);
    return how;
  }

  private ways(kind: StructureKind, first: Structure): readonly (readonly [string, (target: Structure) => void])[] {
    const { dump, dice } = this;
    const endless = (): bigint => dump.repeat((start) => this.selves(start));
    switch (kind) {
      case 'list':
      case 'hlist': {
        const other = dice.pick(this.all.filter((one) => one.kind === kind));
        return [
          ['loops', (target) => this.loopLink(target.address)],
          ['leads into another', (target) => dump.u64(this.someLink(target.address), this.word(other.address))],
          ['leads into another of its name', (target) => this.toNext(target)],
          ['is a chain of millions', (target) => dump.u64(this.someLink(target.address), this.longChain())],
          [
            'is copies of its first node',
            once(
              () => this.copiesOf(first.address),
              (target, at) => dump.u64(target.address, at),
            ),
          ],
          ['leads into itself without end', once(endless, (target, at) => dump.u64(target.address, at))],
        ];
      }
      case 'rbtree': {
        const left = this.offset('rb_node', 'rb_left');
        const right = this.offset('rb_node', 'rb_right');
        const below = (root: bigint): bigint => this.descend(this.word(root), [left, right]);
        return [
          ['loops', (target) => dump.u64(below(target.address) + dice.pick([left, right]), this.word(target.address))],
          [
            'is a node twice',
            (target) => {
              const root = this.word(target.address);
              dump.u64(root + left, this.word(root + right));
            },
          ],
          [
            'has levels of one node each',
            once(
              () => this.levels(100, 24, [left, right]),
              (target, at) => dump.u64(below(target.address) + right, at),
            ),
          ],
          ['is a chain of millions', (target) => dump.u64(target.address, this.longChain())],
          [
            'is copies of its first node',
            once(
              () => this.copiesOf(first.address, right),
              (target, at) => dump.u64(target.address, at),
            ),
          ],
          ['leads into itself without end', once(endless, (target, at) => dump.u64(target.address, at))],
        ];
      }
      case 'maple':
      case 'xarray': {
        const slots = kind === 'maple' ? this.offset('maple_node', 'mr64.slot') : this.offset('xa_node', 'slots');
        const mask = kind === 'maple' ? 0xffn : 3n;
        const count = kind === 'maple' ? 10 : 64;
        const node = (target: Structure): bigint => this.word(target.address) & ~mask;
        const slot = (target: Structure): bigint => node(target) + slots + 8n * BigInt(dice.below(count));
        return [
          ['loops', (target) => dump.u64(slot(target), this.word(target.address))],
          [
            'has one entry in each slot',
            (target) => {
              const entry = this.word(node(target) + slots);
              for (let i = 0; i < count; i++) dump.u64(node(target) + slots + BigInt(8 * i), entry);
            },
          ],
          ['is another of its name', (target) => this.toNext(target)],
          [
            'lies about its first word',
            (target) => dump.u64(node(target) + (kind === 'maple' ? 8n : 0n), this.number(8)),
          ],
          [
            'has levels of one node each',
            (target) =>
              dump.u64(target.address, kind === 'maple' ? this.mapleLevels(target) : this.xarrayLevels(target)),
          ],
          [
            'is a node without end',
            once(endless, (target, at) => dump.u64(target.address, at | (this.word(target.address) & mask))),
          ],
        ];
      }
      case 'table':
        return [
          ['has one chain in each place', (target) => this.fill(target, this.longChain())],
          ['has the first in each place', (target) => this.fill(target, this.word(target.address))],
          ['loops in each place', (target) => this.fill(target, target.address)],
          ['leads into itself without end', once(endless, (target, at) => this.fill(target, at))],
        ];
      case 'array': {
        const content = (): Uint8Array => this.pageAt(this.word(first.address));
        const lie = (target: Structure): void => {
          for (const { address, size } of target.numbers) this.write(address, size, this.number(size));
        };
        return [
          ['lies about its length', lie],
          [
            'is one page again and again',
            once(
              () => dump.repeat(content()),
              (target, at) => {
                dump.u64(target.address, at + (this.word(target.address) & 0xfffn));
                lie(target);
              },
            ),
          ],
          [
            'is zeroes without end',
            once(
              () => dump.repeat(new Uint8Array(page)),
              (target, at) => {
                dump.u64(target.address, at);
                lie(target);
              },
            ),
          ],
          [
            'is pointers to itself without end',
            once(endless, (target, at) => {
              dump.u64(target.address, at);
              lie(target);
            }),
          ],
        ];
      }
      case 'ring':
        return [
          [
            'lies about where it is',
            (target) => {
              const { address, size } = dice.pick(target.numbers);
              this.write(address, size, this.number(size));
            },
          ],
          [
            'lies about all of it',
            (target) => {
              for (const { address, size } of target.numbers) this.write(address, size, this.number(size));
            },
          ],
        ];
    }
  }

  private word(address: bigint): bigint {
    return this.dump.kernel.space.u64(virtAddr(address));
  }

  private offset(type: string, member: string): bigint {
    return this.dump.offset(`struct ${type}`, member);
  }

  private write(address: bigint, size: number, value: bigint): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
    this.dump.write(address, bytes.subarray(0, size));
  }

  /** What a length, an index or a shift may not be. */
  private number(size: number): bigint {
    const bits = BigInt(size * 8);
    return BigInt.asUintN(
      size * 8,
      this.dice.pick([0n, 1n, 63n, 0xffffn, 1_000_000n, 0x7fff_ffffn, (1n << (bits - 1n)) - 1n, (1n << bits) - 1n]),
    );
  }

  /** The nodes that a link leads to, each by its first word. */
  private nodes(link: bigint): readonly bigint[] {
    const found: bigint[] = [];
    for (
      let at = this.next(link);
      at !== null && at !== link && found.length < 64 && !found.includes(at);
      at = this.next(at)
    ) {
      found.push(at);
    }
    return found;
  }

  private next(link: bigint): bigint | null {
    const value = this.dump.kernel.faults.attempt('node', () => this.word(link), 0n) & ~1n;
    return value === 0n ? null : value;
  }

  /** The head's own link, or that of a node behind it that may be written. */
  private someLink(head: bigint): bigint {
    const links = [head, ...this.nodes(head)].filter((at) => this.next(at) !== null);
    return this.dice.pick(links.length === 0 ? [head] : links);
  }

  private loopLink(head: bigint): void {
    const nodes = this.nodes(head);
    const from = this.dice.below(Math.max(1, nodes.length));
    if (nodes.length > 0) this.dump.u64(nodes[from]!, nodes[this.dice.below(from + 1)]!);
  }

  /** Leads to what the next structure of the name leads to. */
  private toNext(target: Structure): void {
    const named = this.all.filter(({ kind, name }) => kind === target.kind && name === target.name);
    this.dump.u64(target.address, this.word(named[(named.indexOf(target) + 1) % named.length]!.address));
  }

  /** A node some levels below one. */
  private descend(node: bigint, links: readonly bigint[]): bigint {
    let at = node;
    for (let depth = this.dice.below(6); depth > 0; depth--) {
      const below = this.next(at + this.dice.pick(links));
      if (below === null) break;
      at = below;
    }
    return at;
  }

  /** Nodes of three words, as of lists and trees, each of which leads to the next by each of them. @returns the first */
  private longChain(): bigint {
    if (this.chain !== null) return this.chain;
    const bytes = Buffer.alloc(chainNodes * 24);
    const start = this.dump.place(bytes);
    for (let i = 0; i < chainNodes; i++) {
      const next = start + BigInt(((i + 1) % chainNodes) * 24);
      for (let word = 0; word < 2; word++) bytes.writeBigUInt64LE(next, i * 24 + 8 * word);
    }
    this.dump.write(start, bytes);
    this.chain = start;
    return start;
  }

  /** Copies of what the first node is embedded in, as far as its page goes, each of which leads to the next. @returns the first node */
  private copiesOf(link: bigint, at = 0n): bigint {
    const node = this.word(link) & ~3n;
    const content = Buffer.from(this.pageAt(node));
    const inPage = Number(node % BigInt(page));
    const start = this.dump.place(Buffer.alloc(copies * page)) + BigInt(inPage);
    for (let i = 0; i < copies; i++) {
      content.writeBigUInt64LE(start + BigInt(((i + 1) % copies) * page), (inPage + Number(at)) % (page - 8));
      this.dump.write(start - BigInt(inPage) + BigInt(i * page), content);
    }
    return start;
  }

  /** Nodes each of whose links lead to the next. @returns the first */
  private levels(count: number, size: number, links: readonly bigint[]): bigint {
    const start = this.dump.place(Buffer.alloc(count * size));
    for (let i = 0; i + 1 < count; i++) {
      for (const link of links) this.dump.u64(start + BigInt(i * size) + link, start + BigInt((i + 1) * size));
    }
    return start;
  }

  /** Levels of an xarray whose 64 slots are the level below; the lowest has an entry that is the structure's own. @returns what the root holds */
  private xarrayLevels(target: Structure): bigint {
    const slots = Number(this.offset('xa_node', 'slots'));
    let below = this.firstEntry(this.word(target.address), 0);
    for (let shift = 0; shift <= 54; shift += 6) {
      const node = Buffer.alloc(this.dump.size('struct xa_node'));
      node[Number(this.offset('xa_node', 'shift'))] = shift;
      for (let i = 0; i < 64; i++) node.writeBigUInt64LE(below, slots + 8 * i);
      below = this.dump.place(node) | 2n;
    }
    return below;
  }

  private firstEntry(entry: bigint, depth: number): bigint {
    if ((entry & 3n) !== 2n || entry <= 4096n || depth > 10) return entry;
    const slots = (entry & ~3n) + this.offset('xa_node', 'slots');
    for (let i = 0; i < 64; i++) {
      const below = this.word(slots + BigInt(8 * i));
      if (below !== 0n) return this.firstEntry(below, depth + 1);
    }
    return entry;
  }

  /** Levels of a maple tree: copies of the root node, whose slots are the level below, and whose pivots allow all of them. */
  private mapleLevels(target: Structure): bigint {
    const root = this.word(target.address);
    const type = this.dump.kernel.object('struct maple_node', virtAddr(0n)).type;
    const [pivots, slots] = [offsetOf(type, 'mr64.pivot'), offsetOf(type, 'mr64.slot')];
    const rangeNode = 2n << 3n;
    let below = root;
    for (let level = 0; level < 28; level++) {
      const node = Buffer.alloc(256);
      for (let i = 0; i < 16; i++) node.writeBigUInt64LE(below, slots + 8 * i);
      for (let i = 0; i < 15; i++) node.writeBigUInt64LE(BigInt(i) << BigInt(4 * (level % 15)), pivots + 8 * i);
      below = this.dump.place(node) | rangeNode | 2n;
    }
    return below;
  }

  private fill({ address, count }: Structure, value: bigint): void {
    const { faults } = this.dump.kernel;
    for (let i = 0; i < count; i++) {
      faults.attempt('table', () => this.dump.u64(address + BigInt(8 * i), value), undefined);
    }
  }

  private pageAt(address: bigint): Uint8Array {
    return this.dump.kernel.space.read(virtAddr(address & ~0xfffn), page);
  }

  private selves(start: bigint): Uint8Array {
    const bytes = Buffer.alloc(page);
    for (let i = 0; i < page; i += 8) bytes.writeBigUInt64LE(start + BigInt((i * 37) % page), i);
    return bytes;
  }
}

/** What is made for all targets together, when the first is damaged. */
function once<T>(make: () => T, apply: (target: Structure, made: T) => void): (target: Structure) => void {
  let made: { readonly value: T } | null = null;
  return (target) => {
    made ??= { value: make() };
    apply(target, made.value);
  };
}
