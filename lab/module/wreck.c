// SPDX-License-Identifier: GPL-2.0
/* wreck: more ways to die: writing the name of one to /proc/wreck takes it. */
#include <linux/module.h>
#include <linux/kthread.h>
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/rtmutex.h>
#include <linux/semaphore.h>
#include <linux/percpu-rwsem.h>
#include <linux/completion.h>
#include <linux/wait_bit.h>
#include <linux/slab.h>
#include <linux/pagemap.h>
#include <linux/kprobes.h>
#include <linux/kdebug.h>
#if __has_include(<linux/panic_notifier.h>)
#include <linux/panic_notifier.h>	/* on its own since 5.14 */
#endif
#include <linux/refcount.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/highmem.h>
#include <linux/rwsem.h>

#include "ways.h"

#define vis noinline __attribute__((noipa))
struct thing { u64 pad[40]; u64 value; };
struct holder { struct thing *t; int n; };
static struct holder wreck_h;
static unsigned long zero_;
static unsigned long fatal_word;

static vis u64 wreck_deref(struct holder *h) { return h->t->value + h->n; }
static vis u64 wreck_mid(struct holder *h, int n) { u64 r = wreck_deref(h); return r + n; }
static vis u64 wreck_top(struct holder *h) { u64 r = wreck_mid(h, 3); return r * 2; }

/* two CPUs at once */
static atomic_t meet;
static int oopser(void *arg)
{
	atomic_inc(&meet);
	while (atomic_read(&meet) < 2)
		cpu_relax();
	if ((long)arg)
		*(volatile int *)0x1230 = 1;
	else
		wreck_top(&wreck_h);
	return 0;
}
static void w_twocpu(void)
{
	int i;
	for (i = 0; i < 2; i++) {
		struct task_struct *t = kthread_create(oopser, (void *)(long)i, "wreck_two/%d", i);
		kthread_bind(t, i);
		wake_up_process(t);
	}
	ssleep(5);
}
static int bad_panic(struct notifier_block *nb, unsigned long v, void *p)
{
	static int once;
	pr_emerg("wreck: panic notifier runs\n");
	if (!once++)
		wreck_top(&wreck_h);
	return 0;
}
static struct notifier_block panic_nb = { .notifier_call = bad_panic };
static void w_notifier(void)
{
	atomic_notifier_chain_register(&panic_notifier_list, &panic_nb);
	panic("wreck: the first panic");
}
static int bad_die(struct notifier_block *nb, unsigned long v, void *p)
{
	static int once;
	if (v == DIE_OOPS && !once++)
		wreck_top(&wreck_h);
	return 0;
}
static struct notifier_block die_nb = { .notifier_call = bad_die };
static void w_dienest(void)
{
	register_die_notifier(&die_nb);
	*(volatile int *)0xdead = 1;
}
static int kp_pre(struct kprobe *p, struct pt_regs *regs)
{
	wreck_deref(&wreck_h);
	return 0;
}
static struct kprobe kp_bpf = { .symbol_name = "bpf_trace_printk", .pre_handler = kp_pre };
static void w_armbpf(void) { pr_info("wreck: kprobe %d\n", register_kprobe(&kp_bpf)); }
static vis int wreck_probed(int a) { return a * 3 + READ_ONCE(zero_); }
static struct kprobe kp_own = { .symbol_name = "wreck_probed", .offset = 0, .pre_handler = kp_pre };
static void w_kprobe(void)
{
	kp_own.symbol_name = NULL; kp_own.addr = (void *)wreck_probed; 
	pr_info("wreck: kprobe %d\n", register_kprobe(&kp_own));
	wreck_probed(4);
}
static int krp_h(struct kretprobe_instance *ri, struct pt_regs *r) { return 0; }
static struct kretprobe krp = { .handler = krp_h, .maxactive = 20, .kp = { .symbol_name = "wreck_mid" } };
static void w_kretprobe(void)
{
	pr_info("wreck: kretprobe %d\n", register_kretprobe(&krp));
	wreck_top(&wreck_h);
}
static void w_null(void) { wreck_top(&wreck_h); }

