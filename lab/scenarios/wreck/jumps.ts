// The CPU where there is no code, and stacks that were overwritten.
import { byWreck, type Scenario } from '../../scenario.ts';

const fault = /general protection fault|unable to handle|BUG: |Oops/i;
const bad = ['general-protection', 'bad-page-fault'] as const;

export const jumps: readonly Scenario[] = [
  byWreck('retaddr', 'jumps to an address that it pushed: text', fault, {
    kind: bad,
    at: ['w_retaddr', 'wreck_write', 'wreck_write.cold'],
    says: /0x4141414141414141/,
    sentence: /no return address|returned|stack/,
    never: /function pointer/,
    uncertain: true,
  }),
  byWreck('ret2', 'returns to an address that it pushed', fault, {
    kind: bad,
    at: ['w_ret2', 'wreck_write', 'wreck_write.cold'],
    says: /0xffff000041414141/,
    uncertain: true,
  }),
  byWreck('smash', "a function overwrites its own return address and its caller's stack", fault, {
    kind: bad,
    at: ['wreck_retaddr', 'w_smash', 'wreck_write', 'wreck_write.cold'],
    says: [/0xffff414141414141/, /stack/],
    sentence: /stack.*overwritten/,
    never: /function pointer/,
  }),
  byWreck('jmp0', 'calls through a NULL function pointer', fault, {
    kind: 'null-pointer',
    at: ['w_jmp0', 'wreck_write', 'wreck_write.cold'],
    says: /function pointer|NULL/,
  }),
  byWreck('jmpdata', 'calls into data, which is not executable', fault, {
    kind: 'bad-page-fault',
    at: ['w_jmpdata', 'wreck_write', 'wreck_write.cold'],
    says: [/datapage/, /NX|not executable/],
  }),
  byWreck('jmpuser', "calls into a process's code (SMEP)", fault, {
    kind: 'bad-page-fault',
    at: ['w_jmpuser', 'wreck_write', 'wreck_write.cold'],
    says: /SMEP/,
  }),
  byWreck('badrsp', 'loads a stack pointer that is none, and pushes', /double fault|Insufficient stack space/, {
    kind: 'double-fault',
    at: 'w_badrsp',
    sentence: /stack pointer.*0x1000/,
    never: /overflow/,
  }),
  byWreck('canary', 'writes past an array on the stack, over its canary', /stack-protector/, {
    kind: 'panic',
    at: 'wreck_canary',
    sentence: /stack.*wreck_canary/,
  }),
];
