// Values as drgn gives them (values.py), beside those of inquest's JSON.
import { readFileSync } from 'node:fs';

/** A number as decimal text, a struct's members by name, an enum as `{enum: [its names], value}`; null for what has none. */
export type TheirValue = string | null | readonly TheirValue[] | { readonly [name: string]: TheirValue };

/** Null where both say the same; else what differs. */
export function valueDifference(said: TheirValue, own: unknown, path = ''): string | null {
  const tell = `${path} is ${JSON.stringify(said)} for drgn, ${JSON.stringify(own)} for inquest`;
  if (said === null) return null;
  if (typeof said === 'string') {
    if (own === null) return tell;
    const number = typeof own === 'boolean' ? BigInt(own) : BigInt(own as string | number);
    return BigInt.asUintN(64, number) === BigInt.asUintN(64, BigInt(said)) ? null : tell;
  }
  if (Array.isArray(said)) {
    if (typeof own === 'string') {
      const nul = said.indexOf('0');
      const text = said.slice(0, nul < 0 ? said.length : nul).map((one) => String.fromCharCode(Number(one) & 0xff));
      return own.startsWith(text.join('')) ? null : tell;
    }
    if (!Array.isArray(own)) return tell;
    for (const [i, one] of said.entries()) {
      if (i >= own.length) break;
      const difference = valueDifference(one, own[i], `${path}[${i}]`);
      if (difference !== null) return difference;
    }
    return null;
  }
  const members = said as Readonly<Record<string, TheirValue>>;
  if (Array.isArray(members['enum'])) {
    const named = typeof own === 'string' && (members['enum'] as readonly string[]).includes(own);
    return named ? null : valueDifference(members['value']!, own, path);
  }
  if (typeof own !== 'object' || own === null) return tell;
  for (const [name, value] of Object.entries(members)) {
    const difference = valueDifference(value, (own as Record<string, unknown>)[name], `${path}.${name}`);
    if (difference !== null) return difference;
  }
  return null;
}

/** A script for drgn's `-e`, with the reading of values before it. */
export function drgnScript(name: string): string {
  return ['values.py', name].map((file) => readFileSync(new URL(file, import.meta.url), 'utf8')).join('\n');
}
