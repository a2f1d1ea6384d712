// include/trace/stages/: print formats of events, a C string and C expressions over the fields:
//
//   "prev_comm=%s prev_state=%s", REC->prev_comm, __print_flags(REC->prev_state & 255, "|", { 1, "S" }, { 2, "D" })
import { latin1 } from '../../base/byte_reader.ts';
import { FormatError } from '../../base/errors.ts';
import { type EventField, fieldBytes, fieldNumber, isArray } from './event_format.ts';
import { bitmask, numeric, type Value } from './kernel_printf.ts';
import { castBits, isSigned, operate, truth } from './print_arithmetic.ts';
import type { TraceNames } from './trace_names.ts';

/** What an expression is about. */
export interface Scope {
  readonly data: Uint8Array;
  readonly fields: ReadonlyMap<string, EventField>;
  readonly names: TraceNames;
}

/** @throws FormatError for what does not fit */
export type Expression = (scope: Scope) => Value;

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

/** @throws FormatError for what is not known here */
export function parsePrintFormat(text: string): { readonly text: string; readonly arguments: readonly Expression[] } {
  return new Parser(text.replaceAll('(REC)->', 'REC->')).format();
}

class Parser {
  private readonly tokens: string[] = [];
  /** Pointers to structures, by what they point to: sums with them count in its size. */
  private readonly pointees = new Map<Expression, string>();
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
      const pointee = operator === '+' ? this.pointees.get(first) : undefined;
      if (pointee === undefined) {
        left = (scope) => operate(operator, first(scope), () => second(scope));
      } else {
        left = (scope) => operate('+', first(scope), () => numeric(second(scope)) * BigInt(sizeIn(scope, pointee)));
        this.pointees.set(left, pointee);
      }
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
    return (
      words > 0 &&
      this.tokens[at] === ')' &&
      (/^["'\w(~!]/.test(next) || next === '-') &&
      this.tokens[this.at + 1] !== 'REC'
    );
  }

  private cast(): Expression {
    this.expect('(');
    const words: string[] = [];
    while (!this.accept(')')) words.push(this.tokens[this.at++] ?? '');
    const operand = this.unary();
    const name = words.join(' ');
    const bits = castBits(name);
    const signed = isSigned(name);
    const result: Expression = (scope) => {
      const value = operand(scope);
      if (typeof value !== 'bigint') return value;
      return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
    };
    const pointee = /^(?:const )?(struct \w+) \*$/.exec(name)?.[1];
    if (pointee !== undefined) this.pointees.set(result, pointee);
    return result;
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
      const name = this.tokens[this.at++] ?? '';
      // the common fields are a structure of their own
      return this.field(name === 'ent' && this.accept('.') ? `common_${this.tokens[this.at++]}` : name);
    }
    if (!/^\w+$/.test(word)) throw this.unknown(word);
    if (this.accept('(')) return this.call(word);
    return ({ names }) => {
      const value = names.constant(word);
      if (value === null) throw this.unknown(word);
      return value;
    };
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
      case 'sizeof': {
        const words: string[] = [];
        while (!this.accept(')')) {
          if (this.at >= this.tokens.length) throw this.unknown(name);
          words.push(this.tokens[this.at++]!);
        }
        const type = words.join(' ');
        return (scope) => BigInt(type.endsWith('*') ? 8 : sizeIn(scope, type));
      }
      case '__print_ns_to_secs':
      case '__print_ns_without_secs': {
        const [time] = this.list();
        return (scope) => {
          const ns = BigInt.asUintN(64, numeric(time?.(scope) ?? 0n));
          return name === '__print_ns_to_secs' ? ns / 1_000_000_000n : ns % 1_000_000_000n;
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
      if (!this.peek().startsWith('"')) {
        // NULL, which ends the list
        this.expression();
        this.expect('}');
        continue;
      }
      const name = this.strings();
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

function sizeIn({ names }: Scope, type: string): number {
  const size = names.sizeOf(type);
  if (size === null) throw new FormatError('print format', `unknown: ${type}`);
  return size;
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

function arrayText(bytes: Uint8Array, count: number, size: number): string {
  const texts: string[] = [];
  for (let i = 0; i < count && (i + 1) * size <= bytes.length; i++) {
    let value = 0n;
    for (let k = size - 1; k >= 0; k--) value = (value << 8n) | BigInt(bytes[i * size + k]!);
    texts.push(`0x${value.toString(16)}`);
  }
  return `{${texts.join(',')}}`;
}
