// What is around a kernel's message, by whoever carried it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type LogLine, parseLine } from '../../src/oops/log_line.ts';
import { PlainLines } from '../../src/oops/plain_lines.ts';

const message = 'BUG: kernel NULL pointer dereference, address: 0000000000000008';
const stamp = '[  907.567979]';

for (const prefix of [
  '',
  `${stamp} `,
  `${stamp}[ T5060] `,
  `${stamp} c1    123 `,
  '[  240.] ',
  '<4>',
  `Sun Sep  1 19:30:19 2019 kern.warn kernel: ${stamp} `,
  '2016-07-31 16:26:53 +0000 UTC kern.alert kernel: ',
  '\u0438\u044e\u043b 27 14:08:03 laptop kernel: ',
  'Dez 14 01:58:52 box kernel: ',
  'f\u00e9vr. 14 01:58:52 box kernel: ',
  `3\u6708 14 01:58:52 box kernel: ${stamp} `,
  `2026-05-28T12:21:57.303295+00:00 box kernel: ${stamp} `,
  '01-03 00:14:57.123     0     0 E         : ',
  '01-03 00:14:57.123  root     0     0 W KERNEL  : ',
])
  test(`a message is found behind ${JSON.stringify(prefix)}`, () => {
    const lines = parseLine(`${prefix}${message}`, 0, 1, 1);
    assert.deepEqual(
      lines.map(({ text, foreign }) => [text, foreign]),
      [[message, false]],
    );
    if (prefix.includes('kernel: ')) assert.equal(lines[0]!.kernel, true);
    if (prefix.includes(' box ')) assert.equal(lines[0]!.host, 'box');
  });

test("what another program says of a kernel is not the kernel's", () => {
  for (const line of [
    `Dez 14 01:58:52 box logger[12]: kernel: ${message}`,
    `he said at 14:08:03 that "the kernel: ${message}"`,
    `the log of kernel: ${message}`,
  ])
    assert.ok(!parseLine(line, 0, 1, 1)[0]!.kernel, line);
});

/**
 * The line between `before` and `after`, as it is read when it has come for the first, second and third time: each time in
 * another way.
 */
function plainLine(raw: string, before = 'x\n', after = '\n[    1.000000] y\n'): LogLine | null {
  const from = Buffer.byteLength(before);
  const bytes = Buffer.from(before + raw + after);
  const reader = new PlainLines();
  reader.take(bytes);
  const read = (): LogLine | null => reader.read(from, bytes.length, 3 - from, 2);
  const [first, second, third] = [read(), read(), read()].map(withoutKnown);
  assert.deepEqual(second, first);
  assert.deepEqual(third, first);
  return first ?? null;
}

/** What `parseLine` says of a line, too. */
function withoutKnown(line: LogLine | null): LogLine | null {
  if (line === null) return null;
  const { announces: _, frame: __, caller, end: ___, ...rest } = line;
  return { ...rest, end: 9, ...(caller === undefined ? null : { caller }) };
}

test('a plain line is read as any other', () => {
  for (const text of [
    message,
    ' func+0x1/0x2 [mod]',
    'RIP: 0010:f+0x1/0x2',
    'general protection fault, probably for',
    '#PF: supervisor read access in kernel mode',
    '  lr : f+0x1/0x2',
    'Oops: 0000 [#1] SMP',
  ])
    for (const raw of [
      `${stamp} ${text}`,
      `[    0.000000] ${text}`,
      `[12345678.000001][   T12] ${text}`,
      `${stamp} ${text}\r`,
    ]) {
      const plain = plainLine(raw);
      assert.ok(plain !== null, raw);
      assert.deepEqual([plain], parseLine(raw.replace(/\r$/, ''), 3, 9, 2));
    }
  for (const raw of [
    `${stamp} half ${stamp} ${message}`,
    `${stamp} box kernel: x`,
    `${stamp} Panic#1 Part1`,
    `${stamp} a\x1b[0m`,
    `${stamp} 4,1,2,-,ncfrag=0/12;x`,
    message,
  ])
    assert.equal(plainLine(raw), null, raw);
});

test('whatever is taken for a plain line is read as any other', () => {
  const pieces = [
    '[',
    ']',
    ' ',
    '12',
    '.345678',
    'T1',
    'C2',
    '<4>',
    'kernel: ',
    'Jun ',
    ':',
    'box',
    '(',
    'user  :info  : ',
    '#',
    'ö',
    stamp,
    'BUG',
    '2024-01-01T00:00:00 ',
  ];
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...pieces), { maxLength: 8 }),
      fc.constantFrom('', ' ', '[ T9] '),
      (words, gap) => {
        const raw = `${stamp}${gap}${words.join('')}`;
        const plain = plainLine(raw);
        if (plain !== null) assert.deepEqual([plain], parseLine(raw, 3, 9, 2));
      },
    ),
    { numRuns: 2000 },
  );
});
