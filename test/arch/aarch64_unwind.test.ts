import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { arm64RegisterSet } from '../../src/arch/aarch64/registers.ts';
import { cpuStacks } from '../../src/arch/aarch64/stacks.ts';
import { Arm64Unwinder } from '../../src/arch/aarch64/unwinder.ts';
import type { KernelView } from '../../src/arch/kernel_view.ts';
import type { Registers } from '../../src/arch/registers.ts';
import type { Frame, StackTrace } from '../../src/arch/unwinder.ts';
import { virtAddr } from '../../src/base/address.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

// Text: functions of 0x100 bytes each. `f(n)` is a return address into function n.
const text = 0xffff_8000_8001_0000n;
const textEnd = text + 0x1_0000n;
const taskBase = 0xffff_8000_9001_0000n;
const stackSize = 0x4000n;
const irqBase = 0xffff_8000_9801_0000n;
const overflowBase = 0xffff_0000_1234_5000n;
const variables = 0xffff_8000_a000_0000n;
const heap = 0xffff_0000_2000_0000n;
const taskStruct = virtAddr(0xffff_0000_3000_0000n);

const fn = (n: number): bigint => text + BigInt(n) * 0x100n;
const f = (n: number): bigint => fn(n) + 0x50n;

// struct pt_regs of 6.12: 336 bytes, the record at 304; since 6.13 a type follows it.
const savedSize = 336n;
const recordAt = 304n;
const EL0 = 0n;
const EL1 = 5n;

/** Type of a frame record within registers, since 6.13. */
const FINAL = 1n;
const PT_REGS = 2n;

class World {
  readonly space = new SyntheticSpace();
  readonly symbols = new Map<string, bigint>();
  readonly offsets: Record<string, number>;
  signature = 0n;

  /** @param typed records in registers have a type, as since 6.13 */
  constructor(typed = false) {
    this.space.map(taskBase, Number(stackSize)).map(irqBase, Number(stackSize)).map(text, 0x1_0000);
    this.space.map(overflowBase, 4096);
    this.space.words(variables, irqBase);
    this.symbols.set('irq_stack_ptr', variables);
    this.symbols.set('overflow_stack', overflowBase);
    this.offsets = { stackframe: 304, orig_x0: 272, syscallno: 280, ...(typed ? { 'stackframe.type': 320 } : {}) };
    // every function makes its record at once
    for (let n = 0; n < 256; n++) this.code(n, 0xa9bf_7bfd); // stp x29, x30, [sp, #-16]!
  }

  /** The first instruction of a function. */
  code(n: number, instruction: number, offset = 0n): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, instruction, true);
    this.space.write(fn(n) + offset, bytes);
  }

  get view(): KernelView {
    const symbol = (name: string) => {
      const address = this.symbols.get(name);
      return address === undefined ? null : virtAddr(address);
    };
    const isText = (at: bigint): boolean => at >= text && at < textEnd;
    return {
      space: this.space,
      symbol,
      functionAt: (at) =>
        isText(at) ? { name: `f${(at - text) / 0x100n}`, start: virtAddr(at - ((at - text) % 0x100n)) } : null,
      isText,
      generatedCode: () => null,
      perCpu: symbol,
      offsetOf: (type, member) => this.offsets[type === 'struct pt_regs' ? member : `${type}.${member}`] ?? null,
      sizeOf: (type, member) => (type !== 'struct pt_regs' ? null : member === undefined ? Number(savedSize) : 4),
    };
  }

  /** A frame record: the caller's frame pointer, and where it goes on. */
  record(at: bigint, next: bigint, address: bigint): void {
    this.space.words(at, next, address);
  }

  /** pt_regs, with the record that entry code makes in them; `type` since 6.13. */
  saved(at: bigint, registers: Record<string, bigint>, type: bigint | null = null): void {
    const { sp = 0n, pc = 0n, pstate = EL1, orig_x0 = 0n, syscallno = 0n } = registers;
    const x = Array.from({ length: 31 }, (_, n) => registers[`x${n}`] ?? 0n);
    this.space.words(at, ...x, sp, pc, pstate, orig_x0, syscallno);
    const record = type !== null || pstate === EL0 ? [0n, 0n] : [x[29]!, pc];
    this.space.words(at + recordAt, ...record, type ?? 0n);
  }

  /** The end of a task's stack: registers of user mode, or of a thread that never was there. */
  final(registers: Record<string, bigint>, type: bigint | null = null): bigint {
    const at = taskBase + stackSize - savedSize;
    this.saved(at, registers, type);
    this.space.words(at + recordAt, 0n, 0n, type ?? 0n);
    return at + recordAt;
  }

  get unwinder(): Arm64Unwinder {
    return new Arm64Unwinder(this.view, this.signature);
  }

  sleeping(pc: bigint, fp: bigint, sp: bigint): StackTrace {
    const context: Record<string, bigint> = { 'cpu_context.pc': pc, 'cpu_context.fp': fp, 'cpu_context.sp': sp };
    return this.unwinder.sleeping(virtAddr(taskBase), (name) => virtAddr(context[name]!), taskStruct);
  }

  active(registers: Registers | null): StackTrace {
    return this.unwinder.active(virtAddr(taskBase), 0, registers, false);
  }
}

