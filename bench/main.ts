// `npm run bench -- [--dump DUMP] [--vmlinux VMLINUX] [--root DIR] [--runs N] [--commands LIST]`: how long the
// commands take as whole processes, beside drgn and crash where those are installed, and what the parts take.
// See docs/performance.md. Only the ratios mean something on another machine, or on one that does other work.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openDump } from '../src/dump/open.ts';
import { measureMemory } from './memory.ts';
import { measureParts } from './parts.ts';
import { type Measurement, measure } from './processes.ts';
import { crash, drgn, inquest, type Place } from './programs.ts';

/** Of the commands that everybody runs first, which open little; of those that walk over much. */
const bars = { short: { drgn: 0.6, crash: 0.1 }, long: { drgn: 1, crash: 1 / 3 } };
const shortCommands = ['bt', 'ps', 'log', 'mod', 'sys'];
const barMemory = 250;

const { values } = parseArgs({
  options: {
    dump: { type: 'string', default: 'samples/vmcore' },
    vmlinux: { type: 'string' },
    root: { type: 'string' },
    runs: { type: 'string', default: '7' },
    commands: { type: 'string', default: 'bt,ps,log,mod,sys' },
  },
});
const dump = resolve(values.dump);
const runs = Number(values.runs);
const program = resolve('dist/inquest.js');
if (!existsSync(program)) fail(`${program} is missing: npm run build`);
if (!existsSync(dump)) fail(`${dump}: no such dump`);
if (!Number.isInteger(runs) || runs < 1) fail('--runs takes a number of rounds');

const { info } = openDump([dump]);
console.log(`${info.utsname?.release ?? 'kernel'}: ${info.description}, ${(info.fileSize / 1e6).toFixed(0)} MB`);
console.log(`Node ${process.version}; ${runs} rounds of all programs in turn: median wall time, mean processor time\n`);

const place: Place = { root: values.root ?? null };
const rows: string[][] = [];
for (const command of values.commands.split(',')) {
  const { vmlinux } = values;
  const ours = inquest(program, command, dump);
  const drgnProgram = vmlinux === undefined ? null : drgn(place, command, dump, vmlinux);
  const crashProgram = vmlinux === undefined ? null : crash(place, command, dump, vmlinux);
  const bar = shortCommands.includes(command) ? bars.short : bars.long;
  const others = [
    ...(drgnProgram === null ? [] : [{ program: drgnProgram, bar: bar.drgn }]),
    ...(crashProgram === null ? [] : [{ program: crashProgram, bar: bar.crash }]),
  ];
  const [own = null, ...theirs] = measure([ours, ...others.map((other) => other.program)], runs);
  if (own === null) {
    rows.push([command, ours.name, 'fails', '', '', '', '', '']);
    continue;
  }
  const holds = own.memory === null ? '' : verdict(own.memory < barMemory);
  rows.push([command, ours.name, ...numbers(own), '', '', `under ${barMemory} MiB: ${holds}`]);
  for (const [i, { program, bar }] of others.entries()) {
    const their = theirs[i] ?? null;
    if (their === null) {
      rows.push([command, program.name, 'fails', '', '', '', '', '']);
      continue;
    }
    const ratio = own.wall / their.wall;
    const ofCpu = own.cpu === null || their.cpu === null ? '' : (own.cpu / their.cpu).toFixed(3);
    rows.push([
      command,
      program.name,
      ...numbers(their),
      ratio.toFixed(3),
      ofCpu,
      `ratio at most ${bar.toFixed(2)}: ${verdict(ratio <= bar)}`,
    ]);
  }
}
printTable(['command', 'program', 'wall ms', 'cpu ms', 'MiB', 'ratio', 'of cpu', 'bar'], rows);

console.log('\nParts, in one process, warm: processor time');
const parts = [...measureParts(dump), ...measureMemory()];
printTable(
  ['what', 'takes', 'bar'],
  parts.map(({ what, value, bar }) => [what, value, bar === null ? '' : `${bar.text}: ${verdict(bar.holds)}`]),
);

function numbers({ wall, cpu, memory }: Measurement): string[] {
  return [(wall * 1000).toFixed(0), cpu === null ? '' : (cpu * 1000).toFixed(0), memory?.toFixed(0) ?? ''];
}

function verdict(holds: boolean): string {
  return holds ? 'holds' : 'MISSED';
}

function printTable(head: readonly string[], body: readonly (readonly string[])[]): void {
  const widths = head.map((title, i) => Math.max(title.length, ...body.map((row) => row[i]?.length ?? 0)));
  const isNumber = (text: string) => /^[\d.]+$/.test(text);
  for (const row of [head, ...body]) {
    const cells = row.map((cell, i) => (isNumber(cell) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)));
    console.log(cells.join('  ').trimEnd());
  }
}

function fail(message: string): never {
  console.error(`bench: ${message}`);
  process.exit(2);
}
