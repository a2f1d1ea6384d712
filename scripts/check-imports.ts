// Holds the folders of src/ to the order in which data flows (docs/architecture.md): a folder imports
// only from itself and from the folders listed for it here. Run by `npm run check`.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const allowed: Record<string, readonly string[]> = {
  base: [],
  dump: ['base'],
  arch: ['base', 'dump'],
  debuginfo: ['base', 'dump', 'arch'],
  kernel: ['base', 'dump', 'arch', 'debuginfo'],
  commands: ['base', 'dump', 'arch', 'debuginfo', 'kernel'],
  oops: ['base'],
  triage: ['base', 'dump', 'arch', 'debuginfo', 'kernel', 'commands', 'oops'],
  report: ['base', 'triage', 'oops'],
  shell: ['base', 'commands', 'kernel'],
  cli: ['base', 'dump', 'arch', 'debuginfo', 'kernel', 'commands', 'oops', 'triage', 'report', 'shell'],
};
// Files that may import more than their folder, with the reason.
const debts: Record<string, { to: readonly string[]; why: string }> = {};

const problems: string[] = [];
for (const file of globSync('src/**/*.ts')) {
  const folder = file.split('/')[1]!;
  if (folder === 'index.ts') continue; // the library's front door may name anything
  const rule = allowed[folder];
  if (rule === undefined) {
    problems.push(`${file}: folder ${folder} is not in the list of scripts/check-imports.ts`);
    continue;
  }
  for (const [, spec] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
    const target = normalize(join(dirname(file), spec!)).split('/');
    if (target[0] !== 'src') problems.push(`${file}: imports ${spec}, outside src/`);
    else if (target[1] !== folder && !rule.includes(target[1]!) && !debts[file]?.to.includes(target[1]!)) {
      problems.push(`${file}: ${folder}/ must not import ${target[1]}/ (${spec})`);
    }
  }
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
