// `dis -s`: the line of the source that an address comes from, with the lines around it.

import { offsetBy, type VirtAddr } from '../../base/address.ts';
import { NotFoundError } from '../../base/errors.ts';
import { escapeLine, escapeTerminal } from '../../base/text.ts';
import type { SourceLine } from '../../debuginfo/debug_info.ts';
import { codeInfoAt, sourceLine } from '../../kernel/source_line.ts';
import type { CommandContext } from '../context.ts';
import { pathInTree, sourceText } from './source_text.ts';

export interface SourceListing {
  readonly kind: 'source';
  readonly where: string;
  /** Path as it stands in the source tree, where that can be told. */
  readonly file: string;
  readonly line: number;
  /** Lines of the file; null where it is not there to be read. */
  readonly lines: readonly { readonly line: number; readonly text: string }[] | null;
}

/** Lines shown before the one asked for. */
const linesBefore = 5;
/** Lines shown behind it where its function is not known to go on. */
const linesBehind = 10;
/** Most bytes of a function that are looked at for its last line. */
const maxFunction = 1 << 16;

/** @param count lines behind the one asked for; null: to the end of the function @throws NotFoundError where no line is known */
export function sourceListing(
  { kernel, src }: CommandContext,
  where: string,
  address: VirtAddr,
  range: { readonly start: VirtAddr; readonly length: number } | null,
  count: number | null,
): SourceListing {
  const line = sourceLine(kernel, address);
  if (line === null) throw new NotFoundError('line of', escapeTerminal(where));
  const text = sourceText(line, src);
  const last = count !== null ? line.line + count : Math.max(line.line + linesBehind, lastLine(kernel, line, range));
  const first = Math.max(1, line.line - linesBefore);
  return {
    kind: 'source',
    where,
    file: pathInTree(line),
    line: line.line,
    lines: text === null ? null : text.slice(first - 1, last).map((one, i) => ({ line: first + i, text: one })),
  };
}

/** The last line of the same file that code of the function comes from. */
function lastLine(
  kernel: CommandContext['kernel'],
  { file, line }: SourceLine,
  range: { readonly start: VirtAddr; readonly length: number } | null,
): number {
  const code = range === null ? null : codeInfoAt(kernel, range.start);
  let last = line;
  for (let at = 0; code !== null && at < Math.min(range!.length, maxFunction); at++) {
    const place = code.line(offsetBy(range!.start, at));
    if (place?.file === file) last = Math.max(last, place.line);
  }
  return last;
}

export function listingText({ where, file, line, lines }: SourceListing): string {
  const head = `FILE: ${escapeLine(file)}\nLINE: ${line}\n\n`;
  if (lines === null) return `${head}dis: ${escapeLine(where)}: source code is not available\n\n`;
  const width = String(lines.at(-1)?.line ?? 0).length;
  const rows = lines.map(
    (row) => `${row.line === line ? '*' : ' '} ${String(row.line).padStart(width)}  ${escapeTerminal(row.text)}\n`,
  );
  return `${head}${rows.join('')}\n`;
}
