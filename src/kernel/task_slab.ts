// kernel/fork.c: task_structs come from a slab cache of their own. Where the links between tasks are broken, its
// slabs still have the tasks; and tasks that are gone, which must be told from the living.
import { offsetBy, pfn, virtAddr } from '../base/address.ts';
import { FormatError, MemoryFault } from '../base/errors.ts';
import { Layout, type Rows } from '../debuginfo/layout.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import { findMember } from '../debuginfo/type.ts';
import type { Kernel } from './kernel.ts';
import { memoryModel } from './memory_model.ts';

/** `struct page`s read at a time. */
const atOnce = 1024;
/** Most page frames whose `struct page` is looked at: 16 GiB of memory, a second or two. */
const maxFrames = 4 * 1024 * 1024;
const EXIT_DEAD = 0x10;

/**
 * Living tasks by the slabs of task_struct.
 * @param known a task_struct in a slab: tells where physical memory is mapped
 * @throws InquestError where the slabs cannot be found
 */
export function* tasksInSlabs(kernel: Kernel, known: KernelObject): Generator<KernelObject> {
  const { space } = kernel;
  const { memory } = space;
  const cache = kernel.object('struct kmem_cache', space.pointer(kernel.address('task_struct_cachep')));
  const model = memoryModel(kernel);
  // struct slab split off struct page, with the same place in memory, in 5.17 (d122019bf061)
  const slabType = kernel.types.find('struct slab') ?? kernel.type('struct page');
  const place = findMember(slabType, 'slab_cache');
  const size = cache.member('size').number();
  const perSlab = cache.member('oo.x').number() & 0xffff;
  if (model === null || place === null) throw new FormatError('slabs of task_struct', 'no way from pages to slabs');
  // less than sizeof(struct task_struct), whose end (arch_task_struct_size) depends on the processor's registers
  if (size < 1024 || size > 1024 * 1024) throw new FormatError('slabs of task_struct', `objects of ${size} bytes`);
  if (memory.maxPfn > maxFrames) throw new FormatError('slabs of task_struct', 'too much memory to search for them');

  const directMap = known.address - BigInt(space.translate(known.address));
  const [low, high] = [Number(cache.address & 0xffff_ffffn), Number(cache.address >> 32n)];
  const layout = new Layout('struct slab', model.pageStructSize, { cache: place.bitOffset / 8 });
  let rows: Rows<'cache'> | null = null;
  for (const { first, count, base } of model.runs(pfn(0), pfn(memory.maxPfn))) {
    for (let done = 0; done < count; done += atOnce) {
      const frame = first + done;
      const structs = offsetBy(base, BigInt(frame) * BigInt(layout.size));
      rows = layout.read(space, structs, Math.min(atOnce, count - done), rows);
      for (let row = 0, at = rows.at.cache; row < rows.count; row++, at += rows.stride) {
        if (rows.words[at] !== low || rows.words[at + 1] !== high) continue;
        const slab = virtAddr(directMap + BigInt(frame + row) * BigInt(memory.pageSize));
        for (let i = 0; i < perSlab; i++) {
          const task = kernel.object(known.type, offsetBy(slab, i * size));
          if (isAlive(task)) yield task;
        }
      }
    }
  }
}

/** False for a free object, a task that is gone, and one that cannot be read. */
function isAlive(task: KernelObject): boolean {
  try {
    const users = task.member('usage').optional('refs.counter') ?? task.member('usage.counter');
    return (
      users.number() > 0 &&
      task.member('exit_state').number() !== EXIT_DEAD &&
      task.member('pid').number() > 0 &&
      !task.member('stack').isNull &&
      // given up when the task was reaped (2c4704756cab, 4.19)
      task.optional('thread_pid')?.isNull !== true
    );
  } catch (error) {
    if (error instanceof MemoryFault) return false;
    throw error;
  }
}
