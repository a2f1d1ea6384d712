// Names of Rust symbols as their source has them: `_RNvCsd_6kernel3foo` is `kernel::foo`.
//
// The v0 scheme (rust-lang RFC 2603, https://rust-lang.github.io/rfcs/2603-rust-symbol-name-mangling-v0.html), which
// the kernel uses, and the legacy one (`_ZN6kernel3foo17h0123456789abcdefE`). Hashes are left out.

/** Longest name that is given back; names may grow without bound by back references. */
const maxText = 4096;
const maxDepth = 100;

/** Text with every mangled Rust name in it demangled; names that cannot be are left as they are. */
export function demangleRust(text: string): string {
  return text.replace(/\b(?:_R[A-Za-z0-9_]{1,2000}|_ZN[A-Za-z0-9_.$]{1,2000}E)/g, (name) => demangleName(name) ?? name);
}

/** The name of one symbol, or null if it is no mangled Rust name. */
export function demangleName(name: string): string | null {
  try {
    return name.startsWith('_R') ? new V0(name.slice(2)).symbol() : legacy(name);
  } catch (error) {
    if (error instanceof NotMangled) return null;
    throw error;
  }
}

class NotMangled extends Error {}

const escapes: Readonly<Record<string, string>> = {
  SP: '@',
  BP: '*',
  RF: '&',
  LT: '<',
  GT: '>',
  LP: '(',
  RP: ')',
  C: ',',
};

function legacy(name: string): string | null {
  const parts: string[] = [];
  let rest = name.slice('_ZN'.length, -1);
  while (rest !== '') {
    const length = /^[1-9]\d{0,3}/.exec(rest)?.[0];
    if (length === undefined || rest.length < length.length + Number(length)) return null;
    parts.push(rest.slice(length.length, length.length + Number(length)));
    rest = rest.slice(length.length + Number(length));
  }
  // without the hash at its end it is a C++ name
  if (parts.length < 2 || !/^h[0-9a-f]{16}$/.test(parts.pop()!)) return null;
  return parts
    .map((part) =>
      part
        .replace(/^_\$/, '$')
        .replace(/\$(\w+?)\$/g, (whole, code: string) => {
          const unicode = /^u([0-9a-f]{1,6})$/.exec(code);
          if (unicode === null) return escapes[code] ?? whole;
          const point = Number.parseInt(unicode[1]!, 16);
          return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
        })
        .replaceAll('..', '::'),
    )
    .join('::');
}

const basicTypes: Readonly<Record<string, string>> = {
  a: 'i8',
  b: 'bool',
  c: 'char',
  d: 'f64',
  e: 'str',
  f: 'f32',
  h: 'u8',
  i: 'isize',
  j: 'usize',
  l: 'i32',
  m: 'u32',
  n: 'i128',
  o: 'u128',
  p: '_',
  s: 'i16',
  t: 'u16',
  u: '()',
  v: '...',
  x: 'i64',
  y: 'u64',
  z: '!',
};

interface Identifier {
  readonly name: string;
  readonly disambiguator: number;
}

/** A recursive descent over the grammar of RFC 2603; each method reads what it is named after. */
class V0 {
  private readonly text: string;
  private at = 0;
  private depth = 0;
  /** Characters made so far, to stop names that explode. */
  private made = 0;
  /** Lifetimes bound by the `for<...>`s around. */
  private bound = 0;

  constructor(text: string) {
    // a vendor's suffix (.llvm.123) is no part of the name
    this.text = text.replace(/[.$].*/, '');
  }

  symbol(): string {
    if (!/^[A-Z]/.test(this.text)) throw new NotMangled();
    const path = this.path(true);
    if (this.at < this.text.length) this.path(false); // the crate that instantiated it
    if (this.at < this.text.length) throw new NotMangled();
    return path;
  }

  /** @param value in an expression, where generic arguments stand after `::` */
  private path(value: boolean): string {
    return this.nested(() => {
      const tag = this.next();
      switch (tag) {
        case 'C':
          return this.identifier().name;
        case 'M':
          this.implPath();
          return `<${this.type()}>`;
        case 'X': {
          this.implPath();
          const type = this.type();
          return `<${type} as ${this.path(false)}>`;
        }
        case 'Y': {
          const type = this.type();
          return `<${type} as ${this.path(false)}>`;
        }
        case 'N':
          return this.nestedPath(value);
        case 'I': {
          const path = this.path(value);
          const generics = this.until('E', () => this.genericArgument());
          return `${path}${value ? '::' : ''}<${generics.join(', ')}>`;
        }
        case 'B':
          return this.backReference(() => this.path(value));
        default:
          throw new NotMangled();
      }
    });
  }

  private nestedPath(value: boolean): string {
    const namespace = this.next();
    const path = this.path(value);
    const { name, disambiguator } = this.identifier();
    if (/[a-z]/.test(namespace)) return name === '' ? path : `${path}::${name}`;
    const kind = namespace === 'C' ? 'closure' : namespace === 'S' ? 'shim' : namespace;
    return `${path}::{${kind}${name === '' ? '' : `:${name}`}#${disambiguator}}`;
  }

  private implPath(): void {
    if (this.accept('s')) this.base62();
    this.path(false);
  }

  private identifier(): Identifier {
    const disambiguator = this.accept('s') ? this.base62() + 1 : 0;
    return { name: this.plainIdentifier(), disambiguator };
  }

