#include "discovery/record.h"

#include "proto/text.h"

/* A text's place in its pool: offset in bits 16..31, length in bits 0..15, cut in bit 32. */
#define PLACE_CUT (UINT64_C(1) << 32)

static uint32_t place_at(uint64_t place)
{
    return (uint32_t)(place >> 16 & 0xffff);
}

static uint32_t place_n(uint64_t place)
{
    return (uint32_t)(place & 0xffff);
}

static uint64_t place_make(uint32_t at, uint32_t n, bool cut)
{
    assert(at <= UINT16_MAX && n <= UINT16_MAX);
    return (uint64_t)at << 16 | n | (cut ? PLACE_CUT : 0);
}

static bool is_text(uint32_t attr)
{
    const gp_attribute_t *attribute = gp_attribute(attr);
    return attribute != NULL && !gp_type_is_number(attribute->type);
}

static uint64_t *cell(gp_records_t *r, uint32_t lane, uint32_t attr)
{
    assert(lane < r->width && attr < GP_ATTR_COUNT);
    return &r->numbers[attr * r->width + lane];
}

size_t gp_records_size(uint32_t width, uint32_t pool_bytes)
{
    assert(width >= 1 && width <= GP_LANES_MAX && pool_bytes <= UINT16_MAX);
    size_t numbers = (size_t)GP_ATTR_COUNT * width * sizeof(uint64_t);
    size_t used = (width + 3u) / 4 * sizeof(uint64_t);
    size_t pools = ((size_t)width * pool_bytes + 15) / 16 * 16;
    return (sizeof(gp_records_t) + numbers + used + pools + 15) / 16 * 16;
}

gp_records_t *gp_records_init(void *memory, uint32_t width, uint32_t pool_bytes)
{
    assert(memory != NULL && width >= 1 && width <= GP_LANES_MAX && pool_bytes <= UINT16_MAX);
    gp_records_t *r = memory;
    *r = (gp_records_t){.width = width, .pool_bytes = pool_bytes};
    uint8_t *after = (uint8_t *)memory + sizeof *r;
    r->numbers = (uint64_t *)(void *)after;
    after += (size_t)GP_ATTR_COUNT * width * sizeof(uint64_t);
    r->pool_used = (uint16_t *)(void *)after;
    memset(r->pool_used, 0, width * sizeof(uint16_t));
    r->pools = after + (width + 3u) / 4 * sizeof(uint64_t);
    return r;
}

void gp_records_clear(gp_records_t *records, uint32_t lane)
{
    assert(lane < records->width);
    uint64_t others = ~(UINT64_C(1) << lane);
    for (uint32_t attr = 0; attr < GP_ATTR_COUNT; attr++) {
        records->known[attr] &= others;
    }
    records->overfull &= others;
    records->pool_used[lane] = 0;
}

/* Takes a text out of the pool and closes the gap. */
static void drop_text(gp_records_t *r, uint32_t lane, uint32_t attr)
{
    uint64_t place = *cell(r, lane, attr);
    uint8_t *pool = r->pools + (size_t)lane * r->pool_bytes;
    uint32_t end = place_at(place) + place_n(place);
    assert(end <= r->pool_used[lane]);
    memmove(pool + place_at(place), pool + end, r->pool_used[lane] - end);
    r->pool_used[lane] = (uint16_t)(r->pool_used[lane] - place_n(place));
    for (uint32_t other = 1; other < GP_ATTR_COUNT; other++) {
        uint64_t *moved = cell(r, lane, other);
        if (other == attr || !gp_records_knows(r, lane, other) || !is_text(other)) {
            continue;
        }
        if (place_at(*moved) >= end) {
            *moved = place_make(place_at(*moved) - place_n(place), place_n(*moved),
                                (*moved & PLACE_CUT) != 0);
        }
    }
}

