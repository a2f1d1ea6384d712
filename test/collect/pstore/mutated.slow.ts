// Ten thousand images that something has gone wrong with, among good ones: none ends or stops the reader or makes it write
// anywhere else, and all good ones are read.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { FormatError } from '../../../src/base/errors.ts';
import { archive } from '../../../src/collect/pstore/archive.ts';
import { gatherDeaths } from '../../../src/collect/pstore/deaths.ts';
import { readPstore } from '../../../src/collect/pstore/read.ts';
import {
  blkDeath,
  blkRing,
  cperRecord,
  mtdPage,
  ramDeath,
  ramZone,
  variableStore,
} from '../../support/pstore_writer.ts';

const images = 10_000;
/** Of so many images one is as it was written. */
const goodEvery = 10;
/** No image of 64 KiB takes longer, in ms of the processor. */
const mostTime = 3000;

let seed = 20_240_601;
function random(below: number): number {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
  return (seed >>> 8) % below;
}

const body = (n: number): string =>
  `Panic#2 Part1\n<4>[   48.100000] BUG: kernel NULL pointer dereference, address: 0000000000000008\n<4>[   48.100100] RIP: 0010:death_${n}+0x1/0x20\n<4>[   48.100200] Call Trace:\n<4>[   48.100300]  caller_${n}+0x1/0x20\n`;

/** An image of each store with the death `n` in it. */
function written(n: number): Buffer {
  const text = body(n);
  switch (n % 6) {
    case 0:
      return Buffer.concat([
        ramZone(8192, ramDeath('1717236180.123456', text, false), { ecc: 16 }),
        ramZone(8192, 'the console\n', { ecc: 16 }),
      ]);
    case 1:
      return Buffer.concat([
        ramZone(8192, ramDeath('1717236180.123456', deflateRawSync(text), true)),
        ramZone(4096, ''),
      ]);
    case 2:
      return Buffer.concat([blkRing(4096, 2, 'the console\n'), blkDeath(8192, text), Buffer.alloc(8192)]);
    case 3:
      return Buffer.concat([mtdPage(4096, n, text), Buffer.alloc(4096, 0xff)]);
    case 4:
      return Buffer.concat([
        Buffer.alloc(4096),
        cperRecord('c197e04e-d545-4a70-9c17-a5549419eb12', 1_717_236_180, text),
      ]);
    default:
      return variableStore([
        {
          name: 'dump-type0-1-2-1717236180-C',
          guid: 'cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0',
          data: deflateRawSync(text),
        },
      ]);
  }
}

const extremes = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 8192, 65536, 0x43474244];

/** What flash, wires and attackers do to it. */
function mutated(image: Buffer): Buffer {
  let out = Buffer.from(image);
  for (let n = 1 + random(4); n > 0; n--)
    switch (random(7)) {
      case 0:
        for (let flips = 1 + random(200); flips > 0; flips--) out[random(out.length)]! ^= 1 << random(8);
        break;
      case 1:
        // lengths and offsets stand at the beginning, four bytes each
        out.writeUInt32LE(extremes[random(extremes.length)]!, random(Math.min(out.length, 256) >> 2) * 4);
        break;
      case 2:
        out.writeUInt32LE(extremes[random(extremes.length)]!, random(out.length - 4));
        break;
      case 3:
        out = out.subarray(0, Math.max(64, random(out.length)));
        break;
      case 4:
        out.copy(out, random(out.length), random(out.length));
        break;
      case 5:
        out.fill(random(2) * 255, random(out.length));
        break;
      default:
        out = Buffer.concat([out, out.subarray(random(out.length))]).subarray(0, 65536);
    }
  return out;
}

