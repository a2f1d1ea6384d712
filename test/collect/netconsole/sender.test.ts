// The sending side: routes and neighbours as /proc has them, what is printed, and what configfs is told.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Listener } from '../../../src/collect/netconsole/listener.ts';
import {
  configfsCommands,
  gatewayTo,
  moduleParameter,
  neighbour4,
  planSender,
  type SenderSettings,
  targets,
} from '../../../src/collect/netconsole/sender.ts';
import { applyTarget, removeTarget, testTarget } from '../../../src/collect/netconsole/target.ts';
import { basicPackets } from '../../support/netconsole_writer.ts';
import { freePort, UdpSender } from '../../support/udp_sender.ts';

const settings: SenderSettings = {
  device: 'eth0',
  localAddress: '192.0.2.7',
  localPort: 6665,
  remoteAddress: '198.51.100.9',
  remotePort: 6666,
  remoteMac: '52:54:00:12:34:56',
  gateway: '192.0.2.1',
  extended: true,
  release: true,
};

async function inRoot(files: Record<string, string>, work: (root: string) => Promise<void> | void): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'inquest-root-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    await work(root);
  } finally {
    rmSync(root, { recursive: true });
  }
}

const routes = [
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
  'eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
  'eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0',
  'eth0\t006433C6\t020200C0\t0003\t0\t0\t50\t00FFFFFF\t0\t0\t0',
  'eth1\t006433C6\t030200C0\t0003\t0\t0\t1\t00FFFFFF\t0\t0\t0',
  '',
].join('\n');

test('the router is that of the narrowest route of the device', () =>
  inRoot({ 'proc/net/route': routes }, (root) => {
    assert.equal(gatewayTo('192.0.2.99', 'eth0', root), null);
    assert.equal(gatewayTo('203.0.113.1', 'eth0', root), '192.0.2.1');
    assert.equal(gatewayTo('198.51.100.9', 'eth0', root), '192.0.2.2');
    assert.equal(gatewayTo('198.51.100.9', 'eth2', root), null);
  }));

test('the same for IPv6', () =>
  inRoot(
    {
      'proc/net/ipv6_route': [
        '20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0',
        '00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0',
        '',
      ].join('\n'),
    },
    (root) => {
      assert.equal(gatewayTo('2001:db8::5', 'eth0', root), null);
      assert.equal(gatewayTo('2001:db9::5', 'eth0', root), 'fe80:0:0:0:0:0:0:1');
    },
  ));

test('a neighbour counts when its address is known', () =>
  inRoot(
    {
      'proc/net/arp': [
        'IP address       HW type     Flags       HW address            Mask     Device',
        '192.0.2.1        0x1         0x2         52:54:00:12:35:02     *        eth0',
        '192.0.2.2        0x1         0x0         00:00:00:00:00:00     *        eth0',
        '',
      ].join('\n'),
    },
    (root) => {
      assert.equal(neighbour4('192.0.2.1', 'eth0', root), '52:54:00:12:35:02');
      assert.equal(neighbour4('192.0.2.2', 'eth0', root), null);
      assert.equal(neighbour4('192.0.2.1', 'eth1', root), null);
    },
  ));

test('the parameter and the commands are as the kernel reads them', () => {
  assert.equal(moduleParameter(settings), '+r6665@192.0.2.7/eth0,6666@198.51.100.9/52:54:00:12:34:56');
  assert.equal(
    moduleParameter({ ...settings, extended: false, release: false, remoteMac: null }),
    '6665@192.0.2.7/eth0,6666@198.51.100.9/',
  );
  const commands = configfsCommands(settings, 'inquest');
  assert.deepEqual(commands.slice(0, 3), [
    'modprobe netconsole',
    'mkdir /sys/kernel/config/netconsole/inquest',
    'echo eth0 > /sys/kernel/config/netconsole/inquest/dev_name',
  ]);
  assert.equal(commands.at(-1), 'echo 1 > /sys/kernel/config/netconsole/inquest/enabled');
});

test('a target is made, shown and taken away; where there is no configfs that is said', () =>
  inRoot({ 'sys/kernel/config/netconsole/other/enabled': '0\n' }, (root) => {
    applyTarget(settings, 'inquest', root);
    const own = targets(root).find(({ name }) => name === 'inquest');
    assert.equal(own?.attributes.get('remote_ip'), '198.51.100.9');
    assert.equal(own?.attributes.get('enabled'), '1');
    assert.throws(() => applyTarget(settings, 'inquest', root), /is there already/);
    assert.throws(() => removeTarget('none', root), /no such target/);
    assert.equal(readFileSync(join(root, 'sys/kernel/config/netconsole/other/enabled'), 'utf8'), '0\n');
    // the kernel's own attributes go with the folder; these are files
    for (const name of readdirSync(join(root, 'sys/kernel/config/netconsole/inquest')))
      if (name !== 'enabled') rmSync(join(root, 'sys/kernel/config/netconsole/inquest', name));
    assert.throws(() => removeTarget('inquest', root), /cannot be taken away/);
    assert.equal(readFileSync(join(root, 'sys/kernel/config/netconsole/inquest/enabled'), 'utf8'), '0');
    assert.throws(() => applyTarget(settings, 'inquest', join(root, 'nowhere')), /netconsole module/);
    assert.equal(existsSync(join(root, 'nowhere')), false);
  }));

test('this machine itself is no receiver, and a name without address is said', async () => {
  const wishes = { device: null, localPort: 6665, basic: false };
  await assert.rejects(planSender('127.0.0.1', 6666, wishes), /is this machine/);
  await assert.rejects(planSender('no-such-host.invalid', 6666, wishes), /has no address/);
});

test('a test is answered by the receiver that got the message, and by nobody else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'inquest-tested-'));
  const port = await freePort();
  const limits = { sourcePackets: 1e5, sourceBytes: 1e8, sources: 10, fileBytes: 1e6, fileAge: 1e9, hostBytes: 1e7 };
  const listener = await Listener.start(
    {
      directory: folder,
      limits,
      networks: [],
      sockets: { addresses: ['127.0.0.1'], ports: [port], count: 1 },
      threads: 1,
      follow: [],
      command: null,
      metricsPort: null,
    },
    { incident() {}, trouble() {} },
  );
  const sender = await UdpSender.open(port);
  try {
    assert.equal(
      await testTarget('127.0.0.1', (text) => void sender.send(basicPackets(`[    1.000000] ${text}\n`))),
      true,
    );
    assert.equal(await testTarget('127.0.0.1', () => {}), false);
  } finally {
    await listener.end();
    rmSync(folder, { recursive: true });
  }
});
