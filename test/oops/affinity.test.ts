// Two reports are printed at once and nothing tells their lines apart but what each of them misses.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { likeliest } from '../../src/oops/affinity.ts';
import { Draft } from '../../src/oops/draft.ts';
import { parseHeadline } from '../../src/oops/headlines/headlines.ts';
import { type LogLine, parseLine } from '../../src/oops/log_line.ts';

const at = (number: number, text: string): LogLine => parseLine(text, 0, text.length, number)[0]!;
const draft = (number: number, text: string): Draft => new Draft(parseHeadline(text)!, at(number, text), []);

const older = (): Draft => draft(1, 'WARNING: CPU: 0 PID: 77 at drivers/demo.c:12 demo_work+0x1c/0x80');
const newer = (): Draft => draft(2, 'WARNING: CPU: 1 PID: 88 at drivers/other.c:34 other_work+0x1c/0x80');

test('a line that names the task or function of a report is its line', () => {
  const [a, b] = [older(), newer()];
  const whose = (text: string): Draft => likeliest(at(3, text), b, [a]);
  assert.equal(whose('CPU: 0 PID: 77 Comm: kworker/0:1 Not tainted 6.1.0 #1'), a);
  assert.equal(whose('CPU: 1 PID: 88 Comm: sh Not tainted 6.1.0 #1'), b);
  assert.equal(whose('RIP: 0010:demo_work+0x1c/0x80'), a);
  assert.equal(whose('RIP: 0010:other_work+0x1c/0x80'), b);
});

test('a frame goes to the trace that waits for frames, then to the one that got the last', () => {
  const [a, b] = [older(), newer()];
  a.add(at(3, 'Call Trace:'));
  assert.equal(likeliest(at(4, ' f+0x1/0x20'), b, [a]), a);
  a.add(at(4, ' f+0x1/0x20'));
  b.add(at(5, 'Call Trace:'));
  assert.equal(likeliest(at(6, ' g+0x1/0x20'), b, [a]), b);
  b.add(at(6, ' g+0x1/0x20'));
  assert.equal(likeliest(at(7, ' h+0x1/0x20'), b, [a]), b);
  a.add(at(7, ' h+0x1/0x20'));
  assert.equal(likeliest(at(8, ' i+0x1/0x20'), b, [a]), a);
});

test('a line that fits none, and one long after the older report, go to the newer', () => {
  const [a, b] = [older(), newer()];
  assert.equal(likeliest(at(3, 'usb 1-1: new device'), b, [a]), b);
  assert.equal(likeliest(at(18, 'CPU: 0 PID: 77 Comm: kworker/0:1 Not tainted 6.1.0 #1'), b, [a]), b);
});
