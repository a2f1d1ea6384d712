// The machine's memory ran out: what took it.
import { bareAddress } from '../../base/text.ts';
import type { Evidence, Finding } from '../analysis.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { holderOf } from '../memory_holders.ts';
import { countersOf, largestProcesses, type MemoryUseOf, memoryOf, notableUses } from '../memory_report.ts';
import type { Scene } from '../scene.ts';
import { label, mebibytes } from '../words.ts';
import { ofKind } from './explanation.ts';

export const outOfMemory = ofKind({
  name: 'out-of-memory',
  recognises: "the machine's memory ran out",
  kinds: ['out-of-memory'],
  sentence: ({ facts }) => outOfMemorySentence(facts),
  findings: useFindings,
});

function outOfMemorySentence(facts: Facts): string {
  const { kernel, death } = facts;
  const page = kernel.dump.memory.pageSize;
  const asked = death?.task ?? facts.crashed?.task ?? null;
  const start = `Memory ran out${asked === null ? '' : ` when ${label(asked)} asked for more`}`;
  const memory = memoryOf(facts);
  const use = memory === null ? undefined : notableUses(memory)[0];
  if (memory !== null && use !== undefined) {
    const holder = facts.told === null ? holderOf(kernel, use.name, memory.total) : null;
    return `${start}: ${useWords(use)}${holder === null ? '' : `; ${holder.words}`}.`;
  }
  const largest = largestProcesses(kernel, 1)[0];
  if (largest === undefined) return `${start}.`;
  return `${start}. The largest process was ${label(largest.task)} with ${mebibytes(largest.rssPages * page)}.`;
}

function useWords({ name, share, by }: MemoryUseOf): string {
  return `${Math.round(share * 100)}% of it is ${name}${by === '' ? '' : `, ${by}`}`;
}

/** The uses of memory that matter, each with the counter that shows it. */
function useFindings({ facts }: Scene): Finding[] {
  const memory = memoryOf(facts);
  if (memory === null) return [];
  return notableUses(memory).map(({ name, share, by }) => {
    const tmpfs = by.includes('tmpfs') ? memory.tmpfs[0] : undefined;
    const process = name.startsWith('memory of processes') ? memory.tasks[0] : undefined;
    const slab = name.startsWith('slab') ? memory.slabs[0] : undefined;
    const holder = facts.told === null ? holderOf(facts.kernel, name, memory.total) : null;
    return {
      title: `${Math.round(share * 100)}% of memory is ${name}${by === '' ? '' : `: ${by}`}${holder === null ? '' : `; ${holder.words}`}`,
      explanation: holder?.advice ?? explanationOf(name),
      confidence: 'certain',
      evidence: present(
        facts.told === null
          ? counterEvidence(facts, name)
          : logEvidence(facts, 'Mem-Info:', 'What the kernel counted, in pages.', 12),
        tmpfs === undefined
          ? null
          : evidence(
              facts,
              `struct shmem_sb_info.max_blocks,used_blocks ${bareAddress(tmpfs.info)}`,
              'Pages that the tmpfs may take, and pages that it takes (to which each CPU may add what it has not handed in).',
            ),
        process === undefined ? null : evidence(facts, `ps ${process.pid}`, 'RSS is in KiB.'),
        slab === undefined
          ? null
          : evidence(
              facts,
              `struct kmem_cache.name,object_size ${bareAddress(slab.address)}`,
              'The largest cache, and the size of one object.',
            ),
        holder === null ? null : evidence(facts, holder.command, holder.shows),
      ),
    };
  });
}

/** The first counter of a use that this kernel has. */
function counterEvidence(facts: Facts, name: string): Evidence | null {
  for (const counter of countersOf(name)) {
    // which of them this kernel has is nobody's fault
    const shown = facts.kernel.faults.apart(() => evidence(facts, `p -d ${counter}`, counterMeaning(counter))).value;
    if (shown !== null) return shown;
  }
  return null;
}

function counterMeaning(counter: string): string {
  return counter.includes('_KB') ? 'In KiB.' : 'In pages.';
}

function explanationOf(name: string): string {
  if (name.startsWith('files in tmpfs'))
    return 'Killing processes does not free it: files in tmpfs stay until they are deleted. Limit it with the mount option size=.';
  if (name.startsWith('slab, not')) return 'Objects of the kernel itself: a cache that only grows is a leak.';
  if (name.startsWith('reserved huge')) return 'Huge pages that are reserved serve nothing else: see vm.nr_hugepages.';
  if (name.startsWith('not counted'))
    return 'Pages that were taken from the page allocator directly: by drivers, by the balloon of a virtual machine, by a leak.';
  return '';
}
