// C values as plain data, for `--json`: structs as records of their members, arrays as lists, integers as
// numbers where those are exact, else (and for all pointers) as bigints.
import { offsetBy } from '../../base/address.ts';
import { FormatError, MemoryFault } from '../../base/errors.ts';
import { KernelObject } from '../../debuginfo/object.ts';
import { strip } from '../../debuginfo/type.ts';

/** A value; null where it cannot be read (or has no data, as a function). */
export type ValueData =
  | number
  | bigint
  | string
  | boolean
  | null
  | readonly ValueData[]
  | { readonly [name: string]: ValueData };

/** Most values in one answer, elements in one array, and depth. */
const maxValues = 200_000;
const maxElements = 16_384;
const maxDepth = 48;

/** Reads a value with everything in it; pointers are not followed. */
export function valueData(object: KernelObject): ValueData {
  let left = maxValues;
  return read(object, 0);

  function read(at: KernelObject, depth: number): ValueData {
    if (--left < 0 || depth > maxDepth) return null;
    try {
      return convert(at, depth);
    } catch (error) {
      if (error instanceof MemoryFault || error instanceof FormatError) return null;
      throw error;
    }
  }

  function convert(at: KernelObject, depth: number): ValueData {
    const type = strip(at.type);
    switch (type.kind) {
      case 'struct':
      case 'union': {
        // names come from the dump: `__proto__` is one like any other
        const values = Object.create(null) as Record<string, ValueData>;
        for (const { name, type: memberType, bitOffset } of type.members) {
          if (name !== '') {
            values[name] = read(at.member(name), depth + 1);
            continue;
          }
          // members of what has no name belong to the whole, as in C
          const inner = KernelObject.at(at.context, memberType, offsetBy(at.address, Math.floor(bitOffset / 8)));
          const value = read(inner, depth + 1);
          if (typeof value === 'object' && value !== null) Object.assign(values, value);
        }
        return values;
      }
      case 'array': {
        const element = strip(type.element);
        if (element.kind === 'int' && element.encoding === 'char') return at.string(65_536);
        return Array.from(at.elements(maxElements), (value) => read(value, depth + 1));
      }
      case 'int': {
        if (type.encoding === 'bool') return at.bool();
        return exact(at.bigint());
      }
      case 'enum':
        return at.enumName() ?? exact(at.bigint());
      case 'pointer':
        return at.bigint();
      case 'float':
        return at.isInMemory ? Buffer.from(at.bytes()).toString('hex') : null;
      default:
        return null;
    }
  }
}

/** A number; a negative one that is not exact as one is text, since data has bigints as unsigned hexadecimal. */
function exact(value: bigint): number | bigint | string {
  const n = Number(value);
  if (Number.isSafeInteger(n)) return n;
  return value < 0n ? String(value) : value;
}
