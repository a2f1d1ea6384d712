// Where the bad value of a fault came from: a kernel engineer takes these sentences for the truth, so what is "proved"
// must be, and what cannot be told must be said.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Backtrace } from '../../src/kernel/backtrace.ts';
import { type Origin, originOf } from '../../src/origin/origin.ts';
import { CodeKernel } from '../support/code_kernel.ts';

/** @throws where there is none */
function origin(kernel: CodeKernel, trace: Backtrace): Origin {
  const found = originOf(kernel, trace, 0, 0);
  assert.ok(found !== null);
  return found;
}

/** A session whose `dev` is a value, and which `session` points to. */
function withSession(dev = 0n, typed = true): { kernel: CodeKernel; session: bigint } {
  const kernel = new CodeKernel(typed);
  const session = kernel.allocate('struct session');
  kernel.set(session, 'dev', dev);
  kernel.space.words(kernel.address('session'), session.address);
  return { kernel, session: session.address };
}

describe('memory', () => {
  test('through two callers to the variable that the pointer was loaded from', () => {
    const { kernel, session } = withSession();
    const trace = kernel.died('update+7', { rdi: session, rdx: 0n }, ['finish+9', 1n, 'write+18', 2n]);
    const { sentence, sure, end, steps } = origin(kernel, trace);
    assert.equal(sentence, 'rdx was loaded from session->dev, and that is NULL');
    assert.equal(sure, 'proved');
    assert.equal(end, 'memory');
    assert.deepEqual(
      steps.map(({ kind, command }) => `${kind} ${command}`),
      [
        `access dis ffffffff81000007 1`,
        `load rd ${session.toString(16)}`,
        `argument dis -r ffffffff81000044`,
        `argument dis -r ffffffff8100008d`,
        `load rd ffffffff82000000`,
      ],
    );
  });

  test('the member that was meant, by the type of the pointer', () => {
    const { kernel, session } = withSession();
    const trace = kernel.died('update+7', { rdi: session, rdx: 0n }, ['finish+9', 1n, 'write+18', 2n]);
    assert.deepEqual(origin(kernel, trace).touched, { type: 'struct device', member: 'latency' });
  });

  test('without types, by its place', () => {
    const { kernel, session } = withSession(0n, false);
    const trace = kernel.died('update+7', { rdi: session, rdx: 0n }, ['finish+9', 1n, 'write+18', 2n]);
    const { sentence, touched } = origin(kernel, trace);
    assert.equal(sentence, 'rdx was loaded from the first member of what session points to, and that is NULL');
    assert.equal(touched, null);
  });

  test('a word that has another value now is not proved', () => {
    const { kernel, session } = withSession(0x1234n);
    const trace = kernel.died('update+7', { rdi: session, rdx: 0n }, ['finish+9', 1n, 'write+18', 2n]);
    const { sentence, sure } = origin(kernel, trace);
    assert.equal(sentence, 'rdx was loaded from session->dev, and that was NULL (now it is 0x1234)');
    assert.equal(sure, 'likely');
  });

  test('text in the place of a pointer, and how far it reaches', () => {
    const { kernel, session } = withSession(0x4141_4141_4141_4141n);
    kernel.space.words(session + 8n, 0x4141_4141_4141_4141n);
    const trace = kernel.died('update+7', { rdi: session, rdx: 0x4141_4141_4141_4141n }, [
      'finish+9',
      1n,
      'write+18',
      2n,
    ]);
    const { sentence, source } = origin(kernel, trace);
    assert.equal(sentence, 'rdx was loaded from session->dev, and that is 0x4141414141414141 (the text "AAAAAAAA")');
    assert.deepEqual(source?.pattern, { start: session, end: session + 16n, text: 'AAAAAAAAAAAAAAAA' });
  });

  test('through a stack slot that a call cannot have changed', () => {
    const { kernel, session } = withSession();
    const trace = kernel.died('spilled+28', { rdx: 0n }, [0n, session, 0n, 'write+18', 2n]);
    kernel.space.words(session + 8n, 0n);
    const { sentence, steps } = origin(kernel, trace);
    assert.match(
      sentence,
      /^rdx was loaded from the member 0x8 bytes into what argument 1 of spilled\(\) points to, and that is NULL$/,
    );
    assert.equal(steps[1]?.sure, 'proved');
  });

  test('not through one whose address was handed out', () => {
    const { kernel } = withSession();
    const trace = kernel.died('handed_out+28', { rdx: 0n }, [0n, 0n, 0n, 'write+18', 2n]);
    const { end, sure } = origin(kernel, trace);
    assert.equal(end, 'unknown');
    assert.equal(sure, 'likely');
  });

  test('the struct around a list entry', () => {
    const { kernel, session } = withSession();
    kernel.space.words(session + 8n, 0n);
    const trace = kernel.died('container+8', { rax: 0xffff_ffff_ffff_ffe0n, rdi: session }, ['write+18', 2n]);
    assert.match(
      origin(kernel, trace).sentence,
      /^rax is 0x20 less than a pointer that is bad: that was loaded from .*, and that is NULL$/,
    );
  });

  test('an index that is far out', () => {
    const { kernel, session } = withSession();
    const table = kernel.reserve(64);
    kernel.space.words(session + 8n, 0xdead_beefn);
    kernel.space.words(session + 16n, table);
    const trace = kernel.died('indexed+7', { rdi: session, rax: 0xdead_beefn, rdx: table }, ['write+18', 2n]);
    const { sentence, register } = origin(kernel, trace);
    assert.equal(register, 'rax');
    assert.equal(sentence, 'the index rax was loaded from s->flags, and that is 0xdeadbeef');
  });
});

