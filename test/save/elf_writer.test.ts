// An ELF core is read by programs that trust its program headers: what they say of a segment must be where it is.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pfn } from '../../src/base/address.ts';
import { openDump } from '../../src/dump/open.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { FrameSet } from '../../src/save/frame_set.ts';
import { saveFiles } from '../../src/save/save_files.ts';

const sample = fileURLToPath(new URL('../../samples/vmcore', import.meta.url));

/** Segments of an ELF core of some pages of the sample. */
function segments(t: TestContext, frames: (all: FrameSet) => void) {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-elf-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const dump = openDump([sample]);
  t.after(() => dump.close());
  const target = join(folder, 'vmcore');
  const chosen = new FrameSet(dump.memory.maxPfn);
  frames(chosen);
  const plain = { format: 'elf', compression: 'none', levels: [0], threads: 1 } as const;
  const mini = { frames: chosen, note: { holds: 'some pages', ram: [] } };
  saveFiles(openKernel(dump), { ...plain, flattened: false, overwrite: false, mini, targets: [target] });
  const file = readFileSync(target);
  const found = Array.from({ length: file.readUInt16LE(56) }, (_, i) => {
    const at = 64 + 56 * i;
    const [offset, virtual, physical, size, memory] = [8, 16, 24, 32, 40].map((n) => file.readBigUInt64LE(at + n));
    return { type: file.readUInt32LE(at), offset: offset!, virtual: virtual!, physical: physical!, size, memory };
  });
  return { dump, file, loads: found.filter(({ type }) => type === 1) };
}

it('segments are said to be where the linear map of the kernel has them', (t) => {
  const { dump, loads } = segments(t, (frames) => {
    frames.set(0x1000, 16, true);
    frames.set(0x2000, 16, true);
  });
  const bases = new Set(loads.map(({ virtual, physical }) => virtual - physical));
  const { space } = openKernel(dump);
  assert.equal(bases.size, 1);
  const [base] = bases;
  // the kernel's own page tables have that address there
  assert.ok(base! >= 0xff00_0000_0000_0000n, base!.toString(16));
  assert.equal(space.translate((base! + 0x100_0000n) as never), 0x100_0000);
});

it('no page of a filtered dump is at a boundary of the file, where makedumpfile would map it and what is behind', (t) => {
  const { dump, file, loads } = segments(t, (frames) => frames.set(0x1000, 16, true));
  assert.ok(loads.some(({ size, memory }) => size! < memory!));
  for (const { offset, size } of loads) if (size! > 0n) assert.notEqual(offset % 4096n, 0n);
  const there = loads.find(({ size }) => size! > 0n)!;
  const first = Number(there.physical) / 4096;
  assert.deepEqual(
    new Uint8Array(file.subarray(Number(there.offset), Number(there.offset) + 4096)),
    dump.memory.page(pfn(first)).slice(),
  );
});
