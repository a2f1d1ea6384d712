// The machine as a whole: `sys`, the taint, the command line.
import { parseDuration, sysField } from '../crash_text.ts';
import type { Fact } from '../fact.ts';
import type { Picture } from '../picture.ts';

export const identity: Fact = {
  name: 'release, version, CPUs, memory',
  commands: ['sys'],
  compare(world, [text = ''], tally) {
    const release = world.record.release;
    tally.compare('release', release, sysField(text, 'RELEASE'));
    const version = /^Linux version \S+ .* (#\d+ .*)$/m.exec(world.picture.text('version') ?? '')?.[1];
    if (version !== undefined) tally.compare('version', version.trim(), sysField(text, 'VERSION'));
    tally.compare('host name', hostName(world.picture), sysField(text, 'NODENAME'));
    const cpus = (world.picture.text('cpuinfo') ?? '').match(/^processor\s*:/gm)?.length ?? world.record.cpus;
    const [, all, offline = '0'] = /^(\d+)(?: \[OFFLINE: (\d+)\])?/.exec(sysField(text, 'CPUS') ?? '') ?? [];
    const online = Number(all) - Number(offline);
    // Not where a capture kernel is started at once; but arm64 does it there, too.
    const stopped = online === 1 && (world.machine === 'aarch64' || world.record.format.startsWith('qemu-'));
    tally.compare('CPUs online', cpus, online, stopped ? 'panic() takes the CPUs that it stops offline' : undefined);
    const present = [...(world.picture.text('zoneinfo') ?? '').matchAll(/^ +present +(\d+)$/gm)];
    if (present.length > 0) {
      const mebibytes = present.reduce((sum, [, pages]) => sum + Number(pages), 0) / (2 ** 20 / world.pageSize);
      tally.compare('memory', sizeText(mebibytes), sysField(text, 'MEMORY'));
    }
  },
};

/** As `sys` writes sizes: `799.5 MB`, `16 GB`. */
function sizeText(mebibytes: number): string {
  const [size, unit] = mebibytes < 1024 ? [mebibytes, 'MB'] : [mebibytes / 1024, 'GB'];
  return `${size.toFixed(1).replace(/\.0$/, '')} ${unit}`;
}

export const uptime: Fact = {
  name: 'date, uptime, load',
  commands: ['sys'],
  compare(world, [text = ''], tally) {
    const dump = parseDuration(sysField(text, 'UPTIME') ?? '');
    const since = dump === undefined ? Number.NaN : dump - Math.floor(world.picture.uptime);
    // The crash comes after the picture, and the lab gives up waiting after three minutes.
    if (since >= 0 && since <= 200) tally.same();
    else tally.fault(`uptime: ${world.picture.uptime} s at the picture, ${sysField(text, 'UPTIME')} in the dump`);
    const boot = /^btime (\d+)$/m.exec(world.picture.text('stat') ?? '')?.[1];
    if (boot !== undefined && dump !== undefined) {
      const date = Date.parse(sysField(text, 'DATE') ?? '') / 1000;
      // The boot is rounded to a second, and so is the uptime.
      if (Math.abs(date - (Number(boot) + dump)) <= 2) tally.same();
      else tally.fault(`date: the guest booted at ${boot} and ran ${dump} s; the dump says ${sysField(text, 'DATE')}`);
    }
    const said = (world.picture.text('loadavg') ?? '').split(' ').slice(0, 3);
    const loads = (sysField(text, 'LOAD AVERAGE') ?? '').split(', ');
    for (const [i, minutes] of [1, 5, 15].entries()) {
      // The load is an average that decays over its minutes towards the tasks that want to run now; in s seconds a
      // guest with n tasks moves it by no more than n * (1 - e^(-s/60m)).
      const limit =
        Math.max(world.picture.tasks.size, Number(sysField(text, 'TASKS') ?? 0)) *
        (1 - Math.exp(-(Math.max(0, since) + 10) / (60 * minutes)));
      const [then, now] = [Number(said[i]), Number(loads[i])];
      if (said[i] === loads[i]) tally.same();
      else if (Math.abs(now - then) <= limit) tally.moved('time passed, and the average moved');
      else tally.fault(`load of ${minutes} minutes: ${said[i]} at the picture, ${loads[i]} in the dump`);
    }
  },
};

/** Bits that dying may add: D (an oops), W (a warning), L (a lockup), M (a machine check), B (bad page). */
const dyingBits = (1 << 7) | (1 << 9) | (1 << 14) | (1 << 4) | (1 << 5);

export const taint: Fact = {
  name: 'taint',
  commands: ['sys -t'],
  compare(world, [text = ''], tally) {
    const said = Number(/^kernel\.tainted=(\d+)$/m.exec(world.picture.text('sysctl') ?? '')?.[1]);
    const dump = Number.parseInt(/TAINTED_MASK: ([0-9a-f]+)/.exec(text)?.[1] ?? '', 16);
    if (said === dump) tally.same();
    else if ((dump & said) === said && ((dump ^ said) & ~dyingBits) === 0) tally.moved('dying tainted the kernel');
    else tally.fault(`taint: ${said.toString(16)} at the picture, ${dump.toString(16)} in the dump`);
  },
};

export const commandLine: Fact = {
  name: 'command line',
  commands: ['p saved_command_line'],
  compare(world, [text = ''], tally) {
    const said = (world.picture.text('cmdline') ?? '').trim();
    // Long strings may be shown cut, as gdb does, ending in dots.
    const shown = /"((?:[^"\\]|\\.)*)"(\.\.\.)?/.exec(text);
    const dump = shown?.[1]?.replace(/\\(.)/g, '$1');
    if (dump !== undefined && shown?.[2] !== undefined && said.startsWith(dump)) tally.same();
    else tally.compare('command line', said, dump?.trim());
  },
};

/** What the guest called itself; the lab's own guests are all called the same. */
function hostName(picture: Picture): string {
  return /^kernel\.hostname ?= ?(.*)$/m.exec(picture.text('sysctl') ?? '')?.[1] ?? 'lab';
}
