// The text of events, by the print formats that the kernel has for them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../../src/base/errors.ts';
import type { EventField, EventFormat } from '../../../src/kernel/trace/event_format.ts';
import { type EventHead, eventText, flagLetters } from '../../../src/kernel/trace/event_text.ts';
import { printf, storedArguments } from '../../../src/kernel/trace/kernel_printf.ts';
import { parsePrintFormat } from '../../../src/kernel/trace/print_expression.ts';
import { printerOf } from '../../../src/kernel/trace/print_format.ts';
import type { TraceNames } from '../../../src/kernel/trace/trace_names.ts';

const names: TraceNames = {
  symbol: (address) =>
    address >> 12n === 0xffffffff81000n
      ? { name: 'vfs_read', offset: Number(address & 0xfffn), size: 0x80, module: address & 0x800n ? 'ext4' : null }
      : null,
  text: (address) => (address === 0x1000n ? 'from memory' : null),
  constant: (name) =>
    new Map([
      ['TCP_CLOSE', 7n],
      ['vmemmap_base', 0xffffea0000000000n],
    ]).get(name) ?? null,
  sizeOf: (type) => (type === 'struct page' ? 64 : null),
};

/** An event whose fields lie one behind the other, from byte 8 on. */
function event(
  print: string,
  ...declared: readonly (readonly [type: string, name: string, size: number])[]
): EventFormat {
  let offset = 8;
  const fields: EventField[] = declared.map(([type, name, size]) => {
    const field = { type, name, offset, size, signed: !/^(unsigned|u\d|__u)/.test(type) };
    offset += size;
    return field;
  });
  return { address: 0n as never, system: 'test', name: 'happened', id: 1, common: [], fields, print };
}

const data = (...words: readonly (number | bigint)[]): Uint8Array => {
  const bytes = Buffer.alloc(8 + words.length * 4);
  for (const [i, word] of words.entries()) bytes.writeUInt32LE(Number(BigInt.asUintN(32, BigInt(word))), 8 + i * 4);
  return bytes;
};

