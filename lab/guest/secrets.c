/*
 * secrets: gives the kernel keys that are known: of an encrypted disk, a WireGuard tunnel, a TLS connection, a keyring.
 *
 *   secrets MAJOR:MINOR     the disk to lay the encrypted one over; wg0 has to be there
 *
 * Byte n of a key is (37 n + base) ^ 0x5a, with a base of its own: no key stands in this file. What the process itself holds
 * of them it wipes.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DISK = 0x11, TUNNEL = 0x22, PRESHARED = 0x33, TLS_SEND = 0x44, TLS_RECEIVE = 0x55, RING = 0x66 };

static void make(unsigned char *key, int size, int base)
{
	for (int n = 0; n < size; n++)
		key[n] = (unsigned char)((37 * n + base) ^ 0x5a);
}

static int failed(const char *what)
{
	printf("LAB NOTE no %s: %m\n", what);
	fflush(stdout);
	return -1;
}

static int ask(int control, unsigned long request, struct dm_ioctl *io, size_t size)
{
	io->version[0] = DM_VERSION_MAJOR;
	io->data_size = size;
	io->data_start = sizeof(*io);
	strcpy(io->name, "planted");
	return ioctl(control, request, io);
}

static int disk(const char *below)
{
	static struct {
		struct dm_ioctl io;
		struct dm_target_spec spec;
		char words[256];
	} load;
	struct dm_ioctl io = { 0 };
	unsigned char key[64];
	char hex[129];
	int control = open("/dev/mapper/control", O_RDWR);

	if (control < 0 || ask(control, DM_DEV_CREATE, &io, sizeof(io)))
		return failed("device mapper");
	make(key, sizeof(key), DISK);
	for (int n = 0; n < 64; n++)
		sprintf(hex + 2 * n, "%02x", key[n]);
	load.io.target_count = 1;
	load.spec.length = 8192;
	strcpy(load.spec.target_type, "crypt");
	snprintf(load.words, sizeof(load.words), "aes-xts-plain64 %s 0 %s 0", hex, below);
	if (ask(control, DM_TABLE_LOAD, &load.io, sizeof(load)))
		failed("encrypted disk");
	memset(&io, 0, sizeof(io));
	if (ask(control, DM_DEV_SUSPEND, &io, sizeof(io)))
		failed("encrypted disk in use");
	memset(&load, 0, sizeof(load));
	memset(key, 0, sizeof(key));
	memset(hex, 0, sizeof(hex));
	return 0;
}

/* Attributes of netlink, one behind another. */
static char message[4096];
static int used;

static struct nlattr *put(int type, const void *bytes, int size)
{
	struct nlattr *attribute = (struct nlattr *)(message + used);

	attribute->nla_type = type;
	attribute->nla_len = NLA_HDRLEN + size;
	if (size)
		memcpy(message + used + NLA_HDRLEN, bytes, size);
	used += NLA_ALIGN(NLA_HDRLEN + size);
	return attribute;
}

static int talk(int sock, int type, int command, int flags)
{
	struct nlmsghdr *header = (struct nlmsghdr *)message;
	struct genlmsghdr *generic = (struct genlmsghdr *)(message + NLMSG_HDRLEN);

	header->nlmsg_len = used;
	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	generic->cmd = command;
	generic->version = 1;
	if (send(sock, message, used, 0) < 0)
		return -1;
	return recv(sock, message, sizeof(message), 0);
}

static int tunnel(void)
{
	int sock = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	unsigned char key[32];
	struct nlattr *peers, *peer;
	int family = 0, size;

	used = NLMSG_HDRLEN + GENL_HDRLEN;
	put(CTRL_ATTR_FAMILY_NAME, "wireguard", 10);
	size = talk(sock, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	for (int at = NLMSG_HDRLEN + GENL_HDRLEN; at + NLA_HDRLEN < size;) {
		struct nlattr *attribute = (struct nlattr *)(message + at);

		if (attribute->nla_type == CTRL_ATTR_FAMILY_ID)
			family = *(unsigned short *)(message + at + NLA_HDRLEN);
		at += NLA_ALIGN(attribute->nla_len);
	}
	if (!family)
		return failed("WireGuard");
	memset(message, 0, sizeof(message));
	used = NLMSG_HDRLEN + GENL_HDRLEN;
	put(2, "wg0", 4);				/* WGDEVICE_A_IFNAME */
	make(key, 32, TUNNEL);
	put(3, key, 32);				/* WGDEVICE_A_PRIVATE_KEY */
	peers = put(8 | NLA_F_NESTED, NULL, 0);		/* WGDEVICE_A_PEERS */
	peer = put(0 | NLA_F_NESTED, NULL, 0);
	memset(key, 9, 32);
	put(1, key, 32);				/* WGPEER_A_PUBLIC_KEY */
	make(key, 32, PRESHARED);
	put(2, key, 32);				/* WGPEER_A_PRESHARED_KEY */
	peer->nla_len = (message + used) - (char *)peer;
	peers->nla_len = (message + used) - (char *)peers;
	if (talk(sock, family, 1, NLM_F_ACK) < 0 || ((struct nlmsgerr *)(message + NLMSG_HDRLEN))->error)
		failed("WireGuard key");
	memset(message, 0, sizeof(message));
	memset(key, 0, sizeof(key));
	return 0;
}

static int tls(void)
{
	struct { unsigned short version, cipher; unsigned char iv[8], key[16], salt[4], sequence[8]; } crypto = { 0x303, 51 };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(4433) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = socket(AF_INET, SOCK_STREAM, 0);

	bind(listener, (void *)&at, sizeof(at));
	listen(listener, 1);
	if (connect(one, (void *)&at, sizeof(at)) || accept(listener, NULL, NULL) < 0)
		return failed("connection");
	if (setsockopt(one, 6, 31, "tls", 4))		/* TCP_ULP */
		return failed("TLS");
	make(crypto.key, 16, TLS_SEND);
	if (setsockopt(one, 282, 1, &crypto, sizeof(crypto)))
		failed("TLS key for sending");
	make(crypto.key, 16, TLS_RECEIVE);
	if (setsockopt(one, 282, 2, &crypto, sizeof(crypto)))
		failed("TLS key for receiving");
	memset(&crypto, 0, sizeof(crypto));
	return 0;
}

int main(int argc, char **argv)
{
	unsigned char payload[24];

	disk(argc > 1 ? argv[1] : "0:0");
	tunnel();
	tls();
	make(payload, sizeof(payload), RING);
	if (syscall(SYS_add_key, "user", "planted", payload, sizeof(payload), -3) < 0)
		failed("key in the keyring");
	memset(payload, 0, sizeof(payload));
	puts("LAB NOTE keys are planted");
	fflush(stdout);
	for (;;)
		sleep(100000);
}
