// What the kernel's own checks announce: BUG(), WARN(), control flow, lists, reference counts, debug objects, usercopy.
import { number, type Rule } from './headline.ts';

export const kernelCheckRules: readonly Rule[] = [
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
];
