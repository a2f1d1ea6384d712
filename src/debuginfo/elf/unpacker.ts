// What undoes a packing.

export type Emit = (bytes: Uint8Array) => void;

/** Takes the pieces of one packed stream; gives each piece that comes out to `emit`, which may keep it. Throws any Error. */
export interface Unpacker {
  push(piece: Uint8Array, emit: Emit): void;
  /** To be called after the last piece. Throws where the stream is not whole. */
  end(emit: Emit): void;
}
