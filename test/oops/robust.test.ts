// Logs come damaged, mixed and hostile. Whatever the bytes are, scanning ends, does not throw, and what it says of the text is
// true of the text.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { explain } from '../../src/oops/explain.ts';
import type { Incident } from '../../src/oops/incident.ts';
import { reportKind } from '../../src/oops/kinds.ts';
import { renderIncident } from '../../src/oops/render.ts';
import { findIncidents, LogScanner } from '../../src/oops/scanner.ts';
import { similarity } from '../../src/oops/signature.ts';

const folder = new URL('./corpus/', import.meta.url);
const texts = readdirSync(folder)
  .filter((name) => name.endsWith('.txt') && !name.startsWith('negative-empty'))
  .map((name) => readFileSync(new URL(name, folder)));

function check(incidents: readonly Incident[], length: number): void {
  for (const incident of incidents) {
    const { span } = incident;
    assert.ok(
      span.start >= 0 && span.start < span.end && span.end <= length,
      `span ${span.start}-${span.end} of ${length}`,
    );
    assert.ok(span.startLine >= 1 && span.startLine <= span.endLine);
    assert.ok(incident.title.length > 0 && incident.title.length <= 200);
    assert.match(incident.signature, /^[0-9a-f]{16}$/);
    assert.match(incident.looseSignature, /^[0-9a-f]{16}$/);
    assert.ok(!incident.title.includes('%F'));
    assert.ok(!incident.altTitles.some((title) => title.includes('%F')));
    assert.equal(typeof reportKind(incident), 'string');
    assert.ok(explain(incident).meaning.length > 0);
    const text = renderIncident(incident);
    assert.doesNotMatch(text, /[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
    assert.deepEqual(JSON.parse(JSON.stringify(incident)), incident);
    assert.equal(similarity(incident, incident), 1);
  }
}

test('bytes changed anywhere', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 40 }),
      (text, changes) => {
        const bytes = Buffer.from(text);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        check(findIncidents(bytes), bytes.length);
      },
    ),
    { numRuns: 300 },
  );
});

test('pieces cut out and doubled', () => {
  fc.assert(
    fc.property(fc.constantFrom(...texts), fc.nat(), fc.nat(), fc.boolean(), (text, a, b, twice) => {
      const from = a % text.length;
      const to = from + (b % (text.length - from));
      const bytes = twice
        ? Buffer.concat([text.subarray(0, to), text.subarray(from)])
        : Buffer.concat([text.subarray(0, from), text.subarray(to)]);
      check(findIncidents(bytes), bytes.length);
    }),
    { numRuns: 200 },
  );
});

/** What kernels print, or wires make, where a number, an address or a name is expected. */
const odd =
  '(____ptrval____)|(ptrval)|(null)|(efault)|(einval)|<NULL>|?||0|-0|-1|0x|99999999999999999999|fffffffffffffffff|7a3f21c4|#fffc90000d97ff8|__proto__|%pK|$&|(?:|\0'.split(
    '|',
  );
const fields = [/0x[0-9a-f]+/g, /\b[0-9a-f]{8,16}\b/g, /\b\d+\b/g, /[A-Za-z_][\w.]*(?=\+0x)/g, /\b[A-Za-z_]\w+/g];

test('fields of a form that nobody expects: one, or all of a kind', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.constantFrom(...fields),
      fc.constantFrom(...odd),
      fc.option(fc.nat()),
      (text, field, form, one) => {
        const lines = text.toString('latin1');
        const which = one === null ? null : one % (lines.match(field)?.length ?? 1);
        let n = 0;
        const bytes = Buffer.from(
          lines.replace(field, (was) => (which === null || which === n++ ? form : was)),
          'latin1',
        );
        check(findIncidents(bytes), bytes.length);
      },
    ),
    { numRuns: 600 },
  );
});

test('any bytes at all, in any pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }), (chunks) => {
      const scanner = new LogScanner();
      const incidents = chunks.flatMap((chunk) => scanner.push(chunk));
      incidents.push(...scanner.end());
      check(
        incidents,
        chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      );
    }),
    { numRuns: 200 },
  );
});

