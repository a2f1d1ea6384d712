// SPDX-License-Identifier: GPL-2.0
/*
 * worn: what kills machines that have run for a while. echo WAY > /proc/worn takes a way of worn.h.
 * Builds against 5.15 and later.
 */
#include <linux/module.h>

#include "ways.h"
#include "worn.h"

static const struct way ways[] = {
	{ "dma", worn_dma }, { "kref", worn_kref }, { "nullops", worn_nullops }, { "nest", worn_nest },
	{ "container", worn_container }, { "timerfreed", worn_timerfreed }, { "irqwork", worn_irqwork },
	{ "tasklet", worn_tasklet }, { "bitflip", worn_bitflip }, { "skbover", worn_skbover },
	{ "kfreebad", worn_kfreebad },
	{ "unlock2", worn_unlock2 }, { "rcusleep", worn_rcusleep }, { "wqdead", worn_wqdead }, { "deaf", worn_deaf },
	{ "mmaplock", worn_mmaplock }, { "inodelock", worn_inodelock }, { "rtnl", worn_rtnl },
	{ "srcu", worn_srcu }, { "grace", worn_grace },
	{ "softirq", worn_softirq }, { "timersync", worn_timersync }, { "dark", worn_dark },
	{ "rcuflood", worn_rcuflood }, { "percpu", worn_percpu }, { "vmalloc", worn_vmalloc },
};

DEFINE_WAYS(worn, ways);

static int __init worn_init(void)
{
	worn_nest_file();
	return proc_create("worn", 0200, NULL, &worn_proc) ? 0 : -ENOMEM;
}
module_init(worn_init);
MODULE_LICENSE("GPL");
