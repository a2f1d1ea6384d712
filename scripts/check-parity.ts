// Holds the crash shell against recorded output of crash(8), and fails if the shares of equal lines get worse
// than recorded.
//
//   node scripts/check-parity.ts DUMPS PARITY.mjs [--record]
//
// DUMPS has folders with a vmcore and a reference.txt; PARITY.mjs compares a shell with such a file.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const levelFile = new URL('../test/levels/parity.json', import.meta.url);
const program = fileURLToPath(new URL('../dist/inquest.js', import.meta.url));
/** Shares are of lines, some of which tell times: differences below this are no change. */
const tolerance = 0.002;

const [folder, parity, option] = process.argv.slice(2);
if (folder === undefined || parity === undefined) {
  console.error('usage: check-parity.ts DUMPS PARITY.mjs [--record]');
  process.exit(2);
}
const recorded = (existsSync(levelFile) ? JSON.parse(readFileSync(levelFile, 'utf8')) : {}) as Record<string, number>;
const reached: Record<string, number> = {};
let worse = false;
for (const name of readdirSync(folder).sort()) {
  const reference = join(folder, name, 'reference.txt');
  if (!existsSync(reference)) continue;
  const run = spawnSync(
    process.execPath,
    [
      parity,
      '--json',
      // on a machine that does other things, too
      '--timeout',
      '300',
      '--root',
      join(folder, name),
      reference,
      '--',
      process.execPath,
      program,
      'crash',
      '-s',
      join(folder, name, 'vmcore'),
    ],
    { encoding: 'utf8', maxBuffer: 1 << 28 },
  );
  if (run.status !== 0) throw new Error(`${parity} on ${name}: ${run.stderr}`);
  const { total, mean } = JSON.parse(run.stdout) as { total: Record<string, number>; mean: number };
  reached[name] = Math.floor(mean * 1000) / 1000;
  const isWorse = mean < (recorded[name] ?? 0) - tolerance;
  if (isWorse) worse = true;
  const counts = Object.entries(total)
    .map(([verdict, n]) => `${n} ${verdict}`)
    .join(', ');
  console.log(`${name}: mean share ${mean.toFixed(3)} (${counts})${isWorse ? `, WORSE than ${recorded[name]}` : ''}`);
}
if (option === '--record') writeFileSync(levelFile, `${JSON.stringify(reached, null, 2)}\n`);
process.exitCode = worse ? 1 : 0;