describe('code', () => {
  test('a caller that passes NULL', () => {
    const { kernel } = withSession();
    const trace = kernel.died('update+0', { rdi: 0n }, ['passes_null+11', 1n, 'write+18', 2n]);
    const { sentence, end, sure } = origin(kernel, trace);
    assert.equal(sentence, 'rdi is argument 1 of update(), for which passes_null() passes NULL');
    assert.equal(end, 'constant');
    assert.equal(sure, 'proved');
  });

  test('what a function returned', () => {
    const { kernel } = withSession();
    const trace = kernel.died('returned+9', { rax: 0n }, [1n, 'write+18', 2n]);
    const { sentence, end } = origin(kernel, trace);
    assert.equal(sentence, 'rax is what find() returned to returned(), and that is NULL');
    assert.equal(end, 'returned');
  });

  test('where ways meet, those that cannot have given the value are left out', () => {
    const { kernel, session } = withSession();
    kernel.space.words(session + 8n, 0n);
    const trace = kernel.died('merged+15', { rax: 0n, rdi: session }, ['write+18', 2n]);
    const { sentence, end } = origin(kernel, trace);
    assert.match(sentence, /^rax was loaded from .*s.*, and that is NULL$/);
    assert.equal(end, 'memory');
  });

  test('where several are possible, all are told and none is sure', () => {
    const { kernel } = withSession();
    const trace = kernel.died('several+19', { rax: 0x10n }, ['write+18', 2n]);
    const { sentence, end, sure } = origin(kernel, trace);
    assert.match(sentence, /^rax is 0x10, and was one of: .*session/);
    assert.equal(end, 'several');
    assert.equal(sure, 'possible');
  });

  test('a call of an address where there is no code', () => {
    const { kernel, session } = withSession();
    const trace = kernel.died(0x18n, { rax: 0x18n, rbx: session, rdi: session }, ['by_pointer+10', 7n, 'write+18', 2n]);
    kernel.space.words(session + 0x18n, 0x18n);
    const { sentence, register } = origin(kernel, trace);
    assert.equal(sentence, 'the function pointer was loaded from s->call, and that is 0x18');
    assert.equal(register, 'rax');
  });

  test('a call of an address without code, by a function that jumped on to it', () => {
    const { kernel, session } = withSession();
    kernel.space.words(session + 0x18n, 0x18n);
    const trace = kernel.died(0x18n, { rax: 0x18n, rdi: session }, ['calls_jumps_on+13', 7n, 'write+18', 2n]);
    const found = originOf(kernel, trace, 0, 0);
    // calls_jumps_on() calls jumps_on() directly: it is no call by a pointer
    assert.equal(found?.sentence, 'the function pointer was loaded from session->call, and that is 0x18');
    assert.match(found?.steps[0]?.words ?? '', /^jumps_on\+4 jumps to 0x18/);
  });

  test('a return to an address that the function had put on the stack itself', () => {
    const { kernel } = withSession();
    const trace = kernel.died(0xffff_0000_4141_4141n, {}, ['calls_returns_elsewhere+6', 7n, 'write+18', 2n]);
    const { sentence, sure, end, at } = origin(kernel, trace);
    assert.match(sentence, /^the return address was set to 0xffff000041414141 .*by returns_elsewhere\(\) itself$/);
    assert.deepEqual([sure, end, at], ['proved', 'constant', kernel.codeAt('returns_elsewhere+11')]);
  });

  test('a return to what was written over the stack: where it lies, and how far it goes', () => {
    const { kernel } = withSession();
    const text = 0xffff_4141_4141_4141n;
    const trace = kernel.died(text, {}, [text, text, 'calls_returns_elsewhere+6', 7n, 'write+18', 2n]);
    const top = trace.frames[0]!.stackPointer;
    const { sentence, sure, end, source } = origin(kernel, trace);
    assert.match(
      sentence,
      /^the return address was taken from the stack at [0-9a-f]{16}, and that is 0xffff414141414141/,
    );
    assert.deepEqual([sure, end], ['likely', 'memory']);
    assert.deepEqual(source?.pattern, { start: top, end: top + 16n, text: null });
  });

  test('of a return, nothing is told where the stack does not have the address', () => {
    const { kernel } = withSession();
    // what is called there puts another address on the stack than the one that the CPU went to
    const trace = kernel.died(0xffff_4141_4141_4141n, {}, [5n, 'calls_returns_elsewhere+6', 7n, 'write+18', 2n]);
    assert.equal(originOf(kernel, trace, 0, 0), null);
  });

  test('a stack pointer that was set to what is no stack', () => {
    const { kernel } = withSession();
    const trace = kernel.died('loses_stack+7', {}, ['write+18', 2n]);
    const [entry, interrupted] = trace.frames;
    const registers = { ...interrupted!.registers, rsp: 0x1000n };
    const frames = [
      { ...entry!, registers },
      { ...interrupted!, registers },
    ];
    const { sentence, sure, register } = origin(kernel, { frames, problem: '' });
    assert.equal(sentence, 'rsp was set to 0x1000 by loses_stack() itself');
    assert.deepEqual([sure, register], ['proved', 'rsp']);
  });

  test('who called is not told where the pointer that was called is another one', () => {
    const { kernel, session } = withSession();
    kernel.space.words(session + 0x18n, kernel.address('find'));
    const trace = kernel.died(0x18n, { rax: 0x18n, rbx: session }, ['by_pointer+9', 7n, 'write+18', 2n]);
    assert.equal(originOf(kernel, trace, 0, 0), null);
  });

  test('an address that stands in the code', () => {
    const { kernel } = withSession();
    const { sentence, end } = origin(kernel, kernel.died('fixed+0', {}, ['write+18']));
    assert.equal(sentence, 'fixed goes for 0x1230, which is a constant in its code');
    assert.equal(end, 'constant');
  });

  test('a list is gone along as the loop did, to the entry whose pointer was overwritten', () => {
    const { kernel, session } = withSession();
    const other = kernel.reserve(64);
    kernel.space.words(session, other);
    kernel.space.words(other, 0x4847_4645_4443_4241n);
    const trace = kernel.died('walk+0', { rdi: 0x4847_4645_4443_4241n }, ['calls_walk+13', 1n, 'write+18', 2n]);
    const { sentence, sure } = origin(kernel, trace);
    assert.match(
      sentence,
      new RegExp(
        `^rdi was loaded from ${other.toString(16)}, after 2 entries of a list that began at session, .*"ABCDEFGH"`,
      ),
    );
    assert.equal(sure, 'likely');
  });

  test('a list that has the value nowhere, or comes back to its start: nothing is sure', () => {
    const { kernel, session } = withSession();
    kernel.space.words(session, session);
    const trace = kernel.died('walk+0', { rdi: 0x99n }, ['calls_walk+13', 1n, 'write+18', 2n]);
    assert.equal(origin(kernel, trace).sure, 'possible');
  });

  test('an element of an array in a struct, by its index; one beyond the array is no element', () => {
    const { kernel, session } = withSession();
    kernel.space.words(session + 0x30n, 0x99n);
    const told = (index: bigint) =>
      origin(kernel, kernel.died('tabled+5', { rdi: session, rsi: index, rax: 0x99n }, ['write+18', 2n])).sentence;
    assert.equal(told(2n), 'rax was loaded from s->peers[2], and that is 0x99');
    assert.doesNotMatch(told(7n), /peers/);
  });

  test('an entry of a list that the loop has gone on from already: the one that has the value, and the next that is still held', () => {
    const { kernel, session } = withSession();
    const [one, other] = [kernel.reserve(64), kernel.reserve(64)];
    kernel.space.words(session, one);
    kernel.space.words(one, other, 0n, 0x99n);
    kernel.space.words(other, session, 0n, 0x99n);
    const registers = { rdi: session, rax: session, rcx: 0x99n };
    const { sentence, sure } = origin(kernel, kernel.died('visits+10', registers, ['write+18', 2n]));
    assert.match(
      sentence,
      new RegExp(
        `^rcx was loaded from ${(other + 0x10n).toString(16)}, in entry 2 of a list that began at .*, and that is 0x99`,
      ),
    );
    assert.equal(sure, 'likely');
    // no entry goes on to there with that value
    kernel.space.words(other, session, 0n, 0x98n);
    assert.doesNotMatch(origin(kernel, kernel.died('visits+10', registers, ['write+18', 2n])).sentence, /entry/);
  });

  test('a loop that cannot be at its start: by what the round before pointed to, never by what it points to now', () => {
    const { kernel, session } = withSession();
    kernel.space.words(session, session);
    const registers = { rdi: 0x4847_4645_4443_4241n, rbx: session };
    const trace = kernel.died('walk+0', registers, ['keeps_start+16', 1n, 'write+18', 2n]);
    const { sentence, sure } = origin(kernel, trace);
    assert.equal(
      sentence,
      'rdi was loaded from dev of the struct session before it, and that is 0x4847464544434241 (the text "ABCDEFGH")',
    );
    assert.equal(sure, 'likely');
  });

  test('an instruction that was half done: what it began with', () => {
    const { kernel, session } = withSession();
    kernel.space.words(session + 0x10n, 0x5000n);
    const registers = { rsi: 0x5003n, rdi: 0xffff_c900_0000_3f03n, rcx: 0x1dn, rdx: 0x20n, rbx: session };
    const trace = kernel.died('copies+6', registers, ['calls_copies+25', 1n, 'write+18', 2n]);
    assert.equal(origin(kernel, trace).sentence, 'rsi was loaded from session->next, and that is 0x5000');
  });
});

