import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadCapture } from '../../src/host/capture_image.ts';
import { checkHost } from '../../src/host/check.ts';
import { defaultConfig } from '../../src/host/config/capture_config.ts';
import { Host } from '../../src/host/host.ts';
import { bzImage, hostTree, readyMachine, release } from '../support/host_tree.ts';

const capture = '/var/lib/inquest/kdump';

test('a kernel and an initramfs of two releases are not loaded together, and check tells it', () => {
  const root = hostTree({
    ...readyMachine,
    '/usr/sbin/kexec': '#!/bin/sh\n',
    '/etc/inquest/kdump.toml': '[[target]]\ntype = "directory"\n',
    '/etc/kdump.conf': null,
    '/etc/sysconfig/kdump': null,
    '/etc/systemd/system/multi-user.target.wants/kdump.service': null,
    [`${capture}/vmlinuz`]: bzImage('5.4.0-other'),
    [`${capture}/initramfs.img`]: 'modules',
    [`${capture}/manifest.json`]: JSON.stringify({ release, recipe: 'x' }),
  });
  assert.throws(() => loadCapture(new Host(root), defaultConfig), /5\.4\.0-other.*modules of 6\.12\.9-test.*rebuild/s);
  const found = checkHost(new Host(root)).findings.find(({ id }) => id === 'capture-release');
  assert.equal(found?.state, 'failed');
  assert.match(found?.found ?? '', /5\.4\.0-other, and the modules of its initramfs are of 6\.12\.9-test/);
});
