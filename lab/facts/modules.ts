// Modules: `mod` lists what /proc/modules listed, with the same base and size, users and taints.
import { asJson } from '../answers.ts';
import { type Fact, type World, whyGone } from '../fact.ts';

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
      if (said.some((row) => row[0] === name)) continue;
      if (loadsLater(world.scenario, name ?? '')) tally.moved('it was loaded after the picture');
      else tally.fault(`module ${name}: in mod, but the guest had none`);
    }
  },
};

/** Whether what provokes a death loads a module. */
const loadsLater = ({ provoke }: World['scenario'], name: string): boolean =>
  provoke?.includes(`insmod /lib/modules/${name}.ko`) ?? false;

interface ModData {
  readonly modules?: readonly {
    readonly name: string;
    readonly state: string;
    readonly refcount: number | null;
    readonly usedBy: readonly string[];
    readonly taints: string;
  }[];
}

export const moduleUsers: Fact = {
  name: 'users and taints of modules',
  commands: [`mod${asJson}`],
  compare(world, [text = ''], tally) {
    const { data } = JSON.parse(text || '{}') as { data?: ModData };
    const rows = new Map(data?.modules?.map((row) => [row.name, row]));
    // name size references users,[permanent], state base (taints)
    for (const [name = '', , references, users = '', state = '', , taints = ''] of world.picture.rows('modules')) {
      const row = rows.get(name);
      const label = `module ${name}`;
      const [then, now] = [Number(references), row?.refcount ?? undefined];
      const why =
        now === undefined
          ? undefined
          : now < then
            ? whyGone(world, name)
            : now > then
              ? world.scenario.moves
              : undefined;
      tally.compare(`${label}: references`, then, now, why);
      const names = users.split(',').filter((user) => user !== '' && user !== '-' && user !== '[permanent]');
      tally.compare(`${label}: users`, names.sort().join(' '), row?.usedBy.toSorted().join(' '));
      tally.compare(`${label}: state`, state, row?.state);
      tally.compare(`${label}: taints`, taints.replace(/[()+-]/g, ''), row?.taints);
    }
  },
};
