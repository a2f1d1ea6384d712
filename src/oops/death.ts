// Which of a log's incidents the kernel died of.
import { functionName } from './frames.ts';
import type { Incident } from './incident.ts';

/** Functions that run only when the kernel dies. */
const dying =
  /^(v?panic|nmi_panic|panic_smp_self_stop|nmi_panic_self_stop|oops_(begin|end|enter|exit)|die|die_addr|__die(_body|_header)?|page_fault_oops|no_context|kernelmode_fixup_or_oops|die_kernel_fault|crash_kexec|__crash_kexec)$/;

/** Whether a function (by its symbol) runs only when the kernel dies. */
export function isDyingFunction(symbol: string): boolean {
  return dying.test(functionName(symbol));
}

/**
 * The incident that the kernel died of: the last fatal one. Where that is an exception which came while the kernel was
 * dying already (its trace goes through panic() or die()), the one before it on the same CPU, which it died of first.
 * Null where none is fatal.
 * @param incidents in the order in which they began
 */
export function fatalIncident(incidents: readonly Incident[]): Incident | null {
  let at = incidents.findLastIndex(({ fatal }) => fatal);
  if (at < 0) return null;
  while (cameWhileDying(incidents[at]!)) {
    const { cpu } = incidents[at]!;
    const before = incidents.findLastIndex(
      (other, i) => i < at && other.cpu === cpu && (other.fatal || other.dieCount !== null),
    );
    if (before < 0) break;
    at = before;
  }
  return incidents[at]!;
}

/** What came upon a death, in order: the incidents behind it on its CPU, whose traces go through the kernel's dying. */
export function laterIncidents(incidents: readonly Incident[], death: Incident): Incident[] {
  return incidents.filter(
    (other) => other.span.start > death.span.start && other.cpu === death.cpu && cameWhileDying(other),
  );
}

function cameWhileDying({ instruction, traces }: Incident): boolean {
  if (instruction === null) return false;
  return traces.some(
    ({ purpose, frames }) =>
      purpose === 'main' &&
      frames.some(({ symbol, reliable }) => reliable && symbol !== null && isDyingFunction(symbol)),
  );
}
