// A log as the boots of the machines that it is of. A boot begins with the kernel's first message, or where stamps go back.

import { LineReader } from '../../oops/line_reader.ts';
import type { LogLine } from '../../oops/log_line.ts';
import { LogScanner } from '../../oops/scanner.ts';
import { HardwareLog } from '../hardware/log_errors.ts';
import { keptLines, type SourceKind, type Witness, type WitnessLine } from './witness.ts';

/** Stamps that go back by more are another boot's, in seconds. */
const bootGap = 5;
/** Boots that are told apart in one text. */
const maxBoots = 256;
const maxText = 300;

export interface LogOrigin {
  readonly source: string;
  readonly kind: SourceKind;
  readonly host: string | null;
  /** When lines were received, in ms since 1970 for seconds since boot; null: nobody noted it. */
  readonly bootTime: number | null;
}

/** The boots of a text. Keeps the ends of each, not the text. */
export class BootLog {
  private readonly origin: LogOrigin;
  private readonly lines = new LineReader();
  private readonly open = new Map<string, OpenBoot>();
  private readonly done: Witness[] = [];

  constructor(origin: LogOrigin) {
    this.origin = origin;
  }

  push(bytes: Uint8Array): void {
    for (const line of this.lines.push(bytes)) this.line(line);
  }

  end(): Witness[] {
    for (const line of this.lines.end()) this.line(line);
    for (const boot of this.open.values()) this.close(boot);
    return this.done;
  }

  private line(line: LogLine): void {
    if (line.foreign) return;
    const host = line.host ?? '';
    let boot = this.open.get(host);
    if (boot === undefined || boot.isOver(line)) {
      if (boot !== undefined) this.close(boot);
      boot = new OpenBoot();
      this.open.set(host, boot);
    }
    boot.add(line);
  }

  private close(boot: OpenBoot): void {
    const witness = boot.witness(this.origin, this.done.length + 1);
    if (witness !== null && this.done.length < maxBoots) this.done.push(witness);
  }
}

class OpenBoot {
  private readonly scanner = new LogScanner();
  private readonly hardware = new HardwareLog();
  private readonly incidents: Witness['incidents'][number][] = [];
  private readonly last: WitnessLine[] = [];
  private count = 0;
  private from: number | null = null;
  private to: number | null = null;
  private release: string | null = null;
  private host: string | null = null;
  /** Wall clock minus stamp, in ms, the first that is known. */
  private bootTime: number | null = null;
  private batch = '';

  isOver({ text, timestamp }: LogLine): boolean {
    if (this.to !== null && timestamp !== undefined && timestamp < this.to - bootGap) return true;
    return text.startsWith('Linux version ') && this.count > 0 && this.release !== null;
  }

  add({ text, timestamp, wallTime, host, level, caller }: LogLine): void {
    this.count++;
    const seconds = timestamp ?? null;
    if (seconds !== null) {
      this.from ??= seconds;
      this.to = Math.max(this.to ?? 0, seconds);
    }
    this.host ??= host ?? null;
    const version = /^Linux version (\S{1,64}) /.exec(text);
    if (version !== null) this.release = version[1]!;
    const wall = wallTime === undefined ? Number.NaN : Date.parse(wallTime);
    if (this.bootTime === null && seconds !== null && Number.isFinite(wall)) this.bootTime = wall - seconds * 1000;
    this.last.push({ seconds, text: text.slice(0, maxText) });
    if (this.last.length > keptLines * 2) this.last.splice(0, keptLines);
    // as the kernel's console would have it, so that each boot has incidents of its own
    const stamp =
      seconds === null
        ? ''
        : `[${seconds.toFixed(6).padStart(12)}]${caller === undefined ? '' : `[${caller.padStart(6)}]`} `;
    this.batch += `${level === undefined ? '' : `<${level}>`}${stamp}${text}\n`;
    if (this.batch.length > 65536) this.scan();
  }

  private scan(): void {
    const bytes = Buffer.from(this.batch);
    this.batch = '';
    this.incidents.push(...this.scanner.push(bytes));
    this.hardware.push(bytes);
  }

  /** Null: it has no message. */
  witness({ source, kind, host, bootTime }: LogOrigin, number: number): Witness | null {
    if (this.count === 0) return null;
    this.scan();
    this.incidents.push(...this.scanner.end());
    this.hardware.end();
    const incidents = this.incidents.sort((a, b) => a.span.start - b.span.start);
    return {
      source: number === 1 ? source : `${source} (boot ${number})`,
      kind,
      host: host ?? this.host,
      release: this.release ?? incidents.find(({ kernelRelease }) => kernelRelease !== null)?.kernelRelease ?? null,
      bootId: null,
      bootTime: bootTime ?? this.bootTime,
      from: this.from,
      to: this.to,
      lineCount: this.count,
      lines: this.last.slice(-keptLines),
      incidents,
      hardware: this.hardware.errors,
      verdict: null,
    };
  }
}

/** All boots of a text in memory. */
export function bootsOf(text: Uint8Array | string, origin: LogOrigin): Witness[] {
  const log = new BootLog(origin);
  log.push(typeof text === 'string' ? Buffer.from(text) : text);
  return log.end();
}
