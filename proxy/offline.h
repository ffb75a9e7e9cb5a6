/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A site without internet ([steer] offline): its devices are served what is stored although no vendor can be reached. Then
 * interception is armed all the same, for all that is not stored fails there anyway. Control loop only.
 */
#ifndef TARN_PROXY_OFFLINE_H
#define TARN_PROXY_OFFLINE_H

#include <stdbool.h>

struct worker;

/* Is it so now: set, no vendor can be reached, and nothing lacks? */
bool offline_serves(struct worker *control);

/*
 * What has to be there first, in words; NULL: nothing. Something stored, or there is nothing to intercept for; and a way out of
 * the box's own (a default route), or it would never see a vendor come back whom devices can reach.
 */
const char *offline_lacks(struct worker *control);

#endif
