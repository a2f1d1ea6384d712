// How kernels say what happened, by version and architecture: the wordings of arch/*/kernel/{dumpstack,traps,fault}.c,
// lib/{dump_stack,bug}.c, kernel/panic.c and of every report function that starts an incident. A corpus of a few lines a text
// is spoken with it.
//
// A trace is written as words: `name`, `?name` (found on the stack, perhaps stale), `name[mod]`, `<IRQ>`, `!name` (an
// exception interrupted it: its registers stand in the trace), `@write` and its like (how this kernel comes from a
// system call, a work item, a timer to the code above).

export type Arch = 'x86_64' | 'arm64' | 'arm' | 'i386' | 'riscv' | 'powerpc' | 's390';

/** `5.15` as 515, so that versions compare. */
function numeric(release: string): number {
  const [major, minor] = release.split('.');
  return Number(major) * 100 + Number(minor);
}

function hash(text: string): number {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619) >>> 0;
  return value;
}

const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0').slice(-width);

export interface Who {
  readonly comm?: string;
  readonly pid?: number;
  readonly cpu?: number;
}

export class Voice {
  readonly version: number;
  readonly release: string;
  readonly arch: Arch;

  constructor(release: string, arch: Arch) {
    this.release = release;
    this.version = numeric(release);
    this.arch = arch;
  }

  get since4_10(): boolean {
    return this.version >= 410;
  }

  /** A kernel address that looks like one of this architecture, the same for the same text. */
  address(of: string): string {
    const h = hash(of);
    if (this.arch === 'arm' || this.arch === 'i386') return `c${hex(h, 7)}`;
    if (this.arch === 'x86_64') return `ffffffff81${hex(h, 6)}`;
    if (this.arch === 'powerpc') return `c000000000${hex(h, 6)}`;
    if (this.arch === 's390') return `00000000${hex(h, 8)}`;
    return `ffff8000${hex(h, 8)}`;
  }

  data(of: string): string {
    const h = hash(`${of}*`);
    if (this.arch === 'arm' || this.arch === 'i386') return `d${hex(h, 7)}`;
    return `ffff8881${hex(h, 8)}`;
  }

  /** `name+0x1/0x2 [mod]` */
  symbol(word: string): string {
    const m = /^([^[+]+)(\+0)?(?:\[([^\]]+)\])?$/.exec(word)!;
    const size = 0x40 + (hash(m[1]!) % 0x60) * 0x10;
    const offset = m[2] !== undefined ? 0 : 1 + (hash(`${m[1]}@`) % (size - 2));
    return `${m[1]}+0x${offset.toString(16)}/0x${size.toString(16)}${m[3] === undefined ? '' : ` [${m[3]}]`}`;
  }

