// Which lines make one trace, and which trace is the incident's own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Draft } from '../../src/oops/draft.ts';
import { makeFrame } from '../../src/oops/frames.ts';
import { parseHeadline } from '../../src/oops/headlines/headlines.ts';
import type { OpenIncident, TracePurpose } from '../../src/oops/incident.ts';
import { parseLine } from '../../src/oops/log_line.ts';
import { Traces } from '../../src/oops/traces.ts';

function incidentOf(text: string): OpenIncident {
  const [line] = parseLine(text, 0, text.length, 1);
  return new Draft(parseHeadline(text)!, line!, []).incident;
}

const stall = 'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:';
const oops = 'BUG: kernel NULL pointer dereference, address: 0000000000000008';

function shape(incident: OpenIncident): [TracePurpose, string, (string | null)[]][] {
  return incident.traces.map((trace) => [trace.purpose, trace.stack, trace.frames.map((frame) => frame.symbol)]);
}

test('each stack is a trace of its own', () => {
  const incident = incidentOf(oops);
  const traces = new Traces(incident, false);
  assert.ok(traces.readHead('Call Trace:'));
  assert.ok(traces.awaitsFrames);
  for (const text of [' <IRQ>', ' tick+0x1/0x20', ' </IRQ>', ' <TASK>', ' work+0x1/0x20', ' </TASK>'])
    assert.ok(traces.readFrame(text, 1), text);
  assert.ok(!traces.awaitsFrames);
  traces.complete(new Set());
  assert.deepEqual(shape(incident), [
    ['main', 'irq', ['tick']],
    ['main', 'task', ['work']],
  ]);
});

test("frames go on after a few of somebody else's lines, not after many", () => {
  for (const [number, expected] of [
    [16, [['main', 'task', ['inner', 'outer']]]],
    [
      17,
      [
        ['main', 'task', ['inner']],
        ['other-task', 'task', ['outer']],
      ],
    ],
  ] as const) {
    const incident = incidentOf(oops);
    const traces = new Traces(incident, false);
    traces.readHead('Call Trace:');
    traces.readFrame(' inner+0x1/0x20', 9);
    traces.suspend(10);
    assert.ok(!traces.open);
    traces.readFrame(' outer+0x1/0x20', number);
    assert.deepEqual(shape(incident), expected);
  }
});

test('an instruction pointer among frames is one of them, before them it is not', () => {
  const incident = incidentOf(oops);
  const traces = new Traces(incident, false);
  const at = makeFrame({ symbol: 'copy' });
  traces.readHead('Call Trace:');
  assert.ok(!traces.addInterrupted(at));
  traces.readFrame(' asm_exc_page_fault+0x1/0x20', 1);
  assert.ok(traces.addInterrupted(at));
  assert.deepEqual(incident.traces[0]!.frames[1], { ...at, interrupted: true });
});

test('a stall is where the stalled CPU is, on all its stacks', () => {
  const incident = incidentOf(stall);
  const traces = new Traces(incident, false);
  for (const cpu of [1, 2]) {
    traces.close();
    traces.expect('other-cpu', cpu);
    traces.readHead('Call Trace:');
    for (const text of [' <IRQ>', ` tick${cpu}+0x1/0x20`, ' </IRQ>', ` work${cpu}+0x1/0x20`]) traces.readFrame(text, 1);
  }
  traces.complete(new Set([2]));
  assert.deepEqual(shape(incident), [
    ['other-cpu', 'irq', ['tick1']],
    ['other-cpu', 'task', ['work1']],
    ['main', 'irq', ['tick2']],
    ['main', 'task', ['work2']],
  ]);
});

test("what panic() shows after another report is panic's, unless nothing else was shown", () => {
  const first = incidentOf(oops);
  first.panic = 'Fatal exception';
  const traces = new Traces(first, false);
  for (const name of ['fault', 'vpanic']) {
    traces.readHead('Call Trace:');
    traces.readFrame(` ${name}+0x1/0x20`, 1);
    traces.close();
  }
  traces.complete(new Set());
  assert.deepEqual(shape(first), [
    ['main', 'task', ['fault']],
    ['panic', 'task', ['vpanic']],
  ]);
});
