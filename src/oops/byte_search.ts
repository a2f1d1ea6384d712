// What looks at every byte of a log: newlines counted, plain text told from other, and places found where one of many words
// may stand, sixteen bytes at a time. JavaScript has no such instructions, WebAssembly has; the module is small enough to be written out here.
//
// Of each word four bytes are compared ("key"). Each key belongs to one of eight groups, a bit each. For each of the four
// bytes a table of sixteen tells the groups that a byte with such a low nibble may belong to, another one those with such a
// high nibble; a place where all eight leave a bit is looked at again: a hash of its four bytes, in a set of bits. (Known as
// "Teddy", from Intel's Hyperscan.)

/** Bytes of a set of keys: two times four tables of nibbles, and a set of 2^16 bits. */
const tableSize = 8 * 16 + 8192;
const groups = 8;
const keySize = 4;
/** Bytes of text that are searched in one go, and what may be read behind them. */
export const searchWindow = 1 << 20;
const readAhead = 32;
const textAt = 16;
const multiplier = 0x9e3779b1 | 0;

// ---- the module

const i32 = 0x7f;
const v128 = 0x7b;
const nothing = 0x40;
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const tee = (local: number): number[] => [0x22, local];
const int = (value: number): number[] => [0x41, ...signed(value)];
const simd = (op: number, ...rest: number[]): number[] => [0xfd, op, ...rest];
const load128 = (offset: number): number[] => simd(0x00, 0, ...unsigned(offset));
const splat = (byte: number): number[] => simd(0x0c, ...new Array<number>(16).fill(byte));
const swizzle = simd(0x0e);
const equal = simd(0x23);
const lessSigned = simd(0x25);
const or128 = simd(0x50);
const notEqual = simd(0x24);
const and128 = simd(0x4e);
const bitmask = simd(0x64);
const shiftRight8 = simd(0x6d);
const load = [0x28, 0, 0];
const load8 = (offset: number): number[] => [0x2d, 0, ...unsigned(offset)];
const [atLeast, countZeros, countOnes] = [0x4f, 0x68, 0x69];
const [add, subtract, multiply, and, shiftLeft, shiftRight] = [0x6a, 0x6b, 0x6c, 0x71, 0x74, 0x76];
const [loop, endBlock, giveBack] = [[0x03, nothing], 0x0b, 0x0f];
const when = [0x04, nothing];
const again = (depth: number): number[] => [0x0c, depth];

function unsigned(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; ) {
    const byte = rest & 0x7f;
    rest >>>= 7;
    if (rest === 0) return [...out, byte];
    out.push(byte | 0x80);
  }
}

function signed(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; ) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) return [...out, byte];
    out.push(byte | 0x80);
  }
}

/** `find(tables, from, to)`: the first place in [from, to) where a key may stand, or -1. */
function findBody(): number[] {
  const [tables, at, to, bits, place, nibbles, found] = [0, 1, 2, 3, 4, 5, 13];
  const candidate = [0, 1, 2, 3].flatMap((i) => [
    ...[...get(nibbles + 2 * i), ...get(at), ...load128(i), ...splat(0x0f), ...and128, ...swizzle],
    ...[...get(nibbles + 2 * i + 1), ...get(at), ...load128(i), ...int(4), ...shiftRight8, ...swizzle],
    ...and128,
    ...(i === 0 ? [] : [...get(found), ...and128]),
    ...set(found),
  ]);
  const hash = [...get(place), ...load, ...int(multiplier), multiply, ...int(16), shiftRight];
  return [
    ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [...get(tables), ...load128(16 * n), ...set(nibbles + n)]),
    ...loop,
    ...[...get(at), ...get(to), atLeast, ...when, ...int(-1), giveBack, endBlock],
    ...candidate,
    ...[...get(found), ...splat(0), ...notEqual, ...bitmask, ...set(bits)],
    ...[...get(bits), ...when, ...loop],
    ...[...get(at), ...get(bits), countZeros, add, ...set(place)],
    ...[...get(place), ...get(to), atLeast, ...when, ...int(-1), giveBack, endBlock],
    // the hash is taken twice, for the byte and the bit in it: both are cheaper than another local
    ...[...hash, ...int(3), shiftRight, ...get(tables), add, ...load8(128)],
    ...[...hash, ...int(7), and, shiftRight, ...int(1), and],
    ...[...when, ...get(place), giveBack, endBlock],
    ...[...get(bits), ...get(bits), ...int(1), subtract, and, ...tee(bits), ...when, ...again(1), endBlock],
    ...[endBlock, endBlock],
    ...[...get(at), ...int(16), add, ...set(at), ...again(0), endBlock],
    ...int(-1),
  ];
}

