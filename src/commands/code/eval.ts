// eval: numbers and sums in every base.
import { UsageError } from '../../base/errors.ts';
import { escapeTerminal } from '../../base/text.ts';
import { defineCommand } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { flag, text } from '../params.ts';
import { evaluateText } from '../types/expression.ts';

export interface EvalData {
  /** 64 bits. */
  readonly value: bigint;
  /** The same as a signed number, decimal. */
  readonly signed: string;
  /** Numbers of the bits that are set, highest first; null unless asked for. */
  readonly bits: readonly number[] | null;
}

export const evaluate = defineCommand({
  name: 'eval',
  help: {
    summary: 'numbers and sums in every base',
    description: `Prints a number, or the value of an expression over numbers and addresses of symbols, in hexadecimal,
decimal, octal and binary. Numbers are decimal unless they begin with 0x or have a hexadecimal letter; k, m, g and t
behind one multiply it by 2^10 to 2^40. Operators are C's.`,
    examples: [
      ['eval 128m', 'a size in bytes'],
      ['eval -b 0x400c', 'which bits are set'],
      ['eval (1 << 32) - jiffies', 'a sum with an address'],
    ],
  },
  params: {
    bits: flag('b', 'also the numbers of the bits that are set'),
    long: flag('l', 'values of 64 bits, which they always are here'),
    expression: text('expression', 'symbol'),
  },
  collect(context, options): EvalData {
    const value = numberOf(context, options.expression.join(' '));
    const bits = Array.from({ length: 64 }, (_, i) => 63 - i).filter((bit) => (value >> BigInt(bit)) & 1n);
    return { value, signed: String(BigInt.asIntN(64, value)), bits: options.bits ? bits : null };
  },
  render({ value, signed, bits }) {
    const negative = value >> 63n ? `(${signed})` : '';
    return (
      `hexadecimal: ${value.toString(16)}  ${roundSize(value)}\n    decimal: ${value}  ${negative}\n` +
      `      octal: ${value.toString(8)}\n     binary: ${value.toString(2).padStart(64, '0')}\n` +
      (bits === null ? '' : `   bits set: ${bitLines(bits)}\n`)
    );
  },
});

/** Numbers of bits, in lines of at most 80 characters below each other. */
function bitLines(bits: readonly number[]): string {
  const lines: string[] = [''];
  for (const bit of bits) {
    if (lines.at(-1)!.length + String(bit).length > 66) lines.push('');
    lines[lines.length - 1] += `${bit} `;
  }
  return lines.join(`\n${' '.repeat(13)}`);
}

const suffixes: Readonly<Record<string, bigint>> = { k: 1n << 10n, m: 1n << 20n, g: 1n << 30n, t: 1n << 40n };

/** The value of an expression, 64 bits. @throws UsageError for what is none */
export function numberOf(context: CommandContext, expression: string): bigint {
  if (expression.trim() === '') throw new UsageError('');
  const terms = expression.replace(/0x[0-9a-f]+[kmgt]?\b|[0-9a-f]+[kmgt]?\b|[a-z_.$][\w.$]*/gi, (word) => {
    const symbol = /^\d/.test(word) ? null : context.kernel.symbols.find(word);
    if (symbol !== null) return `${symbol.address}UL`;
    const number = /^(0x[0-9a-f]+|\d+|[0-9a-f]+)([kmgt]?)$/i.exec(word);
    if (number === null) throw new UsageError(`invalid number or symbol: ${escapeTerminal(word)}`);
    const [, digits = '', suffix = ''] = number;
    const isDecimal = /^\d+$/.test(digits) || /^0x/i.test(digits);
    return `${BigInt(isDecimal ? digits : `0x${digits}`) * (suffixes[suffix.toLowerCase()] ?? 1n)}UL`;
  });
  return BigInt.asUintN(64, evaluateText(context, terms).bigint());
}

/** Whole numbers of KB, MB or GB, from one up. */
function roundSize(value: bigint): string {
  for (const [unit, shift] of [
    ['GB', 30n],
    ['MB', 20n],
    ['KB', 10n],
  ] as const) {
    const size = value >> shift;
    if (size > 0n && size << shift === value) return `(${size}${unit})`;
  }
  return '';
}
