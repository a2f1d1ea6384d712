// One line of a call trace, in any of the forms that kernels and trace decoders have printed:
//
//    func+0x1/0x2                             x86 since 4.9, arm64
//    ? func+0x1/0x2 [mod]                     on the stack, perhaps stale
//    [<ffffffff81000001>] func+0x1/0x2        older kernels, kmemleak, s390, riscv
//    [c00000000000beef] [c000...] func+0x1/0x2 (unreliable)     powerpc
//    func+0x1/0x2 [mod 0123456789abcdef...]   with the module's build id
//    func+0x1/0x2 fs/x.c:12 [inline]          symbolised
//    func (fs/x.c:12 include/y.h:3) mod       decode_stacktrace.sh
//    [<     inline     >] func fs/x.c:12      symbolised, older
//    [<c0101234>] (func) from [<c0101238>] (caller+0x1/0x2), func from caller+0x1/0x2     arm

export interface Frame {
  /** Function as printed, with compiler suffixes; null: only an address is known. */
  readonly symbol: string | null;
  /** Bytes from the start of the function. */
  readonly offset: number | null;
  /** The function's size in bytes. */
  readonly size: number | null;
  readonly module: string | null;
  readonly buildId: string | null;
  /** The address where printed, `0x...`. */
  readonly address: string | null;
  /** False: found on the stack by scanning, marked `?` or `(unreliable)`. */
  readonly reliable: boolean;
  /** A function inlined into the next frame. */
  readonly inline: boolean;
  /** `file:line` where the text has it. */
  readonly source: string | null;
  /** The instruction that an exception interrupted (pt_regs on the stack), not a return address. */
  readonly interrupted: boolean;
}

/** A frame of which `known` is known. */
export function makeFrame(known: Partial<Frame>): Frame {
  return {
    symbol: null,
    offset: null,
    size: null,
    module: null,
    buildId: null,
    address: null,
    reliable: true,
    inline: false,
    source: null,
    interrupted: false,
    ...known,
  };
}

/** Digits as the kernel printed them, as an address of the data: `0x...` without leading zeroes. */
export function hexadecimal(digits: string): string {
  let from = digits.startsWith('0x') ? 2 : 0;
  while (from < digits.length - 1 && digits.charCodeAt(from) === 0x30) from++;
  return `0x${digits.slice(from)}`;
}

const full =
  /^\s{0,32}(?:\(?\[<?(?:0x)?([0-9a-f]{6,16})?>?\]\)?\s{0,8}){0,2}(\?\s{0,4})?([A-Za-z_$.][\w$.@]{0,255})\+(?:0x)?([0-9a-f]{1,8})\/(?:0x)?([0-9a-f]{1,16})\b\)?(.{0,400})$/;
const bareAddress =
  /^\s{0,32}(?:\[<?(?:0x)?([0-9a-f]{8,16})>?\]\s{0,4})?(\?\s{0,4})?(?:0x([0-9a-f]{6,16})|\(null\))\s*$/;
