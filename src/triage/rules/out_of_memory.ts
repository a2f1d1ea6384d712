// Out of memory: what took it.

import { readTmpfs } from '../../kernel/shmem_fs.ts';
import { readSlabCaches } from '../../kernel/slub_def.ts';
import { memoryUse } from '../../kernel/vmstat.ts';
import type { Finding, MemoryReport } from '../analysis.ts';
import { evidence, present } from '../evidence.ts';
import type { Facts } from '../facts.ts';
import { largestProcesses } from '../sentence.ts';
import type { Verdict } from '../verdict.ts';

/** A use of memory that takes at least this share of it is worth a finding. */
const notable = 0.25;

/** Where memory went, from the kernel's own counters; null where they cannot be read. */
export function memoryReport(facts: Facts): MemoryReport | null {
  const { kernel } = facts;
  const page = kernel.dump.memory.pageSize;
  return kernel.faults.attempt(
    'memory use',
    () => {
      const use = memoryUse(kernel);
      const uses: { name: string; bytes: number }[] = [];
      const add = (name: string, pages: number | null): void => {
        if (pages !== null) uses.push({ name, bytes: pages * page });
      };
      add('processes (anonymous)', use.anonymous);
      add('files in tmpfs and shared memory', use.shmem);
      add('page cache of files', use.fileCache);
      add('slab, not reclaimable', use.slabUnreclaimable);
      add('slab, reclaimable', use.slabReclaimable);
      add('kernel stacks', use.kernelStacks);
      add('page tables', use.pageTables);
      add('free', use.free);
      const counted = uses.reduce((sum, { bytes }) => sum + bytes, 0);
      const total = use.total * page;
      if (total > counted)
        uses.push({ name: 'not counted (kernel pages, vmalloc, per-CPU, drivers)', bytes: total - counted });
      return {
        total,
        uses: uses.sort((a, b) => b.bytes - a.bytes),
        tasks: largestProcesses(facts, 10).map(({ task, rssPages }) => ({
          pid: task.pid,
          comm: task.comm,
          rss: rssPages * page,
        })),
        slabs: readSlabCaches(kernel)
          .map(({ name, pages, objects }) => ({ name, bytes: pages * page, objects }))
          .sort((a, b) => b.bytes - a.bytes)
          .slice(0, 10),
        tmpfs: readTmpfs(kernel).map(({ mountedOn, usedPages, maxPages }) => ({
          mountedOn,
          used: usedPages * page,
          limit: maxPages * page,
        })),
      };
    },
    null,
  );
}

export function outOfMemoryFindings(facts: Facts, verdict: Verdict, memory: MemoryReport | null): Finding[] {
  if (verdict.kind !== 'out-of-memory' || memory === null) return [];
  const findings: Finding[] = [];
  const percent = (bytes: number): string => `${Math.round((bytes / memory.total) * 100)}%`;
  const taken = memory.uses.filter(({ name, bytes }) => name !== 'free' && bytes / memory.total >= notable);
  for (const { name, bytes } of taken) {
    const tmpfs = name.startsWith('files in tmpfs') ? memory.tmpfs.find((t) => t.used > 0) : undefined;
    const process = name.startsWith('processes') ? memory.tasks[0] : undefined;
    const slab = name.startsWith('slab') ? memory.slabs[0] : undefined;
    const by =
      tmpfs !== undefined
        ? `: the tmpfs on ${tmpfs.mountedOn || '(internal)'} holds ${percent(tmpfs.used)}`
        : process !== undefined
          ? `: the largest is ${process.comm} (pid ${process.pid}) with ${percent(process.rss)}`
          : slab !== undefined
            ? `: the largest cache is ${slab.name} with ${percent(slab.bytes)}`
            : '';
    findings.push({
      title: `${percent(bytes)} of memory is ${name}${by}`,
      explanation:
        tmpfs !== undefined
          ? 'Killing processes does not free it: files in tmpfs stay until they are deleted. Limit it with the mount option size=.'
          : '',
      confidence: 'certain',
      evidence: present(
        process !== undefined ? evidence(facts, `ps ${process.pid}`, 'RSS is in KiB.') : null,
        evidence(facts, 'p vm_node_stat', 'Counters in pages, in the order of enum node_stat_item.'),
      ),
    });
  }
  return findings;
}
