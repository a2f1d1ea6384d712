// Which part of an Intel processor a bank of machine checks belongs to. Numbers are given to parts by model; the server
// processors' are in Intel's manual, volume 3B, "Incremental decoding information".
import type { HardwareUnit } from './hardware_error.ts';

export interface Block {
  readonly name: string;
  readonly unit: HardwareUnit;
  /** Whether the block tells more than the error code. */
  readonly certain: boolean;
  /** What the block's own error code says; null: the architectural code is all. */
  readonly error: string | null;
  /** Where in it, for people. */
  readonly channel: string | null;
}

type Part = readonly [HardwareUnit, string];
const power: Part = ['platform', 'power control unit'];
const link: Part = ['interconnect', 'link between processors'];
const home: Part = ['memory-controller', 'home agent'];
const mesh: Part = ['memory-controller', 'mesh to memory'];
const memory: Part = ['memory', 'memory controller'];
const cache: Part = ['cache', 'caching agent of the last-level cache'];

/** By model of family 6: banks and their parts. Those below 4 are the core's everywhere. */
const models: readonly {
  readonly models: readonly number[];
  readonly banks: readonly (readonly [number, number, Part])[];
}[] = [
  {
    // Haswell and Broadwell servers
    models: [0x3f, 0x4f, 0x56],
    banks: [
      [4, 4, power],
      [5, 5, link],
      [7, 8, home],
      [9, 16, memory],
      [17, 19, cache],
      [20, 21, link],
    ],
  },
  {
    // Skylake, Cascade Lake and Cooper Lake servers
    models: [0x55],
    banks: [
      [4, 4, power],
      [5, 5, link],
      [7, 8, mesh],
      [9, 11, cache],
      [12, 12, link],
      [13, 18, memory],
      [19, 19, link],
    ],
  },
  {
    // Ice Lake servers
    models: [0x6a, 0x6c],
    banks: [
      [4, 4, power],
      [5, 5, link],
      [7, 8, link],
      [9, 11, cache],
      [12, 12, mesh],
      [13, 15, memory],
      [16, 16, mesh],
      [17, 19, memory],
      [20, 20, mesh],
      [21, 23, memory],
      [24, 24, mesh],
      [25, 27, memory],
    ],
  },
];

const core: readonly Part[] = [
  ['core', 'instruction fetch unit'],
  ['cache', 'data cache unit'],
  ['cache', 'data TLB'],
  ['cache', 'mid-level cache'],
];

/** @param cpuid of the processor, as CPUID(1).EAX has it; null: unknown */
export function intelBank(cpuid: number | null, bank: number): Block | null {
  if (cpuid === null) return null;
  const family = (cpuid >> 8) & 15;
  const model = ((cpuid >> 4) & 15) | (((cpuid >> 16) & 15) << 4);
  if (family !== 6) return null;
  const banks = models.find((entry) => entry.models.includes(model))?.banks ?? [];
  const own = banks.find(([from, to]) => bank >= from && bank <= to);
  const [unit, name] = own?.[2] ?? core[bank] ?? [];
  if (unit === undefined || name === undefined) return null;
  return { name: `${name}, bank ${bank}`, unit, certain: unit === 'memory', error: null, channel: null };
}
