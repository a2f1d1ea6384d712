// SPDX-License-Identifier: GPL-2.0
/*
 * perish: makes the running kernel fail in one chosen way.
 *
 *   echo WAY > /proc/perish        one of the names in ways[] below
 *   cat /proc/perish               waits for the mutex that the way "hold" keeps for ever
 *
 * It also keeps a few well known objects alive for a debugger to find: a slab cache, a list and a
 * tree of ten widgets, per-CPU counters, a timer, a work item and a sleeping kernel thread.
 * Builds against 5.10 and later.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/rbtree.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#ifdef CONFIG_X86
#include <asm/nmi.h>
#endif

/* A call that the compiler may neither inline nor see through, so that it shows in a backtrace. */
#define visible_call noinline __attribute__((noipa))

struct widget {
	int id;
	char label[12];
	struct list_head on_shelf;
	struct rb_node by_id;
	u64 words[6];
};

/* What the oopsing ways dereference: a NULL `stats` makes the fault address the offset of `total`. */
struct widget_stats {
	u64 samples[64];
	u64 total;
};
struct widget_queue {
	struct widget_stats *stats;
	unsigned int depth;
};

static LIST_HEAD(perish_shelf);
static struct rb_root perish_tree = RB_ROOT;
static struct kmem_cache *perish_widgets;
static struct kmem_cache *perish_leaks;
static struct widget_queue perish_queue = { .depth = 3 };
static DEFINE_PER_CPU(unsigned long, perish_count);
static DEFINE_MUTEX(perish_first);
static DEFINE_MUTEX(perish_second);
static DEFINE_MUTEX(perish_crowded);
static DEFINE_SPINLOCK(perish_spinlock);
static DECLARE_RWSEM(perish_rwsem);
static struct timer_list perish_ticker;
static struct timer_list perish_bomb;
static struct irq_work perish_irq_work;
static unsigned long perish_nothing;	/* always zero, and the compiler does not know */

static visible_call u64 perish_sum(struct widget_queue *q)
{
	return q->stats->total + q->depth;
}

static visible_call u64 perish_account(struct widget_queue *q, u64 tag)
{
	u64 sum = perish_sum(q);

	this_cpu_inc(perish_count);
	return sum + tag;
}

static struct widget *first_widget(void)
{
	return list_first_entry(&perish_shelf, struct widget, on_shelf);
}

/* --- oopses in the context of the task that asks ---------------------------------------------- */

static void way_null(void)
{
	perish_account(&perish_queue, 42);
}

static void way_gpf(void)
{
	pr_info("%llx\n", *(volatile u64 *)0xdead000000000122ULL);
}

static void way_div(void)
{
	pr_info("%ld\n", 1000 / (long)READ_ONCE(perish_nothing));
}

static void way_bug(void)
{
	BUG_ON(READ_ONCE(perish_nothing) == 0);
}

static void way_panic(void)
{
	panic("perish: asked to panic, code %d", 7);
}

static void way_warn(void)
{
	WARN(1, "perish: a warning about %d widgets\n", 10);
}

static visible_call int perish_descend(int depth)
{
	volatile char frame[200];

	memset((void *)frame, depth, sizeof(frame));
	if (READ_ONCE(perish_nothing))
		return 0;
	return perish_descend(depth + 1) + frame[depth & 127];
}

static void way_stack(void)
{
	perish_descend(1);
}

static void way_list(void)
{
	struct widget *w = first_widget();

	w->on_shelf.next->prev = (void *)0x4141414141414141ULL;
	list_del(&w->on_shelf);
}

/* A callback read from memory that somebody else has used since. */
static void way_uaf(void)
{
	struct widget *w = first_widget();
	void (*callback)(struct widget *);

	w->words[0] = (u64)0xffffffffc0debabeULL;
	callback = (void *)(unsigned long)READ_ONCE(w->words[0]);
	callback(w);
}

static void way_atomic(void)
{
	preempt_disable();
	msleep(10);
	preempt_enable();
}

