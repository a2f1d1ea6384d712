// The verdict on a dump: whole only if it is, and what is wrong with it if not.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '../../src/base/errors.ts';
import { unwatched } from '../../src/base/work.ts';
import { readKdumpHeader } from '../../src/dump/kdump_header.ts';
import { openSource } from '../../src/dump/open.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { saveFiles } from '../../src/save/save_files.ts';
import { type Verification, verifyDump } from '../../src/save/verify.ts';
import { flatten } from '../support/dump_writers/flattened.ts';
import { openBytes } from '../support/dump_writers/temp_files.ts';
import { wholeDump } from '../support/whole_dump.ts';

function verified(test: TestContext, ...parts: Uint8Array[]): Verification {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-verify-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = parts.map((bytes, i) => {
    const file = join(folder, `vmcore.${i}`);
    writeFileSync(file, bytes);
    return file;
  });
  try {
    return verifyDump(files, unwatched, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Where the page descriptors of a kdump are. */
function descriptorsOf(test: TestContext, bytes: Uint8Array): { at: number; view: DataView } {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-verify-'));
  test.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'x'), bytes);
  const { descriptors } = readKdumpHeader(openSource(join(folder, 'x')));
  return { at: descriptors, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

describe('a whole dump', () => {
  const bytes = wholeDump();

  it('is whole, with everything that a debugger needs, and its hash', (t) => {
    const found = verified(t, bytes);
    assert.deepEqual(found.problems, []);
    assert.equal(found.verdict, 'whole');
    assert.equal(found.files[0]!.sha256, createHash('sha256').update(bytes).digest('hex'));
    assert.equal(found.pages.read, found.pages.ram);
    assert.deepEqual(
      found.parts.map(({ part, found }) => [part, found]),
      [
        ['VMCOREINFO', '6.12.0-synthetic'],
        ['symbols', found.parts[1]!.found],
        ['types', 'there'],
        ['log', '2 records'],
        ['tasks', '4 tasks'],
        ['modules', '0 modules'],
      ],
    );
  });
  it('is whole in every form that it is saved in', (t) => {
    assert.equal(verified(t, flatten(bytes)).verdict, 'whole');
    const folder = mkdtempSync(join(tmpdir(), 'inquest-verify-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const kernel = openKernel(openBytes(t, bytes));
    const plain = { levels: [1], threads: 1, flattened: false, overwrite: true } as const;
    const at = (name: string) => join(folder, name);
    for (const [format, compression, targets] of [
      ['kdump', 'zstd', [at('kdump')]],
      ['elf', 'none', [at('elf')]],
      ['kdump', 'lzo', [at('1'), at('2'), at('3')]],
    ] as const) {
      saveFiles(kernel, { ...plain, format, compression, targets });
      assert.deepEqual(verifyDump(targets, unwatched, 1).problems, [], format);
    }
  });
});

describe('a dump that is not whole', () => {
  it('is incomplete wherever it is cut', (t) => {
    const bytes = wholeDump();
    fc.assert(
      fc.property(fc.integer({ min: 8000, max: bytes.length - 1 }), fc.boolean(), (length, isStream) => {
        const stream = isStream ? flatten(bytes) : bytes;
        try {
          const { verdict, problems } = verified(
            t,
            stream.slice(0, Math.floor((length / bytes.length) * stream.length)),
          );
          assert.equal(verdict, 'incomplete');
          assert.ok(problems.length > 0);
        } catch (error) {
          assert.ok(error instanceof FormatError); // too little is left to be a dump
        }
      }),
      { numRuns: 12 },
    );
  });

  it('is damaged where descriptors or pages contradict themselves', (t) => {
    for (const [what, harm] of [
      ['point into the headers', (view, at) => view.setUint32(at, 5000, true)],
      ['impossible', (view, at) => view.setUint32(at + 8, 99_999, true)],
      ['impossible', (view, at) => view.setUint32(at + 12, 0x40, true)],
      ['is another page’s', (view, at) => view.setUint32(at + 24, view.getUint32(at, true) + 3, true)],
      [
        'cannot be decoded',
        (view, at) => {
          const offset = view.getUint32(at, true);
          view.setUint32(offset, 0xffff_ffff, true);
        },
      ],
    ] as readonly [string, (view: DataView, at: number) => void][]) {
      const bytes = wholeDump();
      const { at, view } = descriptorsOf(t, bytes);
      harm(view, at + 24 * 5);
      const { verdict, problems } = verified(t, bytes);
      assert.equal(verdict, 'damaged', what);
      assert.match(problems.join('\n'), new RegExp(what));
    }
  });

  it('is damaged where the kernel in it cannot be read', (t) => {
    const bytes = wholeDump();
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const at = text.indexOf('OSRELEASE=6.12.0-synthetic');
    text.write('OSRELEASE=6.13.0-synthetic', at);
    const { verdict, problems } = verified(t, bytes);
    assert.equal(verdict, 'damaged');
    assert.match(problems.join('\n'), /VMCOREINFO: its release is not that of the memory/);
  });
});

describe('what the filter took', () => {
  const describeFrames = { 630: 'slab', 631: 'table', 632: 'cache', 633: 'anonymous', 634: 'kernel' } as const;
  const dump = (level: number, present: readonly number[], excluded: readonly number[]) =>
    wholeDump({
      level,
      excluded,
      describe: (map) => {
        for (const [frame, kind] of Object.entries(describeFrames)) map.page(Number(frame), kind);
        map.freeBlock(640, 1);
        for (const frame of present) map.present(frame);
      },
    });

  it('is right where only kinds of the level are missing', (t) => {
    assert.equal(verified(t, dump(31, [630, 631, 634], [632, 633, 640, 641])).verdict, 'whole');
    assert.equal(verified(t, dump(30, [630, 631, 634], [632, 633, 640, 641])).verdict, 'whole');
  });
  it('is wrong where others are, and says which', (t) => {
    const found = verified(t, dump(30, [634], [630, 631, 632, 633, 640, 641]));
    assert.equal(found.verdict, 'wrongly filtered');
    assert.deepEqual(found.wronglyMissing, [
      { kind: 'slab', frames: 1 },
      { kind: 'table', frames: 1 },
    ]);
    const less = verified(t, dump(2, [630, 631, 634, 633], [632, 640, 641]));
    assert.equal(less.verdict, 'wrongly filtered');
    assert.deepEqual(less.wronglyMissing, [{ kind: 'free', frames: 2 }]);
  });
  it('may have left what it should have taken: larger, but whole', (t) => {
    const found = verified(t, dump(31, [630, 631, 634, 633, 640], [632, 641]));
    assert.equal(found.verdict, 'whole');
    assert.deepEqual(found.wronglyKept, [
      { kind: 'anonymous', frames: 1 },
      { kind: 'free', frames: 1 },
    ]);
  });
});
