import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readLog } from '../../src/kernel/printk.ts';
import type { LogRecord } from '../../src/kernel/printk_record.ts';
import {
  type LogEntry,
  type RingbufferOptions,
  ringbufferTypes,
  ringbufferVmcoreinfo,
  structuredRecord,
  type WrittenRingbuffer,
  writeRingbuffer,
  writeStructuredLog,
} from '../support/printk_writer.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const prbSymbol = 0xffff_ffff_8200_0000n;

/** A kernel of which only VMCOREINFO is known: neither symbols nor types. */
function kernelWithLog(
  entries: readonly LogEntry[],
  options?: RingbufferOptions,
): { kernel: SyntheticKernel; written: WrittenRingbuffer } {
  const kernel = new SyntheticKernel('', ringbufferVmcoreinfo(prbSymbol));
  kernel.space.map(prbSymbol, 8);
  return { kernel, written: writeRingbuffer(kernel, prbSymbol, entries, options) };
}

function read(kernel: SyntheticKernel): { records: LogRecord[]; texts: string[]; problems: string[] } {
  const { value, faults } = kernel.faults.collect(() => readLog(kernel));
  return { records: value, texts: value.map(({ text }) => text), problems: faults.map(({ message }) => message) };
}

describe('lockless log', () => {
  test('a record has its number, time, level, caller and device', () => {
    const { kernel } = kernelWithLog([
      { text: 'Linux version 6.12', ns: 0n, level: 5, caller: 0 },
      {
        text: 'probe failed',
        ns: 1_234_567_891n,
        level: 3,
        caller: 0x8000_0003,
        subsystem: 'pci',
        device: '+pci:0000:00:1f.2',
      },
    ]);
    const { records, problems } = read(kernel);
    assert.deepEqual(problems, []);
    assert.deepEqual(records, [
      {
        seq: 0,
        timestampNs: 0n,
        level: 5,
        facility: 0,
        caller: { kind: 'thread', id: 0 },
        text: 'Linux version 6.12',
        dict: {},
      },
      {
        seq: 1,
        timestampNs: 1_234_567_891n,
        level: 3,
        facility: 0,
        caller: { kind: 'cpu', id: 3 },
        text: 'probe failed',
        dict: { SUBSYSTEM: 'pci', DEVICE: '+pci:0000:00:1f.2' },
      },
    ]);
  });

  test('types and symbols do as well, where VMCOREINFO tells nothing', () => {
    const kernel = new SyntheticKernel(ringbufferTypes);
    kernel.define('prb', prbSymbol);
    writeRingbuffer(kernel, prbSymbol, [{ text: 'hello', level: 2, device: '+x' }]);
    const { records, problems } = read(kernel);
    assert.deepEqual(problems, []);
    assert.equal(records[0]?.text, 'hello');
    assert.equal(records[0]?.level, 2);
    assert.deepEqual(records[0]?.dict, { DEVICE: '+x' });
  });

  for (const exactFit of [false, true]) {
    test(`texts wrap at the end of the ring, ids at that of the descriptors (${exactFit ? 'since' : 'before'} 6.18)`, () => {
      const texts = Array.from({ length: 16 }, (_, i) => `record ${i} ${'x'.repeat((i * 7) % 40)}`);
      // positions start where the kernel starts them: just below where 64 bits wrap
      const options = { sizeBits: 10, firstId: 0xffff_fff5n, firstPosition: 0xffff_ffff_ffff_fc00n + 512n, exactFit };
      const { texts: got, problems } = read(
        kernelWithLog(
          texts.map((text) => ({ text })),
          options,
        ).kernel,
      );
      assert.deepEqual(problems, []);
      assert.deepEqual(got, texts);
    });

    test(`a text that ends exactly where the ring does is whole (${exactFit ? 'since' : 'before'} 6.18)`, () => {
      const options = { sizeBits: 6, firstPosition: 32n, exactFit };
      const { texts, problems } = read(kernelWithLog([{ text: 'x'.repeat(24) }], options).kernel);
      assert.deepEqual(problems, []);
      assert.deepEqual(texts, ['x'.repeat(24)]);
    });
  }

  test('what was reserved but never written, and what is being reused, is no record', () => {
    const { kernel } = kernelWithLog([
      { text: 'old', state: 3 },
      { text: 'kept' },
      { text: 'never finished', state: 0 },
      { text: 'still being continued', state: 1 },
    ]);
    assert.deepEqual(read(kernel).texts, ['kept', 'still being continued']);
  });

  test('an empty line is a record; one that the ring had no room for is not', () => {
    const { kernel } = kernelWithLog([{ text: '', lpos: 3n }, { text: 'lost', lpos: 1n }, { text: 'after' }]);
    assert.deepEqual(read(kernel).texts, ['', 'after']);
  });

  test('an excluded page of texts costs the texts on it, and the faults say which page', () => {
    const entries = Array.from({ length: 64 }, (_, i) => ({ text: `${i}`.padEnd(248, '.') }));
    const { kernel, written } = kernelWithLog(entries, { countBits: 6, sizeBits: 15 });
    kernel.space.exclude(written.data + 4096n);
    const { texts, problems } = read(kernel);
    // 16 texts of 256 bytes to a page
    assert.equal(texts.length, 48);
    assert.ok(texts[15]!.startsWith('15.') && texts[16]!.startsWith('32.'));
    assert.match(problems[0]!, /excluded by the dump's filter/);
  });

  test('an excluded page of descriptors costs its records', () => {
    const entries = Array.from({ length: 512 }, (_, i) => ({ text: `${i}` }));
    const { kernel, written } = kernelWithLog(entries, { countBits: 9, sizeBits: 14 });
    kernel.space.exclude(written.descs);
    const { texts, problems } = read(kernel);
    assert.equal(texts[0], '171'); // 170 descriptors and a part of one are on the first page
    assert.equal(texts.at(-1), '511');
    assert.ok(problems.length > 0);
  });

  test('a text whose place holds another record is not passed off as this one', () => {
    const { kernel, written } = kernelWithLog([{ text: 'first' }, { text: 'second' }]);
    kernel.space.words(written.data, 99n);
    const { texts, problems } = read(kernel);
    assert.deepEqual(texts, ['second']);
    assert.match(problems.join(), /overwritten/);
  });

  test('a head and tail that cannot be are bounded by the ring', () => {
    const { kernel, written } = kernelWithLog([{ text: 'a' }, { text: 'b' }]);
    kernel.space.words(written.prb + 32n, 0x1234_5678n); // tail_id
    const { texts, problems } = read(kernel);
    assert.deepEqual(texts, ['a', 'b']);
    assert.match(problems.join(), /apart/);
  });

  for (const [name, offset] of [
    ['count_bits', 0n],
    ['size_bits', 40n],
  ] as const) {
    test(`an absurd ${name} is a fault, not a flood`, () => {
      const { kernel, written } = kernelWithLog([{ text: 'a' }]);
      kernel.space.words(written.prb + offset, 63n);
      const { texts, problems } = read(kernel);
      assert.deepEqual(texts, []);
      assert.match(problems.join(), new RegExp(`${name} 63 is out of range`));
    });
  }

  test('bytes that are no UTF-8 survive, and UTF-8 is read as such', () => {
    const { kernel } = kernelWithLog([{ text: 'caf\xc3\xa9' }, { text: 'raw \xe9 \x1b[31m' }]);
    assert.deepEqual(read(kernel).texts, ['café', 'raw \xe9 \x1b[31m']);
  });

  test('whatever the ring holds, reading it ends and throws nothing', () => {
    const entries = Array.from({ length: 16 }, (_, i) => ({ text: `record ${i}` }));
    fc.assert(
      fc.property(
        fc.constantFrom<keyof WrittenRingbuffer>('prb', 'descs', 'infos', 'data'),
        fc.nat(80),
        fc.uint8Array({ minLength: 1, maxLength: 8 }),
        (part, offset, bytes) => {
          const { kernel, written } = kernelWithLog(entries);
          kernel.space.write(written[part] + BigInt(offset), bytes);
          assert.ok(read(kernel).records.length <= 16);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('log of records in one ring (3.5 to 5.9)', () => {
  const vmcoreinfo = `SIZE(printk_log)=16
OFFSET(printk_log.ts_nsec)=0
OFFSET(printk_log.len)=8
OFFSET(printk_log.text_len)=10
OFFSET(printk_log.dict_len)=12
`;
  const logOf = (parts: readonly Buffer[], size: number, first = 0, next?: number): SyntheticKernel => {
    const kernel = new SyntheticKernel('', vmcoreinfo);
    const ring = Buffer.alloc(size);
    let at = 0;
    for (const part of parts) at += part.copy(ring, at);
    writeStructuredLog(kernel, ring, first, next ?? at);
    return kernel;
  };

  test('one that goes back to its start for ever is read once', () => {
    // one record, and behind it an empty one, which leads back to the start: the end is never met
    const { texts, problems } = read(logOf([structuredRecord('round and round', { length: 200 })], 256, 0, 128));
    assert.deepEqual(texts, ['round and round']);
    assert.match(problems.join(), /does not end/);
  });

  test('records have time, level and dictionary', () => {
    const { records, problems } = read(
      logOf([structuredRecord('one', { ns: 5_000_000_000n, level: 4, dict: 'SUBSYSTEM=usb\0DEVICE=+usb:1-1' })], 256),
    );
    assert.deepEqual(problems, []);
    assert.equal(records[0]?.seq, 7);
    assert.equal(records[0]?.timestampNs, 5_000_000_000n);
    assert.equal(records[0]?.level, 4);
    assert.deepEqual(records[0]?.dict, { SUBSYSTEM: 'usb', DEVICE: '+usb:1-1' });
  });

  test('a record of length 0 means: go on at the start of the ring', () => {
    const newest = structuredRecord('newest');
    const oldest = structuredRecord('oldest');
    const parts = [newest, oldest];
    const { texts, problems } = read(logOf(parts, newest.length + oldest.length + 16, newest.length, newest.length));
    // first == next is an empty log; the kernel never fills its ring completely
    assert.deepEqual([texts, problems], [[], []]);
    const gap = Buffer.alloc(8);
    const kernel = logOf([newest, gap, oldest], 128, newest.length + 8, newest.length);
    assert.deepEqual(read(kernel).texts, ['oldest', 'newest']);
  });

  test('pieces of a continued line are one line', () => {
    const { texts } = read(
      logOf(
        [
          structuredRecord('CPU0: ', { flags: 4 | 8 }),
          structuredRecord('Intel ', { flags: 8 }),
          structuredRecord('inside', { flags: 8 | 2 }),
          structuredRecord('next', { flags: 2 | 4 }),
        ],
        256,
      ),
    );
    assert.deepEqual(texts, ['CPU0: Intel inside', 'next']);
  });

  test('an impossible record ends the log, and keeps what came before', () => {
    const { texts, problems } = read(logOf([structuredRecord('good'), structuredRecord('bad', { length: 9 })], 256));
    assert.deepEqual(texts, ['good']);
    assert.match(problems.join(), /impossible length/);
  });

  test('a ring that never comes to its end is left', () => {
    const { problems } = read(logOf([], 256, 0, 64));
    assert.match(problems.join(), /empty record at its start/);
  });
});

test('a log of plain text (before 3.5) is parted into lines, from its oldest', () => {
  const kernel = new SyntheticKernel('');
  const size = 64;
  const text = '<6>[    1.500000] first\n<3>no time\nplain\n';
  const start = 50; // wraps
  const ring = Buffer.alloc(size);
  for (let i = 0; i < text.length; i++) ring[(start + i) % size] = text.charCodeAt(i);
  const buffer = kernel.reserve(size);
  kernel.space.write(buffer, ring);
  const variables = kernel.reserve(64);
  for (const [i, [name, value]] of (
    [
      ['log_buf', buffer],
      ['log_buf_len', BigInt(size)],
      ['log_end', BigInt(start + text.length + 10 * size)],
      ['logged_chars', BigInt(text.length)],
    ] as const
  ).entries()) {
    kernel.define(name, variables + BigInt(i * 8));
    kernel.space.words(variables + BigInt(i * 8), value);
  }
  assert.deepEqual(
    read(kernel).records.map(({ text, level, timestampNs }) => [text, level, timestampNs]),
    [
      ['first', 6, 1_500_000_000n],
      ['no time', 3, null],
      ['plain', null, null],
    ],
  );
});

test('a kernel without a log says so', () => {
  const { records, problems } = read(new SyntheticKernel(''));
  assert.deepEqual(records, []);
  assert.match(problems.join(), /no kernel log/);
});

test('texts of the ring that overlap are no more than the ring has bytes', () => {
  const { kernel, written } = kernelWithLog(
    Array.from({ length: 64 }, () => ({ text: 'x'.repeat(40) })),
    { countBits: 6, sizeBits: 12 },
  );
  const length = Buffer.alloc(2);
  length.writeUInt16LE(900);
  for (let id = 0n; id < 64n; id++) {
    // every record reaches far over those behind it
    kernel.space.words(written.descs + id * 24n + 8n, id * 48n, id * 48n + 912n);
    kernel.space.write(written.infos + id * 88n + 16n, length);
  }
  const { texts, problems } = read(kernel);
  assert.ok(texts.length > 0);
  assert.ok(texts.join('').length <= 4096);
  assert.match(problems.join(), /overlap/);
});
