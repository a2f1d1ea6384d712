// Objects as scripts use them: printed as C, compared, cast, and with errors that say what to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { virtAddr } from '../../src/base/address.ts';
import { NotFoundError } from '../../src/base/errors.ts';
import type { KernelObject } from '../../src/debuginfo/object.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

function task(): { kernel: SyntheticKernel; one: KernelObject } {
  const kernel = new SyntheticKernel(`
    struct mount_space { int count; };
    struct proxy { struct mount_space *mnt_ns; };
    struct task { int pid; char comm[8]; struct proxy *nsproxy; struct task *next; };
  `);
  const one = kernel.allocate('struct task', 'first_task');
  kernel.set(one, 'pid', -7n);
  kernel.space.write(one.member('comm').address, Buffer.from('init\0'));
  kernel.set(one, 'next', one.address);
  return { kernel, one };
}

test('String() of an object is what p prints', () => {
  const { one } = task();
  assert.equal(String(one.member('pid')), '-7');
  assert.equal(`${one.member('comm')}`, '"init\\000\\000\\000"');
  assert.match(String(one), /^\{\n {2}pid = -7,\n {2}comm = "init/);
  assert.match(String(one.member('next')), /^\((struct )?task \*\) 0x[0-9a-f]+ <first_task>$/);
});

test('String() of what cannot be read says so, and throws nothing', () => {
  const { kernel } = task();
  assert.match(String(kernel.object('struct proxy', virtAddr(8n))), /^<struct proxy at 8: .*not mapped/);
});

test('objects compare by value, structs by place', () => {
  const { one } = task();
  const [pid, next] = [one.member('pid'), one.member('next')];
  assert.ok(pid.equals(one.member('pid')));
  assert.ok(Number(pid) < 0 && pid.compare(next) < 0 && next.compare(pid) > 0);
  assert.ok(next.deref().equals(one));
  assert.ok(!one.member('comm').equals(one.member('nsproxy')));
  assert.equal(Number(pid), -7);
});

test('kernel.at takes C expressions', () => {
  const { kernel, one } = task();
  assert.ok(kernel.at('first_task.next').deref().equals(one));
  assert.equal(kernel.at('first_task.next->pid + 8').number(), 1);
  assert.throws(() => kernel.at('nobody.pid'), NotFoundError);
});

test('casts to pointers by name; an unknown type is named', () => {
  const { one } = task();
  assert.equal(one.member('next').cast('struct proxy *').deref().address, one.address);
  assert.equal(one.member('next').cast('struct task **').type.kind, 'pointer');
  assert.throws(() => one.cast('struct absent *'), /type not found: struct absent/);
});

test('a path that leads over a pointer says how to follow it', () => {
  const { one } = task();
  assert.throws(() => one.member('nsproxy.mnt_ns'), /nsproxy is a pointer: member\('nsproxy'\)\.member\('mnt_ns'\)/);
  assert.throws(
    () => one.member('nsproxy.absent'),
    (error) => error instanceof NotFoundError,
  );
});
