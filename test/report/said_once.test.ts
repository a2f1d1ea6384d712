import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Block } from '../../src/report/block.ts';
import { saidOnce } from '../../src/report/said_once.ts';

const output = (command: string, ...lines: string[]): Block => ({
  kind: 'output',
  command,
  lines: lines.map((text) => ({ text, marked: false })),
});
const paragraph = (text: string): Block => ({ kind: 'paragraph', text });

test('what stood above in whole is pointed to, what adds a line is shown', () => {
  const stack = output('bt -s', ' #0 [f0] panic+12 at 10', ' #1 [f8] frob+4 at 20');
  const more = output('bt', ' #0 [f0] panic at 10', ' #2 [f9] other at 30');
  const blocks = [stack, paragraph('Where it came.'), output('bt | head -1', ' #0 [f0] panic at 10'), more];
  assert.deepEqual(saidOnce(blocks), [stack, paragraph('Where it came. (bt | head -1: above)'), more]);
});

test('an output that says nothing stays; one without a sentence before it gets one', () => {
  const shown = output('rd 10', '10: 0');
  assert.deepEqual(saidOnce([output('mod'), shown, shown]), [output('mod'), shown, paragraph('(rd 10: above)')]);
});
