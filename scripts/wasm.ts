// `node scripts/wasm.ts`: makes src/save/lzo_wasm.ts of src/save/lzo.wat, which is to be changed by hand.
import { readFileSync, writeFileSync } from 'node:fs';
import wabt from 'wabt';

const source = new URL('../src/save/lzo.wat', import.meta.url);
export const target = new URL('../src/save/lzo_wasm.ts', import.meta.url);

/** The text of the target. */
export async function lzoModule(): Promise<string> {
  const module = (await wabt()).parseWat('lzo.wat', readFileSync(source, 'utf8'), { bulk_memory: true });
  module.validate();
  const { buffer } = module.toBinary({});
  const lines =
    Buffer.from(buffer)
      .toString('base64')
      .match(/.{1,100}/g) ?? [];
  return [
    '// Made by scripts/wasm.ts of lzo.wat: change that.',
    'export const lzoWasm =',
    `${lines.map((line) => `  '${line}'`).join(' +\n')};\n`,
  ].join('\n');
}

if (import.meta.main) writeFileSync(target, await lzoModule());
