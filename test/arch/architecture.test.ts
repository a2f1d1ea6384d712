// What an architecture has to bring, by one that only this file knows. Its instructions have one byte; a call leaves on
// the stack where it returns to and, above, where its caller's frame is; kernels live in the lower half.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AddressSpace } from '../../src/arch/address_space.ts';
import type { Architecture, Machine } from '../../src/arch/architecture.ts';
import { openArchitecture, registerLayout } from '../../src/arch/architectures.ts';
import type { Decoder, Flow } from '../../src/arch/decoder.ts';
import { unknownEffects } from '../../src/arch/effects.ts';
import type { KernelView } from '../../src/arch/kernel_view.ts';
import { plainLayout, type RegisterSet, type Registers } from '../../src/arch/registers.ts';
import { type Stack, taskStack } from '../../src/arch/stacks.ts';
import type { Frame, StackTrace, Unwinder } from '../../src/arch/unwinder.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import { UnsupportedError } from '../../src/base/errors.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { commandTable } from '../../src/commands/registry.ts';
import type { Dump } from '../../src/dump/dump.ts';
import { Vmcoreinfo } from '../../src/dump/vmcoreinfo.ts';
import { ShellSession } from '../../src/shell/session.ts';
import { SpaceOver } from '../support/synthetic_architecture.ts';
import { SyntheticKernel } from '../support/synthetic_kernel.ts';
import { linkTasks, machine, newTask } from '../support/task_writer.ts';

const registers: RegisterSet = {
  programCounter: { name: 'counter', label: 'COUNTER' },
  arguments: ['a'],
  result: 'acc',
  stack: { pointer: 'top', frame: 'top', pushedByCall: 0 },
  preserved: ['top'],
  layout: plainLayout(['a', 'top', 'counter']),
  fromNote: ({ a, top, counter }) => ({ a, top, counter }),
  instructionPointer: ({ counter }) => virtAddr(counter ?? 0n),
  stackPointer: ({ top }) => virtAddr(top ?? 0n),
  at: (counter, top) => ({ counter, top }),
  link: () => null,
  lastBranch: () => null,
  isUserMode: ({ counter = 0n }) => counter >> 63n === 1n,
  interruptsOff: () => false,
};

const names: Readonly<Record<number, readonly [text: string, flow: Flow]>> = {
  1: ['rest', 'next'],
  2: ['call', 'call'],
  3: ['back', 'return'],
};

const decoder: Decoder = {
  longest: 1,
  shortest: 1,
  *text(code, address) {
    for (const { mnemonic, ...instruction } of this.decode(code, address)) yield { ...instruction, text: mnemonic };
  },
  *decode(code, address) {
    for (const [i, byte] of code.entries()) {
      const [mnemonic, flow] = names[byte] ?? ['(bad)', 'invalid'];
      const place = { address: offsetBy(address, i), bytes: code.subarray(i, i + 1), target: null, memoryTarget: null };
      yield { ...place, mnemonic, flow, operands: [], reads: [], writes: [] };
    }
  },
  isTracerNop: () => false,
};

class TinyUnwinder implements Unwinder {
  readonly frameAddressOf = 'return-address';
  readonly savedSize = 24;
  private readonly view: KernelView;

  constructor(view: KernelView) {
    this.view = view;
  }

  stacks(base: VirtAddr): readonly Stack[] {
    return [taskStack(this.view, base)];
  }

  sleeping(base: VirtAddr, thread: (member: string) => VirtAddr): StackTrace {
    const [stack] = this.stacks(base);
    const frames: Frame[] = [];
    const { space } = this.view;
    for (let at = thread('sp'); at !== 0n; at = space.pointer(offsetBy(at, 8))) {
      const frame = { kind: 'call', frameAddress: at, stackPointer: offsetBy(at, 16), stack: stack! } as const;
      const more = { registers: null, registersAddress: null, reliable: true };
      frames.push({ ...frame, ...more, address: space.pointer(at) });
    }
    const user: Registers = { a: 7n, top: 8n, counter: 1n << 63n };
    frames.push({ ...frames.at(-1)!, kind: 'entry', registers: user });
    return { frames, end: 'complete', problem: '' };
  }

  active(base: VirtAddr): StackTrace {
    return this.sleeping(base, () => base);
  }

  activeCpu(): StackTrace {
    return { frames: [], end: 'lost', problem: 'nobody knows' };
  }

  savedRegisters(): null {
    return null;
  }

  textAddress(word: bigint): VirtAddr {
    return virtAddr(word);
  }
}

class Tiny implements Architecture {
  readonly name = 'tiny';
  readonly registers = registers;
  readonly decoder = decoder;
  readonly effects = unknownEffects;
  readonly notes = ['the machine is tiny'];
  readonly symbolSearch = null;
  readonly backtraces = { interruptedFrames: true, userFrames: true };
  readonly coreFile = { machine: 0, registers: [], kept: {}, notes: [] };
  readonly space: SpaceOver;

