// What kernels leave in pstore, in each of its stores: read whole, put right by parity, cut, mixed, damaged.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { FormatError } from '../../../src/base/errors.ts';
import { archive } from '../../../src/collect/pstore/archive.ts';
import { gatherDeaths } from '../../../src/collect/pstore/deaths.ts';
import { decompressRecord } from '../../../src/collect/pstore/decompress.ts';
import { decodeFtrace } from '../../../src/collect/pstore/ftrace.ts';
import { lz4Decompress } from '../../../src/collect/pstore/lz4.ts';
import { unknownGeometry } from '../../../src/collect/pstore/ramoops.ts';
import { readImage, readPstore } from '../../../src/collect/pstore/read.ts';
import { type PstoreRecord, RecordReader, readRecord } from '../../../src/collect/pstore/record.ts';
import { correct, parityOf } from '../../../src/collect/pstore/reed_solomon.ts';
import { parseSystemMap } from '../../../src/collect/pstore/symbol_names.ts';
import {
  blkDeath,
  blkRing,
  cperRecord,
  guidBytes,
  mtdPage,
  ramDeath,
  ramZone,
  variableStore,
} from '../../support/pstore_writer.ts';

const log = (what: string, lines = 30): string =>
  Array.from({ length: lines }, (_, i) => `<4>[   48.${String(100000 + i)}] ${what} line ${i}\n`).join('');
const panic = (part = 1, body = log('panic')): string => `Panic#2 Part${part}\n${body}`;
const read = (image: Uint8Array, geometry = unknownGeometry): PstoreRecord[] =>
  readImage(image, 'image', geometry).map((raw) => readRecord(raw, () => {}));
const text = (record: PstoreRecord): string => Buffer.from(record.content).toString();

function inFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-pstore-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('parity is that of a published code word, and puts half as many bytes right', () => {
  // the example of QR codes, which have the same field and roots
  const message = Uint8Array.from([32, 91, 11, 120, 209, 114, 220, 77, 67, 64, 236, 17, 236, 17, 236, 17]);
  assert.deepEqual([...parityOf(message, 10)], [196, 35, 39, 119, 235, 215, 231, 226, 93, 23]);
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 128 }),
      fc.constantFrom(4, 8, 16),
      fc.array(fc.tuple(fc.nat(143), fc.integer({ min: 1, max: 255 })), { maxLength: 20 }),
      (bytes, roots, flips) => {
        const whole = [...bytes, ...parityOf(bytes, roots)];
        const damaged = Uint8Array.from(whole);
        for (const [at, flip] of flips) if (at < damaged.length) damaged[at] = damaged[at]! ^ flip;
        const wrong = [...damaged].filter((byte, i) => byte !== whole[i]).length;
        const data = damaged.slice(0, bytes.length);
        const fixed = correct(data, damaged.slice(bytes.length));
        if (wrong <= roots / 2) assert.equal(fixed, wrong);
        if (wrong <= roots / 2) assert.deepEqual([...data], [...bytes]);
        if (fixed === null) assert.deepEqual([...data], [...damaged.slice(0, bytes.length)]);
      },
    ),
  );
});

test('a ramoops image is read without knowing its geometry: deaths, console, programs', () => {
  const image = Buffer.concat([
    ramZone(8192, ramDeath('1717236180.123456', deflateRawSync(panic()), true)),
    ramZone(8192, ramDeath('1717230000.000001', `Oops#1 Part1\n${log('oops')}`, false)),
    ramZone(8192, ''),
    ramZone(8192, log('console', 400)),
    ramZone(4096, 'message of a program'),
  ]);
  const records = read(image);
  assert.deepEqual(
    records.map(({ type, reason, count, part, time, compression }) => [type, reason, count, part, time, compression]),
    [
      ['dmesg', 'Panic', 2, 1, 1717236180.123456, 'deflate'],
      ['dmesg', 'Oops', 1, 1, 1717230000.000001, null],
      ['console', null, null, null, null, null],
      ['pmsg', null, null, null, null, null],
    ],
  );
  assert.equal(text(records[0]!), log('panic'));
  assert.equal(text(records[1]!), log('oops'));
  assert.ok(log('console', 400).endsWith(text(records[2]!)), 'a ring that has wrapped keeps its end, in order');
  assert.ok(text(records[2]!).length > 8000);
});

