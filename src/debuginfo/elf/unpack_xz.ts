// xz through the WebAssembly module inside the package xz-decompress (xz-embedded). The package's own interface is
// asynchronous, which this layer cannot wait for, so the module is taken out of it (base64 in a string) and driven here.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf, UnsupportedError } from '../../base/errors.ts';
import type { Emit, Unpacker } from './unpacker.ts';

/** The part of the WebAssembly interface used here: TypeScript has it among a browser's types only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
};

interface XzExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly create_context: () => number;
  readonly supply_input: (context: number, size: number) => void;
  readonly get_next_output: (context: number) => number;
}

/** Words of the module's context: struct DecompressionContext of its native source. */
const word = { bufferSize: 0, input: 1, inputPosition: 2, inputSize: 3, output: 4, outputPosition: 5 } as const;

/** Results of xz-embedded (linux/include/linux/xz.h: enum xz_ret). */
const problems: Readonly<Record<number, string>> = {
  3: 'out of memory',
  4: 'its dictionary is too large',
  5: 'not an xz stream',
  6: 'an option that is not supported',
  7: 'damaged data',
  8: 'damaged data, or cut',
};
const [ok, streamEnd, uncheckable] = [0, 1, 2];

/** @throws UnsupportedError if the package cannot be used */
export function xzUnpacker(): Unpacker {
  let xz: XzExports;
  try {
    const code = readFileSync(fileURLToPath(import.meta.resolve('xz-decompress')), 'latin1');
    const base64 = /base64,(AGFzbQ[A-Za-z0-9+/]{1000,}={0,2})"/.exec(code)?.[1]; // `AGFzbQ` is "\0asm"
    if (base64 === undefined) throw new Error('no WebAssembly module found in it');
    xz = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(base64, 'base64')), {}).exports as XzExports;
    if (typeof xz.create_context !== 'function') throw new Error('its module is another one than expected');
  } catch (error) {
    throw new UnsupportedError('xz', `the package xz-decompress cannot be used: ${messageOf(error)}`);
  }
  return new XzUnpacker(xz);
}

class XzUnpacker implements Unpacker {
  private readonly xz: XzExports;
  private context: number;
  /** True between streams: before the first, after the end of one. */
  private done = false;

  constructor(xz: XzExports) {
    this.xz = xz;
    this.context = xz.create_context();
  }

  push(piece: Uint8Array, emit: Emit): void {
    if (this.done) return; // padding, or what follows the stream
    const size = this.words()[word.bufferSize]!;
    for (let at = 0; at < piece.length && !this.done; at += size) {
      const part = piece.subarray(at, at + size);
      new Uint8Array(this.xz.memory.buffer, this.words()[word.input]!, part.length).set(part);
      this.xz.supply_input(this.context, part.length);
      this.run(emit);
    }
  }

  end(emit: Emit): void {
    if (!this.done) {
      // that a stream is over shows when it is asked for more
      this.xz.supply_input(this.context, 0);
      this.run(emit);
    }
    if (!this.done) throw new Error('the stream does not end');
  }

  private run(emit: Emit): void {
    for (;;) {
      const result = this.xz.get_next_output(this.context);
      if (result !== ok && result !== streamEnd && result !== uncheckable) {
        throw new Error(problems[result] ?? `error ${result}`);
      }
      const words = this.words();
      const written = words[word.outputPosition]!;
      if (written > 0) emit(new Uint8Array(this.xz.memory.buffer, words[word.output]!, written).slice());
      words[word.outputPosition] = 0;
      this.done = result === streamEnd;
      if (this.done || (words[word.inputPosition] === words[word.inputSize] && written < words[word.bufferSize]!))
        return;
    }
  }

  /** The context's words; the memory may have grown, and moved. */
  private words(): Uint32Array {
    return new Uint32Array(this.xz.memory.buffer, this.context, 6);
  }
}
