// The instructions of arm64 as text and as operands, held against objdump.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { arm64Decoder } from '../../src/arch/aarch64/decoder.ts';
import { type Instruction, type Operand, workOut } from '../../src/arch/decoder.ts';
import { virtAddr } from '../../src/base/address.ts';

const at = virtAddr(0xffff_8000_0800_0000n);

/**
 * Instructions of a kernel's text, each form that occurs there a few times at most: the word, and what objdump 2.40 says
 * of it where they stand one behind the other from `at`.
 */
const corpus = readFileSync(new URL('aarch64_instructions.txt', import.meta.url), 'latin1')
  .trimEnd()
  .split('\n')
  .map((line) => ({ word: Number.parseInt(line.slice(0, 8), 16), text: line.slice(9) }));

function codeOf(words: readonly number[]): Uint8Array {
  const code = new Uint8Array(words.length * 4);
  const view = new DataView(code.buffer);
  for (const [i, word] of words.entries()) view.setUint32(i * 4, word, true);
  return code;
}

function decode(word: number): Instruction {
  return [...arm64Decoder.decode(codeOf([word]), at)][0]!;
}

test('every form of a kernel reads as objdump prints it', () => {
  const lines = [...arm64Decoder.text(codeOf(corpus.map(({ word }) => word)), at)].map(({ text }) => text);
  assert.deepEqual(
    lines,
    corpus.map(({ text }) => text),
  );
});

/** General registers in objdump's operands, as `Registers` names them, in order. */
function registersIn(text: string): string[] {
  return [...text.matchAll(/\b(?:[xw](\d+)|([xw]zr)|w?sp)\b/g)].map(([, number, zero]) =>
    number !== undefined ? `x${number}` : zero !== undefined ? 'xzr' : 'sp',
  );
}

function named(operands: readonly Operand[]): string[] {
  return operands.flatMap((operand) => {
    if (operand.kind === 'register') return [operand.name];
    if (operand.kind === 'memory') return [operand.base, operand.index].filter((name) => name !== null);
    return [];
  });
}

test('every form has the mnemonic, the registers and the target that objdump prints', () => {
  const decoded = [...arm64Decoder.decode(codeOf(corpus.map(({ word }) => word)), at)];
  for (const [i, { text }] of corpus.entries()) {
    const instruction = decoded[i]!;
    const [mnemonic, operands = ''] = text.replace(/\s*\/\/.*/, '').split('\t');
    if (instruction.flow === 'invalid') {
      assert.match(text, /^\.inst|^udf/);
      continue;
    }
    const isVector = /\b[vdsqhbzp]\d+(?:\.|,|$)|mul vl/.test(operands);
    if (isVector || /^(?:rds?vl|adds[vp]l)$/.test(mnemonic!)) continue; // told by their memory alone
    assert.equal(instruction.mnemonic, mnemonic, text);
    // what is wanted of a prefetch, and the zero register of maintenance, are no operands
    if (!/^(?:prfm|tlbi|sys)$/.test(mnemonic!))
      assert.deepEqual(named(instruction.operands), registersIn(operands), text);
    const address = /(?:^|, )0x([0-9a-f]{16})$/.exec(operands)?.[1];
    assert.equal((instruction.target ?? instruction.memoryTarget ?? 0n).toString(16), address ?? '0', text);
  }
});

describe('operands', () => {
  test('a load: what is written, and the memory read, with its width', () => {
    assert.deepEqual(decode(0xf940_0c20).operands, [
      { kind: 'register', name: 'x0', width: 8, access: 'write' },
      {
        kind: 'memory',
        base: 'x1',
        index: null,
        scale: 1,
        extend: null,
        displacement: 24n,
        segment: null,
        address: null,
        width: 8,
        access: 'read',
      },
    ]);
  });

  test('the base that an access moves is written; what it is moved by is no part of a later address', () => {
    const post = decode(0xf85e_86b4); // ldr x20, [x21], #-24
    assert.deepEqual(post.writes, ['x21', 'x20']);
    assert.equal(post.operands[1]!.kind === 'memory' && post.operands[1]!.displacement, 0n);
    const pre = decode(0xa9bd_7bfd); // stp x29, x30, [sp, #-48]!
    assert.deepEqual([pre.reads, pre.writes], [['x29', 'x30', 'sp'], ['sp']]);
  });

  test('an address is worked out of base, extended index and scale', () => {
    const load = decode(0xb863_d840); // ldr w0, [x2, w3, sxtw #2]
    const place = load.operands.find((operand) => operand.kind === 'memory')!;
    assert.equal(place.kind, 'memory');
    const found = place.kind === 'memory' ? workOut(place, { x2: 0x1000n, x3: 0xdead_ffff_ffffn }) : null;
    assert.deepEqual(found, {
      address: 0xffcn,
      registers: [
        { name: 'x2', value: 0x1000n },
        { name: 'x3', value: 0xdead_ffff_ffffn },
      ],
    });
    assert.equal(place.kind === 'memory' && workOut(place, { x2: 0n }), null);
  });

  test('calls, returns, traps and jumps are told apart', () => {
    const flows = [
      0x9400_0000, 0xd63f_0100, 0xd73f_0908, 0xd65f_03c0, 0xd65f_0bff, 0xd421_0000, 0x1400_0001, 0xd61f_0200,
    ];
    assert.deepEqual(
      flows.map((word) => decode(word).flow),
      ['call', 'call', 'call', 'return', 'return', 'trap', 'jump', 'jump'],
    );
    assert.deepEqual(decode(0x9400_0000).writes, ['x30']);
    assert.deepEqual(decode(0xd65f_03c0).reads, ['x30']);
  });
});

test('code that ends within an instruction, and words that are none', () => {
  assert.deepEqual(
    [...arm64Decoder.text(Uint8Array.of(0x1f, 0x20, 0x03, 0xd5, 0xff, 0xff, 0xff, 0xff, 1, 2), at)].map(
      ({ text }) => text,
    ),
    ['nop', '.inst\t0xffffffff ; undefined', '(bad)'],
  );
  assert.equal([...arm64Decoder.decode(Uint8Array.of(1, 2), at)][0]!.flow, 'invalid');
});

test('loads as a process into the register of the address', () => {
  const words = [0xb840_0842, 0x785f_f800, 0xf840_8863]; // ldtr w2, [x2]; ldtrh w0, [x0, #-1]; ldtr x3, [x3, #8]
  assert.deepEqual(
    [...arm64Decoder.text(codeOf(words), at)].map(({ text }) => text),
    ['ldtr\tw2, [x2]', 'ldtrh\tw0, [x0, #-1]', 'ldtr\tx3, [x3, #8]'],
  );
});

test('targets have their symbol, before what is said of a condition', () => {
  const [line] = arm64Decoder.text(codeOf([0x5400_0040]), at, (address) => `f+${address - at}`);
  assert.equal(line!.text, 'b.eq\t0xffff800008000008 <f+8>  // b.none');
});

test('any word is read without an error, the same by both ways', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (code) => {
      const [text] = arm64Decoder.text(code, at);
      const [instruction] = arm64Decoder.decode(code, at);
      assert.equal(text!.target, text!.flow === 'invalid' ? null : instruction!.target);
    }),
    { numRuns: 2000 },
  );
});
