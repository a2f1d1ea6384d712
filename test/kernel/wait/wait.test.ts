// What a task waits for: a wrong answer sends people after the wrong lock, device or task.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { waitWords } from '../../../src/commands/tasks/wait_data.ts';
import type { Wait, WaitKind } from '../../../src/kernel/wait/wait.ts';
import { SleepingKernel } from '../../support/sleeper_writer.ts';

/** The wait, which must be of a kind. */
function of<K extends WaitKind>(kind: K, wait: Wait | null): Extract<Wait, { readonly kind: K }> {
  assert.equal(wait?.kind, kind);
  return wait as Extract<Wait, { readonly kind: K }>;
}

const caller = (wait: Wait): string | undefined => wait.caller?.place?.symbol.name;

describe('wait queues', () => {
  test('an event: the queue, and who waits for it behind the functions that wait', () => {
    const world = new SleepingKernel();
    const { task, record } = world.sleeps(['wait_for_widget', 'frob[widget]']);
    const head = world.kernel.allocate('struct wait_queue_head');
    world.queues(record('struct wait_queue_entry'), task, 'autoremove_wake_function', head);
    const wait = of('event', world.wait(task));
    assert.equal(wait.queue, head.address);
    assert.equal(wait.primitive, 'wait_for_widget');
    assert.equal(caller(wait), 'frob');
  });

  test('a function of a module is never taken for a means of waiting', () => {
    const world = new SleepingKernel();
    const { task } = world.sleeps(['wait_for_parts[widget]', 'frob[widget]']);
    assert.equal(caller(of('event', world.wait(task))), 'wait_for_parts');
  });

  test('an entry that is queued no more, or whose list is broken, leads nowhere', () => {
    const world = new SleepingKernel();
    const { task, record } = world.sleeps(['wait_for_widget', 'frob']);
    const entry = record('struct wait_queue_entry');
    const head = world.kernel.allocate('struct wait_queue_head');
    world.queues(entry, task, 'autoremove_wake_function', head);
    world.kernel.set(head, 'head.prev', 0);
    assert.equal(of('event', world.wait(task)).queue, null);
  });

  test('a pipe, by the end that is waited for', () => {
    const world = new SleepingKernel(
      'struct pipe_inode_info { int x; struct wait_queue_head rd_wait; struct wait_queue_head wr_wait; };',
    );
    const pipe = world.kernel.allocate('struct pipe_inode_info');
    const [reader, writer] = [
      ['pipe_read', 'vfs_read'],
      ['anon_pipe_write', 'vfs_write'],
    ].map((names) => world.sleeps(names, { user: true, state: 1 }));
    world.queues(
      reader!.record('struct wait_queue_entry'),
      reader!.task,
      'autoremove_wake_function',
      pipe.member('rd_wait'),
    );
    world.queues(
      writer!.record('struct wait_queue_entry'),
      writer!.task,
      'autoremove_wake_function',
      pipe.member('wr_wait'),
    );
    const [read, write] = [of('pipe', world.wait(reader!.task)), of('pipe', world.wait(writer!.task))];
    assert.deepEqual([read.direction, read.pipe], ['read', pipe.address]);
    assert.deepEqual([write.direction, write.pipe], ['write', pipe.address]);
  });
});

describe('what is no wait for anything in the kernel', () => {
  test('a kernel thread in its own loop is idle; in uninterruptible sleep it is not', () => {
    const world = new SleepingKernel();
    const [idle, stuck] = [world.sleeps(['widget_loop'], { state: 1 }), world.sleeps(['widget_loop'], { state: 2 })];
    of('idle', world.wait(idle!.task));
    of('event', world.wait(stuck!.task));
  });
  test('a task that could run, one that is dead, and an idle task wait for nothing', () => {
    const world = new SleepingKernel();
    const [running, dead] = [world.sleeps(['frob'], { state: 0 }), world.sleeps(['frob'])];
    world.kernel.set(dead!.task, 'exit_state', 0x20);
    assert.equal(world.wait(running!.task), null);
    assert.equal(world.wait(dead!.task), null);
    assert.equal(world.wait(world.kernel.variable('init_task')), null);
  });
  test('children, signals, sockets, files and being stopped go by the functions', () => {
    const world = new SleepingKernel();
    for (const [functions, kind] of [
      [['do_wait', 'kernel_wait4'], 'child'],
      [['sigsuspend', '__x64_sys_rt_sigsuspend'], 'signal'],
      [['inet_csk_accept', 'inet_accept'], 'socket'],
      [['schedule_hrtimeout_range', 'do_sys_poll'], 'files'],
      [['do_signal_stop', 'get_signal'], 'stopped'],
      [['kthread_parkme', 'smpboot_thread_fn'], 'stopped'],
      [['n_tty_read', 'tty_read'], 'terminal'],
    ] as const) {
      assert.equal(world.wait(world.sleeps(functions, { state: 1, user: true }).task)?.kind, kind, functions[0]);
    }
  });
});

