// One analysis, four ways to write it.
import { assertNever } from '../base/errors.ts';
import { toJson } from '../commands/command.ts';
import type { Analysis } from '../triage/analysis.ts';
import { renderBrief } from './brief.ts';
import { type ReportView, reportDocument, wholeReport } from './document.ts';
import { renderHtml } from './html.ts';
import { renderMarkdown } from './markdown.ts';
import { renderText } from './text.ts';

export type ReportFormat = 'text' | 'markdown' | 'html' | 'json';

/** @param terminal how to write text: with colours or not, wrapped at so many columns */
export function renderReport(
  analysis: Analysis,
  format: ReportFormat,
  terminal: { colour: boolean; width: number },
  view: ReportView = wholeReport,
): string {
  switch (format) {
    case 'text':
      if (view.brief) return renderBrief(analysis, terminal);
      return renderText(reportDocument(analysis, view), terminal);
    case 'markdown':
      return renderMarkdown(reportDocument(analysis, view));
    case 'html':
      return renderHtml(reportDocument(analysis, view), analysis.panic.title);
    case 'json':
      return `${toJson(analysis, 2)}\n`;
    default:
      return assertNever(format);
  }
}
