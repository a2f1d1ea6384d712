import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CaptureRecord } from '../../src/host/capture/record.ts';
import { type CrashTest, crashTestResult } from '../../src/host/crash_test.ts';
import { type Crash, pruneCrash, readCrashes, toPrune } from '../../src/host/crashes.ts';
import { hostTree } from '../support/host_tree.ts';

const step = (
  name: 'reach' | 'verdict' | 'mini' | 'full',
  at: string,
  problem = '',
): CaptureRecord['steps'][number] => ({
  step: name,
  at,
  by: 'inquest',
  isGood: problem === '',
  problem,
  from: 1,
  to: 3,
  least: 100,
});
const record: CaptureRecord = {
  release: '6',
  hostname: 'h',
  crashTime: 1,
  startedAfter: 4.5,
  isComplete: true,
  memory: { total: 200 << 20, least: 100 << 20 },
  steps: [step('verdict', '/var/crash'), step('mini', '/var/crash'), step('full', '/var/crash')],
};

test('crashes of inquest and of other kdumps are told apart, with what is missing', () => {
  const root = hostTree({
    '/var/crash/2026-01-01-000000/verdict.json': '{"panic":{"message":"it died","signature":"s1"}}',
    '/var/crash/2026-01-01-000000/capture.json': JSON.stringify(record),
    '/var/crash/2026-01-01-000000/vmcore': 'x'.repeat(100),
    '/var/crash/2026-01-02-000000/verdict.txt': 'it',
    '/var/crash/2026-01-02-000000/verdict.json': '{"panic":',
    '/var/crash/2026-01-02-000000/vmcore.incomplete': '',
    '/var/crash/202601030000/dump.202601030000': 'kdump-tools',
    '/var/crash/notes/readme': 'no crash',
  });
  assert.deepEqual(
    readCrashes(root, ['/var/crash', '/var/crash', '/none']).map(({ id, state, verdict, signature }) => [
      id,
      state,
      verdict,
      signature,
    ]),
    [
      ['2026-01-01-000000', 'complete', 'it died', 's1'],
      ['2026-01-02-000000', 'partial', null, null],
      ['202601030000', 'foreign', null, null],
    ],
  );
  const [first] = readCrashes(root, ['/var/crash']);
  pruneCrash(root, first!);
  assert.equal(readCrashes(root, ['/var/crash']).length, 2);
});

const crash = (time: number, signature: string | null, bytes = 10): Crash => ({
  id: String(time),
  path: `/${time}`,
  time,
  bytes,
  files: [],
  verdict: null,
  signature,
  state: 'complete',
  record: null,
});

test('the first and the last of each kind stay, whatever the bounds', () => {
  const list = [
    crash(1, 'a'),
    crash(2, 'a'),
    crash(3, 'b'),
    crash(4, 'a'),
    crash(5, null),
    crash(6, null),
    crash(7, null),
  ];
  const gone = (bounds: Partial<Parameters<typeof toPrune>[1]>, now = 8): readonly number[] =>
    toPrune(list, { number: null, days: null, size: null, ...bounds }, now).map(({ time }) => time);
  assert.deepEqual(gone({}), []);
  assert.deepEqual(gone({ number: 1 }), [2, 6]);
  assert.deepEqual(gone({ number: 6 }), [2]);
  assert.deepEqual(gone({ size: 65 }), [2]);
  assert.deepEqual(gone({ days: 1 }, 86_400_000 + 3), [2]);
});

test('nothing is pruned that is within every bound', () => {
  const crashes = fc.array(fc.tuple(fc.nat(1000), fc.constantFrom('a', 'b', null), fc.nat(50)), { maxLength: 12 });
  fc.assert(
    fc.property(crashes, fc.nat(12), fc.nat(300), (made, number, size) => {
      const list = made
        .map(([time, signature, bytes]) => crash(time, signature, bytes))
        .sort((a, b) => a.time - b.time);
      const gone = toPrune(list, { number, days: null, size }, 2000);
      const left = list.filter((one) => !gone.includes(one));
      for (const kind of new Set(list.map(({ signature }) => signature)))
        assert.ok(left.some(({ signature }) => signature === kind));
      const sum = list.reduce((n, { bytes }) => n + bytes, 0);
      if (list.length <= number && sum <= size) assert.equal(gone.length, 0);
    }),
  );
});

const plan: CrashTest = { started: 1000, bootId: 'before', mini: true, full: true, targets: ['/var/crash', 'raw'] };

test('a test passes when everything arrived, with when; the full dump at one target is enough', () => {
  const steps = [...record.steps, step('verdict', 'raw'), step('mini', 'raw')];
  const found: Crash = { ...crash(2000, 's'), verdict: 'it died', record: { ...record, steps } };
  const { passed, lines } = crashTestResult(plan, [found], 'after');
  assert.equal(passed, true);
  assert.ok(lines.includes('/var/crash: full arrived 7.5 s after the panic (inquest)'));
  const clockless = { ...found, record: { ...record, steps, startedAfter: null } };
  assert.ok(
    crashTestResult(plan, [clockless], 'after').lines.includes(
      '/var/crash: full arrived 3.0 s after the capture kernel started (inquest)',
    ),
  );
  assert.ok(lines.includes('raw: full is at a target before it'));
  assert.match(lines.at(-1)!, /at least 100 of 200 MiB/);
});

test('a test fails where something did not arrive, with the reason', () => {
  const steps = [step('verdict', '/var/crash'), step('mini', '/var/crash', 'no room'), step('full', '/var/crash')];
  const found: Crash = { ...crash(2000, 's'), verdict: 'it died', record: { ...record, steps } };
  const result = crashTestResult({ ...plan, targets: ['/var/crash'] }, [found], 'after');
  assert.equal(result.passed, false);
  assert.ok(result.lines.includes('/var/crash: mini DID NOT ARRIVE: no room'));
  assert.match(crashTestResult(plan, [found], 'before').lines[0]!, /did not reboot/);
  assert.match(crashTestResult(plan, [crash(500, 's')], 'after').lines[0]!, /no crash/);
});
