// What tasks do with signals: /proc/PID/status against `foreach sig`.
import { parseTaskBlocks } from '../crash_text.ts';
import { type Fact, processesAtRest, whyGone } from '../fact.ts';

/** The lines of status that tell of signals, each with how it is read out of what `sig` prints of the process. */
const sets: readonly (readonly [field: string, shown: (body: string) => bigint | undefined])[] = [
  ['SigPnd', (body) => setAfter(body, /PRIVATE_PENDING\n +SIGNAL: ([0-9a-f]{16})/)],
  ['ShdPnd', (body) => setAfter(body, /SHARED_PENDING\n +SIGNAL: ([0-9a-f]{16})/)],
  ['SigBlk', (body) => setAfter(body, /BLOCKED: ([0-9a-f]{16})/)],
  ['SigIgn', (body) => signalsThat(body, (does) => does === 'SIG_IGN')],
  ['SigCgt', (body) => signalsThat(body, (does) => !does.startsWith('SIG_'))],
];

export const signals: Fact = {
  name: 'signals',
  commands: ['foreach sig'],
  compare(world, [text = ''], tally) {
    const bodies = new Map(parseTaskBlocks(text).map((block) => [block.pid, block.body]));
    for (const task of processesAtRest(world)) {
      const status = world.picture.text(`${task.pid}/task/${task.tid}/status`) ?? '';
      const body = bodies.get(task.tid);
      for (const [field, shown] of sets) {
        const said = new RegExp(`^${field}:\\s+([0-9a-f]{16})$`, 'm').exec(status)?.[1];
        if (said === undefined) continue;
        const label = `process ${task.pid} ${task.comm}: ${field}`;
        const why = body === undefined ? (whyGone(world, task.comm) ?? world.scenario.moves) : undefined;
        tally.compare(label, BigInt(`0x${said}`), body === undefined ? undefined : shown(body), why);
      }
    }
  },
};

function setAfter(body: string, pattern: RegExp): bigint | undefined {
  const digits = pattern.exec(body)?.[1];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
}

/** The set of signals whose handler is such; undefined where none is listed. */
function signalsThat(body: string, is: (does: string) => boolean): bigint | undefined {
  const rows = [...body.matchAll(/^ *\[(\d+)\] +[0-9a-f]{16} +(\S+)/gm)];
  if (rows.length === 0) return undefined;
  return rows.reduce((set, [, signal, does]) => (is(does!) ? set | (1n << BigInt(Number(signal) - 1)) : set), 0n);
}
