// Unpacking gzip, zlib, zstd and xz piece by piece and synchronously, whatever the size: what goes in and comes out is
// a stream of short pieces.
import * as zlib from 'node:zlib';
import { FormatError, messageOf, UnsupportedError } from '../../base/errors.ts';
import { type ZlibHandle, zlibHandle } from '../../base/zlib_handle.ts';
import type { Packing } from './packing.ts';
import { xzUnpacker } from './unpack_xz.ts';
import type { Emit, Unpacker } from './unpacker.ts';

/**
 * Unpacks a stream.
 * @param what names it in errors
 * @param limit most bytes that may come out
 * @returns the bytes that came out
 * @throws FormatError for a stream that is damaged, cut or larger than the limit; UnsupportedError where the packing
 *   cannot be undone in this installation
 */
export function unpackStream(
  packing: Packing,
  what: string,
  pieces: Iterable<Uint8Array>,
  emit: Emit,
  limit: number,
): number {
  const unpacker = unpackerOf(packing);
  let total = 0;
  const counted: Emit = (bytes) => {
    total += bytes.length;
    if (total > limit) throw new FormatError(what, `unpacks to more than ${limit} bytes`);
    emit(bytes);
  };
  try {
    for (const piece of pieces) unpacker.push(piece, counted);
    unpacker.end(counted);
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(what, `cannot be unpacked (${packing}): ${messageOf(error)}`);
  }
  return total;
}

function unpackerOf(packing: Packing): Unpacker {
  return packing === 'xz' ? xzUnpacker() : new NodeUnpacker(packing);
}

/**
 * As `unpackStream`, for who takes the bytes one piece after the other. What could be unpacked of a damaged stream comes before
 * the error.
 */
export function* unpackPieces(
  packing: Packing,
  what: string,
  pieces: Iterable<Uint8Array>,
): Generator<Uint8Array, void, undefined> {
  const unpacker = unpackerOf(packing);
  let out: Uint8Array[] = [];
  const take: Emit = (bytes) => out.push(bytes);
  const given = function* (step: () => void): Generator<Uint8Array> {
    let problem: unknown = null;
    try {
      step();
    } catch (error) {
      problem = error;
    }
    const ready = out;
    out = [];
    yield* ready;
    if (problem instanceof FormatError) throw problem;
    if (problem !== null) throw new FormatError(what, `cannot be unpacked (${packing}): ${messageOf(problem)}`);
  };
  // small pieces: a few bytes may unpack to many
  for (const piece of pieces)
    for (let at = 0; at < piece.length; at += pieceSize)
      yield* given(() => unpacker.push(piece.subarray(at, at + pieceSize), take));
  yield* given(() => unpacker.end(take));
}

const pieceSize = 16 * 1024;

const roomSize = 1 << 18;
const noFlush = 0; // Z_NO_FLUSH, and ZSTD_e_continue

/** Node's decompressors by their native handle. */
class NodeUnpacker implements Unpacker {
  private readonly handle: ZlibHandle;
  private readonly finish: number;
  private readonly room = new Uint8Array(roomSize);
  private problem: string | null = null;

  constructor(packing: 'gzip' | 'zlib' | 'zstd') {
    const createZstd: typeof zlib.createZstdDecompress | undefined = zlib.createZstdDecompress;
    if (packing === 'zstd' && createZstd === undefined) throw new UnsupportedError('zstd', 'needs Node 22.15 or later');
    const stream = packing === 'zstd' ? createZstd!() : packing === 'gzip' ? zlib.createGunzip() : zlib.createInflate();
    const handle = zlibHandle(stream);
    if (handle === null) throw new UnsupportedError(packing, 'cannot be unpacked piece by piece with this Node');
    this.handle = handle;
    this.finish = packing === 'zstd' ? zlib.constants.ZSTD_e_end : zlib.constants.Z_FINISH;
    this.handle.onerror = (message) => {
      this.problem = message;
    };
  }

  push(piece: Uint8Array, emit: Emit): void {
    this.write(noFlush, piece, emit);
  }

  end(emit: Emit): void {
    this.write(this.finish, new Uint8Array(0), emit);
  }

  private write(flush: number, piece: Uint8Array, emit: Emit): void {
    for (let at = 0; ; ) {
      const { room } = this;
      this.handle.writeSync(flush, piece, at, piece.length - at, room, 0, room.length);
      if (this.problem !== null) throw new Error(this.problem);
      const written = room.length - this.handle.left[0]!;
      const read = piece.length - at - this.handle.left[1]!;
      if (written > 0) emit(room.slice(0, written));
      at += read;
      if (written < room.length && (at === piece.length || read === 0)) return; // what is left is behind the stream's end
    }
  }
}
