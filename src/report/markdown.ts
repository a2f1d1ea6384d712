// The report as Markdown, for a ticket or a pull request.
import { escapeLine, escapeLogLine } from '../base/text.ts';
import type { Block } from './block.ts';

export function renderMarkdown(blocks: readonly Block[]): string {
  const out: string[] = [];
  for (const block of blocks) {
    switch (block.kind) {
      case 'verdict':
        out.push('# Kernel crash report', '', `**${prose(block.text)}**`, '');
        break;
      case 'heading':
        out.push(`## ${prose(block.text)}`, '');
        break;
      case 'subheading':
        out.push(`### ${prose(block.text)}${block.note === '' ? '' : ` (${prose(block.note)})`}`, '');
        break;
      case 'paragraph':
        out.push(prose(block.text), '');
        break;
      case 'facts':
        out.push(
          '| | |',
          '|---|---|',
          ...block.rows.map(([label, value]) => `| ${prose(label)} | ${prose(value)} |`),
          '',
        );
        break;
      case 'list':
        out.push(...block.items.map((item) => `- ${prose(item)}`), '');
        break;
      case 'output': {
        const text = [
          `crash> ${escapeLine(block.command)}`,
          ...block.lines.map(({ text: line, marked }) => `${marked ? '> ' : ''}${escapeLogLine(line)}`),
        ].join('\n');
        // a fence longer than any run of backticks in the text
        const fence = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map(([run]) => run.length + 1)));
        out.push(fence, text, fence, '');
        break;
      }
      case 'timeline':
        for (const { label, text, weight, note } of block.entries) {
          const what = weight === 'death' ? `**${prose(text)}**` : prose(text);
          out.push(`- ${prose(label)} ${what}${note === '' ? '' : ` (${prose(note)})`}`);
        }
        out.push('');
        break;
      case 'table':
        out.push(
          `| ${block.head.map(prose).join(' | ')} |`,
          `|${block.head.map(() => '---').join('|')}|`,
          ...block.rows.map((row) => `| ${row.map(prose).join(' | ')} |`),
          '',
        );
        break;
    }
  }
  return `${out.join('\n')}`;
}

/** Text that means what it says: nothing in it is markup, and it stays on one line. */
function prose(text: string): string {
  return escapeLine(text).replace(/[\\`*_[\]<>|#~]/g, (c) => `\\${c}`);
}