describe('completions', () => {
  test('the completion, and nothing more where nothing tells', () => {
    const world = new SleepingKernel();
    const { task, record } = world.sleeps(['__wait_for_common', 'wait_for_completion', 'frob']);
    const completion = world.kernel.allocate('struct completion');
    world.awaits(record('struct swait_queue'), task, completion);
    const wait = of('completion', world.wait(task));
    assert.equal(wait.completion, completion.address);
    assert.equal(wait.subject, null);
    assert.equal(caller(wait), 'frob');
  });

  test('one that another task waits for, too: the head of the queue is still told from its entries', () => {
    const world = new SleepingKernel();
    const completion = world.kernel.allocate('struct completion');
    const tasks = [0, 1].map(() => world.sleeps(['__wait_for_common', 'wait_for_completion', 'frob']));
    const entries = tasks.map(({ task, record }) => {
      const entry = record('struct swait_queue');
      world.kernel.set(entry, 'task', task);
      return entry.member('task_list').address;
    });
    world.kernel.link(completion.member('wait.task_list').address, ...entries);
    for (const { task } of tasks) assert.equal(of('completion', world.wait(task)).completion, completion.address);
  });

  test('a thread that is to end', () => {
    const world = new SleepingKernel(
      'struct kthread { int flags; struct completion parked; struct completion exited; };',
    );
    const { kernel } = world;
    const { task, record } = world.sleeps(['__wait_for_common', 'wait_for_completion', 'kthread_stop', 'frob']);
    const kthread = kernel.allocate('struct kthread');
    world.awaits(record('struct swait_queue'), task, kthread.member('exited'));
    // no member of task_struct leads there: it is not known whose it is
    assert.equal(of('completion', world.wait(task)).subject, null);
  });
});

const pageTypes = `
  struct file_system_type { const char *name; };
  struct super_block { struct file_system_type *s_type; char s_id[32]; };
  struct inode { struct super_block *i_sb; unsigned long i_ino; unsigned long i_state; };
  struct address_space { struct inode *host; };
  struct folio { unsigned long flags; struct address_space *mapping; };
  enum pageflags { PG_locked, PG_writeback };
  struct wait_page_queue { struct folio *folio; int bit_nr; struct wait_queue_entry wait; };
  struct wait_bit_key { void *flags; int bit_nr; unsigned long timeout; };
  struct wait_bit_queue_entry { struct wait_bit_key key; struct wait_queue_entry wq_entry; };
`;