test('with its geometry, an image is read even where a signature is damaged', () => {
  const image = Buffer.concat([
    ramZone(16384, ramDeath('1717236180.1', panic(), false)),
    ramZone(16384, ramDeath('1717236181.1', `Oops#3 Part1\n${log('third')}`, false)),
    ramZone(8192, log('console')),
  ]);
  image[16384] = 0;
  const geometry = { ...unknownGeometry, recordSize: 16384, consoleSize: 8192, ecc: 0 };
  assert.deepEqual(
    read(image, geometry).map(({ type, reason }) => [type, reason]),
    [
      ['dmesg', 'Panic'],
      ['dmesg', 'Oops'],
      ['console', null],
    ],
  );
  assert.deepEqual(read(image, geometry)[1]!.problems, ['its signature is damaged']);
});

test('flipped bits are put right by parity and told; too many are told, too', () => {
  for (const ecc of [16, 32]) {
    const image = Buffer.concat([
      ramZone(8192, ramDeath('1717236180.1', panic(), false), { ecc }),
      ramZone(8192, '', { ecc }),
      ramZone(8192, log('console'), { ecc }),
    ]);
    for (const at of [0, 5, 9, 20, 150, 151, 152, 700]) image[at] = image[at]! ^ 0x55;
    const [death, console] = read(image);
    assert.equal(text(death!), log('panic'));
    assert.deepEqual(death!.ecc, { corrected: 8, unrecoverable: 0 });
    assert.deepEqual(console!.ecc, { corrected: 0, unrecoverable: 0 });
    for (let at = 300; at < 330; at++) image[at] = image[at]! ^ 0xff;
    const [damaged] = read(image);
    assert.ok(damaged!.ecc!.unrecoverable > 0);
    assert.match(damaged!.problems.join(), /damaged beyond/);
    assert.ok(text(damaged!).includes('panic line 29'), 'what is not damaged is there');
  }
});

test('a compressed record that was cut gives what comes out of it', () => {
  const packed = deflateRawSync(panic(1, log('panic', 300)));
  const [record] = read(ramZone(8192, ramDeath('1717236180.1', packed.subarray(0, packed.length / 2), true)));
  assert.match(record!.problems.join(), /cut/);
  assert.ok(text(record!).startsWith('<4>[   48.100000] panic line 0'));
  assert.ok(text(record!).split('\n').length > 50);
});

test('every way of compression that kernels have used is tried', () => {
  const whole = panic();
  const ways: [string, Uint8Array][] = [
    ['deflate', deflateRawSync(whole)],
    ['zlib', deflateSync(whole)],
    // literals alone, as LZ4 writes what does not repeat
    ['lz4', Buffer.concat([Buffer.from([0xf0, ...lengthBytes(Buffer.byteLength(whole) - 15)]), Buffer.from(whole)])],
    // a run of literals and the end mark of LZO1X
    [
      'lzo',
      Buffer.concat([
        Buffer.from([0, ...lzoRun(Buffer.byteLength(whole))]),
        Buffer.from(whole),
        Buffer.from([0x11, 0, 0]),
      ]),
    ],
  ];
  for (const [compression, packed] of ways) {
    const result = decompressRecord(packed);
    assert.equal(result?.compression, compression);
    assert.equal(Buffer.from(result!.content).toString(), whole, compression);
  }
  assert.equal(decompressRecord(Buffer.from([1, 2, 3, 4, 5, 6, 7, 8])), null);
});

function lengthBytes(rest: number): number[] {
  return [...new Array<number>(Math.floor(rest / 255)).fill(255), rest % 255];
}

function lzoRun(length: number): number[] {
  const rest = length - 18;
  const zeros = Math.floor((rest - 1) / 255);
  return [...new Array<number>(zeros).fill(0), rest - zeros * 255];
}