  private ways(name: string): string {
    const { arch, version } = this;
    const x86 = arch === 'x86_64';
    const syscall = (call: string, inner: string): string => {
      switch (arch) {
        case 'x86_64':
          if (version < 417)
            return `${inner} SyS_${call} ${version < 409 ? '' : 'do_syscall_64 '}entry_SYSCALL_64_fastpath`;
          return `${inner} __x64_sys_${call} ${version >= 607 ? 'x64_sys_call ' : ''}do_syscall_64 entry_SYSCALL_64_after_hwframe`;
        case 'i386':
          return `${inner} __ia32_sys_${call} do_fast_syscall_32 entry_SYSENTER_32`;
        case 'arm64':
          if (version < 417) return `${inner} SyS_${call} el0_svc_naked`;
          if (version < 510) return `${inner} __arm64_sys_${call} el0_svc_common el0_svc_handler el0_svc`;
          return `${inner} __arm64_sys_${call} invoke_syscall el0_svc_common.constprop.0 do_el0_svc el0_svc el0t_64_sync_handler el0t_64_sync`;
        case 'arm':
          return `${inner} ${version < 417 ? 'SyS' : 'sys'}_${call} ret_fast_syscall`;
        case 'riscv':
          return `${inner} __riscv_sys_${call} do_trap_ecall_u ret_from_exception`;
        case 'powerpc':
          return `${inner} sys_${call} system_call_exception system_call_vectored_common`;
        case 's390':
          return `${inner} __s390x_sys_${call} __do_syscall system_call`;
      }
    };
    const fork =
      x86 && version >= 606
        ? 'ret_from_fork ret_from_fork_asm'
        : arch === 'riscv'
          ? 'ret_from_exception'
          : 'ret_from_fork';
    const irq = x86
      ? version < 508
        ? 'smp_apic_timer_interrupt apic_timer_interrupt'
        : '__sysvec_apic_timer_interrupt sysvec_apic_timer_interrupt </IRQ> <TASK> asm_sysvec_apic_timer_interrupt'
      : arch === 'arm64'
        ? version < 510
          ? '__handle_domain_irq gic_handle_irq el1_irq'
          : 'gic_handle_irq call_on_irq_stack do_interrupt_handler el1_interrupt el1h_64_irq_handler el1h_64_irq'
        : arch === 'arm'
          ? 'handle_percpu_devid_irq generic_handle_irq gic_handle_irq __irq_svc'
          : 'generic_handle_irq do_IRQ';
    const softirq = version >= 609 ? 'handle_softirqs' : '__do_softirq';
    const table: Record<string, string> = {
      write: syscall('write', `${version < 519 ? '__vfs_write ' : ''}vfs_write ksys_write`),
      read: syscall('read', `${version < 519 ? '__vfs_read ' : ''}vfs_read ksys_read`),
      open: syscall('openat', 'do_dentry_open vfs_open path_openat do_filp_open do_sys_openat2'),
      close: syscall('close', '__fput task_work_run exit_to_user_mode_prepare syscall_exit_to_user_mode'),
      exit: syscall('exit_group', '__fput task_work_run do_exit do_group_exit'),
      ioctl: syscall('ioctl', version < 513 ? 'vfs_ioctl do_vfs_ioctl ksys_ioctl' : 'vfs_ioctl __se_sys_ioctl'),
      sendmsg: syscall('sendmsg', 'sock_sendmsg ____sys_sendmsg ___sys_sendmsg __sys_sendmsg'),
      sendto: syscall('sendto', 'sock_sendmsg __sys_sendto'),
      recvmsg: syscall('recvmsg', 'sock_recvmsg ____sys_recvmsg ___sys_recvmsg __sys_recvmsg'),
      setsockopt: syscall('setsockopt', 'do_sock_setsockopt __sys_setsockopt'),
      netlink: syscall(
        'sendmsg',
        'netlink_rcv_skb netlink_unicast netlink_sendmsg sock_sendmsg ____sys_sendmsg ___sys_sendmsg __sys_sendmsg',
      ),
      rtnl: syscall(
        'sendmsg',
        'rtnetlink_rcv_msg netlink_rcv_skb netlink_unicast netlink_sendmsg sock_sendmsg ____sys_sendmsg ___sys_sendmsg __sys_sendmsg',
      ),
      genl: syscall(
        'sendmsg',
        'genl_family_rcv_msg_doit genl_rcv_msg netlink_rcv_skb genl_rcv netlink_unicast netlink_sendmsg sock_sendmsg ____sys_sendmsg ___sys_sendmsg __sys_sendmsg',
      ),
      bind: syscall('bind', '__sys_bind'),
      connect: syscall('connect', '__sys_connect_file __sys_connect'),
      accept: syscall('accept4', 'do_accept __sys_accept4'),
      release: syscall(
        'close',
        '__sock_release sock_close __fput task_work_run exit_to_user_mode_prepare syscall_exit_to_user_mode',
      ),
      socket: syscall('socket', '__sock_create __sys_socket'),
      mount: syscall('mount', 'vfs_get_tree do_new_mount path_mount'),
      umount: syscall('umount2', 'deactivate_locked_super deactivate_super cleanup_mnt task_work_run'),
      unlink: syscall('unlink', 'vfs_unlink do_unlinkat'),
      mkdir: syscall('mkdir', 'vfs_mkdir do_mkdirat'),
      rename: syscall('rename', 'vfs_rename do_renameat2'),
      getdents: syscall('getdents64', 'iterate_dir'),
      stat: syscall('newfstatat', 'vfs_statx'),
      fsync: syscall('fsync', 'vfs_fsync_range do_fsync'),
      sync: syscall('sync', 'iterate_supers ksys_sync'),
      mmap: syscall('mmap', 'call_mmap mmap_region do_mmap vm_mmap_pgoff'),
      munmap: syscall('munmap', 'unmap_region __do_munmap __vm_munmap'),
      clone: syscall('clone', 'copy_process kernel_clone'),
      execve: syscall('execve', 'bprm_execve do_execveat_common.isra.0'),
      insmod: syscall('finit_module', 'do_one_initcall do_init_module load_module __do_sys_finit_module'),
      rmmod: syscall('delete_module', '__do_sys_delete_module'),
      bpf: syscall('bpf', '__sys_bpf'),
      io_uring: syscall('io_uring_enter', 'io_issue_sqe io_submit_sqes'),
      fallocate: syscall('fallocate', 'vfs_fallocate ksys_fallocate'),
      truncate: syscall('ftruncate', 'notify_change do_truncate do_sys_ftruncate'),
      setxattr: syscall('setxattr', '__vfs_setxattr __vfs_setxattr_noperm vfs_setxattr setxattr path_setxattr'),
      splice: syscall('splice', 'do_splice_from do_splice __do_splice'),
      sendfile: syscall('sendfile64', 'splice_direct_to_actor do_splice_direct do_sendfile'),
      poll: syscall('ppoll', 'do_poll.constprop.0 do_sys_poll'),
      epoll: syscall('epoll_wait', 'ep_send_events ep_poll do_epoll_wait'),
      futex: syscall('futex', 'do_futex'),
      keyctl: syscall('keyctl', 'keyctl_update_key'),
      work: `process_one_work worker_thread kthread ${fork}`,
      kthread: `kthread ${fork}`,
      softirq: `${softirq} ${version < 508 ? 'irq_exit' : '__irq_exit_rcu irq_exit_rcu'} ${irq}`,
      timer: `call_timer_fn ${version >= 607 ? '__run_timer_base ' : '__run_timers '}run_timer_softirq ${softirq} ${version < 508 ? 'irq_exit' : '__irq_exit_rcu irq_exit_rcu'} ${irq}`,
      tasklet: `tasklet_action_common.constprop.0 tasklet_action ${softirq} ${version < 508 ? 'irq_exit' : '__irq_exit_rcu irq_exit_rcu'} ${irq}`,
      rcu: `rcu_do_batch rcu_core ${version >= 500 ? 'rcu_core_si ' : 'rcu_process_callbacks '}${softirq} ${version < 508 ? 'irq_exit' : '__irq_exit_rcu irq_exit_rcu'} ${irq}`,
      hrtimer: `__hrtimer_run_queues hrtimer_interrupt ${irq}`,
      hardirq:
        arch === 'x86_64'
          ? `__handle_irq_event_percpu handle_irq_event_percpu handle_irq_event handle_edge_irq ${version < 508 ? 'handle_irq do_IRQ common_interrupt' : '__common_interrupt common_interrupt </IRQ> <TASK> asm_common_interrupt'}`
          : `__handle_irq_event_percpu handle_irq_event_percpu handle_irq_event handle_fasteoi_irq generic_handle_domain_irq ${irq}`,
      tick: `update_process_times tick_sched_handle ${version >= 607 ? 'tick_nohz_handler' : 'tick_sched_timer'} __hrtimer_run_queues hrtimer_interrupt ${irq}`,
      rxnet: `__netif_receive_skb_one_core __netif_receive_skb process_backlog __napi_poll net_rx_action ${softirq} ${version < 508 ? 'irq_exit' : '__irq_exit_rcu irq_exit_rcu'} ${irq}`,
      rxlocal: `__netif_receive_skb_one_core __netif_receive_skb process_backlog __napi_poll net_rx_action ${softirq} do_softirq ${version >= 500 ? '__local_bh_enable_ip' : 'do_softirq_own_stack do_softirq __local_bh_enable_ip'}`,
      rxip: `ip_local_deliver_finish ip_local_deliver ip_rcv_finish ip_rcv __netif_receive_skb_one_core __netif_receive_skb process_backlog __napi_poll net_rx_action ${softirq} do_softirq __local_bh_enable_ip`,
      idle: `${x86 ? 'default_idle ' : ''}arch_cpu_idle default_idle_call cpuidle_idle_call do_idle cpu_startup_entry ${x86 ? (version >= 604 ? 'start_secondary common_startup_64' : 'start_secondary secondary_startup_64_no_verify') : 'secondary_start_kernel'}`,
      probe:
        'really_probe __driver_probe_device driver_probe_device __device_attach_driver bus_for_each_drv __device_attach device_initial_probe bus_probe_device',
      usbprobe:
        'usb_probe_interface really_probe __driver_probe_device driver_probe_device __device_attach_driver bus_for_each_drv __device_attach bus_probe_device device_add usb_set_configuration usb_generic_driver_probe usb_probe_device really_probe driver_probe_device __device_attach bus_probe_device device_add usb_new_device hub_port_connect hub_port_connect_change port_event hub_event',
      usbgone:
        'usb_unbind_interface device_remove __device_release_driver device_release_driver_internal bus_remove_device device_del usb_disable_device usb_disconnect hub_port_connect hub_port_connect_change port_event hub_event',
      initcall: `do_one_initcall do_initcall_level do_initcalls kernel_init_freeable kernel_init ${fork}`,
      fault: x86
        ? version < 508
          ? 'handle_mm_fault __do_page_fault do_page_fault page_fault'
          : 'handle_mm_fault do_user_addr_fault exc_page_fault asm_exc_page_fault'
        : 'handle_mm_fault do_page_fault do_mem_abort el0_da el0t_64_sync_handler el0t_64_sync',
      exception: x86
        ? version < 508
          ? '__do_page_fault do_page_fault page_fault'
          : 'page_fault_oops exc_page_fault asm_exc_page_fault'
        : 'do_mem_abort el1_abort el1h_64_sync_handler el1h_64_sync',
    };
    const way = table[name];
    if (way === undefined) throw new Error(`no way @${name}`);
    return way;
  }

