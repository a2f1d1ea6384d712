// Many runs and their checks, one after the other, and one table of them.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Checked, check, renderChecked } from './check.ts';
import { type Kernel, kernelNamed, kernels } from './kernels.ts';
import { say } from './place.ts';
import { OutOfReach } from './programs.ts';
import { misfit, run } from './run.ts';
import type { Scenario } from './scenario.ts';
import { scenarioNamed, scenarios } from './scenarios/index.ts';
import { holdTotals } from './truth.ts';

export interface MatrixOptions {
  readonly kernels: readonly string[];
  readonly scenarios: readonly string[];
  /** inquest's entry point, if not the checkout's own source. */
  readonly program?: string;
  /** Delete each run's dump once it was checked and found right. */
  readonly sweep?: boolean;
  /** Whether how much was compared is held against test/levels/lab.json, or written there; without, neither. */
  readonly totals?: 'hold' | 'record';
}

/** What `matrix` runs when it is not told: every scenario on the three x86_64 kernels that matter. */
export const usual = { kernels: ['6.1', '6.12', 'newest'], scenarios: scenarios.map((scenario) => scenario.name) };

/** What CI runs: an old and a new kernel; a crash of one task, a lockup, and a deadlock. */
export const small = { kernels: ['6.1', '6.12'], scenarios: ['null', 'softlockup', 'abba'] };

interface Cell {
  readonly kernel: string;
  readonly scenario: string;
  readonly outcome: Checked | Error;
}

/**
 * Runs and checks each scenario on each kernel; prints the table to standard output.
 * @returns how many runs came to no dump, and how many had wrong facts; what compared far less than before counts for one
 * @throws OutOfReach when this machine cannot run the lab at all
 */
export async function matrix(options: MatrixOptions): Promise<{ failed: number; wrong: number }> {
  const cells: Cell[] = [];
  for (const kernel of options.kernels.map(kernelNamed)) {
    for (const scenario of options.scenarios.map(scenarioNamed)) {
      if (misfit(kernel, scenario) !== undefined) continue;
      const cell = {
        kernel: kernel.name,
        scenario: scenario.name,
        outcome: await runAndCheck(kernel, scenario, options),
      };
      cells.push(cell);
      process.stdout.write(renderCell(cell));
    }
  }
  process.stdout.write(`\n${renderMatrix(cells)}`);
  const done = cells.flatMap(({ outcome }) => (outcome instanceof Error ? [] : [outcome]));
  const failed = cells.length - done.length;
  const less = options.totals === undefined || failed > 0 ? [] : holdTotals(done, options.totals === 'record');
  for (const line of less) process.stdout.write(`LESS ${line}\n`);
  return { failed, wrong: done.filter(({ wrong }) => wrong > 0).length + (less.length > 0 ? 1 : 0) };
}

async function runAndCheck(kernel: Kernel, scenario: Scenario, options: MatrixOptions): Promise<Checked | Error> {
  try {
    const folder = await run(kernel.name, scenario.name);
    const checked = check(folder, options);
    if (options.sweep && checked.wrong === 0) rmSync(join(folder, 'vmcore'));
    return checked;
  } catch (error) {
    if (error instanceof OutOfReach) throw error;
    const failure = error instanceof Error ? error : new Error(String(error));
    say(failure.message);
    return failure;
  }
}

function renderCell(cell: Cell): string {
  const body = cell.outcome instanceof Error ? `FAILED ${cell.outcome.message}\n` : renderChecked(cell.outcome);
  return `== ${cell.kernel} ${cell.scenario}\n${body}\n`;
}

/** One line a run: how many facts were compared, and how that ended. */
export function renderMatrix(cells: readonly Cell[]): string {
  const lines = [
    `${'kernel'.padEnd(16)}${'scenario'.padEnd(14)}${['compared', 'equal', 'explained', 'wrong', 'unclaimed'].map((head) => head.padStart(10)).join('')}`,
  ];
  for (const { kernel, scenario, outcome } of cells) {
    const name = kernel.padEnd(16) + scenario.padEnd(14);
    if (outcome instanceof Error) lines.push(`${name}  FAILED`);
    else {
      const sum = (key: 'compared' | 'equal' | 'explained' | 'wrong') =>
        outcome.rows.reduce((total, { tally }) => total + (tally?.[key] ?? 0), 0);
      const unclaimed = outcome.rows.filter((row) => row.tally === undefined).length;
      lines.push(
        name +
          [sum('compared'), sum('equal'), sum('explained'), sum('wrong'), unclaimed]
            .map((n) => String(n).padStart(10))
            .join(''),
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

/** The kernels' names, for help texts. */
export const kernelNames = kernels.map((kernel) => kernel.name).join(', ');
