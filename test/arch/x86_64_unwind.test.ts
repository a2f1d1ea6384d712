import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { KernelView } from '../../src/arch/kernel_view.ts';
import type { OrcEntry, OrcLookup } from '../../src/arch/orc_entry.ts';
import { type Stack, threadSize } from '../../src/arch/stacks.ts';
import type { Frame } from '../../src/arch/unwinder.ts';
import { CodeFrames } from '../../src/arch/x86_64/code_frame.ts';
import type { Registers } from '../../src/arch/x86_64/registers.ts';
import { cpuStacks } from '../../src/arch/x86_64/stacks.ts';
import { unwind } from '../../src/arch/x86_64/unwind.ts';
import { X86Unwinder } from '../../src/arch/x86_64/unwinder.ts';
import { virtAddr } from '../../src/base/address.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

// Text: functions of 0x100 bytes each, from `text` on. `f(n)` is a return address in function n, behind a call.
const text = 0xffff_ffff_8100_0000n;
const textEnd = text + 0x1_0000n;
const taskBase = 0xff5e_0000_0001_0000n;
const irqBase = 0xff5e_0000_0100_0000n;
const nmiBase = 0xffff_fe00_0000_1000n;

const task: Stack = { kind: 'task', name: 'task', start: virtAddr(taskBase), end: virtAddr(taskBase + 0x4000n) };
const irq: Stack = { kind: 'irq', name: 'IRQ', start: virtAddr(irqBase), end: virtAddr(irqBase + 0x4000n) };
const nmi: Stack = { kind: 'exception', name: 'NMI', start: virtAddr(nmiBase), end: virtAddr(nmiBase + 0x2000n) };

const fn = (n: number): bigint => text + BigInt(n) * 0x100n;
const f = (n: number): bigint => fn(n) + 0x50n;

const call = (spOffset: number, more: Partial<OrcEntry> = {}): OrcEntry => ({
  type: 'call',
  spRegister: 'sp',
  spOffset,
  bpRegister: 'undefined',
  bpOffset: 0,
  signal: false,
  ...more,
});
const end: OrcEntry = call(0, { type: 'end', spRegister: 'undefined' });
const regs = (spOffset: number, more: Partial<OrcEntry> = {}): OrcEntry =>
  call(spOffset, { type: 'regs', signal: true, ...more });

class World {
  readonly space = new SyntheticSpace();
  readonly rules = new Map<number, OrcEntry>();
  readonly symbols = new Map<string, bigint>();
  stacks: readonly Stack[] = [task, irq, nmi];

  constructor() {
    this.space.map(taskBase, 0x4000).map(irqBase, 0x4000).map(nmiBase, 0x2000).map(text, 0x1_0000);
    // every return address f(n) stands behind an indirect call
    for (let n = 0; n < 256; n++) this.space.write(f(n) - 2n, Uint8Array.of(0xff, 0xd0));
  }

  get orc(): OrcLookup {
    return { find: (ip) => (this.isText(ip) ? (this.rules.get(Number((ip - text) / 0x100n)) ?? null) : null) };
  }

  get view(): KernelView {
    return {
      space: this.space,
      symbol: (name) => {
        const address = this.symbols.get(name);
        return address === undefined ? null : virtAddr(address);
      },
      functionAt: (at) => {
        if (!this.isText(at)) return null;
        const start = at - ((at - text) % 0x100n);
        const name = [...this.symbols].find(([, address]) => address === start)?.[0] ?? `f${(start - text) / 0x100n}`;
        return { name, start: virtAddr(start) };
      },
      isText: (at) => this.isText(at),
      generatedCode: () => null,
      perCpu: (name) => {
        const address = this.symbols.get(name);
        return address === undefined ? null : virtAddr(address);
      },
      offsetOf: () => null,
      sizeOf: () => null,
    };
  }

  /** Makes return address f(n) stand behind a direct call of function `target`. */
  directCall(n: number, target: number): void {
    const bytes = new Uint8Array(5);
    bytes[0] = 0xe8;
    new DataView(bytes.buffer).setInt32(1, Number(BigInt.asIntN(32, fn(target) - f(n))), true);
    this.space.write(f(n) - 5n, bytes);
  }

