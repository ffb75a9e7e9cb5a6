/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame send DEVICE ADDRESS ETHERTYPE: sends one Ethernet frame every 50 ms, until it is ended.
 * frame await DEVICE ETHERTYPE SECONDS: 0 once such a frame has come from outside, 1 if none does in that time.
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int open_on(const char *device, unsigned protocol, struct sockaddr_ll *at)
{
	int fd = socket(AF_PACKET, SOCK_RAW, htons((uint16_t)protocol));

	*at = (struct sockaddr_ll){ .sll_family = AF_PACKET,
				    .sll_protocol = htons((uint16_t)protocol),
				    .sll_ifindex = (int)if_nametoindex(device) };
	if (fd < 0 || !at->sll_ifindex || bind(fd, (struct sockaddr *)at, sizeof(*at)))
		err(1, "%s", device);
	return fd;
}

static int send_all(const char *device, const char *address, unsigned protocol)
{
	uint8_t frame[ETH_ZLEN] = { 0 };
	struct sockaddr_ll at;
	int fd = open_on(device, protocol, &at);

	if (sscanf(address, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &frame[0], &frame[1], &frame[2],
		   &frame[3], &frame[4], &frame[5]) != 6)
		errx(64, "%s is no address", address);
	frame[6] = 2; /* from a locally administered address */
	frame[12] = (uint8_t)(protocol >> 8);
	frame[13] = (uint8_t)protocol;
	for (;;) {
		if (sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&at, sizeof(at)) < 0)
			err(1, "send");
		(void)poll(NULL, 0, 50);
	}
}

static int await(const char *device, unsigned protocol, time_t seconds)
{
	struct sockaddr_ll at, from;
	int fd = open_on(device, protocol, &at);
	time_t end = time(NULL) + seconds;
	char frame[ETH_FRAME_LEN];

	while (time(NULL) <= end) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		socklen_t n = sizeof(from);

		if (poll(&p, 1, 200) > 0 &&
		    recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &n) > 0 &&
		    from.sll_pkttype != PACKET_OUTGOING)
			return 0;
	}
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "send"))
		return send_all(argv[2], argv[3], (unsigned)strtoul(argv[4], NULL, 16));
	if (argc == 5 && !strcmp(argv[1], "await"))
		return await(argv[2], (unsigned)strtoul(argv[3], NULL, 16), atol(argv[4]));
	errx(64,
	     "usage: frame send DEVICE ADDRESS ETHERTYPE | frame await DEVICE ETHERTYPE SECONDS");
}
