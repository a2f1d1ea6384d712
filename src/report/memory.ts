// The report's part on memory, for deaths by lack of it.
import type { Analysis, CgroupReport } from '../triage/analysis.ts';
import type { Block } from './block.ts';
import { size } from './units.ts';

/** Where memory went; nothing where that is not the matter. */
export function memoryBlocks({ memory }: Pick<Analysis, 'memory'>): Block[] {
  if (memory === null) return [];
  const share = (bytes: number): string => `${((bytes / Math.max(1, memory.total)) * 100).toFixed(1)}%`;
  const blocks: Block[] = [
    ...cgroupMemory(memory.cgroup),
    { kind: 'heading', text: memory.cgroup === null ? 'Where memory went' : 'Where memory of the machine went' },
    {
      kind: 'table',
      head: ['Use', 'Size', 'Share'],
      rows: memory.uses.map((use) => [use.name, size(use.bytes), share(use.bytes)]),
    },
  ];
  if (memory.zones.length > 0) {
    blocks.push({ kind: 'subheading', text: 'Zones', note: 'kmem -f' });
    blocks.push({
      kind: 'table',
      head: ['Node', 'Zone', 'Size', 'Free', 'Least kept', 'Largest free piece'],
      rows: memory.zones.map((z) => [
        String(z.node),
        z.name,
        size(z.managed),
        size(z.free),
        size(z.min),
        z.largest === null ? 'none' : size(z.largest),
      ]),
    });
  }
  if (memory.tasks.length > 0) {
    blocks.push({ kind: 'subheading', text: 'Largest processes', note: 'ps -G' });
    blocks.push({
      kind: 'table',
      head: ['PID', 'Command', 'Resident', 'Share'],
      rows: memory.tasks.map((t) => [String(t.pid), t.comm, size(t.rss), share(t.rss)]),
    });
  }
  if (memory.tmpfs.length > 0) {
    blocks.push({ kind: 'subheading', text: 'Files in tmpfs', note: '' });
    blocks.push({
      kind: 'table',
      head: ['Mounted on', 'Used', 'Limit'],
      rows: memory.tmpfs.map((t) => [
        t.mountedOn === '' ? '(internal)' : t.mountedOn,
        size(t.used),
        t.limit === 0 ? 'none' : size(t.limit),
      ]),
    });
  }
  if (memory.slabs.length > 0) {
    blocks.push({ kind: 'subheading', text: 'Largest slab caches', note: '' });
    blocks.push({
      kind: 'table',
      head: ['Cache', 'Size', 'Objects'],
      rows: memory.slabs.map((s) => [s.name, size(s.bytes), s.objects === 0 ? '' : String(s.objects)]),
    });
  }
  return blocks;
}

/** The group that ran out, before what the whole machine used. */
function cgroupMemory(group: CgroupReport | null): Block[] {
  if (group === null) return [];
  const { path, usage, limit, uses, tasks } = group;
  const whole = Math.max(1, usage ?? 0);
  const share = (bytes: number): string => (usage === null ? '' : `${((bytes / whole) * 100).toFixed(1)}%`);
  const blocks: Block[] = [
    { kind: 'heading', text: `Where memory of the cgroup ${path} went` },
    {
      kind: 'paragraph',
      text: `It uses ${usage === null ? 'an unknown amount' : size(usage)} of ${limit === null ? 'an unknown limit' : size(limit)}.`,
    },
  ];
  if (uses.length > 0)
    blocks.push({
      kind: 'table',
      head: ['Use', 'Size', 'Share'],
      rows: uses.map((use) => [use.name, size(use.bytes), share(use.bytes)]),
    });
  if (tasks.length > 0)
    blocks.push(
      { kind: 'subheading', text: 'Its processes', note: '' },
      {
        kind: 'table',
        head: ['PID', 'Command', 'Resident'],
        rows: tasks.map((t) => [String(t.pid), t.comm, size(t.rss)]),
      },
    );
  return blocks;
}
