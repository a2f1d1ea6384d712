// Types from C declarations, so that a test can say in a few lines what a kernel's structs look like:
//
//   parseCTypes(`
//     struct list_head { struct list_head *next, *prev; };
//     struct task { int pid; char comm[16]; unsigned on_rq : 2; struct list_head tasks; };
//   `)
//
// The product's parser reads the types; what is between braces is read, and laid out as gcc does on x86_64, here.
import { integerTypes } from '../../src/debuginfo/c_base_type.ts';
import { tokens } from '../../src/debuginfo/c_lexer.ts';
import { CTypeParser } from '../../src/debuginfo/c_type_parser.ts';
import type { EnumType, Member, Type, TypeSource } from '../../src/debuginfo/type.ts';
import { sizeOf, strip } from '../../src/debuginfo/type.ts';

const int = (name: string, size: number, signed: boolean): Type => ({
  kind: 'int',
  name,
  size,
  signed,
  encoding: 'integer',
});

/** Types of the kernel that have no definition here, beside C's own. */
const kernelTypes: readonly (readonly [name: string, type: Type])[] = [
  ['bool', integerTypes.get('_Bool')!],
  ...(['u8', 'u16', 'u32', 'u64'] as const).map((name, i) => [name, int(name, 2 ** i, false)] as const),
  ['s64', int('s64', 8, true)],
  ['pid_t', int('pid_t', 4, true)],
];

/** Types of the declarations, by name as the kernel's are found. */
export function parseCTypes(source: string): TypeSource {
  return new DeclarationParser(source).declarations();
}

class DeclarationParser extends CTypeParser {
  private readonly known: Map<string, Type>;

  constructor(source: string) {
    const known = new Map<string, Type>([...integerTypes, ...kernelTypes]);
    const find = (name: string): Type | null => known.get(name) ?? null;
    super(tokens(source.replace(/\/\/.*$/gm, '')), { typeOfName: find, tagged: find });
    this.known = known;
  }

  declarations(): TypeSource {
    while (this.token.kind !== 'end') {
      const isTypedef = this.isName('typedef');
      if (isTypedef) this.next++;
      const base = this.baseType();
      if (isTypedef) {
        const { name, type } = this.declarator(base, true);
        this.known.set(name, { kind: 'typedef', name, target: type });
      }
      this.expect(';');
    }
    const { known } = this;
    return { find: (name) => known.get(name) ?? known.get(`struct ${name}`) ?? null, all: () => known.values() };
  }

  /** What follows `struct`, `union` or `enum`; ends on its last word. */
  protected override tagged(tag: 'struct' | 'union' | 'enum'): Type {
    this.next++;
    const { token } = this;
    const name = token.kind === 'name' ? token.text : '';
    if (name === '') this.next--;
    if (!this.isOperator('{', 1)) return this.known.get(`${tag} ${name}`) ?? this.declaredLater(tag, name);
    this.next += 2;
    const type = tag === 'enum' ? this.enumeration(name) : this.compound(tag, name);
    if (name !== '') this.known.set(`${tag} ${name}`, type);
    return type;
  }

  /** What is declared later is looked up when asked for. */
  private declaredLater(tag: 'struct' | 'union' | 'enum', name: string): Type {
    const { known } = this;
    return {
      kind: 'typedef',
      name,
      get target(): Type {
        return known.get(`${tag} ${name}`) ?? { kind: 'incomplete', tag, name };
      },
    };
  }

  private compound(kind: 'struct' | 'union', name: string): Type {
    const members: Member[] = [];
    let bits = 0;
    let largest = 1;
    let size = 0;
    const place = (member: string, type: Type, bitSize: number): void => {
      const width = sizeOf(type) * 8;
      const align = alignOf(type) * 8;
      largest = Math.max(largest, align / 8);
      let start = kind === 'union' ? 0 : bits;
      if (bitSize === 0) start = Math.ceil(start / align) * align;
      else if (Math.floor(start / width) !== Math.floor((start + bitSize - 1) / width))
        start = Math.ceil(start / width) * width;
      bits = start + (bitSize === 0 ? width : bitSize);
      size = Math.max(size, Math.ceil(bits / 8));
      members.push({ name: member, type, bitOffset: start, bitSize });
    };
    while (!this.isOperator('}')) {
      const base = this.baseType();
      do {
        const { name: member, type } = this.declarator(base, true);
        place(member, type, this.take(':') ? this.number() : 0);
      } while (this.take(','));
      this.expect(';');
    }
    return { kind, name, size: Math.ceil(size / largest) * largest, members };
  }

  private enumeration(name: string): EnumType {
    const values: { name: string; value: bigint }[] = [];
    while (!this.isOperator('}')) {
      const enumerator = this.token.text;
      this.next++;
      const value = this.take('=') ? BigInt(this.number()) : (values.at(-1)?.value ?? -1n) + 1n;
      values.push({ name: enumerator, value });
      if (!this.isOperator('}')) this.expect(',');
    }
    return { kind: 'enum', name, size: 4, signed: false, values };
  }

  private number(): number {
    const { token } = this;
    if (token.kind !== 'number') throw this.unexpected('a number');
    this.next++;
    return Number(token.value);
  }
}

function alignOf(type: Type): number {
  const t = strip(type);
  switch (t.kind) {
    case 'array':
      return alignOf(t.element);
    case 'struct':
    case 'union':
      return Math.max(1, ...t.members.map((member) => alignOf(member.type)));
    default:
      return Math.max(1, sizeOf(t));
  }
}
