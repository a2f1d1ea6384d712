// Checks of when the kernel panics, what it does then, and by which other ways its last words get out.
import { valuesOf } from '../command_line.ts';
import type { Host } from '../host.ts';
import { type Finding, finding, type Question } from './finding.ts';

const oops: Question = {
  id: 'panic-on-oops',
  why: 'an oops kills one process and the kernel goes on, damaged: only a panic is captured',
};
const timeout: Question = {
  id: 'panic-timeout',
  why: 'where nothing is captured, and where the capture kernel panics, the machine hangs until somebody comes',
};
const lockups: Question = { id: 'panic-on-lockup', why: 'a machine that hangs does not panic by itself' };
const nmi: Question = {
  id: 'panic-on-nmi',
  why: 'the NMI button, or the hypervisor, is how a dead machine is made to dump',
};
const warn: Question = {
  id: 'panic-on-warn',
  why: 'a warning is no reason to die on a server; on a test machine it is',
};
const watchdog: Question = {
  id: 'watchdog',
  why: 'a hardware watchdog that nobody feeds resets the machine while the dump is saved',
};
const notifiers: Question = {
  id: 'post-notifiers',
  why: 'the panic notifiers run in the dying kernel, before the capture kernel is started',
};
const second: Question = {
  id: 'second-way-out',
  why: 'where kdump fails, the log in firmware or on another machine is all that is left',
};
const hotplug: Question = {
  id: 'hotplug',
  why: 'the list of memory and processors in the loaded capture kernel is of the time when it was loaded',
};
const sysrq: Question = { id: 'sysrq', why: 'a hanging machine is made to dump by hand with SysRq-c' };

export function panicChecks(host: Host): Finding[] {
  if (!host.isRunning) return [];
  return [
    ...sysctlChecks(host),
    ...watchdogChecks(host),
    ...notifierChecks(host),
    ...secondWay(host),
    ...hotplugChecks(host),
  ];
}

function sysctlChecks({ root }: Host): Finding[] {
  const value = (name: string): number | null => {
    const word = root.word(`/proc/sys/${name.replaceAll('.', '/')}`);
    return word === null || !/^-?\d+$/.test(word) ? null : Number(word);
  };
  const found: Finding[] = [];
  const set = (name: string, to: number): string => `sysctl -w ${name}=${to} (and in /etc/sysctl.d)`;
  const onOops = value('kernel.panic_on_oops');
  if (onOops !== null)
    found.push(
      onOops > 0
        ? finding(oops, 'ok', 'an oops is a panic')
        : finding(oops, 'warning', 'kernel.panic_on_oops is 0', set('kernel.panic_on_oops', 1)),
    );
  const panic = value('kernel.panic');
  if (panic !== null)
    found.push(
      panic !== 0
        ? finding(timeout, 'ok', `reboots ${panic < 0 ? 'at once' : `after ${panic} s`}`)
        : finding(timeout, 'warning', 'kernel.panic is 0', set('kernel.panic', 10)),
    );
  const locks = [
    'kernel.hardlockup_panic',
    'kernel.softlockup_panic',
    'kernel.hung_task_panic',
    'kernel.panic_on_rcu_stall',
    'vm.panic_on_oom',
  ].flatMap((name) => {
    const n = value(name);
    return n === null ? [] : [{ name, on: n > 0 }];
  });
  if (locks.length > 0) {
    const names = (on: boolean): string =>
      locks
        .filter((one) => one.on === on)
        .map(({ name }) => name)
        .join(', ') || 'none';
    found.push(
      finding(
        lockups,
        'info',
        `panic: ${names(true)}; goes on: ${names(false)}`,
        locks.every(({ on }) => on) ? null : `set those to 1 on which this machine should rather die than hang`,
      ),
    );
  }
  const detector = value('kernel.nmi_watchdog');
  if (detector === 0)
    found.push(
      finding(
        { ...lockups, id: 'nmi-watchdog' },
        'info',
        'the detector of hard lockups is off',
        set('kernel.nmi_watchdog', 1),
      ),
    );
  const unknown = value('kernel.unknown_nmi_panic');
  if (unknown !== null)
    found.push(
      unknown > 0
        ? finding(nmi, 'ok', 'an unknown NMI is a panic')
        : finding(nmi, 'info', 'kernel.unknown_nmi_panic is 0', set('kernel.unknown_nmi_panic', 1)),
    );
  if ((value('kernel.panic_on_warn') ?? 0) > 0)
    found.push(finding(warn, 'info', 'a warning is a panic', set('kernel.panic_on_warn', 0)));
  const keys = value('kernel.sysrq');
  // bit 3 is for dumps of processes and so on; SysRq-c by keyboard is under it (drivers/tty/sysrq.c, SYSRQ_ENABLE_DUMP)
  if (keys !== null && keys !== 1 && (keys & 8) === 0)
    found.push(
      finding(
        sysrq,
        'info',
        `kernel.sysrq is ${keys}: SysRq-c works through /proc/sysrq-trigger alone`,
        set('kernel.sysrq', keys | 8),
      ),
    );
  return found;
}

