// What to look at next: only what this program can do, and nothing twice.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { commandFiles } from '../../src/commands/command_files.ts';
import type { ReportKind } from '../../src/oops/kinds.ts';
import type { Finding } from '../../src/triage/analysis.ts';
import { nextSteps } from '../../src/triage/next_steps.ts';
import { kindTraits } from '../../src/triage/traits.ts';
import { outputOf } from '../support/shown.ts';

const finding = (...commands: string[]): Finding => ({
  title: 'something',
  explanation: '',
  confidence: 'certain',
  evidence: commands.map((command) => ({ ...outputOf(command, []), why: `What ${command} shows.`, faults: [] })),
});

describe('next steps', () => {
  test('after any kind of death there are three, each a command that there is', () => {
    for (const kind of Object.keys(kindTraits) as ReportKind[]) {
      const steps = nextSteps(kind, [], null);
      assert.ok(steps.length >= 3, kind);
      for (const { command } of steps) {
        const [name = ''] = command.split(' ');
        assert.ok(name === 'foreach' || name in commandFiles, `${kind}: ${command}`);
      }
    }
  });

  test('what findings stand on comes first, each command once, the stack that is shown anyway not at all', () => {
    const findings = [finding('bt', 'log | grep -F x', 'rd 10 2'), finding('rd 10 2', 'struct mutex 20')];
    assert.deepEqual(
      nextSteps('hung-task', findings, null).map(({ command }) => command),
      ['rd 10 2', 'struct mutex 20', 'foreach UN bt', 'ps -m | head -20', 'log | tail -60', 'log | grep -F x'],
    );
  });
});
