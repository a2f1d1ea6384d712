// What a stuck CPU goes round for: the condition must be the one on which the loop is left, not its opposite.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loopWait } from '../../src/origin/loop.ts';
import { CodeKernel } from '../support/code_kernel.ts';

test('a loop that looks at a variable', () => {
  const kernel = new CodeKernel(false);
  kernel.space.words(kernel.address('session'), 1n);
  const loop = loopWait(kernel, kernel.died('spins+0', {}, ['write+18', 1n]), 0, 0);
  assert.equal(loop?.sentence, 'spins() goes round a loop until session > 1 (0x1 is there)');
  assert.equal(loop?.complete, true);
  const [exit] = loop?.exits ?? [];
  assert.equal(exit?.holds, false);
  assert.equal(exit?.address, kernel.address('session'));
});

test('what it waits for is there: it came late', () => {
  const kernel = new CodeKernel(false);
  kernel.space.words(kernel.address('session'), 2n);
  const loop = loopWait(kernel, kernel.died('spins+0', {}, ['write+18', 1n]), 0, 0);
  assert.equal(loop?.exits[0]?.holds, true);
});

test('a loop that nothing leads out of', () => {
  const kernel = new CodeKernel();
  const loop = loopWait(kernel, kernel.died('endless+2', {}, ['write+18', 1n]), 0, 0);
  assert.equal(loop?.sentence, 'endless() goes round a loop that nothing leads out of');
  assert.equal(loop?.endless, true);
});

test('code that was called from a loop, and code without one', () => {
  const kernel = new CodeKernel();
  assert.equal(loopWait(kernel, kernel.died('find+0', {}, ['write+18', 1n]), 0, 0), null);
  const called = kernel.died('find+0', {}, ['spins+11', 1n]);
  // spins() calls nothing: that return address is no call's
  assert.equal(loopWait(kernel, called, 0, 0), null);
});
