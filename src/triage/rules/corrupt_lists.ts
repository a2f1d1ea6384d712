// Lists that the kernel keeps for ever, and that are broken now: whoever overwrote an entry may have killed it.
import { offsetBy, type VirtAddr, virtAddr } from '../../base/address.ts';
import { hex, hex16 } from '../../base/text.ts';
import { offsetOf } from '../../debuginfo/type.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Finding } from '../analysis.ts';
import { textOf } from '../arrival.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { memoryName } from '../memory_name.ts';
import { label } from '../words.ts';

/** Most entries that are looked at. */
const maxEntries = 1_000_000;

interface Break {
  /** Virtual address of the entry (a list_head) whose `next` is wrong. */
  readonly entry: VirtAddr;
  readonly next: bigint;
  readonly why: string;
}

interface KeptList {
  readonly name: string;
  /** The list's head; null where this kernel has none. */
  readonly head: (kernel: Kernel) => VirtAddr | null;
  /** Whose entry it is, in words. */
  readonly owner: (kernel: Kernel, entry: VirtAddr) => string;
}

const lists: readonly KeptList[] = [
  {
    name: 'list of tasks',
    head: (kernel) => offsetBy(kernel.address('init_task'), offsetOf(kernel.type('struct task_struct'), 'tasks')),
    owner: (kernel, entry) => {
      const address = offsetBy(entry, -offsetOf(kernel.type('struct task_struct'), 'tasks'));
      const task = kernel.tasks.byAddress(address);
      return task === null ? `the task_struct at ${hex16(address)}` : label(task);
    },
  },
  {
    name: 'list of modules',
    head: (kernel) => kernel.ownSymbol('modules')?.address ?? null,
    owner: (_, entry) => `the entry at ${hex16(entry)}`,
  },
  {
    name: 'list of slab caches',
    head: (kernel) => kernel.ownSymbol('slab_caches')?.address ?? null,
    owner: (_, entry) => `the entry at ${hex16(entry)}`,
  },
  {
    name: 'list of superblocks',
    head: (kernel) => kernel.ownSymbol('super_blocks')?.address ?? null,
    owner: (_, entry) => `the entry at ${hex16(entry)}`,
  },
];

/** Each list that is broken, and where. */
export function corruptLists(facts: Facts): Finding[] {
  const { kernel } = facts;
  return lists.flatMap(({ name, head, owner }) => {
    const found = kernel.faults.apart(() =>
      kernel.faults.attempt(
        name,
        () => {
          const start = head(kernel);
          return start === null ? null : breakOf(kernel, start);
        },
        null,
      ),
    ).value;
    if (found === null) return [];
    const text = textOf(found.next);
    return [
      {
        title: `The ${name} is corrupt: after ${owner(kernel, found.entry)} it goes to 0x${hex(found.next)}, ${text === null ? memoryName(kernel, found.next) : `the text "${text}"`}`,
        explanation: `${found.why} Somebody wrote over that entry: look at what lies around it, and whose memory that is. What comes behind it in the list is found by other ways, or missing.`,
        confidence: 'certain',
        evidence: present(evidence(facts, `rd -s ${hex16(found.entry)} 2`, 'next and prev of that entry.')),
      },
    ];
  });
}

/** Where a list is broken; null for one that is whole, and where what is missing was left out of the dump. */
function breakOf(kernel: Kernel, head: VirtAddr): Break | null {
  const { space } = kernel;
  let entry = head;
  for (let i = 0; i < maxEntries; i++) {
    kernel.work.charge('nodes', 1);
    const next = virtAddr(space.pointer(entry));
    if (next === head) return null;
    if (!kernel.arch.isKernelAddress(next)) return { entry, next, why: 'That is no address of the kernel.' };
    // what the dump left out proves nothing
    if (space.readUpTo(next, 16).bytes.length < 16) return null;
    const back = space.pointer(offsetBy(next, 8));
    if (back !== entry) return { entry, next, why: `What is there points back to 0x${hex(back)}, not to that entry.` };
    entry = next;
  }
  return null;
}
