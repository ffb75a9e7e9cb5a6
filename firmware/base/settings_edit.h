/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One setting changed in the text of a settings file; every other line, comments with it, stays as it is.
 */
#ifndef FIRMWARE_BASE_SETTINGS_EDIT_H
#define FIRMWARE_BASE_SETTINGS_EDIT_H

#include "firmware/base/settings.h"

/*
 * `value` NULL takes the setting out, so that its default counts. Otherwise its first line is rewritten in place (a
 * comment behind the value stays if it fits; a list that is too long for a line gets several), further lines of it go.
 * A setting that is not there yet comes after its commented-out example, else at the end of its section, else in a
 * section of its own at the end of the file. Line ends are those of the file.
 *
 * 0 and the new text (free() it); -EINVAL: a value that no line can hold, -ENOMEM. What the values mean is not
 * looked at.
 */
MUST_USE int settings_edit(struct span text, const struct setting *row, const char *value,
			   char **ret_text);

#endif