/* --- oopses elsewhere ------------------------------------------------------------------------- */

static void perish_in_irq(struct irq_work *work)
{
	perish_account(&perish_queue, 1);
}

static void way_irqfault(void)
{
	irq_work_queue(&perish_irq_work);
	msleep(1000);
}

static void perish_in_work(struct work_struct *work)
{
	perish_account(&perish_queue, 2);
}
static DECLARE_WORK(perish_work, perish_in_work);

static void way_workqueue(void)
{
	schedule_work(&perish_work);
	msleep(1000);
}

static void perish_in_timer(struct timer_list *t)
{
	perish_account(&perish_queue, 3);
}

static void way_timer(void)
{
	mod_timer(&perish_bomb, jiffies + HZ / 10);
	msleep(1000);
}

#ifdef CONFIG_X86
static int perish_in_nmi(unsigned int type, struct pt_regs *regs)
{
	perish_account(&perish_queue, 4);
	return NMI_HANDLED;
}

/* Only arms the handler: the NMI comes from outside the guest. */
static void way_nmifault(void)
{
	if (register_nmi_handler(NMI_UNKNOWN, perish_in_nmi, 0, "perish"))
		pr_err("perish: no NMI handler\n");
}
#endif

/* --- CPUs that do not come back --------------------------------------------------------------- */

static visible_call void perish_spin(void)
{
	for (;;)
		cpu_relax();
}

static void way_softlockup(void)
{
	preempt_disable();
	perish_spin();
}

static void way_hardlockup(void)
{
	local_irq_disable();
	perish_spin();
}

static void way_rcustall(void)
{
	rcu_read_lock();
	perish_spin();
}

static void way_spinlock(void)
{
	spin_lock(&perish_spinlock);
	spin_lock(&perish_spinlock);
}

/* --- tasks that do not come back -------------------------------------------------------------- */

/* Interruptibly, so that the hung task detector does not take the sleeper for a victim. */
static void sleep_for_ever(void)
{
	for (;;)
		msleep_interruptible(1000000000);
}

static int abba_other(void *unused)
{
	mutex_lock(&perish_second);
	msleep(300);
	mutex_lock(&perish_first);
	return 0;
}

static void way_abba(void)
{
	mutex_lock(&perish_first);
	kthread_run(abba_other, NULL, "perish_abba");
	msleep(600);
	mutex_lock(&perish_second);
}

static int rwsem_writer(void *unused)
{
	down_write(&perish_rwsem);
	sleep_for_ever();
	up_write(&perish_rwsem);
	return 0;
}

static void way_rwsem(void)
{
	kthread_run(rwsem_writer, NULL, "perish_writer");
	msleep(400);
	down_read(&perish_rwsem);
}

static int crowd_holder(void *unused)
{
	mutex_lock(&perish_crowded);
	sleep_for_ever();
	return 0;
}

static int crowd_member(void *unused)
{
	mutex_lock(&perish_crowded);
	mutex_unlock(&perish_crowded);
	return 0;
}

static void way_hold(void)
{
	kthread_run(crowd_holder, NULL, "perish_holder");
	msleep(300);
}