const lonelyAddress = /^\s{0,32}\[<([0-9a-f]{8,16})>\]\s*$/;
const decoded =
  /^\s{0,32}(?:\[<[0-9a-f]{8,16}>\]\s{1,4})?(\?\s{1,4})?([A-Za-z_][\w.$]{0,255})\s{1,4}\(?((?:[\w+@.-]{1,80}\/){0,16}[\w+@.-]{1,80}\.(?:c|h|S|rs|y|l|inc):\d{1,7}|\?\?:\?)(.{0,600})$/;
const inlined =
  /^\s{0,32}\[<\s{1,16}inlined?\s{1,16}>\]\s{1,4}\??\s{0,4}([A-Za-z_][\w.$]{0,255})(?:\s{1,4}\(?([\w+@.-]{1,80}(?:\/[\w+@.-]{1,80}){0,16}:\d{1,7}))?/;
const armFrom =
  /^\s{0,32}(?:\[<([0-9a-f]{8})>\]\s?)?\(?([A-Za-z_][\w.$]{0,255})(?:\+0x([0-9a-f]{1,8})\/0x([0-9a-f]{1,8}))?(?:\s\[([\w-]{1,64})\])?\)?\sfrom\s(?:\[<[0-9a-f]{8}>\]|[A-Za-z_(])/;
const moduleMark = /^\s{1,4}\[([\w-]{1,64})(?:\s([0-9a-f]{6,40}))?\]/;
const sourceMark = /(?:^|[\s(])((?:[\w+@.-]{1,80}\/){0,16}[\w+@.-]{1,80}\.(?:c|h|S|rs|y|l):\d{1,7})/;

/**
 * Reads a frame, or gives null.
 * @param inTrace whether a call trace was announced: only then are forms without `+0x/0x` taken for frames
 */
export function parseFrame(text: string, inTrace: boolean): Frame | null {
  if (text.includes('+')) {
    const known = knownFrames.get(text);
    if (known !== undefined) return known;
    const frame = fullFrame(text);
    if (frame !== null) {
      if (knownFrames.size >= maxKnown) knownFrames.clear();
      knownFrames.set(text, frame);
      return frame;
    }
  }
  // arm's unwinder gives its traces no heading
  const bare = !inTrace && text.includes(' from [<') ? armFrame(text) : null;
  if (bare?.address != null) return bare;
  if (!inTrace) return null;
  const old = text.includes('inline') ? inlined.exec(text) : null;
  if (old !== null) return makeFrame({ symbol: old[1]!, source: old[2] ?? null, inline: true });
  const d = decoded.exec(text);
  if (d !== null) {
    return makeFrame({
      symbol: d[2]!,
      reliable: d[1] === undefined,
      source: d[3]!.startsWith('?') ? null : d[3]!,
      inline: d[4]!.includes('[inline]') || d[4]!.includes('(inlined'),
      module: /\)\s([\w-]{1,64})\s*$/.exec(d[4]!)?.[1] ?? null,
    });
  }
  const from = armFrame(text);
  if (from !== null) return from;
  const a = bareAddress.exec(text) ?? lonelyAddress.exec(text);
  if (a === null) return null;
  return makeFrame({ address: hexadecimal(a[3] ?? a[1] ?? '0'), reliable: a[2] === undefined });
}

function armFrame(text: string): Frame | null {
  const from = armFrom.exec(text);
  if (from === null) return null;
  return makeFrame({
    symbol: from[2]!,
    address: from[1] === undefined ? null : hexadecimal(from[1]),
    offset: from[3] === undefined ? null : Number.parseInt(from[3], 16),
    size: from[4] === undefined ? null : Number.parseInt(from[4], 16),
    module: from[5] ?? null,
  });
}

/** A log that says much says most of it again and again. */
const knownFrames = new Map<string, Frame>();
const maxKnown = 8192;

/** Reads a frame with `func+0x1/0x2`: all that `parseFrame` takes outside of traces, but for arm's. */
export function fullFrame(text: string): Frame | null {
  if (!text.includes('+')) return null;
  const m = full.exec(text);
  if (m === null) return null;
  const rest = m[6]!;
  return makeFrame({
    symbol: m[3]!,
    offset: Number.parseInt(m[4]!, 16),
    // a variable of a module is measured from the end of the module's text (kernel/module/kallsyms.c): below 0
    size: m[5]!.length > 8 ? null : Number.parseInt(m[5]!, 16),
    address: m[1] === undefined ? null : hexadecimal(m[1]),
    reliable: m[2] === undefined && !rest.includes('(unreliable)'),
    ...(rest === '' ? null : readRest(rest)),
  });
}

/** What stands behind `func+0x1/0x2`: the module and its build id, the source line, a mark of inlining. */
function readRest(rest: string): Partial<Frame> {
  const module = moduleMark.exec(rest);
  const named = module !== null && module[1] !== 'inline' ? module : null;
  return {
    module: named?.[1] ?? null,
    buildId: named?.[2] ?? null,
    source: sourceMark.exec(rest)?.[1] ?? null,
    inline: rest.includes('[inline]') || rest.includes('(inlined)'),
  };
}

const suffix =
  /(?:\.(?:cold|isra|constprop|part|llvm|lto_priv|cfi_jt|cfi|localalias|__uniq|specialized|warm|hot|unlikely|exit|startup|str|clone|kcfi|ppc_\w{1,20}|\d{1,15}|[0-9a-f]{16,40})){1,8}$/;

const knownNames = new Map<string, string>();

/** The function's name without what the compiler added (`.isra.0.cold`, `.constprop.3`, `.llvm.123`, `__pfx_`). */
export function functionName(symbol: string): string {
  let name = knownNames.get(symbol);
  if (name !== undefined) return name;
  name = withoutSuffixes(symbol);
  if (knownNames.size >= maxKnown) knownNames.clear();
  knownNames.set(symbol, name);
  return name;
}

function withoutSuffixes(symbol: string): string {
  let name = symbol.replace(suffix, '');
  if (name.startsWith('.') && name.length > 1) name = name.slice(1); // powerpc ELFv1 entry points
  for (const prefix of ['__pfx_', '__cfi_', '__pi_']) if (name.startsWith(prefix)) name = name.slice(prefix.length);
  return name === '' ? symbol : name;
}
