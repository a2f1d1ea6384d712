// What is checked: a run of the lab, or a dump from elsewhere with a picture of /proc taken just before (proc.tar.zst), which
// stands in for one.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kernelNamed, type MachineKind } from './kernels.ts';
import { Picture } from './picture.ts';
import { type RunRecord, readRecord } from './run.ts';
import type { ExpectedVerdict, Scenario } from './scenario.ts';
import { scenarioNamed } from './scenarios/index.ts';

export interface Judged {
  readonly picture: Picture;
  readonly record: RunRecord;
  readonly scenario: Pick<Scenario, 'verdict' | 'moves'>;
  readonly machine: MachineKind;
  /** Takes away what was unpacked. */
  close(): void;
}

/** What a dump from elsewhere does not tell of itself; test/levels/truth.json has it. */
export interface Told {
  readonly verdict: ExpectedVerdict;
  /** Why memory and processes at the crash differ much from the picture. */
  readonly moves?: string;
  /** makedumpfile's dump level. */
  readonly level: number;
}

/** @param told of a dump from elsewhere @throws Error when the folder is neither */
export function judged(folder: string, told: Told | null): Judged {
  if (told === null || existsSync(join(folder, 'run.json'))) {
    const record = readRecord(folder);
    return {
      picture: new Picture(join(folder, 'picture')),
      record,
      scenario: scenarioNamed(record.scenario),
      machine: kernelNamed(record.kernel).machine,
      close: () => {},
    };
  }
  const work = mkdtempSync(join(tmpdir(), 'lab-given-'));
  const unpacked = spawnSync('tar', ['--zstd', '-xf', join(folder, 'proc.tar.zst'), '-C', work], { encoding: 'utf8' });
  if (unpacked.status !== 0) throw new Error(`${folder}: ${unpacked.stderr}`);
  const proc = join(work, 'proc');
  if (existsSync(join(proc, 'dmesg.txt'))) renameSync(join(proc, 'dmesg.txt'), join(proc, 'dmesg'));
  const version = readFileSync(join(proc, 'version'), 'utf8');
  const cpuinfo = readFileSync(join(proc, 'cpuinfo'), 'utf8');
  const picture = new Picture(proc);
  return {
    picture,
    record: {
      kernel: '',
      release: /^Linux version (\S+)/.exec(version)?.[1] ?? '',
      scenario: '',
      format: 'given',
      level: told.level,
      memory: Math.round((picture.memory('MemTotal') ?? 0) / 1024),
      cpus: cpuinfo.match(/^processor\s*:/gm)?.length ?? 1,
    },
    scenario: told,
    machine: /^CPU implementer/m.test(cpuinfo) ? 'aarch64' : 'x86_64',
    close: () => rmSync(work, { recursive: true }),
  };
}
