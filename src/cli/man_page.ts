// `inquest man`: the manual pages, in the language of man(7), from the same declarations as the help.
import type { CommandEntry } from '../commands/session/help.ts';
import { topics } from '../commands/session/help_topics.ts';
import type { Job, JobOption } from './program_page.ts';

export const manPages = ['inquest', 'inquest-crash'] as const;
export type ManPage = (typeof manPages)[number];

const statuses = `Exit status: 0 done; 1 the input could not be read, or a command failed; 2 wrong usage; 3 oops found none.`;

/** The page of the program: its jobs. */
export function programManual(version: string, summary: string, jobs: readonly Job[]): string {
  return [
    heading('inquest', version),
    section('NAME', `inquest \\- ${roff(summary)}`),
    section('SYNOPSIS', jobs.map((job) => `.B inquest ${roff(job.name)}\n${synopsis(job)}`).join('\n.br\n')),
    section(
      'DESCRIPTION',
      roff(
        `inquest reads crash dumps and logs of Linux kernels, and says what killed them. It needs nothing but the dump. Without the name of a job, its arguments are dumps to report on.`,
      ),
    ),
    ...jobs.map((job) =>
      section(job.name.toUpperCase(), `${roff(job.summary)}\n${argsOf(job)}${optionsOf(job.options)}`),
    ),
    section('EXIT STATUS', roff(statuses)),
    section('SEE ALSO', '.BR inquest-crash (1),\n.BR crash (8),\n.BR makedumpfile (8)'),
  ].join('');
}

/** The page of the crash shell: its options, and every command with its options and examples. */
export function crashManual(version: string, job: Job, commands: readonly CommandEntry[]): string {
  return [
    heading('inquest-crash', version),
    section('NAME', `inquest\\-crash \\- ${roff(job.summary)}`),
    section('SYNOPSIS', `.B inquest crash\n${synopsis(job)}`),
    section('DESCRIPTION', `${argsOf(job)}${optionsOf(job.options)}`),
    ...Object.entries(topics).map(([name, text]) => section(name.toUpperCase(), verbatim(text))),
    section('COMMANDS', commands.map(commandText).join('')),
    section('EXIT STATUS', roff(statuses)),
    section('SEE ALSO', '.BR inquest (1),\n.BR crash (8)'),
  ].join('');
}

function commandText({ name, summary, usage, description, params, examples }: CommandEntry): string {
  const forms = usage.map((form) => `.B ${roff(name)}\n${roff(form)}`).join('\n.br\n');
  const options = params
    .filter(({ help }) => help !== '')
    .map(({ letter, arity, value, help }) => {
      const flag =
        letter === null
          ? value
          : `-${letter}${arity === 'value' ? ` ${value}` : arity === 'attached' ? `[=${value}]` : ''}`;
      return item(flag, help);
    });
  const shown = examples.map(([line, meaning]) => item(line, meaning));
  return [
    `.SS ${roff(name)} \\- ${roff(summary)}\n${forms}\n.PP\n${roff(description)}\n`,
    ...options,
    ...(shown.length === 0 ? [] : ['.PP\nExamples:\n', ...shown]),
  ].join('');
}

function heading(title: string, version: string): string {
  return `.TH ${title.toUpperCase()} 1 "" "inquest ${roff(version)}" "User Commands"\n.nh\n.ad l\n`;
}

function section(title: string, body: string): string {
  return `.SH ${roff(title)}\n${body.trimEnd()}\n`;
}

function synopsis({ args }: Job): string {
  return roff(['[options]', ...args.map(({ form }) => form)].join(' '));
}

function argsOf({ args }: Job): string {
  return args
    .filter(({ help }) => help !== '')
    .map(({ form, help }) => item(form, help))
    .join('');
}

function optionsOf(options: readonly JobOption[]): string {
  return options
    .map(({ short, long, value, choices, help }) => {
      const flags = [short, long].filter((flag) => flag !== null).join(', ');
      const words = choices.length === 0 ? '' : ` (${choices.join(', ')})`;
      return item(`${flags}${value === null ? '' : ` ${value}`}`, `${help}${words}`);
    })
    .join('');
}

function item(tag: string, text: string): string {
  return `.TP\n.B ${roff(tag)}\n${roff(text)}\n`;
}

function verbatim(text: string): string {
  return `.nf\n${roff(text)}\n.fi`;
}

/** Text as roff takes it: no line begins a request, dashes are dashes, and all is ASCII. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1')
    .replace(/[^\0-\x7f]/gu, (one) => `\\[u${one.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`);
}
