// Brings a kernel: its packages, the compiler and tools of its suite, and from them what the guest boots:
//   release  recipe  image/  vmlinuz  *.ko  picture, lively, ...  capture.gz  initrd.gz
import { createHash } from 'node:crypto';
import { cpSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Archive, unpack } from './archive.ts';
import { packInitrds } from './initrd.ts';
import { guestSuite, type Kernel, type MachineKind, newestRelease } from './kernels.ts';
import { buildModules, buildPrograms } from './module_build.ts';
import { labFolder, place, say } from './place.ts';
import { OutOfReach } from './programs.ts';

/** What goes into the guest, and what builds the module. */
const tools = [
  'busybox-static',
  'kexec-tools',
  'makedumpfile',
  'bash',
  'coreutils',
  'perl-base',
  'util-linux',
  'libc-bin',
  'dash',
];
const builders = [
  'make',
  'gcc',
  'libc6-dev',
  'libc-bin',
  'bash',
  'dash',
  'coreutils',
  'perl-base',
  'sed',
  'grep',
  'mawk',
  'findutils',
  'diffutils',
];

/** What compiles for another kind of machine than the host's. */
const crossBuilders: Record<MachineKind, readonly string[]> = {
  x86_64: [],
  aarch64: ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross'],
};

/** A kernel that is ready to boot. */
export interface Fetched {
  readonly kernel: Kernel;
  readonly release: string;
  /** Paths. `vmlinux` is the debug kernel, if it was asked for. */
  readonly vmlinuz: string;
  readonly initrd: string;
  readonly vmlinux: string | undefined;
}

/**
 * Makes a kernel ready to boot. What is there already is not made again, unless the lab's own sources have changed.
 * @param options `debug`: also the debug kernel (for `check --peers`), some hundred megabytes; `again`: from the newest
 *   package, whatever is there
 * @throws OutOfReach when the archive or the package cannot be had here
 */
export function fetchKernel(kernel: Kernel, options: { debug?: boolean; again?: boolean } = {}): Fetched {
  const folder = place.kernel(kernel);
  const image = join(folder, 'image');
  const releaseFile = join(folder, 'release');
  const recipeFile = join(folder, 'recipe');
  const recipe = recipeOf();
  const ready = !options.again && existsSync(recipeFile) && readFileSync(recipeFile, 'utf8') === recipe;
  if (!ready || (options.debug && debugKernel(image) === undefined)) {
    const archive = new Archive(kernel.suite);
    const offered = archive.names('linux-image-');
    const had = existsSync(releaseFile) && !options.again ? readFileSync(releaseFile, 'utf8') : undefined;
    const release = offered.includes(`linux-image-${had}`) ? had : newestRelease(kernel, offered);
    if (release === undefined)
      throw new OutOfReach(`the archive of ${kernel.suite} has no kernel ${kernel.name} any more`);
    if (release !== had) rmSync(image, { recursive: true, force: true });
    // Linux 7 of Debian splits what was one package into linux-binary, linux-modules and linux-image; Ubuntu has its
    // modules in two others.
    const parts = ['linux-binary', 'linux-modules', 'linux-modules-extra']
      .map((part) => `${part}-${release}`)
      .filter((name) => archive.names(name).includes(name));
    const names = [`linux-image-${release}`, ...parts, ...(options.debug ? [`linux-image-${release}-dbg`] : [])];
    unpack(archive.download(names, kernel.machine), image);
    writeFileSync(releaseFile, release);
    if (!ready || release !== had) {
      const vmlinuz = kernelImage(image);
      cpSync(vmlinuz, join(folder, 'vmlinuz'));
      const root = place.root(kernel.suite);
      // The program pahole, which writes the module's BTF, was in the package dwarves before Debian 12.
      const pahole = archive.names('pahole').includes('pahole') ? 'pahole' : 'dwarves';
      // The headers ask for a compiler of the kernel's own machine; only what they need of the kernel is taken, and
      // the programs in it are the host's.
      const headers = `linux-headers-${release}`;
      const host = kernel.headers
        ? archive.dependencies(headers).filter((name) => /^linux-(\S+-)?(headers|kbuild)-/.test(name))
        : [];
      unpack(archive.downloadWithDependencies([...builders, ...crossBuilders[kernel.machine], pahole, ...host]), root);
      if (kernel.headers) unpack(archive.download([headers], kernel.machine), root);
      const guest = place.root(guestSuite, kernel.machine);
      unpack(new Archive(guestSuite).downloadWithDependencies(tools, kernel.machine), guest);
      say(`building the ${kernel.headers ? 'modules' : 'programs'} for ${release}`);
      buildPrograms(root, kernel.machine, folder);
      if (kernel.headers) buildModules(root, kernel.machine, release, readFileSync(vmlinuz), folder);
      packInitrds(folder, guest);
      writeFileSync(recipeFile, recipe);
    }
  }
  return {
    kernel,
    release: readFileSync(releaseFile, 'utf8'),
    vmlinuz: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd.gz'),
    vmlinux: debugKernel(image),
  };
}

/** Stands for all that the lab puts into a guest: another one, and the guest must be packed again. */
function recipeOf(): string {
  const hash = createHash('sha256').update([...tools, ...builders, ...crossBuilders.aarch64].join());
  for (const file of globSync(['guest/*', 'module/*'], { cwd: labFolder }).sort()) {
    hash.update(`${file}\0`).update(readFileSync(join(labFolder, file)));
  }
  return hash.digest('hex');
}

function kernelImage(image: string): string {
  const found = globSync(['boot/vmlinuz-*', 'usr/lib/modules/*/vmlinuz'], { cwd: image })[0];
  if (found === undefined) throw new Error(`${image}: no vmlinuz in the kernel's packages`);
  return join(image, found);
}

function debugKernel(image: string): string | undefined {
  const found = globSync('usr/lib/debug/boot/vmlinux-*', { cwd: image })[0];
  return found === undefined ? undefined : join(image, found);
}
