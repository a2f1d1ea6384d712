// SPDX-License-Identifier: GPL-2.0
/*
 * ruin: what a driver does wrong, and the kernel dies of, often somewhere else: writing the name of a way to /proc/ruin
 * takes it. Builds against 5.10 and later.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/namei.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include "ways.h"

#define visible_call noinline __attribute__((noipa))

struct ruin_board;

struct ruin_ops {
	int (*probe)(struct ruin_board *board);
	int (*suspend)(struct ruin_board *board);
};

struct ruin_bus {
	const char *name;
	const struct ruin_ops *ops;
};

struct ruin_board {
	int minor;
	struct ruin_bus *bus;
	struct list_head on_list;
	wait_queue_head_t answered;
	int answers;
};

static struct ruin_bus ruin_pci = { .name = "ruin_pci" };
static const struct ruin_ops ruin_pci_ops;	/* nobody ever wrote its functions */
static struct ruin_board *ruin_board;
static unsigned long ruin_nothing;		/* always zero, and the compiler does not know */
static u64 ruin_sink;

/* --- pointers ------------------------------------------------------------------------------------- */

/* an operation that the bus does not have */
static visible_call int ruin_power_down(struct ruin_board *board)
{
	int done = board->bus->ops->suspend(board);

	return done + board->minor;
}

static void way_nullops(void)
{
	ruin_board->bus = &ruin_pci;
	ruin_pci.ops = &ruin_pci_ops;
	ruin_sink += ruin_power_down(ruin_board);
}

/* The bank's list is empty: what is taken for its first entry is the bank itself, and its words for an entry's. */
static struct {
	u64 settings[2];
	struct list_head boards;
} ruin_bank = { { 0x1000200030004000ULL, 0x5000600070008000ULL }, LIST_HEAD_INIT(ruin_bank.boards) };

static visible_call u64 ruin_first_bus(struct list_head *boards)
{
	struct ruin_board *board = list_first_entry(boards, struct ruin_board, on_list);

	return (unsigned long)READ_ONCE(board->bus->name) + board->minor;
}

static void way_container(void)
{
	ruin_sink += ruin_first_bus(&ruin_bank.boards);
}

/* an error that is given to the kernel as a file */
static visible_call struct file *ruin_open(const char *path)
{
	return filp_open(path, O_RDONLY, 0);
}

static visible_call u64 ruin_size_of(const char *path)
{
	struct file *file = ruin_open(path);
	loff_t size = vfs_llseek(file, 0, SEEK_END);

	return size + ruin_sink;
}

static void way_errfile(void)
{
	ruin_sink += ruin_size_of("/there/is/no/such/file");
}

/* a name that there is no inode for */
static visible_call u64 ruin_inode_number(struct dentry *dentry)
{
	return dentry->d_inode->i_ino + dentry->d_name.len;
}

static void way_dentry(void)
{
	struct path root;

	if (kern_path("/tmp", LOOKUP_FOLLOW, &root))
		return;
	ruin_sink += ruin_inode_number(d_alloc_name(root.dentry, "not-there"));
}

/* text that is in the code's own read-only data */
static visible_call void ruin_upper(char *text)
{
	for (; *text != '\0'; text++)
		*text &= ~0x20;
}

static const char ruin_title[] = "the title of the board";

static void way_rodata(void)
{
	ruin_upper((char *)ruin_title + ruin_nothing);
}

/* a buffer that was given back */
static u8 *ruin_table;

static visible_call u64 ruin_look_up(u32 row)
{
	return ruin_table[row * 64] + ruin_sink;
}

static void way_vfreed(void)
{
	ruin_table = vzalloc(64 * 4096);
	ruin_sink += ruin_look_up(70);
	vfree(ruin_table);
	vm_unmap_aliases();	/* or the TLB may have it a while longer */
	ruin_sink += ruin_look_up(70);
}

/* a node that is in no tree, and is taken out of one */
static struct rb_root ruin_tree = RB_ROOT;

static void way_rbtree(void)
{
	static struct rb_node nodes[3];

	nodes[0].__rb_parent_color = (unsigned long)&nodes[1];
	nodes[1].__rb_parent_color = 0x4242424242424240UL;
	nodes[1].rb_left = &nodes[0];
	ruin_tree.rb_node = &nodes[1];
	rb_insert_color(&nodes[0], &ruin_tree);
}

/* an entry that is on the list already */
static void way_listadd(void)
{
	list_add(&ruin_board->on_list, &ruin_bank.boards);
	list_add(&ruin_board->on_list, &ruin_bank.boards);
}

/* --- objects -------------------------------------------------------------------------------------- */

/* Past the end of an object, over its free neighbours: the allocator follows what is there. */
static struct kmem_cache *ruin_cells;

static visible_call void ruin_fill(char *cell, int size)
{
	memset(cell, 'B', size);
}

static void way_overrun(void)
{
	char *cells[16];
	int i;

	for (i = 0; i < 16; i++)
		cells[i] = kmem_cache_alloc(ruin_cells, GFP_KERNEL);
	for (i = 15; i >= 0; i--)
		ruin_fill(cells[i], 64 * 3);
	for (i = 0; i < 4096; i++)
		ruin_sink += (unsigned long)kmem_cache_alloc(ruin_cells, GFP_KERNEL);
	panic("ruin: nobody noticed");
}

