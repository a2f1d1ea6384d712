// trace dump: the trace.dat of ftrace's ring buffers, as trace-cmd reads it: every event that the guest read, with its
// task, CPU and time.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fact, World } from '../fact.ts';
import { programPath } from '../programs.ts';
import type { Tally } from '../tally.ts';

const file = join(tmpdir(), `lab-trace-${process.pid}.dat`);

export const traceFile: Fact = {
  name: 'trace.dat, by trace-cmd',
  commands: [`trace dump ${file}`],
  lacks: () => (programPath('trace-cmd') === undefined ? 'trace-cmd' : undefined),
  compare(world, _texts, tally) {
    try {
      if (world.picture.text('ftrace') === undefined) return;
      const text = existsSync(file)
        ? spawnSync('trace-cmd', ['report', file], { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout
        : '';
      compareTrace(world, text, tally);
    } finally {
      rmSync(file, { force: true });
    }
  },
};

/** @param text what trace-cmd says of the file */
export function compareTrace({ picture }: World, text: string, tally: Tally): void {
  const listed = eventsOf(text);
  for (const [cpu, events] of eventsOf(picture.text('ftrace') ?? '')) {
    const found = listed.get(cpu) ?? [];
    tally.compare(`events of CPU ${cpu}`, events.length, found.length);
    for (const [i, { task, time }] of events.entries()) {
      const same = found[i];
      // the two round nanoseconds differently
      if (same?.task === task && Math.abs(same.time - time) <= 1) tally.same();
      else
        tally.fault(
          `event ${i + 1} of CPU ${cpu}: ${told({ task, time })}, in the file ${same === undefined ? 'nothing' : told(same)}`,
        );
    }
  }
}

interface Event {
  readonly task: string;
  /** Microseconds since boot. */
  readonly time: number;
}

function told({ task, time }: Event): string {
  return `${task} at ${time} us`;
}

/** Events by CPU, in order; those of other instances, which trace-cmd begins with the instance's name, behind the others. */
function eventsOf(text: string): ReadonlyMap<string, readonly Event[]> {
  const events = new Map<string, Event[]>();
  const ofInstance = /^ *[^ [\n]+: {2,}(.*)$/gm;
  const behind = [...text.matchAll(ofInstance)].map(([, line]) => line);
  const whole = [text.replace(ofInstance, ''), ...behind].join('\n');
  for (const [, task = '', cpu = '', seconds, rest] of whole.matchAll(
    /^ *(\S.*?-\d+) +\[(\d+)\] (?:\S+ )? *(\d+)\.(\d{6}): /gm,
  )) {
    const list = events.get(cpu) ?? [];
    events.set(cpu, list);
    list.push({ task, time: Number(seconds) * 1e6 + Number(rest) });
  }
  return events;
}
