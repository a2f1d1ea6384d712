// How a death came about, beyond its kind: smashed stacks, callbacks that are no code, code that is gone, deaths upon deaths.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { analyse } from '../../src/triage/analyse.ts';
import { reachVerdict } from '../../src/triage/verdict.ts';
import { DyingKernel, type Exception, exception, type StackItem, user } from '../support/dying_kernel.ts';
import { shownText } from '../support/shown.ts';

const oops: readonly StackItem[] = [
  'machine_kexec',
  '__crash_kexec',
  'crash_kexec',
  'oops_end',
  'page_fault_oops',
  'exc_page_fault',
];
const write: readonly StackItem[] = ['frob[widget]', 'vfs_write', 'do_syscall_64', user];

function death(
  stack: readonly StackItem[],
  { log = [] as readonly string[], prepare = (_: DyingKernel): void => {} } = {},
) {
  const dying = DyingKernel.make({ log });
  prepare(dying);
  dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), stack);
  return { dying, panic: reachVerdict(dying.facts).panic };
}

describe('where the CPU went to no code', () => {
  const text = 0xffff_4141_4141_4141n;

  test('with no return address on the stack, it was no call: nobody is said to have called', () => {
    const { panic } = death([
      ...oops,
      exception('asm_exc_page_fault', text),
      { words: [text, text, text, 0n] },
      ...write,
    ]);
    assert.match(
      panic.message,
      /^The CPU returned to address 0xffff414141414141, the text "AAAAAA": the stack was overwritten, 3 words of it with the same value, in the frame of the function that frob\+0x50 \[widget\] called/,
    );
    assert.deepEqual([panic.confidence, panic.rip?.symbol], ['certain', 'frob']);
    assert.match(panic.because, /3 times over/);
  });

  test('one word that fits may be chance: not certain', () => {
    const { panic } = death([...oops, exception('asm_exc_page_fault', text), { words: [text, 5n] }, ...write]);
    assert.equal(panic.confidence, 'likely');
    assert.match(panic.message, /its stack was overwritten, or it jumped there/);
  });

  test('a return address that the function had put there itself: the word below the stack has it, and another was called', () => {
    const dying = DyingKernel.make();
    const distance = Number(dying.codeAt('leaf') - dying.codeAt('frob+0x50[widget]'));
    const imm = Buffer.from(Int32Array.of(distance).buffer).toString('hex');
    dying.code('frob[widget]', '90 eb 48'); // nop; jmp 0x4b
    dying.code('frob+0x4b[widget]', `e8 ${imm}`); // call leaf
    // ss lies where the return took its address from
    const items = [...oops, exception('asm_exc_page_fault', text, { ss: text }), ...write];
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), items);
    const { panic } = reachVerdict(dying.facts);
    assert.match(
      panic.message,
      /^The CPU returned to address 0xffff414141414141, .*: the return address of leaf, which frob\+0x50 \[widget\] called, was overwritten/,
    );
    assert.deepEqual([panic.confidence, panic.rip?.symbol], ['likely', 'leaf']);
  });

  test('a jump by a pointer leaves the same word there when it goes through a retpoline: nothing was overwritten', () => {
    const dying = DyingKernel.make();
    const distance = Number(dying.codeAt('leaf') - dying.codeAt('frob+0x50[widget]'));
    const imm = Buffer.from(Int32Array.of(distance).buffer).toString('hex');
    dying.code('frob[widget]', '90 eb 48'); // nop; jmp 0x4b
    dying.code('frob+0x4b[widget]', `e8 ${imm}`); // call leaf
    dying.code('leaf', 'ff e0'); // jmp *%rax
    const items = [...oops, exception('asm_exc_page_fault', text, { ss: text }), ...write];
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), items);
    assert.match(
      reachVerdict(dying.facts).panic.message,
      /^Bad function pointer: jumped to address 0xffff414141414141/,
    );
  });

  test('with one, it was a call, whatever the address looks like', () => {
    const { panic } = death([...oops, exception('asm_exc_page_fault', text), ...write]);
    assert.match(panic.message, /^Bad function pointer: jumped to address 0xffff414141414141, .*, called in frob/);
  });
});

