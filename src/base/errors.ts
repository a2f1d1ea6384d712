// The errors that any part may throw. Messages state facts, neutrally; the front end adds advice.

/** Base of every error that this program throws on purpose. `code` is stable: scripts may test it. */
export abstract class InquestError extends Error {
  abstract readonly code: string;

  constructor(message: string) {
    // Damage is met thousands of times, and where in our code says nothing: a stack trace each takes most of the time.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
  }

  override get name(): string {
    return this.constructor.name;
  }
}

/** A file or a table in memory is not what its format says it should be. */
export class FormatError extends InquestError {
  readonly code: string = 'bad-format';
  readonly what: string;
  readonly problem: string;
  /** @param what the thing that was read, for example `kdump header` */
  constructor(what: string, problem: string) {
    super(`${what}: ${problem}`);
    this.what = what;
    this.problem = problem;
  }
}

/** A file that was recognised, but of a kind that cannot be analysed (other word size, byte order, machine). */
export class UnsupportedError extends FormatError {
  override readonly code: string = 'unsupported';
}

/** Why bytes of the dead machine's memory cannot be had. */
export type FaultReason =
  /** the dump's filter (makedumpfile -d) left the page out */
  | 'excluded'
  /** no part of the dump describes this physical address */
  | 'not-in-dump'
  /** no page table entry maps this virtual address */
  | 'not-mapped'
  /** mapped by a swap entry: the content is on a swap device */
  | 'swapped'
  /** the page should be there, but the file was cut before it */
  | 'truncated'
  /** the page is there, but cannot be decompressed, or a structure in it contradicts itself */
  | 'corrupt';

export type FaultSpace = 'physical' | 'kernel' | 'user';

const reasonText: Record<FaultReason, string> = {
  excluded: "excluded by the dump's filter",
  'not-in-dump': 'not in the dump',
  'not-mapped': 'not mapped',
  swapped: 'swapped out',
  truncated: 'lost: the dump file is cut',
  corrupt: 'corrupt',
};

/** Memory of the dead machine that could not be read. */
export class MemoryFault extends InquestError {
  readonly code: string = 'memory-fault';
  readonly space: FaultSpace;
  readonly address: bigint;
  readonly reason: FaultReason;
  readonly detail: string;
  /** @param detail what else is known, for example the decompressor's complaint */
  constructor(space: FaultSpace, address: bigint, reason: FaultReason, detail = '') {
    super(`${space} address ${address.toString(16)}: ${reasonText[reason]}${detail === '' ? '' : ` (${detail})`}`);
    this.space = space;
    this.address = address;
    this.reason = reason;
    this.detail = detail;
  }
}

/** A symbol, type, member, command or task was asked for by name and is not there. */
export class NotFoundError extends InquestError {
  readonly code: string = 'not-found';
  readonly kind: string;
  readonly wanted: string;
  /** @param kind `symbol`, `type`, `member`, ... */
  constructor(kind: string, wanted: string, detail = '') {
    super(`${kind} not found: ${wanted}${detail === '' ? '' : ` (${detail})`}`);
    this.kind = kind;
    this.wanted = wanted;
  }
}

/** A command or option was used in a way that it does not understand. */
export class UsageError extends InquestError {
  readonly code: string = 'usage';
}

/** For the `default` of an exhaustive `switch`. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${String(value)}`);
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's errors of system calls: `ENOENT: no such file or directory, open 'FILE'`
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined || !error.message.startsWith(`${code}: `)) return error.message;
  const problem = error.message.slice(code.length + 2).split(`, ${syscall}`)[0]!;
  return path === undefined ? problem : `${path}: ${problem}`;
}
