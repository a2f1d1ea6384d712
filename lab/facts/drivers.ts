// Devices: drivers by major number, what has which physical addresses, and requests that disks have not answered.
import type { Fact } from '../fact.ts';

export const drivers: Fact = {
  name: 'drivers of devices',
  commands: ['dev'],
  compare(world, [text = ''], tally) {
    const said = world.picture.text('devices');
    if (said === undefined) return;
    for (const [kind, title] of [
      ['Character', 'CHRDEV'],
      ['Block', 'BLKDEV'],
    ] as const) {
      const listed = rows(text.split(new RegExp(`^${title} .*$`, 'm'))[1] ?? '');
      const told = rows(said.split(`${kind} devices:`)[1] ?? '');
      for (const row of told) tally.compare(`${kind} device`, row, listed.includes(row) ? row : undefined);
      for (const row of listed) if (!told.includes(row)) tally.fault(`${kind} device ${row}: not in /proc/devices`);
    }
  },
};

/** `major name` of the lines up to the first empty one. */
function rows(text: string): string[] {
  const [block = ''] = text.replace(/^\n/, '').split('\n\n');
  return [...block.matchAll(/^ *(\d+) +(\S+)/gm)].map(([, major, name]) => `${major} ${name}`);
}

export const resources: Fact = {
  name: 'physical addresses of devices',
  commands: ['dev -i'],
  compare(world, [text = ''], tally) {
    const said = world.picture.text('iomem');
    if (said === undefined) return;
    const pattern = /^(?:[0-9a-f]{16})? *([0-9a-f]+)-([0-9a-f]+) +(?:: )?(.*)$/gm;
    const listed = [...(text.split(/^ *RESOURCE .*$/m)[2] ?? '').matchAll(pattern)].map(([, from, to, name]) =>
      placed(from, to, name),
    );
    // the root is not in /proc/iomem
    for (const line of said.split('\n').filter(Boolean)) {
      const [, from, to, name] = /^ *([0-9a-f]+)-([0-9a-f]+) : (.*)$/.exec(line) ?? [];
      const told = placed(from, to, name);
      tally.compare('addresses', told, listed.includes(told) ? told : undefined);
    }
  },
};

function placed(from = '', to = '', name = ''): string {
  return `${from.padStart(8, '0')}-${to.padStart(8, '0')} ${name.trim()}`;
}

export const requests: Fact = {
  name: 'requests of disks',
  commands: ['dev -d'],
  compare(world, [text = ''], tally) {
    const listed = new Map(
      [...text.matchAll(/^ *\d+ [0-9a-f]{16} +(\S+) +[0-9a-f]{16} +(\d+) /gm)].map(([, name, total]) => [
        name,
        Number(total),
      ]),
    );
    // /proc/diskstats: major minor name, eight counters, then the requests that the device has; whole disks only
    for (const [, minor, name = '', ...numbers] of world.picture.rows('diskstats')) {
      if (Number(minor) % 16 !== 0 || /^(?:loop|ram|zram)/.test(name)) continue;
      const [then, now] = [Number(numbers[8]), listed.get(name)];
      const why = now !== undefined && Math.abs(now - then) <= 8 ? 'requests were made and answered' : undefined;
      tally.compare(`requests that ${name} has`, then, now, why);
    }
  },
};
