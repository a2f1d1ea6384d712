// A kernel with real machine code (x86_64), and a stack on which its functions died: for tests of what is read out of code.
//
//   const kernel = new CodeKernel();
//   const trace = kernel.died('update', 7, { rdi: session, rdx: 0n }, ['finish+9', 42n, 'write+17', 0n]);
import type { Registers } from '../../src/arch/registers.ts';
import { offsetBy, type VirtAddr, virtAddr } from '../../src/base/address.ts';
import type { FunctionType, Type } from '../../src/debuginfo/type.ts';
import type { Backtrace, Frame } from '../../src/kernel/backtrace.ts';
import { x86Over } from './synthetic_architecture.ts';
import { SyntheticKernel } from './synthetic_kernel.ts';

const text = 0xffff_ffff_8100_0000n;
const data = 0xffff_ffff_8200_0000n;
const stackTop = 0xffff_c900_0000_4000n;
const functionSize = 0x40n;

/** Bytes and instructions of each function, 64 bytes apart from the start of the text on. */
export const listings = {
  update: `
    48 8b 17 | mov (%rdi),%rdx
    48 63 47 08 | movslq 0x8(%rdi),%rax
    48 03 82 40 02 00 00 | add 0x240(%rdx),%rax
    c3 | ret
  `,
  finish: `
    53 | push %rbx
    48 89 f3 | mov %rsi,%rbx
    e8 b7 ff ff ff | call <update>
    48 01 d8 | add %rbx,%rax
    5b | pop %rbx
    c3 | ret
  `,
  write: `
    55 | push %rbp
    48 8b 3d 78 ff ff 00 | mov 0xffff78(%rip),%rdi # ffffffff82000000 <session>
    be 2a 00 00 00 | mov $0x2a,%esi
    e8 ae ff ff ff | call <finish>
    5d | pop %rbp
    c3 | ret
  `,
  passes_null: `
    53 | push %rbx
    48 89 fb | mov %rdi,%rbx
    31 ff | xor %edi,%edi
    e8 35 ff ff ff | call <update>
    5b | pop %rbx
    c3 | ret
  `,
  returned: `
    53 | push %rbx
    48 89 fb | mov %rdi,%rbx
    e8 37 00 00 00 | call <find>
    48 8b 48 08 | mov 0x8(%rax),%rcx
    48 89 d8 | mov %rbx,%rax
    5b | pop %rbx
    c3 | ret
  `,
  find: `
    31 c0 | xor %eax,%eax
    c3 | ret
  `,
  merged: `
    85 f6 | test %esi,%esi
    74 06 | je <merged+0xa>
    48 8b 47 08 | mov 0x8(%rdi),%rax
    eb 05 | jmp <merged+0xf>
    b8 00 10 00 00 | mov $0x1000,%eax
    48 8b 08 | mov (%rax),%rcx
    c3 | ret
  `,
  several: `
    85 f6 | test %esi,%esi
    74 08 | je <several+0xc>
    48 8b 47 08 | mov 0x8(%rdi),%rax
    31 ff | xor %edi,%edi
    eb 07 | jmp <several+0x13>
    48 8b 05 2d fe ff 00 | mov 0xfffe2d(%rip),%rax # ffffffff82000000 <session>
    48 8b 08 | mov (%rax),%rcx
    c3 | ret
  `,
  spilled: `
    48 83 ec 18 | sub $0x18,%rsp
    48 89 7c 24 08 | mov %rdi,0x8(%rsp)
    48 8d 7c 24 10 | lea 0x10(%rsp),%rdi
    e8 2d ff ff ff | call <find>
    48 8b 54 24 08 | mov 0x8(%rsp),%rdx
    48 8b 52 08 | mov 0x8(%rdx),%rdx
    48 8b 02 | mov (%rdx),%rax
    48 83 c4 18 | add $0x18,%rsp
    c3 | ret
  `,
  handed_out: `
    48 83 ec 18 | sub $0x18,%rsp
    48 c7 44 24 08 00 00 00 00 | movq $0x0,0x8(%rsp)
    48 8d 7c 24 08 | lea 0x8(%rsp),%rdi
    e8 e9 fe ff ff | call <find>
    48 8b 54 24 08 | mov 0x8(%rsp),%rdx
    48 8b 02 | mov (%rdx),%rax
    48 83 c4 18 | add $0x18,%rsp
    c3 | ret
  `,
  indexed: `
    8b 47 08 | mov 0x8(%rdi),%eax
    48 8b 57 10 | mov 0x10(%rdi),%rdx
    48 8b 0c c2 | mov (%rdx,%rax,8),%rcx
    c3 | ret
  `,
  by_pointer: `
    53 | push %rbx
    48 89 fb | mov %rdi,%rbx
    48 8b 47 18 | mov 0x18(%rdi),%rax
    ff d0 | call *%rax
    5b | pop %rbx
    c3 | ret
  `,
  container: `
    48 8b 47 08 | mov 0x8(%rdi),%rax
    48 83 e8 20 | sub $0x20,%rax
    48 8b 48 30 | mov 0x30(%rax),%rcx
    c3 | ret
  `,
  walk: `
    48 8b 3f | mov (%rdi),%rdi
    48 85 ff | test %rdi,%rdi
    75 f8 | jne <walk>
    48 8b 47 08 | mov 0x8(%rdi),%rax
    c3 | ret
  `,
  keeps: `
    41 54 | push %r12
    53 | push %rbx
    49 89 fc | mov %rdi,%r12
    89 f3 | mov %esi,%ebx
    e8 b3 fd ff ff | call <find>
    48 01 d8 | add %rbx,%rax
    5b | pop %rbx
    41 5c | pop %r12
    c3 | ret
  `,
  gives: `
    53 | push %rbx
    48 8b 1d 38 fc ff 00 | mov 0xfffc38(%rip),%rbx # ffffffff82000000 <session>
    4c 8b 44 24 10 | mov 0x10(%rsp),%r8
    48 8d 7b 10 | lea 0x10(%rbx),%rdi
    be 07 00 00 00 | mov $0x7,%esi
    65 48 8b 14 25 00 10 00 00 | mov %gs:0x1000,%rdx
    e8 9c ff ff ff | call <keeps>
    5b | pop %rbx
    c3 | ret
  `,
  spins: `
    f3 90 | pause
    83 3d f7 fb ff 00 01 | cmpl $0x1,0xfffbf7(%rip) # ffffffff82000000 <session>
    7e f5 | jle <spins>
    c3 | ret
  `,
  endless: `
    f3 90 | pause
    eb fc | jmp <endless>
  `,
  tails: `
    be 09 00 00 00 | mov $0x9,%esi
    e9 f6 fe ff ff | jmp <keeps>
  `,
  calls_tails: `
    53 | push %rbx
    48 8b 3d 38 fb ff 00 | mov 0xfffb38(%rip),%rdi # ffffffff82000000 <session>
    e8 b3 ff ff ff | call <tails>
    5b | pop %rbx
    c3 | ret
  `,
  jumps_on: `
    48 8b 47 18 | mov 0x18(%rdi),%rax
    ff e0 | jmp *%rax
  `,
  calls_jumps_on: `
    53 | push %rbx
    48 8b 3d b8 fa ff 00 | mov 0xfffab8(%rip),%rdi # ffffffff82000000 <session>
    e8 b3 ff ff ff | call <jumps_on>
    5b | pop %rbx
    c3 | ret
  `,
  fixed: `
    c7 04 25 30 12 00 00 01 00 00 00 | movl $0x1,0x1230
    c3 | ret
  `,
  calls_walk: `
    53 | push %rbx
    48 8b 3d 38 fa ff 00 | mov 0xfffa38(%rip),%rdi # ffffffff82000000 <session>
    e8 73 fd ff ff | call <walk>
    5b | pop %rbx
    c3 | ret
  `,
  copies: `
    48 89 f8 | mov %rdi,%rax
    48 89 d1 | mov %rdx,%rcx
    f3 a4 | rep movsb %ds:(%rsi),%es:(%rdi)
    c3 | ret
  `,
  calls_copies: `
    53 | push %rbx
    48 8b 1d b8 f9 ff 00 | mov 0xfff9b8(%rip),%rbx # ffffffff82000000 <session>
    48 89 e7 | mov %rsp,%rdi
    48 8b 73 10 | mov 0x10(%rbx),%rsi
    ba 20 00 00 00 | mov $0x20,%edx
    e8 a7 ff ff ff | call <copies>
    5b | pop %rbx
    c3 | ret
    c3 | ret
  `,
  returns_elsewhere: `
    48 b8 41 41 41 41 00 00 ff ff | movabs $0xffff000041414141,%rax
    50 | push %rax
    c3 | ret
  `,
  calls_returns_elsewhere: `
    53 | push %rbx
    e8 ba ff ff ff | call <returns_elsewhere>
    5b | pop %rbx
    c3 | ret
  `,
  loses_stack: `
    48 c7 c4 00 10 00 00 | mov $0x1000,%rsp
    50 | push %rax
    c3 | ret
  `,
  keeps_start: `
    53 | push %rbx
    48 8b 1d b8 f8 ff 00 | mov 0xfff8b8(%rip),%rbx # ffffffff82000000 <session>
    48 89 df | mov %rbx,%rdi
    e8 f0 fb ff ff | call <walk>
    48 89 d8 | mov %rbx,%rax
    5b | pop %rbx
    c3 | ret
  `,
  visits: `
    48 8b 07 | mov (%rdi),%rax
    48 8b 48 10 | mov 0x10(%rax),%rcx
    48 8b 00 | mov (%rax),%rax
    48 8b 51 08 | mov 0x8(%rcx),%rdx
    48 39 f8 | cmp %rdi,%rax
    75 f0 | jne <visits+0x3>
    c3 | ret
  `,
  tabled: `
    48 8b 44 f7 20 | mov 0x20(%rdi,%rsi,8),%rax
    48 8b 48 08 | mov 0x8(%rax),%rcx
    c3 | ret
  `,
} as const;

