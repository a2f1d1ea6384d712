// Every way that is known to make a small dump cost much, and many that are made from seeds, against the promise: 10 seconds
// and 500 MB for each job of the program, and what was not damaged is told. INQUEST_SEEDS sets which: `300-400`.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HonestFacts } from '../support/honest_facts.ts';
import { hostileCases } from '../support/hostile_cases.ts';
import { HostileDump } from '../support/hostile_dump.ts';
import { jobs, mostTaken, withinLimits } from '../support/hostile_jobs.ts';
import { makeHostile } from '../support/hostile_seeds.ts';
import { damageStructures } from '../support/hostile_structures.ts';
import { structuresIn, structuresOf } from '../support/kernel_structures.ts';
import { Dice } from './mutate.ts';

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

for (const [name, change] of Object.entries(hostileCases)) {
  test(name, async (t) => {
    make(change);
    for (const job of Object.keys(jobs)) await withinLimits(path, job);
    t.diagnostic(mostTaken());
  });
}

const [first = 1, last = 200] = (process.env['INQUEST_SEEDS'] ?? '').split('-').filter(Boolean).map(Number);
for (let seed = first; seed <= last; seed++) {
  test(`seed ${seed}`, async (t) => {
    let what = '';
    make((dump) => {
      what = makeHostile(dump, new Dice(seed));
    });
    for (const job of Object.keys(jobs)) {
      await withinLimits(path, job).catch((error: unknown) => assert.fail(`${what}: ${String(error)}`));
    }
    t.diagnostic(mostTaken());
  });
}

const honest = new HonestFacts(sample);
const sound = new HostileDump(sample);
const structures = structuresOf(sound.kernel);
const read = structuresIn(sound, structures, honest.frames());
sound.close();
let compared = 0;
for (let seed = first; seed <= last; seed++) {
  test(`structures, seed ${seed}`, async (t) => {
    let what = '';
    const changed = make((dump) => {
      const dice = new Dice(seed);
      what = damageStructures(dump, dice.next() < 0.8 ? read : structures, dice);
    });
    const facts = await honest
      .compare(path, changed)
      .catch((error: unknown) => assert.fail(`${what}: ${String(error)}`));
    assert.deepEqual(facts.missing, [], what);
    compared += facts.compared;
    t.diagnostic(`${facts.compared} facts compared; ${mostTaken()}`);
  });
}
test('facts outside the damage were there to be compared', () =>
  assert.ok(compared > 3 * (last - first + 1), `${compared}`));
