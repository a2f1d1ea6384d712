/* glutton WHAT: takes all the memory there is by way of something that no process's size tells of. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void *nap(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

/* One page of a file, mapped at every 2 MiB: each mapping takes a page of page tables, and no memory of its own. */
static void page_tables(void)
{
	int file = open("/tmp/glutton", O_RDWR | O_CREAT, 0600);

	if (ftruncate(file, 4096))
		perror("ftruncate");
	for (unsigned long i = 0; i < 60000; i++) {
		volatile char *page = mmap((void *)(0x100000000000UL + (i << 21)), 4096, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_FIXED, file, 0);
		if (page == MAP_FAILED)
			break;
		page[0] = 1;
	}
	nap(NULL);
}

/* Threads that sleep: a kernel stack each. */
static void threads(void)
{
	pthread_attr_t small;
	pthread_t thread;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 16384);
	for (int i = 0; i < 30000; i++)
		if (pthread_create(&thread, &small, nap, NULL))
			break;
	nap(NULL);
}

/* Pairs of sockets, each full of what nobody reads. */
static void sockets(void)
{
	static char block[4096];
	struct rlimit many = { 20000, 20000 };
	int pair[2], size = 8 << 20;

	setrlimit(RLIMIT_NOFILE, &many);
	while (!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair)) {
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
		while (send(pair[0], block, sizeof(block), 0) > 0)
			;
	}
	nap(NULL);
}

/* Pipes, each full of what nobody reads. */
static void pipes(void)
{
	static char block[65536];
	struct rlimit many = { 20000, 20000 };
	int ends[2];

	setrlimit(RLIMIT_NOFILE, &many);
	while (!pipe2(ends, O_NONBLOCK)) {
		fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
		while (write(ends[1], block, sizeof(block)) > 0)
			;
	}
	nap(NULL);
}

/* The OOM killer takes another first: what is eaten stays. */
static void survive(void)
{
	FILE *file = fopen("/proc/self/oom_score_adj", "w");

	if (file) {
		fputs("-1000", file);
		fclose(file);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	survive();
	if (!strcmp(what, "tables"))
		for (int i = 0; i < 8 && fork(); i++)
			;
	if (!strcmp(what, "threads"))
		for (int i = 0; i < 4 && fork(); i++)
			;
	prctl(PR_SET_NAME, "glutton");
	if (!strcmp(what, "tables"))
		page_tables();
	else if (!strcmp(what, "threads"))
		threads();
	else if (!strcmp(what, "sockets"))
		sockets();
	else if (!strcmp(what, "pipes"))
		pipes();
	return 1;
}
