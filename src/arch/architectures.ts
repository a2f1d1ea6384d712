// Every machine whose dumps can be opened: a folder each, and a line here. The code of
// the commonest is loaded at once, that of another when a dump of it is opened.
import { createRequire } from 'node:module';
import { UnsupportedError } from '../base/errors.ts';
import type { Dump } from '../dump/dump.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import type { Architecture, Machine } from './architecture.ts';
import { plainLayout, type RegisterLayout, type Registers } from './registers.ts';
import { x86_64 } from './x86_64/architecture.ts';

const require = createRequire(import.meta.url);

/** By uname's name of the machine. */
export const machines: Readonly<Record<string, () => Machine>> = {
  x86_64: () => x86_64,
  aarch64: () => (require('./aarch64/architecture.ts') as typeof import('./aarch64/architecture.ts')).aarch64,
};

/**
 * The architecture of a dump, with the kernel's memory translated.
 * @throws FormatError where the kernel's page tables cannot be found
 * @throws UnsupportedError for another machine
 */
export function openArchitecture(
  dump: Dump,
  vmcoreinfo: Vmcoreinfo,
  known: Readonly<Record<string, () => Machine>> = machines,
): Architecture {
  const name = dump.info.machine;
  const machine = Object.hasOwn(known, name) ? known[name] : undefined;
  if (machine === undefined) {
    throw new UnsupportedError('machine', `${name} is not supported, only ${Object.keys(known).join(' and ')}`);
  }
  return machine().open(dump, vmcoreinfo);
}

/** How the registers of a machine are printed: for those who have its name and data alone. */
export function registerLayout(machine: string, registers: Registers): RegisterLayout {
  const known = Object.hasOwn(machines, machine) ? machines[machine] : undefined;
  return known?.().registers.layout ?? plainLayout(Object.keys(registers));
}