  from(address: bigint, sp: bigint, more: { bp?: bigint; registers?: Registers } = {}) {
    return unwind(this.view, this.orc, new CodeFrames(this.view), this.stacks, {
      address: virtAddr(address),
      stackPointer: virtAddr(sp),
      framePointer: virtAddr(more.bp ?? 0n),
      registers: more.registers ?? null,
    });
  }

  private isText(at: bigint): boolean {
    return at >= text && at < textEnd;
  }
}

/** pt_regs in memory order, from a few of its words. */
function ptRegs(
  words: Partial<Record<'r13' | 'r10' | 'bp' | 'di' | 'dx' | 'ax' | 'ip' | 'cs' | 'sp', bigint>>,
): bigint[] {
  const { r13 = 0n, r10 = 0n, bp = 0n, di = 0n, dx = 0n, ax = 0n, ip = 0n, cs = 0x10n, sp = 0n } = words;
  return [0n, 0n, r13, 0n, bp, 0n, 0n, r10, 0n, 0n, ax, 0n, dx, 0n, di, ~0n, ip, cs, 0x246n, sp, 0x18n];
}

const addresses = (frames: readonly Frame[]): bigint[] => frames.map(({ address }) => address);
const sp0 = taskBase + 0x3000n;

describe('unwinding that must not go on for ever', () => {
  test('code without a rule and without a return address above: lost, with the first frame kept', () => {
    const world = new World();
    const trace = world.from(f(1), sp0);
    assert.deepEqual([addresses(trace.frames), trace.end], [[f(1)], 'lost']);
    assert.match(trace.problem, /no rule/);
  });

  test('a stack pointer on no stack at all', () => {
    const world = new World();
    world.rules.set(1, call(8));
    const trace = world.from(f(1), 0x1234n);
    assert.equal(trace.end, 'lost');
    assert.equal(trace.frames[0]!.stack, null);
  });

  test('a rule that does not move up the stack', () => {
    const world = new World();
    world.rules.set(1, call(0));
    world.space.words(sp0 - 8n, f(1));
    const trace = world.from(f(1), sp0);
    assert.equal(trace.end, 'lost');
    assert.ok(trace.frames.length < 3);
  });

  test('a frame pointer that leads back', () => {
    const world = new World();
    world.rules.set(1, call(16, { spRegister: 'bp', bpRegister: 'prev-sp', bpOffset: -16 }));
    world.space.words(sp0, sp0, f(1));
    assert.equal(world.from(f(1), sp0, { bp: sp0 }).end, 'lost');
  });

  test('two stacks that lead to each other: neither is entered twice', () => {
    const world = new World();
    world.rules.set(1, regs(0));
    world.space.words(sp0, ...ptRegs({ ip: f(1), sp: irqBase + 0x1000n }));
    world.space.words(irqBase + 0x1000n, ...ptRegs({ ip: f(1), sp: sp0 }));
    const trace = world.from(f(1), sp0);
    assert.equal(trace.end, 'lost');
    assert.ok(trace.frames.length <= 4);
  });

  test('a stack of nothing but return addresses ends at its end', () => {
    const world = new World();
    world.rules.set(1, call(8));
    world.space.words(taskBase, ...Array.from({ length: 2048 }, () => f(1)));
    const trace = world.from(f(1), taskBase + 8n);
    assert.equal(trace.end, 'lost');
    assert.equal(trace.frames.length, 2048);
  });

  test('any rules over any stack content end, with frames that go up each stack', () => {
    const registers = fc.constantFrom('undefined', 'sp', 'bp', 'sp-indirect', 'bp-indirect', 'r10', 'di', 'prev-sp');
    const rule = fc.record({
      type: fc.constantFrom('undefined', 'end', 'call', 'regs', 'regs-partial'),
      spRegister: registers,
      spOffset: fc.integer({ min: -64, max: 256 }),
      bpRegister: registers,
      bpOffset: fc.integer({ min: -64, max: 64 }),
      signal: fc.boolean(),
    }) as fc.Arbitrary<OrcEntry>;
    const word = fc.oneof(
      fc.integer({ min: 0, max: 15 }).map((n) => f(n)),
      fc.integer({ min: 0, max: 0x3ff }).map((n) => taskBase + BigInt(n * 8)),
      fc.integer({ min: 0, max: 0x3ff }).map((n) => irqBase + BigInt(n * 8)),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.option(rule), { minLength: 16, maxLength: 16 }),
        fc.array(word, { minLength: 128, maxLength: 128 }),
        fc.nat(0x3f0),
        (rules, words, start) => {
          const world = new World();
          for (const [n, entry] of rules.entries()) if (entry !== null) world.rules.set(n, entry);
          world.space.words(taskBase, ...words);
          world.space.words(irqBase, ...words);
          const { frames } = world.from(f(3), taskBase + BigInt(start & ~7));
          assert.ok(frames.length >= 1 && frames.length <= 4096);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('unwinding by each kind of rule', () => {
  test('calls: the slot of each return address, and the stack pointer above it', () => {
    const world = new World();
    world.rules.set(1, call(24));
    world.rules.set(2, call(8));
    world.rules.set(3, end);
    world.space.words(sp0, 0n, 0n, f(2), f(3));
    const { frames, end: how } = world.from(f(1), sp0);
    assert.equal(how, 'complete');
    assert.deepEqual(addresses(frames), [f(1), f(2), f(3)]);
    assert.deepEqual(
      frames.map(({ frameAddress }) => frameAddress),
      [sp0 - 8n, sp0 + 16n, sp0 + 24n],
    );
    assert.equal(frames[2]!.stackPointer, sp0 + 32n);
    assert.ok(frames.every(({ stack, reliable }) => stack === task && reliable));
  });

  test('a return address behind the last byte of a function takes the rule of the call, not of what follows', () => {
    const world = new World();
    world.rules.set(1, call(8));
    world.rules.set(2, call(8));
    world.rules.set(4, end);
    world.space.words(sp0, fn(3), f(4)); // f2's last instruction is a call that does not return
    assert.deepEqual(addresses(world.from(f(1), sp0).frames), [f(1), fn(3), f(4)]);
  });

  test('an interrupted function takes the rule of its own instruction, not of the one before', () => {
    const world = new World();
    world.rules.set(1, regs(0));
    world.rules.set(2, call(64));
    world.rules.set(3, call(8));
    world.rules.set(4, end);
    world.space.words(sp0, ...ptRegs({ ip: fn(3), sp: sp0 + 168n }), f(4));
    const { frames } = world.from(f(1), sp0);
    assert.deepEqual(addresses(frames), [f(1), fn(3), f(4)]);
    assert.deepEqual(
      frames.map(({ kind }) => kind),
      ['entry', 'interrupted', 'call'],
    );
    assert.equal(frames[0]!.registersAddress, sp0);
    assert.equal(frames[0]!.registers?.rip, fn(3));
    assert.equal(frames[1]!.frameAddress, sp0 + 168n);
  });

  test('frame pointers: taken from where the rule says, and handed on by rules that do not touch them', () => {
    const world = new World();
    world.rules.set(1, call(16, { bpRegister: 'prev-sp', bpOffset: -16 }));
    world.rules.set(2, call(8));
    world.rules.set(3, call(16, { spRegister: 'bp', bpRegister: 'prev-sp', bpOffset: -16 }));
    world.rules.set(4, end);
    world.space.words(sp0, sp0 + 64n, f(2), f(3));
    world.space.words(sp0 + 64n, 0n, f(4));
    assert.deepEqual(addresses(world.from(f(1), sp0).frames), [f(1), f(2), f(3), f(4)]);
  });

  test('indirect: the previous stack pointer is stored at rsp (offset added after), or at rbp plus offset', () => {
    const world = new World();
    world.rules.set(1, call(8, { spRegister: 'sp-indirect' }));
    world.rules.set(2, call(-8, { spRegister: 'bp-indirect' }));
    world.rules.set(3, end);
    // the interrupt stack's last word is the interrupted stack pointer
    world.space.words(irqBase + 0x3ff8n, sp0);
    world.space.words(sp0, f(2));
    world.space.words(sp0 + 0x100n, sp0 + 0x210n);
    world.space.words(sp0 + 0x208n, f(3));
    const { frames } = world.from(f(1), irqBase + 0x3ff8n, { bp: sp0 + 0x108n });
    assert.deepEqual(addresses(frames), [f(1), f(2), f(3)]);
    assert.deepEqual(
      frames.map(({ stack }) => stack?.name),
      ['IRQ', 'task', 'task'],
    );
  });

  for (const [register, word] of [
    ['r10', 'r10'],
    ['r13', 'r13'],
    ['di', 'di'],
    ['dx', 'dx'],
    ['ax', 'ax'],
  ] as const) {
    test(`${register}: from the registers saved last, and only from those`, () => {
      const world = new World();
      world.rules.set(1, regs(0));
      world.rules.set(2, call(0, { spRegister: register }));
      world.rules.set(3, end);
      world.space.words(sp0, ...ptRegs({ ip: f(2), sp: sp0 + 0x200n, [word]: sp0 + 0x308n }));
      world.space.words(sp0 + 0x300n, f(3));
      assert.deepEqual(addresses(world.from(f(1), sp0).frames), [f(1), f(2), f(3)]);
      // reached by a call, the register is not known: the stack is searched instead
      world.rules.set(1, call(8));
      world.space.words(sp0, f(2));
      const lost = world.from(f(1), sp0);
      assert.ok(lost.frames.slice(2).every(({ reliable }) => !reliable));
    });
  }

  test('registers that the CPU alone saved: the rest stays as it was saved before', () => {
    const world = new World();
    world.rules.set(1, regs(0));
    world.rules.set(2, call(8, { type: 'regs-partial', signal: true }));
    world.rules.set(3, call(0, { spRegister: 'r10' }));
    world.rules.set(4, end);
    world.space.words(sp0, ...ptRegs({ ip: f(2), sp: sp0 + 0x200n, r10: sp0 + 0x408n }));
    world.space.words(sp0 + 0x208n, f(3), 0x10n, 0x246n, sp0 + 0x300n, 0x18n);
    world.space.words(sp0 + 0x400n, f(4));
    const { frames } = world.from(f(1), sp0);
    assert.deepEqual(addresses(frames), [f(1), f(2), f(3), f(4)]);
    assert.equal(frames[1]!.registers?.rsp, sp0 + 0x300n);
    assert.equal(frames[1]!.registers?.rax, undefined);
  });

  test('entry from user mode ends the trace, with the registers of user mode', () => {
    const world = new World();
    world.rules.set(1, call(8));
    world.rules.set(2, regs(0));
    const top = taskBase + 0x3f50n;
    world.space.words(top, f(2), ...ptRegs({ ip: 0x401000n, cs: 0x33n, sp: 0x7fff_0000n }));
    const { frames, end: how } = world.from(f(1), top);
    assert.equal(how, 'complete');
    assert.deepEqual([frames[1]!.kind, frames[1]!.registers?.rip], ['entry', 0x401000n]);
  });

  test('a call through a null pointer: the caller is where the return address is', () => {
    const world = new World();
    world.rules.set(2, end);
    world.space.words(sp0, f(2));
    const registers = { rip: 0n, rsp: sp0, rbp: 0n, cs: 0x10n };
    const { frames } = world.from(0n, sp0, { registers });
    assert.deepEqual(addresses(frames), [0n, f(2)]);
  });

  test('a stack that overflowed into the page below: unwinding goes on where the stack begins', () => {
    const world = new World();
    world.rules.set(1, call(0x100));
    world.rules.set(2, end);
    world.space.words(taskBase + 0xf0n, f(2));
    const registers = { rip: f(1), rsp: taskBase - 8n, rbp: 0n, cs: 0x10n };
    assert.deepEqual(addresses(world.from(f(1), taskBase - 8n, { registers }).frames), [f(1), f(2)]);
  });
});

describe('where no rule is known', () => {
  test('a direct call of the very function is as good as known', () => {
    const world = new World();
    world.space.write(fn(1), Uint8Array.of(0x06)); // no instruction: its code does not say where its frame is
    world.directCall(2, 1);
    world.rules.set(2, end);
    world.space.words(sp0, f(7), 1n, f(2)); // f7: something left over
    const { frames } = world.from(f(1), sp0);
    assert.deepEqual(addresses(frames), [f(1), f(2)]);
    assert.equal(frames[1]!.reliable, true);
  });

  test('else the frame pointer, marked as a guess', () => {
    const world = new World();
    world.rules.set(2, end);
    world.space.words(sp0 + 0x40n, 0n, f(2));
    const { frames } = world.from(f(1), sp0, { bp: sp0 + 0x40n });
    assert.deepEqual(addresses(frames), [f(1), f(2)]);
    assert.equal(frames[1]!.reliable, false);
  });

  test('a kernel without ORC is unwound by its frame pointers, however deep, through interrupts to user mode', () => {
    const world = new World();
    for (let n = 0; n < 64; n++) world.space.write(fn(n), Uint8Array.of(0x55, 0x48, 0x89, 0xe5));
    // f1 .. f40 call each other; f40 was called by interrupt entry f41, whose registers rbp points to
    const depth = 40;
    const frame = (n: number): bigint => sp0 + BigInt(n) * 0x20n;
    const saved = frame(depth + 2);
    for (let n = 1; n <= depth; n++) {
      world.space.words(frame(n), n === depth ? saved + 1n : frame(n + 1), f(n + 1), f(60));
    }
    const top = taskBase + 0x4000n - 168n;
    world.space.words(saved, ...ptRegs({ ip: fn(50) + 0x30n, bp: top - 0x40n, sp: top - 0x60n }));
    world.space.words(top - 0x40n, 0n, f(51));
    world.space.words(top - 0x10n, 0n, f(52), ...ptRegs({ ip: 0x401000n, cs: 0x33n, sp: 0x7fffn }));
    world.space.words(top - 0x40n, top - 0x10n, f(51));
    const { frames, end: how } = world.from(f(1), sp0, { bp: frame(1) });
    assert.equal(how, 'complete');
    assert.deepEqual(addresses(frames), [
      ...Array.from({ length: depth + 1 }, (_, i) => f(i + 1)),
      fn(50) + 0x30n,
      f(51),
      f(52),
    ]);
    assert.ok(frames.every(({ reliable }) => reliable));
    assert.equal(frames[depth]!.kind, 'entry');
    assert.equal(frames.at(-1)!.registers?.rip, 0x401000n);
  });

  /** `push %rbp; mov %rsp,%rbp; sub $0x20,%rsp`, and then what returns. */
  const framed = Uint8Array.of(0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x20);
  const top = taskBase + 0x4000n - 168n;

  test('without ORC, a kernel thread ends where registers would be that nobody saved', () => {
    const world = new World();
    world.space.write(fn(1), framed);
    world.space.words(top - 16n, top + 1n, f(2));
    const { frames, end: how, problem } = world.from(f(1), top - 0x30n, { bp: top - 16n });
    assert.deepEqual([how, problem, addresses(frames)], ['complete', '', [f(1), f(2)]]);
  });

  test("without ORC, a CPU's first task ends in the code that jumped to it", () => {
    const world = new World();
    world.space.write(fn(1), framed);
    const jumpedTo = fn(2) + 0x10n; // behind no call
    world.space.words(top - 16n, 0n, jumpedTo, ...Array.from({ length: 21 }, () => 0x841f_0f2e_66n)); // nops of a linker
    const { frames, end: how } = world.from(f(1), top - 0x30n, { bp: top - 16n });
    assert.deepEqual([how, addresses(frames)], ['complete', [f(1), jumpedTo]]);
  });

  test('without ORC, where rbp is not known: the code says how far up its frame is, and so does rbp from there on', () => {
    const world = new World();
    for (const n of [1, 2]) world.space.write(fn(n), framed);
    world.space.words(sp0, f(7), f(7), f(7), f(7), sp0 + 0x60n, f(2)); // f7: left over in locals
    world.space.words(sp0 + 0x60n, 0n, f(3));
    world.rules.set(3, end);
    const { frames } = world.from(f(1), sp0, { bp: 0n });
    assert.deepEqual(addresses(frames), [f(1), f(2), f(3)]);
    assert.ok(frames.every(({ reliable }) => reliable));
  });

  test('without ORC, a function that was interrupted before its frame was made has its return address on top', () => {
    const world = new World();
    for (const n of [1, 2]) world.space.write(fn(n), framed);
    world.rules.set(3, end);
    world.space.words(sp0, f(2));
    world.space.words(sp0 + 0x40n, 0n, f(3));
    const registers = { rip: fn(1), rsp: sp0, rbp: sp0 + 0x40n, cs: 0x10n };
    assert.deepEqual(addresses(world.from(fn(1), sp0, { bp: sp0 + 0x40n, registers }).frames), [fn(1), f(2), f(3)]);
  });

  test('without ORC, from the stack of an interrupt to what called upon it, and on', () => {
    const world = new World();
    world.space.write(fn(1), framed);
    // push; mov; mov %rax,%rsp; nop: the function that changes stacks
    world.space.write(fn(2), Uint8Array.of(0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xc4, 0x90));
    world.rules.set(3, end);
    const irqTop = irqBase + 0x4000n;
    world.space.words(irqTop - 0x20n, sp0 + 0x80n, f(2), 0n, sp0);
    world.space.words(sp0 + 0x80n, 0n, f(3));
    const { frames } = world.from(f(1), irqTop - 0x40n, { bp: irqTop - 0x20n });
    assert.deepEqual(addresses(frames), [f(1), f(2), f(3)]);
    assert.deepEqual(
      frames.map(({ stack }) => stack?.name),
      ['IRQ', 'IRQ', 'task'],
    );
    assert.ok(frames.every(({ reliable }) => reliable));
  });

  test('without ORC, who jumped to what is no code is not left out, though rbp leads past it', () => {
    const world = new World();
    for (const n of [1, 2, 4]) world.space.write(fn(n), framed);
    world.rules.set(3, end);
    const own = sp0 + 0x200n + 0x28n;
    const registers = { ip: 0x1234n, sp: sp0 + 0x200n, bp: own };
    world.space.words(sp0 + 0x20n, sp0 + 0x41n, f(5));
    world.space.words(sp0 + 0x40n, ...ptRegs(registers));
    world.space.words(sp0 + 0x200n, f(1), 0n, 0n, 0n, 0n, sp0 + 0x260n, f(2));
    world.space.words(sp0 + 0x260n, 0n, f(3));
    const { frames } = world.from(f(4), sp0, { bp: sp0 + 0x20n });
    assert.deepEqual(addresses(frames), [f(4), f(5), 0x1234n, f(1), f(2), f(3)]);
  });

  test('without ORC, a return address that tracing replaced is what it was', () => {
    const world = new World();
    world.space.write(fn(1), framed);
    world.rules.set(2, end);
    const handler = fn(9); // behind no call
    world.space.words(sp0 + 0x20n, 0x1234_5678n, handler);
    const start = {
      address: virtAddr(f(1)),
      stackPointer: virtAddr(sp0),
      framePointer: virtAddr(sp0 + 0x20n),
      registers: null,
    };
    const real = (address: bigint, slot: bigint) =>
      virtAddr(address === handler && slot === sp0 + 0x28n ? f(2) : address);
    const trace = unwind(world.view, world.orc, new CodeFrames(world.view), world.stacks, start, real);
    assert.deepEqual(addresses(trace.frames), [f(1), f(2)]);
    assert.equal(trace.frames[1]!.reliable, true);
  });

  test('without ORC, init code that was given back is passed by its frame pointers', () => {
    const world = new World();
    world.space.write(fn(1), framed);
    world.space.write(fn(2), Uint8Array.of(0x06)); // something else now
    world.rules.set(3, end);
    world.space.words(sp0 + 0x20n, sp0 + 0x60n, f(2));
    world.space.words(sp0 + 0x60n, 0n, f(3));
    const { frames } = world.from(f(1), sp0, { bp: sp0 + 0x20n });
    assert.deepEqual(addresses(frames), [f(1), f(2), f(3)]);
    assert.ok(frames.every(({ reliable }) => reliable));
  });

  test('words at the end of a stack that are no registers are not taken for some', () => {
    const world = new World();
    world.space.words(taskBase + 0x4000n - 168n, ...Array.from({ length: 21 }, () => 0x1234n));
    assert.equal(world.from(f(1), taskBase + 0x4000n - 168n).end, 'lost');
  });

  test('else the nearest return address that leads on; words that no call stands before are passed over', () => {
    const world = new World();
    world.rules.set(2, call(8));
    world.rules.set(3, end);
    world.space.words(sp0, fn(2) + 0x20n, f(2), f(3));
    const { frames } = world.from(f(1), sp0);
    assert.deepEqual(addresses(frames), [f(1), f(2), f(3)]);
    assert.deepEqual(
      frames.map(({ reliable }) => reliable),
      [true, false, true],
    );
  });
});

describe('where traces start', () => {
  test('a sleeping task: return address and frame pointer from where it was switched away', () => {
    const world = new World();
    world.rules.set(1, call(16, { spRegister: 'bp', bpRegister: 'prev-sp', bpOffset: -16 }));
    world.rules.set(2, end);
    const bp = sp0 + 0x80n;
    world.space.words(sp0, 15n, 14n, 13n, 12n, 3n, bp, f(1));
    world.space.words(bp, 0n, f(2));
    const { frames } = new X86Unwinder(world.view, world.orc).sleeping(virtAddr(taskBase), () => virtAddr(sp0));
    assert.deepEqual(addresses(frames), [f(1), f(2)]);
    assert.equal(frames[0]!.frameAddress, sp0 + 48n);
  });

  test('a sleeping task whose stack is not in the dump has no frames and a reason', () => {
    const world = new World();
    const trace = new X86Unwinder(world.view, world.orc).sleeping(virtAddr(0x1000n), () => virtAddr(0x1000n));
    assert.deepEqual([trace.frames.length, trace.end], [0, 'lost']);
    assert.match(trace.problem, /not mapped/);
  });

  test('the CPU that panicked starts at machine_kexec, not at the registers of the exception', () => {
    const world = new World();
    world.symbols.set('machine_kexec', fn(1));
    for (const [n, entry] of [
      [1, call(16)],
      [2, call(8)],
      [3, end],
      [9, end],
    ] as const)
      world.rules.set(n, entry);
    world.space.words(sp0, f(1), 0n, f(2), f(3));
    const registers = { rip: f(9), rsp: sp0 + 0x800n, rbp: 0n, cs: 0x10n };
    const unwinder = new X86Unwinder(world.view, world.orc);
    const { frames } = unwinder.active(virtAddr(taskBase), 0, registers, false);
    assert.deepEqual(addresses(frames), [f(1), f(2), f(3)]);
    assert.equal(frames[0]!.frameAddress, sp0);
    // a hypervisor's registers are where the CPU really was
    const live = unwinder.active(virtAddr(taskBase), 0, registers, true);
    assert.deepEqual(addresses(live.frames), [f(9)]);
    assert.equal(live.frames[0]!.kind, 'interrupted');
  });

  test('a CPU whose task is lost: its stack is where its stack pointer says', () => {
    const world = new World();
    world.rules.set(1, call(8));
    world.rules.set(2, end);
    world.space.words(sp0, f(2));
    const unwinder = new X86Unwinder(world.view, world.orc);
    const { frames } = unwinder.activeCpu(0, { rip: f(1), rsp: sp0, rbp: 0n, cs: 0x10n }, true);
    assert.deepEqual(addresses(frames), [f(1), f(2)]);
  });

  test('without a way out on any stack, and without registers, there is a reason and no frame', () => {
    const world = new World();
    const trace = new X86Unwinder(world.view, world.orc).active(virtAddr(taskBase), 0, null, false);
    assert.deepEqual([trace.frames.length, trace.end], [0, 'lost']);
  });
});

describe('the stacks of a CPU', () => {
  test('from per-CPU pointers and types; those that cannot be read are left out', () => {
    const world = new World();
    const variables = 0xffff_ffff_8200_0000n;
    world.symbols.set('hardirq_stack_ptr', variables);
    world.symbols.set('cea_exception_stacks', variables + 8n);
    world.symbols.set('cpu_tss_rw', 0x9000n); // not mapped
    world.space.words(variables, irqBase + 0x3ff8n, nmiBase - 0x1000n);
    const view: KernelView = {
      ...world.view,
      offsetOf: (type, member) =>
        type === 'struct cea_exception_stacks' && member === 'NMI_stack'
          ? 0x1000
          : type === 'struct tss_struct'
            ? 4
            : null,
      sizeOf: (_type, member) => (member === 'NMI_stack' ? 0x2000 : null),
    };
    assert.deepEqual(cpuStacks(view, 0), [irq, nmi]);
  });

  test("a task's stack is as large as the boot task's; absurd symbols are not believed", () => {
    const world = new World();
    assert.equal(threadSize(world.view), 16384);
    world.symbols.set('__start_init_task', 0x1000n);
    world.symbols.set('__end_init_task', 0x9000n);
    assert.equal(threadSize(world.view), 32768);
    world.symbols.set('__end_init_task', 0x9001n);
    assert.equal(threadSize(world.view), 16384);
  });
});
