// A command is run for each incident. What is known of it stands in its environment and on its standard input, never in the
// words of a shell: it came from the wire. A command that fails is tried again, after a restart, too: each incident waits as
// a file in the spool until its command has ended well.
import { spawn } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { SeenIncident } from './receiver.ts';

/** Between tries, in ms; then the last one again. */
const delays = [1000, 5000, 30_000, 300_000];
const maxSpooled = 10_000;
/** Incidents that are kept in memory while the spool takes none. */
const maxUnspooled = 100;
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
  /** Those that the spool did not take. */
  private readonly unspooled = new Map<string, string>();
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
    const text = JSON.stringify(alert);
    try {
      mkdirSync(this.spool, { recursive: true, mode: 0o700 });
      writeWhole(join(this.spool, name), text);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? String(error);
      const isKept = this.unspooled.size < maxUnspooled;
      this.trouble(`the spool takes nothing (${code}): an incident ${isKept ? 'waits in memory' : 'is left out'}`);
      if (!isKept) return;
      this.unspooled.set(name, text);
    }
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
    const alert = this.take(name);
    if (alert === null) {
      this.next();
      return;
    }
    this.running = name;
    this.run(alert, (problem) => {
      this.running = null;
      if (problem === null) {
        this.forget(name);
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

  /** An incident that waits; null where its file is gone or was not written by us, which is told. */
  private take(name: string): IncidentAlert | null {
    const path = join(this.spool, name);
    try {
      const alert = JSON.parse(this.unspooled.get(name) ?? readFileSync(path, 'utf8')) as unknown;
      if (isAlert(alert)) return alert;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== undefined) {
        this.trouble(`${name}: cannot be read from the spool (${code})`);
        return null;
      }
      // no JSON: a machine that lost power leaves files without their content
    }
    this.trouble(`${name}: is no incident; it stays in the spool as ${name}.bad`);
    try {
      renameSync(path, `${path}.bad`);
    } catch (error) {
      this.trouble(`${name}: cannot be renamed (${(error as NodeJS.ErrnoException).code})`);
    }
    return null;
  }

  private forget(name: string): void {
    if (this.unspooled.delete(name)) return;
    try {
      rmSync(join(this.spool, name), { force: true });
    } catch (error) {
      this.trouble(`${name}: cannot be taken out of the spool (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  /** @param done is told what went wrong, or null */
  private run(alert: IncidentAlert, done: (problem: string | null) => void): void {
    let told = false;
    const once = (problem: string | null): void => {
      if (told) return;
      told = true;
      clearTimeout(limit);
      done(problem);
    };
    const child = spawn('/bin/sh', ['-c', this.command], {
      env: { ...process.env, ...environment(alert) },
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), maxRuntime);
    child.on('error', (error) => once(error.message));
    child.on('close', (code, signal) =>
      once(code === 0 ? null : signal === null ? `status ${code}` : `signal ${signal}`),
    );
    // where no process can be made there is none; and a command need not read
    const input: Writable | undefined = child.stdin;
    input?.on('error', () => {});
    input?.end(`${JSON.stringify(alert)}\n`);
  }
}

/** The name stands for a whole file, after a loss of power, too. */
function writeWhole(path: string, text: string): void {
  const fd = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeFileSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${path}.new`, path);
}

/** Whether what was read has all that a command is told. */
function isAlert(read: unknown): read is IncidentAlert {
  const { id, host, file, received, incident } = (read ?? {}) as Partial<Record<string, unknown>>;
  if (typeof incident !== 'object' || incident === null) return false;
  const { kind, title, severity, signature, fatal } = incident as Partial<Record<string, unknown>>;
  const isTime = typeof received === 'number' && Math.abs(received) < 8.64e15;
  return (
    isTime &&
    typeof fatal === 'boolean' &&
    [id, host, file, kind, title, severity, signature].every((text) => typeof text === 'string')
  );
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
