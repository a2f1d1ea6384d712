// What functions were called with: told only where a register, a stack slot or the caller has it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { argumentsOf, howKnown } from '../../src/origin/arguments.ts';
import type { FrameValues } from '../../src/origin/frame_values.ts';
import { stackValues } from '../../src/origin/stack_values.ts';
import { CodeKernel } from '../support/code_kernel.ts';

/** `s = 1010 proved r12` for each argument of a frame. */
function told(kernel: CodeKernel, frame: FrameValues | null | undefined, name: string): string[] {
  assert.ok(frame != null);
  return argumentsOf(frame, kernel.functionType(name)!).map(({ name: parameter, known }) =>
    known === null
      ? `${parameter} ?`
      : `${parameter} = ${known.value.toString(16)} ${known.sure} ${howKnown(frame, known.holder).words}`,
  );
}

const options = { asleep: null, cpu: null };

describe('keeps(s, flags, count, nothing, extra), called by gives()', () => {
  const kernel = new CodeKernel();
  const session = kernel.allocate('struct session').address;
  kernel.space.words(kernel.address('session'), session);
  /** `find` was interrupted: keeps() has pushed its caller's registers, and has its own in rbx and r12. */
  const trace = kernel.died('find+0', { rbx: 7n, r12: session + 0x10n }, [
    'keeps+13',
    session, // pushed rbx: gives() has session there
    0x1212n, // pushed r12
    'gives+36',
    0xbbbbn, // pushed rbx
    'write+18',
    0x5555n,
  ]);
  const values = stackValues(kernel, trace, options);

  test('registers that still hold them, what the caller had pushed, and what memory has', () => {
    assert.deepEqual(told(kernel, values[2], 'keeps'), [
      `s = ${(session + 0x10n).toString(16)} proved r12`,
      'flags = 7 proved constant',
      'count ?', // per-CPU memory of a CPU that is not known
      'nothing ?',
      'extra = 5555 proved gives: stack',
    ]);
  });

  test('a callee gives its caller back the registers that it pushed', () => {
    assert.equal(values[3]?.registers['rbx'], session);
    assert.equal(values[3]?.registers['r12'], 0x1212n);
  });

  test('nothing is told of a frame whose size does not fit its code', () => {
    const wrong = kernel.died('find+0', { rbx: 7n, r12: session }, ['keeps+13', session, 'gives+36', 1n]);
    assert.equal(stackValues(kernel, wrong, options)[2], null);
  });

  test('nothing is passed on by a caller that calls somebody else', () => {
    // write() calls finish(), not keeps()
    const other = kernel.died('find+0', { rbx: 7n, r12: session }, ['keeps+13', 1n, 2n, 'write+18', 3n]);
    assert.equal(stackValues(kernel, other, options)[2]?.caller, null);
  });
});

test('through a function that ended by a jump, which has no frame', () => {
  const kernel = new CodeKernel();
  const session = kernel.allocate('struct session').address;
  kernel.space.words(kernel.address('session'), session);
  const trace = kernel.died('find+0', { rbx: 9n, r12: session }, ['keeps+13', 1n, 2n, 'calls_tails+13', 3n]);
  const [s, flags] = told(kernel, stackValues(kernel, trace, options)[2], 'keeps');
  assert.equal(s, `s = ${session.toString(16)} proved r12`);
  assert.equal(flags, 'flags = 9 proved constant');
});

test('of a task that sleeps nothing is known but what lies on its stack', () => {
  const kernel = new CodeKernel();
  const { frames } = kernel.died('find+0', {}, ['keeps+13', 1n, 2n, 'gives+36', 3n, 'write+18', 4n]);
  const values = stackValues(kernel, { frames: frames.slice(2), problem: '' }, options);
  const [s, flags] = told(kernel, values[0], 'keeps');
  // gives() passes a constant, which is always known
  assert.equal(flags, 'flags = 7 proved constant');
  assert.equal(s, 's = 11 proved gives: computed');
});
