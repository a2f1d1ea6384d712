// Dumps made to cost as much as they can: some of them (hostile.slow.ts has all), and that honest facts outside the damage
// are still told.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Dice } from '../robustness/mutate.ts';
import { HonestFacts } from '../support/honest_facts.ts';
import { hostileCases } from '../support/hostile_cases.ts';
import { HostileDump } from '../support/hostile_dump.ts';
import { jobs, withinLimits } from '../support/hostile_jobs.ts';
import { makeHostile } from '../support/hostile_seeds.ts';
import { damageStructures, structureKinds } from '../support/hostile_structures.ts';
import { structuresIn, structuresOf } from '../support/kernel_structures.ts';

const sample = fileURLToPath(new URL('../../samples/vmcore', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'inquest-hostile-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'vmcore');

/** @returns the frames that were changed */
function make(change: (dump: HostileDump) => void): ReadonlySet<number> {
  const dump = new HostileDump(sample);
  change(dump);
  dump.save(path);
  dump.close();
  return dump.changedFrames();
}

test('a dump that nothing was changed in says what the sample says', async () => {
  make(() => {});
  assert.equal(await withinLimits(path, 'ps'), await withinLimits(sample, 'ps'));
});

test('log records that overlap cost no more than a log, and the rest is told', async () => {
  make(hostileCases['16384 log records that overlap']!);
  assert.ok((await withinLimits(path, 'log')).length < 2_000_000);
  assert.equal(await withinLimits(path, 'bt -a'), await withinLimits(sample, 'bt -a'));
  assert.match(await withinLimits(path, 'report'), /texts overlap/);
});

test('an array of pids whose levels are all one node ends, with the tasks that were met until then', async () => {
  make(hostileCases['tasks by an xarray of the same nodes']!);
  assert.match(await withinLimits(path, 'ps'), /systemd|init/);
});

test('modules that overlap are none, and cost no more than the first of them', async () => {
  make(hostileCases['modules that overlap']!);
  await withinLimits(path, 'mod');
  assert.match(await withinLimits(path, 'report'), /modules overlap/);
});

test('modules that claim half a million symbols each are listed', async () => {
  make(hostileCases['modules with 500,000 symbols each']!);
  assert.equal((await withinLimits(path, 'mod')).match(/hostile_/g)?.length, 12);
  await withinLimits(path, 'report');
});

for (const seed of [1001, 1002]) {
  test(`seed ${seed}`, async () => {
    make((dump) => void makeHostile(dump, new Dice(seed)));
    for (const job of Object.keys(jobs)) await withinLimits(path, job);
  });
}

test('structures that loop, alias, fan out or lie cost themselves, and the facts of others are told', async (t) => {
  const honest = new HonestFacts(sample);
  const sound = new HostileDump(sample);
  const structures = structuresIn(sound, structuresOf(sound.kernel), honest.frames());
  sound.close();
  let compared = 0;
  // of each kind one; other seeds, and all jobs: hostile.slow.ts
  for (const [i, kind] of structureKinds.entries()) {
    await t.test(kind, async () => {
      let what = '';
      const changed = make((dump) => {
        what = damageStructures(dump, structures, new Dice(1003 + i), [kind]);
      });
      assert.doesNotMatch(what, /cannot be done/);
      const facts = await honest.compare(path, changed, ['report', 'ps', 'mod']);
      assert.deepEqual(facts.missing, [], what);
      compared += facts.compared;
    });
  }
  assert.ok(compared > 8, `${compared}`);
});
