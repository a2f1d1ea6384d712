// `node bench/verdicts.ts DUMP|LOG|FOLDER... [--only WORDS] [--quick]`: each dump's report held against what the reader of
// logs says of the same log (and of dmesg or console text beside the dump): nothing may be less specific, or other. Also
// whether the verdict fits one screen, and whether each next step is a command that answers.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { noDebugOptions } from '../src/cli/debug_options.ts';
import { openContext } from '../src/cli/open.ts';
import { sessionCommands } from '../src/cli/session/entries.ts';
import { isDump } from '../src/dump/open.ts';
import { fatalIncident } from '../src/oops/death.ts';
import { functionName } from '../src/oops/frames.ts';
import type { Incident } from '../src/oops/incident.ts';
import { reportKind } from '../src/oops/kinds.ts';
import { LogScanner } from '../src/oops/scanner.ts';
import { renderReport } from '../src/report/render.ts';
import { ShellSession } from '../src/shell/session.ts';
import { analyse, analyseLog } from '../src/triage/analyse.ts';
import type { Analysis } from '../src/triage/analysis.ts';
import { Facts } from '../src/triage/facts.ts';
import { agree } from '../src/triage/traits.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string', default: '' }, quick: { type: 'boolean', default: false } },
});
if (positionals.length === 0) {
  console.error('usage: node bench/verdicts.ts DUMP|FOLDER... [--only WORDS] [--quick]');
  process.exit(2);
}

const [rows, columns] = [40, 80];
const dumps = positionals.flatMap(dumpsIn).filter((path) => path.includes(values.only));
let wrong = 0;
for (const path of dumps) {
  const start = performance.now();
  const problems = await judge(path);
  wrong += problems.length > 0 ? 1 : 0;
  console.log(
    `${problems.length === 0 ? 'ok ' : 'BAD'} ${path} (${((performance.now() - start) / 1000).toFixed(1)} s)`,
  );
  for (const problem of problems) console.log(`      ${problem}`);
}
console.log(`${dumps.length - wrong} of ${dumps.length} hold`);
process.exitCode = wrong === 0 ? 0 : 1;

function dumpsIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const file = join(path, entry.name);
      if (entry.isDirectory()) return entry.name === 'picture' ? [] : dumpsIn(file);
      if (!entry.isFile()) return [];
      return /\.log$/.test(entry.name) || (/^vmcore/.test(entry.name) && !/\.txt$/.test(entry.name) && isDump(file))
        ? [file]
        : [];
    });
}

/** A log alone: its report held against the incident. */
function judgeLog(path: string): string[] {
  const text = readFileSync(path);
  const analysis = analyseLog(text, path);
  const told = deathIn(text);
  console.log(`    ${analysis.panic.message}\n    (${analysis.panic.confidence}: ${analysis.panic.because})`);
  return [...(told === null ? [] : against(analysis, told)), ...briefProblems(analysis)];
}

async function judge(path: string): Promise<string[]> {
  if (!isDump(path)) return judgeLog(path);
  const context = openContext([path], noDebugOptions);
  const analysis = analyse(context);
  const { death } = new Facts(context);
  const problems: string[] = [];
  console.log(`    ${analysis.panic.message}\n    (${analysis.panic.confidence}: ${analysis.panic.because})`);
  if (death !== null) problems.push(...against(analysis, death).map((text) => `its log: ${text}`));
  for (const [name, text] of textsBeside(path)) {
    const told = deathIn(text);
    if (told !== null && told.signature !== death?.signature)
      problems.push(...against(analysis, told).map((problem) => `${name}: ${problem}`));
  }
  if (analysis.panic.confidence === 'certain')
    problems.push(...analysis.disagreements.map((text) => `certain, but: ${text}`));
  problems.push(...briefProblems(analysis));
  if (!values.quick) {
    for (const { command } of analysis.next) {
      let errors = '';
      const session = new ShellSession(
        context,
        sessionCommands(),
        {
          write: () => true,
          warn: (text) => {
            errors += text;
          },
        },
        { json: false },
      );
      // a child of the shell would write among the answers
      await session.run(command.split(' | ')[0]!);
      if (session.failed) problems.push(`next step fails: ${command}: ${errors.trim()}`);
    }
  }
  return problems;
}

/** Whether the verdict fits one screen. */
function briefProblems(analysis: Analysis): string[] {
  const problems: string[] = [];
  const brief = renderReport(
    analysis,
    'text',
    { colour: false, width: columns },
    { why: false, brief: true, verdictLast: false },
  );
  const lines = brief.trimEnd().split('\n');
  if (lines.length >= rows) problems.push(`the brief has ${lines.length} lines`);
  for (const line of lines)
    if (line.length > columns) problems.push(`the brief has a line of ${line.length} columns: ${line}`);
  return problems;
}

/** Where a report says less than an incident of the log, or something else. */
function against({ panic }: Analysis, told: Incident): string[] {
  const problems: string[] = [];
  const kind = reportKind(told);
  if (kind !== panic.kind && kind !== 'unknown')
    problems.push(
      `the log's kind is ${told.kind}, the report's ${panic.kind}${agree(kind, panic.kind) ? ' (alike)' : ''}`,
    );
  const { guilty } = told;
  if (guilty === null) return problems;
  const { rip } = panic;
  const symbol = rip?.symbol == null ? null : functionName(rip.symbol);
  const inWords = panic.message.includes(guilty.function);
  // where the CPU was sent is a name of the log's, and so is who called a function that left no frame: the report says more
  const isCaller = new RegExp(`(?:which |; )${guilty.symbol.replaceAll('.', '\\.')}\\S*(?: \\[\\w+\\])? called`).test(
    panic.message,
  );
  if (symbol !== guilty.function && !isCaller && !(inWords && told.instruction?.symbol === guilty.symbol))
    problems.push(
      `the log blames ${guilty.symbol}, the report ${rip?.symbol ?? 'nobody'}${inWords ? ' (named in the sentence)' : ''}`,
    );
  else if (symbol === guilty.function && guilty.offset !== null && rip?.offset !== guilty.offset)
    problems.push(
      `the log has ${guilty.symbol}+0x${guilty.offset.toString(16)}, the report +0x${rip?.offset?.toString(16) ?? '?'}`,
    );
  if (guilty.module !== null && guilty.module !== rip?.module && !panic.message.includes(guilty.module))
    problems.push(`the log blames the module ${guilty.module}, the report ${rip?.module ?? 'none'}`);
  if (
    told.faultAddress !== null &&
    panic.faultAddress !== null &&
    BigInt(told.faultAddress) !== BigInt(panic.faultAddress)
  )
    problems.push(`the log has address ${told.faultAddress}, the report ${panic.faultAddress}`);
  return problems;
}

function deathIn(text: Uint8Array): Incident | null {
  const scanner = new LogScanner();
  const incidents = [...scanner.push(text), ...scanner.end()];
  return fatalIncident(incidents) ?? incidents.at(-1) ?? null;
}

function textsBeside(path: string): [string, Uint8Array][] {
  const folder = dirname(path);
  return readdirSync(folder)
    .filter((name) => /^(vmcore-dmesg\.txt|console\.log)$/.test(name))
    .map((name) => [name, readFileSync(join(folder, name))]);
}
