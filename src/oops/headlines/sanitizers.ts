// What sanitizers announce: lib/ubsan.c, mm/{kasan,kmsan,kfence}/report.c, kernel/kcsan/report.c.
import type { Rule } from './headline.ts';

export const sanitizerRules: readonly Rule[] = [
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
];

function dashed(type: string): string {
  return type === 'double-free or invalid-free' ? 'invalid-free' : type.replace(/^use after free$/, 'use-after-free');
}

function bare(symbol: string): string {
  return symbol.replace(/\+0x[0-9a-f]{1,8}(?:\/0x[0-9a-f]{1,8})?$/, '');
}
