// Everything that the program does with a dump, done in this process, and what came out held to what is
// promised for any input: errors are the program's own, output is clean text, JSON parses, HTML has no markup
// but its own. Used on good dumps and on broken ones.
import { InquestError, messageOf } from '../../src/base/errors.ts';
import { escapeTerminal } from '../../src/base/text.ts';
import { CommandContext } from '../../src/commands/context.ts';
import { commandTable } from '../../src/commands/registry.ts';
import { errorData, runCommand } from '../../src/commands/run.ts';
import { interpretUnknown } from '../../src/commands/session/fallback.ts';
import type { Dump } from '../../src/dump/dump.ts';
import { pageCensus } from '../../src/kernel/excluded_pages.ts';
import { openKernel } from '../../src/kernel/open_kernel.ts';
import { renderReport } from '../../src/report/render.ts';
import { analyse } from '../../src/triage/analyse.ts';

/** What broke a promise. */
export interface Problem {
  /** The job that was done: `report`, or a command line. */
  readonly where: string;
  readonly what: string;
}

/** Command lines that reach each walker of the dead kernel's structures. */
export const commandLines: readonly string[] = [
  'sys',
  'sys -i',
  'sys -t',
  'sys config',
  'bt',
  'bt -a',
  'bt -c 0',
  'bt -f',
  'bt -F',
  'bt -s',
  'bt -r',
  'bt -t',
  'bt -T',
  'bt -e',
  'bt -v',
  'bt -p',
  'bt 1',
  'ps',
  'ps -a 1',
  'ps -c 1',
  'ps -p 1',
  'ps -t 1',
  'ps -l',
  'ps -m',
  'ps -g 1',
  'ps -r 1',
  'ps -S',
  'ps -s',
  'log',
  'log -T',
  'log -t',
  'log -m',
  'log -a',
  'log -c',
  'log -d',
  'log -s',
  'mod',
  'mod -t',
  'set',
  'set -p',
  'set -c 0',
  'task',
  'task -R pid,comm,__state',
  'struct task_struct',
  'struct -o task_struct',
  'struct task_struct init_task',
  'struct task_struct.comm,pid,tasks init_task',
  'struct list_head modules',
  'struct page -o',
  '*module',
  'union thread_union',
  'list task_struct.tasks -s task_struct.comm -h init_task',
  'list modules',
  'p init_task.comm',
  'p jiffies',
  'p &init_task',
  'p init_task',
  'p runqueues',
  'p runqueues:0',
  'sym schedule',
  'sym -q printk',
  'sym -m crashme',
  'dis schedule',
  'dis -r schedule+20',
  'rd init_task 32',
  'rd -S init_task 32',
  'rd -a saved_command_line',
  'rd -p 1000 8',
  'rd 0 4',
];

/** Opens the kernel of a dump and does everything with it. */
export function exercise(dump: Dump, commands: readonly string[] = commandLines): Problem[] {
  const problems: Problem[] = [];
  const attempt = <T>(where: string, work: () => T): T | null => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof InquestError)) problems.push({ where, what: stackOf(error) });
      else problems.push(...checkLine(where, error.message));
      return null;
    }
  };
  attempt('facts of the dump', () => JSON.stringify(dump.info));
  const kernel = attempt('open', () => openKernel(dump));
  if (kernel === null) return problems;
  const context = attempt('context', () => new CommandContext(kernel));
  if (context === null) return problems;
  checkReport(context, problems);
  attempt('info', () => kernel.faults.collect(() => pageCensus(kernel)));
  checkCommands(context, commands, problems);
  return problems;
}

function checkReport(context: CommandContext, problems: Problem[]): void {
  let analysis: ReturnType<typeof analyse>;
  try {
    analysis = analyse(context);
  } catch (error) {
    // whatever the dump, there is a report
    problems.push({ where: 'report', what: stackOf(error) });
    return;
  }
  for (const format of ['text', 'markdown', 'html', 'json'] as const) {
    const where = `report --format ${format}`;
    try {
      const text = renderReport(analysis, format, { colour: false, width: 100 });
      problems.push(...checkText(where, text));
      if (format === 'json') JSON.parse(text);
      if (format === 'html') problems.push(...checkHtml(where, text));
    } catch (error) {
      problems.push({ where, what: stackOf(error) });
    }
  }
}

/** The command that a line stands for, as the shell finds it. */
function resolve(context: CommandContext, line: string): [name: string, words: readonly string[]] {
  const [first = '', ...rest] = line.split(' ');
  if (commandTable().has(first)) return [first, rest];
  const meant = first.startsWith('*') ? { name: '*', args: [first.slice(1), ...rest] } : null;
  const { name, args } = meant ?? interpretUnknown(context, [first, ...rest]) ?? { name: first, args: rest };
  return [name, args];
}

function checkCommands(context: CommandContext, lines: readonly string[], problems: Problem[]): void {
  for (const json of [false, true]) {
    for (const line of lines) {
      let text = '';
      const sink = {
        write: (part: string) => {
          text += part;
          return true;
        },
      };
      const [name, words] = resolve(context, line);
      const command = commandTable().get(name);
      if (command === undefined) continue; // the dump lost what the word would have meant
      const { faults, error } = runCommand(command, context, words, sink, { json, line });
      const warnings = [...faults.map(({ message }) => message), ...(error === null ? [] : [errorData(error).message])];
      problems.push(...checkText(line, json ? text : `${text}${warnings.map(escapeTerminal).join('\n')}`));
      if (error !== null && !(error instanceof InquestError)) problems.push({ where: line, what: stackOf(error) });
      if (!json) continue;
      try {
        JSON.parse(text);
      } catch (error) {
        problems.push({ where: `${line} --json`, what: `${messageOf(error)}: ${text.slice(0, 200)}` });
      }
    }
  }
}

/** Text for a terminal: no control characters, no stack trace. */
export function checkText(where: string, text: string): Problem[] {
  const at = text.search(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
  const problems: Problem[] = [];
  if (at >= 0) {
    problems.push({ where, what: `control character in ${JSON.stringify(text.slice(Math.max(0, at - 60), at + 20))}` });
  }
  const trace = /^ +at .*\.(?:ts|js):\d+:\d+\)?$/m.exec(text);
  if (trace !== null) problems.push({ where, what: `stack trace: ${trace[0]}` });
  return problems;
}

/** A message: text on one line. */
function checkLine(where: string, text: string): Problem[] {
  return text.includes('\n') ? [{ where, what: `more than one line: ${text}` }] : [];
}

const ownTags = new Set(
  'html head meta title style body h1 h2 h3 small p table tr th td ul li pre span mark details summary div'.split(' '),
);

/** The page's tags are those that the program writes, each closed in order: the dump's own text added none. */
export function checkHtml(where: string, html: string): Problem[] {
  const problems: Problem[] = [];
  const open: string[] = [];
  for (const [tag, slash, name = ''] of html.matchAll(/<(\/?)([a-zA-Z!][^\s>/]*)[^<>]*>/g)) {
    if (name === '!doctype' || name === 'meta') continue;
    if (!ownTags.has(name)) problems.push({ where, what: `tag ${tag}` });
    if (slash === '') open.push(name);
    else if (open.pop() !== name) problems.push({ where, what: `${tag} closes nothing` });
  }
  if (open.length > 0) problems.push({ where, what: `not closed: ${open.join(' ')}` });
  if (/ on[a-z]+=|javascript:/.test(html.replace(/>[^<]*</g, '><'))) problems.push({ where, what: 'script in a tag' });
  return problems;
}

export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
