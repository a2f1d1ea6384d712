// `npm run package`: packages for servers, which have no Node and no npm: a .deb, an .rpm and a plain archive, in build/.
// The same sources give the same bytes: no time, no order of files, no name of this machine goes in.
//
//   node scripts/package.ts [x64 | arm64]
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageContents, stripProgram } from './package/contents.ts';
import { packed, writeDeb } from './package/deb.ts';
import { writeRpm } from './package/rpm.ts';
import { type PackageTree, writeTar } from './package/tar.ts';

const project = fileURLToPath(new URL('..', import.meta.url));
const machine = process.argv[2] ?? process.arch;
const names: Readonly<Record<string, { readonly deb: string; readonly plain: string }>> = {
  x64: { deb: 'amd64', plain: 'x86_64' },
  arm64: { deb: 'arm64', plain: 'aarch64' },
};
const name = names[machine];
if (name === undefined) throw new Error(`${machine}: packages are made for ${Object.keys(names).join(' and ')}`);
const node = join(project, 'node_modules', `node-linux-${machine}`);
if (!existsSync(node)) throw new Error(`${node} is not there: npm install --cpu=${machine} brings it`);
if (!existsSync(join(project, 'dist', 'inquest.js'))) throw new Error('dist is not there: npm run build');
const strip = stripProgram(machine);
if (strip === null) console.error('no strip for this architecture: Node keeps its symbols');

/** Of everything in the packages: SOURCE_DATE_EPOCH, else one that stands for none. */
const time = Number(process.env['SOURCE_DATE_EPOCH'] ?? 1_600_000_000);
const { tree, manifest } = packageContents(project, node, strip);
const out = join(project, 'build');
mkdirSync(out, { recursive: true });

const deb = writeDeb(
  tree,
  {
    name: 'inquest',
    version: manifest.version,
    architecture: name.deb,
    depends: 'libc6 (>= 2.28), libstdc++6 (>= 8), libgcc-s1 | libgcc1',
    recommends: 'kexec-tools, busybox | busybox-static',
    summary: 'finds out why a Linux kernel died',
    description: [
      'Opens crash dumps and logs of Linux kernels and says what killed them, with the',
      'evidence; has a shell like crash(8); checks and sets up kdump, and has the',
      'verdict before the machine reboots. Needs no debug information.',
    ],
    beforeRemoval:
      '#!/bin/sh\nset -e\n[ "$1" != remove ] || [ ! -e /var/lib/inquest/kdump/setup.json ] || /usr/bin/inquest kdump remove || true\n',
  },
  time,
);
const rpm = writeRpm(
  tree,
  {
    name: 'inquest',
    version: manifest.version,
    architecture: name.plain,
    licence: 'Apache-2.0',
    summary: 'Finds out why a Linux kernel died',
    description:
      'Opens crash dumps and logs of Linux kernels and says what killed them, with the evidence; has a shell like crash(8); checks and sets up kdump, and has the verdict before the machine reboots. Needs no debug information.',
    requires: ['/bin/sh', 'libc.so.6()(64bit)', 'libstdc++.so.6()(64bit)', 'libgcc_s.so.1()(64bit)'],
    beforeRemoval:
      '[ "$1" != 0 ] || [ ! -e /var/lib/inquest/kdump/setup.json ] || /usr/bin/inquest kdump remove || :\n',
  },
  time,
);
const base = `inquest-${manifest.version}-linux-${name.plain}`;
const plain: PackageTree = new Map([...tree].map(([path, content]) => [`${base}/${path}`, content]));
for (const [file, bytes] of [
  [`inquest_${manifest.version}_${name.deb}.deb`, deb],
  [`inquest-${manifest.version}-1.${name.plain}.rpm`, rpm],
  [`${base}.tar.zst`, packed(writeTar(plain, '', time))],
] as const) {
  writeFileSync(join(out, file), bytes);
  console.log(`${join('build', file)}  ${(bytes.length / 1e6).toFixed(1)} MB`);
}
const installed = [...tree.values()].reduce(
  (sum, content) => sum + (content.kind === 'file' ? content.bytes.length : 0),
  0,
);
console.log(`installed: ${(installed / 1e6).toFixed(1)} MB in ${tree.size} files`);
