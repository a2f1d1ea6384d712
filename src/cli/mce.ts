// `inquest mce`: what hardware said of itself, and which part to change.
import { existsSync, statSync } from 'node:fs';
import { FormatError } from '../base/errors.ts';
import { escapeJson, escapeLogLine, escapeTerminal } from '../base/text.ts';
import { type HardwareAdvice, hardwareAdvice } from '../collect/hardware/advice.ts';
import type { HardwareError } from '../collect/hardware/hardware_error.ts';
import { hardwareErrors } from '../collect/hardware/log_errors.ts';
import { machineChecksOfKernel } from '../collect/hardware/raw_mce.ts';
import { errorsOfImage, errorsOfPstore, errorsOfText } from '../collect/hardware/read.ts';
import { readPstore } from '../collect/pstore/read.ts';
import { logAsText, readLog } from '../kernel/printk.ts';
import { openNamedKernel } from './open.ts';
import { writeError, writeOut } from './output.ts';
import { isDumpSource, readSource } from './source.ts';

export interface MceOptions {
  /** Every error, not the advice alone. */
  readonly all: boolean;
  readonly json: boolean;
}

/** What `--json` prints. */
export interface MceData {
  readonly advice: readonly HardwareAdvice[];
  readonly errors: readonly HardwareError[];
}

/** @returns 0 with errors, 3 with none */
export async function runMce(sources: readonly string[], options: MceOptions): Promise<number> {
  const errors = sources.flatMap(errorsOf);
  const advice = hardwareAdvice(errors);
  if (options.json) writeOut(`${escapeJson(JSON.stringify({ advice, errors } satisfies MceData))}\n`);
  else {
    for (const { sentence, place, unit, pages } of advice)
      writeOut(
        `${escapeLogLine(`${unit === 'unknown' ? 'hardware' : unit}, ${place}: ${sentence}${pages.length > 0 ? ` Pages: ${pages.join(', ')}.` : ''}`)}\n`,
      );
    if (options.all) for (const error of errors) writeOut(errorText(error));
    if (errors.length === 0) writeError('inquest: no hardware error\n');
  }
  return errors.length > 0 ? 0 : 3;
}

function errorsOf(source: string): readonly HardwareError[] {
  if (source !== '-') {
    if (!existsSync(source)) throw new FormatError(source, 'no such file');
    if (statSync(source).isDirectory()) {
      const reading = readPstore(source);
      for (const problem of reading.problems) writeError(`inquest: ${escapeTerminal(problem)}\n`);
      return errorsOfPstore(reading);
    }
    if (isDumpSource(source)) {
      const kernel = openNamedKernel([source]);
      return [...machineChecksOfKernel(kernel), ...hardwareErrors(logAsText(readLog(kernel)))];
    }
    const errors = errorsOfImage(source);
    if (errors !== null) return errors;
  }
  const { errors, dropped } = errorsOfText(readSource(source));
  if (dropped > 0) writeError(`inquest: ${dropped} more errors are left out\n`);
  return errors;
}

function errorText(error: HardwareError): string {
  const { severity, what, cpu, socket, bank, status, address, location, device, count, time, details } = error;
  const parts = [
    ['CPU', cpu],
    ['socket', socket],
    ['bank', bank],
    ['status', status],
    ['address', address],
    ['at', location],
    ['device', device],
    ['times', count > 1 ? count : null],
    ['', time === null || Math.abs(time) > 8.64e12 ? null : new Date(time * 1000).toISOString()],
  ] as const;
  const known = parts.flatMap(([name, value]) =>
    value === null ? [] : [name === '' ? `${value}` : `${name} ${value}`],
  );
  const lines = [
    `${severity}: ${what}`,
    `  ${known.join(', ')}`,
    ...details.map(([name, value]) => `  ${name}: ${value}`),
  ];
  return `${lines.map(escapeLogLine).join('\n')}\n`;
}
