/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of the benchmark: the least that a program can do to send a file over HTTP. One epoll loop, one read for the
 * request; for the answer writev from the mapped file, or from SENDFILE_MIN on sendfile, which copies nothing. No cache
 * logic, no HTTP beyond the end of a head; whoever does less does not answer. Usage: floor PORT DIR; serves GET /NAME
 * for the files in DIR.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX    16
#define SENDFILE_MIN 32768 /* bytes */

struct file {
	char name[264];
	int fd;
	size_t size;
	void *map;
	char head[128]; /* of the answer */
	size_t head_len;
};

struct client {
	int fd;
	char request[1024];
	size_t have;
	const struct file *file; /* being sent */
	size_t head_left;
	off_t sent;
};

static struct file files[FILES_MAX];
static size_t file_count;

static void file_add(const char *dir, const char *name)
{
	struct file *f = &files[file_count];
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f->fd = open(path, O_RDONLY);
	if (f->fd < 0 || fstat(f->fd, &st) || !S_ISREG(st.st_mode)) {
		close(f->fd);
		return;
	}
	f->size = (size_t)st.st_size;
	f->map = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
	if (f->map == MAP_FAILED)
		err(1, "%s", path);
	snprintf(f->name, sizeof(f->name), "/%s ", name);
	f->head_len = (size_t)snprintf(f->head, sizeof(f->head),
				       "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", f->size);
	file_count++;
}

static const struct file *file_find(const char *request)
{
	for (size_t i = 0; i < file_count; i++)
		if (!strncmp(request + 4, files[i].name, strlen(files[i].name)))
			return &files[i];
	return NULL;
}

/* One call of what is left. Bytes, or -1. */
static ssize_t client_send_some(struct client *c)
{
	const struct file *f = c->file;
	size_t left = f->size - (size_t)c->sent;
	struct iovec v[2] = {
		{ (void *)(f->head + f->head_len - c->head_left), c->head_left },
		{ (char *)f->map + c->sent, left },
	};
	off_t at = c->sent;

	if (f->size < SENDFILE_MIN)
		return writev(c->fd, v, 2);
	if (c->head_left)
		return send(c->fd, v[0].iov_base, v[0].iov_len, MSG_MORE);
	return sendfile(c->fd, f->fd, &at, left);
}

/* True: all sent. False with errno EAGAIN: later. */
static int client_send(struct client *c)
{
	while (c->head_left || (size_t)c->sent < c->file->size) {
		ssize_t n = client_send_some(c);

		if (n < 0)
			return 0;
		size_t head = (size_t)n < c->head_left ? (size_t)n : c->head_left;

		c->head_left -= head;
		c->sent += n - (ssize_t)head;
	}
	return 1;
}

static void client_free(struct client *c)
{
	close(c->fd);
	free(c);
}

static void client_turn(struct client *c)
{
	for (;;) {
		if (c->file) {
			if (!client_send(c)) {
				if (errno != EAGAIN)
					client_free(c);
				return;
			}
			c->file = NULL;
		}
		ssize_t n = read(c->fd, c->request + c->have, sizeof(c->request) - 1 - c->have);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			client_free(c);
			return;
		}
		c->have += (size_t)n;
		c->request[c->have] = 0;
		if (!strstr(c->request, "\r\n\r\n"))
			continue;
		c->have = 0;
		c->file = file_find(c->request);
		if (!c->file) {
			client_free(c);
			return;
		}
		c->head_left = c->file->head_len;
		c->sent = 0;
	}
}

static int listener(unsigned short port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1024))
		err(1, "port %u", port);
	return fd;
}

static void accept_all(int epoll, int fd)
{
	int one = 1, peer;

	while ((peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct client *c = calloc(1, sizeof(*c));
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };

		if (!c)
			err(1, "calloc");
		c->fd = peer;
		setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, peer, &e))
			err(1, "epoll_ctl");
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(64, "usage: floor PORT DIR");
	signal(SIGPIPE, SIG_IGN);
	DIR *dir = opendir(argv[2]);

	if (!dir)
		err(66, "%s", argv[2]);
	for (struct dirent *d; (d = readdir(dir)) && file_count < FILES_MAX;)
		if (d->d_name[0] != '.')
			file_add(argv[2], d->d_name);
	closedir(dir);

	int fd = listener((unsigned short)atoi(argv[1])), epoll = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL };

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
		err(1, "epoll");
	for (;;) {
		struct epoll_event ready[64];
		int n = epoll_wait(epoll, ready, 64, -1);

		for (int i = 0; i < n; i++) {
			if (ready[i].data.ptr)
				client_turn(ready[i].data.ptr);
			else
				accept_all(epoll, fd);
		}
	}
}
