// The oops line, which has the counter (`[#1]`): what its label says that happened.
import type { IncidentKind } from '../kinds.ts';
import { stable } from '../stable_text.ts';
import type { Headline } from './headline.ts';

/** `Oops: general protection fault, probably for non-canonical address 0x..: 0000`, `Internal error: Oops - BUG: 0`. */
export function dieHeadline(label: string, dieCount: number | undefined): Headline {
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

/** Whether it is a trap's name and error code, not a sentence that quotes them. */
export function isLabel(label: string): boolean {
  return (
    label.length <= 160 && label.split(' ').length <= 14 && !/\b(?:the|that|is|was|says|like)\b|["'<>]/.test(label)
  );
}
