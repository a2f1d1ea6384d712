// The CPU was in memory of a module that is no longer loaded: something of it was left behind.
import { regionOf } from '../../arch/architecture.ts';
import { type VirtAddr, virtAddr } from '../../base/address.ts';
import { hex, hex16 } from '../../base/text.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Finding } from '../analysis.ts';
import { arrivalOf } from '../arrival.ts';
import { type Callback, callbackRunning } from '../callback.ts';
import { evidence, logEvidence, present } from '../evidence.ts';
import { type Facts, instructionAt } from '../facts.ts';
import { phrases, type Scene } from '../scene.ts';
import type { Explanation } from './explanation.ts';

export const unloadedCode: Explanation = {
  name: 'unloaded-code',
  recognises: 'code of a module that was unloaded',
  weigh(scene) {
    const { facts, kind } = scene;
    if (facts.exception === null || kind === 'unknown') return null;
    const at = instructionAt(facts, facts.exception);
    if (!isFreedCode(facts.kernel, at)) return null;
    const name = lastUnloaded(facts);
    if (name === null) return null;
    const entered = arrivalOf(facts)?.how === 'called';
    const callback = callbackRunning(facts, entered);
    const about = scene.as(kind);
    const { runBy } = phrases(scene, about);
    const left = leftBehind(callback);
    return {
      depth: 'mechanism',
      confidence: 'likely',
      because: `the address is where modules are and no loaded module is there, and ${name} was unloaded last; the kernel keeps no note of where it was`,
      speaksFor: [
        `0x${hex(at)} is in the region of modules, and no module is loaded there`,
        `${name} is the module that was unloaded last`,
        ...(callback === null ? [] : [`${callback.runner} runs what was left with it: a ${callback.what}`]),
      ],
      speaksAgainst: [],
      about,
      sentence: `The CPU ran into code of a module that is gone: at 0x${hex(at)} no module is loaded any more, and the module ${name} was unloaded; ${left}${runBy}.`,
      findings: () => findings(scene, at, name, callback),
    };
  },
};

/** What of the module was still in use. */
function leftBehind(callback: Callback | null): string {
  switch (callback?.what) {
    case undefined:
      return 'something still called it';
    case 'thread':
      return 'a thread of it still ran, and went on in code that was gone';
    default:
      return `a ${callback!.what} of it was left behind${callback!.name === null ? '' : ` (${callback!.name})`}, which ${callback!.runner} called`;
  }
}

/** True for an address where modules' code is kept and none is: not mapped, not to be executed, or filled with traps. */
export function isFreedCode(kernel: Kernel, at: VirtAddr): boolean {
  if (kernel.place(at) !== null || regionOf(kernel.arch, at)?.name !== 'modules') return false;
  const inModule = kernel.modules.some(({ ranges }) =>
    ranges.some(({ start, size }) => at >= start && at < start + BigInt(size)),
  );
  if (inModule) return false;
  if (!kernel.faults.attempt('page tables', () => kernel.arch.space.isExecutable(at), true)) return true;
  // freed code that stays mapped is filled with one byte, a trap (execmem, 64f6a4e10c05, 6.15)
  const { bytes } = kernel.space.readUpTo(virtAddr(at & ~15n), 32);
  return bytes.length > 0 && bytes.every((byte) => byte === bytes[0]);
}

/** The module that was unloaded last, as the log or the kernel's own note has it. */
export function lastUnloaded({ kernel, logLines }: Facts): string | null {
  for (const line of logLines.toReversed()) {
    const name = /\[last unloaded: ([^\s(\]]+)/.exec(line)?.[1];
    if (name !== undefined) return name;
  }
  // char[] with taints behind the name until 6f1dae1d84b6 (6.0), a struct of both since: the name stands first in both
  const symbol = kernel.ownSymbol('last_unloaded_module');
  if (symbol === null) return null;
  const text = kernel.faults.attempt('last unloaded module', () => kernel.space.cString(symbol.address, 64), '');
  const name = /^[\w-]+/.exec(text)?.[0];
  return name ?? null;
}

function findings({ facts }: Scene, at: VirtAddr, name: string, callback: Callback | null): Finding[] {
  return [
    {
      title: `0x${hex(at)} is in no loaded module, and ${name} was unloaded`,
      explanation: `A module must take back what it left with the kernel before it goes: timer_delete_sync() or timer_shutdown_sync() for timers, cancel_work_sync(), kthread_stop(), rcu_barrier() for call_rcu(), unregister_...() for notifiers and handlers.${callback === null ? '' : ` Here it is a ${callback.what}.`}`,
      confidence: 'likely',
      evidence: present(
        logEvidence(facts, '[last unloaded: ', 'Which module went last.'),
        evidence(facts, 'mod', 'The modules that are loaded, with where they are.'),
        callback?.type == null || callback.object === null
          ? null
          : evidence(
              facts,
              `struct ${callback.type} -x ${hex16(callback.object)}`,
              `The ${callback.what}, which still has the function.`,
            ),
        evidence(facts, 'bt', 'Who called it.'),
      ),
    },
  ];
}
