// What an address is and who points to it: `find` and `refs`, against what the guest knows of its own tasks and image.
import type { Fact } from '../fact.ts';

export const references: Fact = {
  name: 'who points to the first task',
  commands: ['refs init_task'],
  compare({ picture }, [text = ''], tally) {
    // idle tasks have it for their parent, too, but the guest lists none
    const children = [...picture.tasks.values()].filter(({ tid, pid, ppid }) => tid === pid && ppid === 0);
    const parents = new Map(
      [...text.matchAll(/task_struct of PID (\d+) "(.*)", real_parent$/gm)].map(([, pid, comm]) => [Number(pid), comm]),
    );
    for (const { pid, comm } of children) tally.compare(`parent of ${pid}`, comm, parents.get(pid));
    for (const pid of parents.keys()) {
      if (pid !== 0 && !children.some((child) => child.pid === pid))
        tally.fault(`${pid} is no child of the first task`);
    }
    // it is the first CPU's idle task, and no other's
    const idleOf = [...text.matchAll(/ runqueues\.idle of CPU (\d+)$/gm)].map(([, cpu]) => cpu).join();
    tally.compare('whose idle task it is', '0', idleOf);
    const [, total] = /^(\d+) references?$/m.exec(text) ?? [];
    tally.compare('lines', Number(total), total === undefined ? undefined : text.trim().split('\n').length - 2);
    tally.compare('what the target is', 'init_task', /^[0-9a-f]{16}: (\w+)$/m.exec(text)?.[1]);
  },
};

const parts = { linux_banner: 'Kernel rodata', init_task: 'Kernel data', _stext: 'Kernel code' };

/** Of the lab's module, which each run loads. */
const ofModule = ['perish_sum', 'perish_queue'];

export const places: Fact = {
  name: 'what addresses are',
  commands: [...Object.keys(parts), ...ofModule].map((name) => `find ${name}`),
  isAsked: (picture, command) => picture.addresses.has(command.replace(/^find /, '')),
  compare({ picture, scenario }, texts, tally) {
    const iomem = picture.text('iomem') ?? '';
    for (const [i, [name, part]] of Object.entries(parts).entries()) {
      const text = texts[i] ?? '';
      const [address] = picture.addresses.get(name) ?? [];
      const range = new RegExp(`^ *([0-9a-f]+)-([0-9a-f]+) : ${part}$`, 'm').exec(iomem);
      if (address === undefined || range === null) continue;
      tally.compare(`address of ${name}`, address.toString(16), /^([0-9a-f]{16})$/m.exec(text)?.[1]);
      const physical = Number.parseInt(/ physical ([0-9a-f]+)/.exec(text)?.[1] ?? '', 16);
      const [first, last] = range.slice(1).map((end) => Number.parseInt(end, 16));
      if (physical >= first! && physical <= last!) tally.same();
      else tally.fault(`${name}: at ${physical.toString(16)}, which is not ${part}`);
      tally.compare(`what ${name}'s page is`, 'reserved', / physical [0-9a-f]+, (\w+)/.exec(text)?.[1]);
      if (name === 'init_task')
        tally.compare(
          'which task',
          '0 "swapper/0"',
          /^ +task +task_struct of PID (.*"), /m.exec(text)?.[1],
          scenario.moves,
        );
    }
    for (const [i, name] of ofModule.entries()) {
      const symbol = picture.symbols.find((one) => one.name === name);
      const text = texts[Object.keys(parts).length + i] ?? '';
      if (symbol?.module === undefined) continue;
      tally.compare(`address of ${name}`, symbol.address.toString(16), /^([0-9a-f]{16})$/m.exec(text)?.[1]);
      tally.compare(`module of ${name}`, symbol.module, /^ +module +(\S+)$/m.exec(text)?.[1]);
      tally.compare(`symbol of ${name}`, name, /^ +symbol +(\S+)$/m.exec(text)?.[1]);
      const area = picture.rows('modules').find(([of]) => of === symbol.module);
      if (area !== undefined) tally.compare(`area of ${name}`, 'vmalloc', /^ +(vmalloc) /m.exec(text)?.[1]);
    }
  },
};
