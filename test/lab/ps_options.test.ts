import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits, memory, processArguments, startTimes } from '../../lab/facts/ps_options.ts';
import { compared, counts, pictureOf, task } from './world.ts';

const head = 'PID: 20       TASK: ff19dc6701220000  CPU: 0    COMMAND: "sh"\n';
const ps = (vsz: number, rss: number) =>
  `       20       1    0  ff19dc6701220000  IN   0.3     ${vsz}     ${rss}  sh\n`;

describe('start times', () => {
  const started = (ticks: number) => {
    const fields = `20 (sh) S${' 0'.repeat(18)} ${ticks}${' 0'.repeat(30)}\n`;
    return { ...task(20), '20/task/20/stat': fields };
  };
  const text = (ns: bigint) => `${head}    RUN TIME: 00:00:12\n  START TIME: ${ns}\n       UTIME: 0\n`;

  it('are the same tick, or the one before it: the kernel reads two clocks', (test) => {
    const picture = pictureOf(test, started(58));
    assert.deepEqual(counts(compared(startTimes, picture, [ps(1, 1), text(582_795_708n)])), [1, 0, 0]);
    assert.deepEqual(counts(compared(startTimes, picture, [ps(1, 1), text(579_999_999n)])), [0, 1, 0]);
    assert.deepEqual(counts(compared(startTimes, picture, [ps(1, 1), text(590_000_000n)])), [0, 0, 1]);
    assert.deepEqual(counts(compared(startTimes, picture, [ps(1, 1), text(0n)])), [0, 0, 1]);
  });

  it('are there for each task of ps', (test) => {
    assert.deepEqual(counts(compared(startTimes, pictureOf(test, started(58)), [ps(1, 1), ''])), [0, 0, 1]);
  });
});

describe('memory of processes', () => {
  const status = 'Name:\tsh\nState:\tS (x)\nTgid:\t20\nPid:\t20\nPPid:\t1\nVmSize:\t 2260 kB\nVmRSS:\t 4 kB\n';

  it('is to the page what the guest said, not what its late counters said', (test) => {
    const rollup = '00400000-7ffc8fabe000 ---p 00000000 00:00 0   [rollup]\nRss:                1816 kB\nPss:  55 kB\n';
    const picture = pictureOf(test, { ...task(20), '20/task/20/status': status, '20/smaps_rollup': rollup });
    assert.deepEqual(counts(compared(memory, picture, [ps(2260, 1816)])), [2, 0, 0]);
    assert.deepEqual(counts(compared(memory, picture, [ps(2264, 1820)])), [0, 0, 2]);
    assert.deepEqual(counts(compared(memory, picture, [ps(0, 0)])), [0, 0, 2]);
  });

  it('of a kernel thread is none', (test) => {
    assert.deepEqual(counts(compared(memory, pictureOf(test, task(20)), [ps(0, 0)])), [2, 0, 0]);
    assert.deepEqual(counts(compared(memory, pictureOf(test, task(20)), [ps(4, 4)])), [0, 0, 2]);
  });
});

describe('resource limits', () => {
  const picture = {
    ...task(20),
    '20/limits':
      'Limit                     Soft Limit           Hard Limit           Units     \n' +
      'Max cpu time              unlimited            unlimited            seconds   \n' +
      'Max open files            1024                 4096                 files     \n',
  };
  const rows = '      RLIMIT     CURRENT       MAXIMUM  \n         CPU   (unlimited)   (unlimited)\n';

  it('are compared by name, both values', (test) => {
    const text = (maximum: number) => `${head}${rows}      NOFILE      1024          ${maximum}    \n`;
    assert.deepEqual(counts(compared(limits, pictureOf(test, picture), [ps(1, 1), text(4096)])), [2, 0, 0]);
    assert.deepEqual(counts(compared(limits, pictureOf(test, picture), [ps(1, 1), text(1024)])), [1, 0, 1]);
    assert.deepEqual(counts(compared(limits, pictureOf(test, picture), [ps(1, 1), head + rows])), [1, 0, 1]);
  });
});

describe('arguments', () => {
  const picture = {
    ...task(20),
    '20/maps': 'x\n',
    '20/cmdline': 'sh\0-c\0true\0',
    '20/environ': 'HOME=/\0TERM=linux\0',
  };
  const unreadable = `${head}ps: cannot access user stack address: 7ffd8fabdfca\n`;
  const record = { kernel: '6.12', release: '', scenario: 'null', format: 'zlib', memory: 800, cpus: 2 };

  it('are what the guest showed', (test) => {
    const text = (words: string) => `${head}ARG: ${words}\nENV: HOME=/\n     TERM=linux\n\n`;
    assert.deepEqual(
      counts(compared(processArguments, pictureOf(test, picture), [ps(1, 1), text('sh -c true')])),
      [2, 0, 0],
    );
    assert.deepEqual(
      counts(compared(processArguments, pictureOf(test, picture), [ps(1, 1), text('sh -c')])),
      [1, 0, 1],
    );
    assert.deepEqual(
      counts(compared(processArguments, pictureOf(test, picture), [ps(1, 1), `${head}ARG: sh\nENV: HOME=/\n`])),
      [0, 0, 2],
    );
  });

  it('may be missing only where the dump was told to leave user memory out', (test) => {
    const wrong = (level: number) =>
      counts(
        compared(processArguments, pictureOf(test, picture), [ps(1, 1), unreadable], { record: { ...record, level } }),
      );
    assert.deepEqual(wrong(31), [0, 1, 0]);
    assert.deepEqual(wrong(23), [0, 0, 2]);
  });

  it("belong to users' processes only", (test) => {
    const files = { ...task(20), '20/maps': '' };
    assert.deepEqual(
      counts(compared(processArguments, pictureOf(test, files), [ps(1, 1), `${head}ps: no user stack\n`])),
      [1, 0, 0],
    );
    assert.deepEqual(
      counts(compared(processArguments, pictureOf(test, files), [ps(1, 1), `${head}ARG: x\n`])),
      [0, 0, 1],
    );
  });
});
