// What sockets and pipes hold: told of whom, once however many processes share it, and whatever their kernel calls it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fileMemory } from '../../src/kernel/file_memory.ts';
import { HoldingMachine } from '../support/holding_machine.ts';

function read(world: HoldingMachine) {
  const kernel = world.linked();
  const { value, faults } = kernel.faults.collect(() => fileMemory(kernel));
  const short = ({ count, bytes, most }: typeof value.sockets) =>
    `${count} with ${bytes}, ${most === null ? 'nobody' : `${most.task.comm} ${most.bytes}`}`;
  return { sockets: short(value.sockets), pipes: short(value.pipes), fullest: value.pipes.fullest, faults };
}

describe('what open files hold', () => {
  test('sockets: what was received and what was sent, and a shared one once', () => {
    const world = new HoldingMachine();
    const shared = world.socket({ received: 1000 });
    world.process(5, [shared, world.socket({ sent: 300 }), world.socket({})]);
    // sk_wmem_queued has what sk_wmem_alloc has in flight, and more
    world.process(6, [shared, world.socket({ sent: 200, queued: 500 })]);
    assert.equal(read(world).sockets, '3 with 1800, p5 1300');
  });

  test('pipes: the pages in their rings, whose ends wrap around, and never more than the ring has', () => {
    const world = new HoldingMachine();
    world.process(5, [
      world.pipe({ head: 3, tail: 0xffff_fffe, ring_size: 16 }),
      world.pipe({ head: 900, tail: 0, ring_size: 16 }),
      world.pipe({ head: 7, tail: 7, ring_size: 16 }),
    ]);
    assert.equal(read(world).pipes, `2 with ${(5 + 16) * 4096}, p5 ${(5 + 16) * 4096}`);
  });

  test('pipes of before rings', () => {
    const world = new HoldingMachine('old');
    world.process(5, [world.pipe({ nrbufs: 3, curbuf: 1, buffers: 16 })]);
    assert.equal(read(world).pipes, `1 with ${3 * 4096}, p5 ${3 * 4096}`);
  });

  test('what cannot be read costs itself', () => {
    const world = new HoldingMachine();
    const broken = world.socket({ received: 5 });
    world.kernel.space.words(broken.containerOf('struct socket_alloc', 'vfs_inode').address + 8n, 0xdead_0000_0000n);
    world.process(5, [broken, world.socket({ received: 7 })]);
    const { sockets, pipes, faults } = read(world);
    assert.deepEqual([sockets, pipes], ['1 with 7, p5 7', '0 with 0, nobody']);
    assert.equal(faults.length, 1);
  });
});
