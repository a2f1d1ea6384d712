// Bundles src/ into dist/: the `inquest` program, its threads, and the library. Plain JavaScript, so that it runs as it
// is (`npm ci` calls it). Another folder may be named, for tests.
//
// Most runs of the program take a tenth of a second or two, so what is loaded at the start counts
// (docs/performance.md): few files, in them what most runs need; what few runs need is loaded when it is wanted, by
// import(), or by require() where the code cannot wait. Small packages that every run needs are bundled, and Node's
// modules are taken one function at a time.
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { foldLines } from './fold_lines.mjs';

/** Packages that become part of the bundle; their licences go beside it. */
const bundled = ['commander', 'hysnappy'];
/** Packages that few runs need, which load them then. */
const external = ['iced-x86', '@alexaltea/capstone-js', 'zstddec', 'xz-decompress', 'smol-toml'];
/** Node's modules that few runs need, and that take others with them. */
const lazy = ['node:child_process', 'node:readline', 'node:crypto', 'node:tty', 'node:v8'];

/** What is started by itself. */
const programs = {
  inquest: 'src/cli/main.ts',
  crash_worker: 'src/cli/crash_worker.ts',
  search_worker: 'src/dump/search_worker.ts',
  listen_worker: 'src/collect/netconsole/listen_worker.ts',
  save_worker: 'src/save/save_worker.ts',
  index: 'src/index.ts',
};

/**
 * The commands of most runs: a file each, which has what it needs and those before it have not. The others are in a
 * file together.
 */
const common = [
  'log',
  'task',
  'sys',
  'mod',
  'set',
  'sym',
  'bt',
  'ps',
  'rd',
  'struct',
  'list',
  'p',
  'dis',
  'files',
  'kmem',
];

const commandList = 'src/commands/command_files.ts';
const commandFiles = [
  ...new Set([...readFileSync(commandList, 'utf8').matchAll(/import\('\.\/([^']+)'\)/g)].map(([, file]) => file)),
].map((file) => `${dirname(commandList)}/${file}`);

/**
 * Takes Node's own modules one function at a time: an import statement evaluates every export for its namespace
 * object, and so loads streams with node:fs and workers with node:util.
 */
const builtins = {
  name: 'builtins',
  resolveId: {
    order: 'pre',
    handler(id, _importer, { kind }) {
      if (!id.startsWith('node:')) return null;
      if (id === 'node:module') return { id, external: true };
      return { id: `\0${kind === 'require-call' ? 'required' : 'imported'}:${id}`, moduleSideEffects: false };
    },
  },
  async load(id) {
    const [, how, path] = /^\0(required|imported):(node:.*)$/.exec(id) ?? [];
    if (path === undefined) return null;
    const names = Object.keys(await import(path)).filter((name) => /^\w+$/.test(name) && name !== 'default');
    const module = `process.getBuiltinModule('${path}')`;
    if (how === 'required') {
      if (!lazy.includes(path)) return `module.exports = ${module};`;
      return `module.exports = { ${names.map((name) => `get ${name}() { return ${module}.${name}; }`).join(', ')} };`;
    }
    const take = lazy.includes(path)
      ? (name) => `export const ${name} = (...args) => ${module}.${name}(...args);`
      : (name) => `export const ${name} = /* @__PURE__ */ (() => module.${name})();`;
    return [`const module = /* @__PURE__ */ ${module};`, ...names.map(take)].join('\n');
  },
};

/** Makes files of what sources load by require('./FILE.ts') when they want it. */
const required = {
  name: 'required',
  transform: {
    filter: { id: /\/src\/.*\.ts$/, code: /createRequire/ },
    handler(code, id) {
      return code.replace(/(\brequire|createRequire\(import\.meta\.url\))\('(\.[^']+\.ts)'\)/g, (_, load, path) => {
        const file = resolve(dirname(id), path);
        onDemand.add(file);
        const reference = this.emitFile({ type: 'chunk', id: file, name: basename(path, '.ts') });
        return `${load}(process.getBuiltinModule('node:url').fileURLToPath(import.meta.ROLLUP_FILE_URL_${reference}))`;
      });
    },
  },
};
const onDemand = new Set();

