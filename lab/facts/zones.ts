// Where memory is: zones in `kmem -z` and /proc/zoneinfo, vmalloc areas in `kmem -v` and /proc/vmallocinfo.
import type { Fact } from '../fact.ts';

export const zones: Fact = {
  name: 'zones and watermarks',
  commands: ['kmem -z'],
  compare(world, [text = ''], tally) {
    const listed = new Map(
      [
        ...text.matchAll(
          /^NODE: (\d+) {2}ZONE: \d+ {2}ADDR: [0-9a-f]+ {2}NAME: "(\w+)"\n(?: {2}SIZE: (\d+)(?: {2}PRESENT: (\d+))? {2}MIN\/LOW\/HIGH: (\S+))?/gm,
        ),
      ].map(([, node, name, spanned = '0', present = spanned, marks = '0/0/0']) => [
        `${node} ${name}`,
        { spanned, present, marks },
      ]),
    );
    const info = world.picture.text('zoneinfo') ?? '';
    const heads = [...info.matchAll(/^Node (\d+), zone +(\w+)$/gm)];
    for (const [i, { 1: node, 2: name, index }] of heads.entries()) {
      const body = info.slice(index, heads[i + 1]?.index);
      const field = (of: string): string => new RegExp(`^ +${of} +(\\d+)$`, 'm').exec(body)?.[1] ?? '';
      const zone = listed.get(`${node} ${name}`);
      tally.compare(`zone ${name}: pages spanned`, field('spanned'), zone?.spanned);
      tally.compare(`zone ${name}: pages present`, field('present'), zone?.present);
      if (field('spanned') === '0') continue; // nothing more is printed of an empty zone
      const marks = ['min', 'low', 'high'].map(field).join('/');
      tally.compare(`zone ${name}: watermarks`, marks, zone?.marks);
    }
  },
};

/** Areas that may come and go meanwhile: stacks of tasks above all. */
const areasMoved = 24;

export const vmallocAreas: Fact = {
  name: 'vmalloc areas',
  commands: ['kmem -v'],
  compare(world, [text = ''], tally) {
    // The picture's addresses are hashed, its order is by address, and since 6.9 by node: sizes are compared.
    const count = (sizes: Iterable<number>): Map<number, number> => {
      const counts = new Map<number, number>();
      for (const size of sizes) counts.set(size, (counts.get(size) ?? 0) + 1);
      return counts;
    };
    const info = (world.picture.text('vmallocinfo') ?? '').split('\n');
    // areas without a vm_struct, which crash's format has no place for
    const ofKernel = info.filter((line) => !/ (vm_map_ram|unpurged vm_area)$/.test(line));
    const then = count(ofKernel.flatMap((line) => Number(/^0x\w+-0x\w+ +(\d+) /.exec(line)?.[1] ?? []) || []));
    const now = count(
      [...text.matchAll(/^[0-9a-f]{16} {2}[0-9a-f]{16} {2}[0-9a-f]{16} - [0-9a-f]{16} +(\d+)$/gm)].map(([, size]) =>
        Number(size),
      ),
    );
    let moved = 0;
    for (const size of new Set([...then.keys(), ...now.keys()])) {
      const [before, after] = [then.get(size) ?? 0, now.get(size) ?? 0];
      tally.same(Math.min(before, after));
      const change = Math.abs(before - after);
      if (change > 0) tally.moved('areas were freed and allocated', change);
      moved += change;
    }
    if (moved > areasMoved && world.scenario.moves === undefined)
      tally.fault(`${moved} areas are not those of the picture`);
  },
};
