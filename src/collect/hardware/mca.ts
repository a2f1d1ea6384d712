// x86 machine checks: what a bank's status register says. Intel's manual, volume 3B, chapters 17 and 18 ("Machine-check
// architecture", "Interpreting machine-check error codes"); AMD's manual, volume 2, chapter 9, and the processor programming
// references for scalable MCA; arch/x86/include/asm/mce.h.
import { type HardwareError, type HardwareSeverity, type HardwareUnit, hardwareError, hex } from './hardware_error.ts';
import { intelBank } from './intel_banks.ts';
import { scalableBank } from './smca.ts';

/** A machine check as the kernel records it: struct mce. */
export interface MachineCheck {
  readonly vendor: 'intel' | 'amd' | 'other';
  /** CPUID of the processor; null: unknown. */
  readonly cpuid: number | null;
  readonly cpu: number | null;
  readonly socket: number | null;
  readonly bank: number;
  readonly status: bigint;
  readonly address: bigint | null;
  readonly misc: bigint | null;
  /** IA32_MCG_STATUS: what the processor says of the moment. */
  readonly globalStatus: bigint | null;
  /** Scalable MCA: which block it was, and where in it. */
  readonly ipid: bigint | null;
  readonly syndrome: bigint | null;
  readonly instruction: bigint | null;
  /** Seconds since 1970. */
  readonly time: number | null;
  readonly microcode: number | null;
  readonly injected: boolean;
}

export const machineCheckDefaults: MachineCheck = {
  vendor: 'other',
  cpuid: null,
  cpu: null,
  socket: null,
  bank: 0,
  status: 0n,
  address: null,
  misc: null,
  globalStatus: null,
  ipid: null,
  syndrome: null,
  instruction: null,
  time: null,
  microcode: null,
  injected: false,
};

const bit = (value: bigint, n: number): boolean => ((value >> BigInt(n)) & 1n) === 1n;
const bits = (value: bigint, from: number, count: number): number =>
  Number((value >> BigInt(from)) & ((1n << BigInt(count)) - 1n));

/** Banks of processors that have no name for their numbers. */
const software = new Map([
  [128, 'the thermal sensor'],
  [254, 'firmware'],
]);

/** What a machine check says. */
export function describeMachineCheck(check: MachineCheck): HardwareError {
  const { vendor, status, bank, misc } = check;
  const code = bits(status, 0, 16);
  const meaning = codeMeaning(code);
  const block =
    vendor === 'amd' && check.ipid !== null && check.ipid !== 0n
      ? scalableBank(check.ipid, bits(status, 16, 6))
      : vendor === 'intel'
        ? intelBank(check.cpuid, bank)
        : null;
  const unit: HardwareUnit =
    meaning.unit === 'unknown' || block?.certain === true ? (block?.unit ?? meaning.unit) : meaning.unit;
  const details: [string, string][] = [['flags', flagsOf(check).join(' ')]];
  if (misc !== null) details.push(['misc', hex(misc)]);
  if (check.syndrome !== null && check.syndrome !== 0n) details.push(['syndrome', hex(check.syndrome)]);
  if (check.instruction !== null && check.instruction !== 0n) details.push(['instruction', hex(check.instruction)]);
  if (check.microcode !== null) details.push(['microcode', hex(check.microcode)]);
  const address = bit(status, 58) ? usable(check) : null;
  const place = block?.name ?? software.get(bank) ?? `bank ${bank}`;
  return hardwareError({
    source: 'mce',
    severity: severityOf(check),
    unit,
    what: `${block?.error ?? meaning.what} (${place})`,
    cpu: check.cpu,
    socket: check.socket,
    bank,
    status: hex(status),
    address: address === null ? null : hex(address),
    location: locationOf(check, code, block?.channel ?? null),
    count: vendor === 'intel' && !bit(status, 61) ? Math.max(1, bits(status, 38, 15)) : 1,
    time: check.time,
    injected: check.injected,
    details,
  });
}

/** The address, without the low bits that MISC says mean nothing (Intel's recoverable errors, AMD's by its own mask). */
function usable({ vendor, address, misc, status }: MachineCheck): bigint | null {
  if (address === null) return null;
  if (vendor === 'intel' && misc !== null && bit(status, 59)) {
    const mode = bits(misc, 6, 3);
    // 2: a physical address; 0 to 6 are other kinds, of which 3 is memory's own
    if (mode !== 2 && mode !== 0) return null;
    const low = BigInt(bits(misc, 0, 6));
    return (address >> low) << low;
  }
  return address;
}

