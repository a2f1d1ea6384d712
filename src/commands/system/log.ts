// log: the kernel's log.
import { assertNever, NotFoundError } from '../../base/errors.ts';
import { escapeTerminal, hex16 } from '../../base/text.ts';
import { demangleRust } from '../../debuginfo/rust_symbol.ts';
import { type AuditMessage, queuedAuditMessages } from '../../kernel/audit.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { logTimestamp, readLog } from '../../kernel/printk.ts';
import type { LogRecord } from '../../kernel/printk_record.ts';
import { printkSafeBuffers, type SafeBuffer } from '../../kernel/printk_safe.ts';
import { defineStream } from '../command.ts';
import { flag, type Options } from '../params.ts';
import { wallClock } from './time_text.ts';
import { bootTime } from './uptime.ts';

/** A message of the log. */
export interface LogLine extends Omit<LogRecord, 'timestampNs'> {
  readonly kind: 'record';
  /** Nanoseconds since boot, decimal. */
  readonly timestampNs: string | null;
  /** The same as seconds, exact to the microsecond. */
  readonly seconds: number | null;
}

/** What `log` gives: messages of the log, of the audit queue (`-a`), or of a CPU's buffer (`-s`). */
export type LogItem =
  | LogLine
  | ({ readonly kind: 'audit' } & AuditMessage)
  /** `first` of the buffers of its name. */
  | ({ readonly kind: 'safe'; readonly first: boolean } & SafeBuffer);

export interface LogHead {
  /** When the kernel booted, in seconds since 1970; null unless asked for. */
  readonly bootTime: number | null;
  /** Columns of a caller's id, which depends on how large a pid can be. */
  readonly callerWidth: number;
}

const params = {
  wall: flag('T', "the wall clock's time instead of the seconds since boot"),
  bare: flag('t', 'the text alone'),
  dict: flag('d', 'also what the kernel knew of the device that a message is about'),
  level: flag('m', 'also the level of each message: <0> emergency to <7> debug'),
  caller: flag('c', "also who printed it: T and the thread's pid, or C and the number of the CPU (from an interrupt)"),
  rust: flag('R', 'names of Rust functions as their source has them'),
  audit: flag('a', 'the audit messages that were still waiting for auditd'),
  safe: flag('s', "the messages in each CPU's buffers for unsafe contexts (kernels before 5.15)"),
};

export const log = defineStream({
  name: 'log',
  help: {
    summary: "the kernel's log",
    usage: ['[-TtdmcR]', '-a', '-s'],
    description: `Prints the kernel's log, oldest message first, as dmesg(1) would have: every message with the seconds
since boot when it was printed. Messages that were being written when the kernel died are shown if their text was
complete.`,
    examples: [
      ['log -T | tail -50', 'the last words, with wall-clock times'],
      ['log -m', 'with levels, to tell errors from chatter'],
    ],
  },
  params,
  items: 'records',
  collect: ({ kernel }, options) => ({
    head: {
      bootTime:
        options.wall && !options.bare ? kernel.faults.attempt('time of boot', () => bootTime(kernel), null) : null,
      callerWidth: options.caller ? callerWidth(kernel) : 0,
    },
    items: records(kernel, options),
  }),
  text: {
    item(item, { options }, head, index) {
      switch (item.kind) {
        case 'record':
          return renderRecord(item, options, head);
        case 'audit':
          return `type=${item.type} ${escapeTerminal(item.text)}\n`;
        case 'safe':
          return renderSafeBuffer(item, index);
        default:
          return assertNever(item);
      }
    },
    tail: (tail) => (tail === null ? '' : 'log: kernel audit log is empty\n'),
  },
});

/** @returns whether the audit queue was empty; null where something else was asked for */
function* records(
  kernel: Kernel,
  options: Options<typeof params>,
): Generator<LogItem, { readonly auditEmpty: true } | null> {
  if (options.audit) {
    let empty = true;
    for (const message of queuedAuditMessages(kernel)) {
      empty = false;
      yield { kind: 'audit', ...message };
    }
    return empty ? { auditEmpty: true } : null;
  }
  if (options.safe) {
    const buffers = printkSafeBuffers(kernel);
    if (buffers === null)
      throw new NotFoundError('symbol', 'safe_print_seq', 'kernels since 5.15 have no such buffers');
    for (const [i, buffer] of buffers.entries()) {
      yield { kind: 'safe', first: buffer.name !== buffers[i - 1]?.name, ...buffer };
    }
    return null;
  }
  for (const record of readLog(kernel)) {
    const line = logLine(record);
    yield options.rust ? { ...line, text: demangleRust(line.text) } : line;
  }
  return null;
}

/** A record as the command gives it. */
export function logLine(record: LogRecord): LogLine {
  const { timestampNs } = record;
  return {
    ...record,
    kind: 'record',
    timestampNs: timestampNs === null ? null : String(timestampNs),
    seconds: timestampNs === null ? null : Number(timestampNs / 1000n) / 1e6,
  };
}

/** As wide as the largest pid with its letter: 6 columns up to 99999. */
function callerWidth(kernel: Kernel): number {
  const max = kernel.faults.attempt('pid_max', () => kernel.optionalVariable('pid_max')?.number() ?? null, null);
  return max === null || max > 999999 ? 8 : max > 99999 ? 7 : 6;
}

function renderRecord(record: LogLine, options: Options<typeof params>, head: LogHead): string {
  let prefix = '';
  if (!options.bare && record.timestampNs !== null) {
    const ns = BigInt(record.timestampNs);
    prefix +=
      options.wall && head.bootTime !== null
        ? `[${wallClock(head.bootTime + Number(ns / 1_000_000_000n))}] `
        : `${logTimestamp(ns)} `;
  }
  if (options.caller && record.caller !== null) {
    const { kind, id } = record.caller;
    prefix += `[${`${kind === 'cpu' ? 'C' : 'T'}${id}`.padStart(head.callerWidth)}] `;
  }
  if (options.level && record.level !== null) prefix += `<${record.level}>`;
  // further lines of a message, and its dictionary, stand under its text
  const indent = `\n${' '.repeat(prefix.length)}`;
  let text = prefix + escapeTerminal(record.text).replaceAll('\n', indent);
  if (options.dict) {
    for (const [key, value] of Object.entries(record.dict)) text += `${indent}${escapeTerminal(`${key}=${value}`)}`;
  }
  return `${text}\n`;
}

function renderSafeBuffer(buffer: SafeBuffer & { readonly first: boolean }, index: number): string {
  const { name, cpu, address, lost, text: content, first } = buffer;
  const title = first ? `${index === 0 ? '' : '\n'}PRINTK_SAFE_SEQ_BUF: ${name}\n` : '';
  const lines = content === '' ? ['(empty)'] : escapeTerminal(content).replace(/\n$/, '').split('\n');
  const head = `CPU: ${cpu}  ADDR: ${hex16(address)} LEN: ${content.length}  MESSAGE_LOST: ${lost}\n`;
  return `${title}${head}${lines.map((line) => `  ${line}\n`).join('')}`;
}
