// lib/vsprintf.c: the kernel's printf, on values instead of arguments.
import { latin1 } from '../../base/byte_reader.ts';
import { FormatError } from '../../base/errors.ts';
import type { TraceNames, TraceSymbol } from './trace_names.ts';

/** An argument: a number or address, text, or the bytes of an array. */
export type Value = bigint | string | Uint8Array;

/** @throws FormatError for what is no number */
export function numeric(value: Value): bigint {
  if (typeof value === 'bigint') return value;
  throw new FormatError('print format', 'a number is needed');
}

/** As the kernel's %*pb: groups of 32 bits, the highest first. */
export function bitmask(bytes: Uint8Array): string {
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    let word = 0;
    for (let i = 3; i >= 0; i--) word = word * 256 + (bytes[at + i] ?? 0);
    groups.unshift(word.toString(16).padStart(8, '0'));
  }
  return groups.join(',');
}

const conversion = /%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+))?(hh|h|ll|l|z|t|L|j)?([a-zA-Z%])([a-zA-Z0-9]*)/g;

/** Widest column made: what a format asks for may be anything. */
const maxColumns = 1024;

function bitsOf(size: string | undefined): 8 | 16 | 32 | 64 {
  if (size === 'h') return 16;
  if (size === 'hh') return 8;
  return size === undefined ? 32 : 64;
}

/** The kernel's printf on what the arguments came to. @throws FormatError where they do not fit */
export function printf(format: string, values: readonly Value[], names: TraceNames): string {
  let next = 0;
  const take = (): Value => {
    const value = values[next++];
    if (value === undefined) throw new FormatError('print format', 'too few arguments');
    return value;
  };
  return format.replace(
    conversion,
    (
      _all,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      size: string | undefined,
      kind: string,
      behind: string,
    ) => {
      if (kind === '%') return `%${behind}`;
      const given = width === '*' ? Number(BigInt.asIntN(32, numeric(take()))) : Number(width ?? 0);
      const columns = Math.min(Math.abs(given), maxColumns);
      const exact = precision === '*' ? Number(BigInt.asIntN(32, numeric(take()))) : Number(precision ?? -1);
      const digits = exact < 0 ? null : Math.min(exact, maxColumns);
      const pad = (text: string): string => {
        if (flags.includes('-') || given < 0) return text.padEnd(columns);
        if (!flags.includes('0') || kind === 's') return text.padStart(columns);
        const sign = /^-|^0x/.exec(text)?.[0] ?? '';
        return sign + text.slice(sign.length).padStart(columns - sign.length, '0');
      };
      const bits = bitsOf(size);
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
        case 'p':
          // letters and digits behind it say how
          return pad(pointerText(take(), behind, names));
        default:
          throw new FormatError('print format', `conversion %${kind}`);
      }
    },
  );
}

/**
 * The arguments of a format as vbin_printf() stores them for trace_printk(): numbers at multiples of their size, up to
 * that of 4 bytes, and texts where they are.
 */
export function storedArguments(format: string, bytes: Uint8Array): Value[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: Value[] = [];
  let at = 0;
  const number = (size: 1 | 2 | 4 | 8): void => {
    const start = Math.ceil(at / Math.min(size, 4)) * Math.min(size, 4);
    if (start + size > bytes.length) throw new FormatError('print format', 'too few arguments');
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(view.getUint8(start + i));
    values.push(value);
    at = start + size;
  };
  const text = (): void => {
    const end = bytes.indexOf(0, at);
    if (end < 0) throw new FormatError('print format', 'text without an end');
    values.push(latin1(bytes.subarray(at, end)));
    at = end + 1;
  };
  for (const [, , width, precision, size, kind, behind] of format.matchAll(conversion)) {
    if (kind === '%') continue;
    if (width === '*') number(4);
    if (precision === '*') number(4);
    if (kind === 's') text();
    else if (kind === 'c') number(1);
    // those that show what memory holds at the time have been made text already
    else if (kind === 'p' && behind !== '' && !/^[SsFfxKe]/.test(behind!)) text();
    else if (kind === 'p') number(8);
    else number((bitsOf(size) / 8) as 1 | 2 | 4 | 8);
  }
  return values;
}

function textOf(value: Value, names: TraceNames): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'bigint') return latin1(value);
  return value === 0n
    ? '(null)'
    : (names.text(BigInt.asUintN(64, value)) ?? `0x${BigInt.asUintN(64, value).toString(16)}`);
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
    if (symbol !== null) return symbolText(symbol, /^[sf]/.test(how));
  }
  // as the kernel prints them when it does not hide them
  return address.toString(16).padStart(16, '0');
}

/** As the kernel has it: `name+0x10/0x80 [module]`, or the name alone. */
function symbolText({ name, offset, size, module }: TraceSymbol, short: boolean): string {
  const owner = module === null ? '' : ` [${module}]`;
  return `${name}${short ? '' : `+0x${offset.toString(16)}/0x${size.toString(16)}`}${owner}`;
}
