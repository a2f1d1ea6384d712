// Holds inquest against what dead kernels said about themselves: for each folder of DUMPS with a vmcore and
// a picture of /proc taken just before (proc.tar.zst), counts what was compared and what of it is wrong, and fails if less
// was compared or more is wrong than recorded. What is wrong and accepted has its reason in the record (`because`).
//
//   node scripts/check-truth.ts DUMPS [--record]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { analyse, backtracer, CommandContext, type Kernel, openDump, readLog } from '../src/index.ts';
import { logTimestamp } from '../src/kernel/printk.ts';
import { parentPid } from '../src/kernel/sched.ts';

/** What was compared, and what of it was wrong. Things that the world moved on from are not wrong. */
interface Score {
  readonly compared: number;
  readonly wrong: readonly string[];
}
interface FactLevel {
  /** Least that is compared. */
  readonly compared: number;
  /** Most that may be wrong. */
  readonly wrong: number;
  /** Why that is not mended; null where nothing is wrong. */
  readonly because: string | null;
}
interface Level {
  readonly verdict: string;
  readonly facts: Readonly<Record<string, FactLevel>>;
}

const levelFile = new URL('../test/levels/truth.json', import.meta.url);

/** Functions that /proc/PID/stack leaves out: the scheduler's (.sched.text). */
const scheduling =
  /^(__?schedule\w*|schedule\w*|io_schedule\w*|wait_for_completion\w*|__wait_for_common|__mutex_lock\w*|mutex_lock\w*|(rwsem_)?down_\w+|__down\w*|do_nanosleep|\w*lock_slowpath|preempt_schedule\w*|__switch_to)(\.\w+)*$/;

const checks: Record<string, (kernel: Kernel, picture: string) => Score> = {
  tasks(kernel, picture) {
    const wrong: string[] = [];
    let compared = 0;
    let gone = 0;
    for (const line of lines(picture, 'ps.txt').slice(1)) {
      const [pid, ppid] = line.trim().split(/\s+/);
      const task = kernel.tasks.byPid(Number(pid));
      if (task === null) {
        gone++;
        continue;
      }
      compared++;
      const parent = parentPid(task);
      // an orphan goes to init
      if (parent !== Number(ppid) && parent !== 1) wrong.push(`pid ${pid}: parent ${parent}, not ${ppid}`);
    }
    // between the picture and the crash a few short-lived tasks end (the picture's own among them)
    if (gone > 5) wrong.push(...new Array<string>(gone - 5).fill('a task of the picture is missing'));
    return { compared, wrong };
  },
  modules(kernel, picture) {
    const expected = lines(picture, 'modules').map((line) => {
      const [name, size, , , state, address] = line.split(' ');
      return `${name} ${size} ${state} ${address}`;
    });
    const actual = new Set(
      kernel.modules.map((m) => `${m.name} ${m.size} ${m.state} 0x${m.base.toString(16).padStart(16, '0')}`),
    );
    // ext4 and what it needs may be loaded for the picture alone
    return { compared: expected.length, wrong: expected.filter((line) => !actual.has(line)) };
  },
  symbols(kernel, picture) {
    const wrong: string[] = [];
    const expected = lines(picture, 'kallsyms').filter((line) => !line.includes('\t['));
    const told = new Set(expected);
    let i = 0;
    for (const { address, type, name } of kernel.symbols.kernel?.all() ?? []) {
      const line = `${address.toString(16).padStart(16, '0')} ${type} ${name}`;
      // data that kallsyms leaves out and that was found by search
      if (type === 'D' && kernel.symbols.notes.length > 0 && !told.has(line)) continue;
      if (line !== expected[i]) wrong.push(`${line}, not ${expected[i]}`);
      i++;
    }
    if (i !== expected.length) wrong.push(`${i} symbols, not ${expected.length}`);
    return { compared: expected.length, wrong };
  },
  log(kernel, picture) {
    const expected = lines(picture, 'dmesg.txt');
    const actual = readLog(kernel).flatMap(({ timestampNs, text }) =>
      text.split('\n').map((line) => `${logTimestamp(timestampNs ?? 0n)} ${line}`.trimEnd()),
    );
    return { compared: expected.length, wrong: expected.filter((line, i) => line.trimEnd() !== actual[i]) };
  },
  stacks(kernel, picture) {
    const wrong: string[] = [];
    let compared = 0;
    for (const task of kernel.tasks.all) {
      const file = join(picture, String(task.pid), 'stack');
      if (task.active || task.idle || !existsSync(file)) continue;
      const expected = readFileSync(file, 'latin1')
        .split('\n')
        .map((line) => /^\[<0>\] ([^+]+)/.exec(line)?.[1] ?? '')
        .filter((name) => name !== '' && !scheduling.test(name));
      const { frames } = backtracer(kernel).of(task);
      const actual = frames.map((frame) => frame.place?.symbol.name ?? '?').filter((name) => !scheduling.test(name));
      // a task that sleeps elsewhere by now has moved on; one that sleeps there must have these frames and no other
      if (expected[0] !== actual[0]) continue;
      compared++;
      if (expected.join() !== actual.join()) wrong.push(`pid ${task.pid}: ${actual.join()}, not ${expected.join()}`);
    }
    return { compared, wrong };
  },
};