describe('where modules are and none is', () => {
  const modules = 0xffff_ffff_c050_0008n;
  const timer = 0xffff_8880_0770_0040n;
  const called = (log: readonly string[]) =>
    death(
      [
        ...oops,
        exception('asm_exc_page_fault', modules, { rdi: timer }),
        'call_timer_fn',
        '__run_timers',
        'run_timer_softirq',
        ...write,
      ],
      { log },
    ).panic.message;

  test('a timer of a module that was unloaded: that is the cause, not the function that the timer has', () => {
    const log = ['Modules linked in: widget(O) [last unloaded: gone(O)]'];
    assert.match(called(log), /^The CPU ran into code of a module that is gone: at 0xffffffffc0500008 .* module gone/);
  });

  test('where none was unloaded, the function is what is wrong', () => {
    assert.match(called([]), /^The function of the timer at 0xffff888007700040 .* is 0xffffffffc0500008/);
  });
});

describe('memory that is allocated and given back', () => {
  const types = `
    struct atomic_long { long counter; };
    struct kmem_cache_order_objects { unsigned int x; };
    struct kmem_cache_node { u64 nr_partial; struct atomic_long nr_slabs; struct atomic_long total_objects; };
    struct kmem_cache {
      struct kmem_cache_order_objects oo; unsigned int size; unsigned int object_size; unsigned int offset; u64 flags;
      const char *name; struct list_head list; struct kmem_cache_node *node[4];
    };`;
  const wild = 0x8243_6044_2ca0_a3ben;

  function asked(instruction: string, register: 'cache' | 'none') {
    const dying = DyingKernel.make({ types });
    const list = dying.allocate('struct list_head', 'slab_caches');
    const cache = dying.allocate('struct kmem_cache');
    const name = dying.reserve(32);
    dying.space.write(name, Buffer.from('ticket\0'));
    dying.set(cache, 'name', name);
    dying.link(list.address, cache.member('list').address);
    dying.code(instruction, '48 8b 02'); // mov (%rdx),%rax
    const registers = { rdx: wild, rdi: register === 'cache' ? cache.address : 0n };
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
      ...oops,
      exception('asm_exc_general_protection', instruction, registers),
      ...write,
    ]);
    return reachVerdict(dying.facts).panic;
  }

  test('a free list that leads nowhere: the cache is named, and who asked is not to blame', () => {
    const panic = asked('kmem_cache_alloc_noprof+0x10', 'cache');
    assert.match(
      panic.message,
      /^The free list of the slab cache ticket is corrupt: kmem_cache_alloc_noprof\+0x10 came to 0x824360442ca0a3be/,
    );
    assert.equal(panic.confidence, 'likely');
  });

  test('without the cache, or in another function, it is a bad pointer and no more', () => {
    assert.match(asked('kmem_cache_alloc_noprof+0x10', 'none').message, /^Bad pointer: tried to read/);
    assert.match(asked('frob+0x10[widget]', 'cache').message, /^Bad pointer: tried to read/);
  });

  /** widget_table, a variable, is given to kfree(). */
  function freed(log: readonly string[], caught: Exception, prepare = (_: DyingKernel): void => {}) {
    const dying = DyingKernel.make({ log });
    prepare(dying);
    const table = dying.allocate('unsigned long', 'widget_table');
    const distance = Number(dying.codeAt('kfree') - dying.codeAt('frob+0x50[widget]'));
    const imm = (value: number): string => Buffer.from(Int32Array.of(value).buffer).toString('hex');
    const address = Buffer.from(BigUint64Array.of(table.address).buffer).toString('hex');
    dying.code('frob[widget]', `48 bf ${address} 90 eb 3e`); // movabs $widget_table,%rdi; nop; jmp 0x4b
    dying.code('frob+0x4b[widget]', `e8 ${imm(distance)} 0f 0b`); // call kfree; ud2
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [...oops, caught, ...write]);
    return reachVerdict(dying.facts).panic;
  }

  test('what kfree() was given, where it faults: the caller is to blame, and the address that it made of that is not the matter', () => {
    const panic = freed(
      [],
      exception('asm_exc_page_fault', 'kfree+0x10', { rdx: wild }),
      (dying) => dying.code('kfree+0x10', '48 8b 02'), // mov (%rdx),%rax
    );
    assert.match(
      panic.message,
      /^Memory was given back that could not be: kfree\(\) was given 0x[0-9a-f]+ \(the variable widget_table\), in frob\+0x50 \[widget\], run by sh .*; kfree\+0x10 faulted at 0x824360442ca0a3be/,
    );
    assert.equal(panic.confidence, 'likely', 'no log says it as well');
  });

  test('what kfree() was given, where a check in it fails', () => {
    const log = [
      'kernel BUG at mm/slub.c:550!',
      'Oops: invalid opcode: 0000 [#1] SMP NOPTI',
      'CPU: 1 UID: 0 PID: 7 Comm: sh Not tainted 6.12.0 #1',
      'RIP: 0010:kfree+0x10/0x100',
      'Call Trace:',
      ' <TASK>',
      ' frob+0x50/0x100 [widget]',
      ' </TASK>',
    ];
    const panic = freed(log, exception('asm_exc_invalid_op', 'kfree+0x10'));
    assert.match(
      panic.message,
      /^Memory was given back that could not be: kfree\(\) was given 0x[0-9a-f]+ \(the variable widget_table\) \(kernel BUG at mm\/slub\.c:550!\) in frob/,
    );
  });
});