describe('pages and bits', () => {
  function fileSystem(world: SleepingKernel) {
    const { kernel } = world;
    const type = kernel.allocate('struct file_system_type');
    const name = kernel.reserve(8);
    kernel.space.write(name, Buffer.from('ext4\0'));
    kernel.set(type, 'name', name);
    const superblock = kernel.allocate('struct super_block');
    kernel.set(superblock, 's_type', type);
    kernel.set(superblock, 's_id', 'vda1');
    const inode = kernel.allocate('struct inode');
    kernel.set(inode, 'i_sb', superblock);
    kernel.set(inode, 'i_ino', 12);
    return inode;
  }

  function waitsForPage(world: SleepingKernel, mapping: bigint) {
    const { kernel } = world;
    const { task, record } = world.sleeps(['io_schedule', 'folio_wait_bit_common', 'folio_wait_writeback', 'frob']);
    const wait = record('struct wait_page_queue');
    const folio = kernel.allocate('struct folio');
    kernel.set(folio, 'mapping', mapping);
    kernel.set(wait, 'folio', folio);
    kernel.set(wait, 'bit_nr', 1);
    world.queues(wait.member('wait'), task, 'wake_page_function', kernel.allocate('struct wait_queue_head'));
    return { task, folio };
  }

  test('a page: its flag by name, and the file that it is of', () => {
    const world = new SleepingKernel(pageTypes);
    const inode = fileSystem(world);
    const mapping = world.kernel.allocate('struct address_space');
    world.kernel.set(mapping, 'host', inode);
    const { task, folio } = waitsForPage(world, mapping.address);
    const wait = of('page', world.wait(task));
    assert.deepEqual([wait.page, wait.flag, wait.swap], [folio.address, 'writeback', false]);
    assert.deepEqual(wait.file, { inode: inode.address, number: 12n, fileSystem: 'ext4', device: 'vda1' });
    assert.equal(caller(wait), 'frob');
  });

  test('a page of a process is of no file, and one whose file cannot be read neither', () => {
    const world = new SleepingKernel(pageTypes);
    const mapping = world.kernel.allocate('struct address_space');
    const [anonymous, lost] = [waitsForPage(world, mapping.address | 1n), waitsForPage(world, mapping.address)];
    world.kernel.space.exclude(mapping.address);
    assert.equal(of('page', world.wait(anonymous!.task)).file, null);
    const { value, faults } = world.kernel.faults.collect(() => of('page', world.wait(lost!.task)));
    assert.equal(value.file, null);
    assert.deepEqual(
      faults.map(({ what }) => what),
      ['file of a page'],
    );
  });

  test('a bit by its number, a variable without, and an inode that is being written', () => {
    const world = new SleepingKernel(pageTypes);
    const { kernel } = world;
    const inode = fileSystem(world);
    const word = kernel.reserve(8);
    const cases = [
      { functions: ['bit_wait', 'out_of_line_wait_on_bit', 'frob'], func: 'wake_bit_function', at: word, bit: 5 },
      { functions: ['wait_var', 'frob'], func: 'var_wake_function', at: word, bit: -1 },
      {
        functions: ['bit_wait', '__inode_wait_for_writeback', 'frob'],
        func: 'wake_bit_function',
        at: inode.member('i_state').address,
        bit: 7,
      },
    ].map(({ functions, func, at, bit }) => {
      const { task, record } = world.sleeps(functions);
      const entry = record('struct wait_bit_queue_entry');
      kernel.set(entry, 'key.flags', at);
      kernel.set(entry, 'key.bit_nr', bit);
      world.queues(entry.member('wq_entry'), task, func, kernel.allocate('struct wait_queue_head'));
      return task;
    });
    const [bit, variable, written] = cases.map((task) => of('bit', world.wait(task)));
    assert.deepEqual([bit!.word, bit!.bit, bit!.of], [word, 5, null]);
    assert.deepEqual([variable!.word, variable!.bit], [word, null]);
    assert.equal(written!.of?.kind === 'inode' && written!.of.file.device, 'vda1');
  });
});

