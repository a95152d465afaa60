/*
 * Digests of machine names: which group may have a machine of this name. Upward go digests, not
 * names; a question for `name == "n7"` goes where a digest says "maybe".
 *
 * A digest is the ascending 16-bit hashes of the names, two bytes each: of a sub-Grid of 64 it has
 * 128 bytes and says maybe in vain once in a thousand, of a region of 4,096 it has 8 KB and does so
 * once in 16. Unlike Bloom filters they join without growing vaguer than one made at once.
 */
#ifndef GP_DISCOVERY_ROUTE_NAMES_H
#define GP_DISCOVERY_ROUTE_NAMES_H

#include "discovery/query.h"

#define GP_ROUTE_NAMES_WORDS (65536 / 64)

/* A digest that is being made: a bit for each hash. All zero: of no machines. */
typedef struct gp_route_names {
    uint64_t bits[GP_ROUTE_NAMES_WORDS];
} gp_route_names_t;

void gp_route_names_add(gp_route_names_t *names, gp_slice_t name);

/* Takes up a digest that somebody sent. */
void gp_route_names_join(gp_route_names_t *names, gp_slice_t digest);

/*
 * Writes the digest and returns its bytes. Of more hashes than fit it is one byte, which stands for
 * all: such a group may have any name.
 */
size_t gp_route_names_pack(const gp_route_names_t *names, uint8_t ret_bytes[GP_PLACE_NAMES_MAX]);

/* Whether a machine that matches the query may be among these, as far as names tell. */
bool gp_route_names_may_match(gp_slice_t digest, const gp_query_t *query);

/* The only name that can match: of a condition `name == "n7"` that must hold. n 0: there is none.
 * In the query's memory. */
gp_slice_t gp_route_names_only(const gp_query_t *query);

#endif
