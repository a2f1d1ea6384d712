// Memory ran out where the request might take it from, not in the whole machine: on a cpuset's or a memory policy's nodes,
// in a low zone, or in pieces as large as were asked for.
import {
  allowedZones,
  highestZone,
  isFragmented,
  type OomRequest,
  type OomZone,
  oomZones,
} from '../../oops/oom_request.ts';
import type { Finding } from '../analysis.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import { requestThatFailed } from '../oom_control.ts';
import type { Scene } from '../scene.ts';
import { label, mebibytes } from '../words.ts';
import type { Explanation } from './explanation.ts';

interface Confinement {
  /** `the memory of node 1, to which ...` */
  readonly words: string;
  readonly speaksFor: readonly string[];
  readonly because: string;
  /** What it means, and what to do. */
  readonly advice: string;
}

export const confinedOutOfMemory: Explanation = {
  name: 'confined-out-of-memory',
  recognises: 'memory that ran out on some nodes, in a zone, or in large pieces alone',
  weigh(scene) {
    const { facts, kind } = scene;
    if (kind !== 'out-of-memory' || facts.death === null) return null;
    const request = requestThatFailed(facts);
    if (request === null) return null;
    const zones = oomZones(facts.death);
    const found = byConstraint(request, zones) ?? byOrder(request, zones, page(scene)) ?? byZone(request, zones);
    if (found === null) return null;
    const asked = facts.death.task ?? facts.crashed?.task ?? null;
    return {
      depth: 'mechanism',
      confidence: 'certain',
      because: found.because,
      speaksFor: found.speaksFor,
      speaksAgainst: [],
      about: scene.as('out-of-memory'),
      sentence: `${found.words}${asked === null ? '' : `; ${label(asked)} asked for it`}.`,
      findings: () => findings(scene, found),
    };
  },
};

function page({ facts }: Scene): number {
  return facts.kernel.dump.memory.pageSize;
}

function byConstraint(request: OomRequest, zones: readonly OomZone[]): Confinement | null {
  const { constraint, nodes, cpuset } = request;
  if (constraint !== 'cpuset' && constraint !== 'memory-policy') return null;
  const allowed = allowedZones(zones, request);
  const elsewhere = zones.filter((zone) => !allowed.includes(zone)).reduce((sum, { free }) => sum + free, 0);
  const where = nodes === null ? 'the nodes' : `the NUMA node${/[,-]/.test(nodes) ? 's' : ''} ${nodes}`;
  const by =
    constraint === 'cpuset'
      ? `the cpuset${cpuset === null || cpuset === '/' ? '' : ` ${cpuset}`}`
      : 'a memory policy (mbind, set_mempolicy, numactl)';
  return {
    words: `The memory of ${where}, to which ${by} confines the request, ran out, not the machine's${elsewhere > 0 ? `: ${mebibytes(elsewhere)} are free elsewhere` : ''}`,
    speaksFor: [
      `the request is confined by ${by}`,
      ...allowed.map(
        ({ node, name, free, min }) =>
          `node ${node}, ${name}: ${mebibytes(free)} are free, and ${mebibytes(min)} are kept`,
      ),
    ],
    because: "the kernel's own note of the request says what it was confined to (oom_control.constraint)",
    advice:
      constraint === 'cpuset'
        ? 'With vm.panic_on_oom=1 the kernel does not panic for lack of memory in a cpuset, with 2 it does. Widen cpuset.mems, or find what fills those nodes.'
        : 'With vm.panic_on_oom=1 the kernel does not panic for lack of memory under a policy, with 2 it does. MPOL_BIND allows no other node; MPOL_PREFERRED would.',
  };
}

/** Enough is free, in pieces that are too small. */
function byOrder(request: OomRequest, zones: readonly OomZone[], pageSize: number): Confinement | null {
  const { order } = request;
  const allowed = allowedZones(zones, request).filter(({ high }) => high > 0);
  const fragmented = allowed.filter((zone) => isFragmented(zone, order));
  // a zone below its watermark is short of memory, whatever its pieces
  if (fragmented.length === 0 || allowed.some(({ blocks }) => blocks.slice(order).some((count) => count > 0)))
    return null;
  const free = fragmented.reduce((sum, zone) => sum + zone.free, 0);
  const piece = `${(pageSize * 2 ** order) / 1024} KiB`;
  return {
    words: `Memory is fragmented: ${mebibytes(free)} were free, and no piece of ${piece} (order ${order}) was among it`,
    speaksFor: fragmented.map(
      ({ node, name, free: bytes }) =>
        `node ${node}, ${name}: ${mebibytes(bytes)} are free, above the high watermark, and no block of order ${order} or more`,
    ),
    because: "the log's table of free blocks has none as large as was asked for, in any zone that was allowed",
    advice:
      'Requests of order 1 to 3 are not given up before the killer was called. Look at who asks for such pieces (kvmalloc() would do with single pages), at vm.min_free_kbytes, and at what cannot be moved: slab and pages of drivers.',
  };
}

/** A low zone is used up while higher ones have memory. */
function byZone(request: OomRequest, zones: readonly OomZone[]): Confinement | null {
  const highest = highestZone(request);
  if (highest === null) return null;
  const allowed = allowedZones(zones, request).filter(({ high }) => high > 0);
  const others = zones.filter(({ name, free, high }) => !['DMA', highest].includes(name) && free > high);
  if (allowed.length === 0 || others.length === 0 || allowed.some(({ free, high }) => free > high)) return null;
  const free = others.reduce((sum, zone) => sum + zone.free, 0);
  return {
    words: `The zone ${highest}, above which the request (${request.flags}) may not go, ran out of memory, not the machine: ${mebibytes(free)} are free in ${[...new Set(others.map(({ name }) => name))].join(' and ')}`,
    speaksFor: [
      ...allowed.map(
        ({ node, name, free: bytes, min }) =>
          `node ${node}, ${name}: ${mebibytes(bytes)} are free, and ${mebibytes(min)} are kept`,
      ),
      ...others.map(
        ({ node, name, free: bytes }) =>
          `node ${node}, ${name}: ${mebibytes(bytes)} are free, above the high watermark`,
      ),
    ],
    because: "the log's table of zones shows it: those that were allowed are below their watermarks, others are not",
    advice:
      'Memory that a device must be able to reach is scarce: look at the DMA masks of drivers, at swiotlb, and at who takes pages of that zone without need (vm.lowmem_reserve_ratio keeps some).',
  };
}

function findings({ facts }: Scene, { words, advice }: Confinement): Finding[] {
  return [
    {
      title: words,
      explanation: advice,
      confidence: 'certain',
      evidence: present(
        logEvidence(facts, 'invoked oom-killer', 'What was asked for: flags and order.'),
        logEvidence(facts, 'kB min:', 'Each zone with what is free in it, and its watermarks.'),
        evidence(facts, 'kmem -f', 'Free blocks by zone and order, as they are in the dump.', {
          cut: { kind: 'head', lines: 30 },
        }),
        evidence(facts, 'p sysctl_panic_on_oom', '0: kill; 1: panic if the machine is out of memory; 2: panic always.'),
      ),
    },
  ];
}
