// The grammar of the lines with which the kernel announces that something is wrong. Each rule is one printk() format (or a
// family of them); what it does not fix is left to the rules after it, down to `BUG: anything`.
//
// Sources: arch/x86/mm/fault.c, arch/x86/kernel/{traps,dumpstack}.c, arch/arm64/mm/fault.c, arch/arm64/kernel/traps.c,
// lib/bug.c, kernel/panic.c, kernel/watchdog*.c, kernel/rcu/tree_stall.h, kernel/hung_task.c, mm/oom_kill.c,
// kernel/locking/{lockdep,spinlock_debug}.c, mm/{kasan,kmsan,kfence}/report.c, kernel/kcsan/report.c, lib/ubsan.c,
// mm/slub.c, mm/kmemleak.c, arch/x86/kernel/cpu/mce, drivers/edac, drivers/pci/pcie/aer.c; older wordings from older trees.
import { firstCharacters } from './first_characters.ts';
import type { IncidentKind } from './kinds.ts';

export interface Headline {
  kind: IncidentKind;
  /**
   * `start` announces an incident; `die` is the oops line with its counter (`[#1]`); `panic` is panic()'s own
   * line; `lead` explains the announcement that follows it.
   */
  role: 'start' | 'die' | 'panic' | 'lead';
  /** Title, with `%F` for the guilty function. */
  title: string;
  /** False: only an incident when a trace, registers or a panic follow. */
  strong: boolean;
  /** The function that the line itself names (`func+0x1/0x2` or `func`). */
  frame?: string;
  comm?: string;
  pid?: number;
  cpu?: number;
  faultAddress?: string;
  dieCount?: number;
  /** panic()'s reason. */
  reason?: string;
  /** Source file of the check that failed. */
  file?: string;
  /** The report ends with this line or with lines of its own; no call trace is missed. */
  traceless?: boolean;
  /** The kernel does not survive it. */
  fatal?: boolean;
  /** The hardware or the kernel put it right. */
  corrected?: boolean;
}

interface Rule {
  pattern: RegExp;
  make: (m: RegExpExecArray) => Partial<Headline> & { kind: IncidentKind; title: string };
}

const hexTail = /(?:0x)?([0-9a-f]{4,16})\b/;
const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));

