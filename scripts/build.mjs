// Bundles src/ into dist/: the `inquest` program and the library. Plain JavaScript, so that it runs
// as it is (`npm ci` calls it, under any Node that npm runs on).
import { chmodSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

rmSync('dist/chunks', { recursive: true, force: true });
await build({
  entryPoints: { inquest: 'src/cli/main.ts', index: 'src/index.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true, // what is imported with import() stays apart and is not loaded before it is used
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  legalComments: 'none',
  logLevel: 'warning',
});
chmodSync('dist/inquest.js', 0o755);
