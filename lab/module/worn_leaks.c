// SPDX-License-Identifier: GPL-2.0
/* Memory that nobody gives back. */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "worn.h"

static unsigned long worn_never;

/* Takes what is left, where what leaked gave up without a word. */
static far void worn_exhaust(void)
{
	while (alloc_page(GFP_KERNEL))
		cond_resched();
}

struct worn_ticket {
	struct rcu_head rcu;
	char text[2000];
};

static struct kmem_cache *worn_tickets;

static void construct_nothing(void *object)
{
}

static void worn_ticket_free(struct rcu_head *rcu)
{
	kmem_cache_free(worn_tickets, container_of(rcu, struct worn_ticket, rcu));
}

/* Preempted or not, it stays within its critical section: no grace period ends. */
static int worn_reader(void *of)
{
	rcu_read_lock();
	while (!READ_ONCE(worn_never))
		cpu_relax();
	rcu_read_unlock();
	return 0;
}

void worn_rcuflood(void)
{
	struct worn_ticket *ticket;

	worn_tickets = kmem_cache_create("worn_ticket", sizeof(*ticket), 0, 0, construct_nothing);
	kthread_run(worn_reader, NULL, "worn_reader");
	msleep(200);
	while ((ticket = kmem_cache_alloc(worn_tickets, GFP_KERNEL)))
		call_rcu(&ticket->rcu, worn_ticket_free);
}

void worn_percpu(void)
{
	while (__alloc_percpu(16384, 8))
		cond_resched();
	worn_exhaust();
}

static far void *worn_buffer(void)
{
	return vmalloc(1 << 20);
}

void worn_vmalloc(void)
{
	while (worn_buffer())
		cond_resched();
	worn_exhaust();
}
