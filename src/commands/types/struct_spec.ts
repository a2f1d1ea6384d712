// `NAME.member,member`: what `struct`, `union`, `*` and `list -s` are asked to show.
import { NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeTerminal } from '../../base/text.ts';
import { type CompoundType, findMember, offsetOf, strip, type Type } from '../../debuginfo/type.ts';
import type { CommandContext } from '../context.ts';

export interface StructSpec {
  /** Name as it was written, without a tag. */
  readonly name: string;
  /** As it was found: a typedef stays one. */
  readonly type: Type;
  readonly compound: CompoundType;
  /** Paths, each of which the type has; empty for the whole. */
  readonly members: readonly string[];
}

/** Which types a command may be asked for: `*` takes any. */
export type StructKind = 'struct' | 'union' | 'any';

/** Name and paths, without looking either up. */
export function splitStructSpec(text: string): { readonly name: string; readonly members: readonly string[] } {
  const dot = text.indexOf('.');
  if (dot < 0) return { name: text, members: [] };
  return { name: text.slice(0, dot), members: text.slice(dot + 1).split(',') };
}

/**
 * Looks a type and its members up. Of several members, one that the kernel lacks is a fault.
 * @throws NotFoundError for a type that the kernel lacks, or when it has none of the members; UsageError for a
 *   type of another kind
 */
export function structSpec(context: CommandContext, text: string, kind: StructKind): StructSpec {
  const { name, members } = splitStructSpec(text);
  const type = findStruct(context, name, kind);
  const compound = type === null ? null : strip(type);
  if (type === null || compound === null) throw new NotFoundError('structure', escapeTerminal(name));
  if (compound.kind !== 'struct' && compound.kind !== 'union') {
    throw new UsageError(`data type mismatch: ${escapeTerminal(name)} is not a struct or union`);
  }
  if (kind !== 'any' && compound.kind !== kind) {
    throw new UsageError(`data type mismatch: ${escapeTerminal(name)} is not a ${kind}`);
  }
  const known = members.filter((member) => findMember(type, member) !== null);
  for (const member of members) {
    if (known.includes(member)) continue;
    const missing = new NotFoundError('member', escapeTerminal(`${name}.${member}`));
    // of several members, those that this kernel has are shown
    if (known.length === 0) throw missing;
    context.kernel.faults.record(`${compound.kind} ${escapeTerminal(name)}`, missing);
  }
  return { name, type, compound, members: known };
}

function findStruct(context: CommandContext, name: string, kind: StructKind): Type | null {
  const { types } = context.kernel;
  const tags = kind === 'union' ? ['union', 'struct'] : ['struct', 'union'];
  for (const tag of tags) {
    const type = types.find(`${tag} ${name}`);
    if (type !== null && type.kind !== 'incomplete') return type;
  }
  const type = types.find(name);
  return type === null || type.kind === 'incomplete' ? null : type;
}

/**
 * An offset in a struct: `struct.member`, or bytes (decimal, or `0x`).
 * @throws NotFoundError, UsageError
 */
export function offsetArgument(context: CommandContext, text: string): number {
  if (/^(0x[0-9a-fA-F]{1,9}|\d{1,10})$/.test(text)) return Number(text);
  const { name, members } = splitStructSpec(text);
  if (members.length !== 1) throw new UsageError(`invalid offset: ${escapeTerminal(text)}`);
  const type = findStruct(context, name, 'any');
  if (type === null) throw new NotFoundError('structure', escapeTerminal(name));
  return offsetOf(type, members[0]!);
}
