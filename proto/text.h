/*
 * Ids, names and bytes as text, and back. Nothing allocates; results are always terminated.
 */
#ifndef GP_PROTO_TEXT_H
#define GP_PROTO_TEXT_H

#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/types.h"

#define GP_ID_TEXT       53 /* base32 (RFC 4648, lower case, no padding) of 32 bytes, terminated */
#define GP_ID_SHORT_TEXT 9  /* the first 8 characters, as people see it, terminated */
#define GP_GRID_ID_TEXT  27 /* base32 of 16 bytes, terminated */
#define GP_GROUP_TEXT    13 /* base32 of a group's id without its tier: 7 bytes, terminated */

void gp_id_text(const gp_id_t *id, char ret_text[GP_ID_TEXT]);
void gp_id_short(const gp_id_t *id, char ret_text[GP_ID_SHORT_TEXT]);
/* Exactly what gp_id_text writes. GP_E_NODE_UNKNOWN otherwise. */
GP_MUST_CHECK gp_error_t gp_id_parse(const char *text, gp_id_t *ret_id);
/* Of a sub-Grid; people see its first 8 characters, as of a machine's id. */
void gp_group_text(uint64_t group, char ret_text[GP_GROUP_TEXT]);
/* Exactly what gp_group_text writes, of tier 0. GP_E_NODE_UNKNOWN otherwise. */
GP_MUST_CHECK gp_error_t gp_group_parse(const char *text, uint64_t *ret_group);
void gp_grid_id_text(const gp_grid_id_t *id, char ret_text[GP_GRID_ID_TEXT]);
GP_MUST_CHECK gp_error_t gp_grid_id_parse(const char *text, gp_grid_id_t *ret_id);

/*
 * Base64url without padding (RFC 4648, section 5; base64.c). Writes a terminated text and returns
 * its characters; asserts that size > 4/3 n + 2. Reading is strict: unused bits are zero, no white
 * space. GP_E_TOKEN_FORMAT.
 */
size_t gp_base64_text(gp_slice_t bytes, char *text, size_t size);
GP_MUST_CHECK gp_error_t gp_base64_parse(gp_slice_t text, uint8_t *to, size_t size, size_t *ret_n);

/* 1 to 32 of a-z 0-9 - . , first a letter or digit. GP_E_NAME otherwise. */
GP_MUST_CHECK gp_error_t gp_name_check(gp_slice_t name);

/*
 * tcp://HOST:PORT with a numeric IPv4, [IPv6] (RFC 4291, no zone) or * host; port 0 only if
 * `any_port`. Numbers have no leading zeros. GP_E_ADDRESS.
 */
GP_MUST_CHECK gp_error_t gp_address_check(gp_slice_t address, bool any_port);

/* Well-formed UTF-8 (RFC 3629) without NUL: the only thing that a TEXT field may hold. */
bool gp_text_valid(gp_slice_t text);

/* Copies at most size - 1 bytes, whole characters, and terminates; false if it had to cut. */
bool gp_text_copy(char *to, size_t size, gp_slice_t from);

/* The same for terminals: control characters and bytes that are not UTF-8 are escaped as \xNN. */
bool gp_text_escape(char *to, size_t size, gp_slice_t from);

/* Writes text so that it can be pasted into a shell: in quotes where needed. Returns `to`. */
const char *gp_text_quote(const char *text, char *to, size_t size);

/* "24h", "90s", "5m", "1500ms", "7d" to milliseconds: one number, one unit. GP_E_USAGE. */
GP_MUST_CHECK gp_error_t gp_duration_parse(const char *text, uint64_t *ret_ms);

#endif