function watchdogChecks({ root, image }: Host): Finding[] {
  return root.list('/sys/class/watchdog').flatMap((name): Finding[] => {
    const of = (file: string): string | null => root.word(`/sys/class/watchdog/${name}/${file}`);
    if (of('state') !== 'active') return [];
    const identity = of('identity') ?? name;
    const seconds = of('timeout') ?? '?';
    const driver = root.canonical(`/sys/class/watchdog/${name}/device/driver/module`)?.split('/').at(-1) ?? null;
    const inside =
      driver !== null &&
      typeof image === 'object' &&
      image?.paths.some((path) => path.replaceAll('-', '_').includes(`/${driver}.ko`));
    return [
      finding(
        watchdog,
        inside ? 'ok' : 'warning',
        `${identity} is armed, ${seconds} s${inside ? `, and ${driver} is in the capture initramfs` : ''}`,
        inside
          ? null
          : `a longer timeout (RebootWatchdogSec=, RuntimeWatchdogSec= in /etc/systemd/system.conf)${driver === null ? '' : `, or ${driver} among the modules of the capture initramfs`}`,
      ),
    ];
  });
}

function notifierChecks({ root, commandLine, reservation }: Host): Finding[] {
  const value = root.word('/sys/module/kernel/parameters/crash_kexec_post_notifiers');
  const asked = commandLine !== null && valuesOf(commandLine, 'crash_kexec_post_notifiers').length > 0;
  if (value !== 'Y' && !asked) return [];
  return [
    finding(
      notifiers,
      reservation.loaded ? 'info' : 'ok',
      'crash_kexec_post_notifiers is set: pstore is written before kdump, and a notifier that hangs keeps kdump from starting',
      'take crash_kexec_post_notifiers off the command line, unless pstore is wanted first',
    ),
  ];
}

function secondWay({ root, commandLine }: Host): Finding[] {
  const ways: string[] = [];
  const backend = root.word('/sys/module/pstore/parameters/backend');
  if (backend !== null && backend !== '' && backend !== '(null)') ways.push(`pstore (${backend})`);
  if (
    root.exists('/sys/module/netconsole') &&
    (root.list('/sys/kernel/config/netconsole').length > 0 ||
      (commandLine !== null && valuesOf(commandLine, 'netconsole').length > 0))
  )
    ways.push('netconsole');
  const serial =
    commandLine === null ? [] : valuesOf(commandLine, 'console').filter((one) => /^(tty(S|AMA)|hvc)/.test(one));
  if (serial.length > 0) ways.push(`serial console ${serial[0]!}`);
  if (ways.length > 0) return [finding(second, 'ok', ways.join(', '))];
  return [
    finding(
      second,
      'info',
      'none: no pstore, netconsole or serial console',
      'modprobe efi-pstore, or netconsole to a machine where `inquest listen` runs',
    ),
  ];
}

function hotplugChecks({ root }: Host): Finding[] {
  const updates = ['/sys/devices/system/memory/crash_hotplug', '/sys/devices/system/cpu/crash_hotplug'].map((path) =>
    root.word(path),
  );
  if (updates.every((value) => value === '1')) return [finding(hotplug, 'ok', 'the kernel keeps it true by itself')];
  if (!root.exists('/sys/devices/system/memory/auto_online_blocks')) return [];
  const rules = ['/etc/udev/rules.d', '/usr/lib/udev/rules.d', '/lib/udev/rules.d'].flatMap((folder) =>
    root.list(folder),
  );
  const rule = rules.find((name) => /kdump|kexec/.test(name));
  if (rule !== undefined) return [finding(hotplug, 'ok', `${rule} loads it anew`)];
  return [finding(hotplug, 'info', 'nothing loads it anew when memory or processors are added', 'inquest kdump setup')];
}
