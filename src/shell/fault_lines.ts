// What could not be read, in lines: one cause is one line, however much it cost.
import { badArgument } from '../commands/each_word.ts';
import type { Fault } from '../kernel/faults.ts';

/** Most faults that are alike and each have a line. */
const alike = 3;
/** Most names in a line that stands for many. */
const named = 4;

/** Rungs of the ladder without which names mean nothing (docs/architecture.md). */
const rungs: ReadonlySet<string> = new Set(['kallsyms', 'BTF']);
/** What is missing for want of names. */
const forWant = /^(?:symbol|type|type of variable|member) not found: /;

/**
 * Lines without ends. The first fault of a kind stands for all where there are more than three: those that differ in numbers
 * alone, and all that went with the end of a dump that was cut. Where the kernel's symbols or types themselves could not be
 * read, what misses them is one line, too. `--json` has each of them.
 */
export function faultLines(faults: readonly Fault[]): string[] {
  const lost = faults.find(({ what, message }) => rungs.has(what) && !forWant.test(message));
  const groups = new Map<string, Fault[]>();
  for (const fault of faults) {
    const isFor = lost !== undefined && fault.what !== badArgument && forWant.test(fault.message);
    const kind = isFor ? 'for want of names' : kindOf(fault);
    const group = groups.get(kind);
    if (group === undefined) groups.set(kind, [fault]);
    else group.push(fault);
  }
  return [...groups.values()].flatMap((group) => {
    const lines = group.map(({ what, message }) => (what === badArgument ? message : `${what}: ${message}`));
    return group.length > alike
      ? [lines[0]!, `and ${group.length - 1} more faults of this cause${names(group)}`]
      : lines;
  });
}

/** What else was being read, where it was something else: ` (task list, panic_cpu, ...)`. */
function names([first, ...others]: readonly Fault[]): string {
  const all = [...new Set(others.map(({ what }) => what))].filter(
    (what) => withoutNumbers(what) !== withoutNumbers(first!.what),
  );
  return all.length === 0 ? '' : ` (${all.slice(0, named).join(', ')}${all.length > named ? ', ...' : ''})`;
}

/** Equal for faults of one cause: a fault of memory is told by its reason, others by their words. */
function kindOf({ what, code, reason, message }: Fault): string {
  if (what === badArgument) return message;
  if (reason === 'truncated') return reason;
  return `${withoutNumbers(what)}\n${code}\n${reason ?? withoutNumbers(message)}`;
}

function withoutNumbers(text: string): string {
  return text.replace(/\b(?:0x)?[0-9a-f]*\d[0-9a-f]*\b/gi, '#');
}