/* hung tasks */
static DEFINE_MUTEX(m1);
static DECLARE_RWSEM(rw2);
DEFINE_STATIC_PERCPU_RWSEM(prw);
static DECLARE_COMPLETION(never);
#include <linux/version.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(6,4,0)
static DEFINE_SEMAPHORE(sem1);
#else
static DEFINE_SEMAPHORE(sem1, 1);
#endif
static DEFINE_RT_MUTEX(rtm);
static struct page *lockedpage;
static unsigned long bitword;
static void nap(void) { for (;;) msleep_interruptible(1000000000); }
static int h_prw(void *u) { percpu_down_write(&prw); nap(); return 0; }
static void w_prw(void) { kthread_run(h_prw, NULL, "wreck_pwriter"); msleep(300); percpu_down_read(&prw); }
static void w_completion(void) { wait_for_completion(&never); }
static int h_sem(void *u) { down(&sem1); nap(); return 0; }
static void w_sem(void) { kthread_run(h_sem, NULL, "wreck_semholder"); msleep(300); down(&sem1); }
static int h_rtm(void *u) { rt_mutex_lock(&rtm); nap(); return 0; }
static void w_rtm(void) { kthread_run(h_rtm, NULL, "wreck_rtholder"); msleep(300); rt_mutex_lock(&rtm); }
static void w_folio(void) { lockedpage = alloc_page(GFP_KERNEL); lock_page(lockedpage); lock_page(lockedpage); }
static void w_bit(void) { set_bit(3, &bitword); wait_on_bit_lock(&bitword, 3, TASK_UNINTERRUPTIBLE); }
static int h_c(void *u) { down_write(&rw2); wait_for_completion(&never); return 0; }
static int h_b(void *u) { mutex_lock(&m1); msleep(200); down_read(&rw2); return 0; }
static void w_chain(void)
{
	kthread_run(h_c, NULL, "wreck_chain_c"); msleep(200);
	kthread_run(h_b, NULL, "wreck_chain_b"); msleep(600);
	mutex_lock(&m1);
}
static int h_many(void *u) { mutex_lock(&m1); return 0; }
static int h_m1(void *u) { mutex_lock(&m1); wait_for_completion(&never); return 0; }
static void w_many(void)
{
	int i;
	kthread_run(h_m1, NULL, "wreck_m1"); msleep(200);
	for (i = 0; i < 200; i++) kthread_run(h_many, NULL, "wreck_many/%d", i);
	msleep(500);
}
/* deep stack */
static vis int wreck_deep(int n) { volatile char b[40]; b[n & 31] = n; if (n == 0) { wreck_top(&wreck_h); return 0; } return wreck_deep(n - 1) + b[n & 31]; }
static void w_deep(void) { wreck_deep(80); }

