// Bad addresses, and what runs around them: probes, tracers, programs, the beginning of a module.
import { byWreck, type Scenario } from '../../scenario.ts';

const nullInDeref = { kind: 'null-pointer', at: 'wreck_deref', says: /NULL/ } as const;
const oops = /kernel NULL pointer/;
const trace = 'mkdir -p /trace; mount -t tracefs tracefs /trace';
const child = "busybox sh -c 'echo null > /proc/wreck' &\n";

export const faults: readonly Scenario[] = [
  byWreck('null', 'a structure whose pointer to another was never set, four calls deep', oops, nullInDeref),
  byWreck('deep', 'the same below eighty calls of one function to itself', oops, {
    ...nullInDeref,
    never: /overflow|recursion/,
  }),
  byWreck('rust', 'the same, called by functions with mangled names of Rust and C++', oops, nullInDeref),
  byWreck('current', 'the same in a process whose task_struct was overwritten', oops, nullInDeref),
  byWreck('kprobe', "the same in a kprobe's handler", oops, nullInDeref),
  byWreck('kretprobe', 'the same in a function that returns through a kretprobe', oops, nullInDeref),
  byWreck('ftrace', 'the same while every function is traced', oops, nullInDeref, {
    provoke: `${trace}; echo function > /trace/current_tracer; ${child}`,
  }),
  byWreck('fgraph', 'the same in functions that return through the graph tracer', oops, nullInDeref, {
    provoke: `${trace}; echo 'wreck_*' > /trace/set_ftrace_filter; echo function_graph > /trace/current_tracer; ${child}`,
  }),
  byWreck('bpf', 'the same in a kprobe that a BPF program runs into', oops, nullInDeref, {
    provoke: 'echo armbpf > /proc/wreck\nbpfcrash\n',
  }),
  {
    name: 'init-fault',
    about: "a module's first function reads through a NULL pointer",
    provoke: 'insmod /lib/modules/initfault.ko\n',
    dying: oops,
    verdict: { kind: 'null-pointer', says: /NULL.*\[initfault\]/ },
  },
  byWreck(
    'userptr',
    "reads a process's memory without saying so (SMAP)",
    /unable to handle (?:page fault|kernel paging)/i,
    {
      kind: 'bad-page-fault',
      at: 'w_userptr',
      says: /SMAP|user/,
    },
  ),
  byWreck(
    'textwrite',
    "writes into the kernel's own code, which is read-only",
    /unable to handle (?:page fault|kernel paging)/i,
    {
      kind: 'bad-page-fault',
      at: 'w_textwrite',
      says: [/read-only|write-protected/, /panic/],
    },
  ),
  byWreck('twocpu', 'two CPUs fault at the same time', /Oops/, {
    kind: ['null-pointer', 'bad-page-fault'],
    at: ['wreck_deref', 'oopser'],
    says: /CPU [01] .*(dying|died|faulted|too)/,
  }),
  byWreck('dienest', 'a bad address, and a die notifier that faults while that is told', /Oops/, {
    kind: 'bad-page-fault',
    at: 'w_dienest',
    says: [/0xdead/, /then\b.*wreck_deref/i],
  }),
  byWreck(
    'notifier',
    'panic(), and a panic notifier that faults',
    /wreck: the first panic/,
    { kind: 'panic', at: 'w_notifier', says: [/the first panic/, /then\b.*wreck_deref/i] },
    { append: 'crash_kexec_post_notifiers' },
  ),
  byWreck('wordy', 'a panic whose message has lines, quotes and markup', /a message of/, {
    kind: 'panic',
    at: 'w_wordy',
    says: /a message of/,
  }),
  byWreck(
    'atomicmutex',
    'takes a mutex with interrupts off, which this kernel does not check; then sysrq-c',
    /sysrq triggered crash/,
    { kind: 'sysrq', never: /atomic|deadlock/i },
    { provoke: "busybox sh -c 'echo atomicmutex > /proc/wreck' &\nsleep 2\necho c > /proc/sysrq-trigger\n" },
  ),
  {
    name: 'init-exit',
    about: 'the first process ends with status 3',
    provoke: 'exit 3\n',
    dying: /Attempted to kill init/,
    verdict: { kind: 'panic', sentence: /init.*(ended|exited).*status 3/i },
  },
];