  private plainIdentifier(): string {
    const punycode = this.accept('u');
    const digits = /^(?:0|[1-9]\d{0,4})/.exec(this.text.slice(this.at, this.at + 6))?.[0];
    if (digits === undefined) throw new NotMangled();
    this.at += digits.length;
    this.accept('_');
    const length = Number(digits);
    const bytes = this.text.slice(this.at, this.at + length);
    if (bytes.length < length) throw new NotMangled();
    this.at += length;
    return punycode ? `punycode{${bytes}}` : bytes;
  }

  private genericArgument(): string {
    if (this.accept('L')) return this.lifetime();
    return this.accept('K') ? this.constant() : this.type();
  }

  private lifetime(): string {
    const index = this.base62();
    if (index === 0) return "'_";
    const depth = this.bound - index;
    if (depth < 0) throw new NotMangled();
    return depth < 26 ? `'${String.fromCharCode(97 + depth)}` : `'_${depth}`;
  }

  /** Text of `for<...> `, while the lifetimes that it binds are known to `work`. */
  private withBinder(work: () => string): string {
    const count = this.accept('G') ? this.base62() + 1 : 0;
    if (count > 64) throw new NotMangled();
    const names: string[] = [];
    for (let i = 0; i < count; i++) {
      const depth = this.bound++;
      names.push(depth < 26 ? `'${String.fromCharCode(97 + depth)}` : `'_${depth}`);
    }
    const text = work();
    this.bound -= count;
    return count === 0 ? text : `for<${names.join(', ')}> ${text}`;
  }

  private type(): string {
    return this.nested(() => {
      const tag = this.next();
      const basic = basicTypes[tag];
      if (basic !== undefined) return basic;
      switch (tag) {
        case 'A': {
          const element = this.type();
          return `[${element}; ${this.constant()}]`;
        }
        case 'S':
          return `[${this.type()}]`;
        case 'T': {
          const types = this.until('E', () => this.type());
          return `(${types.join(', ')}${types.length === 1 ? ',' : ''})`;
        }
        case 'R':
        case 'Q': {
          const lifetime = this.accept('L') ? this.lifetime() : "'_";
          return `&${lifetime === "'_" ? '' : `${lifetime} `}${tag === 'Q' ? 'mut ' : ''}${this.type()}`;
        }
        case 'P':
          return `*const ${this.type()}`;
        case 'O':
          return `*mut ${this.type()}`;
        case 'F':
          return this.withBinder(() => this.functionType());
        case 'D': {
          const traits = this.withBinder(() => this.until('E', () => this.dynamicTrait()).join(' + '));
          if (!this.accept('L')) throw new NotMangled();
          const lifetime = this.lifetime();
          return `dyn ${traits}${lifetime === "'_" ? '' : ` + ${lifetime}`}`;
        }
        case 'B':
          return this.backReference(() => this.type());
        default:
          this.at--;
          return this.path(false);
      }
    });
  }

  private functionType(): string {
    const unsafe = this.accept('U') ? 'unsafe ' : '';
    let abi = '';
    if (this.accept('K')) abi = `extern "${this.accept('C') ? 'C' : this.plainIdentifier().replaceAll('_', '-')}" `;
    const parameters = this.until('E', () => this.type()).join(', ');
    const result = this.type();
    return `${unsafe}${abi}fn(${parameters})${result === '()' ? '' : ` -> ${result}`}`;
  }

  private dynamicTrait(): string {
    const path = this.path(false);
    const bindings: string[] = [];
    while (this.accept('p')) {
      const name = this.plainIdentifier();
      bindings.push(`${name} = ${this.type()}`);
    }
    if (bindings.length === 0) return path;
    const joined = bindings.join(', ');
    return path.endsWith('>') ? `${path.slice(0, -1)}, ${joined}>` : `${path}<${joined}>`;
  }

  private constant(): string {
    return this.nested(() => {
      if (this.accept('p')) return '_';
      if (this.accept('B')) return this.backReference(() => this.constant());
      const type = this.next();
      if (!/[abchijlmnostxy]/.test(type)) throw new NotMangled();
      const negative = this.accept('n') ? '-' : '';
      const digits = /^[0-9a-f]{0,32}_/.exec(this.text.slice(this.at, this.at + 33))?.[0];
      if (digits === undefined) throw new NotMangled();
      this.at += digits.length;
      const value = BigInt(`0x0${digits.slice(0, -1)}`);
      if (type === 'b') return value === 0n ? 'false' : 'true';
      if (type === 'c') return value <= 0x10ffffn ? `'${String.fromCodePoint(Number(value))}'` : `${value}`;
      return `${negative}${value}`;
    });
  }

  /** Reads again what stands at an earlier place. */
  private backReference(read: () => string): string {
    const start = this.at - 1;
    const target = this.base62();
    if (target >= start) throw new NotMangled();
    const resume = this.at;
    this.at = target;
    const text = read();
    this.at = resume;
    return text;
  }

  private base62(): number {
    if (this.accept('_')) return 0;
    let value = 0;
    for (;;) {
      const c = this.next();
      if (c === '_') return value + 1;
      const digit = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'.indexOf(c);
      if (digit < 0) throw new NotMangled();
      value = Math.min(value * 62 + digit, 2 ** 52); // the hash of a crate is larger, and shown to nobody
    }
  }

  private until(end: string, read: () => string): string[] {
    const items: string[] = [];
    while (!this.accept(end)) items.push(read());
    return items;
  }

  private nested(read: () => string): string {
    if (++this.depth > maxDepth) throw new NotMangled();
    const text = read();
    this.depth--;
    this.made += text.length;
    if (text.length > maxText || this.made > maxText * 16) throw new NotMangled();
    return text;
  }

  private next(): string {
    const c = this.text[this.at++];
    if (c === undefined) throw new NotMangled();
    return c;
  }

  private accept(c: string): boolean {
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }
}
