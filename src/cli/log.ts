// `inquest log`: the kernel's messages, out of a dump or out of any text that holds some.
import { escapeJson, escapeLogLine, escapeTerminal } from '../base/text.ts';
import { CommandContext } from '../commands/context.ts';

import { runCommand } from '../commands/run.ts';
import { log } from '../commands/system/log.ts';
import { readLog } from '../kernel/printk.ts';
import { LineReader } from '../oops/line_reader.ts';
import type { LogLine } from '../oops/log_line.ts';
import { noDebugOptions } from './debug_options.ts';
import { runOops } from './oops.ts';
import { openNamedKernel } from './open.ts';
import { standardOutput, writeError, writeOut } from './output.ts';
import { isDumpSource, keepHeapSmall, readSource } from './source.ts';

export async function runLog(
  source: string,
  options: { wallClock: boolean; oops: boolean; json: boolean; budget: number },
): Promise<number> {
  if (options.oops)
    return runOops(source, { titles: false, json: options.json, debug: { ...noDebugOptions, budget: options.budget } });
  if (isDumpSource(source)) return dumpLog(source, options);
  const show = (lines: readonly LogLine[]): void => {
    const text = lines
      .filter((line) => !line.foreign)
      .map((line) =>
        options.json ? `${escapeJson(JSON.stringify(asRecord(line)))}\n` : `${asText(line, options.wallClock)}\n`,
      )
      .join('');
    if (text !== '') writeOut(text);
  };
  const reader = new LineReader();
  keepHeapSmall();
  for (const chunk of readSource(source)) show(reader.push(chunk));
  show(reader.end());
  return 0;
}

function dumpLog(source: string, options: { wallClock: boolean; json: boolean; budget: number }): number {
  const context = new CommandContext(openNamedKernel([source], { ...noDebugOptions, budget: options.budget }));
  const words = options.wallClock ? ['-T'] : [];
  const { end, error, faults } = runCommand(log, context, words, standardOutput, {
    json: options.json,
    line: 'log',
  });
  if (error !== null) throw error;
  if (!options.json)
    for (const fault of faults) writeError(`inquest: ${escapeTerminal(`${fault.what}: ${fault.message}`)}\n`);
  return end === 'failed' || (faults.length > 0 && readLog(context.kernel).length === 0) ? 1 : 0;
}

/** One message of a text, as `inquest log --json` prints it; null: the text does not say. */
export interface TextLogRecord {
  /** Seconds since boot. */
  readonly timestamp: number | null;
  /** Wall clock as the text has it. */
  readonly wallTime: string | null;
  /** syslog severity, 0 (emergency) to 7 (debug). */
  readonly level: number | null;
  /** Who printed it: `T123` a task, `C1` a CPU outside of task context. */
  readonly caller: string | null;
  readonly text: string;
}

function asRecord({ text, timestamp, wallTime, level, caller }: LogLine): TextLogRecord {
  return {
    timestamp: timestamp ?? null,
    wallTime: wallTime ?? null,
    level: level ?? null,
    caller: caller ?? null,
    text,
  };
}

function asText({ text, timestamp, wallTime }: LogLine, wallClock: boolean): string {
  const stamp = wallClock && wallTime !== undefined ? wallTime : timestamp?.toFixed(6).padStart(12);
  return escapeLogLine(stamp === undefined ? text : `[${stamp}] ${text}`);
}
