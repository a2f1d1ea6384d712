// Where variables may be that neither a name nor a function tells.
import { offsetBy, type VirtAddr, virtAddr } from '../base/address.ts';
import { ImageBytes } from '../debuginfo/image_bytes.ts';
import type { Kernel } from './kernel.ts';
import { perKernel } from './per_kernel.ts';

/** Most of an image that is looked at, in bytes. */
const maxImage = 128 * 1024 * 1024;
/** Alignment of a per-CPU variable that has cache lines of its own, and the largest per-CPU area of those linked at 0. */
const cacheLine = 64;
const maxPerCpuArea = 1024 * 1024;

/** Most stretches of 4 GiB in which modules may be. */
const maxHighs = 64;

/** The kernel's image behind its code; null where not even its start is known. */
const imageOf = perKernel((kernel: Kernel): ImageBytes | null => {
  const start = kernel.ownSymbol('_etext')?.address ?? kernel.ownSymbol('_stext')?.address;
  return start === undefined ? null : ImageBytes.read(kernel.space, virtAddr(start & ~7n), maxImage);
});

/** Modules are so near the kernel that code can refer to its data by its distance, in bytes. */
const nearKernel = 1n << 31n;

/** Pairs of words in the image of which the first is an address where modules may be: list heads among them. */
export function* pointersToModules(kernel: Kernel): Iterable<VirtAddr> {
  const image = imageOf(kernel);
  const text = kernel.ownSymbol('_stext')?.address ?? image?.start;
  if (image === null || text === undefined) return;
  const end = image.start + BigInt(image.bytes.length);
  const areas = [
    ...kernel.arch.regions().filter(({ name }) => name === 'modules'),
    // where the region moved with KASLR, and nothing tells where to
    { start: text - nearKernel, end: text },
    { start: end, end: end + nearKernel },
  ];
  const words = new Uint32Array(image.bytes.buffer, image.bytes.byteOffset, image.bytes.byteLength >> 2);
  const highs = new Set<number>();
  for (const { start, end: last } of areas) {
    for (let high = start >> 32n; high <= (last - 1n) >> 32n && highs.size < maxHighs; high++) highs.add(Number(high));
  }
  for (let i = 0; i + 3 < words.length; i += 2) {
    const high = words[i + 1]!;
    if (!highs.has(high)) continue;
    const word = (BigInt(high) << 32n) | BigInt(words[i]!);
    if (areas.some(({ start, end: last }) => word >= start && word < last)) yield image.address(i * 4);
  }
}

/** Every cache line that per-CPU variables may start at: from 0, where kernels link them so, and in the image. */
export function* perCpuLines(kernel: Kernel): Iterable<VirtAddr> {
  for (let at = 0; at < maxPerCpuArea; at += cacheLine) yield virtAddr(BigInt(at));
  const image = imageOf(kernel);
  if (image === null) return;
  const start = virtAddr((image.start + BigInt(cacheLine - 1)) & ~BigInt(cacheLine - 1));
  for (let at = 0; at < image.bytes.length; at += cacheLine) yield offsetBy(start, at);
}

/** Every word that a per-CPU pointer may be, where kernels link them from 0. */
export function* perCpuWords(): Iterable<VirtAddr> {
  for (let at = 0; at < maxPerCpuArea; at += 8) yield virtAddr(BigInt(at));
}
