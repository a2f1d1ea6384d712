// What code refers to: data that no symbol names is found by it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { aarch64 } from '../../src/arch/aarch64/architecture.ts';
import { arm64Decoder } from '../../src/arch/aarch64/decoder.ts';
import { references } from '../../src/arch/references.ts';
import { x86_64 } from '../../src/arch/x86_64/architecture.ts';
import { x86Decoder } from '../../src/arch/x86_64/decoder.ts';
import { virtAddr } from '../../src/base/address.ts';

const at = virtAddr(0xffff_ffff_8100_0000n);

function ofX86(hex: string): string[] {
  const code = Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  return references(x86Decoder, x86_64.registers, code, at).map(({ to }) => to.toString(16));
}

function ofArm64(...words: number[]): string[] {
  const code = new Uint8Array(new Uint32Array(words).buffer);
  return references(arm64Decoder, aarch64.registers, code, at).map(({ to }) => to.toString(16));
}

describe('x86_64', () => {
  test('memory beside the code, absolute numbers, tables that are indexed', () => {
    assert.deepEqual(ofX86('48 8b 05 f9 ff 1f 00'), ['ffffffff81200000']); // mov 0x1ffff9(%rip),%rax
    assert.deepEqual(ofX86('48 c7 c7 78 56 34 82'), ['ffffffff82345678']); // mov $0xffffffff82345678,%rdi
    assert.deepEqual(ofX86('48 8b 04 c5 78 56 34 82'), ['ffffffff82345678']); // mov -0x7dcba988(,%rax,8),%rax
  });

  test('members of what a register points to; itself, if it is used, too', () => {
    // lea 0x1ffff9(%rip),%rbx; mov 0x10(%rbx),%rax
    assert.deepEqual(ofX86('48 8d 1d f9 ff 1f 00 48 8b 43 10'), ['ffffffff81200010']);
    // ...; mov (%rbx),%rax
    assert.deepEqual(ofX86('48 8d 1d f9 ff 1f 00 48 8b 03'), ['ffffffff81200000']);
    // lea 0x1ffff9(%rip),%rdi; call
    assert.deepEqual(ofX86('48 8d 3d f9 ff 1f 00 e8 00 00 00 00'), ['ffffffff81200000']);
  });

  test('per-CPU variables and registers that a call has overwritten are not told', () => {
    assert.deepEqual(ofX86('65 48 8b 04 25 c0 fb 01 00'), []);
    // lea ...,%rax; call *%rdx; mov (%rax),%rcx
    assert.deepEqual(ofX86('48 8d 05 f9 ff 1f 00 ff d2 48 8b 08'), ['ffffffff81200000']);
  });
});

describe('arm64', () => {
  test('a page and an offset in it, in two instructions', () => {
    // adrp x19, +2 pages; add x19, x19, #0x678; ldr x0, [x19]
    assert.deepEqual(ofArm64(0xd000_0013, 0x9119_e273, 0xf940_0260), ['ffffffff81002678']);
    // adrp x1, +2 pages; ldr w0, [x1, #16]
    assert.deepEqual(ofArm64(0xd000_0001, 0xb940_1020), ['ffffffff81002010']);
  });

  test('an address from which others are reached alone is none by itself', () => {
    // adrp x19, +2 pages; add x19, x19, #0x678; ldr x0, [x19, #8]
    assert.deepEqual(ofArm64(0xd000_0013, 0x9119_e273, 0xf940_0660), ['ffffffff81002680']);
    // adrp x0, +2 pages; add x0, x0, #0x678; add x0, x0, #0x10; ldr x0, [x0]
    assert.deepEqual(ofArm64(0xd000_0000, 0x9119_e000, 0x9100_4000, 0xf940_0000), ['ffffffff81002688']);
  });

  test('a register that another value was put into', () => {
    // adrp x1, +2 pages; mov x1, x5; ldr w0, [x1, #16]
    assert.deepEqual(ofArm64(0xd000_0001, 0xaa05_03e1, 0xb940_1020), []);
  });

  test('a call leaves the preserved registers alone', () => {
    // adrp x19; adrp x1; bl; ldr w0, [x19, #16]; ldr w0, [x1, #16]
    assert.deepEqual(ofArm64(0xd000_0013, 0xd000_0001, 0x9400_0100, 0xb940_1260, 0xb940_1020), ['ffffffff81002010']);
  });
});
