// Leaves those declarations in the package that the library's own lead to. The compiler writes one for every source that it
// comes by, those of the insides of functions too: more than half of them.
//
//   node scripts/prune_types.mjs dist/types
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const folder = resolve(process.argv[2] ?? 'dist/types');
const needed = new Set();
const todo = [join(folder, 'index.d.ts')];
for (let file = todo.pop(); file !== undefined; file = todo.pop()) {
  if (needed.has(file)) continue;
  needed.add(file);
  for (const [, path] of readFileSync(file, 'utf8').matchAll(/(?:from|import|import\()\s*["'](\.[^"']+)["']/g)) {
    todo.push(join(dirname(file), path.replace(/\.[jt]s$/, '.d.ts')));
  }
}
for (const name of readdirSync(folder, { recursive: true })) {
  const file = join(folder, name);
  if (name.endsWith('.d.ts') && !needed.has(file)) rmSync(file);
}
