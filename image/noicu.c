/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of ICU smbd is linked with, without ICU: 13 MB of the image are saved, 10 of them tables of all languages.
 *
 * libsamba-util asks ICU for one thing, composing and decomposing Unicode for the character sets UTF8-NFC and UTF8-NFD, which
 * a client of old Apple protocols has to be configured for. The appliance's smb.conf names neither, so none of this is ever
 * called; if it were, the conversion fails as it does in samba where a character set is unknown. image/steps/samba.sh
 * refuses to build when samba asks ICU for anything but what stands here, or anything else asks for ICU at all.
 *
 * Signatures: ICU 72, unicode/utrans.h and unicode/ustring.h.
 */
#include <stddef.h>
#include <stdint.h>

#define U_UNSUPPORTED_ERROR 16

#define ICU(name)	    name##_72

#ifdef NOICU_I18N
void *ICU(utrans_openU)(const uint16_t *id, int32_t id_length, int direction, const uint16_t *rules,
			int32_t rules_length, void *ret_parse_error, int *ret_status)
{
	(void)id, (void)id_length, (void)direction, (void)rules, (void)rules_length;
	(void)ret_parse_error;
	*ret_status = U_UNSUPPORTED_ERROR;
	return NULL;
}

void ICU(utrans_close)(void *transliterator)
{
	(void)transliterator;
}

void ICU(utrans_transUChars)(const void *transliterator, uint16_t *text, int32_t *length,
			     int32_t capacity, int32_t start, int32_t *limit, int *ret_status)
{
	(void)transliterator, (void)text, (void)length, (void)capacity, (void)start, (void)limit;
	*ret_status = U_UNSUPPORTED_ERROR;
}
#else
uint16_t *ICU(u_strFromUTF8)(uint16_t *to, int32_t capacity, int32_t *length, const char *from,
			     int32_t from_length, int *ret_status)
{
	(void)capacity, (void)length, (void)from, (void)from_length;
	*ret_status = U_UNSUPPORTED_ERROR;
	return to;
}

char *ICU(u_strToUTF8)(char *to, int32_t capacity, int32_t *length, const uint16_t *from,
		       int32_t from_length, int *ret_status)
{
	(void)capacity, (void)length, (void)from, (void)from_length;
	*ret_status = U_UNSUPPORTED_ERROR;
	return to;
}
#endif