test('records that unpack to more than memory should hold are left out, and it is said', () => {
  const mega = 1 << 20;
  const reader = (): RecordReader => new RecordReader(8 * mega);
  const raw = (content: Uint8Array, compressed: boolean) =>
    ({ source: 'x', offset: 0, backend: 'blk', type: 'dmesg', compressed, content }) as const;
  const readAll = (one: RecordReader, content: Uint8Array, compressed: boolean): (PstoreRecord | null)[] =>
    Array.from({ length: 20 }, () => one.read(raw(content, compressed)));
  const sizes = (records: readonly (PstoreRecord | null)[]): number =>
    records.reduce((sum, record) => sum + (record?.content.length ?? 0), 0);

  const text = deflateRawSync(Buffer.alloc(2 * mega, 'a line that is said again\n'));
  const whole = reader();
  assert.ok(sizes(readAll(whole, text, true)) <= 10 * mega);
  assert.match(whole.problem!, /more than 8 MiB/);
  // unpacked in vain, and again and again, to find where it is damaged
  const noise = deflateRawSync(Buffer.alloc(2 * mega, 1));
  const damaged = Buffer.from(text).fill(0xee, text.length - 30);
  for (const packed of [noise, damaged]) {
    const some = reader();
    assert.ok(readAll(some, packed, true).filter((record) => record !== null).length <= 5);
    assert.notEqual(some.problem, null);
  }
  // sections of one record may all be the same bytes
  const same = reader();
  assert.ok(sizes(readAll(same, Buffer.alloc(3 * mega, 'text '), false)) <= 12 * mega);
  const [long] = readAll(new RecordReader(64 * mega), Buffer.alloc(20 * mega, 'text '), false);
  assert.equal(long!.content.length, 16 * mega);
  assert.match(long!.problems.join(), /its end is left out/);

  const few = reader();
  assert.ok(readAll(few, deflateRawSync(panic()), true).every((record) => record !== null));
  assert.equal(few.problem, null);
});

test('LZ4: matches that overlap, and blocks that lie about their lengths', () => {
  const block = Uint8Array.from([0x32, 0x61, 0x62, 0x63, 0x03, 0x00, 0x10, 0x21]);
  assert.equal(Buffer.from(lz4Decompress(block, 1000).content).toString(), 'abcabcabc!');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.ok(lz4Decompress(bytes, 5000).content.length <= 5000);
    }),
  );
});

test('pstore/blk: deaths, and rings of console and programs', () => {
  const image = Buffer.concat([
    blkRing(4096, 7, 'from a program'),
    blkRing(4096, 2, log('console', 300)),
    blkDeath(8192, panic(), { reason: 1, counter: 4 }),
    blkDeath(8192, deflateRawSync(`Oops#1 Part1\n${log('oops')}`), { reason: 2, compressed: true, time: 1717230000 }),
    Buffer.alloc(8192),
  ]);
  const records = read(image);
  assert.deepEqual(
    records.map(({ backend, type, reason, time }) => [backend, type, reason, time]),
    [
      ['blk', 'pmsg', null, null],
      ['blk', 'console', null, null],
      ['blk', 'dmesg', 'Panic', 1717236180],
      ['blk', 'dmesg', 'Oops', 1717230000],
    ],
  );
  assert.ok(log('console', 300).endsWith(text(records[1]!)));
  assert.equal(text(records[3]!), log('oops'));
});

test('mtdoops: pages in order, across the wrap of their numbers', () => {
  const image = Buffer.concat([
    mtdPage(4096, 1, log('newest'), 5_000_000_000n),
    mtdPage(4096, 0xfffffffd, log('oldest')),
    mtdPage(4096, 0, log('middle')),
    Buffer.alloc(4096, 0xff),
  ]);
  assert.deepEqual(
    read(image).map((record) => /\] (\w+)/.exec(text(record))![1]),
    ['oldest', 'middle', 'newest'],
  );
});

