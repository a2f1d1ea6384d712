// `inquest kdump setup`, `remove`, `rebuild`, `load`, `unload`, `test`: kdump of this machine, put in place and proven.

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { UsageError } from '../base/errors.ts';
import { escapeLine } from '../base/text.ts';
import { loadCapture, rebuildCapture, unloadCapture } from '../host/capture_image.ts';
import { checkHost } from '../host/check.ts';
import { sizeText } from '../host/checks/finding.ts';
import { type CaptureConfig, targetText } from '../host/config/capture_config.ts';
import { configPath } from '../host/config/inquest_config.ts';
import { type CrashTest, crashTestResult, readCrashTest, testRecordPath } from '../host/crash_test.ts';
import { readCrashes } from '../host/crashes.ts';
import { type DryRun, dryRun } from '../host/dry_run.ts';
import { Host } from '../host/host.ts';
import { HostRoot } from '../host/root.ts';
import { actionText, perform } from '../host/setup/actions.ts';
import { parseTarget, planRemove, planSetup } from '../host/setup/setup.ts';
import { writeError, writeOut } from './output.ts';

/** The configuration of a machine; what is wrong in it is told. @throws UsageError where there is none, or an error in it */
function configOf(host: Host): CaptureConfig {
  const own = host.services.find(({ family }) => family === 'inquest');
  if (own === undefined) throw new UsageError(`there is no ${configPath}: inquest kdump setup`);
  const remarks = own.configuration.files.flatMap((file) => file.remarks);
  for (const { line, text } of remarks)
    writeError(`inquest: ${configPath}${line === null ? '' : `:${line}`}: ${escapeLine(text)}\n`);
  if (remarks.some(({ severity }) => severity === 'error'))
    throw new UsageError(`${configPath} is not as it should be`);
  return own.configuration.config;
}

export interface SetupArguments {
  readonly root: string;
  readonly target: readonly string[];
  readonly crashkernel?: string;
  readonly replace?: boolean;
  readonly dryRun?: boolean;
}

export function runSetup({ root, target, crashkernel, replace, dryRun }: SetupArguments): number {
  const host = new Host(new HostRoot(root));
  const plan = planSetup(host, {
    targets: target.map(parseTarget),
    crashkernel: crashkernel ?? null,
    replace: replace ?? false,
    inquest: programWords(host.root),
  });
  if (dryRun) for (const action of plan.actions) writeOut(actionText(action));
  else perform(host.root, plan.actions, (line) => writeOut(`${line}\n`));
  for (const note of plan.notes) writeOut(`note: ${note}\n`);
  if (plan.needsReboot) writeOut('reboot, then: inquest kdump status\n');
  return 0;
}

/** How units start this program: by its name where a package put it there. */
function programWords(root: HostRoot): string {
  return root.exists('/usr/bin/inquest') ? '/usr/bin/inquest' : `${process.execPath} ${process.argv[1]}`;
}

export function runRemove(root: string, dryRun: boolean): number {
  const host = new Host(new HostRoot(root));
  const actions = planRemove(host);
  if (dryRun) for (const action of actions) writeOut(actionText(action));
  else perform(host.root, actions, (line) => writeOut(`${line}\n`));
  return 0;
}

export function runRebuild(
  root: string,
  { force, output }: { readonly force: boolean; readonly output: string | null },
): number {
  const host = new Host(new HostRoot(root));
  rebuild(host, configOf(host), output, force);
  return 0;
}

function rebuild(host: Host, config: CaptureConfig, output: string | null, force: boolean): void {
  const { manifest, folder, isNew } = rebuildCapture(host, config, output, force);
  for (const warning of manifest.warnings) writeError(`inquest: ${escapeLine(warning)}\n`);
  writeOut(
    `${folder}/initramfs.img: ${sizeText(manifest.size)}, for ${escapeLine(manifest.release)}, ${isNew ? 'built' : 'nothing changed'}\n`,
  );
}