describe('print formats', () => {
  const shown = (format: EventFormat, bytes: Uint8Array): string => printerOf(format)(bytes, names);

  test('numbers, symbols of a set, flags, and the sign that a field has', () => {
    const format = event(
      '"n=%d u=%u %s %s", REC->n, REC->u, __print_symbolic(REC->s, { 0, "HI" }, { 1, "TIMER" }), REC->f ? __print_flags(REC->f, "|", { 0x1, "A" }, { 0x2, "B" }, { 0x4, "C" }) : "none"',
      ['int', 'n', 4],
      ['unsigned int', 'u', 4],
      ['unsigned int', 's', 4],
      ['unsigned int', 'f', 4],
    );
    assert.equal(shown(format, data(-3, 4294967295, 1, 0x15)), 'n=-3 u=4294967295 TIMER A|C|0x10');
    assert.equal(shown(format, data(1, 2, 9, 0)), 'n=1 u=2 0x9 none');
  });

  test('text in the event, text that the event points to, and text at the place that a field tells', () => {
    const format = event(
      '"comm=%s [%s] at %s", REC->comm, __get_str(name), REC->p',
      ['char[8]', 'comm', 8],
      ['__data_loc char[]', 'name', 4],
      ['const char *', 'p', 8],
    );
    const bytes = Buffer.concat([data(0, 0, (3 << 16) | 28, 0x1000, 0), Buffer.from('vda\0')]);
    bytes.write('kworker', 8);
    assert.equal(shown(format, bytes), 'comm=kworker [vda] at from memory');
  });

  test('names of enumerators that the kernel left in, sizes, and pointers that count in structures', () => {
    const format = event(
      '"%s %p pfn=0x%lx", __print_symbolic(REC->state, { TCP_CLOSE, "TCP_CLOSE" }), (((struct page *)vmemmap_base) + (REC->pfn)), REC->pfn * sizeof(struct page)',
      ['int', 'state', 4],
      ['unsigned int', 'pfn', 4],
    );
    assert.equal(shown(format, data(7, 2)), 'TCP_CLOSE ffffea0000000080 pfn=0x80');
  });

  test('binds as C does', () => {
    const value = (expression: string): string =>
      printf(
        '%d',
        [parsePrintFormat(`"%d", ${expression}`).arguments[0]!({ data: data(), fields: new Map(), names })],
        names,
      );
    assert.equal(value('1 + 2 * 3 << 1 | 1'), '15');
    assert.equal(value('-1 < 0 && !(4 & 3)'), '1');
    assert.equal(value('0 ? 1 : 0 ? 2 : 3'), '3');
    assert.equal(value('(unsigned char)-1'), '255');
    assert.equal(value('((int)(0xffffffffUL))'), '-1');
    assert.equal(value("'A' >> 1"), '32');
  });

  test('what is not understood is shown field by field', () => {
    for (const print of [
      '"%s", nvme_trace_disk_name(REC->n)',
      '"%d", 1 / (REC->n - 3)',
      '"%d %d", REC->n',
      '',
      '"',
      '"%d", REC->gone',
    ]) {
      const format = event(print, ['int', 'n', 4], ['void *', 'ip', 8], ['u8[2]', 'raw', 2]);
      const bytes = Buffer.concat([data(3, 0x81000010, -1), Uint8Array.of(0xab, 0xcd)]);
      assert.equal(shown(format, bytes), 'n=3 ip=vfs_read+0x10 raw=abcd', print);
    }
  });

  test('an event that is cut off shows nothing that it does not have', () => {
    const format = event('"n=%d s=%s", REC->n, __get_str(s)', ['int', 'n', 4], ['__data_loc char[]', 's', 4]);
    assert.equal(shown(format, data()), 'n=0 s=');
    assert.equal(shown(format, data(5, 0xffffffff)), 'n=5 s=');
  });

  test('probes show where they are by name', () => {
    const format = event(
      '"(%lx) dfd=%d", REC->__probe_ip, REC->dfd',
      ['unsigned long', '__probe_ip', 8],
      ['s32', 'dfd', 4],
    );
    assert.equal(shown(format, data(0x81000000, -1, -100)), '(vfs_read+0x0/0x80) dfd=-100');
  });

  test('nesting without an end, and any text, end in an error of their own', () => {
    assert.throws(() => parsePrintFormat(`"", ${'('.repeat(100_000)}`), FormatError);
    assert.throws(() => parsePrintFormat(`"", ${'-'.repeat(100_000)}1`), FormatError);
    const word = fc.constantFrom(
      '"%d"',
      ',',
      '(',
      ')',
      'REC',
      '->',
      'a',
      '1',
      '?',
      ':',
      '{',
      '}',
      '+',
      '__print_flags(',
      '"',
      '[',
      ']',
      '*',
      '!',
      'struct',
      'sizeof(',
      "'a'",
      '$',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        try {
          for (const argument of parsePrintFormat(`"", ${words.join(' ')}`).arguments)
            argument({ data: data(1), fields: new Map(), names });
        } catch (error) {
          assert.ok(error instanceof FormatError);
        }
      }),
    );
  });
});

