// `npm run bench:debuginfo -- --dump DUMP --vmlinux VMLINUX [--module KO]... [--root DIR] [--only LIST] [--show N]`: what
// inquest reads from DWARF, held against addr2line, drgn, gdb (through crash) and pahole, and how long it takes.
// See docs/debuginfo.md. Each comparison prints how many things were compared, and how many were equal.
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { measureDamage } from './damage.ts';
import { compareFrames } from './frames.ts';
import { compareFrameLines, compareRandomAddresses } from './lines.ts';
import { type Comparison, openSetup, type Setup } from './setup.ts';
import { measureTime } from './time.ts';
import { compareBtf, compareGlobals, compareStructs } from './types.ts';

const { values } = parseArgs({
  options: {
    dump: { type: 'string' },
    vmlinux: { type: 'string' },
    module: { type: 'string', multiple: true, default: [] },
    root: { type: 'string' },
    only: { type: 'string' },
    show: { type: 'string', default: '5' },
    seed: { type: 'string', default: '12' },
  },
});
if (values.dump === undefined || values.vmlinux === undefined) {
  console.error('bench: --dump and --vmlinux are needed');
  process.exit(2);
}
const program = resolve('dist/inquest.js');
const setup: Setup = openSetup({
  dump: resolve(values.dump),
  vmlinux: resolve(values.vmlinux),
  modules: values.module.map((path) => resolve(path)),
  root: values.root === undefined ? null : resolve(values.root),
  seed: Number(values.seed),
});

const checks: Readonly<Record<string, () => readonly Comparison[]>> = {
  frames: () => compareFrames(setup, program, 20),
  lines: () => [compareFrameLines(setup, program)],
  addresses: () => [compareRandomAddresses(setup, 200)],
  structs: () => [compareStructs(setup, 1000)],
  globals: () => compareGlobals(setup, program, 1000),
  btf: () => [compareBtf(setup)],
  time: () => measureTime(setup, program),
  damage: () => [measureDamage(setup, program, 30)],
};

let missed = false;
for (const name of values.only?.split(',') ?? Object.keys(checks)) {
  for (const { what, compared, equal, differences, notes } of checks[name]?.() ?? []) {
    console.log(`${what}: ${equal} of ${compared}${equal === compared ? '' : '  MISSED'}`);
    missed ||= equal !== compared;
    for (const line of [...differences, ...notes].slice(0, Number(values.show))) console.log(`    ${line}`);
  }
}
process.exitCode = missed ? 1 : 0;
