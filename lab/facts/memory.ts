// Memory: totals in `kmem -i` and /proc/meminfo, caches in `kmem -s` and /proc/slabinfo.

import type { Fact } from '../fact.ts';

/** Pages that may come and go while the guest idles for some seconds and one process dies. */
const idleMoves = 8192;

export const totals: Fact = {
  name: 'memory totals and free',
  commands: ['kmem -i'],
  compare(world, [text = ''], tally) {
    const pages = (name: string) => {
      const found = new RegExp(`^ *${name} +(\\d+)`, 'm').exec(text)?.[1];
      return found === undefined ? undefined : Number(found);
    };
    const said = (name: string) => (world.picture.memory(name) ?? Number.NaN) / (world.pageSize / 1024);
    tally.compare('total memory, pages', said('MemTotal'), pages('TOTAL MEM'));
    if (said('SwapTotal') > 0) tally.compare('total swap, pages', said('SwapTotal'), pages('TOTAL SWAP'));
    for (const [row, ...names] of [
      ['FREE', 'MemFree'],
      ['SLAB', 'SReclaimable', 'SUnreclaim'],
      ['BUFFERS', 'Buffers'],
      ['CACHED', 'Cached'],
    ]) {
      const then = names.reduce((sum, name) => sum + said(name), 0);
      const now = pages(row ?? '');
      if (then === now) tally.same();
      else if (now !== undefined && Math.abs(now - then) <= idleMoves) tally.moved('pages were taken and freed');
      else if (now !== undefined && world.scenario.moves !== undefined) tally.moved(world.scenario.moves);
      else tally.fault(`${row}: ${then} pages at the picture, ${now} in the dump`);
    }
  },
};

interface Cache {
  readonly objects: number;
  readonly slabs: number;
  readonly slabBytes: number;
}

/** Kinds of death in which a CPU is stuck until it dies. */
const holdsRcu: readonly string[] = ['soft-lockup', 'hard-lockup', 'rcu-stall'];

export const slabs: Fact = {
  name: 'slab caches',
  commands: ['kmem -s'],
  compare(world, [text = ''], tally) {
    const listed = new Map(
      [...text.matchAll(/^[0-9a-f]{16}\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)k\s+(\S.*)$/gm)].map(
        ([, , , total, slabs, size, name]): [string, Cache] => [
          (name ?? '').trim(),
          { objects: Number(total), slabs: Number(slabs), slabBytes: Number(size) * 1024 },
        ],
      ),
    );
    // slabinfo: name <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>
    for (const [name = '', , total, , perSlab, pages] of world.picture.rows('slabinfo').slice(2)) {
      const cache = listed.get(name);
      if (cache === undefined) {
        tally.fault(`cache ${name}: not in kmem -s`);
        continue;
      }
      tally.compare(`cache ${name}: bytes of a slab`, Number(pages) * world.pageSize, cache.slabBytes);
      const [then, slab] = [Number(total), Number(perSlab)];
      // slabs that were made while memory was short have fewer
      if (cache.objects > cache.slabs * slab)
        tally.fault(`cache ${name}: ${cache.objects} objects in ${cache.slabs} slabs of ${slab}`);
      const change = Math.abs(cache.objects - then);
      if (change === 0) tally.same();
      else if (change <= Math.max(16 * slab, then * 0.25)) tally.moved('objects were taken and freed');
      // the counts are read last: what the picture itself made (a file and its pages for each thing that it read and
      // wrote) is freed after them, and slabs that are empty then are given back; of files, all but those that stay open
      else if (cache.objects < then && change <= then * (name === 'filp' ? 0.9 : 0.6))
        tally.moved('what the picture had made was freed');
      // with slub_debug, which keeps no empty slabs for later, most of them
      else if (cache.objects < then && change <= then * 0.9 && name.startsWith('jbd2_'))
        tally.moved('the disk was made read-only');
      else if (world.scenario.moves !== undefined) tally.moved(world.scenario.moves);
      else if (cache.objects > then && world.made?.names.test(name) === true) tally.moved(world.made.why);
      // (for seconds: every process that ends meanwhile leaves its task, its maple nodes, its files)
      else if (cache.objects > then && holdsRcu.includes(String(world.scenario.verdict?.kind)))
        tally.moved('a CPU that is stuck ends no grace period: what RCU frees stays');
      else tally.fault(`cache ${name}: ${then} objects at the picture, ${cache.objects} in the dump`);
    }
  },
};