  /** The frames of a trace in this kernel's form, without the heading. */
  frames(words: string): string[] {
    const all = words
      .split(/\s+/)
      .filter((word) => word !== '')
      .flatMap((word) => (word.startsWith('@') ? this.ways(word.slice(1)).split(/\s+/) : [word]))
      .filter((word) => word !== '');
    const out: string[] = [];
    const old = this.arch === 'x86_64' && !this.since4_10;
    for (const [i, word] of all.entries()) {
      if (/^<.*>$/.test(word)) {
        if (this.arch !== 'x86_64' || (this.version < 516 && /TASK/.test(word))) continue;
        if (old) out.push(word === '<IRQ>' ? ' <IRQ> ' : word === '</IRQ>' ? ' <EOI> ' : ` ${word}`);
        else out.push(` ${word}`);
        continue;
      }
      const interrupted = word.startsWith('!');
      const stale = word.startsWith('?');
      const name = word.replace(/^[!?]/, '');
      if (interrupted && this.arch === 'x86_64') {
        out.push(...this.registers(name));
        continue;
      }
      const symbol = this.symbol(name);
      switch (this.arch) {
        case 'arm': {
          const next = all.slice(i + 1).find((other) => !/^[<?]/.test(other));
          if (stale || next === undefined) continue;
          const from = this.symbol(next.replace(/^!/, ''));
          const bare = symbol.replace(/\+0x\S+/, '');
          out.push(
            this.version >= 510
              ? ` ${bare} from ${from}`
              : `[<${this.address(name)}>] (${bare}) from [<${this.address(next)}>] (${from})`,
          );
          continue;
        }
        case 'arm64':
          if (stale) continue;
          out.push(this.version < 415 ? `[<${this.address(name)}>] ${symbol}` : ` ${symbol}`);
          continue;
        case 'riscv':
          if (!stale) out.push(`[<${this.address(name)}>] ${symbol}`);
          continue;
        case 'powerpc':
          out.push(`[${this.data(word)}] [${this.address(name)}] ${symbol}${stale ? ' (unreliable)' : ''}`);
          continue;
        case 's390':
          out.push(` [<${this.address(name)}>] ${stale ? '(' : ''}${symbol}${stale ? ')' : ''} `);
          continue;
        default:
          out.push(`${old ? ` [<${this.address(name)}>]` : ''} ${stale ? '? ' : ''}${symbol}`);
      }
    }
    return out;
  }

  trace(words: string): string[] {
    const { arch, version } = this;
    const task = arch === 'x86_64' && version >= 516 && !words.includes('<TASK>') && !words.includes('<IRQ>');
    const frames = this.frames(words);
    const open = /<IRQ>/.test(words) || words.includes('@') ? frames : frames;
    const closing =
      arch === 'x86_64' && version >= 516 && (task || frames.some((line) => line === ' <TASK>')) ? [' </TASK>'] : [];
    const head =
      arch === 'arm64' || arch === 'riscv'
        ? version < 415 && arch === 'arm64'
          ? 'Call trace:'
          : arch === 'riscv'
            ? 'Call Trace:'
            : 'Call trace:'
        : arch === 'arm'
          ? version >= 601
            ? 'Call trace: '
            : 'Backtrace: '
          : 'Call Trace:';
    // without a mark of its own the code below an interrupt stands on the task's stack
    if (task) return [head, ' <TASK>', ...open.filter((line) => line !== ' <TASK>'), ...closing];
    return [head, ...open, ...closing];
  }

