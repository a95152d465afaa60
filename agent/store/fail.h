/*
 * A failure with its details: the code from the one table, and in words what exactly failed, on
 * what, why and what to type next. Filled by the function that failed; printed, logged or sent by
 * its caller. Never holds a secret.
 */
#ifndef GP_AGENT_STORE_FAIL_H
#define GP_AGENT_STORE_FAIL_H

#include "proto/errors.h"
#include "proto/types.h"

#define GP_FAIL_TEXT_MAX 1024

typedef struct gp_fail {
    gp_error_t code;
    char text[GP_FAIL_TEXT_MAX]; /* terminated; empty: the table's text says it all */
} gp_fail_t;

/* Fills *fail (NULL is fine) and returns code, so that a caller can write `return gp_fail(...)`. */
gp_error_t gp_fail(gp_fail_t *fail, gp_error_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The same for a system call that failed with `number` (errno): the system's text is appended, and
 * the code is GP_E_STATE_FULL for a lack of room, GP_E_NOT_PERMITTED, GP_E_MEMORY, GP_E_SYSTEM for
 * a lack of file descriptors, or else GP_E_STATE_IO.
 */
gp_error_t gp_fail_errno(gp_fail_t *fail, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define GP_FAIL_TIME_TEXT 24

/* "2025-06-15 15:06:40 UTC" into text. Returns text. */
const char *gp_fail_time(gp_wall_ms_t at_ms, char text[GP_FAIL_TIME_TEXT]);

#endif
