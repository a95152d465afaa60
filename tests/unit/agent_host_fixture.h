/*
 * A machine made of files: a temporary root directory that tests fill.
 */
#ifndef GP_TESTS_AGENT_HOST_FIXTURE_H
#define GP_TESTS_AGENT_HOST_FIXTURE_H

#include "agent/host/collect.h"

#include "proto_cmocka.h"

typedef struct fixture {
    char root[128];
    gp_host_t *host;
    gp_msg_own_record_t msg;
} fixture_t;

int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Writes a file below the root, with its directories; the text is followed by a newline. */
void fixture_write(const fixture_t *f, const char *path, const char *text);
void fixture_program(const fixture_t *f, const char *path);

/* Opens the host (with the tags given) and collects once. */
void fixture_open(fixture_t *f);
void fixture_collect(fixture_t *f, gp_usec_t now);

/* The value as text, numbers in base units; "-" if unknown. Valid until the next call. */
const char *fixture_value(const fixture_t *f, const char *name);

#endif
