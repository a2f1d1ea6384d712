// Every claim of a report is followed by what a command really prints.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { virtAddr } from '../../src/base/address.ts';
import { commandTable } from '../../src/commands/registry.ts';
import { analyse } from '../../src/triage/analyse.ts';
import type { Analysis, Evidence } from '../../src/triage/analysis.ts';
import { evidence, logEvidence, searchable } from '../../src/triage/evidence.ts';
import { heldMutex, mutexTypes, sleepsOn } from '../support/blocked_tasks.ts';
import { DyingKernel, exception, type StackItem, user } from '../support/dying_kernel.ts';
import { run as runCommand } from '../support/run_command.ts';
import { shownText } from '../support/shown.ts';

const log = [
  'usb 1-1: new device',
  "WARNING: CPU: 0 PID: 5 at foo.c:1 frob+0x10/0x100 it's odd",
  'BUG: kernel NULL pointer dereference, address: 0000000000000240',
  'Oops: Oops: 0000 [#1] SMP NOPTI',
  'CPU: 1 UID: 0 PID: 7 Comm: sh Tainted: G           OE       6.12.0 #1',
  'RIP: 0010:frob+0x10/0x100 [widget]',
  'Kernel panic - not syncing: Fatal exception',
];

function oops(module = 'widget'): DyingKernel {
  const dying = DyingKernel.make({ log });
  dying.code(`frob+0x10[${module}]`, '8b 82 40 02 00 00');
  dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
    'machine_kexec',
    'exc_page_fault',
    exception('asm_exc_page_fault', 'frob+0x10'),
    'vfs_write',
    user,
  ]);
  return dying;
}

/** What the shell would print for a line of a report. */
function shell(dying: DyingKernel, command: string): string {
  const [line = '', ...filters] = command.split(' | ');
  const [name = '', ...args] = line.split(' ');
  const { text } = runCommand(commandTable().get(name)!, dying.context, args);
  if (filters.length === 0) return text.replace(/\n+$/, '');
  const run = spawnSync('sh', ['-c', filters.join(' | ')], { input: text, encoding: 'utf8' });
  assert.equal(run.stderr, '', command);
  return run.stdout.replace(/\n+$/, '');
}

const stuckOn = (dying: DyingKernel, items: readonly StackItem[]): DyingKernel => {
  dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), ['machine_kexec', 'panic', ...items]);
  return dying;
};

describe('each finding of a report', () => {
  for (const [name, make] of [
    ['an oops', () => oops()],
    [
      'an oops in an out-of-tree module with a damaged name',
      () => {
        const dying = oops("'|'");
        dying.loaded.push({
          object: dying.allocate('unsigned int', 'modules'),
          name: "'|'",
          base: virtAddr(0xffffffffc0000000n),
          size: 4096,
          ranges: [],
          state: 'Live',
          refcount: 0,
          usedBy: [],
          taints: 'OE',
        });
        return dying;
      },
    ],
    [
      'a BUG',
      () =>
        stuckOn(DyingKernel.make({ log: ['kernel BUG at foo.c:96!'] }), [
          'exc_invalid_op',
          exception('asm_exc_invalid_op', 'frob+0x10'),
          user,
        ]),
    ],
    [
      'a soft lockup',
      () =>
        stuckOn(DyingKernel.make(), [
          'watchdog_timer_fn',
          exception('asm_sysvec_apic_timer_interrupt', 'spin+0x10'),
          user,
        ]),
    ],
    [
      'an NMI',
      () => stuckOn(DyingKernel.make(), ['nmi_panic', 'exc_nmi', exception('end_repeat_nmi', 'spin+0x10'), user]),
    ],
    [
      'a stack overflow',
      () =>
        stuckOn(DyingKernel.make(), [
          'handle_stack_overflow',
          'exc_double_fault',
          exception('asm_exc_double_fault', 'frob+0x10'),
          ...Array<string>(30).fill('frob'),
          user,
        ]),
    ],
    [
      'a panic',
      () => stuckOn(DyingKernel.make({ log: ['Kernel panic - not syncing: no [more] $widgets'] }), ['frob', user]),
    ],
    [
      'a deadlock',
      () => {
        const dying = stuckOn(DyingKernel.make({ types: mutexTypes }), ['watchdog', 'kthread', 'ret_from_fork_asm']);
        const [a, b] = [dying.task({ pid: 10, comm: 'a' }), dying.task({ pid: 11, comm: 'b' })];
        sleepsOn(dying, a, heldMutex(dying, b), 'frob');
        sleepsOn(dying, b, heldMutex(dying, a), 'frob');
        return dying;
      },
    ],
  ] as const) {
    test(`${name}: has evidence, and a shell prints just that`, () => {
      const dying = make();
      dying.writeTables();
      const analysis: Analysis = analyse(dying.context);
      assert.ok(analysis.findings.length > 0);
      for (const finding of analysis.findings) {
        assert.ok(finding.evidence.length > 0, finding.title);
        for (const evidence of finding.evidence) {
          const { command, why } = evidence;
          const output = shownText(evidence);
          assert.notEqual(why, '', command);
          assert.equal(withoutCut(output), withoutCut(shell(dying, command), output), command);
        }
      }
      for (const shown of [analysis.stack, analysis.code, analysis.code?.after ?? null]) {
        if (shown === null) continue;
        assert.equal(shownText(shown), shell(dying, shown.command), shown.command);
      }
    });
  }
});

/** As many lines as a cut output has of its own. */
function withoutCut(text: string, like = text): string {
  const cut = /\n\.\.\. \d+ more lines$/.exec(like);
  return cut === null
    ? text
    : text
        .split('\n')
        .slice(0, like.split('\n').length - 1)
        .join('\n');
}

test('what a command could not read is with the evidence that shows it, each time, and with the analysis', () => {
  const dying = oops();
  dying.space.exclude(dying.tasks.byPid(7)!.object.member('stack').bigint());
  const { facts } = dying;
  const { value, faults } = facts.kernel.faults.collect(() => [
    evidence(facts, 'bt -r', 'the stack'),
    evidence(facts, 'bt -r', 'its end', { cut: { kind: 'head', lines: 3 } }),
  ]);
  for (const shown of value)
    assert.deepEqual(
      shown!.faults.map(({ reason }) => reason),
      ['excluded'],
    );
  assert.deepEqual(faults, value[0]!.faults);
});

describe('filters', () => {
  const show = (command: string): Evidence | null => evidence(oops().facts, command, 'x');

  test('a command that prints nothing, fails, or is none, is no evidence', () => {
    for (const command of ['bt 999', 'rd 10', 'nonsense', 'log -z']) assert.equal(show(command), null, command);
    assert.equal(logEvidence(oops().facts, 'absent', 'x'), null);
  });

  test('long outputs are cut, and say so', () => {
    const lines = shownText(show('bt -r')!).split('\n');
    assert.equal(lines.length, 41);
    assert.match(lines[40]!, /^\.\.\. \d+ more lines$/);
  });

  test('no text of a log breaks the quotes that it is searched by', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const wanted = searchable(text);
        if (wanted === null) return;
        assert.match(wanted, /^[^'|\x00-\x1f\x7f-\uffff\\]+$/);
        assert.ok(text.includes(wanted));
      }),
    );
  });

  test('a text of which too little could be searched for is not searched for', () => {
    for (const text of ['', "it's", '| rm -rf', '\x1b[31mred']) assert.equal(searchable(text), null);
  });
});
