// The package in a clean root of Debian, knowing nothing but the package: installed, used, removed; the .rpm by rpm in a root of
// its own; the arm64 package started under emulation.
import { copyFileSync, globSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Archive, unpack } from '../archive.ts';
import type { DebianSuite } from '../kernels.ts';
import { place, projectFolder } from '../place.ts';
import { needPrograms, programPath, runInRoot, runProgram } from '../programs.ts';
import { rootArchive } from './image.ts';

const most = { installed: 130e6, download: 40e6 } as const;

/** @returns what is wrong */
export function checkPackages(suite: DebianSuite): readonly string[] {
  const folder = join(place.host(suite), 'package');
  rmSync(folder, { recursive: true, force: true });
  const clean = join(folder, 'root');
  mkdirSync(clean, { recursive: true });
  runProgram('tar', ['-x', '-f', rootArchive(suite), '-C', clean, '--exclude=./dev/*', '--exclude=./boot/*']);
  const wrong: string[] = [];
  const deb = built('inquest_*_amd64.deb');
  const size = statSync(deb).size;
  if (size > most.download) wrong.push(`${basename(deb)} is ${size} bytes`);
  wrong.push(...installed(clean, deb, 'dpkg -i /package 2>&1', 'dpkg --purge inquest 2>&1'));
  wrong.push(...rpmIn(clean), ...arm64(suite, join(folder, 'arm64')));
  rmSync(folder, { recursive: true, force: true });
  return wrong;
}

function built(pattern: string): string {
  const [file] = globSync(pattern, { cwd: join(projectFolder, 'build') });
  if (file === undefined) throw new Error(`there is no build/${pattern}: npm run package`);
  return join(projectFolder, 'build', file);
}

/** All that is in a root, but what package managers write about packages and what runs leave. */
function contents(root: string): ReadonlySet<string> {
  const found = runProgram('find', [
    root,
    '-xdev',
    '-mindepth',
    '1',
    '-not',
    '-path',
    `${root}/var/lib/dpkg*`,
    '-not',
    '-path',
    `${root}/var/lib/rpm*`,
    '-not',
    '-path',
    `${root}/var/log*`,
    '-not',
    '-path',
    `${root}/proc*`,
    '-not',
    '-path',
    `${root}/dev*`,
    '-printf',
    '%P\n',
  ]);
  return new Set(
    found
      .toString()
      .split('\n')
      .filter((path) => path !== '' && path !== 'package'),
  );
}

/** What users do with a package that was just installed; each line must succeed. */
const uses = [
  'inquest --version',
  'inquest --help >/dev/null',
  'inquest kdump setup --help >/dev/null',
  // neither a kernel nor a crash is there: it says so, and does not fail otherwise
  'inquest kdump status >/tmp/status; [ $? = 3 -o $? = 4 ]',
  'inquest kdump setup --dry-run --target /var/crash | grep -q crashkernel=',
  "echo '[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000010' | inquest oops - | grep -q NULL",
  'test -s /usr/share/man/man1/inquest.1.gz && gzip -t /usr/share/man/man1/inquest.1.gz',
  'bash -n /usr/share/bash-completion/completions/inquest',
  'test -e /usr/lib/systemd/system/inquest-kdump.service',
  'grep -q licence /usr/share/doc/inquest/contents.json',
  'rm -f /tmp/status',
];

function installed(root: string, file: string, install: string, remove: string): readonly string[] {
  const wrong: string[] = [];
  const attempt = (command: string): void => {
    try {
      const output = runInRoot(root, command).toString();
      process.stdout.write(`  ${command}\n${output.replace(/^(?=.)/gm, '      ')}`);
    } catch (error) {
      wrong.push(`${basename(file)}: ${command}: ${error instanceof Error ? error.message : error}`);
    }
  };
  const before = contents(root);
  copyFileSync(file, join(root, 'package'));
  attempt(install);
  const added = [...contents(root)].filter((path) => !before.has(path));
  const bytes = added.reduce(
    (sum, path) => sum + (statSync(join(root, path), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
  process.stdout.write(`  ${added.length} files and folders, ${(bytes / 1e6).toFixed(1)} MB\n`);
  if (added.length < 50) wrong.push(`${basename(file)}: only ${added.length} files were installed`);
  if (bytes > most.installed) wrong.push(`${basename(file)}: ${bytes} bytes installed`);
  for (const use of uses) attempt(use);
  attempt(remove);
  const left = [...contents(root)].filter((path) => !before.has(path));
  if (left.length > 0) wrong.push(`${basename(file)}: left behind: ${left.slice(0, 10).join(' ')}`);
  return wrong;
}

/** By the rpm of this machine, whose database is then in that root. */
function rpmIn(root: string): readonly string[] {
  if (programPath('rpm') === undefined) {
    process.stdout.write('  no rpm here: the .rpm was not tried\n');
    return [];
  }
  const file = built('inquest-*.x86_64.rpm');
  const wrong: string[] = [];
  const before = contents(root);
  const rpm = (...args: string[]): string =>
    runProgram('rpm', ['--root', root, '--dbpath', '/var/lib/rpm', ...args]).toString();
  try {
    rpm('--initdb');
    // Debian's packages are unknown to rpm
    rpm('-i', '--nodeps', file);
    process.stdout.write(`  ${rpm('-q', 'inquest')}`);
    // its digests, against what is on the disk
    rpm('-V', '--nodeps', 'inquest');
    for (const use of uses) runInRoot(root, use);
    rpm('-e', 'inquest');
  } catch (error) {
    wrong.push(`${basename(file)}: ${error instanceof Error ? error.message : error}`);
  }
  const left = [...contents(root)].filter((path) => !before.has(path) && !path.startsWith('var/lib/rpm'));
  if (left.length > 0) wrong.push(`${basename(file)}: left behind: ${left.slice(0, 10).join(' ')}`);
  return wrong;
}

/** Started by QEMU's emulation of programs, with libraries of Debian's arm64. */
function arm64(suite: DebianSuite, root: string): readonly string[] {
  const emulator = ['qemu-aarch64-static', 'qemu-aarch64'].map(programPath).find((path) => path !== undefined);
  const [file] = globSync('inquest_*_arm64.deb', { cwd: join(projectFolder, 'build') });
  if (emulator === undefined || file === undefined) {
    process.stdout.write('  no qemu-aarch64 or no arm64 package here: it was not started\n');
    return [];
  }
  needPrograms('dpkg-deb');
  unpack(new Archive(suite).download(['libc6', 'libstdc++6', 'libgcc-s1'], 'aarch64'), root);
  runProgram('dpkg-deb', ['-x', join(projectFolder, 'build', file), root]);
  const said = runProgram(emulator, [
    ...['-L', root, join(root, 'usr/lib/inquest/bin/node'), join(root, 'usr/lib/inquest/dist/inquest.js'), '--version'],
  ]);
  process.stdout.write(`  arm64, emulated: inquest ${said.toString()}`);
  return /^\d+\.\d+/.test(said.toString()) ? [] : [`${file}: --version says ${said.toString()}`];
}
