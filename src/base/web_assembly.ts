// Modules of WebAssembly, of which TypeScript declares the interface only for browsers. They are made of text by
// scripts/wasm.ts.

declare const WebAssembly:
  | {
      validate(code: Uint8Array): boolean;
      readonly Module: new (code: Uint8Array) => object;
      readonly Instance: new (module: object) => { readonly exports: unknown };
    }
  | undefined;

/** A module's own memory; `buffer` is another one after it has grown. */
export interface ModuleMemory {
  readonly buffer: ArrayBuffer;
  /** @returns pages of 64 KiB that it had before */
  grow(pages: number): number;
}

/** What a module exports, from its code in base 64; null where the machine cannot run it: Node without JIT, an old CPU. */
export function loadModule<Exports>(code: string): Exports | null {
  if (typeof WebAssembly === 'undefined') return null;
  const bytes = Buffer.from(code, 'base64');
  if (!WebAssembly.validate(bytes)) return null;
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Exports;
}
