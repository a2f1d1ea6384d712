import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import { defineCommand } from '../../src/commands/command.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { type Outcome, runCommand } from '../../src/commands/run.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

/** A command on a kernel that runs: each run meets the next of these problems; none where it is null. */
function run(
  problems: readonly (string | null)[],
  { json = false, fatal = false, live = true } = {},
): Outcome & { readonly text: string; readonly runs: number } {
  const context = new CommandContext(new SyntheticKernel('', '', () => ({ live })));
  let runs = 0;
  let text = '';
  const command = defineCommand({
    name: 'walk',
    help: { summary: 'walks', description: 'Walks.', examples: [] },
    params: {},
    collect({ kernel }): { readonly turn: number } {
      const problem = problems[Math.min(runs++, problems.length - 1)] ?? null;
      const fail = (): never => {
        throw new FormatError('list', problem!);
      };
      if (problem !== null && fatal) fail();
      if (problem !== null) kernel.faults.attempt('list', fail, undefined);
      return { turn: runs };
    },
    render: ({ turn }) => `turn ${turn}\n`,
  });
  const sink = {
    write(piece: string): boolean {
      text += piece;
      return true;
    },
  };
  const outcome = runCommand(command, context, [], sink, { json, line: 'walk' });
  return { ...outcome, text, runs };
}

test('a walk that met a change is done again, and what it wrote before is not shown', () => {
  const { text, faults, runs, end } = run(['leads nowhere', 'leads elsewhere', null]);
  assert.deepEqual([text, faults, runs, end], ['turn 3\n', [], 3, 'done']);
});

test('so is one that failed of it', () => {
  const { text, error, end } = run(['leads nowhere', null], { fatal: true });
  assert.deepEqual([text, error, end], ['turn 2\n', null, 'done']);
});

test('where each try meets another change, the last one says so, in JSON too', () => {
  const { faults, runs } = run(['1', '2', '3', '4', '5']);
  assert.equal(runs, 4);
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['bad-format', 'raced'],
  );
  assert.match(faults[1]!.message, /may have changed while it was read; tried 4 times/);
  const { text } = run(['1', '2', '3', '4', '5'], { json: true });
  assert.equal(text.split('\n').length, 2, 'one line');
  assert.equal((JSON.parse(text) as { faults: unknown[] }).faults.length, 2);
});

test('what is the same twice does not move: it is not tried further', () => {
  assert.equal(run(['always', 'always', 'always']).runs, 2);
});

test('a dump does not move', () => {
  const { runs, faults } = run(['broken', null], { live: false });
  assert.equal(runs, 1);
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['bad-format'],
  );
});