  /** dump_stack_print_info() */
  context({ comm = 'sh', pid = 1395, cpu = 1 }: Who = {}): string[] {
    const { version, arch } = this;
    const uid = version >= 612 ? 'UID: 0 ' : '';
    const lines = [`CPU: ${cpu} ${uid}PID: ${pid} Comm: ${comm} Not tainted ${this.release}.0 #1`];
    if (arch === 'x86_64')
      lines.push('Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-1 04/01/2014');
    else if (arch === 'arm') lines.push('Hardware name: Generic DT based system');
    else if (arch === 'arm64') lines.push('Hardware name: linux,dummy-virt (DT)');
    return lines;
  }

  private taskLine(): string[] {
    if (this.version < 409) return [`task: ${this.data('t')} ti: ${this.data('i')} task.ti: ${this.data('i')}`];
    if (this.version < 415) return [`task: ${this.data('t')} task.stack: ${this.data('s')}`];
    return [];
  }

  /**
   * The instruction and the registers.
   * @param at a word of a trace, an address, or `0010:0x286`
   * @param link where the link register points: into the function itself once it has called another
   */
  registers(at: string, link = at): string[] {
    const { arch, version } = this;
    const plain = /^0x/.test(at);
    const where = plain ? at : this.symbol(at);
    switch (arch) {
      case 'x86_64': {
        const address = plain ? at.slice(2).padStart(16, '0') : this.address(at);
        const code = 'Code: 48 89 e5 41 57 41 56 41 55 41 54 53 48 83 ec 28 <48> 8b 47 08 48 85 c0 74 1c';
        const bad = version >= 508 ? `Code: Unable to access opcode bytes at ${where}.` : 'Code: Bad RIP value.';
        const rip = this.since4_10
          ? [`RIP: 0010:${where}`]
          : [`RIP: 0010:[<${address}>]  [<${address}>] ${plain ? at : where}`];
        if (version >= 418) rip.push(plain ? bad : code);
        return [
          ...rip,
          `RSP: 0018:${this.data('sp')} EFLAGS: 00010246`,
          'RAX: dffffc0000000000 RBX: 0000000000000000 RCX: 0000000000000000',
          `RDX: 0000000000000001 RSI: ${this.data('si')} RDI: 0000000000000008`,
          `RBP: ${this.data('bp')} R08: 0000000000000001 R09: 0000000000000000`,
          'R10: 0000000000000000 R11: 0000000000000000 R12: 0000000000000000',
          'R13: 0000000000000000 R14: 0000000000000000 R15: 0000000000000000',
        ];
      }
      case 'arm64':
        if (version < 415)
          return [
            `PC is at ${where}`,
            `LR is at ${/^0x/.test(link) ? link : this.symbol(link)}`,
            `pc : [<${this.address(at)}>] lr : [<${this.address('lr')}>] pstate: 60000145`,
            `sp : ${this.data('sp')}`,
            `x29: ${this.data('29')} x28: ${this.data('28')} `,
            'x27: 0000000000000000 x26: 0000000000000001 ',
          ];
        return [
          'pstate: 60400005 (nZCv daif +PAN -UAO -TCO -DIT -SSBS BTYPE=--)',
          `pc : ${where}`,
          `lr : ${/^0x/.test(link) ? link : this.symbol(link)}`,
          `sp : ${this.data('sp')}`,
          `x29: ${this.data('29')} x28: ${this.data('28')} x27: 0000000000000000`,
          'x26: 0000000000000001 x25: 0000000000000000 x24: 0000000000000000',
        ];
      case 'arm':
        return [
          `PC is at ${where}`,
          `LR is at ${/^0x/.test(link) ? link : this.symbol(link)}`,
          `pc : [<${this.address(at)}>]    lr : [<${this.address('lr')}>]    psr: 60000013`,
          `sp : ${this.data('sp')}  ip : 00000000  fp : ${this.data('fp')}`,
          `r10: 00000000  r9 : ${this.data('9')}  r8 : 00000000`,
          'r7 : 00000000  r6 : 00000001  r5 : 00000000  r4 : 00000010',
          'r3 : 00000000  r2 : 00000001  r1 : 00000000  r0 : 00000000',
          'Flags: nZCv  IRQs on  FIQs on  Mode SVC_32  ISA ARM  Segment none',
          'Control: 10c5387d  Table: 6000406a  DAC: 00000051',
        ];
      case 'i386':
        return [
          `EIP: ${where}`,
          'EAX: 00000000 EBX: 00000001 ECX: 00000000 EDX: 00000000',
          `ESI: 00000000 EDI: 00000000 EBP: ${this.data('bp')} ESP: ${this.data('sp')}`,
          'DS: 007b ES: 007b FS: 00d8 GS: 00e0 SS: 0068 EFLAGS: 00010246',
        ];
      case 'riscv':
        return [
          `epc : ${where}`,
          ` ra : ${this.symbol('ra_function')}`,
          `epc : ${this.address(at)} ra : ${this.address('ra')} sp : ${this.data('sp')}`,
          ' gp : ffffffff81c2b8c8 tp : ff60000001e10000 t0 : 0000000000000000',
          'status: 0000000200000120 badaddr: 0000000000000008 cause: 000000000000000d',
        ];
      case 'powerpc':
        return [
          `NIP:  ${this.address(at)} LR: ${this.address('lr')} CTR: 0000000000000000`,
          `REGS: ${this.data('regs')} TRAP: 0300   Not tainted  (${this.release}.0)`,
          'MSR:  8000000000009033 <SF,EE,ME,IR,DR,RI,LE>  CR: 24002428  XER: 00000000',
          'CFAR: c00000000000dc90 DAR: 0000000000000008 DSISR: 40000000 IRQMASK: 0 ',
          'GPR00: c0000000004a1b2c c000000007d3f9c0 c000000001548f00 0000000000000000 ',
          `NIP [${this.address(at)}] ${where}`,
          `LR [${this.address('lr')}] ${/^0x/.test(link) ? link : this.symbol(link)}`,
        ];
      case 's390':
        return [
          `Krnl PSW : 0704c00180000000 ${this.address(at)} (${where})`,
          '           R:0 T:1 IO:1 EX:1 Key:0 M:1 W:0 P:0 AS:3 CC:0 PM:0 RI:0 EA:3',
          'Krnl GPRS: 0000000000000000 0000000000000001 0000000000000000 0000000000000000',
        ];
    }
  }