test('EFI variables: as files of efivarfs, and in the store that firmware keeps', () => {
  const guid = 'cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0';
  const image = variableStore([
    { name: 'BootOrder', guid: '8be4df61-93ca-11d2-aa0d-00e098032b8c', data: Buffer.from([0, 0]) },
    { name: 'dump-type0-1-2-1717236180-C', guid, data: deflateRawSync(panic(1)) },
    { name: 'dump-type0-2-2-1717236180-D', guid, data: Buffer.from(panic(2, log('before'))) },
    { name: 'dump-type0-1-1-1717000000-C', guid, data: deflateRawSync('Panic#1 Part1\ndeleted\n'), state: 0x3c },
  ]);
  const { deaths } = gatherDeaths(read(image));
  assert.equal(deaths.length, 1);
  assert.equal(deaths[0]!.log, log('before') + log('panic'));
  inFolder((folder) => {
    const attributes = Buffer.from([7, 0, 0, 0]);
    writeFileSync(
      join(folder, `dump-type0-1-2-1717236180-D-${guid}`),
      Buffer.concat([attributes, Buffer.from(panic())]),
    );
    writeFileSync(join(folder, 'BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c'), attributes);
    const { records } = readPstore(folder);
    assert.deepEqual(
      records.map(({ backend, time, part, count }) => [backend, time, part, count]),
      [['efi', 1717236180, 1, 2]],
    );
    assert.equal(text(records[0]!), log('panic'));
  });
});

test('ERST: records that were put one behind the other', () => {
  const parts = ['1234567', '12', '123'];
  const image = Buffer.concat(
    parts.map((part) => cperRecord('c197e04e-d545-4a70-9c17-a5549419eb12', 1717236180, panic(1, part))),
  );
  assert.deepEqual(read(image).map(text), parts);
});

test('ERST: records of the kernel, among those of firmware', () => {
  const image = Buffer.concat([
    Buffer.alloc(4096),
    cperRecord('4f118707-04dd-4055-b5dd-956d34ddfac6', 1717236180, deflateRawSync(panic())),
    Buffer.alloc(4096),
    cperRecord('a5bc1114-6f64-4ede-b863-3e83ed7c83b1', 1717236180, 'a memory error'),
  ]);
  const records = read(image.subarray(0, image.length & ~7));
  assert.deepEqual(
    records.map(({ backend, type, time }) => [backend, type, time]),
    [['erst', 'dmesg', 1717236180]],
  );
  assert.equal(text(records[0]!), log('panic'));
  assert.equal(guidBytes('75a574e3-5052-4b29-8a8e-be2c6490b89d').length, 16);
});

test('parts are joined in order; two deaths are never mixed; a part that is missing is told in its place', () => {
  inFolder((folder) => {
    const put = (name: string, content: string, time: number): void => {
      writeFileSync(join(folder, name), content);
      utimesSync(join(folder, name), time, time);
    };
    for (const part of [1, 2, 4]) put(`dmesg-erst-${100 + part}`, `Panic#1 Part${part}\nfirst ${part}\n`, 1000);
    for (const part of [1, 2]) put(`dmesg-erst-${200 + part}`, `Panic#1 Part${part}\nsecond ${part}\n`, 1010);
    put('dmesg-erst-300', 'Oops#1 Part1\nan oops\n', 990);
    put('console-ramoops-0', 'console\n\nECC: 3 Corrected bytes, 1 unrecoverable blocks\n', 1);
    put('something-else', 'x', 1);
    const { records } = readPstore(folder);
    const { deaths, others } = gatherDeaths(records);
    assert.deepEqual(
      deaths.map(({ log: own }) => own),
      [
        'an oops\n',
        'first 4\n[inquest: part 3 of the log is missing here]\nfirst 2\nfirst 1\n',
        'second 2\nsecond 1\n',
      ],
    );
    assert.deepEqual(others[0]!.ecc, { corrected: 3, unrecoverable: 1 });
    assert.equal(text(others[0]!), 'console\n');
  });
});

