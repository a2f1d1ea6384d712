// What a word looks like where a pointer should be.

import { assertNever } from '../base/errors.ts';
import { hex } from '../base/text.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { poisonKind, poisonsSlabs } from '../kernel/poison.ts';

/** What a pattern of the kernel's means; whether slabs are poisoned at all decides how sure that is. */
function poisonMeaning(kernel: Kernel, value: bigint): string | null {
  const kind = poisonKind(value);
  switch (kind) {
    case null:
      return null;
    case 'freed-object':
      return slabPattern(kernel, 'freed');
    case 'new-object':
      return slabPattern(kernel, 'new');
    case 'page':
      return 'what page_poisoning fills free pages with';
    case 'list':
      return 'what list_del() leaves in a deleted entry (LIST_POISON)';
    case 'deadbeef':
      return 'the pattern deadbeef';
    default:
      return assertNever(kind);
  }
}

/** Null where no slab is poisoned: then somebody else wrote that, text perhaps. */
function slabPattern(kernel: Kernel, objects: string): string | null {
  const on = poisonsSlabs(kernel);
  return on === false
    ? null
    : `what slab_debug fills ${objects} objects with${on === true ? '' : ', where that is on'}`;
}

/** Largest error number (include/linux/err.h). */
const maxErrno = 4095n;
/** What is below a page is NULL and the distance of a member. */
const firstPage = 4096n;

/** What is below is as likely a number as an address of a process. */
const lowAddresses = 1n << 32n;

/** `NULL`, `0x18`, `0x4141414141414141 (the text "AAAAAAAA")`. */
export function valueWords(kernel: Kernel, value: bigint): string {
  if (value === 0n) return 'NULL';
  const text = `0x${hex(value)}`;
  const meaning = meaningOf(kernel, value);
  return meaning === null ? text : `${text} (${meaning})`;
}

/** What a word that is no good pointer means; null where it means nothing. */
export function meaningOf(kernel: Kernel, value: bigint): string | null {
  if (value < firstPage) return null;
  if (value > 0xffff_ffff_ffff_ffffn - maxErrno) return `the error -${0x1_0000_0000_0000_0000n - value} as a pointer`;
  const poison = poisonMeaning(kernel, value);
  if (poison !== null) return poison;
  const text = asciiText(value);
  if (text !== null) return `the text "${text}"`;
  if (kernel.arch.isUserAddress(value) && value < lowAddresses) return null;
  if (kernel.arch.isUserAddress(value)) return 'an address of user space';
  if (!kernel.arch.isKernelAddress(value)) return 'no address at all: it is not canonical';
  return null;
}

/** The characters of a word, first byte first, if all of them can be printed, or those before its zeroes (4 at least); else null. */
export function asciiText(value: bigint): string | null {
  let text = '';
  let ended = false;
  for (let i = 0n; i < 8n; i++) {
    const byte = Number((value >> (i * 8n)) & 0xffn);
    if (byte === 0) ended = true;
    else if (ended || byte < 0x20 || byte > 0x7e) return null;
    else text += String.fromCharCode(byte);
  }
  return text.length >= 4 ? text : null;
}
