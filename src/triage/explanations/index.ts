// Every explanation: a line each. Order says nothing: all are weighed.
import { badAccess } from './bad_access.ts';
import { badCallback } from './bad_callback.ts';
import { badFree } from './bad_free.ts';
import { badJump } from './bad_jump.ts';
import { cgroupOutOfMemory } from './cgroup_out_of_memory.ts';
import { confinedOutOfMemory } from './confined_out_of_memory.ts';
import { corruptFreeList } from './corrupt_free_list.ts';
import type { Explanation } from './explanation.ts';
import { failedCheck } from './failed_check.ts';
import { fileSystemPanic } from './file_system_panic.ts';
import { hungTask } from './hung_task.ts';
import { initDied } from './init_died.ts';
import { laterDeaths } from './later_deaths.ts';
import { lockup } from './lockup.ts';
import { lostStackPointer } from './lost_stack.ts';
import { nothing } from './nothing.ts';
import { otherCpus } from './other_cpus.ts';
import { outOfMemory } from './out_of_memory.ts';
import { smashedStack } from './smashed_stack.ts';
import { doubleFault, stackOverflow } from './stack_end.ts';
import { stackProtector } from './stack_protector.ts';
import { sysrq } from './sysrq.ts';
import { machineCheck, panicked } from './told.ts';
import { trap } from './trap.ts';
import { unloadedCode } from './unloaded_code.ts';

export const explanations: readonly Explanation[] = [
  badAccess,
  badFree,
  badJump,
  badCallback,
  corruptFreeList,
  smashedStack,
  unloadedCode,
  failedCheck,
  trap,
  stackOverflow,
  doubleFault,
  lostStackPointer,
  lockup,
  hungTask,
  outOfMemory,
  cgroupOutOfMemory,
  confinedOutOfMemory,
  sysrq,
  machineCheck,
  panicked,
  initDied,
  fileSystemPanic,
  stackProtector,
  laterDeaths,
  otherCpus,
  nothing,
];