export function runLoad(first: boolean): number {
  const host = new Host(new HostRoot());
  const config = configOf(host);
  if (first) rebuild(host, config, null, false);
  writeOut(`a capture kernel is loaded (${loadCapture(host, config)})\n`);
  return 0;
}

export function runUnload(): number {
  unloadCapture(new Host(new HostRoot()));
  writeOut('no capture kernel is loaded any more\n');
  return 0;
}

/**
 * Crashes the machine, once the user has typed its name; after the reboot, tells how it went.
 * @returns 0 passed, or would be; 1 failed
 */
export async function runTest(again: boolean): Promise<number> {
  const host = new Host(new HostRoot());
  const bootId = host.root.word('/proc/sys/kernel/random/boot_id');
  const before = readCrashTest(host.root);
  if (before !== null && !again) return testResult(host, before, bootId);
  const config = configOf(host);
  const report = checkHost(host);
  if (report.state !== 'ready') throw new UsageError('this machine is not ready: inquest kdump check says why');
  writeOut(
    `This crashes the kernel of ${hostname()} now: what is not on its disks is lost, and it reboots.\nThe dump goes to ${config.targets.map(targetText).join(', ')}.\n`,
  );
  if (process.stdin.isTTY !== true) throw new UsageError('a crash must be confirmed by hand, on a terminal');
  const asked = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await asked.question(`Type the name of this machine to go on: `);
  asked.close();
  if (answer.trim() !== hostname()) {
    writeOut('nothing was done\n');
    return 1;
  }
  const test: CrashTest = {
    started: Date.now(),
    bootId: bootId ?? '',
    mini: config.mini,
    full: config.full,
    targets: config.targets.map(targetText),
  };
  const place = join(host.root.dir, testRecordPath);
  mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
  writeFileSync(place, `${JSON.stringify(test)}\n`);
  spawnSync('sync');
  // the one thing that the lock-down of SysRq by kernel.sysrq does not hold for (drivers/tty/sysrq.c, write_sysrq_trigger)
  writeFileSync('/proc/sysrq-trigger', 'c');
  throw new UsageError('the kernel did not crash: SysRq is not there');
}

function testResult(host: Host, test: CrashTest, bootId: string | null): number {
  const folders = host.targets.flatMap((target) => (target.kind === 'directory' ? [target.path] : []));
  const { passed, lines } = crashTestResult(test, readCrashes(host.root, [...folders, '/var/crash']), bootId);
  writeOut(
    `the crash of ${new Date(test.started).toISOString().slice(0, 19)}Z ${passed ? 'was captured' : 'was NOT captured as configured'}\n`,
  );
  for (const line of lines) writeOut(`  ${escapeLine(line)}\n`);
  rmSync(join(host.root.dir, testRecordPath), { force: true });
  return passed ? 0 : 1;
}

/**
 * Everything that a crash goes through, but the crash: checks, an initramfs built anew, and where there is QEMU, that
 * initramfs booted with the memory that is reserved. @returns as `check`
 */
export function runDryTest(): number {
  const host = new Host(new HostRoot());
  const config = configOf(host);
  const folder = '/run/inquest-kdump-test';
  let tried: DryRun | null;
  try {
    rebuild(host, config, folder, true);
    tried = dryRun(host, folder, host.reservation.size || 256 << 20, config.append);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (tried === null) writeOut('no QEMU is there: the capture initramfs was built, and not booted\n');
  else {
    writeOut(`in QEMU the capture kernel ${tried.isGood ? 'does what it should' : 'FAILED'}\n`);
    for (const line of tried.lines) writeOut(`  ${escapeLine(line)}\n`);
  }
  const report = checkHost(host);
  for (const { state, id, found, mend } of report.findings) {
    if (state === 'failed' || state === 'warning')
      writeOut(
        `${state === 'failed' ? 'FAILED ' : 'WARNING'} ${id}: ${escapeLine(found)}${mend === null ? '' : `\n        mend: ${escapeLine(mend)}`}\n`,
      );
  }
  return report.state === 'ready' && tried?.isGood !== false ? 0 : 3;
}
