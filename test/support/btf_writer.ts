// Writes BTF: each call adds one record and gives its number.
//
//   const btf = new BtfWriter();
//   const int = btf.int('int', 4, { signed: true });
//   btf.struct('point', 8, [['x', int, 0], ['y', int, 32]]);
//   new BtfTypes(btf.bytes())
import { kinds } from '../../src/debuginfo/btf_records.ts';

/** Name, type, offset in bits, and for a bit field its width. */
export type MemberSpec = readonly [name: string, type: number, bitOffset: number, bitSize?: number];

export class BtfWriter {
  /** Number that the next record gets. */
  next: number;
  private readonly records: number[] = [];
  private readonly firstString: number;
  private readonly strings: Buffer[] = [];
  private readonly offsets = new Map<string, number>();
  private stringsEnd: number;

  constructor(base?: BtfWriter) {
    this.next = base?.next ?? 1;
    this.firstString = base?.stringsEnd ?? 0;
    this.stringsEnd = this.firstString;
    if (base === undefined) this.addString('');
    else for (const [text, offset] of base.offsets) this.offsets.set(text, offset);
  }

  int(name: string, size: number, { signed = false, bool = false, bits = size * 8, offset = 0 } = {}): number {
    const encoding = (signed ? 1 : 0) | (bool ? 4 : 0);
    return this.record(name, kinds.int, 0, false, size, [(encoding << 24) | (offset << 16) | bits]);
  }

  float(name: string, size: number): number {
    return this.record(name, kinds.float, 0, false, size);
  }

  pointer(target: number): number {
    return this.record('', kinds.pointer, 0, false, target);
  }

  array(element: number, length: number): number {
    return this.record('', kinds.array, 0, false, 0, [element, 0, length]);
  }

  struct(name: string, size: number, members: readonly MemberSpec[] = []): number {
    return this.compound(kinds.struct, name, size, members);
  }

  union(name: string, size: number, members: readonly MemberSpec[] = []): number {
    return this.compound(kinds.union, name, size, members);
  }

  /** As written before 4.20: no kind_flag, bit fields told by their INT. */
  oldStruct(name: string, size: number, members: readonly MemberSpec[]): number {
    const words = members.flatMap(([member, type, offset]) => [this.addString(member), type, offset]);
    return this.record(name, kinds.struct, members.length, false, size, words);
  }

  enum(name: string, values: Readonly<Record<string, number>>, { signed = false, size = 4 } = {}): number {
    const words = Object.entries(values).flatMap(([value, n]) => [this.addString(value), n >>> 0]);
    return this.record(name, kinds.enum, words.length / 2, signed, size, words);
  }

  enum64(name: string, values: Readonly<Record<string, bigint>>, { signed = false } = {}): number {
    const words = Object.entries(values).flatMap(([value, n]) => {
      const wide = BigInt.asUintN(64, n);
      return [this.addString(value), Number(wide & 0xffff_ffffn), Number(wide >> 32n)];
    });
    return this.record(name, kinds.enum64, words.length / 3, signed, 8, words);
  }

  forward(name: string, union = false): number {
    return this.record(name, kinds.forward, 0, union, 0);
  }

  typedef(name: string, target: number): number {
    return this.record(name, kinds.typedef, 0, false, target);
  }

  qualified(kind: 'const' | 'volatile' | 'restrict', target: number): number {
    return this.record('', kinds[kind], 0, false, target);
  }

  typeTag(name: string, target: number): number {
    return this.record(name, kinds.typeTag, 0, false, target);
  }

  declTag(name: string, target: number): number {
    return this.record(name, kinds.declTag, 0, false, target, [0xffff_ffff]);
  }

  prototype(returns: number, parameters: readonly (readonly [name: string, type: number])[], variadic = false): number {
    const all = variadic ? [...parameters, ['', 0] as const] : parameters;
    const words = all.flatMap(([name, type]) => [this.addString(name), type]);
    return this.record('', kinds.prototype, all.length, false, returns, words);
  }

  function(name: string, prototype: number): number {
    return this.record(name, kinds.function, 1, false, prototype);
  }

  variable(name: string, type: number): number {
    return this.record(name, kinds.variable, 0, false, type, [1]);
  }

  section(name: string, variables: readonly { variable: number; offset: number; size: number }[]): number {
    const words = variables.flatMap(({ variable, offset, size }) => [variable, offset, size]);
    return this.record(name, kinds.section, variables.length, false, 0, words);
  }

  /** A record of any kind, as it is. */
  record(name: string, kind: number, count: number, flag: boolean, sizeOrType: number, words: number[] = []): number {
    const info = ((flag ? 0x8000_0000 : 0) | (kind << 24) | count) >>> 0;
    this.records.push(this.addString(name), info, sizeOrType, ...words);
    return this.next++;
  }

  /** Where a string is, adding it if need be. */
  addString(text: string): number {
    const known = this.offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.stringsEnd;
    const bytes = Buffer.from(`${text}\0`, 'latin1');
    this.strings.push(bytes);
    this.stringsEnd += bytes.length;
    this.offsets.set(text, offset);
    return offset;
  }

  /** @param extraHeader bytes of header fields that readers of today do not know */
  bytes(extraHeader: Uint8Array = new Uint8Array(0)): Uint8Array {
    const types = Buffer.alloc(this.records.length * 4);
    for (const [i, word] of this.records.entries()) types.writeUInt32LE(word >>> 0, i * 4);
    const strings = Buffer.concat(this.strings);
    const header = Buffer.alloc(24);
    header.writeUInt16LE(0xeb9f, 0);
    header.writeUInt8(1, 2);
    header.writeUInt32LE(24 + extraHeader.length, 4);
    header.writeUInt32LE(types.length, 12);
    header.writeUInt32LE(types.length, 16);
    header.writeUInt32LE(strings.length, 20);
    return new Uint8Array(Buffer.concat([header, extraHeader, types, strings]));
  }

  private compound(kind: number, name: string, size: number, members: readonly MemberSpec[]): number {
    const words = members.flatMap(([member, type, offset, bits = 0]) => [
      this.addString(member),
      type,
      ((bits << 24) | offset) >>> 0,
    ]);
    return this.record(name, kind, members.length, true, size, words);
  }
}
