/*
 * picture DIR: writes to DIR what the running kernel says about itself, in the layout of /proc.
 * A program and not a script because it must be quick: the longer it takes, the more the world
 * moves between the picture and the crash. What changes fastest is read last.
 *
 *   DIR/meminfo, DIR/net/tcp, ...      as under /proc
 *   DIR/PID/{maps,comm,...}            DIR/PID/{cwd,exe,root}: the link's target
 *   DIR/PID/fd                         lines "NUMBER TARGET"
 *   DIR/PID/task/TID/{status,stat,stack}
 *   DIR/addresses                      lines "INTERFACE FAMILY ADDRESS"
 *   DIR/sysctl                         lines "name=value"
 *   DIR/dmesg                          the kernel log, each line with its <level>
 *   DIR/kpageflags                     lines "FIRST COUNT FLAGS": page frames with the same flags (hexadecimal)
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/stat.h>
#include <unistd.h>

static char buffer[1 << 20];
static const char *out;

static void copy(const char *from, const char *name)
{
	char to[512];
	int in = open(from, O_RDONLY | O_NONBLOCK), file = -1;
	ssize_t n;

	if (in < 0)
		return;
	snprintf(to, sizeof(to), "%s/%s", out, name);
	while ((n = read(in, buffer, sizeof(buffer))) > 0) {
		if (file < 0)
			file = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (file < 0 || write(file, buffer, n) != n)
			break;
	}
	close(in);
	if (file >= 0)
		close(file);
}

static void copy_all(const char *const *names)
{
	char from[512];

	for (; *names; names++) {
		snprintf(from, sizeof(from), "/proc/%s", *names);
		copy(from, *names);
	}
}

static void make_dir(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", out, name);
	mkdir(path, 0755);
}

static FILE *create(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", out, name);
	return fopen(path, "w");
}

static int read_link(const char *path, char *target, size_t size)
{
	ssize_t n = readlink(path, target, size - 1);

	target[n > 0 ? n : 0] = 0;
	return n > 0;
}

static int is_number(const char *name)
{
	return name[0] >= '0' && name[0] <= '9';
}

static void task(const char *pid, const char *tid)
{
	static const char *const files[] = { "status", "stat", "stack", "comm", NULL };
	char from[512], to[512];

	snprintf(to, sizeof(to), "%s/task/%s", pid, tid);
	make_dir(to);
	for (int i = 0; files[i]; i++) {
		snprintf(from, sizeof(from), "/proc/%s/task/%s/%s", pid, tid, files[i]);
		snprintf(to, sizeof(to), "%s/task/%s/%s", pid, tid, files[i]);
		copy(from, to);
	}
}

static void process(const char *pid)
{
	static const char *const files[] = { "comm", "cmdline", "environ", "maps", "cgroup", "mountinfo", "mounts",
		"limits", "smaps_rollup", NULL };
	static const char *const links[] = { "cwd", "exe", "root", "ns/pid", "ns/mnt", "ns/net", NULL };
	char from[512], to[512], target[4096];
	struct dirent *entry;
	FILE *list;
	DIR *dir;

	make_dir(pid);
	snprintf(to, sizeof(to), "%s/task", pid);
	make_dir(to);
	snprintf(to, sizeof(to), "%s/ns", pid);
	make_dir(to);
	for (int i = 0; files[i]; i++) {
		snprintf(from, sizeof(from), "/proc/%s/%s", pid, files[i]);
		snprintf(to, sizeof(to), "%s/%s", pid, files[i]);
		copy(from, to);
	}
	for (int i = 0; links[i]; i++) {
		snprintf(from, sizeof(from), "/proc/%s/%s", pid, links[i]);
		snprintf(to, sizeof(to), "%s/%s", pid, links[i]);
		if (read_link(from, target, sizeof(target)) && (list = create(to))) {
			fprintf(list, "%s\n", target);
			fclose(list);
		}
	}
	snprintf(from, sizeof(from), "/proc/%s/fd", pid);
	snprintf(to, sizeof(to), "%s/fd", pid);
	if ((dir = opendir(from))) {
		list = create(to);
		while (list && (entry = readdir(dir))) {
			snprintf(from, sizeof(from), "/proc/%s/fd/%s", pid, entry->d_name);
			if (is_number(entry->d_name) && read_link(from, target, sizeof(target)))
				fprintf(list, "%s %s\n", entry->d_name, target);
		}
		if (list)
			fclose(list);
		closedir(dir);
	}
}

static void each_process(void (*visit)(const char *pid))
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_number(entry->d_name))
			visit(entry->d_name);
	if (dir)
		closedir(dir);
}

static void tasks(const char *pid)
{
	char path[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (is_number(entry->d_name))
			task(pid, entry->d_name);
	if (dir)
		closedir(dir);
}

static void sysctls(FILE *list, const char *dir_name)
{
	DIR *dir = opendir(dir_name);
	struct dirent *entry;
	struct stat info;
	char path[512], name[512];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir_name, entry->d_name);
		if (lstat(path, &info))
			continue;
		if (S_ISDIR(info.st_mode)) {
			sysctls(list, path);
		} else if (S_ISREG(info.st_mode) && (info.st_mode & 0444)) {
			int in = open(path, O_RDONLY | O_NONBLOCK);
			ssize_t n = in < 0 ? -1 : read(in, buffer, sizeof(buffer) - 1);

			if (in >= 0)
				close(in);
			if (n <= 0)
				continue;
			buffer[n] = 0;
			strcpy(name, path + strlen("/proc/sys/"));
			for (char *c = name; *c; c++)
				*c = *c == '/' ? '.' : *c;
			for (char *line = strtok(buffer, "\n"); line; line = strtok(NULL, "\n"))
				fprintf(list, "%s=%s\n", name, line);
		}
	}
	if (dir)
		closedir(dir);
}

static void addresses(void)
{
	FILE *list = create("addresses");
	struct ifaddrs *all = NULL;
	char text[INET6_ADDRSTRLEN];

	if (!list || getifaddrs(&all))
		return;
	for (struct ifaddrs *a = all; a; a = a->ifa_next) {
		if (!a->ifa_addr)
			continue;
		if (a->ifa_addr->sa_family == AF_INET) {
			inet_ntop(AF_INET, &((struct sockaddr_in *)a->ifa_addr)->sin_addr, text, sizeof(text));
			fprintf(list, "%s inet %s\n", a->ifa_name, text);
		} else if (a->ifa_addr->sa_family == AF_INET6) {
			inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr, text, sizeof(text));
			fprintf(list, "%s inet6 %s\n", a->ifa_name, text);
		}
	}
	fclose(list);
}

/*
 * The bits of /proc/kpageflags that say what a page is (include/uapi/linux/kernel-page-flags.h): LRU, SLAB, BUDDY, ANON,
 * SWAPCACHE, SWAPBACKED, COMPOUND_HEAD and _TAIL, HUGE, HWPOISON, NOPAGE, KSM, THP, OFFLINE, ZERO_PAGE, PGTABLE,
 * RESERVED, PRIVATE. The others change all the time.
 */
