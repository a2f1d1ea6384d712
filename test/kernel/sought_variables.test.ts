// Variables that no symbol names: found by who uses them, and only where they are what they should be.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { seekVariable } from '../../src/kernel/sought_variables.ts';
import { CommandKernel } from '../support/command_kernel.ts';

const types = `
  struct list_head { struct list_head *next, *prev; };
  struct module_kobject { unsigned long kobj; struct module *mod; };
  struct module { int state; struct list_head list; struct module_kobject mkobj; };
  struct xarray { int xa_lock; int xa_flags; void *xa_head; };
  struct xa_node { u8 shift; struct xarray *array; };
  struct maple_tree { int lock; unsigned int ma_flags; void *ma_root; };
`;

/** `lea address(%rip),%rax; ret`, one for each address. */
function code(kernel: CommandKernel, name: string, ...addresses: VirtAddr[]): void {
  const bytes = Buffer.alloc(addresses.length * 7 + 1, 0xc3);
  const at = kernel.code(name, bytes.toString('hex'));
  for (const [i, address] of addresses.entries()) {
    bytes.set([0x48, 0x8d, 0x05], i * 7);
    bytes.writeInt32LE(Number(address - at) - (i + 1) * 7, i * 7 + 3);
  }
  kernel.space.write(at, bytes);
}

function list(kernel: CommandKernel): VirtAddr {
  const head = kernel.reserve(16);
  kernel.link(head);
  return head;
}

/** A module on a list. */
function load(kernel: CommandKernel, head: VirtAddr): void {
  const module = kernel.allocate('struct module');
  kernel.set(module, 'mkobj.mod', module);
  kernel.link(head, module.member('list').address);
}

describe('the list of modules', () => {
  test('is what the functions that use it have in common', () => {
    const kernel = new CommandKernel(types);
    const [modules, lock] = [list(kernel), kernel.reserve(16)];
    load(kernel, modules);
    code(kernel, 'print_modules', lock, modules);
    code(kernel, 'm_start', modules);
    code(kernel, 'm_next', modules, lock);
    assert.deepEqual(seekVariable(kernel, 'modules'), {
      address: modules,
      how: 'used by print_modules, m_start, m_next',
    });
  });

  test('is not a list of something else, however many use it', () => {
    const kernel = new CommandKernel(types);
    const [modules, others] = [list(kernel), list(kernel)];
    load(kernel, modules);
    kernel.link(others, kernel.allocate('struct module').member('list').address);
    for (const name of ['print_modules', 'm_start']) code(kernel, name, others);
    code(kernel, 'm_next', modules, others);
    assert.equal(seekVariable(kernel, 'modules')?.address, modules);
  });

  test('is not known where two lists may be it, or where code and memory are missing', () => {
    const kernel = new CommandKernel(types);
    const [one, other] = [list(kernel), list(kernel)];
    code(kernel, 'print_modules', one, other);
    assert.equal(seekVariable(kernel, 'modules'), null);
    const empty = new CommandKernel(types);
    assert.equal(seekVariable(empty, 'modules'), null);
    code(empty, 'print_modules', virtAddr(0xffff_8880_0700_0000n));
    assert.equal(seekVariable(empty, 'modules'), null);
  });

  test('a variable that has a name is no other', () => {
    const kernel = new CommandKernel(types);
    const head = list(kernel);
    kernel.define('super_blocks', head, 16);
    code(kernel, 'print_modules', head);
    code(kernel, 'm_start', head);
    assert.equal(seekVariable(kernel, 'modules'), null);
  });
});

test('a tree of interrupts is the kind of tree that its top node says', () => {
  const kernel = new CommandKernel(types);
  const tree = kernel.allocate('struct xarray');
  const node = kernel.allocate('struct xa_node');
  kernel.set(node, 'array', tree);
  kernel.set(tree, 'xa_head', node.address | 2n);
  code(kernel, 'irq_to_desc', tree.address);
  assert.equal(seekVariable(kernel, 'irq_desc_tree')?.address, tree.address);
  assert.equal(seekVariable(kernel, 'sparse_irqs'), null);
  const maple = kernel.reserve(256);
  kernel.set(tree, 'xa_head', maple | 0x1en);
  kernel.space.words(maple, tree.address | 1n);
  assert.equal(seekVariable(kernel, 'sparse_irqs')?.address, tree.address);
  assert.equal(seekVariable(kernel, 'irq_desc_tree'), null);
});

test('a variable that kernels with such types do not have is not sought', () => {
  const kernel = new CommandKernel(`${types} struct pid_namespace { int pid_max; };`);
  const limit = kernel.reserve(8);
  kernel.space.words(limit, 4096n);
  code(kernel, 'alloc_pid', limit);
  assert.equal(seekVariable(kernel, 'pid_max'), null);
  assert.equal(seekVariable(kernel, 'nosuch'), null);
});
