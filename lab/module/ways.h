/* SPDX-License-Identifier: GPL-2.0 */
/* A file of /proc that takes the name of a way to die: echo WAY > /proc/MODULE */
#include <linux/kernel.h>
#include <linux/proc_fs.h>
#include <linux/string.h>
#include <linux/uaccess.h>

struct way {
	const char *name;
	void (*die)(void);
};

/* Defines MODULE_write(), and MODULE_proc for proc_create(); ways is an array of struct way. */
#define DEFINE_WAYS(module, ways)                                                                       \
	static ssize_t module##_write(struct file *file, const char __user *from, size_t count, loff_t *pos) \
	{                                                                                               \
		char text[32] = "";                                                                     \
		int i;                                                                                  \
                                                                                                        \
		if (copy_from_user(text, from, min(count, sizeof(text) - 1)))                           \
			return -EFAULT;                                                                 \
		strim(text);                                                                            \
		for (i = 0; i < ARRAY_SIZE(ways); i++) {                                                \
			if (!strcmp(text, ways[i].name)) {                                              \
				pr_info(#module ": way %s\n", text);                                    \
				ways[i].die();                                                          \
				return count;                                                           \
			}                                                                               \
		}                                                                                       \
		return -EINVAL;                                                                         \
	}                                                                                               \
	static const struct proc_ops module##_proc = { .proc_write = module##_write }
