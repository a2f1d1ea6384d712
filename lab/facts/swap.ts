// Swap: the areas in `swap` and /proc/swaps, and what a process holds that was pushed out to them.
import { parseTaskBlocks } from '../crash_text.ts';
import type { Fact } from '../fact.ts';
import { heldPrefix, heldTimes } from '../held_words.ts';
import type { Picture } from '../picture.ts';

export const swapAreas: Fact = {
  name: 'swap areas',
  commands: ['swap'],
  compare(world, [text = ''], tally) {
    const listed = new Map(
      [...text.matchAll(/^[0-9a-f]+ +(\w+) +(\d+)k +(\d+)k +\d+% +(-?\d+) {2}(\S+)$/gm)].map(
        ([, type, size, used, priority, file]) => [file, { type, size: Number(size), used: Number(used), priority }],
      ),
    );
    // /proc/swaps: Filename Type Size Used Priority, sizes in KiB
    for (const [file, type = '', size, used, priority = ''] of world.picture.rows('swaps').slice(1)) {
      const area = listed.get(file);
      tally.compare(`${file}: type`, type.toUpperCase(), area?.type);
      tally.compare(`${file}: size, KiB`, Number(size), area?.size);
      tally.compare(`${file}: priority`, priority, area?.priority);
      const change = Math.abs(Number(used) - (area?.used ?? Number.NaN));
      tally.compare(`${file}: used, KiB`, Number(used), area?.used, change < 4096 ? 'pages came and went' : undefined);
      listed.delete(file);
    }
    for (const file of listed.keys()) tally.fault(`${file}: the guest had no such swap area`);
  },
};

/** How many of the words are in a KiB of the process's memory, less than there were seen to be. */
const perKiB = 8;

const holdersOf = (picture: Picture): readonly number[] =>
  picture.pids.filter((pid) => picture.text(`${pid}/cmdline`)?.includes('holder.awk'));

export const swappedPages: Fact = {
  name: 'pages on compressed swap',
  commands: [`foreach user search -u -c ${heldPrefix}`],
  // all memory of all threads: minutes where there are thousands
  isAsked: (picture) => holdersOf(picture).length > 0,
  compare(world, [text = ''], tally) {
    const { picture } = world;
    const blocks = parseTaskBlocks(text);
    for (const holder of holdersOf(picture)) {
      const body = blocks.find(({ pid }) => pid === holder)?.body ?? '';
      const found = new Set([...body.matchAll(/held-in-\w+-(\d{5})\./g)].map(([, number]) => number)).size;
      // with the level's bit 8 makedumpfile leaves out what is not swapped
      const swapped = Number(/^VmSwap:\s+(\d+) kB$/m.exec(picture.text(`${holder}/task/${holder}/status`) ?? '')?.[1]);
      const wanted = (world.record.level & 8) === 0 ? heldTimes : swapped * perKiB;
      if (found >= wanted) tally.same(found);
      else tally.fault(`of the ${heldTimes} words that process ${holder} held, ${wanted} on swap, ${found} are found`);
    }
  },
};