test('a function that ended with a jump has no frame: it is to blame all the same, and who called it is told', () => {
  const make = (jumpsTo: string): string => {
    const dying = DyingKernel.make();
    const imm = (to: bigint, from: bigint): string =>
      Buffer.from(Int32Array.of(Number(to - from)).buffer).toString('hex');
    dying.codeAt('rb_insert_color');
    dying.code('frob[widget]', '90 eb 48'); // nop; jmp 0x4b
    const wrapper = dying.codeAt('wrapper[widget]');
    dying.code('frob+0x4b[widget]', `e8 ${imm(wrapper, dying.codeAt('frob+0x50[widget]'))}`); // call wrapper
    dying.code('wrapper+0x4[widget]', `e9 ${imm(dying.codeAt(jumpsTo), wrapper + 9n)}`); // jmp
    dying.code('rb_insert_color+0x10', '48 8b 02'); // mov (%rdx),%rax
    const items = [...oops, exception('asm_exc_page_fault', 'rb_insert_color+0x10', { rdx: 0x18n }), ...write];
    dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), items);
    return reachVerdict(dying.facts).panic.message;
  };
  assert.match(
    make('rb_insert_color'),
    / through rb_insert_color\+0x10 in wrapper\+0x4 \[widget\] \(which ended with a jump; frob\+0x50 \[widget\] called it\), run by sh/,
  );
  assert.match(make('other'), / through rb_insert_color\+0x10 in frob\+0x50 \[widget\], run by sh/);
});

