// include/trace/stages/: the text of an event, by its print format, which is a C string and C expressions over its fields:
//
//   "prev_comm=%s prev_state=%s", REC->prev_comm, __print_flags(REC->prev_state & 255, "|", { 1, "S" }, { 2, "D" })
//
// What of C is not known here makes the whole format unusable, and the fields are shown one by one instead.
import { latin1 } from '../../base/byte_reader.ts';
import { FormatError } from '../../base/errors.ts';
import { type EventField, type EventFormat, fieldBytes, fieldNumber } from './event_format.ts';

/** What addresses in events stand for. */
export interface TraceNames {
  /** Function and offset of an address; null for none. */
  symbol(address: bigint): { readonly name: string; readonly offset: number } | null;
  /** Text at an address of the kernel's memory; null where there is none. */
  text(address: bigint): string | null;
}

type Value = bigint | string | Uint8Array;

/** The text of an event behind its name. */
export type Printer = (data: Uint8Array, names: TraceNames) => string;

const printers = new WeakMap<EventFormat, Printer>();

/** The printer of an event: by its own format or, where that is not understood, its fields with their names. */
export function printerOf(format: EventFormat): Printer {
  let printer = printers.get(format);
  if (printer === undefined) {
    printer = makePrinter(format);
    printers.set(format, printer);
  }
  return printer;
}

function makePrinter(format: EventFormat): Printer {
  const plain: Printer = (data, names) => fieldsText(format, data, names);
  let parsed: { readonly text: string; readonly arguments: readonly Expression[] };
  try {
    parsed = new Parser(format.print).format();
  } catch (error) {
    if (error instanceof FormatError) return plain;
    throw error;
  }
  const fields = new Map([...format.common, ...format.fields].map((field) => [field.name, field]));
  return (data, names) => {
    try {
      const scope: Scope = { data, fields, names };
      return printf(
        parsed.text,
        parsed.arguments.map((argument) => argument(scope)),
        names,
      );
    } catch (error) {
      if (error instanceof FormatError) return plain(data, names);
      throw error;
    }
  };
}

/** Every field as `name=value`: numbers decimal, addresses and what is larger hexadecimal, text as it is. */
export function fieldsText({ fields }: EventFormat, data: Uint8Array, names: TraceNames): string {
  return fields.map((field) => `${field.name}=${fieldText(field, data, names)}`).join(' ');
}

function fieldText(field: EventField, data: Uint8Array, names: TraceNames): string {
  if (isText(field)) return latin1(fieldBytes(data, field));
  if (field.size > 8 || field.size === 0 || isArray(field)) return Buffer.from(fieldBytes(data, field)).toString('hex');
  const value = fieldNumber(data, field);
  const symbol = field.type.includes('*') || /ip$|func/.test(field.name) ? names.symbol(BigInt.asUintN(64, value)) : null;
  if (symbol !== null) return `${symbol.name}${symbol.offset === 0 ? '' : `+0x${symbol.offset.toString(16)}`}`;
  return field.type.includes('*') || value > 0xffff_ffffn ? `0x${value.toString(16)}` : value.toString();
}

function isArray({ type }: EventField): boolean {
  return type.includes('[') || type.startsWith('__data_loc') || type.startsWith('__rel_loc');
}

function isText(field: EventField): boolean {
  return isArray(field) && /\bchar\b/.test(field.type) && !/unsigned char|u8/.test(field.type);
}

interface Scope {
  readonly data: Uint8Array;
  readonly fields: ReadonlyMap<string, EventField>;
  readonly names: TraceNames;
}

type Expression = (scope: Scope) => Value;

const token =
  /\s*(?:("(?:[^"\\]|\\.)*")|('(?:[^'\\]|\\.)')|(0[xX][0-9a-fA-F]+|\d+)[uUlL]*|([A-Za-z_]\w*)|(->|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^~!<>?:(){}[\],.]))/y;

const binding: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

/** Longest format, in tokens, and deepest nesting that is followed. */
const maxTokens = 20_000;
const maxDepth = 100;

