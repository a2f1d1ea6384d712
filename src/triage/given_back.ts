// Memory that was given back and could not be: which function of the allocator took it, and what it was given.

import { virtAddr } from '../base/address.ts';
import { hex } from '../base/text.ts';
import { frameName } from '../kernel/backtrace.ts';
import { slabObjectAt } from '../kernel/slab_object.ts';
import { functionName } from '../oops/frames.ts';
import { passedArgument } from '../origin/origin.ts';
import type { Facts } from './facts.ts';
import { memoryName } from './memory_name.ts';
import type { Case } from './scene.ts';

/** The allocator's functions that give memory back: what fails in them is about what they were given (mm/slub.c). */
const frees =
  /^(?:kv?free(?:_sensitive)?|kmem_cache_free(?:_bulk)?|_*slab_free\w*|do_slab_free|free_large_kmalloc|set_freepointer|build_detached_freelist)(?:\.|$)/;

/** Those that others call, with the place of the object among their arguments. */
const entries: Readonly<Record<string, number>> = { kfree: 0, kvfree: 0, kfree_sensitive: 0, kmem_cache_free: 1 };

/** Whether a check failed as memory was given back. */
export function isGivenBack({ instruction }: Case): boolean {
  return instruction !== null && frees.test(instruction.symbol ?? '');
}

/** What an allocator's function was given. */
export interface GivenBack {
  /** `kfree() was given 0x… (the variable table [frob])` */
  readonly words: string;
  /** Virtual address, as it was given. */
  readonly address: bigint;
  /** Whether a register or the stack still has it. */
  readonly proven: boolean;
}

/** What was given back; null where it cannot be told. */
export function givenBack(facts: Facts): GivenBack | null {
  const { kernel, crashTrace, exception, crashedCpu } = facts;
  if (exception === null) return null;
  const { frames } = crashTrace;
  // the first frame that is the allocator's no more called it
  const index = frames.findIndex(
    (frame, i) => i > exception.index + 1 && frame.kind === 'call' && !frees.test(functionName(frameName(frame))),
  );
  if (index < 0) return null;
  const passed = (name: string, nth: number): GivenBack | null => {
    const register = kernel.arch.registers.arguments[nth];
    const known =
      register === undefined
        ? null
        : passedArgument(kernel, crashTrace, index, name, register, crashedCpu?.cpu ?? null);
    if (known === null) return null;
    const { value } = known;
    const object = kernel.faults.attempt('slabs', () => slabObjectAt(kernel, virtAddr(value)), null);
    const state = object?.object.state === 'free' || object?.object.state === 'cpu' ? ', which is free' : '';
    return {
      words: `${name}() was given 0x${hex(value)} (${memoryName(kernel, value)}${state})`,
      address: value,
      proven: known.sure === 'proved',
    };
  };
  for (const [name, nth] of Object.entries(entries)) {
    const given = kernel.faults.attempt('what was given back', () => passed(name, nth), null);
    if (given !== null) return given;
  }
  return null;
}
