import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { workOut } from '../../src/arch/decoder.ts';
import { x86Decoder } from '../../src/arch/x86_64/decoder.ts';
import { virtAddr } from '../../src/base/address.ts';

const at = virtAddr(0xffff_ffff_8100_0000n);

function one(hex: string, describe?: (address: bigint) => string | null): string[] {
  return [...x86Decoder.text(Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')), at, describe)].map(
    ({ text }) => text,
  );
}

// What objdump -d prints for the same bytes at this address: 2.40, but for shifts by one, as 2.41 has them.
const golden: readonly (readonly [bytes: string, text: string])[] = [
  ['4c 8b 97 40 02 00 00', 'mov    0x240(%rdi),%r10'],
  ['48 c7 c0 f2 ff ff ff', 'mov    $0xfffffffffffffff2,%rax'],
  ['0f 0b', 'ud2'],
  ['c3', 'ret'],
  ['cc', 'int3'],
  ['e8 00 00 00 00', 'call   0xffffffff81000005'],
  ['74 2c', 'je     0xffffffff8100002e'],
  ['ff d0', 'call   *%rax'],
  ['ff 24 c5 00 10 00 81', 'jmp    *-0x7efff000(,%rax,8)'],
  ['ff 15 0a 00 00 00', 'call   *0xa(%rip)        # 0xffffffff81000010'],
  ['ff 34 25 00 10 00 00', 'push   0x1000'],
  ['65 48 8b 04 25 c0 fb 01 00', 'mov    %gs:0x1fbc0,%rax'],
  ['65 ff 05 1d 8a 61 57', 'incl   %gs:0x57618a1d(%rip)        # 0xffffffffd8618a24'],
  ['f3 48 0f b8 c7', 'popcnt %rdi,%rax'],
  ['0f 1f 44 00 00', 'nopl   0x0(%rax,%rax,1)'],
  ['0f 1f 00', 'nopl   (%rax)'],
  ['66 90', 'xchg   %ax,%ax'],
  ['66 66 66 66 90', 'data16 data16 data16 xchg %ax,%ax'],
  ['f3 a6', 'repz cmpsb %es:(%rdi),%ds:(%rsi)'],
  ['f2 ae', 'repnz scas %es:(%rdi),%al'],
  ['66 2e 0f 1f 84 00 00 00 00 00', 'cs nopw 0x0(%rax,%rax,1)'],
  ['66 66 2e 0f 1f 84 00 00 00 00 00', 'data16 cs nopw 0x0(%rax,%rax,1)'],
  ['3e 48 89 47 08', 'ds mov %rax,0x8(%rdi)'],
  ['3e 3e c6 07 00', 'ds ds movb $0x0,(%rdi)'],
  ['f3 48 ab', 'rep stos %rax,%es:(%rdi)'],
  ['f3 a4', 'rep movsb %ds:(%rsi),%es:(%rdi)'],
  ['f0 ff 40 1c', 'lock incl 0x1c(%rax)'],
  ['f0 48 0f b1 17', 'lock cmpxchg %rdx,(%rdi)'],
  ['48 d1 e8', 'shr    $1,%rax'],
  ['d0 70 01', 'shlb   $1,0x1(%rax)'],
  ['48 c1 e8 01', 'shr    $0x1,%rax'],
  ['48 69 c0 e8 03 00 00', 'imul   $0x3e8,%rax,%rax'],
  ['48 6b c7 38', 'imul   $0x38,%rdi,%rax'],
  ['ff 74 24 38', 'push   0x38(%rsp)'],
  ['4c 8d 3c c5 00 00 00 00', 'lea    0x0(,%rax,8),%r15'],
  ['48 8b 45 00', 'mov    0x0(%rbp),%rax'],
  ['c6 04 2c 00', 'movb   $0x0,(%rsp,%rbp,1)'],
  ['ee', 'out    %al,(%dx)'],
  ['ec', 'in     (%dx),%al'],
  ['0f 01 c9', 'mwait  %eax,%ecx'],
  ['0f 01 fa', 'monitorx %rax,%ecx,%edx'],
  ['0f 01 fb', 'mwaitx %eax,%ecx,%ebx'],
  ['0f ae e8', 'lfence'],
  ['f3 0f 1e fa', 'endbr64'],
  ['0f 20 d8', 'mov    %cr3,%rax'],
  ['0f 21 c0', 'mov    %db0,%rax'],
  ['0f 23 f8', 'mov    %rax,%db7'],
  ['48 b8 88 77 66 55 44 33 22 11', 'movabs $0x1122334455667788,%rax'],
  ['48 cf', 'iretq'],
];

describe('x86_64 machine code as text', () => {
  for (const [bytes, text] of golden) {
    test(text, () => assert.deepEqual(one(bytes), [text]));
  }

  test('targets of branches and of operands relative to %rip carry the symbol at them', () => {
    const describe = (address: bigint): string | null => (address === at + 0x2en ? 'schedule+67' : null);
    assert.deepEqual(one('74 2c', describe), ['je     0xffffffff8100002e <schedule+67>']);
    assert.deepEqual(one('48 8b 05 27 00 00 00', describe), [
      'mov    0x27(%rip),%rax        # 0xffffffff8100002e <schedule+67>',
    ]);
  });

  test('what control does, and where it goes', () => {
    const code = Uint8Array.of(0xe8, 0, 0, 0, 0, 0x74, 0, 0xff, 0xe0, 0xc3, 0x0f, 0x0b, 0x90);
    const all = [...x86Decoder.text(code, at)];
    assert.deepEqual(
      all.map(({ flow }) => flow),
      ['call', 'conditional-jump', 'jump', 'return', 'trap', 'next'],
    );
    assert.deepEqual(
      all.map(({ target }) => target),
      [at + 5n, at + 7n, null, null, null, null],
    );
  });

  test('a cut instruction and bytes that are none are (bad), one byte at a time', () => {
    assert.deepEqual(one('48'), ['(bad)']);
    assert.deepEqual(one('06 90'), ['(bad)', 'nop']);
    assert.deepEqual(one(''), []);
  });

  test('any bytes: the instructions follow each other without a gap up to the last byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        let next: bigint = at;
        for (const instruction of x86Decoder.text(bytes, at)) {
          assert.equal(instruction.address, next);
          assert.ok(instruction.bytes.length > 0 && instruction.text !== '');
          next += BigInt(instruction.bytes.length);
        }
        assert.equal(next, at + BigInt(bytes.length));
      }),
    );
  });
});

