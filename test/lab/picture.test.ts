import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseKallsyms, parseStack, parseTask } from '../../lab/picture.ts';

const stat = (comm: string, processor: number) =>
  `7 (${comm}) S ${Array.from({ length: 35 }, (_, i) => i).join(' ')} ${processor} 0 0 0`;

describe('parseTask', () => {
  it('gives nothing for a task that ended while it was read', () => {
    assert.equal(parseTask('', '', ''), undefined);
    assert.equal(parseTask('Name:\tsh\n', '', ''), undefined);
  });

  it('counts the fields of stat from the last parenthesis, whatever the name holds', () => {
    const status =
      'Name:\ta) (b\nState:\tS (sleeping)\nTgid:\t5\nPid:\t7\nPPid:\t2\nvoluntary_ctxt_switches:\t11\nnonvoluntary_ctxt_switches:\t3\n';
    const task = parseTask(status, stat('a) (b', 3), '');
    assert.deepEqual(task, {
      tid: 7,
      pid: 5,
      ppid: 2,
      comm: 'a) (b',
      state: 'S',
      cpu: 3,
      voluntary: 11,
      involuntary: 3,
      started: 18,
      stack: [],
    });
  });

  it('undoes the escapes that /proc writes into names', () => {
    assert.equal(parseTask('Name:\ta\\nb\\\\c\\011d\nTgid:\t1\nPid:\t1\n', stat('x', 0), '')?.comm, 'a\nb\\c\td');
  });
});

describe('parseStack', () => {
  it('reads functions of the kernel and of modules, and leaves out what is no frame', () => {
    const text = '[<0>] do_nanosleep+0x6b/0x1a0\n[<0>] perish_idler+0x1f/0x30 [perish]\n[<0>] 0xffffffff81000000\n';
    assert.deepEqual(parseStack(text), [
      { name: 'do_nanosleep', offset: 0x6b },
      { name: 'perish_idler', offset: 0x1f },
    ]);
  });
});

describe('parseKallsyms', () => {
  it('keeps addresses exact and tells modules', () => {
    const text = 'ffffffff81000001 T _stext\nffffffffc0362000 t perish_tick\t[perish]\n';
    assert.deepEqual(parseKallsyms(text), [
      { address: 0xffffffff81000001n, type: 'T', name: '_stext', module: undefined },
      { address: 0xffffffffc0362000n, type: 't', name: 'perish_tick', module: 'perish' },
    ]);
  });
});
