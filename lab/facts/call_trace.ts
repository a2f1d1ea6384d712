// The call trace: what the kernel itself unwound and printed as it died is what `bt` shows of the task that died.
import { type Frame, parseTrace } from '../crash_text.ts';
import type { Fact } from '../fact.ts';
import type { StackEntry } from '../picture.ts';

export const callTrace: Fact = {
  name: 'call trace and registers at death',
  commands: ['bt', 'log'],
  compare(world, [bt = '', log = ''], tally) {
    const said = parseLastTrace(log);
    if (said === undefined) return;
    const head = /^PID: (\d+) +TASK: \S+ +CPU: (\d+) +COMMAND: "(.*)"$/m.exec(bt);
    tally.compare('task that died', said.pid, Number(head?.[1]));
    tally.compare('CPU it died on', said.cpu, Number(head?.[2]));
    tally.compare('name of the task', said.comm, head?.[3]);
    const shown = parseTrace(bt, world.machine);
    // After a jump to nowhere the kernel only guesses: then it said nothing that could be compared.
    // in a recursion the frame that may be left out is like its neighbours
    const without = shown.filter(({ mayBeLeftOut }) => !mayBeLeftOut);
    const { addresses } = world.picture;
    const difference = (frames: readonly Frame[]) => differs(said, frames, addresses);
    const isLeftOut = difference(without) === undefined;
    const problem = said.entries.length === 0 || isLeftOut ? undefined : difference(shown);
    if (problem === undefined) tally.same(said.entries.length);
    else tally.fault(`call trace: ${problem}; the dump says ${shown.map(({ name }) => name).join(' < ')}`);
    const blocks = parseRegisters(bt);
    for (const registers of said.registers) {
      const stack = stackOf(registers);
      const block = blocks.find((candidate) => stackOf(candidate) === stack);
      for (const [name, value] of registers) {
        tally.compare(`registers with stack pointer ${stack?.toString(16)}: ${name}`, value, block?.get(name));
      }
    }
  },
};

interface LoggedEntry extends StackEntry {
  /**
   * Whether it is the first address behind a function (`name+0x20/0x20`): no call returns there. It is the trampoline of a return
   * probe, which lies in the return address's place; the dump tells the caller that the probe keeps.
   */
  readonly isTrampoline: boolean;
}

interface LoggedTrace {
  readonly pid: number;
  readonly cpu: number;
  readonly comm: string;
  /** The innermost first, without what the kernel only guessed (`? name`), and from the caller of panic() on. */
  readonly entries: readonly LoggedEntry[];
  /** What it only guessed, or had no name for: functions' names, and addresses as `0x...`. */
  readonly guesses: ReadonlySet<string>;
  readonly registers: readonly ReadonlyMap<string, bigint>[];
}

/** The last trace in a log: that of the death. Undefined when the kernel printed none. */
export function parseLastTrace(log: string): LoggedTrace | undefined {
  const text = log.replace(/^\[ *\d+\.\d+\] ?/gm, '');
  const head = [
    ...text.matchAll(/^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.*?) (?:Kdump: loaded )?(?:Not tainted|Tainted:)/gm),
  ].at(-1);
  if (head === undefined) return undefined;
  // Where nobody captures, an oops shows its first lines a second time when it is over.
  const body = text.slice(head.index).replace(/^---\[ end trace (?:.|\n)*/m, '');
  // arm64 tells in letters how it came to an entry (since 6.13)
  const line = /^(?: +|RIP: 0010:)([^\s?+]+)\+0x([0-9a-f]+)\/0x([0-9a-f]+)(?: \[\S+\])*(?: \([A-Z]+\))?$/gm;
  const entries = [...body.matchAll(line)].map(([, name = '', offset = '', size]) => ({
    name,
    offset: Number.parseInt(offset, 16),
    isTrampoline: offset === size,
  }));
  const guess = /^ +(?:\? (\S+)\+0x[0-9a-f]+\/0x[0-9a-f]+(?: \[\S+\])*|(?:\? )?(0x[0-9a-f]{16}))$/gm;
  // panic() prints its trace from another place than the one it goes to the capture kernel from.
  const inner = Math.max(
    entries.findIndex(({ name }) => name === 'vpanic'),
    entries.findIndex(({ name }) => /^panic(\.cold)?$/.test(name)),
  );
  return {
    pid: Number(head[2]),
    cpu: Number(head[1]),
    comm: head[3] ?? '',
    entries: entries.slice(inner + 1),
    guesses: new Set([...body.matchAll(guess)].map(([, name, address]) => name ?? address ?? '')),
    // A thread of the kernel has no registers of a user: newer kernels print them as zeros.
    registers: parseRegisters(body).filter((registers) => stackOf(registers) !== 0n),
  };
}

/** The stack pointer of a block of registers, by either machine's name. */
function stackOf(registers: ReadonlyMap<string, bigint>): bigint | undefined {
  return registers.get('RSP') ?? registers.get('SP');
}

/** Blocks of general registers, each from its stack pointer on, as a kernel's log and `bt` print them. */
export function parseRegisters(text: string): Map<string, bigint>[] {
  const blocks: Map<string, bigint>[] = [];
  // arm64's log has them in small letters: `sp : ffff80008002ba40`, `x9 : ...`
  const token = /\b(RSP|R[A-D]X|R[SD]I|RBP|R\d{1,2}|SP|sp|[Xx]\d{1,2}) ?: (?:[0-9a-f]{4}:)?([0-9a-f]{16})\b/g;
  for (const [, name = '', value] of text.matchAll(token)) {
    if (/^(RSP|SP|sp)$/.test(name)) blocks.push(new Map());
    blocks.at(-1)?.set(name.toUpperCase().replace(/^R0/, 'R'), BigInt(`0x${value}`));
  }
  return blocks;
}

/** What differs, in words, from the frame on where the kernel's trace begins; undefined when nothing does. */
function differs(
  { entries, guesses }: Pick<LoggedTrace, 'entries' | 'guesses'>,
  shown: readonly Frame[],
  addresses: ReadonlyMap<string, readonly bigint[]>,
): string | undefined {
  // of a module that was loaded after the picture, names alone are known
  const isAt = (entry: StackEntry | undefined, frame: Frame | undefined) =>
    entry !== undefined &&
    (addresses.get(entry.name)?.some((start) => start + BigInt(entry.offset) === frame?.address) ??
      entry.name === frame?.name);
  const words = (entry: StackEntry | undefined) =>
    entry === undefined ? 'nothing' : `${entry.name}+0x${entry.offset.toString(16)}`;
  // the kernel's own unwinder loses the way in code that is made at run time, and guesses what lies there
  const isGuessed = (frame: Frame | undefined) =>
    frame !== undefined && (guesses.has(frame.name) || guesses.has(`0x${frame.address.toString(16)}`));
  const first = shown.findIndex((frame) => isAt(entries[0], frame));
  if (first < 0) return `the guest's begins with ${words(entries[0])}`;
  let at = first;
  for (const [i, entry] of entries.entries()) {
    if (entry.isTrampoline) {
      at++;
      continue;
    }
    if (!isAt(entry, shown[at]) && shown[at]?.mayBeLeftOut) at++;
    while (!isAt(entry, shown[at]) && isGuessed(shown[at])) at++;
    if (!isAt(entry, shown[at++])) return `the guest's goes on with ${words(entry)} at ${i}`;
  }
  while (isGuessed(shown[at])) at++;
  return at < shown.length ? `the guest's goes on with nothing at ${entries.length}` : undefined;
}
