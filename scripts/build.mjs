// Bundles src/ into dist/: the `inquest` program and the library. Plain JavaScript, so that it runs
// as it is (`npm ci` calls it, under any Node that npm runs on). Another folder may be named, for tests.
//
// Most runs of the program take a tenth of a second or two, so what is loaded at the start counts
// (docs/performance.md): small packages that every run needs are bundled, with white space taken out, and
// Node's modules are taken with require().
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';

/** Packages that become part of the bundle; their licences go beside it. */
const bundled = ['commander', 'hysnappy'];
/** Packages that few runs need, which load them then. */
const external = ['iced-x86', '@alexaltea/capstone-js', 'zstddec', 'xz-decompress'];
/** Node's modules that few runs need, and that take others with them. */
const lazy = ['node:child_process', 'node:readline', 'node:crypto'];

/**
 * Takes Node's own modules with require(), and of those only what is used: an import statement evaluates every
 * export for its namespace object, and so loads streams with node:fs and workers with node:util.
 */
const builtins = {
  name: 'builtins',
  setup(builder) {
    builder.onResolve({ filter: /^node:/ }, ({ path, kind }) => {
      if (path === 'node:module') return { path, external: true };
      return { path, namespace: kind === 'require-call' ? 'required' : 'imported', sideEffects: false };
    });
    builder.onLoad({ filter: /.*/, namespace: 'required' }, async ({ path }) => {
      if (!lazy.includes(path)) return { contents: `module.exports = requireBuiltin('${path}');` };
      const getters = (await namesOf(path)).map(
        (name) => `get ${name}() { return requireBuiltin('${path}').${name}; }`,
      );
      return { contents: `module.exports = { ${getters.join(', ')} };` };
    });
    builder.onLoad({ filter: /.*/, namespace: 'imported' }, async ({ path }) => {
      const module = `/* @__PURE__ */ requireBuiltin('${path}')`;
      const take = lazy.includes(path)
        ? (name) => `export const ${name} = (...args) => requireBuiltin('${path}').${name}(...args);`
        : (name) => `export const ${name} = /* @__PURE__ */ (() => module.${name})();`;
      return { contents: [`const module = ${module};`, ...(await namesOf(path)).map(take)].join('\n') };
    });
  },
};

/** The commands of most runs: they are loaded together, and the others together when one of them is wanted. */
const common = ['bt', 'dis', 'list', 'log', 'mod', 'p', 'ps', 'rd', 'set', 'struct', 'sym', 'sys', 'task'];

/**
 * Puts commands into two chunks. A chunk each, with what any of them share apart, would be more files than a start has
 * time for.
 */
const commandChunks = {
  name: 'commands',
  setup(builder) {
    const list = 'src/commands/command_files.ts';
    const files = [...readFileSync(list, 'utf8').matchAll(/import\('\.\/([^']+)'\)/g)].map(([, file]) => file);
    const chunkOf = (file) => (common.includes(basename(file, '.ts')) ? 'common' : 'further');
    builder.onResolve({ filter: /^\.\// }, ({ path, importer, kind }) =>
      kind === 'dynamic-import' && importer.endsWith(list)
        ? { path: chunkOf(path), namespace: 'commands', sideEffects: false }
        : null,
    );
    builder.onLoad({ filter: /.*/, namespace: 'commands' }, ({ path }) => ({
      contents: [...new Set(files.filter((file) => chunkOf(file) === path))]
        .map((file) => `export * from './src/commands/${file}';`)
        .join('\n'),
      resolveDir: process.cwd(),
    }));
  },
};

async function namesOf(module) {
  return Object.keys(await import(module)).filter((name) => /^\w+$/.test(name) && name !== 'default');
}

const out = process.argv[2] ?? 'dist';

rmSync(`${out}/chunks`, { recursive: true, force: true });
/** The program apart from the rest: what they share would be cut into more files. */
const programs = [
  { inquest: 'src/cli/main.ts' },
  {
    crash_worker: 'src/cli/crash_worker.ts',
    search_worker: 'src/dump/search_worker.ts',
    save_thread: 'src/cli/save_thread.ts',
    save_worker: 'src/save/save_worker.ts',
    index: 'src/index.ts',
  },
];

const options = {
  outdir: out,
  bundle: true,
  splitting: true, // what is imported with import() stays apart and is not loaded before it is used
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external,
  plugins: [builtins, commandChunks],
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module';\nconst requireBuiltin = requireFrom(import.meta.url);",
  },
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  // built by a Node that lacks what newer ones have (zstd): the code looks before it uses it
  logOverride: { 'import-is-undefined': 'silent' },
};
for (const entryPoints of programs) await build({ ...options, entryPoints });
chmodSync(`${out}/inquest.js`, 0o755);
mkdirSync(`${out}/licenses`, { recursive: true });
for (const name of bundled) copyFileSync(`node_modules/${name}/LICENSE`, `${out}/licenses/${name}.txt`);
