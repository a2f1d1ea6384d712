// SPDX-License-Identifier: GPL-2.0
/*
 * stray: follows a bad pointer that came from somewhere in particular.
 *
 *   echo WAY > /proc/stray         one of the names in ways[] below
 *
 * Each way dies by one access, a few functions away from where the pointer went bad: in a member of
 * a member, a freed object, a list, a table, what a function returned, an argument that others
 * passed on. Builds against 5.10 and later.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "ways.h"

#define far __attribute__((noipa))

struct stray_port {
	int number;
	struct stray_link *link;
};

struct stray_link {
	u64 flags;
	char name[24];
	struct stray_port *peer;
	u64 packets;
	u64 bytes;
};

struct stray_ops {
	int (*open)(struct stray_link *link);
	int (*send)(struct stray_link *link, const void *data, size_t len);
};

struct stray_device {
	struct list_head list;
	const struct stray_ops *ops;
	struct stray_link *links[4];
	struct stray_port port;
	int current_link;
	char label[32];
};

static LIST_HEAD(stray_devices);
static struct stray_device *stray_main;
static struct kmem_cache *stray_cache;
static DEFINE_PER_CPU(struct stray_link *, stray_percpu);
static u64 stray_sink;

/* a pointer in what a pointer in an argument points to */
static far u64 stray_peer_packets(struct stray_link *link)
{
	return link->peer->link->packets;
}

static far u64 stray_sum(struct stray_device *device, int first, u64 seed)
{
	u64 sum = seed;
	int i;

	for (i = first; i < 2; i++) {
		stray_sink += i;
		sum += stray_peer_packets(device->links[i]);
		sum ^= seed << i;
	}
	return sum + device->current_link;
}

static void way_peer(void)
{
	stray_main->links[0]->peer = &stray_main->port;
	stray_sink += stray_sum(stray_main, 0, 42);
}

/* an entry of a table that was never set */
static void way_table(void)
{
	stray_sink += stray_sum(stray_main, 1, 43);
}

/* an object that was freed, and whose cache has no poison: what the free list left in it */
static far struct stray_link *stray_take(struct stray_device *device, int which)
{
	struct stray_link *link = device->links[which];

	kmem_cache_free(stray_cache, link);
	return link;
}

static far u64 stray_touch(struct stray_link *link, int times)
{
	u64 sum = 0;

	while (times-- > 0)
		sum += link->peer->number + stray_sink;
	return sum;
}

static void way_freed(void)
{
	struct stray_link *link = stray_take(stray_main, 0);

	*(u64 *)((char *)link + offsetof(struct stray_link, peer)) = 0x6b6b6b6b6b6b6b6bULL;
	stray_sink += stray_touch(link, 3);
}

/* what a function returned is an error, and nobody looked */
static far struct stray_link *stray_find(struct stray_device *device, const char *name)
{
	int i;

	for (i = 0; i < 4; i++)
		if (device->links[i] && !strcmp(device->links[i]->name, name))
			return device->links[i];
	return ERR_PTR(-ENOENT);
}

static far u64 stray_bytes_of(struct stray_device *device, const char *name)
{
	struct stray_link *link = stray_find(device, name);

	stray_sink++;
	return link->bytes + device->current_link;
}

static void way_errptr(void)
{
	stray_sink += stray_bytes_of(stray_main, "nobody");
}

/* a function in a table of operations that is not there */
static far int stray_send(struct stray_device *device, const char *text)
{
	int sent = device->ops->send(device->links[0], text, strlen(text));

	return sent + device->current_link;
}

static void way_ops(void)
{
	stray_sink += stray_send(stray_main, "hello");
}

/* a list that was overwritten by text from the object before it */
static far u64 stray_walk(struct list_head *head)
{
	struct stray_device *device;
	u64 sum = 0;

	list_for_each_entry(device, head, list)
		sum += device->current_link + stray_sink;
	return sum;
}

static void way_text(void)
{
	memcpy(&stray_main->list, "ABCDEFGHIJKLMNOP", 16);
	stray_sink += stray_walk(&stray_devices);
}

/* memcpy() from what a caller two functions up got from a member */
static far void stray_copy(char *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	stray_sink += to[0];
}

static far void stray_label(struct stray_device *device, size_t size)
{
	stray_copy(device->label, device->links[3], size);
	stray_sink += device->current_link;
}

static void way_memcpy(void)
{
	stray_label(stray_main, 16 + (stray_sink & 8));
}

/* a per-CPU pointer that was never set */
static far u64 stray_here(void)
{
	return this_cpu_read(stray_percpu)->packets;
}

static void way_percpu(void)
{
	stray_sink += stray_here();
}

/* an index that was never checked */
static far u64 stray_nth(struct stray_device *device)
{
	return device->links[device->current_link]->packets;
}

static void way_index(void)
{
	stray_main->current_link = 0x3fffff0;
	stray_sink += stray_nth(stray_main);
}

/* NULL that a caller passes, through one that passes it on */
static far u64 stray_pass(struct stray_device *device, struct stray_link *link, int which)
{
	u64 sum = stray_peer_packets(link);

	return sum + device->current_link + which;
}

static far u64 stray_passes(struct stray_device *device)
{
	u64 sum = stray_pass(device, NULL, 2);

	return sum ^ device->current_link;
}

static void way_passed(void)
{
	stray_sink += stray_passes(stray_main);
}

/* a pointer of the running task */
static far u64 stray_of_task(struct task_struct *task)
{
	return (u64)task->journal_info + *(u64 *)task->journal_info;
}

static void way_task(void)
{
	stray_sink += stray_of_task(current);
}

static const struct way ways[] = {
	{ "peer", way_peer }, { "table", way_table }, { "freed", way_freed }, { "errptr", way_errptr },
	{ "ops", way_ops }, { "text", way_text }, { "memcpy", way_memcpy }, { "percpu", way_percpu },
	{ "index", way_index }, { "passed", way_passed }, { "task", way_task },
};

DEFINE_WAYS(stray, ways);

static int stray_open(struct stray_link *link)
{
	return link->flags & 1;
}

static const struct stray_ops stray_ops = { .open = stray_open };

static int __init stray_init(void)
{
	stray_cache = kmem_cache_create("stray_link", sizeof(struct stray_link), 0, 0, NULL);
	stray_main = kzalloc(sizeof(*stray_main), GFP_KERNEL);
	if (!stray_cache || !stray_main)
		return -ENOMEM;
	stray_main->ops = &stray_ops;
	stray_main->links[0] = kmem_cache_zalloc(stray_cache, GFP_KERNEL);
	if (!stray_main->links[0])
		return -ENOMEM;
	list_add(&stray_main->list, &stray_devices);
	proc_create("stray", 0222, NULL, &stray_proc);
	return 0;
}
module_init(stray_init);
MODULE_LICENSE("GPL");
