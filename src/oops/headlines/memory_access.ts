// What CPUs announce of memory that cannot be accessed so, and of other exceptions: arch/*/mm/fault.c,
// arch/*/kernel/traps.c, arch/x86/kernel/dumpstack.c.
import { number, type Rule } from './headline.ts';

const hexTail = /(?:0x)?([0-9a-f]{4,16})\b/;

export const memoryAccessRules: readonly Rule[] = [
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
];
