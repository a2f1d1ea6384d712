// Who waits for a block request. A request names no task: but whoever waits for it has on its stack what the request is
// for, or what is told when it is done.
//
//   request --> bio { bi_private, bi_io_vec --> pages } <--- stack of a task in uninterruptible sleep
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { backtracer } from '../backtrace.ts';
import type { BlockRequest } from '../blk_mq.ts';
import type { Kernel } from '../kernel.ts';
import type { Task } from '../task.ts';
import { Sleeper } from './sleeper.ts';

/** Most pages of one bio that are looked at. */
const maxPages = 512;

/** The tasks that wait for each of some requests, which are told by their addresses. */
export function requestWaiters(kernel: Kernel, requests: readonly BlockRequest[]): Map<bigint, Task[]> {
  const owners = new Map<bigint, VirtAddr>();
  for (const request of requests) {
    for (const address of addressesOf(kernel, request)) owners.set(address, request.address);
  }
  const waiters = new Map<bigint, Task[]>();
  if (owners.size === 0) return waiters;
  for (const task of kernel.tasks.all) {
    if (task.state !== 'UN') continue;
    const { words } = new Sleeper(kernel, task, backtracer(kernel).of(task).frames);
    const found = new Set<bigint>();
    for (const word of words) {
      const request = owners.get(word);
      if (request !== undefined) found.add(request);
    }
    for (const request of found) waiters.set(request, [...(waiters.get(request) ?? []), task]);
  }
  return waiters;
}

/** What leads from a stack to a request: itself, its bios, what they are told to when they are done, and their pages. */
function addressesOf(kernel: Kernel, { address, bios }: BlockRequest): bigint[] {
  const found: bigint[] = [address];
  for (const at of bios) {
    found.push(at);
    kernel.faults.attempt(
      'bio of a request',
      () => {
        const bio = kernel.object('struct bio', at);
        const told = bio.member('bi_private').pointer();
        if (told !== 0n) found.push(told);
        const vector = bio.member('bi_io_vec');
        const count = Math.min(bio.member('bi_vcnt').number(), maxPages);
        for (let i = 0; i < count; i++) {
          const page = vector.index(i).member('bv_page');
          if (!page.isNull) found.push(page.pointer(), headOf(page));
        }
      },
      undefined,
    );
  }
  return found;
}

/** The first page of the compound page that a page is of, which is its folio's address; else the page itself. */
function headOf(page: KernelObject): VirtAddr {
  const link = page.optional('compound_head')?.bigint() ?? 0n;
  return (link & 1n) === 1n ? virtAddr(link - 1n) : page.pointer();
}
