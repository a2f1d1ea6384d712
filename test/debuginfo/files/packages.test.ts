import assert from 'node:assert/strict';
import { test } from 'node:test';
import { debugPackage } from '../../../src/debuginfo/files/packages.ts';

const table: readonly (readonly [release: string, banner: string, distribution: string, name: string])[] = [
  ['6.1.0-50-cloud-amd64', '', 'Debian', 'linux-image-6.1.0-50-cloud-amd64-dbg'],
  ['6.12.117+deb12-cloud-amd64', '', 'Debian', 'linux-image-6.12.117+deb12-cloud-amd64-dbg'],
  ['7.2.13+deb14-cloud-amd64', '', 'Debian', 'linux-image-7.2.13+deb14-cloud-amd64-dbg'],
  ['5.10.0-28-rt-arm64', '', 'Debian', 'linux-image-5.10.0-28-rt-arm64-dbg'],
  ['6.1.0-0.deb11.13-amd64', '', 'Debian', 'linux-image-6.1.0-0.deb11.13-amd64-dbg'],
  [
    '5.15.0-91-generic',
    'Linux version 5.15.0-91-generic (buildd@lcy02) (gcc (Ubuntu 11.4.0))',
    'Ubuntu',
    'linux-image-unsigned-5.15.0-91-generic-dbgsym',
  ],
  ['6.8.0-1021-aws', '', 'Ubuntu', 'linux-image-unsigned-6.8.0-1021-aws-dbgsym'],
  ['5.14.0-362.8.1.el9_3.x86_64', '', 'RHEL and its rebuilds', 'kernel-debuginfo-5.14.0-362.8.1.el9_3.x86_64'],
  ['4.18.0-513.el8.x86_64+debug', '', 'RHEL and its rebuilds', 'kernel-debug-debuginfo-4.18.0-513.el8.x86_64'],
  ['5.14.0-427.el9.aarch64+64k', '', 'RHEL and its rebuilds', 'kernel-64k-debuginfo-5.14.0-427.el9.aarch64'],
  ['6.5.6-300.fc39.x86_64', '', 'Fedora', 'kernel-debuginfo-6.5.6-300.fc39.x86_64'],
  [
    '5.15.0-101.103.2.1.el8uek.x86_64',
    '',
    'Oracle Linux (UEK)',
    'kernel-uek-debuginfo-5.15.0-101.103.2.1.el8uek.x86_64',
  ],
  ['6.1.61-85.141.amzn2023.x86_64', '', 'Amazon Linux', 'kernel-debuginfo-6.1.61-85.141.amzn2023.x86_64'],
  ['5.14.21-150500.55.39-default', '', 'SUSE', 'kernel-default-debuginfo-5.14.21-150500.55.39'],
  ['6.6.3-1-default', '', 'SUSE', 'kernel-default-debuginfo-6.6.3-1'],
];

test('a kernel that somebody built, and one that only looks like a distribution’s, have no package', () => {
  assert.equal(debugPackage('6.9.0-rc3+', ''), null);
  assert.equal(debugPackage('5.15.0-91-generic', 'Linux version 5.15.0-91-generic (me@home) (gcc 12)'), null);
  assert.equal(debugPackage('', ''), null);
});

for (const [release, banner, distribution, name] of table) {
  test(`the package of ${release}`, () => {
    const found = debugPackage(release, banner);
    assert.deepEqual([found?.distribution, found?.name], [distribution, name]);
    assert.ok(found!.install.includes(name));
  });
}