export function tryFormat(text: string): string | null {
  try {
    new Parser(text).format();
    return null;
  } catch (e) {
    return (e as Error).message;
  }
}

class Parser {
  private readonly tokens: string[] = [];
  private at = 0;
  private depth = 0;

  constructor(text: string) {
    token.lastIndex = 0;
    for (let end = 0; end < text.length && this.tokens.length < maxTokens; end = token.lastIndex) {
      const match = token.exec(text);
      if (match === null) {
        if (text.slice(end).trim() === '') break;
        throw this.unknown(text.slice(end, end + 10));
      }
      this.tokens.push(match.slice(1).find((part) => part !== undefined)!);
    }
  }

  format(): { text: string; arguments: Expression[] } {
    const text = this.strings();
    const list: Expression[] = [];
    while (this.accept(',')) list.push(this.expression());
    if (this.at < this.tokens.length) throw this.unknown(this.tokens[this.at]!);
    return { text, arguments: list };
  }

  private unknown(what: string): FormatError {
    return new FormatError('print format', `unknown: ${what}`);
  }

  private peek(): string {
    return this.tokens[this.at] ?? '';
  }

  private accept(word: string): boolean {
    if (this.peek() !== word) return false;
    this.at++;
    return true;
  }

  private expect(word: string): void {
    if (!this.accept(word)) throw this.unknown(`${this.peek()} for ${word}`);
  }

  /** One or more literals, joined. */
  private strings(): string {
    let text = '';
    if (!this.peek().startsWith('"')) throw this.unknown(this.peek());
    while (this.peek().startsWith('"')) text += unquote(this.tokens[this.at++]!);
    return text;
  }

  expression(): Expression {
    if (++this.depth > maxDepth) throw this.unknown('nesting');
    try {
      const condition = this.binary(0);
      if (!this.accept('?')) return condition;
      const yes = this.expression();
      this.expect(':');
      const no = this.expression();
      return (scope) => (truth(condition(scope)) ? yes(scope) : no(scope));
    } finally {
      this.depth--;
    }
  }

  private binary(level: number): Expression {
    if (level === binding.length) return this.unary();
    let left = this.binary(level + 1);
    for (;;) {
      const operator = this.peek();
      if (!binding[level]!.includes(operator)) return left;
      this.at++;
      const [first, second] = [left, this.binary(level + 1)];
      left = (scope) => operate(operator, first(scope), () => second(scope));
    }
  }

  private unary(): Expression {
    if (++this.depth > maxDepth) throw this.unknown('nesting');
    try {
      for (const operator of ['-', '!', '~', '+']) {
        if (!this.accept(operator)) continue;
        const operand = this.unary();
        return (scope) => {
          const value = operand(scope);
          if (operator === '!') return truth(value) ? 0n : 1n;
          const number = numeric(value);
          return operator === '-' ? -number : operator === '~' ? ~number : number;
        };
      }
      if (this.peek() === '(' && this.isCast()) return this.cast();
      return this.postfix(this.primary());
    } finally {
      this.depth--;
    }
  }

