// `inquest oops`: every incident in a log, explained.
import { escapeJson, escapeLogLine, escapeTerminal } from '../base/text.ts';
import { partsToChange } from '../collect/hardware/of_incident.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { readLog } from '../kernel/printk.ts';
import { explain } from '../oops/explain.ts';
import type { Incident } from '../oops/incident.ts';
import { type LogLine, parseLine } from '../oops/log_line.ts';
import { renderIncident } from '../oops/render.ts';
import { LogScanner } from '../oops/scanner.ts';
import type { Symbolizer } from '../oops/symbolizer.ts';
import { logIncidents } from '../triage/log_incidents.ts';
import { readSettings } from '../triage/settings.ts';
import { type DebugOptions, noDebugOptions } from './debug_options.ts';
import { openNamedKernel } from './open.ts';
import { writeError, writeOut } from './output.ts';
import { isDumpSource, keepHeapSmall, readSource } from './source.ts';

export interface OopsOptions {
  readonly titles: boolean;
  readonly json: boolean;
  /** Files of modules. */
  readonly modules?: readonly string[];
  readonly debug?: DebugOptions;
}

/** @returns 0 with incidents, 3 with none, 1 if none because the log could not be read */
export async function runOops(source: string, options: OopsOptions): Promise<number> {
  let found = 0;
  let lost = false;
  let isLog = isDumpSource(source);
  const kernel = isDumpSource(source)
    ? openNamedKernel([source], { ...noDebugOptions, budget: options.debug?.budget ?? 1 })
    : null;
  const decode = await decoder(options);
  const show = (incidents: readonly Incident[]): void => {
    for (const reported of incidents) {
      const incident = decode(reported);
      if (options.json) writeOut(`${escapeJson(JSON.stringify(incident))}\n`);
      else if (options.titles) writeOut(`${escapeLogLine(incident.title)}\n`);
      else
        writeOut(
          `${found === 0 ? '' : '\n'}${renderIncident(incident, { parts: partsToChange(incident), ...(kernel === null ? {} : { sysctls: sysctlValues(kernel, incident) }) })}`,
        );
      found++;
    }
  };
  if (kernel !== null) {
    const { value: incidents, faults } = kernel.faults.collect(() => {
      const records = kernel.work.within(kernel.work.part('log'), () => readLog(kernel));
      lost = records.length === 0;
      return logIncidents(kernel, records);
    });
    for (const { what, message } of faults) writeError(`inquest: ${escapeTerminal(`${what}: ${message}`)}\n`);
    lost &&= faults.length > 0;
    show(incidents);
  } else {
    const scanner = new LogScanner();
    keepHeapSmall();
    for (const chunk of readSource(source)) {
      isLog ||= hasKernelLine(chunk);
      show(scanner.push(chunk));
    }
    show(scanner.end());
  }
  if (found === 0 && !lost) {
    const why = isLog
      ? 'no incident in this log'
      : 'no incident, and no line with a stamp or level of a kernel: is this a dump, or the log of a kernel?';
    writeError(`inquest: ${escapeTerminal(source)}: ${why}\n`);
  }
  return found > 0 ? 0 : lost ? 1 : 3;
}

/** Whether a line looks as if a kernel had written it: with a stamp or a level before it, or a tag of the kernel's. */
function hasKernelLine(chunk: Uint8Array): boolean {
  // a chunk's first and last line may be parts of lines
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    .toString('latin1')
    .split('\n')
    .some((line, i) => line.length < 4096 && parseLine(line, 0, line.length, i).some(isOfKernel));
}

function isOfKernel({ kernel, timestamp, level, text }: LogLine): boolean {
  return kernel || timestamp !== undefined || level !== undefined || text.startsWith('Linux version ');
}

/** Puts source lines into incidents, where debug information was named. */
async function decoder({ debug, modules = [] }: OopsOptions): Promise<(incident: Incident) => Incident> {
  if (debug === undefined || (debug.vmlinux === null && debug.dirs.length === 0 && modules.length === 0)) {
    return (incident) => incident;
  }
  const { vmlinux, dirs } = debug;
  const { FileSymbolizer } = await import('./file_symbolizer.ts');
  const { decodeIncident } = await import('../oops/decode.ts');
  const named = vmlinux === null ? null : new FileSymbolizer(vmlinux, modules, dirs, null);
  const byRelease = new Map<string, Symbolizer>();
  return (incident) => {
    const release = incident.kernelRelease ?? '';
    let symbolizer: Symbolizer | undefined = named ?? byRelease.get(release);
    if (symbolizer === undefined) {
      symbolizer = FileSymbolizer.ofRelease(release, modules, dirs);
      byRelease.set(release, symbolizer);
    }
    return decodeIncident(incident, symbolizer);
  };
}

/** What the dead kernel's sysctls were set to, of those that matter to an incident. */
function sysctlValues(kernel: Kernel, incident: Incident): Map<string, string> {
  const values = new Map<string, string>();
  for (const { name, value } of kernel.faults.collect(() => readSettings(kernel, explain(incident).sysctls)).value) {
    if (value !== null) values.set(name, value);
  }
  return values;
}
