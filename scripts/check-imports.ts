// Holds src/ to the order in which data flows (docs/architecture.md): a folder imports only from itself and from the
// folders listed for it here, and no file imports itself through others, types counted. Run by `npm run check`.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { circlesOf } from './circles.ts';

const allowed: Record<string, readonly string[]> = {
  base: [],
  dump: ['base'],
  arch: ['base', 'dump'],
  debuginfo: ['base', 'dump', 'arch'],
  kernel: ['base', 'dump', 'arch', 'debuginfo'],
  origin: ['base', 'arch', 'debuginfo', 'kernel'],
  commands: ['base', 'dump', 'arch', 'debuginfo', 'kernel', 'origin'],
  oops: ['base'],
  glossary: ['base', 'oops'],
  triage: ['base', 'dump', 'arch', 'debuginfo', 'kernel', 'origin', 'commands', 'oops', 'collect'],
  report: ['base', 'triage', 'oops', 'commands'],
  save: ['base', 'dump', 'arch', 'debuginfo', 'kernel', 'commands', 'triage'],
  shell: ['base', 'commands', 'kernel'],
  collect: ['base', 'dump', 'arch', 'debuginfo', 'kernel', 'oops'],
  host: ['base', 'dump', 'arch', 'debuginfo', 'kernel', 'commands', 'oops', 'triage', 'report', 'save'],
  cli: [
    'base',
    'dump',
    'arch',
    'debuginfo',
    'kernel',
    'origin',
    'commands',
    'oops',
    'glossary',
    'triage',
    'report',
    'save',
    'shell',
    'collect',
    'host',
  ],
};
// Files that may import more than their folder, with the reason.
const debts: Record<string, { to: readonly string[]; why: string }> = {};

const problems: string[] = [];
const imports = new Map<string, string[]>();
for (const file of globSync('src/**/*.ts')) {
  const targets = [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, spec]) =>
    normalize(join(dirname(file), spec!)),
  );
  imports.set(file, targets);
  const folder = file.split('/')[1]!;
  if (folder === 'index.ts') continue; // the library's front door may name anything
  const rule = allowed[folder];
  if (rule === undefined) {
    problems.push(`${file}: folder ${folder} is not in the list of scripts/check-imports.ts`);
    continue;
  }
  for (const target of targets) {
    const [top, to = ''] = target.split('/');
    if (top !== 'src') problems.push(`${file}: imports ${target}, outside src/`);
    else if (to !== folder && !rule.includes(to) && !debts[file]?.to.includes(to)) {
      problems.push(`${file}: ${folder}/ must not import ${to}/ (${target})`);
    }
  }
}
for (const circle of circlesOf(imports)) problems.push(`files import each other: ${circle.join(' -> ')}`);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
