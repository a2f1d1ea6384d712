// The files and incidents that come of packets: whole lines whatever happens, in bounds whoever sends.
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../../../src/base/errors.ts';
import { Receiver, type ReceiverLimits, type SeenIncident } from '../../../src/collect/netconsole/receiver.ts';
import { type TestMessage, testMessageText } from '../../../src/collect/netconsole/test_message.ts';
import { networkList } from '../../../src/collect/netconsole/thread.ts';
import { deathTexts, extendedPackets, type SentRecord } from '../../support/netconsole_writer.ts';

const limits: ReceiverLimits = {
  sourcePackets: 1e6,
  sourceBytes: 1e9,
  sources: 100,
  fileBytes: 1 << 20,
  fileAge: 3_600_000,
  hostBytes: 8 << 20,
};

class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), 'inquest-receiver-'));
  readonly seen: SeenIncident[] = [];
  readonly troubles: string[] = [];
  readonly tested: [string, TestMessage][] = [];
  now = 1000;
  wall = Date.UTC(2026, 5, 1, 12);
  receiver: Receiver;
  private readonly more: Partial<ReceiverLimits>;
  private readonly networks: readonly string[];

  constructor(more: Partial<ReceiverLimits> = {}, networks: readonly string[] = []) {
    this.more = more;
    this.networks = networks;
    this.receiver = this.start();
  }

  /** As after a crash: what is not in files is gone. */
  start(): Receiver {
    const allowed = this.networks.length === 0 ? null : networkList(this.networks);
    this.receiver = new Receiver(
      { directory: this.folder, limits: { ...limits, ...this.more }, allowed },
      {
        incident: (seen) => this.seen.push(seen),
        trouble: (sentence) => this.troubles.push(sentence),
        tested: (address, test) => this.tested.push([address, test]),
      },
    );
    return this.receiver;
  }

  packet(bytes: Buffer | string, address = '192.0.2.1', port = 6665): void {
    this.receiver.packet(Buffer.from(bytes), address, port, this.now, this.wall);
  }

  send(records: readonly SentRecord[], address?: string, port?: number): void {
    for (const packet of records.flatMap(extendedPackets)) this.packet(packet, address, port);
  }

  pass(ms: number): void {
    for (let n = 0; n < ms; n += 5) {
      this.now += 5;
      this.wall += 5;
      this.receiver.tick(this.now, this.wall);
    }
  }

  files(host = '192.0.2.1_6665'): string[] {
    return existsSync(join(this.folder, host)) ? readdirSync(join(this.folder, host)).sort() : [];
  }

  log(host = '192.0.2.1_6665'): string {
    return this.files(host)
      .filter((name) => name.endsWith('.log'))
      .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
      .map((name) => readFileSync(join(this.folder, host, name), 'utf8'))
      .join('');
  }

  remove(): void {
    this.receiver.end();
    rmSync(this.folder, { recursive: true });
  }
}

function withBench(work: (bench: Bench) => void, more: Partial<ReceiverLimits> = {}, networks: string[] = []): void {
  const bench = new Bench(more, networks);
  try {
    work(bench);
  } finally {
    bench.remove();
  }
}

const record = (sequence: number, text = `line ${sequence}`, more: Partial<SentRecord> = {}): SentRecord => ({
  sequence,
  microseconds: 5_000_000 + sequence * 1000,
  text,
  ...more,
});
const death = (from: number): SentRecord[] => deathTexts().map((text, n) => record(from + n, text));

test('a log looks as on the console, with what is missing in its place; records stand beside it as JSON', () => {
  withBench((bench) => {
    bench.send([
      record(1, 'größer\nnext', { caller: 'T12' }),
      record(2, 'bell \x07 and NUL \0'),
      record(5, 'later', { release: '6.12.0', fields: ['SUBSYSTEM=pci'] }),
    ]);
    bench.pass(120);
    assert.equal(
      bench.log(),
      [
        '[    5.001000][   T12] größer',
        '[    5.001000][   T12] next',
        '[    5.002000] bell \\x07 and NUL \\x00',
        '[    5.002000] ** 2 netconsole messages missing: 3-4 **',
        '[    5.005000] later',
        '',
      ].join('\n'),
    );
    const [json] = bench.files().filter((name) => name.endsWith('.jsonl'));
    const lines = readFileSync(join(bench.folder, '192.0.2.1_6665', json!), 'utf8')
      .trimEnd()
      .split('\n');
    const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      records.map(({ seq, text, missing }) => [seq, text, missing]),
      [
        [1, 'größer\nnext', undefined],
        [2, 'bell \x07 and NUL \0', undefined],
        [undefined, undefined, [3, 4]],
        [5, 'later', undefined],
      ],
    );
    assert.deepEqual(records[3]!['fields'], { SUBSYSTEM: 'pci' });
  });
});

