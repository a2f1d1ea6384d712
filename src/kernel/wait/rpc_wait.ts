// net/sunrpc/sched.c: tasks that wait for a server's answer (NFS). The word that they wait for is the state of the rpc_task.
import { offsetBy, type VirtAddr } from '../../base/address.ts';
import type { KernelObject } from '../../debuginfo/object.ts';
import { offsetOf } from '../../debuginfo/type.ts';
import type { Sleeper } from './sleeper.ts';

export interface RpcWait {
  /** Virtual address of the `struct rpc_task`. */
  readonly rpc: VirtAddr;
  /** The server as it was named at mount; null where unknown. */
  readonly server: string | null;
  /** What is spoken: `nfs`. */
  readonly program: string | null;
  /** What it was asked: `READ`. */
  readonly procedure: string | null;
}

/** Longest name that is read, bytes. */
const longest = 256;

/** The remote call whose state a word is, by who waits for it; null where it is none. @throws MemoryFault, NotFoundError */
export function rpcWait(sleeper: Sleeper, word: VirtAddr): RpcWait | null {
  if (!sleeper.in(/^_*(rpc_wait_bit_killable|rpc_execute|rpc_wait_for_completion_task)$/)) return null;
  const { kernel } = sleeper;
  const type = kernel.types.find('struct rpc_task');
  if (type === null) return null;
  const rpc = kernel.object(type, offsetBy(word, -offsetOf(type, 'tk_runstate')));
  const client = rpc.member('tk_client');
  const text = (read: () => KernelObject): string | null =>
    kernel.faults.attempt(
      'remote call',
      () => {
        const name = read();
        return name.isNull ? null : name.string(longest);
      },
      null,
    );
  return {
    rpc: rpc.address,
    server: text(() => client.deref().member('cl_xprt').deref().member('servername')),
    program: text(() => client.deref().member('cl_program').deref().member('name')),
    procedure: text(() => rpc.member('tk_msg.rpc_proc').deref().member('p_name')),
  };
}
