// The values of functions (data_flow.ts), kept: each is worked out once.
import type { VirtAddr } from '../base/address.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { perKernel } from '../kernel/per_kernel.ts';
import { DataFlow } from './data_flow.ts';
import { readFunction } from './function_code.ts';

/** Functions whose values are kept. */
const maxFlows = 256;

const flows = perKernel(() => new Map<bigint, DataFlow | null>());

/** The values of the function at an address; null where its code cannot be read, or followed. */
export function dataFlow(kernel: Kernel, at: VirtAddr): DataFlow | null {
  const place = kernel.place(at);
  if (place === null) return null;
  const known = flows(kernel);
  const { address } = place.symbol;
  let flow = known.get(address);
  if (flow === undefined) {
    const code = readFunction(kernel, at);
    const made = code === null ? null : new DataFlow(code, kernel.arch, kernel.work);
    flow = made?.complete === true ? made : null;
    if (known.size >= maxFlows) known.clear();
    known.set(address, flow);
  }
  return flow;
}
