// Rules of unwinding from wherever there are some: the kernel's own ORC tables, and for code that they do not cover (or
// a kernel built without them) the call frame information of debug information in files.
import type { OrcEntry, OrcLookup } from '../arch/orc_entry.ts';
import { virtAddr } from '../base/address.ts';
import type { Kernel } from './kernel.ts';
import { codeInfoAt } from './source_line.ts';

/** The return address lies just below the canonical frame address: what a call pushed. */
const pushed = -8;

export function unwindRules(kernel: Kernel, tables: OrcLookup): OrcLookup {
  return {
    find(ip) {
      const entry = tables.find(ip);
      return entry !== null && entry.type !== 'undefined' ? entry : (callFrameRule(kernel, ip) ?? entry);
    },
  };
}

function callFrameRule(kernel: Kernel, ip: bigint): OrcEntry | null {
  const at = virtAddr(ip);
  const rule = codeInfoAt(kernel, at)?.unwindRule(at) ?? null;
  if (rule?.distances == null || rule.distances.returnAddress !== pushed) return null;
  const { cfaRegister, cfaOffset, framePointer } = rule.distances;
  return {
    type: 'call',
    spRegister: cfaRegister === 'stack pointer' ? 'sp' : 'bp',
    spOffset: cfaOffset,
    bpRegister: framePointer === null ? 'undefined' : 'prev-sp',
    bpOffset: framePointer ?? 0,
    signal: rule.signalFrame,
  };
}
