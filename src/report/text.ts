// The report for a terminal. Colours only when asked for.
import { styleText } from 'node:util';
import { escapeLine, escapeLogLine } from '../base/text.ts';
import type { Block } from './block.ts';

type Style = 'bold' | 'red' | 'dim' | 'cyan';

/** Renders blocks as text. @param colour whether to use terminal colours @param width columns to wrap prose at */
export function renderText(blocks: readonly Block[], options: { colour: boolean; width: number }): string {
  const styled = (style: Style | readonly Style[], text: string): string =>
    options.colour ? styleText(style as Style, text, { validateStream: false }) : text;
  const out: string[] = [];
  for (const block of blocks) {
    switch (block.kind) {
      case 'verdict':
        out.push(...wrap(escapeLine(block.text), options.width).map((line) => styled(['bold', 'red'], line)), '');
        break;
      case 'heading':
        out.push('', styled('bold', `== ${escapeLine(block.text)} ==`), '');
        break;
      case 'subheading':
        out.push(
          '',
          `${styled('bold', escapeLine(block.text))}${block.note === '' ? '' : `  (${escapeLine(block.note)})`}`,
        );
        break;
      case 'paragraph':
        out.push(...wrap(escapeLine(block.text), options.width));
        break;
      case 'facts': {
        const label = Math.max(...block.rows.map(([name]) => name.length));
        for (const [name, value] of block.rows) {
          const [first = '', ...rest] = wrap(escapeLine(value), Math.max(30, options.width - label - 2));
          out.push(
            `${styled('cyan', name.padStart(label))}  ${first}`,
            ...rest.map((line) => `${' '.repeat(label)}  ${line}`),
          );
        }
        break;
      }
      case 'list':
        for (const item of block.items) {
          out.push(
            ...wrap(escapeLine(item), options.width - 2).map((line, i) => (i === 0 ? `- ${line}` : `  ${line}`)),
          );
        }
        break;
      case 'output':
        out.push(styled('dim', `    crash> ${escapeLine(block.command)}`));
        for (const { text, marked } of block.lines) {
          const line = escapeLogLine(text);
          out.push(marked ? styled('red', `  > ${line}`) : `    ${line}`);
        }
        break;
      case 'timeline':
        for (const { label, text, weight, note } of block.entries) {
          const line = `${weight === 'death' ? '>' : ' '} ${escapeLine(label)}  ${escapeLine(text)}`;
          out.push(
            `  ${weight === 'death' ? styled('red', line) : line}${note === '' ? '' : styled('dim', `  (${escapeLine(note)})`)}`,
          );
        }
        break;
      case 'table':
        out.push(...table(block.head, block.rows));
        break;
    }
  }
  return `${out.join('\n').replace(/\n{3,}/g, '\n\n')}\n`;
}

/** Columns as wide as their widest cell; numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map((row) => row.map(escapeLine));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const right = head.map((_, column) => rows.length > 0 && rows.every((row) => /^[\d.]/.test(row[column] ?? '')));
  return cells.map((row) =>
    `    ${row.map((cell, column) => (right[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join('  ')}`.trimEnd(),
  );
}

/** Breaks prose at blanks; words longer than a line stand alone. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else line = line === '' ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}
