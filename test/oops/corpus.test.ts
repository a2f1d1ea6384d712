// Every text of test/oops/corpus, with what a reader should be told of it. `NAME.txt` is a log as it was caught (any prefix, any
// transport), `NAME.json` what is expected of its first incident and how many there are.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { reportKind } from '../../src/oops/kinds.ts';
import { findIncidents, LogScanner } from '../../src/oops/scanner.ts';

interface Expected {
  count: number;
  kind?: string;
  title?: string;
  guilty?: string;
  report?: string;
  task?: string;
  pid?: number;
  cpu?: number;
  fatal?: boolean;
  severity?: string;
  corrupted?: boolean;
  repeats?: number;
  arch?: string;
  titles?: string[];
}

const folder = new URL('./corpus/', import.meta.url);
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -4));

test('the corpus is there', () => {
  assert.ok(names.length >= 150, `only ${names.length} texts`);
});

for (const name of names) {
  test(`corpus: ${name}`, () => {
    const bytes = readFileSync(new URL(`${name}.txt`, folder));
    const expected = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')) as Expected;
    const incidents = findIncidents(bytes);
    const titles = incidents.map((incident) => incident.title);
    assert.equal(incidents.length, expected.count, `titles: ${titles.join(' | ')}`);
    const first = incidents[0];
    if (first === undefined) return;
    const seen: Record<string, unknown> = {
      title: first.title,
      kind: first.kind,
      guilty: first.guilty?.function,
      report: reportKind(first),
      task: first.task?.comm,
      pid: first.task?.pid,
      cpu: first.cpu,
      fatal: first.fatal,
      severity: first.severity,
      corrupted: first.corrupted,
      repeats: first.repeats,
      arch: first.architecture,
      titles,
    };
    for (const [key, value] of Object.entries(expected)) {
      if (key !== 'count') assert.deepEqual(seen[key], value, `${key} of ${first.title}`);
    }
    if (expected.corrupted === undefined) assert.equal(first.corruptedReason, null);
    // the same, however the bytes arrive
    const scanner = new LogScanner();
    const pieces = [];
    for (let at = 0; at < bytes.length; at += 997) pieces.push(...scanner.push(bytes.subarray(at, at + 997)));
    pieces.push(...scanner.end());
    assert.deepEqual(
      pieces.sort((a, b) => a.span.start - b.span.start),
      incidents,
    );
  });
}
