// Holds what src/arch/architecture.ts promises: outside src/arch nothing asks which architecture it has. No import from
// an architecture's folder, no comparison with its name, and in commands no constant of a kernel's half of addresses.
// Run by `npm run check`.
import { globSync, readFileSync } from 'node:fs';
import { machines } from '../src/arch/architectures.ts';

const folders = globSync('src/arch/*/').map((folder) => folder.split('/')[2]!);
const names = [...new Set([...Object.keys(machines), ...folders, 'arm64'])].join('|');

const rules: readonly { readonly pattern: RegExp; readonly where: RegExp; readonly what: string }[] = [
  {
    pattern: new RegExp(`from '[./]*/arch/(?:${folders.join('|')})/`),
    where: /./,
    what: 'imports from the folder of one',
  },
  {
    pattern: new RegExp(`[!=]==? *['"\`](?:${names})['"\`]|['"\`](?:${names})['"\`] *[!=]==?`),
    where: /./,
    what: 'compares the name of one',
  },
  { pattern: new RegExp(`\\bcase ['"\`](?:${names})['"\`]`), where: /./, what: 'switches on the name of one' },
  {
    pattern:
      /\barch(?:itecture)?\.name\s*[!=]==?|[!=]==?\s*(?:\w+\.)*arch(?:itecture)?\.name\b|switch \([^)]*\barch\.name/,
    where: /./,
    what: 'compares the name of one',
  },
  {
    pattern: /\b0xff(?!(?:_?f){14}n)(?:_?[0-9a-f]){14}n/,
    where: /^src\/commands\//,
    what: 'has an address of a kernel',
  },
];

const problems: string[] = [];
for (const file of globSync('src/**/*.ts')) {
  if (file.startsWith('src/arch/')) continue;
  for (const [i, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (/^\s*(\/\/|\*|\/\*)/.test(line)) continue;
    for (const { pattern, where, what } of rules) {
      if (where.test(file) && pattern.test(line)) {
        problems.push(`${file}:${i + 1}: ${what}: ask the Architecture (src/arch/architecture.ts)`);
      }
    }
  }
}
for (const problem of new Set(problems)) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
