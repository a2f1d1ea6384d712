// The package as people get it: small, with nothing that is not for them, and a library that a strict TypeScript project
// can use.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'inquest-package-'));
const modules = join(folder, 'node_modules');
const examples = ['tour', 'blocked', 'by_hand', 'memory_users'];
let tarball = '';
let files: string[] = [];

describe('the package', () => {
  before(() => {
    const packed = spawnSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root, encoding: 'utf8' });
    assert.equal(packed.status, 0, packed.stderr);
    const name = /"filename": "([^"]+)"/.exec(packed.stdout)![1]!;
    tarball = join(folder, name);
    files = execFileSync('tar', ['tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
    mkdirSync(modules);
    execFileSync('tar', ['xzf', tarball, '-C', folder]);
    symlinkSync(join(folder, 'package'), join(modules, 'inquest'));
    // what npm would fetch
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object };
    for (const dependency of [...Object.keys(dependencies), '@types/node', 'undici-types']) {
      mkdirSync(dirname(join(modules, dependency)), { recursive: true });
      symlinkSync(join(root, 'node_modules', dependency), join(modules, dependency));
    }
    symlinkSync(modules, join(folder, 'package', 'node_modules'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const old = oldNode();
  test('runs on the oldest Node that it promises', { skip: old === null && 'no Node 20 or 21 is here' }, () => {
    const program = join(folder, 'package', 'dist', 'inquest.js');
    const sample = join(root, 'samples', 'vmcore');
    const saved = join(folder, 'saved');
    for (const args of [
      ['report', '--brief', sample],
      ['crash', '-s', sample, '-c', 'search -k 1234', '-c', 'bt', '-c', 'kmem -s'],
      ['save', '-f', '-d', '31', '--threads', '2', sample, saved],
      ['save', '-f', '--mini', sample, saved],
      ['info', saved],
    ]) {
      const { status, stderr } = spawnSync(old!, [program, ...args], { encoding: 'utf8' });
      assert.equal(status, 0, `${args.join(' ')}: ${stderr}`);
    }
  });

  test('is under 1 MiB, and has no sample', () => {
    assert.ok(statSync(tarball).size < 1 << 20, `${statSync(tarball).size} bytes`);
    assert.deepEqual(
      files.filter((file) => /vmcore$|^package\/(src|test|lab|samples)\//.test(file)),
      [],
    );
  });

  test('builds nothing where it is installed', () => {
    const { scripts } = JSON.parse(readFileSync(join(folder, 'package', 'package.json'), 'utf8')) as {
      scripts: object;
    };
    assert.deepEqual(
      Object.keys(scripts).filter((name) => /^(pre|post)?install$/.test(name)),
      [],
    );
  });

  test('has source maps that lead to the lines of the sources', () => {
    const code = "import('inquest').then(({ call }) => call({ kernel: {} }, null))";
    const run = spawnSync(process.execPath, ['--enable-source-maps', '-e', code], { cwd: folder, encoding: 'utf8' });
    assert.match(run.stderr, /src\/commands\/command\.ts:\d+/);
  });

  test('shows no more than a line of its code when an error of the library is not caught', () => {
    const code = `import('inquest').then(({ openDump }) => openDump('${join(root, 'samples', 'vmcore')}').at('nosuch'))`;
    const run = spawnSync(process.execPath, ['-e', code], { cwd: folder, encoding: 'utf8' });
    assert.match(run.stderr, /NotFoundError/);
    assert.ok(run.stderr.length < 1000, run.stderr);
  });

  test('tells its schemas', () => {
    const program = join(modules, 'inquest', 'dist', 'inquest.js');
    const run = spawnSync(process.execPath, [program, 'schema', 'ps'], { encoding: 'utf8' });
    assert.equal((JSON.parse(run.stdout) as { title: string }).title, 'ps');
  });

  test('runs the examples in a strict TypeScript project', () => {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const compilerOptions = {
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      module: 'nodenext',
      target: 'es2023',
      types: ['node'],
      outDir: 'out',
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    for (const name of examples) copyFileSync(join(root, 'docs', 'examples', `${name}.ts`), join(folder, `${name}.ts`));
    const compiled = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder], { encoding: 'utf8' });
    assert.equal(compiled.status, 0, compiled.stdout);
    for (const name of examples) {
      const file = join(folder, 'out', `${name}.js`);
      const run = spawnSync(process.execPath, [file, join(root, 'samples', 'vmcore')], { encoding: 'utf8' });
      assert.equal(run.status, 0, run.stderr);
      assert.notEqual(run.stdout, '');
    }
  });
});

/** A `node` of this machine that is older than the one that runs the tests, which brings what the oldest has not. */
function oldNode(): string | null {
  const folders = (process.env['PATH'] ?? '')
    .split(':')
    .filter((path) => path !== '' && !path.includes('node_modules'));
  return (
    folders
      .map((path) => join(path, 'node'))
      .find((node) => /^v2[01]\./.test(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout ?? '')) ?? null
  );
}
