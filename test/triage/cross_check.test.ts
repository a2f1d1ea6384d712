// The log's frames held against the dead kernel's own symbols and code.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findIncidents } from '../../src/oops/scanner.ts';
import { frameDisagreements, withNoReturnCalls } from '../../src/triage/cross_check.ts';
import { DyingKernel } from '../support/dying_kernel.ts';

/** A kernel with some functions of 256 bytes each, which call from 0x4e on. */
function kernel(): DyingKernel {
  const dying = DyingKernel.make();
  for (const name of ['frob', 'vfs_write', 'do_exit', 'make_task_dead', 'panic']) dying.codeAt(name);
  dying.writeTables();
  return dying;
}

const trace = (...frames: readonly string[]): string =>
  [
    'BUG: unable to handle page fault for address: ffffc90000000000',
    'Oops: 0000 [#1] SMP',
    'CPU: 0 PID: 7 Comm: sh Not tainted 6.12.0 #1',
    'RIP: 0010:frob+0x10/0x100',
    'Call Trace:',
    ' <TASK>',
    ...frames.map((frame) => ` ${frame}`),
    ' </TASK>',
  ]
    .map((line, i) => `[    1.00000${i % 10}] ${line}\n`)
    .join('');

const disagreements = (...frames: readonly string[]): string[] =>
  frameDisagreements(kernel(), findIncidents(trace(...frames))[0]!);

describe('frames of the log', () => {
  test('that this kernel can have printed: nothing is said', () => {
    assert.deepEqual(disagreements('vfs_write+0x50/0x100'), []);
  });

  test('of a function that is not known are not held against it', () => {
    assert.deepEqual(disagreements('vfs_write+0x50/0x100', 'unloaded_module_fn+0x50/0x100 [gone]'), []);
  });

  for (const [what, frame, words] of [
    ['another size', 'vfs_write+0x50/0x180', 'has another size here'],
    ['an offset beyond the end', 'vfs_write+0x120/0x100', 'lies outside the function'],
    ['a return address behind no call', 'vfs_write+0x60/0x100', 'does not follow a call'],
  ] as const) {
    test(`${what}: the reader is warned, with the frame`, () => {
      const [sentence, ...more] = disagreements(frame);
      assert.deepEqual(more, []);
      assert.ok(sentence!.startsWith('1 frame of '), sentence);
      assert.ok(sentence!.includes(`${frame.split('/')[0]} ${words}`), sentence);
    });
  }
});

test('init text is overwritten after boot: what stands there now says nothing against a frame', () => {
  const dying = kernel();
  const start = dying.codeAt('start_kernel');
  dying.space.write(start, new Uint8Array(256));
  const [incident] = findIncidents(trace('vfs_write+0x50/0x100', 'start_kernel+0x60/0x100'));
  assert.equal(frameDisagreements(dying, incident!).length, 1);
  dying.define('_sinittext', start, 0);
  dying.define('_einittext', start + 0x100n, 0);
  assert.deepEqual(frameDisagreements(dying, incident!), []);
});

describe('calls that do not return', () => {
  test('at the very end of a function are named by the next one: its name is put right', () => {
    const dead = kernel();
    // make_task_dead follows do_exit: `do_exit` called at its end
    const [incident] = findIncidents(trace('vfs_write+0x50/0x100', 'make_task_dead+0x0/0x100'));
    const symbols = withNoReturnCalls(dead, incident!).traces.flatMap(({ frames }) =>
      frames.map((f) => `${f.symbol}+${f.offset}`),
    );
    assert.deepEqual(symbols, ['vfs_write+80', 'do_exit+256']);
  });

  test('an incident without any is left as it is', () => {
    const [incident] = findIncidents(trace('vfs_write+0x50/0x100', 'unknown+0x0/0x10'));
    assert.equal(withNoReturnCalls(kernel(), incident!), incident);
  });
});

test('a function that a probe lets return elsewhere: the trampoline begins where the function before it ends', () => {
  const dying = DyingKernel.make();
  for (const name of ['frob', 'clock', 'arch_rethook_trampoline', 'reader', 'other']) dying.codeAt(name);
  dying.writeTables();
  const told = (frame: string) => frameDisagreements(dying, findIncidents(trace(frame))[0]!);
  assert.deepEqual(told('clock+0x100/0x100'), []);
  assert.match(told('reader+0x100/0x100')[0] ?? '', /does not follow a call/);
});
