// Machine checks as the kernel keeps them: struct mce (arch/x86/include/uapi/asm/mce.h), in records of pstore and in the
// memory of a dead kernel. Its fields only grew at the end.

import { type VirtAddr, virtAddr } from '../../base/address.ts';
import { MemoryFault } from '../../base/errors.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { HardwareError } from './hardware_error.ts';
import { describeMachineCheck, type MachineCheck } from './mca.ts';

/** Reports that the kernel had not printed when it died. */
const maxWaiting = 1024;

/** X86_VENDOR_INTEL, X86_VENDOR_AMD, X86_VENDOR_HYGON. */
function vendorOf(number: number): MachineCheck['vendor'] {
  return number === 0 ? 'intel' : number === 2 || number === 9 ? 'amd' : 'other';
}

/** MCI_STATUS_VAL */
const valid = 1n << 63n;
/** MCE_INJECT: bits of `inject_flags` say how it was made. */
const injected = (flags: number): boolean => flags !== 0;

/** The machine check of a pstore record; null: it holds none. */
export function machineCheckOfBytes(bytes: Uint8Array): HardwareError | null {
  if (bytes.length < 72) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = (at: number): bigint | null => (at + 8 <= bytes.length ? view.getBigUint64(at, true) : null);
  const status = long(0)!;
  if ((status & valid) === 0n) return null;
  const time = Number(long(48));
  return describeMachineCheck({
    vendor: vendorOf(view.getUint8(56)),
    cpuid: view.getUint32(60, true),
    cpu: view.getUint32(68, true),
    socket: bytes.length >= 76 ? view.getUint32(72, true) : null,
    bank: view.getUint8(65),
    status,
    address: long(16),
    misc: long(8),
    globalStatus: long(24),
    ipid: long(96),
    syndrome: long(88),
    instruction: long(32),
    time: time > 0 && time < 2 ** 40 ? time : null,
    microcode: bytes.length >= 116 ? view.getUint32(112, true) : null,
    injected: injected(view.getUint8(57)),
  });
}

function machineCheckOf(mce: KernelObject): HardwareError | null {
  const status = mce.member('status').bigint();
  if ((status & valid) === 0n) return null;
  const long = (name: string): bigint | null => (mce.has(name) ? mce.member(name).bigint() : null);
  const time = Number(long('time') ?? 0n);
  return describeMachineCheck({
    vendor: vendorOf(mce.member('cpuvendor').number()),
    cpuid: mce.member('cpuid').number(),
    cpu: mce.member('extcpu').number(),
    socket: mce.member('socketid').number(),
    bank: mce.member('bank').number(),
    status,
    address: long('addr'),
    misc: long('misc'),
    globalStatus: long('mcgstatus'),
    ipid: long('ipid'),
    syndrome: long('synd'),
    instruction: long('ip'),
    time: time > 0 && time < 2 ** 40 ? time : null,
    microcode: mce.has('microcode') ? mce.member('microcode').number() : null,
    injected: injected(mce.member('inject_flags').number()),
  });
}

/** What a dead kernel had seen and not printed yet, or died of. Empty: nothing, or it is no x86. */
export function machineChecksOfKernel(kernel: Kernel): HardwareError[] {
  const { faults } = kernel;
  const errors: HardwareError[] = [];
  const take = (what: string, read: () => KernelObject): void => {
    const error = faults.attempt(what, () => machineCheckOf(read()), null);
    if (error !== null) errors.push(error);
  };
  // the worst of each CPU while the machine stops: 1ca65de1d6a5 (6.13) has it in a struct mce_hw_err
  for (const cpu of kernel.cpus.possible) {
    if (kernel.ownSymbol('hw_errs_seen') !== null)
      take(`machine check of CPU ${cpu}`, () => kernel.perCpu('hw_errs_seen', cpu).member('m'));
    else if (kernel.ownSymbol('mces_seen') !== null)
      take(`machine check of CPU ${cpu}`, () => kernel.perCpu('mces_seen', cpu));
  }
  for (const node of waiting(kernel)) {
    const entry = kernel.object('mce_evt_llist', node);
    take('machine check that waits', () => (entry.has('mce') ? entry.member('mce') : entry.member('err').member('m')));
  }
  return errors;
}

/** The list of reports that wait for their worker: mce_event_llist, arch/x86/kernel/cpu/mce/genpool.c. */
function waiting(kernel: Kernel): VirtAddr[] {
  const symbol = kernel.ownSymbol('mce_event_llist');
  if (symbol === null || kernel.types.find('struct mce_evt_llist') === null) return [];
  const nodes: VirtAddr[] = [];
  const seen = new Set<bigint>();
  try {
    let next = kernel.object('llist_head', symbol.address).member('first').pointer();
    while (next !== 0n && nodes.length < maxWaiting && !seen.has(next)) {
      seen.add(next);
      nodes.push(virtAddr(next));
      next = kernel.object('llist_node', next).member('next').pointer();
    }
  } catch (error) {
    if (!(error instanceof MemoryFault)) throw error;
    kernel.faults.attempt(
      'machine checks that wait',
      () => {
        throw error;
      },
      null,
    );
  }
  return nodes;
}
