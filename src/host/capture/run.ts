// What runs in the capture kernel: the log and the verdict to every target first, then the mini dump, then the dump itself.
// Each step has its time; what fails is told, and the next one goes on.

import { createSocket } from 'node:dgram';
import { existsSync, readdirSync, readFileSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { assertNever, messageOf } from '../../base/errors.ts';
import { escapeLine } from '../../base/text.ts';
import type { Analysis } from '../../triage/analysis.ts';
import { targetText } from '../config/capture_config.ts';
import { type CapturePlan, hookFolder, type NetworkSetup, type PlannedTarget } from '../initramfs/capture_plan.ts';
import { captureStatus } from '../initramfs/init_script.ts';
import { type Ended, runChild } from './child.ts';
import { openFolder } from './folder_target.ts';
import { openHttps } from './https_target.ts';
import type { CrashName, OpenTarget } from './open_target.ts';
import { openRaw } from './raw_target.ts';
import { type CaptureRecord, Recorder } from './record.ts';
import { openSsh } from './ssh_target.ts';

/** How this program is started for a step: what the verdict is made by, and what saves. */
export interface CapturePrograms {
  /** Words before the program's own: Node and the bundle. */
  readonly self: readonly string[];
  /** The same for steps that read little, with less memory; each for when the one before was killed. */
  readonly frugal: readonly (readonly string[])[];
  readonly vmcore: string;
  /** makedumpfile, where it came along; null without it. */
  readonly makedumpfile: string | null;
  /** Folder for what lies between steps. */
  readonly scratch: string;
}

/** A program that writes a dump: into the target's folder, or to standard output for a stream. */
interface SaveCommand {
  /** Of the file at the target. */
  readonly name: string;
  readonly command: readonly string[];
  /** What it writes until it is whole; null where it sees to that by itself. */
  readonly incomplete: string | null;
}

/** Files that the verdict's step makes, and that every target gets. */
const verdictFiles = ['vmcore-dmesg.txt', 'verdict.txt', 'verdict.json'] as const;

/** Does everything that is configured. @returns the exit status for the script that started it */
export async function runCapture(plan: CapturePlan, programs: CapturePrograms): Promise<number> {
  const recorder = new Recorder((line) => console.log(line));
  try {
    return await new Capture(plan, programs, recorder).run();
  } finally {
    recorder.end();
  }
}

class Capture {
  readonly #plan: CapturePlan;
  readonly #programs: CapturePrograms;
  readonly #recorder: Recorder;
  #crash: CrashName;
  #crashTime: number | null = null;
  #hookEnvironment: Record<string, string> = {};

  constructor(plan: CapturePlan, programs: CapturePrograms, recorder: Recorder) {
    this.#plan = plan;
    this.#programs = programs;
    this.#recorder = recorder;
    this.#crash = { stamp: stampOf(new Date()), hostname: plan.hostname };
  }

  async run(): Promise<number> {
    const { config, targets, root } = this.#plan;
    await this.#verdict();
    await this.#assemble();
    await this.#hooks('before');
    const open = await this.#reach(targets);
    if (open.length === 0 && root !== null) {
      this.#recorder.say('no target was reached: the dump goes to the root file system');
      open.push(...(await this.#reach([root])));
    }
    for (const target of open) await this.#putVerdict(target);
    let isComplete = open.length === targets.length;
    if (config.mini) for (const target of open) isComplete = (await this.#save(target, 'mini')) && isComplete;
    let isSaved = !config.full && open.length > 0;
    if (config.full) {
      for (const target of open) {
        const good = await this.#save(target, 'full');
        isSaved ||= good;
        isComplete &&= good;
        if (good && !config.everyTarget) break;
      }
    }
    await this.#hooks(isSaved ? 'after' : 'failure');
    await this.#finish(open, isComplete && isSaved);
    return isSaved ? captureStatus.saved : captureStatus.failed;
  }

  /** The log and the verdict, on the console, by UDP and into pstore. */
  async #verdict(): Promise<void> {
    const { frugal, vmcore, scratch } = this.#programs;
    const { config } = this.#plan;
    for (const [node = '', ...words] of frugal) {
      let wasKilled = false;
      await this.#recorder.step('verdict', vmcore, 'inquest', async () => {
        const args = [...words, 'kdump', 'capture-verdict', vmcore, scratch];
        // the log alone has its verdict long before all that memory tells: who looks at the console may go by it
        const reader = async (output: Readable): Promise<void> => {
          let text = '';
          for await (const chunk of output) {
            text += String(chunk);
            if (text.endsWith('\n')) this.#recorder.reached('its log', `VERDICT of the log alone: ${text.trimEnd()}`);
          }
        };
        const ended = await runChild(node, args, { seconds: config.limits.verdict, reader });
        wasKilled = ended.wasKilled;
        return ended.problem;
      });
      if (!wasKilled) break;
    }
    await this.#verdictOfLog();
    const verdict = readVerdict(`${scratch}/verdict.json`);
    this.#crashTime = verdict?.crashTime ?? null;
    if (this.#crashTime !== null) this.#crash = { ...this.#crash, stamp: stampOf(new Date(this.#crashTime * 1000)) };
    this.#hookEnvironment = {
      INQUEST_VERDICT: verdict?.title ?? '',
      INQUEST_VERDICT_FILE: `${scratch}/verdict.json`,
      INQUEST_SIGNATURE: verdict?.signature ?? '',
      INQUEST_RELEASE: this.#plan.release,
      INQUEST_HOSTNAME: this.#plan.hostname,
      INQUEST_CRASH_TIME: String(this.#crashTime ?? ''),
    };
    const sentence = verdict === null ? 'no verdict: see the log' : verdict.title;
    this.#recorder.say(`VERDICT: ${sentence}`);
    if (this.#plan.network !== null) await this.#network(this.#plan.network);
    if (config.netconsole !== null)
      await this.#recorder.step('network', config.netconsole, 'UDP', () =>
        sendUdp(config.netconsole!, `inquest: ${this.#plan.hostname}: ${sentence}\n`),
      );
    if (existsSync('/dev/pmsg0'))
      await this.#recorder.step('verdict', '/dev/pmsg0', '', async () => {
        writeFileSync('/dev/pmsg0', `inquest: ${sentence}\n`);
        return '';
      });
  }

  /** Where not even the log's verdict was made beside the dump: a process that reads the log alone takes a third of the memory. */
  async #verdictOfLog(): Promise<void> {
    const { frugal, scratch, makedumpfile, vmcore } = this.#programs;
    const { limits } = this.#plan.config;
    const log = `${scratch}/vmcore-dmesg.txt`;
    const [node = '', ...words] = frugal.at(-1)!;
    if (existsSync(`${scratch}/verdict.json`)) return;
    if (!existsSync(log) && makedumpfile !== null)
      await this.#recorder.step('verdict', log, 'makedumpfile', async () => {
        const args = ['--message-level', '4', '--dump-dmesg', vmcore, log];
        return (await runChild(makedumpfile, args, { seconds: limits.verdict })).problem;
      });
    if (!existsSync(log)) return;
    await this.#recorder.step('verdict', log, 'inquest', async () => {
      for (const [format, name] of [
        ['json', 'verdict.json'],
        ['text', 'verdict.txt'],
      ] as const) {
        const args = [...words, 'report', '--format', format, log];
        const { isGood, problem, output } = await runChild(node, args, { seconds: limits.verdict });
        if (!isGood) return problem;
        writeFileSync(`${scratch}/${name}`, output);
      }
      return '';
    });
  }

  /** Puts logical volumes and arrays together. */
  async #assemble(): Promise<void> {
    const seconds = this.#plan.config.limits.target;
    const run = (program: string, args: readonly string[]) => async (): Promise<string> =>
      (await runChild(program, args, { seconds })).problem;
    if (this.#plan.needsMd)
      await this.#recorder.step('reach', 'md arrays', 'mdadm', run('mdadm', ['--assemble', '--scan', '--run']));
    if (this.#plan.needsLvm)
      await this.#recorder.step(
        'reach',
        'logical volumes',
        'lvm',
        run('lvm', ['vgchange', '-aay', '--sysinit', '--ignoremonitoring']),
      );
  }

  async #network({ mac, addresses, gateway }: NetworkSetup): Promise<void> {
    await this.#recorder.step('network', mac, '', async () => {
      let device: string | undefined;
      for (let turn = 0; turn < 50 && device === undefined; turn++) {
        device = readdirSync('/sys/class/net').find(
          (name) => readFileSync(`/sys/class/net/${name}/address`, 'latin1').trim() === mac,
        );
        if (device === undefined) await new Promise((resolve) => setTimeout(resolve, 200));
      }
      if (device === undefined) return `no network device has the address ${mac}`;
      const calls = [
        ['link', 'set', 'lo', 'up'],
        ['link', 'set', device, 'up'],
        ...addresses.map((address) => ['addr', 'add', address, 'dev', device!]),
        ...(gateway === null ? [] : [['route', 'add', 'default', 'via', gateway]]),
      ];
      for (const args of calls) {
        const { problem } = await runChild('ip', args, { seconds: 20 });
        if (problem !== '') return `ip ${args.join(' ')}: ${problem}`;
      }
      return '';
    });
  }

  async #reach(targets: readonly PlannedTarget[]): Promise<OpenTarget[]> {
    const open: OpenTarget[] = [];
    for (const [i, planned] of targets.entries()) {
      await this.#recorder.step('reach', targetText(planned.target), '', async () => {
        open.push(await this.#open(planned, `/mnt/${planned === this.#plan.root ? 'root' : i}`));
        return '';
      });
    }
    return open;
  }

  async #open(planned: PlannedTarget, at: string): Promise<OpenTarget> {
    const seconds = this.#plan.config.limits.target;
    switch (planned.target.kind) {
      case 'directory':
      case 'nfs':
      case 'virtiofs':
        return openFolder(planned, this.#crash, at, seconds);
      case 'raw':
        return openRaw(planned, this.#crash, seconds);
      case 'ssh':
        return openSsh(planned, this.#crash, seconds);
      case 'https':
        return openHttps(planned, this.#crash, seconds);
      default:
        return assertNever(planned.target);
    }
  }

  async #putVerdict(target: OpenTarget): Promise<void> {
    await this.#recorder.step('verdict', target.name, '', async () => {
      for (const name of verdictFiles) {
        const path = `${this.#programs.scratch}/${name}`;
        if (existsSync(path)) await target.put(name, readFileSync(path));
      }
      return '';
    });
  }

  /** Saves a dump by the first way that works. */
  async #save(target: OpenTarget, which: 'mini' | 'full'): Promise<boolean> {
    const attempt = async (by: string, commands: SaveCommand): Promise<{ done: boolean; wasKilled: boolean }> => {
      let wasKilled = false;
      const done = await this.#recorder.step(which, target.name, by, async () => {
        const ended = await this.#saveBy(target, which, commands);
        wasKilled = ended.wasKilled;
        return ended.problem;
      });
      return { done, wasKilled };
    };
    const { self, frugal, makedumpfile } = this.#programs;
    for (const program of which === 'mini' ? frugal : [self, ...frugal]) {
      const { done, wasKilled } = await attempt('inquest', this.#saveCommand(target, which, program));
      if (done) return true;
      // by the kernel, which had no memory left: the next one takes less
      if (!wasKilled) break;
    }
    if (which === 'mini') return false;
    if (makedumpfile !== null) {
      const { done } = await attempt('makedumpfile', this.#makedumpfileCommand(target, makedumpfile));
      if (done) return true;
    }
    return this.#hasRoom(target) && (await attempt('copy', this.#copyCommand(target))).done;
  }

  /** Whether the whole of the dead machine's memory fits. What is left of failed tries is counted as room. */
  #hasRoom(target: OpenTarget): boolean {
    if (target.kind !== 'folder') return true;
    const { bavail, bsize } = statfsSync(target.folder);
    const size = statSync(this.#programs.vmcore).size;
    if (bavail * bsize >= size) return true;
    this.#recorder.say(`full: ${target.name}: no room for a copy of ${(size / 2 ** 20).toFixed(0)} MiB`);
    return false;
  }

  #saveCommand(target: OpenTarget, which: 'mini' | 'full', program: readonly string[]): SaveCommand {
    const { config } = this.#plan;
    const isStream = target.kind === 'stream';
    const name = `${which === 'mini' ? 'vmcore.mini' : 'vmcore'}${isStream ? '.flat' : ''}`;
    // a higher level, where the target is full
    const levels = isStream || config.level === 31 ? String(config.level) : `${config.level},31`;
    const how = which === 'mini' ? ['--mini'] : ['-d', levels, '--compress', config.compression];
    const to = isStream ? '-' : `${target.folder}/${name}`;
    return {
      name,
      command: [...program, 'save', ...how, '--threads', '1', '-f', this.#programs.vmcore, to],
      // it renames by itself
      incomplete: null,
    };
  }

  #makedumpfileCommand(target: OpenTarget, makedumpfile: string): SaveCommand {
    // of its messages the errors alone, the others are progress; over what a failed try left
    const how = ['--message-level', '4', '-f', '-l', '-d', String(this.#plan.config.level), this.#programs.vmcore];
    if (target.kind === 'stream')
      return { name: 'vmcore.flat', command: [makedumpfile, '-F', ...how], incomplete: null };
    const incomplete = `${target.folder}/vmcore.incomplete`;
    return { name: 'vmcore', command: [makedumpfile, ...how, incomplete], incomplete };
  }

  #copyCommand(target: OpenTarget): SaveCommand {
    const { vmcore } = this.#programs;
    if (target.kind === 'stream') return { name: 'vmcore', command: ['cat', vmcore], incomplete: null };
    const incomplete = `${target.folder}/vmcore.incomplete`;
    return { name: 'vmcore', command: ['cp', vmcore, incomplete], incomplete };
  }

  async #saveBy(
    target: OpenTarget,
    which: 'mini' | 'full',
    { name, command, incomplete }: SaveCommand,
  ): Promise<Ended> {
    const seconds = this.#plan.config.limits[which];
    const [program = '', ...args] = command;
    if (target.kind === 'folder') {
      const ended = await runChild(program, args, { seconds });
      if (!ended.isGood || incomplete === null) return ended;
      return runChild('mv', [incomplete, `${target.folder}/${name}`], { seconds });
    }
    const ended = await runChild(program, args, {
      seconds,
      reader: (output) => target.send(name, output, seconds),
    });
    if (ended.isGood) await target.finish(name);
    return ended;
  }

  async #hooks(when: 'before' | 'after' | 'failure'): Promise<void> {
    const folder = `${hookFolder}/${when}`;
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder).sort()) {
      await this.#recorder.step('hook', `${when}/${name}`, '', async () => {
        const { problem } = await runChild(`${folder}/${name}`, [], {
          seconds: this.#plan.config.limits.target,
          env: this.#hookEnvironment,
        });
        return problem;
      });
    }
  }

  /** The record, to every target; then lets go of them. */
  async #finish(open: readonly OpenTarget[], isComplete: boolean): Promise<void> {
    const { steps, memory } = this.#recorder;
    this.#recorder.say(
      `at least ${(memory.least / 2 ** 20).toFixed(0)} of ${(memory.total / 2 ** 20).toFixed(0)} MiB were free`,
    );
    const record: CaptureRecord = {
      release: this.#plan.release,
      hostname: this.#plan.hostname,
      crashTime: this.#crashTime,
      startedAfter: this.#recorder.startedAfter(this.#crashTime),
      steps,
      memory,
      isComplete,
    };
    for (const target of open) {
      try {
        await target.put('capture.json', Buffer.from(`${JSON.stringify(record, null, 2)}\n`));
        await target.put('capture.log', Buffer.from(this.#recorder.log));
        await target.close();
      } catch (error) {
        this.#recorder.say(messageOf(error));
      }
    }
  }
}

/** `2026-11-21-194500` in UTC. */
function stampOf(time: Date): string {
  return time.toISOString().replace(/\..*$/, '').replace('T', '-').replaceAll(':', '');
}

/** What hooks and the console get of a verdict. */
interface VerdictWords {
  readonly title: string;
  readonly signature: string;
  /** Seconds since 1970. */
  readonly crashTime: number | null;
}

function readVerdict(path: string): VerdictWords | null {
  try {
    const { panic, kernel } = JSON.parse(readFileSync(path, 'utf8')) as Analysis;
    return {
      title: escapeLine(panic.message),
      signature: panic.signature ?? '',
      crashTime: kernel.crashTime === null ? null : Date.parse(kernel.crashTime) / 1000,
    };
  } catch {
    return null; // the step that makes it failed, and said why
  }
}

/** @param to `ADDRESS:PORT` */
function sendUdp(to: string, text: string): Promise<string> {
  const cut = to.lastIndexOf(':');
  const address = to.slice(0, cut).replace(/^\[(.*)\]$/, '$1');
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    socket.on('error', (error) => resolve(error.message));
    socket.send(Buffer.from(text), Number(to.slice(cut + 1)), address, (error) => {
      socket.close();
      resolve(error?.message ?? '');
    });
  });
}
