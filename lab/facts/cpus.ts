// What each CPU ran: `runq` and `cpu` against what the dying kernel printed of itself (`CPU: 1 UID: 0 PID: 217 Comm: sh`).
import type { Fact, World } from '../fact.ts';

export const lastTasks: Fact = {
  name: 'what CPUs ran when they died',
  commands: ['runq', 'cpu'],
  compare(world, [queues = '', table = ''], tally) {
    const cpus = (world.picture.text('cpuinfo') ?? '').match(/^processor\s*:/gm)?.length ?? 0;
    const current = byCpu(queues, /^CPU (\d+) RUNQUEUE: [\s\S]*?CURRENT: PID: (\d+)/gm);
    const rows = byCpu(table, /^[* ] *(\d+) +(\d+) +"/gm);
    if (cpus > 0) {
      tally.compare('CPUs in runq', cpus, current.size);
      tally.compare('CPUs in cpu', cpus, rows.size);
    }
    const died = lastReport(world);
    if (died === undefined) return;
    tally.compare(`task of CPU ${died.cpu} in runq`, died.pid, current.get(died.cpu));
    tally.compare(`task of CPU ${died.cpu} in cpu`, died.pid, rows.get(died.cpu));
    // the CPU that panicked is marked
    const marked = /^\* *(\d+) /m.exec(table)?.[1];
    tally.compare('the CPU that is marked', died.cpu, marked === undefined ? undefined : Number(marked));
  },
};

/** The last line in which the kernel says what it runs: the one of the panic. */
function lastReport({ dmesgOfMakedumpfile = '' }: World): { readonly cpu: number; readonly pid: number } | undefined {
  const found = [...dmesgOfMakedumpfile.matchAll(/\] CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: /g)].at(-1);
  return found === undefined ? undefined : { cpu: Number(found[1]), pid: Number(found[2]) };
}

function byCpu(text: string, pattern: RegExp): ReadonlyMap<number, number> {
  return new Map([...text.matchAll(pattern)].map(([, cpu, pid]) => [Number(cpu), Number(pid)]));
}
