// SPDX-License-Identifier: GPL-2.0
/* Objects that are not what somebody takes them for. */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include "worn.h"

static u64 worn_sink;

struct worn_node {
	u64 serial;
	struct worn_node *next;
	u64 weight;
	char name[40];
};

static struct kmem_cache *worn_nodes;

/* A cache with a constructor is never merged with another of its size. */
static void construct_nothing(void *object)
{
}

static struct worn_node *new_node(struct worn_node *next, u64 serial)
{
	struct worn_node *node;

	if (!worn_nodes)
		worn_nodes = kmem_cache_create("worn_node", sizeof(*node), 0, 0, construct_nothing);
	node = kmem_cache_alloc(worn_nodes, GFP_KERNEL);
	if (!node)
		return next;
	node->serial = serial;
	node->weight = 3;
	node->next = next;
	snprintf(node->name, sizeof(node->name), "node %llu", serial);
	return node;
}

static far u64 worn_walk(struct worn_node *node)
{
	u64 sum = 0;

	for (; node; node = node->next)
		sum += node->weight + worn_sink;
	return sum;
}

/* Pages go back, and the nodes of a list come to lie in one; then the device, which was not told, writes a packet. */
void worn_dma(void)
{
	struct worn_node *list = new_node(NULL, 0);
	u8 *buffers[64], *hit = NULL;
	int i, k, behind = 0;

	for (k = 0; k < ARRAY_SIZE(buffers); k++)
		buffers[k] = (u8 *)__get_free_page(GFP_KERNEL);
	for (k = 0; k < ARRAY_SIZE(buffers); k++)
		free_page((unsigned long)buffers[k]);
	for (i = 1; i < 200000 && behind < 100; i++) {
		list = new_node(list, i);
		for (k = 0; !hit && k < ARRAY_SIZE(buffers); k++)
			if (((unsigned long)list & PAGE_MASK) == (unsigned long)buffers[k])
				hit = buffers[k];
		behind += !!hit;
	}
	for (i = 0; hit && i < PAGE_SIZE; i++)
		hit[i] = i % 64 < 14 ? 0x52 : i % 64 < 34 ? 0x45 : 'A' + i % 26;
	worn_sink += worn_walk(list);
}

struct worn_conn {
	u64 pad[12];
	struct kref ref;
	u64 more[12];
};

static void worn_release(struct kref *ref)
{
	kfree(container_of(ref, struct worn_conn, ref));
}

static far void worn_put(struct worn_conn *conn)
{
	kref_put(&conn->ref, worn_release);
	worn_sink++;
}

void worn_kref(void)
{
	struct worn_conn *conn = kzalloc(sizeof(*conn), GFP_KERNEL);

	kref_init(&conn->ref);
	kref_get(&conn->ref);
	worn_put(conn);
	worn_put(conn);
	worn_put(conn);
}

static const struct file_operations worn_fops = { .owner = THIS_MODULE };

void worn_nullops(void)
{
	struct file *file = anon_inode_getfile("[worn]", &worn_fops, NULL, O_RDWR);
	loff_t pos = 0;
	char text[8];

	file->f_op = NULL;
	file->f_mode |= FMODE_CAN_READ;
	worn_sink += kernel_read(file, text, sizeof(text), &pos);
}

static int worn_open(struct inode *inode, struct file *file)
{
	struct file *next = filp_open("/proc/worn_nest", O_RDONLY, 0);
	char pad[256];

	snprintf(pad, sizeof(pad), "%p", next);
	worn_sink += pad[worn_sink & 7];
	return 0;
}

static const struct proc_ops worn_nest_proc = { .proc_open = worn_open };

void worn_nest_file(void)
{
	proc_create("worn_nest", 0400, NULL, &worn_nest_proc);
}

void worn_nest(void)
{
	filp_open("/proc/worn_nest", O_RDONLY, 0);
}

struct worn_meter { u64 counts[3]; struct list_head list; u64 more; };
struct worn_probe { struct list_head list; u64 flags; struct worn_node *node; };
static LIST_HEAD(worn_probes);

static far u64 worn_visit(struct list_head *head)
{
	struct worn_probe *probe;
	u64 sum = 0;

	list_for_each_entry(probe, head, list)
		sum += probe->node->weight + worn_sink;
	return sum;
}

void worn_container(void)
{
	struct worn_probe *probe = kzalloc(sizeof(*probe), GFP_KERNEL);
	struct worn_meter *meters = kcalloc(2, sizeof(*meters), GFP_KERNEL);

	probe->node = new_node(NULL, 1);
	meters[0].more = 7;
	meters[1].counts[0] = 0x1f4;
	list_add_tail(&probe->list, &worn_probes);
	/* a meter, where probes belong: a probe's node is where the next meter's first count is */
	list_add_tail(&meters[0].list, &worn_probes);
	worn_sink += worn_visit(&worn_probes);
}

struct worn_session { u64 id; struct timer_list timeout; u64 more[4]; };

static void worn_expire(struct timer_list *timer)
{
	worn_sink++;
}

void worn_timerfreed(void)
{
	struct worn_session *session = kzalloc(sizeof(*session), GFP_KERNEL);
	int i;

	timer_setup(&session->timeout, worn_expire, 0);
	mod_timer(&session->timeout, jiffies + HZ);
	kfree(session);
	for (i = 0; i < 5000; i++) {
		u64 *other = kmalloc(sizeof(*session), GFP_KERNEL);

		memset(other, 'Z', sizeof(*session));
	}
	ssleep(5);
}

static struct irq_work worn_irq_work;

void worn_irqwork(void)
{
	init_irq_work(&worn_irq_work, (void *)0x5555555500UL);
	irq_work_queue(&worn_irq_work);
	ssleep(5);
}

static struct tasklet_struct worn_task_let;

void worn_tasklet(void)
{
	tasklet_init(&worn_task_let, NULL, 0);
	tasklet_schedule(&worn_task_let);
	ssleep(5);
}

void worn_bitflip(void)
{
	struct worn_node *list = NULL;
	int i;

	for (i = 0; i < 50; i++)
		list = new_node(list, i);
	*(u64 *)&list->next->next->next->next ^= 1ULL << 52;
	worn_sink += worn_walk(list);
}

static far void worn_build(struct sk_buff *skb, int size)
{
	memset(skb_put(skb, size), 1, 8);
	worn_sink += skb->len;
}

void worn_skbover(void)
{
	struct sk_buff *skb = alloc_skb(128, GFP_KERNEL);

	worn_build(skb, 100 + (worn_sink & 1));
	worn_build(skb, 4000 + (worn_sink & 1));
}

static u64 worn_static_buffer[64];

static far void worn_drop(void *object)
{
	kfree(object);
	worn_sink++;
}

void worn_kfreebad(void)
{
	worn_drop((char *)worn_static_buffer + (worn_sink & 1));
}
