#include "discovery/state.h"

#define ANSWER_TEXT_MAX 24576 /* bytes of attribute texts in one answer: it must fit a message */
#define COLUMNS_MAX     64

_Static_assert(GP_ATTR_COUNT <= COLUMNS_MAX, "each attribute is a column once at most");

bool gp_answer_compile(gp_discovery_t *d, const gp_question_t *question)
{
    if (gp_query_compile(question->query, d->query, &d->error) != GP_OK ||
        gp_rank_compile(question->rank, &d->rank, &d->error) != GP_OK) {
        return false;
    }
    bool near = question->near.n > 0 || !gp_id_is_none(&question->near_node);
    if (near && question->rank.n == 0) {
        assert(d->rank.key_count < GP_RANK_KEYS_MAX);
        memmove(&d->rank.keys[1], &d->rank.keys[0], d->rank.key_count * sizeof d->rank.keys[0]);
        d->rank.keys[0] = (gp_rank_key_t){.attr = GP_ATTR_RTT};
        d->rank.key_count += 1;
    }
    return true;
}

/* ---- round trips ----------------------------------------------------------------------------- */

/* The place from which they count; false: none is asked for, or it is not known. */
static bool near_place(const gp_discovery_t *d, const gp_question_t *question,
                       gp_coordinate_t *ret_place)
{
    uint32_t index = gp_members_find(d, &question->near_node);
    const gp_coordinate_t *place = index == GP_NOBODY ? NULL : gp_members_place(d, index);
    if (question->near.n > 0) {
        return gp_coordinate_read(question->near, ret_place) == GP_OK;
    }
    if (place != NULL) {
        *ret_place = *place;
    }
    return place != NULL;
}

static void know_round_trips(gp_discovery_t *d, const gp_question_t *question)
{
    gp_coordinate_t near;
    bool asked = near_place(d, question, &near);
    for (uint32_t i = 0; asked && i < d->slots_used; i++) {
        const gp_coordinate_t *place = gp_members_place(d, i);
        bool itself = gp_id_equal(&d->members[i].id, &question->near_node);
        if (d->members[i].standing == GP_STANDING_OFFERED && (itself || place != NULL)) {
            uint32_t lane;
            gp_records_t *block = gp_members_block(d, i, &lane);
            gp_records_set_number(block, lane, GP_ATTR_RTT,
                                  itself ? 0 : gp_coordinate_distance_us(&near, place));
        }
    }
}

/* They are of one question: the next one counts them from elsewhere. */
static void forget_round_trips(gp_discovery_t *d)
{
    for (uint32_t block = 0; block < d->blocks_used; block++) {
        d->blocks[block]->known[GP_ATTR_RTT] = 0;
    }
}

/* ---- the order ------------------------------------------------------------------------------- */

/* < 0: member a comes before member b in the answer. A total order: ids differ. */
static int place_compare(const gp_discovery_t *d, uint32_t a, uint32_t b)
{
    const gp_listed_t *x = &d->members[a];
    const gp_listed_t *y = &d->members[b];
    if (x->state != y->state) {
        return x->state == GP_MEMBER_ALIVE ? -1 : 1; /* whom somebody suspects comes last */
    }
    uint32_t lane_a;
    uint32_t lane_b;
    const gp_records_t *block_a = gp_members_block(d, a, &lane_a);
    const gp_records_t *block_b = gp_members_block(d, b, &lane_b);
    int order = gp_rank_compare(&d->rank, block_a, lane_a, block_b, lane_b);
    if (order != 0) {
        return order;
    }
    uint32_t n = x->name_n < y->name_n ? x->name_n : y->name_n;
    order = memcmp(x->name, y->name, n);
    if (order != 0 || x->name_n != y->name_n) {
        return order != 0 ? order : (x->name_n < y->name_n ? -1 : 1);
    }
    return gp_id_compare(&x->id, &y->id);
}

