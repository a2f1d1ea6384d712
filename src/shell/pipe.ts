// A line of the system's shell that reads what a command writes, while the command runs.
//
// The command is synchronous, so whoever feeds its child must be able to block: writes go into a FIFO, which the
// kernel holds up until the child reads, and fails once the child has gone. A pipe made by Node would not do: its end
// belongs to the event loop, which does not turn while the command runs; a worker would cost a copy of all output.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FormatError } from '../base/errors.ts';
import type { Sink } from '../commands/run.ts';

/** The writing end of a pipe into `sh -c LINE`, whose own output goes where ours goes. */
export class ShellPipe implements Sink {
  private readonly fd: number;
  private readonly ended: Promise<void>;
  private open = true;

  /** @throws FormatError where no FIFO can be made or no shell be started */
  constructor(line: string) {
    const folder = mkdtempSync(join(tmpdir(), 'inquest-'));
    const path = join(folder, 'pipe');
    try {
      const made = spawnSync('mkfifo', ['-m', '600', path]);
      if (made.status !== 0) throw new FormatError('pipe', 'mkfifo(1) failed');
      // neither end can be opened alone without waiting for the other, but by one who will not wait
      const opener = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      this.fd = openSync(path, constants.O_WRONLY);
      const reader = openSync(path, constants.O_RDONLY);
      closeSync(opener);
      const child: ChildProcess = spawn('sh', ['-c', line], { stdio: [reader, 'inherit', 'inherit'] });
      closeSync(reader);
      this.ended = new Promise((resolve) => {
        child.on('close', () => resolve());
        child.on('error', () => resolve());
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  write(text: string): boolean {
    if (!this.open) return false;
    const bytes = Buffer.from(text);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
      this.open = false; // `head` has seen enough
    }
    return this.open;
  }

  /** Ends the input, and waits until the line has ended. */
  async close(): Promise<void> {
    closeSync(this.fd);
    await this.ended;
  }
}
