// One crash: boots a kernel, lets it take a picture of itself, makes it die, and keeps what is left.
//
//   RUN/vmcore (vmcore.2, ... when split)   vmcore.raw   vmcore-dmesg.txt   console.log   picture/   run.json
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fetched, fetchKernel } from './fetch.ts';
import { type Format, formatNamed } from './formats.ts';
import { packOverlay } from './initrd.ts';
import { type Kernel, kernelNamed, type MachineKind } from './kernels.ts';
import { modules } from './module_build.ts';
import { place, say } from './place.ts';
import { lastLines, needPrograms, runProgram } from './programs.ts';
import { type Disk, Guest } from './qemu.ts';
import type { Scenario } from './scenario.ts';
import { scenarioNamed } from './scenarios/index.ts';

export interface RunOptions {
  readonly format?: string;
  /** makedumpfile's -d */
  readonly level?: number;
  /** Also keep /proc/vmcore as it is, unfiltered, as vmcore.raw. */
  readonly raw?: boolean;
  /** QEMU's -cpu. */
  readonly cpu?: string;
  readonly cpus?: number;
  /** Megabytes. */
  readonly memory?: number;
  /** Nodes of NUMA, among which processors and memory are divided. */
  readonly nodes?: number;
  /** Added to the dying kernel's command line. */
  readonly append?: string;
}

/** What run.json says of a run. */
export interface RunRecord {
  readonly kernel: string;
  readonly release: string;
  readonly scenario: string;
  readonly format: string;
  readonly level: number;
  readonly memory: number;
  readonly cpus: number;
}

/**
 * Runs a scenario on a kernel. Gives the folder with what is left.
 * @throws Error with the console's last lines when the guest did not die as it should, or nothing was captured
 */
export async function run(kernelName: string, scenarioName: string, options: RunOptions = {}): Promise<string> {
  const kernel = kernelNamed(kernelName);
  needPrograms(`qemu-system-${kernel.machine}`, 'mkfs.ext4', 'debugfs', 'unshare', 'xz');
  const scenario = scenarioNamed(scenarioName);
  const format = formatNamed(options.format ?? usualFormat[kernel.machine]);
  const problem = misfit(kernel, scenario);
  if (problem !== undefined) throw new Error(`${kernel.name} ${scenario.name}: ${problem}`);
  const fetched = fetchKernel(kernel);
  const plan: Plan = {
    fetched,
    scenario,
    format,
    options,
    record: {
      kernel: kernel.name,
      release: fetched.release,
      scenario: scenario.name,
      format: format.name,
      level: options.level ?? kernel.level,
      memory: options.memory ?? scenario.memory ?? 800,
      cpus: options.cpus ?? 2,
    },
    folder: place.run(runName(kernel, scenario, options)),
  };
  for (let boots = 1; ; boots++) {
    try {
      await die(plan);
      break;
    } catch (error) {
      if (!(error instanceof EmulatorMishap) || boots === maxBoots) throw error;
      say(`${error.message.split('\n', 1)[0]}; once more`);
    }
  }
  say(`${basename(plan.folder)}: done`);
  return plan.folder;
}

/** Why a kernel cannot die this way; undefined when it can. */
export function misfit(kernel: Kernel, scenario: Scenario): string | undefined {
  if (kernel.realTime && scenario.spins) return 'spinlocks of PREEMPT_RT sleep, they do not lock a CPU up';
  if (scenario.machine !== undefined && scenario.machine !== kernel.machine) return `only ${scenario.machine} dies so`;
  if (scenario.wholeKernel && /-cloud-/.test(kernel.image.source))
    return 'cloud kernels are built without what it needs';
  const lines = `${scenario.setup ?? ''}${scenario.provoke}`;
  if (!kernel.headers && modules.some((name) => lines.includes(`/${name}`)))
    return "it needs the lab's modules, which cannot be built without the kernel's headers";
  return undefined;
}

/** All that QEMU can do: 5-level page tables; on arm64 52-bit addresses, pointer authentication (computed the quick way), branch targets. */
const usualCpu: Record<MachineKind, string> = { x86_64: 'max', aarch64: 'max,pauth-impdef=on' };

// makedumpfile 1.7.8 knows no kernel of 52-bit addresses with pages of 4 KiB, as Debian's are since 6.12.
const usualFormat: Record<MachineKind, string> = { x86_64: 'zlib', aarch64: 'qemu-kdump' };

const consoleOf: Record<MachineKind, string> = { x86_64: 'ttyS0', aarch64: 'ttyAMA0' };

interface Plan {
  readonly fetched: Fetched;
  readonly scenario: Scenario;
  readonly format: Format;
  readonly options: RunOptions;
  readonly record: RunRecord;
  readonly folder: string;
}

/**
 * Under emulation a kernel hangs or dies now and then for no fault of its own (QEMU runs code that the kernel has just
 * patched: `Oops: int3`). Then it is booted again.
 */
