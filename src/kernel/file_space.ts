// The dump file itself as memory: for looking at what lies at an offset in it.
import { PhysicalSpace } from '../arch/address_space.ts';
import { physAddr } from '../base/address.ts';
import { FileSource } from '../dump/byte_source.ts';
import type { Dump } from '../dump/dump.ts';
import { PagedMemory } from '../dump/paged_memory.ts';

const pageSize = 4096;

/**
 * The first file of a dump: addresses are file offsets, and what lies beyond its end is not in the dump.
 * @throws InputError if it can no longer be read
 */
export function fileSpace(dump: Dump): PhysicalSpace {
  const file = new FileSource(dump.info.files[0]!);
  const pages = Math.ceil(file.size / pageSize);
  const whole = Math.floor(file.size / pageSize);
  return new PhysicalSpace(
    new PagedMemory({
      pageSize,
      maxPfn: pages,
      state: () => 'present',
      load(pfn, into) {
        const length = pfn < whole ? pageSize : file.size - whole * pageSize;
        into.fill(0);
        file.read(pfn * pageSize, into.subarray(0, length));
        return 'present';
      },
      loadRun(pfn, into) {
        const got = file.read(pfn * pageSize, into);
        into.fill(0, got);
        return Math.ceil(got / pageSize);
      },
      presentRuns: (from, to) => [{ first: from, count: to - from }],
      ramRanges: () => [{ start: physAddr(0), end: physAddr(file.size) }],
    }),
  );
}
