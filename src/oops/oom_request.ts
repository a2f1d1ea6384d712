// What an out-of-memory report says was asked for, and what the zones of memory had then (mm/oom_kill.c: dump_header;
// mm/show_mem.c: show_free_areas).
import type { Incident } from './incident.ts';

/** Why a request may not take memory from everywhere: enum oom_constraint. */
export type OomConstraint = 'none' | 'cpuset' | 'memory-policy' | 'cgroup';

/** What was asked for. */
export interface OomRequest {
  /** gfp flags. */
  readonly mask: number;
  /** As the kernel names them: `GFP_KERNEL|__GFP_COMP`. */
  readonly flags: string;
  /** 2^order pages in one piece. */
  readonly order: number;
  /** Null: the report does not say, as where the kernel panics before it looks for a victim. */
  readonly constraint: OomConstraint | null;
  /** Nodes that it was confined to, as the kernel writes them: `0-1,3`; null where all are allowed, or it is not told. */
  readonly nodes: string | null;
  /** The cpuset of who asked; null where it is not told. */
  readonly cpuset: string | null;
}

/** A zone of memory as the report has it. Sizes in bytes. */
export interface OomZone {
  readonly node: number;
  /** `DMA`, `DMA32`, `Normal`, ... */
  readonly name: string;
  readonly free: number;
  readonly min: number;
  readonly high: number;
  /** Free blocks by order; empty where the report has no such line. */
  readonly blocks: readonly number[];
}

const constraints: Readonly<Record<string, OomConstraint>> = {
  CONSTRAINT_NONE: 'none',
  CONSTRAINT_CPUSET: 'cpuset',
  CONSTRAINT_MEMORY_POLICY: 'memory-policy',
  CONSTRAINT_MEMCG: 'cgroup',
};

/** The highest order that is believed: MAX_PAGE_ORDER is 10, with large pages 13. */
const maxOrder = 20;

/** What was asked for; null where the report does not have the line. */
export function oomRequest({ message, memory }: Pick<Incident, 'message' | 'memory'>): OomRequest | null {
  const asked = /gfp_mask=0x([0-9a-f]{1,8})\(([^)]{0,300})\),.{0,60}?\border=(-?\d{1,3})/;
  const found = asked.exec(message) ?? memory.map((line) => asked.exec(line)).find((match) => match !== null) ?? null;
  if (found === null) return null;
  const [, mask = '0', flags = '', order = '0'] = found;
  // since ef8444ea01d7 (4.19); the names of tasks and groups may hold commas, what stands before them does not
  const victim = memory.findLast((line) => line.startsWith('oom-kill:constraint='));
  const [, constraint = '', nodes = '(null)', cpuset = null] =
    /^oom-kill:constraint=(\w+),nodemask=(.{1,80}?),cpuset=(.{1,200}?),mems_allowed=/.exec(victim ?? '') ?? [];
  return {
    mask: Number.parseInt(mask, 16),
    flags,
    order: Math.max(0, Math.min(maxOrder, Number(order))),
    constraint: constraints[constraint] ?? null,
    nodes: /^[\d,-]+$/.test(nodes) ? nodes : null,
    cpuset,
  };
}

/** The zones that the report lists, in its order. */
export function oomZones({ memory }: Pick<Incident, 'memory'>): OomZone[] {
  const zones: OomZone[] = [];
  for (const line of memory) {
    const state =
      /^Node (\d{1,4}) (\w{1,16}) free:(\d{1,12})kB .{0,40}?min:(\d{1,12})kB .{0,40}?high:(\d{1,12})kB/.exec(line);
    if (state !== null) {
      const [, node, name = '', free, min, high] = state;
      zones.push({
        node: Number(node),
        name,
        free: Number(free) * 1024,
        min: Number(min) * 1024,
        high: Number(high) * 1024,
        blocks: [],
      });
      continue;
    }
    // `Node 0 DMA32: 5*4kB (UE) 3*8kB (M) ... = 1720kB`
    const lists = /^Node (\d{1,4}) (\w{1,16}): (?=\d{1,9}\*)/.exec(line);
    if (lists === null) continue;
    const at = zones.findIndex(({ node, name }) => node === Number(lists[1]) && name === lists[2]);
    const blocks = [...line.matchAll(/ (\d{1,9})\*\d{1,9}kB/g)].map(([, count]) => Number(count));
    if (at >= 0) zones[at] = { ...zones[at]!, blocks: blocks.slice(0, maxOrder + 1) };
  }
  return zones;
}

/** Bits of gfp flags that confine a request to low zones (include/linux/gfp_types.h). */
const __GFP_DMA = 1;
const __GFP_DMA32 = 4;

/** The zone that a request may not go above; null: any. */
export function highestZone({ mask }: OomRequest): 'DMA' | 'DMA32' | null {
  if ((mask & __GFP_DMA) !== 0) return 'DMA';
  return (mask & __GFP_DMA32) !== 0 ? 'DMA32' : null;
}

/** The zones that a request may take from. */
export function allowedZones(zones: readonly OomZone[], request: OomRequest): OomZone[] {
  const highest = highestZone(request);
  const low = highest === 'DMA' ? ['DMA'] : ['DMA', 'DMA32'];
  const nodes = request.nodes === null ? null : nodeNumbers(request.nodes);
  return zones.filter(
    ({ node, name }) => (highest === null || low.includes(name)) && (nodes === null || nodes.has(node)),
  );
}

/** Whether a zone has memory to spare, and yet no piece that is large enough. */
export function isFragmented({ free, high, blocks }: OomZone, order: number): boolean {
  return order > 0 && blocks.length > order && free > high && blocks.slice(order).every((count) => count === 0);
}

/** The numbers of a list such as `0-1,3`. */
function nodeNumbers(list: string): Set<number> {
  const numbers = new Set<number>();
  for (const part of list.split(',').slice(0, 1024)) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    if (first === undefined) continue;
    for (let n = Number(first); n <= Math.min(Number(last), 1023); n++) numbers.add(n);
  }
  return numbers;
}