const addresses = (frames: readonly Frame[]): bigint[] => frames.map(({ address }) => address);
const kinds = (frames: readonly Frame[]): string[] => frames.map(({ kind }) => kind);
const sp0 = taskBase + 0x2000n;

describe('a sleeping task of arm64', () => {
  test('is followed record by record, each frame with its own record, to the end of its stack', () => {
    const world = new World();
    const end = world.final({ pstate: EL1 });
    world.record(sp0, sp0 + 0x40n, f(2));
    world.record(sp0 + 0x40n, end, f(3));
    const { frames, end: why } = world.sleeping(f(1), sp0, sp0);
    assert.deepEqual([addresses(frames), why], [[f(1), f(2), f(3)], 'complete']);
    assert.deepEqual(
      frames.map(({ frameAddress }) => frameAddress),
      [sp0, sp0 + 0x40n, end],
    );
    assert.equal(frames[2]!.registers, null, "a thread that never was in user mode has no user's registers");
  });

  test('shows the registers of user mode where the final record is in them', () => {
    for (const type of [null, FINAL]) {
      const world = new World(type !== null);
      const user = {
        pc: 0x40_1000n,
        sp: 0xffff_f000n,
        x0: 7n,
        x30: 0x40_2000n,
        pstate: EL0,
        orig_x0: 3n,
        syscallno: 64n,
      };
      world.record(sp0, world.final(user, type), f(2));
      const { frames, end } = world.sleeping(f(1), sp0, sp0);
      assert.deepEqual([addresses(frames), kinds(frames), end], [[f(1), f(2)], ['call', 'entry'], 'complete']);
      const { registers, registersAddress } = frames[1]!;
      assert.deepEqual(
        [registers?.pc, registers?.sp, registers?.x0, registers?.x30, registers?.orig_x0, registers?.syscallno],
        [0x40_1000n, 0xffff_f000n, 7n, 0x40_2000n, 3n, 64n],
      );
      assert.equal(registersAddress, taskBase + stackSize - savedSize);
    }
  });

  test('of a kernel before 5.14 ends where the frame pointer is 0, and shows user mode at the end of its stack', () => {
    const world = new World();
    world.final({ pc: 0x40_1000n, sp: 0xffff_f000n, pstate: EL0 });
    world.record(sp0, 0n, f(2));
    const { frames, end } = world.sleeping(f(1), sp0, sp0);
    assert.deepEqual([addresses(frames), kinds(frames), end], [[f(1), f(2)], ['call', 'entry'], 'complete']);
  });

  test('with signed return addresses: the signature is no part of them', () => {
    const world = new World();
    world.signature = 0xfff0_0000_0000_0000n;
    const signed = (address: bigint): bigint => (address & ~0xfff0_0000_0000_0000n) | 0x2a80_0000_0000_0000n;
    world.record(sp0, sp0 + 0x40n, signed(f(2)));
    world.record(sp0 + 0x40n, world.final({ pstate: EL1 }), signed(f(3)));
    assert.deepEqual(addresses(world.sleeping(signed(f(1)), sp0, sp0).frames), [f(1), f(2), f(3)]);
  });

  test('with a return address that the function graph tracer replaced: the real one, by the frame pointer it noted', () => {
    const world = new World();
    const end = world.final({ pstate: EL1 });
    Object.assign(world.offsets, {
      'struct task_struct.ret_stack': 0,
      'struct ftrace_ret_stack.ret': 0,
      'struct ftrace_ret_stack.retp': 32,
    });
    world.symbols.set('return_to_handler', f(9));
    world.space.words(taskStruct, heap);
    world.space.words(heap, f(2), 0n, 0n, 0n, sp0 + 0x40n, 0n);
    world.record(sp0, sp0 + 0x40n, f(9));
    world.record(sp0 + 0x40n, end, f(3));
    assert.deepEqual(addresses(world.sleeping(f(1), sp0, sp0).frames), [f(1), f(2), f(3)]);
  });
});

