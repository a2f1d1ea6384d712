// What one source says of one boot of one machine: lines, incidents, clocks.
import type { Incident } from '../../oops/incident.ts';
import type { HardwareError } from '../hardware/hardware_error.ts';

export type SourceKind = 'dump' | 'log' | 'netconsole' | 'pstore';

/** A line that stands in several sources when they are of the same boot. */
export interface WitnessLine {
  /** Seconds since boot; null: it has no stamp. */
  readonly seconds: number | null;
  readonly text: string;
}

export interface Witness {
  /** The file, and where in it where it holds several. */
  readonly source: string;
  readonly kind: SourceKind;
  /** The machine, where the source names it. */
  readonly host: string | null;
  readonly release: string | null;
  /** systemd's or the kernel's id of the boot. */
  readonly bootId: string | null;
  /** When the boot began by this source's clock, in ms since 1970; null: it knows no wall clock. */
  readonly bootTime: number | null;
  /** The first and last stamps, in seconds since boot. */
  readonly from: number | null;
  readonly to: number | null;
  /** How many lines it has; the last of them are in `lines`. */
  readonly lineCount: number;
  readonly lines: readonly WitnessLine[];
  readonly incidents: readonly Incident[];
  readonly hardware: readonly HardwareError[];
  /** What memory says, of a dump: finer than its log. */
  readonly verdict: MemoryVerdict | null;
}

/** What a dump's memory says of the death. */
export interface MemoryVerdict {
  readonly title: string;
  readonly message: string;
  readonly function: string | null;
  readonly cpu: number | null;
  readonly pid: number | null;
  readonly comm: string | null;
  readonly signature: string | null;
}

/** Lines that are kept of a boot: its end. */
export const keptLines = 4000;

/** The incident that the machine died of, or the worst. */
export function mainIncident({ incidents }: Pick<Witness, 'incidents'>): Incident | null {
  return (
    incidents.find(({ fatal }) => fatal) ??
    incidents.findLast(({ severity }) => severity === 'fatal') ??
    incidents[0] ??
    null
  );
}