test('a death is told a few seconds after its last line, with the file in which it stands', () => {
  withBench((bench) => {
    bench.send(death(1));
    bench.pass(2000);
    assert.equal(bench.seen.length, 0);
    bench.pass(2000);
    assert.equal(bench.seen.length, 1);
    const [{ host, file, incident }] = bench.seen as [SeenIncident];
    assert.equal(host, '192.0.2.1_6665');
    assert.equal(incident.title, 'BUG: unable to handle kernel NULL pointer dereference in demo_open');
    assert.match(readFileSync(file, 'utf8'), /Oops: 0000 \[#1\]/);
    bench.pass(10_000);
    assert.equal(bench.seen.length, 1);
  });
});

test('a receiver that was killed goes on in the same file after the last whole line', () => {
  withBench((bench) => {
    bench.send([record(1), record(2)]);
    bench.pass(120);
    const folder = join(bench.folder, '192.0.2.1_6665');
    for (const name of bench.files())
      appendFileSync(join(folder, name), name.endsWith('.log') ? '[    5.0' : '{"seq":3,');
    bench.start();
    // 3 came while nobody listened
    bench.send([record(4), record(5)]);
    bench.pass(120);
    assert.equal(
      bench.log(),
      '[    5.001000] line 1\n[    5.002000] line 2\n[    5.002000] ** 1 netconsole message missing: 3 **\n[    5.004000] line 4\n[    5.005000] line 5\n',
    );
    assert.equal(bench.files().length, 2);
    // killed between the records and their lines
    const [records] = bench.files().filter((name) => name.endsWith('.jsonl'));
    appendFileSync(
      join(folder, records!),
      [
        { missing: [6, 7], received: bench.wall },
        { seq: 8, us: 5_008_000, level: 6, caller: null, text: 'two\nlines', received: bench.wall },
        { seq: 9, us: 5_009_000, level: 6, caller: null, text: 'line 9', received: bench.wall },
      ]
        .map((record) => `${JSON.stringify(record)}\n`)
        .join(''),
    );
    bench.start();
    bench.send([record(10)]);
    bench.pass(120);
    assert.match(
      bench.log(),
      /line 5\n\[ {4}5\.005000\] \*\* 2 netconsole messages missing: 6-7 \*\*\n\[ {4}5\.008000\] two\n\[ {4}5\.008000\] lines\n\[ {4}5\.009000\] line 9\n\[ {4}5\.010000\] line 10\n$/,
    );
    // so does basic netconsole, where stamps tell the boot
    bench.packet('[    7.000000] plain\n', '192.0.2.5');
    bench.pass(120);
    bench.start();
    bench.packet('[    7.100000] goes on\n', '192.0.2.5');
    bench.pass(120);
    assert.equal(bench.log('192.0.2.5_6665'), '[    7.000000] plain\n[    7.100000] goes on\n');
    assert.equal(bench.files('192.0.2.5_6665').length, 2);
    // it booted while nobody listened
    bench.wall += 60_000 * 10;
    bench.start();
    bench.send([record(1)]);
    bench.pass(120);
    assert.equal(bench.files().length, 4);
  });
});

test('each boot and each port has files of its own, named by numbers only', () => {
  withBench((bench) => {
    bench.send([record(1)]);
    bench.send([record(1, 'other port')], '192.0.2.1', 7000);
    bench.send([record(1, 'six')], '2001:db8::5', 6665);
    bench.send([record(1, 'odd', { release: '../../../etc' })], '192.0.2.9', 6665);
    bench.pass(5000);
    bench.send([record(1, 'again', { microseconds: 17 })]);
    bench.pass(500);
    assert.deepEqual(readdirSync(bench.folder).sort(), [
      '192.0.2.1_6665',
      '192.0.2.1_7000',
      '192.0.2.9_6665',
      '2001-db8--5_6665',
    ]);
    assert.equal(bench.files().length, 4);
    for (const name of bench.files()) assert.match(name, /^2026-06-01T\d{6}Z(-\d)?\.(log|jsonl)$/);
  });
});

test('files are rotated and the oldest go, so that a machine stays within its share', () => {
  withBench(
    (bench) => {
      for (let n = 1; n <= 4000; n++) {
        bench.send([record(n, `line ${n} ${'x'.repeat(200)}`)]);
        if (n % 20 === 0) bench.pass(80);
      }
      bench.pass(100);
      const folder = join(bench.folder, '192.0.2.1_6665');
      const total = bench.files().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
      assert.ok(total < 400_000 + 2 * 100_000, `${total} bytes`);
      const text = bench.log();
      assert.match(text, /line 4000 /);
      const numbers = [...text.matchAll(/ line (\d+) /g)].map((m) => Number(m[1]));
      assert.deepEqual(
        numbers,
        Array.from({ length: numbers.length }, (_, i) => 4000 - numbers.length + 1 + i),
      );
    },
    { fileBytes: 100_000, hostBytes: 400_000 },
  );
});

test('who sends too much, is not allowed, or is one too many, is counted and costs the others nothing', () => {
  withBench(
    (bench) => {
      for (let n = 1; n <= 1000; n++) bench.send([record(n)], '192.0.2.66');
      bench.send([record(1)], '198.51.100.1');
      bench.send([record(1)], '192.0.2.2');
      bench.send([record(1)], '192.0.2.3');
      bench.send([record(1)], '192.0.2.4');
      bench.pass(200);
      const counts = bench.receiver.sum();
      assert.equal(counts.limited, 900);
      assert.equal(counts.refused, 2);
      assert.equal(counts.hosts, 3);
      assert.equal(bench.log('192.0.2.2_6665'), '[    5.001000] line 1\n');
      assert.equal(readdirSync(bench.folder).length, 3);
    },
    { sourcePackets: 100, sources: 3 },
    ['192.0.2.0/24', '2001:db8::/32'],
  );
});

test('lines of plain text count as packets, however many come in one', () => {
  withBench(
    (bench) => {
      for (let n = 0; n < 100; n++) bench.packet('\n'.repeat(1000), '192.0.2.66');
      bench.pass(200);
      const { records, limited } = bench.receiver.sum();
      assert.ok(records <= 1300, `${records} lines`);
      assert.ok(limited >= 98);
      bench.pass(20_000);
      for (let n = 1; n <= 50; n++) bench.packet(`[    5.${String(n).padStart(6, '0')}] line ${n}\n`, '192.0.2.66');
      bench.pass(200);
      assert.match(bench.log('192.0.2.66_6665'), / line 50\n/);
    },
    { sourcePackets: 300 },
  );
});

test('one machine with many ports leaves places to others, and that it wanted more is told', () => {
  withBench(
    (bench) => {
      for (let port = 1; port <= 300; port++) bench.send([record(1)], '192.0.2.66', port);
      bench.send([record(1)], '192.0.2.2');
      bench.pass(600);
      const { hosts, refused } = bench.receiver.sum();
      assert.deepEqual([hosts, refused], [76, 225]);
      assert.equal(bench.log('192.0.2.2_6665'), '[    5.001000] line 1\n');
      assert.deepEqual(bench.troubles, ['75 of 192.0.2.66 are kept apart: others are not heard']);
    },
    { sources: 300 },
  );
});

test('records that are much larger than their lines stay within the share, too', () => {
  withBench(
    (bench) => {
      for (let n = 1; n <= 2000; n++) {
        bench.send([record(n, 'x', { fields: [`KEY=${'v'.repeat(900)}`] })]);
        if (n % 20 === 0) bench.pass(80);
      }
      bench.pass(100);
      const folder = join(bench.folder, '192.0.2.1_6665');
      const total = bench.files().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
      assert.ok(total < 200_000 + 5 * 20_000 + 20_000, `${total} bytes`);
    },
    { fileBytes: 20_000, hostBytes: 200_000 },
  );
});

test('a disk that takes nothing loses nothing at first, and says so; files have no halves of it', () => {
  withBench((bench) => {
    // a file where the folder should be
    writeFileSync(join(bench.folder, '192.0.2.1_6665'), '');
    bench.send([record(1), record(2)]);
    bench.pass(500);
    assert.equal(bench.troubles.filter((sentence) => sentence.includes('cannot be written')).length, 1);
    rmSync(join(bench.folder, '192.0.2.1_6665'));
    bench.send([record(3)]);
    bench.pass(500);
    assert.equal(bench.log(), '[    5.001000] line 1\n[    5.002000] line 2\n[    5.003000] line 3\n');
    assert.equal(bench.receiver.sum().unwritten, 0);
  });
});

test('a test message is answered, once a second and nothing that only looks like one', () => {
  withBench((bench) => {
    const mark = '0123456789abcdef';
    bench.send([
      record(1, testMessageText({ mark, port: 40_000 })),
      record(2, testMessageText({ mark, port: 40_001 })),
    ]);
    bench.pass(1100);
    bench.send([
      record(3, testMessageText({ mark, port: 53 })),
      record(4, `x ${testMessageText({ mark, port: 40_000 })}`),
    ]);
    assert.deepEqual(bench.tested, [['192.0.2.1', { mark, port: 40_000 }]]);
  });
});

test('hostile packets among good ones crash nothing, write nowhere else, and cost no good one', () => {
  const outside = mkdtempSync(join(tmpdir(), 'inquest-outside-'));
  withBench(
    (bench) => {
      let seed = 12345;
      const random = (below: number): number => {
        seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
        return Math.floor((seed / 2 ** 32) * below);
      };
      const good = (n: number): Buffer =>
        extendedPackets(record(n, `good ${n} ${'y'.repeat(n % 7 === 0 ? 1500 : 20)}`))[0]!;
      let next = 1;
      for (let n = 0; n < 100_000; n++) {
        const packet = Buffer.from(good(1 + random(3000)));
        switch (n % 6) {
          case 0:
            for (let k = 0; k < 3; k++) packet[random(packet.length)] = random(256);
            break;
          case 1:
            packet.fill(random(256), random(packet.length));
            break;
          case 2:
            packet.write(
              `6,${random(2 ** 31)},${random(2 ** 31)},-,ncfrag=${random(99999)}/${random(99999)};${outside}/x`,
            );
            break;
          case 3:
            packet.write(`../../${outside},6,1,1,-;\0\n/`);
            break;
          case 4:
            packet.write(
              `6,${'9'.repeat(random(21))},${'9'.repeat(random(21))},${'-c+'[random(3)]},caller=T${'9'.repeat(random(12))};`,
            );
            break;
        }
        // the same machine, others, and garbage without end
        bench.packet(
          n % 6 === 5 ? Buffer.alloc(random(800), 'ab') : packet,
          '192.0.2.1',
          n % 3 === 0 ? 6665 : 7000 + (n % 90),
        );
        if (n % 50 === 0 && next <= 2000)
          bench.send([record(next, `good ${next} .`), record(next + 1, `good ${next + 1} .`)], '192.0.2.200');
        if (n % 50 === 0) next += 2;
        if (n % 100 === 0) bench.pass(5);
      }
      bench.pass(500);
      const text = bench.log('192.0.2.200_6665');
      assert.equal(text.match(/good \d+ \.\n/g)?.length, 2000);
      assert.deepEqual(readdirSync(outside), []);
      for (const host of readdirSync(bench.folder)) {
        assert.match(host, /^192\.0\.2\.\d+_\d+$/);
        for (const name of readdirSync(join(bench.folder, host))) {
          assert.match(name, /^\d{4}-\d\d-\d\dT\d{6}Z(-\d+)?(\.\d+)?\.(log|jsonl)$/);
          const bytes = readFileSync(join(bench.folder, host, name));
          assert.ok(bytes.length === 0 || bytes.at(-1) === 10);
          assert.ok(!bytes.includes(0) && !bytes.includes(0x1b));
        }
      }
    },
    { sources: 4096, hostBytes: 4 << 20 },
  );
  rmSync(outside, { recursive: true });
});

test('good records of a machine in whose name others send are all kept', () => {
  withBench((bench) => {
    for (let n = 1; n <= 3000; n++) {
      bench.send([record(n, `good ${n} .`)]);
      if (n % 3 === 0) bench.packet(`6,${(n * 7919) % 100_000},${(n * 104_729) % 50_000_000},-;bad`);
      if (n % 10 === 0) bench.pass(5);
    }
    bench.pass(300);
    mkdirSync(join(bench.folder, 'unrelated'));
    assert.equal(new Set(bench.log().match(/good \d+ \./g)).size, 3000);
  });
});

test('a network that is none is said to be none', () => {
  for (const network of ['10.0.0.0/33', '::/129', 'abc', '10.0.0', '1.2.3.4/8/8', '', 'fe80::1%eth0/64'])
    assert.throws(() => networkList([network]), UsageError, network);
  const list = networkList(['10.0.0.0/8', '2001:db8::/32', '192.0.2.7']);
  assert.deepEqual(
    ['10.1.2.3', '11.0.0.1', '192.0.2.7', '192.0.2.8'].map((address) => list.check(address)),
    [true, false, true, false],
  );
  assert.equal(list.check('2001:db8:1::', 'ipv6'), true);
});
