// What looks at every byte of a log: newlines counted, plain text told from other, and places found where one of many words
// may stand, sixteen bytes at a time. JavaScript has no such instructions, WebAssembly has (byte_search.wat).
//
// Of each word four bytes are compared ("key"). Each key belongs to one of eight groups, a bit each. For each of the four
// bytes a table of sixteen tells the groups that a byte with such a low nibble may belong to, another one those with such a
// high nibble; a place where all eight leave a bit is looked at again: a hash of its four bytes, in a set of bits. (Known as
// "Teddy", from Intel's Hyperscan.)
import { loadModule, type ModuleMemory } from '../base/web_assembly.ts';
import { byteSearchWasm } from './byte_search_wasm.ts';

/** Bytes of a set of keys: two times four tables of nibbles, and a set of 2^16 bits. */
const tableSize = 8 * 16 + 8192;
const groups = 8;
const keySize = 4;
/** Bytes of text that are searched in one go, and what may be read behind them: the module's memory is made for these. */
export const searchWindow = 1 << 20;
const readAhead = 32;
const textAt = 16;
/** Of the hash, as the module has it. */
const multiplier = 0x9e3779b1 | 0;

interface Exports {
  readonly memory: ModuleMemory;
  readonly find: (tables: number, from: number, to: number) => number;
  readonly lines: (from: number, to: number) => number;
  readonly special: (from: number, to: number) => number;
}

let instance: Exports | null | undefined;

/** The module, made when a text is first searched; null where the machine cannot run it. */
function exported(): Exports | null {
  if (instance === undefined) instance = loadModule<Exports>(byteSearchWasm);
  return instance;
}

/** Four bytes that are searched for, as a number in the order of memory. */
export type Key = number;

/** The key that stands at `bytes[at]`. */
export function keyAt(bytes: Uint8Array, at: number): Key {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Keys that are searched for at once. */
export class KeySet {
  private readonly keys: readonly Key[];
  private tables = 0;

  constructor(keys: readonly Key[]) {
    this.keys = keys;
  }

  /** Where the module has the tables. */
  address(module: Exports): number {
    if (this.tables === 0) {
      this.tables = module.memory.grow(1) * 65536;
      this.write(new Uint8Array(module.memory.buffer, this.tables, tableSize));
    }
    return this.tables;
  }

  private write(tables: Uint8Array): void {
    for (const [n, group] of grouped(this.keys).entries()) {
      for (const key of group) {
        for (let i = 0; i < keySize; i++) {
          const byte = (key >>> (8 * i)) & 0xff;
          tables[32 * i + (byte & 15)]! |= 1 << n;
          tables[32 * i + 16 + (byte >> 4)]! |= 1 << n;
        }
        const bit = Math.imul(key, multiplier) >>> 16;
        tables[8 * 16 + (bit >> 3)]! |= 1 << (bit & 7);
      }
    }
  }
}

/** How much of a log's text has each upper nibble, roughly: small letters, digits and blanks are most of it. */
const share = [1, 0, 20, 25, 4, 6, 60, 40, 0, 0, 0, 0, 0, 0, 0, 0];

/**
 * Keys put together so that little of a log looks like one of a group: each goes to the group that lets through the least
 * text more.
 */
function grouped(keys: readonly Key[]): Key[][] {
  const members: Key[][] = Array.from({ length: groups }, () => []);
  const masks: Uint16Array[] = members.map(() => new Uint16Array(2 * keySize));
  const passes = (mask: Uint16Array): number => {
    let all = 1;
    for (let i = 0; i < keySize; i++) {
      all *= ones(mask[2 * i]!);
      all *= share.reduce((sum, part, nibble) => sum + (((mask[2 * i + 1]! >> nibble) & 1) === 1 ? part : 0), 0);
    }
    return all;
  };
  const joined = (mask: Uint16Array, key: Key): Uint16Array =>
    mask.map((bits, i) => bits | (1 << ((key >>> (4 * i)) & 15)));
  for (const key of keys) {
    const costs = masks.map((mask) => passes(joined(mask, key)) - passes(mask));
    const best = costs.indexOf(Math.min(...costs));
    members[best]!.push(key);
    masks[best] = joined(masks[best]!, key);
  }
  return members;
}

function ones(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** The memory of the module: another one when it has grown. */
let view: Uint8Array = new Uint8Array(0);

function memoryOf(module: Exports): Uint8Array {
  if (view.buffer !== module.memory.buffer) view = new Uint8Array(module.memory.buffer);
  return view;
}

/**
 * Where plain text ends that begins at `from`: the first byte that is no printable ASCII, or is `"` or `\`, and so does not
 * stand for itself in a log and in JSON; `bytes.length` if there is none.
 */
export function plainTextEnd(bytes: Uint8Array, from: number): number {
  const module = exported();
  const { length } = bytes;
  if (module === null || length > searchWindow) {
    let at = from;
    while (at < length && bytes[at]! >= 0x20 && bytes[at]! < 0x7f && bytes[at] !== 0x22 && bytes[at] !== 0x5c) at++;
    return at;
  }
  // all of it: a view of a part takes longer to make than the rest to copy
  memoryOf(module).set(bytes, textAt);
  return module.special(textAt + from, textAt + length) - textAt;
}

/** A piece of text in the module's memory. Only the one that was taken last may be asked. */
export class SearchedText {
  private readonly module: Exports;
  private readonly shift: number;

  private constructor(module: Exports, shift: number) {
    this.module = module;
    this.shift = shift;
  }

  /** Takes `bytes[from, to)`, `searchWindow` at most; null where the machine has no such instructions. */
  static take(bytes: Uint8Array, from: number, to: number): SearchedText | null {
    const module = exported();
    if (module === null) return null;
    const memory = memoryOf(module);
    memory.set(bytes.subarray(from, to), textAt);
    memory.fill(0, textAt + to - from, textAt + to - from + readAhead);
    return new SearchedText(module, textAt - from);
  }

  /** Newlines in `bytes[from, to)`. */
  lines(from: number, to: number): number {
    return this.module.lines(from + this.shift, to + this.shift);
  }

  /** The first offset in [from, to) where a key may stand, or -1: one in some thousand is not one. */
  find(keys: KeySet, from: number, to: number): number {
    const at = this.module.find(keys.address(this.module), from + this.shift, to + this.shift);
    return at < 0 ? -1 : at - this.shift;
  }
}