describe('devices', () => {
  const types = `
    struct gendisk { char disk_name[32]; };
    struct block_device { u8 bd_partno; struct gendisk *bd_disk; };
    struct bio { struct bio *bi_next; struct block_device *bi_bdev; void *bi_private; };
    struct super_block { char s_id[32]; };
    struct inode { struct super_block *i_sb; };
    struct file { struct inode *f_inode; };
    struct kiocb { struct file *ki_filp; };
    struct iomap_dio_submit { void *iter; struct task_struct *waiter; };
    struct iomap_dio { struct kiocb *iocb; struct iomap_dio_submit submit; };
  `;
  test('the bio that a completion is for, among what the task works on', () => {
    const world = new SleepingKernel(types);
    const { kernel } = world;
    const { task, record, keeps } = world.sleeps([
      '__wait_for_common',
      'wait_for_completion_io',
      'submit_bio_wait',
      'frob',
    ]);
    const completion = record('struct completion', 64);
    world.awaits(record('struct swait_queue'), task, completion);
    const disk = kernel.allocate('struct gendisk');
    kernel.set(disk, 'disk_name', 'sda');
    const block = kernel.allocate('struct block_device');
    kernel.set(block, 'bd_disk', disk);
    kernel.set(block, 'bd_partno', 2);
    const bio = kernel.allocate('struct bio');
    kernel.set(bio, 'bi_bdev', block);
    kernel.set(bio, 'bi_private', completion);
    keeps(bio.address);
    const wait = of('device', world.wait(task));
    assert.deepEqual([wait.what, wait.address, wait.device], ['bio', bio.address, 'sda2']);
  });

  test('a direct read or write', () => {
    const world = new SleepingKernel(types);
    const { kernel } = world;
    const { task, keeps } = world.sleeps(['blk_io_schedule', '__iomap_dio_rw', 'iomap_dio_rw', 'ext4_file_read_iter']);
    const dio = kernel.allocate('struct iomap_dio');
    const path = ['struct kiocb', 'struct file', 'struct inode', 'struct super_block'].map((type) =>
      kernel.allocate(type),
    );
    kernel.set(dio, 'iocb', path[0]!);
    kernel.set(path[0]!, 'ki_filp', path[1]!);
    kernel.set(path[1]!, 'f_inode', path[2]!);
    kernel.set(path[2]!, 'i_sb', path[3]!);
    kernel.set(path[3]!, 's_id', 'nvme0n1p2');
    kernel.set(dio, 'submit.waiter', task);
    keeps(dio.address);
    const wait = of('device', world.wait(task));
    assert.deepEqual([wait.what, wait.address, wait.device], ['direct', dio.address, 'nvme0n1p2']);
  });
});

describe('journals', () => {
  const types = `
    struct transaction { int t_tid; };
    struct jbd2_journal_handle { void *h_transaction; };
    struct journal_s { int j_flags; struct wait_queue_head j_wait_transaction_locked; struct wait_queue_head j_wait_done_commit;
      struct wait_queue_head j_wait_commit; struct wait_queue_head j_wait_updates; struct wait_queue_head j_wait_reserved;
      struct transaction *j_committing_transaction; char j_devname[56]; struct task_struct *j_task; };
  `;

  function journalOf(world: SleepingKernel, name = 'dm-0-8') {
    const { kernel } = world;
    const thread = world.sleeps(['kjournald2', 'kthread'], { comm: 'jbd2/dm-0-8', state: 1 });
    const journal = kernel.allocate('struct journal_s');
    kernel.set(journal, 'j_devname', name);
    kernel.set(journal, 'j_task', thread.task);
    const transaction = kernel.allocate('struct transaction');
    kernel.set(journal, 'j_committing_transaction', transaction);
    return { journal, thread, transaction };
  }

  test('a commit, by the thread that makes it, and the device without what names the journal', () => {
    const world = new SleepingKernel(types);
    const { journal, thread } = journalOf(world);
    const { task, record } = world.sleeps(['jbd2_log_wait_commit', 'ext4_sync_file', 'do_fsync'], { user: true });
    world.queues(
      record('struct wait_queue_entry'),
      task,
      'autoremove_wake_function',
      journal.member('j_wait_done_commit'),
    );
    const wait = of('journal', world.wait(task));
    assert.deepEqual([wait.what, wait.journal, wait.device], ['commit', journal.address, 'dm-0']);
    assert.equal(wait.thread?.address, thread.task.address);
    assert.match(waitWords(world.kernel, wait), /^the journal of dm-0 to be committed, by \d+ "jbd2\/dm-0-8"$/);
  });

  test('what only looks like a journal is an event: no name, or no thread of a journal', () => {
    const world = new SleepingKernel(types);
    const { journal } = journalOf(world, '\x01\x02');
    const { task, record } = world.sleeps(['jbd2_log_wait_commit', 'ext4_sync_file'], { user: true });
    world.queues(
      record('struct wait_queue_entry'),
      task,
      'autoremove_wake_function',
      journal.member('j_wait_done_commit'),
    );
    of('event', world.wait(task));
  });

  test('the thread itself: those with a handle on the transaction, and nobody else', () => {
    const world = new SleepingKernel(types, 'void *journal_info;');
    const { kernel } = world;
    const { journal, transaction } = journalOf(world);
    const committer = world.sleeps(['jbd2_journal_commit_transaction', 'kjournald2', 'kthread'], {
      comm: 'jbd2/dm-0-8',
    });
    kernel.set(journal, 'j_task', committer.task);
    world.queues(
      committer.record('struct wait_queue_entry'),
      committer.task,
      'autoremove_wake_function',
      journal.member('j_wait_updates'),
    );
    const [user, other] = ['changer', 'other'].map((comm) => world.sleeps(['frob'], { comm, user: true }));
    const handles = [transaction, kernel.allocate('struct transaction')].map((of) => {
      const handle = kernel.allocate('struct jbd2_journal_handle');
      kernel.set(handle, 'h_transaction', of);
      return handle;
    });
    kernel.set(user!.task, 'journal_info', handles[0]!);
    kernel.set(other!.task, 'journal_info', handles[1]!);
    const wait = of('journal', world.wait(committer.task));
    assert.deepEqual([wait.what, wait.users.map(({ comm }) => comm)], ['handles', ['changer']]);
  });
});

