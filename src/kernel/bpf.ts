// include/linux/bpf.h: the BPF programs and maps that are loaded.
//
//   prog_idr --> bpf_prog { insnsi[], bpf_func, aux } --> bpf_prog_aux { id, name, used_maps }      map_idr --> bpf_map
import { offsetBy, type VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';
import { xarrayEntries } from './xarray.ts';

export interface BpfProgram {
  readonly id: number;
  /** Virtual address of the `struct bpf_prog`, and of its `struct bpf_prog_aux`. */
  readonly address: VirtAddr;
  readonly aux: VirtAddr;
  /** Name of its type without BPF_PROG_TYPE_: `CGROUP_SKB`. */
  readonly type: string;
  /** Eight bytes that stand for its instructions, hexadecimal. */
  readonly tag: string;
  /** Empty where it was given none. */
  readonly name: string;
  readonly usedMaps: readonly number[];
  /** Instructions of the translated program. */
  readonly length: number;
  /** Bytes of machine code; 0 where it is interpreted. */
  readonly codeSize: number;
  /** Virtual address of its machine code, or of the interpreter. */
  readonly code: VirtAddr;
  /** Pages that it takes. */
  readonly pages: number;
  /** When it was loaded, in nanoseconds since boot. */
  readonly loadTime: bigint;
  readonly gplCompatible: boolean;
  /** Who loaded it; null where the kernel does not note it. */
  readonly uid: number | null;
}

export interface BpfMap {
  readonly id: number;
  /** Virtual address of the `struct bpf_map`. */
  readonly address: VirtAddr;
  /** Name of its type without BPF_MAP_TYPE_: `HASH`. */
  readonly type: string;
  readonly flags: number;
  /** Bytes. */
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly name: string;
  /** Who made it; null where the kernel does not note it (since 5.11). */
  readonly uid: number | null;
  /** Pages that were counted for it; null where the kernel counts by memory cgroup (since 5.11). */
  readonly pages: number | null;
}

/** One instruction of a program (include/uapi/linux/bpf.h: struct bpf_insn). */
export interface BpfInstruction {
  readonly code: number;
  readonly destination: number;
  readonly source: number;
  /** Signed. */
  readonly offset: number;
  /** Signed. */
  readonly immediate: number;
}

/** Most maps of one program (MAX_USED_MAPS is 64) and instructions (BPF_MAXINSNS; a million since 5.2) believed. */
const maxMaps = 4096;
const maxInstructions = 1_000_000;

/** Loaded programs by id. One that cannot be read costs itself. */
export function* bpfPrograms(kernel: Kernel): Generator<BpfProgram> {
  for (const prog of idrEntries(kernel, 'prog_idr', 'struct bpf_prog')) {
    const program = kernel.faults.attempt('BPF program', () => readProgram(kernel, prog), null);
    if (program !== null) yield program;
  }
}

/** Maps by id. One that cannot be read costs itself. */
export function* bpfMaps(kernel: Kernel): Generator<BpfMap> {
  for (const object of idrEntries(kernel, 'map_idr', 'struct bpf_map')) {
    const map = kernel.faults.attempt('BPF map', () => readMap(object), null);
    if (map !== null) yield map;
  }
}

function* idrEntries(kernel: Kernel, name: string, type: string): Generator<KernelObject> {
  const idr = kernel.faults.attempt(name, () => kernel.optionalVariable(name), null);
  if (idr === null) return;
  for (const { entry } of xarrayEntries(idr.member('idr_rt'), kernel.faults)) yield kernel.object(type, entry);
}

function readProgram(kernel: Kernel, prog: KernelObject): BpfProgram {
  const aux = prog.member('aux').deref();
  // a union with the digest of SHA-256 since 6.18
  const tag = prog.member('tag').bytes();
  return {
    id: aux.member('id').number(),
    address: prog.address,
    aux: aux.address,
    type: shortName(prog.member('type'), 'BPF_PROG_TYPE_'),
    tag: Buffer.from(tag).toString('hex'),
    name: aux.optional('name')?.string() ?? '',
    usedMaps: kernel.faults.attempt('maps of a BPF program', () => usedMaps(aux), []),
    length: prog.member('len').number(),
    codeSize: prog.member('jited_len').number(),
    code: prog.member('bpf_func').pointer(),
    pages: prog.member('pages').number(),
    loadTime: aux.member('load_time').bigint(),
    gplCompatible: prog.member('gpl_compatible').bool(),
    uid: userOf(kernel, aux.optional('user')),
  };
}

function usedMaps(aux: KernelObject): number[] {
  const count = aux.member('used_map_cnt').number();
  if (count > maxMaps) throw new FormatError('BPF program', `uses ${count} maps`);
  const maps = aux.member('used_maps');
  return Array.from({ length: count }, (_, i) => maps.index(i).member('id').number());
}

function readMap(map: KernelObject): BpfMap {
  const memory = map.optional('memory');
  return {
    id: map.member('id').number(),
    address: map.address,
    type: shortName(map.member('map_type'), 'BPF_MAP_TYPE_'),
    flags: map.member('map_flags').number(),
    keySize: map.member('key_size').number(),
    valueSize: map.member('value_size').number(),
    maxEntries: map.member('max_entries').number(),
    name: map.optional('name')?.string() ?? '',
    uid: userOf(map.context as Kernel, memory?.optional('user') ?? map.optional('user')),
    pages: (memory?.optional('pages') ?? map.optional('pages'))?.number() ?? null,
  };
}

function userOf(kernel: Kernel, user: KernelObject | null): number | null {
  if (user === null) return null;
  return kernel.faults.attempt(
    'user of a BPF object',
    () => (user.isNull ? null : user.member('uid').member('val').number()),
    null,
  );
}

function shortName(value: KernelObject, prefix: string): string {
  const name = value.enumName();
  return name === null ? String(value.bigint()) : name.replace(prefix, '');
}

/** The translated instructions of a program. @throws MemoryFault; FormatError for an absurd number of them */
export function bpfInstructions(kernel: Kernel, program: BpfProgram): BpfInstruction[] {
  if (program.length > maxInstructions) throw new FormatError('BPF program', `${program.length} instructions`);
  const start = kernel.object('struct bpf_prog', program.address).member('insnsi').address;
  const bytes = kernel.space.read(offsetBy(start, 0), program.length * 8);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: program.length }, (_, i) => {
    const registers = view.getUint8(i * 8 + 1);
    return {
      code: view.getUint8(i * 8),
      destination: registers & 0xf,
      source: registers >> 4,
      offset: view.getInt16(i * 8 + 2, true),
      immediate: view.getInt32(i * 8 + 4, true),
    };
  });
}
