// A cgroup's memory ran out, not the machine's: which group, its limit, and what took it.
import type { CgroupReport, Finding } from '../analysis.ts';
import { cgroupThatRanOut } from '../cgroup_memory.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import type { Scene } from '../scene.ts';
import { label, mebibytes } from '../words.ts';
import type { Explanation } from './explanation.ts';

export const cgroupOutOfMemory: Explanation = {
  name: 'cgroup-out-of-memory',
  recognises: 'a cgroup that reached its limit of memory',
  weigh(scene) {
    if (scene.kind !== 'out-of-memory') return null;
    const group = cgroupThatRanOut(scene.facts);
    if (group === null) return null;
    return {
      depth: 'mechanism',
      confidence: 'certain',
      because:
        'mem_cgroup_out_of_memory() is on the stack: what had run out is a group, whatever the machine still had',
      speaksFor: [
        'mem_cgroup_out_of_memory() is on the stack',
        ...(group.limit === null ? [] : [`the group uses ${sizeOf(group.usage)} of ${sizeOf(group.limit)}`]),
      ],
      speaksAgainst: [],
      about: scene.as('out-of-memory'),
      sentence: sentence(scene, group),
      findings: () => findings(scene, group),
    };
  },
};

function sizeOf(bytes: number | null): string {
  return bytes === null ? '?' : mebibytes(bytes);
}

function sentence({ facts }: Scene, { path, usage, limit, uses, tasks }: CgroupReport): string {
  const asked = facts.death?.task ?? facts.crashed?.task ?? null;
  const [most] = uses;
  const mostly =
    most === undefined || usage === null || usage === 0
      ? ''
      : `, ${Math.min(100, Math.round((most.bytes / usage) * 100))}% of it ${most.name}${most.name.startsWith('memory of processes') && tasks[0] !== undefined ? `, most of it of ${label(tasks[0])}` : ''}`;
  const used = limit === null ? '' : ` it uses ${sizeOf(usage)} of its limit of ${mebibytes(limit)}${mostly}`;
  return `The cgroup ${path} ran out of memory, not the machine${used === '' ? '' : `:${used}`}${asked === null ? '' : `; ${label(asked)} asked for more`}.`;
}

function findings({ facts }: Scene, { path, uses, usage, limit }: CgroupReport): Finding[] {
  const [most] = uses;
  return [
    {
      title: `The cgroup ${path} uses ${sizeOf(usage)} of ${limit === null ? 'what it may' : mebibytes(limit)}${most === undefined ? '' : `; most is ${most.name}: ${mebibytes(most.bytes)}`}`,
      explanation:
        'With vm.panic_on_oom=2 even a group that is out of memory makes the kernel panic; with 0 or 1 one of its tasks would have been killed. Raise memory.max, or find what grows in it.',
      confidence: 'certain',
      evidence: present(
        logEvidence(facts, 'memory: usage ', 'What the group uses and may use, in KiB.'),
        logEvidence(facts, 'Memory cgroup stats for', 'What it uses that for, in bytes.', 12),
        evidence(
          facts,
          'p sysctl_panic_on_oom',
          '0: kill; 1: panic if the machine is out of memory; 2: panic for groups, too.',
        ),
      ),
    },
  ];
}