static visible_call void ruin_put_file(struct file *file)
{
	fput(file);
	ruin_sink++;
}

static void way_fput(void)
{
	struct file *file = filp_open("/proc/uptime", O_RDONLY, 0);

	if (IS_ERR(file))
		return;
	get_file(file);
	ruin_put_file(file);
	ruin_put_file(file);
	ruin_put_file(file);
	ruin_put_file(file);
}

/* a work in an object that was given back, and that somebody else wrote to since */
struct ruin_job {
	u64 id;
	struct work_struct work;
};

static void ruin_do_job(struct work_struct *work)
{
	ruin_sink += container_of(work, struct ruin_job, work)->id;
}

static void way_workuaf(void)
{
	struct ruin_job *job = kmalloc(sizeof(*job), GFP_KERNEL);

	job->id = 7;
	INIT_WORK(&job->work, ruin_do_job);
	/* as who got the memory next would: all but the list that it is still on */
	*(u64 *)&job->work.func = 0x4444434343434242ULL;
	schedule_work(&job->work);
	msleep(2000);
}

/* --- contexts ------------------------------------------------------------------------------------- */

static DEFINE_MUTEX(ruin_mutex);

static void ruin_locks_in_softirq(struct timer_list *timer)
{
	mutex_lock(&ruin_mutex);
	msleep(10);
	mutex_unlock(&ruin_mutex);
}

static struct timer_list ruin_timer;

static void way_softsleep(void)
{
	timer_setup(&ruin_timer, ruin_locks_in_softirq, 0);
	mod_timer(&ruin_timer, jiffies + HZ / 10);
	msleep(5000);
}

/* two spinlocks in two orders */
static DEFINE_SPINLOCK(ruin_tx_lock);
static DEFINE_SPINLOCK(ruin_rx_lock);
static atomic_t ruin_met;

static int ruin_receiver(void *unused)
{
	spin_lock(&ruin_rx_lock);
	atomic_inc(&ruin_met);
	while (atomic_read(&ruin_met) < 2)
		cpu_relax();
	spin_lock(&ruin_tx_lock);
	return 0;
}

static int ruin_sender(void *unused)
{
	spin_lock(&ruin_tx_lock);
	atomic_inc(&ruin_met);
	while (atomic_read(&ruin_met) < 2)
		cpu_relax();
	spin_lock(&ruin_rx_lock);
	return 0;
}

static void way_spinabba(void)
{
	struct task_struct *receiver = kthread_create(ruin_receiver, NULL, "ruin_rx");
	struct task_struct *sender = kthread_create(ruin_sender, NULL, "ruin_tx");

	kthread_bind(receiver, 0);
	kthread_bind(sender, 1);
	wake_up_process(receiver);
	wake_up_process(sender);
}

/* more on the stack than there is, in one function */
static visible_call void ruin_prepare(volatile char *page)
{
	page[0] = ruin_sink;
}

static visible_call u64 ruin_big_frame(int rows)
{
	volatile char pages[4 * 4096];
	int i;

	for (i = rows - 1; i >= 0; i--)
		ruin_prepare(&pages[i * 4096]);
	return pages[ruin_sink & 4095];
}

static void way_bigframe(void)
{
	ruin_sink += ruin_big_frame(4);
}

/* --- waits ---------------------------------------------------------------------------------------- */

/* an interrupt that does not come */
static visible_call int ruin_command(struct ruin_board *board, int command)
{
	board->minor = command;
	wait_event(board->answered, READ_ONCE(board->answers));
	return board->answers;
}

static void way_lostirq(void)
{
	ruin_sink += ruin_command(ruin_board, 4);
}

static const struct way ways[] = {
	{ "nullops", way_nullops }, { "container", way_container }, { "errfile", way_errfile },
	{ "dentry", way_dentry }, { "rodata", way_rodata }, { "vfreed", way_vfreed }, { "rbtree", way_rbtree },
	{ "listadd", way_listadd }, { "overrun", way_overrun }, { "fput", way_fput }, { "workuaf", way_workuaf },
	{ "softsleep", way_softsleep }, { "spinabba", way_spinabba }, { "bigframe", way_bigframe },
	{ "lostirq", way_lostirq },
};

DEFINE_WAYS(ruin, ways);

/* A cache with a constructor is never merged with another of its size. */
static void construct_nothing(void *object)
{
}

static int __init ruin_init(void)
{
	ruin_cells = kmem_cache_create("ruin_cell", 64, 0, 0, construct_nothing);
	ruin_board = kzalloc(sizeof(*ruin_board), GFP_KERNEL);
	if (!ruin_cells || !ruin_board)
		return -ENOMEM;
	init_waitqueue_head(&ruin_board->answered);
	return proc_create("ruin", 0600, NULL, &ruin_proc) ? 0 : -ENOMEM;
}
module_init(ruin_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Does wrong what drivers do wrong");
