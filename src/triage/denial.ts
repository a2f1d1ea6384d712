// Memory that is there and yet was not given: why the CPU refused, by what it told and the kernel printed.
import type { FaultSyndrome } from '../arch/fault_syndrome.ts';
import { virtAddr } from '../base/address.ts';
import { assertNever } from '../base/errors.ts';
import type { Facts } from './facts.ts';
import { objectName } from './memory_name.ts';

/** Why an access to memory that is mapped was refused, in words; null where it was not, or nothing tells. */
export function denialOf(facts: Facts, address: bigint): string | null {
  const { kernel } = facts;
  const { arch } = kernel;
  const { userCode, userData, noExecute } = arch.guards;
  const text = saidOfFault(facts);
  const isUser = arch.isUserAddress(address);
  const codeOfProcess = `code of a process, which ${userCode} keeps the kernel from running`;
  if (/\(SMEP\?\)/.test(text)) return codeOfProcess;
  // a log alone does not tell whose memory it is
  const name =
    facts.told !== null
      ? 'memory'
      : isUser || !arch.isKernelAddress(address)
        ? null
        : objectName(kernel, virtAddr(address));
  if (/NX-protected page/.test(text)) return `${name}, which is not executable (NX)`;
  const { reason, access } = arch.faultSyndrome(text) ?? { reason: null, access: null };
  switch (reason) {
    case null:
    case 'not-mapped':
      return null;
    case 'corrupt-tables':
      return 'an address whose page tables are corrupt (they hold what the CPU does not take)';
    case 'protection-key':
      return 'memory that protection keys forbid';
    case 'shadow-stack':
      return 'memory of a shadow stack';
    case 'tag':
      return 'memory that has another tag than the pointer (MTE): used after it was freed, or past its end';
    case 'alignment':
      return 'an address that is not aligned as the instruction or the memory wants it';
    case 'hardware':
      return 'an address at which the hardware answered with an error';
    case 'permission':
      if (access === 'execute') return isUser ? codeOfProcess : `${name}, which is not executable (${noExecute})`;
      if (isUser) {
        return `memory of a process, which ${userData} keeps the kernel from without copy_from_user() and the like`;
      }
      return access === 'write' ? `${name}, which is read-only` : null;
    default:
      return assertNever(reason);
  }
}

/** What the CPU said of the exception that the kernel died of; null where the log does not have it. */
export function syndromeOfDeath(facts: Facts): FaultSyndrome | null {
  return facts.kernel.arch.faultSyndrome(saidOfFault(facts));
}

function saidOfFault(facts: Facts): string {
  const { death } = facts;
  return [death?.message ?? '', ...(death?.notes ?? []), ...linesBefore(facts)].join('\n');
}

/** Lines of the log right before and within the report of the death. */
function linesBefore({ death, logLines }: Facts): readonly string[] {
  if (death === null) return [];
  const { startLine } = death.span;
  return logLines.slice(Math.max(0, startLine - 4), startLine + 6);
}
