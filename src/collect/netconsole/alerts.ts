// A command is run for each incident. What is known of it stands in its environment and on its standard input, never in the
// words of a shell: it came from the wire. A command that fails is tried again, after a restart, too: each incident waits as
// a file in the spool until its command has ended well.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeenIncident } from './receiver.ts';

/** Between tries, in ms; then the last one again. */
const delays = [1000, 5000, 30_000, 300_000];
const maxSpooled = 10_000;
/** A command that runs longer is ended, in ms. */
const maxRuntime = 60_000;

/** An incident for a program: what `--json` prints, the command reads, and a server will store. */
export interface IncidentAlert extends SeenIncident {
  /** Names this alert: it stays the same when the command is tried again. */
  readonly id: string;
}

export class Alerts {
  private readonly command: string;
  private readonly spool: string;
  private readonly trouble: (sentence: string) => void;
  private readonly tries = new Map<string, number>();
  private readonly waiting: string[] = [];
  private running: string | null = null;
  private timer: NodeJS.Timeout | null = null;
  private ended = false;

  /** @param command for /bin/sh, which the operator wrote @param spool a directory */
  constructor(command: string, spool: string, trouble: (sentence: string) => void) {
    this.command = command;
    this.spool = spool;
    this.trouble = trouble;
    mkdirSync(spool, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(spool).sort()) if (/^[\w-]{1,80}\.json$/.test(name)) this.waiting.push(name);
    this.next();
  }

  add(alert: IncidentAlert): void {
    if (this.waiting.length >= maxSpooled) {
      this.trouble(`${maxSpooled} incidents wait for the command; one is left out`);
      return;
    }
    const name = `${alert.id}.json`;
    const path = join(this.spool, name);
    // the name stands for a whole file
    writeFileSync(`${path}.new`, JSON.stringify(alert), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    this.waiting.push(name);
    this.next();
  }

  /** Incidents whose command has not ended well yet. */
  get count(): number {
    return this.waiting.length + (this.running === null ? 0 : 1);
  }

  /** Starts no further command. What waits stays in the spool. */
  end(): void {
    this.ended = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private next(): void {
    if (this.ended || this.running !== null || this.timer !== null) return;
    const name = this.waiting.shift();
    if (name === undefined) return;
    let text: string;
    try {
      text = readFileSync(join(this.spool, name), 'utf8');
    } catch (error) {
      this.trouble(`${name}: cannot be read from the spool (${(error as NodeJS.ErrnoException).code})`);
      this.next();
      return;
    }
    this.running = name;
    this.run(text, (problem) => {
      this.running = null;
      if (problem === null) {
        rmSync(join(this.spool, name), { force: true });
        this.tries.delete(name);
        this.next();
        return;
      }
      const tries = this.tries.get(name) ?? 0;
      this.tries.set(name, tries + 1);
      if (tries === 0) this.trouble(`the command for an incident failed (${problem}); it is tried again`);
      this.waiting.push(name);
      this.timer = setTimeout(
        () => {
          this.timer = null;
          this.next();
        },
        delays[Math.min(tries, delays.length - 1)]!,
      );
      this.timer.unref();
    });
  }

  /** @param done is told what went wrong, or null */
  private run(text: string, done: (problem: string | null) => void): void {
    let told = false;
    const once = (problem: string | null): void => {
      if (told) return;
      told = true;
      clearTimeout(limit);
      done(problem);
    };
    const child = spawn('/bin/sh', ['-c', this.command], {
      env: { ...process.env, ...environment(JSON.parse(text) as IncidentAlert) },
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), maxRuntime);
    child.on('error', (error) => once(error.message));
    child.on('close', (code, signal) =>
      once(code === 0 ? null : signal === null ? `status ${code}` : `signal ${signal}`),
    );
    // a command need not read
    child.stdin.on('error', () => {});
    child.stdin.end(`${text}\n`);
  }
}

/** What a script needs most, as variables: no newlines or NULs in them. */
function environment({ id, host, file, received, incident }: IncidentAlert): Record<string, string> {
  const plain = (text: string): string => text.replace(/[\0-\x1f\x7f]/g, ' ');
  return {
    INQUEST_ID: id,
    INQUEST_HOST: host,
    INQUEST_FILE: file,
    INQUEST_TIME: new Date(received).toISOString(),
    INQUEST_KIND: incident.kind,
    INQUEST_TITLE: plain(incident.title),
    INQUEST_FUNCTION: plain(incident.guilty?.function ?? ''),
    INQUEST_SEVERITY: incident.severity,
    INQUEST_FATAL: incident.fatal ? '1' : '0',
    INQUEST_RELEASE: plain(incident.kernelRelease ?? ''),
    INQUEST_SIGNATURE: incident.signature,
  };
}