test('lines of several reports shuffled into each other', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...texts), { minLength: 2, maxLength: 4 }),
      fc.infiniteStream(fc.nat({ max: 3 })),
      (parts, order) => {
        const queues = parts.map((part) => part.toString('latin1').split('\n'));
        const lines: string[] = [];
        for (const pick of order) {
          const open = queues.filter((queue) => queue.length > 0);
          if (open.length === 0) break;
          lines.push(open[pick % open.length]!.shift()!);
        }
        const bytes = Buffer.from(lines.join('\n'), 'latin1');
        check(findIncidents(bytes), bytes.length);
      },
    ),
    { numRuns: 150 },
  );
});

const oops = (fn: string): string[] => [
  'BUG: kernel NULL pointer dereference, address: 0000000000000008',
  '#PF: supervisor read access in kernel mode',
  'Oops: 0000 [#1] PREEMPT SMP NOPTI',
  'CPU: 1 PID: 1395 Comm: sh Not tainted 6.1.0 #1',
  `RIP: 0010:${fn}+0x1c/0x80 [demo]`,
  'Call Trace:',
  ' <TASK>',
  ' demo_write+0x7e/0x3e0 [demo]',
  ' </TASK>',
  '---[ end trace 0000000000000000 ]---',
];
const warn = (fn: string): string[] => [
  '------------[ cut here ]------------',
  'demo: something is odd',
  `WARNING: CPU: 0 PID: 77 at drivers/demo.c:12 ${fn}+0x1c/0x80`,
  'Modules linked in: demo',
  'CPU: 0 PID: 77 Comm: kworker/0:1 Not tainted 6.1.0 #1',
  `RIP: 0010:${fn}+0x1c/0x80`,
  'Call Trace:',
  ' <TASK>',
  ' demo_work+0x7e/0x3e0',
  ' </TASK>',
  '---[ end trace 0000000000000000 ]---',
];

test('printk callers tell interleaved reports apart, in any order', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.boolean()), (order) => {
      const a = oops('first_function');
      const b = warn('second_function');
      const lines: string[] = [];
      let t = 10;
      for (const first of order) {
        if (a.length === 0 && b.length === 0) break;
        const useA = b.length === 0 || (first && a.length > 0);
        t += 0.0001;
        lines.push(`[${t.toFixed(6).padStart(12)}][${useA ? 'T1395' : '   C0'}] ${(useA ? a : b).shift()!}`);
      }
      const titles = findIncidents(lines.join('\n')).map((incident) => incident.title);
      assert.deepEqual(titles.sort(), [
        'BUG: unable to handle kernel NULL pointer dereference in first_function',
        'WARNING in second_function',
      ]);
    }),
    { numRuns: 100 },
  );
});

test('a long line is cut, not collected', () => {
  const scanner = new LogScanner();
  const incidents: Incident[] = [];
  const junk = Buffer.alloc(1 << 20, 'x');
  for (let i = 0; i < 8; i++) incidents.push(...scanner.push(junk));
  incidents.push(...scanner.push(`\n${oops('after_junk').join('\n')}\n`), ...scanner.end());
  assert.equal(incidents.length, 1);
  assert.equal(incidents[0]!.guilty?.function, 'after_junk');
  assert.equal(incidents[0]!.span.startLine, 2);
  assert.equal(incidents[0]!.span.start, 8 * (1 << 20) + 1);
});

test('the span is where the report stands', () => {
  const before = 'one\ntwo\nthree\n';
  const report = `${oops('spanned').join('\n')}\n`;
  const after = 'four\nfive\n';
  const [incident] = findIncidents(before + report + after);
  assert.deepEqual(incident!.span, {
    start: before.length,
    end: before.length + report.length - 1,
    startLine: 4,
    endLine: 3 + oops('spanned').length,
  });
});

test('a stamp that a terminal would obey does not get through', () => {
  const text = `${oops('evil').join('\n')}\n`.replace('Comm: sh', 'Comm: \x1b]0;pwned\x07\x9b');
  check(findIncidents(text), Buffer.byteLength(text));
});

test('times of a journal that are no numbers are none', () => {
  for (const time of ['-0', '', ' ', '-5', '1e3', '0x10', '99999999999999999999999']) {
    const text = oops('journalled').map((line) =>
      JSON.stringify({
        MESSAGE: line,
        _TRANSPORT: 'kernel',
        PRIORITY: time,
        __REALTIME_TIMESTAMP: time,
        _SOURCE_MONOTONIC_TIMESTAMP: time,
      }),
    );
    const [incident] = findIncidents(text.join('\n'));
    assert.deepEqual([incident!.timestamp, incident!.wallTime], [null, null], time);
  }
});