export function severityOf({ vendor, status, globalStatus }: MachineCheck): HardwareSeverity {
  if (vendor === 'amd' && bit(status, 44) && !bit(status, 61)) return 'deferred';
  if (!bit(status, 61)) return 'corrected';
  const corrupt = bit(status, 57);
  // not restartable: MCG_STATUS.RIPV is clear
  const stopped = globalStatus !== null && bit(globalStatus, 2) && !bit(globalStatus, 0);
  return corrupt || stopped ? 'fatal' : 'recoverable';
}

/** The flags of a status register that mean something on this processor. */
export function flagsOf({ vendor, status }: MachineCheck): string[] {
  const flags: string[] = [];
  const add = (n: number, name: string): void => {
    if (bit(status, n)) flags.push(name);
  };
  add(62, 'overflow');
  add(61, 'uncorrected');
  add(60, 'enabled');
  add(59, 'misc-valid');
  add(58, 'address-valid');
  add(57, 'context-corrupt');
  if (vendor === 'amd') {
    add(55, 'task-context-corrupt');
    add(53, 'syndrome-valid');
    add(46, 'corrected-ecc');
    add(45, 'uncorrected-ecc');
    add(44, 'deferred');
    add(43, 'poison');
    add(40, 'by-scrubber');
  } else {
    add(56, 'signalled');
    add(55, 'action-required');
  }
  return flags;
}

const levels = ['L0', 'L1', 'L2', 'generic-level'];
const requests = [
  'an access',
  'a read',
  'a write',
  'a data read',
  'a data write',
  'an instruction fetch',
  'a prefetch',
  'an eviction',
  'a snoop',
];

/** The architectural error code, bits 15:0 of the status: the same on Intel's and AMD's processors. */
export function codeMeaning(code: number): { readonly unit: HardwareUnit; readonly what: string } {
  // bit 12: corrected errors come so often that they are filtered
  const plain = code & ~0x1000;
  const level = levels[plain & 3]!;
  const kind = ['instruction', 'data', 'generic'][(plain >> 2) & 3] ?? 'generic';
  const request = requests[(plain >> 4) & 15] ?? 'an access';
  if (plain === 0) return { unit: 'unknown', what: 'no error code' };
  if (plain === 1) return { unit: 'unknown', what: 'an error of no class' };
  if (plain === 2) return { unit: 'core', what: 'parity error in the microcode ROM' };
  if (plain === 3) return { unit: 'platform', what: 'another processor or the board signalled an error' };
  if (plain === 4) return { unit: 'core', what: 'redundant units of a processor disagreed' };
  if (plain === 5) return { unit: 'core', what: 'parity error inside a core' };
  if (plain === 6) return { unit: 'platform', what: 'a handler of system management mode ran outside its memory' };
  if (plain === 0x400) return { unit: 'core', what: 'internal timer: nothing was retired for too long' };
  if (plain === 0xe0b) return { unit: 'pcie', what: 'input or output error on a port of the processor' };
  if ((plain & 0xfc00) === 0x400) return { unit: 'core', what: 'internal error without a class' };
  if ((plain & 0xfffc) === 0x000c) return { unit: 'cache', what: `error of a ${level} cache` };
  if ((plain & 0xfff0) === 0x0010) return { unit: 'cache', what: `error of a ${level} ${kind} TLB` };
  if ((plain & 0xff80) === 0x0080) {
    const what =
      ['an access', 'a read', 'a write', 'address and command', 'scrubbing'][(plain >> 4) & 7] ?? 'an access';
    return { unit: 'memory', what: `memory error in ${what}` };
  }
  if ((plain & 0xff80) === 0x0280) return { unit: 'memory', what: 'error of memory used as a cache' };
  if ((plain & 0xff00) === 0x0100) return { unit: 'cache', what: `error of the ${level} ${kind} cache in ${request}` };
  if ((plain & 0xf800) === 0x0800) {
    const late = (plain & 0x100) !== 0 ? ', timed out' : '';
    const to = ['memory', 'a reserved space', 'input and output', 'other'][(plain >> 2) & 3]!;
    return {
      unit: to === 'memory' ? 'memory' : to === 'input and output' ? 'pcie' : 'interconnect',
      what: `bus or interconnect error in ${request} to ${to}${late}`,
    };
  }
  return { unit: 'unknown', what: `error code ${hex(code)}` };
}

function locationOf({ vendor, ipid }: MachineCheck, code: number, channel: string | null): string | null {
  if (channel !== null) return channel;
  const plain = code & ~0x1000;
  if (vendor === 'intel' && (plain & 0xff80) === 0x0080 && (plain & 15) !== 15) return `channel ${plain & 15}`;
  if (vendor === 'amd' && ipid !== null && ipid !== 0n && bits(ipid, 32, 12) === 0x96)
    return `memory controller ${bits(ipid, 20, 12)}`;
  return null;
}
