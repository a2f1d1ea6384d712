// Flattens a dump as `makedumpfile -F` does.
import { ByteWriter } from './byte_writer.ts';

export interface FlattenedRecord {
  readonly offset: number | bigint;
  readonly bytes: Uint8Array;
  /** Written instead of the number of bytes. */
  readonly size?: number | bigint;
}

/** @param recordSize bytes in each record but the last */
export function flatten(bytes: Uint8Array, recordSize = 4096): Uint8Array {
  const records: FlattenedRecord[] = [];
  for (let offset = 0; offset < bytes.length; offset += recordSize) {
    records.push({ offset, bytes: bytes.subarray(offset, offset + recordSize) });
  }
  return writeFlattened(records);
}

export function writeFlattened(
  records: readonly FlattenedRecord[],
  { endMark = true, type = 1, version = 1 }: { endMark?: boolean; type?: number; version?: number } = {},
): Uint8Array {
  const writer = new ByteWriter(false).text('makedumpfile', 16).u64(type).u64(version).padTo(4096);
  for (const { offset, bytes, size } of records)
    writer
      .u64(offset)
      .u64(size ?? bytes.length)
      .put(bytes);
  if (endMark) writer.u64(-1).u64(-1);
  return writer.done();
}
