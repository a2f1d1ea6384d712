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

  test('without any function, it is in the image, and leads to modules near the kernel, wherever their region is', () => {
    const kernel = new CommandKernel(types);
    const image = 0xffff_ffff_8200_0000n;
    const module = kernel.object('struct module', virtAddr(0xffff_ffff_7000_0000n));
    kernel.space.map(image, 0x1000).map(module.address, 0x1000);
    kernel.define('_stext', image, 0);
    const entry = module.member('list').address;
    kernel.space.words(image + 0x100n, entry, entry);
    kernel.space.words(entry, image + 0x100n, image + 0x100n);
    kernel.set(module, 'mkobj.mod', module);
    assert.deepEqual(seekVariable(kernel, 'modules')?.address, image + 0x100n);
    kernel.set(module, 'mkobj.mod', 0);
    assert.equal(seekVariable(kernel, 'modules'), null);
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

describe('tables of devices', () => {
  const devices = `
    struct char_device_struct { struct char_device_struct *next; unsigned int major; unsigned int baseminor; char name[64]; };
  `;
  function table(kernel: CommandKernel, slot: number, major: number, name: string): VirtAddr {
    const at = kernel.reserve(255 * 8);
    const entry = kernel.allocate('struct char_device_struct');
    kernel.set(entry, 'major', major);
    kernel.space.write(entry.member('name').address, Buffer.from(`${name}\0`));
    kernel.space.words(at + BigInt(slot * 8), entry.address);
    return at;
  }

  test('entries are in the slots that their numbers tell, and the table ends where such tables do', () => {
    const kernel = new CommandKernel(devices);
    const at = table(kernel, 1, 256, 'mem');
    code(kernel, 'chrdev_show', at);
    assert.deepEqual(seekVariable(kernel, 'chrdevs'), { address: at, how: 'used by chrdev_show', size: 255 * 8 });
  });

  test('another slot, a name that is none, and an empty table are not believed', () => {
    for (const [slot, major, name] of [
      [2, 1, 'mem'],
      [1, 1, ''],
    ] as const) {
      const kernel = new CommandKernel(devices);
      code(kernel, 'chrdev_show', table(kernel, slot, major, name));
      assert.equal(seekVariable(kernel, 'chrdevs'), null);
    }
    const kernel = new CommandKernel(devices);
    code(kernel, 'chrdev_show', kernel.reserve(255 * 8));
    assert.equal(seekVariable(kernel, 'chrdevs'), null);
  });
});

test('an idr is marked as one; where it has entries, they are what it should hold', () => {
  const declarations = `
    struct xarray { int xa_lock; unsigned int xa_flags; void *xa_head; };
    struct xa_node { u8 shift; u8 offset; u8 count; u8 nr_values; struct xa_node *parent; struct xarray *array; void *slots[64]; };
    struct idr { struct xarray idr_rt; unsigned int idr_base; unsigned int idr_next; };
    struct bpf_map { u32 id; };
  `;
  const made = (flags: number, id: number | null): VirtAddr | null => {
    const kernel = new CommandKernel(declarations);
    const idr = kernel.allocate('struct idr');
    kernel.set(idr, 'idr_rt.xa_flags', flags);
    if (id !== null) {
      const [node, map] = [kernel.allocate('struct xa_node'), kernel.allocate('struct bpf_map')];
      kernel.set(map, 'id', id);
      kernel.set(node, 'array', idr);
      kernel.set(node, 'slots[3]', map);
      kernel.set(idr, 'idr_rt.xa_head', node.address | 2n);
    }
    code(kernel, 'bpf_map_free_id', idr.address);
    return seekVariable(kernel, 'map_idr')?.address === idr.address ? idr.address : null;
  };
  assert.notEqual(made(0x0800_0004, null), null);
  assert.notEqual(made(0x0800_0004, 3), null);
  assert.equal(made(0x0800_0004, 4), null, 'an entry of another number');
  assert.equal(made(0, null), null, 'zeroes');
});

test('the ends of the table of traps: entries lead to traps on one side alone, and some of their code is gone', () => {
  const kernel = new CommandKernel('struct bug_entry { int bug_addr_disp; int file_disp; u16 line; u16 flags; };');
  const entries = 20;
  const start = kernel.reserve((entries + 16) * 12) + 8n * 12n;
  const trap = kernel.code('frob', '0f0b');
  const gone = kernel.code('setup', '90');
  for (let n = 0; n < entries; n++) {
    const at = start + BigInt(n * 12);
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(Number((n === 0 ? gone : trap) - at));
    kernel.space.write(at, bytes);
  }
  const stop = virtAddr(start + BigInt(entries * 12));
  for (const name of ['find_bug', 'generic_bug_clear_once']) code(kernel, name, virtAddr(start), stop);
  assert.equal(seekVariable(kernel, '__start___bug_table')?.address, start);
  assert.equal(seekVariable(kernel, '__stop___bug_table')?.address, stop);
});

describe('per-CPU variables of kernels whose types do not place them', () => {
  const perCpu = [0xffff_8880_0100_0000n, 0xffff_8880_0200_0000n];
  const declarations =
    'struct timer_list; struct timer_base { int lock; struct timer_list *running_timer; u64 clk; unsigned int cpu; };';
  function kernelWith(bases: number, wrongCpu = false): CommandKernel {
    const kernel = new CommandKernel(declarations, perCpu);
    for (const [cpu, start] of perCpu.entries()) {
      kernel.space.map(start, 0x4000);
      const size = 32n;
      for (let n = 0; n < 8; n++) kernel.space.words(start + 0x1000n + BigInt(n) * size + 16n, 7n, 0x0099n); // others
      for (let n = 0; n < bases; n++) {
        const at = start + 0x1000n + BigInt(n) * size;
        kernel.space.words(at, 0n, 0n, 5n, BigInt(wrongCpu ? 1 : cpu));
      }
    }
    return kernel;
  }

  test('an array where each CPU has its own number, as long as it goes on', () => {
    const found = seekVariable(kernelWith(3), 'timer_bases');
    assert.deepEqual([found?.address, found?.size], [0x1000n, 3 * 32]);
  });

  test('numbers that are not the CPUs’, and one base alone, are none', () => {
    assert.equal(seekVariable(kernelWith(2, true), 'timer_bases'), null);
    assert.equal(seekVariable(kernelWith(1), 'timer_bases'), null);
  });
});
