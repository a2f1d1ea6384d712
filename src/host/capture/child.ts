// Programs that run for the capture, each with a time limit: what hangs is killed, and the next step goes on.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface Ended {
  /** It ended by itself, with status 0. */
  readonly isGood: boolean;
  /** What went wrong, in words; empty where nothing did. */
  readonly problem: string;
  readonly output: string;
  /** Somebody else killed it: where memory is short, the kernel. */
  readonly wasKilled: boolean;
}

export interface ChildOptions {
  readonly seconds: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Takes standard output, which is then not in `output`. */
  readonly reader?: (output: Readable, child: ChildProcess) => Promise<void>;
  readonly input?: Buffer;
}

/** Most of what a program says that is kept. */
const mostOutput = 1 << 20;

/** Kills a program that was started as a group, and what it started. */
export function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL'); // it ended meanwhile, or has no group
  }
}

/** Runs a program to its end, or to the end of its time. Throws nothing. */
export function runChild(
  program: string,
  args: readonly string[],
  { seconds, env, reader, input }: ChildOptions,
): Promise<Ended> {
  return new Promise((resolve) => {
    let output = '';
    let errors = '';
    let problem = '';
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      detached: true, // a group of its own, so that it ends with all that it started
    });
    const timer = setTimeout(() => {
      problem = `it took longer than ${seconds} s`;
      killGroup(child);
      // what waits in the kernel, for a dead disk or server, is not killed by this: it is not waited for
      child.stdout.destroy();
      child.stderr.destroy();
      end(null, problem);
    }, seconds * 1000);
    const kept = (text: string, chunk: Buffer): string => (text.length > mostOutput ? text : text + chunk.toString());
    child.stderr.on('data', (chunk: Buffer) => {
      errors = kept(errors, chunk);
    });
    let reading: Promise<void> = Promise.resolve();
    if (reader === undefined) {
      child.stdout.on('data', (chunk: Buffer) => {
        output = kept(output, chunk);
      });
    } else {
      reading = reader(child.stdout, child).catch((error: unknown) => {
        problem ||= error instanceof Error ? error.message : String(error);
        killGroup(child);
      });
    }
    child.stdin.on('error', () => undefined); // it does not read
    child.stdin.end(input);
    const end = (status: number | null, why: string, wasKilled = false): void => {
      clearTimeout(timer);
      void reading.then(() => {
        const lines = errors.split(/[\r\n]+/).map((line) => line.trim());
        const said = lines
          .filter((line) => line !== '')
          .slice(-3)
          .join('; ');
        const bad = problem !== '' ? problem : status === 0 ? '' : said !== '' ? said : why;
        resolve({ isGood: bad === '', problem: bad, output, wasKilled: wasKilled && problem === '' });
      });
    };
    child.on('error', (error) => end(null, error.message));
    child.on('close', (status, signal) =>
      end(status, signal === null ? `exit status ${status}` : `killed by ${signal}`, signal === 'SIGKILL'),
    );
  });
}
