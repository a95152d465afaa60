/*
 * Random messages within their limits, made from the field tables: for the tests of the codec and
 * of everything that carries messages. The same seed gives the same messages.
 */
#ifndef GP_TESTS_PROTO_SAMPLE_H
#define GP_TESTS_PROTO_SAMPLE_H

#include "proto/message_table.h"
#include "proto/random.h"

#define SAMPLE_PACKED_MAX (4U << 20) /* bytes that no sample packs to more than */

/* Every kind, in the order of the table. */
extern const gp_msg_kind_t sample_kinds[];
extern const size_t sample_kind_count;

/* Fills *msg; texts and blobs point into memory that lives as long as the program. */
void sample_message(gp_random_t *random, gp_msg_kind_t kind, gp_msg_t *msg);

/* Do two messages hold the same? Compares field by field; slices by content. */
bool sample_equal(const gp_msg_t *a, const gp_msg_t *b);

#endif
