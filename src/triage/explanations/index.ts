// Every explanation: a line each. Order says nothing: all are weighed.
import { badAccess } from './bad_access.ts';
import { badJump } from './bad_jump.ts';
import type { Explanation } from './explanation.ts';
import { failedCheck } from './failed_check.ts';
import { hungTask } from './hung_task.ts';
import { lockup } from './lockup.ts';
import { nothing } from './nothing.ts';
import { outOfMemory } from './out_of_memory.ts';
import { doubleFault, stackOverflow } from './stack_end.ts';
import { sysrq } from './sysrq.ts';
import { machineCheck, panicked } from './told.ts';
import { trap } from './trap.ts';

export const explanations: readonly Explanation[] = [
  badAccess,
  badJump,
  failedCheck,
  trap,
  stackOverflow,
  doubleFault,
  lockup,
  hungTask,
  outOfMemory,
  sysrq,
  machineCheck,
  panicked,
  nothing,
];
