import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { KernelView } from '../../src/arch/kernel_view.ts';
import { type CodeFrame, CodeFrames } from '../../src/arch/x86_64/code_frame.ts';
import { virtAddr } from '../../src/base/address.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const start = 0xffff_ffff_8100_0000n;

/** The frame at offsets into a function: of the instruction there, or (`returned`) of what returns there. */
function framesOf(code: readonly number[], name = 'f') {
  const space = new SyntheticSpace().map(start, 0x1000);
  space.write(start, Uint8Array.from(code));
  const end = start + BigInt(code.length);
  const view = {
    space,
    functionAt: (at: bigint) => (at >= start && at < end ? { name, start: virtAddr(start) } : null),
  } as unknown as KernelView;
  const frames = new CodeFrames(view);
  return {
    at: (offset: number) => frames.at(virtAddr(start + BigInt(offset)), false),
    returned: (offset: number) => frames.at(virtAddr(start + BigInt(offset)), true),
  };
}

const frame = (depth: number | null, saved: number | null, framed: boolean): CodeFrame => ({ depth, saved, framed });

const push = [0x55]; // push %rbp
const set = [0x48, 0x89, 0xe5]; // mov %rsp,%rbp
const pop = [0x5d];
const ret = [0xc3];
const call = [0xe8, 0, 1, 0, 0]; // another function

describe('what code says of its frame', () => {
  test('bytes that are no code, and addresses in no function, say nothing', () => {
    const { at, returned } = framesOf([0x06, 0x90]);
    assert.deepEqual([at(0), at(1), at(2), returned(1), returned(50)], [null, null, null, null, null]);
  });

  test('any bytes at all: an answer or none, in the end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (bytes) => {
        const { at } = framesOf([...bytes]);
        for (let i = 0; i < bytes.length; i++) {
          const found = at(i);
          assert.ok(found === null || found.depth === null || Number.isInteger(found.depth));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('a function that jumps to itself for ever', () => {
    assert.deepEqual(framesOf([0x90, 0xeb, 0xfd]).at(1), frame(0, null, false));
    // pushes each time around
    assert.deepEqual(framesOf([0x50, 0xeb, 0xfd]).at(0), frame(0, null, false));
  });

  test('a prologue that the compiler mixed with other instructions', () => {
    const load = [0x48, 0x8b, 0x17]; // mov (%rdi),%rdx
    const { at } = framesOf([...load, ...push, ...load, ...set, ...pop, ...ret]);
    assert.deepEqual(at(0), frame(0, null, false));
    assert.deepEqual(at(3), frame(0, null, false));
    assert.deepEqual(at(4), frame(8, 8, false));
    assert.deepEqual(at(7), frame(8, 8, false));
    assert.deepEqual(at(10), frame(8, 8, true));
    assert.deepEqual(at(11), frame(0, null, false));
  });

  test('what lies behind a return, and is jumped to, has the frame that it was jumped from with', () => {
    // push; mov; je 1f; pop; ret; 1: call; pop; ret
    const { returned, at } = framesOf([...push, ...set, 0x74, 2, ...pop, ...ret, ...call, ...pop, ...ret]);
    assert.deepEqual(returned(13), frame(8, 8, true));
    assert.deepEqual(at(7), frame(0, null, false));
  });

  test('what lies behind a call that does not return does not take the frame of that call', () => {
    // push; mov; je 1f; pop; call panic; 1: call; pop; ret
    const code = [...push, ...set, 0x74, 6, ...pop, ...call, ...call, ...pop, ...ret];
    assert.deepEqual(framesOf(code).returned(17), frame(8, 8, true));
  });

  test('room on the stack: pushes, sub, add, lea, and back', () => {
    // push %rbx; sub $0x10,%rsp; lea -0x8(%rsp),%rsp; add $0x18,%rsp; pop %rbx; ret
    const code = [0x53, 0x48, 0x83, 0xec, 0x10, 0x48, 0x8d, 0x64, 0x24, 0xf8, 0x48, 0x83, 0xc4, 0x18, 0x5b, 0xc3];
    const { at } = framesOf(code);
    assert.deepEqual(
      [1, 5, 10, 14, 15].map((offset) => at(offset)?.depth),
      [8, 24, 32, 8, 0],
    );
  });

  test('a stack that is aligned anew, or another one: only rbp tells', () => {
    // push; mov; and $-16,%rsp; call; leave; ret
    const aligned = framesOf([...push, ...set, 0x48, 0x83, 0xe4, 0xf0, ...call, 0xc9, ...ret]);
    assert.deepEqual(aligned.returned(13), frame(null, 8, true));
    assert.deepEqual(aligned.at(14), frame(0, null, false));
    // push; mov; mov %rax,%rsp; call; lea -0x10(%rbp),%rsp
    const other = framesOf([...push, ...set, 0x48, 0x89, 0xc4, ...call, 0x48, 0x8d, 0x65, 0xf0, ...pop]);
    assert.deepEqual(other.returned(12), frame(null, 8, true));
    assert.deepEqual(other.at(16), frame(24, 8, true));
  });

  test('a BUG() in a function without a frame: there is where it was called from', () => {
    const { at } = framesOf([0x53, 0x0f, 0x0b]); // push %rbx; ud2
    assert.deepEqual(at(1), frame(8, null, false));
    assert.equal(at(3), null);
  });

  test('rbp that is used for something else is no frame pointer', () => {
    // push; mov %rdi,%rbp; call
    assert.deepEqual(framesOf([...push, 0x48, 0x89, 0xfd, ...call]).returned(9), frame(8, 8, false));
    // push; mov %rsp,%rbp; mov %rdi,%rbp
    assert.deepEqual(framesOf([...push, ...set, 0x48, 0x89, 0xfd, ...call]).returned(12), frame(8, 8, false));
  });

  test('what no jump leads to (a static key that is off) has the frame pointer that its function has, if any', () => {
    assert.deepEqual(framesOf([...push, ...set, ...pop, ...ret, ...call]).returned(11), frame(null, 8, true));
    assert.equal(framesOf([...ret, ...call]).returned(6), null);
  });

  test('a part that was moved away begins in the middle of its function', () => {
    assert.deepEqual(framesOf([...call], 'f.cold').returned(5), frame(null, 8, true));
  });
});
