// Every machine whose dumps can be opened: a folder each, and a line here.
import { UnsupportedError } from '../base/errors.ts';
import type { Dump } from '../dump/dump.ts';
import type { Vmcoreinfo } from '../dump/vmcoreinfo.ts';
import { aarch64 } from './aarch64/architecture.ts';
import type { Architecture, Machine } from './architecture.ts';
import { plainLayout, type RegisterLayout, type Registers } from './registers.ts';
import { x86_64 } from './x86_64/architecture.ts';

export const machines: readonly Machine[] = [x86_64, aarch64];

/**
 * The architecture of a dump, with the kernel's memory translated.
 * @throws FormatError where the kernel's page tables cannot be found
 * @throws UnsupportedError for another machine
 */
export function openArchitecture(
  dump: Dump,
  vmcoreinfo: Vmcoreinfo,
  known: readonly Machine[] = machines,
): Architecture {
  const name = dump.info.machine;
  const machine = known.find((candidate) => candidate.name === name);
  if (machine === undefined) {
    const names = known.map((candidate) => candidate.name).join(' and ');
    throw new UnsupportedError('machine', `${name} is not supported, only ${names}`);
  }
  return machine.open(dump, vmcoreinfo);
}

/** How the registers of a machine are printed: for those who have its name and data alone. */
export function registerLayout(machine: string, registers: Registers): RegisterLayout {
  return machines.find(({ name }) => name === machine)?.registers.layout ?? plainLayout(Object.keys(registers));
}
