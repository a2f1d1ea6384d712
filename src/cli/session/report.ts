// report: why the kernel died, as `inquest report` has it.
import { UsageError } from '../../base/errors.ts';
import { escapeLine } from '../../base/text.ts';
import { defineCommand } from '../../commands/command.ts';
import { valued, values } from '../../commands/params.ts';
import { type ReportFormat, renderReport } from '../../report/render.ts';
import { analyse } from '../../triage/analyse.ts';
import type { Analysis } from '../../triage/analysis.ts';

const formats: readonly ReportFormat[] = ['text', 'markdown', 'html', 'json'];

export const report = defineCommand({
  name: 'report',
  help: {
    summary: 'why the kernel died, with the evidence',
    description: 'Prints the report: the verdict, what supports it, and the state of the machine.',
    examples: [
      ['report', 'on the terminal'],
      ['report -f html > report.html', 'for others'],
    ],
  },
  unlimited: true, // its parts have budgets
  params: { format: valued('f', 'format', values.word, `how to write it: ${formats.join(', ')}`) },
  collect: (context, { format }): Analysis => {
    if (format !== null && !isFormat(format)) throw new UsageError(`invalid format: ${escapeLine(format)}`);
    return analyse(context);
  },
  render: (analysis, { options: { format } }) =>
    renderReport(analysis, format !== null && isFormat(format) ? format : 'text', { colour: false, width: 100 }),
});

function isFormat(word: string): word is ReportFormat {
  return formats.some((format) => format === word);
}
