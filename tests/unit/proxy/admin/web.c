/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTPS side's connections outlive it for a moment: evhttp frees them in a later turn of the loop.
 */
#include "tests/unit/proxy/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "firmware/base/stat.h"
#include "proxy/admin/route.h"
#include "proxy/admin/web.h"

#define GUESTS 3

/* A port that is free now. */
static uint16_t port_find(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static int guest_connect(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno == EINPROGRESS);
	return fd;
}

/* Under the sanitizer (make asan) a guest that touches the web it came to is found. */
static void test_end_with_guests(void **state)
{
	struct web *web = NULL;
	struct asks *asks;
	struct rig rig;
	char listen[64];
	int fds[GUESTS];
	uint16_t port = port_find();

	(void)state;
	snprintf(listen, sizeof(listen), "admin.listen=127.0.0.1:%u", port);
	rig_make(&rig, NULL, (const char *const[]){ listen, NULL });
	assert_int_equal(asks_new(rig.worker, NULL, &asks), 0);
	assert_int_equal(web_new(rig.worker, asks, NULL, &web), 0);
	for (unsigned i = 0; i < GUESTS; i++)
		fds[i] = guest_connect(port);
	RIG_UNTIL(&rig, stat_read(STAT_ADMIN_CONNECTIONS) == GUESTS);
	asks_free(&asks);
	web_free(&web);
	assert_null(web);
	rig_end(&rig);
	assert_int_equal(stat_read(STAT_ADMIN_CONNECTIONS), 0);
	for (unsigned i = 0; i < GUESTS; i++)
		close(fds[i]);
}

static void test_no_address_no_web(void **state)
{
	struct web *web = NULL;
	struct rig rig;

	(void)state;
	rig_make(&rig, NULL, NULL);
	assert_int_equal(web_new(rig.worker, NULL, NULL, &web), 0);
	assert_null(web);
	rig_end(&rig);
}

/* As the appliance's first settings have it: all addresses of both families, one port. */
static void test_both_families_one_port(void **state)
{
	struct web *web = NULL;
	struct asks *asks;
	struct rig rig;
	char listen[64];
	uint16_t port = port_find();

	(void)state;
	snprintf(listen, sizeof(listen), "admin.listen=0.0.0.0:%u [::]:%u", port, port);
	rig_make(&rig, NULL, (const char *const[]){ listen, NULL });
	assert_int_equal(asks_new(rig.worker, NULL, &asks), 0);
	assert_int_equal(web_new(rig.worker, asks, NULL, &web), 0);
	assert_non_null(web);
	asks_free(&asks);
	web_free(&web);
	rig_end(&rig);
}

/* Somebody else has the port: the data plane starts all the same, as devices come first. */
static void test_a_port_that_is_taken(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int64_t before = stat_read(STAT_ADMIN_UNHEARD);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t n = sizeof(at);
	struct web *web = NULL;
	struct asks *asks;
	struct rig rig;
	char listening[64];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	snprintf(listening, sizeof(listening), "admin.listen=127.0.0.1:%u", ntohs(at.sin_port));
	rig_make(&rig, NULL, (const char *const[]){ listening, NULL });
	assert_int_equal(asks_new(rig.worker, NULL, &asks), 0);
	assert_int_equal(web_new(rig.worker, asks, NULL, &web), 0);
	assert_int_equal(stat_read(STAT_ADMIN_UNHEARD), before + 1);
	asks_free(&asks);
	web_free(&web);
	rig_end(&rig);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_end_with_guests),
		cmocka_unit_test(test_no_address_no_web),
		cmocka_unit_test(test_both_families_one_port),
		cmocka_unit_test(test_a_port_that_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
