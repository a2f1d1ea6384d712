// Each fact must see a wrong answer as wrong: a comparison that forgives everything would hide a broken offset.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cgroups } from '../../lab/facts/cgroups.ts';
import { compareCore } from '../../lab/facts/core_file.ts';
import { lastTasks } from '../../lab/facts/cpus.ts';
import { drivers, requests, resources } from '../../lab/facts/drivers.ts';
import { ftrace } from '../../lab/facts/ftrace.ts';
import { facts } from '../../lab/facts/index.ts';
import { interrupts } from '../../lab/facts/interrupts.ts';
import { ipc } from '../../lab/facts/ipc.ts';
import { logOfGuest, logOfMakedumpfile } from '../../lab/facts/log.ts';
import { slabs, totals } from '../../lab/facts/memory.ts';
import { modules, moduleUsers } from '../../lab/facts/modules.ts';
import { mounts } from '../../lab/facts/mounts.ts';
import { devices, sockets } from '../../lab/facts/network.ts';
import { files, mappings, pages } from '../../lab/facts/processes_insides.ts';
import { signals } from '../../lab/facts/signals.ts';
import { stacks } from '../../lab/facts/stacks.ts';
import { symbols } from '../../lab/facts/symbols.ts';
import { commandLine, identity, taint, uptime } from '../../lab/facts/system.ts';
import { commMatches, processes, threads } from '../../lab/facts/tasks.ts';
import { compareTrace } from '../../lab/facts/trace_file.ts';
import { verdict } from '../../lab/facts/verdict.ts';
import { groups, locks } from '../../lab/facts/waiting.ts';
import { workers } from '../../lab/facts/workers.ts';
import rwsem from '../../lab/scenarios/rwsem.ts';
import { compared, counts, pictureOf, task } from './world.ts';

const head = (pid: number, comm = 'sh') => `PID: ${pid}        TASK: ff19dc6701220000  CPU: 1    COMMAND: "${comm}"\n`;
const ps = (...rows: string[]) =>
  `      PID    PPID  CPU       TASK        ST  %MEM      VSZ      RSS  COMM\n${rows.map((row) => `${row}\n`).join('')}`;

describe('facts', () => {
  it('have names of their own, and commands', () => {
    assert.equal(new Set(facts.map((fact) => fact.name)).size, facts.length);
    assert.ok(facts.every((fact) => fact.commands.length > 0));
  });

  for (const fact of facts) {
    it(`${fact.name}: an empty answer makes nothing equal`, (test) => {
      const picture = pictureOf(test, {
        ...task(1, { comm: 'init', ppid: 0 }),
        ...task(50, { pid: 1, stack: '[<0>] hang+0x5/0x20\n' }),
        '1/mounts': 'proc /proc proc rw 0 0\n',
        '1/maps': '00400000-00500000 r-xp 00000000 00:01 12 /bin/busybox\n',
        '1/fd': '0 /dev/null\n3 socket:[77]\n',
        modules: 'perish 16384 0 - Live 0xffffffffc0362000 (OE)\n',
        kallsyms: 'ffffffff81000000 T hang\n',
        dmesg: '<6>[    0.000000] Linux version\n',
        slabinfo: 'slabinfo - version: 2.1\n# name\nwidget 1 32 128 32 1 : tunables 0 0 0 : slabdata 1 1 0\n',
        meminfo: 'MemTotal: 800000 kB\nMemFree: 400000 kB\n',
        interrupts: '           CPU0       CPU1\n  4:        120        0   IO-APIC   4-edge      ttyS0\n',
        addresses: 'eth0 inet 10.0.2.15\n',
        'net/dev': 'Inter-|\n face |\n  eth0: 1 2\n',
        cmdline: 'console=ttyS0\n',
        cpuinfo: 'processor\t: 0\n\nprocessor\t: 1\n',
        devices: 'Character devices:\n  1 mem\n\nBlock devices:\n254 virtblk\n',
        iomem: '00000000-00000fff : Reserved\n',
        diskstats: ' 254 0 vda 1 0 2 3 4 0 5 6 0 7 8\n',
        ftrace: '  init-1  [000] .....  1.000001: said: hello\n',
        loadavg: '0.50 0.10 0.00 1/99 300\n',
        sysctl: 'kernel.tainted=12288\n',
        version: 'Linux version 6.12.1-test (a@b) (gcc) #1 SMP Debian (2026)\n',
      });
      const tally = compared(
        fact,
        picture,
        fact.commands.map(() => ''),
        { dmesgOfMakedumpfile: '[    0.000000] Linux version\n' },
      );
      assert.equal(tally.equal, 0);
    });
  }
});

