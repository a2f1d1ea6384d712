// Return addresses that tracing put in place of the real ones.
//
// The function graph tracer and return probes let a function return to themselves and keep the real address
// in a list of the task: what /proc/PID/stack shows is the real one (unwind_recover_ret_addr() of
// arch/x86/include/asm/unwind.h, kunwind_recover_return_address() of arch/arm64/kernel/stacktrace.c).
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { KernelView } from './kernel_view.ts';

/**
 * The return address that something put another in place of.
 * @param frame what the hook noted of the frame: on x86_64 the stack slot of the return address, on arm64 the frame
 *   pointer of the function that is returned to
 */
export type RealReturnAddress = (address: VirtAddr, frame: VirtAddr) => VirtAddr;

/** Bytes of a task's shadow stack that are searched: SHADOW_STACK_SIZE, or FTRACE_RETFUNC_DEPTH entries before 6.11. */
const shadowStackSize = 4096;
/** Nested return probes of one task that are followed. */
const maxHooks = 1024;

interface ProbeList {
  /** Function that a hooked function returns to. */
  readonly trampoline: VirtAddr;
  /** Byte offset in task_struct of the list's first pointer. */
  readonly list: number;
  /** Byte offsets in a node. */
  readonly node: number;
  readonly returnAddress: number;
  readonly frame: number;
}

/** How to undo the hooks of one task's return addresses. @param task virtual address of its task_struct */
export function returnHooks(view: KernelView, task: VirtAddr): RealReturnAddress {
  const graph = view.symbol('return_to_handler');
  const probes = probeLists(view);
  return (address, frame) => {
    const probe = probes.find(({ trampoline }) => trampoline === address);
    if (address !== graph && probe === undefined) return address;
    try {
      const real = probe === undefined ? fromShadowStack(view, task, frame) : fromProbes(view, task, probe, frame);
      return real !== null && view.isText(real) ? real : address;
    } catch (error) {
      if (error instanceof MemoryFault) return address;
      throw error;
    }
  };
}

/** The entry of `task->ret_stack` that stands for a frame. Entries lie among other words since 42675b723b48 (6.11). */
function fromShadowStack(view: KernelView, task: VirtAddr, frame: VirtAddr): VirtAddr | null {
  const list = view.offsetOf('struct task_struct', 'ret_stack');
  const ret = view.offsetOf('struct ftrace_ret_stack', 'ret');
  const retp = view.offsetOf('struct ftrace_ret_stack', 'retp');
  if (list === null || ret === null || retp === null) return null;
  const start = view.space.pointer(offsetBy(task, list));
  if (start === 0n) return null;
  const { bytes } = view.space.readUpTo(start, shadowStackSize);
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const entry = at - retp + ret;
    if (words.getBigUint64(at, true) === frame && entry >= 0 && entry + 8 <= bytes.length) {
      return virtAddr(words.getBigUint64(entry, true));
    }
  }
  return null;
}

function probeLists(view: KernelView): ProbeList[] {
  const lists: ProbeList[] = [];
  for (const [symbol, member, type] of [
    ['arch_rethook_trampoline', 'rethooks.first', 'struct rethook_node'], // since 54ecbe6f1ed5 (5.18)
    ['__kretprobe_trampoline', 'kretprobe_instances.first', 'struct kretprobe_instance'], // 5.16
    ['kretprobe_trampoline', 'kretprobe_instances.first', 'struct kretprobe_instance'], // since d741bf41d7c7 (5.11)
  ] as const) {
    const trampoline = view.symbol(symbol);
    const list = view.offsetOf('struct task_struct', member);
    const node = view.offsetOf(type, 'llist');
    const returnAddress = view.offsetOf(type, 'ret_addr');
    const frame = view.offsetOf(type, 'frame') ?? view.offsetOf(type, 'fp');
    if (trampoline === null || list === null || node === null || returnAddress === null || frame === null) continue;
    lists.push({ trampoline, list, node, returnAddress, frame });
  }
  return lists;
}

/** The probe that stands for a frame; several may stand for one, of which the first that was set is the last. */
function fromProbes(view: KernelView, task: VirtAddr, probe: ProbeList, frame: VirtAddr): VirtAddr | null {
  let real: VirtAddr | null = null;
  let node = view.space.pointer(offsetBy(task, probe.list));
  for (let i = 0; node !== 0n && i < maxHooks; i++) {
    const base = offsetBy(node, -probe.node);
    if (view.space.pointer(offsetBy(base, probe.frame)) === frame) {
      real = view.space.pointer(offsetBy(base, probe.returnAddress));
      if (real !== probe.trampoline) return real;
    }
    node = view.space.pointer(node);
  }
  return real;
}
