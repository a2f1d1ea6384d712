// One death in many sources: put together, told apart from others, on one clock.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { bootsOf } from '../../src/collect/incident/boots.ts';
import { type MergedIncident, mergeWitnesses } from '../../src/collect/incident/merge.ts';
import { readSources } from '../../src/collect/incident/sources.ts';
import type { Witness } from '../../src/collect/incident/witness.ts';
import { deathTexts } from '../support/netconsole_writer.ts';

const boot = ['Linux version 6.12.0 (gcc) #1 SMP', 'Command line: root=/dev/vda', 'Booting the first processor now'];

/** A boot's messages: `[stamp, text]`, that die at `died`. */
function messages(died: number, what = 'demo_open', chatter = 20): [number, string][] {
  return [
    ...boot.map((text, n): [number, string] => [n === 0 ? 0 : n / 1000 + died / 1e6, text]),
    ...Array.from({ length: chatter }, (_, n): [number, string] => [
      1 + n + died / 1e5,
      `device number ${n} has come up`,
    ]),
    ...deathTexts(what).map((text, n): [number, string] => [died + n * 0.0001, text]),
  ];
}
const console = (lines: readonly [number, string][]): string =>
  lines.map(([seconds, text]) => `[${seconds.toFixed(6).padStart(12)}] ${text}\n`).join('');
const witness = (text: string, more: Partial<Witness> = {}): Witness => ({
  ...bootsOf(text, { source: 'log', kind: 'log', host: null, bootTime: null })[0]!,
  ...more,
});

