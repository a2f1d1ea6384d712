// What one machine sends: lost, doubled, reordered, fragmented, in pieces, and over several boots.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HostStream, type NetRecord } from '../../../src/collect/netconsole/host_stream.ts';
import { parseExtendedHeader, recordFields, recordText } from '../../../src/oops/extended_record.ts';
import { basicPackets, extendedPackets, type SentRecord } from '../../support/netconsole_writer.ts';

interface Heard {
  readonly lines: string[];
  readonly records: NetRecord[];
  readonly stream: HostStream;
}

function listening(): Heard {
  const lines: string[] = [];
  const records: NetRecord[] = [];
  const take = (record: NetRecord): void => {
    records.push(record);
    lines.push(record.text);
  };
  const stream = new HostStream({
    boot: (release) => lines.push(`boot ${release ?? ''}`.trim()),
    record: take,
    plain: (_, packet) => {
      const text = packet.toString('latin1');
      const { priority, bodyAt, ...head } = parseExtendedHeader(text)!;
      const body = text.slice(bodyAt);
      take({ ...head, level: priority & 7, text: recordText(body), fields: recordFields(body), missingBytes: 0 });
    },
    missing: (from, to) => lines.push(`missing ${from}-${to}`),
  });
  return { lines, records, stream };
}

const record = (sequence: number, more: Partial<SentRecord> = {}): SentRecord => ({
  sequence,
  microseconds: 1_000_000 + sequence * 1000,
  text: `line ${sequence}`,
  ...more,
});

function send({ stream }: Heard, records: readonly SentRecord[], now = 0): void {
  for (const packet of records.flatMap(extendedPackets)) stream.packet(packet, now);
}

test('records in any order come out in theirs, once', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([3, 4, 5, 6, 7, 8, 9, 10, 4, 6, 6], { minLength: 11 }), (order) => {
      const heard = listening();
      send(heard, [record(2), ...order.map((n) => record(n))]);
      heard.stream.end();
      assert.deepEqual(heard.lines, ['boot', ...[2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => `line ${n}`)]);
      assert.equal(heard.stream.counts.duplicates, 3);
      assert.equal(heard.stream.counts.missing, 0);
    }),
  );
});

test('what does not come is said in its place, after a moment', () => {
  const heard = listening();
  send(heard, [record(1), record(2), record(5), record(6), record(8)]);
  assert.deepEqual(heard.lines, ['boot', 'line 1', 'line 2']);
  for (let now = 0; now < 200; now += 10) heard.stream.tick(now);
  assert.deepEqual(heard.lines.slice(3), ['missing 3-4', 'line 5', 'line 6', 'missing 7-7', 'line 8']);
  assert.equal(heard.stream.counts.missing, 3);
  assert.equal(heard.stream.waiting, false);
});

test('what comes too late is kept all the same, and no second time', () => {
  const heard = listening();
  send(heard, [record(10), record(13)]);
  heard.stream.tick(1000);
  send(heard, [record(11), record(11), record(9), record(9), record(14)], 1001);
  assert.deepEqual(heard.lines, ['boot', 'line 10', 'missing 11-12', 'line 13', 'line 11', 'line 9', 'line 14']);
  assert.equal(heard.stream.counts.duplicates, 2);
});

test('fragments come together in any order, and a part that is missing is marked where it was', () => {
  const text = `${'a'.repeat(900)}${'b'.repeat(900)}${'c'.repeat(900)}`;
  const long = record(2, { text, fields: ['SUBSYSTEM=pci', 'taskname=swapper/0'] });
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 0], { minLength: 4 }), (order) => {
      const packets = extendedPackets(long);
      assert.equal(packets.length, 3);
      const heard = listening();
      send(heard, [record(1)]);
      for (const n of order) heard.stream.packet(packets[n]!, 0);
      send(heard, [record(3)]);
      assert.deepEqual(heard.lines, ['boot', 'line 1', text, 'line 3']);
      assert.deepEqual(heard.records[1]!.fields, [
        ['SUBSYSTEM', 'pci'],
        ['taskname', 'swapper/0'],
      ]);
    }),
  );
  const heard = listening();
  send(heard, [record(1)]);
  const [first, , third] = extendedPackets(long);
  heard.stream.packet(first!, 0);
  heard.stream.packet(third!, 0);
  heard.stream.tick(1000);
  assert.match(heard.lines[2]!, /^a{900}b+\[\d+ bytes missing\]c+$/);
  assert.ok(heard.records[1]!.missingBytes > 0);
  assert.equal(heard.stream.counts.incomplete, 1);
});