/* corruption */
static struct task_struct *some(const char *name)
{
	struct task_struct *t;
	for_each_process(t) if (!strcmp(t->comm, name)) return t;
	return NULL;
}
static void w_tasksnext(void)
{
	struct task_struct *t = some("perish_idler");
	t->tasks.next = (void *)0x4141414141414141ULL;
	panic("wreck: tasks.next of %d is garbage", t->pid);
}
static void w_tasksloop(void)
{
	struct task_struct *t = some("perish_idler");
	t->tasks.next = t->tasks.prev;
	panic("wreck: tasks.next of %d goes back", t->pid);
}
static void w_taskswild(void)
{
	struct task_struct *t = some("perish_idler");
	struct task_struct *z = kzalloc(sizeof(*z), GFP_KERNEL);
	memset(z, 0x5a, sizeof(*z));
	t->tasks.next = &z->tasks;
	panic("wreck: tasks.next of %d goes to 0x5a", t->pid);
}
static void w_inittask(void)
{
	memset(init_task.comm, 0xff, TASK_COMM_LEN);
	init_task.tasks.next = NULL; init_task.tasks.prev = NULL;
	init_task.mm = (void *)0x10; init_task.stack = (void*)0x8;
	panic("wreck: init_task is broken");
}
static void w_structpage(void)
{
	void *p = kmalloc(256, GFP_KERNEL);
	struct page *pg = virt_to_head_page(p);
	memset(pg, 0xaa, sizeof(*pg));
	kfree(p);
	panic("wreck: page");
}
static void w_current(void)
{
	memset(current->comm, 'Z', TASK_COMM_LEN);
	current->mm = (void *)0xdead000000000100ULL;
	current->files = (void *)0x55;
	*(unsigned long *)&current->signal = 0x1111111111111111UL;
	wreck_top(&wreck_h);
}
static vis void wreck_smash(char *b, int n) { int i; for (i = 0; i < n; i++) b[i] = 'A'; }
static vis void wreck_canary(void) { char b[16]; wreck_smash(b, 32 + READ_ONCE(zero_)); pr_info("%s\n", b); }
static void w_canary(void) { wreck_canary(); }
static vis void wreck_retaddr(void) { unsigned long *p = __builtin_frame_address(0); int i; for (i = 1; i < 6; i++) WRITE_ONCE(p[i], 0xffff414141414141UL); }
static vis void wreck_victim(int n) { volatile unsigned long b[4]; int i; for (i = 0; i < n; i++) b[i] = 0x4141414141414141UL + READ_ONCE(zero_); b[n & 3] = 0; }
/* What no C says: a bad return, a bad stack pointer, instructions that trap. */
#ifdef CONFIG_ARM64
#define READ_SP "mov %0, sp"
#define JUMP_PUSHED "movz x0, #0x4141\n\tmovk x0, #0x4141, lsl #16\n\tmovk x0, #0x4141, lsl #48\n\tmov x30, x0\n\tbr x0"
#define RETURN_BAD "movz x30, #0x4141\n\tmovk x30, #0x4141, lsl #16\n\tmovk x30, #0xffff, lsl #48\n\tret"
#define LOSE_STACK "mov x0, #0x1000\n\tmov sp, x0\n\tstr x0, [sp, #-16]!"
#define INVALID_A "udf #0"
#define INVALID_B "udf #1"
#define BREAKPOINT "brk #0x1234"
#define CLOBBERED "x0", "x30", "memory"
#else
#include <asm/nospec-branch.h>
#define READ_SP "lea (%%rsp),%0"
#define JUMP_PUSHED "movabs $0x4141414141414141,%%rax; push %%rax\n\t" ANNOTATE_RETPOLINE_SAFE "\n\tjmp *%%rax"
#define RETURN_BAD "movabs $0xffff000041414141,%%rax; push %%rax\n\t" ANNOTATE_RETPOLINE_SAFE "\n\tret; int3"
#define LOSE_STACK "mov $0x1000,%%rsp; push %%rax"
#define INVALID_A "ud2"
#define INVALID_B "ud1 %%eax,%%eax"
#define BREAKPOINT "int3"
#define CLOBBERED "rax", "memory"
#endif
static void w_smash(void) { unsigned long *f = NULL; asm volatile(READ_SP : "=r"(f)); wreck_retaddr(); pr_info("%p\n", f); wreck_victim(1); }
static void w_retaddr(void) { unsigned long *r = (unsigned long *)__builtin_frame_address(0); (void)r; 
	asm volatile(JUMP_PUSHED ::: CLOBBERED); }