test('ten thousand damaged images among good ones: the good ones are all read', { timeout: 3_600_000 }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-mutated-'));
  try {
    const [path, kept] = [join(folder, 'store', 'image'), join(folder, 'archive')];
    mkdirSync(join(folder, 'store'));
    let slowest = 0;
    let good = 0;
    let archived = 0;
    for (let n = 0; n < images; n++) {
      const isGood = n % goodEvery === 0;
      writeFileSync(path, isGood ? written(n) : mutated(written(n)));
      const before = process.cpuUsage();
      try {
        const contents = gatherDeaths(readPstore(path).records);
        if (isGood) {
          good++;
          assert.ok(
            contents.deaths.some(({ log }) => log.includes(`death_${n}+`)),
            `image ${n} is good, and not read`,
          );
        }
        if (n % 50 < 2) archived += archive(contents, kept, false).length;
      } catch (error) {
        assert.ok(error instanceof FormatError && !isGood, `image ${n}: ${String(error)}`);
      }
      const { user, system } = process.cpuUsage(before);
      slowest = Math.max(slowest, (user + system) / 1000);
    }
    assert.ok(slowest < mostTime, `${slowest} ms for one image`);
    assert.deepEqual(readdirSync(folder).sort(), ['archive', 'store']);
    assert.deepEqual(readdirSync(join(folder, 'store')), ['image']);
    t.diagnostic(`${good} good ones read, ${archived} deaths archived, the slowest took ${slowest.toFixed(0)} ms`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a folder of ten thousand files, most of them damaged: the good ones are all read', { timeout: 3_600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-mutated-'));
  try {
    for (let n = 0; n < images; n++) {
      const file = Buffer.from(body(n));
      writeFileSync(join(folder, `dmesg-ramoops-${n}`), n % goodEvery === 0 ? file : mutated(file));
    }
    const { records } = readPstore(folder);
    const all = records.map(({ content }) => Buffer.from(content).toString('latin1')).join('');
    for (let n = 0; n < images; n += goodEvery) assert.ok(all.includes(`death_${n}+`), `file ${n}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('images whose few bytes claim to be many take neither hours nor all memory', { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-claims-'));
  try {
    const path = join(folder, 'image');
    const bomb = deflateRawSync(Buffer.alloc(4_000_000, 'a line that is said again\n'));
    const damaged = Buffer.from(bomb).fill(0xee, bomb.length - 30);
    const noise = deflateRawSync(Buffer.alloc(4_000_000, 1));
    const everywhere = Buffer.alloc(60 << 20, 'x');
    const section = cperRecord('c197e04e-d545-4a70-9c17-a5549419eb12', 1, 'x');
    section.copy(everywhere);
    everywhere.writeUInt32LE(everywhere.length, 20);
    everywhere.writeUInt16LE(16, 10);
    for (let i = 0; i < 16; i++) {
      section.copy(everywhere, 128 + i * 72, 128, 200);
      everywhere.writeUInt32LE(0, 128 + i * 72);
      everywhere.writeUInt32LE(everywhere.length, 132 + i * 72);
    }
    // zones that stand so that those between them would be millions
    const sparse = Buffer.alloc(100 << 20);
    for (let at = 0, n = 0; at + 12 <= sparse.length && n < 4096; n++, at += n < 2100 ? 12 : 12 * 4096)
      ramZone(17, 'x').copy(sparse, at, 0, 12);
    const claims: Readonly<Record<string, () => Buffer>> = {
      'zones that unpack to 4 MB each': () =>
        Buffer.concat(Array.from({ length: 1000 }, (_, n) => blkDeath(16384, bomb, { compressed: true, counter: n }))),
      'damaged ones': () =>
        Buffer.concat(
          Array.from({ length: 1000 }, (_, n) => blkDeath(16384, damaged, { compressed: true, counter: n })),
        ),
      'ones that hold no text': () =>
        Buffer.concat(Array.from({ length: 1000 }, (_, n) => blkDeath(16384, noise, { compressed: true, counter: n }))),
      'sections that are the whole record': () => everywhere,
      'pages, many': () => Buffer.concat(Array.from({ length: 60_000 }, (_, n) => mtdPage(4096, n * 3, 'a log\n'))),
      'zones far apart': () => sparse,
    };
    for (const [what, make] of Object.entries(claims)) {
      writeFileSync(path, make());
      const before = process.cpuUsage();
      const { deaths } = gatherDeaths(readPstore(path).records);
      const { user, system } = process.cpuUsage(before);
      assert.ok((user + system) / 1e6 < 10, `${what}: ${(user + system) / 1e6} s`);
      const kept = deaths.reduce((sum, { log }) => sum + log.length, 0);
      assert.ok(kept <= 300 << 20, `${what}: ${kept} bytes`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