describe('what cannot be followed', () => {
  test('an instruction that touches no memory', () => {
    const { kernel } = withSession();
    assert.equal(originOf(kernel, kernel.died('find+0', {}, ['write+18']), 0, 0), null);
  });

  test('a function whose code is not in the dump', () => {
    const { kernel } = withSession();
    kernel.define('gone', 0xffff_ffff_8100_8000n, 64);
    assert.equal(originOf(kernel, kernel.died('gone+4', { rdi: 0n }, ['write+18']), 0, 0), null);
  });

  test('a stack that does not fit the code', () => {
    const { kernel, session } = withSession();
    const trace = kernel.died('update+7', { rdi: session, rdx: 0n }, ['finish+9', 1n, 3n, 4n, 'write+18', 2n]);
    const { steps } = origin(kernel, trace);
    assert.ok(steps.every(({ kind }) => kind !== 'argument'));
  });

  test('code that jumps everywhere ends in time', () => {
    const { kernel } = withSession();
    // 20,000 conditional jumps, each to a place that the next ones depend on
    const code = new Uint8Array(80_000);
    for (let i = 0; i + 4 <= code.length; i += 4) {
      const to = ((i * 7919) % 120) - 60;
      code.set([0x48, 0x8b, 0x75, to & 0xff], i); // mov to(%rbp),%rsi
      if (i % 8 === 4) code.set([0x75, (to - 2) & 0xfc, 0x90, 0x90], i); // jne
    }
    code.set([0x48, 0x8b, 0x06, 0xc3], code.length - 4); // mov (%rsi),%rax; ret
    kernel.code('tangled', 0xffff_ffff_8101_0000n, code);
    originOf(kernel, kernel.died(`tangled+${code.length - 4}`, { rsi: 0n }, ['write+18']), 0, 0);
  });
});
