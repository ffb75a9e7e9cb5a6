/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom it is about: is the device one that is served, and is fetched ahead for it?
 */
#include "proxy/why/why_priv.h"

#include <stdio.h>

/* "[scope] straight = 10.7.0.11/32"; what decides if no entry does. */
static const char *scope_text(const struct scope_list *in, bool takes, const struct scope_item *by,
			      const char *names[2], char buf[128])
{
	char item[SCOPE_TEXT_MAX];

	if (by)
		(void)snprintf(buf, 128, "[scope] %s = %s", names[!takes], scope_format(by, item));
	else
		(void)snprintf(buf, 128, "[scope] %s %s", names[0],
			       in->n ? "does not list it" : "is empty: everybody");
	return buf;
}

/* Is the device one of those that are served? For whom is nothing fetched ahead? */
bool why_explain_scope(struct why *w)
{
	const struct tarn_settings *s = w->world->settings;
	struct scope_who who = { 0 };
	const struct scope_item *by;
	char text[128];
	bool takes;

	if (!s || !(s->scope.intercept.n || s->scope.straight.n || s->scope.ahead.n ||
		    s->scope.not_ahead.n))
		return true;
	if (!w->ask->from || addr_parse(span_of(w->ask->from), 0, &who.addr) < 0) {
		why_rule(w, "device", "[scope]", "not everybody is served: ask with the device");
		return true;
	}
	if (w->world->link)
		w->world->link(w->world->arg, &who);
	takes = scope_takes(&s->scope.intercept, &s->scope.straight, &who, &by);
	why_rule(w, "device",
		 scope_text(&s->scope.intercept, takes, by,
			    (const char *[2]){ "intercept", "straight" }, text),
		 takes ? "%s is served" : "%s goes straight to the vendor", w->ask->from);
	why_put(w, w->top, "straight", json_boolean(!takes));
	if (!takes) {
		why_decide(w, "straight",
			   "straight to the vendor, as if this box were not there; asked as a "
			   "proxy or "
			   "an update source, it is relayed without the store");
		return false;
	}
	takes = scope_takes(&s->scope.ahead, &s->scope.not_ahead, &who, &by);
	why_rule(w, "device",
		 scope_text(&s->scope.ahead, takes, by, (const char *[2]){ "ahead", "not_ahead" },
			    text),
		 takes ? "what %s asks for is fetched ahead, where the vendor's profile says so"
		       : "what %s asks for is not fetched ahead for it",
		 w->ask->from);
	return true;
}
