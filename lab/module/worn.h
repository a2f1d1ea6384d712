/* SPDX-License-Identifier: GPL-2.0 */
/* The ways of worn to die, by the file that has them. */

#define far __attribute__((noipa))

/* worn_objects.c: objects that are not what somebody takes them for */
void worn_dma(void);		/* a device writes into a page that was freed long ago */
void worn_kref(void);		/* one put too many */
void worn_nullops(void);	/* an open file without operations */
void worn_nest(void);		/* opening a file opens a file opens a file */
void worn_container(void);	/* container_of() of another type */
void worn_timerfreed(void);	/* a timer in an object that was freed and is somebody else's */
void worn_irqwork(void);	/* an irq_work whose function is no code */
void worn_tasklet(void);	/* a tasklet without a function */
void worn_bitflip(void);	/* one bit of a pointer turned over */
void worn_skbover(void);	/* more put into a socket buffer than fits */
void worn_kfreebad(void);	/* kfree() of what no kmalloc() gave */
void worn_nest_file(void);	/* makes the file of worn_nest() */

/* worn_waits.c: tasks that wait for what never comes */
void worn_unlock2(void);	/* a lock given back twice, and then wanted */
void worn_rcusleep(void);	/* sleeps where RCU forbids it */
void worn_wqdead(void);		/* a work waits for one behind it in the same queue */
void worn_deaf(void);		/* kthread_stop() of a thread that never looks */
void worn_mmaplock(void);	/* a process's mmap_lock, held by who sleeps */
void worn_inodelock(void);	/* a folder's lock, held by who sleeps */
void worn_rtnl(void);		/* rtnl_lock(), held by who sleeps */
void worn_srcu(void);		/* an SRCU reader that never ends */
void worn_grace(void);		/* an RCU reader that never ends */

/* worn_lockups.c: CPUs that never come back */
void worn_softirq(void);	/* a tasklet that does not end */
void worn_timersync(void);	/* a timer waits for itself to end */
void worn_dark(void);		/* one CPU waits for another whose interrupts are off */

/* worn_leaks.c: memory that nobody gives back */
void worn_rcuflood(void);	/* objects freed by RCU faster than it can */
void worn_percpu(void);		/* per-CPU memory */
void worn_vmalloc(void);	/* vmalloc areas */
