// kmem -V, -z: counters of virtual memory, of the machine and of each zone.
import type { VirtAddr } from '../../../base/address.ts';
import { escapeLine, hex } from '../../../base/text.ts';
import { memoryNodes, zoneCounters } from '../../../kernel/mmzone.ts';
import { type Counter, type VmCounters, vmCounters } from '../../../kernel/vmstat.ts';
import type { CommandContext } from '../../context.ts';

export interface CountersHead extends VmCounters {
  readonly kind: 'counters';
}

export function collectCounters({ kernel }: CommandContext): CountersHead {
  return { kind: 'counters', ...vmCounters(kernel) };
}

/** NUMA counters are in the data alone: crash(8) does not show those of kernels since 5.14. */
export function countersText({ zone, node, events }: CountersHead): string {
  const width = longest([...zone, ...node]);
  return [
    groupText('VM_ZONE_STAT', zone, width),
    groupText('VM_NODE_STAT', node, width),
    groupText('VM_EVENT_STATES', events, longest(events)),
  ]
    .filter((text) => text !== '')
    .join('\n');
}

function longest(counters: readonly Counter[]): number {
  return Math.max(0, ...counters.map(({ name }) => name.length));
}

function groupText(title: string, counters: readonly Counter[], width: number): string {
  return counters.length === 0 ? '' : `  ${title}:\n${countersLines(counters, width)}`;
}

function countersLines(counters: readonly Counter[], width: number): string {
  return counters.map(({ name, value }) => `${name.padStart(width)}: ${value}\n`).join('');
}

/** A zone with its counters. */
export interface ZoneData {
  readonly node: number;
  /** Its place among its node's zones. */
  readonly zone: number;
  readonly address: VirtAddr;
  readonly name: string;
  /** Pages from its first to its last. */
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  readonly watermarks: { readonly min: number; readonly low: number; readonly high: number; readonly boost: number };
  readonly counters: readonly Counter[];
}

export interface ZonesHead {
  readonly kind: 'zones';
  readonly zones: readonly ZoneData[];
}

export function collectZones({ kernel }: CommandContext): ZonesHead {
  const zones = memoryNodes(kernel).flatMap((node) =>
    node.zones.map((zone): ZoneData => {
      const { address, name, spanned, present, managed, watermarks } = zone;
      const counters = kernel.faults.attempt('counters of a zone', () => zoneCounters(kernel, zone), []);
      return { node: node.id, zone: zone.index, address, name, spanned, present, managed, watermarks, counters };
    }),
  );
  return { kind: 'zones', zones };
}

export function zonesText({ zones }: ZonesHead): string {
  return zones.map(zoneText).join('\n');
}

function zoneText({ node, zone, address, name, spanned, present, watermarks, counters }: ZoneData): string {
  const title = `NODE: ${node}  ZONE: ${zone}  ADDR: ${hex(address)}  NAME: "${escapeLine(name)}"\n`;
  if (spanned === 0) return `${title}  [unpopulated]\n`;
  const { min, low, high } = watermarks;
  const inside = present === spanned ? '' : `  PRESENT: ${present}`;
  return (
    `${title}  SIZE: ${spanned}${inside}  MIN/LOW/HIGH: ${min}/${low}/${high}\n` +
    `  VM_STAT:\n${countersLines(counters, longest(counters))}\n`
  );
}
