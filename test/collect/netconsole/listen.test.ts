// The receiver as a whole: sockets, threads, commands for incidents, logs that are followed, metrics, and a sudden end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { IncidentAlert } from '../../../src/collect/netconsole/alerts.ts';
import { Listener, type ListenOptions } from '../../../src/collect/netconsole/listener.ts';
import { basicPackets, deathTexts, extendedPackets } from '../../support/netconsole_writer.ts';
import { freePort, UdpSender } from '../../support/udp_sender.ts';
import { killListener } from './killed_listener.ts';

interface Running {
  readonly folder: string;
  readonly alerts: IncidentAlert[];
  readonly troubles: string[];
  listener: Listener;
}

const listenOptions = (folder: string, more: Partial<ListenOptions>): ListenOptions => ({
  directory: join(folder, 'logs'),
  limits: { sourcePackets: 1e5, sourceBytes: 1e8, sources: 100, fileBytes: 1 << 26, fileAge: 1e9, hostBytes: 1 << 30 },
  networks: [],
  sockets: { addresses: ['127.0.0.1'], ports: [], count: 2 },
  threads: 1,
  follow: [],
  command: null,
  metricsPort: null,
  ...more,
});

async function withListener(
  more: (folder: string) => Partial<ListenOptions>,
  work: (running: Running) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-listen-'));
  const alerts: IncidentAlert[] = [];
  const troubles: string[] = [];
  const events = {
    incident: (alert: IncidentAlert) => void alerts.push(alert),
    trouble: (text: string) => void troubles.push(text),
  };
  const running = {
    folder,
    alerts,
    troubles,
    listener: await Listener.start(listenOptions(folder, more(folder)), events),
  };
  try {
    await work(running);
  } finally {
    await running.listener.end();
    rmSync(folder, { recursive: true });
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `in vain: ${what}`);
    await setTimeout(20);
  }
}

const console = (texts: readonly string[], from = 100): string =>
  texts.map((text, n) => `[  ${from}.${String(n).padStart(6, '0')}] ${text}\n`).join('');

test('packets of two machines on two ports come into files, are counted, and their deaths told', async () => {
  const ports = [await freePort(), await freePort()];
  const metricsPort = await freePort();
  await withListener(
    () => ({ sockets: { addresses: ['127.0.0.1'], ports, count: 2 }, threads: 2, metricsPort }),
    async ({ folder, alerts, listener }) => {
      const extended = await UdpSender.open(ports[0]!);
      const basic = await UdpSender.open(ports[1]!);
      const packets = deathTexts().flatMap((text, n) =>
        extendedPackets({ sequence: 10 + n, microseconds: 1e6 + n, text }),
      );
      const [first, second, third, ...rest] = packets;
      await extended.send([first!, ...rest, third!, second!, rest[2]!]);
      await basic.send(basicPackets(console(deathTexts('other_open'))));
      await until('both deaths', () => alerts.length === 2);
      assert.deepEqual(alerts.map(({ incident }) => incident.guilty?.function).sort(), ['demo_open', 'other_open']);
      for (const sender of [extended, basic]) {
        const own = join(folder, 'logs', sender.folder);
        const [log] = readdirSync(own).filter((name) => name.endsWith('.log'));
        assert.deepEqual(
          readFileSync(join(own, log!), 'utf8')
            .split('\n')
            .map((line) => line.replace(/^\[.*?\] /, ''))
            .slice(0, -1),
          deathTexts(sender === basic ? 'other_open' : 'demo_open'),
        );
        sender.close();
      }
      await until('counts', () => listener.health().counts.incidents === 2);
      const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      assert.match(metrics, new RegExp(`^inquest_packets_total ${packets.length + 2}$`, 'm'));
      assert.match(metrics, /^inquest_duplicates_total 1$/m);
      assert.match(metrics, /^inquest_dropped_total 0$/m);
      const health = await fetch(`http://127.0.0.1:${metricsPort}/health`);
      assert.deepEqual([health.status, await health.text()], [200, 'ok\n']);
    },
  );
});

