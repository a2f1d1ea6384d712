// Writes RPM packages, version 4 (rpm's docs/manual/format_v4.md, format_header.md, tags.md):
//
//   lead | header of signatures, to a multiple of 8 | header | cpio archive, compressed by zstd
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import { packed } from './deb.ts';
import type { PackageNode, PackageTree } from './tar.ts';

export interface RpmFacts {
  readonly name: string;
  readonly version: string;
  /** `x86_64`, `aarch64`. */
  readonly architecture: string;
  readonly licence: string;
  readonly summary: string;
  readonly description: string;
  /** What it needs: names of libraries and packages. */
  readonly requires: readonly string[];
  /** Shell, run before the files go; its first argument is 0 where the package goes, 1 where it is replaced. */
  readonly beforeRemoval: string;
}

type Value =
  | { readonly type: 3; readonly numbers: readonly number[] }
  | { readonly type: 4; readonly numbers: readonly number[] }
  | { readonly type: 6 | 8 | 9; readonly texts: readonly string[] }
  | { readonly type: 7; readonly bytes: Buffer };

const int16 = (...numbers: number[]): Value => ({ type: 3, numbers });
const int32 = (...numbers: number[]): Value => ({ type: 4, numbers });
const text = (value: string): Value => ({ type: 6, texts: [value] });
const binary = (bytes: Buffer): Value => ({ type: 7, bytes });
const texts = (values: readonly string[]): Value => ({ type: 8, texts: values });
const translated = (value: string): Value => ({ type: 9, texts: [value] });

/** The tags of what headers begin with: the bytes that a signature is of. */
const region = { signatures: 62, immutable: 63 } as const;
/** Flags of what is required. */
const requireFlags = { lessOrEqual: 0x0a, equal: 0x08, rpmlib: 0x0100_0000 } as const;

/** @param time seconds since 1970 */
export function writeRpm(tree: PackageTree, facts: RpmFacts, time: number): Buffer {
  const files = filesOf(tree);
  const archive = cpioOf(files, time);
  const payload = packed(archive);
  const header = headerOf(files, facts, time, payload);
  const signatures = headerBytes(
    region.signatures,
    new Map([
      [269, text(sum('sha1', header))],
      [273, text(sum('sha256', header))],
      [1000, int32(header.length + payload.length)],
      [1004, binary(createHash('md5').update(header).update(payload).digest())],
      [1007, int32(archive.length)],
    ]),
  );
  const lead = Buffer.alloc(96);
  lead.writeUInt32BE(0xedabeedb, 0);
  lead.writeUInt8(3, 4);
  lead.writeUInt16BE(1, 8);
  lead.write(`${facts.name}-${facts.version}-1`.slice(0, 65), 10);
  lead.writeUInt16BE(1, 76);
  lead.writeUInt16BE(5, 78);
  return Buffer.concat([lead, signatures, Buffer.alloc(-signatures.length & 7), header, payload]);
}

interface RpmFile {
  readonly path: string;
  readonly node: PackageNode | { readonly kind: 'folder' };
}

/** Folders that every system has, whoever packed them: of others a package removes what it does not own. */
const common =
  /^\/(etc|usr|usr\/(bin|lib|sbin|share)|usr\/lib\/(systemd|systemd\/system)|usr\/share\/(bash-completion|bash-completion\/completions|doc|man|man\/man\d|zsh|zsh\/\S*))$/;