test('pieces of a line are joined by who printed them', () => {
  const heard = listening();
  send(heard, [
    record(1, { flag: 'c', caller: 'T1', text: 'one ' }),
    record(2, { flag: 'c', caller: 'C0', text: 'eins ' }),
    record(3, { flag: '+', caller: 'T1', text: 'two' }),
    record(4, { flag: '+', caller: 'C0', text: 'zwei' }),
    record(5, { flag: '-', caller: 'T1', text: 'next' }),
  ]);
  heard.stream.end();
  assert.deepEqual(heard.lines.sort(), ['boot', 'eins zwei', 'next', 'one two']);
});

test('another boot is told by its numbers and its clock, however early the last one died', () => {
  const boots = (...records: SentRecord[]): number => {
    const heard = listening();
    send(heard, records);
    heard.stream.end();
    assert.equal(heard.records.length, records.length, heard.lines.join('; '));
    return heard.lines.filter((line) => line.startsWith('boot')).length;
  };
  const at = (sequence: number, seconds: number, release?: string): SentRecord =>
    record(sequence, { microseconds: seconds * 1e6, ...(release === undefined ? {} : { release }) });
  assert.equal(boots(at(900, 500), at(901, 501), at(300, 1.5)), 2);
  // died after three seconds
  assert.equal(boots(at(300, 2.5), at(301, 3), at(300, 2.1), at(301, 3.2)), 2);
  assert.equal(boots(at(2000, 4), at(300, 2), at(301, 2.2)), 2);
  // its netconsole starts later than the last boot came
  assert.equal(boots(at(100, 60), at(800, 10)), 2);
  assert.equal(boots(at(10, 1, '6.1.0'), at(9, 1.1, '6.12.0')), 2);
  assert.equal(boots(at(10, 1), at(11, 1), at(12, 0.999_9)), 1);
});

test('basic text is cut anywhere, inside a character too', () => {
  const lines = Array.from(
    { length: 60 },
    (_, n) => `[   12.${String(n).padStart(6, '0')}][   T${n}] größer ${'ü'.repeat(n)}`,
  );
  const heard = listening();
  for (const packet of basicPackets(`${lines.join('\n')}\n<3>[   13.000001] last`)) heard.stream.packet(packet, 0);
  heard.stream.tick(1000);
  assert.deepEqual(
    heard.records.map(({ text, caller }) => [text, caller]),
    [...lines.map((line, n) => [line.slice(line.indexOf(']', 20) + 2), `T${n}`]), ['last', null]],
  );
  assert.equal(heard.records.at(-1)!.level, 3);
  heard.stream.packet(Buffer.from('[    0.000000] Linux version 6.1.0\n'), 2000);
  assert.equal(heard.lines.filter((line) => line === 'boot').length, 2);
});

test('a number out of the blue costs none of the true ones', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 2 ** 40 }), { maxLength: 5 }), fc.nat({ max: 20 }), (wild, where) => {
      const heard = listening();
      const good = Array.from({ length: 20 }, (_, n) => record(n + 1));
      send(heard, [
        ...good.slice(0, where),
        ...wild.map((n) => record(n + 100, { text: 'wild', ...(n % 2 === 0 ? {} : { microseconds: n % 5000000 }) })),
        ...good.slice(where),
      ]);
      heard.stream.end();
      assert.deepEqual(heard.lines.filter((line) => line.startsWith('line')).length, 20);
    }),
  );
});

test('numbers larger than can be counted with are none, and end nothing', () => {
  for (let digits = 1; digits <= 20; digits++) {
    const heard = listening();
    const wild = '9'.repeat(digits);
    send(heard, [record(1), record(2)]);
    for (const packet of [`6,${wild},5000,-;x`, `6,4,${wild},-;x`, `6,${wild},${wild},c,ncfrag=0/9;x`])
      heard.stream.packet(Buffer.from(`${packet}\n`), 1);
    for (let now = 0; now < 200; now += 10) heard.stream.tick(now);
    send(heard, [record(3), record(4)], 300);
    heard.stream.end();
    for (const n of [1, 2, 3, 4]) assert.ok(heard.lines.includes(`line ${n}`), `${wild}: ${heard.lines.join()}`);
    assert.ok(Number.isSafeInteger(heard.stream.counts.missing), wild);
  }
});
