import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GeneratedCode, KernelView } from '../../src/arch/kernel_view.ts';
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
    generatedCode: () => null,
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

describe('code that was made at run time', () => {
  const made = 0xffff_ffff_c000_0000n;
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
  const rulesWith = (kind: GeneratedCode['kind'], code = '', original: bigint | null = null) => {
    const space = new SyntheticSpace();
    const piece = {
      start: virtAddr(made),
      size: 0x80,
      kind,
      original: original === null ? null : virtAddr(original),
    };
    if (code !== '') space.write(made, Uint8Array.from(Buffer.from(code.replaceAll(' ', ''), 'hex')));
    const view: KernelView = {
      ...viewOf(space, {}),
      generatedCode: (ip) => (ip >= made && ip < made + 0x80n ? piece : null),
    };
    return new OrcWithTrampolines(view, rules);
  };

  test("ftrace's trampolines take the rules of the code that they are copies of, at the same offset", () => {
    const orc = rulesWith('ftrace', '', text + 0x800n);
    assert.equal(orc.find(made + 0x10n)?.spOffset, 0x810);
    assert.equal(orc.find(made + 0x80n), null);
    assert.equal(orc.find(text + 5n)?.spOffset, 5);
    assert.equal(rulesWith('ftrace').find(made), null);
  });

  test('a BPF program has its frame once it has pushed and set rbp, until it leaves', () => {
    //            endbr64    | nopl          | push | mov rsp,rbp | sub      | leave | ret
    const orc = rulesWith('bpf', 'f30f1efa 0f1f440000 55 4889e5 4883ec08 c9 c3');
    const at = (offset: bigint): string => {
      const { spRegister, spOffset, bpRegister } = orc.find(made + offset)!;
      return `${spRegister}+${spOffset} ${bpRegister}`;
    };
    assert.equal(at(0n), 'sp+8 undefined');
    assert.equal(at(9n), 'sp+8 undefined');
    assert.equal(at(10n), 'sp+16 prev-sp');
    assert.equal(at(13n), 'bp+16 prev-sp');
    assert.equal(at(17n), 'bp+16 prev-sp');
    assert.equal(at(18n), 'sp+8 undefined');
  });

  test('a dispatcher, which only jumps, has the return address on top; so has a program whose code is lost', () => {
    assert.equal(rulesWith('bpf', 'f30f1efa 4881ff00000000 7e05').find(made + 4n)?.spOffset, 8);
    assert.equal(rulesWith('bpf').find(made + 0x20n)?.spOffset, 8);
  });

  test("an optimized kprobe's slot has saved the registers of what was probed; a single-step slot tells nothing", () => {
    const { type, signal, spOffset } = rulesWith('optprobe').find(made + 0x34n)!;
    assert.deepEqual([type, signal, spOffset], ['regs', true, 0]);
    assert.equal(rulesWith('kprobe').find(made), null);
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
