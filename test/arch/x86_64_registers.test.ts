import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flagNames, fromNote, isUserMode, readIretFrame, readPtRegs } from '../../src/arch/x86_64/registers.ts';
import { virtAddr } from '../../src/base/address.ts';
import { MemoryFault } from '../../src/base/errors.ts';
import { SyntheticSpace } from '../support/synthetic_memory.ts';

const at = virtAddr(0xffff_8880_0000_1000n);

test('pt_regs that are not in the dump are a fault, not zeroes', () => {
  assert.throws(() => readPtRegs(new SyntheticSpace(), at), MemoryFault);
});

test('pt_regs in memory order; event data above CS and SS (FRED, 6.9) is no part of them', () => {
  const space = new SyntheticSpace();
  space.words(at, ...Array.from({ length: 21 }, (_, i) => BigInt(i) | (i === 17 || i === 20 ? 0x7_0000n : 0n)));
  const registers = readPtRegs(space, at);
  assert.deepEqual(
    [registers.r15, registers.rbp, registers.rdi, registers.rip, registers.cs, registers.rsp, registers.ss],
    [0n, 4n, 14n, 16n, 17n, 19n, 20n],
  );
});

test('what the CPU pushed has five registers, and no others are made up', () => {
  const space = new SyntheticSpace();
  space.words(at, 1n, 0x33n, 0x246n, 2n, 0x2bn);
  const registers = readIretFrame(space, at);
  assert.deepEqual(registers, { rip: 1n, cs: 0x33n, rflags: 0x246n, rsp: 2n, ss: 0x2bn });
  assert.equal(isUserMode(registers), true);
  assert.equal(isUserMode({}), false);
});

test("a note's registers: its own names, flags by either name, nothing beyond pt_regs", () => {
  assert.deepEqual(fromNote({ rip: -1n, eflags: 0x46n, cr3: 5n }), { rip: 0xffff_ffff_ffff_ffffn, rflags: 0x46n });
});

test('flags by name', () => {
  assert.deepEqual(flagNames(0x246n), ['PF', 'ZF', 'IF']);
  assert.deepEqual(flagNames(0n), []);
});