  private get ftrace(): string[] {
    return this.version < 500 && this.version % 2 === 0 ? ['Dumping ftrace buffer:', '   (ftrace buffer empty)'] : [];
  }

  private get end(): string {
    return `---[ end trace ${this.version >= 517 ? '0000000000000000' : '1b75b31a2719ed1c'} ]---`;
  }

  panic(reason = 'Fatal exception'): string[] {
    return [
      `Kernel panic - not syncing: ${reason}`,
      ...this.ftrace,
      'Kernel Offset: disabled',
      'Rebooting in 86400 seconds..',
    ];
  }

  /** A trap or fault: the announcement, show_regs(), the trace. */
  die(
    heads: readonly string[],
    label: string,
    at: string,
    words: string,
    who: Who = {},
    more: readonly string[] = [],
  ): string[] {
    const { arch, version } = this;
    const options = arch === 'x86_64' ? ' PREEMPT SMP KASAN' : arch === 'arm' ? ' PREEMPT SMP ARM' : ' PREEMPT SMP';
    const oops =
      arch === 'arm' || arch === 'arm64'
        ? `Internal error: ${label} [#1]${options}`
        : `${arch === 'x86_64' && version >= 610 ? 'Oops: ' : ''}${label} [#1]${options}${arch === 'x86_64' && version >= 515 ? ' NOPTI' : ''}`;
    const lines = [...heads];
    if (arch === 'arm' && version >= 509) lines.unshift('8<--- cut here ---');
    lines.push(oops, ...more);
    if (arch === 'x86_64' && version < 508) lines.push(...this.ftrace);
    if (arch !== 'x86_64' || version < 418) lines.push('Modules linked in:');
    lines.push(...this.context(who), ...(arch === 's390' ? [] : this.taskLine()), ...this.registers(at));
    if (arch === 'x86_64')
      lines.push(
        `FS:  0000000000000000(0000) GS:${this.data('gs')}(0000) knlGS:0000000000000000`,
        'CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033',
        'CR2: 0000000000000008 CR3: 000000000bf9e000 CR4: 00000000003506f0',
      );
    if (arch === 'arm')
      lines.push(
        `Process ${who.comm ?? 'sh'} (pid: ${who.pid ?? 1395}, stack limit = 0x${this.data('lim')})`,
        `Stack: (0x${this.data('sp')} to 0x${this.data('top')})`,
        `5e60: 00000000 ${this.data('a')} 00000000 00000001 ${this.data('b')} 00000000 c0d03c48 00000000`,
      );
    lines.push(...this.trace(words));
    if (arch === 'arm64' || arch === 'arm')
      lines.push(
        arch === 'arm'
          ? 'Code: e5953004 e3130902 0a000003 e5953000 (e5933004) '
          : 'Code: f9400260 b9400c00 d503201f 91002000 (f9400013) ',
      );
    if (arch === 'x86_64' && version < 418)
      lines.push(
        'Code: 48 89 e5 41 57 41 56 41 55 41 54 53 48 83 ec 28 <48> 8b 47 08 48 85 c0 74 1c ',
        this.since4_10
          ? `RIP: ${/^0x/.test(at) ? at : this.symbol(at)} RSP: ${this.data('sp')}`
          : `RIP  [<${this.address(at)}>] ${/^0x/.test(at) ? at : this.symbol(at)}`,
      );
    if (arch === 'x86_64' && version >= 418) lines.push('Modules linked in:');
    lines.push(this.end);
    return lines;
  }

  /** A kernel page fault at `address` (digits without 0x), in the wording of the version. */
  fault(address: string, at: string, words: string, who: Who = {}): string[] {
    const { arch, version } = this;
    const near = Number.parseInt(address, 16) < 4096;
    const ip = /^0x/.test(at) ? at : this.symbol(at);
    switch (arch) {
      case 'x86_64':
      case 'i386': {
        const wide = address.padStart(arch === 'i386' ? 8 : 16, '0');
        const heads =
          version >= 501
            ? [
                near
                  ? `BUG: kernel NULL pointer dereference, address: ${wide}`
                  : `BUG: unable to handle page fault for address: ${wide}`,
                '#PF: supervisor read access in kernel mode',
                '#PF: error_code(0x0000) - not-present page',
                'PGD 0 P4D 0 ',
              ]
            : [
                `BUG: unable to handle kernel ${near ? 'NULL pointer dereference' : 'paging request'} at ${wide}`,
                ...(version >= 419 ? [] : [this.since4_10 ? `IP: ${ip}` : `IP: [<${this.address(at)}>] ${ip}`]),
                'PGD 6b1a0067 PUD 6b1a1067 PMD 0 ',
              ];
        return this.die(heads, `${version >= 610 ? 'Oops: ' : 'Oops: '}0000`, at, words, who);
      }
      case 'arm64': {
        const wide = address.padStart(16, '0');
        const heads = [
          near && version >= 415
            ? `Unable to handle kernel NULL pointer dereference at virtual address ${wide}`
            : `Unable to handle kernel ${near ? 'NULL pointer dereference' : 'paging request'} at virtual address ${wide}`,
        ];
        if (version >= 415)
          heads.push(
            'Mem abort info:',
            `  ESR = 0x${version >= 519 ? '00000000' : ''}96000004`,
            '  EC = 0x25: DABT (current EL), IL = 32 bits',
            '  SET = 0, FnV = 0',
            '  EA = 0, S1PTW = 0',
            'Data abort info:',
            '  ISV = 0, ISS = 0x00000004',
            '  CM = 0, WnR = 0',
            'user pgtable: 4k pages, 48-bit VAs, pgdp=0000000047d3b000',
            `[${wide}] pgd=0000000000000000`,
          );
        else heads.push(`pgd = ${this.data('pgd')}`, `[${wide}] *pgd=0000000000000000`);
        return this.die(heads, version >= 519 ? 'Oops: 0000000096000004' : 'Oops: 96000004', at, words, who);
      }
      case 'arm': {
        const wide = address.padStart(8, '0');
        return this.die(
          [
            `Unable to handle kernel ${near ? 'NULL pointer dereference' : 'paging request'} at virtual address ${wide}${version >= 510 ? ' when read' : ''}`,
            ...(version >= 510
              ? [`[${wide}] *pgd=00000000`]
              : [`pgd = ${this.data('pgd')}`, `[${wide}] *pgd=00000000`]),
          ],
          version >= 415 ? 'Oops: 5' : 'Oops: 17',
          at,
          words,
          who,
        );
      }
      case 'riscv':
        return this.die(
          [
            `Unable to handle kernel ${near ? 'NULL pointer dereference' : 'paging request'} at virtual address ${address.padStart(16, '0')}`,
          ],
          'Oops',
          at,
          words,
          who,
        );
      case 'powerpc':
        return this.die(
          [
            near
              ? `BUG: Kernel NULL pointer dereference on read at 0x${address.padStart(8, '0')}`
              : `BUG: Unable to handle kernel data access on read at 0x${address.padStart(16, '0')}`,
            `Faulting instruction address: 0x${this.address(at)}`,
          ],
          'Oops: Kernel access of bad area, sig: 11',
          at,
          words,
          who,
        );
      case 's390':
        return this.die(
          [
            'Unable to handle kernel pointer dereference in virtual kernel address space',
            `Failing address: ${address.padStart(16, '0')} TEID: ${address.padStart(16, '0')}`,
            'Fault in home space mode while using kernel ASCE.',
          ],
          'Oops: 0004 ilc:3',
          at,
          words,
          who,
        );
    }
  }

