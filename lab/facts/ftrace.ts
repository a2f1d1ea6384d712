// What ftrace recorded: every line that the guest read of its trace buffers, in order.
import type { Fact } from '../fact.ts';

export const ftrace: Fact = {
  name: 'ftrace',
  commands: ['trace show'],
  compare(world, [text = ''], tally) {
    const told = world.picture.text('ftrace');
    if (told === undefined) return;
    const guest = lines(told);
    // the column of migration's disabling came with 54357f0c9149 (5.15)
    const columns = letters.exec(guest[0] ?? '')?.[1]?.length ?? 0;
    const dump = lines(text).map((line) =>
      line.replace(letters, (flags) => flags.slice(0, flags.indexOf(']') + 2 + columns)),
    );
    for (const [i, line] of guest.entries()) tally.compare(`line ${i + 1} of the trace`, line, dump[i]);
    for (const line of dump.slice(guest.length)) tally.fault(`not in the guest's trace: ${line}`);
  },
};

/** What stands between CPU and time. */
const letters = /\[\d+\] (\S+)/;

/** Lines of events, without what the guest hides (addresses), and system calls without their arguments. */
function lines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) =>
      line
        .replace(/\b(?:00000000|ff[0-9a-f]{6})[0-9a-f]{8}\b|\(____ptrval____\)|____ptrval____/g, 'ADDRESS')
        // the kernel takes a function of a module to end where the next begins
        .replace(/\/0x[0-9a-f]+( \[\w+\])/g, '$1')
        .replace(/(: sys_\w+)\(.*/, '$1'),
    );
}
