// The capture kernel by itself: QEMU puts a dead kernel's memory where kexec would have left it, and boots the capture kernel of a
// Debian root with that root's capture initramfs. Minutes less than a machine that is set up, crashed and rebooted.
//
//   0          capture kernel, with as much memory as crashkernel= would reserve
//   768 MiB    the header of /proc/vmcore: notes, and where each part of the memory lies (elfcorehdr=)
//   1 GiB      the memory that the dump has
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { captureCommandLine } from '../../src/host/capture_image.ts';
import type { CaptureConfig } from '../../src/host/config/capture_config.ts';
import { Host } from '../../src/host/host.ts';
import { buildInitramfs } from '../../src/host/initramfs/build.ts';
import { withoutLocales } from '../../src/host/initramfs/icu_data.ts';
import { type Program, programFiles } from '../../src/host/initramfs/program_files.ts';
import { moduleName } from '../../src/host/modules.ts';
import { HostRoot } from '../../src/host/root.ts';
import { Archive, unpack } from '../archive.ts';
import type { DebianSuite } from '../kernels.ts';
import { place, projectFolder } from '../place.ts';
import { runProgram } from '../programs.ts';
import { type Disk, Guest } from '../qemu.ts';
import { rootArchive } from './image.ts';

const headerAt = 768 << 20;
const memoryAt = 1 << 30;

/** Files of a dead kernel's memory, for QEMU to load. */
export interface DeadMemory {
  readonly header: string;
  readonly memory: string;
  /** Megabytes of the machine that hold all of it. */
  readonly megabytes: number;
}

/** Lays out a dump as kexec leaves memory. Parts of a filtered dump that are not there are not in /proc/vmcore either. */
export function layOut(dump: string, folder: string): DeadMemory {
  const core = join(folder, 'core');
  runProgram(process.execPath, [join(projectFolder, 'dist/inquest.js'), 'save', '-f', '--format', 'elf', dump, core]);
  const bytes = readFileSync(core);
  rmSync(core);
  const count = bytes.readUInt16LE(56);
  const at = Number(bytes.readBigUInt64LE(32));
  const header = Buffer.from(bytes.subarray(0, 64));
  const table = Buffer.from(bytes.subarray(at, at + 56 * count));
  const notes: Buffer[] = [];
  let noteAt = headerAt + 64 + table.length;
  let first = bytes.length;
  for (let i = 0; i < count; i++) {
    const offset = Number(table.readBigUInt64LE(56 * i + 8));
    if (table.readUInt32LE(56 * i) === 1) first = Math.min(first, offset);
  }
  for (let i = 0; i < count; i++) {
    const here = 56 * i;
    const offset = Number(table.readBigUInt64LE(here + 8));
    const size = Number(table.readBigUInt64LE(here + 32));
    // in such a header, offsets are physical addresses (fs/proc/vmcore.c, process_ptload_program_headers_elf64)
    table.writeBigUInt64LE(BigInt(size), here + 40);
    if (table.readUInt32LE(here) === 1) table.writeBigUInt64LE(BigInt(memoryAt + offset - first), here + 8);
    else {
      notes.push(bytes.subarray(offset, offset + size));
      table.writeBigUInt64LE(BigInt(noteAt), here + 8);
      noteAt += size;
    }
  }
  header.writeBigUInt64LE(64n, 32);
  const memory = bytes.subarray(first);
  const files = { header: join(folder, 'dead.header'), memory: join(folder, 'dead.memory') };
  writeFileSync(files.header, Buffer.concat([header, table, ...notes]));
  writeFileSync(files.memory, memory);
  return { ...files, megabytes: 1024 + Math.ceil(memory.length / 2 ** 20) + 64 };
}

/** A root of a suite with makedumpfile, as a folder; made once. */
export function captureRoot(suite: DebianSuite): string {
  const folder = join(place.host(suite), 'capture-root');
  if (existsSync(join(folder, 'usr/bin/makedumpfile'))) return folder;
  mkdirSync(folder, { recursive: true });
  runProgram('tar', ['-x', '-f', rootArchive(suite), '-C', folder, '--exclude=./dev/*']);
  const debs = ['makedumpfile', 'libdw1', 'libelf1', 'libbz2-1.0', 'liblzo2-2'];
  unpack(new Archive(suite).download(debs), folder);
  return folder;
}

export interface CapturePlanned {
  readonly root: string;
  readonly folder: string;
  readonly name: string;
  readonly config: CaptureConfig;
  readonly dead: DeadMemory;
  readonly disks: readonly Disk[];
  /** Megabytes that crashkernel= would have reserved. */
  readonly reserved: number;
  /** Modules, by name, that the machine does not have. */
  readonly lacks: readonly string[];
  readonly extra: readonly string[];
}

/** The program as its package has it: Node without symbols. */
function packagedProgram(folder: string): Program {
  const node = join(folder, 'node');
  if (!existsSync(node)) runProgram('strip', ['-o', node, process.execPath]);
  const program = programFiles();
  const bytes = withoutLocales(readFileSync(node));
  return { ...program, files: new Map([...program.files, ['bin/node', { kind: 'file', bytes, mode: 0o755 }]]) };
}

/** Does something while modules.dep of a root does not name some modules. */
function withoutModules<T>(root: string, names: readonly string[], work: () => T): T {
  const [file] = globSync('lib/modules/*/modules.dep', { cwd: root });
  const path = join(root, file!);
  const text = readFileSync(path, 'utf8');
  const lines = text.split('\n').filter((line) => !names.includes(moduleName(line.split(':')[0]!)));
  writeFileSync(path, lines.join('\n'));
  try {
    return work();
  } finally {
    writeFileSync(path, text);
  }
}

/** Builds the initramfs and boots it. @returns the guest, which ends with the capture kernel's last action */
export function bootCapture(plan: CapturePlanned): Guest {
  const { root, folder, name, config, dead, disks, reserved } = plan;
  const host = new Host(new HostRoot(root));
  const built = withoutModules(root, plan.lacks, () => buildInitramfs(host, config, packagedProgram(folder)));
  for (const warning of built.warnings) process.stdout.write(`${name}: ${warning}\n`);
  const initrd = join(folder, `${name}.initramfs`);
  writeFileSync(initrd, built.image());
  const vmlinuz = join(root, 'boot', globSync('vmlinuz-*', { cwd: join(root, 'boot') })[0]!);
  const memory = `memmap=exactmap memmap=640K@0 memmap=${reserved - 1}M@1M elfcorehdr=0x${headerAt.toString(16)} nokaslr`;
  return new Guest({
    kind: 'x86_64',
    vmlinuz,
    initrd,
    append: captureCommandLine('console=ttyS0', `${config.append} ${memory}`),
    disks,
    memory: dead.megabytes,
    cpus: 1,
    cpu: 'max,la57=off',
    network: 'user',
    console: join(folder, `${name}.console`),
    extra: [
      ...['-device', `loader,file=${dead.header},addr=0x${headerAt.toString(16)},force-raw=on`],
      ...['-device', `loader,file=${dead.memory},addr=0x${memoryAt.toString(16)},force-raw=on`],
      ...['-device', 'virtio-rng-pci', '-vga', 'none'],
      ...plan.extra,
    ],
  });
}
