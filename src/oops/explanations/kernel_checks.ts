// Explanations of what the kernel's own checks find.
import type { IncidentKind } from '../kinds.ts';
import { oopsSysctls, panicTimeout, warnSysctls } from '../sysctls.ts';
import type { Explanation } from './explanation.ts';

export const kernelChecks = {
  BUG: {
    meaning: 'An assertion of the kernel failed: the code met a state that must not exist.',
    causes: ['a bug in the function or in its callers', 'damaged data that the assertion noticed'],
    next: ['read the source line that the message names', 'bt -f', 'dis -lr %ADDRESS'],
    sysctls: oopsSysctls,
  },
  WARN: {
    meaning: 'The kernel noticed something that should not be and went on.',
    causes: ['a bug in the function or in its callers', 'a device or user space that did the unexpected'],
    next: ['read the source line that the message names', 'bt %PID', 'log | grep -B5 -A40 "cut here"'],
    sysctls: warnSysctls,
  },
  'list-corruption': {
    meaning:
      'The pointers of a doubly linked list contradict each other: an entry was added or removed that was not in the state it should be.',
    causes: [
      'an entry deleted or added twice',
      'an entry freed while still on a list',
      'list access without its lock',
      'memory overwritten by a neighbour',
    ],
    next: [
      'bt',
      'list -H of the list head',
      'struct list_head of the addresses in the message',
      'kmem -s of the entry: is the object allocated',
    ],
    sysctls: oopsSysctls,
  },
  cfi: {
    meaning: 'An indirect call or return did not go where the compiler allows: control flow integrity stopped it.',
    causes: [
      'a function called through a pointer of another type',
      'a corrupted function pointer or return address',
      'an attack',
    ],
    next: ['bt', 'dis -lr %ADDRESS', 'sym of the target named in the message'],
    sysctls: oopsSysctls,
  },
  odebug: {
    meaning: 'An object with a life of its own (timer, work item, RCU head) was freed or initialised while active.',
    causes: ['a timer or work item that is not cancelled before its object is freed', 'double initialisation'],
    next: ['the hint in the message names the callback', 'bt %PID', 'timer'],
    sysctls: warnSysctls,
  },
  refcount: {
    meaning:
      'A reference count went below zero, up from zero, or over its limit: an object was or will be used after it is freed.',
    causes: ['one put too many', 'a get on an object that is already going away'],
    next: ['bt %PID', 'struct of the object: kmem -s of its address'],
    sysctls: warnSysctls,
  },
  usercopy: {
    meaning:
      'A copy between kernel and user memory would have gone beyond the object or touched memory not meant for users; it was refused.',
    causes: [
      'an unchecked length',
      'a slab cache without a user copy region',
      'a copy from the stack with a wrong size',
    ],
    next: ['bt %PID', 'the message names the object and the length'],
    sysctls: oopsSysctls,
  },
  fortify: {
    meaning:
      'A string or memory function would have gone beyond its buffer, whose size the compiler knew; it was stopped.',
    causes: ['an unchecked length', 'a copy over several members of a structure at once'],
    next: ['bt %PID', 'dis -lr %ADDRESS'],
    sysctls: oopsSysctls,
  },
  'stack-protector': {
    meaning: 'The guard value below the return address was changed: a function wrote beyond a buffer on its stack.',
    causes: [
      'a buffer on the stack of the named function (or one it called) that is too small',
      'a stale pointer into the stack',
    ],
    next: ['bt -f', 'dis -lr of the function: its arrays on the stack'],
    sysctls: [panicTimeout],
  },
} satisfies Partial<Record<IncidentKind, Explanation>>;