/* A hundred kernel threads behind perish_holder; user threads join them by reading /proc/perish. */
static void way_crowd(void)
{
	int i;

	for (i = 0; i < 100; i++)
		kthread_run(crowd_member, NULL, "perish_crowd/%d", i);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* 48 MiB that nothing points to any more. */
static void way_leak(void)
{
	int i;

	for (i = 0; i < 98304; i++) {
		u64 *p = kmem_cache_alloc(perish_leaks, GFP_KERNEL);

		if (p)
			p[0] = 0x6c65616b00000000ULL + i;
	}
}

/* The same without an end: only the out-of-memory killer is left. */
static void way_leakall(void)
{
	while (kmem_cache_alloc(perish_leaks, GFP_KERNEL))
		cond_resched();
}

#include "waits.h"

static const struct {
	const char *name;
	void (*fail)(void);
} ways[] = {
	{ "null", way_null }, { "gpf", way_gpf }, { "div", way_div }, { "bug", way_bug },
	{ "panic", way_panic }, { "warn", way_warn }, { "stack", way_stack }, { "list", way_list },
	{ "uaf", way_uaf }, { "atomic", way_atomic },
	{ "irqfault", way_irqfault }, { "workqueue", way_workqueue }, { "timer", way_timer },
#ifdef CONFIG_X86
	{ "nmifault", way_nmifault },
#endif
	{ "softlockup", way_softlockup }, { "hardlockup", way_hardlockup },
	{ "rcustall", way_rcustall }, { "spinlock", way_spinlock },
	{ "abba", way_abba }, { "rwsem", way_rwsem }, { "hold", way_hold }, { "crowd", way_crowd },
	{ "leak", way_leak }, { "leakall", way_leakall }, { "waits", way_waits }, { "swallow", way_swallow },
};

static ssize_t perish_proc_write(struct file *file, const char __user *from, size_t count, loff_t *pos)
{
	char text[32] = "";
	int i;

	if (copy_from_user(text, from, min(count, sizeof(text) - 1)))
		return -EFAULT;
	strim(text);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (strcmp(text, ways[i].name))
			continue;
		pr_info("perish: %s\n", ways[i].name);
		ways[i].fail();
		return count;
	}
	return -EINVAL;
}

static ssize_t perish_proc_read(struct file *file, char __user *to, size_t count, loff_t *pos)
{
	mutex_lock(&perish_crowded);
	mutex_unlock(&perish_crowded);
	return 0;
}

static const struct proc_ops perish_proc_ops = {
	.proc_read = perish_proc_read,
	.proc_write = perish_proc_write,
};

static void perish_tick(struct timer_list *t)
{
	mod_timer(t, jiffies + HZ);
}

static int perish_idler(void *unused)
{
	sleep_for_ever();
	return 0;
}

/* A cache with a constructor is never merged with another of its size. */
static void construct_nothing(void *object)
{
}

static void put_on_shelf(int id)
{
	struct widget *w = kmem_cache_alloc(perish_widgets, GFP_KERNEL);
	struct rb_node **link = &perish_tree.rb_node, *parent = NULL;

	if (!w)
		return;
	memset(w, 0, sizeof(*w));
	w->id = id;
	snprintf(w->label, sizeof(w->label), "widget-%d", id);
	list_add_tail(&w->on_shelf, &perish_shelf);
	while (*link) {
		parent = *link;
		link = id < rb_entry(parent, struct widget, by_id)->id ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&w->by_id, parent, link);
	rb_insert_color(&w->by_id, &perish_tree);
}

static int __init perish_init(void)
{
	int i, cpu;

	perish_widgets = kmem_cache_create("perish_widget", sizeof(struct widget), 0, 0, construct_nothing);
	perish_leaks = kmem_cache_create("perish_leak", 512, 0, 0, construct_nothing);
	if (!perish_widgets || !perish_leaks)
		return -ENOMEM;
	for (i = 0; i < 10; i++)
		put_on_shelf(i * 7 % 10);
	for_each_possible_cpu(cpu)
		per_cpu(perish_count, cpu) = 100 + cpu;
#ifdef IRQ_WORK_INIT_HARD
	perish_irq_work = IRQ_WORK_INIT_HARD(perish_in_irq);	/* in hard interrupt context on PREEMPT_RT too */
#else
	init_irq_work(&perish_irq_work, perish_in_irq);
#endif
	timer_setup(&perish_bomb, perish_in_timer, 0);
	timer_setup(&perish_ticker, perish_tick, 0);
	mod_timer(&perish_ticker, jiffies + HZ);
	kthread_run(perish_idler, NULL, "perish_idler");
	return proc_create("perish", 0600, NULL, &perish_proc_ops) ? 0 : -ENOMEM;
}
module_init(perish_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Makes the running kernel fail in one chosen way");
