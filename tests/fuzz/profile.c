/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what reads configuration, and what a loaded profile does with bytes of the network. The
 * input is a file's text up to the first 0xff; what follows is used as host, path and query. The
 * text is read as tarn.conf and as a profile; claims below are checked on every input.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "firmware/base/profile_priv.h"
#include "firmware/base/tarn_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char path[40];
static struct settings_error error;

/* The text as a file of its own. */
static int make_file(struct span text)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(write(fd, text.p, text.n) == (ssize_t)text.n);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd;
}

/* A refusal says what is wrong, in printable text; success says nothing. */
static void check_error(int rc)
{
	char text[1024];

	CHECK(rc <= 0);
	CHECK((rc < 0) == (error.what[0] != '\0'));
	for (const char *p = settings_error_text(&error, text, sizeof(text)); *p; p++)
		CHECK(*p >= ' ' && *p < 0x7f);
}

static void use_profile(const struct profile *profile, struct span input)
{
	char *buf = malloc(input.n + 1);
	char host[PROFILE_HOST_MAX], again[PROFILE_HOST_MAX];
	size_t kept;

	CHECK(buf != NULL);
	CHECK_OK(profile_query_normalise(profile, input, buf, input.n, &kept));
	CHECK(kept <= input.n);
	CHECK_OK(profile_query_normalise(profile, span_make(buf, kept), buf, kept, &kept));
	CHECK(profile_classify(profile, input)->kind <= PROFILE_PASS);
	if (host_normalise(input, host) == 0) { /* what is normal stays as it is */
		CHECK_OK(host_normalise(span_of(host), again));
		CHECK(strcmp(host, again) == 0);
	}
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span input = span_make(data, n);
	size_t split = span_find(input, (char)0xff);
	int fd = make_file(span_head(input, split));
	struct tarn_settings settings;
	struct profile *profile;
	int rc;

	rc = tarn_conf_load(path, &settings, &error);
	check_error(rc);
	if (rc == 0)
		tarn_conf_free(&settings);
	rc = profile_load(path, &profile, &error);
	if (rc < 0)
		check_error(rc);
	if (rc == 0) {
		use_profile(profile, span_drop(input, split + 1));
		profile_free(&profile);
	}
	(void)close(fd);
	return 0;
}
