// `bt --locals` beside drgn: the functions of each frame, inlined ones too, and the values of parameters and variables.
import { escapeLine } from '../../src/base/text.ts';
import { type Comparison, entered, output, type Setup, sample, seenInside } from './setup.ts';
import { drgnScript, type TheirValue, valueDifference } from './values.ts';

interface TheirFrame {
  readonly name: string;
  readonly pc: string;
  readonly inlined: boolean;
  readonly locals: Readonly<Record<string, { readonly value: TheirValue } | { readonly missing: string }>>;
}

interface OurTask {
  readonly pid: number;
  readonly frames: readonly OurFrame[];
}

interface OurFrame {
  readonly address: string;
  /** Of entry code, what it interrupted: its functions stand behind the frame's own. */
  readonly registers: Readonly<Record<string, string>> | null;
  readonly functions: readonly OurFunction[] | null;
}

interface OurFunction {
  readonly name: string;
  readonly inlined: boolean;
  readonly locals: readonly { readonly name: string; readonly value: unknown; readonly missing: string | null }[];
}

/** The functions of a frame and of what it interrupted, each with its address. */
function functionsOf({ address, functions, registers }: OurFrame): (OurFunction & { readonly pc: bigint })[] {
  const interrupted = registers === null ? null : (registers['rip'] ?? registers['pc'] ?? null);
  const all = functions === null || functions.length === 0 ? [unnamed] : functions;
  const own = all.slice(0, all.findIndex(({ inlined }) => !inlined) + 1);
  const there = all.slice(own.length);
  return [
    ...own.map((one) => ({ ...one, pc: BigInt(address) })),
    ...(interrupted === null ? [] : there.length === 0 ? [unnamed] : there).map((one) => ({
      ...one,
      pc: BigInt(interrupted ?? 0),
    })),
  ];
}

/** The one function of a frame that debug information does not know. */
const unnamed: OurFunction = { name: '', inlined: false, locals: [] };

/** The panicking task and `count` sleeping ones. */
export function compareFrames(setup: Setup, program: string, count: number): Comparison[] {
  const { kernel, dump, vmlinux, modules, seed } = setup;
  const sleeping = kernel.tasks.all.filter(({ active, idle }) => !active && !idle).map(({ pid }) => pid);
  const pids = sample(sleeping, count, seed).map(String);
  const inside = (path: string) => seenInside(setup, path);
  const files = [vmlinux, ...modules].flatMap((path) => ['-s', inside(path)]);
  const theirs = JSON.parse(
    output(entered(setup, ['drgn', '-q', '-c', inside(dump), ...files, '-e', drgnScript('frames.py')]), pids.join(' ')),
  ) as Record<string, TheirFrame[]>;
  const ours = JSON.parse(
    output([
      process.execPath,
      program,
      'crash',
      '--json',
      dump,
      vmlinux,
      ...modules,
      '-c',
      `bt --locals ${Object.keys(theirs).join(' ')}`,
    ]),
  ).data.tasks as OurTask[];
  const frames = { compared: 0, equal: 0, differences: [] as string[], notes: [] as string[] };
  const values = { compared: 0, equal: 0, differences: [] as string[], notes: [] as string[] };
  let more = 0;
  for (const [pid, their] of Object.entries(theirs)) {
    const task = ours.find((one) => String(one.pid) === pid);
    const mine = (task?.frames ?? []).flatMap(functionsOf);
    for (const frame of their) {
      const pc = BigInt(frame.pc);
      if (!kernel.arch.isKernelAddress(pc as never)) continue;
      frames.compared++;
      // labels in assembler code: any of them names the place
      const at = mine.findIndex(
        (one) => one.pc === pc && one.inlined === frame.inlined && (one.name === frame.name || !one.inlined),
      );
      const [own] = at < 0 ? [] : mine.splice(at, 1);
      if (own === undefined) {
        frames.differences.push(`${pid}: ${frame.name}${frame.inlined ? ' (inlined)' : ''} at ${pc.toString(16)}`);
        continue;
      }
      frames.equal++;
      for (const [name, said] of Object.entries(frame.locals)) {
        values.compared++;
        const local = own.locals.find((one) => one.name === name);
        const difference =
          local === undefined
            ? 'not listed'
            : 'missing' in said
              ? null
              : local.missing !== null
                ? `drgn has ${JSON.stringify(said.value)}: ${local.missing}`
                : valueDifference(said.value, local.value);
        if (local !== undefined && 'missing' in said && local.missing === null) more++;
        if (difference === null) values.equal++;
        else values.differences.push(`${pid}: ${frame.name}: ${name}: ${escapeLine(difference)}`);
      }
    }
    for (const left of mine) {
      if (kernel.arch.isKernelAddress(left.pc as never))
        frames.notes.push(`${pid}: only inquest has ${left.name} at ${left.pc.toString(16)}`);
    }
  }
  values.notes.push(`${more} have a value in inquest alone`);
  return [
    { what: `frames of ${Object.keys(theirs).length} tasks, as drgn`, ...frames },
    { what: 'their parameters and variables, as drgn', ...values },
  ];
}
