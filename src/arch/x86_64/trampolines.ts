// Unwind rules for code that is made at run time, which no table covers.
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import type { KernelView } from '../kernel_view.ts';
import type { OrcEntry, OrcLookup } from '../orc_entry.ts';
import { framePointerSetAt } from './call_sites.ts';

/** The return address is on top of the stack. */
const called: OrcEntry = {
  type: 'call',
  spRegister: 'sp',
  spOffset: 8,
  bpRegister: 'undefined',
  bpOffset: 0,
  signal: false,
};
/** `push %rbp` came before. */
const pushed: OrcEntry = { ...called, spOffset: 16, bpRegister: 'prev-sp', bpOffset: -16 };
/** `mov %rsp,%rbp`, too. */
const framed: OrcEntry = { ...pushed, spRegister: 'bp' };

/** All registers are on top of the stack. */
const saved: OrcEntry = { ...called, type: 'regs', spOffset: 0, signal: true };

/** First bytes of instructions. */
const leave = 0xc9;
const ret = 0xc3;
const jump = 0xe9;

/**
 * Unwind rules with those of generated code: ftrace's trampolines are copies of functions that have rules
 * (orc_ftrace_find()); BPF programs and their trampolines have frame pointers (01bc3b6db18d, 7.0, has the kernel itself rely on that);
 * what kprobes put in place of an instruction saves all registers before it calls (optprobe_template_func in arch/x86/kernel/kprobes/opt.c),
 * and what was probed is then in them.
 */
export class OrcWithTrampolines implements OrcLookup {
  private readonly view: KernelView;
  private readonly orc: OrcLookup;

  constructor(view: KernelView, orc: OrcLookup) {
    this.view = view;
    this.orc = orc;
  }

  find(ip: bigint): OrcEntry | null {
    const found = this.orc.find(ip);
    if (found !== null) return found;
    const code = this.view.generatedCode(ip);
    switch (code?.kind) {
      case 'ftrace':
        return code.original === null ? null : this.orc.find(code.original + (ip - code.start));
      case 'bpf':
        return this.ofProgram(code.start, virtAddr(ip));
      case 'optprobe':
        return saved;
      default:
        return null;
    }
  }

  /** By how much of its frame is there: before and after `push %rbp; mov %rsp,%rbp`, and after `leave`. */
  private ofProgram(start: VirtAddr, ip: VirtAddr): OrcEntry {
    const pushes = framePointerSetAt(this.view, start);
    if (pushes === null || ip <= pushes) return called;
    if (ip === pushes + 1n) return pushed;
    // behind `leave` there is but the return, or the jump to a return thunk
    const [before, at] = this.view.space.readUpTo(offsetBy(ip, -1), 2).bytes;
    return before === leave && (at === ret || at === jump) ? called : framed;
  }
}