test('an archive keeps each death once, overwrites nothing, and takes out of pstore only what it has', () => {
  inFolder((folder) => {
    const store = join(folder, 'pstore');
    const kept = join(folder, 'archive');
    mkdirSync(store);
    const oops =
      'Oops#1 Part1\nBUG: kernel NULL pointer dereference, address: 0000000000000008\nCall Trace:\n f+0x1/0x2\n';
    const put = (content: string): void => {
      writeFileSync(join(store, 'dmesg-ramoops-0'), content);
      utimesSync(join(store, 'dmesg-ramoops-0'), 1717236180, 1717236180);
    };
    put(oops);
    const [first] = archive(gatherDeaths(readPstore(store).records), kept, false);
    assert.ok(!first!.known && first!.unlinked.length === 0);
    assert.deepEqual(readdirSync(first!.folder).sort(), ['death.json', 'dmesg.txt', 'records', 'report.txt']);
    assert.match(readFileSync(join(first!.folder, 'report.txt'), 'utf8'), /NULL pointer/);
    const [again] = archive(gatherDeaths(readPstore(store).records), kept, true);
    assert.ok(again!.known && again!.folder === first!.folder);
    assert.deepEqual(readdirSync(store), [], 'it was on disk already');
    put(oops.replace('NULL pointer', 'other'));
    const [other] = archive(gatherDeaths(readPstore(store).records), kept, true);
    assert.notEqual(other!.folder, first!.folder);
    assert.equal(readdirSync(kept).length, 2);
  });
});

test('a trace tells functions and their callers, by name where there are symbols', () => {
  const content = Buffer.alloc(72);
  const call = (at: number, ip: bigint, parent: bigint, time: bigint, cpu: bigint): void => {
    content.writeBigUInt64LE(ip, at);
    content.writeBigUInt64LE(parent, at + 8);
    content.writeBigUInt64LE((time << 8n) | cpu, at + 16);
  };
  call(0, 0xffffffff81000010n, 0xffffffff81000120n, 2n, 1n);
  call(24, 0xffffffff81000100n, 0x10n, 1n, 0n);
  const names = parseSystemMap('ffffffff81000100 T outer\nffffffff81000000 t inner\nffffffff81000050 D data\n');
  assert.deepEqual(
    decodeFtrace(content, names).map(({ name, parentName, cpu, time }) => [name, parentName, cpu, time]),
    [
      ['outer', null, 0, 1],
      ['inner+0x10', 'outer+0x20', 1, 2],
    ],
  );
});

test('images that nobody wrote are refused or read in part, and never hang or end us', () => {
  assert.throws(() => readImage(Buffer.alloc(65536), 'zeroes'), FormatError);
  const good = [
    ramZone(8192, ramDeath('1717236180.1', panic(), false), { ecc: 16 }),
    blkDeath(8192, panic()),
    mtdPage(8192, 7, log('x')),
    cperRecord('c197e04e-d545-4a70-9c17-a5549419eb12', 1, panic()),
    variableStore([
      {
        name: 'dump-type0-1-2-1717236180-C',
        guid: 'cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0',
        data: deflateRawSync(panic()),
      },
    ]),
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...good),
      fc.array(fc.tuple(fc.nat(8191), fc.nat(255)), { maxLength: 40 }),
      fc.nat(8192),
      (image, changes, cut) => {
        const damaged = Buffer.from(image.subarray(0, Math.max(64, cut)));
        for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte;
        try {
          gatherDeaths(read(damaged));
        } catch (error) {
          assert.ok(error instanceof FormatError, String(error));
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('parameters that nobody gave are what the module has by default, or none', () => {
  // 0x10000 of memory, records of 0x4000: with 4 KiB for console, ftrace and programs three zones of 0x4555, rounded
  const zone = 2 * Math.floor((0x10000 - 3 * 4096) / 3 / 2);
  const one = (text: string): Buffer =>
    ramZone(zone, ramDeath('1717236180.123456', panic(1, log(text)), false), { ecc: 16 });
  const image = Buffer.alloc(0x10000);
  for (const [n, text] of ['first', 'second', 'third'].entries()) one(text).copy(image, n * zone);
  const geometry = { ...unknownGeometry, recordSize: 0x4000, ecc: 16 };
  assert.deepEqual(
    read(image, geometry).map((record) => /\] (\w+) line/.exec(text(record))![1]),
    ['first', 'second', 'third'],
  );
  const bare = Buffer.concat(
    ['first', 'second'].map((name) => ramZone(0x8000, ramDeath('1717236180.1', panic(1, log(name)), false))),
  );
  assert.equal(read(bare, { ...unknownGeometry, recordSize: 0x8000, ecc: 0 }).length, 2);
});
