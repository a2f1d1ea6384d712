// One thing that hardware said of itself, whoever wrote it down.

export type HardwareUnit =
  /** DIMMs, and what is between them and the memory controller */
  | 'memory'
  /** the memory controller itself */
  | 'memory-controller'
  /** caches, TLBs and the like */
  | 'cache'
  /** a core's other parts */
  | 'core'
  /** what joins processors, caches and controllers */
  | 'interconnect'
  | 'pcie'
  | 'cxl'
  /** power control, security processors, firmware */
  | 'platform'
  | 'unknown';

export type HardwareSeverity =
  /** put right by the hardware */
  | 'corrected'
  /** bad data was found and marked; nobody has used it */
  | 'deferred'
  /** data are lost, and the kernel could go on */
  | 'recoverable'
  | 'fatal';

export interface HardwareError {
  /** Who told: the processor's machine check banks, firmware's records, the drivers of memory controllers and of PCIe, ... */
  readonly source: 'mce' | 'cper' | 'edac' | 'aer' | 'arm' | 'kernel';
  readonly severity: HardwareSeverity;
  readonly unit: HardwareUnit;
  /** A sentence without its place and time. */
  readonly what: string;
  readonly cpu: number | null;
  readonly socket: number | null;
  readonly bank: number | null;
  /** The status register, `0x...`. */
  readonly status: string | null;
  /** Physical address, `0x...`. */
  readonly address: string | null;
  /** Slot or DIMM as the board or the driver names it; channel and the like where it does not. */
  readonly location: string | null;
  /** PCI device, `0000:01:00.0`. */
  readonly device: string | null;
  /** How often, where one line stands for several. */
  readonly count: number;
  /** Seconds since 1970. */
  readonly time: number | null;
  /** Made on purpose, by an error injection tool. */
  readonly injected: boolean;
  /** What else was said: names and values. */
  readonly details: readonly (readonly [string, string])[];
}

export function hardwareError(
  known: Pick<HardwareError, 'source' | 'severity' | 'unit' | 'what'> & Partial<HardwareError>,
): HardwareError {
  return {
    cpu: null,
    socket: null,
    bank: null,
    status: null,
    address: null,
    location: null,
    device: null,
    count: 1,
    time: null,
    injected: false,
    details: [],
    ...known,
  };
}

export const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
