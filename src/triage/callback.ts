// Code that somebody left with the kernel to be called later: a timer, a work, an RCU callback, a notifier, a thread. Whose
// it was, the object says that came along as the first argument.
import { type VirtAddr, virtAddr } from '../base/address.ts';
import { frameName } from '../kernel/backtrace.ts';
import { functionName } from '../oops/frames.ts';
import type { Facts } from './facts.ts';
import { moduleAt, objectName } from './memory_name.ts';

export interface Callback {
  /** `timer`, `work`, ... */
  readonly what: string;
  /** The kernel's function that calls it. */
  readonly runner: string;
  /** Virtual address of what was registered; null where it is not what the function is given. */
  readonly object: VirtAddr | null;
  /** The object's C type; null where it has none. */
  readonly type: string | null;
  /** The object in words: `rh [wreck]`; null without one. */
  readonly name: string | null;
  /** The module whose memory the object is; null for none. */
  readonly module: string | null;
}

/** Who calls what was left behind; `type`: what it gives to the function first. */
const runners: readonly { readonly runner: RegExp; readonly what: string; readonly type: string | null }[] = [
  { runner: /^(call_timer_fn|expire_timers|_*run_timers|_*run_timer_base)$/, what: 'timer', type: 'timer_list' },
  { runner: /^(_*hrtimer_run_queues|_*run_hrtimer|_*hrtimer_run_softirq)$/, what: 'hrtimer', type: 'hrtimer' },
  { runner: /^(process_one_work|process_scheduled_works)$/, what: 'work', type: 'work_struct' },
  {
    runner: /^(rcu_do_batch|rcu_core\w*|rcu_nocb_cb_kthread|srcu_invoke_callbacks)$/,
    what: 'RCU callback',
    type: 'callback_head',
  },
  { runner: /^(tasklet_action_common|tasklet_(hi_)?action)$/, what: 'tasklet', type: null },
  {
    runner: /^_*(notifier_call_chain|(atomic|blocking|raw|srcu)_notifier_call_chain)$/,
    what: 'notifier',
    type: 'notifier_block',
  },
  { runner: /^(irq_work_single|irq_work_run_list)$/, what: 'irq_work', type: 'irq_work' },
  { runner: /^task_work_run$/, what: 'task work', type: 'callback_head' },
  { runner: /^(_*handle_irq_event_percpu|irq_thread_fn|irq_forced_thread_fn)$/, what: 'interrupt handler', type: null },
  { runner: /^(_*flush_smp_call_function_queue|csd_do_func)$/, what: 'call from another CPU', type: null },
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
    const object = value !== undefined && kernel.arch.isKernelAddress(value) ? virtAddr(value) : null;
    return {
      what: found.what,
      runner: name,
      object,
      type: object === null ? null : found.type,
      name: object === null ? null : objectName(kernel, object),
      module: object === null ? null : moduleAt(kernel, object),
    };
  }
  return null;
}
