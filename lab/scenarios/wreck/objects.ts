// Objects that the kernel keeps for others, and what is left in them: works, callbacks, timers, caches, lists.
import { byWreck, type Scenario } from '../../scenario.ts';

const fault = /BUG: |Oops|general protection|Unable to handle/;

export const objects: readonly Scenario[] = [
  byWreck('doublefree', 'frees an object twice', /kernel BUG at|not found|free/, {
    kind: ['BUG', 'panic', 'use-after-free', 'invalid-opcode'],
    at: 'w_doublefree',
  }),
  byWreck('usercopy', 'copies more than an object to a process', /usercopy: Kernel memory exposure/, {
    kind: 'BUG',
    at: 'w_usercopy',
    says: /usercopy|copied/i,
  }),
  byWreck('fortify', 'fills more than a variable', /detected buffer overflow/, {
    kind: 'BUG',
    at: ['w_fortify', 'w_fortify.cold'], // GCC moves what does not return out of the way
    says: /buffer overflow/,
  }),
  byWreck(
    'refcount',
    'takes a reference of what has none, panic_on_warn',
    /refcount_t: addition on 0/,
    // (GCC may end w_refcount() with a jump: then it has no frame)
    { kind: 'use-after-free', at: ['w_refcount', 'wreck_write'], says: /addition on 0/ },
    { sysctl: { 'kernel.panic_on_warn': 1 } },
  ),
  // newer kernels refuse it, with a warning
  byWreck(
    'rcu',
    'an RCU callback that is NULL, panic_on_warn',
    /BUG: |Oops|WARNING: /,
    { kind: ['null-pointer', 'WARN'], sentence: /wreck/ },
    { sysctl: { 'kernel.panic_on_warn': 1 } },
  ),
  byWreck('rcugarbage', 'an RCU callback that is no code', fault, {
    kind: ['bad-page-fault', 'general-protection'],
    says: /\brh\b.*\[wreck\]/,
    sentence: /wreck/,
  }),
  byWreck('wq', 'a work whose function is no code', fault, {
    kind: ['bad-page-fault', 'general-protection'],
    says: [/0x1234567/, /\bwk\b.*\[wreck\]/],
    sentence: /wreck/,
  }),
  byWreck('tasksnext', 'the list of tasks ends in text', /wreck: tasks.next/, {
    kind: 'panic',
    at: 'w_tasksnext',
    says: /list of tasks/,
  }),
  byWreck('tasksloop', 'the list of tasks goes back', /wreck: tasks.next/, {
    kind: 'panic',
    at: 'w_tasksloop',
    says: /list of tasks/,
  }),
  byWreck('taskswild', 'the list of tasks goes to something else', /wreck: tasks.next/, {
    kind: 'panic',
    at: 'w_taskswild',
    says: /list of tasks/,
  }),
  byWreck(
    'inittask',
    'the first task is overwritten',
    /init_task is broken/,
    {
      kind: 'panic',
      at: 'w_inittask',
      says: /list of tasks/,
    },
    { moves: 'provoking overwrites the first task' },
  ),
  byWreck('structpage', 'the struct page of an object is overwritten, and the object freed', /wreck: page|Oops|BUG: /, {
    kind: ['panic', 'BUG', 'general-protection', 'bad-page-fault'],
    says: /aaaaaaaa|struct page/,
  }),
  {
    name: 'unload-timer',
    about: 'a module goes and leaves a timer behind',
    provoke: 'insmod /lib/modules/gone.ko how=0; sleep 1; rmmod gone; sleep 5\n',
    dying: fault,
    verdict: {
      // since 6.13 a module's freed code may stay mapped, filled with int3
      kind: ['bad-page-fault', 'trap'],
      says: /timer/,
      sentence: /module gone.*unloaded|unloaded.*module gone/,
    },
  },
  {
    name: 'unload-thread',
    about: 'a module goes and leaves a thread behind',
    provoke: 'insmod /lib/modules/gone.ko how=1; sleep 1; rmmod gone; sleep 5\n',
    dying: fault,
    verdict: {
      kind: ['bad-page-fault', 'trap'],
      says: /thread/,
      sentence: /module gone.*unloaded|unloaded.*module gone/,
    },
  },
];
