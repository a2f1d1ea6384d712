// The page descriptors of a kdump-compressed dump (makedumpfile's diskdump_mod.h, `struct page_desc`):
// 24 bytes each, found by index, read in windows.
import type { ByteSource } from './byte_source.ts';

const entrySize = 24;
const perWindow = 128;
const windows = 256;

export class PageDescriptors {
  /** Descriptors that lie whole in the file. */
  readonly available: number;
  /** Of the descriptor that was found last: file offset of the data, its size in bytes, `kdumpFlags`. */
  offset = 0;
  size = 0;
  flags = 0;
  private readonly source: ByteSource;
  private readonly start: number;
  private readonly cache: ({ index: number; view: DataView } | undefined)[] = new Array(windows).fill(undefined);

  /** @param start file offset of descriptor 0 */
  constructor(source: ByteSource, start: number) {
    this.source = source;
    this.start = start;
    this.available = Math.max(0, Math.floor((source.size - start) / entrySize));
  }

  /** Reads descriptor `index` into `offset`, `size` and `flags`; false if it does not lie in the file, or is negative. */
  find(index: number): boolean {
    if (index < 0 || index >= this.available) return false;
    const inWindow = index % perWindow;
    const view = this.window((index - inWindow) / perWindow);
    const at = inWindow * entrySize;
    this.offset = view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
    this.size = view.getUint32(at + 8, true);
    this.flags = view.getUint32(at + 12, true);
    return true;
  }

  private window(index: number): DataView {
    const cached = this.cache[index % windows];
    if (cached !== undefined && cached.index === index) return cached.view;
    const view = cached?.view ?? new DataView(new ArrayBuffer(perWindow * entrySize));
    const bytes = new Uint8Array(view.buffer);
    bytes.fill(0, this.source.read(this.start + index * bytes.length, bytes));
    this.cache[index % windows] = { index, view };
    return view;
  }
}
