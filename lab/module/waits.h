/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One kernel thread for each way to sleep, asleep for ever: perish_w/NAME waits, perish_h/NAME holds what it waits for.
 * And a disk, /dev/perish0, that answers no request once `perish_swallow` is set.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/percpu-rwsem.h>
#include <linux/rtmutex.h>
#include <linux/semaphore.h>
#include <linux/shmem_fs.h>
#include <linux/srcu.h>
#include <linux/version.h>
#include <linux/wait_bit.h>

static DECLARE_COMPLETION(perish_completion);
static DECLARE_WAIT_QUEUE_HEAD(perish_event);
static DEFINE_RT_MUTEX(perish_rtmutex);
static struct semaphore perish_semaphore;
static struct percpu_rw_semaphore perish_percpu_rwsem;
static struct srcu_struct perish_srcu;
static struct workqueue_struct *perish_workqueue;
static struct work_struct perish_slow_work, perish_queued_work, perish_never_work;
static unsigned long perish_flags = 1UL << 5;
static struct page *perish_page;
static struct task_struct *perish_stubborn;

static void wait_for_ever(void)
{
	for (;;)
		msleep_interruptible(1000000000);
}

static int wait_completion(void *u) { wait_for_completion(&perish_completion); return 0; }
static int wait_event_queue(void *u) { wait_event(perish_event, READ_ONCE(perish_nothing)); return 0; }
static int wait_semaphore(void *u) { down(&perish_semaphore); return 0; }
static int wait_bit(void *u) { wait_on_bit(&perish_flags, 5, TASK_UNINTERRUPTIBLE); return 0; }
static int wait_var(void *u) { wait_var_event(&perish_nothing, READ_ONCE(perish_nothing)); return 0; }
static int wait_page(void *u) { lock_page(perish_page); return 0; }
static int wait_work(void *u) { flush_work(&perish_slow_work); return 0; }
static int wait_queued(void *u) { flush_work(&perish_never_work); return 0; }
static int wait_queue(void *u) { flush_workqueue(perish_workqueue); return 0; }
static int wait_srcu(void *u) { synchronize_srcu(&perish_srcu); return 0; }
static int wait_thread(void *u) { kthread_stop(perish_stubborn); return 0; }
static int wait_rtmutex(void *u) { rt_mutex_lock(&perish_rtmutex); return 0; }
static int wait_percpu(void *u) { percpu_down_read(&perish_percpu_rwsem); return 0; }

static int hold_percpu(void *u) { percpu_down_write(&perish_percpu_rwsem); wait_for_ever(); return 0; }
static int hold_rtmutex(void *u) { rt_mutex_lock(&perish_rtmutex); wait_for_ever(); return 0; }
static int hold_srcu(void *u) { srcu_read_lock(&perish_srcu); wait_for_ever(); return 0; }
/* kthread_stop() makes an interruptible sleep return at once */
static int hold_thread(void *u) { for (;;) msleep(1000000000); return 0; }
static void sleep_in_work(struct work_struct *work) { wait_for_ever(); }
static void do_nothing_work(struct work_struct *work) { }

/* --- a disk that goes silent ------------------------------------------------------------------- */

static bool perish_swallow;
static struct blk_mq_tag_set perish_tags;
static const struct block_device_operations perish_disk_ops = { .owner = THIS_MODULE };

static blk_status_t perish_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *data)
{
	blk_mq_start_request(data->rq);
	if (!READ_ONCE(perish_swallow))
		blk_mq_end_request(data->rq, BLK_STS_OK);
	return BLK_STS_OK;
}

static const struct blk_mq_ops perish_mq_ops = { .queue_rq = perish_queue_rq };

static void add_silent_disk(void)
{
	struct gendisk *disk;

	perish_tags.ops = &perish_mq_ops;
	perish_tags.nr_hw_queues = 1;
	perish_tags.queue_depth = 16;
	perish_tags.numa_node = NUMA_NO_NODE;
	perish_tags.timeout = 3600 * HZ;
	if (blk_mq_alloc_tag_set(&perish_tags))
		return;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
	disk = blk_mq_alloc_disk(&perish_tags, NULL, NULL);
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(5, 14, 0)
	disk = blk_mq_alloc_disk(&perish_tags, NULL);
#else
	disk = alloc_disk(1);
	disk->queue = blk_mq_init_queue(&perish_tags);
#endif
	if (IS_ERR_OR_NULL(disk))
		return;
	disk->major = register_blkdev(0, "perish");
	disk->minors = 1;
	disk->fops = &perish_disk_ops;
	strscpy(disk->disk_name, "perish0", sizeof(disk->disk_name));
	set_capacity(disk, 2048);
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 15, 0)
	if (add_disk(disk))
		return;
#else
	add_disk(disk);
#endif
	WRITE_ONCE(perish_swallow, true);
}

/* ------------------------------------------------------------------------------------------------ */

static void lock_page_of_file(void)
{
	struct file *file = filp_open("/tmp/locked", O_RDWR | O_CREAT, 0600);
	struct page *page;

	if (IS_ERR(file))
		return;
	page = shmem_read_mapping_page(file->f_mapping, 0);
	if (!IS_ERR(page))
		lock_page(page);
}

static void way_swallow(void) { add_silent_disk(); }

static void way_waits(void)
{
	static const struct { const char *name; int (*run)(void *); } holders[] = {
		{ "percpu", hold_percpu }, { "rtmutex", hold_rtmutex }, { "srcu", hold_srcu },
	}, waiters[] = {
		{ "completion", wait_completion }, { "event", wait_event_queue }, { "semaphore", wait_semaphore },
		{ "bit", wait_bit }, { "var", wait_var }, { "page", wait_page }, { "work", wait_work },
		{ "queued", wait_queued }, { "queue", wait_queue }, { "srcu", wait_srcu }, { "thread", wait_thread },
		{ "rtmutex", wait_rtmutex }, { "percpu", wait_percpu },
	};
	int i;

	sema_init(&perish_semaphore, 0);
	percpu_init_rwsem(&perish_percpu_rwsem);
	init_srcu_struct(&perish_srcu);
	perish_page = alloc_page(GFP_KERNEL);
	lock_page(perish_page);
	perish_workqueue = alloc_ordered_workqueue("perish_wq", 0);
	INIT_WORK(&perish_slow_work, sleep_in_work);
	INIT_WORK(&perish_queued_work, do_nothing_work);
	INIT_WORK(&perish_never_work, do_nothing_work);
	queue_work(perish_workqueue, &perish_slow_work);
	queue_work(perish_workqueue, &perish_queued_work);
	queue_work(perish_workqueue, &perish_never_work);
	perish_stubborn = kthread_run(hold_thread, NULL, "perish_h/thread");
	for (i = 0; i < ARRAY_SIZE(holders); i++)
		kthread_run(holders[i].run, NULL, "perish_h/%s", holders[i].name);
	msleep(500);
	for (i = 0; i < ARRAY_SIZE(waiters); i++)
		kthread_run(waiters[i].run, NULL, "perish_w/%s", waiters[i].name);
	lock_page_of_file();
	add_silent_disk();
	msleep(500);
}