describe('processes and threads', () => {
  const row = '       20       1    0  ff19dc6701220000  IN   0.3     2260     1816  sh';

  it('finds each process where the guest had it', (test) => {
    const tally = compared(processes, pictureOf(test, task(20)), [ps(row)]);
    assert.deepEqual(counts(tally), [4, 0, 0]);
  });

  it('calls a wrong parent, CPU, state and name wrong while the task did not run', (test) => {
    const tally = compared(processes, pictureOf(test, task(20, { ppid: 3, cpu: 1, state: 'D', comm: 'bash' })), [
      ps(row),
    ]);
    assert.deepEqual(counts(tally), [0, 0, 4]);
  });

  it('explains another state and CPU, but not another parent, by running again', (test) => {
    const tally = compared(processes, pictureOf(test, task(20, { ppid: 3, cpu: 1, state: 'R' })), [ps(row)], {
      ranSince: () => 'it ran',
    });
    assert.deepEqual(counts(tally), [1, 2, 1]);
  });

  it('calls a missing process, and one that never was, wrong', (test) => {
    const tally = compared(processes, pictureOf(test, { ...task(20), ...task(30) }), [
      ps(row, row.replace('20', '25')),
    ]);
    assert.deepEqual(counts(tally), [4, 0, 2]);
    assert.match(tally.faults.join('\n'), /task 30 .*not in ps.*task 25/s);
  });

  it('keeps threads and processes apart', (test) => {
    const picture = pictureOf(test, { ...task(20), ...task(21, { pid: 20 }) });
    const text = ps(row, row.replace('20', '21'));
    assert.deepEqual(counts(compared(threads, picture, [text])), [4, 0, 0]);
    assert.deepEqual(counts(compared(processes, picture, [text])), [4, 0, 0]);
  });

  it('knows the long names of kernel threads, and no others', () => {
    assert.ok(commMatches('kworker/0:1-events', 'kworker/0:1'));
    assert.ok(commMatches('rcu_exp_par_gp_kthread_worker/0', 'rcu_exp_par_gp_'));
    assert.ok(!commMatches('kworker/0:11', 'kworker/0:1'));
    assert.ok(!commMatches('bash-x', 'bash'));
  });
});

