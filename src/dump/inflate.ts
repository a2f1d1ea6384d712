// zlib pages: one stream's native handle does all of them; where there is none, each page goes through `inflateSync`.
import * as zlib from 'node:zlib';
import { zlibHandle } from '../base/zlib_handle.ts';
import type { Decompressor } from './decompressor.ts';

/** A decompressor of whole zlib streams that are small. */
export function pageInflater(): Decompressor {
  const handle = zlibHandle(zlib.createInflate());
  if (handle === null) return inflateOnce;
  let problem: string | null = null;
  handle.onerror = (message) => {
    problem = message;
  };
  // One byte more than fits: a stream that is not over when the room is used up is an error only if room is left.
  let room = new Uint8Array(0);
  const inflate: Decompressor = (src, dst) => {
    if (room.length !== dst.length + 1) room = new Uint8Array(dst.length + 1);
    problem = null;
    handle.writeSync(zlib.constants.Z_FINISH, src, 0, src.length, room, 0, room.length);
    const length = room.length - handle.left[0]!;
    handle.reset();
    if (problem !== null) throw new Error(problem);
    if (length > dst.length) throw new Error('more data than fits');
    dst.set(room.subarray(0, length));
    return length;
  };
  return works(inflate) ? inflate : inflateOnce;
}

function inflateOnce(src: Uint8Array, dst: Uint8Array): number {
  const page = zlib.inflateSync(src, { maxOutputLength: dst.length });
  dst.set(page);
  return page.length;
}

/** Whether a decompressor gives back what was compressed, refuses what is cut, and works again after that. */
function works(inflate: Decompressor): boolean {
  const page = new Uint8Array(256).map((_, i) => (i * i) & 0x3f);
  const packed = zlib.deflateSync(page);
  const room = new Uint8Array(page.length);
  const right = (): boolean => inflate(packed, room) === page.length && room.every((byte, i) => byte === page[i]);
  try {
    if (!right()) return false;
    inflate(packed.subarray(0, packed.length - 8), room);
    return false;
  } catch {
    return right();
  }
}
