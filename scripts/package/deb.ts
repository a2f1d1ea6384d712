// Writes Debian packages (deb(5)): an ar archive of `debian-binary`, `control.tar.gz` and `data.tar.zst`.
import { createHash } from 'node:crypto';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { type PackageTree, writeTar } from './tar.ts';

export interface DebFacts {
  readonly name: string;
  readonly version: string;
  /** `amd64`, `arm64`. */
  readonly architecture: string;
  readonly depends: string;
  readonly recommends: string;
  readonly summary: string;
  /** Lines. */
  readonly description: readonly string[];
  /** Shell, run before the files go. */
  readonly beforeRemoval: string;
}

/** @param time seconds since 1970 */
export function writeDeb(tree: PackageTree, facts: DebFacts, time: number): Buffer {
  const sums: string[] = [];
  let size = 0;
  for (const [path, node] of [...tree].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (node.kind !== 'file') continue;
    sums.push(`${createHash('md5').update(node.bytes).digest('hex')}  ${path}\n`);
    size += node.bytes.length;
  }
  const control = [
    `Package: ${facts.name}`,
    `Version: ${facts.version}`,
    `Architecture: ${facts.architecture}`,
    'Maintainer: inquest developers <inquest@localhost>',
    `Installed-Size: ${Math.ceil(size / 1024)}`,
    `Depends: ${facts.depends}`,
    `Recommends: ${facts.recommends}`,
    'Section: admin',
    'Priority: optional',
    `Description: ${facts.summary}`,
    ...facts.description.map((line) => ` ${line === '' ? '.' : line}`),
    '',
  ].join('\n');
  const text = (content: string, mode: number) => ({ kind: 'file', bytes: Buffer.from(content), mode }) as const;
  const controlTree: PackageTree = new Map([
    ['control', text(control, 0o644)],
    ['md5sums', text(sums.join(''), 0o644)],
    ['prerm', text(facts.beforeRemoval, 0o755)],
  ]);
  return ar(
    [
      ['debian-binary', Buffer.from('2.0\n')],
      ['control.tar.gz', gzipSync(writeTar(controlTree, './', time), { level: 9 })],
      ['data.tar.zst', packed(writeTar(tree, './', time))],
    ],
    time,
  );
}

/** zstd where a higher level gains next to nothing on machine code, which is most of it. */
export function packed(bytes: Buffer): Buffer {
  return zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: 12, [constants.ZSTD_c_checksumFlag]: 1 },
    pledgedSrcSize: bytes.length,
  });
}

function ar(members: readonly (readonly [string, Buffer])[], time: number): Buffer {
  const parts: Buffer[] = [Buffer.from('!<arch>\n')];
  for (const [name, bytes] of members) {
    const fields = [
      name.padEnd(16),
      String(time).padEnd(12),
      '0'.padEnd(6),
      '0'.padEnd(6),
      '100644'.padEnd(8),
      String(bytes.length).padEnd(10),
      '`\n',
    ];
    parts.push(Buffer.from(fields.join('')), bytes, Buffer.alloc(bytes.length & 1, '\n'));
  }
  return Buffer.concat(parts);
}
