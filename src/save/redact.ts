// What is erased so that a dump can be sent away: keys, arguments and environments, and every copy of them in what is kept.
import { offsetBy, type PhysAddr, pfn } from '../base/address.ts';
import { MemoryFault } from '../base/errors.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { type Secret, type SecretKind, secretKinds } from '../kernel/secrets/secret.ts';
import { secretsOf } from '../kernel/secrets/secrets.ts';
import { aesRoundKeys } from './aes.ts';
import { CopyFinder } from './copies.ts';
import type { ErasureBuilder } from './erasure.ts';
import type { FrameSet } from './frame_set.ts';

/**
 * Finds secrets, and copies of them in the pages that are kept, and tells where they are. Not looked through is the kernel's
 * image, which has texts of its own that are alike; a copy that is a task's name stays. What lies across pages that do
 * not follow each other in physical memory is found only where its type tells of it.
 * @throws Cancelled
 */
export function redact(kernel: Kernel, kept: FrameSet, erased: ErasureBuilder): void {
  const secrets = kernel.faults.collect(() => secretsOf(kernel)).value;
  const sums = new Map<SecretKind, number>();
  for (const secret of secrets) {
    for (const [start, end] of physicalRanges(secret)) erased.add(start, end);
    sums.set(secret.kind, (sums.get(secret.kind) ?? 0) + secret.length);
  }
  const names = new Set(kernel.tasks.all.map(({ comm }) => comm));
  const finder = new CopyFinder(
    secrets.flatMap(({ values }) => values.flatMap(spread)).filter((value) => isTelling(value, names)),
  );
  const copies = findCopies(kernel, kept, finder, erased);
  for (const kind of secretKinds) {
    const size = sums.get(kind) ?? 0;
    if (size > 0) erased.say(`erase redact:${kind.replaceAll(' ', '-')} size ${size}`);
  }
  if (copies > 0) erased.say(`erase redact:copies size ${copies}`);
}

/** A value with what can be had from it: ciphers with keys of two halves (XTS) spread each. */
function spread(value: Uint8Array): Uint8Array[] {
  const half = value.length / 2;
  const keys = [value, ...(Number.isInteger(half) ? [value.subarray(0, half), value.subarray(half)] : [])];
  return [value, ...keys.flatMap(aesRoundKeys)];
}

function isTelling(value: Uint8Array, names: ReadonlySet<string>): boolean {
  const [first] = value;
  return value.some((byte) => byte !== first) && !names.has(Buffer.from(value).toString('latin1'));
}

/** Where a secret's bytes are in physical memory, page by page; what is not mapped is nowhere. */
function* physicalRanges({ space, address, length }: Secret): Generator<[start: number, end: number]> {
  const { pageSize } = space.memory;
  for (let done = 0; done < length; ) {
    const at = offsetBy(address, done);
    const many = Math.min(length - done, pageSize - Number(at & BigInt(pageSize - 1)));
    try {
      const start: PhysAddr = space.translate(at);
      yield [start, start + many];
    } catch (error) {
      if (!(error instanceof MemoryFault)) throw error;
    }
    done += many;
  }
}

/** @returns bytes of copies */
function findCopies(kernel: Kernel, kept: FrameSet, finder: CopyFinder, erased: ErasureBuilder): number {
  if (finder.count === 0) return 0;
  const { memory } = kernel.dump;
  const { pageSize } = memory;
  const image = imageFrames(kernel);
  let sum = 0;
  let next = -1;
  for (const { first, count } of kept.runs()) {
    memory.scan(
      first,
      pfn(first + count),
      (start, pages) => {
        kernel.work.progress(start, memory.maxPfn);
        const isOwn = start >= image.start && start + pages.length / pageSize <= image.end;
        if (!isOwn) {
          finder.find(pages, start === next, (offset, length) => {
            const at = start * pageSize + offset;
            erased.add(at, at + length);
            sum += length;
          });
        }
        next = isOwn ? -1 : start + pages.length / pageSize;
        return true;
      },
      () => undefined,
    );
  }
  return sum;
}

/** Page frames of the kernel's code and constants. */
function imageFrames(kernel: Kernel): { readonly start: number; readonly end: number } {
  const frame = (symbol: string): number | null => {
    const found = kernel.ownSymbol(symbol);
    return found === null
      ? null
      : kernel.faults.attempt(
          'kernel image',
          () => Math.floor(kernel.space.translate(found.address) / kernel.dump.memory.pageSize),
          null,
        );
  };
  const [start, end] = [frame('_text') ?? frame('_stext'), frame('__end_rodata') ?? frame('_etext')];
  return start === null || end === null || end < start ? { start: 0, end: 0 } : { start, end };
}