function inFolder(files: Record<string, string | Buffer>, work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-incident-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(join(folder, name, '..'), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const mergeFolder = (folder: string): { incidents: MergedIncident[]; problems: readonly string[] } => {
  const { witnesses, problems } = readSources([folder], () => []);
  return { incidents: mergeWitnesses(witnesses), problems };
};

const began = Date.UTC(2026, 5, 1, 12);
const received = (lines: readonly [number, string][]): string =>
  lines
    .map(
      ([seconds, text], n) =>
        `${JSON.stringify({ seq: n, us: Math.round(seconds * 1e6), level: 6, caller: null, text, received: began + seconds * 1000 + 3 })}\n`,
    )
    .join('');

/** As journalctl -o export writes it. */
function journalExport(lines: readonly [number, string][], bootId: string, ahead: number): Buffer {
  return Buffer.concat(
    lines.map(([seconds, text]) => {
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
      return Buffer.concat([
        Buffer.from(
          `__CURSOR=s=1\n__REALTIME_TIMESTAMP=${Math.round((began + ahead + seconds * 1000) * 1000)}\n_BOOT_ID=${bootId}\n_TRANSPORT=kernel\n_HOSTNAME=web1\nSYSLOG_IDENTIFIER=kernel\nPRIORITY=4\n_SOURCE_MONOTONIC_TIMESTAMP=${Math.round(seconds * 1e6)}\nMESSAGE\n`,
        ),
        length,
        Buffer.from(`${text}\n\n`),
      ]);
    }),
  );
}

test('a folder with everything that one death left, and another death of the same bug, is two incidents', () => {
  const first = messages(500);
  const second = messages(900.5);
  inFolder(
    {
      'netconsole/192.0.2.1_6665/2026-06-01T120000Z.log': console(first.slice(5)),
      'netconsole/192.0.2.1_6665/2026-06-01T120000Z.jsonl': received(first.slice(5)),
      'serial.log': console(first.map(([seconds, text]) => [seconds, text])),
      'journal.export': journalExport(first.slice(0, 20), 'a'.repeat(32), 90_000),
      'pstore/dmesg-ramoops-0': `Panic#1 Part1\n${console(first.slice(-9))}`,
      'other/dmesg.txt': console(second),
      'readme.txt': 'nothing of a kernel\n',
      'picture.bin': Buffer.alloc(100),
    },
    (folder) => {
      const { incidents, problems } = mergeFolder(folder);
      assert.equal(incidents.length, 2, JSON.stringify(incidents.map(({ sources }) => sources)));
      const one = incidents.find(({ sources }) => sources.length > 1)!;
      assert.deepEqual(one.sources.map(({ kind }) => kind).sort(), ['log', 'log', 'netconsole', 'pstore']);
      assert.equal(one.signature, incidents.find((other) => other !== one)!.signature);
      assert.equal(one.title, 'BUG: unable to handle kernel NULL pointer dereference in demo_open');
      assert.equal(one.fatal, true);
      assert.equal(one.release, '6.12.0');
      // the receiver's clock; the machine's own was a minute and a half ahead
      assert.ok(Math.abs(Date.parse(one.time!) - (began + 500_000)) < 50, one.time!);
      const ahead = one.sources.find(({ source }) => source.includes('journal'))!.clockAhead!;
      assert.ok(Math.abs(ahead - 90_000) < 10, String(ahead));
      assert.equal(one.contradictions.length, 0, JSON.stringify(one.contradictions));
      const died = one.timeline.filter(({ weight }) => weight === 'death');
      assert.equal(died[0]!.what, one.title);
      assert.deepEqual(
        [...one.timeline].sort((a, b) => a.seconds! - b.seconds!),
        one.timeline,
      );
      assert.match(problems.join('\n'), /picture\.bin/);
    },
  );
});

test('the same bug on two boots is two deaths; what the sources say differently is shown', () => {
  const log = witness(console(messages(100)));
  const other = witness(console(messages(200)));
  assert.equal(mergeWitnesses([log, other]).length, 2);
  const changed = witness(console(messages(100)).replaceAll('PID: 1 Comm: init', 'PID: 7 Comm: sh'), {
    source: 'second',
  });
  const [one, ...rest] = mergeWitnesses([log, changed]);
  assert.equal(rest.length, 0);
  assert.deepEqual(one!.contradictions, [
    {
      what: 'task',
      values: [
        { value: 'init (pid 1)', sources: ['log'] },
        { value: 'sh (pid 7)', sources: ['second'] },
      ],
    },
  ]);
});

test('what tells two boots apart: ids and releases, though lines agree', () => {
  const text = console(messages(100));
  assert.equal(mergeWitnesses([witness(text, { bootId: 'a' }), witness(text, { bootId: 'b' })]).length, 2);
  assert.equal(
    mergeWitnesses([witness(text, { bootId: 'a', release: null }), witness(text, { bootId: 'a' })]).length,
    1,
  );
  assert.equal(mergeWitnesses([witness(text), witness(text, { release: '5.10.0' })]).length, 2);
});

test('a report without stamps belongs to the one with the same registers', () => {
  const registers = [
    'RAX: 0000000000000001 RBX: 00000000000000a2 RCX: 00000000deadbeef',
    'RDX: 0000000000000004 RSI: 0000000000000005 RDI: 0000000000000006',
  ];
  const texts = [...deathTexts().slice(0, 5), ...registers, ...deathTexts().slice(5)];
  const stamped = witness(console(texts.map((text, n) => [50 + n / 1000, text])));
  const bare = witness(`${texts.join('\n')}\n`, { source: 'bare' });
  const otherwise = witness(`${texts.join('\n').replace('deadbeef', 'deadbee0')}\n`, { source: 'otherwise' });
  assert.equal(mergeWitnesses([stamped, bare]).length, 1);
  assert.equal(mergeWitnesses([stamped, otherwise]).length, 2);
});

test('a log of several boots is cut where they begin; a living boot without incident is none', () => {
  const text = console(messages(300)) + console(messages(400, 'second_open')) + console(messages(5).slice(0, 10));
  const witnesses = bootsOf(text, { source: 'serial', kind: 'log', host: null, bootTime: null });
  assert.deepEqual(
    witnesses.map(({ incidents }) => incidents.map(({ guilty }) => guilty?.function)),
    [['demo_open'], ['second_open'], []],
  );
  assert.equal(mergeWitnesses(witnesses).length, 2);
});

test('hardware errors of all sources count once', () => {
  const lines: [number, string][] = [
    ...messages(100),
    [120, 'mce: [Hardware Error]: CPU 4: Machine Check: 0 Bank 13: 8c00004001010091'],
    [120.1, 'mce: [Hardware Error]: TSC 0 ADDR 12345678c0 MISC 86 '],
    [120.2, 'mce: [Hardware Error]: PROCESSOR 0:50654 TIME 1717236000 SOCKET 1 APIC 40 microcode 2006e05'],
  ];
  const [one] = mergeWitnesses([witness(console(lines)), witness(console(lines), { source: 'second' })]);
  assert.equal(one!.hardware.length, 1);
  assert.match(one!.hardware[0]!, /\(1 error\)/);
});

test('damaged files of a folder are said or read, never fatal', () => {
  const good = journalExport(messages(60), 'b'.repeat(32), 0);
  fc.assert(
    fc.property(
      fc.nat(good.length),
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 20 }),
      (length, flips) => {
        const damaged = Buffer.from(good);
        for (const [at, value] of flips) damaged[at] = value;
        inFolder({ 'journal.export': damaged.subarray(0, length), 'good.log': console(messages(70)) }, (folder) => {
          assert.ok(mergeFolder(folder).incidents.length >= 1);
        });
      },
    ),
    { numRuns: 40 },
  );
});

