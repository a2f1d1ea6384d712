// One line of a call trace, in any of the forms that kernels and trace decoders have printed:
//
//    func+0x1/0x2                             x86 since 4.9, arm64
//    ? func+0x1/0x2 [mod]                     on the stack, perhaps stale
//    [<ffffffff81000001>] func+0x1/0x2        older kernels, kmemleak, s390, riscv
//    [c00000000000beef] [c000...] func+0x1/0x2 (unreliable)     powerpc
//    func+0x1/0x2 [mod 0123456789abcdef...]   with the module's build id
//    func+0x1/0x2 fs/x.c:12 [inline]          symbolised
//    func (fs/x.c:12 include/y.h:3) mod       decode_stacktrace.sh
//    [<c0101234>] (func) from [<c0101238>] (caller+0x1/0x2), func from caller+0x1/0x2     arm

export interface Frame {
  /** Function as printed, with compiler suffixes. Empty when only an address is known. */
  symbol: string;
  /** Bytes from the start of the function, and the function's size in bytes. */
  offset?: number;
  size?: number;
  module?: string;
  buildId?: string;
  /** The address where printed, hexadecimal without 0x. */
  address?: string;
  /** False: found on the stack by scanning, marked `?` or `(unreliable)`. */
  reliable: boolean;
  /** A function inlined into the next frame. */
  inline?: boolean;
  /** `file:line` where the text has it. */
  source?: string;
  /** The instruction that an exception interrupted (pt_regs on the stack), not a return address. */
  interrupted?: boolean;
}

const full =
  /^\s{0,32}(?:\(?\[<?(?:0x)?([0-9a-f]{6,16})>?\]\)?\s{0,8}){0,2}(\?\s{0,4})?([A-Za-z_$.][\w$.@]{0,255})\+(?:0x)?([0-9a-f]{1,8})\/(?:0x)?([0-9a-f]{1,8})\b\)?(.{0,400})$/;
const bareAddress =
  /^\s{0,32}(?:\[<?(?:0x)?([0-9a-f]{8,16})>?\]\s{0,4})?(\?\s{0,4})?(?:0x([0-9a-f]{6,16})|\(null\))\s*$/;
const lonelyAddress = /^\s{0,32}\[<([0-9a-f]{8,16})>\]\s*$/;
const decoded =
  /^\s{1,32}(?:\[<[0-9a-f]{8,16}>\]\s{1,4})?(\?\s{1,4})?([A-Za-z_][\w.$]{0,255})\s{1,4}\(?((?:[\w+@.-]{1,80}\/){0,16}[\w+@.-]{1,80}\.(?:c|h|S|rs|y|l|inc):\d{1,7}|\?\?:\?)(.{0,600})$/;
const armFrom =
  /^\s{0,32}(?:\[<([0-9a-f]{8})>\]\s)?\(?([A-Za-z_][\w.$]{0,255})(?:\+0x([0-9a-f]{1,8})\/0x([0-9a-f]{1,8}))?(?:\s\[([\w-]{1,64})\])?\)?\sfrom\s(?:\[<[0-9a-f]{8}>\]|[A-Za-z_(])/;
const moduleMark = /^\s{1,4}\[([\w-]{1,64})(?:\s([0-9a-f]{6,40}))?\]/;
const sourceMark = /(?:^|[\s(])((?:[\w+@.-]{1,80}\/){0,16}[\w+@.-]{1,80}\.(?:c|h|S|rs|y|l):\d{1,7})/;

/**
 * Reads a frame, or gives undefined.
 * @param inTrace whether a call trace was announced: only then are forms without `+0x/0x` taken for frames
 */
export function parseFrame(text: string, inTrace: boolean): Frame | undefined {
  const m = text.includes('+') ? full.exec(text) : null;
  if (m !== null) {
    const rest = m[6]!;
    const frame: Frame = {
      symbol: m[3]!,
      offset: Number.parseInt(m[4]!, 16),
      size: Number.parseInt(m[5]!, 16),
      reliable: m[2] === undefined && !rest.includes('(unreliable)'),
    };
    if (m[1] !== undefined) frame.address = m[1];
    if (rest !== '') addRest(frame, rest);
    return frame;
  }
  if (!inTrace) return undefined;
  const d = decoded.exec(text);
  if (d !== null) {
    const frame: Frame = { symbol: d[2]!, reliable: d[1] === undefined };
    if (!d[3]!.startsWith('?')) frame.source = d[3]!;
    if (d[4]!.includes('[inline]') || d[4]!.includes('(inlined')) frame.inline = true;
    const module = /\)\s([\w-]{1,64})\s*$/.exec(d[4]!)?.[1];
    if (module !== undefined) frame.module = module;
    return frame;
  }
  const from = armFrom.exec(text);
  if (from !== null) {
    const frame: Frame = { symbol: from[2]!, reliable: true };
    if (from[1] !== undefined) frame.address = from[1];
    if (from[3] !== undefined) frame.offset = Number.parseInt(from[3], 16);
    if (from[4] !== undefined) frame.size = Number.parseInt(from[4], 16);
    if (from[5] !== undefined) frame.module = from[5];
    return frame;
  }
  const a = bareAddress.exec(text) ?? lonelyAddress.exec(text);
  if (a !== null) {
    const address = a[3] ?? a[1] ?? '0';
    return { symbol: '', address, reliable: a[2] === undefined };
  }
  return undefined;
}

function addRest(frame: Frame, rest: string): void {
  const module = moduleMark.exec(rest);
  if (module !== null && module[1] !== 'inline') {
    frame.module = module[1]!;
    if (module[2] !== undefined) frame.buildId = module[2];
  }
  const source = sourceMark.exec(rest)?.[1];
  if (source !== undefined) frame.source = source;
  if (rest.includes('[inline]') || rest.includes('(inlined)')) frame.inline = true;
}

const suffix =
  /(?:\.(?:cold|isra|constprop|part|llvm|lto_priv|cfi_jt|cfi|localalias|__uniq|specialized|warm|hot|unlikely|exit|startup|str|clone|kcfi|ppc_\w{1,20}|\d{1,20}|[0-9a-f]{16,40}))+$/;

/** The function's name without what the compiler added (`.isra.0.cold`, `.constprop.3`, `.llvm.123`, `__pfx_`). */
export function functionName(symbol: string): string {
  let name = symbol.replace(suffix, '');
  if (name.startsWith('.') && name.length > 1) name = name.slice(1); // powerpc ELFv1 entry points
  for (const prefix of ['__pfx_', '__cfi_']) if (name.startsWith(prefix)) name = name.slice(prefix.length);
  return name === '' ? symbol : name;
}
