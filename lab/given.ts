// What is checked: a run of the lab, or a dump from elsewhere with a picture of /proc taken just before (proc.tar.zst), which
// is laid out as the lab's pictures are and then judged by the same facts.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { openDump } from '../src/dump/open.ts';
import { type Change, givenDumps, pictured, unmounted } from './given_dumps.ts';
import { kernelNamed, type MachineKind } from './kernels.ts';
import { Picture } from './picture.ts';
import { type RunRecord, readRecord } from './run.ts';
import type { Scenario } from './scenario.ts';
import { scenarioNamed } from './scenarios/index.ts';

/** What a kernel died of: of a dump that nobody described, nothing. */
export interface Death extends Partial<Pick<Scenario, 'moves' | 'provoke'>> {
  readonly verdict: Scenario['verdict'] | null;
}

export interface Judged {
  readonly picture: Picture;
  readonly record: RunRecord;
  readonly scenario: Death;
  readonly machine: MachineKind;
  /** Bytes. */
  readonly pageSize: number;
  /** What went between the picture and the crash, and why; null if nothing did. */
  readonly gone: Change | null;
  /** Slab caches that have more objects than the picture says, and why; null if none has. */
  readonly made: Change | null;
  /** Takes away what was unpacked. */
  close(): void;
}

/** @throws Error when the folder is neither */
export function judged(folder: string): Judged {
  if (existsSync(join(folder, 'proc.tar.zst'))) return unpacked(folder);
  const record = readRecord(folder);
  const { machine, pageSize } = kernelNamed(record.kernel);
  return {
    picture: new Picture(join(folder, 'picture')),
    record,
    scenario: scenarioNamed(record.scenario),
    machine,
    pageSize,
    gone: null,
    made: null,
    close: () => {},
  };
}

function unpacked(folder: string): Judged {
  const work = mkdtempSync(join(tmpdir(), 'lab-given-'));
  const close = (): void => rmSync(work, { recursive: true });
  try {
    const { status, stderr } = spawnSync('tar', ['--zstd', '-xf', join(folder, 'proc.tar.zst'), '-C', work], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${folder}: ${stderr}`);
    const proc = join(work, 'proc');
    layOut(proc);
    const picture = new Picture(proc);
    const cpuinfo = picture.text('cpuinfo') ?? '';
    return {
      picture,
      record: {
        kernel: '',
        release: /^Linux version (\S+)/.exec(picture.text('version') ?? '')?.[1] ?? '',
        scenario: '',
        format: 'given',
        level: openDump([join(folder, 'vmcore')]).info.level ?? 0,
        memory: Math.round((picture.memory('MemTotal') ?? 0) / 1024),
        cpus: cpuinfo.match(/^processor\s*:/gm)?.length ?? 1,
      },
      scenario: givenDumps[basename(folder)] ?? { verdict: null },
      machine: /^CPU implementer/m.test(cpuinfo) ? 'aarch64' : 'x86_64',
      pageSize: Number(/^KernelPageSize:\s+(\d+) kB$/m.exec(picture.text('1/smaps') ?? '')?.[1] ?? 4) * 1024,
      gone: unmounted,
      made: pictured,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Lays a picture that a shell took out as guest/picture.c does. What that one has and this has not stays away: a fact leaves
 * out what its picture does not tell.
 *
 *   dmesg.txt, sysctl.txt              -> dmesg, sysctl
 *   N/status, N/stat, N/stack          -> N/task/N/...        first threads alone
 *   N/fd.txt (ls -l), N/smaps, mounts  -> N/fd, N/smaps_rollup, 1/mounts
 */
export function layOut(proc: string): void {
  const made = (from: string, to: string, change: (text: string) => string): void => {
    const file = join(proc, from);
    if (existsSync(file)) writeFileSync(join(proc, to), change(readFileSync(file, 'utf8')));
  };
  made('dmesg.txt', 'dmesg', (text) => text);
  made('sysctl.txt', 'sysctl', (text) => text.replaceAll(/^(\S+) = /gm, '$1='));
  made('mounts', '1/mounts', (text) => text);
  for (const pid of readdirSync(proc).filter((name) => /^\d+$/.test(name))) {
    const task = join(pid, 'task', pid);
    mkdirSync(join(proc, task), { recursive: true });
    for (const file of ['status', 'stat', 'stack', 'comm']) {
      if (existsSync(join(proc, pid, file))) renameSync(join(proc, pid, file), join(proc, task, file));
    }
    made(`${pid}/fd.txt`, `${pid}/fd`, (text) =>
      [...text.matchAll(/ (\d+) -> (.*)$/gm)].map(([, fd, path]) => `${fd} ${path}\n`).join(''),
    );
    made(`${pid}/smaps`, `${pid}/smaps_rollup`, (text) =>
      ['Rss', 'Swap'].map((name) => `${name}: ${sumOf(text, name)} kB\n`).join(''),
    );
  }
}

/** Of a size that every mapping of a process has, in KiB. */
function sumOf(smaps: string, name: string): number {
  return [...smaps.matchAll(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'gm'))].reduce(
    (sum, [, size]) => sum + Number(size),
    0,
  );
}