test('logs and exports that were packed when they were rotated are read, and what a cut one has', () => {
  const text = Buffer.from(console(messages(50)));
  const entries = messages(50)
    .map(
      ([seconds, message]) =>
        `__CURSOR=s=1\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_TRANSPORT=kernel\nSYSLOG_IDENTIFIER=kernel\n_SOURCE_MONOTONIC_TIMESTAMP=${Math.round(seconds * 1e6)}\nMESSAGE=${message}\n\n`,
    )
    .join('');
  // what deflate cannot pack stands behind the death
  const noise = Array.from({ length: 4000 }, (_, n) => `[   60.${String(n).padStart(6, '0')}] ${Math.sin(n)}\n`).join(
    '',
  );
  const long = gzipSync(Buffer.concat([text, Buffer.from(noise)]));
  for (const [name, file, problems] of [
    ['messages.1.gz', gzipSync(text), 0],
    ['console.log.zst', zstdCompressSync(text), 0],
    ['journal.export.gz', gzipSync(Buffer.from(entries)), 0],
    ['cut.gz', long.subarray(0, long.length - 1000), 1],
  ] as const)
    inFolder({ [name]: file, 'console.txt': text }, (folder) => {
      const merged = mergeFolder(folder);
      assert.equal(merged.incidents.length, 1, name);
      assert.equal(merged.incidents[0]!.sources.length, 2, name);
      assert.equal(merged.problems.length, problems, merged.problems.join());
    });
  inFolder({ 'core.gz': gzipSync(Buffer.alloc(4096)) }, (folder) => {
    assert.match(mergeFolder(folder).problems.join(), /core\.gz: holds no text/);
  });
});

test('some lines that two machines print at the same microsecond do not make one death of two', () => {
  const dying = (early: number, what: string): [number, string][] => [
    ...Array.from({ length: 400 }, (_, n): [number, string] => [
      n < 6 ? 0.004 * (n + 1) : 0.1 + n / 100 + early,
      `memory range number ${n} was found`,
    ]),
    ...deathTexts(what).map((text, n): [number, string] => [50 + early + n * 0.0001, text]),
  ];
  inFolder({ 'one.log': console(dying(0, 'demo_open')), 'two.log': console(dying(0.000123, 'other_read')) }, (folder) =>
    assert.equal(mergeFolder(folder).incidents.length, 2),
  );
});

/** As two machines of one image print when they die at the same place: `stack` tells them apart. */
const registers = (stack: string): string[] => [
  `RSP: 0018:ffffc9000${stack}7d8 EFLAGS: 00010246`,
  `RAX: 0000000000000000 RBX: ffff88810${stack}100 RCX: ffff88810${stack}200`,
  `RDX: ffff88810${stack}300 RSI: ffff88810${stack}400 RDI: ffff88810${stack}500`,
];
const report = (stack: string, stamp: (n: number) => string): string => {
  const texts = deathTexts();
  return [...texts.slice(0, 5), ...registers(stack), ...texts.slice(5)]
    .map((text, n) => `${stamp(n)}${text}\n`)
    .join('');
};

test('machines that die alike at the same moment are two deaths: at time 0, by the stamp, after one power cut', () => {
  const at = (seconds: number) => (n: number) => `[${(seconds + n * 0.0001).toFixed(6).padStart(12)}] `;
  const still = () => '[    0.000000] ';
  const began = { bootTime: Date.UTC(2026, 5, 1), host: null };
  const pairs: [string, Witness, Witness][] = [
    ['at time 0', witness(report('a1b2', still)), witness(report('a1b2', still))],
    ['within a millisecond', witness(report('a1b2', at(3.5))), witness(report('c3d4', at(3.50003)))],
    ['booted together', witness(report('a1b2', at(7)), began), witness(report('c3d4', at(7.5)), began)],
    ['and one died later', witness(report('a1b2', at(7)), began), witness(report('a1b2', at(70)), began)],
  ];
  for (const [what, a, b] of pairs) assert.equal(mergeWitnesses([a, b]).length, 2, what);
  // as one, where nothing says otherwise
  const same = witness(report('a1b2', at(3.5)));
  assert.equal(mergeWitnesses([same, witness(report('a1b2', at(3.50003)))]).length, 1);
});

test('who could be of either boot does not make one death of both', () => {
  const texts = console(messages(500));
  const [first, second] = ['first', 'second'].map((bootId) => witness(texts, { bootId, source: bootId }));
  const other = witness(texts, { source: 'console' });
  for (const order of [
    [first!, other, second!],
    [other, second!, first!],
    [first!, second!, other],
  ]) {
    const merged = mergeWitnesses(order);
    assert.deepEqual(
      merged.map(({ sources }) => sources.length).sort(),
      [1, 2],
      order.map(({ source }) => source).join(),
    );
  }
});

test('the boots of a hall of machines are told apart in seconds', () => {
  const witnesses = Array.from({ length: 800 }, (_, n) => {
    const texts = messages(300 + n * 0.37, `demo_${n % 50}`, 40);
    return witness(console(texts), { source: `log ${n}` });
  });
  const again = witness(console(messages(300, 'demo_0', 40)), { source: 'again' });
  const before = process.cpuUsage();
  const merged = mergeWitnesses([...witnesses, again]);
  const { user } = process.cpuUsage(before);
  assert.equal(merged.length, 800);
  assert.ok(user / 1e6 < 8, `${user / 1e6} s`);
});
