// include/trace/stages/: C's operators and casts on the values of print formats.
import { FormatError } from '../../base/errors.ts';
import { numeric, type Value } from './kernel_printf.ts';

/** Whether C takes a value for true: a text or an array is an address. */
export function truth(value: Value): boolean {
  return typeof value === 'bigint' ? value !== 0n : value.length > 0;
}

/**
 * What a binary operator makes of two values.
 * @param right asked for the value where it counts: not behind `&&` and `||` that are decided
 * @throws FormatError for a division by 0, and for values that are no numbers
 */
export function operate(operator: string, left: Value, right: () => Value): bigint {
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

/** Bits of the type that a cast names. */
export function castBits(name: string): 8 | 16 | 32 | 64 {
  if (/\*|long|64|size_t|sector_t|loff_t/.test(name)) return 64;
  if (/\bchar\b|[us]8\b|\bbool\b/.test(name)) return 8;
  if (/\bshort\b|[us]16\b/.test(name)) return 16;
  return 32;
}

/** Whether the type that a cast names has a sign. */
export function isSigned(name: string): boolean {
  return !/unsigned|\*|\b_*u\d|size_t|sector_t|dev_t|bool/.test(name);
}
