/*
 * Sends netconsole records from many ports at a steady rate. Usage: sender HOSTS RATE SECONDS PORT
 * Bodies are of 100 to 1,000 bytes. Prints how many were sent.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	int hosts = atoi(argv[1]);
	double rate = atof(argv[2]);
	long total = rate * atof(argv[3]);
	struct rlimit files = { hosts + 100, hosts + 100 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[4])),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int *sockets = calloc(hosts, sizeof(int));
	long failed = 0, sent = 0;
	char packet[1200], body[1001];

	setrlimit(RLIMIT_NOFILE, &files);
	memset(body, 'x', sizeof(body));
	for (int i = 0; i < hosts; i++) {
		sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (sockets[i] < 0 || connect(sockets[i], (void *)&to, sizeof(to)))
			return 1;
	}
	double start = now();

	while (sent < total) {
		long due = (now() - start) * rate;

		if (due > total)
			due = total;
		if (sent >= due)
			usleep(200);
		for (; sent < due; sent++) {
			long sequence = sent / hosts + 1;
			/* most messages of a kernel are short */
			int length = 100 + (sent * 7919 % 10 == 0 ? sent * 104729 % 900 : sent % 80);
			int n = snprintf(packet, sizeof(packet), "6,%ld,%ld,-,caller=T1;message %ld ", sequence,
					 1000000 + (long)((now() - start) * 1e6), sequence);

			memcpy(packet + n, body, length);
			if (send(sockets[sent % hosts], packet, n + length, 0) < 0)
				failed++;
		}
	}
	printf("%ld %ld %.3f\n", sent, failed, now() - start);
	return 0;
}