describe('remote calls', () => {
  test('the server, and what it was asked', () => {
    const world = new SleepingKernel(`${pageTypes}
      struct rpc_procinfo { const char *p_name; };
      struct rpc_message { struct rpc_procinfo *rpc_proc; };
      struct rpc_program { const char *name; };
      struct rpc_xprt { const char *servername; };
      struct rpc_clnt { struct rpc_program *cl_program; struct rpc_xprt *cl_xprt; };
      struct rpc_task { int tk_status; unsigned long tk_runstate; struct rpc_clnt *tk_client; struct rpc_message tk_msg; };
    `);
    const { kernel } = world;
    const text = (value: string): bigint => {
      const at = kernel.reserve(32);
      kernel.space.write(at, Buffer.from(`${value}\0`));
      return at;
    };
    const [rpc, client, xprt, program, procedure] = ['task', 'clnt', 'xprt', 'program', 'procinfo'].map((name) =>
      kernel.allocate(`struct rpc_${name}`),
    );
    kernel.set(rpc!, 'tk_client', client!);
    kernel.set(rpc!, 'tk_msg.rpc_proc', procedure!);
    kernel.set(client!, 'cl_xprt', xprt!);
    kernel.set(client!, 'cl_program', program!);
    kernel.set(xprt!, 'servername', text('files.example'));
    kernel.set(program!, 'name', text('nfs'));
    kernel.set(procedure!, 'p_name', text('READ'));
    const { task, record } = world.sleeps([
      'rpc_wait_bit_killable',
      'out_of_line_wait_on_bit',
      '__rpc_execute',
      'nfs_do_read',
    ]);
    const entry = record('struct wait_bit_queue_entry');
    kernel.set(entry, 'key.flags', rpc!.member('tk_runstate').address);
    kernel.set(entry, 'key.bit_nr', 1);
    world.queues(entry.member('wq_entry'), task, 'wake_bit_function', kernel.allocate('struct wait_queue_head'));
    const wait = of('bit', world.wait(task));
    assert.deepEqual(wait.of, {
      kind: 'rpc',
      rpc: rpc!.address,
      server: 'files.example',
      program: 'nfs',
      procedure: 'READ',
    });
    assert.equal(waitWords(kernel, wait), 'the answer of the server files.example to nfs READ');
  });
});

