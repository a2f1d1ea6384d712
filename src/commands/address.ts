// Addresses as users write them: a symbol, hexadecimal digits, a symbol and an offset, a sum in
// parentheses; and the per-CPU forms of the first two.
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { FormatError, NotFoundError, UsageError } from '../base/errors.ts';
import { escapeTerminal } from '../base/text.ts';
import type { KernelSymbol } from '../debuginfo/symbol.ts';
import { type CommandContext, parseCpus, parseHex, parseNumber } from './context.ts';
import { symbolsNamed } from './place_name.ts';

/**
 * The address that a word names: a symbol (also where it reads as a hexadecimal number), else hexadecimal
 * with or without `0x`, else a sum: `schedule+7`, `(init_task + 0x10)`. Numbers after the first term are
 * decimal unless they begin with `0x`.
 * A pointer with a tag (arm64's MTE) is the address that it stands for.
 * @throws NotFoundError for a symbol that there is not
 */
export function addressArgument(context: CommandContext, word: string): VirtAddr {
  const inner = /^\((.*)\)$/s.exec(word.trim())?.[1] ?? word;
  const simple = term(context, inner.trim(), true);
  if (simple !== null) return context.kernel.space.untagged(simple);
  const parts = inner.split(/([+-])/);
  if (parts.length < 3) throw noSymbol(word);
  const first = term(context, parts[0]!.trim(), true);
  if (first === null) throw noSymbol(parts[0]!.trim());
  let sum: VirtAddr = first;
  for (let i = 1; i + 1 < parts.length; i += 2) {
    const text = parts[i + 1]!.trim();
    const value = term(context, text, false);
    if (value === null) throw noSymbol(text);
    sum = offsetBy(sum, parts[i] === '-' ? -value : value);
  }
  return context.kernel.space.untagged(sum);
}

function term(context: CommandContext, text: string, isFirst: boolean): VirtAddr | null {
  const symbol = text === '' ? undefined : symbolsNamed(context.kernel.symbols, text)[0];
  if (symbol !== undefined) return symbol.address;
  if (isFirst) return parseHex(text);
  const value = parseNumber(text);
  return value === null ? null : virtAddr(value);
}

function noSymbol(word: string): NotFoundError {
  return new NotFoundError('symbol', escapeTerminal(word));
}

/** `runqueues:1` taken apart; `cpus` is null for a word without a CPU specification. */
export function splitCpuSpec(word: string): { readonly base: string; readonly cpus: string | null } {
  const match = /^([^:()]+):([\d,a-z-]*)$/.exec(word);
  return match === null ? { base: word, cpus: null } : { base: match[1]!, cpus: match[2]! };
}

/** CPUs of a specification as `parseCpus` reads it; the empty one is the current task's CPU. */
export function cpusOf(context: CommandContext, spec: string): number[] {
  return spec === '' ? [context.task.cpu] : parseCpus(context, spec);
}

/** Symbols whose names contain what was asked for, when there is none of that name itself. */
export function alternatives(context: CommandContext, word: string, limit = 1000): KernelSymbol[] {
  return word === '' ? [] : context.kernel.symbols.search(word).slice(0, limit);
}

/** A count of things, decimal or `0x`; may be negative where `negative` says so. @throws UsageError */
export function countArgument(word: string, options: { readonly negative?: boolean } = {}): number {
  const match = /^(-?)(0x[0-9a-fA-F]+|\d+)$/.exec(word);
  if (match === null) throw new UsageError(`not a valid number: ${escapeTerminal(word)}`);
  const count = Number(match[2]) * (match[1] === '-' ? -1 : 1);
  if (count === 0 || (count < 0 && options.negative !== true) || !Number.isSafeInteger(count)) {
    throw new UsageError(`invalid count request: ${escapeTerminal(word)}`);
  }
  return count;
}

/** Address of element `index` of an array of things of `size` bytes. @throws FormatError beyond the address space */
export function elementAddress(start: VirtAddr, index: number, size: number): VirtAddr {
  const at = start + BigInt(index) * BigInt(size);
  if (at < 0n || at > 0xffff_ffff_ffff_ffffn) {
    throw new FormatError(`array at ${start.toString(16)}`, `element ${index} is outside the address space`);
  }
  return virtAddr(at);
}
