// AMD's scalable machine check architecture: each bank says in its IPID register which block it belongs to. The numbers are
// facts of the processor programming references; arch/x86/kernel/cpu/mce/amd.c has the same list.
import type { HardwareUnit } from './hardware_error.ts';
import type { Block } from './intel_banks.ts';

/** By hardware id and type of the block: `hwid:type`. */
const blocks: Readonly<Record<string, readonly [HardwareUnit, string]>> = {
  '176:0': ['core', 'load-store unit'],
  '176:16': ['core', 'load-store unit'],
  '176:1': ['core', 'instruction fetch unit'],
  '176:2': ['cache', 'L2 cache'],
  '176:3': ['core', 'decoder'],
  '176:5': ['core', 'execution unit'],
  '176:6': ['core', 'floating point unit'],
  '176:7': ['cache', 'L3 cache'],
  '46:0': ['interconnect', 'coherent slave of the data fabric'],
  '46:1': ['interconnect', 'data fabric: power, interrupts and others'],
  '46:2': ['interconnect', 'coherent slave of the data fabric'],
  '46:4': ['cache', 'last-level cache beside memory'],
  '150:0': ['memory', 'memory controller'],
  '150:1': ['memory', 'memory controller'],
  '5:0': ['platform', 'parameter block'],
  '255:0': ['platform', 'security processor'],
  '255:1': ['platform', 'security processor'],
  '1:0': ['platform', 'system management unit'],
  '1:1': ['platform', 'system management unit'],
  '1:2': ['platform', 'microprocessor 5'],
  '1:3': ['platform', 'DMA microprocessor'],
  '24:0': ['pcie', 'northbridge for input and output'],
  '70:0': ['pcie', 'PCIe root port'],
  '70:1': ['pcie', 'PCIe root port'],
  '80:0': ['interconnect', 'link between processors'],
  '601:0': ['interconnect', 'link between processors'],
  '577:0': ['interconnect', 'link between chiplets'],
  '617:0': ['interconnect', 'link between chiplets'],
  '615:0': ['interconnect', 'management link'],
  '108:0': ['pcie', 'bridge to input and output'],
  '168:0': ['platform', 'SATA controller'],
  '170:0': ['platform', 'USB controller'],
};

/** Extended error codes of a memory controller, both versions. */
const memoryErrors: readonly (string | null)[] = [
  'DRAM ECC error',
  'poisoned data in memory',
  'parity error of data from the fabric',
  null,
  'parity error of address or command on the way to a DIMM',
  'checksum or parity error of data on the way to a DIMM',
  'ECC error in a queue of the controller',
];
/** Codes that are the wires', not a DIMM's alone. */
const inController = new Set([2, 6]);

/** @param extended bits 21:16 of the status register */
export function scalableBank(ipid: bigint, extended: number): Block | null {
  const hardware = Number((ipid >> 32n) & 0xfffn);
  const type = Number((ipid >> 48n) & 0xffffn);
  const found = blocks[`${hardware}:${type}`];
  if (found === undefined) return null;
  const [unit, name] = found;
  const isMemory = hardware === 150;
  return {
    name,
    unit: isMemory && inController.has(extended) ? 'memory-controller' : unit,
    certain: true,
    error: isMemory ? (memoryErrors[extended] ?? null) : null,
    channel: null,
  };
}
