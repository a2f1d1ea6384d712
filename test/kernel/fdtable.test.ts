// Open files and directories of a task.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openDescriptors } from '../../src/kernel/fdtable.ts';
import { openFile } from '../../src/kernel/fs.ts';
import { taskDirectories } from '../../src/kernel/fs_struct.ts';
import { FileWorld, fileTypes, modes } from '../support/file_writer.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

class World extends FileWorld {
  readonly object = newTask(this.kernel, { pid: 5 });

  constructor() {
    super(machine({ more: fileTypes() }));
  }

  get task() {
    linkTasks(this.kernel, [this.object]);
    return this.kernel.tasks.byPid(5)!;
  }

  read() {
    const { kernel } = this;
    return kernel.faults.collect(() => {
      const open = openDescriptors(kernel, this.task);
      return open === null
        ? null
        : [...open].map(({ fd, file }) => {
            const { path, inode } = openFile(kernel, file);
            return `${fd} ${path?.path} ${inode?.kind} ${inode?.pages}`;
          });
    });
  }
}

describe('open files', () => {
  test('a table that is missing is told', () => {
    const world = new World();
    const files = world.open(world.object, { 0: world.file(world.root, world.top) });
    world.kernel.space.exclude(files.address);
    assert.throws(() => world.read(), /excluded/);
  });

  test('an absurd number of files is told', () => {
    const world = new World();
    world.kernel.set(world.open(world.object, {}), 'fdtab.max_fds', 0xffff_ffff);
    assert.throws(() => world.read(), /room for/);
  });

  test('a task without a table, and one without files', () => {
    assert.equal(new World().read().value, null);
    const world = new World();
    world.open(world.object, {});
    assert.deepEqual(world.read().value, []);
  });

  test('descriptors beyond the first words, and one that open(2) has only taken', () => {
    const world = new World();
    const data = world.dentry('data', world.tmpTop, modes.regular);
    world.open(
      world.object,
      { 0: world.file(world.onTmp, data), 3: null, 1021: world.file(world.root, world.top) },
      1024,
    );
    assert.deepEqual(world.read(), { value: ['0 /tmp/data regular 0', '1021 / directory 0'], faults: [], dropped: 0 });
  });

  test('an inode that is missing leaves the name', () => {
    const world = new World();
    const data = world.dentry('data', world.tmpTop, modes.regular);
    world.open(world.object, { 0: world.file(world.onTmp, data) });
    world.kernel.space.exclude(data.member('d_inode').pointer());
    const { value, faults } = world.read();
    assert.deepEqual(value, ['0 /tmp/data undefined undefined']);
    assert.equal(faults.length, 1);
  });

  test('root and working directory', () => {
    const world = new World();
    assert.equal(taskDirectories(world.kernel, world.task), null);
    world.directories(world.object, [world.root, world.top], [world.onTmp, world.tmpTop]);
    const directories = taskDirectories(world.kernel, world.task);
    assert.deepEqual([directories?.root?.path, directories?.cwd?.path], ['/', '/tmp']);
  });
});
