import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeReport } from '../../src/report/document.ts';
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

test('brief: fits 80 columns and 39 rows, whatever the dump holds', () => {
  const long = 'a long story about a kernel that died ';
  const place = { address: '0xffffffff81000000', symbol: `function_${'x'.repeat(200)}`, offset: 1, module: 'm' };
  const told = {
    ...analysis,
    panic: { ...analysis.panic, message: long.repeat(60), because: long.repeat(20), subject: long.repeat(9) },
    blamedStack: {
      of: long.repeat(5),
      frames: Array.from({ length: 300 }, (_, i) => ({
        ...place,
        name: place.symbol,
        offset: i,
        machinery: i % 2 === 0,
      })),
    },
    next: Array.from({ length: 9 }, (_, i) => ({ command: `rd ${i} ${long.repeat(5)}`, why: long.repeat(30) })),
  };
  for (const one of [analysis, told]) {
    const lines = renderReport(one, 'text', plain, { ...wholeReport, brief: true })
      .trimEnd()
      .split('\n');
    assert.ok(lines.length <= 39, `${lines.length} lines`);
    for (const line of lines) assert.ok(line.length <= 80, line);
  }
});

test('brief: equal frames are counted, machinery is dimmed, the first three steps are there', () => {
  const frame = {
    address: '0xffffffff81000000',
    symbol: 'frob',
    name: 'frob',
    offset: 0x10,
    module: null,
    machinery: false,
  };
  const deep = {
    ...analysis,
    blamedStack: {
      of: 'sh (pid 7)',
      frames: [...Array.from({ length: 57 }, () => frame), { ...frame, name: 'vfs_write', machinery: true }],
    },
    next: ['one', 'two', 'three', 'four'].map((command) => ({ command, why: `Shows ${command}.` })),
  };
  const text = renderReport(deep, 'text', { colour: true, width: 80 }, { ...wholeReport, brief: true });
  assert.match(text, /^ {2}frob\+0x10 {2}\(57 times\)$/m);
  assert.match(text, /\x1b\[2m {2}vfs_write\+0x10\x1b\[22m/);
  assert.match(text, /crash> three/);
  assert.doesNotMatch(text, /crash> four/);
});

test('the verdict stands at the end, too, where that is asked for', () => {
  const text = renderReport(analysis, 'text', plain, { ...wholeReport, verdictLast: true });
  assert.equal(text.split('NULL pointer: tried to read').length, 3);
  assert.ok(text.trimEnd().endsWith('holds.'), text.slice(-200));
});

test('one cause of faults is said once, with what it cost', () => {
  const fault = (what: string, message: string) => ({ ...analysis.faults[0]!, what, message });
  const faults = [
    fault('log', 'no symbols'),
    fault('tasks', 'no symbols'),
    fault('log', 'no symbols'),
    fault('mounts', 'cut'),
  ];
  const text = renderReport({ ...analysis, faults }, 'text', plain);
  assert.match(text, /- no symbols: log, tasks\n- mounts: cut\n/);
});
