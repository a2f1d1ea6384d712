// The program of a thread that packs pages (see save.ts).
import { serve } from '../base/threads.ts';
import { reopenDump } from '../dump/open.ts';
import type { PackedPages } from './kdump_writer.ts';
import { Packer, type PackTask, type PackThreadData } from './pack.ts';

serve<PackThreadData, PackTask, PackedPages>((data) => {
  const packer = new Packer(reopenDump(data.dump).memory, data);
  return (task) => {
    const { data, sizes } = packer.pack(task);
    const result = { data: data.slice(), sizes };
    return { result, transfer: [result.data.buffer, sizes.buffer as ArrayBuffer] };
  };
});
