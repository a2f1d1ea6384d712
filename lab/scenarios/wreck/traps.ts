// Instructions that trap.
import { byWreck, type Scenario } from '../../scenario.ts';

export const traps: readonly Scenario[] = [
  byWreck('invalidop', 'ud2 that is no BUG()', /invalid opcode|[Uu]ndefined instruction/, {
    kind: ['invalid-opcode', 'BUG'],
    at: 'w_invalidop',
  }),
  byWreck('ud1', 'ud1', /invalid opcode|[Uu]ndefined instruction/, { kind: 'invalid-opcode', at: 'w_ud1' }),
  byWreck('int3', 'a breakpoint that nobody set', /Oops: int3|int3: 0000|Unexpected kernel BRK/, {
    kind: 'trap',
    at: 'w_int3',
    sentence: /int3|breakpoint/,
  }),
];
