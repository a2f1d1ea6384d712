// A small dead kernel whose texts are hostile: names and messages with control characters and markup.
import { readFileSync } from 'node:fs';
import { type SyntheticDumpOptions, writeSyntheticDump } from '../support/synthetic_dump.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

/** What a user could call a process to harm whoever looks at its dump. */
export const hostileName = '\x1b]0;\x9b<b>"\x07';

/** A vmcore of it. */
export function smallDump(options: Partial<SyntheticDumpOptions> = {}): Uint8Array {
  const kernel = machine({ cpus: 2 });
  const init = newTask(kernel, { pid: 1, comm: 'init' });
  const tasks = [init, newTask(kernel, { pid: 1395, comm: hostileName, parent: init, state: 2 })];
  linkTasks(kernel, tasks);
  const oops = readFileSync(new URL('../oops/corpus/null-x86.txt', import.meta.url), 'latin1');
  const lines = oops.split('\n').map((line) => line.replace(/^\[[^\]]*\] ?/, ''));
  return writeSyntheticDump(kernel, {
    log: [
      'Linux version 6.12.0-synthetic',
      `Command line: quiet ${hostileName}</pre><script>alert(1)</script>`,
      ...lines.filter((line) => line !== ''),
      'Kernel panic - not syncing: Fatal exception',
    ],
    ...options,
  });
}
