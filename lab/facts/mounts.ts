// Mounts: `mount` lists the first process's /proc/mounts.
import { type Fact, whyGone } from '../fact.ts';

export const mounts: Fact = {
  name: 'mounts',
  commands: ['mount'],
  compare(world, [text = ''], tally) {
    const listed = new Set(
      [...text.matchAll(/^ *[0-9a-f]{16} +[0-9a-f]{16} +(\S+) +(\S+) +(\S.*?)\s*$/gm)].map(
        ([, type, device, path]) => `${type} ${device} ${path}`,
      ),
    );
    for (const [device, path, type] of world.picture.rows('1/mounts')) {
      // A file system's source may be called `none` by one and by its name by the other.
      const why = whyGone(world, device ?? '');
      if (listed.has(`${type} ${device} ${path}`)) tally.same();
      else if (why !== undefined) tally.moved(why);
      else tally.fault(`mount ${device} on ${path} of type ${type}: not in mount`);
    }
  },
};
