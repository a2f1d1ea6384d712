// The report as one HTML page that needs nothing else: no script, no font, no image from anywhere.
import { escapeHtml, escapeLogLine } from '../base/text.ts';
import type { Block, TimelineRow } from './block.ts';

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #f4f5f7; --line: #d8dce1; --accent: #b3261e; --mark: #fde7e5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #16181c; --soft: #1f2329; --line: #353b44; --accent: #ff8a80; --mark: #4a201d; } }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
.verdict { border-left: 6px solid var(--accent); padding: .6rem 1rem; background: var(--soft); font-size: 1.2rem; font-weight: 600; }
details { margin: 1.6rem 0 0; }
summary { cursor: pointer; border-bottom: 1px solid var(--line); margin-bottom: .5rem; }
h2 { display: inline; font-size: 1.15rem; }
h3 { margin: 1.2rem 0 .3rem; font-size: 1rem; }
h3 small { font-weight: normal; opacity: .7; }
p, li, h1, h3 { overflow-wrap: break-word; }
table { border-collapse: collapse; }
.wide { overflow-x: auto; }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { white-space: nowrap; }
.facts td { overflow-wrap: anywhere; }
pre { overflow-x: auto; margin: .4rem 0 1rem; padding: .6rem .8rem; background: var(--soft); border: 1px solid var(--line); border-radius: 4px; font: 12.5px/1.45 ui-monospace, monospace; }
pre .command { opacity: .65; }
mark { background: var(--mark); color: inherit; }
@media (max-width: 40rem) {
  body { padding: .8rem; font-size: 14px; }
  .verdict { padding: .5rem .7rem; font-size: 1.05rem; }
  .facts th, .facts td { display: block; padding-right: 0; }
  .facts th { border: none; padding-bottom: 0; font-size: .85em; opacity: .75; }
  pre { font-size: 11px; padding: .5rem; }
}
@media print {
  body { max-width: none; padding: 0; font: 9px/1.35 system-ui, sans-serif; }
  details { margin: .7rem 0 0; }
  details::details-content { display: block; content-visibility: visible; height: auto; }
  summary { list-style: none; break-after: avoid; }
  h3 { margin: .5rem 0 .1rem; break-after: avoid; }
  p { margin: .2rem 0; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 7px; line-height: 1.25; margin: .2rem 0; padding: .2rem .4rem; }
  mark { font-weight: bold; }
}
`;

const timelineStyle = `.timeline { list-style: none; margin: .5rem 0 .5rem .5rem; padding: 0; border-left: 3px solid var(--line); }
.timeline li { position: relative; padding: .1rem 0 .1rem 1.2rem; }
.timeline li::before { content: ''; position: absolute; left: -.45rem; top: .55rem; width: .7rem; height: .7rem; border-radius: 50%; background: var(--line); }
.timeline li.trouble::before { background: var(--ink); }
.timeline li.death::before { background: var(--accent); }
.timeline li.death { font-weight: 600; }
.timeline li.gap::before { display: none; }
.timeline time { font: 12.5px ui-monospace, monospace; opacity: .8; }
.timeline small { opacity: .65; font-weight: normal; }
`;

/** @param title for the window: plain text */
export function renderHtml(blocks: readonly Block[], title: string): string {
  const body = parts(blocks);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${safe(title)}</title>
<style>${style}${blocks.some(({ kind }) => kind === 'timeline') ? timelineStyle : ''}</style>
</head>
<body>
${body}
</body>
</html>
`;
}

/** Each heading with what follows it folds as one; nothing is folded on paper. */
function parts(blocks: readonly Block[]): string {
  const out: string[] = [];
  let isOpen = false;
  for (const block of blocks) {
    // the verdict stands by itself, wherever it is repeated
    if (isOpen && (block.kind === 'heading' || block.kind === 'verdict')) out.push('</details>');
    if (block.kind === 'heading' || block.kind === 'verdict') isOpen = block.kind === 'heading';
    out.push(renderBlock(block));
  }
  if (isOpen) out.push('</details>');
  return out.join('\n');
}

function renderBlock(block: Block): string {
  switch (block.kind) {
    case 'verdict':
      return `<h1 class="verdict">${safe(block.text)}</h1>`;
    case 'heading':
      return `<details${block.folded === true ? '' : ' open'}>\n<summary><h2>${safe(block.text)}</h2></summary>`;
    case 'subheading':
      return `<h3>${safe(block.text)}${block.note === '' ? '' : ` <small>(${safe(block.note)})</small>`}</h3>`;
    case 'paragraph':
      return `<p>${safe(block.text)}</p>`;
    case 'facts':
      return `<table class="facts">${block.rows.map(([label, value]) => `<tr><th scope="row">${safe(label)}</th><td>${safe(value)}</td></tr>`).join('')}</table>`;
    case 'list':
      return `<ul>${block.items.map((item) => `<li>${safe(item)}</li>`).join('')}</ul>`;
    case 'output': {
      const lines = block.lines.map(({ text, marked }) => (marked ? `<mark>${safe(text)}</mark>` : safe(text)));
      return `<pre><span class="command">crash&gt; ${safe(block.command)}</span>\n${lines.join('\n')}</pre>`;
    }
    case 'timeline':
      return `<ol class="timeline">${block.entries.map((entry, n) => `${gap(block.entries[n - 1], entry)}<li class="${entry.weight}"><time>${safe(entry.label)}</time> ${safe(entry.text)}${entry.note === '' ? '' : ` <small>${safe(entry.note)}</small>`}</li>`).join('')}</ol>`;
    case 'table':
      return `<div class="wide"><table><tr>${block.head.map((cell) => `<th scope="col">${safe(cell)}</th>`).join('')}</tr>${block.rows.map((row) => `<tr>${row.map((cell) => `<td>${safe(cell)}</td>`).join('')}</tr>`).join('')}</table></div>`;
  }
}

/** Room on the line for the time in which nothing was said, growing with its logarithm. */
function gap(before: TimelineRow | undefined, { seconds }: TimelineRow): string {
  if (before === undefined || before.seconds === null || seconds === null) return '';
  const passed = seconds - before.seconds;
  if (passed < 1) return '';
  const height = Math.min(4, 0.4 + Math.log10(passed) * 0.8);
  return `<li class="gap" style="height:${height.toFixed(2)}rem"><small>${passed < 120 ? `${passed.toFixed(1)} s` : `${(passed / 60).toFixed(0)} min`}</small></li>`;
}

function safe(text: string): string {
  return escapeHtml(escapeLogLine(text));
}
