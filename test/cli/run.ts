// Runs the program as a user does: bundled, a process of its own, with what it printed and how it ended.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

let bundle: string | null = null;

/** The program, bundled when first asked for: it starts in a fifth of the time that its sources take. */
export function program(): string {
  if (bundle === null) {
    const cache = join(root, 'node_modules', '.cache'); // where the bundle finds the packages that it does not hold
    mkdirSync(cache, { recursive: true });
    const folder = mkdtempSync(join(cache, 'inquest-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), folder], { cwd: root });
    bundle = join(folder, 'inquest.js');
  }
  return bundle;
}

export interface Run {
  readonly status: number | null;
  /** The signal that ended it; null if it ended by itself. */
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Closes the reading end of standard output after so many bytes. */
  readonly closeAfter?: number;
  /** Ends it by SIGKILL when it took so long. Milliseconds; without it, it may take as long as it likes. */
  readonly timeout?: number;
  /** Told what the whole process took, if it ended by itself: seconds of processor time, and its most bytes of memory at a time. */
  readonly account?: (seconds: number, memory: number) => void;
}

/** Says at the end what the process took. */
const accountant = `data:text/javascript,${encodeURIComponent(`
  import { writeSync } from 'node:fs';
  import { isMainThread } from 'node:worker_threads';
  if (isMainThread) process.on('exit', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    writeSync(3, JSON.stringify([(userCPUTime + systemCPUTime) / 1e6, maxRSS * 1024]));
  });
`)}`;

/** @param args the command line behind `inquest` */
export function inquest(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const counted = options.account === undefined ? [] : ['--import', accountant];
  const child = spawn(process.execPath, [...counted, program(), ...args], {
    env: { ...process.env, ...options.environment },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    timeout: options.timeout,
    killSignal: 'SIGKILL',
  });
  const [input, output, errors] = [child.stdin as Writable, child.stdout as Readable, child.stderr as Readable];
  let account = '';
  (child.stdio[3] as Readable).on('data', (chunk: Buffer) => {
    account += chunk.toString();
  });
  let stdout = '';
  let stderr = '';
  output.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    if (options.closeAfter !== undefined && stdout.length >= options.closeAfter) output.destroy();
  });
  errors.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  input.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (account !== '') options.account?.(...(JSON.parse(account) as [number, number]));
      resolve({ status, signal, stdout, stderr });
    });
  });
}
