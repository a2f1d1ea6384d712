// The capture initramfs tried in QEMU, with the memory that is reserved for it: modules, the program in its squashfs, and how
// much memory it leaves. Everything but a dead kernel's memory and the targets.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { captureCommandLine } from './capture_image.ts';
import type { Host } from './host.ts';
import { findProgram } from './initramfs/build.ts';
import { dryWord } from './initramfs/init_script.ts';

export interface DryRun {
  readonly isGood: boolean;
  /** What the capture kernel told, line by line; where it told nothing, the end of its console. */
  readonly lines: readonly string[];
}

/** Seconds for all of it: without KVM a boot takes minutes. */
const limit = 600;

/** QEMU of this machine, with its serial console. */
const machines: Readonly<Record<string, { readonly args: readonly string[]; readonly console: string }>> = {
  x64: { args: ['-machine', 'accel=kvm:tcg'], console: 'ttyS0' },
  arm64: { args: ['-machine', 'virt,accel=kvm:tcg'], console: 'ttyAMA0' },
};
const programs: Readonly<Record<string, string>> = { x64: 'qemu-system-x86_64', arm64: 'qemu-system-aarch64' };

/**
 * Boots what `rebuild` built.
 * @param folder with vmlinuz and initramfs.img
 * @param bytes of memory that it gets
 * @returns null where there is no QEMU for this machine
 */
export function dryRun(host: Host, folder: string, bytes: number, append: string): DryRun | null {
  const machine = machines[process.arch];
  const program = findProgram(host.root, programs[process.arch] ?? '');
  if (machine === undefined || program === null) return null;
  const running = (host.commandLine ?? '').replace(/\b(console|earlycon|earlyprintk)=\S+/g, '');
  const line = `${captureCommandLine(running, append)} console=${machine.console} ${dryWord}`;
  const done = spawnSync(
    program,
    [
      ...[...machine.args, '-cpu', 'max', '-m', String(Math.floor(bytes / 2 ** 20)), '-nographic', '-no-reboot'],
      ...['-nodefaults', '-serial', 'stdio', '-kernel', join(folder, 'vmlinuz')],
      ...['-initrd', join(folder, 'initramfs.img'), '-append', line],
    ],
    {
      encoding: 'latin1',
      timeout: limit * 1000,
      killSignal: 'SIGKILL',
      maxBuffer: 64 << 20,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  return readDryRun(done.stdout ?? '', done.stderr ?? '');
}

/** What a console says of it. @param errors of QEMU itself */
export function readDryRun(console: string, errors: string): DryRun {
  const all = console.split(/\r?\n/);
  const lines = all.flatMap((line) => /inquest: (.*)/.exec(line)?.[1] ?? []);
  // a driver whose hardware QEMU does not have says so (No such device)
  const isBroken = (line: string): boolean =>
    line.startsWith('module ') && /invalid module format|unknown symbol|no such file/i.test(line);
  const isGood = lines.some((line) => line.startsWith('dry: done')) && !lines.some(isBroken);
  if (lines.length > 0) return { isGood, lines };
  const end = [...all, ...errors.split('\n')].filter((line) => line.trim() !== '').slice(-5);
  return { isGood: false, lines: ['the capture kernel did not come to its script; the console ended with', ...end] };
}
