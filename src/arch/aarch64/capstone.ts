// arm64 instructions as capstone prints them, by @alexaltea/capstone-js: its WebAssembly has 3 MB, so it is loaded when
// first used.
//
// The package offers itself through a promise, and everything here is synchronous. But what it awaits is only the
// instance of its WebAssembly, which may be handed to it by a hook; from then on its functions are there.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { VirtAddr } from '../../base/address.ts';
import { UnsupportedError } from '../../base/errors.ts';

/** What is used of the package; functions with an underscore are capstone's own (include/capstone/capstone.h). */
interface Capstone {
  _malloc(size: number): number;
  _cs_open(arch: number, mode: number, handle: number): number;
  _cs_malloc(handle: number): number;
  _cs_disasm_iter(handle: number, code: number, size: number, address: number, instruction: number): number;
  setValue(at: number, value: number | bigint, type: 'i32' | 'i64'): void;
  getValue(at: number, type: 'i32'): number;
  UTF8ToString(at: number): string;
}

/** What Node has of it; its types come with a browser's. */
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object, imports: object) => object;
  };
};

/** The package: fills the object that it is given. */
type Package = (
  module: Partial<Capstone> & {
    instantiateWasm(imports: object, receive: (instance: object, module: object) => void): void;
  },
) => Promise<unknown>;

// cs_arch, cs_mode; offsets in cs_insn of capstone 5, in bytes
const archArm64 = 1;
const littleEndian = 0;
const mnemonicAt = 42;
const operandsAt = 74;

/** Undoes the one word of the instruction that it was given, as text; null for what is no instruction. */
export type CapstoneText = (
  word: number,
  address: VirtAddr,
) => { readonly mnemonic: string; readonly operands: string } | null;

let opened: CapstoneText | null = null;

/** @throws UnsupportedError where the package cannot be used */
export function capstone(): CapstoneText {
  opened ??= open();
  return opened;
}

function open(): CapstoneText {
  const require = createRequire(import.meta.url);
  const start = require('@alexaltea/capstone-js') as Package;
  const bytes = readFileSync(require.resolve('@alexaltea/capstone-js/dist/capstone.wasm'));
  const module: Parameters<Package>[0] = {
    instantiateWasm(imports, receive) {
      const compiled = new WebAssembly.Module(bytes);
      receive(new WebAssembly.Instance(compiled, imports), compiled);
    },
  };
  // what is left for later is nothing that is used here; a failure comes at once, too
  start(module).catch(() => undefined);
  const cs = module as unknown as Capstone;
  if (typeof cs._cs_open !== 'function') throw new UnsupportedError('capstone', 'the package does not load');
  const room = cs._malloc(32); // handle, code pointer, size, address, code
  if (cs._cs_open(archArm64, littleEndian, room) !== 0) throw new UnsupportedError('capstone', 'it has no arm64');
  const handle = cs.getValue(room, 'i32');
  const instruction = cs._cs_malloc(handle);
  const [codePointer, size, at, code] = [room + 4, room + 8, room + 16, room + 24];
  return (word, address) => {
    cs.setValue(code, word, 'i32');
    cs.setValue(codePointer, code, 'i32');
    cs.setValue(size, 4, 'i32');
    cs.setValue(at, BigInt.asIntN(64, address), 'i64');
    if (cs._cs_disasm_iter(handle, codePointer, size, at, instruction) === 0) return null;
    return { mnemonic: cs.UTF8ToString(instruction + mnemonicAt), operands: cs.UTF8ToString(instruction + operandsAt) };
  };
}
