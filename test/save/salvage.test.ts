// From a dump that is not whole, everything that was written must be had again, and nothing that was not.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { unwatched } from '../../src/base/work.ts';
import { readKdumpHeader } from '../../src/dump/kdump_header.ts';
import { openSource } from '../../src/dump/open.ts';
import { salvageDump } from '../../src/save/salvage.ts';
import { smallDump } from '../robustness/small_kernel.ts';
import { writeKdump } from '../support/dump_writers/kdump.ts';
import {
  assertLeft,
  cutDump,
  cutElfCore,
  cutStream,
  endsOf,
  folderOf,
  frames,
  kdump,
  options,
  salvage,
} from './salvage_cuts.ts';

describe('what is salvaged', () => {
  it('of a dump cut at any place is what was written before the cut', (t) => cutDump(t, 60));
  it('of an ELF core cut at any place is what was written before the cut', (t) => cutElfCore(t, 40));
  it('of a stream cut at any place is what came before the cut', (t) => cutStream(t, 40));

  it('of a stream with a broken record is all but that record', (t) => {
    const folder = folderOf(t);
    const bytes = kdump();
    const ends = endsOf(t, bytes);
    const records = Array.from({ length: Math.ceil(bytes.length / 2048) }, (_, i) => ({
      offset: i * 2048,
      bytes: bytes.slice(i * 2048, (i + 1) * 2048),
    }));
    const head = Buffer.alloc(4096);
    head.write('makedumpfile');
    head.writeBigInt64BE(1n, 16);
    head.writeBigInt64BE(1n, 24);
    const parts: Uint8Array[] = [head];
    const damaged = records.length - 6;
    for (const [i, record] of records.entries()) {
      const header = Buffer.alloc(16);
      header.writeBigInt64BE(BigInt(record.offset), 0);
      header.writeBigInt64BE(BigInt(record.bytes.length), 8);
      if (i === damaged) header.fill(0x5a);
      parts.push(header, record.bytes);
    }
    parts.push(Buffer.alloc(16, 0xff));
    const [from, to] = [damaged * 2048, (damaged + 1) * 2048];
    const starts = new Map(frames.map((frame, i) => [frame, i === 0 ? 0 : ends.get(frames[i - 1]!)!]));
    const expected = frames.filter((frame) => ends.get(frame)! <= from || starts.get(frame)! >= to);
    assert.ok(expected.length < frames.length);
    const left = salvage(folder, new Uint8Array(Buffer.concat(parts)));
    assertLeft(left, expected, 'broken record');
    assert.match(left!.salvaged.warnings.join('\n'), /damaged from offset 0x[0-9a-f]+ to 0x/);
  });

  it('of a dump of which pieces never came is the rest, whatever pieces', (t) => {
    const folder = folderOf(t);
    const bytes = kdump();
    const ends = endsOf(t, bytes);
    writeFileSync(join(folder, 'x'), bytes);
    const source = openSource(join(folder, 'x'));
    const dataAt = readKdumpHeader(source).descriptors + frames.length * 24;
    source.close();
    for (const hole of [0, 100, 464, 4096, 4200, 5000]) {
      // the headers
      const copy = bytes.slice();
      copy.fill(0, hole === 5000 ? 4096 : 0, hole === 5000 ? 5000 : hole);
      assertLeft(salvage(folder, copy), frames, `without the first ${hole} bytes`);
    }
    for (let at = dataAt; at < bytes.length; at += 911) {
      const copy = bytes.slice();
      copy.fill(0xee, at, at + 700);
      const starts = new Map(frames.map((frame, i) => [frame, i === 0 ? 0 : ends.get(frames[i - 1]!)!]));
      const expected = frames.filter((frame) => ends.get(frame)! <= at || starts.get(frame)! >= at + 700);
      const left = salvage(folder, copy);
      const had = [...left!.pages].filter(([, page]) => page !== null).map(([frame]) => frame);
      for (const frame of expected) assert.ok(had.includes(frame), `hole at ${at}: page frame ${frame}`);
    }
  });

  it('of a split dump is what the parts that are there have', (t) => {
    const folder = folderOf(t);
    const parts = [
      [0, 20],
      [20, 75],
      [75, 100],
    ].map((split) => writeKdump({ ...options, split: split as [number, number], maxMapnr: 100 }));
    const within = (from: number, to: number): number[] => frames.filter((frame) => frame >= from && frame < to);
    assertLeft(salvage(folder, parts[0]!, parts[2]!), [...within(0, 20), ...within(75, 100)], 'without the second');
    assertLeft(salvage(folder, parts[1]!), within(20, 75), 'the second alone');
    assertLeft(salvage(folder, parts[2]!, parts[1]!, parts[0]!), frames, 'in another order');
    assertLeft(salvage(folder, parts[0]!, parts[0]!.slice(), parts[1]!), within(0, 75), 'one twice');
    const broken = parts[0]!.slice();
    broken.fill(0x77);
    assertLeft(salvage(folder, broken, parts[1]!, parts[2]!), within(20, 100), 'the first broken');
    const stranger = writeKdump({ ...options, utsname: { release: 'other' }, split: [0, 20], maxMapnr: 100 });
    const left = salvage(folder, stranger, parts[1]!, parts[2]!);
    assertLeft(left, within(20, 100), 'with a part of another');
    assert.match(left!.salvaged.warnings.join('\n'), /part of another dump/);
    assert.equal(left!.salvaged.lost[0]!.start, 0);
    assert.equal(left!.salvaged.lost[0]!.end, 20 * 4096);
  });

  it('of a dead kernel is told by what it was used for', (t) => {
    const folder = folderOf(t);
    const bytes = smallDump();
    const left = salvage(folder, bytes.slice(0, bytes.length - 2000))!;
    assert.ok(left.salvaged.pages.lost > 0);
    assert.equal(
      left.salvaged.lost.reduce((sum, { start, end }) => sum + (end - start) / 4096, 0),
      left.salvaged.pages.lost,
    );
  });

  it('of what is no dump is nothing, and no file', (t) => {
    const folder = folderOf(t);
    for (const bytes of [Buffer.from('hello'), Buffer.alloc(100_000), Buffer.alloc(100_000, 0x5a)]) {
      assert.equal(salvage(folder, bytes), null);
    }
    const path = join(folder, 'part0');
    writeFileSync(path, kdump());
    const same = { compression: 'none', threads: 1, overwrite: true } as const;
    assert.throws(() => salvageDump([path], path, same, unwatched), /is the dump to be saved/);
  });
});
