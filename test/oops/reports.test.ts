// Every spoken report (reports/), as a console, dmesg, printk's callers, netconsole and syslog bring it: the incident is found,
// named by its kind, and blamed on the function whose maintainer should be mailed; nothing is found where nothing was said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Incident } from '../../src/oops/incident.ts';
import { findIncidents } from '../../src/oops/scanner.ts';
import { allTexts } from './reports/index.ts';
import type { Text } from './reports/text.ts';
import { printed } from './reports/voice.ts';

const says = (titles: readonly string[], name: string): boolean =>
  titles.some((title) => title.endsWith(` ${name}`) || title.endsWith(` ${name}()`));

/** What a reader is told wrongly of a text; null: nothing. */
function mistake(text: Text, incidents: readonly Incident[]): string | null {
  const [first] = incidents;
  if (text.kind === null) return first === undefined ? null : `${text.name}: no incident, but ${first.title}`;
  if (first === undefined) return `${text.name}: not found`;
  if (first.kind !== text.kind) return `${text.name}: ${first.kind}, not ${text.kind}`;
  const blamed = first.guilty?.function ?? null;
  if (text.blame === null)
    return blamed !== null && says([first.title], blamed) ? `${text.name}: blames ${blamed}` : null;
  if (blamed !== text.blame) return `${text.name}: blames ${blamed}, not ${text.blame}`;
  if (text.also !== null && !says(first.altTitles, text.also)) return `${text.name}: no title has ${text.also}`;
  return null;
}

test('the reports have names of their own, and are many', () => {
  assert.equal(new Set(allTexts.map(({ name }) => name)).size, allTexts.length);
  assert.ok(allTexts.length >= 600, `${allTexts.length}`);
});

for (const [style, transport] of ['console', 'dmesg', 'callers', 'levels', 'syslog'].entries()) {
  test(`every report is read, by ${transport}`, () => {
    const wrong = allTexts
      // boots are told by the stamps of a console
      .filter(({ lines }) => style === 0 || !/^\[ /.test(lines[0]!))
      .map((text) => mistake(text, findIncidents(printed(text.lines, style))))
      .filter((said) => said !== null);
    assert.deepEqual(wrong, []);
  });
}
