// What the lines of a report look like. Each expression is anchored and bounded: lines come from anywhere.

import type { TracePurpose } from './incident.ts';
import { LinePattern } from './line_pattern.ts';

export const stackMark = new LinePattern(
  /^\s{0,8}<{1,2}(\/?)((?:IRQ|TASK|NMI|SOFTIRQ|HARDIRQ|EOI|EOE|ENTRY_TRAMPOLINE|SYSENTER|EXCEPTION|UNKNOWN)\w{0,8}|#?[A-Z]{2,8}\d{0,2})>{1,2}\s?(.*)$/,
);
export const traceHead = new LinePattern(
  /^\s{0,8}(?:stack backtrace|Stack backtrace|Call [Tt]race|Call Backtrace|Backtrace|backtrace(?: \([^)]{0,40}\))?)\s?(?:\([^)]{0,80}\))?:/,
);
export const cpuLine = new LinePattern(
  /^CPU: (\d{1,5}) (?:UID: (\d{1,10}) )?PID: (\d{1,10}) Comm: (.{1,64}?) (?:Kdump: loaded )?(?:(Not tainted)|Tainted: ([A-Z ]{1,64}?)) {1,12}(\d\S{0,200})(.{0,200})$/,
);
export const shortCpuLine = new LinePattern(
  /^CPU: (\d{1,5}) (?:UID: (\d{1,10}) )?PID: (\d{1,10}) Comm: (.{1,64}?)(?: (?:Kdump|Not|Tainted).{0,200})?$/,
);
export const oldCpuLine = new LinePattern(
  /^Pid: (\d{1,10}), comm: (.{1,64}?) (?:(Not tainted)|Tainted: ([A-Z ]{1,64}?)) {1,12}\(?(\d\S{0,200})/,
);
export const armCpuLine = new LinePattern(
  /^CPU: (\d{1,5}) {1,8}(?:(Not tainted)|Tainted: ([A-Z ]{1,64}?)) {1,12}\(?(\d[^\s)]{0,200})/,
);
export const taintedLine = new LinePattern(/^\s{1,12}(?:(Not tainted)|Tainted: ([A-Z ]{1,64}?)) {1,12}(\d\S{0,200})/);
export const instructionLine = new LinePattern(
  /^(?:RIP|NIP|EIP|IP|pc|epc|PC|ERA|Krnl PSW|PSW)(?: {1,2}is at|\s{0,3}:|\s)\s{0,4}(?:(?:[0-9a-f]{2,4}):)?\s?(.{1,400})$/,
);
export const linkLine = new LinePattern(
  /^\s{0,4}(?:lr|LR|ra|RP\(r2\))(?: {1,2}is at|\s{0,4}:)?\s{0,4}(?:(?:\[<?[0-9a-f]{8,16}>?\]|[0-9a-f]{8,16}(?= [^\s(]))\s{0,4})?([A-Za-z_.][\w.$]{0,255}\+0x[0-9a-f]{1,8}\/.{1,200})$/,
);
export const registerToken =
  /(?<![\w:])([A-Za-z][A-Za-z0-9_]{0,11}|\d{2})\s{0,3}[:=]\s{0,2}(?:0x)?((?:[0-9a-f]{4}:)?[0-9a-f]{4,16})(?:\([0-9a-f]{4}\))?(?=[\s,)]|$)/g;
export const registerLine = new LinePattern(
  /^\s{0,4}(?:R[A-Z0-9]{1,2}|E[A-Z]{2}|[re](?:ax|bx|cx|dx|si|di|bp|sp)|CR\d|DR\d|[CDEFGS]S|PKRU|FS|x\d{1,2}|r\d{1,2}|sp|lr|fp|ip|pstate|psr|GPR\d\d|LR|CTR|MSR|DAR|CFAR|DSISR|ra|gp|tp|[ast]\d{1,2}|status|epc|\$ {1,2}\d{1,2}|Krnl|ORIG_\w{2,4}|pmr|PS|SP)\s{0,4}[:=]/,
);
export const moduleLine = new LinePattern(/^Modules linked in:(.*)$/);
export const hardwareLine = new LinePattern(/^Hardware name: (.{1,200})/);
export const taskLine = new LinePattern(/^task:(.{1,64}?)\s+state:(\S)\b.{0,80}?\bpid:\s{0,10}(\d{1,10})\b/);
export const oldTaskLine = new LinePattern(
  /^(\S.{0,15}?) {1,16}([DSRTtZXIKWP]) {0,8}(?:(?:[0-9a-f]{8,16}|running task) {1,8})?\d{1,10} {1,8}(\d{1,10}) {1,8}\d{1,10} 0x[0-9a-f]{8}/,
);
export const lockHolder = new LinePattern(
  /^(?:\d{1,4} locks? held by|no locks held by|\d{1,4} locks? held on) (.{1,64}?)\/(\d{1,10})/,
);
export const lockLine = new LinePattern(
  /^ #\d{1,3}:\s+(?:[0-9a-f]{8,16} )?\(([^)]{1,200}(?:\([^)]{0,60}\)[^)]{0,60})?)\)\{[^}]{0,40}\}(?:-\{[^}]{0,20}\})?,? at: (?:\[<[0-9a-f]{8,16}>\] )?(\S{1,200})/,
);
export const atFunction =
  /(?:,| )at: (?:\[<[0-9a-f]{8,16}>\] )?([A-Za-z_][\w.]{0,255}(?:\+0x[0-9a-f]{1,8}\/0x[0-9a-f]{1,8})?(?: \[[\w-]{1,64}\])?)/;
export const memoryLine = new LinePattern(
  /^(?:Mem-Info:|(?:active|inactive|isolated|slab|mapped|free|unevictable|kernel_misc|sec_pagetables|pagetables|dirty|writeback|bounce)\w{0,24}:\d| (?:active_file|unevictable|slab_|mapped|free|kernel_misc|sec_pagetables|dirty|writeback|shmem|bounce|pagetables)\w{0,24}:\d|Node \d{1,4} |lowmem_reserve|\d{1,12} (?:total pagecache pages|pages |total )|Swap cache|Free swap|Total swap|Tasks state|\[\s{0,8}(?:pid|\d{1,10})\s{0,8}\]\s|memory: usage|(?:memory\+)?swap: usage|kmem: usage|Memory cgroup stats|oom-kill:|oom_reaper:|Unreclaimable slab|Name {5,}|\S{1,40}\s+\d{1,12}KB\s+\d{1,12}KB|anon \d|file \d|[\w-]{1,40} \d{1,20}$|DMA|Normal|HighMem|cpuset=|Task in |Memory cgroup)/,
);
export const endMark = new LinePattern(/^---\[ end (?:trace|Kernel panic)/);
export const bodyLine = new LinePattern(
  /^(?:#PF: |PGD |P4D |\*pgd|pgd = |\[[0-9a-f]{8,16}\] (?:\*?pgd|address between)|(?:user|swapper) pgtable|Mem abort|Data abort|Exception class|ESR| {2}(?:ESR|EC|SET|EA|FSC|CM|ISV|GCS|SAS|Xs|Overlay|FnV|S1PTW)\b|Stack:|Raw stack|Process |task: |Thread |Workqueue: |KASAN: |The buggy address|This frame has|\s?\[\d{1,6}, \d{1,6}\) '|Memory state around|[> ]?(?:ffff|0x)?[0-9a-f]{8,16}: | {1,2}\^|page(?:_type)?:|flags: |raw: |head:|memcg:|page dumped|page last|page has been|page_owner|\s{0,30}\^\s{0,40}$|FIX |Slab 0x|Object 0x|INFO: (?:Slab|Object|Allocated|Freed|0x|lockdep|Stall)|Redzone|Padding|Object |Bytes b4|irq event|hardirqs|softirqs|CPU features|Kernel Offset|PHYS_OFFSET|Memory Limit|SMP: |Dumping|ftrace|Rebooting|Sending NMI|NMI backtrace|Uninit|Bytes \d|Memory access of size|Data copied|Reported by|=====|-----|other info|stack backtrace|which lock|but task|the existing|but this new|Possible unsafe|Chain exists|\*\*\* DEADLOCK|"echo 0|Call Trace|Call trace|note: |Fixing recursive|Disabling lock|rcu: |rcu_|\t(?:\(|\d|Possible|Tasks)|Showing |pool \d|workqueue \w| {2}pwq | {4}(?:pending|in-flight|inactive|delayed)| {2}comm "| {2}hex dump| {4}[0-9a-f]{2} [0-9a-f]{2} |value changed|kfence-#|kmemleak|psi|Kernel panic|\[<|Tainted: |Comm:|Unloaded|last unloaded|Last potentially|Second to last|\{?\d?\}?\[Hardware|mce: |EDAC|AER: |MODSIGN|TSC |ADDR |MISC |PROCESSOR|Dazed|Do you have|ODEBUG|object type|object: |last function|Kdump|Modules linked|Instruction dump|---\[|\?|Entering kdb|CR2:|addr:|vma:|file:|swap_info|BUG: Bad|\s{1,4}(?:lr|sp) :)/,
);
export const inner = /is trying to|which became|takes:| held by |AER|PCIe Bus Error|device \[|\[ ?\d{1,2}\] [A-Z]/;
/** So many lines below a report's last one, only lines that name a report clearly belong to it. */
export const nearLines = 24;
/** Names a report so clearly that it belongs to one far above it. */
export const farLine = new LinePattern(
  /^(?:NMI backtrace|Sending NMI|Rebooting|task:|Workqueue|\d{1,4} locks? held|Showing|Mem-Info|Tasks state|rcu)/,
);
/** A line without a field of its own that is worth keeping. */
export const notedLine = new LinePattern(
  /^(?:#PF|KASAN: |Process |Mem abort| {2}(?:ESR|EC|FSC)|PGD|Bytes|value changed|The buggy| {2}comm|Workqueue|Dazed|Do you|rcu|\[Hardware|mce|TSC|PROCESSOR|.{0,60}\[Hardware)/,
);
export const accessLine = new LinePattern(
  /^((?:[Aa]tomic )?(?:[Rr]ead|[Ww]rite|[Rr]ead-write|[Aa]ccess)) (?:of size \d{1,20}|\(marked\)|at 0x|at addr |to 0x|of \d)/,
);
export const kcsanAccess = new LinePattern(
  /^((?:race at unknown origin, with )?(?:read|write|read-write|assert no (?:accesses|writes))(?: \([\w, ]{1,30}\))?) to (?:0x)?[0-9a-f]{8,16} of \d{1,8} bytes by (?:task (\d{1,10})|interrupt) on cpu (\d{1,5}):/,
);
export const sideTrace: readonly (readonly [LinePattern, TracePurpose])[] = [
  [
    new LinePattern(
      /^(?:INFO: )?(?:[Aa]llocated (?:by task \d{1,10}\b.{0,60}|in \S{1,200} age.{0,60})|Allocated|Uninit was created at|Local variable .{1,80} created at|page last allocated via.{0,160}|page_owner tracks the page as allocated)\s?:?/,
    ),
    'allocated',
  ],
  [
    new LinePattern(
      /^(?:INFO: )?(?:[Ff]reed (?:by task \d{1,10}\b.{0,60}|in \S{1,200} age.{0,60})|Freed|page last free (?:pid|stack).{0,80}|page_owner free stack trace missing)\s?:?/,
    ),
    'freed',
  ],
  [
    new LinePattern(
      /^(?:Last potentially related work creation|Second to last potentially related work creation|Last call_rcu\(\)|Second to last call_rcu\(\)|Uninit was stored to memory at|Last potentially related.{0,40}):?/,
    ),
    'queued',
  ],
];
