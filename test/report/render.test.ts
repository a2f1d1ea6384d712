import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderReport } from '../../src/report/render.ts';
import { assertGolden } from '../support/golden.ts';
import { analysis } from './fixture.ts';

const plain = { colour: false, width: 100 };

for (const format of ['text', 'markdown', 'html'] as const) {
  test(`the whole report as ${format}`, () => {
    assertGolden(new URL(`golden/report.${format}.txt`, import.meta.url), renderReport(analysis, format, plain));
  });

  test(`${format}: control characters of the dump are made visible`, () => {
    assert.doesNotMatch(renderReport(analysis, format, plain), /[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
  });
}

test('html: text of the dump is never markup, and nothing is loaded from anywhere', () => {
  const html = renderReport(analysis, 'html', plain);
  assert.doesNotMatch(html, /<b>/);
  assert.doesNotMatch(html, /<script|src=|href=|url\(|@import/i);
  assert.match(html, /Content-Security-Policy/);
});

test('markdown: a fence is longer than any fence in what it holds', () => {
  assert.match(renderReport(analysis, 'markdown', plain), /^````$/m);
});

test('json is the analysis itself', () => {
  assert.deepEqual(JSON.parse(renderReport(analysis, 'json', plain)), JSON.parse(JSON.stringify(analysis)));
});

test('colours only when asked for, and then the text is the same', () => {
  const coloured = renderReport(analysis, 'text', { colour: true, width: 100 });
  assert.match(coloured, /\x1b\[/);
  assert.equal(coloured.replace(/\x1b\[\d+m/g, ''), renderReport(analysis, 'text', plain));
});

test('a report of a dump in which nothing could be read still says so', () => {
  const nothing = {
    ...analysis,
    registers: null,
    backtrace: [],
    stack: null,
    code: null,
    findings: [],
    tasks: [],
    memory: null,
    incidents: [],
    log: { lines: [], omitted: 0 },
    modules: [],
    settings: [],
    kernel: {
      ...analysis.kernel,
      release: null,
      version: null,
      nodename: null,
      crashTime: null,
      uptimeSeconds: null,
      loadAverage: null,
      memory: null,
      hardware: null,
      commandLine: null,
      taint: [],
    },
    panic: { ...analysis.panic, pid: null, comm: null, cpu: null, rip: null, faultAddress: null, signature: null },
  };
  const text = renderReport(nothing, 'text', plain);
  assert.match(text, /What could not be read/);
  assert.doesNotMatch(text, /\bnull\b(?!-pointer)|undefined|NaN/);
});

test('a name of the dump neither forges a line nor turns the text around', () => {
  const comm = 'sh\n== Forged ==\u202e\u2028';
  const hostile = { ...analysis, panic: { ...analysis.panic, comm } };
  for (const format of ['text', 'markdown', 'html', 'json'] as const) {
    const rendered = renderReport(hostile, format, plain);
    assert.doesNotMatch(rendered, /^== Forged/m, format);
    assert.doesNotMatch(rendered, /[\u202e\u2028]/, format);
  }
});
