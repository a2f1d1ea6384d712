// Packs what the guest boots from: one initrd for the capture kernel, one for the kernel that dies, which
// carries the first (and the kernel) for kexec.
//
//   initrd.gz    init, busybox, distribution's programs, the lab's own, modules of both
//     boot/vmlinuz, boot/capture -> capture.gz    init, busybox, makedumpfile, modules
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync, zstdDecompressSync } from 'node:zlib';
import { cpio, type Node } from './cpio.ts';
import { librariesOf, realInside } from './libraries.ts';
import { modules, programs } from './module_build.ts';
import { labFolder } from './place.ts';
import { runProgram } from './programs.ts';

/** Modules that both kernels load (qemu_fw_cfg tells QEMU where VMCOREINFO is, for the dumps that QEMU writes), and those that only lie ready for a scenario. Their dependencies come along. */
const loaded = [
  'virtio_pci',
  'virtio_mmio',
  'virtio_blk',
  'virtio_net',
  'crc32c_generic',
  'crc32c-intel',
  'ext4',
  'qemu_fw_cfg',
];
const ready = [
  ...['lzo-rle', 'zram', 'dm-crypt', 'wireguard', 'tls'],
  // nothing in the guest loads what these ask for
  ...['aes_generic', 'ecb', 'xts', 'ctr', 'ghash-generic', 'gcm', 'crypto_null', 'seqiv'],
];

const distribution = ['bash', 'sleep', 'tail', 'cat', 'perl', 'unshare', 'setsid', 'mkswap', 'swapon', 'fsfreeze'];

/** Writes capture.gz and initrd.gz into a kernel's folder, from its image, its module, and the programs in `root`. */
export function packInitrds(folder: string, root: string): void {
  const small = new Map<string, Node>();
  addFile(small, 'init', join(labFolder, 'guest/init.sh'), true);
  addFile(small, 'bin/busybox', programIn(root, 'busybox') ?? missing('busybox'), true);
  small.set('bin/sh', { kind: 'link', target: 'busybox' });
  small.set('etc/passwd', { kind: 'file', bytes: Buffer.from('root:x:0:0:root:/root:/bin/sh\n') });
  addModules(small, join(folder, 'image'));
  const large = new Map(small);
  addPrograms(small, root, ['makedumpfile']);
  const capture = gzipSync(cpio(small), { level: 1 });
  writeFileSync(join(folder, 'capture.gz'), capture);

  addPrograms(large, root, ['kexec', ...distribution]);
  for (const name of ['userland.sh', 'picture.sh']) addFile(large, name, join(labFolder, 'guest', name));
  for (const name of programs)
    if (existsSync(join(folder, name))) addFile(large, `usr/local/bin/${name}`, join(folder, name), true);
  for (const name of modules)
    if (existsSync(join(folder, `${name}.ko`))) addFile(large, `lib/modules/${name}.ko`, join(folder, `${name}.ko`));
  addFile(large, 'boot/vmlinuz', join(folder, 'vmlinuz'));
  large.set('boot/capture', { kind: 'file', bytes: capture });
  writeFileSync(join(folder, 'initrd.gz'), gzipSync(cpio(large), { level: 1 }));
}

function missing(name: string): never {
  throw new Error(`no ${name} in the packages that were unpacked`);
}

function addFile(nodes: Map<string, Node>, path: string, from: string, executable = false): void {
  nodes.set(path, { kind: 'file', bytes: readFileSync(from), executable });
}

function programIn(root: string, name: string): string | undefined {
  return ['usr/bin', 'usr/sbin'].map((folder) => join(root, folder, name)).find((path) => existsSync(path));
}

/** Programs of an unpacked Debian root with the libraries they need; those that are not in it are left out. */
function addPrograms(nodes: Map<string, Node>, root: string, names: readonly string[]): void {
  const paths = names.map((name) => programIn(root, name)).filter((path) => path !== undefined);
  const inside = paths.map((path) => path.slice(root.length));
  for (const path of inside) addFile(nodes, path.slice(1), realInside(root, path), true);
  for (const [library, file] of librariesOf(root, inside)) addFile(nodes, library.slice(1), file, true);
}

/** Kernel modules, and the orders in which to insert them, each after what it needs: boot.order, and NAME.order of those that lie ready. */
function addModules(nodes: Map<string, Node>, image: string, laid: readonly string[] = ready): void {
  const files = new Map(
    globSync(['lib/modules/**/*.ko*', 'usr/lib/modules/**/*.ko*'], { cwd: image }).map((path) => [
      moduleName(path),
      join(image, path),
    ]),
  );
  const write = (list: string, names: readonly string[], before: readonly string[]) => {
    const order = [...before];
    for (const name of names) addModule(nodes, files, moduleName(name), order);
    const lines = order.slice(before.length).map((name) => `${name}\n`);
    nodes.set(`lib/modules/${list}.order`, { kind: 'file', bytes: Buffer.from(lines.join('')) });
    return order;
  };
  const boot = write('boot', loaded, []);
  for (const name of laid) write(moduleName(name), [name], boot);
}

/** What is laid over an initrd: modules that it does not have, with their orders, and files of its own. */
export function packOverlay(folder: string, names: readonly string[], files: Readonly<Record<string, string>>): Buffer {
  const nodes = new Map<string, Node>();
  addModules(nodes, join(folder, 'image'), names);
  for (const [path, text] of Object.entries(files))
    nodes.set(path, { kind: 'file', bytes: Buffer.from(text), executable: true });
  return gzipSync(cpio(nodes), { level: 1 });
}

function addModule(nodes: Map<string, Node>, files: ReadonlyMap<string, string>, name: string, order: string[]): void {
  const file = files.get(name);
  if (file === undefined || order.includes(name)) return; // built in, or loaded already
  const bytes = moduleBytes(file);
  nodes.set(`lib/modules/${name}.ko`, { kind: 'file', bytes });
  for (const needed of dependencies(bytes)) addModule(nodes, files, moduleName(needed), order);
  order.push(name);
}

function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_');
}

/** What the module's .modinfo section says it depends on. */
export function dependencies(module: Buffer): string[] {
  const start = module.indexOf('depends=', 0, 'latin1');
  if (start < 0) return [];
  return module
    .toString('latin1', start + 8, module.indexOf(0, start))
    .split(',')
    .filter(Boolean);
}

function moduleBytes(file: string): Buffer {
  const bytes = readFileSync(file);
  if (file.endsWith('.xz')) return runProgram('xz', ['--decompress', '--stdout'], { input: bytes });
  return file.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes;
}
