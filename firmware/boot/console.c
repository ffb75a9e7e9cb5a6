/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel names its consoles in ACTIVE; tty0, the screen that is in front, is read at the one that screen.c paints. */
#include "firmware/boot/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "firmware/base/clock.h"
#include "firmware/base/log.h"

#define ACTIVE	      "/sys/class/tty/console/active"
#define WORD	      "factory-reset"
#define TERMINALS_MAX 4

struct terminal {
	struct consoles *consoles;
	struct event *event; /* NULL: it is gone */
	struct typed typed;
	int fd;
};

struct consoles {
	void (*reset)(void *arg);
	void *arg;
	struct terminal terminals[TERMINALS_MAX];
	size_t n;
};

static enum typed_word line_ends(struct typed *t, uint64_t now_ms)
{
	struct span line = span_trim(span_make(t->line, t->n));
	bool word = t->n < CONSOLE_LINE && span_eq(line, SPAN(WORD));
	bool again = t->asked && now_ms - t->asked_ms <= CONSOLE_AGAIN_MS;

	t->n = 0;
	if (!line.n)
		return TYPED_NOTHING;
	t->asked = word && !again;
	t->asked_ms = now_ms;
	return !word ? TYPED_NOTHING : again ? TYPED_RESET : TYPED_ASK;
}

enum typed_word typed_take(struct typed *t, struct span bytes, uint64_t now_ms)
{
	enum typed_word word = TYPED_NOTHING;

	for (size_t i = 0; i < bytes.n; i++)
		if (bytes.p[i] == '\n' || bytes.p[i] == '\r')
			word = t->n ? line_ends(t, now_ms) : word;
		else if (t->n < CONSOLE_LINE)
			t->line[t->n++] = bytes.p[i];
	return word;
}

static void terminal_close(struct terminal *t)
{
	event_free(t->event);
	t->event = NULL;
	close(t->fd);
}

static void on_typed(evutil_socket_t fd, short what, void *arg)
{
	static const char again[] =
		"\r\n" WORD ": settings, keys, passwords and all that is stored "
		"are lost. Type it again within 30 s.\r\n";
	struct terminal *t = arg;
	char buf[256];
	ssize_t n = read(fd, buf, sizeof(buf));

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		LOG(LOG_L_DEBUG, "console.gone", "error=%d", n ? errno : 0);
		terminal_close(t);
		return;
	}
	switch (typed_take(&t->typed, span_make(buf, (size_t)n), clock_read().mono_ms)) {
	case TYPED_NOTHING:
		break;
	case TYPED_ASK:
		if (write(fd, again, sizeof(again) - 1) < 0)
			LOG(LOG_L_DEBUG, "console.ask", "error=%d", errno);
		break;
	case TYPED_RESET:
		t->consoles->reset(t->consoles->arg);
	}
}

/* Line by line, as it is by default; but what is typed, or noise, stops nobody who writes there (^S), and is no end (^D). */
static void terminal_open(struct consoles *c, struct event_base *base, const char *name)
{
	struct terminal *t = &c->terminals[c->n];
	struct termios mode;
	char path[48];

	(void)snprintf(path, sizeof(path), "/dev/%.32s", strcmp(name, "tty0") ? name : "tty1");
	t->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0 || tcgetattr(t->fd, &mode)) {
		LOG(LOG_L_INFO, "console.open", "path=%s error=%d", path, errno);
		if (t->fd >= 0)
			close(t->fd);
		return;
	}
	mode.c_iflag &= ~(tcflag_t)IXON;
	mode.c_lflag &= ~(tcflag_t)ISIG;
	mode.c_cc[VEOF] = _POSIX_VDISABLE;
	(void)tcsetattr(t->fd, TCSANOW, &mode);
	t->consoles = c;
	t->event = event_new(base, t->fd, EV_READ | EV_PERSIST, on_typed, t);
	CHECK(t->event && !event_add(t->event, NULL));
	c->n++;
}

int consoles_new(struct event_base *base, void (*reset)(void *arg), void *arg,
		 struct consoles **ret_consoles)
{
	struct consoles *c = calloc(1, sizeof(*c));
	FILE *file = fopen(ACTIVE, "re");
	char text[200] = "", *rest = text, *name;

	*ret_consoles = c;
	if (file) {
		(void)!fgets(text, sizeof(text), file);
		(void)fclose(file);
	}
	if (!c)
		return -ENOMEM;
	c->reset = reset;
	c->arg = arg;
	while (c->n < TERMINALS_MAX && (name = strsep(&rest, " \n")))
		if (*name)
			terminal_open(c, base, name);
	return 0;
}
