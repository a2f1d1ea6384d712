// The program of a thread that packs pages (see save.ts).
import { serve } from '../base/threads.ts';
import { reopenDump } from '../dump/open.ts';
import type { PackedPages } from './kdump_writer.ts';
import { Packer, type PackTask, type PackThreadData } from './pack.ts';

serve<PackThreadData, PackTask, PackedPages>((data) => {
  const packer = new Packer(reopenDump(data.dump).memory, data);
  return (task) => {
    const result = packer.pack(task);
    return { result, transfer: [result.data.buffer as ArrayBuffer, result.sizes.buffer as ArrayBuffer] };
  };
});