test('an address that the machine does not have costs the others nothing; alone it is an error', async () => {
  const port = await freePort();
  const sockets = (addresses: string[]): Partial<ListenOptions> => ({
    sockets: { addresses, ports: [port], count: 1 },
  });
  await withListener(
    () => sockets(['192.0.2.99', '127.0.0.1']),
    async ({ folder }) => {
      const sender = await UdpSender.open(port);
      await sender.send(basicPackets('[    1.000000] hello\n'));
      await until('a folder', () => existsSync(join(folder, 'logs', sender.folder)));
      sender.close();
    },
  );
  await assert.rejects(
    withListener(
      () => sockets(['192.0.2.99']),
      async () => {},
    ),
    /EADDRNOTAVAIL/,
  );
});

test('a command is given what came from the wire as data, and is tried again until it ends well, by the next run too', async () => {
  const port = await freePort();
  const sockets = { addresses: ['127.0.0.1'], ports: [port], count: 1 };
  await withListener(
    (folder) => ({ sockets, command: `touch ${folder}/tried; exit 1` }),
    async (running) => {
      const { folder } = running;
      const sender = await UdpSender.open(port);
      const texts = deathTexts();
      texts[3] = 'CPU: 0 PID: 1 Comm: $(touch pwned)`;& Not tainted 6.12.0 #1';
      texts[0] = `BUG: $(touch ${folder}/pwned) \`touch ${folder}/pwned\` '; touch ${folder}/pwned`;
      texts.splice(1, 2);
      await sender.send(basicPackets(console(texts)));
      await until('a try', () => existsSync(join(folder, 'tried')));
      await running.listener.end();
      sender.close();
      assert.equal(readdirSync(join(folder, 'logs', '.spool')).length, 1);
      const command = `cat > ${folder}/json; printf '%s' "$INQUEST_TITLE" > ${folder}/title; mv ${folder}/json ${folder}/told`;
      running.listener = await Listener.start(listenOptions(folder, { sockets, command }), {
        incident() {},
        trouble() {},
      });
      await until('the command', () => existsSync(join(folder, 'told')));
      const told = JSON.parse(readFileSync(join(folder, 'told'), 'utf8')) as IncidentAlert;
      assert.equal(told.incident.title, readFileSync(join(folder, 'title'), 'utf8'));
      assert.match(told.incident.title, /\$\(touch/);
      assert.equal(existsSync(join(folder, 'pwned')), false);
      await until('an empty spool', () => readdirSync(join(folder, 'logs', '.spool')).length === 0);
    },
  );
});

test('a spool with what a loss of power left, and one that takes nothing, keep no incident from its command', async () => {
  const port = await freePort();
  const sockets = { addresses: ['127.0.0.1'], ports: [port], count: 1 };
  await withListener(
    (folder) => {
      const spool = join(folder, 'logs', '.spool');
      mkdirSync(spool, { recursive: true });
      for (const [n, text] of ['', '{"id":"1', '{}', 'null', '{"received":1e99,"incident":{}}'].entries())
        writeFileSync(join(spool, `1-${n}.json`), text);
      return { sockets, command: `cat > ${folder}/json; mv ${folder}/json ${folder}/told` };
    },
    async (running) => {
      const { folder, troubles } = running;
      const spool = join(folder, 'logs', '.spool');
      assert.deepEqual(
        readdirSync(spool).sort(),
        [0, 1, 2, 3, 4].map((n) => `1-${n}.json.bad`),
      );
      assert.equal(troubles.filter((text) => text.includes('is no incident')).length, 5);
      rmSync(spool, { recursive: true });
      writeFileSync(spool, '');
      const sender = await UdpSender.open(port);
      await sender.send(basicPackets(console(deathTexts('unspooled_open'))));
      await until('the command', () => existsSync(join(folder, 'told')));
      assert.match(readFileSync(join(folder, 'told'), 'utf8'), /unspooled_open/);
      assert.ok(troubles.some((text) => text.includes('waits in memory')));
      sender.close();
    },
  );
});

test('a log that cannot be read is told of, and keeps nobody from the others', async () => {
  await withListener(
    (folder) => {
      mkdirSync(join(folder, 'tty0'));
      writeFileSync(join(folder, 'tty1'), '');
      return { follow: [join(folder, 'tty0'), join(folder, 'tty1'), join(folder, 'tty2')] };
    },
    async ({ folder, alerts, troubles }) => {
      await until('what is wrong', () => troubles.length === 2);
      assert.match(troubles[0]!, /tty0: cannot be read \(EISDIR\)/);
      assert.match(troubles[1]!, /tty2: cannot be read \(ENOENT\)/);
      appendFileSync(join(folder, 'tty1'), console(deathTexts()));
      await until('the death', () => alerts.length === 1);
      rmSync(join(folder, 'tty0'), { recursive: true });
      writeFileSync(join(folder, 'tty0'), console(deathTexts()));
      await until('the other one', () => alerts.length === 2);
      assert.equal(troubles.length, 2);
    },
  );
});

test('serial logs are followed through rotation and from where they were left', async () => {
  await withListener(
    (folder) => {
      writeFileSync(join(folder, 'tty1'), console(deathTexts('long_ago')));
      return { follow: [join(folder, 'tty1'), join(folder, 'tty2')] };
    },
    async (running) => {
      const { folder, alerts } = running;
      const texts = deathTexts('rotated_open');
      await setTimeout(300);
      appendFileSync(join(folder, 'tty1'), console(texts.slice(0, 6)));
      renameSync(join(folder, 'tty1'), join(folder, 'tty1.1'));
      // whoever rotates makes the new file, and the writer goes on with the old one for a while
      writeFileSync(join(folder, 'tty1'), '');
      await setTimeout(600);
      appendFileSync(join(folder, 'tty1.1'), console(texts.slice(6, 7), 101));
      writeFileSync(join(folder, 'tty1'), console(texts.slice(7), 102));
      writeFileSync(join(folder, 'tty2'), console(deathTexts('late_open')));
      await until('both deaths', () => alerts.length === 2);
      assert.deepEqual(alerts.map(({ incident }) => incident.guilty?.function).sort(), ['late_open', 'rotated_open']);
      const rotated = alerts.find(({ host }) => host === 'tty1')!;
      assert.ok(rotated.incident.panic !== null);
      // while nobody listens
      await running.listener.end();
      appendFileSync(join(folder, 'tty2'), console(deathTexts('missed_open'), 300));
      running.listener = await Listener.start(listenOptions(folder, { follow: [join(folder, 'tty2')] }), {
        incident: (alert) => alerts.push(alert),
        trouble() {},
      });
      await until('what was missed', () => alerts.length === 3);
      assert.equal(alerts[2]!.incident.guilty?.function, 'missed_open');
    },
  );
});

test('a kill in the middle of a flood loses a moment, and no line that is in a file', async () => {
  await killListener(2, 5000, 1500);
});

test('more machines than descriptors: all is written, and nobody is bothered with it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-listen-'));
  const port = await freePort();
  const words = [
    resolve('src/cli/main.ts'),
    'listen',
    folder,
    '-p',
    `${port}`,
    '--address',
    '127.0.0.1',
    '--sockets',
    '1',
  ];
  // 64 of them are two files each
  const child = spawn('/bin/sh', ['-c', 'ulimit -n 90; exec "$0" "$@"', process.execPath, ...words]);
  const senders: UdpSender[] = [];
  try {
    let said = '';
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
    await until('a start', () => said.includes('listening'));
    for (let n = 0; n < 64; n++) senders.push(await UdpSender.open(port));
    for (let n = 1; n <= 10; n++) {
      for (const sender of senders)
        await sender.send(extendedPackets({ sequence: n, microseconds: n * 1000, text: `line ${n} of ten` }));
      await setTimeout(50);
    }
    child.kill('SIGTERM');
    await once(child, 'exit');
    assert.doesNotMatch(said, /cannot be written/);
    for (const sender of senders) {
      const names = readdirSync(join(folder, sender.folder)).sort();
      assert.equal(names.length, 2, names.join());
      const log = readFileSync(join(folder, sender.folder, names.find((name) => name.endsWith('.log'))!), 'utf8');
      assert.equal(log.match(/line \d+ of ten/g)?.length, 10, `${said}\n${log}`);
    }
  } finally {
    child.kill('SIGKILL');
    for (const sender of senders) sender.close();
    rmSync(folder, { recursive: true });
  }
});
