// Memory that is there and yet was not given: why the CPU refused, by the error code that the kernel printed.
import { virtAddr } from '../base/address.ts';
import type { Facts } from './facts.ts';
import { objectName } from './memory_name.ts';

/** Bits of the page fault's error code (arch/x86/include/asm/trap_pf.h). */
const present = 1 << 0;
const write = 1 << 1;
const reserved = 1 << 3;
const fetch = 1 << 4;
const protectionKey = 1 << 5;
const shadowStack = 1 << 6;

/** Why an access to memory that is mapped was refused, in words; null where it was not, or nothing tells. */
export function denialOf(facts: Facts, address: bigint): string | null {
  const { kernel, death } = facts;
  const { arch } = kernel;
  const text = [death?.message ?? '', ...(death?.notes ?? []), ...linesBefore(facts)].join('\n');
  if (/\(SMEP\?\)/.test(text)) return 'code of a process, which SMEP keeps the kernel from running';
  const code = /error_code\(0x([0-9a-f]{1,8})\)/.exec(text)?.[1];
  const isUser = arch.isUserAddress(address);
  // a log alone does not tell whose memory it is
  const name =
    facts.told !== null
      ? 'memory'
      : isUser || !arch.isKernelAddress(address)
        ? null
        : objectName(kernel, virtAddr(address));
  if (/NX-protected page/.test(text)) return `${name}, which is not executable (NX)`;
  if (code === undefined) return null;
  const bits = Number.parseInt(code, 16);
  if ((bits & reserved) !== 0) return 'an address whose page tables are corrupt (a reserved bit is set in them)';
  if ((bits & protectionKey) !== 0) return 'memory that protection keys forbid';
  if ((bits & shadowStack) !== 0) return 'memory of a shadow stack';
  if ((bits & present) === 0) return null;
  if ((bits & fetch) !== 0)
    return isUser
      ? 'code of a process, which SMEP keeps the kernel from running'
      : `${name}, which is not executable (NX)`;
  if (isUser) return 'memory of a process, which SMAP keeps the kernel from without copy_from_user() and the like';
  if ((bits & write) !== 0) return `${name}, which is read-only`;
  return null;
}

/** Lines of the log right before and within the report of the death. */
function linesBefore({ death, logLines }: Facts): readonly string[] {
  if (death === null) return [];
  const { startLine } = death.span;
  return logLines.slice(Math.max(0, startLine - 4), startLine + 5);
}
