// rd: what a reader of a dump trusts to be the memory that is there, in the order and format of crash(8).
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MemoryFault, NotFoundError, UsageError } from '../../src/base/errors.ts';
import { toJson } from '../../src/commands/command.ts';
import { rd } from '../../src/commands/memory/rd.ts';
import { CommandKernel, lines } from '../support/command_kernel.ts';

function machine() {
  const kernel = new CommandKernel('struct words { u64 w[1024]; };', [0x1000n, 0x2000n]);
  const words = kernel.allocate('struct words', 'words');
  kernel.space.write(words.address, Buffer.from('Linux version 6.12\0and more\x1b[31m', 'latin1'));
  return { kernel, at: words.address, hex: words.address.toString(16) };
}

describe('rd, wrong usage', () => {
  const { kernel } = machine();
  for (const line of [
    '',
    '-z words',
    'words 1 2',
    'words 0',
    'words -3',
    'words x',
    '-o q words',
    '-32 -s words',
    '-r f words',
  ]) {
    test(`"${line}" is refused`, () => assert.throws(() => kernel.run(rd, line), UsageError));
  }
  test('an end before the start is refused', () => {
    assert.throws(() => kernel.run(rd, '-e ffff000000000000 words'), UsageError);
  });
  test('an unknown symbol is named', () => {
    assert.throws(
      () => kernel.run(rd, 'nosuch'),
      (e) => e instanceof NotFoundError && /nosuch/.test(e.message),
    );
  });
  test('a count that no memory holds: what there is, and the hole', () => {
    const output = kernel.run(rd, '-8 words 99999999999');
    assert.ok(lines(output).length > 0 && output.faults.length === 1);
  });
});

describe('rd, memory that is not there', () => {
  test('what can be read before a hole is shown, and the hole is told', () => {
    const { kernel, at } = machine();
    kernel.space.exclude(at + 4096n);
    const output = kernel.run(rd, 'words+0xff0 8');
    assert.equal(lines(output).length, 1);
    assert.equal(output.faults[0]?.reason, 'excluded');
    assert.equal(output.faults[0]?.address, `0x${(at + 4096n).toString(16)}`);
  });
  test('nothing to show is an error', () => {
    const { kernel, at } = machine();
    kernel.space.exclude(at);
    assert.throws(
      () => kernel.run(rd, 'words'),
      (e) => e instanceof MemoryFault && e.reason === 'excluded',
    );
  });
});

