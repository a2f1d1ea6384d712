// Rules of what is to be erased: just those bytes, found as makedumpfile.conf(5) says, and what cannot be done is told.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FormatError } from '../../src/base/errors.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { applyEraseRules, parseEraseRules } from '../../src/save/erase_rules.ts';
import { ErasureBuilder } from '../../src/save/erasure.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct s1 { struct s1 *next; struct list_head list; char private[100]; void *key; long key_size; };
  struct s2 { char *name; void *addr; char buffer[50]; struct s1 *inner; long numbers[4]; };
  struct array { struct s1 of[3]; };
`;

class Machine {
  readonly kernel = new SyntheticKernel(types);
  readonly two = this.kernel.allocate('struct s2', 'two');
  readonly ones: KernelObject[];
  readonly head = this.kernel.allocate('struct list_head', 's1_list_head');

  constructor() {
    const { kernel } = this;
    this.ones = [1, 2, 3].map((n) => {
      const one = kernel.allocate('struct s1', n === 1 ? 'mystruct1' : undefined);
      kernel.set(one, 'key', kernel.reserve(64));
      kernel.set(one, 'key_size', 10 * n);
      return one;
    });
    kernel.link(this.head.address, ...this.ones.map((one) => one.member('list').address));
    for (const [i, one] of this.ones.entries()) kernel.set(one, 'next', this.ones[i + 1] ?? this.ones[0]!);
    const text = kernel.reserve(16);
    kernel.space.write(text, Buffer.from('Hello World\0...'));
    kernel.set(this.two, 'name', text);
    kernel.set(this.two, 'addr', this.ones[0]!);
    kernel.set(this.two, 'inner', this.ones[1]!);
    kernel.define('pointer', this.two.address, 8, kernel.type('struct s2'));
    kernel.define('untyped', kernel.reserve(24), 24);
    kernel.define('myarray', kernel.allocate('struct array').address, 8, {
      kind: 'array',
      element: kernel.type('struct s1'),
      length: 3,
    });
  }

  /** What is erased: [virtual address, bytes], and what is not. */
  erased(rules: string): { filled: [bigint, number][]; nulled: [bigint, number][]; info: string; problems: string[] } {
    const builder = new ErasureBuilder();
    const problems = applyEraseRules(this.kernel, parseEraseRules(rules), builder);
    const { ranges, info } = builder.done();
    const [filled, nulled] = ranges.map((pairs) => {
      const numbers = new Float64Array(pairs);
      return Array.from({ length: numbers.length / 2 }, (_, i): [number, number] => [
        numbers[2 * i]!,
        numbers[2 * i + 1]!,
      ]);
    });
    return { filled: this.virtual(filled!), nulled: this.virtual(nulled!), info, problems };
  }

  private virtual(pairs: [number, number][]): [bigint, number][] {
    const found: [bigint, number][] = [];
    for (const [start, end] of pairs) {
      // the synthetic machine's frames, back to where they are mapped
      for (let at = 0xffff_8880_0000_0000n; at < 0xffff_8880_0008_0000n; at += 4096n) {
        let frame = -1;
        try {
          frame = this.kernel.space.translate(at as never);
        } catch {
          continue;
        }
        if (frame === start - (start % 4096)) found.push([at + BigInt(start % 4096), end - start]);
      }
    }
    return found.sort(([a], [b]) => Number(a - b));
  }
}

describe('an erase rule', () => {
  const machine = new Machine();
  const { two, ones } = machine;
  const at = (object: KernelObject, path: string): bigint => object.member(path).address;
  const to = (object: KernelObject, path: string): bigint => object.member(path).pointer();

  for (const [rule, expected] of [
    ['erase two.buffer', [[at(two, 'buffer'), 50]]],
    ['erase two.buffer size 25', [[at(two, 'buffer'), 25]]],
    ['erase two.numbers[2] size 1K', [[at(two, 'numbers[2]'), 1024]]],
    ['erase two.name', [[to(two, 'name'), 11]]],
    ['erase two.addr size mystruct1.key_size', [[to(two, 'addr'), 10]]],
    ['erase two.inner.private', [[at(ones[1]!, 'private'), 100]]],
    ['erase two.inner', [[ones[1]!.address, 144]]],
    ['erase untyped', [[machine.kernel.address('untyped'), 24]]],
  ] as const) {
    it(`erases just what it names: ${rule}`, () => {
      const { filled, nulled, problems, info } = machine.erased(rule);
      assert.deepEqual(problems, []);
      assert.deepEqual([filled, nulled], [expected, []]);
      assert.match(info, new RegExp(`^erase \\S+ size ${expected[0]![1]}\\n$`));
    });
  }

  it('takes a pointer away, and not what it points to', () => {
    const { filled, nulled, info } = machine.erased('[vmlinux]\nerase two.addr nullify # why\n');
    assert.deepEqual([filled, nulled, info], [[], [[at(two, 'addr'), 8]], 'erase two.addr nullify\n']);
  });

  for (const loop of ['mystruct1 via next', 's1_list_head.next within s1:list', 's1_list_head within struct s1:list']) {
    it(`is done for each element of ${loop}`, () => {
      const { filled, info, problems } = machine.erased(
        `for one in ${loop}\n\terase one.private\n\terase one.key size one.key_size\nendfor\n`,
      );
      assert.deepEqual(problems, []);
      const expected = ones.flatMap((one, i) => [
        [at(one, 'private'), 100],
        [to(one, 'key'), 10 * (i + 1)],
      ]);
      assert.deepEqual(
        filled,
        expected.sort(([a], [b]) => Number(BigInt(a!) - BigInt(b!))),
      );
      assert.equal(info, 'erase one.private size 300\nerase one.key size 60\n');
    });
  }

  it('is done for each element of an array', () => {
    const { filled, problems } = machine.erased('for one in myarray\nerase one.key_size\nendfor');
    assert.deepEqual(problems, []);
    assert.equal(filled.length, 3);
  });

  it('that cannot be done is told, and costs no other', () => {
    const { filled, problems } = machine.erased(
      'erase nosuch\nerase two.nosuch\nerase two.addr\nerase two.buffer nullify\nerase two.buffer\n[missing]\nerase two.name\n',
    );
    assert.deepEqual(filled, [[at(two, 'buffer'), 50]]);
    assert.equal(problems.length, 5);
    assert.match(
      problems.join('\n'),
      /line 1: .*nosuch[\s\S]*line 3: .*needs a size[\s\S]*module missing is not loaded/,
    );
  });

  it('that is none is refused with its line', () => {
    for (const [text, line] of [
      ['erase', 1],
      ['erase a\nerase a size x-1', 2],
      ['for a in b\nfor c in d\nendfor\nendfor', 2],
      ['for a in b\nerase a', 1],
      ['endfor', 1],
      ['for a in b\n[vmlinux]', 2],
      ['remove a', 1],
    ] as const) {
      assert.throws(
        () => parseEraseRules(text),
        (error) => error instanceof FormatError && error.message.includes(`line ${line}:`),
        text,
      );
    }
  });
});
