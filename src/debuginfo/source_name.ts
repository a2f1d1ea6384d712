// Symbols as people wrote them: Rust's and C++'s names demangled, C's as they are.
import { demangleName } from './rust_symbol.ts';

/** What compilers put behind names. */
const suffix = /(?:\.(?:cold|isra|constprop|part|llvm|lto_priv)(?:\.\d{1,20})?){1,4}$/;

/** `widget::Queue::push` of `_ZN6widget5Queue4pushEi`; any other name as it is. */
export function sourceName(symbol: string): string {
  if (!/^_(?:R|Z)/.test(symbol)) return symbol;
  const name = symbol.replace(suffix, '');
  return demangleName(symbol) ?? demangleName(name) ?? cxxName(name) ?? symbol;
}

/**
 * A C++ name without its parameters: plain and nested names of the Itanium ABI (section 5.1), which is what functions
 * of modules have. Null for templates, operators, and what else stands between.
 */
function cxxName(symbol: string): string | null {
  const [, nested, rest = ''] = /^_Z(?:L)?(N[rVKRO]{0,5})?(.*)$/s.exec(symbol) ?? [];
  const parts: string[] = [];
  let at = 0;
  for (;;) {
    if (rest.startsWith('St', at) && parts.length === 0) {
      parts.push('std');
      at += 2;
    }
    const structor = /^[CD][0-5]/.exec(rest.slice(at, at + 2))?.[0];
    if (structor !== undefined && parts.length > 0) {
      parts.push(`${structor.startsWith('D') ? '~' : ''}${parts.at(-1)!}`);
      at += 2;
    }
    const digits = /^[1-9]\d{0,3}/.exec(rest.slice(at, at + 4))?.[0];
    if (digits === undefined) break;
    const end = at + digits.length + Number(digits);
    const part = rest.slice(at + digits.length, end);
    if (part.length < Number(digits) || !/^[A-Za-z_]\w*$/.test(part)) return null;
    parts.push(part);
    at = end;
    if (nested === undefined) break;
  }
  if (parts.length === 0 || (nested !== undefined && rest[at] !== 'E')) return null;
  return parts.map((part) => (part.startsWith('_GLOBAL__N_') ? '(anonymous)' : part)).join('::');
}
