// The traps of WARN(), behind which code goes on, told from those of BUG() by the kernel's tables of them
// (struct bug_entry of include/asm-generic/bug.h, lib/bug.c).
import type { Instruction } from '../arch/decoder.ts';
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import { findMember, memberOf, offsetOf, sizeOf, type Type } from '../debuginfo/type.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { perKernel } from '../kernel/per_kernel.ts';

/** BUGFLAG_WARNING. */
const isWarning = 1;
/** Most entries of one table that are read: kernels have some 20,000. */
const maxEntries = 1 << 18;

/** The addresses among some instructions where a trap is a warning's. */
export function warningTraps(kernel: Kernel, instructions: readonly Instruction[]): ReadonlySet<bigint> {
  const traps = instructions.filter(({ flow }) => flow === 'trap');
  if (traps.length === 0) return new Set();
  const known = bugTables(kernel);
  return new Set(traps.map(({ address }) => address).filter((address) => known.has(address)));
}

/** Addresses of the instructions of all WARN()s. */
const bugTables = perKernel((kernel): ReadonlySet<bigint> => {
  const found = new Set<bigint>();
  const type = kernel.types.find('struct bug_entry');
  const start = kernel.ownSymbol('__start___bug_table');
  const end = kernel.ownSymbol('__stop___bug_table');
  if (type === null || findMember(type, 'flags') === null) return found;
  if (start !== null && end !== null) {
    const read = (): void => readTable(kernel, type, start.address, Number(end.address - start.address), found);
    kernel.faults.attempt('bug table', read, undefined);
  }
  for (const { object, name } of kernel.modules) {
    const read = (): void => {
      const table = object.optional('bug_table');
      if (table === null) return;
      const count = object.member('num_bugs').number();
      if (count > 0) readTable(kernel, type, table.pointer(), count * sizeOf(type), found);
    };
    kernel.faults.attempt(`bug table of module ${name}`, read, undefined);
  }
  return found;
});

function readTable(kernel: Kernel, type: Type, start: VirtAddr, length: number, found: Set<bigint>): void {
  const size = sizeOf(type);
  if (!(length >= 0 && length <= maxEntries * size)) throw new FormatError('bug table', `is ${length} bytes long`);
  const bytes = kernel.space.read(start, length);
  kernel.work.charge('nodes', length / size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = offsetOf(type, 'flags');
  // relative to the member itself with CONFIG_GENERIC_BUG_RELATIVE_POINTERS
  const relative = findMember(type, 'bug_addr_disp');
  const place = (relative ?? memberOf(type, 'bug_addr')).bitOffset / 8;
  for (let at = 0; at + size <= length; at += size) {
    if ((view.getUint16(at + flags, true) & isWarning) === 0) continue;
    const address =
      relative === null
        ? view.getBigUint64(at + place, true)
        : start + BigInt(at + place) + BigInt(view.getInt32(at + place, true));
    found.add(BigInt.asUintN(64, address));
  }
}
