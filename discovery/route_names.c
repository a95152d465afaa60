#include "discovery/route_names.h"

#include "proto/random.h"

#define SEED     7
#define ANY_BYTE 1 /* a digest of this many bytes: any name may be there */

static uint16_t hash_of(gp_slice_t name)
{
    return (uint16_t)gp_hash(name.p, name.n, SEED);
}

void gp_route_names_add(gp_route_names_t *names, gp_slice_t name)
{
    uint16_t hash = hash_of(name);
    names->bits[hash / 64] |= UINT64_C(1) << (hash % 64);
}

void gp_route_names_join(gp_route_names_t *names, gp_slice_t digest)
{
    if (digest.n == ANY_BYTE) {
        memset(names->bits, 0xff, sizeof names->bits);
        return;
    }
    for (uint32_t i = 0; i + 1 < digest.n; i += 2) {
        uint32_t hash = (uint32_t)(digest.p[i] << 8 | digest.p[i + 1]);
        names->bits[hash / 64] |= UINT64_C(1) << (hash % 64);
    }
}

size_t gp_route_names_pack(const gp_route_names_t *names, uint8_t ret_bytes[GP_PLACE_NAMES_MAX])
{
    size_t n = 0;
    for (uint32_t word = 0; word < GP_ROUTE_NAMES_WORDS; word++) {
        for (uint64_t bits = names->bits[word]; bits != 0; bits &= bits - 1) {
            if (n == GP_PLACE_NAMES_MAX) {
                ret_bytes[0] = 0;
                return ANY_BYTE;
            }
            uint32_t hash = word * 64 + gp_lowest_bit(bits);
            ret_bytes[n] = (uint8_t)(hash >> 8);
            ret_bytes[n + 1] = (uint8_t)hash;
            n += 2;
        }
    }
    return n;
}

static bool holds(gp_slice_t digest, gp_slice_t name)
{
    uint16_t hash = hash_of(name);
    if (digest.n == ANY_BYTE) {
        return true;
    }
    for (uint32_t i = 0; i + 1 < digest.n; i += 2) {
        if (digest.p[i] == hash >> 8 && digest.p[i + 1] == (uint8_t)hash) {
            return true;
        }
    }
    return false;
}

/* The term of a condition that must hold and that names machines; NULL: it is none. */
static const gp_query_term_t *names_in(const gp_query_t *query, uint32_t part)
{
    if (query->parts[part].codes != 1) {
        return NULL;
    }
    const gp_query_term_t *term = &query->terms[query->code[query->parts[part].code]];
    bool fits = term->op == GP_TERM_TEXTS && term->attr == GP_ATTR_NAME && !term->negated;
    return fits ? term : NULL;
}

static gp_slice_t value_of(const gp_query_t *query, const gp_query_term_t *term, uint32_t i)
{
    gp_span_t at = query->values[term->value + i].text;
    return gp_slice(query->text + at.at, at.n);
}

bool gp_route_names_may_match(gp_slice_t digest, const gp_query_t *query)
{
    for (uint32_t part = 0; part < query->part_count; part++) {
        const gp_query_term_t *term = names_in(query, part);
        bool any = term == NULL;
        for (uint32_t i = 0; term != NULL && i < term->values; i++) {
            any = any || holds(digest, value_of(query, term, i));
        }
        if (!any) {
            return false;
        }
    }
    return true;
}

gp_slice_t gp_route_names_only(const gp_query_t *query)
{
    for (uint32_t part = 0; part < query->part_count; part++) {
        const gp_query_term_t *term = names_in(query, part);
        if (term != NULL && term->values == 1) {
            return value_of(query, term, 0);
        }
    }
    return (gp_slice_t){0};
}
