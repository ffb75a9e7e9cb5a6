/* SPDX-License-Identifier: Apache-2.0 */
/* The settings come first: whom they leave alone nothing is looked up about. */
#include "proxy/tls/objection.h"

#include "proxy/config.h"
#include "proxy/loop.h"
#include "proxy/proxy.h"
#include "proxy/tls/leaves.h"

enum tls_reason tls_objection_of(enum distrust_word word)
{
	switch (word) {
	case DISTRUST_NEW:
	case DISTRUST_TRUSTS:
		break;
	case DISTRUST_TRYING:
		return TLS_BEING_TRIED;
	case DISTRUST_PAIR:
		return TLS_DISTRUSTED;
	case DISTRUST_HOST:
		return TLS_DISTRUSTED_HOST;
	case DISTRUST_DEVICE:
		return TLS_DISTRUSTED_ALL;
	}
	return TLS_ENDED_HERE;
}

static bool is_listed(const struct config *config, const struct addr *device)
{
	const struct net_list *devices = &config->settings.tls.devices;

	for (size_t i = 0; i < devices->n; i++)
		if (net_contains(&devices->v[i], device))
			return true;
	return false;
}

enum tls_reason tls_objection(struct worker *worker, const struct addr *device, const char *host,
			      enum distrust_word *ret_word)
{
	enum distrust_word word = DISTRUST_NEW;
	enum tls_reason reason = TLS_NOT_LISTED;

	if (worker->config->settings.tls.probe || is_listed(worker->config, device)) {
		word = distrust_look(worker->proxy->distrust, device, host,
				     leaves_authority(worker->proxy->leaves),
				     worker_now(worker)->wall_ms);
		reason = tls_objection_of(word);
	}
	if (ret_word)
		*ret_word = word;
	return reason;
}
