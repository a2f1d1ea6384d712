// Block requests that are not done, with their age and who waits for them: for `dev -d` and `io`.
import type { VirtAddr } from '../../base/address.ts';
import { escapeLine, hex16 } from '../../base/text.ts';
import { type BlockRequest, type RequestOperation, requestsInFlight } from '../../kernel/blk_mq.ts';
import { type Disk, disks } from '../../kernel/genhd.ts';
import { readJiffies } from '../../kernel/jiffies.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { readClocks } from '../../kernel/timekeeping.ts';
import { requestWaiters } from '../../kernel/wait/request_waiters.ts';
import { type TaskLabel, taskLabel } from '../context.ts';

export interface OutstandingRequest {
  /** Virtual address of the `struct request`. */
  readonly address: VirtAddr;
  readonly tag: number;
  readonly operation: RequestOperation;
  /** Whether it waits in the kernel, was given to the device, or came back and is being finished. */
  readonly state: BlockRequest['state'];
  /** First sector of 512 bytes; null for what has none. */
  readonly sector: number | null;
  readonly bytes: number;
  /** Time since it was made, nanoseconds, decimal; null where the kernel did not note it. */
  readonly age: string | null;
  /** True when it had passed its deadline. */
  readonly late: boolean;
  /** The CPU that made it. */
  readonly cpu: number | null;
  /** Tasks whose stacks hold what it is for. */
  readonly tasks: readonly TaskLabel[];
}

/** A disk with the requests that it has not answered. */
export interface OutstandingDisk {
  readonly disk: Disk;
  readonly requests: readonly OutstandingRequest[];
}

/** All disks with their requests that are not done, the oldest first. */
export function outstanding(kernel: Kernel): OutstandingDisk[] {
  const { faults } = kernel;
  const all = disks(kernel).map((disk) => ({ disk, requests: requestsInFlight(kernel, disk) }));
  const waiters = requestWaiters(
    kernel,
    all.flatMap(({ requests }) => requests),
  );
  const now = faults.attempt('clocks', () => readClocks(kernel).monotonic, null);
  const jiffies = faults.attempt('jiffies', () => readJiffies(kernel), null);
  return all.map(({ disk, requests }) => ({
    disk,
    requests: requests
      .map((request) => ({
        address: request.address,
        tag: request.tag,
        operation: request.operation,
        state: request.state,
        sector: request.sector,
        bytes: request.length,
        age: now === null || request.since === null ? null : String(now > request.since ? now - request.since : 0n),
        late: jiffies !== null && request.state === 'issued' && request.deadline !== 0n && request.deadline < jiffies,
        cpu: request.cpu,
        tasks: (waiters.get(request.address) ?? []).map(taskLabel),
      }))
      .sort((a, b) => Number(b.age ?? 0) - Number(a.age ?? 0)),
  }));
}

export const requestHead =
  '      REQUEST           TAG  OPERATION  STATE         SECTOR     BYTES         AGE  CPU  WAITING\n';

export function requestLine(request: OutstandingRequest): string {
  const { address, tag, operation, state, sector, bytes, age, late, cpu, tasks } = request;
  const waiting = tasks.map(({ pid, command }) => `${pid} "${escapeLine(command)}"`).join(', ');
  const columns = [
    `      ${hex16(address)}`,
    String(tag).padStart(4),
    ` ${operation.padEnd(9)}`,
    ` ${state.padEnd(8)}`,
    String(sector ?? '-').padStart(11),
    String(bytes).padStart(9),
    `${age === null ? '?' : seconds(age)}${late ? '!' : ''}`.padStart(11),
    String(cpu ?? '?').padStart(4),
    ` ${waiting}`,
  ];
  return `${columns.join(' ').trimEnd()}\n`;
}

/** Nanoseconds as seconds with three digits: `12.345s`. */
export function seconds(nanoseconds: string): string {
  return `${(Number(BigInt(nanoseconds) / 1_000_000n) / 1000).toFixed(3)}s`;
}
