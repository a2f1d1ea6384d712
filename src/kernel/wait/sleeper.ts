// A task that sleeps: its functions, from the scheduler outwards, and what lies on its stack. What a task waits for is
// found by both: functions say what kind of thing it is, and a record of the wait on the stack leads to the thing.
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { findMember, type Type } from '../../debuginfo/type.ts';
import { type Frame, frameName } from '../backtrace.ts';
import type { Kernel } from '../kernel.ts';
import { taskStack } from '../sched.ts';
import type { Task } from '../task.ts';

/** The scheduler's functions: a sleeping task's innermost. */
const scheduling =
  /^(__|preempt_)?schedule(_|$)|^io_schedule|^__switch_to|^context_switch|^__cond_resched|^do_task_dead|^rt_mutex_(pre|post)_schedule/;

/** Functions that wait on behalf of whoever called them, beside those of the scheduler. */
const waiting = new RegExp(
  `^(?:${[
    // locks
    '_*(?:ww_)?mutex_lock\\w*|_*rt_mutex_\\w+|_*rtlock_\\w+|rt_(?:spin|read|write)_\\w+|_*rwbase_\\w+|_*down(?:_\\w+)?|rwsem_\\w+',
    '_*percpu_(?:down|rwsem)_\\w+|_*lock_sock\\w*|rtnl_lock\\w*|_*rtnl_net_lock\\w*|cpus_read_lock|cpus_write_lock|_*lock_timer_base',
    'sb_start_\\w+|_*sb_start_\\w+|mnt_want_write\\w*|console_lock|lock_system_sleep|lock_device_hotplug\\w*|lock_mount_hash',
    '_*lock_page\\w*|_*folio_lock\\w*|_*lock_buffer|lock_rename\\w*|down_read_\\w+|i?f?_?lock_two_\\w+',
    '(?:(?:native|__pv|pv|kvm|xen|hv)_)*queued_(?:spin|read|write)_lock\\w*|_raw_(?:spin|read|write)_lock\\w*|do_raw_\\w+_lock\\w*',
    'smp_call_\\w+|generic_exec_single|_*csd_lock\\w*|on_each_cpu\\w*|(?:native_)?flush_tlb_\\w+|kick_all_cpus_sync',
    // events
    '_*wait_for_\\w+|do_wait_for_\\w+|_*wait_on_\\w+|out_of_line_wait_\\w+|bit_wait\\w*|_*wait_event\\w*|do_wait_intr\\w*|wait_woken|wait_rcu_\\w+',
    'prepare_to_wait\\w*|finish_wait|_*completion\\w*|swait_\\w+|rcuwait_\\w+|_*folio_wait_\\w+|folio_put_wait_locked|put_and_wait_on_page_locked',
    'migration_entry_wait\\w*|_*wait_rcu_gp|_*synchronize_\\w+|rcu_barrier\\w*|_*rcu_barrier\\w*|sleep_on_\\w+|blk_wait_io',
    // work and threads
    '_*flush_(?:work|workqueue|delayed_work|scheduled_work|rcu_work)\\w*|_*drain_workqueue|_*cancel_(?:delayed_)?work_sync|_*cancel_work_timer|_*cancel_work\\w*',
    'lru_add_drain_all|kthread_(?:stop|park|flush_work\\w*|flush_worker|destroy_worker)\\w*|_*kthread_(?:parkme|create_\\w+)|stop_(?:one|two)_cpus?\\w*|stop_(?:machine|cpus)\\w*|_*stop_cpus',
    // time
    '_*msleep\\w*|_*usleep_\\w+|ssleep|fsleep|do_nanosleep|hrtimer_nanosleep|common_nsleep\\w*|_*(?:timer_delete|del_timer)_sync|hrtimer_cancel\\w*',
    'freezable_\\w+|_*refrigerator|poll_schedule_\\w+|io_schedule\\w*|_*cond_resched\\w*|preempt_\\w+',
    // block I/O, where the device is what is waited for
    'submit_bio_wait|bio_await|bdev_rw_virt|blk_execute_rq|blk_mq_get_tag|_*blk_mq_alloc_requests?|blk_mq_(?:get_new_requests|submit_bio|freeze_queue_wait\\w*)|rq_qos_\\w+|_*rq_qos_\\w+|wbt_\\w+|_*submit_bio\\w*|submit_bh\\w*',
    '_*bread_gfp|bdev_getblk|sync_dirty_buffer|_*sync_dirty_buffer|blkdev_issue_\\w+|filemap_\\w+|_*filemap_\\w+|folio_lock_\\w+|_*read_swap_cache\\w*|swap_?readpage|swap_read_\\w+',
  ].join('|')})$`,
);

