// Options in crash's style: what users of crash type must mean what they mean there.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { counted, type Params, parseParams, rest, valued, values } from '../../src/commands/params.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const context = new CommandContext(new SyntheticKernel(''));

/** Parses by a getopt(3) string: `'aFc:'` has flags `a` and `F`, and `c` with a value. */
function parseOptions(words: readonly string[], letters: string) {
  const params: Record<string, Params[string]> = { args: rest('word', values.word) };
  for (const [, letter, colon] of letters.matchAll(/(.)(:?)/g)) {
    params[letter!] = colon === '' ? counted(letter!, letter!) : valued(letter!, 'value', values.word, letter!);
  }
  const options = parseParams(params, words, context);
  return {
    count: (letter: string) => options[letter] as number,
    has: (letter: string) => (options[letter] as number) > 0,
    value: (letter: string) => options[letter] as string | null,
    args: options['args'] as readonly string[],
  };
}

describe('options', () => {
  for (const [args, flags, value, rest] of [
    [[], {}, null, []],
    [['-tl'], { t: 1, l: 1 }, null, []],
    [['-FF'], { F: 2 }, null, []],
    [['-F', '-F'], { F: 2 }, null, []],
    [['-c', '1'], {}, '1', []],
    [['-c1,3-5'], {}, '1,3-5', []],
    [['-tc', '1'], { t: 1 }, '1', []],
    [['-c', '1', '-c', '2'], {}, '2', []],
    // arguments anywhere
    [['task', '-t', '12'], { t: 1 }, null, ['task', '12']],
    // a number below zero is a number: struct's and list's counts
    [['page', '-3'], {}, null, ['page', '-3']],
    [['-c', '-3'], {}, '-3', []],
    // a dash alone is an argument
    [['-'], {}, null, ['-']],
    // behind -- nothing is an option
    [['-t', '--', '-l'], { t: 1 }, null, ['-l']],
  ] as const) {
    test(JSON.stringify(args), () => {
      const options = parseOptions(args, 'tlFc:');
      for (const flag of ['t', 'l', 'F']) {
        assert.equal(options.count(flag), (flags as Record<string, number>)[flag] ?? 0, flag);
        assert.equal(options.has(flag), flag in flags, flag);
      }
      assert.equal(options.value('c'), value);
      assert.deepEqual(options.args, rest);
    });
  }

  for (const args of [['-z'], ['-tz'], ['-c'], ['--task'], ['--option-t'], ['-t=1']]) {
    test(`${JSON.stringify(args)} is refused`, () => {
      assert.throws(() => parseOptions(args, 'tc:'), UsageError);
    });
  }

  test('a digit is an option where the command has it as one', () => {
    assert.deepEqual([parseOptions(['-8'], '8').has('8'), parseOptions(['-8'], 't').args], [true, ['-8']]);
  });

  const word = fc
    .string({ minLength: 1, maxLength: 6 })
    .filter((text) => !text.startsWith('-') && !text.includes('\0'));

  test('however flags, values and arguments are mixed and joined, each is found', () => {
    const item = fc.oneof(
      fc.constantFrom('a', 'b', 'F').map((flag) => ({ flag }) as const),
      word.map((value) => ({ value }) as const),
      word.map((arg) => ({ arg }) as const),
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 12 }), fc.infiniteStream(fc.boolean()), (items, joined) => {
        const args: string[] = [];
        for (const one of items) {
          const last = args.at(-1);
          if ('flag' in one) {
            // joined to flags before it, as in -ab
            if (last !== undefined && /^-[abF]+$/.test(last) && joined.next().value)
              args[args.length - 1] = last + one.flag;
            else args.push(`-${one.flag}`);
          } else if ('value' in one) {
            if (joined.next().value) args.push(`-c${one.value}`);
            else args.push('-c', one.value);
          } else args.push(one.arg);
        }
        const options = parseOptions(args, 'abFc:');
        for (const flag of ['a', 'b', 'F']) {
          assert.equal(options.count(flag), items.filter((one) => 'flag' in one && one.flag === flag).length);
        }
        const values = items.flatMap((one) => ('value' in one ? [one.value] : []));
        assert.equal(options.value('c'), values.at(-1) ?? null);
        assert.deepEqual(
          options.args,
          items.flatMap((one) => ('arg' in one ? [one.arg] : [])),
        );
      }),
    );
  });

  test('no words make it fail in another way than a refusal', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 8 }), { maxLength: 8 }), (args) => {
        try {
          parseOptions(args, 'abF8c:');
        } catch (error) {
          assert.ok(error instanceof UsageError);
        }
      }),
    );
  });
});
