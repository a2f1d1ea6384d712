// Reads a picture: what the guest wrote down of its own /proc and /sys just before it died (guest/picture.c).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One task (thread) as /proc/PID/task/TID showed it. */
export interface PictureTask {
  readonly tid: number;
  /** The process (thread group) it belongs to. */
  readonly pid: number;
  readonly ppid: number;
  readonly comm: string;
  /** One letter, as in /proc/PID/status. */
  readonly state: string;
  /** The CPU it ran on last. */
  readonly cpu: number;
  /** How often it had been switched out, by itself and against its will. */
  readonly voluntary: number;
  readonly involuntary: number;
  /** When it started, in clock ticks of 10 ms since the boot. */
  readonly started: number;
  /** The kernel's functions it slept in, the innermost first; empty when it ran, or the picture has none. */
  readonly stack: readonly StackEntry[];
}

export interface StackEntry {
  readonly name: string;
  readonly offset: number;
}

export interface KernelSymbol {
  readonly address: bigint;
  readonly type: string;
  readonly name: string;
  readonly module: string | undefined;
}

export class Picture {
  readonly folder: string;
  #tasks: Map<number, PictureTask> | undefined;
  #symbols: readonly KernelSymbol[] | undefined;
  #addresses: ReadonlyMap<string, readonly bigint[]> | undefined;

  /** @throws Error when the folder has no picture */
  constructor(folder: string) {
    this.folder = folder;
    if (!existsSync(join(folder, 'uptime'))) throw new Error(`${folder}: no picture of a guest`);
  }

  /** A file of the picture, by its path under /proc; undefined when the guest had no such file. */
  text(path: string): string | undefined {
    const file = join(this.folder, path);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  }

  /** The picture's file as rows of fields. */
  rows(path: string): string[][] {
    return (this.text(path) ?? '')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.trim().split(/\s+/));
  }

  /** Processes' numbers, ascending. */
  get pids(): number[] {
    return readdirSync(this.folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** All threads of all processes by their number, without the program that took the picture. */
  get tasks(): ReadonlyMap<number, PictureTask> {
    this.#tasks ??= this.#readTasks();
    return this.#tasks;
  }

  #readTasks(): Map<number, PictureTask> {
    const tasks = new Map<number, PictureTask>();
    for (const pid of this.pids) {
      const folder = join(this.folder, String(pid), 'task');
      for (const name of existsSync(folder) ? readdirSync(folder) : []) {
        const read = (file: string) => this.text(`${pid}/task/${name}/${file}`) ?? '';
        const task = parseTask(read('status'), read('stat'), read('stack'));
        if (task !== undefined && task.comm !== 'picture') tasks.set(task.tid, task);
      }
    }
    return tasks;
  }

  /** /proc/kallsyms in its own order. */
  get symbols(): readonly KernelSymbol[] {
    this.#symbols ??= parseKallsyms(this.text('kallsyms') ?? '');
    return this.#symbols;
  }

  /** Where the functions and variables of a name are: several may share one. */
  get addresses(): ReadonlyMap<string, readonly bigint[]> {
    this.#addresses ??= byName(this.symbols);
    return this.#addresses;
  }

  /** Seconds since the guest's boot when the picture was (nearly) complete. */
  get uptime(): number {
    return Number(this.text('uptime')?.split(' ')[0]);
  }

  /** A line of /proc/meminfo, in KiB. */
  memory(name: string): number | undefined {
    const value = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(this.text('meminfo') ?? '')?.[1];
    return value === undefined ? undefined : Number(value);
  }
}

function byName(symbols: readonly KernelSymbol[]): Map<string, bigint[]> {
  const found = new Map<string, bigint[]>();
  for (const symbol of symbols) {
    const list = found.get(symbol.name);
    if (list === undefined) found.set(symbol.name, [symbol.address]);
    else list.push(symbol.address);
  }
  return found;
}

/** A task from its status, stat and stack files; undefined when it ended while they were read. */
export function parseTask(status: string, stat: string, stack: string): PictureTask | undefined {
  const field = (name: string) => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1];
  const [tid, pid, name] = [field('Pid'), field('Tgid'), field('Name')];
  if (tid === undefined || pid === undefined || name === undefined) return undefined;
  // The command in stat may hold anything, parentheses too: fields are counted from the last one.
  const afterComm = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    tid: Number(tid),
    pid: Number(pid),
    ppid: Number(field('PPid')),
    comm: name.replace(/\\([0-7]{3}|n|\\)/g, (_, code: string) => unescaped(code)),
    state: field('State')?.[0] ?? '?',
    cpu: Number(afterComm[36]), // field 39 of stat, "processor"
    voluntary: Number(field('voluntary_ctxt_switches')),
    involuntary: Number(field('nonvoluntary_ctxt_switches')),
    started: Number(afterComm[19]), // field 22 of stat, "starttime"
    stack: parseStack(stack),
  };
}

function unescaped(code: string): string {
  if (code === 'n') return '\n';
  return code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8));
}

/** Lines like `[<0>] do_nanosleep+0x6b/0x1a0`, with ` [module]` after some. */
export function parseStack(text: string): StackEntry[] {
  return [...text.matchAll(/^\[<[0-9a-f]+>\] ([^+\s]+)\+0x([0-9a-f]+)\//gm)].map(([, name, offset]) => ({
    name: name ?? '',
    offset: Number.parseInt(offset ?? '', 16),
  }));
}

export function parseKallsyms(text: string): KernelSymbol[] {
  return [...text.matchAll(/^([0-9a-f]+) (\S) (\S+)(?:\t\[([^\]]+)\])?$/gm)].map(([, address, type, name, module]) => ({
    address: BigInt(`0x${address}`),
    type: type ?? '?',
    name: name ?? '',
    module,
  }));
}