describe('a stack that ended', () => {
  test('one large frame is told, and no recursion', () => {
    const { panic } = death([
      'machine_kexec',
      'panic',
      'handle_stack_overflow',
      exception('asm_exc_page_fault', 'leaf+0x10'),
      'frob[widget]',
      { words: new Array<bigint>(700).fill(0n) },
      'vfs_write',
      'do_syscall_64',
      user,
    ]);
    assert.match(panic.message, /overflowed.*: the frame of frob alone takes 5600 bytes of it/);
  });

  const overflow = (...stack: readonly StackItem[]) =>
    death([
      'machine_kexec',
      'panic',
      'handle_stack_overflow',
      exception('asm_exc_page_fault', 'leaf+0x10'),
      ...stack,
      'vfs_write',
      'do_syscall_64',
      user,
    ]).panic;
  const times = (count: number, ...round: readonly StackItem[]): StackItem[] =>
    Array.from({ length: count }, () => round).flat();

  test('a round through the kernel is told by the module in it, not by whichever function was met most often', () => {
    const { message } = overflow('filp_open', ...times(12, 'frob[widget]', 'vfs_open', 'path_openat', 'filp_open'));
    assert.match(
      message,
      /: frob \[widget\] leads to itself again, by filp_open, path_openat and vfs_open; 12 of the stack's 5\d frames are its/,
    );
  });

  test('a function that calls itself, and one that is there twice', () => {
    assert.match(
      overflow(...times(20, 'frob[widget]')).message,
      /: frob \[widget\] calls itself; 20 of the stack's 2\d/,
    );
    assert.match(overflow(...times(2, 'frob[widget]', 'leaf')).message, /no function is on it again and again/);
  });
});

describe('what was left to be called later', () => {
  const run = (runner: string, rdi: bigint): readonly StackItem[] => [
    ...oops,
    exception('asm_exc_page_fault', 0xffff_ffff_c0de_baben, { rdi }),
    runner,
    'kthread',
    'ret_from_fork_asm',
  ];

  test('a work of a module whose function is no code: the module owns it', () => {
    const dying = DyingKernel.make();
    const work = dying.allocate('unsigned long', 'widget_work');
    dying.panicOn(1, dying.task({ pid: 7, comm: 'kworker/0:1' }), run('process_one_work', work.address));
    const { panic } = reachVerdict(dying.facts);
    assert.match(
      panic.message,
      /^The function of the work widget_work is 0xffffffffc0debabe, .*: process_one_work called it, run by kworker/,
    );
    assert.equal(panic.confidence, 'likely', 'of no module');
  });

  test('a tasklet is told by the place that its function was loaded from: it is given but a number', () => {
    const type =
      'struct tasklet_struct { u64 next; u64 state; u64 more; void (*func)(unsigned long); unsigned long data; };';
    const make = (target: bigint) => {
      const dying = DyingKernel.make({ types: type });
      const tasklet = dying.allocate('struct tasklet_struct', 'widget_tasklet');
      dying.code('tasklet_action_common', '48 8b 43 18 eb 48'); // mov 0x18(%rbx),%rax; jmp to the call *%rax
      dying.space.words(tasklet.address + 0x18n, target);
      const at = exception('asm_exc_page_fault', 0x1234n, { rdi: 5n, rbx: tasklet.address, rax: 0x1234n });
      dying.panicOn(1, dying.task({ pid: 7, comm: 'ksoftirqd/1' }), [...oops, at, 'tasklet_action_common', 'kthread']);
      return reachVerdict(dying.facts).panic.message;
    };
    assert.match(
      make(0x1234n),
      /^The function of the tasklet widget_tasklet is 0x1234, .*: tasklet_action_common called it/,
    );
    assert.doesNotMatch(make(0x99n), /widget_tasklet/, 'another function is there now');
  });

  test('of what the first register holds, nothing is said where that is no address of the kernel', () => {
    const { panic } = death(run('process_one_work', 5n));
    assert.match(panic.message, /^Bad function pointer: .* called in process_one_work/);
  });
});