void gp_records_unset(gp_records_t *records, uint32_t lane, gp_attr_t attr)
{
    if (!gp_records_knows(records, lane, attr)) {
        return;
    }
    if (is_text(attr)) {
        drop_text(records, lane, attr);
    }
    records->known[attr] &= ~(UINT64_C(1) << lane);
}

void gp_records_set_number(gp_records_t *records, uint32_t lane, gp_attr_t attr, uint64_t number)
{
    assert(gp_attribute(attr) != NULL && !is_text(attr));
    *cell(records, lane, attr) = number;
    records->known[attr] |= UINT64_C(1) << lane;
}

/* Makes room for n bytes by forgetting texts that are longer than that; false: none is. */
static bool make_room(gp_records_t *r, uint32_t lane, uint32_t n)
{
    while (r->pool_bytes - r->pool_used[lane] < n) {
        uint32_t longest = 0;
        uint32_t longest_n = n;
        for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
            if (gp_records_knows(r, lane, attr) && is_text(attr) &&
                place_n(*cell(r, lane, attr)) > longest_n) {
                longest = attr;
                longest_n = place_n(*cell(r, lane, attr));
            }
        }
        r->overfull |= UINT64_C(1) << lane;
        if (longest == 0) {
            return false;
        }
        gp_records_unset(r, lane, longest);
    }
    return true;
}

void gp_records_set_text(gp_records_t *records, uint32_t lane, gp_attr_t attr, gp_slice_t text,
                         bool cut)
{
    assert(is_text(attr));
    gp_records_unset(records, lane, attr);
    uint32_t most = gp_attribute(attr)->type == GP_TYPE_WORDS ? GP_ATTR_TEXT_MAX : GP_ATTR_WORD_MAX;
    if (text.n > most || !gp_text_valid(text) || !make_room(records, lane, text.n)) {
        return;
    }
    uint32_t at = records->pool_used[lane];
    if (text.n > 0) {
        memcpy(records->pools + (size_t)lane * records->pool_bytes + at, text.p, text.n);
    }
    records->pool_used[lane] = (uint16_t)(at + text.n);
    *cell(records, lane, attr) = place_make(at, text.n, cut);
    records->known[attr] |= UINT64_C(1) << lane;
}

uint64_t gp_records_number(const gp_records_t *records, uint32_t lane, gp_attr_t attr)
{
    assert(gp_records_knows(records, lane, attr) && !is_text(attr));
    return records->numbers[attr * records->width + lane];
}

gp_slice_t gp_records_text(const gp_records_t *records, uint32_t lane, gp_attr_t attr,
                           bool *ret_cut)
{
    assert(gp_records_knows(records, lane, attr) && is_text(attr));
    uint64_t place = records->numbers[attr * records->width + lane];
    if (ret_cut != NULL) {
        *ret_cut = (place & PLACE_CUT) != 0;
    }
    return gp_slice(records->pools + (size_t)lane * records->pool_bytes + place_at(place),
                    place_n(place));
}

void gp_records_apply(gp_records_t *records, uint32_t lane, const gp_record_attr_t *attrs,
                      uint32_t count, bool whole)
{
    if (whole) {
        for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
            const gp_attribute_t *attribute = gp_attribute(attr);
            if (attribute != NULL && attribute->source != GP_SOURCE_GIVEN) {
                gp_records_unset(records, lane, attr);
            }
        }
        records->overfull &= ~(UINT64_C(1) << lane);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t attr = attrs[i].attr & ~GP_ATTR_UNSET;
        const gp_attribute_t *attribute = gp_attribute(attr);
        if (attribute == NULL || attribute->source == GP_SOURCE_GIVEN) {
            continue;
        }
        if ((attrs[i].attr & GP_ATTR_UNSET) != 0) {
            gp_records_unset(records, lane, attr);
        } else if (gp_type_is_number(attribute->type)) {
            gp_records_set_number(records, lane, attr, attrs[i].number);
        } else {
            bool cut = (attrs[i].number & GP_ATTR_CUT) != 0;
            gp_records_set_text(records, lane, attr, attrs[i].text, cut);
        }
    }
}

