// log: the kernel's log.
import { NotFoundError, UsageError } from '../../base/errors.ts';
import { escapeTerminal, hex16 } from '../../base/text.ts';
import { demangleRust } from '../../debuginfo/rust_symbol.ts';
import { type AuditMessage, queuedAuditMessages } from '../../kernel/audit.ts';
import { logTimestamp, readLog } from '../../kernel/printk.ts';
import type { LogRecord } from '../../kernel/printk_record.ts';
import { printkSafeBuffers, type SafeBuffer } from '../../kernel/printk_safe.ts';
import { defineCommand } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { parseOptions } from '../options.ts';
import { wallClock } from './time_text.ts';
import { bootTime } from './uptime.ts';

interface LogLine extends LogRecord {
  /** `timestampNs` as seconds, exact to the microsecond. */
  readonly seconds: number | null;
}

interface LogView {
  /** What comes before a message: its time since boot, the wall clock's time, or nothing. */
  readonly time: 'boot' | 'wall' | 'none';
  readonly caller: boolean;
  readonly level: boolean;
  readonly dict: boolean;
}

type LogData =
  | {
      readonly kind: 'records';
      readonly records: readonly LogLine[];
      readonly view: LogView;
      /** When the kernel booted, in seconds since 1970; null unless asked for. */
      readonly bootTime: number | null;
      /** Columns of a caller's id, which depends on how large a pid can be. */
      readonly callerWidth: number;
    }
  | { readonly kind: 'audit'; readonly messages: readonly AuditMessage[] }
  | { readonly kind: 'safe'; readonly buffers: readonly SafeBuffer[] };

export const log = defineCommand<LogData>({
  name: 'log',
  help: {
    summary: "the kernel's log",
    usage: ['[-TtdmcR]', '-a', '-s'],
    description: `Prints the kernel's log, oldest message first, as dmesg(1) would have.

  (none)  every message with the seconds since boot when it was printed
  -T      the wall clock's time instead of the seconds since boot
  -t      the text alone
  -d      also what the kernel knew of the device that a message is about
  -m      also the level of each message: <0> emergency to <7> debug
  -c      also who printed it: T and the thread's pid, or C and the number of the CPU (from an interrupt)
  -R      names of Rust functions as their source has them
  -a      the audit messages that were still waiting for auditd
  -s      the messages in each CPU's buffers for unsafe contexts (kernels before 5.15)

Messages that were being written when the kernel died are shown if their text was complete.`,
    examples: [
      ['log -T | tail -50', 'the last words, with wall-clock times'],
      ['log -m', 'with levels, to tell errors from chatter'],
    ],
  },
  collect: collectLog,
  render: renderLog,
});

function collectLog(context: CommandContext, args: readonly string[]): LogData {
  const options = parseOptions(args, 'TtdmcasR');
  if (options.args.length > 0) throw new UsageError('');
  const { kernel } = context;
  if (options.has('a')) return { kind: 'audit', messages: queuedAuditMessages(kernel) };
  if (options.has('s')) {
    const buffers = printkSafeBuffers(kernel);
    if (buffers === null)
      throw new NotFoundError('symbol', 'safe_print_seq', 'kernels since 5.15 have no such buffers');
    return { kind: 'safe', buffers };
  }
  const view: LogView = {
    time: options.has('t') ? 'none' : options.has('T') ? 'wall' : 'boot',
    caller: options.has('c'),
    level: options.has('m'),
    dict: options.has('d'),
  };
  const rust = options.has('R');
  const records = readLog(kernel).map((record) => ({
    ...record,
    text: rust ? demangleRust(record.text) : record.text,
    seconds: record.timestampNs === null ? null : Number(record.timestampNs / 1000n) / 1e6,
  }));
  return {
    kind: 'records',
    records,
    view,
    bootTime: view.time === 'wall' ? kernel.faults.attempt('time of boot', () => bootTime(kernel), null) : null,
    callerWidth: view.caller ? callerWidth(context) : 0,
  };
}

/** As wide as the largest pid with its letter: 6 columns up to 99999. */
function callerWidth({ kernel }: CommandContext): number {
  const max = kernel.faults.attempt('pid_max', () => kernel.optionalVariable('pid_max')?.number() ?? null, null);
  return max === null || max > 999999 ? 8 : max > 99999 ? 7 : 6;
}

function renderLog(data: LogData): string {
  switch (data.kind) {
    case 'audit':
      return data.messages.length === 0
        ? 'log: kernel audit log is empty\n'
        : data.messages.map(({ type, text }) => `type=${type} ${escapeTerminal(text)}\n`).join('');
    case 'safe':
      return renderSafeBuffers(data.buffers);
    case 'records':
      return data.records.map((record) => renderRecord(record, data)).join('');
  }
}

function renderRecord(record: LogRecord, data: Extract<LogData, { kind: 'records' }>): string {
  const { view } = data;
  let prefix = '';
  if (view.time !== 'none' && record.timestampNs !== null) {
    prefix +=
      view.time === 'wall' && data.bootTime !== null
        ? `[${wallClock(data.bootTime + Number(record.timestampNs / 1_000_000_000n))}] `
        : `${logTimestamp(record.timestampNs)} `;
  }
  if (view.caller && record.caller !== null) {
    const { kind, id } = record.caller;
    prefix += `[${`${kind === 'cpu' ? 'C' : 'T'}${id}`.padStart(data.callerWidth)}] `;
  }
  if (view.level && record.level !== null) prefix += `<${record.level}>`;
  // further lines of a message, and its dictionary, stand under its text
  const indent = `\n${' '.repeat(prefix.length)}`;
  let text = prefix + escapeTerminal(record.text).replaceAll('\n', indent);
  if (view.dict) {
    for (const [key, value] of Object.entries(record.dict)) text += `${indent}${escapeTerminal(`${key}=${value}`)}`;
  }
  return `${text}\n`;
}

function renderSafeBuffers(buffers: readonly SafeBuffer[]): string {
  let text = '';
  let last = '';
  for (const { name, cpu, address, lost, text: content } of buffers) {
    if (name !== last) text += `${last === '' ? '' : '\n'}PRINTK_SAFE_SEQ_BUF: ${name}\n`;
    last = name;
    text += `CPU: ${cpu}  ADDR: ${hex16(address)} LEN: ${content.length}  MESSAGE_LOST: ${lost}\n`;
    const lines = content === '' ? ['(empty)'] : escapeTerminal(content).replace(/\n$/, '').split('\n');
    text += lines.map((line) => `  ${line}\n`).join('');
  }
  return text;
}
