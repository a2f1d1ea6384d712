// Code that was made at run time: its names, and what of it is believed.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { generatedCode, generatedCodeAt } from '../../src/kernel/generated_code.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';

const declarations = `
struct list_head { struct list_head *next, *prev; };
struct bpf_ksym { unsigned long start; unsigned long end; char name[512]; struct list_head lnode; bool prog; };
struct ftrace_ops { struct ftrace_ops *next; unsigned long flags; unsigned long trampoline; unsigned long trampoline_size; };
struct kprobe_insn_cache { void *alloc; struct list_head pages; };
struct kprobe_insn_page { struct list_head list; unsigned char *insns; };
`;
const text = 0xffff_ffff_8100_0000n;
const made = 0xffff_ffff_c000_0000n;

function withPrograms(programs: readonly (readonly [start: bigint, end: bigint, name: string])[]): SyntheticKernel {
  const kernel = new SyntheticKernel(declarations);
  const head = kernel.allocate('struct list_head', 'bpf_kallsyms');
  const nodes = programs.map(([start, end, name]) => {
    const ksym = kernel.allocate('struct bpf_ksym');
    kernel.set(ksym, 'start', start);
    kernel.set(ksym, 'end', end);
    kernel.set(ksym, 'name', name);
    return ksym.member('lnode').address;
  });
  kernel.link(head.address, ...nodes);
  return kernel;
}

describe('code that was made at run time', () => {
  test('BPF programs have the names of /proc/kallsyms, within their bounds alone', () => {
    const kernel = withPrograms([
      [made + 0x1000n, made + 0x1040n, 'bpf_prog_30268f6ea86c26e2_tell_tale'],
      [made, made + 0x20n, 'bpf_trampoline_6442'],
    ]);
    assert.deepEqual(
      generatedCode(kernel).map(({ symbol: { name, module, size } }) => [name, module, size]),
      [
        ['bpf_trampoline_6442', 'bpf', 0x20],
        ['bpf_prog_30268f6ea86c26e2_tell_tale', 'bpf', 0x40],
      ],
    );
    const place = kernel.symbols.at(kernel.symbols.find('bpf_prog_30268f6ea86c26e2_tell_tale')!.address);
    assert.equal(place?.offset, 0);
    assert.equal(generatedCodeAt(kernel, made + 0x103fn)?.kind, 'bpf');
    assert.equal(generatedCodeAt(kernel, made + 0x1040n), null);
    assert.equal(kernel.symbols.at((made + 0x20n) as never), null);
  });

  test('a list that loops, and programs of absurd size, cost themselves', () => {
    const kernel = withPrograms([
      [made, made + 0x20n, 'first'],
      [made + 0x40n, made + 0x4_0000_0000n, 'huge'],
      [made + 0x80n, made + 0x10n, 'backwards'],
    ]);
    assert.deepEqual(
      generatedCode(kernel).map(({ symbol }) => symbol.name),
      ['first'],
    );
    const looped = withPrograms([[made, made + 0x20n, 'first']]);
    const node = looped.variable('bpf_kallsyms').member('next').pointer();
    looped.space.words(node, node);
    const { value, faults } = looped.faults.collect(() => generatedCode(looped));
    assert.deepEqual([value.length, faults.length], [1, 1]);
  });

  test("ftrace's trampolines are copies of one of two functions; the list may be circular", () => {
    const kernel = new SyntheticKernel(declarations);
    kernel.define('ftrace_caller', text);
    kernel.define('ftrace_regs_caller', text + 0x800n);
    const list = kernel.reserve(8);
    kernel.define('ftrace_ops_list', list);
    const [plain, whole] = [kernel.allocate('struct ftrace_ops'), kernel.allocate('struct ftrace_ops')];
    kernel.space.words(list, plain.address);
    for (const [ops, flags, trampoline, next] of [
      [plain, 2n, made, whole.address],
      [whole, 4n, made + 0x1000n, plain.address],
    ] as const) {
      kernel.set(ops, 'flags', flags);
      kernel.set(ops, 'trampoline', trampoline);
      kernel.set(ops, 'trampoline_size', 0x80n);
      kernel.set(ops, 'next', next);
    }
    assert.deepEqual(
      generatedCode(kernel).map(({ symbol, original }) => [symbol.name, symbol.module, original]),
      [
        ['ftrace_trampoline', null, text],
        ['ftrace_trampoline', null, text + 0x800n],
      ],
    );
  });

  test("pages of kprobes' slots are named by what they are for", () => {
    const kernel = new SyntheticKernel(declarations);
    const slots = kernel.allocate('struct kprobe_insn_cache', 'kprobe_optinsn_slots');
    const page = kernel.allocate('struct kprobe_insn_page');
    kernel.set(page, 'insns', made);
    kernel.link(slots.member('pages').address, page.member('list').address);
    assert.deepEqual(
      generatedCode(kernel).map(({ symbol, kind, size }) => [symbol.name, kind, size]),
      [['kprobe_optinsn_page', 'optprobe', 4096]],
    );
  });
});