  /** `(` names and stars `)` before an operand. */
  private isCast(): boolean {
    let at = this.at + 1;
    let words = 0;
    for (; /^\w+$/.test(this.tokens[at] ?? '') && !/^\d/.test(this.tokens[at]!); at++) words++;
    while (this.tokens[at] === '*') at++;
    const next = this.tokens[at + 1] ?? '';
    return words > 0 && this.tokens[at] === ')' && (/^["'\w(~!]/.test(next) || next === '-') && this.tokens[this.at + 1] !== 'REC';
  }

  private cast(): Expression {
    this.expect('(');
    const words: string[] = [];
    while (!this.accept(')')) words.push(this.tokens[this.at++] ?? '');
    const operand = this.unary();
    const name = words.join(' ');
    const bits = castBits(name);
    const signed = isSigned(name);
    return (scope) => {
      const value = operand(scope);
      if (typeof value !== 'bigint') return value;
      return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
    };
  }

  private primary(): Expression {
    const word = this.peek();
    if (word.startsWith('"')) {
      const text = this.strings();
      return () => text;
    }
    this.at++;
    if (word.startsWith("'")) {
      const code = BigInt(unquote(word).charCodeAt(0));
      return () => code;
    }
    if (/^\d/.test(word)) {
      const value = BigInt(word);
      return () => value;
    }
    if (word === '(') {
      const inner = this.expression();
      this.expect(')');
      return inner;
    }
    if (word === 'REC') {
      this.expect('->');
      return this.field(this.tokens[this.at++] ?? '');
    }
    if (/^\w+$/.test(word) && this.accept('(')) return this.call(word);
    throw this.unknown(word);
  }

  private field(name: string): Expression {
    return ({ data, fields }) => {
      const field = fields.get(name);
      if (field === undefined) throw this.unknown(`field ${name}`);
      return isArray(field) || field.size > 8 ? fieldBytes(data, field) : fieldNumber(data, field);
    };
  }

  private postfix(operand: Expression): Expression {
    if (!this.accept('[')) return operand;
    const index = this.expression();
    this.expect(']');
    return (scope) => {
      const bytes = operand(scope);
      const at = Number(numeric(index(scope)));
      if (typeof bytes === 'string' || typeof bytes === 'bigint') throw this.unknown('index');
      return BigInt(bytes[at] ?? 0);
    };
  }

  /** The helpers that trace events have (include/trace/stages/stage3_trace_output.h). */
  private call(name: string): Expression {
    switch (name) {
      case '__get_str':
      case '__get_rel_str': {
        const bytes = this.dynamic();
        return (scope) => latin1(bytes(scope));
      }
      case '__get_dynamic_array':
      case '__get_rel_dynamic_array':
      case '__get_sockaddr':
        return this.dynamic();
      case '__get_dynamic_array_len':
      case '__get_rel_dynamic_array_len': {
        const bytes = this.dynamic();
        return (scope) => BigInt(bytes(scope).length);
      }
      case '__get_bitmask':
      case '__get_cpumask':
      case '__get_rel_bitmask':
      case '__get_rel_cpumask': {
        const bytes = this.dynamic();
        return (scope) => bitmask(bytes(scope));
      }
      case '__print_symbolic':
      case '__print_symbolic64': {
        const value = this.expression();
        const pairs = this.pairs();
        return (scope) => {
          const number = numeric(value(scope));
          const found = pairs.find((pair) => numeric(pair.value(scope)) === number);
          return found?.name ?? `0x${BigInt.asUintN(64, number).toString(16)}`;
        };
      }
      case '__print_flags':
      case '__print_flags_u64':
      case '__print_flags64': {
        const value = this.expression();
        this.expect(',');
        const between = this.strings();
        const pairs = this.pairs();
        return (scope) => flagsText(BigInt.asUintN(64, numeric(value(scope))), between, pairs, scope);
      }
      case '__print_hex':
      case '__print_hex_str': {
        const [bytes, length] = this.list();
        return (scope) => {
          const found = bytes?.(scope);
          const count = Number(numeric(length?.(scope) ?? 0n));
          if (found === undefined || typeof found === 'string' || typeof found === 'bigint') throw this.unknown(name);
          const texts = [...found.subarray(0, count)].map((byte) => byte.toString(16).padStart(2, '0'));
          return texts.join(name === '__print_hex' ? ' ' : '');
        };
      }
      case '__print_array': {
        const [array, count, size] = this.list();
        return (scope) => {
          const bytes = array?.(scope);
          if (bytes === undefined || typeof bytes === 'string' || typeof bytes === 'bigint') throw this.unknown(name);
          return arrayText(bytes, Number(numeric(count?.(scope) ?? 0n)), Number(numeric(size?.(scope) ?? 1n)));
        };
      }
      case '__builtin_expect': {
        const [value] = this.list();
        if (value === undefined) throw this.unknown(name);
        return value;
      }
      default:
        throw this.unknown(name);
    }
  }

  /** The name of a dynamic field, and the end of the call. */
  private dynamic(): (scope: Scope) => Uint8Array {
    const name = this.tokens[this.at++] ?? '';
    this.expect(')');
    return ({ data, fields }) => {
      const field = fields.get(name);
      if (field === undefined) throw this.unknown(`field ${name}`);
      return fieldBytes(data, field);
    };
  }

  private list(): Expression[] {
    const found: Expression[] = [];
    if (this.accept(')')) return found;
    do found.push(this.expression());
    while (this.accept(','));
    this.expect(')');
    return found;
  }

  /** `, { value, "name" } ...` to the end of the call. */
  private pairs(): { readonly value: Expression; readonly name: string }[] {
    const found: { value: Expression; name: string }[] = [];
    while (this.accept(',')) {
      this.expect('{');
      const value = this.expression();
      this.expect(',');
      const name = this.peek().startsWith('"') ? this.strings() : '';
      if (name === '') this.expression();
      this.expect('}');
      found.push({ value, name });
    }
    this.expect(')');
    return found;
  }
}

function unquote(word: string): string {
  return word
    .slice(1, -1)
    .replace(/\\(n|t|r|0|\\|"|')/g, (_, c: string) => ({ n: '\n', t: '\t', r: '\r', 0: '\0' })[c] ?? c);
}

function truth(value: Value): boolean {
  return typeof value === 'bigint' ? value !== 0n : value.length > 0;
}

function numeric(value: Value): bigint {
  if (typeof value === 'bigint') return value;
  throw new FormatError('print format', 'a number is needed');
}

function operate(operator: string, left: Value, right: () => Value): bigint {
  if (operator === '&&') return truth(left) && truth(right()) ? 1n : 0n;
  if (operator === '||') return truth(left) || truth(right()) ? 1n : 0n;
  const [a, b] = [numeric(left), numeric(right())];
  switch (operator) {
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '&':
      return a & b;
    case '==':
      return a === b ? 1n : 0n;
    case '!=':
      return a !== b ? 1n : 0n;
    case '<':
      return a < b ? 1n : 0n;
    case '>':
      return a > b ? 1n : 0n;
    case '<=':
      return a <= b ? 1n : 0n;
    case '>=':
      return a >= b ? 1n : 0n;
    case '<<':
      return BigInt.asUintN(64, a << (b & 63n));
    case '>>':
      return a >> (b & 63n);
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return BigInt.asIntN(128, a * b);
    default:
      if (b === 0n) throw new FormatError('print format', 'division by 0');
      return operator === '/' ? a / b : a % b;
  }
}

function castBits(name: string): 8 | 16 | 32 | 64 {
  if (/\*|long|64|size_t|sector_t|loff_t/.test(name)) return 64;
  if (/\bchar\b|[us]8\b|\bbool\b/.test(name)) return 8;
  if (/\bshort\b|[us]16\b/.test(name)) return 16;
  return 32;
}

function isSigned(name: string): boolean {
  return !/unsigned|\*|\b_*u\d|size_t|sector_t|dev_t|bool/.test(name);
}

function flagsText(
  value: bigint,
  between: string,
  pairs: readonly { readonly value: Expression; readonly name: string }[],
  scope: Scope,
): string {
  let rest = value;
  const names: string[] = [];
  for (const pair of pairs) {
    const mask = BigInt.asUintN(64, numeric(pair.value(scope)));
    if (mask === 0n || (rest & mask) !== mask) continue;
    names.push(pair.name);
    rest &= ~mask;
  }
  if (rest !== 0n) names.push(`0x${rest.toString(16)}`);
  return names.join(between);
}

/** As the kernel's %*pb: groups of 32 bits, the highest first. */
function bitmask(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    let word = 0;
    for (let i = 3; i >= 0; i--) word = word * 256 + (bytes[at + i] ?? 0);
    groups.unshift(word.toString(16).padStart(8, '0'));
  }
  return groups.join(',');
}

function arrayText(bytes: Uint8Array, count: number, size: number): string {
  const texts: string[] = [];
  for (let i = 0; i < count && (i + 1) * size <= bytes.length; i++) {
    let value = 0n;
    for (let k = size - 1; k >= 0; k--) value = (value << 8n) | BigInt(bytes[i * size + k]!);
    texts.push(`0x${value.toString(16)}`);
  }
  return `{${texts.join(',')}}`;
}

const conversion = /%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?(hh|h|ll|l|z|t|L|j)?([a-zA-Z%])([a-zA-Z0-9]*)/g;

/** What follows a `%p` and belongs to it. */
const pointerKinds = /^(?:[SsBbFf]R?|K|x|I[46]S?[a-z]*|i[46]|M[FR]?|m[FR]?|U[bBlL]?|d\d?|D\d?|t[TRdrs]*|h[CDN]?|E[a-z]*|a[dp]?|g|G|V|NF|C|e)/;

/** The kernel's printf on what the arguments came to. @throws FormatError where they do not fit */
export function printf(format: string, values: readonly Value[], names: TraceNames): string {
  let next = 0;
  const take = (): Value => {
    const value = values[next++];
    if (value === undefined) throw new FormatError('print format', 'too few arguments');
    return value;
  };
  return format.replace(conversion, (_all, flags: string, width: string | undefined, precision: string | undefined, size: string | undefined, kind: string, behind: string) => {
    if (kind === '%') return `%${behind}`;
    const columns = width === '*' ? Number(numeric(take())) : Number(width ?? 0);
    const digits = precision === '*' ? Number(numeric(take())) : precision === undefined ? null : Number(precision);
    const pad = (text: string): string => {
      if (flags.includes('-')) return text.padEnd(columns);
      if (!flags.includes('0') || kind === 's') return text.padStart(columns);
      const sign = /^-|^0x/.exec(text)?.[0] ?? '';
      return sign + text.slice(sign.length).padStart(columns - sign.length, '0');
    };
    const bits = size === 'll' || size === 'l' || size === 'z' || size === 't' || size === 'j' ? 64 : size === 'h' ? 16 : size === 'hh' ? 8 : 32;
    switch (kind) {
      case 'd':
      case 'i':
        return pad(BigInt.asIntN(bits, numeric(take())).toString()) + behind;
      case 'u':
        return pad(BigInt.asUintN(bits, numeric(take())).toString()) + behind;
      case 'x':
      case 'X':
      case 'o': {
        const text = BigInt.asUintN(bits, numeric(take())).toString(kind === 'o' ? 8 : 16);
        const prefixed = `${flags.includes('#') && kind !== 'o' ? '0x' : ''}${digits === null ? text : text.padStart(digits, '0')}`;
        return pad(kind === 'X' ? prefixed.toUpperCase() : prefixed) + behind;
      }
      case 'c':
        return pad(String.fromCharCode(Number(numeric(take()) & 0xffn))) + behind;
      case 's': {
        const text = textOf(take(), names);
        return pad(digits === null ? text : text.slice(0, digits)) + behind;
      }
      case 'p': {
        const how = pointerKinds.exec(behind)?.[0] ?? '';
        return pad(pointerText(take(), how, names)) + behind.slice(how.length);
      }
      default:
        throw new FormatError('print format', `conversion %${kind}`);
    }
  });
}

function textOf(value: Value, names: TraceNames): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'bigint') return latin1(value);
  return value === 0n ? '(null)' : (names.text(BigInt.asUintN(64, value)) ?? `0x${BigInt.asUintN(64, value).toString(16)}`);
}

function pointerText(value: Value, how: string, names: TraceNames): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'bigint') {
    if (/^[Ii]4/.test(how)) return [...value.subarray(0, 4)].join('.');
    if (/^[Mm]/.test(how)) return [...value.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
    throw new FormatError('print format', `%p${how}`);
  }
  const address = BigInt.asUintN(64, value);
  if (/^[SsBbFf]/.test(how)) {
    const symbol = names.symbol(address);
    if (symbol !== null) {
      return /^[sf]/.test(how) || (how.startsWith('F') && symbol.offset === 0)
        ? symbol.name
        : `${symbol.name}+0x${symbol.offset.toString(16)}`;
    }
  }
  return `0x${address.toString(16)}`;
}