describe('rd, formats', () => {
  const { kernel, at, hex } = machine();
  const first = (line: string): string => lines(kernel.run(rd, line))[0]!;

  test('64-bit words with characters, the last line padded', () => {
    assert.deepEqual(lines(kernel.run(rd, 'words 3')), [
      `${hex}:  65762078756e694c 2e36206e6f697372   Linux version 6.`,
      `${(at + 16n).toString(16)}:  6d20646e61003231                    12.and m`,
    ]);
  });
  test('smaller words', () => {
    assert.equal(first('-32 words 2'), `${hex}:  756e694c 65762078                     Linux ve`);
    assert.equal(first('-16 words 2'), `${hex}:  694c 756e                                 Linu`);
    assert.equal(first('-8 words 3'), `${hex}:  4c 69 6e                                          Lin`);
  });
  test('decimal words have no characters', () => {
    assert.equal(first('-d -8 words 2'), `${hex}:   76 105 `);
    assert.equal(first('-D -32 words 1'), `${hex}:    1970170188 `);
  });
  test('-N turns words round', () => assert.equal(first('-N -32 -x words 1'), `${hex}:  4c696e75 `));
  test('-x leaves characters out', () => assert.equal(first('-x words'), `${hex}:  65762078756e694c `));
  test('-R ends with the address', () => assert.match(first('-R words+8 2'), new RegExp(`^${hex}: .*Linux version 6`)));
  test('an expression is a start, too', () => assert.equal(first('&words.w[0] 1'), first(`${hex} 1`)));
  test('-e takes the place of a count', () => {
    assert.equal(first(`-e ${(at + 8n).toString(16)} words`), first('words 1'));
  });
  test('-o moves the start, backwards too', () => {
    assert.equal(first('-o 8 words'), first('words+8'));
    assert.equal(first('-o -8 words+0x10'), first('words+8'));
  });
  test('-a stops at what is not printable; with a count it goes on', () => {
    assert.deepEqual(lines(kernel.run(rd, '-a words')), [`${hex}:  Linux version 6.12`]);
    assert.deepEqual(lines(kernel.run(rd, '-a words 33')), [
      `${hex}:  Linux version 6.12`,
      `${(at + 19n).toString(16)}:  and more`,
      `${(at + 28n).toString(16)}:  [31m`,
    ]);
  });
  test('bytes that drive terminals never come out', () => {
    for (const line of ['words 8', '-8 words 64', '-a words 64']) {
      assert.doesNotMatch(kernel.run(rd, line).text, /[\x00-\x09\x0b-\x1f\x7f]/);
    }
  });
  test('-s names what words point to', () => {
    const holder = kernel.allocate('struct words', 'holder');
    kernel.space.words(holder.address, at, at + 8n, 1n);
    assert.deepEqual(lines(kernel.run(rd, '-s holder 3')), [
      `${holder.address.toString(16)}:  words            words+8          `,
      `${(holder.address + 16n).toString(16)}:  0000000000000001 `,
    ]);
  });
  test('each CPU has its own copy of a per-CPU variable', () => {
    const perCpu = kernel.allocate('struct words');
    kernel.space.words(perCpu.address, 7n);
    kernel.define('__per_cpu_start', perCpu.address - 0x2000n);
    kernel.define('__per_cpu_end', perCpu.address);
    kernel.define('counter', perCpu.address - 0x1000n);
    assert.deepEqual(lines(kernel.run(rd, '-x counter:0')), [
      `[0]: ${perCpu.address.toString(16)}`,
      `${perCpu.address.toString(16)}:  0000000000000007 `,
    ]);
    assert.throws(() => kernel.run(rd, 'words:0'), UsageError);
    assert.throws(() => kernel.run(rd, 'counter:9'), UsageError);
  });
  test('-p reads physical memory', () => {
    const physical = kernel.space.translate(at).toString(16);
    assert.equal(first(`-p ${physical}`), `${physical.padStart(16)}:  65762078756e694c                    Linux ve`);
  });
  test('-r writes bytes as they are', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rd-'));
    try {
      const file = join(folder, 'raw');
      assert.match(kernel.run(rd, `-r ${file} words 5`).text, /^5 bytes copied/);
      assert.equal(readFileSync(file, 'latin1'), 'Linux');
      assert.throws(() => kernel.run(rd, `-r ${folder} words 5`), UsageError);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
  test('JSON has every word', () => {
    const data = JSON.parse(toJson(kernel.run(rd, 'words 2').data)) as { rows: { row: { words: string[] } }[] };
    assert.deepEqual(data.rows[0]?.row.words, ['0x65762078756e694c', '0x2e36206e6f697372']);
  });
  test('any way to read a range gives the same bytes', () => {
    fc.assert(
      fc.property(fc.constantFrom(8, 16, 32, 64), fc.integer({ min: 1, max: 300 }), (size, count) => {
        const output = kernel.run(rd, `-${size} -x words ${count}`);
        const words = lines(output).flatMap((line) => line.split(':  ')[1]!.trim().split(' '));
        const bytes = words.flatMap((word) => [...Buffer.from(word, 'hex')].reverse());
        assert.deepEqual(Buffer.from(bytes), Buffer.from(kernel.space.read(at, (count * size) / 8)));
      }),
      { numRuns: 40 },
    );
  });
});