static void w_ret2(void) { asm volatile(RETURN_BAD ::: CLOBBERED); }
static void w_jmp0(void) { void (*f)(void) = (void *)READ_ONCE(zero_); f(); }
static char datapage[4096] __aligned(4096) = { 0x90 };
static void w_jmpdata(void) { void (*f)(void) = (void *)((unsigned long)datapage + READ_ONCE(zero_)); f(); }
static void w_jmpuser(void) { void (*f)(void) = (void *)(current->mm->start_code + 0x40 + READ_ONCE(zero_)); f(); }
static void w_badrsp(void) { asm volatile(LOSE_STACK ::: CLOBBERED); }
/* (where the compiler sees how large it is, copy_to_user() refuses and warns) */
static vis char *wreck_buffer(void) { return kmalloc(64, GFP_KERNEL); }
static void w_usercopy(void) { char *p = wreck_buffer(); int r = copy_to_user((void __user *)current->mm->start_stack, p, 4000 + READ_ONCE(zero_)); pr_info("%d\n", r); }
static struct { char a[8]; char b[64]; } fort;
/* past all of it: memset() is not held against the array alone (__struct_size, include/linux/fortify-string.h) */
static void w_fortify(void) { memset(fort.a, 1, 400 + READ_ONCE(zero_)); }
static void w_doublefree(void) { void *p = kmalloc(192, GFP_KERNEL); kfree(p); kfree(p); panic("not found"); }
static refcount_t rc = REFCOUNT_INIT(0);
static void w_refcount(void) { refcount_inc(&rc); }
static struct { struct rcu_head h; int x; } rh;
static void w_rcu(void) { call_rcu(&rh.h, NULL); ssleep(5); }
static void w_rcugarbage(void) { call_rcu(&rh.h, (void *)0xffff888000001000UL); ssleep(5); }
static struct work_struct wk;
static void w_wq(void) { INIT_WORK(&wk, (void *)0x1234567); schedule_work(&wk); ssleep(5); }
static void w_userptr(void) { pr_info("%x\n", *(volatile int *)current->mm->start_stack); }
static void w_textwrite(void) { *(volatile char *)&panic = 0x90; }
static void w_atomicmutex(void) { local_irq_disable(); mutex_lock(&m1); }
static void w_invalidop(void) { asm volatile(INVALID_A ::: "memory"); }
static void w_ud1(void) { asm volatile(INVALID_B ::: "memory"); }
static void w_int3(void) { asm volatile(BREAKPOINT ::: "memory"); }
static void w_lockup2(void) { mutex_lock(&m1); preempt_disable(); for (;;) cpu_relax(); }
int rusty(void) asm("_RNvNtNtCs4fqI2P2rA04_5wreck4sync3arc10drop_inner");
int vis rusty(void) { return wreck_top(&wreck_h); }
int cpp(void *) asm("_ZN5wreck6Engine4stopEPv");
int vis cpp(void *p) { return rusty() + 1; }
static void w_rust(void) { cpp(NULL); }
static void w_wordy(void) { WARN(1, "%s", "line one\nline two\n"); panic("wreck: a message of\ntwo lines, with %s", "\"quotes\" <b>html</b> & |pipes| `ticks`"); }

static const struct way ways[] = {
#define W(x) { #x, w_##x }
	W(twocpu), W(notifier), W(dienest), W(armbpf), W(kprobe), W(kretprobe), W(null), W(prw), W(completion), W(sem), W(rtm), W(folio), W(bit), W(chain), W(many), W(deep),
	W(tasksnext), W(tasksloop), W(taskswild), W(inittask), W(structpage), W(current), W(canary), W(retaddr), W(ret2), W(jmp0), W(jmpdata), W(jmpuser), W(badrsp), W(usercopy), W(fortify),
	W(doublefree), W(refcount), W(rcu), W(rcugarbage), W(wq), W(userptr), W(textwrite), W(atomicmutex), W(invalidop), W(ud1), W(int3), W(lockup2), W(rust), W(wordy), W(smash),
};
DEFINE_WAYS(wreck, ways);
static int __init wreck_init(void) { (void)fatal_word; (void)wreck_retaddr; proc_create("wreck", 0600, NULL, &wreck_proc); return 0; }
module_init(wreck_init);
MODULE_LICENSE("GPL");