/** `lines(from, to)`: newlines in [from, to). */
function linesBody(): number[] {
  const [at, to, count] = [0, 1, 2];
  const newlines = [...get(at), ...load128(0), ...splat(10), ...equal, ...bitmask];
  return [
    ...loop,
    ...[...get(to), ...get(at), subtract, ...int(16), atLeast, ...when],
    ...[...newlines, countOnes, ...get(count), add, ...set(count)],
    ...[...get(at), ...int(16), add, ...set(at), ...again(1), endBlock],
    endBlock,
    ...[...newlines, ...int(1), ...get(to), ...get(at), subtract, shiftLeft, ...int(1), subtract, and, countOnes],
    ...[...get(count), add],
  ];
}

/** `special(from, to)`: not 0 if a byte in [from, to) is no printable ASCII, or is `"` or `\`. */
function specialBody(): number[] {
  const [at, to, bytes] = [0, 1, 2];
  const special = [
    ...[...get(at), ...load128(0), ...set(bytes)],
    // bytes above 127 are negative
    ...[...get(bytes), ...splat(0x20), ...lessSigned],
    ...[0x7f, 0x22, 0x5c].flatMap((byte) => [...get(bytes), ...splat(byte), ...equal, ...or128]),
    ...bitmask,
  ];
  return [
    ...loop,
    ...[...get(to), ...get(at), subtract, ...int(16), atLeast, ...when],
    ...[...special, ...when, ...int(1), giveBack, endBlock],
    ...[...get(at), ...int(16), add, ...set(at), ...again(1), endBlock],
    endBlock,
    ...[...special, ...int(1), ...get(to), ...get(at), subtract, shiftLeft, ...int(1), subtract, and],
  ];
}

function assembled(): Uint8Array<ArrayBuffer> {
  const vector = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];
  const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];
  const body = (locals: readonly (readonly number[])[], code: readonly number[]): number[] => {
    const all = [...vector(locals), ...code, endBlock];
    return [...unsigned(all.length), ...all];
  };
  const name = (text: string): number[] => [...unsigned(text.length), ...Buffer.from(text)];
  const exports = [
    [...name('memory'), 2, 0],
    [...name('find'), 0, 0],
    [...name('lines'), 0, 1],
    [...name('special'), 0, 2],
  ];
  const bodies = [
    body(
      [
        [2, i32],
        [9, v128],
      ],
      findBody(),
    ),
    body([[1, i32]], linesBody()),
    body([[1, v128]], specialBody()),
  ];
  const pages = Math.ceil((textAt + searchWindow + readAhead) / 65536);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      1,
      vector([
        [0x60, 3, i32, i32, i32, 1, i32],
        [0x60, 2, i32, i32, 1, i32],
      ]),
    ),
    ...section(3, vector([[0], [1], [1]])),
    ...section(5, vector([[0, ...unsigned(pages)]])),
    ...section(7, vector(exports)),
    ...section(10, vector(bodies)),
  ]);
}

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly find: (tables: number, from: number, to: number) => number;
  readonly lines: (from: number, to: number) => number;
  readonly special: (from: number, to: number) => number;
}

/** The part of the WebAssembly interface used here: TypeScript has it among a browser's types only. */
declare const WebAssembly:
  | {
      validate(code: Uint8Array): boolean;
      Module: new (code: Uint8Array) => object;
      Instance: new (module: object) => { readonly exports: unknown };
    }
  | undefined;

let instance: Exports | null | undefined;

/** The module, made when a text is first searched; null where the machine cannot run it. */
function exported(): Exports | null {
  if (instance !== undefined) return instance;
  instance = null;
  if (typeof WebAssembly === 'undefined') return null;
  const code = assembled();
  if (WebAssembly.validate(code)) instance = new WebAssembly.Instance(new WebAssembly.Module(code)).exports as Exports;
  return instance;
}

// ---- what it is used by

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

/** Whether `bytes[from,]` is printable ASCII without `"` and `\`: what stands for itself in a log and in JSON. */
export function isPlainText(bytes: Uint8Array, from: number): boolean {
  const module = exported();
  const length = bytes.length - from;
  if (module === null || length > searchWindow)
    return bytes.subarray(from).every((byte) => byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c);
  memoryOf(module).set(from === 0 ? bytes : bytes.subarray(from), textAt);
  return module.special(textAt, textAt + length) === 0;
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
