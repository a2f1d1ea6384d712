// Explanations of what sanitizers find.
import type { IncidentKind } from '../kinds.ts';
import { panicOnWarn, warnSysctls } from '../sysctls.ts';
import type { Explanation } from './explanation.ts';

export const sanitizer = (meaning: string, causes: readonly string[]): Explanation => ({
  meaning,
  causes,
  next: [
    'read the "Allocated by" and "Freed by" traces: who owned the memory',
    'bt %PID',
    'kmem ADDRESS for the object',
  ],
  sysctls: [
    panicOnWarn,
    {
      name: 'kasan_multi_shot / kasan.fault',
      variables: ['kasan_arg_fault'],
      meaning: 'boot parameters: report more than once; panic on a report',
    },
  ],
});

export const sanitizers = {
  kasan: sanitizer('KASAN caught an access to memory that is not (or no longer) allocated.', [
    'use after free: a missing reference or a race with teardown',
    'an index or size beyond the object',
    'an object freed twice',
  ]),
  kmsan: sanitizer('KMSAN saw a decision or a copy to user space that depends on memory nobody initialised.', [
    'a structure filled member by member, with holes or a forgotten member',
    'a short read from a device that is taken for whole',
  ]),
  kcsan: {
    meaning: 'KCSAN saw two CPUs access the same memory at once without synchronisation, at least one writing.',
    causes: ['a missing lock', 'a lockless access that should be READ_ONCE()/WRITE_ONCE()'],
    next: ['compare the two traces: which lock should both hold'],
    sysctls: warnSysctls,
  },
  kfence: sanitizer('KFENCE, which samples allocations, caught a bad access to one of them.', [
    'use after free',
    'an access beyond the object',
    'an invalid free',
  ]),
  ubsan: {
    meaning:
      'Code did what the C standard leaves undefined: an index out of bounds, a shift too wide, an overflow, a misaligned access.',
    causes: [
      'an unchecked value from a device, file system image or user space',
      'a flexible array declared with a fixed size',
    ],
    next: ['read the source line that the message names'],
    sysctls: warnSysctls,
  },
} satisfies Partial<Record<IncidentKind, Explanation>>;
