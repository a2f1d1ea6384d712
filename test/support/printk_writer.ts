// Writes the kernel's log into a synthetic kernel, in each of its layouts.
import type { VirtAddr } from '../../src/base/address.ts';
import type { SyntheticKernel } from './synthetic_kernel.ts';

/** The structs of the lockless log (kernel/printk/printk_ringbuffer.h, 5.10 and later). */
export const ringbufferTypes = `
  struct atomic_long { long counter; };
  typedef struct atomic_long atomic_long_t;
  struct dev_printk_info { char subsystem[16]; char device[48]; };
  struct printk_info {
    u64 seq; u64 ts_nsec; u16 text_len; u8 facility; u8 flags : 5; u8 level : 3; u32 caller_id;
    struct dev_printk_info dev_info;
  };
  struct prb_data_blk_lpos { unsigned long begin; unsigned long next; };
  struct prb_desc { atomic_long_t state_var; struct prb_data_blk_lpos text_blk_lpos; };
  struct prb_data_ring { unsigned int size_bits; char *data; atomic_long_t head_lpos; atomic_long_t tail_lpos; };
  struct prb_desc_ring {
    unsigned int count_bits; struct prb_desc *descs; struct printk_info *infos;
    atomic_long_t head_id; atomic_long_t tail_id;
  };
  struct printk_ringbuffer { struct prb_desc_ring desc_ring; struct prb_data_ring text_data_ring; atomic_long_t fail; };
`;

/** VMCOREINFO of a kernel that tells the layout of its log: for readers without types and symbols. */
export function ringbufferVmcoreinfo(prb: bigint): string {
  return `SYMBOL(prb)=${prb.toString(16)}
SIZE(printk_ringbuffer)=88
OFFSET(printk_ringbuffer.desc_ring)=0
OFFSET(printk_ringbuffer.text_data_ring)=40
OFFSET(prb_desc_ring.count_bits)=0
OFFSET(prb_desc_ring.descs)=8
OFFSET(prb_desc_ring.infos)=16
OFFSET(prb_desc_ring.head_id)=24
OFFSET(prb_desc_ring.tail_id)=32
SIZE(prb_desc)=24
OFFSET(prb_desc.state_var)=0
OFFSET(prb_desc.text_blk_lpos)=8
OFFSET(prb_data_blk_lpos.begin)=0
OFFSET(prb_data_blk_lpos.next)=8
SIZE(printk_info)=88
OFFSET(printk_info.seq)=0
OFFSET(printk_info.ts_nsec)=8
OFFSET(printk_info.text_len)=16
OFFSET(printk_info.caller_id)=20
OFFSET(printk_info.dev_info)=24
OFFSET(dev_printk_info.subsystem)=0
LENGTH(printk_info_subsystem)=16
OFFSET(dev_printk_info.device)=16
LENGTH(printk_info_device)=48
OFFSET(prb_data_ring.size_bits)=0
OFFSET(prb_data_ring.data)=8
OFFSET(atomic_long_t.counter)=0
`;
}

export interface LogEntry {
  readonly text: string;
  readonly ns?: bigint;
  readonly level?: number;
  readonly caller?: number;
  readonly subsystem?: string;
  readonly device?: string;
  /** 0 reserved, 1 committed, 2 finalized, 3 reusable; 2 unless told. */
  readonly state?: number;
  /** Positions instead of where the text would go: 1 no room for it, 3 an empty line. */
  readonly lpos?: bigint;
}

export interface RingbufferOptions {
  readonly countBits?: number;
  readonly sizeBits?: number;
  /** Id of the first record: ids grow without end. */
  readonly firstId?: bigint;
  /** Position of the first text. */
  readonly firstPosition?: bigint;
  /** 6.18 and later: a text that ends exactly where the ring does stays there. */
  readonly exactFit?: boolean;
}

/** Where the writer put things, for tests that damage them. */
export interface WrittenRingbuffer {
  readonly prb: VirtAddr;
  readonly descs: VirtAddr;
  readonly infos: VirtAddr;
  readonly data: VirtAddr;
}

const mask64 = 0xffff_ffff_ffff_ffffn;

