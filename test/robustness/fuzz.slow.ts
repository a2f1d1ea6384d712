// Breaks a dump in many ways and looks what the program makes of it:
//
//   node test/robustness/fuzz.slow.ts DUMP [N] [KIND]...
//
// KIND is what is broken: the `file`, `words` of known structures, a `page` that the report reads, or a page
// `excluded`; or `process`: the file, looked at by processes of their own. All if none is given.
//
// Each case is run in a process that is watched from outside: one that takes ten seconds, or more memory
// than `room`, or that hangs or ends, is a failure like any other. The same case comes back with the same number:
// `node test/robustness/fuzz.slow.ts DUMP --case KIND SEED`.
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { InquestError } from '../../src/base/errors.ts';
import type { Dump } from '../../src/dump/dump.ts';
import { openDump } from '../../src/dump/open.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { alterPage, alterWords, pagesRead, targetsOf } from './alter.ts';
import { AlteredMemory, withMemory } from './altered_memory.ts';
import { checkText, commandLines, exercise, type Problem, stackOf } from './exercise.ts';
import { Dice, mutateFile } from './mutate.ts';

/** Milliseconds until a case is believed to hang: long, for the machine may have other work. */
const patience = 60_000;
/** MiB that the process may take, with the good dump's bytes (read here to be broken) beside. */
const room = 500;
/** Commands run for one case beside the report. */
const commandsPerCase = 12;

const kinds = ['file', 'words', 'page', 'excluded', 'process'] as const;
type Kind = (typeof kinds)[number];

interface CaseResult {
  readonly kind: Kind;
  readonly seed: number;
  readonly name: string;
  /** Of the processor. */
  readonly ms: number;
  /** Most MiB the process took until now, beyond what it had before its first case. */
  readonly grown: number;
  readonly problems: readonly Problem[];
}

/** Runs cases 0 to n of one kind, starting a new process after one that failed to end well. */
async function fuzz(dump: string, kind: Kind, n: number): Promise<number> {
  let failures = 0;
  let slowest = 0;
  let largest = 0;
  const report = (seed: number, name: string, text: string): void => {
    failures++;
    console.log(`FAILED --case ${kind} ${seed}: ${name}\n    ${text.replaceAll('\n', '\n    ')}`);
  };
  for (let seed = 0; seed < n; ) {
    const child = spawn(
      process.execPath,
      ['--expose-gc', fileURLToPath(import.meta.url), dump, '--worker', kind, String(seed), String(n)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const { end, next } = await watch(
      child,
      (result) => {
        seed = result.seed + 1;
        slowest = Math.max(slowest, result.ms);
        largest = Math.max(largest, result.grown);
        for (const { where, what } of result.problems) report(result.seed, result.name, `${where}: ${what}`);
        if (result.ms > 10_000) report(result.seed, result.name, `took ${result.ms} ms`);
        if (result.grown > room) {
          report(result.seed, result.name, `the process grew by ${result.grown} MiB`);
          child.kill('SIGKILL');
        }
      },
      seed,
    );
    if (end !== null && seed < n && seed === next) report(seed++, '', end);
  }
  console.log(
    `${kind}: ${n} cases of ${dump}, ${failures} failed; slowest ${slowest} ms, grew by at most ${largest} MiB`,
  );
  return failures;
}

/** Reads results until the process ends. @returns how it ended if not well, and the case it was at */
function watch(
  child: ChildProcessByStdio<null, Readable, null>,
  result: (result: CaseResult) => void,
  first: number,
): Promise<{ end: string | null; next: number }> {
  let next = first;
  let text = '';
  let late = false;
  const alarm = (): NodeJS.Timeout =>
    setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, patience + 5_000);
  let timer = alarm();
  return new Promise((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      clearTimeout(timer);
      timer = alarm();
      text += chunk.toString();
      const lines = text.split('\n');
      text = lines.pop()!;
      for (const line of lines) {
        const parsed = JSON.parse(line) as CaseResult;
        next = parsed.seed + 1;
        result(parsed);
      }
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const end = late ? `no end after ${patience} ms` : code === 0 ? null : `the process ended: ${code ?? signal}`;
      resolve({ end, next });
    });
  });
}