/** The files, and before them the folders that are not everybody's. */
function filesOf(tree: PackageTree): readonly RpmFile[] {
  const folders = new Set<string>();
  for (const path of tree.keys())
    for (let folder = dirname(`/${path}`); folder !== '/'; folder = dirname(folder))
      if (!common.test(folder)) folders.add(folder);
  const files: readonly RpmFile[] = [
    ...[...folders].map((path) => ({ path, node: { kind: 'folder' } as const })),
    ...[...tree].map(([path, node]) => ({ path: `/${path}`, node })),
  ];
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function contentOf(node: RpmFile['node']): Uint8Array {
  switch (node.kind) {
    case 'file':
      return node.bytes;
    case 'link':
      return Buffer.from(node.target);
    case 'folder':
      return Buffer.alloc(0);
  }
}

function modeOf(node: RpmFile['node']): number {
  switch (node.kind) {
    case 'file':
      return 0o100000 | node.mode;
    case 'link':
      return 0o120777;
    case 'folder':
      return 0o040755;
  }
}

function headerOf(files: readonly RpmFile[], facts: RpmFacts, time: number, payload: Buffer): Buffer {
  const each = <T>(value: (file: RpmFile, index: number) => T): T[] => files.map(value);
  const folders = [...new Set(each(({ path }) => `${dirname(path)}/`))].sort();
  const requires: readonly (readonly [string, number, string])[] = [
    ...facts.requires.map((name) => [name, 0, ''] as const),
    ...[
      ['CompressedFileNames', '3.0.4-1'],
      ['FileDigests', '4.6.0-1'],
      ['PayloadFilesHavePrefix', '4.0-1'],
      ['PayloadIsZstd', '5.4.18-1'],
    ].map(([name, version]) => [`rpmlib(${name!})`, requireFlags.rpmlib | requireFlags.lessOrEqual, version!] as const),
  ];
  return headerBytes(
    region.immutable,
    new Map<number, Value>([
      [100, texts(['C'])],
      [1000, text(facts.name)],
      [1001, text(facts.version)],
      [1002, text('1')],
      [1004, translated(facts.summary)],
      [1005, translated(facts.description)],
      [1006, int32(time)],
      [1007, text('localhost')],
      [1009, int32(files.reduce((total, { node }) => total + contentOf(node).length, 0))],
      [1014, text(facts.licence)],
      [1016, translated('Unspecified')],
      [1021, text('linux')],
      [1022, text(facts.architecture)],
      [1025, text(facts.beforeRemoval)],
      [1028, int32(...each(({ node }) => contentOf(node).length))],
      [1030, int16(...each(({ node }) => modeOf(node)))],
      [1033, int16(...each(() => 0))],
      [1034, int32(...each(() => time))],
      [1035, texts(each(({ node }) => (node.kind === 'file' ? sum('sha256', node.bytes) : '')))],
      [1036, texts(each(({ node }) => (node.kind === 'link' ? node.target : '')))],
      // documentation
      [1037, int32(...each(({ path }) => (/^\/usr\/share\/(doc|man)\//.test(path) ? 2 : 0)))],
      [1039, texts(each(() => 'root'))],
      [1040, texts(each(() => 'root'))],
      [1044, text(`${facts.name}-${facts.version}-1.src.rpm`)],
      [1045, int32(...each(() => -1))],
      [1047, texts([facts.name])],
      [1048, int32(...requires.map(([, flags]) => flags))],
      [1049, texts(requires.map(([name]) => name))],
      [1050, texts(requires.map(([, , version]) => version))],
      [1064, text('4.18.0')],
      [1087, text('/bin/sh')],
      [1095, int32(...each(() => 1))],
      [1096, int32(...each((_, index) => index + 1))],
      [1097, texts(each(() => ''))],
      [1112, int32(requireFlags.equal)],
      [1113, texts([`${facts.version}-1`])],
      [1116, int32(...each(({ path }) => folders.indexOf(`${dirname(path)}/`)))],
      [1117, texts(each(({ path }) => path.slice(path.lastIndexOf('/') + 1)))],
      [1118, texts(folders)],
      [1124, text('cpio')],
      [1125, text('zstd')],
      [1126, text('12')],
      [5011, int32(8)],
      [5062, text('utf-8')],
      [5092, texts([sum('sha256', payload)])],
      [5093, int32(8)],
    ]),
  );
}

/** A header: an index of tags, and the store that it points into; both begin with the region. */
function headerBytes(regionTag: number, values: ReadonlyMap<number, Value>): Buffer {
  const entries: { readonly tag: number; readonly type: number; readonly offset: number; readonly count: number }[] =
    [];
  const store: Buffer[] = [];
  let length = 0;
  const put = (bytes: Buffer, align: number): number => {
    const gap = -length & (align - 1);
    store.push(Buffer.alloc(gap), bytes);
    const at = length + gap;
    length = at + bytes.length;
    return at;
  };
  for (const [tag, value] of [...values].sort(([a], [b]) => a - b)) {
    switch (value.type) {
      case 3:
        entries.push({
          tag,
          type: 3,
          offset: put(Buffer.concat(value.numbers.map((n) => big(n, 2))), 2),
          count: value.numbers.length,
        });
        break;
      case 4:
        entries.push({
          tag,
          type: 4,
          offset: put(Buffer.concat(value.numbers.map((n) => big(n, 4))), 4),
          count: value.numbers.length,
        });
        break;
      case 7:
        entries.push({ tag, type: 7, offset: put(value.bytes, 1), count: value.bytes.length });
        break;
      default:
        entries.push({
          tag,
          type: value.type,
          offset: put(Buffer.from(value.texts.map((one) => `${one}\0`).join('')), 1),
          count: value.texts.length,
        });
    }
  }
  // the region's own entry stands last in the store, and counts back over the index
  const entry = (tag: number, type: number, offset: number, count: number): Buffer =>
    Buffer.concat([big(tag, 4), big(type, 4), big(offset, 4), big(count, 4)]);
  const total = entries.length + 1;
  const trailer = put(entry(regionTag, 7, -total * 16, 16), 1);
  const index = [
    entry(regionTag, 7, trailer, 16),
    ...entries.map(({ tag, type, offset, count }) => entry(tag, type, offset, count)),
  ];
  return Buffer.concat([Buffer.from('8eade80100000000', 'hex'), big(total, 4), big(length, 4), ...index, ...store]);
}

function big(value: number, size: 2 | 4): Buffer {
  const bytes = Buffer.alloc(size);
  if (size === 2) bytes.writeUInt16BE(value & 0xffff);
  else bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function sum(kind: 'sha1' | 'sha256', bytes: Uint8Array): string {
  return createHash(kind).update(bytes).digest('hex');
}

/** The files as a cpio archive ("newc"), with the inode numbers of the header. */
function cpioOf(files: readonly RpmFile[], time: number): Buffer {
  const parts = files.map(({ path, node }, index) =>
    member(`.${path}`, index + 1, modeOf(node), time, contentOf(node)),
  );
  return Buffer.concat([...parts, member('TRAILER!!!', 0, 0, 0, Buffer.alloc(0))]);
}

function member(path: string, inode: number, mode: number, time: number, bytes: Uint8Array): Buffer {
  const name = Buffer.from(`${path}\0`);
  const fields = [inode, mode, 0, 0, 1, time, bytes.length, 0, 0, 0, 0, name.length, 0];
  const head = Buffer.from(`070701${fields.map((n) => n.toString(16).padStart(8, '0')).join('')}`);
  const gap = (size: number): Buffer => Buffer.alloc(-size & 3);
  return Buffer.concat([head, name, gap(head.length + name.length), bytes, gap(bytes.length)]);
}
