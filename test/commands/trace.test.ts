// trace: what ftrace recorded, as text and as a file that trace-cmd opens.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { UsageError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { trace } from '../../src/commands/system/trace/trace.ts';
import { type CommandOutput, run } from '../support/run_command.ts';
import { TracingKernel } from '../support/tracing_kernel.ts';

const folder = mkdtempSync(join(tmpdir(), 'inquest-trace-'));
after(() => rmSync(folder, { recursive: true }));

const at = (kernel: TracingKernel, ...words: readonly string[]): CommandOutput =>
  run(trace, new CommandContext(kernel), words);

/** Two CPUs whose events alternate, and an instance. */
function traced(): TracingKernel {
  const kernel = new TracingKernel();
  kernel.event({
    system: 'lab',
    name: 'said',
    id: 20,
    fields: [{ type: 'char[COUNT]', name: 'what', size: 4 }],
    print: '"code=%d", REC->what[0]',
  });
  kernel.typeOf = 20;
  const array = kernel.array();
  kernel.cpuBuffer(array, 0, { reader: [1, 2], ring: [[3]], head: 0, commit: 0 });
  kernel.cpuBuffer(array, 1, { reader: [], ring: [[4], [5]], head: 0, commit: 1 }, { overrun: 7 });
  kernel.cpuBuffer(kernel.array('small'), 1, { reader: [6], ring: [[]], head: 0, commit: 'reader' });
  return kernel;
}

describe('trace', () => {
  test('lists the buffers', () => {
    const { text } = at(traced());
    assert.match(
      text,
      /^BUFFER {2}TRACER: nop {2}CLOCK: local\n {2}CPU .*\n {4}0 +3 +0 +4\n {4}1 +2 +7 +8\n\nINSTANCE: small/,
    );
  });

  test('shows the events of all CPUs in the order of time', () => {
    const { text } = at(traced(), 'show');
    const [head, events] = [text.split('\n').filter((line) => line.startsWith('#')), text.match(/^ .*$/gm)];
    assert.equal(head[2], '# entries-in-buffer/entries-written: 5/12   #P:2');
    assert.deepEqual(events, [
      '           <...>-1       [000] .....     0.000001: said: code=1',
      '           <...>-2       [001] .....     0.000001: said: code=4',
      '           <...>-1       [000] .....     0.000001: said: code=2',
      '           <...>-2       [001] .....     0.000001: said: code=5',
      '           <...>-1       [000] .....     0.000001: said: code=3',
      '           <...>-2       [001] .....     0.000001: said: code=6',
    ]);
    assert.ok(head.includes('# instance: small'));
  });

  test('an event that a tracepoint names, by an address that could be read as a text', () => {
    const kernel = new TracingKernel();
    kernel.event({ system: 'lab', name: 'block_io_start', id: 20, fields: [], print: '"now"', tracepoint: true });
    kernel.typeOf = 20;
    kernel.cpuBuffer(kernel.array(), 0, { reader: [1], ring: [[]], head: 0, commit: 'reader' });
    assert.match(at(kernel, 'show').text, /: block_io_start: now$/m);
  });

  test('shows one CPU, or one instance', () => {
    const codes = (output: CommandOutput): string[] => output.text.match(/code=\d/g) ?? [];
    assert.deepEqual(codes(at(traced(), 'show', '-c', '1')), ['code=4', 'code=5', 'code=6']);
    assert.deepEqual(codes(at(traced(), 'show', '-i', 'small')), ['code=6']);
    assert.throws(() => at(traced(), 'show', '-i', 'large'), UsageError);
  });

  test('writes a file with the formats, the names and every page as it lies in memory', () => {
    const path = join(folder, 'trace.dat');
    const { text } = at(traced(), 'dump', path);
    assert.equal(text, `${path}: 4 pages, 1 page of instance small\n`);
    const file = new Dat(readFileSync(path));
    assert.equal(file.take(3).toString('hex'), '170844');
    assert.equal(file.take(9).toString(), 'tracing6\0');
    assert.deepEqual([file.number(1), file.number(1), file.number(4)], [0, 8, 4096]);
    assert.equal(file.word(), 'header_page');
    assert.match(file.sized(8), /field: char data;\toffset:16;\tsize:4080;/);
    assert.equal(file.word(), 'header_event');
    assert.match(file.sized(8), /data max type_len {2}== 28/);
    assert.equal(file.number(4), 0);
    assert.equal(file.number(4), 1);
    assert.equal(file.word(), 'lab');
    assert.equal(file.number(4), 1);
    // the length of the array is a name of the source's: trace-cmd needs the number
    assert.equal(
      file.sized(8),
      'name: said\nID: 20\nformat:\n\n\tfield:char what[4];\toffset:8;\tsize:4;\tsigned:0;\n\nprint fmt: "code=%d", REC->what[0]\n',
    );
    assert.match(file.sized(4), /^[0-9a-f]{16} D trace_clock_local$/m);
    file.sized(4);
    file.sized(8);
    assert.equal(file.number(4), 2);
    assert.equal(file.take(10).toString(), 'options  \0');
    assert.deepEqual([file.number(2), file.sized(4)], [4, '[local]\0']);
    assert.deepEqual([file.number(2), file.sized(4)], [5, '\0']);
    assert.equal(file.number(2), 3);
    const instance = new Dat(file.take(file.number(4)));
    const place = instance.number(8);
    assert.equal(instance.word(), 'small');
    assert.equal(file.number(2), 0);
    assert.deepEqual(file.pages(), [
      [1, 2, 3],
      [4, 5],
    ]);
    file.at = place;
    assert.deepEqual(file.pages(), [[], [6]]);
  });

  test('says so where the file cannot be written', () => {
    assert.throws(() => at(traced(), 'dump', join(folder, 'no', 'trace.dat')), UsageError);
  });

  test('takes no other words', () => {
    assert.throws(() => at(traced(), 'start'), UsageError);
    assert.throws(() => at(traced(), 'show', 'all'), UsageError);
    assert.throws(() => at(traced(), 'dump', 'a', 'b'), UsageError);
  });
});

/** Reads a trace.dat from front to end. */
class Dat {
  private readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  take(length: number): Buffer {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  number(size: 1 | 2 | 4 | 8): number {
    const bytes = this.take(size);
    return size === 8 ? Number(bytes.readBigUInt64LE()) : bytes.readUIntLE(0, size);
  }

  word(): string {
    const end = this.bytes.indexOf(0, this.at);
    const word = this.bytes.toString('latin1', this.at, end);
    this.at = end + 1;
    return word;
  }

  sized(size: 4 | 8): string {
    return this.take(this.number(size)).toString('latin1');
  }

  /** What the events in the pages of each CPU are. */
  pages(): number[][] {
    assert.equal(this.take(10).toString(), 'flyrecord\0');
    const table = [0, 1].map(() => [this.number(8), this.number(8)] as const);
    return table.map(([start, size]) => {
      assert.equal(start % 4096, 0);
      const codes: number[] = [];
      for (let page = start; page < start + size; page += 4096) {
        const used = Number(this.bytes.readBigUInt64LE(page + 8));
        for (let event = page + 16; event < page + 16 + used; event += 16) codes.push(this.bytes[event + 12]!);
      }
      return codes;
    });
  }
}