describe('percpu-rwsems', () => {
  const types = `
    struct rcuwait { struct task_struct *task; };
    struct atomic { int counter; };
    struct percpu_rw_semaphore { void *read_count; struct rcuwait writer; struct wait_queue_head waiters; struct atomic block; };
    struct sb_writers { u16 frozen; struct percpu_rw_semaphore rw_sem[3]; };
    struct super_block { struct list_head s_list; char s_id[32]; struct sb_writers s_writers; };
  `;

  test('a reader that a frozen file system keeps out', () => {
    const world = new SleepingKernel(types);
    const { kernel } = world;
    const { task, record } = world.sleeps(['percpu_rwsem_wait', '__percpu_down_read', 'mnt_want_write', 'path_openat']);
    const superblock = kernel.allocate('struct super_block');
    kernel.link(kernel.allocate('struct list_head', 'super_blocks').address, superblock.member('s_list').address);
    kernel.set(superblock, 's_id', 'vda1');
    kernel.set(superblock, 's_writers.frozen', 4);
    const sem = superblock.member('s_writers.rw_sem').index(0);
    kernel.set(sem, 'block.counter', 1);
    kernel.set(sem, 'read_count', perCpuCounts(world, 0));
    world.queues(record('struct wait_queue_entry'), task, 'percpu_rwsem_wake_function', sem.member('waiters'));
    const wait = of('lock', world.wait(task));
    assert.deepEqual([wait.lock.kind, wait.lock.lock, wait.lock.wants], ['percpu-rwsem', sem.address, 'read']);
    assert.match(wait.lock.held, /^for writing/);
    assert.deepEqual(wait.fileSystem, { address: superblock.address, device: 'vda1', level: 4 });
    assert.equal(caller(wait), 'path_openat');
  });

  test('a writer that waits for readers to leave: found by the lock that names it', () => {
    const world = new SleepingKernel(types);
    const { kernel } = world;
    const { task, keeps } = world.sleeps(['percpu_down_write', 'frob']);
    const sem = kernel.allocate('struct percpu_rw_semaphore');
    kernel.set(sem, 'writer.task', task);
    kernel.set(sem, 'read_count', perCpuCounts(world, 3));
    keeps(sem.address);
    const wait = of('lock', world.wait(task));
    assert.deepEqual([wait.lock.lock, wait.lock.wants, wait.fileSystem], [sem.address, 'write', null]);
    assert.match(wait.lock.held, /by 3 that it does not name/);
  });

  /** A per-CPU counter with so many on CPU 0. */
  function perCpuCounts(world: SleepingKernel, count: number): bigint {
    const at = world.kernel.reserve(8);
    world.kernel.space.write(at, Buffer.from([count, 0, 0, 0]));
    world.kernel.space.map(at + 0x10_0000n, 8);
    return at;
  }
});

describe('futexes and time', () => {
  test('the word of a futex, of the process whose it is', () => {
    const world = new SleepingKernel(`
      struct plist_node { int prio; struct list_head node_list; };
      struct key_both { u64 ptr; unsigned long word; unsigned int offset; };
      union futex_key { struct key_both both; };
      struct futex_q { struct plist_node list; struct task_struct *task; union futex_key key; void *pi_state; };
    `);
    const { kernel } = world;
    const { task, record } = world.sleeps(['futex_wait_queue', 'futex_wait'], { user: true, state: 1 });
    kernel.set(task, 'mm', 0xffff_8880_1234_0000n);
    const queued = record('struct futex_q');
    kernel.set(queued, 'task', task);
    kernel.set(queued, 'key.both.ptr', 0xffff_8880_1234_0000n);
    kernel.set(queued, 'key.both.word', 0x7f00_1000);
    kernel.set(queued, 'key.both.offset', 0x10);
    kernel.link(kernel.reserve(16), queued.member('list.node_list').address);
    const wait = of('futex', world.wait(task));
    assert.deepEqual([wait.address, wait.owner], [0x7f00_1010n, null]);
  });

  test('a timer that an earlier sleep left on the stack does not count', () => {
    const world = new SleepingKernel(`
      struct timer_list { struct hlist_node entry; unsigned long expires; void *function; u32 flags; };
      struct timer_base { struct timer_list *running_timer; unsigned long clk; struct hlist_head vectors[4]; };
      struct process_timer { struct timer_list timer; struct task_struct *task; };
    `);
    const { kernel } = world;
    const base = kernel.type('struct timer_base');
    kernel.define('timer_bases', 0xffff_8881_0000_8000n, 128, { kind: 'array', element: base, length: 1 });
    for (const cpu of [0, 1]) kernel.space.map(kernel.perCpuAddress('timer_bases', cpu), 128);
    const [armed, stale] = [world.sleeps(['msleep', 'frob']), world.sleeps(['msleep', 'frob'])].map(
      ({ task, record }) => {
        const timer = record('struct process_timer');
        kernel.set(timer, 'task', task);
        kernel.set(timer, 'timer.function', kernel.codeAt('process_timeout'));
        kernel.set(timer, 'timer.expires', 4_294_900_000);
        return { task, timer };
      },
    );
    const bucket = kernel.perCpu('timer_bases', 1).index(0).member('vectors').index(2);
    kernel.set(bucket, 'first', armed!.timer.member('timer.entry'));
    assert.deepEqual(of('time', world.wait(armed!.task)).until, { clock: 'jiffies', at: 4_294_900_000n });
    assert.equal(of('time', world.wait(stale!.task)).until, null);
  });
});
