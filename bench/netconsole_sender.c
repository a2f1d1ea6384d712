/*
 * Sends netconsole records from many addresses (127.1.0.1 and on) at a steady rate. Usage: sender HOSTS RATE SECONDS PORT short|even
 * Packets are of 100 to 1,000 bytes: `short` as a kernel's messages mostly are, `even` all lengths alike. Every fourth has
 * user data. Prints how many were sent.
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
	if (argc != 6)
		return 2;
	int hosts = atoi(argv[1]);
	double rate = atof(argv[2]);
	long total = rate * atof(argv[3]);
	struct rlimit files = { hosts + 100, hosts + 100 };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[4])),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int *sockets = calloc(hosts, sizeof(int));
	int even = strcmp(argv[5], "even") == 0;
	long failed = 0, sent = 0;
	char packet[1200], body[1001];

	setrlimit(RLIMIT_NOFILE, &files);
	memset(body, 'x', sizeof(body));
	for (int i = 0; i < hosts; i++) {
		struct sockaddr_in from = { .sin_family = AF_INET,
					    .sin_addr.s_addr = htonl(0x7f010001 + i / 250 * 256 + i % 250) };

		sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (sockets[i] < 0 || bind(sockets[i], (void *)&from, sizeof(from)) ||
		    connect(sockets[i], (void *)&to, sizeof(to)))
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
			long random = sent * 104729 % 901;
			int size = 100 + (even || sent * 7919 % 10 == 0 ? random : random % 80);
			const char *data = sent % 4 == 0 ? "\n cpu=1\n taskname=swapper/1\n" : "\n";
			int n = snprintf(packet, sizeof(packet), "6,%ld,%ld,-,caller=T1;message %ld ", sequence,
					 1000000 + (long)((now() - start) * 1e6), sequence);
			int text = size - n - (int)strlen(data);

			if (text > 0) {
				memcpy(packet + n, body, text);
				n += text;
			}
			n += sprintf(packet + n, "%s", data);
			if (send(sockets[sent % hosts], packet, n, 0) < 0)
				failed++;
		}
	}
	printf("%ld %ld %.3f\n", sent, failed, now() - start);
	return 0;
}
