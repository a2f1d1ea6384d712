// Types from C declarations, so that a test can say in a few lines what a kernel's structs look like:
//
//   parseCTypes(`
//     struct list_head { struct list_head *next, *prev; };
//     struct task { int pid; char comm[16]; unsigned on_rq : 2; struct list_head tasks; };
//   `)
//
// Laid out as gcc does on x86_64. Base types are those of the kernel (u8 ... u64, long, char, bool).
import type { EnumType, IntType, Member, Type, TypeSource } from '../../src/debuginfo/type.ts';
import { sizeOf, strip } from '../../src/debuginfo/type.ts';

const int = (name: string, size: number, signed: boolean, encoding: IntType['encoding'] = 'integer'): IntType => ({
  kind: 'int',
  name,
  size,
  signed,
  encoding,
});

const baseTypes: readonly IntType[] = [
  int('char', 1, true, 'char'),
  int('bool', 1, false, 'bool'),
  int('u8', 1, false),
  int('u16', 2, false),
  int('u32', 4, false),
  int('u64', 8, false),
  int('s64', 8, true),
  int('short', 2, true),
  int('int', 4, true),
  int('unsigned int', 4, false),
  int('unsigned', 4, false),
  int('long', 8, true),
  int('unsigned long', 8, false),
  int('pid_t', 4, true),
];

/** Types of the declarations, by name as the kernel's are found. */
export function parseCTypes(source: string): TypeSource {
  return new Parser(source).parse();
}

class Parser {
  private readonly tokens: string[];
  private at = 0;
  private readonly named = new Map<string, Type>(baseTypes.map((type) => [type.name, type]));

  constructor(source: string) {
    this.tokens = source.replace(/\/\/.*$/gm, '').match(/\w+|[{}()[\];:,*=]/g) ?? [];
  }

  parse(): TypeSource {
    while (this.at < this.tokens.length) {
      if (this.accept('typedef')) {
        const target = this.type();
        const name = this.next();
        this.named.set(name, { kind: 'typedef', name, target });
      } else this.type();
      this.expect(';');
    }
    const { named } = this;
    return {
      find: (name) => named.get(name) ?? named.get(`struct ${name}`) ?? null,
      all: () => named.values(),
    };
  }

  private type(): Type {
    this.accept('const');
    const word = this.next();
    if (word === 'void') return { kind: 'void' };
    if (word === 'struct' || word === 'union') return this.compound(word);
    if (word === 'enum') return this.enumeration();
    const long = word === 'unsigned' && /^(int|long)$/.test(this.tokens[this.at] ?? '');
    const name = long ? `unsigned ${this.next()}` : word;
    const found = this.named.get(name);
    if (found === undefined) throw new Error(`no such type: ${name}`);
    return found;
  }

  private compound(kind: 'struct' | 'union'): Type {
    const name = this.tokens[this.at] === '{' ? '' : this.next();
    if (!this.accept('{')) {
      const known = this.named.get(`${kind} ${name}`);
      if (known !== undefined) return known;
      // what is declared later is looked up when asked for
      const { named } = this;
      return {
        kind: 'typedef',
        name,
        get target(): Type {
          return named.get(`${kind} ${name}`) ?? { kind: 'incomplete', tag: kind, name };
        },
      };
    }
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
    while (!this.accept('}')) {
      const base = this.type();
      if (this.accept(';')) {
        place('', base, 0); // an anonymous struct or union
        continue;
      }
      do {
        const { name: member, type } = this.declarator(base);
        place(member, type, this.accept(':') ? Number(this.next()) : 0);
      } while (this.accept(','));
      this.expect(';');
    }
    const type: Type = { kind, name, size: Math.ceil(size / largest) * largest, members };
    if (name !== '') this.named.set(`${kind} ${name}`, type);
    return type;
  }

  private declarator(base: Type): { name: string; type: Type } {
    let type = base;
    while (this.accept('*')) type = { kind: 'pointer', size: 8, target: type };
    const name = this.next();
    const lengths: number[] = [];
    while (this.accept('[')) {
      lengths.push(this.tokens[this.at] === ']' ? 0 : Number(this.next()));
      this.expect(']');
    }
    for (const length of lengths.reverse()) type = { kind: 'array', element: type, length };
    return { name, type };
  }

  private enumeration(): Type {
    const name = this.tokens[this.at] === '{' ? '' : this.next();
    if (!this.accept('{')) return this.named.get(`enum ${name}`)!;
    const values: { name: string; value: bigint }[] = [];
    while (!this.accept('}')) {
      const enumerator = this.next();
      const value = this.accept('=') ? BigInt(this.next()) : (values.at(-1)?.value ?? -1n) + 1n;
      values.push({ name: enumerator, value });
      this.accept(',');
    }
    const type: EnumType = { kind: 'enum', name, size: 4, signed: false, values };
    this.named.set(`enum ${name}`, type);
    return type;
  }

  private next(): string {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new Error('C declarations end in the middle');
    return token;
  }

  private accept(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at++;
    return true;
  }

  private expect(token: string): void {
    const found = this.next();
    if (found !== token) throw new Error(`expected ${token}, found ${found} at token ${this.at}`);
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