  /** A general protection fault of x86, as KASAN's shadow makes it of a NULL pointer. */
  gpf(at: string, words: string, who: Who = {}, kasan = true): string[] {
    const { version } = this;
    const range = 'KASAN: null-ptr-deref in range [0x0000000000000008-0x000000000000000f]';
    if (version < 505)
      return this.die(
        kasan
          ? ['kasan: CONFIG_KASAN_INLINE enabled', 'kasan: GPF could be caused by NULL-ptr deref or user memory access']
          : [],
        'general protection fault: 0000',
        at,
        words,
        who,
      );
    return this.die(
      [],
      `general protection fault, probably for non-canonical address 0x${kasan ? 'dffffc0000000001' : 'dead000000000122'}: 0000`,
      at,
      words,
      who,
      kasan ? [range] : [],
    );
  }

  /** BUG(): `file:line`. */
  bug(where: string, at: string, words: string, who: Who = {}, before: readonly string[] = []): string[] {
    const { arch } = this;
    const cut = [...before, '------------[ cut here ]------------', `kernel BUG at ${where}!`];
    if (arch === 'arm64' || arch === 'arm')
      return this.die(cut, arch === 'arm' ? 'Oops - BUG: 0' : `Oops - BUG: 0`, at, words, who);
    if (arch === 'riscv')
      return this.die(
        ['------------[ cut here ]------------', `Kernel BUG at ${at} [verbose debug info unavailable]`],
        'Kernel BUG',
        at,
        words,
        who,
      );
    return this.die(cut, this.version >= 508 ? 'invalid opcode: 0000' : 'invalid opcode: 0000', at, words, who);
  }

  /** WARN(): the message before or after its line, the registers or the stack, by version. */
  warn(where: string, at: string, words: string, message = '', who: Who = {}): string[] {
    const { arch, version } = this;
    const { comm = 'sh', pid = 1395, cpu = 1 } = who;
    const lines = ['------------[ cut here ]------------'];
    if (message !== '' && version >= 413) lines.push(message);
    if (version >= 619) lines.push(`WARNING: ${where} at ${this.symbol(at)}, CPU#${cpu}: ${comm}/${pid}`);
    else lines.push(`WARNING: CPU: ${cpu} PID: ${pid} at ${where} ${this.symbol(at)}${version < 405 ? '()' : ''}`);
    if (message !== '' && version < 413) lines.push(message);
    lines.push('Modules linked in:');
    lines.push(...this.context(who));
    const regs = arch !== 'arm' && version >= 413;
    if (regs) lines.push(...this.taskLine(), ...this.registers(at));
    const slow = version < 409 ? 'warn_slowpath_common' : '__warn';
    const via =
      arch === 'arm'
        ? version >= 510
          ? 'unwind_backtrace show_stack dump_stack_lvl __warn warn_slowpath_fmt'
          : 'dump_backtrace show_stack dump_stack __warn warn_slowpath_null'
        : regs
          ? ''
          : `dump_stack ${slow} ${message === '' ? 'warn_slowpath_null' : 'warn_slowpath_fmt'}`;
    lines.push(...this.trace(regs ? words : `${via} ${at} ${words}`), this.end);
    return lines;
  }

  /** As `warn`, by a kernel told to panic at warnings: panic() comes before the registers. */
  warnPanic(where: string, at: string, words: string, message = '', who: Who = {}): string[] {
    const { version } = this;
    const { pid = 1395, cpu = 1 } = who;
    const trap =
      version < 508 ? 'do_error_trap do_invalid_op invalid_op' : 'handle_bug exc_invalid_op asm_exc_invalid_op';
    return [
      '------------[ cut here ]------------',
      ...(message === '' ? [] : [message]),
      `WARNING: CPU: ${cpu} PID: ${pid} at ${where} ${this.symbol(at)}`,
      'Kernel panic - not syncing: panic_on_warn set ...',
      ...this.context(who),
      ...this.trace(`dump_stack panic __warn report_bug ${version < 508 ? 'fixup_bug ' : ''}${trap} !${at} ${words}`),
      ...this.ftrace,
      'Kernel Offset: disabled',
      'Rebooting in 86400 seconds..',
    ];
  }

