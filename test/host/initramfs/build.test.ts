import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { NotFoundError } from '../../../src/base/errors.ts';
import { captureCommandLine } from '../../../src/host/capture_image.ts';
import { type CaptureConfig, defaultConfig } from '../../../src/host/config/capture_config.ts';
import { listImage } from '../../../src/host/cpio.ts';
import { Host } from '../../../src/host/host.ts';
import { buildInitramfs } from '../../../src/host/initramfs/build.ts';
import { type CapturePlan, capturePlan } from '../../../src/host/initramfs/capture_plan.ts';
import { initScript } from '../../../src/host/initramfs/init_script.ts';
import { dynamicNeeds } from '../../../src/host/initramfs/libraries.ts';
import type { Program } from '../../../src/host/initramfs/program_files.ts';
import { targetStack } from '../../../src/host/target_stack.ts';
import { hostTree, readyMachine, release, type Tree } from '../../support/host_tree.ts';

const program: Program = {
  files: new Map([['bin/node', { kind: 'file', bytes: Buffer.from('node'), mode: 0o755 }]]),
  node: '/bin/sh',
};
const config: CaptureConfig = {
  ...defaultConfig,
  targets: [{ kind: 'directory', device: null, fstype: null, path: '/var/crash' }],
};

const modules = Object.fromEntries(
  ['virtio', 'virtio_blk', 'virtio_pci', 'ext4', 'jbd2', 'loop', 'squashfs'].map((name) => [
    `/lib/modules/${release}/kernel/${name}.ko`,
    `\x7fELF ${name}`,
  ]),
);
const tree: Tree = {
  ...readyMachine,
  ...modules,
  [`/lib/modules/${release}/modules.dep`]: (readyMachine[`/lib/modules/${release}/modules.dep`] as string).replaceAll(
    '.ko.xz',
    '.ko',
  ),
  '/etc/kdump.conf': null,
  '/etc/inquest/kdump.toml': '[[target]]\ntype = "directory"\n',
  '/bin/busybox': 'busybox',
  '/dev/vda1': 'a device',
  '/dev/disk/by-uuid/1111-2222': { link: '../../vda1' },
};

function planOf(of: CaptureConfig): CapturePlan {
  const host = new Host(hostTree(tree));
  return capturePlan(
    host,
    of,
    of.targets.map((target) => targetStack(host.root, target)),
  );
}

test('it has the modules of the target in an order in which they load, and the same input gives the same bytes', () => {
  const built = buildInitramfs(new Host(hostTree(tree)), config, { ...program, node: process.execPath });
  assert.deepEqual(built.warnings, []);
  for (const [name, need] of [
    ['virtio_blk', 'virtio'],
    ['ext4', 'jbd2'],
  ] as const) {
    assert.ok(built.modules.indexOf(need) < built.modules.indexOf(name), `${need} before ${name}`);
  }
  const { paths } = listImage(built.image());
  for (const path of [
    'init',
    'bin/busybox',
    'program.squashfs',
    'etc/inquest/plan.json',
    'lib/modules/ext4.ko',
    'proc',
  ])
    assert.ok(paths.includes(path), path);
  assert.ok(
    paths.some((path) => path.endsWith('libc.so.6')),
    "the libraries of Node's file come along",
  );
  const again = buildInitramfs(new Host(hostTree(tree)), config, { ...program, node: process.execPath });
  assert.ok(built.image().equals(again.image()));
});

test('firmware that a module names comes along where the machine has it, and nothing from elsewhere', () => {
  const asks =
    'license=GPL\0firmware=nic/one.bin\0firmware=nic/two.bin\0firmware=../../etc/shadow\0firmware=none.bin\0';
  const root = hostTree({
    ...tree,
    [`/lib/modules/${release}/kernel/ext4.ko`]: `\x7fELF ext4\0${asks}`,
    '/lib/firmware/nic/one.bin': 'ONE',
    '/lib/firmware/nic/two.bin.zst': 'TWO',
    '/etc/shadow': 'secret',
  });
  const { paths } = listImage(buildInitramfs(new Host(root), config, program).image());
  assert.deepEqual(
    paths.filter((path) => /firmware\/.*\.|shadow/.test(path)),
    ['lib/firmware/nic/one.bin', 'lib/firmware/nic/two.bin.zst'],
  );
});

