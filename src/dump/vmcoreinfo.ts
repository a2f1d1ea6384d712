// VMCOREINFO: the `KEY=value` lines that a kernel leaves for the readers of its dump.
//
//   OSRELEASE=6.12.0        PAGESIZE=4096       KERNELOFFSET=24e00000       CRASHTIME=1795233117
//   SYMBOL(_stext)=ffffffffa5e00000    OFFSET(page.flags)=0    NUMBER(phys_base)=-274726912    ...
//
// Written by kernel/vmcore_info.c (kernel/crash_core.c before 6.9) and the architectures' arch_crash_save_vmcoreinfo();
// documented in Documentation/admin-guide/kdump/vmcoreinfo.rst. SYMBOL() values are hexadecimal without prefix;
// SIZE(), OFFSET() and LENGTH() decimal; NUMBER() decimal, often negative, or hexadecimal with `0x`.
import { type VirtAddr, virtAddr } from '../base/address.ts';

/** Longest text looked at: the kernel's own limit is a page (up to 64 KiB). */
const maxText = 1024 * 1024;
/** Longest number: 2^64 has 20 decimal digits. */
const maxDigits = 20;

export class Vmcoreinfo {
  private readonly values: ReadonlyMap<string, string>;

  /**
   * Never throws: lines that are not `KEY=value` are skipped, and of a repeated key the last counts
   * (an updated note is appended after the old one's text).
   */
  constructor(text: string) {
    const values = new Map<string, string>();
    const nul = text.indexOf('\0');
    const end = Math.min(nul < 0 ? text.length : nul, maxText);
    for (let start = 0; start < end; ) {
      const newline = text.indexOf('\n', start);
      const stop = newline < 0 || newline > end ? end : newline;
      const equals = text.indexOf('=', start);
      if (equals > start && equals < stop) {
        values.set(text.slice(start, equals).trim(), text.slice(equals + 1, stop).trim());
      }
      start = stop + 1;
    }
    this.values = values;
  }

  /** The value of a plain key as it stands: `OSRELEASE`, `BUILD-ID`, `CRASHTIME`, `SYMBOL(_stext)`. */
  text(key: string): string | null {
    return this.values.get(key) ?? null;
  }

  /** Every key and value, in the order of the note. */
  entries(): Iterable<[string, string]> {
    return this.values.entries();
  }

  /** `SYMBOL(name)`: the virtual address of a kernel symbol. */
  symbol(name: string): VirtAddr | null {
    const value = parseUnsigned(this.values.get(`SYMBOL(${name})`), 16);
    return value === null ? null : virtAddr(value);
  }

  /** `NUMBER(name)`: as written, so negative where the kernel printed it signed. */
  number(name: string): bigint | null {
    return parseSigned(this.values.get(`NUMBER(${name})`));
  }

  /** `SIZE(type)`: bytes in a type. */
  size(type: string): number | null {
    return toCount(this.values.get(`SIZE(${type})`));
  }

  /** `OFFSET(type.member)`: byte offset of a member; pass `type.member`. */
  offset(member: string): number | null {
    return toCount(this.values.get(`OFFSET(${member})`));
  }

  /** `LENGTH(name)`: elements of an array. */
  length(name: string): number | null {
    return toCount(this.values.get(`LENGTH(${name})`));
  }

  /** The kernel's release as `uname -r` prints it. */
  get release(): string | null {
    return this.text('OSRELEASE');
  }

  /** GNU build ID of vmlinux, lower-case hexadecimal (since 5.13). */
  get buildId(): string | null {
    return this.text('BUILD-ID');
  }

  /** Bytes in a page; null unless a power of two from 4 KiB to 1 MiB. */
  get pageSize(): number | null {
    const size = toCount(this.values.get('PAGESIZE'));
    return size !== null && size >= 4096 && size <= 1024 * 1024 && (size & (size - 1)) === 0 ? size : null;
  }

  /** Distance in bytes that KASLR moved the kernel's image from its linked address; null where not told. */
  get kernelOffset(): bigint | null {
    return parseUnsigned(this.values.get('KERNELOFFSET'), 16);
  }

  /** When the kernel crashed, in seconds since 1970; null for a note not written by a panic. */
  get crashTime(): number | null {
    return toCount(this.values.get('CRASHTIME'));
  }
}

function parseUnsigned(text: string | undefined, radix: 10 | 16): bigint | null {
  if (text === undefined || text.length > maxDigits + 2) return null;
  if (radix === 16) {
    const digits = text.startsWith('0x') ? text.slice(2) : text;
    return /^[0-9a-fA-F]{1,16}$/.test(digits) ? BigInt(`0x${digits}`) : null;
  }
  if (!/^[0-9]{1,20}$/.test(text)) return null;
  const value = BigInt(text);
  return value <= 0xffff_ffff_ffff_ffffn ? value : null;
}

function parseSigned(text: string | undefined): bigint | null {
  if (text === undefined) return null;
  const magnitude = text.startsWith('-') ? text.slice(1) : text;
  const value = parseUnsigned(magnitude, magnitude.startsWith('0x') ? 16 : 10);
  if (value === null) return null;
  return text.startsWith('-') ? -value : value;
}

/** A decimal count that is exact as a number. */
function toCount(text: string | undefined): number | null {
  const value = parseUnsigned(text, 10);
  return value !== null && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null;
}
