// C text cut into words. Single quotes hold a character, or, as in gdb, a symbol's name that C
// could not spell: 'level.3'.
import { UsageError } from '../base/errors.ts';

export type Token =
  | {
      readonly kind: 'number';
      readonly text: string;
      readonly value: bigint;
      readonly suffix: string;
      readonly decimal: boolean;
    }
  | { readonly kind: 'char'; readonly text: string; readonly value: bigint }
  | { readonly kind: 'name'; readonly text: string; readonly quoted: boolean }
  | { readonly kind: 'operator'; readonly text: string }
  | { readonly kind: 'end'; readonly text: string };

const maxLength = 16 * 1024;
/** Longest first. */
const operators =
  '<<= >>= ... -> ++ -- << >> <= >= == != && || += -= *= /= %= &= |= ^= :: ( ) [ ] { } . , ; ? : ~ ! @ + - * / % & | ^ < > ='.split(
    ' ',
  );
const escapes: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27 };

/** @throws UsageError for text that is no C */
export function tokens(text: string): Token[] {
  if (text.length > maxLength) throw new UsageError(`expression of ${text.length} characters is too long`);
  const result: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const c = text[at]!;
    if (/\s/.test(c)) {
      at++;
      continue;
    }
    const rest = text.slice(at, at + 512);
    const word = /^[A-Za-z_$][\w$]*/.exec(rest)?.[0];
    let token: Token;
    if (word !== undefined) token = { kind: 'name', text: word, quoted: false };
    else if (/^[0-9]/.test(rest)) token = number(rest);
    else if (c === "'") token = quoted(rest);
    else {
      const operator = operators.find((o) => rest.startsWith(o));
      if (operator === undefined) throw new UsageError(`unexpected character in expression: ${JSON.stringify(c)}`);
      token = { kind: 'operator', text: operator };
    }
    result.push(token);
    at += token.text.length + (token.kind === 'name' && token.quoted ? 2 : 0);
  }
  result.push({ kind: 'end', text: 'end of expression' });
  return result;
}

function number(rest: string): Token {
  const text = /^[0-9][\w.]*/.exec(rest)![0];
  const [, digits, suffix = ''] = /^(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]{0,3})$/.exec(text) ?? [];
  if (digits === undefined || !/^(u?l{0,2}|l{1,2}u)$/i.test(suffix)) throw new UsageError(`invalid number: ${text}`);
  const hexadecimal = /^0x/i.test(digits);
  const octal = !hexadecimal && digits.length > 1 && digits.startsWith('0');
  if (octal && !/^[0-7]+$/.test(digits)) throw new UsageError(`invalid number: ${text}`);
  const value = BigInt(octal ? `0o${digits}` : digits);
  if (value > 0xffff_ffff_ffff_ffffn) throw new UsageError(`number is too large: ${text}`);
  return { kind: 'number', text, value, suffix: suffix.toLowerCase(), decimal: !hexadecimal && !octal };
}

function quoted(rest: string): Token {
  const [text, inner] = /^'((?:[^'\\]|\\.)+)'/.exec(rest) ?? [];
  if (text === undefined || inner === undefined) throw new UsageError('unmatched single quote');
  if (inner.length === 1) return { kind: 'char', text, value: BigInt(inner.charCodeAt(0)) };
  if (!inner.startsWith('\\')) {
    if (inner.includes('\\')) throw new UsageError(`invalid character: ${text}`);
    return { kind: 'name', text: inner, quoted: true };
  }
  const code = inner.slice(1);
  if (/^[0-7]{1,3}$/.test(code)) return { kind: 'char', text, value: BigInt.asIntN(8, BigInt(`0o${code}`)) };
  if (/^x[0-9a-fA-F]{1,2}$/.test(code)) return { kind: 'char', text, value: BigInt.asIntN(8, BigInt(`0${code}`)) };
  if (code.length !== 1 || /[0-9x]/.test(code)) throw new UsageError(`invalid character: ${text}`);
  return { kind: 'char', text, value: BigInt(escapes[code] ?? code.charCodeAt(0)) };
}