describe('a damaged stack of arm64 ends the trace with what is wrong, and keeps the frames before', () => {
  for (const [what, next, address, problem] of [
    ['a record outside of the stack', 0xffff_0000_7777_0000n, f(2), /on no stack/],
    ['a record that points to itself', sp0, f(2), /not above/],
    ['a record that points down', sp0 - 0x40n, f(2), /not above/],
    ['a record that is not aligned', sp0 + 0x44n, f(2), /not aligned/],
    ['a record half beyond the end', taskBase + stackSize - 8n, f(2), /on no stack/],
  ] as const) {
    test(what, () => {
      const world = new World();
      world.record(sp0, next, address);
      const trace = world.sleeping(f(1), sp0, sp0);
      assert.deepEqual([addresses(trace.frames), trace.end], [[f(1), f(2)], 'lost']);
      assert.match(trace.problem, problem);
    });
  }

  test('a return address that is no code', () => {
    const world = new World();
    world.record(sp0, sp0 + 0x40n, 0x1234n);
    const trace = world.sleeping(f(1), sp0, sp0);
    assert.deepEqual([addresses(trace.frames), trace.end], [[f(1)], 'lost']);
    assert.match(trace.problem, /not in text/);
  });

  test('a frame pointer below where the task was switched away', () => {
    const world = new World();
    world.record(sp0 - 0x40n, sp0 + 0x40n, f(2));
    assert.match(world.sleeping(f(1), sp0 - 0x40n, sp0).problem, /not above/);
  });

  test('a stack that is not in the dump', () => {
    const world = new World();
    world.space.exclude(sp0);
    const trace = world.sleeping(f(1), sp0, sp0);
    assert.deepEqual([addresses(trace.frames), trace.end], [[f(1)], 'lost']);
    assert.match(trace.problem, /excluded/);
  });

  test('a final record in the middle of a stack, and a record of an unknown type (6.13)', () => {
    for (const [type, problem] of [
      [FINAL, /not at the end/],
      [77n, /type 4d/],
    ] as const) {
      const world = new World(true);
      world.space.words(sp0, 0n, 0n, type);
      assert.match(world.sleeping(f(1), sp0, sp0).problem, problem);
    }
  });

  test('whatever lies on the stack: a trace ends, and nothing is thrown', () => {
    const word = fc.oneof(
      fc.bigInt(0n, (1n << 64n) - 1n),
      fc.bigInt(0n, stackSize).map((n) => taskBase + (n & ~7n)),
      fc.bigInt(0n, stackSize).map((n) => irqBase + (n & ~7n)),
      fc.nat(255).map(f),
      fc.constant(0n),
    );
    fc.assert(
      fc.property(fc.boolean(), fc.array(word, { minLength: 64, maxLength: 64 }), word, (typed, words, fp) => {
        const world = new World(typed);
        for (let at = 0n; at < 0x2000n; at += 512n) {
          world.space.words(sp0 + at, ...words);
          world.space.words(irqBase + at, ...words);
        }
        const registers = { pc: f(1), x29: fp, x30: words[0]!, sp: sp0, pstate: EL1 };
        for (const trace of [world.active(registers), world.sleeping(f(1), fp, sp0)]) {
          assert.ok(trace.frames.length > 0 && trace.frames.length <= 4096);
        }
      }),
      { numRuns: 100 },
    );
  });
});

