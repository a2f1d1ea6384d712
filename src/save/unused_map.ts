// The parts of the memory map that tell only of pages which are not kept: of a machine of terabytes, most of a filtered dump.
//
//   kept     . . . . x . . . . . . . . . . . . .
//   map    | page structs |  page structs | page structs |      pages of the map
//              is used         unused          unused
import { offsetBy, pfn } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { memoryModel } from '../kernel/memory_model.ts';
import { FrameSet } from './frame_set.ts';

/**
 * The frames that hold the memory map (vmemmap). Where one stands for several of its pages, as for the tails of huge pages
 * (HugeTLB Vmemmap Optimization, 5.14), it is used if any of them is.
 * @param kept a `struct page` of one of these is used
 */
export function memoryMapFrames(
  kernel: Kernel,
  kept: FrameSet,
): { readonly used: FrameSet; readonly unused: FrameSet } {
  const { memory } = kernel.dump;
  const { pageSize, maxPfn } = memory;
  const [used, unused] = [new FrameSet(maxPfn), new FrameSet(maxPfn)];
  const model = memoryModel(kernel);
  for (const { first, count, base } of model?.runs(pfn(0), pfn(maxPfn)) ?? []) {
    const size = model!.pageStructSize;
    const start = Math.floor((first * size) / pageSize);
    const end = Math.ceil(((first + count) * size) / pageSize);
    for (let n = start; n < end; n++) {
      memory.work.charge('nodes', 1);
      const frame = frameAt(kernel, offsetBy(base, n * pageSize), pageSize);
      if (frame === null || frame >= maxPfn) continue;
      const from = Math.floor((n * pageSize) / size);
      const to = Math.ceil(((n + 1) * pageSize) / size);
      const isUsed = !kept.runs(from, to).next().done;
      if (isUsed) {
        used.set(frame, 1, true);
        unused.set(frame, 1, false);
      } else if (!used.has(frame)) unused.set(frame, 1, true);
    }
  }
  return { used, unused };
}

function frameAt(
  { space }: Kernel,
  address: Parameters<Kernel['space']['translate']>[0],
  pageSize: number,
): number | null {
  try {
    return Math.floor(space.translate(address) / pageSize);
  } catch (error) {
    if (error instanceof MemoryFault) return null;
    throw error;
  }
}
