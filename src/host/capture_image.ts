// The capture kernel and its initramfs as files, and loading them.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FormatError, InquestError, NotFoundError } from '../base/errors.ts';
import { escapeLine } from '../base/text.ts';
import { commandLineWords } from './command_line.ts';
import type { CaptureConfig } from './config/capture_config.ts';
import type { Host } from './host.ts';
import { type BuiltInitramfs, buildInitramfs, findProgram } from './initramfs/build.ts';
import { captureFolder } from './kdump_services.ts';
import { imageRelease, kernelImage } from './kernel_build.ts';

/** `manifest.json` beside the image: what it was built from. */
export interface CaptureManifest {
  readonly release: string;
  readonly recipe: string;
  readonly modules: readonly string[];
  readonly programs: readonly string[];
  readonly warnings: readonly string[];
  readonly size: number;
}

export interface Rebuilt {
  readonly manifest: CaptureManifest;
  /** Where the files are. */
  readonly folder: string;
  /** False where what goes in is what went in before. */
  readonly isNew: boolean;
}

/**
 * Builds the capture initramfs and puts it, and a copy of the kernel, where they are loaded from.
 * @param folder null for the usual one, in the machine's root
 * @param force build it even if what went into it is the same
 * @throws as `buildInitramfs`; NotFoundError where the kernel's file is not there
 */
export function rebuildCapture(host: Host, config: CaptureConfig, folder: string | null, force: boolean): Rebuilt {
  const into = folder ?? host.root.placeToWrite(captureFolder);
  const kernel = host.release === null ? null : kernelImage(host.root, host.release);
  if (kernel === null) throw new NotFoundError('kernel', `vmlinuz of ${host.release ?? 'any release'}`);
  const built: BuiltInitramfs = buildInitramfs(host, config);
  const before = readManifest(into);
  if (!force && before?.recipe === built.recipe) return { manifest: before, folder: into, isNew: false };
  const image = built.image();
  const manifest: CaptureManifest = {
    release: host.release!,
    recipe: built.recipe,
    modules: built.modules,
    programs: built.programs,
    warnings: built.warnings,
    size: image.length,
  };
  mkdirSync(into, { recursive: true, mode: 0o700 });
  const write = (name: string, put: (path: string) => void): void => {
    const path = join(into, name);
    put(`${path}.new`);
    renameSync(`${path}.new`, path);
  };
  // what is loaded goes by these names: they change one after the other, the manifest last
  rmSync(join(into, 'manifest.json'), { force: true });
  write('vmlinuz', (path) => copyFileSync(host.root.place(kernel)!, path));
  write('initramfs.img', (path) => writeFileSync(path, image, { mode: 0o600 }));
  write('manifest.json', (path) => writeFileSync(path, `${JSON.stringify(manifest, null, 1)}\n`));
  return { manifest, folder: into, isNew: true };
}

/** Null where nothing was built there, or not to its end. */
export function readManifest(folder: string): CaptureManifest | null {
  try {
    const value = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as CaptureManifest;
    return typeof value.recipe === 'string' ? value : null;
  } catch {
    return null;
  }
}

/** Words of the running kernel's command line that the capture kernel must not have: exact names, or beginnings with `.`. */
const taken = [
  'crashkernel',
  'root',
  'rootflags',
  'rootfstype',
  'resume',
  'init',
  'rdinit',
  'initrd',
  'BOOT_IMAGE',
  'hugepages',
  'hugepagesz',
  'default_hugepagesz',
  'quiet',
  'splash',
  'ro',
  'rw',
  'nr_cpus',
  'maxcpus',
  'mem',
  'isolcpus',
  'nohz_full',
  'rcu_nocbs',
  'panic_on_warn',
  'kdump_test_id',
  'cma',
  'hugetlb_cma',
];
const takenBeginnings = ['rd.', 'systemd.', 'cryptdevice', 'luks', 'numa'];
/** What it gets: one processor, devices reset, nothing that takes memory, and a reboot where it dies itself. */
const given =
  'irqpoll nr_cpus=1 reset_devices cgroup_disable=memory numa=off transparent_hugepage=never novmcoredd hugetlb_cma=0 cma=0 kfence.sample_interval=0 panic=10 rdinit=/init';

/** The capture kernel's command line. */
export function captureCommandLine(running: string, append: string): string {
  const kept = commandLineWords(running).filter((word) => {
    const name = word.split('=')[0]!;
    return !taken.includes(name) && !takenBeginnings.some((start) => name.startsWith(start));
  });
  const quotedWords = kept.map((word) => (word.includes(' ') ? word.replace(/=(.*)$/s, '="$1"') : word));
  return [...quotedWords, given, append].filter((part) => part !== '').join(' ');
}

/** The capture kernel was not loaded. */
export class LoadError extends InquestError {
  readonly code = 'load';
}

/**
 * Loads the capture kernel by kexec(8): by kexec_file_load where the kernel is locked down, or takes it; else by the older call.
 * @returns how it was loaded
 * @throws NotFoundError without kexec; FormatError where nothing is built, or kernel and initramfs are of two releases; LoadError
 */
export function loadCapture(host: Host, config: CaptureConfig): string {
  const { root } = host;
  const kexec = findProgram(root, 'kexec');
  if (kexec === null) throw new NotFoundError('program', 'kexec', 'install kexec-tools');
  const kernel = `${captureFolder}/vmlinuz`;
  const initramfs = `${captureFolder}/initramfs.img`;
  if (!root.exists(kernel) || !root.exists(initramfs))
    throw new FormatError(captureFolder, 'no capture kernel is built: inquest kdump rebuild');
  const built = readManifest(root.place(captureFolder)!)?.release ?? null;
  const says = imageRelease(root, kernel);
  if (built !== null && says !== null && built !== says)
    throw new FormatError(
      kernel,
      `is ${escapeLine(says)}, and the initramfs beside it has modules of ${escapeLine(built)}, which it would not load: inquest kdump rebuild`,
    );
  const line = captureCommandLine(host.commandLine ?? '', config.append);
  const locked = /\[(integrity|confidentiality)\]/.test(root.word('/sys/kernel/security/lockdown') ?? '');
  const problems: string[] = [];
  for (const how of locked ? ['-s'] : ['-s', '-c']) {
    const done = spawnSync(kexec, [how, '-p', kernel, `--initrd=${initramfs}`, `--command-line=${line}`], {
      encoding: 'utf8',
    });
    if (done.status === 0) return how === '-s' ? 'kexec_file_load' : 'kexec_load';
    problems.push(
      `${how}: ${(done.stderr ?? '').trim().split('\n').at(-1) || done.error?.message || `exit status ${done.status}`}`,
    );
  }
  throw new LoadError(`kexec does not load the capture kernel: ${problems.join('; ')}`);
}

/** Takes the capture kernel out of memory. @throws NotFoundError, LoadError */
export function unloadCapture(host: Host): void {
  const kexec = findProgram(host.root, 'kexec');
  if (kexec === null) throw new NotFoundError('program', 'kexec', 'install kexec-tools');
  const done = spawnSync(kexec, ['-p', '-u'], { encoding: 'utf8' });
  if (done.status !== 0) throw new LoadError(`kexec does not unload: ${(done.stderr ?? '').trim()}`);
}