export type Name = keyof typeof listings;

const types = `
  struct device { u64 pad[72]; u64 latency; };
  struct session { struct device *dev; int flags; struct session *next; long (*call)(struct session *); struct session *peers[4]; };
`;

/** Parameters of the functions that have a prototype. */
const prototypes: Partial<Record<Name, readonly (readonly [name: string, type: string])[]>> = {
  keeps: [
    ['s', 'struct session'],
    ['flags', 'int'],
    ['count', 'u64'],
    ['nothing', 'u64'],
    ['extra', 'u64'],
  ],
  walk: [['s', 'struct session']],
  tabled: [
    ['s', 'struct session'],
    ['n', 'u64'],
  ],
  merged: [
    ['s', 'struct session'],
    ['n', 'int'],
  ],
  by_pointer: [['s', 'struct session']],
  container: [['s', 'struct session']],
  indexed: [['s', 'struct session']],
};

export class CodeKernel extends SyntheticKernel {
  /** @param typed false for a kernel that knows no types of its variables and functions */
  constructor(typed = true) {
    super(types, '', ({ space }) => ({
      arch: x86Over(space, { executableAt: (address) => address >= text && address < text + 0x1_0000n }),
    }));
    for (const [i, [name, listing]] of Object.entries(listings).entries()) {
      this.code(name, text + BigInt(i) * functionSize, bytesOf(listing));
    }
    this.space.map(virtAddr(data), 4096);
    this.define('session', data, 8, typed ? this.pointer('struct session') : undefined);
    this.space.map(virtAddr(stackTop - 0x1000n), 0x1000);
    if (typed) {
      this.addDebugInfo({
        origin: 'prototypes',
        types: { find: () => null, all: () => [] },
        variable: () => null,
        macro: () => null,
        function: (name) => this.prototype(name),
        code: null,
      });
    }
  }

