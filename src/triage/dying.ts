// The kernel's own ways of dying, on a stack; and where one death stands on another.
//
//   #0 machine_kexec ... oops_end        the last death, of what a notifier did
//   #6 asm_exc_page_fault
//   #7 bad_notifier < notifier_call_chain
//   #9 panic                             the first death: what follows it is older
//   #10 frob
import { type Frame, frameName } from '../kernel/backtrace.ts';
import { isDyingFunction } from '../oops/death.ts';

/** Whether a frame is of a kernel that dies. */
export function isDying(frame: Frame): boolean {
  return frame.reliable && isDyingFunction(frameName(frame));
}

/** Whether a frame is an exception or interrupt that came to kernel code. */
export function isKernelEntry(
  frame: Frame,
  isUserMode: (registers: NonNullable<Frame['registers']>) => boolean,
): boolean {
  return frame.kind === 'entry' && frame.registers !== null && !isUserMode(frame.registers);
}

/**
 * The exceptions that came while the kernel was dying already: positions of their entry frames in a stack, the last death
 * first. Empty where there was but one death.
 */
export function laterDeaths(
  frames: readonly Frame[],
  isUserMode: (registers: NonNullable<Frame['registers']>) => boolean,
): number[] {
  const entries = frames.flatMap((frame, i) => (isKernelEntry(frame, isUserMode) ? [i] : []));
  return entries.filter((entry, i) => {
    const older = frames.slice(entry + 1, (entries[i + 1] ?? frames.length - 1) + 1);
    return frames.slice(0, entry).some(isDying) && older.some(isDying);
  });
}