const rules: readonly Rule[] = [
  // ---- sanitizers
  {
    pattern: /^BUG: KAS(?:AN|an): ([a-zA-Z][\w -]{0,60}?)(?:,? (?:in|on address) (\S{1,300})|$)/,
    make: (m) => ({ kind: 'kasan', title: `KASAN: ${dashed(m[1]!)} in %F`, frame: m[2] }),
  },
  {
    pattern: /^BUG: KMSAN: ([a-zA-Z][\w -]{0,60}?) in (\S{1,300})/,
    make: (m) => ({ kind: 'kmsan', title: `KMSAN: ${m[1]} in %F`, frame: m[2] }),
  },
  {
    pattern: /^BUG: KCSAN: ([a-zA-Z][\w :-]{0,60}?) in (\S{1,300})(?: \/ (\S{1,300}))?/,
    make: (m) => ({
      kind: 'kcsan',
      title: m[3] === undefined ? `KCSAN: ${m[1]} in %F` : `KCSAN: ${m[1]} in ${bare(m[2]!)} / ${bare(m[3])}`,
      frame: m[2],
    }),
  },
  {
    pattern: /^BUG: KFENCE: ([a-zA-Z][\w -]{0,60}?)(?: in (\S{1,300})|$)/,
    make: (m) => ({ kind: 'kfence', title: `KFENCE: ${m[1]} in %F`, frame: m[2] }),
  },
  {
    pattern:
      /^(?:Internal error: )?UBSAN: ([A-Za-z][\w -]{0,60}?)(?: in (\S{1,200}?:\d{1,7})(?::\d{1,7})?|:? ?$|: [0-9a-f]{4,16} \[#)/,
    make: (m) => ({
      kind: 'ubsan',
      title: `UBSAN: ${/^undefined behaviour$/i.test(m[1]!) ? 'undefined-behaviour' : m[1]} in %F`,
      file: m[2],
    }),
  },
  // ---- memory access
  {
    // %p prints (____ptrval____) before there is entropy to hash addresses with
    pattern: /^BUG: (?:(\S{1,20}) )?stack guard page was hit at (?:(?:0x)?([0-9a-f]{4,16})\b|\S{1,20})/,
    make: (m) => ({ kind: 'stack-overflow', title: 'BUG: stack guard page was hit in %F', faultAddress: m[2] }),
  },
  {
    pattern:
      /^(?:BUG: )?(?:CPU \d{1,4} |Kernel: )?(?:[Uu]nable to handle )?[Kk]ernel NULL pointer dereference\b(.{0,120})/,
    make: (m) => ({
      kind: 'null-pointer',
      title: 'BUG: unable to handle kernel NULL pointer dereference in %F',
      faultAddress: hexTail.exec(m[1]!.replace(/\b(?:read|write|address|access|at|on|virtual)\b/g, ''))?.[1],
    }),
  },
  {
    pattern:
      /^(?:BUG: )?(?:CPU \d{1,4} )?[Uu]nable to handle (?:kernel )?(page fault|paging request|data access|instruction fetch|pointer dereference|access to user memory|execute from non-executable memory|write to read-only memory|read from unreadable memory|unknown paging fault|[a-z -]{3,60}?)(?: (?:for|at|in|on|outside)\b(.{0,160})|:(.{0,60})|$)/,
    make: (m) => {
      const tail = (m[2] ?? m[3] ?? '').replace(
        /\b(?:address|access|data|read|write|faulting|virtual|uaccess|space)\b/g,
        '',
      );
      const what = /page fault|paging|data access|instruction fetch|pointer deref/.test(m[1]!)
        ? 'paging request'
        : m[1]!;
      return {
        kind: 'bad-page-fault',
        title: `BUG: unable to handle kernel ${what} in %F`,
        faultAddress: hexTail.exec(tail)?.[1],
      };
    },
  },
  {
    pattern: /^BUG: [Uu]nable to handle kernel\b/,
    make: () => ({ kind: 'bad-page-fault', title: 'BUG: unable to handle kernel paging request in %F' }),
  },
  {
    pattern: /^kernel (?:tried to (?:execute|exec|access)|attempted to (?:read|write|access|execute)) /i,
    make: () => ({ kind: 'bad-page-fault', role: 'lead', title: '' }),
  },
  {
    pattern: /^(?:traps: )?PANIC: double fault/,
    make: () => ({ kind: 'double-fault', title: 'PANIC: double fault in %F', fatal: true }),
  },
  {
    pattern:
      /^PANIC: early exception (?:0x)?([0-9a-f]{1,2})\b.{0,40}?(?:IP|rip) (?:\w{1,4}:)?([0-9a-f]{8,16})(?:.{0,40}cr2 (?:0x)?([0-9a-f]{1,16}))?/,
    make: (m) => ({
      kind:
        Number.parseInt(m[1]!, 16) === 14
          ? 'bad-page-fault'
          : Number.parseInt(m[1]!, 16) === 13
            ? 'general-protection'
            : 'trap',
      title: 'PANIC: early exception in %F',
      faultAddress: m[3],
      fatal: true,
    }),
  },
  {
    pattern: /^Insufficient stack space to handle exception!?/,
    make: () => ({ kind: 'stack-overflow', title: 'kernel stack overflow in %F', fatal: true }),
  },
  {
    pattern:
      /^(?:Kernel stack overflow\b|Thread overran stack, or stack corrupted|\S{1,40}: \S{1,40} has overflown the kernel stack)/,
    make: (m) => ({
      kind: 'stack-overflow',
      title: 'kernel stack overflow in %F',
      role: m[0].startsWith('Thread') ? 'lead' : 'start',
    }),
  },
  {
    pattern:
      /^Bad mode in (.{1,40}?) handler detected(?: on CPU(\d{1,4}))?, (?:code|esr) (?:0x)?[0-9a-f]{1,16}(?: -- (.{0,60}))?/,
    make: (m) => ({
      kind: /Error/.test(m[1]!) || /SError/.test(m[3] ?? '') ? 'serror' : 'trap',
      title: /Error/.test(m[1]!) ? 'SError Interrupt in %F' : `Bad mode in ${m[1]} handler in %F`,
      cpu: number(m[2]),
      fatal: true,
    }),
  },
  {
    pattern: /^SError Interrupt on CPU(\d{1,4})/,
    make: (m) => ({ kind: 'serror', title: 'SError Interrupt in %F', cpu: number(m[1]), fatal: true }),
  },
  {
    pattern: /^Unhandled (fault|prefetch abort|.{1,40} exception)\b.{0,120}$/,
    make: (m) => ({
      kind: /external abort/.test(m[0]) ? 'serror' : /fault|abort/.test(m[1]!) ? 'bad-page-fault' : 'trap',
      title: `Unhandled ${m[1]!.replace(/\s{1,8}on CPU.{0,200}/, '').replace(/^\d{1,3}-bit /, '')} in %F`,
      faultAddress: /\bat (?:0x)?([0-9a-f]{4,16})/.exec(m[0])?.[1],
      strong: false,
    }),
  },
  // ---- checks in the kernel
  {
    pattern: /^-{6,20}\[ cut here \]-{6,20}/,
    make: () => ({ kind: 'BUG', role: 'lead', title: '' }),
  },
  {
    pattern: /^[Kk]ernel BUG at (.{1,300}?)!?\s*$/,
    make: (m) => {
      const file = /^(.{1,280}?):\d{1,7}$/.exec(m[1]!)?.[1];
      const named = /^([A-Za-z_][\w.]{0,200}\+0x[0-9a-f]{1,8}\/0x[0-9a-f]{1,8})/.exec(m[1]!)?.[1];
      return { kind: 'BUG', title: 'kernel BUG in %F', file: file === undefined ? undefined : m[1]!, frame: named };
    },
  },
  {
    // the unwinder's own: arch/x86/kernel/unwind_{frame,orc}.c
    pattern:
      /^WARNING: (kernel stack (?:frame pointer|regs)) at .{1,80} in .{1,64}:\d{1,10} has bad (?:value|'\w{1,8}' value)/,
    make: (m) => ({ kind: 'WARN', title: `WARNING: ${m[1]} has bad value`, traceless: true }),
  },
  {
    pattern:
      /^WARNING: ((?:can't (?:access|dereference) (?:iret )?registers|stack going in the wrong direction\?|stack recursion on stack type \d|unrecognized kernel stack return address|(?:bad|missing|unknown) (?:sp|SP|R1\d|regs?|ip|BP)\b.{0,24}?)) ?(?:at|for|\d|\S{8,20} at) /,
    make: (m) => ({ kind: 'WARN', title: `WARNING: ${m[1]!.replace(/[? ]?\d?$/, '')}`, traceless: true }),
  },
  {
    pattern:
      /^WARNING: (?:CPU: (\d{1,5}) )?(?:PID: (\d{1,10}) )?at (\S{1,300}?:\d{1,7})?(?: ?([A-Za-z_][\w.$]{0,255}(?:\+0x[0-9a-f]{1,8}\/0x[0-9a-f]{1,8})?(?: \[[\w-]{1,64}[^\]]{0,48}\])?))?(?:\(\))?/,
    make: (m) => ({
      kind: 'WARN',
      title: 'WARNING in %F',
      cpu: number(m[1]),
      pid: number(m[2]),
      file: m[3],
      frame: m[4],
      strong: m[3] !== undefined || m[4] !== undefined,
    }),
  },
  {
    // since 6.19: WARNING: kernel/x.c:12 at func+0x1/0x2 [mod], CPU#0: comm/123
    pattern:
      /^WARNING: (\S{1,300}?:\d{1,7}) at (\S{1,300}?(?: \[[\w-]{1,64}[^\]]{0,48}\])?), CPU#(\d{1,5}): (.{1,64})\/(\d{1,10})/,
    make: (m) => ({
      kind: 'WARN',
      title: 'WARNING in %F',
      file: m[1],
      frame: m[2],
      cpu: number(m[3]),
      comm: m[4],
      pid: number(m[5]),
    }),
  },
  {
    pattern:
      /^(?:list_(add|del|add_rcu|del_rcu|replace|move)?(?: double add| corruption)|prev->next should be|next->prev should be)/,
    make: () => ({ kind: 'list-corruption', role: 'lead', title: 'BUG: corrupted list in %F' }),
  },
  { pattern: /^refcount_t: /, make: () => ({ kind: 'refcount', role: 'lead', title: 'WARNING: refcount bug in %F' }) },
  { pattern: /^ODEBUG: /, make: () => ({ kind: 'odebug', role: 'lead', title: 'WARNING: ODEBUG bug in %F' }) },
  {
    pattern:
      /^(?:usercopy: |Bad or missing usercopy whitelist\?? )?[Kk]ernel memory (?:exposure|overwrite) attempt detected|^Bad or missing usercopy whitelist/,
    make: () => ({ kind: 'usercopy', role: 'lead', title: 'BUG: bad usercopy in %F' }),
  },
  {
    pattern: /^usercopy: /,
    make: () => ({ kind: 'usercopy', role: 'lead', title: 'BUG: bad usercopy in %F' }),
  },
  {
    pattern: /^(?:\w{1,40}: )?detected buffer (?:overflow|over-?read)\b/,
    make: () => ({ kind: 'fortify', role: 'lead', title: 'BUG: detected buffer overflow in %F' }),
  },
  {
    pattern: /^(?:skbuff: )?skb_(?:over|under)_panic: /,
    make: () => ({ kind: 'BUG', role: 'lead', title: 'kernel BUG in %F' }),
  },
  {
    pattern: /^CFI failure(?: at (\S{1,300}))?/,
    make: (m) => ({ kind: 'cfi', title: 'CFI failure in %F', frame: m[1] }),
  },
  {
    pattern: /^(?:traps: )?Missing ENDBR: (\S{1,300})/,
    make: (m) => ({ kind: 'cfi', title: 'Missing ENDBR in %F', frame: m[1] }),
  },
  // ---- scheduling and locking
  {
    pattern: /^(?:BUG|Debug): sleeping function called from invalid context(?: at (\S{1,300}))?/,
    make: (m) => ({
      kind: 'atomic-sleep',
      title: 'BUG: sleeping function called from invalid context in %F',
      file: m[1],
    }),
  },
  {
    pattern: /^bad: scheduling from the idle thread!/,
    make: () => ({ kind: 'atomic-sleep', title: 'bad: scheduling from the idle thread in %F' }),
  },
  {
    pattern: /^(?:BUG: |bad: )?scheduling (?:while|in) atomic(?:: (.{1,64})\/(\d{1,10})\/(?:0x)?[0-9a-f]{1,8})?/,
    make: (m) => ({
      kind: 'atomic-sleep',
      title: 'BUG: scheduling while atomic in %F',
      comm: m[1],
      pid: number(m[2]),
    }),
  },
  {
    pattern: /^BUG: using (\S{1,60}?)(?:\(\))? in preemptible (?:\[[0-9a-f]{1,8}\] )?code: (.{1,64})\/(\d{1,10})/,
    make: (m) => ({
      kind: 'preempt',
      title: `BUG: using ${m[1]}() in preemptible code in %F`,
      comm: m[2],
      pid: number(m[3]),
    }),
  },
  {
    pattern:
      /^BUG: (spinlock|rwlock|read-lock|write-lock|read-write lock|rwsem|rtmutex|mutex|spin_lock) ([a-z][\w -]{1,40}?) on CPU#(\d{1,5})(?:, (.{1,64})\/(\d{1,10}))?/,
    make: (m) => ({
      kind: 'spinlock-bug',
      title: `BUG: ${m[1]} ${m[2]} in %F`,
      cpu: number(m[3]),
      comm: m[4],
      pid: number(m[5]),
    }),
  },
  {
    pattern:
      /^(?:\[ )?(?:WARNING|INFO|BUG): (possible circular locking dependency detected|possible recursive locking detected|possible irq lock inversion dependency detected|possible deadlock|\S{1,20}-safe -> \S{1,20}-unsafe lock order detected|DEPT detected|circular locking dependency)/,
    make: () => ({ kind: 'lockdep', title: 'possible deadlock in %F' }),
  },
  {
    pattern: /^(?:\[ )?(?:WARNING|INFO|BUG): inconsistent lock state\b/,
    make: () => ({ kind: 'lockdep', title: 'inconsistent lock state in %F' }),
  },
  {
    pattern:
      /^(?:\[ )?(WARNING|INFO|BUG): (bad unlock balance|bad contention|held lock freed|Nested lock was not taken|[Ii]nvalid wait context)/,
    make: (m) => ({ kind: 'lockdep', title: `${m[1]}: ${m[2]!.toLowerCase()} in %F` }),
  },
  {
    pattern: /^(?:\[ )?(?:WARNING|INFO|BUG): trying to register non-static key/,
    make: () => ({ kind: 'lockdep', title: 'INFO: trying to register non-static key in %F' }),
  },
  {
    pattern: /^INFO: trying to register non-static key/,
    make: () => ({ kind: 'lockdep', title: 'INFO: trying to register non-static key in %F' }),
  },
  {
    pattern: /^(?:\[ )?(WARNING|INFO|BUG): suspicious (RCU|RCU-preempt|RCU_\w{1,20}) usage/,
    make: () => ({ kind: 'suspicious-rcu', title: 'WARNING: suspicious RCU usage in %F' }),
  },
  {
    pattern: /^(?:\[ )?(WARNING|INFO|BUG): lock held when returning to user ?space/,
    make: (m) => ({
      kind: 'locks-held',
      title: `${m[1]}: lock held when returning to user space in %F`,
      traceless: true,
    }),
  },
  {
    pattern: /^(?:\[ )?(WARNING|INFO|BUG): (.{1,64})\/(\d{1,10}) still has locks held/,
    make: (m) => ({ kind: 'locks-held', title: `${m[1]}: still has locks held in %F`, comm: m[2], pid: number(m[3]) }),
  },
  {
    // since 6.9 `kworker/0:1[123]`, before `kworker/0:1/0x00000001/123`
    pattern:
      /^BUG: workqueue leaked (?:lock|atomic|RCU)[^:]{0,40}: (.{1,64}?)(?:\/(?:0x)?[0-9a-f]{1,8}\/|\[)(\d{1,10})\]?\s*$/,
    make: (m) => ({
      kind: 'locks-held',
      title: 'BUG: workqueue leaked lock or atomic in %F',
      comm: m[1],
      pid: number(m[2]),
      traceless: true,
    }),
  },
  // ---- hangs
  {
    pattern:
      /^(?:NMI )?(?:watchdog: )?BUG: soft lockup\b(?:.{0,20}CPU ?#?(\d{1,5}))?(?: stuck for \d{1,9}s!)?(?: \[(.{1,64}):(\d{1,10})\])?/,
    make: (m) => ({
      kind: 'soft-lockup',
      title: 'BUG: soft lockup in %F',
      cpu: number(m[1]),
      comm: m[2],
      pid: number(m[3]),
    }),
  },
  {
    pattern:
      /^(?:NMI )?(?:watchdog: ?|BUG: NMI )?(?:CPU ?\d{1,5}:? )?(?:NMI )?(?:[Ww]atchdog |self-)?detected (?:hard )?(?:LOCKUP|lockup)(?: on (?:other )?(?:cpus?|CPUs?) ?#?(\d{1,5}))?(?: @ (\S{1,300}))?/,
    make: (m) => ({
      kind: 'hard-lockup',
      title: 'Watchdog detected hard LOCKUP in %F',
      cpu: number(m[1] ?? /CPU ?(\d{1,5})/.exec(m[0])?.[1]),
      frame: m[2],
    }),
  },
  {
    pattern: /^Watchdog CPU:(\d{1,5}) Hard LOCKUP/,
    make: (m) => ({ kind: 'hard-lockup', title: 'Watchdog detected hard LOCKUP in %F', cpu: number(m[1]) }),
  },
  {
    pattern:
      /^(?:rcu: )?(?:INFO: )?(?:rcu\w{0,30}|Tasks\S{0,20}|srcu\w{0,20}):? (?:self-)?detected (?:expedited )?stalls?\b/i,
    make: () => ({ kind: 'rcu-stall', title: 'INFO: rcu detected stall in %F' }),
  },
  {
    pattern: /^(?:rcu: )?(?:INFO: )?rcu\w{0,30} kthread (?:starved|timer wakeup didn't happen) for \d{1,12} jiffies/,
    make: () => ({ kind: 'rcu-stall', title: 'INFO: rcu kthread starved in %F', strong: false }),
  },
  {
    pattern: /^INFO: task (.{1,64}?):(\d{1,10}) (?:\S{1,20} )?blocked (?:in I\/O wait )?for more than \d{1,9} seconds/,
    make: (m) => ({ kind: 'hung-task', title: 'INFO: task hung in %F', comm: m[1], pid: number(m[2]) }),
  },
  {
    pattern: /^BUG: workqueue lockup\b/,
    make: () => ({ kind: 'workqueue-lockup', title: 'BUG: workqueue lockup', traceless: true }),
  },
  {
    pattern: /^unregister_netdevice: waiting for (\S{1,64}) to become free/,
    make: () => ({
      kind: 'netdev-unregister',
      title: 'unregister_netdevice: waiting for DEV to become free',
      traceless: true,
    }),
  },
  // ---- memory
  {
    pattern: /^(.{1,64}) invoked oom-killer: (.{0,300})/,
    make: (m) => ({ kind: 'out-of-memory', title: 'Out of memory', comm: m[1] }),
  },
  {
    pattern:
      /^(?:[Mm]emory cgroup )?[Oo]ut of [Mm]emory(?: \([^)]{0,60}\))?: [Kk]ill(?:ed)? process (\d{1,10}),? \(?(.{1,64}?)\)?(?:[ ,]|$)/,
    make: (m) => ({ kind: 'out-of-memory', title: 'Out of memory', comm: m[2], pid: number(m[1]), traceless: true }),
  },
  {
    pattern: /^BUG: Bad page (state|map|cache)\b(?: in process (.{1,64}?) {1,3}p(?:fn|te):)?/,
    make: (m) => ({
      kind: 'bad-page-state',
      title: m[1] === 'state' ? 'BUG: Bad page state in %F' : `BUG: Bad page ${m[1]} in %F`,
      comm: m[2],
    }),
  },
  {
    // fs/super.c: generic_shutdown_super()
    pattern: /^VFS: Busy inodes after unmount of /,
    make: () => ({ kind: 'BUG', title: 'VFS: Busy inodes after unmount (use-after-free)', traceless: true }),
  },
  {
    // fs/open.c: filp_close()
    pattern: /^VFS: Close: file count is (?:zero|0)/,
    make: () => ({ kind: 'BUG', title: 'VFS: Close: file count is zero (use-after-free)', traceless: true }),
  },
  {
    pattern: /^sysfs: cannot create duplicate filename /,
    make: () => ({ kind: 'WARN', title: 'sysfs: cannot create duplicate filename in %F', strong: false }),
  },
  {
    pattern:
      /^XFS \(.{1,40}\): Internal error (\S{1,80}) at line \d{1,7} of file (\S{1,200})\. {1,4}Caller (\S{1,200})/,
    make: (m) => ({ kind: 'filesystem', title: 'XFS: internal error in %F', file: m[2], frame: m[3] }),
  },
  {
    pattern: /^BUG: Dentry .{1,200} still in use \(-?\d{1,10}\) \[unmount of (\S{1,40})/,
    make: (m) => ({ kind: 'BUG', title: `BUG: Dentry still in use [unmount of ${m[1]}] in %F` }),
  },
  {
    pattern: /^BUG: (Bad rss-counter state|non-zero \w{1,24} on freeing mm)/,
    make: (m) => ({ kind: 'bad-rss-counter', title: `BUG: ${m[1]}`, traceless: true }),
  },
  {
    pattern: /^BUG:? ([\w:.+@/-]{1,80}) \((?:Not tainted|Tainted:?[^)]{0,60})\): (.{1,120}?)\s*$/,
    make: (m) => ({ kind: 'slab-corruption', title: `BUG ${m[1]}: ${m[2]} in %F` }),
  },
  {
    pattern: /^slab error in (?:\w{1,80})\(\): cache [`'](\S{1,80})': (.{1,120})$/,
    make: (m) => ({ kind: 'slab-corruption', title: `slab error in ${m[1]}: ${stable(m[2]!)} in %F`, strong: false }),
  },
  {
    pattern: /^kmem_cache_destroy \S{1,80}: Slab cache still has objects/,
    make: () => ({ kind: 'slab-corruption', title: 'kmem_cache_destroy: objects remain in %F', strong: false }),
  },
  {
    pattern: /^(?:pagealloc|page_poison(?:ing)?): (single bit error|memory corruption)/,
    make: (m) => ({ kind: 'bad-page-state', title: `pagealloc: ${m[1]} in %F`, strong: false }),
  },
  {
    pattern: /^\S{1,80}\.[ch]:\d{1,7}: bad (p[mu4g]d) \S{1,40}\(/,
    make: (m) => ({ kind: 'bad-page-state', title: `bad ${m[1]}`, traceless: true }),
  },
  {
    pattern: /^Slab corruption\b.{0,20}?: (\S{1,80}) start=/,
    make: (m) => ({ kind: 'slab-corruption', title: `Slab corruption: ${m[1]} in %F`, traceless: true }),
  },
  {
    pattern: /^BUG: memory leak\b/,
    make: () => ({ kind: 'memory-leak', title: 'memory leak in %F' }),
  },
  {
    pattern: /^unreferenced object (?:0x)?[0-9a-f]{4,16} \(size \d{1,12}\):/,
    make: () => ({ kind: 'memory-leak', title: 'memory leak in %F' }),
  },
  {
    pattern: /^kmemleak: \d{1,9} new suspected memory leaks?\b/,
    make: () => ({ kind: 'memory-leak', title: 'memory leak', traceless: true }),
  },
  // ---- hardware
  {
    pattern:
      /^(?:mce: )?(?:\{\d{1,9}\})?\[Hardware Error\]: (?:CPU (\d{1,5}): )?(Machine Check(?: Exception)?\b.{0,120}|Hardware error from APEI.{0,120}|Fatal\b.{0,80}|.{0,20}[Uu]ncorrected.{0,120})/,
    make: (m) => ({
      kind: /APEI|Generic Hardware/.test(m[2]!) ? 'hardware-error' : 'machine-check',
      title: /APEI/.test(m[2]!) ? 'Hardware error from APEI' : 'Machine check',
      cpu: number(m[1]),
      traceless: true,
    }),
  },
  {
    pattern: /^(?:mce: )?CPU ?(\d{1,5}): Machine Check(?: Exception)?\b.{0,120}/i,
    make: (m) => ({ kind: 'machine-check', title: 'Machine check', cpu: number(m[1]), traceless: true }),
  },
  {
    pattern:
      /^(?:mce: )?(?:Uncorrected hardware (?:memory )?error|Kernel does not support|MCE \S{1,20}: (?:Killing|Unable)|MCE: (?:Killing|Unable|CPU\d)).{0,120}/,
    make: () => ({ kind: 'machine-check', title: 'Uncorrected hardware memory error', traceless: true }),
  },
  {
    pattern: /^Memory failure: 0x[0-9a-f]{1,16}: .{0,160}/,
    make: (m) => ({
      kind: 'hardware-error',
      title: 'Memory failure',
      corrected: /Recovered|Delayed/.test(m[0]),
      traceless: true,
      strong: true,
    }),
  },
  {
    pattern: /^EDAC \S{1,24}: (\d{1,9}) (CE|UE) (.{0,60}?)(?: on .{0,200})?$/,
    make: (m) => ({
      kind: 'hardware-error',
      title: `EDAC: ${m[2] === 'UE' ? 'uncorrected' : 'corrected'} error${/memory/.test(m[3]!) ? ' in memory' : ''}`,
      corrected: m[2] === 'CE',
      traceless: true,
    }),
  },
  {
    pattern: /^EDAC .{1,60}\bUE\b.{0,120}/,
    make: () => ({ kind: 'hardware-error', title: 'EDAC: uncorrected error', traceless: true }),
  },
  {
    pattern:
      /^(?:\S{1,40} [0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]: )(?:AER: |PCIe Bus Error: severity=)(?:Multiple )?(Corrected|Correctable|Uncorrected \(Non-Fatal\)|Uncorrectable \(Non-Fatal\)|Uncorrected \(Fatal\)|Uncorrectable \(Fatal\)|Uncorrected|Fatal|Non-Fatal).{0,160}/,
    make: (m) => ({
      kind: 'hardware-error',
      title: `PCIe bus error: ${m[1]!.replace('ectable', 'ected')}`,
      corrected: m[1]!.startsWith('Correct'),
      traceless: true,
    }),
  },
  {
    pattern: /^BERT: Error records from previous boot/,
    make: () => ({ kind: 'hardware-error', title: 'Hardware error of the previous boot', traceless: true }),
  },
  {
    pattern: /^(?:Uhhuh\. )?NMI received for unknown reason [0-9a-f]{2}(?: on CPU (\d{1,5}))?/,
    make: (m) => ({ kind: 'nmi', title: 'NMI received for unknown reason', cpu: number(m[1]), traceless: true }),
  },
  {
    pattern:
      /^NMI: (IOCK error|PCI system error|memory parity error)[^\n]{0,60}?for reason [0-9a-f]{2}(?: on CPU (\d{1,5}))?/i,
    make: (m) => ({ kind: 'nmi', title: `NMI: ${m[1]}`, cpu: number(m[2]), traceless: true }),
  },
  // ---- asked for, hypervisors
  {
    pattern: /^(?:sysrq: )?(?:SysRq ?: )?Trigger a (?:crash|crashdump)\b/i,
    make: () => ({ kind: 'sysrq', title: 'sysrq triggered crash', fatal: true }),
  },
  {
    pattern: /^kvm \[\d{1,10}\]: (nVHE )?[Hh]yp (panic|BUG) at:? (?:\[<[0-9a-f]{8,16}>\] )?(\S{1,300})?/,
    make: (m) => ({ kind: 'kvm', title: `KVM: hyp ${m[2]} in %F`, frame: m[3], fatal: true }),
  },
  {
    pattern: /^KVM(?:: entry failed, hardware error| internal error\. Suberror:)/,
    make: (m) => ({
      kind: 'kvm',
      title: m[0].includes('entry') ? 'KVM: entry failed, hardware error' : 'KVM internal error',
      traceless: true,
    }),
  },
  {
    pattern: /^\(XEN\) (?:\[[^\]]{1,40}\] )?Panic on CPU (\d{1,5}):/,
    make: (m) => ({ kind: 'xen', title: 'Xen panic in %F', cpu: number(m[1]), fatal: true, traceless: true }),
  },
  {
    pattern:
      /^\(XEN\) (?:\[[^\]]{1,40}\] )?(?:domain_crash called from|Domain \d{1,9} \(vcpu#\d{1,5}\) crashed on cpu#(\d{1,5}))/,
    make: (m) => ({ kind: 'xen', title: 'Xen: domain crashed', cpu: number(m[1]), traceless: true }),
  },
];

const dieLine = /^(.{1,240}?)\s?\[#(\d{1,6})\](?:[\s:]|$)/;
const panicLine = /^Kernel panic(?: - not syncing)?(?:: ?(.{0,400}))?$/;

/** The rules that a line can match, by its first character; made when a line first begins with it. */
const rulesByFirst: (readonly Rule[] | undefined)[] = [];
let firsts: readonly (ReadonlySet<string> | null)[] | null = null;

function rulesFor(code: number): readonly Rule[] {
  firsts ??= rules.map(({ pattern }) => firstCharacters(pattern.source));
  const first = String.fromCharCode(code);
  const found = rules.filter(({ pattern }, n) => {
    const any = pattern.ignoreCase ? [first.toLowerCase(), first.toUpperCase()] : [first];
    return any.some((one) => firsts?.[n]?.has(one) !== false);
  });
  rulesByFirst[code] = found;
  return found;
}

/** A log that announces much announces most of it again and again. */
const knownHeadlines = new Map<string, Readonly<Headline> | undefined>();
const maxKnown = 4096;

/** What a message announces; undefined for the great many that announce nothing. */
export function parseHeadline(text: string): Readonly<Headline> | undefined {
  const known = knownHeadlines.get(text);
  if (known !== undefined || knownHeadlines.has(text)) return known;
  const headline = readHeadline(text);
  if (knownHeadlines.size >= maxKnown) knownHeadlines.clear();
  knownHeadlines.set(text, headline);
  return headline;
}

function readHeadline(text: string): Headline | undefined {
  const c = text.charCodeAt(0);
  if (c === 0x20 || c === 0x09 || Number.isNaN(c)) return undefined;
  const panic = c === 0x4b /* K */ ? panicLine.exec(text) : null;
  if (panic !== null) return panicHeadline((panic[1] ?? '').trim());
  const code = c < 128 ? c : 0;
  for (const rule of rulesByFirst[code] ?? rulesFor(code)) {
    const m = rule.pattern.exec(text);
    if (m === null) continue;
    const made = rule.make(m);
    const headline: Headline = { role: 'start', strong: true, ...made };
    const die = dieLine.exec(text);
    if (die !== null) headline.dieCount = Number(die[2]);
    return headline;
  }
  const die = text.includes('[#') ? dieLine.exec(text) : null;
  if (die !== null && /^[A-Za-z]/.test(text) && isLabel(die[1]!)) return dieHeadline(die[1]!, Number(die[2]));
  const generic = /^(?:\[ )?BUG: (\S.{0,200})$/.exec(text);
  if (generic !== null)
    return { kind: 'BUG', role: 'start', title: `BUG: ${generic[1]!.replace(/ \]$/, '')} in %F`, strong: false };
  const warning = /^WARNING: (\S.{0,200})$/.exec(text);
  if (warning !== null) return { kind: 'WARN', role: 'start', title: `WARNING: ${warning[1]}`, strong: false };
  const stuck = /^INFO: task (.{1,64}?):(\d{1,10}) can't die for more than \d{1,9} seconds/.exec(text);
  if (stuck !== null) {
    return {
      kind: 'hung-task',
      role: 'start',
      title: "INFO: task can't die in %F",
      strong: true,
      comm: stuck[1]!,
      pid: Number(stuck[2]),
    };
  }
  const internal = /^Internal error: (.{1,160})$/.exec(text);
  if (internal !== null) return { ...dieHeadline(text, undefined), strong: false };
  return undefined;
}

/** `Oops: general protection fault, probably for non-canonical address 0x..: 0000`, `Internal error: Oops - BUG: 0`. */
function dieHeadline(label: string, dieCount: number | undefined): Headline {
  let name = label.replace(/^(?:Internal error: ?|Oops: (?=\S*[a-zA-Z]{3}))+/, '');
  name = name.replace(/[:,]?\s{0,8}(?:0x)?[0-9a-f]{1,16}(?: ilc:\d)?$/, '').replace(/[:\s-]{1,32}$/, '');
  const address = /address (?:range )?\[?(?:0x)?([0-9a-f]{4,16})/.exec(label)?.[1];
  const made = (kind: IncidentKind, title: string): Headline => {
    const headline: Headline = { kind, role: 'die', title, strong: true };
    if (dieCount !== undefined) headline.dieCount = dieCount;
    if (address !== undefined) headline.faultAddress = address;
    return headline;
  };
  const lower = name.toLowerCase();
  if (lower.includes('general protection')) return made('general-protection', 'general protection fault in %F');
  if (lower.includes('divide error') || lower.includes('divide by zero'))
    return made('divide-error', 'divide error in %F');
  if (lower.includes('double fault')) return made('double-fault', 'PANIC: double fault in %F');
  if (/double-fault|stack overflow|stack guard/.test(lower))
    return made('stack-overflow', 'kernel stack overflow in %F');
  if (/invalid opcode|undefined instruction|illegal (?:operation|instruction)|undefinstr/.test(lower)) {
    return made('invalid-opcode', 'invalid opcode in %F');
  }
  if (lower.includes('stack segment')) return made('trap', 'stack segment fault in %F');
  if (/control protection|\bcfi\b|\bbti\b|\bgcs\b|fpac|branch target/.test(lower))
    return made('cfi', `${stable(name)} in %F`);
  if (lower.includes('ubsan')) return made('ubsan', `${stable(name)} in %F`);
  if (lower.includes('kasan')) return made('kasan', `${stable(name)} in %F`);
  if (/parity|ecc error/.test(lower)) return made('machine-check', `${stable(name)} in %F`);
  if (lower.includes('machine check')) return made('machine-check', 'Machine check in %F');
  if (/serror|external abort|asynchronous.*abort/.test(lower)) return made('serror', `${stable(name)} in %F`);
  if (/\bbug\b/.test(lower)) return made('BUG', 'kernel BUG in %F');
  if (
    /^(?:oops|kernel (?:access|paging)|accessing user|bad area|page fault|)$/.test(lower) ||
    /bad area|access of|paging request|page fault/.test(lower)
  ) {
    return made('bad-page-fault', 'BUG: unable to handle kernel paging request in %F');
  }
  return made('trap', `${stable(name)} in %F`);
}

/** A trap's name and error code, not a sentence that quotes them. */
function isLabel(label: string): boolean {
  return (
    label.length <= 160 && label.split(' ').length <= 14 && !/\b(?:the|that|is|was|says|like)\b|["'<>]/.test(label)
  );
}

const mountRoot =
  /unable to mount root|cannot open root device|no init found|no working init|requested init .{0,80} failed|unable to open an initial console/i;

function panicHeadline(reason: string): Headline {
  const made = (kind: IncidentKind, title: string, frame?: string): Headline => {
    const headline: Headline = { kind, role: 'panic', title, strong: true, reason, fatal: true };
    if (frame !== undefined) headline.frame = frame;
    return headline;
  };
  const stack = /^stack-protector: [Kk]ernel stack is corrupted in:? ?(\S{0,300})/.exec(reason);
  if (stack !== null) {
    return made(
      'stack-protector',
      'kernel panic: stack is corrupted in %F',
      /[g-zG-Z_]/.test(stack[1]!) ? stack[1] : undefined,
    );
  }
  if (/^corrupted stack end/.test(reason)) return made('stack-overflow', 'kernel panic: corrupted stack end in %F');
  if (/stack overflow/i.test(reason)) return made('stack-overflow', 'kernel stack overflow in %F');
  if (/^Attempted to kill (?:init|the idle)/.test(reason))
    return made('init-killed', `kernel panic: ${/^[^!]{1,60}!?/.exec(reason)![0]}`);
  if (mountRoot.test(reason)) {
    return made(
      'root-mount',
      /mount root/i.test(reason) ? 'kernel panic: VFS: Unable to mount root fs' : `kernel panic: ${stable(reason)}`,
    );
  }
  if (/out of memory|deadlocked on memory/i.test(reason))
    return made('out-of-memory', `kernel panic: ${stable(reason)}`);
  if (/sysrq/i.test(reason)) return made('sysrq', 'sysrq triggered crash');
  if (/^hung_task/.test(reason)) return made('hung-task', 'INFO: task hung in %F');
  if (/^softlockup/.test(reason)) return made('soft-lockup', 'BUG: soft lockup in %F');
  if (/hard lockup/i.test(reason)) {
    const headline = made('hard-lockup', 'Watchdog detected hard LOCKUP in %F');
    const cpu = /on cpu ?(\d{1,5})/.exec(reason)?.[1];
    if (cpu !== undefined) headline.cpu = Number(cpu);
    return headline;
  }
  if (/^RCU Stall/i.test(reason)) return made('rcu-stall', 'INFO: rcu detected stall in %F');
  if (/SError|Asynchronous.*[Aa]bort/.test(reason)) return made('serror', 'SError Interrupt in %F');
  if (/machine check|Not all CPUs entered broadcast|\bMCE\b/i.test(reason))
    return made('machine-check', `kernel panic: ${stable(reason)}`);
  if (/hardware error|uncorrect|\bEDAC\b|\bAER\b|\bGHES\b/i.test(reason))
    return made('hardware-error', `kernel panic: ${stable(reason)}`);
  if (/\bNMI\b/.test(reason)) return made('nmi', `kernel panic: ${stable(reason)}`);
  if (/double fault/i.test(reason)) return made('double-fault', 'PANIC: double fault in %F');
  if (/HYP panic/i.test(reason)) return made('kvm', 'kernel panic: HYP panic in %F');
  if (/^[Xx]en\b/.test(reason)) return made('xen', `kernel panic: ${stable(reason)}`);
  if (
    /^(?:EXT[234]-fs|XFS|BTRFS|Btrfs|F2FS|JBD2?|JFFS2|UBIFS|GFS2|OCFS2|ocfs2|NILFS|REISERFS|bcachefs|FAT-fs|EROFS|overlayfs)\b|panic forced after error|filesystem/i.test(
      reason,
    )
  ) {
    return made('filesystem', `kernel panic: ${stable(reason)}`);
  }
  if (/^CFI failure/.test(reason)) return made('cfi', 'CFI failure in %F');
  return made('panic', reason === '' ? 'kernel panic' : `kernel panic: ${stable(reason)}`);
}

/** Whether panic() says no more than that something before it went wrong. */
export function isConsequence(reason: string): boolean {
  return /^(?:Fatal (?:exception|error)|Aiee, killing|Oops|Fatal hardware error|.{0,60}panic_on_(?:warn|oops)|kasan\.fault|Unrecoverable|Machine halted|die\b|Unhandled exception)/i.test(
    reason,
  );
}

function dashed(type: string): string {
  return type === 'double-free or invalid-free' ? 'invalid-free' : type.replace(/^use after free$/, 'use-after-free');
}

function bare(symbol: string): string {
  return symbol.replace(/\+0x[0-9a-f]{1,8}(?:\/0x[0-9a-f]{1,8})?$/, '');
}

/** Text without what changes from run to run: addresses, numbers, CPU and process names, devices, offsets. */
export function stable(text: string): string {
  return text
    .replace(/\b0x[0-9a-f]{1,16}\b/gi, 'ADDR')
    .replace(/\b(?=[0-9a-f]{0,15}\d)[0-9a-f]{8,16}\b/gi, 'ADDR')
    .replace(/([A-Za-z_][\w.]{0,200})\+0x[0-9a-f]{1,8}(?:\/0x[0-9a-f]{1,8})?/g, '$1')
    .replace(/([A-Za-z_][\w.]{0,200})\+ADDR(?:\/ADDR)?/g, '$1')
    .replace(/\bCPU ?#?\d{1,5}\b/gi, 'CPU')
    .replace(/\b(?:sd[a-z]{1,3}|vd[a-z]{1,3}|nvme\d{1,3}n\d{1,3}|dm-|md|loop|mmcblk\d{1,3})p?\d{0,4}\b/g, 'DEV')
    .replace(/(\.(?:c|h|S|rs)):\d{1,7}(?::\d{1,7})?\b/g, '$1')
    .replace(/(?<![\w.-])-?\d{1,20}\b(?!\.\d)/g, 'NUM')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 160);
}