/** Writes a ring; the address of the pointer to it is `symbol`. */
export function writeRingbuffer(
  kernel: SyntheticKernel,
  symbol: bigint,
  entries: readonly LogEntry[],
  options: RingbufferOptions = {},
): WrittenRingbuffer {
  const { countBits = 4, sizeBits = 12, exactFit = false } = options;
  const count = 1n << BigInt(countBits);
  const size = 1n << BigInt(sizeBits);
  const firstId = options.firstId ?? 0n;
  const [prb, descs, infos, data] = [
    kernel.reserve(88),
    kernel.reserve(Number(count) * 24),
    kernel.reserve(Number(count) * 88),
    kernel.reserve(Number(size)),
  ];
  const lastId = firstId + BigInt(entries.length) - 1n;
  kernel.space.words(symbol, prb);
  kernel.space.words(prb, BigInt(countBits), descs, infos, lastId, firstId, BigInt(sizeBits), data, 0n, 0n, 0n);

  let position = options.firstPosition ?? 0n;
  for (const [i, entry] of entries.entries()) {
    const id = firstId + BigInt(i);
    const slot = id % count;
    const text = Buffer.from(entry.text, 'latin1');
    let begin = entry.lpos ?? position;
    let next = entry.lpos ?? 0n;
    if (entry.lpos === undefined) {
      const length = BigInt(Math.ceil((8 + text.length) / 8) * 8);
      next = (begin + length) & mask64;
      let start = begin % size;
      const fits = exactFit ? start + length <= size : start + length < size;
      if (!fits) {
        // the rest of the ring stays unused: the block starts over, and reaches from the ring's start
        const wrap = (begin - start + size) & mask64;
        next = (wrap + length) & mask64;
        start = 0n;
      }
      kernel.space.words(data + start, id);
      kernel.space.write(data + start + 8n, text);
      position = next;
    }
    begin &= mask64;
    kernel.space.words(descs + slot * 24n, id | (BigInt(entry.state ?? 2) << 62n), begin, next);
    const info = Buffer.alloc(88);
    info.writeBigUInt64LE(id, 0);
    info.writeBigUInt64LE(entry.ns ?? BigInt(i) * 1_000_000n, 8);
    info.writeUInt16LE(text.length, 16);
    info[19] = (entry.level ?? 6) << 5;
    info.writeUInt32LE(entry.caller ?? 1, 20);
    info.write(entry.subsystem ?? '', 24, 'latin1');
    info.write(entry.device ?? '', 40, 'latin1');
    kernel.space.write(infos + slot * 88n, info);
  }
  return { prb, descs, infos, data };
}

/** One record of the log of 3.5 to 5.9. */
export function structuredRecord(
  text: string,
  options: { ns?: bigint; level?: number; flags?: number; dict?: string; length?: number } = {},
): Buffer {
  const dict = options.dict ?? '';
  const length = options.length ?? Math.ceil((16 + text.length + dict.length) / 8) * 8;
  const record = Buffer.alloc(Math.max(16, Math.ceil((16 + text.length + dict.length) / 8) * 8));
  record.writeBigUInt64LE(options.ns ?? 0n, 0);
  record.writeUInt16LE(length, 8);
  record.writeUInt16LE(text.length, 10);
  record.writeUInt16LE(dict.length, 12);
  record[15] = ((options.level ?? 6) << 5) | (options.flags ?? 2);
  record.write(text, 16, 'latin1');
  record.write(dict, 16 + text.length, 'latin1');
  return record;
}

/** Writes the log of 3.5 to 5.9. @param ring its bytes; @param first, @param next offsets of the first record and of the end */
export function writeStructuredLog(kernel: SyntheticKernel, ring: Buffer, first: number, next: number): void {
  const buffer = kernel.reserve(ring.length);
  kernel.space.write(buffer, ring);
  const variables = kernel.reserve(64);
  for (const [i, [name, value]] of (
    [
      ['log_buf', buffer],
      ['log_buf_len', BigInt(ring.length)],
      ['log_first_idx', BigInt(first)],
      ['log_next_idx', BigInt(next)],
      ['log_first_seq', 7n],
    ] as const
  ).entries()) {
    kernel.define(name, variables + BigInt(i * 8));
    kernel.space.words(variables + BigInt(i * 8), value);
  }
}