  /** KASAN, with where the memory came from. `what`: `use-after-free Read 8`. */
  kasan(what: string, at: string, words: string, who: Who = {}, alloc = '', free = ''): string[] {
    const { version, arch } = this;
    const [type, how, size] = what.split(' ');
    const { comm = 'sh', pid = 1395 } = who;
    const address = this.data('obj');
    const head = /double-free|invalid-free/.test(type!)
      ? `BUG: KASAN: ${version < 501 ? 'double-free or invalid-free' : type} in ${this.symbol(at)}`
      : version < 411
        ? `BUG: KASAN: ${type} in ${this.symbol(at)} at addr ${address}`
        : `BUG: KASAN: ${type} in ${this.symbol(at)}`;
    const lines = ['='.repeat(66), head];
    if (how !== undefined)
      lines.push(
        version < 411
          ? `${how} of size ${size} by task ${comm}/${pid}`
          : `${how} of size ${size} at addr ${address} by task ${comm}/${pid}`,
      );
    lines.push('', ...this.context(who));
    const report =
      version < 408
        ? 'dump_stack print_address_description.part.6 kasan_report'
        : version < 514
          ? 'dump_stack print_address_description.constprop.0.cold __kasan_report.cold kasan_report'
          : version < 519
            ? 'dump_stack_lvl print_address_description.constprop.0 kasan_report'
            : 'dump_stack_lvl print_report kasan_report';
    const inline =
      /Read|Write/.test(how ?? '') && arch === 'x86_64' ? ` __asan_${how === 'Read' ? 'load' : 'store'}${size}` : '';
    const via = version < 500 ? `__asan_report_${how === 'Write' ? 'store' : 'load'}${size ?? 8}_noabort` : `${inline}`;
    const sanitizer =
      type === 'double-free' || type === 'invalid-free'
        ? 'kasan_report_invalid_free ____kasan_slab_free __kasan_slab_free'
        : /^mem|^str|^__asan_mem|^copy|^_copy/.test(at)
          ? 'kasan_check_range'
          : via;
    lines.push(
      ...this.trace(
        `${words.startsWith('<IRQ>') ? '<IRQ> ' : ''}${report} ${sanitizer} ${words.replace(/^<IRQ>/, '')}`,
      ),
      '',
    );
    if (alloc !== '')
      lines.push('Allocated by task 1390:', ...this.frames(`kasan_save_stack __kasan_kmalloc __kmalloc ${alloc}`), '');
    if (free !== '')
      lines.push(
        'Freed by task 1391:',
        ...this.frames(`kasan_save_stack kasan_set_track __kasan_slab_free kfree ${free}`),
        '',
      );
    lines.push(
      `The buggy address belongs to the object at ${address}`,
      ' which belongs to the cache kmalloc-192 of size 192',
      'The buggy address is located 16 bytes inside of',
      ` 192-byte region [${address}, ${address.replace(/..$/, 'c0')})`,
      'The buggy address belongs to the page:',
      'page:ffffea0002e3a500 refcount:1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0xb8e94',
      'flags: 0xfff00000000200(slab|node=0|zone=1|lastcpupid=0x7ff)',
      'page dumped because: kasan: bad access detected',
      '',
      'Memory state around the buggy address:',
      ` ${address.replace(/..$/, '00')}: fa fb fb fb fb fb fb fb fb fb fb fb fb fb fb fb`,
      `>${address.replace(/..$/, '80')}: fb fb fb fb fb fb fb fb fb fb fb fb fb fb fb fb`,
      '                      ^',
      '='.repeat(66),
    );
    return lines;
  }

  /** Lockdep's circle of two. `at`: who takes the lock last. */
  circular(at: string, words: string, other: string, who: Who = {}): string[] {
    const { comm = 'sh', pid = 1395 } = who;
    const old = this.version < 412;
    return [
      old
        ? '======================================================'
        : '======================================================',
      old
        ? '[ INFO: possible circular locking dependency detected ]'
        : 'WARNING: possible circular locking dependency detected',
      `${this.release}.0 #1 Not tainted`,
      '-'.repeat(old ? 55 : 54),
      `${comm}/${pid} is trying to acquire lock:`,
      ...(this.version < 415
        ? [` (&a->lock){+.+.}, at: [<${this.address(at)}>] ${this.symbol(at)}`]
        : [`${this.data('l1')} (&a->lock){+.+.}-{3:3}, at: ${this.symbol(at)}`]),
      '',
      'but task is already holding lock:',
      ...(this.version < 415
        ? [` (&b->lock){+.+.}, at: [<${this.address(other)}>] ${this.symbol(other)}`]
        : [`${this.data('l2')} (&b->lock){+.+.}-{3:3}, at: ${this.symbol(other)}`]),
      '',
      'which lock already depends on the new lock.',
      '',
      '',
      'the existing dependency chain (in reverse order) is:',
      '',
      '-> #1 (&b->lock){+.+.}-{3:3}:',
      ...this.frames(`lock_acquire __mutex_lock ${other} first_user @write`).map((line) => `      ${line}`),
      '',
      '-> #0 (&a->lock){+.+.}-{3:3}:',
      ...this.frames(`check_prev_add validate_chain __lock_acquire lock_acquire ${words}`).map(
        (line) => `      ${line}`,
      ),
      '',
      'other info that might help us debug this:',
      '',
      ' Possible unsafe locking scenario:',
      '',
      '       CPU0                    CPU1',
      '       ----                    ----',
      '  lock(&b->lock);',
      '                               lock(&a->lock);',
      '                               lock(&b->lock);',
      '  lock(&a->lock);',
      '',
      ' *** DEADLOCK ***',
      '',
      `1 lock held by ${comm}/${pid}:`,
      this.version < 415
        ? ` #0:  (&b->lock){+.+.}, at: [<${this.address(other)}>] ${this.symbol(other)}`
        : ` #0: ${this.data('l2')} (&b->lock){+.+.}-{3:3}, at: ${this.symbol(other)}`,
      '',
      'stack backtrace:',
      ...this.context(who),
      ...this.trace(
        `dump_stack print_circular_bug check_noncircular check_prev_add __lock_acquire lock_acquire ${words}`,
      ),
    ];
  }

