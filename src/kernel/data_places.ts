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

/** The kernel's image behind its code; null where not even its start is known. */
const imageOf = perKernel((kernel: Kernel): ImageBytes | null => {
  const start = kernel.ownSymbol('_etext')?.address ?? kernel.ownSymbol('_stext')?.address;
  return start === undefined ? null : ImageBytes.read(kernel.space, virtAddr(start & ~7n), maxImage);
});

/** Pairs of words in the image of which the first is an address of modules' memory: list heads among them. */
export function* pointersToModules(kernel: Kernel): Iterable<VirtAddr> {
  const image = imageOf(kernel);
  const area = kernel.arch.regions().find(({ name }) => name === 'modules');
  if (image === null || area === undefined) return;
  const words = new Uint32Array(image.bytes.buffer, image.bytes.byteOffset, image.bytes.byteLength >> 2);
  const [first, last] = [Number(area.start >> 32n), Number((area.end - 1n) >> 32n)];
  for (let i = 0; i + 3 < words.length; i += 2) {
    const high = words[i + 1]!;
    if (high < first || high > last) continue;
    const word = (BigInt(high) << 32n) | BigInt(words[i]!);
    if (word >= area.start && word < area.end) yield image.address(i * 4);
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
