import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InquestAnswers } from '../../lab/answers.ts';
import { parseDuration, parseMembers, parsePs, parseTaskBlocks, parseTrace, sysField } from '../../lab/crash_text.ts';
import { whoRan } from '../../lab/fact.ts';
import type { PictureTask } from '../../lab/picture.ts';

describe('text of crash', () => {
  it('is read where names hold blanks, brackets and quotes', () => {
    const text = [
      '> 0       0   1  ff19dc67012d4200  RU   0.0        0        0  [swapper/1]',
      '  20      -1   0  ff19dc67012d4200  IN   0.3     2260     1816  a "b" [c',
      '',
    ].join('\n');
    assert.deepEqual(parsePs(text), [
      { pid: 0, ppid: 0, cpu: 1, state: 'RU', vsz: 0, rss: 0, comm: 'swapper/1' },
      { pid: 20, ppid: -1, cpu: 0, state: 'IN', vsz: 2260, rss: 1816, comm: 'a "b" [c' },
    ]);
    const blocks = parseTaskBlocks(
      'PID: 20       TASK: ff19dc6701220000  CPU: 1    COMMAND: "a "b" c"\n  nvcsw = 12,\n\nPID: 21       TASK: ff19dc6701220000  CPU: 1    COMMAND: "x"\n',
    );
    assert.deepEqual(
      blocks.map((block) => [block.pid, block.comm, block.body.trim()]),
      [
        [20, 'a "b" c', 'nvcsw = 12,'],
        [21, 'x', ''],
      ],
    );
  });

  it('gives frames, whatever hooked their return, and between them what was interrupted', () => {
    const body =
      ' #0 [ffff8] schedule (via return_to_handler) at ffffffff82000020\n    [exception RIP: idle+15]\n    RIP: ffffffffa6a93f8f\n#10 [ffff9] perish_idler at ffffffffc0362010 [perish]\n';
    assert.deepEqual(parseTrace(body, 'x86_64'), [
      { name: 'schedule', address: 0xffffffff82000020n },
      { name: 'idle', address: 0xffffffffa6a93f8fn },
      { name: 'perish_idler', address: 0xffffffffc0362010n },
    ]);
  });

  it('gives the return addresses of arm64, which shows calls, and the instructions that were interrupted', () => {
    const body = [
      ' #0 [ffff80] cpu_park_loop at ffffd0118de26f20',
      '     PC: ffffd0118de26f20  [cpu_park_loop+48]',
      '     LR: ffffd0118de26f14  [cpu_park_loop+36]',
      ' #1 [ffff90] el1h_64_irq at ffffd0118de112e8',
      '     PC: ffffd0118ebbce08  [memcpy+56]',
      '     LR: ffffd0118ebbcdf8  [way_null+40]',
      '     SP: ffff8000800e3e00  PSTATE: 40000005',
      ' #2 [ffffa0] memcpy at ffffd0118ebbce08',
      ' #3 [ffffa0] way_null at ffffd0118ebbcdf4 [perish]',
      ' #4 [ffffb0] el0t_64_sync at ffffd0118de1154c',
      '     PC: 000000000044a7cc   LR: 00000000004ba534   SP: 0000fffff9d14b70',
      '',
    ].join('\n');
    const trace = [
      { name: 'cpu_park_loop', address: 0xffffd0118de26f20n },
      { name: 'el1h_64_irq', address: 0xffffd0118de112ecn },
      { name: 'memcpy', address: 0xffffd0118ebbce08n },
      { name: 'way_null', address: 0xffffd0118ebbcdf8n, mayBeLeftOut: true },
      { name: 'el0t_64_sync', address: 0xffffd0118de11550n },
    ];
    assert.deepEqual(parseTrace(body, 'aarch64'), trace);
  });

  it('gives members, fields and durations', () => {
    assert.deepEqual(
      [...parseMembers('  nvcsw = 12,\n  nivcsw = 3\n')],
      [
        ['nvcsw', '12'],
        ['nivcsw', '3'],
      ],
    );
    assert.equal(sysField('    NODENAME: lab\n', 'NODENAME'), 'lab');
    assert.equal(parseDuration('2 days, 01:02:03'), 2 * 86400 + 3723);
    assert.equal(parseDuration('1 day, 00:00:00'), 86400);
    assert.equal(parseDuration('soon'), undefined);
  });
});

describe('whoRan', () => {
  const sleeper = { tid: 20, state: 'S', voluntary: 5, involuntary: 1 } as PictureTask;
  const asking = (text: string | undefined) => whoRan({ name: 'test', ask: () => text });
  const answer = (voluntary: number, involuntary: number, queued = 0) =>
    `PID: 20       TASK: ff19dc6701220000  CPU: 1    COMMAND: "x"\n  nvcsw = ${voluntary},\n  nivcsw = ${involuntary},\n  on_rq = ${queued},\n`;

  it('excuses a task only if its switches went up', () => {
    assert.equal(asking(answer(5, 1))(sleeper), undefined);
    assert.match(asking(answer(6, 1))(sleeper) ?? '', /ran again/);
    assert.equal(asking(answer(4, 1))(sleeper), undefined, 'counts never fall: a wrong offset is no excuse');
    assert.match(asking(answer(5, 1, 1))(sleeper) ?? '', /woken/);
    assert.equal(asking(answer(5, 9))(sleeper), undefined, 'nobody sleeps again without a voluntary switch');
    assert.match(asking(answer(5, 2, 1))(sleeper) ?? '', /ran again/, 'it was woken, and preempted');
    assert.equal(asking('')(sleeper), undefined);
  });

  it('excuses everything, and says so, where the program cannot tell', () => {
    assert.match(asking(undefined)(sleeper) ?? '', /unknown/);
  });
});

describe('InquestAnswers', () => {
  it('does not start without a dump that can be read', () => {
    assert.throws(() => new InquestAnswers(['/nonexistent']), /inquest help/);
  });
});