class EmulatorMishap extends Error {}

const maxBoots = 3;

/** Seconds without a word on the console after which a boot is given up. */
const bootSilence = 90;

/**
 * One boot and death, from an empty folder to a full one.
 * @throws Error with the console's last lines; EmulatorMishap when another boot may do better
 */
async function die(plan: Plan): Promise<void> {
  const { fetched, scenario, record, folder } = plan;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run.json'), `${JSON.stringify(record, null, 2)}\n`);
  const disk = makeDisk(plan);
  const initrd = scenario.modules === undefined ? fetched.initrd : withModules(plan, scenario.modules);
  say(`${basename(folder)}: booting ${fetched.release}`);
  const guest = new Guest({
    kind: fetched.kernel.machine,
    vmlinuz: fetched.vmlinuz,
    initrd,
    append: commandLine(plan),
    disks: [{ file: disk, format: 'raw' }, ...secondDisk(plan)],
    memory: record.memory,
    cpus: record.cpus,
    cpu: plan.options.cpu ?? usualCpu[fetched.kernel.machine],
    console: join(folder, 'console.log'),
    extra: [
      ...(scenario.balloon === undefined ? [] : ['-device', 'virtio-balloon-pci']),
      ...(plan.options.nodes === undefined ? [] : nodesOf(plan.options.nodes, record)),
    ],
  });
  const ended = (why: string) => `${basename(folder)}: ${why}; the console ended with\n${lastLines(guest.text, 15)}`;
  try {
    await watch(guest, plan);
  } catch (error) {
    const why = ended(error instanceof Error ? error.message : String(error));
    throw error instanceof EmulatorMishap ? new EmulatorMishap(why) : new Error(why);
  } finally {
    guest.stop();
    await guest.ended;
    runProgram('debugfs', ['-R', `rdump / ${folder}`, disk]);
    for (const name of [
      'disk.img',
      'second.img',
      'initrd.gz',
      'lost+found',
      'setup.sh',
      'provoke.sh',
      'capture.sh',
      'sysctl',
      'kexec.args',
    ]) {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
  if (!existsSync(join(folder, 'vmcore'))) throw new Error(ended('no vmcore'));
  const dmesg = join(folder, 'vmcore-dmesg.txt');
  if (!scenario.dying.test(guest.text) && !(existsSync(dmesg) && scenario.dying.test(readFileSync(dmesg, 'latin1')))) {
    throw new EmulatorMishap(`${basename(folder)}: it died, but not of this: no ${scenario.dying} in its log`);
  }
}

/** The guest's initrd with modules laid over it. */
function withModules({ fetched, folder }: Plan, names: readonly string[]): string {
  const file = join(folder, 'initrd.gz');
  const overlay = packOverlay(place.kernel(fetched.kernel), names, {});
  writeFileSync(file, Buffer.concat([readFileSync(fetched.initrd), overlay]));
  return file;
}

/** The disk that the scenario asks for beside the guest's own. */
function secondDisk({ folder, scenario }: Plan): readonly Disk[] {
  if (scenario.disk === undefined) return [];
  const file = join(folder, 'second.img');
  writeFileSync(file, '');
  truncateSync(file, scenario.disk * 1024 * 1024);
  return [{ file, format: 'raw' }];
}

/** What a run is called: the kernel, the scenario, and whatever is not as usual. */
export function runName(kernel: Kernel, scenario: Scenario, options: RunOptions): string {
  const unusual = [
    options.format,
    options.level === undefined ? undefined : `d${options.level}`,
    options.raw ? 'raw' : undefined,
    options.cpu?.replace(/[^\w.-]+/g, '-'),
    options.cpus === undefined ? undefined : `${options.cpus}cpus`,
    options.memory === undefined ? undefined : `${options.memory}M`,
    options.nodes === undefined ? undefined : `${options.nodes}nodes`,
    options.append?.replace(/[^\w.-]+/g, '-'),
  ];
  return [kernel.name, scenario.name, ...unusual.filter((part) => part !== undefined)].join('-');
}

/** Follows the guest from its first line to its end. */
async function watch(guest: Guest, { scenario, format, folder, record }: Plan): Promise<void> {
  if (scenario.balloon !== undefined && (await guest.shows(/Linux version/, bootSilence))) {
    // told before there is a driver, which inflates as soon as there is one
    await guest.qmp('balloon', { value: (record.memory - scenario.balloon) * 1024 * 1024 });
  }
  if (!(await guest.shows(/^LAB READY/m, 300, bootSilence))) throw new EmulatorMishap('the guest did not come up');
  const problem = /^LAB FAILED (.*)$/m.exec(guest.text)?.[1];
  if (problem !== undefined) throw new Error(`the guest said: ${problem.trim()}`);
  say(`${basename(folder)}: picture taken, provoking`);
  if (scenario.host !== undefined) {
    await sleep(2000);
    await guest.qmp(scenario.host);
  }
  // A kernel may go straight to the capture kernel, without a word on the console: then its log has it.
  const signs = new RegExp(`${scenario.dying.source}|^LAB CAPTURED`, `${scenario.dying.flags}m`);
  if (!(await guest.shows(signs, scenario.patience ?? 180))) throw new Error(`no ${scenario.dying} on the console`);
  if (format.qemu !== undefined) {
    if (!(await guest.shows(/end Kernel panic/, 60))) throw new Error('the guest did not halt');
    say(`${basename(folder)}: dead, QEMU writes its memory`);
    await guest.qmp('stop');
    await guest.qmp('dump-guest-memory', {
      paging: false,
      protocol: `file:${join(folder, 'vmcore')}`,
      ...(format.qemu === 'elf' ? {} : { format: format.qemu }),
    });
    return;
  }
  say(`${basename(folder)}: dead, capturing`);
  const patience = scenario.patience ?? 300;
  if (!(await guest.shows(/^LAB CAPTURED/m, patience, Math.max(bootSilence, scenario.patience ?? 0))))
    throw new EmulatorMishap('the capture kernel did not finish');
  await guest.shows(/Power down|System halted/, 10);
}

/** QEMU's arguments for nodes of NUMA. */
function nodesOf(count: number, { memory, cpus }: RunRecord): string[] {
  const parts = (all: number) => Array.from({ length: count + 1 }, (_, n) => Math.floor((all * n) / count));
  const [megabytes, processors] = [parts(memory), parts(cpus)];
  return Array.from({ length: count }, (_, n) => [
    '-object',
    `memory-backend-ram,id=node${n},size=${megabytes[n + 1]! - megabytes[n]!}M`,
    '-numa',
    `node,nodeid=${n},memdev=node${n},cpus=${processors[n]}-${processors[n + 1]! - 1}`,
  ]).flat();
}

function commandLine({ fetched, scenario, format, options }: Plan): string {
  const console = consoleOf[fetched.kernel.machine];
  const crash = format.capture === undefined ? 'panic=0' : 'crashkernel=256M panic=10';
  return [`console=${console}`, crash, scenario.append, options.append].filter(Boolean).join(' ');
}

/**
 * kexec asks /proc/kallsyms for _text, which arm64's kernels without KALLSYMS_ALL leave out: what lies before _stext is no text
 * to them. Without it, kexec 2.0.32 says of /proc/vmcore that the kernel is at -1, and reading there is an oops of the capture
 * kernel. The image's head before _stext is 64 KiB (arch/arm64/kernel/vmlinux.lds.S).
 */
const kexecWithText = `kexec() {
  if grep -q ' _text$' /proc/kallsyms; then command kexec "$@"; return; fi
  stext=$(sed -n 's/ T _stext$//p' /proc/kallsyms)
  { printf '%x T _text\\n' $((0x$stext - 0x10000)); cat /proc/kallsyms; } > /tmp/kallsyms
  mount --bind /tmp/kallsyms /proc/kallsyms
  command kexec "$@"
  umount /proc/kallsyms
  rm /tmp/kallsyms
}
`;

/** The guest's disk: an ext4 file system with what this run wants, and room for what comes back. */
function makeDisk({ fetched, folder, scenario, format, record, options }: Plan): string {
  const disk = join(folder, 'disk.img');
  const files = mkdtempSync(join(folder, 'files-'));
  const sysctl = Object.entries(scenario.sysctl ?? {}).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(files, 'sysctl'), sysctl.join(''));
  const ownText = format.capture !== undefined && fetched.kernel.machine === 'aarch64' ? kexecWithText : '';
  writeFileSync(join(files, 'setup.sh'), ownText + (scenario.setup ?? ''));
  writeFileSync(join(files, 'provoke.sh'), scenario.provoke);
  if (format.capture !== undefined) {
    writeFileSync(
      join(files, 'kexec.args'),
      `console=${consoleOf[fetched.kernel.machine]} irqpoll nr_cpus=1 reset_devices`,
    );
    const dmesg = 'makedumpfile --dump-dmesg /proc/vmcore /lab/vmcore-dmesg.txt\n';
    writeFileSync(
      join(files, 'capture.sh'),
      format.capture(record.level) + dmesg + (options.raw ? 'cp /proc/vmcore /lab/vmcore.raw\n' : ''),
    );
  }
  writeFileSync(disk, '');
  truncateSync(disk, (record.memory * (options.raw ? 3 : 2) + 256) * 1024 * 1024);
  runProgram('mkfs.ext4', ['-q', '-F', '-E', 'root_owner=0:0', '-d', files, disk]);
  rmSync(files, { recursive: true });
  return disk;
}

/** @throws Error when the folder is not a run's */
export function readRecord(folder: string): RunRecord {
  const file = join(folder, 'run.json');
  if (!existsSync(file)) throw new Error(`${folder}: not a run of the lab (no run.json)`);
  return JSON.parse(readFileSync(file, 'utf8')) as RunRecord;
}
