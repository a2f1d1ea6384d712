// include/linux/utsname.h: what uname(2) told in the first namespace.
import { offsetBy } from '../base/address.ts';
import { latin1 } from '../base/byte_reader.ts';
import { findMember } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';

export interface Utsname {
  readonly sysname: string;
  readonly nodename: string;
  readonly release: string;
  readonly version: string;
  readonly machine: string;
  readonly domainname: string;
}

/** Bytes of each field of struct new_utsname (include/uapi/linux/utsname.h: __NEW_UTS_LEN + 1), stable user-space ABI. */
const fieldLength = 65;

/**
 * init_uts_ns.name. Found by VMCOREINFO, so that it needs neither symbols nor types.
 * @throws NotFoundError, MemoryFault
 */
export function readUtsname(kernel: Kernel): Utsname {
  const { vmcoreinfo } = kernel;
  const namespace = vmcoreinfo.symbol('init_uts_ns') ?? kernel.address('init_uts_ns');
  const told = vmcoreinfo.offset('uts_namespace.name');
  const offset = told ?? (findMember(kernel.type('struct uts_namespace'), 'name')?.bitOffset ?? 0) / 8;
  const bytes = kernel.space.read(offsetBy(namespace, offset), fieldLength * 6);
  const field = (n: number): string => latin1(bytes, n * fieldLength, (n + 1) * fieldLength);
  return {
    sysname: field(0),
    nodename: field(1),
    release: field(2),
    version: field(3),
    machine: field(4),
    domainname: field(5),
  };
}