test('stacks of 64 KiB, as with pages of that size: a task is followed to the end of its own', () => {
  const world = new World();
  const size = 0x1_0000n;
  world.space.map(taskBase + stackSize, Number(size - stackSize));
  world.symbols.set('__start_init_stack', heap);
  world.symbols.set('__end_init_stack', heap + size);
  const end = taskBase + size - savedSize;
  world.saved(end, { pc: 0x40_1000n, sp: 0xffff_f000n, pstate: EL0 });
  world.record(taskBase + 0x3000n, taskBase + 0xc000n, f(2));
  world.record(taskBase + 0xc000n, end + recordAt, f(3));
  const { frames, end: why } = world.sleeping(f(1), taskBase + 0x3000n, taskBase + 0x3000n);
  assert.deepEqual([addresses(frames), frames.at(-1)!.kind, why], [[f(1), f(2), f(3)], 'entry', 'complete']);
});

describe('exceptions and stacks of a CPU', () => {
  /** CPU 0 in an interrupt handler on the IRQ stack, which came while f(5) ran. */
  function interrupted(world: World, type: bigint | null, x30 = f(7)) {
    const end = world.final({ pstate: EL1 }, type === null ? null : FINAL);
    const regs = sp0 + 0x100n;
    const fp5 = sp0 + 0x100n + savedSize + 0x20n;
    world.saved(regs, { pc: f(5), sp: fp5, x29: fp5, x30, x0: 0x55n, pstate: EL1 | 0x80n }, type);
    world.record(fp5, end, f(6));
    world.record(irqBase + 0x3f00n, sp0 + 0x80n, f(3)); // handler, called by call_on_irq_stack f(3)
    world.record(sp0 + 0x80n, regs + recordAt, f(4)); // called by el1h_64_irq f(4)
    return { regs, fp5, registers: { pc: f(1), x29: irqBase + 0x3f00n, x30: 0n, sp: irqBase + 0x3f00n, pstate: EL1 } };
  }

  for (const type of [null, PT_REGS]) {
    test(`an interrupt leads from its stack to the task's and on to what it interrupted${type === null ? '' : ' (6.13)'}`, () => {
      const world = new World(type !== null);
      const { regs, fp5, registers } = interrupted(world, type);
      const { frames, end } = world.active(registers);
      assert.deepEqual([addresses(frames), end], [[f(1), f(3), f(4), f(5), f(6)], 'complete']);
      assert.deepEqual(kinds(frames), ['interrupted', 'call', 'entry', 'interrupted', 'call']);
      assert.deepEqual(
        frames.map(({ stack }) => stack?.name),
        ['IRQ', 'task', 'task', 'task', 'task'],
      );
      const { registers: saved, registersAddress } = frames[2]!;
      assert.deepEqual([saved?.pc, saved?.x0, registersAddress], [f(5), 0x55n, regs]);
      assert.equal(arm64RegisterSet.interruptsOff(saved!), true);
      assert.equal(frames[3]!.stackPointer, fp5);
    });
  }

  test('an interrupted function without a record: its caller is where x30 returns to', () => {
    for (const prepare of [
      (world: World) => world.code(5, 0xd503_201f), // a leaf: nop
      (world: World) => world.code(5, 0xa8c1_7bfd, 0x4cn), // ldp x29, x30, [sp], #16 came just before
      // a shadow call stack: str x30, [x18], #8 comes before the record is made, and
      (world: World) => world.code(5, 0xf800_865e),
      (world: World) => {
        world.code(5, 0xf800_865e);
        world.code(5, 0xa9bf_7bfd, 4n);
        world.code(5, 0xa8c1_7bfd, 0x48n);
        world.code(5, 0xf85f_8e5e, 0x4cn); // ldr x30, [x18, #-8]! after it is taken back
      },
    ]) {
      const world = new World();
      prepare(world);
      const { registers } = interrupted(world, null);
      assert.deepEqual(addresses(world.active(registers).frames), [f(1), f(3), f(4), f(5), f(7), f(6)]);
    }
  });

  test('an interrupted function with a record: x30 may be any call of its own, and tells nothing', () => {
    for (const last of [0xd65f_03c0, 0xd65f_0bff, 0x1400_0010, 0xd61f_0200]) {
      // ret, retaa, b, br: an epilogue before them is that of another way out of the function
      const world = new World();
      world.code(5, 0xa8c1_7bfd, 0x48n);
      world.code(5, last, 0x4cn);
      const { registers } = interrupted(world, null);
      assert.deepEqual(addresses(world.active(registers).frames), [f(1), f(3), f(4), f(5), f(6)]);
    }
    const world = new World();
    world.code(5, 0xa8c1_7bfd, 0x48n);
    world.code(5, 0xd63f_0200, 0x4cn); // blr leaves no function
    assert.equal(world.active(interrupted(world, null).registers).frames.length, 6);
  });

  test('a CPU that was sent nowhere: above records that were written over it goes on at one that is whole, as a guess', () => {
    const stack = (pc: bigint): StackTrace => {
      const world = new World();
      const end = world.final({ pc: 0x40_1000n, sp: 0xffff_f000n, pstate: EL0 });
      world.record(sp0, 0x4141n, 0x4141n);
      world.record(sp0 + 0x40n, sp0 + 0x200n, f(9)); // leads nowhere: not a record
      world.record(sp0 + 0x80n, sp0 + 0xc0n, f(3));
      world.record(sp0 + 0xc0n, end, f(4));
      return world.active({ pc, x29: sp0, x30: pc, sp: sp0, pstate: EL1 });
    };
    const { frames, end } = stack(0x4141n);
    assert.deepEqual(
      frames.map(({ address, kind, reliable }) => [address, kind, reliable]),
      [
        [0x4141n, 'interrupted', true],
        [f(3), 'call', false],
        [f(4), 'entry', true],
      ],
    );
    assert.equal(end, 'complete');
    // of code that is there, such a record is damage, and the trace ends
    assert.deepEqual([stack(f(1)).end, stack(f(1)).frames.length], ['lost', 1]);
  });

  test('a CPU that was sent nowhere, and no record is whole: the trace ends with what is wrong', () => {
    const world = new World();
    world.record(sp0, 0x4141n, 0x4141n);
    const { end, problem } = world.active({ pc: 0x4141n, x29: sp0, x30: 0x4141n, sp: sp0, pstate: EL1 });
    assert.deepEqual([end, /is not in text/.test(problem)], ['lost', true]);
  });

  test('entry code at its very start: x30 is that of what it interrupted, and no more than a guess', () => {
    const world = new World();
    world.symbols.set('__entry_text_start', fn(5));
    world.symbols.set('__entry_text_end', fn(6));
    world.code(5, 0xd503_201f);
    world.record(sp0, world.final({ pstate: EL1 }), f(3));
    const start = { pc: f(5), x29: sp0, x30: f(2), sp: sp0, pstate: EL1 };
    assert.deepEqual(
      world.active(start).frames.map(({ address, reliable }) => [address, reliable]),
      [
        [f(5), true],
        [f(2), false],
        [f(3), true],
      ],
    );
    // where x30 is what the record says, it is the record's
    assert.deepEqual(addresses(world.active({ ...start, x30: f(3) }).frames), [f(5), f(3)]);
    // with its registers saved already, its record says who was interrupted
    world.saved(sp0 - savedSize, { pc: f(7), x29: sp0, x30: f(2), sp: sp0, pstate: EL1 });
    const later = { ...start, x29: sp0 - savedSize + recordAt, sp: sp0 - savedSize };
    assert.deepEqual(addresses(world.active(later).frames), [f(5), f(7), f(3)]);
  });

  test('a jump to nowhere: its caller is where x30 returns to', () => {
    const world = new World();
    const end = world.final({ pstate: EL1 });
    world.record(sp0, end, f(3));
    const { frames } = world.active({ pc: 0n, x29: sp0, x30: f(2), sp: sp0, pstate: EL1 });
    assert.deepEqual(addresses(frames), [0n, f(2), f(3)]);
  });

  test('a full stack: from the overflow stack to the exception, whose stack pointer is on no stack', () => {
    const world = new World();
    const regs = overflowBase + 0x800n;
    world.record(regs - 0x20n, regs + recordAt, f(2)); // __bad_stack calls the handler
    world.saved(regs, { pc: f(5), sp: taskBase - 16n, x29: sp0, x30: f(6), pstate: EL1 });
    world.record(sp0, world.final({ pstate: EL1 }), f(6));
    const { frames, end } = world.active({ pc: f(1), x29: regs - 0x20n, x30: 0n, sp: regs - 0x20n, pstate: EL1 });
    assert.deepEqual([addresses(frames), end], [[f(1), f(2), f(5), f(6)], 'complete']);
    assert.equal(frames[0]!.stack?.name, 'OVERFLOW');
  });

  test('two stacks that lead to each other: neither is entered twice', () => {
    const world = new World();
    world.record(sp0, irqBase + 0x100n, f(2));
    world.record(irqBase + 0x100n, sp0 + 0x40n, f(3));
    const trace = world.active({ pc: f(1), x29: sp0, x30: 0n, sp: sp0, pstate: EL1 });
    assert.deepEqual([addresses(trace.frames), trace.end], [[f(1), f(2), f(3)], 'lost']);
    assert.match(trace.problem, /left before/);
  });

  test('a CPU in user mode has its registers and no frames of the kernel', () => {
    const { frames, end } = new World().active({ pc: 0x40_0000n, x29: 1n, x30: f(2), sp: 0x7000n, pstate: EL0 });
    assert.deepEqual([addresses(frames), end], [[0x40_0000n], 'complete']);
  });

  test('the CPU that went to the kdump kernel starts at machine_kexec, not at the registers of the exception', () => {
    const world = new World();
    world.symbols.set('machine_kexec', fn(2));
    const end = world.final({ pstate: EL1 });
    world.record(sp0, sp0 + 0x40n, f(2)); // left by what machine_kexec called
    world.record(sp0 + 0x40n, sp0 + 0x80n, f(3));
    world.record(sp0 + 0x80n, end, f(4));
    const { frames } = world.active({ pc: f(9), x29: sp0 + 0x80n, x30: 0n, sp: sp0 + 0x80n, pstate: EL1 });
    assert.deepEqual(addresses(frames), [f(2), f(3), f(4)]);
  });

  test('without registers there is a reason and no frame', () => {
    const trace = new World().active(null);
    assert.deepEqual([trace.frames.length, trace.end], [0, 'lost']);
  });

  test('a CPU whose task is not known: from the IRQ stack to a stack that only the record tells of', () => {
    const world = new World();
    world.symbols.clear();
    world.record(irqBase + 0x100n, sp0, f(2));
    world.record(sp0, sp0 + 0x40n, f(3));
    world.record(sp0 + 0x40n, 0xffff_0000_7777_0000n, f(4));
    const registers = { pc: f(1), x29: irqBase + 0x100n, x30: 0n, sp: irqBase + 0x100n, pstate: EL1 };
    const trace = world.unwinder.activeCpu(0, registers, true);
    assert.deepEqual([addresses(trace.frames), trace.end], [[f(1), f(2), f(3), f(4)], 'lost']);
  });

  test('stacks that cannot be read are left out', () => {
    const world = new World();
    world.symbols.set('sdei_stack_normal_ptr', 0x9000n); // not mapped
    world.symbols.set('efi_rt_stack_top', variables + 8n);
    world.space.words(variables + 8n, heap + stackSize);
    assert.deepEqual(
      cpuStacks(world.view, 0).map(({ name, start, end }) => [name, start, end]),
      [
        ['IRQ', irqBase, irqBase + stackSize],
        ['OVERFLOW', overflowBase, overflowBase + 4096n],
        ['EFI', heap, heap + stackSize],
      ],
    );
  });
});

describe('what looks like registers on a stack', () => {
  test('is what entry code leaves, of kernel and user mode, and not words beside them', () => {
    for (const typed of [false, true]) {
      const world = new World(typed);
      const type = typed ? PT_REGS : null;
      world.saved(sp0, { pc: f(5), sp: sp0, x29: sp0 + 0x400n, pstate: EL1 }, type);
      const user = world.final({ pc: 0x40_1000n, sp: 0x7000n, pstate: EL0 }, typed ? FINAL : null) - recordAt;
      const found: bigint[] = [];
      for (let at = taskBase; at + savedSize <= taskBase + stackSize; at += 8n) {
        if (world.unwinder.savedRegisters(virtAddr(at)) !== null) found.push(at);
      }
      assert.deepEqual(found, [sp0, user]);
    }
  });
});
