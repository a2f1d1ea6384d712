/*
 * lively [MODE [COUNT]]: a process that holds one of everything a process can have open.
 *
 *   lively              threads of several names, files, pipes, sockets, timers, mappings, System V IPC
 *   lively sockets N    N listening, N connected TCP pairs, N unix stream pairs, N UDP sockets
 *   lively pages        memory of every kind: huge, shared, locked, broken
 *   lively block N      N threads and N child processes that wait for /proc/perish's mutex
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *sleeper(void *name)
{
	prctl(PR_SET_NAME, name);
	for (;;)
		sleep(100000);
}

static void *waiter(void *name)
{
	prctl(PR_SET_NAME, name);
	pthread_mutex_lock(&held); /* for ever: main holds it */
	return NULL;
}

static void *poller(void *name)
{
	struct epoll_event event;

	prctl(PR_SET_NAME, name);
	for (int poll = epoll_create1(0);;)
		epoll_wait(poll, &event, 1, -1);
}

static void *ticker(void *name)
{
	prctl(PR_SET_NAME, name);
	for (;;)
		usleep(250000);
}

static void *blocker(void *name)
{
	char byte;
	int file = open("/proc/perish", O_RDONLY);

	prctl(PR_SET_NAME, name);
	if (read(file, &byte, 1))
		return NULL;
	return NULL;
}

static void spawn(void *(*run)(void *), const char *name)
{
	pthread_t thread;

	pthread_create(&thread, NULL, run, (void *)name);
}

static int listening(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 8))
		perror("lively: listen");
	return fd;
}

/* One connection to our own listening socket: both ends stay open. */
static void connection(int listener, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) || accept(listener, NULL, NULL) < 0)
		perror("lively: connect");
}

static void datagrams(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		perror("lively: bind");
}

static void unix_sockets(int number)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int pair[2], fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/lively.%d.%d", getpid(), number);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 4) || socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		perror("lively: unix");
}

/* System V IPC: segments with a key, private, and marked for removal; semaphores; a queue with messages in it. */
static void system_v(void)
{
	struct { long type; char text[40]; } message = { 1, "lively" };
	int keyed = shmget(0x11fe, 3 << 20, IPC_CREAT | 0640), unkeyed = shmget(IPC_PRIVATE, 12345, IPC_CREAT | 0600);
	int queue = msgget(0x11ff, IPC_CREAT | 0622);
	char *at = shmat(keyed, NULL, 0);

	if (at != (char *)-1)
		memset(at, 3, 2 << 20);
	shmat(keyed, NULL, SHM_RDONLY);
	shmat(unkeyed, NULL, 0);
	shmctl(unkeyed, IPC_RMID, NULL);
	if (semget(0x1200, 5, IPC_CREAT | 0600) < 0 || msgsnd(queue, &message, 40, 0) || msgsnd(queue, &message, 9, 0))
		perror("lively: System V IPC");
}

static void one_of_each(void)
{
	struct itimerspec every = { .it_interval.tv_sec = 30, .it_value.tv_sec = 30 };
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	int port = 6000, pipe_ends[2], listener = listening(port);
	int file = open("/tmp/blob", O_RDWR), memory = memfd_create("lively", 0);
	sigset_t signals;
	timer_t timer;

	connection(listener, port);
	datagrams(port);
	unix_sockets(0);
	system_v();
	if (pipe(pipe_ends) || ftruncate(memory, 1 << 20))
		perror("lively");
	eventfd(3, 0);
	inotify_add_watch(inotify_init1(0), "/tmp", IN_CREATE);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signalfd(-1, &signals, 0);
	raise(SIGUSR1); /* stays pending */
	timerfd_settime(timerfd_create(CLOCK_MONOTONIC, 0), 0, &every, NULL);
	timer_create(CLOCK_REALTIME, &none, &timer);
	timer_settime(timer, 0, &every, NULL);
	memset(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0), 1, 1 << 20);
	mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE, file, 0);
	memset(mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 2, 4 << 20);
	pthread_mutex_lock(&held);
	spawn(sleeper, "lively-sleep");
	spawn(waiter, "lively-wait/1");
	spawn(waiter, "lively-wait/2");
	spawn(poller, "lively-poll");
	spawn(ticker, "lively-tick");
	if (fork() == 0) {
		prctl(PR_SET_NAME, "lively-child");
		raise(SIGSTOP);
	}
	if (fork() == 0)
		_exit(3); /* nobody waits for it: a zombie */
}

static char *memory(size_t size, int flags, int fd)
{
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	if (at == MAP_FAILED) {
		perror("lively: pages");
		return NULL;
	}
	return at;
}

static char *filled(char *at, size_t size)
{
	return at ? memset(at, 7, size) : NULL;
}

/* What a kernel does not have, it is told of and goes without. */
static void every_kind_of_page(void)
{
	const size_t huge = 2 << 20;
	int shared = memfd_create("lively-pages", 0);
	char *at;

	filled(memory(2 * huge, MAP_PRIVATE | MAP_HUGETLB, -1), 2 * huge);
	/* transparent huge pages: whole ones, and one of which a part is given back */
	if ((at = memory(6 * huge, MAP_PRIVATE, -1))) {
		at += huge - (unsigned long)at % huge;
		madvise(at, 4 * huge, 14 /* MADV_HUGEPAGE */);
		filled(at, 4 * huge);
		munmap(at + huge / 2, 65536);
		if (fork() == 0)
			for (;;)
				pause(); /* maps them, too */
	}
	if (!ftruncate(shared, 3 << 20))
		filled(memory(3 << 20, MAP_SHARED, shared), 3 << 20);
	if (filled(at = memory(1 << 20, MAP_PRIVATE, -1), 1 << 20))
		mlock(at, 1 << 20);
	/* pages taken out of use: softly, and by a process that dies of it */
	if (filled(at = memory(65536, MAP_PRIVATE, -1), 65536) && madvise(at + 8192, 4096, 101 /* MADV_SOFT_OFFLINE */))
		perror("lively: soft offline");
	if (fork() == 0) {
		if (filled(at = memory(65536, MAP_PRIVATE, -1), 65536))
			madvise(at + 4096, 4096, 100 /* MADV_HWPOISON */);
		_exit(0);
	}
}

int main(int argc, char **argv)
{
	int count = argc > 2 ? atoi(argv[2]) : 0;
	struct rlimit files = { 16384, 16384 };

	setrlimit(RLIMIT_NOFILE, &files);
	if (argc < 2)
		one_of_each();
	else if (!strcmp(argv[1], "pages"))
		every_kind_of_page();
	else if (!strcmp(argv[1], "sockets"))
		for (int i = 0; i < count; i++) {
			connection(listening(20000 + i), 20000 + i);
			datagrams(20000 + i);
			unix_sockets(i);
		}
	else if (!strcmp(argv[1], "block"))
		for (int i = 0; i < count; i++) {
			spawn(blocker, "lively-thread");
			if (fork() == 0)
				blocker("lively-process");
		}
	for (;;)
		pause();
}
