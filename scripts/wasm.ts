// `node scripts/wasm.ts`: makes X_wasm.ts of each X.wat, which is to be changed by hand.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

/** The modules written in WebAssembly's text, without their ending. */
export const modules: readonly string[] = ['../src/oops/byte_search', '../src/save/lzo'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** The file that is made of a module. */
export function targetOf(path: string): string {
  return `${path}_wasm.ts`;
}

/** The text of that file. */
export async function assembled(path: string): Promise<string> {
  const name = basename(path);
  const features = { bulk_memory: true, simd: true };
  const module = (await wabt()).parseWat(`${name}.wat`, readFileSync(`${path}.wat`, 'utf8'), features);
  module.validate();
  const { buffer } = module.toBinary({});
  const lines =
    Buffer.from(buffer)
      .toString('base64')
      .match(/.{1,100}/g) ?? [];
  return [
    `// Made by scripts/wasm.ts of ${name}.wat: change that.`,
    `export const ${name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())}Wasm =`,
    `${lines.map((line) => `  '${line}'`).join(' +\n')};\n`,
  ].join('\n');
}

if (import.meta.main) for (const path of modules) writeFileSync(targetOf(path), await assembled(path));
