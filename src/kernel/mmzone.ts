// include/linux/mmzone.h: memory nodes, and how much memory there is.
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';

/** More nodes than NODES_SHIFT allows (10). */
const maxNodes = 1024;

/** The `struct pglist_data` of every memory node. @throws NotFoundError, MemoryFault */
export function memoryNodes(kernel: Kernel): KernelObject[] {
  // one node, not in an array, without CONFIG_NUMA
  const only = kernel.optionalVariable('contig_page_data');
  if (only !== null) return [only];
  const nodes: KernelObject[] = [];
  for (const entry of kernel.variable('node_data').elements(maxNodes)) {
    const node = entry.pointer();
    // ids may have gaps; what follows the last one is other data only if the array's length is not known
    if (node !== 0n) nodes.push(kernel.object('struct pglist_data', node));
  }
  return nodes;
}

/** Pages of RAM, with those that the kernel keeps for itself. @throws NotFoundError, MemoryFault */
export function presentPages(kernel: Kernel): number {
  return memoryNodes(kernel).reduce((sum, node) => sum + node.member('node_present_pages').number(), 0);
}
