// Facts of zones, vmalloc areas, swap and addresses: a wrong number, a missing area, a wrong name must be seen.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { places, references } from '../../lab/facts/references.ts';
import { swapAreas, swappedPages } from '../../lab/facts/swap.ts';
import { vmallocAreas, zones } from '../../lab/facts/zones.ts';
import { compared, counts, pictureOf, task } from './world.ts';

describe('zones and areas', () => {
  it('wants what a zone spans and has, and its watermarks', (test) => {
    const picture = pictureOf(test, {
      zoneinfo: `Node 0, zone      DMA
  pages free     3808
        min      22
        low      27
        high     32
        spanned  4095
        present  3998
Node 0, zone  Movable
  pages free     0
        min      32
        low      32
        high     32
        spanned  0
        present  0
`,
    });
    const text = (size: number, marks: string) =>
      `NODE: 0  ZONE: 0  ADDR: ffff9f57b0ab5000  NAME: "DMA"\n  SIZE: ${size}  PRESENT: 3998  MIN/LOW/HIGH: ${marks}\n  VM_STAT:\nNODE: 0  ZONE: 3  ADDR: ffff9f57b0ab6140  NAME: "Movable"\n  [unpopulated]\n`;
    assert.deepEqual(counts(compared(zones, picture, [text(4095, '22/27/32')])), [5, 0, 0]);
    assert.deepEqual(counts(compared(zones, picture, [text(4096, '22/27/33')])), [3, 0, 2]);
  });

  it('lets some areas come and go, and no more', (test) => {
    const line = (size: number) => `0x0000000048d7c9a2-0x000000003b9655a3 ${size} hpet_enable+0xe5/0x46c ioremap\n`;
    const picture = pictureOf(test, { vmallocinfo: line(8192).repeat(40) });
    const area = 'ffff9f578105a500  ffff9f5781143100  ffffbb8700000000 - ffffbb8700005000     8192\n';
    assert.deepEqual(counts(compared(vmallocAreas, picture, [area.repeat(39)])), [39, 1, 0]);
    assert.equal(compared(vmallocAreas, picture, [area.repeat(10)]).wrong, 1);
    assert.equal(compared(vmallocAreas, picture, [area.replace(/8192/, '4096').repeat(40)]).wrong, 1);
  });
});

describe('swap', () => {
  it('wants type, size and priority, and lets a little be swapped meanwhile', (test) => {
    const picture = pictureOf(test, {
      swaps: 'Filename Type Size Used Priority\n/dev/zram0 partition 131068 25960 -1\n',
    });
    const text = (size: number, used: number) =>
      `ff2183f8b1998c00  PARTITION    ${size}k     ${used}k   19%   -1  /dev/zram0\n`;
    assert.deepEqual(counts(compared(swapAreas, picture, [text(131068, 25964)])), [3, 1, 0]);
    assert.deepEqual(counts(compared(swapAreas, picture, [text(131072, 0)])), [2, 0, 2]);
    assert.deepEqual(
      counts(compared(swapAreas, picture, [text(131068, 25960).repeat(1).replace('zram0', 'sda')])),
      [0, 0, 5],
    );
  });

  it('wants the words that were pushed out, each of them another', (test) => {
    const files = task(20);
    const picture = pictureOf(test, {
      ...files,
      '20/cmdline': 'busybox\0awk\0-f\0/tmp/holder.awk\0',
      '20/task/20/status': `${files['20/task/20/status']}VmSwap:\t      2 kB\n`,
    });
    const head = 'PID: 20       TASK: ff28b947b1f4a0c0  CPU: 0    COMMAND: "busybox"\n';
    const words = (count: number, step: number) =>
      head +
      Array.from({ length: count }, (_, i) => `c0: held-in-zram-${String(i * step).padStart(5, '0')}.\n`).join('');
    assert.deepEqual(counts(compared(swappedPages, picture, [words(20, 1)])), [20, 0, 0]);
    assert.deepEqual(counts(compared(swappedPages, picture, [words(20, 0)])), [0, 0, 1]);
    assert.deepEqual(counts(compared(swappedPages, picture, [words(20, 1).replace('PID: 20', 'PID: 21')])), [0, 0, 1]);
  });

  it('wants the words of every process that holds some', (test) => {
    const files = { ...task(20), ...task(21) };
    const holding = (pid: number) => ({
      [`${pid}/cmdline`]: 'busybox\0awk\0-f\0/tmp/holder.awk\0',
      [`${pid}/task/${pid}/status`]: `${files[`${pid}/task/${pid}/status`]}VmSwap:\t      1 kB\n`,
    });
    const picture = pictureOf(test, { ...files, ...holding(20), ...holding(21) });
    const block = (pid: number, name: string) =>
      `PID: ${pid}       TASK: ff28b947b1f4a0c0  CPU: 0    COMMAND: "busybox"\n` +
      Array.from({ length: 8 }, (_, i) => `c0: held-in-${name}-0000${i}.\n`).join('');
    assert.deepEqual(counts(compared(swappedPages, picture, [block(20, 'lzo') + block(21, 'zstd')])), [16, 0, 0]);
    assert.deepEqual(counts(compared(swappedPages, picture, [block(20, 'lzo')])), [8, 0, 1]);
  });
});

describe('addresses', () => {
  it('wants every child of the first task, and no other', (test) => {
    const picture = pictureOf(test, {
      ...task(1, { ppid: 0, comm: 'init' }),
      ...task(2, { ppid: 0, comm: 'kthreadd' }),
    });
    const text = (...lines: string[]) =>
      [
        'ffffffffa4611140: init_task',
        ...lines,
        'ff2183f89f632120: ffffffffa4611140  runqueues.idle of CPU 0',
        `${lines.length + 1} references`,
      ].join('\n');
    const child = (pid: number, comm: string) =>
      `ff2183f8812aae08: ffffffffa4611140  task_struct of PID ${pid} "${comm}", real_parent`;
    assert.deepEqual(counts(compared(references, picture, [text(child(1, 'init'), child(2, 'kthreadd'))])), [5, 0, 0]);
    assert.deepEqual(counts(compared(references, picture, [text(child(1, 'init'), child(3, 'sh'))])), [4, 0, 2]);
    assert.equal(
      compared(references, picture, [text(child(1, 'init'), child(2, 'kthreadd')).replace('CPU 0', 'CPU 1')]).wrong,
      1,
    );
  });

  it('wants symbols where the guest has them, and pages where it says what is there', (test) => {
    const picture = pictureOf(test, {
      kallsyms: 'ffffffffb8600200 R linux_banner\n',
      iomem: '00100000-31fdffff : System RAM\n  1e400000-1eadefff : Kernel rodata\n',
    });
    assert.deepEqual(
      places.commands.filter((command) => places.isAsked!(picture, command)),
      ['find linux_banner'],
    );
    const text = (address: string, physical: string) =>
      `${address}\n      symbol  linux_banner\n        page  frame 1e400, physical ${physical}, reserved; struct page ffffdc21c0790000\n`;
    assert.deepEqual(counts(compared(places, picture, [text('ffffffffb8600200', '1e400200'), '', ''])), [3, 0, 0]);
    assert.deepEqual(counts(compared(places, picture, [text('ffffffffb8600208', '1f400208'), '', ''])), [1, 0, 2]);
  });
});