describe('operands', () => {
  const decode = (hex: string) =>
    [...x86Decoder.decode(Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')), at)][0]!;
  const memory = { kind: 'memory', index: null, scale: 1, extend: null, segment: null, address: null } as const;

  test('a load: what is written, and the memory read, with its width', () => {
    const { mnemonic, operands, reads, writes } = decode('4c 8b 97 40 02 00 00');
    assert.equal(mnemonic, 'mov');
    assert.deepEqual(operands, [
      { kind: 'register', name: 'r10', width: 8, access: 'write' },
      { ...memory, base: 'rdi', displacement: 0x240n, width: 8, access: 'read' },
    ]);
    assert.deepEqual([reads, writes], [['rdi'], ['r10']]);
  });

  test('parts of registers are told by the whole register, with the bytes that are meant', () => {
    const [result, source] = decode('8a 07').operands;
    assert.deepEqual(result, { kind: 'register', name: 'rax', width: 1, access: 'write' });
    assert.deepEqual(source, { ...memory, base: 'rdi', displacement: 0n, width: 1, access: 'read' });
  });

  test('index and scale; an address that is computed touches no memory', () => {
    const [, operand] = decode('48 8d 04 b7').operands;
    assert.deepEqual(operand, {
      ...memory,
      base: 'rdi',
      index: 'rsi',
      scale: 4,
      displacement: 0n,
      width: 0,
      access: 'none',
    });
    assert.ok(operand?.kind === 'memory');
    assert.equal(workOut(operand, { rdi: 0xffff_ffff_ffff_fff8n, rsi: 4n })?.address, 8n);
  });

  test('memory relative to the instruction has its address; a per-cpu variable has none before its segment is known', () => {
    const [relative] = decode('ff 15 0a 00 00 00').operands;
    assert.ok(relative?.kind === 'memory');
    assert.deepEqual([relative.base, relative.address], [null, at + 16n]);
    const [, perCpu] = decode('65 48 8b 04 25 c0 fb 01 00').operands;
    assert.ok(perCpu?.kind === 'memory');
    assert.deepEqual([perCpu.segment, perCpu.address], ['gs', 0x1fbc0n]);
    assert.equal(workOut(perCpu, {}), null);
  });

  test('string instructions: both memories, and the registers that they move', () => {
    const { operands, writes } = decode('f3 a4');
    assert.deepEqual(
      operands.map((operand) => operand.kind === 'memory' && [operand.base, operand.access]),
      [
        ['rdi', 'write'],
        ['rsi', 'read'],
      ],
    );
    assert.deepEqual([...writes].sort(), ['rcx', 'rdi', 'rsi']);
  });

  test('what is no instruction has no operands', () => {
    assert.deepEqual([decode('06').flow, decode('06').operands], ['invalid', []]);
  });
});
