// What the request was that ran out of memory: as the log has it, and where the kernel panicked before it said all (a
// panic comes before the victim's line), from its struct oom_control (include/linux/oom.h) on the stack.
import { offsetBy } from '../base/address.ts';
import { frameName } from '../kernel/backtrace.ts';
import { functionName } from '../oops/frames.ts';
import { type OomConstraint, type OomRequest, oomRequest } from '../oops/oom_request.ts';
import type { Facts } from './facts.ts';

/** enum oom_constraint, by its numbers. */
const constraints: readonly OomConstraint[] = ['none', 'cpuset', 'memory-policy', 'cgroup'];

/** Words of the stack that are looked through. */
const maxWords = 512;
/** Nodes whose bits are read. */
const maxNodes = 1024;

/** Null where the log does not tell of a request. */
export function requestThatFailed(facts: Facts): OomRequest | null {
  const told = facts.death === null ? null : oomRequest(facts.death);
  if (told === null || told.constraint !== null) return told;
  const { faults } = facts.kernel;
  return faults.attempt('struct oom_control', () => withControl(facts, told), told);
}

/** The request with what the structure on the stack adds to it: the one that holds the same flags and order. */
function withControl(facts: Facts, told: OomRequest): OomRequest {
  const { kernel, deathFrames } = facts;
  const type = kernel.types.find('struct oom_control');
  const callee = deathFrames.findIndex((frame) => /^out_of_memory$/.test(functionName(frameName(frame))));
  // it lies in the frame of who called out_of_memory(), above the address that is returned to there
  const [from, end] = callee < 0 ? [] : deathFrames.slice(callee + 1).map(({ frameAddress }) => frameAddress);
  if (type === null || from === undefined) return told;
  const words = end === undefined ? maxWords : Number(end - from) / 8;
  for (let i = 1; i < Math.min(words, maxWords); i++) {
    const control = kernel.object(type, offsetBy(from, i * 8));
    if (control.member('gfp_mask').number() !== told.mask || control.member('order').number() !== told.order) continue;
    // the same flags stand on the stack many times
    const constraint = constraints[control.member('constraint').number()];
    const pointers = ['nodemask', 'memcg', 'chosen'].map((name) => control.member(name).pointer());
    if (
      constraint === undefined ||
      !kernel.arch.isKernelAddress(control.member('zonelist').pointer()) ||
      pointers.some((pointer) => pointer !== 0n && !kernel.arch.isKernelAddress(pointer)) ||
      !isPageCount(control.member('totalpages').bigint())
    )
      continue;
    const nodemask = control.member('nodemask');
    return {
      ...told,
      constraint,
      nodes: nodemask.isNull ? null : nodesOf(nodemask.deref().member('bits').bytes()),
    };
  }
  return told;
}

/** A number of pages that a machine may have: no more than 52 bits address. */
function isPageCount(pages: bigint): boolean {
  return pages > 0n && pages < 1n << 40n;
}

/** The numbers of the bits that are set, as a list: `0-1,3`. */
function nodesOf(bits: Uint8Array): string {
  const ranges: [first: number, last: number][] = [];
  for (let n = 0; n < Math.min(maxNodes, bits.length * 8); n++) {
    if (((bits[n >> 3]! >> (n & 7)) & 1) === 0) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === n - 1) last[1] = n;
    else ranges.push([n, n]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}
