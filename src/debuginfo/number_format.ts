// Numbers in the formats of gdb's `print/FORMAT`.
import { assertNever } from '../base/errors.ts';
import { charLiteral } from './c_string.ts';

/**
 * - `x` hexadecimal   - `z` the same, with zeros in front   - `d` signed, `u` unsigned decimal   - `o` octal   - `t` binary
 * - `a` an address   - `c` the lowest byte as a character   - `f` the bits as a floating point number
 */
export type NumberFormat = 'x' | 'z' | 'd' | 'u' | 'o' | 't' | 'a' | 'c' | 'f';

export const numberFormats: readonly string[] = ['x', 'z', 'd', 'u', 'o', 't', 'a', 'c', 'f'] satisfies NumberFormat[];

/** @param bits width of the value @param signed whether its type is */
export function formatNumber(value: bigint, bits: number, signed: boolean, format: NumberFormat): string {
  const unsigned = BigInt.asUintN(bits, value);
  switch (format) {
    case 'x':
    case 'a':
      return `0x${unsigned.toString(16)}`;
    case 'z':
      return `0x${unsigned.toString(16).padStart(Math.ceil(bits / 8) * 2, '0')}`;
    case 'd':
      return String(BigInt.asIntN(bits, value));
    case 'u':
      return String(unsigned);
    case 'o':
      return `${unsigned === 0n ? '' : '0'}${unsigned.toString(8)}`;
    case 't':
      return unsigned.toString(2);
    case 'c':
      return `${signed ? BigInt.asIntN(8, value) : BigInt.asUintN(8, value)} ${charLiteral(value)}`;
    case 'f':
      return bits === 32 || bits === 64 ? floatText(unsigned, bits / 8) : String(signed ? value : unsigned);
    default:
      return assertNever(format);
  }
}

/** As C's `%.17g` and `%.9g`. Sizes that are not IEEE's come as their bits. */
export function floatText(bits: bigint, size: number): string {
  if (size !== 4 && size !== 8) return `0x${bits.toString(16)}`;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, bits), true);
  const value = size === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true);
  if (Number.isNaN(value)) {
    const fraction = BigInt.asUintN(size === 4 ? 23 : 52, bits);
    return `${bits >> BigInt(size * 8 - 1) === 0n ? '' : '-'}nan(0x${fraction.toString(16)})`;
  }
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const [mantissa = '', exponent] = value.toPrecision(size === 4 ? 9 : 17).split('e');
  const short = mantissa.includes('.') ? mantissa.replace(/\.?0{1,20}$/, '') : mantissa;
  return exponent === undefined ? short : `${short}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
}
