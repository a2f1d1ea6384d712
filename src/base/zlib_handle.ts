// The native handle inside a stream of node:zlib, which works synchronously and piece by piece. What Node documents is
// asynchronous or makes and throws away a stream for each call, which for a page of 4 KiB costs more than to inflate it. The
// handle is Node's own (lib/zlib.js, src/node_zlib.cc; Node 12 and later): whoever uses it has another way where it is not
// as expected, or says that there is none.
import type { Transform } from 'node:stream';

export interface ZlibHandle {
  /** Packs or unpacks what it can; `left` tells how much that was. Bad data is told to `onerror`. */
  writeSync(
    flush: number,
    src: Uint8Array,
    from: number,
    length: number,
    dst: Uint8Array,
    at: number,
    room: number,
  ): void;
  /** To begin another stream. */
  reset(): void;
  onerror?: (message: string) => void;
  /** After a write: bytes of room left, bytes not read. */
  readonly left: Uint32Array;
}

/** The handle of a stream that nothing else uses; null where this Node's streams have another inside. */
export function zlibHandle(stream: Transform): ZlibHandle | null {
  const { _handle: handle, _writeState: left } = stream as {
    readonly _handle?: Partial<Omit<ZlibHandle, 'left'>>;
    readonly _writeState?: unknown;
  };
  if (typeof handle?.writeSync !== 'function' || typeof handle.reset !== 'function') return null;
  return left instanceof Uint32Array ? (Object.assign(handle, { left }) as ZlibHandle) : null;
}
