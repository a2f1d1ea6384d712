// Modules: `mod` lists what /proc/modules listed, with the same base and size.
import type { Fact } from '../fact.ts';

export const modules: Fact = {
  name: 'modules',
  commands: ['mod'],
  compare(world, [text = ''], tally) {
    const rows = new Map(
      [...text.matchAll(/^[0-9a-f]{8,16}\s+(\S+)\s+([0-9a-f]{8,16})\s+(\d+)\s/gm)].map(([, name, base, size]) => [
        name,
        { base, size },
      ]),
    );
    const said = world.picture.rows('modules');
    for (const [name = '', size, , , , base = ''] of said) {
      const row = rows.get(name);
      tally.compare(
        `module ${name}: base`,
        BigInt(base),
        row?.base === undefined ? undefined : BigInt(`0x${row.base}`),
      );
      tally.compare(`module ${name}: size`, Number(size), row === undefined ? undefined : Number(row.size));
    }
    for (const name of rows.keys()) {
      if (!said.some((row) => row[0] === name)) tally.fault(`module ${name}: in mod, but the guest had none`);
    }
  },
};
