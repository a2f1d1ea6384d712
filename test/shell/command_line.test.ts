import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../src/base/errors.ts';
import { parseCommandLine } from '../../src/shell/command_line.ts';

const words = (line: string): readonly string[] => {
  const parsed = parseCommandLine(line);
  assert.equal(parsed.kind, 'command');
  return parsed.kind === 'command' ? parsed.words : [];
};

test('blank lines and comments do nothing', () => {
  for (const line of ['', '   ', '# bt', '// bt', '\t']) assert.deepEqual(parseCommandLine(line), { kind: 'empty' });
});

test('words part at blanks; double quotes keep blanks and go, single quotes stay', () => {
  assert.deepEqual(words('bt  -f\t1'), ['bt', '-f', '1']);
  assert.deepEqual(words('ps "my task"'), ['ps', 'my task']);
  assert.deepEqual(words("ps 'k.*d'"), ['ps', "'k.*d'"]);
  assert.deepEqual(words('p ""'), ['p', '']);
});

test('a quote that is not closed is an error, not a guess', () => {
  assert.throws(() => parseCommandLine('ps "x'), UsageError);
  assert.throws(() => parseCommandLine("ps 'x"), UsageError);
});

test('pipes and redirections are cut off the command', () => {
  assert.deepEqual(parseCommandLine('ps -l | head -3 | tail -1'), {
    kind: 'command',
    words: ['ps', '-l'],
    output: { kind: 'pipe', command: 'head -3 | tail -1' },
  });
  assert.deepEqual(parseCommandLine('log > out.txt'), {
    kind: 'command',
    words: ['log'],
    output: { kind: 'file', path: 'out.txt', append: false },
  });
  assert.deepEqual(parseCommandLine('log >>out.txt'), {
    kind: 'command',
    words: ['log'],
    output: { kind: 'file', path: 'out.txt', append: true },
  });
  assert.throws(() => parseCommandLine('log |'), UsageError);
  assert.throws(() => parseCommandLine('log >'), UsageError);
});

test('operators of expressions are no pipes: in parentheses, and ->', () => {
  assert.deepEqual(words('eval (1 | 2)'), ['eval', '(1', '|', '2)']);
  assert.deepEqual(words('p init_task.mm->pgd'), ['p', 'init_task.mm->pgd']);
  assert.deepEqual(words('eval (2 >> 1)'), ['eval', '(2', '>>', '1)']);
});

test('! and < are lines of their own', () => {
  assert.deepEqual(parseCommandLine('!ls -l | wc'), { kind: 'system', command: 'ls -l | wc' });
  assert.deepEqual(parseCommandLine('!'), { kind: 'system', command: '' });
  assert.deepEqual(parseCommandLine('< cmds'), { kind: 'source', path: 'cmds' });
});

test('plain words come back as they were, whatever they hold', () => {
  const word = fc.stringMatching(/^[A-Za-z0-9_.,:+*&[\]=-]{1,12}$/);
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (list) => {
      assert.deepEqual(words(list.join(' ')), list);
    }),
  );
});

test('no line makes the parser throw anything but a UsageError', () => {
  fc.assert(
    fc.property(fc.string(), (line) => {
      try {
        parseCommandLine(line);
      } catch (error) {
        assert.ok(error instanceof UsageError);
      }
    }),
  );
});
