// A command's page in words: how it is used, made from what it declares.
import type { Command } from './command.ts';
import type { Param, Params } from './params.ts';

/** What a page needs to know of an option or argument. */
type PageParam = Pick<Param<unknown>, 'letter' | 'arity' | 'value' | 'help' | 'excludes' | 'group'>;

/** Columns of a page. */
const width = 120;

/**
 * The form of a command's arguments: `[-dx] [-c cpus|-p] [pid|task]...`. Letters without a value are joined; those that
 * exclude each other stand together. Options without help are left out.
 */
export function usageForms(params: Params): string[] {
  const options = Object.values(params).filter(({ letter, help }) => letter !== null && help !== '');
  const parts: string[] = [];
  const plain = options.filter(
    ({ arity, excludes, letter }) => arity === 'flag' && excludes.length === 0 && letter!.length === 1,
  );
  const single = plain.filter(({ letter }) => !options.some(({ excludes }) => excludes.includes(letter!)));
  if (single.length > 0) parts.push(`[-${single.map(({ letter }) => letter).join('')}]`);
  const shown = new Set<PageParam>(single);
  for (const option of options) {
    if (shown.has(option)) continue;
    const group = exclusive(option, options).filter((one) => !shown.has(one));
    for (const one of group) shown.add(one);
    parts.push(`[${group.map(optionText).join('|')}]`);
  }
  for (const { letter, arity, value } of Object.values(params)) {
    if (letter !== null) continue;
    if (arity === 'one') parts.push(value);
    else if (arity === 'optional') parts.push(`[${value}]`);
    else parts.push(`[${value}]...`);
  }
  return [parts.join(' ')];
}

/** An option with all that it excludes, and that exclude it, in the order of their declaration. */
function exclusive(option: PageParam, options: readonly PageParam[]): PageParam[] {
  return options.filter(
    (one) => one === option || option.excludes.includes(one.letter!) || one.excludes.includes(option.letter!),
  );
}

function optionText({ letter, arity, value }: PageParam): string {
  if (arity === 'value') return `-${letter} ${value}`;
  return arity === 'attached' ? `-${letter}[=${value}]` : `-${letter}`;
}

/** What a page shows. */
export interface Page {
  readonly name: string;
  readonly summary: string;
  /** Forms of its arguments, without its name. */
  readonly usage: readonly string[];
  readonly description: string;
  readonly params: readonly PageParam[];
  readonly examples: readonly (readonly [line: string, meaning: string])[];
}

/** The whole page of `help COMMAND`. */
export function pageText({ name, summary, usage, description, params, examples }: Page): string {
  const forms = usage.map((form) => `  ${name}${form === '' ? '' : ` ${form}`}\n`).join('');
  const options = params.filter(({ help }) => help !== '');
  const column = Math.min(24, Math.max(0, ...options.map((one) => label(one).length)) + 2);
  const groups = [...new Set(options.map(({ group }) => group))];
  const lists = groups.map((group) => {
    const title = group === null ? '' : `  ${group}:\n`;
    return (
      title +
      options
        .filter((one) => one.group === group)
        .map((one) => optionLines(one, column))
        .join('')
    );
  });
  const shown = examples.map(([line, meaning]) => `  crash> ${line.padEnd(36)} ${meaning}\n`).join('');
  return [
    `NAME\n  ${name} - ${summary}\n`,
    `SYNOPSIS\n${forms}`,
    `DESCRIPTION\n${description.replace(/^(?=.)/gm, '  ')}\n`,
    ...(lists.length === 0 ? [] : [`OPTIONS\n${lists.join('\n')}`]),
    ...(shown === '' ? [] : [`EXAMPLES\n${shown}`]),
  ].join('\n');
}

function label(param: PageParam): string {
  return param.letter === null ? param.value : optionText(param);
}

function optionLines(param: PageParam, column: number): string {
  const name = label(param);
  const lines = param.help.split('\n').flatMap((line) => wrapped(line, width - column - 2));
  const first = name.length + 2 > column ? `  ${name}\n${' '.repeat(column + 2)}` : `  ${name.padEnd(column)}`;
  return `${first}${lines.join(`\n${' '.repeat(column + 2)}`)}\n`;
}

function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** The lines that are shown for wrong usage. */
export function usageText({ name, help, params }: Command): string {
  const forms = (help.usage ?? usageForms(params)).map((form) => `  ${name}${form === '' ? '' : ` ${form}`}`);
  return `Usage:\n${forms.join('\n')}\nEnter "help ${name}" for details.\n`;
}
