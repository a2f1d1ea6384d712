// ftrace's ring buffers: pages of events, and the rings that hold them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { pageEvents, type TracePage, traceArrays } from '../../../src/kernel/trace/ring_buffer.ts';
import { TracePageWriter } from '../../support/trace_page_writer.ts';
import { TracingKernel } from '../../support/tracing_kernel.ts';

const events = (page: TracePage): string[] =>
  [...pageEvents(0, page)].map(({ time, data }) => `${time} ${Buffer.from(data).toString('hex')}`);

function pageOf(writer: TracePageWriter, taken = 0): TracePage {
  const bytes = writer.bytes();
  return { time: 1000n, used: writer.used, taken, bytes };
}

describe('events of a page', () => {
  test('small ones, large ones, times far apart, absolute times', () => {
    const writer = new TracePageWriter(1000n);
    writer.event(1005n, Uint8Array.of(1, 0, 0, 0));
    writer.event(1005n, new Uint8Array(116).fill(7));
    writer.extend(1n << 30n);
    writer.event(1005n + (1n << 30n), Uint8Array.of(2, 0, 0, 0));
    writer.absolute(5n << 40n);
    writer.event((5n << 40n) + 1n, Uint8Array.of(3, 0, 0, 0));
    assert.deepEqual(events(pageOf(writer)), [
      '1005 01000000',
      `1005 ${'07'.repeat(116)}`,
      `${1005n + (1n << 30n)} 02000000`,
      `${(5n << 40n) + 1n} 03000000`,
    ]);
  });

  test('events that were taken back take their time with them, and padding ends the page', () => {
    const writer = new TracePageWriter(1000n);
    writer.discarded(1007n, 12);
    writer.event(1010n, Uint8Array.of(1, 0, 0, 0));
    writer.end();
    writer.event(1020n, Uint8Array.of(2, 0, 0, 0));
    assert.deepEqual(events(pageOf(writer)), ['1010 01000000']);
  });

  test('what a reader took is not there any more, but its time counts', () => {
    const writer = new TracePageWriter(1000n);
    writer.event(1001n, Uint8Array.of(1, 0, 0, 0));
    const taken = writer.used;
    writer.event(1003n, Uint8Array.of(2, 0, 0, 0));
    assert.deepEqual(events(pageOf(writer, taken)), ['1003 02000000']);
  });

  test('whatever is written is read again', () => {
    const one = fc.record({ after: fc.bigInt(0n, 1n << 40n), data: fc.uint8Array({ minLength: 1, maxLength: 40 }) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 20 }), (list) => {
        const writer = new TracePageWriter(1000n);
        let time = 1000n;
        const written = list.map(({ after, data }) => {
          time += after;
          if (after >= 1n << 27n) writer.extend(after);
          writer.event(time, data);
          const whole = Buffer.alloc(Math.ceil(data.length / 4) * 4);
          whole.set(data);
          return `${time} ${whole.toString('hex')}`;
        });
        assert.deepEqual(events(pageOf(writer)), written);
      }),
    );
  });

  test('no bytes make it run or fail', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 200 }), fc.nat(300), (bytes, used) => {
        const page = { time: 0n, used: Math.min(used, bytes.length - 16), taken: 0, bytes };
        for (const { data } of pageEvents(0, page)) assert.ok(data.length > 0);
      }),
    );
  });
});

describe('buffers', () => {
  const said = (kernel: TracingKernel): string[] =>
    traceArrays(kernel)[0]!.cpus.flatMap(({ cpu, pages }) =>
      [...pages()].flatMap((page) => [...pageEvents(cpu, page)].map(({ data }) => `${cpu}:${data[8]}`)),
    );

  test('are read from the reader’s page over the head to where was written last', () => {
    const kernel = new TracingKernel();
    const array = kernel.array();
    // the head is not the first of the ring
    kernel.cpuBuffer(array, 0, { reader: [1, 2], ring: [[7], [], [3, 4], [5], [6]], head: 2, commit: 0 });
    assert.deepEqual(said(kernel), ['0:1', '0:2', '0:3', '0:4', '0:5', '0:6', '0:7']);
  });

  test('of which the reader’s page is the one written last have nothing else', () => {
    const kernel = new TracingKernel();
    kernel.cpuBuffer(kernel.array(), 0, { reader: [1], ring: [[9], [9]], head: 0, commit: 'reader' });
    assert.deepEqual(said(kernel), ['0:1']);
  });

  test('with an unreadable page lose that page alone', () => {
    const kernel = new TracingKernel();
    kernel.cpuBuffer(kernel.array(), 0, { reader: [], ring: [[1], 'unreadable', [3]], head: 0, commit: 2 });
    const { value, faults } = kernel.faults.collect(() => said(kernel));
    assert.deepEqual(value, ['0:1', '0:3']);
    assert.match(faults.map(({ what }) => what).join(), /page of a trace buffer/);
  });

  test('whose ring was torn end', () => {
    const kernel = new TracingKernel();
    kernel.cpuBuffer(kernel.array(), 0, { reader: [], ring: [[1], [2], [3]], head: 0, commit: 'nowhere' });
    assert.deepEqual(said(kernel), ['0:1', '0:2', '0:3']);
  });

  test('are listed with the kernel’s own first, their clocks and what they count', () => {
    const kernel = new TracingKernel();
    kernel.cpuBuffer(kernel.array('small'), 0, { reader: [1], ring: [[2]], head: 0, commit: 0 }, { overrun: 40 });
    kernel.cpuBuffer(kernel.array(), 1, { reader: [], ring: [[2, 3, 4]], head: 0, commit: 0 });
    const [own, small] = traceArrays(kernel);
    assert.deepEqual([own?.name, own?.tracer, own?.clock], ['', 'nop', 'local']);
    assert.deepEqual(
      own?.cpus.map(({ cpu, entries, overrun }) => [cpu, entries, overrun]),
      [[1, 3n, 0n]],
    );
    assert.deepEqual([small?.name, small?.cpus[0]?.entries, small?.cpus[0]?.overrun], ['small', 2n, 40n]);
  });
});
