// Each thing is said once: what a command shows that stands above already is not shown again.
import type { Block } from './block.ts';

type Output = Extract<Block, { readonly kind: 'output' }>;

/** Blocks without outputs of which every line stood above: the sentence before them tells where to look. */
export function saidOnce(blocks: readonly Block[]): Block[] {
  const said = new Set<string>();
  const kept: Block[] = [];
  for (const block of blocks) {
    if (block.kind !== 'output') {
      kept.push(block);
      continue;
    }
    const lines = linesOf(block);
    if (lines.length === 0 || lines.some((line) => !said.has(line))) {
      kept.push(block);
      for (const line of lines) said.add(line);
      continue;
    }
    const before = kept.at(-1);
    const hint = `(${block.command}: above)`;
    if (before?.kind !== 'paragraph') kept.push({ kind: 'paragraph', text: hint });
    else kept[kept.length - 1] = { ...before, text: `${before.text} ${hint}` };
  }
  return kept;
}

/** Lines as they are compared: a stack with and without offsets is the same. */
function linesOf({ lines }: Output): string[] {
  return lines.map(({ text }) => text.trim().replace(/\+\d+ at /, ' at ')).filter((text) => text !== '');
}
