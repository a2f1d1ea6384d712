// swap: the swap areas and how full they are.
import type { VirtAddr } from '../../base/address.ts';
import { escapeTerminal, hex16 } from '../../base/text.ts';
import { swapAreas, swapFileName } from '../../kernel/swap.ts';
import { center } from '../columns.ts';
import { defineCommand } from '../command.ts';

/** A swap area. Sizes are in KiB. */
export interface SwapRow {
  /** Virtual address of the `struct swap_info_struct`. */
  readonly address: VirtAddr;
  readonly kind: 'PARTITION' | 'FILE';
  readonly size: number;
  readonly used: number;
  /** Of 100. */
  readonly percent: number;
  readonly priority: number;
  /** null where its name cannot be read. */
  readonly file: string | null;
}

export const swap = defineCommand({
  name: 'swap',
  help: {
    summary: 'swap areas',
    description: 'Every swap area: its swap_info_struct, kind, size and what of it is used (KiB), priority and file.',
    examples: [['swap', 'all swap areas']],
  },
  params: {},
  collect({ kernel }): readonly SwapRow[] {
    const kib = kernel.dump.memory.pageSize / 1024;
    return swapAreas(kernel).map(({ address, type, isDevice, pages, used, priority }) => ({
      address,
      kind: isDevice ? 'PARTITION' : 'FILE',
      size: pages * kib,
      used: used * kib,
      percent: pages === 0 ? 0 : Math.floor((used * 100) / pages),
      priority,
      file: swapFileName(kernel, type),
    }));
  },
  render: (rows) =>
    `SWAP_INFO_STRUCT    TYPE       SIZE       USED     PCT  PRI  FILENAME\n${rows.map(rowText).join('')}`,
});

function rowText({ address, kind, size, used, percent, priority, file }: SwapRow): string {
  const columns = [
    `${hex16(address)}  ${center(kind, 9)}`,
    `${size}k`.padStart(10),
    `${used}k`.padStart(10),
    `${percent}%`.padStart(5),
    String(priority).padStart(4),
  ];
  return `${columns.join(' ')}  ${escapeTerminal(file ?? '(unknown)')}\n`;
}
