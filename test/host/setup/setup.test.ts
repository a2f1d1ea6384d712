import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { UsageError } from '../../../src/base/errors.ts';
import { checkHost } from '../../../src/host/check.ts';
import { Host } from '../../../src/host/host.ts';
import { HostRoot } from '../../../src/host/root.ts';
import { type Action, actionText, perform } from '../../../src/host/setup/actions.ts';
import { kernelInstallText, postinstText } from '../../../src/host/setup/files.ts';
import { parseTarget, planRemove, planSetup, type SetupOptions } from '../../../src/host/setup/setup.ts';
import { hostTree, readyMachine, type Tree } from '../../support/host_tree.ts';

const none = {
  '/etc/kdump.conf': null,
  '/etc/sysconfig/kdump': null,
  '/etc/systemd/system/multi-user.target.wants/kdump.service': null,
};
const debian: Tree = {
  ...readyMachine,
  ...none,
  '/usr/sbin/update-grub': '#!/bin/sh\n',
  '/etc/udev/rules.d/': '',
  '/etc/kernel/postinst.d/': '',
};
const options: SetupOptions = { targets: [], crashkernel: null, replace: false, inquest: '/usr/bin/inquest' };

const written = (actions: readonly Action[]): readonly string[] =>
  actions.flatMap((one) => (one.kind === 'write' ? [one.path] : []));
const run = (actions: readonly Action[]): readonly string[] =>
  actions.flatMap((one) => (one.kind === 'run' ? [one.command.join(' ')] : []));

test('Debian without kdump: configuration, unit, rules and hooks; crashkernel= only where more is needed', () => {
  const root = hostTree({
    ...debian,
    '/proc/cmdline': 'quiet\n',
    '/sys/kernel/kexec_crash_size': '0\n',
    '/proc/iomem': '',
  });
  const { actions, needsReboot } = planSetup(new Host(root), options);
  assert.deepEqual(written(actions), [
    '/var/lib/inquest/kdump/setup.json',
    '/etc/inquest/kdump.toml',
    '/etc/systemd/system/inquest-kdump.service',
    '/etc/udev/rules.d/98-inquest-kdump.rules',
    '/etc/kernel/postinst.d/zz-inquest-kdump',
    '/etc/default/grub.d/zz-inquest-kdump.cfg',
  ]);
  assert.deepEqual(run(actions), ['update-grub', 'systemctl daemon-reload', 'systemctl enable inquest-kdump.service']);
  assert.equal(needsReboot, true);
  const reserved = planSetup(
    new Host(
      hostTree({ ...debian, '/proc/cmdline': 'crashkernel=1G', '/sys/kernel/kexec_crash_size': String(2 ** 30) }),
    ),
    options,
  );
  assert.ok(!run(reserved.actions).includes('update-grub'));
  assert.ok(run(reserved.actions).includes('systemctl restart inquest-kdump.service'));
});

test('Fedora: the boot loader is changed by grubby, and changed back', () => {
  const root = hostTree({ ...readyMachine, ...none, '/usr/sbin/grubby': '' });
  const { actions } = planSetup(new Host(root), { ...options, crashkernel: '512M' });
  assert.ok(run(actions).includes('grubby --update-kernel=ALL --args=crashkernel=512M'));
  perform(root, actions, () => undefined);
  assert.ok(run(planRemove(new Host(root))).includes('grubby --update-kernel=ALL --remove-args=crashkernel=512M'));
});

test('another kdump is left alone, or its place is taken and given back: never both', () => {
  const host = (): Host => new Host(hostTree({ ...readyMachine, '/usr/sbin/update-grub': '' }));
  assert.throws(() => planSetup(host(), options), /kdump\.service saves dumps.*--replace/);
  const taken = host();
  const { actions, config } = planSetup(taken, { ...options, replace: true });
  assert.ok(run(actions).includes('systemctl disable --now kdump.service'));
  assert.equal(config.compression, 'lzo', 'its settings are taken over');
  perform(taken.root, actions, () => undefined);
  assert.ok(run(planRemove(new Host(taken.root))).includes('systemctl enable --now kdump.service'));
});

test('what setup writes is read back without a remark, and remove takes away what setup wrote, but the configuration', () => {
  const root = hostTree(debian);
  const { actions } = planSetup(new Host(root), {
    ...options,
    targets: [parseTarget('UUID=12:/dumps'), parseTarget('ssh:a@b:/c')],
  });
  perform(root, actions, () => undefined);
  const after = new Host(new HostRoot(root.dir));
  assert.equal(after.service?.family, 'inquest');
  assert.deepEqual(
    after.service.configuration.files.flatMap(({ remarks }) => remarks),
    [],
  );
  assert.ok(
    checkHost(after).findings.some(({ id, found }) => id === 'service' && /not started at boot/.test(found)),
    'systemctl was not run in another root',
  );
  perform(root, planRemove(after), () => undefined);
  for (const path of written(actions)) assert.equal(root.exists(path), path === '/etc/inquest/kdump.toml', path);
  assert.throws(() => planRemove(new Host(root)), UsageError);
});

test('where a package brought the unit, setup writes none, and remove leaves it', () => {
  const unit = '/usr/lib/systemd/system/inquest-kdump.service';
  const root = hostTree({ ...debian, [unit]: '[Unit]\n' });
  const { actions } = planSetup(new Host(root), options);
  assert.ok(!written(actions).some((path) => path.endsWith('.service')));
  assert.ok(run(actions).includes('systemctl enable inquest-kdump.service'));
  perform(root, actions, () => undefined);
  perform(root, planRemove(new Host(root)), () => undefined);
  assert.ok(root.exists(unit));
});

test('a record that names other files deletes none of them', () => {
  const root = hostTree({
    ...debian,
    '/etc/passwd': 'root',
    '/var/lib/inquest/kdump/setup.json':
      '{"files":["/etc/passwd"],"replaced":["x; rm -rf /"],"bootLoader":null,"crashkernel":null}',
  });
  perform(root, planRemove(new Host(root)), () => undefined);
  assert.ok(root.exists('/etc/passwd'));
});

test('a dry run shows every file whole', () => {
  const text = planSetup(new Host(hostTree(debian)), options)
    .actions.map(actionText)
    .join('');
  assert.match(text, /write \/etc\/systemd\/system\/inquest-kdump\.service .*\n {4}\| \[Unit\]/);
  assert.match(text, /\| ExecStart=\/usr\/bin\/inquest kdump load --rebuild/);
});

test('the hooks are scripts to a shell', () => {
  for (const text of [postinstText(), kernelInstallText()])
    assert.equal(spawnSync('sh', ['-n'], { input: text }).status, 0);
});

test('targets by one word; what is none is refused', () => {
  assert.deepEqual(parseTarget('/var/crash'), { kind: 'directory', device: null, fstype: null, path: '/var/crash' });
  assert.deepEqual(parseTarget('/dev/vdb:/x'), { kind: 'directory', device: '/dev/vdb', fstype: null, path: '/x' });
  assert.deepEqual(parseTarget('raw:/dev/vdb'), { kind: 'raw', device: '/dev/vdb' });
  assert.equal(parseTarget('ssh:u@h:/p').kind, 'ssh');
  assert.equal(parseTarget('https://h/f').kind, 'https');
  for (const bad of ['', 'crash', 'ftp:h:/x', 'ssh:-oX@y:/p', 'ssh:h:/p', 'nfs:h', '/dev/vdb', 'http://h'])
    assert.throws(() => parseTarget(bad), UsageError, bad);
});