/** Where a thread of the kernel begins: what these call is its own loop. */
const threadStart = /^(?:kthread|ret_from_fork(?:_asm)?|kernel_thread_starter|ret_from_kernel_thread)$/;

/** Without what compilers add to a function's name when they split or copy it. */
export function plainName(name: string): string {
  return name.replace(/\.(?:constprop|isra|part|cold|llvm|lto_priv|specialized)\b.*$/, '');
}

export class Sleeper {
  readonly kernel: Kernel;
  readonly task: Task;
  readonly frames: readonly Frame[];
  /** Names of the functions, innermost first, without compilers' suffixes. */
  readonly names: readonly string[];
  private read: { readonly start: VirtAddr; readonly words: BigUint64Array } | null = null;

  constructor(kernel: Kernel, task: Task, frames: readonly Frame[]) {
    this.kernel = kernel;
    this.task = task;
    this.frames = frames;
    this.names = frames.map((frame) => plainName(frameName(frame)));
  }

  /** Whether any of its functions has a name like this. */
  in(pattern: RegExp): boolean {
    return this.names.some((name) => pattern.test(name));
  }

  /** The innermost function that is not the scheduler's: what it sleeps in. Empty where there is none. */
  get primitive(): string {
    return this.names.find((name) => name !== '' && !scheduling.test(name)) ?? '';
  }

  /** The innermost frame that waits for a reason of its own; null where all of them wait for others. */
  get caller(): Frame | null {
    const at = this.names.findIndex((name, i) => !isWaiting(name, this.frames[i]!));
    return at < 0 ? null : this.frames[at]!;
  }

  /** True for a kernel thread that waits in its own loop, which is what it does while there is nothing to do. */
  get inOwnLoop(): boolean {
    if (!this.task.kernelThread) return false;
    const at = this.names.findIndex((name, i) => !isWaiting(name, this.frames[i]!));
    // the loop may be a function of its own
    return at >= 0 && this.names.slice(at + 1, at + 3).some((name) => threadStart.test(name));
  }

  /** Words of the stack from its innermost frame on. */
  get words(): BigUint64Array {
    return this.stack().words;
  }

  /** Whether an address lies on this task's stack. */
  isOnStack(address: bigint): boolean {
    const stack = taskStack(this.kernel, this.task);
    return stack !== null && address >= stack.start && address < stack.start + BigInt(stack.size);
  }

  /**
   * Structs on the stack whose member holds an address, which is all that is known of them.
   * @param value most often the task's own address
   */
  *structsWith(type: Type, member: string, value: bigint): Generator<VirtAddr> {
    const place = findMember(type, member);
    if (place === null) return;
    const { start, words } = this.stack();
    for (let i = 0; i < words.length; i++) {
      if (words[i] === value) yield offsetBy(start, i * 8 - place.bitOffset / 8);
    }
  }

  /** Addresses of the kernel's memory that stand on the stack, each once, innermost first: what it may be working on. */
  pointers(): VirtAddr[] {
    const found = new Set<bigint>();
    for (const word of this.words) if (word >= 0xff00_0000_0000_0000n && (word & 3n) === 0n) found.add(word);
    return [...found].map(virtAddr);
  }

  private stack(): { readonly start: VirtAddr; readonly words: BigUint64Array } {
    if (this.read !== null) return this.read;
    const stack = taskStack(this.kernel, this.task);
    if (stack === null) {
      this.read = { start: virtAddr(0n), words: new BigUint64Array() };
      return this.read;
    }
    const end = stack.start + BigInt(stack.size);
    const from = this.frames[0]?.frameAddress ?? stack.start;
    const start = virtAddr(from > stack.start && from < end ? from & ~7n : stack.start);
    const { bytes } = this.kernel.space.readUpTo(start, Number(end - start));
    this.read = { start, words: new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length >> 3) };
    return this.read;
  }
}

function isWaiting(name: string, frame: Frame): boolean {
  // what is in a module is nobody's machinery, whatever its name
  if (frame.place?.symbol.module != null) return false;
  return name === '' || scheduling.test(name) || waiting.test(name);
}
