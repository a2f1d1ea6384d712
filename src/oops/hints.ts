// What the numbers of a report suggest to somebody who has seen many: poison patterns (include/linux/poison.h), KASAN's view
// of a non-canonical address, NULL structure pointers, exploits' marks.
import type { Incident } from './incident.ts';

interface Pattern {
  test: RegExp;
  says: string;
}

const patterns: readonly Pattern[] = [
  {
    test: /^dead0000000001(?!2[2-9a-f])[0-4][0-9a-f]$/,
    says: 'LIST_POISON1: the next pointer of a list entry that was already deleted',
  },
  {
    test: /^dead00000000012[2-9a-f]$/,
    says: 'LIST_POISON2: the prev pointer of a list entry that was already deleted',
  },
  {
    test: /^dead0000000002/,
    says: 'LIST_POISON2 (older value): the prev pointer of a list entry that was already deleted',
  },
  { test: /^dead0000000004/, says: 'TIMER_ENTRY_STATIC or page pool poison' },
  { test: /6b6b6b6b6b6b[0-9a-f]{4}$|^6b6b6b6b/, says: 'slab poison 0x6b: memory was used after it was freed' },
  { test: /5a5a5a5a5a5a[0-9a-f]{2,4}$/, says: 'slab poison 0x5a: memory was used before it was initialised' },
  { test: /a5a5a5a5a5a5/, says: 'slab poison end 0xa5' },
  { test: /aaaaaaaaaaaa[0-9a-f]{2,4}$/, says: 'page or stack poison 0xaa: memory was used before it was initialised' },
  { test: /bbbbbbbbbbbb|cccccccccccc/, says: 'slab red zone: an access beyond an object' },
  { test: /^(?:41){4,8}$|414141414141/, says: 'ASCII "AAAA": memory was overwritten with text' },
  { test: /^deadbeef|deadbeef$/, says: 'deadbeef: a marker some driver writes into dead objects' },
];

const attack = /exploit attempt|NX-protected|userspace code/;

export function hintsFor(incident: Incident): string[] {
  const hints = new Set<string>();
  const { faultAddress } = incident;
  if (faultAddress !== null) {
    const digits = faultAddress.slice(2);
    const padded = digits.length > 8 ? digits.padStart(16, '0') : digits;
    const said = matching(padded);
    if (said !== null) hints.add(`fault address ${faultAddress}: ${said}`);
    const value = BigInt(faultAddress);
    if (incident.kind === 'null-pointer' && value > 0n && value < 4096n) {
      hints.add(`offset 0x${value.toString(16)} into a structure whose pointer was NULL`);
    }
    if (value > 0xffff_ffff_ffff_f000n) {
      hints.add(`an error code (-${(0x1_0000_0000_0000_0000n - value).toString()}) was used as a pointer`);
    }
  }
  if (incident.kind === 'general-protection' || incident.kind === 'bad-page-fault') {
    for (const register of incident.registers) {
      const said = register.value.length === 18 ? matching(register.value.slice(2)) : null;
      if (said !== null) hints.add(`${register.name} ${register.value}: ${said}`);
    }
  }
  for (const note of incident.notes) {
    const range = /^KASAN: ([\w-]{1,40}) in range \[0x([0-9a-f]{4,16})-/.exec(note);
    if (range !== null) hints.add(`KASAN: ${range[1]} at 0x${range[2]}`);
    if (/instruction fetch/.test(note))
      hints.add('the CPU jumped there: a bad function pointer or a corrupted return address');
    if (/reserved bit/i.test(note))
      hints.add('a reserved bit was set in a page table entry: the page tables are corrupted');
  }
  if (incident.instruction?.symbol === null && incident.instruction.address === '0x0') {
    hints.add('the CPU jumped to address 0: a NULL function pointer was called');
  }
  if ([incident.message, incident.detail ?? '', ...incident.notes].some((text) => attack.test(text))) {
    hints.add('the CPU was about to run data or user memory: a bad function pointer, or an attack');
  }
  if (incident.code !== null && incident.code.fault !== null) {
    const { values, fault } = incident.code;
    if (
      incident.code.unit === 'byte' &&
      values[fault] === 0x0f &&
      values[fault + 1] === 0x0b &&
      incident.kind === 'invalid-opcode'
    ) {
      hints.add('the instruction is ud2: a BUG() or WARN() whose message is missing');
    }
  }
  return [...hints].slice(0, 16);
}

/** All of them in one: most numbers are none. */
const anyPattern = new RegExp(patterns.map(({ test }) => `(?:${test.source})`).join('|'));

/** @param value hexadecimal digits */
function matching(value: string): string | null {
  if (!anyPattern.test(value)) return null;
  return patterns.find((pattern) => pattern.test.test(value))?.says ?? null;
}