/* Keeps the best `limit` members in order: an insertion into a short list. */
static uint32_t keep_best(const gp_discovery_t *d, uint32_t *best, uint32_t n, uint32_t limit,
                          uint32_t index)
{
    if (n == limit) {
        if (place_compare(d, index, best[n - 1]) > 0) {
            return n;
        }
        n -= 1;
    }
    uint32_t low = 0;
    uint32_t high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (place_compare(d, index, best[middle]) < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    memmove(&best[low + 1], &best[low], (n - low) * sizeof best[0]);
    best[low] = index;
    return n + 1;
}

static uint32_t find_best(const gp_discovery_t *d, uint32_t limit, uint32_t *best,
                          gp_msg_found_t *to)
{
    uint32_t n = 0;
    for (uint32_t block = 0; block < d->blocks_used; block++) {
        to->considered += gp_count_bits(d->offered[block]);
        uint64_t match = gp_query_eval(d->query, d->blocks[block], d->offered[block]);
        to->matched += gp_count_bits(match);
        for (; match != 0; match &= match - 1) {
            n = keep_best(d, best, n, limit, block * GP_LANES_MAX + gp_lowest_bit(match));
        }
    }
    return n;
}

static void explain(const gp_discovery_t *d, gp_out_t *out, gp_msg_found_t *to)
{
    for (uint32_t part = 0; part < d->query->part_count && part < GP_EXPLAIN_MAX; part++) {
        gp_record_condition_t *condition = &to->conditions[part];
        condition->text = gp_out_slice(out, gp_query_part_text(d->query, part));
        for (uint32_t block = 0; block < d->blocks_used; block++) {
            uint64_t asked = d->offered[block];
            gp_verdict_t verdict = gp_query_part_eval(d->query, part, d->blocks[block], asked);
            condition->excluded += gp_count_bits(verdict.no);
            condition->unknown += gp_count_bits(asked & ~verdict.yes & ~verdict.no);
        }
        to->conditions_count = part + 1;
    }
}

/* The attributes to return: those wanted, then those asked about, each once. */
static uint32_t columns(const gp_discovery_t *d, gp_slice_t want, uint16_t *attrs)
{
    uint16_t asked[COLUMNS_MAX];
    uint32_t asked_n = gp_query_attrs(d->query, asked, COLUMNS_MAX);
    uint32_t wanted_n = want.n / 2;
    uint32_t n = 0;
    for (uint32_t i = 0; i < wanted_n + asked_n; i++) {
        uint16_t attr =
            i < wanted_n ? (uint16_t)(want.p[2 * i] << 8 | want.p[2 * i + 1]) : asked[i - wanted_n];
        bool there = gp_attribute(attr) == NULL;
        for (uint32_t j = 0; j < n; j++) {
            there = there || attrs[j] == attr;
        }
        if (!there) {
            attrs[n] = attr;
            n += 1;
        }
    }
    return n;
}

static void add_hit(const gp_discovery_t *d, uint32_t index, gp_msg_found_t *to)
{
    const gp_listed_t *member = &d->members[index];
    gp_record_hit_t *hit = &to->hits[to->hits_count];
    uint32_t lane;
    const gp_records_t *block = gp_members_block(d, index, &lane);
    bool near = gp_records_knows(block, lane, GP_ATTR_RTT);
    uint64_t rtt = near ? gp_records_number(block, lane, GP_ATTR_RTT) : 0;
    *hit = (gp_record_hit_t){.id = member->id,
                             .name = gp_slice(member->name, member->name_n),
                             .address = gp_slice(member->address, member->address_n),
                             .rtt_us = (uint32_t)rtt,
                             .incarnation = member->incarnation};
    to->hits_count += 1;
}

static gp_record_value_t value_of(const gp_discovery_t *d, uint32_t index, uint32_t hit,
                                  uint16_t attr)
{
    uint32_t lane;
    const gp_records_t *block = gp_members_block(d, index, &lane);
    gp_record_value_t value = {.hit = (uint8_t)hit, .attr = attr};
    if (gp_records_knows(block, lane, attr)) {
        gp_record_attr_t is = gp_records_attr(block, lane, attr);
        value.known = true;
        value.number = is.number;
        value.text = is.text;
    }
    return value;
}

/* Whole rows first: each hit has the same columns, fewer if there are many hits. */
static void add_values(const gp_discovery_t *d, gp_slice_t want, const uint32_t *best,
                       gp_msg_found_t *to)
{
    uint16_t attrs[COLUMNS_MAX];
    uint32_t asked = columns(d, want, attrs);
    if (to->hits_count == 0) {
        return;
    }
    uint32_t most = GP_VALUES_MAX / to->hits_count;
    uint32_t n = asked < most ? asked : most;
    uint32_t text_left = ANSWER_TEXT_MAX;
    bool cut = n < asked;
    for (uint32_t hit = 0; hit < to->hits_count; hit++) {
        for (uint32_t i = 0; i < n; i++) {
            gp_record_value_t value = value_of(d, best[hit], hit, attrs[i]);
            if (value.text.n > text_left) {
                cut = true;
                continue;
            }
            text_left -= value.text.n;
            to->values[to->values_count] = value;
            to->values_count += 1;
        }
    }
    if (cut) {
        to->text = gp_text("some values were left out: ask for fewer attributes or machines");
    }
}

void gp_answer_fill(gp_discovery_t *d, const gp_question_t *question, gp_out_t *out,
                    gp_msg_found_t *to)
{
    to->group = d->group;
    to->term = d->term;
    to->right = d->right;
    to->alone = d->alone != NULL && d->alone(d->alone_context);
    to->partial = d->right != GP_RIGHT_QUORUM || !gp_discovery_whole(d);
    if (!gp_answer_compile(d, question)) {
        to->error = (uint16_t)d->error.error;
        to->column = d->error.column;
        to->text = gp_out_slice(out, gp_slice(d->error.text, d->error.text_n));
        return;
    }
    assert(question->limit <= GP_HITS_MAX); /* no message may hold more */
    uint32_t limit = question->limit == 0 ? GP_HITS_MAX : question->limit;
    uint32_t best[GP_HITS_MAX + 1];
    know_round_trips(d, question);
    uint32_t n = find_best(d, limit, best, to);
    for (uint32_t i = 0; i < n; i++) {
        add_hit(d, best[i], to);
    }
    add_values(d, question->want, best, to);
    if (question->explain) {
        explain(d, out, to);
    }
    forget_round_trips(d);
}