  /** Makes a function of machine code. */
  code(name: string, address: bigint, bytes: Uint8Array): void {
    this.space.map(virtAddr(address), bytes.length);
    this.space.write(address, bytes);
    this.ownSymbols.replace({
      name,
      address: virtAddr(address),
      type: 'T',
      size: Math.max(Number(functionSize), bytes.length),
      module: null,
    });
  }

  pointer(target: string): Type {
    return { kind: 'pointer', size: 8, target: this.type(target) };
  }

  /** Address of an instruction: `write+17`. */
  codeAt(place: string): VirtAddr {
    const [name = '', offset = '0'] = place.split('+');
    return offsetBy(this.address(name), Number(offset));
  }

  /**
   * The stack of a task that an exception interrupted.
   * @param place where, as `update+7`, or an address
   * @param words from the stack pointer upwards; `finish+9` is an address that a call returns to
   */
  died(place: string | bigint, registers: Registers, words: readonly (bigint | string)[]): Backtrace {
    const rsp = stackTop - BigInt(words.length * 8);
    const rip = typeof place === 'bigint' ? virtAddr(place) : this.codeAt(place);
    const all: Registers = { ...registers, rip, rsp, cs: 0x10n };
    const first: Omit<Frame, 'kind'> = {
      address: rip,
      place: this.place(rip),
      frameAddress: virtAddr(rsp),
      stackPointer: virtAddr(rsp),
      stack: 'task',
      registers: all,
      registersAddress: null,
      reliable: true,
    };
    const frames: Frame[] = [
      { ...first, kind: 'entry', address: virtAddr(text), place: null },
      { ...first, kind: 'interrupted' },
    ];
    for (const [i, word] of words.entries()) {
      const slot = virtAddr(rsp + BigInt(i * 8));
      const value = typeof word === 'string' ? this.codeAt(word) : word;
      this.space.words(slot, value);
      if (typeof word === 'string') {
        const address = virtAddr(value);
        frames.push({
          ...first,
          kind: 'call',
          address,
          place: this.place(offsetBy(address, -1)),
          frameAddress: slot,
          stackPointer: offsetBy(slot, 8),
          registers: null,
        });
      }
    }
    return { frames, problem: '' };
  }

  private prototype(name: string): FunctionType | null {
    const parameters = prototypes[name as Name];
    if (parameters === undefined) return null;
    return {
      kind: 'function',
      returns: { kind: 'void' },
      parameters: parameters.map(([name, type]) => ({
        name,
        type: type.startsWith('struct') ? this.pointer(type) : this.type(type),
      })),
      variadic: false,
    };
  }
}

export function bytesOf(listing: string): Uint8Array {
  const hex = listing
    .split('\n')
    .map((line) => line.split('|')[0]!.replaceAll(/\s/g, ''))
    .join('');
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
