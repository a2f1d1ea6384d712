// Parsers of text in crash(8)'s format, which is what inquest prints too.
import type { MachineKind } from './kernels.ts';

export interface PsRow {
  readonly pid: number;
  readonly ppid: number;
  readonly cpu: number;
  readonly state: string;
  /** Address space and resident memory, KiB. */
  readonly vsz: number;
  readonly rss: number;
  readonly comm: string;
}

/** `ps`: `> PID PPID CPU TASK ST %MEM VSZ RSS COMM`; kernel threads have their name in brackets. */
export function parsePs(text: string): PsRow[] {
  const row = /^[> ]\s*(\d+)\s+(-?\d+)\s+(\d+)\s+[0-9a-f]+\s+(\S+)\s+[\d.]+\s+(\d+)\s+(\d+)\s\s?(.*)$/gm;
  return [...text.matchAll(row)].map(([, pid, ppid, cpu, state, vsz, rss, comm]) => ({
    pid: Number(pid),
    ppid: Number(ppid),
    cpu: Number(cpu),
    state: state ?? '',
    vsz: Number(vsz),
    rss: Number(rss),
    comm: (comm ?? '').replace(/^\[(.*)\]$/, '$1'),
  }));
}

export interface TaskBlock {
  readonly pid: number;
  readonly comm: string;
  /** What follows the line with the task's name. */
  readonly body: string;
}

/** The output of `foreach ...`, and of commands that print a line `PID: ... TASK: ... COMMAND: "..."` per task. */
export function parseTaskBlocks(text: string): TaskBlock[] {
  const head = /^PID: (\d+)\s+TASK: [0-9a-f]+\s+CPU: \d+\s+COMMAND: "(.*)"$/gm;
  const heads = [...text.matchAll(head)];
  return heads.map((match, i) => ({
    pid: Number(match[1]),
    comm: match[2] ?? '',
    body: text.slice(match.index + match[0].length + 1, heads[i + 1]?.index ?? text.length),
  }));
}

export interface Frame {
  readonly name: string;
  /** The return address; of what was interrupted, its next instruction. */
  readonly address: bigint;
  /**
   * Whether the kernel's own traces may leave it out: a caller that is only guessed (`? name`, where the CPU went astray), on arm64
   * one that only the link register tells.
   */
  readonly mayBeLeftOut?: boolean;
}

/**
 * `bt` with what exceptions interrupted: the frames, and where a frame was entered by an exception in kernel mode
 * (`[exception RIP: way_null+11]`, then the registers) the address that it interrupted, in their order.
 */
export function parseTrace(body: string, machine: MachineKind): Frame[] {
  if (machine === 'aarch64') return parseArm64Trace(body);
  const line =
    /^ *#\d+ \[[0-9a-f]+\] (\? )?(\S+)(?: \(via \S+\))? at ([0-9a-f]+)|^ *\[exception RIP: ([^+\]]+).*\]\n *RIP: ([0-9a-f]+)/gm;
  const trace: Frame[] = [];
  let below: bigint | undefined;
  for (const [, guessed, name, at, interrupted, rip] of body.matchAll(line)) {
    const frame = {
      name: name ?? interrupted ?? '',
      address: BigInt(`0x${at ?? rip}`),
      ...(guessed !== undefined && { mayBeLeftOut: true }),
    };
    // What an NMI interrupted is shown a second time, as the first frame of the stack below it.
    if (frame.address !== below) trace.push(frame);
    below = interrupted === undefined ? undefined : frame.address;
  }
  return trace;
}

/**
 * The same of arm64. There a frame is shown by the address of its call, one instruction before the return address; what
 * was interrupted has a frame of its own, by its next instruction, behind the block of registers that shows it as PC.
 * The first frame may be such, too, with its registers behind it.
 */
function parseArm64Trace(body: string): Frame[] {
  const line =
    /^ *#\d+ \[[0-9a-f]+\] (\S+)(?: \(via \S+\))? at ([0-9a-f]+).*(?:\n +PC: ([0-9a-f]{16}) {2}\[.*\n +LR: ([0-9a-f]{16}))?/gm;
  const trace: Frame[] = [];
  let interrupted: { pc: bigint; lr: bigint } | undefined;
  let link: bigint | undefined;
  for (const [, name = '', shown, pc, lr] of body.matchAll(line)) {
    const at = BigInt(`0x${shown}`);
    const block = pc === undefined || lr === undefined ? undefined : { pc: BigInt(`0x${pc}`), lr: BigInt(`0x${lr}`) };
    const own = at === interrupted?.pc ? interrupted : trace.length === 0 && at === block?.pc ? block : undefined;
    const address = own === undefined ? at + 4n : at;
    trace.push(address === link ? { name, address, mayBeLeftOut: true } : { name, address });
    link = own?.lr;
    interrupted = block;
  }
  return trace;
}

/** Lines `  name = value,` as `task -R` prints them. */
export function parseMembers(body: string): Map<string, string> {
  return new Map([...body.matchAll(/^\s*(\w+) = (.*?),?\s*$/gm)].map(([, name, value]) => [name ?? '', value ?? '']));
}

/** `sys`: lines `RELEASE: 6.1...`. */
export function sysField(text: string, name: string): string | undefined {
  return new RegExp(`^ *${name}: (.*)$`, 'm').exec(text)?.[1]?.trim();
}

/** `HH:MM:SS` or `N days, HH:MM:SS`, in seconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)$/.exec(text);
  if (match === null) return undefined;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
}