#define KIND_FLAGS (1ULL << 5 | 1ULL << 7 | 1ULL << 10 | 1ULL << 12 | 1ULL << 13 | 1ULL << 14 | 1ULL << 15 | 1ULL << 16 | \
	1ULL << 17 | 1ULL << 19 | 1ULL << 20 | 1ULL << 21 | 1ULL << 22 | 1ULL << 23 | 1ULL << 24 | 1ULL << 26 | \
	1ULL << 32 | 1ULL << 35)

/* Nothing is written before all is read: to write takes pages. */
static void page_frames(void)
{
	static struct { unsigned long long flags; unsigned int first, count; } runs[1 << 17];
	unsigned int frame = 0, used = 0;
	int in = open("/proc/kpageflags", O_RDONLY);
	ssize_t n;
	FILE *list;

	while (in >= 0 && (n = read(in, buffer, sizeof(buffer))) >= 8)
		for (unsigned long long *flags = (void *)buffer; n >= 8; n -= 8, flags++, frame++) {
			if (!used || runs[used - 1].flags != (*flags & KIND_FLAGS)) {
				if (used == sizeof(runs) / sizeof(runs[0]))
					return; /* more than was expected: none rather than some */
				runs[used].flags = *flags & KIND_FLAGS;
				runs[used++].first = frame;
			}
			runs[used - 1].count++;
		}
	if (!used || !(list = create("kpageflags")))
		return;
	for (unsigned int i = 0; i < used; i++)
		fprintf(list, "%x %x %llx\n", runs[i].first, runs[i].count, runs[i].flags);
	fclose(list);
	close(in);
}

int main(int argc, char **argv)
{
	static const char *const slow[] = {
		"kallsyms", "modules", "version", "cmdline", "cpuinfo", "iomem", "filesystems", "devices", "partitions",
		"vmallocinfo", "zoneinfo", "buddyinfo", "cgroups", "locks", "swaps", "net/tcp", "net/tcp6", "net/udp",
		"net/udp6", "net/raw", "net/unix", "net/netlink", "net/packet", "net/dev", "net/route", "net/arp",
		"sysvipc/shm", "sysvipc/sem", "sysvipc/msg", NULL };
	static const char *const quick[] = { "timer_list", "slabinfo", "vmstat", "softirqs", "interrupts", "stat", "meminfo",
		"diskstats", "loadavg", "uptime", NULL };
	FILE *list;

	if (argc != 2)
		return 2;
	out = argv[1];
	make_dir("net");
	make_dir("sysvipc");
	copy_all(slow);
	if ((list = create("sysctl"))) {
		sysctls(list, "/proc/sys");
		fclose(list);
	}
	addresses();
	each_process(process);
	sync();
	each_process(tasks);
	copy_all(quick);
	if ((list = create("dmesg"))) {
		int n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, buffer, sizeof(buffer));

		if (n > 0)
			fwrite(buffer, 1, n, list);
		fclose(list);
	}
	sync();
	page_frames();
	sync();
	return 0;
}
