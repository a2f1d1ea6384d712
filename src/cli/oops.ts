// `inquest oops`: every incident in a log, explained.
import { escapeJson, escapeLogLine, escapeTerminal } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { logAsText, readLog } from '../kernel/printk.ts';
import { explain } from '../oops/explain.ts';
import type { Incident } from '../oops/incident.ts';
import { renderIncident } from '../oops/render.ts';
import { LogScanner } from '../oops/scanner.ts';
import { readSettings } from '../triage/settings.ts';
import { openNamedKernel } from './open.ts';
import { writeError, writeOut } from './output.ts';
import { isDumpSource, keepHeapSmall, readSource } from './source.ts';

/** @returns 0 with incidents, 3 with none, 1 if none because the log could not be read */
export async function runOops(source: string, options: { titles: boolean; json: boolean }): Promise<number> {
  let found = 0;
  let lost = false;
  const kernel = isDumpSource(source) ? openNamedKernel([source]) : null;
  const show = (incidents: readonly Incident[]): void => {
    for (const incident of incidents) {
      if (options.json) writeOut(`${escapeJson(JSON.stringify(incident))}\n`);
      else if (options.titles) writeOut(`${escapeLogLine(incident.title)}\n`);
      else
        writeOut(
          `${found === 0 ? '' : '\n'}${renderIncident(incident, kernel === null ? {} : { sysctls: sysctlValues(kernel, incident) })}`,
        );
      found++;
    }
  };
  const scanner = new LogScanner();
  if (kernel !== null) {
    const { value: records, faults } = kernel.faults.collect(() => readLog(kernel));
    for (const { what, message } of faults) writeError(`inquest: ${escapeTerminal(`${what}: ${message}`)}\n`);
    lost = records.length === 0 && faults.length > 0;
    show(scanner.push(logAsText(records)));
  } else {
    keepHeapSmall();
    for (const chunk of readSource(source)) show(scanner.push(chunk));
  }
  show(scanner.end());
  if (found === 0 && !lost) writeError(`inquest: ${escapeTerminal(source)}: no incident in this log\n`);
  return found > 0 ? 0 : lost ? 1 : 3;
}

/** What the dead kernel's sysctls were set to, of those that matter to an incident. */
function sysctlValues(kernel: Kernel, incident: Incident): Map<string, string> {
  const values = new Map<string, string>();
  for (const { name, value } of kernel.faults.collect(() => readSettings(kernel, explain(incident).sysctls)).value) {
    if (value !== null) values.set(name, value);
  }
  return values;
}
