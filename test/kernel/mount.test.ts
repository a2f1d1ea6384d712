// Mounts of a namespace, kept in a tree and on a list.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { mountsOf } from '../../src/kernel/mount.ts';
import { FileWorld, fileTypes } from '../support/file_writer.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

for (const kept of ['tree', 'list'] as const) {
  describe(`mounts in a ${kept}`, () => {
    const world = () => new FileWorld(new SyntheticKernel(fileTypes(kept).types));
    const read = (files: FileWorld, namespace: KernelObject) => {
      const { kernel } = files;
      const { value, faults } = kernel.faults.collect(() => [...mountsOf(kernel, namespace)]);
      return {
        rows: value.map(({ type, device, directory, id }) => `${id} ${type} ${device} ${directory}`),
        faults: faults.length,
      };
    };

    test('type, device and place of each', () => {
      const files = world();
      assert.deepEqual(read(files, files.namespace([files.root, files.onTmp])), {
        rows: ['20 ext4 /dev/vda1 /', '21 tmpfs tmp /tmp'],
        faults: 0,
      });
    });

    test('a superblock that is missing costs the type alone', () => {
      const files = world();
      files.kernel.space.exclude(files.onTmp.member('mnt.mnt_sb').pointer());
      assert.deepEqual(read(files, files.namespace([files.root, files.onTmp])), {
        rows: ['20 ext4 /dev/vda1 /', '21 null tmp /tmp'],
        faults: 1,
      });
    });

    test('a mount that is missing ends the walk with a fault, and those before stand', () => {
      const files = world();
      const namespace = files.namespace([files.root, files.onTmp]);
      files.kernel.space.exclude(files.onTmp.address);
      const { rows, faults } = read(files, namespace);
      assert.deepEqual([rows, faults > 0], [['20 ext4 /dev/vda1 /'], true]);
    });
  });
}

test('the cursor of a reader of /proc/mounts is no mount', () => {
  const files = new FileWorld(new SyntheticKernel(fileTypes('list').types));
  const cursor = files.kernel.allocate('struct mount');
  const namespace = files.namespace([files.root, cursor, files.onTmp]);
  assert.equal([...mountsOf(files.kernel, namespace)].length, 2);
});
