// Explanations of exceptions that the kernel did not expect.
import type { IncidentKind } from '../kinds.ts';
import { oopsSysctls } from '../sysctls.ts';
import { type Explanation, faultSteps } from './explanation.ts';
import { sanitizer } from './sanitizers.ts';

export const faults = {
  'null-pointer': {
    meaning:
      'The kernel used a NULL pointer: it read or wrote at a small address, the offset of a member in a structure that was not there.',
    causes: [
      'a pointer that was never set, or was cleared by another path (a race with teardown)',
      'a function that returned NULL and was not checked',
      'an error path that goes on',
    ],
    next: faultSteps,
    sysctls: oopsSysctls,
  },
  'bad-page-fault': {
    meaning: 'The kernel accessed an address that is not mapped, or in a way its mapping forbids.',
    causes: [
      'a pointer into freed or unloaded memory',
      'a corrupted pointer',
      'an index far out of range',
      'a stack or structure overwritten by its neighbour',
    ],
    next: [...faultSteps, 'vtop of the faulting address; kmem of the address'],
    sysctls: oopsSysctls,
  },
  'general-protection': {
    meaning:
      'The CPU refused an instruction; in kernel code nearly always an access through an address that is not canonical: the pointer is garbage.',
    causes: [
      'memory used after it was freed (look for poison patterns)',
      'a list entry deleted twice (dead000000000100, dead000000000122)',
      'an uninitialised or overwritten pointer',
      'a wrong MSR access',
    ],
    next: [...faultSteps, 'kmem -s of the register that holds the object'],
    sysctls: oopsSysctls,
  },
  'divide-error': {
    meaning: 'The kernel divided by zero, or the quotient did not fit.',
    causes: [
      'a size, rate or count that a device, a file system or user space gave as 0',
      'an average over no samples',
    ],
    next: ['bt', 'dis -lr %ADDRESS', 'look which register the divisor came from'],
    sysctls: oopsSysctls,
  },
  'invalid-opcode': {
    meaning:
      'The CPU met an instruction it does not know: a BUG() (ud2) whose message is missing, or a jump into data.',
    causes: [
      'a failed assertion',
      'a corrupted function pointer',
      'code that needs a CPU feature that is missing',
      'corrupted kernel text',
    ],
    next: ['bt', 'dis -r %ADDRESS', 'rd -x of the code, compared with the vmlinux'],
    sysctls: oopsSysctls,
  },
  'stack-overflow': {
    meaning: 'A kernel stack ran over its end.',
    causes: [
      'unbounded or deep recursion (stacked file systems, network tunnels, block devices)',
      'large arrays on the stack',
      'an interrupt on top of an already deep stack',
    ],
    next: [
      'bt: count the repeating functions',
      'bt -f: find the large frames',
      'task -R stack %PID; struct thread_info',
    ],
    sysctls: oopsSysctls,
  },
  'double-fault': {
    meaning:
      'The CPU faulted while it was entering the handler of another fault; nearly always because the kernel stack pointer was bad.',
    causes: ['a kernel stack overflow', 'a corrupted stack pointer', 'damaged page tables or per-CPU data'],
    next: ['bt', 'compare RSP with the stack of the task: task -R stack', 'bt -a'],
    sysctls: oopsSysctls,
  },
  'use-after-free': sanitizer('Memory was used after it was freed.', [
    'a missing reference',
    'a timer, work item or callback that outlives its object',
    'a race between teardown and use',
  ]),
  trap: {
    meaning: 'The CPU raised an exception in kernel mode that the kernel does not handle there.',
    causes: ['corrupted code or registers', 'a debugger or probe left in place', 'a bad stack or segment'],
    next: faultSteps,
    sysctls: oopsSysctls,
  },
} satisfies Partial<Record<IncidentKind, Explanation>>;