  constructor(space: AddressSpace) {
    this.space = new SpaceOver(space, () => true);
  }

  useSymbols(): void {}
  userSpace(): SpaceOver {
    return this.space;
  }
  isKernelAddress(address: bigint): boolean {
    return address >> 63n === 0n;
  }
  isUserAddress(address: bigint): boolean {
    return !this.isKernelAddress(address);
  }
  regions(): readonly [] {
    return [];
  }
  swapSlots(): readonly [] {
    return [];
  }
  describeEntry() {
    return { present: false, physical: null, flags: [], swap: null };
  }
  unwinder(view: KernelView): TinyUnwinder {
    return new TinyUnwinder(view);
  }
  shownAddress({ address }: Pick<Frame, 'address'>): VirtAddr {
    return offsetBy(address, -1);
  }
  thunkRegister(): null {
    return null;
  }
  isReturnThunk(): boolean {
    return false;
  }
  isEntryMark(): boolean {
    return false;
  }

  followsCall(space: AddressSpace, address: VirtAddr): boolean {
    return space.u8(offsetBy(address, -1)) === 2;
  }
  failedAuthentication(): null {
    return null;
  }
  trapName(): null {
    return null;
  }
  readonly guards = { userCode: 'UC', userData: 'UD', noExecute: 'NE' };
  faultSyndrome(): null {
    return null;
  }
}

const tiny: Machine = { name: 'tiny', registers, open: () => new Tiny(kernel.space), over: (space) => new Tiny(space) };

const text = 0x40_0000n;

class TinyKernel extends SyntheticKernel {
  constructor(declarations: string) {
    super(declarations, '', ({ space, symbols }) => {
      space.map(text, 4096);
      space.write(text, Uint8Array.of(1, 2, 3, 1, 2, 3, 9));
      for (const [name, at, size] of [
        ['_stext', 0n, 0],
        ['frob', 0n, 3],
        ['wait', 3n, 4],
        ['_etext', 4096n, 0],
      ] as const) {
        symbols.add({ name, address: virtAddr(text + at), type: 't', size, module: null });
      }
      return { arch: new Tiny(space) };
    });
  }
}

const kernel = machine({ make: (declarations) => new TinyKernel(declarations) });
const task = newTask(kernel, { pid: 7, comm: 'sh' });
const stack = 0x7000_0000n;
kernel.space.map(stack, 0x4000);
kernel.space.words(stack + 0x3f00n, text + 5n, stack + 0x3f40n);
kernel.space.words(stack + 0x3f40n, text + 2n, 0n);
kernel.set(task, 'stack', stack);
kernel.set(task, 'thread.sp', stack + 0x3f00n);
linkTasks(kernel, [task]);

async function shell(line: string): Promise<string> {
  let out = '';
  const write = (part: string): boolean => {
    out += part;
    return true;
  };
  const session = new ShellSession(new CommandContext(kernel), commandTable(), { write, warn: write }, { json: false });
  await session.run(line);
  return out;
}

describe('an architecture that another file adds', () => {
  test('is opened by the machine name of the dump, where it is in the list', () => {
    const dump = { info: { machine: 'tiny' }, memory: kernel.dump.memory } as unknown as Dump;
    assert.deepEqual(openArchitecture(dump, new Vmcoreinfo(''), { tiny: () => tiny }).notes, ['the machine is tiny']);
    assert.throws(
      () => openArchitecture(dump, new Vmcoreinfo('')),
      (error) =>
        error instanceof UnsupportedError && /tiny is not supported, only x86_64 and aarch64/.test(error.message),
    );
  });

  test('bt: its frames, calls by their own address, its registers by name', async () => {
    assert.deepEqual((await shell('bt -s 7')).split('\n').slice(1), [
      ' #0 [0000000070003f00] wait+1 at 0000000000400004',
      ' #1 [0000000070003f40] frob+1 at 0000000000400001',
      ' #2 [0000000070003f40] frob+1 at 0000000000400001',
      '      A: 0000000000000007  TOP: 0000000000000008  COUNTER: 8000000000000000',
      '',
    ]);
  });

  test('dis: its instructions', async () => {
    assert.equal(
      await shell('dis wait 4'),
      '0x400003 <wait>:\trest\n0x400004 <wait+1>:\tcall\n0x400005 <wait+2>:\tback\n0x400006 <wait+3>:\t(bad)\n',
    );
  });

  test('rd: what is the kernel is where it says', async () => {
    assert.match(await shell('rd -s 70003f00 2'), /wait\+2/);
  });
});

test('registers of a machine that nobody has said more of are printed all the same', () => {
  const layout = registerLayout('tiny', { a: 1n, b: 2n });
  assert.deepEqual(
    layout.user.map((row) => row.map(({ label }) => label)),
    [['  A', '  B']],
  );
});
