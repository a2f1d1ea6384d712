// What happened in the capture kernel, step by step: told on the console, and saved beside the dump.
import { readFileSync } from 'node:fs';

/** What became of one step at one target. */
export interface StepRecord {
  readonly step: 'reach' | 'verdict' | 'mini' | 'full' | 'hook' | 'network';
  /** The target, or the hook; of verdicts that are only made, what of: the dump, or its log. */
  readonly at: string;
  /** How it was done: `inquest`, `makedumpfile`, `copy`; empty where there is one way. */
  readonly by: string;
  readonly isGood: boolean;
  readonly problem: string;
  /** Seconds since the capture kernel started. */
  readonly from: number;
  readonly to: number;
  /** Bytes of memory that were available at the least meanwhile. */
  readonly least: number;
}

/** `capture.json`. */
export interface CaptureRecord {
  readonly release: string;
  readonly hostname: string;
  /** When the kernel died, in seconds since 1970; null where it did not say. */
  readonly crashTime: number | null;
  /** Seconds from then until the capture kernel started, by the machine's clock; null where that tells nothing. */
  readonly startedAfter: number | null;
  readonly steps: readonly StepRecord[];
  /** Bytes of memory that the capture kernel has, and the least that was available. */
  readonly memory: { readonly total: number; readonly least: number };
  /** Every step that was configured did what it should. */
  readonly isComplete: boolean;
}

/** Milliseconds between looks at how much memory is left. */
const lookEvery = 200;

export class Recorder {
  readonly steps: StepRecord[] = [];
  readonly #lines: string[] = [];
  readonly #print: (line: string) => void;
  readonly #timer: NodeJS.Timeout;
  #least = Number.POSITIVE_INFINITY;
  #leastOfStep = Number.POSITIVE_INFINITY;
  #current: Pick<StepRecord, 'step' | 'by' | 'from'> = { step: 'verdict', by: '', from: 0 };

  /** @param print takes lines for the console */
  constructor(print: (line: string) => void) {
    this.#print = print;
    this.#look();
    this.#timer = setInterval(() => this.#look(), lookEvery);
  }

  say(text: string): void {
    const line = `inquest: [${uptime().toFixed(1)}] ${text}`;
    this.#lines.push(line);
    this.#print(line);
  }

  /** Runs a step and records what became of it. */
  async step(step: StepRecord['step'], at: string, by: string, work: () => Promise<string>): Promise<boolean> {
    const from = uptime();
    this.#current = { step, by, from };
    this.#leastOfStep = Number.POSITIVE_INFINITY;
    this.#look();
    let problem: string;
    try {
      problem = await work();
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    const to = uptime();
    this.#look();
    this.steps.push({ step, at, by, isGood: problem === '', problem, from, to, least: this.#leastOfStep });
    const how = by === '' ? '' : ` by ${by}`;
    this.say(`${step}${how}: ${at}: ${problem === '' ? `done in ${(to - from).toFixed(1)} s` : `FAILED: ${problem}`}`);
    return problem === '';
  }

  /** Records what the step that runs has reached on its way, and tells it. @param at what of it */
  reached(at: string, text: string): void {
    this.#look();
    this.steps.push({ ...this.#current, at, isGood: true, problem: '', to: uptime(), least: this.#leastOfStep });
    this.say(text);
  }

  /** Seconds from a time, in seconds since 1970, until this kernel started; null where the clocks do not agree. */
  startedAfter(time: number | null): number | null {
    if (time === null) return null;
    const seconds = Date.now() / 1000 - uptime() - time;
    // the clock has whole seconds
    return seconds < -2 || seconds > 3600 ? null : Math.max(0, seconds);
  }

  get log(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  get memory(): CaptureRecord['memory'] {
    this.#look();
    return { total: meminfo('MemTotal'), least: this.#least };
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const available = meminfo('MemAvailable');
    this.#least = Math.min(this.#least, available);
    this.#leastOfStep = Math.min(this.#leastOfStep, available);
  }
}

function uptime(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
}

/** Bytes. */
function meminfo(name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024;
}
