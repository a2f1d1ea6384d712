// The log held against the dead kernel's own symbols and code: whether its frames fit, and the names of
// calls that never return, which text alone gets wrong.

import { type VirtAddr, virtAddr } from '../base/address.ts';
import { count } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Frame } from '../oops/frames.ts';
import { asGuilty, findGuilty } from '../oops/guilty.ts';
import type { Incident } from '../oops/incident.ts';
import { checkIncident, type FrameCheck, type Symbolizer } from '../oops/symbolizer.ts';

/** What this dump can say of the frames in a log. */
export function dumpSymbolizer(kernel: Kernel): Symbolizer {
  const symbolizer: Symbolizer = {
    find: (name, module) =>
      kernel.symbols
        .findAll(name)
        .filter((symbol) => (symbol.module ?? null) === module)
        // kallsyms has no sizes: the distance to the next symbol, which is what the kernel prints, too
        .map(({ address, size }) => (size > 0 && module === null ? { address, size } : { address })),
  };
  // where the log has a frame for what was interrupted, that follows no call
  if (!kernel.arch.backtraces.interruptedFrames) {
    symbolizer.followsCall = (address) => {
      const at = virtAddr(address);
      if (isBootCode(kernel, at) || isTrampoline(kernel, at)) return undefined;
      return kernel.space.isReadable(at) ? (kernel.arch.followsCall(kernel.space, at) ?? undefined) : undefined;
    };
  }
  return symbolizer;
}

/**
 * Code of which nothing can be said: init text, whose memory is given away after boot, and the first code of a CPU,
 * which is left by a far return instead of a call (arch/x86/kernel/head_64.S).
 */
function isBootCode(kernel: Kernel, address: VirtAddr): boolean {
  const start = kernel.ownSymbol('_sinittext')?.address;
  const end = kernel.ownSymbol('_einittext')?.address;
  if (start !== undefined && end !== undefined && address >= start && address < end) return true;
  return /^(secondary_startup_64|startup_64|common_startup_64)/.test(kernel.place(address)?.symbol.name ?? '');
}

/** Where tracers and probes let functions return to: the start of a function, which no call leads to. */
function isTrampoline(kernel: Kernel, address: VirtAddr): boolean {
  const place = kernel.place(address);
  return place?.offset === 0 && /trampoline|^return_to_handler$/.test(place.symbol.name);
}

/** Sentences on frames of an incident that this kernel cannot have printed; none if all fit. */
export function frameDisagreements(kernel: Kernel, incident: Incident): string[] {
  const checks = checkIncident(incident, dumpSymbolizer(kernel));
  const wrong = checks.filter(({ verdict }) => verdict !== 'fits' && verdict !== 'no-symbol');
  if (wrong.length === 0) return [];
  const words: Record<FrameCheck['verdict'], string> = {
    fits: 'fits',
    'no-symbol': 'is not known',
    'other-size': 'has another size here',
    outside: 'lies outside the function',
    'no-call': 'does not follow a call',
  };
  const examples = wrong
    .slice(0, 3)
    .map(({ frame, verdict }) => `${frame.symbol}+0x${(frame.offset ?? 0).toString(16)} ${words[verdict]}`);
  return [
    `${count(wrong.length, 'frame')} of ${checks.length} in the log do not fit this kernel (${examples.join('; ')}): the text may be damaged, or of another build.`,
  ];
}

/**
 * The incident with its calls that do not return named right. A call at the very end of a function (to panic(),
 * say) has its return address in the next function, and the kernel prints that one's name with offset 0.
 */
export function withNoReturnCalls(kernel: Kernel, incident: Incident): Incident {
  let changed = false;
  const rename = (frame: Frame): Frame => {
    if (frame.offset !== 0 || frame.interrupted || frame.symbol === null) return frame;
    const symbol = kernel.symbols.findAll(frame.symbol).find(({ module }) => (module ?? null) === frame.module);
    const caller = symbol === undefined ? null : kernel.place(virtAddr(symbol.address - 1n));
    if (caller === null) return frame;
    changed = true;
    return { ...frame, symbol: caller.symbol.name, offset: caller.offset + 1, size: caller.symbol.size };
  };
  const traces = incident.traces.map((trace) => ({ ...trace, frames: trace.frames.map(rename) }));
  if (!changed) return incident;
  const first = incident.instruction === null ? [] : [incident.instruction];
  const guilty = findGuilty(
    first,
    traces.filter(({ purpose }) => purpose === 'main' || purpose === 'panic'),
    incident.kind,
  );
  return guilty === null ? { ...incident, traces } : { ...incident, traces, guilty: asGuilty(guilty) };
}
