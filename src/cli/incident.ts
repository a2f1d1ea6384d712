// `inquest incident`: everything that one death left, as one incident.
import { writeFileSync } from 'node:fs';
import { assertNever } from '../base/errors.ts';
import { escapeJson, escapeTerminal } from '../base/text.ts';
import { machineChecksOfKernel } from '../collect/hardware/raw_mce.ts';
import { bootsOf } from '../collect/incident/boots.ts';
import { type MergedIncident, mergeWitnesses } from '../collect/incident/merge.ts';
import { pstoreWitnesses, readSources } from '../collect/incident/sources.ts';
import type { Witness } from '../collect/incident/witness.ts';
import { ramoopsOf } from '../collect/pstore/dump.ts';
import { logAsText, readLog } from '../kernel/printk.ts';
import { renderHtml } from '../report/html.ts';
import { renderMarkdown } from '../report/markdown.ts';
import type { ReportFormat } from '../report/render.ts';
import { renderText } from '../report/text.ts';
import { analyse } from '../triage/analyse.ts';
import { noDebugOptions } from './debug_options.ts';
import { incidentDocument } from './incident_document.ts';
import { isTerminal } from './is_terminal.ts';
import { openContext } from './open.ts';
import { writeError, writeOut } from './output.ts';
import { keepHeapSmall } from './source.ts';

export interface IncidentOptions {
  readonly format: ReportFormat;
  readonly output: string | null;
}

/** What `--json` prints. */
export interface IncidentData {
  readonly incidents: readonly MergedIncident[];
  /** What could not be read. */
  readonly problems: readonly string[];
}

/** @returns 0 with incidents, 3 with none */
export async function runIncident(sources: readonly string[], options: IncidentOptions): Promise<number> {
  keepHeapSmall();
  const { witnesses, problems } = readSources(sources, dumpWitnesses);
  const incidents = mergeWitnesses(witnesses);
  for (const problem of problems) writeError(`inquest: ${escapeTerminal(problem)}\n`);
  const text = render({ incidents, problems }, options);
  if (options.output === null) writeOut(text);
  else writeFileSync(options.output, text);
  if (incidents.length === 0) writeError('inquest: no incident in these sources\n');
  return incidents.length > 0 ? 0 : 3;
}

function render({ incidents, problems }: IncidentData, { format, output }: IncidentOptions): string {
  const blocks = incidents.flatMap(incidentDocument);
  switch (format) {
    case 'text': {
      const toTerminal = output === null && isTerminal(1);
      const colour = toTerminal && process.env['NO_COLOR'] === undefined;
      return renderText(blocks, {
        colour,
        width: Math.min(120, Math.max(60, (toTerminal ? process.stdout.columns : 100) || 100)),
      });
    }
    case 'markdown':
      return renderMarkdown(blocks);
    case 'html':
      return renderHtml(blocks, incidents[0]?.title ?? 'no incident');
    case 'json':
      return `${escapeJson(JSON.stringify({ incidents, problems }))}\n`;
    default:
      return assertNever(format);
  }
}

/** A dump's own account, and what the ramoops region in it has of other boots. */
export function dumpWitnesses(path: string): Witness[] {
  const context = openContext([path], noDebugOptions);
  const { kernel } = context;
  const analysis = analyse(context);
  const { panic } = analysis;
  const text = logAsText(readLog(kernel));
  const crashed = analysis.kernel.crashTime === null ? Number.NaN : Date.parse(analysis.kernel.crashTime);
  const uptime = analysis.kernel.uptimeSeconds;
  const bootTime = Number.isFinite(crashed) && uptime !== null ? Math.round(crashed - uptime * 1000) : null;
  const origin = { source: path, kind: 'dump', host: analysis.kernel.nodename, bootTime } as const;
  const [log] = bootsOf(text, origin);
  const own: Witness = {
    ...(log ?? { ...origin, bootId: null, from: null, to: null, lineCount: 0, lines: [], incidents: [], hardware: [] }),
    release: analysis.kernel.release,
    hardware: [...machineChecksOfKernel(kernel), ...(log?.hardware ?? [])],
    verdict: {
      title: panic.title,
      message: panic.message,
      function: panic.rip?.symbol ?? null,
      // whoever panicked over a hung task is not the one that it is about
      cpu: panic.culprit === null ? panic.cpu : panic.culprit.cpu,
      pid: panic.culprit === null ? panic.pid : panic.culprit.pid,
      comm: panic.culprit === null ? panic.comm : panic.culprit.comm,
      signature: panic.signature,
    },
  };
  const region = kernel.faults.attempt('ramoops region', () => ramoopsOf(kernel, path), null);
  return [
    own,
    ...(region === null ? [] : pstoreWitnesses({ records: region.records, problems: [] }, `${path}, ramoops`)),
  ];
}