  /** khungtaskd. */
  hung(words: string, { comm = 'sh', pid = 1395 }: Who = {}): string[] {
    const { version, arch } = this;
    const flags =
      version >= 613
        ? `pid:${pid}  tgid:${pid}  ppid:1      task_flags:0x400140 flags:0x00004000`
        : `pid:${String(pid).padStart(5)} ppid:     1 flags:0x00004000`;
    const task =
      version >= 511
        ? `task:${comm.padEnd(15)} state:D stack:    0 ${flags}`
        : `${comm.padEnd(15)} D${arch === 'x86_64' ? '27888' : '    0'} ${String(pid).padStart(5)}      2 0x80004000`;
    return [
      `INFO: task ${comm}:${pid} blocked for more than 143 seconds.`,
      `      Not tainted ${this.release}.0 #1`,
      '"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.',
      task,
      ...this.trace(words),
    ];
  }

  /** Soft lockup of this CPU: `at` is where the timer's interrupt found it. */
  soft(at: string, words: string, { comm = 'sh', pid = 1395, cpu = 1 }: Who = {}): string[] {
    const { version } = this;
    const lead = version < 405 ? 'NMI watchdog: ' : version < 414 ? 'NMI watchdog: ' : 'watchdog: ';
    return [
      `${lead}BUG: soft lockup - CPU#${cpu} stuck for 2${version % 10}s! [${comm}:${pid}]`,
      'Modules linked in:',
      ...(version >= 414
        ? ['irq event stamp: 12345', 'hardirqs last  enabled at (12344): [<ffffffff81000001>] irq_on+0x1/0x20']
        : []),
      ...this.context({ comm, pid, cpu }),
      ...this.taskLine(),
      ...this.registers(at),
      ...this.trace(words),
    ];
  }

  /** RCU's own CPU finds that it has stalled: the tick is on top of its trace. */
  rcuSelf(at: string, words: string, who: Who = {}): string[] {
    const { version, arch } = this;
    const { cpu = 1 } = who;
    const flavour = version < 420 ? 'rcu_sched' : 'rcu_preempt';
    const lead = version < 419 ? '' : 'rcu: ';
    const head =
      version < 419
        ? [
            `INFO: ${flavour} self-detected stall on CPU`,
            `\t${cpu}-...: (20999 ticks this GP) idle=2bd/140000000000001/0 softirq=6134/6134 fqs=5250 `,
            `\t (t=21000 jiffies g=2012 c=2011 q=150)`,
          ]
        : [
            `${lead}INFO: ${flavour} self-detected stall on CPU`,
            `${lead}\t${cpu}-....: (20999 ticks this GP) idle=2bd/1/0x4000000000000002 softirq=6134/6134 fqs=5250 `,
            `\t(t=21000 jiffies g=2012 q=150)`,
          ];
    if (arch === 'arm64')
      return [...head, ...this.context(who), ...this.registers(at), ...this.trace(`${at} ${words}`)];
    const nmi = `sched_show_task${version < 500 ? ' dump_cpu_task' : ''} rcu_dump_cpu_stacks print_cpu_stall rcu_pending rcu_sched_clock_irq`;
    if (version >= 600)
      return [...head, ...this.context(who), ...this.registers(at), ...this.trace(`<IRQ> </IRQ> <TASK> ${words}`)];
    return [
      ...head,
      `NMI backtrace for cpu ${cpu}`,
      ...this.context(who),
      ...this.trace(
        `<IRQ> dump_stack nmi_cpu_backtrace nmi_trigger_cpumask_backtrace arch_trigger_cpumask_backtrace ${nmi} @tick </IRQ> !${at} ${words}`,
      ),
    ];
  }

  /** Another CPU finds the stall and asks the stalled one by NMI. */
  rcuOther(at: string, words: string, { comm = 'sh', pid = 1395, cpu = 1 }: Who = {}, tail = true): string[] {
    const { version } = this;
    const lead = version < 419 ? '' : 'rcu: ';
    const flavour = version < 420 ? 'rcu_sched' : 'rcu_preempt';
    return [
      `${lead}INFO: ${flavour} detected stalls on CPUs/tasks:`,
      `${lead}\t${cpu}-...!: (1 GPs behind) idle=2bd/1/0x4000000000000000 softirq=6134/6135 fqs=1 `,
      `${lead}\t(detected by 0, t=10502 jiffies, g=2013, q=150${version >= 518 ? ' ncpus=2' : ''})`,
      `Sending NMI from CPU 0 to CPUs ${cpu}:`,
      `NMI backtrace for cpu ${cpu}`,
      ...this.context({ comm, pid, cpu }),
      ...this.registers(at),
      ...this.trace(words),
      ...(tail
        ? [
            `${lead}${flavour} kthread starved for 10499 jiffies! g2013 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=0`,
            `${lead}\tUnless ${flavour} kthread gets sufficient CPU time, OOM is now expected behavior.`,
            `${lead}RCU grace-period kthread stack dump:`,
            version >= 511
              ? `task:${flavour.padEnd(15)} state:R  running task     stack:28704 pid:   16 ppid:     2 flags:0x00004000`
              : `${flavour.padEnd(15)} R  running task    28704    11      2 0x80004000`,
            ...this.trace(
              'context_switch __schedule schedule schedule_timeout rcu_gp_fqs_loop rcu_gp_kthread @kthread',
            ),
          ]
        : []),
    ];
  }
}

/** Lines as a transport brings them: bare, with stamps, with callers, by syslog. */
export function printed(lines: readonly string[], style: number): string {
  let time = 48.2;
  return lines
    .map((line) => {
      time += 0.000113;
      const stamp = `[${time.toFixed(6).padStart(12)}]`;
      switch (style % 5) {
        case 0:
          return line;
        case 1:
          return `${stamp} ${line}`;
        case 2:
          return `${stamp}[ T1395] ${line}`;
        case 3:
          return `<4>${stamp} ${line}`;
        default:
          return `Jun  1 12:03:00 box kernel: ${stamp} ${line}`;
      }
    })
    .join('\n');
}
