// The kernel's command line, and what `crashkernel=` on it asks for
// (Documentation/admin-guide/kernel-parameters.rst; kernel/crash_reserve.c, __parse_crashkernel).

const mib = 1024 * 1024;

/** Words of a command line; double quotes hold spaces together (lib/cmdline.c, next_arg). */
export function commandLineWords(line: string): readonly string[] {
  return [...line.trim().matchAll(/(?:"[^"]*"?|[^\s"])+/g)].map(([word]) => word.replaceAll('"', ''));
}

/** The values of a parameter, in the order in which they are given; an empty one for a word without `=`. */
export function valuesOf(line: string, name: string): readonly string[] {
  const plain = name.replaceAll('-', '_');
  return commandLineWords(line).flatMap((word) => {
    const [key = '', ...value] = word.split('=');
    return key.replaceAll('-', '_') === plain ? [value.join('=')] : [];
  });
}

/** A size for machines whose RAM is in [from, to), in bytes; `to` is null for no end. */
export interface CrashRange {
  readonly from: number;
  readonly to: number | null;
  readonly size: number;
}

/** One `crashkernel=` value. */
export interface Crashkernel {
  readonly text: string;
  /** Where it is reserved: anywhere low, above 4 GiB, below 4 GiB for DMA, or in a CMA area. */
  readonly where: 'plain' | 'high' | 'low' | 'cma';
  readonly ranges: readonly CrashRange[];
  /** Physical address that was asked for. */
  readonly offset: number | null;
}

const units: Readonly<Record<string, number>> = { '': 1, K: 1024, M: mib, G: 1024 ** 3, T: 1024 ** 4 };
const size = String.raw`(\d{1,13})([KMGT]?)`;
const rangePattern = new RegExp(`^${size}-(?:${size})?:${size}$`, 'i');
const simplePattern = new RegExp(`^${size}(?:@(0x[0-9a-f]{1,15}|\\d{1,13}[KMGT]?)|,(high|low|cma))?$`, 'i');

/** Bytes of a number with a unit: `256M`. Null if it is none. */
export function sizeOf(text: string): number | null {
  const match = new RegExp(`^${size}$`, 'i').exec(text);
  return match === null ? null : bytes(match[1]!, match[2]!);
}

function bytes(digits: string, unit: string): number {
  return Number(digits) * units[unit.toUpperCase()]!;
}

/** @returns what it asks for, or in words why the kernel does not take it */
export function parseCrashkernel(text: string): Crashkernel | string {
  if (text === '') return 'crashkernel= has no value';
  if (/^auto$/i.test(text)) return "crashkernel=auto is not the mainline kernel's: only RHEL 8 and older know it";
  const simple = simplePattern.exec(text);
  if (simple !== null) {
    const [, digits, unit, offset, where] = simple;
    const wanted = bytes(digits!, unit!);
    if (wanted === 0) return `crashkernel=${text} reserves nothing`;
    const at = offset === undefined ? null : /^0x/i.test(offset) ? Number(offset) : sizeOf(offset);
    return {
      text,
      where: (where?.toLowerCase() as 'high' | 'low' | 'cma' | undefined) ?? 'plain',
      ranges: [{ from: 0, to: null, size: wanted }],
      offset: at,
    };
  }
  const [list = '', offset] = text.split('@');
  const ranges: CrashRange[] = [];
  for (const word of list.split(',')) {
    const match = rangePattern.exec(word);
    if (match === null) return `crashkernel=${text}: ${word} is neither a size nor a range START-[END]:SIZE`;
    const from = bytes(match[1]!, match[2]!);
    const to = match[3] === undefined ? null : bytes(match[3], match[4]!);
    if (to !== null && to <= from) return `crashkernel=${text}: in ${word} the end is not above the start`;
    ranges.push({ from, to, size: bytes(match[5]!, match[6]!) });
  }
  return { text, where: 'plain', ranges, offset: offset === undefined ? null : sizeOf(offset) };
}

/** Bytes that it asks for on a machine with so much RAM (bytes); the first range that fits, 0 for none. */
export function crashkernelSize({ ranges }: Crashkernel, ram: number): number {
  return ranges.find(({ from, to }) => ram >= from && (to === null || ram < to))?.size ?? 0;
}

/** What a command line asks for: of each kind the last one counts. */
export interface CrashkernelRequest {
  /** Bytes in the main area, plain or high. */
  readonly main: number;
  /** Bytes below 4 GiB besides; null where the kernel chooses. */
  readonly low: number | null;
  /** Bytes of CMA besides. */
  readonly cma: number;
  readonly all: readonly Crashkernel[];
  readonly problems: readonly string[];
}

/** @param ram bytes of RAM, by which the kernel chooses among ranges: rounded up to 128 MiB, as it does */
export function crashkernelRequest(line: string, ram: number): CrashkernelRequest {
  const all: Crashkernel[] = [];
  const problems: string[] = [];
  for (const value of valuesOf(line, 'crashkernel')) {
    const parsed = parseCrashkernel(value);
    if (typeof parsed === 'string') problems.push(parsed);
    else all.push(parsed);
  }
  const rounded = Math.ceil(ram / (128 * mib)) * 128 * mib;
  const last = (where: Crashkernel['where']): Crashkernel | null => all.findLast((one) => one.where === where) ?? null;
  const plain = last('plain');
  const high = last('high');
  // a plain one is looked at first (arch/x86/kernel/setup.c, arch_reserve_crashkernel)
  const main = plain ?? high;
  const low = last('low');
  const cma = last('cma');
  const doubled = all.filter(({ where }, i) => all.findIndex((other) => other.where === where) !== i);
  for (const { text } of doubled)
    problems.push(`crashkernel= is given more than once: ${text} overrides what was before it`);
  if (plain !== null && high !== null)
    problems.push(`crashkernel=${high.text} has no effect beside crashkernel=${plain.text}`);
  return {
    main: main === null ? 0 : crashkernelSize(main, rounded),
    low: low === null || plain !== null ? null : crashkernelSize(low, rounded),
    cma: cma === null ? 0 : crashkernelSize(cma, rounded),
    all,
    problems,
  };
}