/** Files of src/ by the chunk that they go to: the first group that has a file takes it. */
function chunkNames() {
  let groups = null;
  const reach = (context, roots) => {
    const seen = new Set();
    const todo = roots.map((root) => resolve(root));
    for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
      const info = seen.has(id) ? null : context.getModuleInfo(id);
      if (info === null) continue;
      seen.add(id);
      todo.push(...info.importedIds);
    }
    return seen;
  };
  const makeGroups = (context) => {
    const commandFile = (name) => commandFiles.find((file) => basename(file, '.ts') === name);
    const report = reach(context, ['src/cli/report.ts']);
    const others = reach(context, commandFiles);
    return [
      ['main', reach(context, [programs.inquest])],
      ['dump', reach(context, ['src/dump/open.ts'])],
      // what the threads of a save run: each loads its own copy
      ['pack', reach(context, ['src/save/save_worker.ts'])],
      // what most commands want, and a save, which wants no command
      ['kernel', reach(context, ['src/cli/open.ts', 'src/cli/is_terminal.ts', 'src/kernel/utsname.ts'])],
      ['saving', reach(context, ['src/cli/save.ts', 'src/cli/perform_save.ts'])],
      ['shell', reach(context, ['src/cli/crash.ts'])],
      ...common.map((name) => [name, reach(context, [commandFile(name)])]),
      ...[...onDemand]
        .sort()
        .map((file) => [`${basename(dirname(file))}_${basename(file, '.ts')}`, reach(context, [file])]),
      // what the report has in common with the other commands, which do not load it
      ['walkers', new Set([...report].filter((id) => others.has(id)))],
      ['report', report],
      ['further', others],
    ];
  };
  return (id, context) => {
    // a program waits for itself to end: what it loads meanwhile must not wait for its file
    if (Object.values(programs).some((file) => resolve(file) === id)) return null;
    // where Node's module is loaded on the first call, the functions that do so cost nothing
    if (id.startsWith('\0imported:') && lazy.includes(id.slice('\0imported:'.length))) return 'main';
    groups ??= makeGroups(context);
    return groups.find(([, ids]) => ids.has(id))?.[0] ?? null;
  };
}

const out = process.argv[2] ?? 'dist';
rmSync(`${out}/chunks`, { recursive: true, force: true });
const bundle = await rolldown({
  input: programs,
  external,
  platform: 'node',
  plugins: [builtins, required],
  transform: { target: 'node20' },
  treeshake: { moduleSideEffects: false },
  preserveEntrySignatures: 'allow-extension',
  // built by a Node that lacks what newer ones have (zstd): the code looks before it uses it
  // `required` changes paths within lines: maps that tell lines stay right
  checks: { importIsUndefined: false, sourcemapBroken: false },
});
await bundle.write({
  dir: out,
  format: 'esm',
  entryFileNames: ({ facadeModuleId }) =>
    Object.values(programs).some((file) => resolve(file) === facadeModuleId) ? '[name].js' : 'chunks/[name].js',
  chunkFileNames: 'chunks/[name].js',
  sourcemap: true,
  sourcemapExcludeSources: true,
  minify: { compress: true, mangle: { keepNames: true }, codegen: { removeWhitespace: true } },
  codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: chunkNames(), debugName: 'chunks' }] },
});
await bundle.close();
foldLines(out);

chmodSync(`${out}/inquest.js`, 0o755);
mkdirSync(`${out}/licenses`, { recursive: true });
for (const name of bundled) copyFileSync(`node_modules/${name}/LICENSE`, `${out}/licenses/${name}.txt`);
