// C values as plain data, for `--json`: structs as records of their members, arrays as lists, integers as
// numbers where those are exact, else (and for all pointers) as bigints.
import { latin1 } from '../base/byte_reader.ts';
import { assertNever } from '../base/errors.ts';
import type { CValue } from './c_value.ts';

/** A value; null where it cannot be read (or has no data, as a function). */
export type ValueData =
  | number
  | bigint
  | string
  | boolean
  | null
  | readonly ValueData[]
  | { readonly [name: string]: ValueData };

export function valueData(value: CValue): ValueData {
  switch (value.kind) {
    case 'struct': {
      // names come from the dump: `__proto__` is one like any other
      const values = Object.create(null) as Record<string, ValueData>;
      for (const { name, value: member } of value.members) {
        const data = valueData(member);
        if (name !== '') values[name] = data;
        // members of what has no name belong to the whole, as in C
        else if (typeof data === 'object' && data !== null) Object.assign(values, data);
      }
      return values;
    }
    case 'array':
      return value.elements.map(valueData);
    case 'chars': {
      const nul = value.bytes.indexOf(0);
      return latin1(value.bytes, 0, nul < 0 ? value.bytes.length : nul);
    }
    case 'int':
      return value.type.encoding === 'bool' ? value.value !== 0n : exact(value.value);
    case 'enum':
      return value.type.values.find((one) => one.value === value.value)?.name ?? exact(value.value);
    case 'pointer':
      return value.address;
    case 'open-array':
      return value.text === null ? [] : latin1(value.text.bytes, 0, value.text.bytes.length);
    case 'float':
      return floatHex(value.bits, value.size);
    case 'function':
    case 'unavailable':
    case 'void':
    case 'incomplete':
    case 'cut':
      return null;
    default:
      return assertNever(value);
  }
}

/** The bytes of a floating point number as they lie in memory, in hexadecimal. */
function floatHex(bits: bigint, size: number): string {
  const bytes = Array.from({ length: size }, (_, i) => Number((bits >> BigInt(i * 8)) & 0xffn));
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A number; a negative one that is not exact as one is text, since data has bigints as unsigned hexadecimal. */
function exact(value: bigint): number | bigint | string {
  const n = Number(value);
  if (Number.isSafeInteger(n)) return n;
  return value < 0n ? String(value) : value;
}
