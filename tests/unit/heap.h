/*
 * What happens next: a binary heap of a test's own events, in an array of the test's own. An event
 * begins with its key; of the same moment, the one of the lower order comes first.
 */
#ifndef GP_TESTS_HEAP_H
#define GP_TESTS_HEAP_H

#include "proto/types.h"

typedef struct heap_key {
    gp_usec_t at;
    uint64_t order;
} heap_key_t;

/* Adds a copy of *event, of `size` bytes (256 at most); the array has room for it. */
void heap_push(void *events, uint32_t *count, size_t size, const void *event);

/* Takes the first one out; there is one. */
void heap_pop(void *events, uint32_t *count, size_t size, void *ret_event);

#endif
