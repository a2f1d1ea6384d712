// The log: every line of dmesg is in `log`, in order; and `log` is what makedumpfile reads from the same memory.
import type { Fact } from '../fact.ts';

export const logOfGuest: Fact = {
  name: "log: the guest's dmesg",
  commands: ['log'],
  compare(world, [text = ''], tally) {
    const lines = text.split('\n').map(comparable);
    let at = 0;
    // hundreds of traces write over what the ring began with
    const since = world.scenario.moves === undefined ? 0 : time(lines[0] ?? '');
    for (const line of (world.picture.text('dmesg') ?? '').split('\n').filter(Boolean)) {
      // klogctl gives the level, and the time on each line of a record; log gives neither after a record's first line.
      const wanted = comparable(line.replace(/^<\d+>/, ''));
      if (time(wanted) < since) {
        tally.moved('the ring was written over since');
        continue;
      }
      const found = firstOf(
        lines.indexOf(wanted, at),
        lines.indexOf(comparable(wanted.replace(/^\[ *\d+\.\d+\] /, '  ')), at),
      );
      if (found < 0) tally.fault(`log: no line ${JSON.stringify(wanted.slice(0, 100))} after line ${at}`);
      else {
        tally.same();
        at = found + 1;
      }
    }
  },
};

export const logOfMakedumpfile: Fact = {
  name: 'log: makedumpfile --dump-dmesg',
  commands: ['log'],
  compare(world, [text = ''], tally) {
    if (world.dmesgOfMakedumpfile === undefined) return;
    // makedumpfile 1.7.8 adds a column with the task or CPU that wrote the line.
    const plain = world.dmesgOfMakedumpfile.replace(/^(\[ *\d+\.\d+\] )\[ *[TC]\d+\] /gm, '$1');
    // and leaves out records that have no text
    const written = (log: string) =>
      log
        .trimEnd()
        .split('\n')
        .filter((line) => !/^\[ *\d+\.\d+\]\s*$/.test(line));
    const said = written(plain);
    const lines = written(text);
    for (let i = 0; i < Math.max(said.length, lines.length); i++) {
      tally.compare(`log line ${i + 1}`, comparable(said[i] ?? 'no line'), comparable(lines[i] ?? 'no line'));
    }
  },
};

/** Seconds since boot; without a stamp, of a further line, 0. */
const time = (line: string): number => Number(/^\[ *(\d+\.\d+)\]/.exec(line)?.[1] ?? 0);

/** A line as it is compared: how far the further lines of a record are indented is not. */
function comparable(line: string): string {
  return line.replace(/^\s+/, '  ').trimEnd();
}

function firstOf(a: number, b: number): number {
  if (a < 0 || b < 0) return Math.max(a, b);
  return Math.min(a, b);
}
