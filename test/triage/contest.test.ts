// The contest of explanations: which of several that apply is the verdict, and what readers are told of the others.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { contest } from '../../src/triage/contest.ts';
import { explanations } from '../../src/triage/explanations/index.ts';
import { Scene } from '../../src/triage/scene.ts';
import { DyingKernel, exception, type StackItem, user } from '../support/dying_kernel.ts';

const panic: readonly StackItem[] = ['machine_kexec', '__crash_kexec', 'panic'];

function considered(log: readonly string[], stack: readonly StackItem[]) {
  const dying = DyingKernel.make({ log });
  dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), stack);
  return contest(new Scene(dying.facts));
}

describe('the contest', () => {
  test('what the log tells wins over what the stack shows, and the loser is named with what spoke for it', () => {
    const log = [
      'watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [sh:7]',
      'Kernel panic - not syncing: softlockup: hung tasks',
    ];
    const { winner, considered: all } = considered(log, [
      ...panic,
      'out_of_memory',
      '__alloc_pages',
      'frob[widget]',
      user,
    ]);
    assert.equal(winner.explanation.name, 'lockup');
    const loser = all.find(({ explanation }) => explanation.name === 'out-of-memory')!;
    assert.deepEqual(loser.claim?.speaksFor, ["the panicking CPU's stack went that way"]);
    assert.deepEqual(loser.claim?.speaksAgainst, ['the log tells of soft-lockup']);
    assert.deepEqual(winner.claim.speaksAgainst, ["the panicking CPU's stack shows out-of-memory"]);
  });

  test('a source that stands alone or is contradicted is not certain', () => {
    const tick = exception('asm_sysvec_apic_timer_interrupt', 'frob+0x10');
    const alone = considered([], [...panic, 'watchdog_timer_fn', 'hrtimer_interrupt', tick, user]);
    assert.equal(alone.winner.claim.confidence, 'likely');
    const log = [
      'watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [sh:7]',
      'Kernel panic - not syncing: softlockup: hung tasks',
    ];
    assert.equal(considered(log, [...panic, 'watchdog_timer_fn', tick, user]).winner.claim.confidence, 'certain');
    assert.equal(considered(log, [...panic, 'out_of_memory', user]).winner.claim.confidence, 'likely');
  });

  test('where nothing is told, that is the verdict, and every other explanation is listed without a claim', () => {
    const { winner, considered: all } = considered([], ['machine_kexec', 'frob[widget]', user]);
    assert.equal(winner.explanation.name, 'nothing-told');
    assert.equal(all.length, explanations.length);
    assert.equal(all.filter(({ claim }) => claim !== null).length, 1);
  });

  test('explanations have names of their own', () => {
    const names = explanations.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
  });
});