function lines(picture: string, name: string): string[] {
  const file = join(picture, name);
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : [];
}

const [folder, option] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: check-truth.ts DUMPS [--record]');
  process.exit(2);
}
const recorded = (existsSync(levelFile) ? JSON.parse(readFileSync(levelFile, 'utf8')) : {}) as Record<string, Level>;
const reached: Record<string, Level> = {};
let worse = false;
for (const name of readdirSync(folder).sort()) {
  const dump = join(folder, name, 'vmcore');
  const archive = join(folder, name, 'proc.tar.zst');
  if (!existsSync(dump) || !existsSync(archive)) continue;
  const work = mkdtempSync(join(tmpdir(), 'truth-'));
  try {
    const unpack = spawnSync('tar', ['--zstd', '-xf', archive, '-C', work]);
    if (unpack.status !== 0) throw new Error(`${archive}: ${unpack.stderr}`);
    const kernel = openDump(dump);
    const { kind, rip, comm, cpu } = analyse(new CommandContext(kernel)).panic;
    const verdict = `${kind}, ${rip?.symbol ?? 'no symbol'}${rip?.module == null ? '' : ` [${rip.module}]`}, ${comm} on CPU ${cpu}`;
    const level = recorded[name];
    const facts: Record<string, FactLevel> = {};
    console.log(`${name}: ${verdict}`);
    if (level !== undefined && level.verdict !== verdict && option !== '--record') {
      worse = true;
      console.log(`  WORSE: the verdict was ${level.verdict}`);
    }
    for (const [fact, check] of Object.entries(checks)) {
      const score = kernel.faults.collect(() => check(kernel, join(work, 'proc'))).value;
      const before = level?.facts[fact] ?? { compared: 0, wrong: 0, because: null };
      const wrong = score.wrong.length;
      const because = wrong === 0 ? null : before.because;
      facts[fact] = { compared: score.compared, wrong, because };
      const isWorse = option !== '--record' && (wrong > before.wrong || score.compared < before.compared);
      const lacksReason = wrong > 0 && because === null;
      if (isWorse || lacksReason) worse = true;
      console.log(
        `  ${isWorse ? 'WORSE ' : ''}${fact}: ${score.compared} compared, ${wrong} wrong${lacksReason ? ', and no reason is recorded' : because === null ? '' : ` (${because})`}`,
      );
      if (isWorse || lacksReason) for (const line of score.wrong.slice(0, 5)) console.log(`    ${line}`);
    }
    reached[name] = { verdict, facts };
  } finally {
    rmSync(work, { recursive: true });
  }
}
if (option === '--record') writeFileSync(levelFile, `${JSON.stringify(reached, null, 2)}\n`);
process.exitCode = worse ? 1 : 0;