describe('deaths upon deaths', () => {
  const log = [
    'Kernel panic - not syncing: widget: the first',
    'CPU: 1 UID: 0 PID: 7 Comm: sh Not tainted 6.12.0 #1',
    'Call Trace:',
    ' <TASK>',
    ' panic+0x50/0x100',
    ' frob+0x50/0x100 [widget]',
    ' vfs_write+0x50/0x100',
    ' </TASK>',
    'BUG: kernel NULL pointer dereference, address: 0000000000000140',
    'Oops: Oops: 0000 [#1] SMP NOPTI',
    'CPU: 1 UID: 0 PID: 7 Comm: sh Not tainted 6.12.0 #1',
    'RIP: 0010:bad_notifier+0x10/0x100 [widget]',
    'Kernel panic - not syncing: Fatal exception',
  ];
  const nested: readonly StackItem[] = [
    ...oops,
    exception('asm_exc_page_fault', 'bad_notifier+0x10[widget]'),
    'notifier_call_chain',
    'panic',
    ...write,
  ];

  test('a panic notifier that faults: the panic is the death, what the notifier did follows', () => {
    for (const text of [log, []]) {
      const { panic } = death(nested, { log: text });
      assert.equal(panic.kind, 'panic');
      assert.equal(panic.rip?.symbol, 'frob');
      assert.match(
        panic.message,
        /^The kernel called panic\(\).* Then, while the kernel was dying, .* faulted in bad_notifier\+0x10 \[widget\]/,
      );
    }
  });

  test('a fault whose die notifier faults: the first fault is the death', () => {
    const { panic } = death([
      ...oops,
      exception('asm_exc_page_fault', 'bad_notifier+0x10[widget]'),
      'notifier_call_chain',
      '__die_body',
      'page_fault_oops',
      'exc_page_fault',
      exception('asm_exc_page_fault', 'frob+0x10[widget]'),
      ...write.slice(1),
    ]);
    assert.equal(panic.rip?.symbol, 'frob');
    assert.match(panic.message, /Then, while the kernel was dying/);
  });

  test('an oops that panics is one death', () => {
    const { panic } = death([
      'machine_kexec',
      '__crash_kexec',
      'panic',
      'oops_end',
      'page_fault_oops',
      'exc_page_fault',
      exception('asm_exc_page_fault', 'frob+0x10[widget]'),
      ...write.slice(1),
    ]);
    assert.doesNotMatch(panic.message, /Then/);
  });
});

test('a CPU that was dying, too, has a sentence of its own', () => {
  const dying = DyingKernel.make();
  dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
    ...oops,
    exception('asm_exc_page_fault', 'frob+0x10[widget]'),
    ...write.slice(1),
  ]);
  dying.runs(0, dying.task({ pid: 8, comm: 'other' }), [
    'crash_nmi_callback',
    'exc_nmi',
    exception('end_repeat_nmi', 'native_queued_spin_lock_slowpath+0x10'),
    'oops_begin',
    'page_fault_oops',
    exception('asm_exc_page_fault', 'spill+0x20[widget]'),
    'vfs_write',
    user,
  ]);
  const { panic } = reachVerdict(dying.facts);
  assert.match(
    panic.message,
    /CPU 0 was dying, too: other \(pid 8\) had faulted in spill\+0x20 \[widget\], and waited in oops_begin\(\)\. CPU 1 was first/,
  );
});

test('a canary that was overwritten: the words of that frame are shown, up to its return address', () => {
  const log = ['Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: frob+0x50/0x100 [widget]'];
  const dying = DyingKernel.make({ log });
  const text = 0x4141_4141_4141_4141n;
  dying.panicOn(1, dying.task({ pid: 7, comm: 'sh' }), [
    'machine_kexec',
    'panic',
    '__stack_chk_fail',
    'frob[widget]',
    { words: [text, text, text] },
    'vfs_write',
    'do_syscall_64',
    user,
  ]);
  dying.writeTables();
  const { panic, findings } = analyse(dying.context);
  assert.match(panic.message, /^The stack was overwritten in the frame of frob\+0x50 \[widget\]/);
  const shown = findings[0]!.evidence.find(({ command }) => command.startsWith('rd -s '));
  assert.match(shown?.command ?? '', /^rd -s [0-9a-f]{16} 4$/);
  assert.match(shownText(shown!), /4141414141414141 4141414141414141[\s\S]*vfs_write\+80/);
});
