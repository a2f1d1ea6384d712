// What processes have: open files and folders, mappings.
import { parseTaskBlocks } from '../crash_text.ts';
import { type Fact, goesOn, processesAtRest, type World } from '../fact.ts';
import type { PictureTask } from '../picture.ts';

/** Processes with user memory that did not run since the picture, with what a command printed for them. */
function still(world: World, text: string): { task: PictureTask; body: string | undefined }[] {
  const bodies = new Map(parseTaskBlocks(text).map((block) => [block.pid, block.body]));
  return processesAtRest(world)
    .filter((task) => (world.picture.text(`${task.pid}/maps`) ?? '') !== '')
    .map((task) => ({ task, body: bodies.get(task.pid) }));
}

export const files: Fact = {
  name: 'open files, root and cwd',
  commands: ['foreach files'],
  compare(world, [text = ''], tally) {
    for (const { task, body } of still(world, text)) {
      const label = `process ${task.pid} ${task.comm}`;
      if (body === undefined) {
        if (world.scenario.moves === undefined) tally.fault(`${label}: not in foreach files`);
        continue;
      }
      const link = (name: string) => world.picture.text(`${task.pid}/${name}`)?.trimEnd();
      const shown = /^ROOT: (\S+)\s+CWD: (.*?)\s*$/m.exec(body);
      const [root, cwd] = [link('root'), link('cwd')];
      if (root !== undefined) tally.compare(`${label}: root`, root, shown?.[1]);
      if (cwd !== undefined) tally.compare(`${label}: cwd`, cwd, shown?.[2]);
      const open = new Map(
        [...body.matchAll(/^ *(\d+) +[0-9a-f]{16} +\S+ +\S+ +\S+ *(.*?)\s*$/gm)].map(([, fd, path]) => [
          fd,
          path ?? '',
        ]),
      );
      for (const line of (world.picture.text(`${task.pid}/fd`) ?? '').split('\n').filter(Boolean)) {
        const [fd = '', path = ''] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)];
        // Sockets, pipes and anonymous inodes are named differently by everybody: only that they are open is compared.
        if (path.startsWith('/') && !path.startsWith('/memfd:'))
          tally.compare(
            `${label}: file ${fd}`,
            path.replace(/ \(deleted\)$/, ''),
            open.get(fd)?.replace(/ \(deleted\)$/, ''),
          );
        else tally.compare(`${label}: file ${fd} open`, 1, open.has(fd) ? 1 : 0);
      }
    }
  },
};

export const mappings: Fact = {
  name: 'mappings (VMAs)',
  commands: ['foreach vm'],
  compare(world, [text = ''], tally) {
    for (const { task, body } of still(world, text)) {
      const label = `process ${task.pid} ${task.comm}`;
      if (body === undefined) {
        if (world.scenario.moves === undefined) tally.fault(`${label}: not in foreach vm`);
        continue;
      }
      const shown = new Map(
        [...body.matchAll(/^[0-9a-f]{16} +([0-9a-f]+) +([0-9a-f]+) +[0-9a-f]+ *(.*?)\s*$/gm)].map(
          ([, from, to, path]) => [`${from}-${to}`, path ?? ''],
        ),
      );
      for (const line of (world.picture.text(`${task.pid}/maps`) ?? '').split('\n').filter(Boolean)) {
        const [range = '', , , , , ...rest] = line.split(/ +/);
        const name = rest.join(' ');
        if (name === '[vsyscall]') continue; // not a mapping of the process: the kernel adds it to the text
        const [from = '', to = ''] = range.split('-').map((end) => end.replace(/^0+(?=.)/, ''));
        const path = shown.get(`${from}-${to}`);
        if (name.startsWith('/') && !name.startsWith('/memfd:'))
          // a segment of System V's shared memory and huge pages without a file lie in no directory: /proc gives them a
          // root's slash, crash(8) none
          tally.compare(
            `${label}: ${range}`,
            name.replace(/ \(deleted\)$/, '').replace(/^\/(?=(?:SYSV[0-9a-f]{8}|anon_hugepage)$)/, ''),
            path,
          );
        else tally.compare(`${label}: ${range} is mapped`, 1, path === undefined ? 0 : 1);
      }
    }
  },
};

/** Pages that a process has in its tables and the kernel does not count for it: the page of zeroes, those of the clock. */
const uncounted = 4;

export const pages: Fact = {
  name: 'pages of processes',
  commands: ['foreach vm -p'],
  compare(world, [text = ''], tally) {
    for (const { task, body } of still(world, text)) {
      const rollup = world.picture.text(`${task.pid}/smaps_rollup`);
      const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup ?? '')?.[1] ?? 0);
      if (rollup === undefined || (body === undefined && world.scenario.moves !== undefined)) continue;
      const label = `process ${task.pid} ${task.comm}`;
      const inMemory = [...(body ?? '').matchAll(/^[0-9a-f]+ +[0-9a-f]+$/gm)].length;
      const swapped = [...(body ?? '').matchAll(/^[0-9a-f]+ +SWAP: \//gm)].length;
      const kibibytes = world.pageSize / 1024;
      // those of hugetlbfs are counted apart
      const said = (kb('Rss') + kb('Shared_Hugetlb') + kb('Private_Hugetlb')) / kibibytes;
      const why = goesOn(world);
      if (inMemory >= said && inMemory <= said + uncounted) tally.same();
      else if (why !== undefined) tally.moved(why);
      else tally.fault(`${label}: ${said} pages in memory at the picture, ${inMemory} in the dump`);
      tally.compare(`${label}: pages on swap`, kb('Swap') / kibibytes, body === undefined ? undefined : swapped);
    }
  },
};
