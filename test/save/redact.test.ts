// What was erased must be nowhere in the dump that is written: not where it was, and in no copy.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { openDump } from '../../src/dump/open.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { aesRoundKeys } from '../../src/save/aes.ts';
import { CopyFinder, shortestCopied } from '../../src/save/copies.ts';
import { Eraser, ErasureBuilder } from '../../src/save/erasure.ts';
import { saveFiles } from '../../src/save/save_files.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { openBytes } from '../support/dump_writers/temp_files.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('round keys', () => {
  it('are those of FIPS 197', () => {
    const keys = aesRoundKeys(Buffer.from('2b7e151628aed2a6abf7158809cf4f3c', 'hex')); // appendix A.1
    assert.equal(keys.length, 22);
    assert.equal(hex(keys.at(-2)!), 'd014f9a8c9ee2589e13f0cc8b6630ca6');
    const decrypting = aesRoundKeys(Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')); // appendix C.1, ik_sch
    assert.equal(hex(decrypting[19]!), '13aa29be9c8faff6f770f58000f7bf03');
    const long = Buffer.from('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4', 'hex'); // A.3
    assert.equal(hex(aesRoundKeys(long).at(-2)!), 'fe4890d1e6188d0b046df344706c631e');
    assert.deepEqual(aesRoundKeys(new Uint8Array(20)), []);
  });
});

describe('copies', () => {
  it('are found wherever they lie, across windows too', () => {
    const small = fc.uint8Array({ minLength: 1, maxLength: 14, max: 2 });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200, max: 2 }),
        fc.array(small, { maxLength: 6 }),
        fc.integer({ min: 1, max: 60 }),
        (memory, strings, step) => {
          const expected = new Set<string>();
          for (const string of strings) {
            if (string.length < shortestCopied) continue;
            for (let at = 0; at + string.length <= memory.length; at++) {
              if (Buffer.compare(memory.subarray(at, at + string.length), string) === 0) {
                expected.add(`${at} ${string.length}`);
              }
            }
          }
          const finder = new CopyFinder(strings);
          const found = new Set<string>();
          for (let at = 0; at < memory.length; at += step) {
            finder.find(memory.subarray(at, at + step), at > 0, (offset, length) =>
              found.add(`${at + offset} ${length}`),
            );
          }
          // a string longer than a window begins before the one that is kept of the last
          const seen = [...expected].filter((place) => step >= Number(place.split(' ')[1]));
          for (const place of seen) assert.ok(found.has(place), place);
          for (const place of found) assert.ok(expected.has(place), place);
        },
      ),
    );
  });
});

describe('an erasure', () => {
  it('overwrites its bytes and no others, however they come', () => {
    const range = fc.tuple(fc.nat(300), fc.nat(40)).map(([start, size]) => [start, start + size] as const);
    fc.assert(
      fc.property(fc.array(range, { maxLength: 12 }), fc.integer({ min: 1, max: 90 }), (ranges, step) => {
        const builder = new ErasureBuilder();
        for (const [start, end] of ranges) builder.add(start, end);
        const eraser = new Eraser(builder.done().ranges);
        const memory = new Uint8Array(360);
        for (let at = 0; at < memory.length; at += step) eraser.apply(at, memory.subarray(at, at + step));
        for (let at = 0; at < memory.length; at++) {
          const isErased = ranges.some(([start, end]) => at >= start && at < end);
          assert.equal(memory[at], isErased ? 0x58 : 0, `byte ${at}`);
        }
      }),
    );
  });

  for (const [form, options] of [
    ['kdump', { format: 'kdump', compression: 'zlib', threads: 1 }],
    ['kdump by threads', { format: 'kdump', compression: 'lzo', threads: 2 }],
    ['ELF', { format: 'elf', compression: 'none', threads: 1 }],
  ] as const) {
    it(`is in no page of a ${form}, and is told, beside what had been erased before`, (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'inquest-redact-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const kernel = openKernel(openBytes(t, smallDump()));
      const ranges = [...kernel.dump.memory.presentRuns(0 as never, kernel.dump.memory.maxPfn as never)];
      const at = ranges.at(-1)!.first * 4096 + 100;
      const erase = (info: string) => () => {
        const builder = new ErasureBuilder();
        builder.add(at, at + 50);
        builder.say(info);
        return builder.done();
      };
      const targets = ['one', 'two'].map((name) => join(folder, name));
      const plain = { ...options, levels: [0], flattened: false, overwrite: false } as const;
      saveFiles(kernel, { ...plain, targets: [targets[0]!], erase: erase('erase first size 50') });
      const one = openDump([targets[0]!]);
      t.after(() => one.close());
      saveFiles(openKernel(one), { ...plain, targets: [targets[1]!], erase: erase('erase second size 50') });
      const two = openDump([targets[1]!]);
      t.after(() => two.close());
      assert.equal(two.notes.eraseInfo, 'erase first size 50\nerase second size 50\n');
      const page = two.memory.page(Math.floor(at / 4096) as never);
      assert.deepEqual(page.slice(100, 150), new Uint8Array(50).fill(0x58));
      const before = kernel.dump.memory.page(Math.floor(at / 4096) as never);
      assert.deepEqual(page.slice(150), before.slice(150));
    });
  }
});
