// One death of many sources as a document, which the report's renderers write.
import { count } from '../base/text.ts';
import { partsToChange } from '../collect/hardware/of_incident.ts';
import type { MergedIncident, Told } from '../collect/incident/merge.ts';
import { explain } from '../oops/explain.ts';
import type { Block } from '../report/block.ts';

export function incidentDocument(incident: MergedIncident): Block[] {
  const { title, facts, contradictions, sources, hardware, timeline, fatal, time, host, release, signature } = incident;
  const rows: [string, string][] = [];
  const row = (label: string, value: string | null): void => {
    if (value !== null && value !== '') rows.push([label, value]);
  };
  row('Died', fatal ? (time ?? 'at an unknown time') : null);
  row('Machine', host);
  row('Kernel', release);
  row('Signature', signature);
  return [
    { kind: 'verdict', text: title },
    { kind: 'facts', rows },
    { kind: 'heading', text: 'Who saw it' },
    {
      kind: 'table',
      head: ['Source', 'Kind', 'Lines', 'Belongs to it because', 'Clock'],
      rows: sources.map(({ source, kind, lines, because, clockAhead }) => [
        source,
        kind,
        String(lines),
        because,
        clockAhead === null || Math.abs(clockAhead) < 1000 ? '' : `${(clockAhead / 1000).toFixed(1)} s ahead`,
      ]),
    },
    { kind: 'heading', text: 'What they say' },
    {
      kind: 'table',
      head: ['', 'Value', 'Told by'],
      rows: facts.flatMap(({ what, values }) => toldRows(what, values, sources.length)),
    },
    ...(contradictions.length === 0
      ? []
      : ([
          { kind: 'heading', text: 'Where they contradict each other' },
          {
            kind: 'list',
            items: contradictions.map(
              ({ what, values }) =>
                `${what}: ${values.map(({ value, sources: by }) => `${value} (${by.join(', ')})`).join('; ')}`,
            ),
          },
        ] satisfies Block[])),
    ...(hardware.length === 0
      ? []
      : ([
          { kind: 'heading', text: 'Hardware' },
          { kind: 'list', items: hardware },
        ] satisfies Block[])),
    { kind: 'heading', text: 'Time line' },
    {
      kind: 'timeline',
      entries: timeline.map(({ seconds, time: at, what, weight, sources: by }) => ({
        seconds,
        label: at ?? (seconds === null ? '' : `${seconds.toFixed(6)} s`),
        text: what,
        weight,
        note: by.length === sources.length && by.length > 1 ? 'all' : by.join(', '),
      })),
    },
    ...meaning(incident),
  ];
}

function toldRows(what: string, values: readonly Told<string>[], all: number): string[][] {
  return values.map(({ value, sources }, n) => [
    n === 0 ? what : '',
    value,
    sources.length === all && all > 1 ? `all ${count(all, 'source')}` : sources.join(', '),
  ]);
}

function meaning({ incident }: MergedIncident): Block[] {
  if (incident === null) return [];
  const { meaning: text, next } = explain(incident);
  return [
    { kind: 'heading', text: 'What it means' },
    { kind: 'paragraph', text },
    { kind: 'list', items: [...partsToChange(incident), ...next] },
  ];
}