test('another module, setting or program is another recipe', () => {
  const recipe = (changes: Tree, changed: Partial<CaptureConfig> = {}, by = program): string =>
    buildInitramfs(new Host(hostTree({ ...tree, ...changes })), { ...config, ...changed }, by).recipe;
  const same = recipe({});
  assert.equal(recipe({ '/etc/motd': 'x' }), same);
  assert.notEqual(recipe({ [`/lib/modules/${release}/kernel/ext4.ko`]: 'other' }), same);
  assert.notEqual(recipe({}, { level: 1 }), same);
  assert.notEqual(
    recipe({}, {}, { ...program, files: new Map([['x', { kind: 'file', bytes: Buffer.from('y') }]]) }),
    same,
  );
});

/** What lies behind the archive with the program. */
function compressedPart(image: Buffer): Buffer {
  return gunzipSync(image.subarray(image.indexOf(Buffer.from([0x1f, 0x8b, 8]), image.indexOf('TRAILER!!!'))));
}

test('compressed modules are unpacked; a damaged one is an error that names it', () => {
  const packed = {
    ...tree,
    [`/lib/modules/${release}/kernel/ext4.ko`]: null,
    [`/lib/modules/${release}/modules.dep`]: (tree[`/lib/modules/${release}/modules.dep`] as string).replace(
      'ext4.ko',
      'ext4.ko.gz',
    ),
  };
  const place = `/lib/modules/${release}/kernel/ext4.ko.gz`;
  const whole = buildInitramfs(new Host(hostTree({ ...packed, [place]: gzipSync('\x7fELF ext4') })), config, program);
  assert.ok(compressedPart(whole.image()).includes('\x7fELF ext4'));
  assert.throws(
    () => buildInitramfs(new Host(hostTree({ ...packed, [place]: 'no gzip' })), config, program),
    /ext4\.ko\.gz: packed with something unknown/,
  );
});

test('without busybox and the tools in its place, and without modules, it is not built', () => {
  assert.throws(
    () => buildInitramfs(new Host(hostTree({ ...tree, '/bin/busybox': null })), config, program),
    NotFoundError,
  );
  assert.throws(
    () =>
      buildInitramfs(new Host(hostTree({ ...tree, [`/lib/modules/${release}/modules.dep`]: null })), config, program),
    NotFoundError,
  );
});

test('a module or a key that is not there is told, and the rest is built', () => {
  const ssh: CaptureConfig = {
    ...config,
    modules: ['none'],
    targets: [{ kind: 'ssh', host: 'a@b', port: null, key: '/k', knownHosts: '/h', path: '/' }],
  };
  const toml = '[[target]]\ntype = "ssh"\nhost = "a@b"\nkey = "/k"\nknown-hosts = "/h"\n';
  const { warnings } = buildInitramfs(
    new Host(hostTree({ ...tree, '/etc/inquest/kdump.toml': toml, '/h': 'b ssh-ed25519 x' })),
    ssh,
    program,
  );
  assert.ok(warnings.includes(`there is no module none of ${release}`));
  assert.ok(warnings.includes('there is no ssh, which a target needs'));
  assert.ok(warnings.includes('/k is not there'));
});

test('the plan names the file system of a directory by what does not change: its UUID', () => {
  const { targets } = planOf(config);
  assert.deepEqual(targets, [
    { target: config.targets[0], device: 'UUID=1111-2222', fstype: 'ext4', path: '/var/crash' },
  ]);
});

test('the script is one to a shell, with any path in it', () => {
  for (const path of ['/var/crash', "/it's $(here)", '/a b']) {
    const plan = planOf({
      ...config,
      failureAction: 'shell',
      targets: [{ kind: 'directory', device: '/dev/vda1', fstype: 'ext4', path }],
    });
    const { status, stderr } = spawnSync('sh', ['-n'], { input: initScript(plan), encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }
});

test("the capture kernel's command line keeps consoles, and loses what takes memory or mounts the root", () => {
  const line = captureCommandLine(
    'BOOT_IMAGE=/v root=UUID=1 ro crashkernel=1G console=ttyS0,115200 quiet hugepages=512 dyndbg="file a.c +p" rd.luks.uuid=x',
    'mce=off',
  );
  assert.match(line, /^console=ttyS0,115200 dyndbg="file a\.c \+p" irqpoll .* mce=off$/);
});

test('what an ELF file needs is read; a damaged one is refused, and none is read beyond its end', () => {
  const elf = readFileSync(process.execPath).subarray(0, 1 << 16);
  const whole = dynamicNeeds(readFileSync(process.execPath))!;
  assert.ok(whole.needed.includes('libc.so.6'));
  assert.match(whole.interpreter!, /ld-linux/);
  for (let at = 0; at < 0x400; at += 3) {
    const bad = Buffer.from(elf);
    bad.fill(0xff, at, at + 8);
    assert.doesNotThrow(() => dynamicNeeds(bad));
  }
  assert.equal(dynamicNeeds(Buffer.from('#!/bin/sh\n')), null);
});
