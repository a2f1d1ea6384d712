// SPDX-License-Identifier: GPL-2.0
/* CPUs that never come back. */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/smp.h>
#include <linux/timer.h>
#include <linux/version.h>

#include "worn.h"

static unsigned long worn_packets = 1;

static far void worn_drain(void)
{
	while (READ_ONCE(worn_packets))
		cpu_relax();
}

static void worn_poll(unsigned long data)
{
	worn_drain();
}

static struct tasklet_struct worn_poller;

void worn_softirq(void)
{
	tasklet_init(&worn_poller, worn_poll, 0);
	tasklet_schedule(&worn_poller);
	ssleep(60);
}

static struct timer_list worn_timer;

static void worn_tick(struct timer_list *timer)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
	timer_delete_sync(&worn_timer);
#else
	del_timer_sync(&worn_timer);
#endif
	WRITE_ONCE(worn_packets, 2);
}

void worn_timersync(void)
{
	timer_setup(&worn_timer, worn_tick, 0);
	mod_timer(&worn_timer, jiffies + HZ / 2);
	ssleep(60);
}

static far int worn_spin(void *of)
{
	local_irq_disable();
	worn_drain();
	local_irq_enable();
	return 0;
}

static void worn_nothing(void *of)
{
}

/* The last CPU goes dark; the first asks all of them something. */
void worn_dark(void)
{
	struct task_struct *thread = kthread_create(worn_spin, NULL, "worn_dark");

	set_cpus_allowed_ptr(current, cpumask_of(0));
	kthread_bind(thread, num_online_cpus() - 1);
	wake_up_process(thread);
	msleep(500);
	on_each_cpu(worn_nothing, NULL, 1);
}
