// Holds `dis` against objdump: instructions from random places of a dump's code, the kernel's and its modules', as the
// dead kernel had patched them.
//
//   random functions --> 16 instructions of each --> one flat file --> objdump -D -b binary
//                                                \-> decoder.text  --> the same line by line, or a difference
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Decoder } from '../src/arch/decoder.ts';
import { offsetBy, type VirtAddr } from '../src/base/address.ts';
import { openDump } from '../src/dump/open.ts';
import type { Kernel } from '../src/kernel/kernel.ts';
import { openKernel } from '../src/kernel/open_kernel.ts';
import { needPrograms, runProgram } from './programs.ts';

/** By what the dump calls its machine: objdump's program, and its -m. */
const objdumps: Readonly<Record<string, readonly [program: string, machine: string]>> = {
  x86_64: ['objdump', 'i386:x86-64'],
  aarch64: ['aarch64-linux-gnu-objdump', 'aarch64'],
};

export interface Compared {
  /** Instructions. */
  readonly compared: number;
  /** What differs, each pair of mnemonics once, with how often it did. */
  readonly different: readonly { readonly times: number; readonly objdump: string; readonly own: string }[];
}

/** Bytes of one function that are looked at, at most. */
const piece = 64;

/**
 * Compares about `count` instructions.
 * @param seed the same seed takes the same places of the same dump
 * @throws OutOfReach where there is no objdump for the dump's machine
 */
export function compareDisassembly(dump: string, count: number, seed: number): Compared {
  const kernel = openKernel(openDump([dump]));
  const [program, machine] = objdumps[kernel.arch.name] ?? [];
  const { decoder } = kernel.arch;
  if (program === undefined || machine === undefined || decoder === null)
    throw new Error(`${dump}: no disassembler of ${kernel.arch.name}`);
  needPrograms(program);
  const { code, base } = randomCode(kernel, decoder, count * Math.min(4, decoder.longest), seed);
  const own = [...decoder.text(code, base)].map(({ address, text }) => line(address, text));
  const theirs = objdump(program, machine, code, base);
  return { compared: own.length, different: differences(own, theirs) };
}

/** Code of random functions, one behind the other, as if it lay at `base`. */
function randomCode(
  kernel: Kernel,
  decoder: Decoder,
  bytes: number,
  seed: number,
): { readonly code: Uint8Array; readonly base: VirtAddr } {
  // memory of what only ran while the kernel started has been given to others
  const end = kernel.symbols.find('_etext')?.address ?? 0n;
  const functions = [...kernel.symbols.all()].filter(
    ({ type, size, module, address }) =>
      /^[tTwW]$/.test(type) && size >= piece && (module !== null || (address > 0x1000n && address < end)),
  );
  const code = new Uint8Array(bytes);
  const random = randomNumbers(seed);
  const { longest, shortest } = decoder;
  let filled = 0;
  for (let tries = 0; filled < bytes && tries < bytes; tries++) {
    const { address, size } = functions[random() % functions.length]!;
    // where instructions differ in length, only at the function's start does one surely begin
    const at = offsetBy(address, shortest === longest ? (random() % (size - piece + 1)) & -longest : 0);
    const read = kernel.faults.attempt('code', () => kernel.space.read(at, piece), null);
    // poison of a module's part that only ran while it was loaded
    if (read === null || read.every((byte) => byte === 0)) continue;
    for (const { address, bytes: instruction } of decoder.decode(read, at)) {
      // the piece's end may cut one that began this late
      if (address > at + BigInt(piece - longest) || filled + instruction.length > bytes) break;
      code.set(instruction, filled);
      filled += instruction.length;
    }
  }
  return { code: code.subarray(0, filled), base: functions[0]!.address };
}

/** Numbers below 2^31 by a linear congruence (Knuth's MMIX, its high bits). */
function randomNumbers(seed: number): () => number {
  let state = BigInt(seed);
  return () => {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    return Number(state >> 33n);
  };
}

const line = (address: bigint, text: string) => `${address.toString(16)} ${text.trimEnd()}`;

function objdump(program: string, machine: string, code: Uint8Array, base: VirtAddr): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'lab-dis-'));
  try {
    const file = join(folder, 'code');
    writeFileSync(file, code);
    const options = [
      '-D',
      '-z',
      '-b',
      'binary',
      '-m',
      machine,
      '--no-show-raw-insn',
      '--adjust-vma',
      `0x${base.toString(16)}`,
    ];
    const text = runProgram(program, [...options, file]).toString();
    return [...text.matchAll(/^ *([0-9a-f]+):\t(.*)$/gm)].map(([, at, words]) =>
      line(BigInt(`0x${at}`), machine === 'aarch64' ? words! : withOne(words!)),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Shifts by the opcodes that shift by one, as objdump (since 2.41) and crash print them: older ones leave the one out. */
function withOne(text: string): string {
  return text.replace(
    /^((?:.* )?(?:sh[lr]|sa[lr]|ro[lr]|rc[lr])[bwlq]? +)(?=\S)([^ ,(]*(?:\([^)]*\))?)(?=$| )/,
    '$1$$1,$2',
  );
}

/** @returns most frequent first */
function differences(own: readonly string[], theirs: readonly string[]): Compared['different'] {
  const expected = new Map(theirs.map((text) => [text.slice(0, text.indexOf(' ')), text]));
  const found = new Map<string, { times: number; objdump: string; own: string }>();
  for (const text of own) {
    const objdump = expected.get(text.slice(0, text.indexOf(' '))) ?? 'no instruction begins here';
    if (objdump === text) continue;
    const mnemonics = [objdump, text].map((one) => /^\S+ (\S+)/.exec(one)?.[1]).join(' ');
    const known = found.get(mnemonics);
    if (known === undefined) found.set(mnemonics, { times: 1, objdump, own: text });
    else known.times++;
  }
  return [...found.values()].sort((a, b) => b.times - a.times);
}
