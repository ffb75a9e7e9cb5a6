/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking tarn-proxy on a command's behalf: what goes wrong is told here, once for all commands.
 */
#include <stdlib.h>
#include <string.h>

#include "firmware/ctl/ask.h"
#include "firmware/ctl/ctl.h"

static int complain(const char *text)
{
	fputs("tarnctl: ", stderr);
	ctl_put_text(text, stderr);
	fputc('\n', stderr);
	return 0;
}

/* No answer at all. */
static int no_answer(int rc)
{
	char text[200];

	(void)snprintf(text, sizeof(text), "tarn-proxy: %s", ask_error_text(rc));
	(void)complain(text);
	if (rc == -EACCES || rc == -EPERM)
		return CTL_NOT_ALLOWED;
	return rc == -EBADMSG || rc == -EPROTO || rc == -ENOMEM ? CTL_SOFTWARE : CTL_NOT_RUNNING;
}

/* It said no. */
static int refused(int status, const json_t *answer)
{
	const char *text = ctl_text(answer, "text");
	char number[40];

	(void)snprintf(number, sizeof(number), "tarn-proxy refused, HTTP status %d", status);
	(void)complain(text[0] ? text : number);
	return status == 401 || status == 403 ? CTL_NOT_ALLOWED
	       : status >= 500		      ? CTL_SOFTWARE
					      : CTL_REFUSED;
}

int ctl_ask(const struct ctl_options *options, const char *method, const char *target,
	    const json_t *body, json_t **ret_answer)
{
	json_t *answer = NULL;
	int status = 0, rc;

	rc = ask_proxy_do(options->proxy_socket, method, target, body, &status, &answer);
	if (rc < 0)
		return no_answer(rc);
	if (status < 200 || status > 299) {
		rc = refused(status, answer);
		json_decref(answer);
		return rc;
	}
	*ret_answer = answer ? answer : json_null();
	return CTL_WORKING;
}

int ctl_ask_stream(const struct ctl_options *options, const char *target, ctl_piece_f *f, void *arg)
{
	json_t *answer = NULL;
	int status = 200, rc;

	rc = ask_proxy_stream(options->proxy_socket, target, f, arg, &status, &answer);
	if (rc < 0 && status != 200)
		rc = refused(status, answer);
	else if (rc < 0)
		rc = no_answer(rc);
	else
		rc = CTL_WORKING;
	json_decref(answer);
	return rc;
}

/* Appends, percent-encoded. */
static char *encode(char *to, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char plain[] = "-._~0123456789";

	for (const unsigned char *p = (const unsigned char *)value; *p; p++) {
		if (((*p | 32) >= 'a' && (*p | 32) <= 'z') || strchr(plain, *p)) {
			*to++ = (char)*p;
		} else {
			*to++ = '%';
			*to++ = hex[*p >> 4];
			*to++ = hex[*p & 15];
		}
	}
	*to = 0;
	return to;
}

char *ctl_path(const char *folder, const char *name)
{
	size_t n = strlen(folder);
	char *path = malloc(n + 3 * strlen(name) + 1);

	CHECK(path != NULL);
	memcpy(path, folder, n);
	(void)encode(path + n, name);
	return path;
}

char *ctl_path_query(char *path, const char *name, const char *value)
{
	size_t n = strlen(path);
	char before = strchr(path, '?') ? '&' : '?';
	char *grown;

	if (!value)
		return path;
	grown = realloc(path, n + strlen(name) + 3 * strlen(value) + 3);
	CHECK(grown != NULL);
	n += (size_t)sprintf(grown + n, "%c%s=", before, name);
	(void)encode(grown + n, value);
	return grown;
}