describe("the kernel's printf", () => {
  const text = (format: string, ...values: readonly (bigint | string | Uint8Array)[]): string =>
    printf(format, values, names);

  test('sizes, widths and precisions', () => {
    assert.equal(text('%d %ld %hhd %5d|%-5d|%05d', -1n, -1n, 255n, 7n, 7n, -7n), '-1 -1 -1     7|7    |-0007');
    assert.equal(text('%x %#lx %08x %.4x %o %X', 255n, 255n, 255n, 1n, 8n, 171n), 'ff 0xff 000000ff 0001 10 AB');
    assert.equal(text('%*s|%-6s|%.2s|%c%%', 4n, 'ab', 'cd', 'efg', 65n), '  ab|cd    |ef|A%');
    assert.equal(text('%*d', -4n, 1n), '1   ');
  });

  test('addresses by name or in full', () => {
    assert.equal(
      text('%ps %pS %pS %p', 0xffffffff81000010n, 0xffffffff81000010n, 0xffffffff81000810n, 0x20n),
      'vfs_read vfs_read+0x10/0x80 vfs_read+0x810/0x80 [ext4] 0000000000000020',
    );
    assert.equal(
      text('%pI4 %pM', Uint8Array.of(10, 0, 2, 15), Uint8Array.of(1, 2, 3, 4, 5, 171)),
      '10.0.2.15 01:02:03:04:05:ab',
    );
  });

  test('a width from the dump is not believed without bounds', () => {
    assert.equal(text('%999999999d', 1n).length, 1024);
  });

  test('arguments as trace_printk() stores them', () => {
    // a char, text behind it, a number of 4 bytes at the next multiple, one of 8 at a multiple of 4
    const bytes = Buffer.from('41' + '686900' + '05000000' + '0807060504030201' + '31302e3000', 'hex');
    assert.deepEqual(storedArguments('%c %s %d %lx %pI4 100%%', bytes), [0x41n, 'hi', 5n, 0x0102030405060708n, '10.0']);
    assert.throws(() => storedArguments('%d %d', bytes.subarray(0, 6)), FormatError);
    assert.throws(() => storedArguments('%s', Buffer.from('abc')), FormatError);
  });
});

describe('events of the tracers', () => {
  const own = (
    name: string,
    ...declared: Parameters<typeof event> extends [string, ...infer F] ? F : never
  ): EventFormat => ({
    ...event('"unused"', ...declared),
    system: 'ftrace',
    name,
  });

  test('functions with their callers', () => {
    const format = own('function', ['unsigned long', 'ip', 8], ['unsigned long', 'parent_ip', 8]);
    assert.equal(eventText(format, data(0x81000010, -1, 0x20, 0), names), 'vfs_read <-0x20');
  });

  test('what user space said, without the end of its line', () => {
    const format = own('print', ['unsigned long', 'ip', 8], ['char[]', 'buf', 0]);
    assert.equal(
      eventText(format, Buffer.concat([data(0x81000000, -1), Buffer.from('hello\n\0')]), names),
      'vfs_read: hello',
    );
  });

  test('trace_printk() by the format that its event points to', () => {
    const format = own('bprint', ['unsigned long', 'ip', 8], ['const char *', 'fmt', 8], ['u32[]', 'buf', 0]);
    const there = { ...names, text: () => 'x=%d\n' };
    assert.equal(eventText(format, data(0x81000000, -1, 0x1000, 0, 42), there), 'vfs_read: x=42');
    assert.equal(eventText(format, data(0x81000000, -1, 0x1000, 0), there), 'vfs_read: x=%d ()');
  });

  test('stacks, as many frames as there are, whatever the format says', () => {
    const format = own('kernel_stack', ['int', 'size', 4], ['unsigned long[1]', 'caller', 8]);
    const two = data(2, 0x81000010, -1, 0x81000020, -1, 0x81000030, -1);
    assert.equal(eventText(format, two, names), '<stack trace>\n => vfs_read\n => vfs_read');
  });

  test('system calls as calls', () => {
    const enter = {
      ...event('"fd: 0x%08lx", ((unsigned long)(REC->fd))', ['unsigned long', 'fd', 8]),
      system: 'syscalls',
      name: 'sys_enter_close',
    };
    assert.equal(eventText(enter, data(3, 0), names), 'sys_close(fd: 0x00000003)');
    const exit = { ...event('"0x%lx", REC->ret', ['long', 'ret', 8]), system: 'syscalls', name: 'sys_exit_close' };
    assert.equal(eventText(exit, data(0, 0), names), 'sys_close -> 0x0');
  });
});

test('the letters of flags', () => {
  const letters = (flags: number, preemptCount: number): string =>
    flagLetters({ type: 0, pid: 0, flags, preemptCount } satisfies EventHead);
  assert.equal(letters(0, 0), '.....');
  assert.equal(letters(0x01 | 0x04 | 0x20 | 0x08, 0x12), 'dNh21');
  assert.equal(letters(0x81 | 0x18, 0xf), 'D.Hf.');
  assert.equal(letters(0x80 | 0x20 | 0x10, 1), 'bps1.');
  assert.equal(letters(0x02 | 0x48, 0), '.lZ..');
});
