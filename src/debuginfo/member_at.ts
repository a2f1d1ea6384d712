// What lies at an offset of a struct: the way back from bytes to members.
import { sizeOf, strip, type Type } from './type.ts';

/** Structs within structs that are gone into: the kernel's nest a dozen deep at most. */
const maxDepth = 32;

/**
 * Path of the innermost member that a byte of a type lies in: `d_name.name`, `sibling.next`, `comm[3]`; empty for a type
 * without members, null for a byte that is no member's (padding) or lies outside of the type. Of members that share their
 * place, the first.
 */
export function memberAt(type: Type, offset: number): string | null {
  if (!(offset >= 0 && offset < sizeOf(type))) return null;
  return inside(type, offset, 0);
}

function inside(type: Type, offset: number, depth: number): string | null {
  const t = strip(type);
  if (depth > maxDepth) return '';
  switch (t.kind) {
    case 'array': {
      const size = sizeOf(t.element);
      if (size === 0) return '';
      const index = Math.floor(offset / size);
      return join(`[${index}]`, inside(t.element, offset - index * size, depth + 1));
    }
    case 'struct':
    case 'union':
      for (const member of t.members) {
        const start = Math.floor(member.bitOffset / 8);
        const bits = member.bitSize === 0 ? sizeOf(member.type) * 8 : (member.bitOffset % 8) + member.bitSize;
        if (offset < start || offset >= start + Math.ceil(bits / 8)) continue;
        const rest = member.bitSize === 0 ? inside(member.type, offset - start, depth + 1) : '';
        if (rest !== null) return join(member.name, rest);
      }
      return null;
    default:
      return '';
  }
}

function join(name: string, rest: string | null): string | null {
  if (rest === null) return null;
  if (name === '' || rest === '') return name + rest;
  return rest.startsWith('[') ? name + rest : `${name}.${rest}`;
}