/** Runs cases in this process, and prints a line of JSON for each. */
function work(dumpPath: string, kind: Kind, from: number, to: number, verbose = false): void {
  const directory = mkdtempSync(join(tmpdir(), 'inquest-fuzz-'));
  try {
    const runner = runners[kind](dumpPath, join(directory, 'vmcore'));
    const before = process.resourceUsage().maxRSS;
    for (let seed = from; seed < to; seed++) {
      const started = process.cpuUsage();
      let name = '';
      let problems: readonly Problem[];
      try {
        const run = runner(seed, commandsOf(seed));
        if (run === null) break; // no more cases of this kind
        ({ name, problems } = run);
      } catch (error) {
        if (error instanceof InquestError) problems = [];
        else problems = [{ where: 'open', what: stackOf(error) }];
      }
      const { user, system } = process.cpuUsage(started); // not time, which other work on the machine takes too
      const ms = Math.round((user + system) / 1000);
      const grown = Math.round((process.resourceUsage().maxRSS - before) / 1024);
      const result: CaseResult = { kind, seed, name, ms, grown, problems };
      if (verbose) console.dir(result, { depth: null, maxStringLength: null });
      else process.stdout.write(`${JSON.stringify(result)}\n`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Some of the command lines, others for each case. */
function commandsOf(seed: number): string[] {
  const dice = new Dice(seed + 1_000_000);
  return Array.from({ length: commandsPerCase }, () => dice.pick(commandLines));
}

type Runner = (seed: number, commands: readonly string[]) => { name: string; problems: readonly Problem[] } | null;

const runners: Record<Kind, (dumpPath: string, scratch: string) => Runner> = {
  file: (dumpPath, scratch) => {
    const good = readFileSync(dumpPath);
    return (seed, commands) => {
      const { name, bytes } = mutateFile(good, seed);
      writeFileSync(scratch, bytes);
      let dump: Dump;
      try {
        dump = openDump([scratch]);
      } catch (error) {
        if (!(error instanceof InquestError)) return { name, problems: [{ where: 'open', what: stackOf(error) }] };
        return { name, problems: [] };
      }
      try {
        return { name, problems: exercise(dump, commands) };
      } finally {
        dump.close();
      }
    };
  },
  process: (dumpPath, scratch) => {
    const good = readFileSync(dumpPath);
    return (seed, commands) => {
      const { name, bytes } = mutateFile(good, seed);
      writeFileSync(scratch, bytes);
      const lines = commands.slice(0, 4).flatMap((line) => ['-c', line]);
      const job = (['report', 'info', 'log', 'oops', 'crash'] as const)[seed % 5]!;
      return { name, problems: runProcess([job, scratch, ...(job === 'crash' ? lines : [])]) };
    };
  },
  words: (dumpPath) => {
    const dump = openDump([dumpPath]);
    const kernel = openKernel(dump);
    const targets = targetsOf(kernel);
    return (seed, commands) => {
      const memory = new AlteredMemory(dump.memory);
      const name = alterWords(kernel, memory, targets, seed) ?? 'nothing';
      return { name, problems: exercise(withMemory(dump, memory), commands) };
    };
  },
  page: (dumpPath) => {
    const dump = openDump([dumpPath]);
    const pfns = readByReport(dump);
    return (seed, commands) => {
      const memory = new AlteredMemory(dump.memory);
      const name = alterPage(memory, pfns, seed);
      return { name, problems: exercise(withMemory(dump, memory), commands) };
    };
  },
  excluded: (dumpPath) => {
    const dump = openDump([dumpPath]);
    const pfns = readByReport(dump);
    return (seed, commands) => {
      const pfn = pfns[seed];
      if (pfn === undefined) return null;
      const memory = new AlteredMemory(dump.memory);
      const state = seed % 3 === 2 ? 'truncated' : 'excluded';
      memory.lose(pfn, state);
      return {
        name: `page frame 0x${pfn.toString(16)}, number ${seed} of ${pfns.length}: ${state}`,
        problems: exercise(withMemory(dump, memory), commands.slice(0, 4)),
      };
    };
  },
};

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
/** Tells on descriptor 3, at the end, the milliseconds of processor time and the MiB that the process took. */
const tellUsage = `data:text/javascript,import fs from "node:fs"; process.on("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  fs.writeSync(3, JSON.stringify([(userCPUTime + systemCPUTime) / 1000, maxRSS / 1024].map(Math.round)));
})`;

/** Runs the program on a dump, and holds the process to its limits. */
function runProcess(args: readonly string[]): Problem[] {
  const run = spawnSync(process.execPath, ['--import', tellUsage, main, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    timeout: patience,
    maxBuffer: 1 << 28,
  });
  const where = args.filter((arg) => !arg.includes('/')).join(' ');
  const problems = checkText(where, run.stdout + run.stderr);
  const [ms, memory] = JSON.parse(run.output[3] || '[0, 0]') as [number, number];
  if (ms > 10_000) problems.push({ where, what: `took ${ms} ms` });
  if (memory > room) problems.push({ where, what: `took ${memory} MiB` });
  if (run.status !== 0 && run.status !== 1 && !(args[0] === 'oops' && run.status === 3)) {
    problems.push({ where, what: `ended with ${run.status ?? run.signal}: ${run.stderr.slice(0, 500)}` });
  }
  if (run.status === 1 && args[0] !== 'crash' && !/^inquest: [^\n]+\n/m.test(run.stderr)) {
    problems.push({ where, what: `failed without a line that says why: ${JSON.stringify(run.stderr.slice(0, 500))}` });
  }
  return problems;
}

/** Page frames that the report reads and that are there. */
function readByReport(dump: Dump): number[] {
  return pagesRead(dump, (memory) => exercise(withMemory(dump, memory), [])).filter(
    (pfn) => dump.memory.pageState(pfn as Parameters<Dump['memory']['pageState']>[0]) === 'present',
  );
}

const [path = 'samples/vmcore', ...rest] = process.argv.slice(2);
if (!existsSync(path)) console.log(`${path} is not there: nothing to break`);
else if (rest[0] === '--worker') work(path, rest[1] as Kind, Number(rest[2]), Number(rest[3]));
else if (rest[0] === '--case') work(path, rest[1] as Kind, Number(rest[2]), Number(rest[2]) + 1, true);
else {
  const chosen = rest.length > 1 ? (rest.slice(1) as Kind[]) : kinds;
  let failures = 0;
  for (const kind of chosen) failures += await fuzz(path, kind, Number(rest[0] ?? 25));
  process.exitCode = failures > 0 ? 1 : 0;
}
