// include/linux/ioport.h: I/O ports and physical addresses, and who has them.
//
//   iomem_resource.child --> resource { start, end, name } --sibling--> ...
import type { VirtAddr } from '../base/address.ts';
import { FormatError } from '../base/errors.ts';
import type { KernelObject } from '../debuginfo/object.ts';
import type { Kernel } from './kernel.ts';

export interface Resource {
  /** Virtual address of the `struct resource`. */
  readonly address: VirtAddr;
  /** First and last port or physical address. */
  readonly start: bigint;
  readonly end: bigint;
  /** Null where it has none, or it cannot be read. */
  readonly name: string | null;
  /** Levels below the root. */
  readonly depth: number;
}

/** Most resources of one tree, and deepest nesting, that are followed. */
const maxResources = 100_000;
const maxDepth = 64;

/**
 * A tree of resources, each before what it holds: `ioport_resource` or `iomem_resource`. One that cannot be read costs
 * itself, what it holds and what comes after it on its level.
 * @throws NotFoundError for the root
 */
export function* resources(kernel: Kernel, root: 'ioport_resource' | 'iomem_resource'): Generator<Resource> {
  const seen = new Set<bigint>();
  const open = (resource: KernelObject, depth: number) =>
    kernel.faults.attempt(
      root,
      () => {
        if (seen.has(resource.address)) throw new FormatError(root, `loops back to ${resource.address.toString(16)}`);
        if (seen.size >= maxResources || depth > maxDepth) throw new FormatError(root, 'has no end');
        seen.add(resource.address);
        const name = resource.member('name');
        return {
          resource: {
            address: resource.address,
            start: resource.member('start').bigint(),
            end: resource.member('end').bigint(),
            name: name.isNull ? null : kernel.faults.attempt('name of a resource', () => name.string(256), null),
            depth,
          },
          child: resource.member('child').pointer(),
          sibling: resource.member('sibling').pointer(),
        };
      },
      null,
    );
  const left: { readonly address: VirtAddr; readonly depth: number }[] = [
    { address: kernel.variable(root).address, depth: 0 },
  ];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const opened = open(kernel.object('struct resource', next.address), next.depth);
    if (opened === null) continue;
    if (opened.sibling !== 0n && next.depth > 0) left.push({ address: opened.sibling, depth: next.depth });
    if (opened.child !== 0n) left.push({ address: opened.child, depth: next.depth + 1 });
    yield opened.resource;
  }
}
