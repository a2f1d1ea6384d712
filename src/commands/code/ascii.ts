// ascii: words as the characters that they hold, and the chart of them.
import { hex16 } from '../../base/text.ts';
import { defineCommand } from '../command.ts';
import { rest, type ValueKind } from '../params.ts';
import { numberOf } from './eval.ts';

export interface AsciiData {
  /** None: the chart. */
  readonly words: readonly { readonly word: bigint; readonly text: string }[];
}

/** Names of characters that cannot be printed, by code; 0x7f apart. */
const names =
  'NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US SP'.split(
    ' ',
  );

const hexWord: ValueKind<bigint> = {
  kind: 'number',
  parse: (word, context) => numberOf(context, /^[0-9a-fA-F]+$/.test(word) ? `0x${word}` : word),
};

export const ascii = defineCommand({
  name: 'ascii',
  help: {
    summary: 'words as the characters that they hold',
    description: `Prints hexadecimal words as the characters in their bytes, lowest byte first, as they lie in memory. Without
words: the chart of all characters.`,
    examples: [['ascii 6c6f6f70', 'is this pointer a text?']],
  },
  params: { words: rest('word', hexWord) },
  collect: (_context, { words }): AsciiData => ({ words: words.map((word) => ({ word, text: charactersOf(word) })) }),
  render: ({ words }) =>
    words.length === 0 ? chart() : words.map(({ word, text }) => `${hex16(word)}: ${text}\n`).join(''),
});

function charactersOf(word: bigint): string {
  return Array.from({ length: 8 }, (_, i) => Number((word >> BigInt(i * 8)) & 0xffn))
    .map((code) => (code > 0x20 && code < 0x7f ? String.fromCharCode(code) : nameOf(code)))
    .join('');
}

function nameOf(code: number): string {
  if (code === 0x20) return ' ';
  const name = code === 0x7f ? 'DEL' : names[code];
  return name === undefined ? `<${code.toString(16)}>` : `<${name}>`;
}

/** Eight columns of sixteen, by the high and the low digit of the code. */
function chart(): string {
  const cell = (code: number): string => {
    if (code < names.length) return names[code]!.padStart(3);
    return code === 0x7f ? 'DEL' : ` ${String.fromCharCode(code)} `;
  };
  const rows = Array.from({ length: 16 }, (_, low) => {
    const cells = Array.from({ length: 8 }, (_, high) => cell(high * 16 + low));
    const [nul, dle, ...others] = cells;
    return `  ${low.toString(16).toUpperCase()} | ${[nul, dle, ...others].join(' ')}`.trimEnd();
  });
  return `\n      0    1   2   3   4   5   6   7\n    +-------------------------------\n${rows.join('\n')}\n\n`;
}
