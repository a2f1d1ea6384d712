// What devices have not answered, and who waits for them: `io` against /proc/diskstats and the stacks of /proc/PID/stack.
import type { Fact } from '../fact.ts';

/** Functions in which a task waits for a device, as they stand in a stack. */
const ioFunctions =
  /^(?:io_schedule|folio_wait_bit_common|wait_on_page_bit_common|bit_wait_io|submit_bio_wait|blk_execute_rq|__blkdev_direct_IO)/;

export const outstandingIo: Fact = {
  name: 'outstanding I/O',
  commands: ['io'],
  compare(world, [text = ''], tally) {
    const { picture, ranSince } = world;
    const blocks = text.split('\n\n');
    const requests = new Map<string, number>();
    for (const block of blocks) {
      const disk = /^(\S+) [0-9a-f]{16}$/m.exec(block)?.[1];
      if (disk !== undefined) requests.set(disk, block.match(/^ *[0-9a-f]{16} /gm)?.length ?? 0);
    }
    // /proc/diskstats: major minor name, eight counters, then the requests that the device has; whole disks only
    for (const [, minor, name = '', ...numbers] of picture.rows('diskstats')) {
      if (Number(minor) % 16 !== 0 || /^(?:loop|ram|zram)/.test(name)) continue;
      // a disk that has nothing to do is not listed
      const [then, now] = [Number(numbers[8]), requests.get(name) ?? (text === '' ? undefined : 0)];
      requests.delete(name);
      const why = now !== undefined && Math.abs(now - then) <= 8 ? 'requests were made and answered' : undefined;
      tally.compare(`requests that ${name} has`, then, now, why);
    }
    if (picture.text('diskstats') !== undefined)
      for (const name of requests.keys()) tally.fault(`${name}: no disk of the guest`);

    const waiting = new Set(
      [...text.matchAll(/^ +(\d+) {2}[0-9a-f]{16} {2}[A-Z?]{2} /gm)].map(([, pid]) => Number(pid)),
    );
    for (const task of picture.tasks.values()) {
      if (task.state === 'R' || task.stack.length === 0 || ranSince(task) !== undefined) continue;
      const waited = task.stack.some(({ name }) => ioFunctions.test(name)) ? 'waits for I/O' : 'does not';
      const told = waiting.has(task.tid) ? 'waits for I/O' : 'does not';
      tally.compare(`task ${task.tid} ${task.comm}`, waited, text === '' ? undefined : told);
    }
  },
};
