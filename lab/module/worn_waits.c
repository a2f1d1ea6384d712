// SPDX-License-Identifier: GPL-2.0
/* Tasks that wait for what never comes. */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/srcu.h>
#include <linux/workqueue.h>

#include "worn.h"

static u64 worn_sink;
static unsigned long worn_never;

static void sleep_for_ever(void)
{
	for (;;)
		msleep_interruptible(1000000000);
}

/* Sleeps that end must not look like hangs. */
static void start(int (*run)(void *), void *of, const char *name)
{
	kthread_run(run, of, "%s", name);
	msleep(300);
}

static DECLARE_RWSEM(worn_gate);

void worn_unlock2(void)
{
	down_write(&worn_gate);
	up_write(&worn_gate);
	up_write(&worn_gate);
	down_read(&worn_gate);
}

static far void worn_lookup(void)
{
	rcu_read_lock();
	msleep(50);
	rcu_read_unlock();
	worn_sink++;
}

void worn_rcusleep(void)
{
	worn_lookup();
}

static struct workqueue_struct *worn_order;
static struct work_struct worn_first_work, worn_later_work;

static void worn_later(struct work_struct *work)
{
	worn_sink++;
}

static void worn_first(struct work_struct *work)
{
	msleep(300);
	flush_work(&worn_later_work);
	worn_sink++;
}

void worn_wqdead(void)
{
	worn_order = alloc_ordered_workqueue("worn_order", 0);
	INIT_WORK(&worn_first_work, worn_first);
	INIT_WORK(&worn_later_work, worn_later);
	queue_work(worn_order, &worn_first_work);
	queue_work(worn_order, &worn_later_work);
}

static int deaf(void *of)
{
	sleep_for_ever();
	return 0;
}

void worn_deaf(void)
{
	struct task_struct *thread = kthread_run(deaf, NULL, "worn_deaf");

	msleep(300);
	kthread_stop(thread);
}

static int hold_mmap_lock(void *mm)
{
	mmap_write_lock(mm);
	sleep_for_ever();
	return 0;
}

static int want_mmap_lock(void *mm)
{
	mmap_read_lock(mm);
	return 0;
}

void worn_mmaplock(void)
{
	mmgrab(current->mm);
	mmgrab(current->mm);
	start(hold_mmap_lock, current->mm, "worn_holder");
	start(want_mmap_lock, current->mm, "worn_wants");
}

static int hold_inode_lock(void *inode)
{
	inode_lock(inode);
	sleep_for_ever();
	return 0;
}

void worn_inodelock(void)
{
	struct file *folder = filp_open("/tmp", O_RDONLY | O_DIRECTORY, 0);

	if (!IS_ERR(folder))
		start(hold_inode_lock, file_inode(folder), "worn_holder");
}

static int hold_rtnl(void *of)
{
	rtnl_lock();
	sleep_for_ever();
	return 0;
}

void worn_rtnl(void)
{
	start(hold_rtnl, NULL, "worn_holder");
}

DEFINE_STATIC_SRCU(worn_domain);

static int read_srcu(void *of)
{
	int index = srcu_read_lock(&worn_domain);

	sleep_for_ever();
	srcu_read_unlock(&worn_domain, index);
	return 0;
}

void worn_srcu(void)
{
	start(read_srcu, NULL, "worn_reader");
	synchronize_srcu(&worn_domain);
}

/* Under RCU and awake: a sleep would be told. */
static int read_rcu(void *of)
{
	rcu_read_lock();
	while (!READ_ONCE(worn_never))
		cpu_relax();
	rcu_read_unlock();
	return 0;
}

void worn_grace(void)
{
	start(read_rcu, NULL, "worn_reader");
	synchronize_rcu();
}
