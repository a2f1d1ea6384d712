import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KernelView } from '../../src/arch/kernel_view.ts';
import type { OrcEntry } from '../../src/arch/orc_entry.ts';
import { returnHooks } from '../../src/arch/return_hooks.ts';
import { runningTaskStack } from '../../src/arch/x86_64/stacks.ts';
import { OrcWithTrampolines } from '../../src/arch/x86_64/trampolines.ts';
import { virtAddr } from '../../src/base/address.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const task = virtAddr(0xff11_0000_0000_0000n);
const heap = 0xff11_0000_0010_0000n;
const text = 0xffff_ffff_8100_0000n;
const trampoline = text + 0x100n;
const slot = virtAddr(0xff5e_0000_0000_3f00n);

function viewOf(
  space: SyntheticSpace,
  symbols: Record<string, bigint>,
  offsets: Record<string, number> = {},
): KernelView {
  const symbol = (name: string) => (symbols[name] === undefined ? null : virtAddr(symbols[name]));
  return {
    space,
    symbol,
    functionAt: () => null,
    isText: (address) => address >= text && address < text + 0x1000n,
    perCpu: symbol,
    offsetOf: (type, member) => offsets[`${type}.${member}`] ?? null,
    sizeOf: () => null,
  };
}

describe('return addresses of the function graph tracer', () => {
  const offsets = {
    'struct task_struct.ret_stack': 8,
    'struct ftrace_ret_stack.ret': 0,
    'struct ftrace_ret_stack.retp': 24,
  };
  const symbols = { return_to_handler: trampoline };

  test('the real one is that of the same stack slot', () => {
    const space = new SyntheticSpace();
    space.words(task, 0n, heap);
    space.words(heap, text + 0x10n, 1n, 2n, slot + 8n, 0n, text + 0x20n, 1n, 2n, slot, 0n);
    const real = returnHooks(viewOf(space, symbols, offsets), task);
    assert.equal(real(virtAddr(trampoline), slot), text + 0x20n);
    assert.equal(real(virtAddr(text + 0x30n), slot), text + 0x30n);
  });

  test('a list that is lost, empty, or holds no text leaves the address as it is', () => {
    const lost = new SyntheticSpace();
    assert.equal(returnHooks(viewOf(lost, symbols, offsets), task)(virtAddr(trampoline), slot), trampoline);
    const space = new SyntheticSpace();
    space.words(task, 0n, heap);
    const real = returnHooks(viewOf(space, symbols, offsets), task);
    assert.equal(real(virtAddr(trampoline), slot), trampoline);
    space.words(heap, 0x1234n, 1n, 2n, slot);
    assert.equal(real(virtAddr(trampoline), slot), trampoline);
  });
});

describe('return addresses of return probes', () => {
  const offsets = {
    'struct task_struct.rethooks.first': 16,
    'struct rethook_node.llist': 8,
    'struct rethook_node.ret_addr': 24,
    'struct rethook_node.frame': 32,
  };
  const symbols = { arch_rethook_trampoline: trampoline };
  const node = (space: SyntheticSpace, at: bigint, next: bigint, ret: bigint, frame: bigint): void =>
    space.words(at - 8n, 0n, next, 0n, ret, frame);

  test('of several probes on one function, the one that kept the real address counts', () => {
    const space = new SyntheticSpace();
    space.words(task, 0n, 0n, heap);
    node(space, heap, heap + 0x100n, trampoline, slot);
    node(space, heap + 0x100n, 0n, text + 0x20n, slot);
    assert.equal(returnHooks(viewOf(space, symbols, offsets), task)(virtAddr(trampoline), slot), text + 0x20n);
  });

  test('a list that runs in a circle ends', () => {
    const space = new SyntheticSpace();
    space.words(task, 0n, 0n, heap);
    node(space, heap, heap, text + 0x20n, slot + 8n);
    assert.equal(returnHooks(viewOf(space, symbols, offsets), task)(virtAddr(trampoline), slot), trampoline);
  });
});

describe('trampolines of ftrace', () => {
  const offsets = {
    'struct ftrace_ops.next': 8,
    'struct ftrace_ops.flags': 16,
    'struct ftrace_ops.trampoline': 24,
    'struct ftrace_ops.trampoline_size': 32,
  };
  const symbols = { ftrace_ops_list: heap, ftrace_caller: text, ftrace_regs_caller: text + 0x800n };
  const copy = 0xffff_ffff_c000_0000n;
  const rules = {
    find: (ip: bigint): OrcEntry | null =>
      ip >= text && ip < text + 0x1000n
        ? {
            type: 'call',
            spRegister: 'sp',
            spOffset: Number(ip - text),
            bpRegister: 'undefined',
            bpOffset: 0,
            signal: false,
          }
        : null,
  };

  test('take the rules of the code that they are copies of, at the same offset', () => {
    const space = new SyntheticSpace();
    space.words(heap, heap + 0x100n);
    space.words(heap + 0x100n, 0n, heap + 0x200n, 2n, copy, 0x80n);
    space.words(heap + 0x200n, 0n, 0n, 4n, copy + 0x1000n, 0x80n);
    const orc = new OrcWithTrampolines(viewOf(space, symbols, offsets), rules);
    assert.equal(orc.find(copy + 0x10n)?.spOffset, 0x10);
    assert.equal(orc.find(copy + 0x1010n)?.spOffset, 0x810);
    assert.equal(orc.find(copy + 0x80n), null);
    assert.equal(orc.find(text + 5n)?.spOffset, 5);
  });

  test('a circular or unreadable list ends', () => {
    const space = new SyntheticSpace();
    space.words(heap, heap + 0x100n);
    space.words(heap + 0x100n, 0n, heap + 0x100n, 0n, copy, 0x80n);
    assert.equal(new OrcWithTrampolines(viewOf(space, symbols, offsets), rules).find(copy)?.spOffset, 0);
    assert.equal(new OrcWithTrampolines(viewOf(new SyntheticSpace(), symbols, offsets), rules).find(copy), null);
  });
});

describe('the stack of the task that a CPU ran, when the task is lost', () => {
  test('is found from the top that the CPU keeps, with or without padding', () => {
    const space = new SyntheticSpace();
    const view = viewOf(space, { cpu_current_top_of_stack: heap });
    for (const padding of [0n, 16n]) {
      space.words(heap, 0xff5e_0000_0000_4000n - padding);
      assert.equal(runningTaskStack(view, 0), 0xff5e_0000_0000_0000n);
    }
    space.words(heap, 0n);
    assert.equal(runningTaskStack(view, 0), null);
    assert.equal(runningTaskStack(viewOf(space, {}), 0), null);
  });
});
