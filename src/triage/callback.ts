// Code that somebody left with the kernel to be called later: a timer, a work, an RCU callback, a notifier, a thread. Whose
// it was, the object says that came along as the first argument.
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { offsetOf } from '../debuginfo/type.ts';
import { type Frame, frameName } from '../kernel/backtrace.ts';
import { functionName } from '../oops/frames.ts';
import { calledPointerPlace } from '../origin/origin.ts';
import type { Facts } from './facts.ts';
import { moduleAt, objectName } from './memory_name.ts';

export interface Callback {
  /** `timer`, `work`, ... */
  readonly what: string;
  /** The kernel's function that calls it. */
  readonly runner: string;
  /** Virtual address of what was registered; null where neither the function is given it, nor its pointer was found. */
  readonly object: VirtAddr | null;
  /** Whether the function was given it as its first argument. */
  readonly isArgument: boolean;
  /** The object's C type; null where it has none. */
  readonly type: string | null;
  /** The object in words: `rh [wreck]`; null without one. */
  readonly name: string | null;
  /** The module whose memory the object is; null for none. */
  readonly module: string | null;
}

interface Runner {
  readonly runner: RegExp;
  readonly what: string;
  /** What it gives to the function first; null where that is something else than what was registered. */
  readonly type: string | null;
  /** Where the function's pointer lies in what was registered, for those that do not give it to the function. */
  readonly pointer?: { readonly type: string; readonly member: string };
}

/** Who calls what was left behind. */
const runners: readonly Runner[] = [
  { runner: /^(call_timer_fn|expire_timers|_*run_timers|_*run_timer_base)$/, what: 'timer', type: 'timer_list' },
  { runner: /^(_*hrtimer_run_queues|_*run_hrtimer|_*hrtimer_run_softirq)$/, what: 'hrtimer', type: 'hrtimer' },
  { runner: /^(process_one_work|process_scheduled_works)$/, what: 'work', type: 'work_struct' },
  {
    runner: /^(rcu_do_batch|rcu_core\w*|rcu_nocb_cb_kthread|srcu_invoke_callbacks)$/,
    what: 'RCU callback',
    type: 'callback_head',
  },
  {
    // func(data), or callback(tasklet) in a union with it (12cc923f1ccc, 5.9)
    runner: /^(tasklet_action_common|tasklet_(hi_)?action)$/,
    what: 'tasklet',
    type: null,
    pointer: { type: 'tasklet_struct', member: 'func' },
  },
  {
    runner: /^_*(notifier_call_chain|(atomic|blocking|raw|srcu)_notifier_call_chain)$/,
    what: 'notifier',
    type: 'notifier_block',
  },
  { runner: /^(irq_work_single|irq_work_run_list)$/, what: 'irq_work', type: 'irq_work' },
  { runner: /^task_work_run$/, what: 'task work', type: 'callback_head' },
  {
    runner: /^_*handle_irq_event_percpu$/,
    what: 'interrupt handler',
    type: null,
    pointer: { type: 'irqaction', member: 'handler' },
  },
  {
    runner: /^irq_(thread|forced_thread)_fn$/,
    what: 'interrupt handler',
    type: null,
    pointer: { type: 'irqaction', member: 'thread_fn' },
  },
  {
    runner: /^(_*flush_smp_call_function_queue|csd_do_func)$/,
    what: 'call from another CPU',
    type: null,
    pointer: { type: '__call_single_data', member: 'func' },
  },
  { runner: /^kthread$/, what: 'thread', type: null },
];

/** Frames above the exception in which who called is looked for: more are not the direct caller's. */
const nearFrames = 4;

/**
 * What was being called when the exception came; null where its caller is none that calls what others left with it.
 * @param atEntry whether the function had just been entered, so that its arguments are still in the registers
 */
export function callbackRunning(facts: Facts, atEntry: boolean): Callback | null {
  const { exception, kernel } = facts;
  if (exception === null) return null;
  const above = facts.crashTrace.frames.slice(exception.index + 1).filter(({ kind }) => kind !== 'interrupted');
  for (const frame of above.slice(0, nearFrames)) {
    const name = functionName(frameName(frame));
    const found = runners.find(({ runner }) => runner.test(name));
    if (found === undefined) continue;
    const first = kernel.arch.registers.arguments[0];
    const value = first === undefined || found.type === null || !atEntry ? undefined : exception.registers[first];
    const given = value !== undefined && kernel.arch.isKernelAddress(value) ? virtAddr(value) : null;
    const object = given ?? (atEntry ? registered(facts, found, frame) : null);
    return {
      what: found.what,
      runner: name,
      isArgument: given !== null,
      object,
      type: object === null ? null : (found.type ?? found.pointer?.type ?? null),
      name: object === null ? null : objectName(kernel, object),
      module: object === null ? null : moduleAt(kernel, object),
    };
  }
  return null;
}

/** What was registered, by where the function's pointer was loaded from; null where that cannot be told. */
function registered(
  { kernel, crashTrace, crashedCpu, exception }: Facts,
  { pointer }: Runner,
  frame: Frame,
): VirtAddr | null {
  const type = pointer === undefined ? null : kernel.types.find(`struct ${pointer.type}`);
  if (pointer === undefined || type === null) return null;
  const target = kernel.arch.registers.instructionPointer(exception!.registers);
  const index = crashTrace.frames.indexOf(frame);
  const find = (): VirtAddr | null => calledPointerPlace(kernel, crashTrace, index, target, crashedCpu?.cpu ?? null);
  const place = kernel.faults.attempt('what was called', find, null);
  return place === null ? null : offsetBy(place, -offsetOf(type, pointer.member));
}
