// The running machine as a source: /proc/kcore, for root alone, read and never written.
import { escapeJson, escapeLine } from '../base/text.ts';
import { toJson } from '../commands/command.ts';
import { type LiveReport, liveReport } from '../triage/live.ts';
import type { DebugOptions } from './debug_options.ts';
import { liveSource } from './live_source.ts';
import { openContext } from './open.ts';
import { writeOut } from './output.ts';

/** Says whether the machine is in trouble now. @returns 0 all is well, 3 it is in trouble */
export function runLiveReport(options: { readonly json: boolean; readonly debug: DebugOptions }): number {
  const report = liveReport(openContext([liveSource()], options.debug));
  writeOut(options.json ? `${escapeJson(toJson(report, 2))}\n` : liveText(report));
  return report.troubles.length === 0 ? 0 : 3;
}

function liveText({ release, tasks, loadAverage, troubles, faults }: LiveReport): string {
  const load = loadAverage === null ? '' : `, load ${loadAverage.map((n) => n.toFixed(2)).join(' ')}`;
  const lines = troubles.flatMap(({ title, explanation, commands }) => [
    `* ${escapeLine(title)}`,
    ...(explanation === '' ? [] : [`  ${escapeLine(explanation)}`]),
    `  inquest crash ${commands
      .slice(0, 3)
      .map((command) => `-c '${escapeLine(command)}'`)
      .join(' ')}`,
  ]);
  const raced =
    faults.length === 0
      ? []
      : [`${faults.length} things changed while they were read, or cannot be read: ${escapeLine(faults[0]!.message)}`];
  const verdict =
    troubles.length === 0
      ? 'no trouble is seen'
      : `${troubles.length} ${troubles.length === 1 ? 'trouble is' : 'troubles are'} seen`;
  return `${[`${escapeLine(release ?? 'unknown kernel')}, ${tasks} tasks${load}: ${verdict}`, ...lines, ...raced].join('\n')}\n`;
}
