// kmem -i: how much memory there is, and what it is used for.

import { memoryInfo } from '../../../kernel/meminfo.ts';
import { sharedPages } from '../../../kernel/page.ts';
import type { CommandContext } from '../../context.ts';

/** One line of the table. */
export interface UseRow {
  readonly name: string;
  /** Pages; null where they cannot be read. */
  readonly pages: number | null;
  readonly bytes: number | null;
  /** What it is a part of: the row that 100 percent is; null for a total. */
  readonly of: 'TOTAL MEM' | 'TOTAL HUGE' | 'TOTAL SWAP' | 'TOTAL LIMIT' | null;
  /** Whole percent of that; null for a total, and where either is not known. */
  readonly percent: number | null;
}

export interface UseHead {
  readonly kind: 'use';
  /** In groups, as they are printed. */
  readonly groups: readonly (readonly UseRow[])[];
}

/** @param withShared also the pages that more than one user holds, for which every page must be looked at */
export function collectUse({ kernel }: CommandContext, withShared: boolean): UseHead {
  const info = memoryInfo(kernel);
  const { pageSize } = kernel.dump.memory;
  const row = (name: string, pages: number | null, of: UseRow['of'] = null, total: number | null = null): UseRow => ({
    name,
    pages,
    bytes: pages === null ? null : pages * pageSize,
    of,
    percent: of === null || pages === null || total === null ? null : total > 0 ? Math.floor((pages * 100) / total) : 0,
  });
  const part = (name: string, pages: number | null): UseRow => row(name, pages, 'TOTAL MEM', info.total);
  const used = info.total === null || info.free === null ? null : info.total - info.free;
  const swapFree = info.swapTotal === null || info.swapUsed === null ? null : info.swapTotal - info.swapUsed;
  return {
    kind: 'use',
    groups: [
      [
        row('TOTAL MEM', info.total),
        part('FREE', info.free),
        part('USED', used),
        ...(withShared ? [part('SHARED', sharedPages(kernel))] : []),
        part('BUFFERS', info.buffers),
        part('CACHED', info.cached),
        part('SLAB', info.slab),
      ],
      [row('TOTAL HUGE', info.hugeTotal), row('HUGE FREE', info.hugeFree, 'TOTAL HUGE', info.hugeTotal)],
      [
        row('TOTAL SWAP', info.swapTotal),
        row('SWAP USED', info.swapUsed, 'TOTAL SWAP', info.swapTotal),
        row('SWAP FREE', swapFree, 'TOTAL SWAP', info.swapTotal),
      ],
      [row('COMMIT LIMIT', info.commitLimit), row('COMMITTED', info.committed, 'TOTAL LIMIT', info.commitLimit)],
    ],
  };
}

export function useText({ groups }: UseHead): string {
  const header = '                 PAGES        TOTAL      PERCENTAGE\n';
  return header + groups.map((rows) => rows.map(rowText).join('')).join('\n');
}

function rowText({ name, pages, bytes, of, percent }: UseRow): string {
  const size = bytes === null ? '?' : sizeText(bytes);
  const share = of === null ? '       ----' : `${String(percent ?? '?').padStart(3)}% of ${of}`;
  return `${name.padStart(13)}  ${String(pages ?? '?').padStart(7)}  ${size.padStart(11)}  ${share}\n`;
}

/** `208 MB`, `31.6 MB`, `12 KB`, `0`. */
export function sizeText(bytes: number): string {
  for (const [unit, size] of [
    ['GB', 2 ** 30],
    ['MB', 2 ** 20],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(1).replace(/\.0$/, '')} ${unit}`;
  }
  return bytes === 0 ? '0' : `${Math.floor(bytes / 1024)} KB`;
}