gp_record_attr_t gp_records_attr(const gp_records_t *records, uint32_t lane, gp_attr_t attr)
{
    gp_record_attr_t out = {.attr = (uint16_t)attr};
    if (is_text(attr)) {
        bool cut;
        out.text = gp_records_text(records, lane, attr, &cut);
        out.number = cut ? GP_ATTR_CUT : 0;
    } else {
        out.number = gp_records_number(records, lane, attr);
    }
    return out;
}

uint32_t gp_records_dump(const gp_records_t *records, uint32_t lane, gp_record_attr_t *to)
{
    uint32_t n = 0;
    for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
        const gp_attribute_t *attribute = gp_attribute(attr);
        if (attribute != NULL && attribute->source != GP_SOURCE_GIVEN &&
            gp_records_knows(records, lane, attr)) {
            assert(n < GP_ATTRS_MAX);
            to[n] = gp_records_attr(records, lane, attr);
            n += 1;
        }
    }
    return n;
}

/* Numbers differ when they are further apart than the dead band around what was sent. */
static bool number_left_band(const gp_attribute_t *attribute, uint64_t now, uint64_t sent)
{
    uint64_t apart = now > sent ? now - sent : sent - now;
    uint64_t share = sent / 1000 * attribute->band_permille;
    uint64_t band = attribute->band > share ? attribute->band : share;
    return apart > band;
}

static bool attr_differs(const gp_records_t *fresh, const gp_records_t *sent, uint32_t attr)
{
    const gp_attribute_t *attribute = gp_attribute(attr);
    if (attribute == NULL || attribute->source == GP_SOURCE_GIVEN) {
        return false;
    }
    bool known = gp_records_knows(fresh, 0, attr);
    if (known != gp_records_knows(sent, 0, attr)) {
        return true;
    }
    if (!known) {
        return false;
    }
    if (gp_type_is_number(attribute->type)) {
        return number_left_band(attribute, gp_records_number(fresh, 0, attr),
                                gp_records_number(sent, 0, attr));
    }
    gp_record_attr_t a = gp_records_attr(fresh, 0, attr);
    gp_record_attr_t b = gp_records_attr(sent, 0, attr);
    return a.number != b.number || !gp_slice_equal(a.text, b.text);
}

uint32_t gp_records_delta(const gp_records_t *fresh, gp_records_t *sent, gp_record_attr_t *to)
{
    uint32_t n = 0;
    for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
        if (!attr_differs(fresh, sent, attr)) {
            continue;
        }
        assert(n < GP_ATTRS_MAX);
        if (gp_records_knows(fresh, 0, attr)) {
            to[n] = gp_records_attr(fresh, 0, attr);
        } else {
            to[n] = (gp_record_attr_t){.attr = (uint16_t)(attr | GP_ATTR_UNSET)};
        }
        n += 1;
    }
    gp_records_apply(sent, 0, to, n, false);
    return n;
}

bool gp_records_differ(const gp_records_t *fresh, const gp_records_t *sent)
{
    for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
        if (attr_differs(fresh, sent, attr)) {
            return true;
        }
    }
    return false;
}

void gp_records_check_lane(const gp_records_t *records, uint32_t lane)
{
    uint32_t used = 0;
    assert(records->width >= 1 && records->width <= GP_LANES_MAX && lane < records->width);
    for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
        assert(records->width == GP_LANES_MAX || records->known[attr] >> records->width == 0);
        if (is_text(attr) && (records->known[attr] >> lane & 1) != 0) {
            uint64_t place = records->numbers[attr * records->width + lane];
            assert(place_at(place) + place_n(place) <= records->pool_used[lane]);
            used += place_n(place);
        }
    }
    assert(used == records->pool_used[lane] && used <= records->pool_bytes);
}

void gp_records_check(const gp_records_t *records)
{
    for (uint32_t lane = 0; lane < records->width; lane++) {
        gp_records_check_lane(records, lane);
    }
}
