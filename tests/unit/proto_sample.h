/*
 * Messages within their limits, made from the field tables: for the tests of the codec and of
 * everything that carries messages. At random, where the same seed gives the same messages, or from
 * a source of one's own.
 */
#ifndef GP_TESTS_PROTO_SAMPLE_H
#define GP_TESTS_PROTO_SAMPLE_H

#include "proto/message_table.h"
#include "proto/random.h"

#define SAMPLE_PACKED_MAX (4U << 20) /* bytes that no sample packs to more than */

/* Every kind, in the order of the table. */
extern const gp_msg_kind_t sample_kinds[];
extern const size_t sample_kind_count;

/* Where the values of a message come from; each within the limits of its field. */
typedef struct sample_source {
    void *context;
    bool (*flag)(void *context);
    uint64_t (*number)(void *context, const gp_field_t *field);
    gp_id_t (*id)(void *context, const gp_field_t *field);
    gp_slice_t (*slice)(void *context, const gp_field_t *field); /* a text or a blob */
    uint32_t (*count)(void *context, const gp_field_t *field);   /* records of a list */
} sample_source_t;

/*
 * Fills *msg, field by field in the order of the table; of a list first the count. Room for records
 * that are not there is left as it was.
 */
void sample_fill(const sample_source_t *source, gp_msg_kind_t kind, gp_msg_t *msg);

/* Fills *msg at random; texts and blobs point into memory that lives as long as the program. */
void sample_message(gp_random_t *random, gp_msg_kind_t kind, gp_msg_t *msg);

/* Do two messages hold the same? Compares field by field; slices by content. */
bool sample_equal(const gp_msg_t *a, const gp_msg_t *b);

#endif
