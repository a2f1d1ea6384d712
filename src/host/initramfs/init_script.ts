// The first program of the capture kernel: a shell script that loads the modules, mounts the program and runs it. Where the
// program cannot run, it saves the dump by itself.
import type { CapturePlan, PlannedTarget } from './capture_plan.ts';
import { planPath } from './capture_plan.ts';
import { programPaths } from './program_files.ts';

/** Exit status of the program in the capture kernel. */
export const captureStatus = {
  /** What is configured was saved. */
  saved: 0,
  /** It ran, and tried everything there is. */
  failed: 10,
} as const;

/** On the command line: nothing is saved, and what would save is tried. */
export const dryWord = 'inquest.dry';

/**
 * The script. Any other exit status than `captureStatus` means that the program did not run to its end.
 * @param folder name of the folder for what the script saves by itself, below each target's path
 */
export function initScript(plan: CapturePlan): string {
  const { limits, mini, full, targets } = plan.config;
  const targetCount = Math.max(1, targets.length + (plan.root === null ? 0 : 1));
  const whole =
    limits.verdict + targetCount * (limits.target + (mini ? limits.mini : 0) + (full ? limits.full : 0)) + 60;
  const candidates = [...plan.targets, ...(plan.root === null ? [] : [plan.root])].filter(
    ({ target, device, fstype }) => target.kind === 'directory' && device !== null && fstype !== null,
  );
  return `#!/bin/sh
# Made by inquest: what runs after a panic.
# each arena of the allocator keeps what it had
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root MALLOC_ARENA_MAX=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o size=60% tmp /run
say() { echo "inquest: $*" >/dev/console; }
say "capture kernel $(cat /proc/sys/kernel/osrelease) started"
# what is loaded lies twice in memory until its file is gone
load() {
  for module in $(cat /lib/modules/$1); do
    insmod /lib/modules/$module.ko 2>/run/insmod || say "module $module: $(cat /run/insmod)"
    rm -f /lib/modules/$module.ko
  done
}
load first
# before the other modules: their firmware is in there
mount -t squashfs -o ro,loop /program.squashfs /program || say "the program cannot be mounted"
load order
mkdir -p /run/inquest /mnt
status=127
if grep -qw ${dryWord} /proc/cmdline; then
  if /program/${programPaths.node} /program/${programPaths.main} --version >/run/dry 2>&1; then
    say "dry: done, the program runs ($(cat /run/dry)); $(grep MemAvailable /proc/meminfo) of $(grep MemTotal /proc/meminfo)"
  else
    say "dry: FAILED: $(cat /run/dry)"
  fi
  poweroff -f
  sleep 60
fi
if [ -x /program/${programPaths.node} ]; then
  timeout -s KILL ${whole} /program/${programPaths.node} --max-semi-space-size=1 --max-old-space-size=32 /program/${programPaths.main} kdump capture ${planPath} </dev/null >/dev/console 2>&1
  status=$?
fi
if [ $status != ${captureStatus.saved} ] && [ $status != ${captureStatus.failed} ]; then
  say "the program did not run to its end (status $status): the dump is saved without it"
${candidates.map(fallbackLines).join('')}fi
case $status in
${captureStatus.saved}) action=${plan.config.finalAction} ;;
*) action=${plan.config.failureAction === 'root' ? 'reboot' : plan.config.failureAction} ;;
esac
say "$action"
sync
umount /mnt/* 2>/dev/null
case $action in
shell) setsid sh -c 'exec sh </dev/console >/dev/console 2>&1'; action=reboot ;;
esac
$action -f
# where the program of that name did nothing: SysRq
case $action in
poweroff) echo o >/proc/sysrq-trigger ;;
halt) while :; do sleep 3600; done ;;
*) echo b >/proc/sysrq-trigger ;;
esac
sleep 60
`;
}

/** Tries one target by mount and copy, unless one before it took the dump. */
function fallbackLines({ device, fstype, path }: PlannedTarget): string {
  const where = `/mnt/fallback${path === '/' ? '' : path}`;
  return `  if [ $status != ${captureStatus.saved} ]; then
    mkdir -p /mnt/fallback
    if mount | grep -q ' /mnt/fallback ' || mount -t ${fstype} ${quoted(device ?? '')} /mnt/fallback; then
      folder=${quoted(where)}/$(date -u +%Y-%m-%d-%H%M%S)-copied
      mkdir -p "$folder"
      if [ -x /bin/makedumpfile ] && makedumpfile -l -d 31 /proc/vmcore "$folder/vmcore.incomplete" >/dev/console 2>&1; then
        mv "$folder/vmcore.incomplete" "$folder/vmcore" && status=${captureStatus.saved} && say "saved by makedumpfile"
      elif cp /proc/vmcore "$folder/vmcore.incomplete"; then
        mv "$folder/vmcore.incomplete" "$folder/vmcore" && status=${captureStatus.saved} && say "saved by copying"
      else
        say "the dump could not be saved there"
      fi
      sync
      umount /mnt/fallback
    fi
  fi
`;
}

/** A word of a shell. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
