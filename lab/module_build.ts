// Compiles the lab's kernel module and its guest programs, with the compiler of the kernel's own suite.
import { chmodSync, cpSync, existsSync, globSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { btfBearer } from './kernel_image.ts';
import type { MachineKind } from './kernels.ts';
import { labFolder } from './place.ts';
import { runInRoot } from './programs.ts';

/** The lab's kernel modules. */
export const modules = ['perish', 'wreck', 'gone', 'initfault', 'stray', 'worn', 'ruin'] as const;

/** The guest's own programs. */
export const programs = ['picture', 'lively', 'swarm', 'bpfcrash', 'glutton', 'secrets'] as const;

/** What the names of a machine's compiler and linker begin with. */
const crossPrefix: Record<MachineKind, string> = { x86_64: '', aarch64: 'aarch64-linux-gnu-' };

/**
 * Builds the modules into `folder`, with BTF, against the headers unpacked in `root`.
 * @param image the kernel as it is booted: its BTF is what the module's refers to
 */
export function buildModules(root: string, machine: MachineKind, release: string, image: Buffer, folder: string): void {
  prepare(root);
  const headers = `usr/src/linux-headers-${release}`;
  // Whoever reads it (pahole, resolve_btfids) takes BTF alone as well as an ELF file that has some.
  writeFileSync(join(root, headers, 'vmlinux'), btfBearer(image));
  // Before Linux 7 Debian leaves this tool out of its packages; a module without BTF id sets does not need it.
  for (const folder of globSync('usr/lib/linux-kbuild-*/tools/bpf', { cwd: root }).concat(
    globSync('usr/lib/linux-kbuild-*/tools', { cwd: root }).map((path) => join(path, 'bpf')),
  )) {
    const program = join(root, folder, 'resolve_btfids/resolve_btfids');
    if (existsSync(program)) continue;
    mkdirSync(join(program, '..'), { recursive: true });
    writeFileSync(program, '#!/bin/sh\nexit 0\n');
    chmodSync(program, 0o755);
  }
  const source = join(root, 'build/perish');
  rmSync(source, { recursive: true, force: true });
  mkdirSync(source, { recursive: true });
  cpSync(join(labFolder, 'module'), source, { recursive: true });
  // objtool finds much of what the modules do on purpose
  const options = `CROSS_COMPILE=${crossPrefix[machine]} CONFIG_OBJTOOL_WERROR=`;
  runInRoot(root, `make -C /${headers} M=/build/perish ${options} modules`);
  for (const name of modules) cpSync(join(source, `${name}.ko`), join(folder, `${name}.ko`));
}

/** Builds the guest's programs, static, into `folder`. */
export function buildPrograms(root: string, machine: MachineKind, folder: string): void {
  prepare(root);
  mkdirSync(join(root, 'build'), { recursive: true });
  for (const name of programs) {
    cpSync(join(labFolder, 'guest', `${name}.c`), join(root, 'build', `${name}.c`));
    runInRoot(
      root,
      `${crossPrefix[machine]}gcc -O1 -static -D_GNU_SOURCE -pthread -o /build/${name} /build/${name}.c -lrt`,
    );
    cpSync(join(root, 'build', name), join(folder, name));
  }
}

/** The links that packages' installation scripts would have made. */
function prepare(root: string): void {
  const links: Record<string, string> = { 'usr/bin/sh': 'dash', 'usr/bin/awk': 'mawk', 'usr/bin/cc': 'gcc' };
  for (const [link, target] of Object.entries(links))
    if (!existsSync(join(root, link))) symlinkSync(target, join(root, link));
}