describe('kernel stacks', () => {
  const kallsyms = [
    'ffffffff81000100 T do_poll',
    'ffffffff81000200 T entry',
    'ffffffff82000000 T __sched_text_start',
    'ffffffff82000010 T schedule',
    'ffffffff82001000 T __sched_text_end',
    '',
  ].join('\n');
  const stack = '[<0>] do_poll+0x10/0x80\n[<0>] entry+0x8/0x20\n';
  const bt = `${head(20)} #0 [ffff1] schedule at ffffffff82000020\n #1 [ffff2] do_poll at ffffffff81000110\n #2 [ffff3] entry at ffffffff81000208\n    RIP: 1  RSP: 2\n`;

  it('compares return addresses, without the functions of the scheduler', (test) => {
    const picture = pictureOf(test, { ...task(20, { stack }), kallsyms });
    assert.deepEqual(counts(compared(stacks, picture, [bt])), [1, 0, 0]);
  });

  it('calls another address, a missing and an extra frame wrong', (test) => {
    const picture = pictureOf(test, { ...task(20, { stack }), kallsyms });
    for (const broken of [
      bt.replace('81000208', '81000209'),
      bt.replace(/ #2.*\n/, ''),
      bt.replace('    RIP', ' #3 [ffff4] more at ffffffff81000208\n    RIP'),
      head(20),
    ]) {
      assert.deepEqual(counts(compared(stacks, picture, [broken])), [0, 0, 1], broken);
    }
  });
});

describe('the machine', () => {
  const sys =
    '        CPUS: 2\n      UPTIME: 00:00:31\nLOAD AVERAGE: 0.35, 0.10, 0.00\n    NODENAME: lab\n     RELEASE: 6.12.1-test\n     VERSION: #1 SMP Debian (2026)\n';

  it('compares release, version and name to the letter', (test) => {
    const picture = pictureOf(test, { version: 'Linux version 6.12.1-test (a@b) (gcc) #1 SMP Debian (2026)\n' });
    assert.deepEqual(counts(compared(identity, picture, [sys])), [4, 0, 0]);
    assert.deepEqual(
      counts(compared(identity, picture, [sys.replace('6.12.1-test', '6.12.2').replace('CPUS: 2', 'CPUS: 3')])),
      [2, 0, 2],
    );
  });

  it('compares the memory that the zones have, to the tenth', (test) => {
    const zoneinfo =
      'Node 0, zone DMA\n        spanned  4095\n        present  3998\nNode 0\n        present  200669\n';
    const picture = pictureOf(test, {
      version: 'Linux version 6.12.1-test (a@b) (gcc) #1 SMP Debian (2026)\n',
      zoneinfo,
    });
    const wrong = (memory: string) => compared(identity, picture, [`${sys}      MEMORY: ${memory}\n`]).wrong;
    assert.deepEqual([wrong('799.5 MB'), wrong('799.6 MB'), wrong('0.8 GB')], [0, 1, 1]);
  });

  it('wants the date to be the boot and the uptime', (test) => {
    const picture = pictureOf(test, {
      ...task(20),
      loadavg: '0.50 0.10 0.00 1/99 300\n',
      stat: 'cpu 1\nbtime 1795256196\n',
    });
    const wrong = (date: string) => compared(uptime, picture, [`        DATE: ${date}\n${sys}`]).wrong;
    assert.equal(wrong('Sat Nov 21 10:17:07 UTC 2026'), 0);
    assert.equal(wrong('Sat Nov 21 10:17:37 UTC 2026'), 1);
    assert.equal(wrong('(unknown)'), 1);
  });

  it('knows which panics take the other CPUs offline, and lets no other be missing', (test) => {
    const picture = pictureOf(test, { version: 'Linux version 6.12.1-test (a@b) (gcc) #1 SMP Debian (2026)\n' });
    const machine = 'aarch64';
    const stopped = sys.replace('CPUS: 2', 'CPUS: 2 [OFFLINE: 1]');
    assert.deepEqual(counts(compared(identity, picture, [stopped], { machine })), [3, 1, 0]);
    assert.deepEqual(counts(compared(identity, picture, [stopped])), [3, 0, 1]);
    const record = { kernel: '6.12', release: '6.12.1-test', scenario: 'null', level: 31, memory: 800, cpus: 2 };
    const byQemu = { record: { ...record, format: 'qemu-elf' } };
    assert.deepEqual(counts(compared(identity, picture, [stopped], byQemu)), [3, 1, 0]);
    const none = sys.replace('CPUS: 2', 'CPUS: 2 [OFFLINE: 2]');
    assert.deepEqual(counts(compared(identity, picture, [none], { machine })), [3, 0, 1]);
  });

  it('lets the uptime grow by what a run takes, and the load by what that allows', (test) => {
    const picture = pictureOf(test, { ...task(20), loadavg: '0.50 0.10 0.00 1/99 300\n' });
    assert.deepEqual(counts(compared(uptime, picture, [sys])), [3, 1, 0]);
    assert.deepEqual(counts(compared(uptime, picture, [sys.replace('00:00:31', '01:00:31')])).at(2), 1);
    assert.deepEqual(counts(compared(uptime, picture, [sys.replace('0.35', '90.0')])).at(2), 1);
    assert.deepEqual(counts(compared(uptime, picture, [sys.replace('00:00:31', '00:00:03')])).at(2), 1);
  });

  it('lets dying add to the taint, and nothing else', (test) => {
    const picture = pictureOf(test, { sysctl: 'kernel.tainted=12288\n' });
    assert.deepEqual(counts(compared(taint, picture, ['TAINTED_MASK: 3000  OE\n'])), [1, 0, 0]);
    assert.deepEqual(counts(compared(taint, picture, ['TAINTED_MASK: 3080  DOE\n'])), [0, 1, 0]);
    assert.deepEqual(counts(compared(taint, picture, ['TAINTED_MASK: 3001  POE\n'])), [0, 0, 1]);
    assert.deepEqual(counts(compared(taint, picture, ['TAINTED_MASK: 80  D\n'])), [0, 0, 1]);
  });

  it('finds the command line in a printed string', (test) => {
    const picture = pictureOf(test, { cmdline: 'console=ttyS0 a="b c"\n' });
    assert.deepEqual(
      counts(compared(commandLine, picture, ['saved_command_line = $1 = 0xffff "console=ttyS0 a=\\"b c\\""\n'])),
      [1, 0, 0],
    );
    assert.deepEqual(
      counts(compared(commandLine, picture, ['saved_command_line = $1 = 0xffff "console=ttyS1"\n'])),
      [0, 0, 1],
    );
  });
});

describe('the verdict', () => {
  const report = (kind: string, symbol: string, module: string | null = 'perish', title = '') =>
    JSON.stringify({ panic: { kind, rip: { symbol, module } }, findings: [{ title }] });
  const kallsyms = 'ffffffffc0000000 t perish_sum\t[perish]\n';

  it('must be the kind, the function and its module that the scenario provoked', (test) => {
    const picture = pictureOf(test, { kallsyms });
    assert.deepEqual(counts(compared(verdict, picture, [report('null-pointer', 'perish_sum')])), [3, 0, 0]);
    assert.deepEqual(counts(compared(verdict, picture, [report('null-pointer', 'perish_sum', null)])), [2, 0, 1]);
    assert.deepEqual(counts(compared(verdict, picture, [report('panic', 'perish_account')])), [1, 0, 2]);
    assert.deepEqual(counts(compared(verdict, picture, ['{"panic":null}'])), [0, 0, 3]);
  });

  it('must say what a reader has to know', (test) => {
    const picture = pictureOf(test, {});
    const said = (title: string) =>
      counts(compared(verdict, picture, [report('hung-task', '', null, title)], { scenario: rwsem }));
    assert.deepEqual(
      said('1 task blocked on the rwsem perish_rwsem (ff), held for writing by perish_writer (pid 5)'),
      [2, 0, 0],
    );
    assert.deepEqual(said('1 task blocked on the rwsem perish_rwsem (ff), held by nobody'), [1, 0, 1]);
  });
});

describe('the log', () => {
  const dmesg = '<6>[    1.000000] first\n<4>[    1.000000] second line\n<6>[    2.000000] third\n';

  it('finds each line in its order, further lines of a record without their time', (test) => {
    const picture = pictureOf(test, { dmesg });
    assert.deepEqual(
      counts(
        compared(logOfGuest, picture, [
          '[    1.000000] first\n               second line\n[    2.000000] third\nmore\n',
        ]),
      ),
      [3, 0, 0],
    );
    assert.deepEqual(
      counts(compared(logOfGuest, picture, ['[    2.000000] third\n[    1.000000] first\n'])),
      [1, 0, 2],
    );
  });

  it("equals makedumpfile's, whose newest versions add the writer", (test) => {
    const world = { dmesgOfMakedumpfile: '[    1.000000] [      T0] first\n[    2.000000] [      C1] second\n' };
    const picture = pictureOf(test, {});
    assert.deepEqual(
      counts(compared(logOfMakedumpfile, picture, ['[    1.000000] first\n[    2.000000] second\n'], world)),
      [2, 0, 0],
    );
    assert.deepEqual(counts(compared(logOfMakedumpfile, picture, ['[    1.000000] first\n'], world)), [1, 0, 1]);
  });
});

describe('modules, symbols, memory', () => {
  it('compares a module by base and size, and knows one too many', (test) => {
    const picture = pictureOf(test, { modules: 'perish 16384 0 - Live 0xffffffffc0362000 (OE)\n' });
    const row = 'ffffffffc0364100  perish       ffffffffc0362000   16384  (not loaded)  [CONFIG_KALLSYMS]\n';
    assert.deepEqual(counts(compared(modules, picture, [row])), [2, 0, 0]);
    assert.deepEqual(
      counts(compared(modules, picture, [row.replace('16384', '12288') + row.replace('perish', 'ghost ')])),
      [1, 0, 2],
    );
  });

  it('compares who uses a module, and how it tainted the kernel', (test) => {
    const picture = pictureOf(test, {
      modules:
        'perish 16384 0 [permanent], Live 0xffffffffc0362000 (OE)\nfailover 16384 2 net,blk, Live 0xffffffffc0372000\n',
    });
    const row = (name: string, refcount: number, usedBy: readonly string[], taints: string) => ({
      name,
      state: 'Live',
      refcount,
      usedBy,
      taints,
    });
    const text = (...list: ReturnType<typeof row>[]) => JSON.stringify({ command: 'mod', data: { modules: list } });
    const right = text(row('perish', 0, [], 'OE'), row('failover', 2, ['blk', 'net'], ''));
    assert.deepEqual(counts(compared(moduleUsers, picture, [right])), [8, 0, 0]);
    const broken = text(row('perish', 1, [], 'O'), row('failover', 2, ['blk'], ''));
    assert.deepEqual(counts(compared(moduleUsers, picture, [broken])), [5, 0, 3]);
    assert.deepEqual(counts(compared(moduleUsers, picture, ['{"data":{}}'])), [0, 0, 8]);
  });

  it('wants every symbol at its address', (test) => {
    const picture = pictureOf(test, {
      kallsyms: 'ffffffff81000000 T a\nffffffff81000010 t b\nffffffffc0000000 t x\t[bpf]\n',
    });
    assert.deepEqual(
      counts(compared(symbols, picture, ['ffffffff81000000 (T) a\nffffffff81000011 (t) b\n'])),
      [1, 0, 1],
    );
  });

  it('does not want what ftrace remembers of init code, and what a module exports all the same', (test) => {
    const picture = pictureOf(test, {
      kallsyms:
        'ffffffffc0000000 T shared\t[m]\nffffffffc0000010 r __ksymtab_shared\t[m]\nffffffffc0001000 T m_init\t[m]\n',
    });
    assert.deepEqual(counts(compared(symbols, picture, ['ffffffffc0000010 (r) __ksymtab_shared\n'])), [1, 1, 1]);
  });

  it('wants the total of memory exactly and lets the rest move a little', (test) => {
    const picture = pictureOf(test, {
      meminfo:
        'MemTotal: 400000 kB\nMemFree: 200000 kB\nBuffers: 0 kB\nCached: 40 kB\nSwapTotal: 0 kB\nSReclaimable: 40 kB\nSUnreclaim: 80 kB\n',
    });
    const text = (total: number, free: number) =>
      `    TOTAL MEM   ${total}     1 MB         ----\n         FREE    ${free}     1 MB   74% of TOTAL MEM\n      BUFFERS        0            0    0%\n       CACHED     10      1 MB\n         SLAB     30     1 MB\n`;
    assert.deepEqual(counts(compared(totals, picture, [text(100000, 50000)])), [5, 0, 0]);
    assert.deepEqual(counts(compared(totals, picture, [text(100000, 49000)])), [4, 1, 0]);
    assert.deepEqual(counts(compared(totals, picture, [text(100001, 20000)])), [3, 0, 2]);
  });

  it('wants each cache with its slab size, and its objects nearly', (test) => {
    const slabinfo =
      'slabinfo - version: 2.1\n# name\nwidget 1 320 128 32 1 : tunables\nother 0 0 64 64 1 : tunables\n';
    const text = (total: number, size: string, slabs = total / 32) =>
      `CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME\nff1459ed025c5100      128          1     ${total}     ${slabs}     ${size}  widget\n`;
    const picture = pictureOf(test, { slabinfo });
    assert.deepEqual(counts(compared(slabs, picture, [text(320, '4k')])), [2, 0, 1]);
    assert.deepEqual(counts(compared(slabs, picture, [text(352, '8k')])), [0, 1, 2]);
    assert.deepEqual(counts(compared(slabs, picture, [text(3200, '4k')])), [1, 0, 2]);
    assert.deepEqual(counts(compared(slabs, picture, [text(32, '4k')])), [1, 1, 1]);
    // more objects than its slabs have room for
    assert.deepEqual(counts(compared(slabs, picture, [text(320, '4k', 9)])), [2, 0, 2]);
  });
});

describe('what processes have', () => {
  it('compares paths of open files, and that the rest is open', (test) => {
    const picture = pictureOf(test, {
      ...task(20),
      '20/maps': 'x\n',
      '20/root': '/\n',
      '20/cwd': '/tmp\n',
      '20/fd': '0 /dev/null\n3 socket:[77]\n',
    });
    const file = (fd: number, path: string) =>
      ` ${fd} ff19dc6701059080 ff19dc6717ade000 ff19dc6717ade100 CHR  ${path}\n`;
    const text = (cwd: string, ...list: string[]) =>
      `${head(20)}ROOT: /    CWD: ${cwd}\n FD       FILE            DENTRY           INODE       TYPE PATH\n${list.join('')}`;
    assert.deepEqual(counts(compared(files, picture, [text('/tmp', file(0, '/dev/null'), file(3, 'TCP'))])), [4, 0, 0]);
    assert.deepEqual(counts(compared(files, picture, [text('/', file(0, '/dev/zero'))])), [1, 0, 3]);
  });

  it('compares mappings by their ends, and the file', (test) => {
    const picture = pictureOf(test, {
      ...task(20),
      '20/maps':
        '00400000-00500000 r-xp 00000000 00:01 12   /bin/busybox\n7ffc0000-7ffd0000 rw-p 0 00:00 0    [stack]\n',
    });
    const row = (start: string, end: string, file: string) =>
      `ff19dc67172af900    ${start}    ${end} 8000071 ${file}\n`;
    assert.deepEqual(
      counts(
        compared(mappings, picture, [
          head(20) + row('400000', '500000', '/bin/busybox') + row('7ffc0000', '7ffd0000', ''),
        ]),
      ),
      [2, 0, 0],
    );
    assert.deepEqual(
      counts(
        compared(mappings, picture, [
          head(20) + row('400000', '501000', '/bin/busybox') + row('7ffc0000', '7ffd0000', ''),
        ]),
      ),
      [1, 0, 1],
    );
  });

  it('compares both ends of a socket', (test) => {
    const picture = pictureOf(test, {
      ...task(20),
      '20/fd': '4 socket:[77]\n',
      'net/tcp':
        '  sl  local_address\n   0: 0100007F:1770 0200007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 77 1 x\n',
    });
    const row = (ends: string) =>
      `${head(20)}FD      SOCKET            SOCK       FAMILY:TYPE SOURCE-PORT DESTINATION-PORT\n 4  ff19dc6701059080 ff19dc6717ade000 INET:STREAM  ${ends}\n`;
    assert.deepEqual(counts(compared(sockets, picture, [row('127.0.0.1-6000 127.0.0.2-80')])), [1, 0, 0]);
    assert.deepEqual(counts(compared(sockets, picture, [row('127.0.0.1-6001 127.0.0.2-80')])), [0, 0, 1]);
  });
});

describe('mounts, devices, interrupts', () => {
  it('wants each mount and each address', (test) => {
    const picture = pictureOf(test, {
      '1/mounts': 'proc /proc proc rw 0 0\ntmp /tmp tmpfs rw 0 0\n',
      addresses: 'eth0 inet 10.0.2.15\neth0 inet6 fe80::1\n',
      'net/dev': '  eth0: 1 2\n',
    });
    assert.deepEqual(
      counts(
        compared(mounts, picture, [
          '     MOUNT           SUPERBLK     TYPE   DEVNAME   DIRNAME\nff1459ed011b4280 ff1459ed1ae8d000 proc   proc      /proc     \n',
        ]),
      ),
      [1, 0, 1],
    );
    assert.deepEqual(
      counts(
        compared(devices, picture, [
          '   NET_DEVICE     NAME       IP ADDRESS(ES)\nff1459ed1ae85000  eth0       10.0.2.15, fe80::2\n',
        ]),
      ),
      [2, 0, 1],
    );
  });

  it('lets counts of interrupts rise only', (test) => {
    const picture = pictureOf(test, {
      interrupts: '           CPU0       CPU1\n  4:        120        7   IO-APIC   4-edge      ttyS0\n',
    });
    const text = (a: number, b: number) => `           CPU0       CPU1 \n   4:       ${a}       ${b}  IO-APIC  ttyS0\n`;
    assert.deepEqual(counts(compared(interrupts, picture, [text(121, 7)])), [1, 1, 0]);
    assert.deepEqual(counts(compared(interrupts, picture, [text(119, 7)])), [1, 0, 1]);
  });
});

describe('ftrace', () => {
  const line = (text: string, time = '1.000001') => `            init-1       [000] .....     ${time}: ${text}\n`;

  it('wants every event, in order, whatever the guest hides of it', (test) => {
    const guest = `# tracer: nop\n#\n${line('kfree: ptr=00000000a7e09c56')}##### CPU 1 buffer started ####\n${line('sys_openat(dfd: 1)')}${line('hello')}`;
    const picture = pictureOf(test, { ftrace: guest });
    const whole = `${line('kfree: ptr=ff1265e2411dff90')}${line('sys_openat(dfd: 0x00000001)')}`;
    assert.deepEqual(counts(compared(ftrace, picture, [`# tracer: nop\n${whole}${line('hello')}`])), [3, 0, 0]);
    assert.deepEqual(counts(compared(ftrace, picture, [whole])), [2, 0, 1]);
    assert.deepEqual(
      counts(compared(ftrace, picture, [`${whole}${line('hello', '1.000002')}${line('more')}`])),
      [2, 0, 2],
    );
  });
});

describe('signals, groups and namespaces', () => {
  const status = {
    '20/task/20/status': `${task(20)['20/task/20/status']}SigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\nSigBlk:\t0000000000010000\nSigIgn:\t0000000000000002\nSigCgt:\t0000000000000001\n`,
  };
  const handled = (does: string) =>
    `${head(20)}SIGNAL_STRUCT: ff1ef8d483896a80  NR_THREADS: 1
 SIG      SIGACTION        HANDLER       MASK       FLAGS
 [1] ff1ef8d483896aa0  ${does} 0000000000000000 0
 [2] ff1ef8d483896ac0    SIG_IGN 0000000000000000 0
 [3] ff1ef8d483896ae0    SIG_DFL 0000000000000000 0
SIGPENDING: yes
   BLOCKED: 0000000000010000
PRIVATE_PENDING
    SIGNAL: 0000000000000000
  SIGQUEUE: (empty)
SHARED_PENDING
    SIGNAL: 0000000000000100
  SIGQUEUE: (empty)
`;

  it('wants every set of signals', (test) => {
    const picture = pictureOf(test, { ...task(20), ...status });
    assert.deepEqual(counts(compared(signals, picture, [handled('7f21c4041e4a')])), [5, 0, 0]);
    assert.deepEqual(counts(compared(signals, picture, [handled('   SIG_DFL')])), [4, 0, 1]);
  });

  it('wants the group and namespaces of each process, and no fewer members', (test) => {
    const picture = pictureOf(test, {
      ...task(20),
      '20/cgroup': '0::/web.slice\n',
      '20/ns/net': 'net:[4026531840]\n',
    });
    const where = (group: string, number: number) =>
      `${head(20)}    CGROUP: ${group}\nNAMESPACES: mnt:[4026531841] net:[${number}]\n`;
    const tree = (tasks: number) =>
      `VERSION: 2\nff1ef8d4b0df6000     ${tasks}  2/max  20  max  256  0  -  /web.slice\n`;
    assert.deepEqual(counts(compared(cgroups, picture, [where('/web.slice', 4026531840), tree(1)])), [3, 0, 0]);
    assert.deepEqual(counts(compared(cgroups, picture, [where('/', 4026531841), tree(0)])), [0, 0, 3]);
  });
});

describe('pages of processes', () => {
  const picture = {
    ...task(20),
    '20/maps': '00400000-00404000 rw-p 00000000 00:00 0\n',
    '20/smaps_rollup': '00400000-00404000 ---p 00000000 00:00 0 [rollup]\nRss:  8 kB\nSwap:  4 kB\n',
  };
  const vm = (...pages: string[]) => `${head(20)}VIRTUAL     PHYSICAL\n${pages.map((page) => `${page}\n`).join('')}`;

  it('counts those in memory and on swap', (test) => {
    const right = vm(
      '400000     7654000',
      '401000     7655000',
      '402000      SWAP: /dev/vdb  OFFSET: 3',
      '403000      (not mapped)',
    );
    assert.deepEqual(counts(compared(pages, pictureOf(test, picture), [right])), [2, 0, 0]);
  });
  it('counts huge pages that were set aside, which the kernel tells apart', (test) => {
    const rollup = `${picture['20/smaps_rollup']}Private_Hugetlb:  8 kB\n`;
    const right = vm(
      ...Array.from({ length: 4 }, (_, i) => `40${i}000     765${i}000`),
      '409000      SWAP: /dev/vdb  OFFSET: 3',
    );
    const all = { ...picture, '20/smaps_rollup': rollup };
    assert.deepEqual(counts(compared(pages, pictureOf(test, all), [right])), [2, 0, 0]);
    const few = vm('400000     7654000', '401000     7655000', '409000      SWAP: /dev/vdb  OFFSET: 3');
    assert.deepEqual(counts(compared(pages, pictureOf(test, all), [few])), [1, 0, 1]);
  });
  it('calls too few, too many and swap of nowhere wrong', (test) => {
    const few = vm('400000     7654000', '402000      SWAP: (unknown)  OFFSET: 3');
    assert.deepEqual(counts(compared(pages, pictureOf(test, picture), [few])), [0, 0, 2]);
    const many = vm(...Array.from({ length: 9 }, (_, i) => `40${i}000     765${i}000`));
    assert.deepEqual(counts(compared(pages, pictureOf(test, picture), [many])), [0, 0, 2]);
  });
});

describe('System V IPC', () => {
  it('wants every object with its size and use', (test) => {
    const picture = pictureOf(test, {
      'sysvipc/shm': ' key shmid perms size cpid lpid nattch uid\n -16 0 1640 4096 1 2 3 0\n',
      'sysvipc/msg': ' key msqid perms cbytes qnum lspid lrpid uid\n',
    });
    const ipcs = (attached: number) => `SHMID_KERNEL     KEY      SHMID      UID   PERMS BYTES      NATTCH STATUS
ff3c82ddf0a0c300 fffffff0 0          0     640   4096       ${attached}      dest 

MSG_QUEUE        KEY      MSQID      UID   PERMS USED-BYTES   MESSAGES    
(none allocated)
`;
    assert.deepEqual(counts(compared(ipc, picture, [ipcs(3)])), [8, 0, 0]);
    assert.deepEqual(counts(compared(ipc, picture, [ipcs(2)])), [7, 0, 1]);
  });
});

describe('what CPUs ran', () => {
  const dmesgOfMakedumpfile = '[ 1.0] CPU: 0 PID: 9 Comm: old\n[ 2.0] CPU: 1 UID: 0 PID: 217 Comm: busybox Tainted\n';
  const runq = (pid: number) =>
    `CPU 0 RUNQUEUE: ff2\n  CURRENT: PID: 0      TASK: ff2\n\nCPU 1 RUNQUEUE: ff3\n  CURRENT: PID: ${pid}    TASK: ff4\n`;
  const cpu = (mark: number, pid: number) =>
    ` CPU    PID  COMMAND\n${mark === 0 ? '*' : ' '}  0      0  "swapper/0"  \n${mark === 1 ? '*' : ' '}  1    ${pid}  "busybox"  \n`;

  it('is what the dying kernel said', (test) => {
    const picture = pictureOf(test, { cpuinfo: 'processor\t: 0\n\nprocessor\t: 1\n' });
    const right = compared(lastTasks, picture, [runq(217), cpu(1, 217)], { dmesgOfMakedumpfile });
    assert.deepEqual(counts(right), [5, 0, 0]);
    const wrong = compared(lastTasks, picture, [runq(9), cpu(0, 9)], { dmesgOfMakedumpfile });
    assert.deepEqual(counts(wrong), [2, 0, 3]);
  });
});

describe('who waits', () => {
  const dmesgOfMakedumpfile = `[ 20.4] INFO: task busybox:237 blocked for more than 5 seconds.
 __schedule+0x1
 __mutex_lock.constprop.0+0x2
 </TASK>
[ 20.4] INFO: task busybox:237 is blocked on a mutex likely owned by task perish_abba:239.
[ 20.4] INFO: task dd:300 blocked for more than 5 seconds.
 io_schedule+0x1
 </TASK>
`;
  const lock = (waiter: number, owner: number) => `MUTEX perish_second (ffffffffc0540240)
  held by ${owner} "perish_abba" ff212a6d81f6a100 (UN 8.949s)
     PID  TASK              ST    WAITING  WANTS  COMMAND           FUNCTION
     ${waiter}  ff212a6db0e78000  UN      8.662s         "busybox"         perish_proc_write+211
`;

  it('for locks: the tasks that the kernel called hung in one, and their owners', (test) => {
    const picture = pictureOf(test, {});
    assert.deepEqual(counts(compared(locks, picture, [lock(237, 239)], { dmesgOfMakedumpfile })), [1, 0, 0]);
    assert.deepEqual(counts(compared(locks, picture, [lock(300, 239)], { dmesgOfMakedumpfile })), [0, 0, 1]);
    const told = dmesgOfMakedumpfile.replace(
      ' </TASK>\n[ 20.4] INFO: task busybox:237 is',
      ' INFO; task busybox:237 is',
    );
    assert.deepEqual(counts(compared(locks, picture, [lock(237, 239)], { dmesgOfMakedumpfile: told })), [2, 0, 0]);
    assert.deepEqual(counts(compared(locks, picture, [lock(237, 1)], { dmesgOfMakedumpfile: told })), [1, 0, 1]);
  });

  it('in groups: as many as /proc has with that stack', (test) => {
    const stack = '[<0>] do_wait+0x5d/0x110\n[<0>] do_syscall_64+0x87/0x180\n';
    const picture = pictureOf(test, {
      ...task(20, { stack }),
      ...task(21, { stack }),
      kallsyms:
        'ffffffff81000000 T __sched_text_start\nffffffff81000010 T schedule\nffffffff81000100 T __sched_text_end\nffffffff82000000 T do_wait\n',
    });
    const folded = (count: number) => `do_syscall_64;do_wait;schedule ${count}\n`;
    assert.deepEqual(counts(compared(groups, picture, [folded(2)])), [1, 0, 0]);
    assert.deepEqual(counts(compared(groups, picture, [folded(1)])), [0, 0, 1]);
    assert.deepEqual(counts(compared(groups, picture, [folded(1)], { ranSince: () => 'it ran' })), [0, 1, 0]);
  });
});

describe('workers', () => {
  const wq = (count: number) => `POOL 2 ff212a6db06351c0  CPU 0  nice 0  workers: ${count} (3 idle)\n`;
  const row = (pid: number) =>
    `     ${pid}       2    0  ff19dc6701220000  ID   0.0        0        0  [kworker/0:${pid}]`;

  it('are as many as there are kworkers', (test) => {
    const picture = pictureOf(test, {
      ...task(20, { comm: 'kworker/0:0' }),
      ...task(21, { comm: 'kworker/0:1-events' }),
    });
    assert.deepEqual(counts(compared(workers, picture, [wq(2), ps(row(20), row(21))])), [1, 0, 0]);
    assert.deepEqual(counts(compared(workers, picture, [wq(1), ps(row(20))])), [0, 1, 0]);
    assert.deepEqual(counts(compared(workers, picture, [wq(3), ps(row(20), row(21))])), [0, 0, 1]);
  });
});

describe('devices of the machine', () => {
  it('have the drivers, addresses and requests that /proc has', (test) => {
    const picture = pictureOf(test, {
      devices: 'Character devices:\n  1 mem\n  4 ttyS\n\nBlock devices:\n254 virtblk\n',
      iomem: '00001000-0009fbff : System RAM\n  00002000-00002fff : Kernel code\n',
      diskstats: ' 254 0 vda 1 0 2 3 4 0 5 6 0 7 8\n 254 1 vda1 1 0 2 3 4 0 5 6 9 7 8\n',
    });
    const dev = (name: string) =>
      `CHRDEV    NAME                 CDEV        OPERATIONS\n   1      mem            ff1  memory_fops\n   4      ${name}           ff2  tty_fops\n\nBLKDEV    NAME                GENDISK      OPERATIONS\n 254      virtblk        ff3  virtblk_fops\n`;
    assert.deepEqual(counts(compared(drivers, picture, [dev('ttyS')])), [3, 0, 0]);
    assert.deepEqual(counts(compared(drivers, picture, [dev('ttyX')])), [2, 0, 2]);
    const at = (end: string) =>
      `    RESOURCE        RANGE    NAME\nff1459ed0103f580  0000-ffff  PCI IO\n\n    RESOURCE            RANGE        NAME\nff1459ed0103f580  00001000-${end}  System RAM\nff1459ed0103f580  00002000-00002fff  Kernel code\n`;
    assert.deepEqual(counts(compared(resources, picture, [at('0009fbff')])), [2, 0, 0]);
    assert.deepEqual(counts(compared(resources, picture, [at('0009ffff')])), [1, 0, 1]);
    const disk = (count: number) =>
      `  254 ff1459ed0103f580   vda        ff1459ed0103f580       ${count}     0     0 \n`;
    assert.deepEqual(counts(compared(requests, picture, [disk(0)])), [1, 0, 0]);
    assert.deepEqual(counts(compared(requests, picture, [disk(90)])), [0, 0, 1]);
  });
});

describe("a process's core file", () => {
  it('has its threads, registers and mapped files', (test) => {
    const picture = pictureOf(test, {
      ...task(1, { ppid: 0 }),
      '1/maps':
        '00400000-00401000 r--p 00000000 00:02 7       /bin/busybox\n1b08e000-1b0b0000 rw-p 00000000 00:00 0 [heap]\n',
    });
    const gdb = (lwp: number, rip: string, end: string) =>
      `* 1    LWP ${lwp}    0x00 in ?? ()\nrip            0x${rip}   0x1\n            0x400000           0x${end}     0x1000        0x0 /bin/busybox\n`;
    const trace = '    RIP: ffffffff81000000  RSP: ff\n    RIP: 00000000004b0642  RSP: 7f\n';
    const told = (text: string) =>
      compared(
        { name: 'core', commands: [], compare: (world, _texts, tally) => compareCore(world, text, trace, tally) },
        picture,
        [],
      );
    assert.deepEqual(counts(told(gdb(1, '4b0642', '401000'))), [3, 0, 0]);
    assert.deepEqual(counts(told(gdb(2, '4b0643', '402000'))), [0, 0, 3]);
    assert.deepEqual(counts(told('')), [0, 0, 3]);
  });
});

describe('a trace file', () => {
  it('has every event once, and no others', (test) => {
    const picture = pictureOf(test, {
      ftrace:
        '# tracer: nop\n   a b-1       [001] .....    10.944255: kfree: x\n   a b-1       [001] .....    10.944255: kfree: y\n  sh-20   [000] d..1.    11.000001: said: -5 [2] 3.0: z\n',
    });
    const report = (...times: string[]) =>
      `cpus=2\n${times.map((time) => `   a b-1     [001]    ${time}: kfree:   ptr=0\n`).join('')}  sh-20  [000]  11.000001: said: z\n`;
    const told = (text: string) =>
      compared(
        { name: 'trace', commands: [], compare: (world, _texts, tally) => compareTrace(world, text, tally) },
        picture,
        [],
      );
    assert.deepEqual(counts(told(report('10.944255', '10.944255'))), [5, 0, 0]);
    assert.deepEqual(counts(told(report('10.944256', '10.944255'))), [5, 0, 0]);
    assert.deepEqual(counts(told(report('10.944255'))), [3, 0, 2]);
    assert.deepEqual(counts(told(report('10.944255', '10.944355'))), [4, 0, 1]);
    assert.deepEqual(counts(told('')), [0, 0, 5]);
  });
});
