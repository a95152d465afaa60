#include "discovery/route_state.h"

#define TIMEOUT_MS 5000
#define HASH_SEED  11

/* ---- the table ------------------------------------------------------------------------------- */

static bool is_open(const gp_route_t *r, uint32_t i)
{
    return (r->asks_open >> i & 1) != 0;
}

static gp_ask_t *free_ask(gp_route_t *r)
{
    for (uint32_t i = 0; i < GP_ROUTE_ASKS_MAX; i++) {
        if (!is_open(r, i)) {
            return &r->asks[i];
        }
    }
    return NULL;
}

static gp_ask_t *ask_of(gp_route_t *r, uint64_t query_id)
{
    for (uint32_t i = 0; i < GP_ROUTE_ASKS_MAX; i++) {
        if (is_open(r, i) && r->asks[i].query_id == query_id) {
            return &r->asks[i];
        }
    }
    return NULL;
}

static uint32_t copy(char *to, size_t size, gp_slice_t from)
{
    uint32_t n = from.n < size ? from.n : (uint32_t)size;
    if (n > 0) {
        memcpy(to, from.p, n);
    }
    return n;
}

static void note_absent(gp_ask_t *ask, uint64_t group, gp_slice_t name, uint8_t why)
{
    ask->absences += 1;
    if (ask->absent_count < GP_ROUTE_ABSENT_MAX) {
        uint32_t i = ask->absent_count;
        uint32_t n = copy(ask->absent_names[i], GP_NAME_MAX, name);
        ask->absent[i] = (gp_record_absent_t){
            .group = group, .name = gp_slice(ask->absent_names[i], n), .why = why};
        ask->absent_count += 1;
    }
}

static bool has_enough(const gp_ask_t *ask)
{
    return ask->rank_n == 0 && ask->row_count >= ask->limit;
}

/* ---- where a machine of that name was -------------------------------------------------------- */

static uint64_t hash_of(gp_slice_t name)
{
    return name.n == 0 ? 0 : gp_hash(name.p, name.n, HASH_SEED) | 1;
}

static gp_hint_t *hint_of(gp_route_t *r, uint64_t hash)
{
    for (uint32_t i = 0; i < GP_ROUTE_HINTS_MAX && hash != 0; i++) {
        if (r->hints[i].hash == hash) {
            return &r->hints[i];
        }
    }
    return NULL;
}

static gp_hint_t *oldest_hint(gp_route_t *r)
{
    gp_hint_t *oldest = &r->hints[0];
    for (uint32_t i = 1; i < GP_ROUTE_HINTS_MAX; i++) {
        oldest = r->hints[i].used < oldest->used ? &r->hints[i] : oldest;
    }
    return oldest;
}

/* A name that was found is remembered with its place; one that was not is forgotten. */
static void remember(gp_route_t *r, const gp_ask_t *ask)
{
    if (gp_query_compile(gp_slice(ask->query, ask->query_n), &r->query, &r->error) != GP_OK) {
        return;
    }
    uint64_t hash = hash_of(gp_route_names_only(&r->query));
    gp_hint_t *hint = hint_of(r, hash);
    if (hash == 0) {
        return;
    }
    if (ask->row_count == 0) {
        if (hint != NULL) {
            *hint = (gp_hint_t){0};
        }
        return;
    }
    const gp_row_t *row = &ask->rows[ask->order[0]];
    hint = hint != NULL ? hint : oldest_hint(r);
    r->hint_clock += 1;
    *hint =
        (gp_hint_t){.hash = hash, .group = row->group, .region = row->above, .used = r->hint_clock};
}

/* ---- machines found -------------------------------------------------------------------------- */

/* Where a machine was found. */
typedef struct source {
    uint64_t group;
    uint64_t above;
    gp_slice_t subgrid;
    gp_slice_t region;
    bool own;
    const gp_record_value_t *values;
    uint32_t value_count;
} source_t;

static void add_values(gp_ask_t *ask, const source_t *source, uint32_t hit, gp_row_t *row)
{
    for (uint32_t i = 0; i < source->value_count; i++) {
        const gp_record_value_t *value = &source->values[i];
        if (value->hit != hit) {
            continue;
        }
        if (row->value_count == GP_ROUTE_ROW_VALUES ||
            value->text.n > sizeof row->text - row->text_n) {
            ask->left_out = true;
            continue;
        }
        gp_record_value_t *to = &row->values[row->value_count];
        *to = *value;
        to->text = gp_slice(row->text + row->text_n, value->text.n); /* rows move: see value_at */
        row->text_n =
            (uint16_t)(row->text_n + copy(row->text + row->text_n, value->text.n, value->text));
        row->value_count += 1;
    }
}

static void make_row(gp_ask_t *ask, const source_t *source, const gp_record_hit_t *hit, uint32_t at,
                     gp_row_t *row)
{
    memset(row, 0, offsetof(gp_row_t, name));
    row->id = hit->id;
    row->incarnation = hit->incarnation;
    row->group = source->group;
    row->above = source->above;
    row->rtt_us = hit->rtt_us;
    row->own = source->own;
    row->name_n = (uint8_t)copy(row->name, sizeof row->name, hit->name);
    row->address_n = (uint8_t)copy(row->address, sizeof row->address, hit->address);
    row->subgrid_n = (uint8_t)copy(row->subgrid, sizeof row->subgrid, source->subgrid);
    row->region_n = (uint8_t)copy(row->region, sizeof row->region, source->region);
    add_values(ask, source, at, row);
}

/* Texts lie one after the other in the row, wherever it is now. */
static gp_record_value_t value_at(const gp_row_t *row, uint32_t i)
{
    uint32_t at = 0;
    for (uint32_t k = 0; k < i; k++) {
        at += row->values[k].text.n;
    }
    gp_record_value_t value = row->values[i];
    value.text = gp_slice(row->text + at, value.text.n);
    return value;
}

static void load(gp_route_t *r, uint32_t lane, const gp_row_t *row)
{
    gp_records_clear(r->pair, lane);
    for (uint32_t i = 0; i < row->value_count; i++) {
        gp_record_value_t value = value_at(row, i);
        gp_record_attr_t attr = {.attr = value.attr, .number = value.number, .text = value.text};
        if (value.known) {
            gp_records_apply(r->pair, lane, &attr, 1, false);
        }
    }
    gp_records_set_text(r->pair, lane, GP_ATTR_NAME, gp_slice(row->name, row->name_n), false);
    gp_records_set_text(r->pair, lane, GP_ATTR_REGION, gp_slice(row->region, row->region_n), false);
}

/* Does the row come before b? By rank, then the own sub-Grid's as it gave them, then by nearness.
 */
static bool comes_before(gp_route_t *r, const gp_ask_t *ask, const gp_row_t *row, const gp_row_t *b)
{
    if (ask->rank_n > 0) {
        load(r, 0, row);
        load(r, 1, b);
        int order = gp_rank_compare(&r->rank, r->pair, 0, r->pair, 1);
        if (order != 0) {
            return order < 0;
        }
    }
    if (row->own || b->own) {
        return row->own && !b->own;
    }
    if (row->rtt_us != b->rtt_us) {
        return row->rtt_us - 1 < b->rtt_us - 1; /* 0, unknown, is the last */
    }
    return gp_id_compare(&row->id, &b->id) < 0;
}

static bool is_there(const gp_ask_t *ask, const gp_id_t *id)
{
    for (uint32_t i = 0; i < ask->row_count; i++) {
        if (gp_id_equal(&ask->rows[i].id, id)) {
            return true;
        }
    }
    return false;
}

/* Keeps the best `limit` rows, in order. */
static void put_row(gp_route_t *r, gp_ask_t *ask, const gp_row_t *row)
{
    uint32_t n = ask->row_count;
    uint32_t slot = n;
    if (is_there(ask, &row->id)) {
        return;
    }
    if (n == ask->limit) {
        n -= 1;
        slot = ask->order[n];
        if (!comes_before(r, ask, row, &ask->rows[slot])) {
            return;
        }
    }
    uint32_t at = n;
    while (at > 0 && comes_before(r, ask, row, &ask->rows[ask->order[at - 1]])) {
        ask->order[at] = ask->order[at - 1];
        at--;
    }
    ask->order[at] = (uint8_t)slot;
    ask->rows[slot] = *row;
    ask->row_count = n + 1;
}

static void put_hits(gp_route_t *r, gp_ask_t *ask, const source_t *source,
                     const gp_record_hit_t *hits, uint32_t count)
{
    if (gp_rank_compile(gp_slice(ask->rank, ask->rank_n), &r->rank, &r->error) != GP_OK) {
        return; /* it was compiled when it came */
    }
    for (uint32_t i = 0; i < count; i++) {
        make_row(ask, source, &hits[i], i, &r->row);
        put_row(r, ask, &r->row);
    }
}

void gp_ask_on_found(gp_route_t *r, const gp_msg_route_found_t *found)
{
    gp_ask_t *ask = ask_of(r, found->query_id);
    if (ask == NULL || ask->phase != GP_ASK_SEARCH) {
        return;
    }
    const source_t source = {.group = found->group,
                             .above = found->above,
                             .subgrid = found->subgrid,
                             .region = found->region,
                             .values = found->values,
                             .value_count = found->values_count};
    ask->hops = found->hops > ask->hops ? found->hops : ask->hops;
    put_hits(r, ask, &source, found->hits, found->hits_count);
}

void gp_ask_on_end(gp_route_t *r, const gp_search_t *search)
{
    gp_ask_t *ask = ask_of(r, search->query_id);
    if (ask == NULL || ask->phase != GP_ASK_SEARCH) {
        return;
    }
    ask->phase = GP_ASK_ENDED;
    ask->considered += search->considered;
    ask->matched += search->matched;
    ask->asked += search->asked;
    ask->answered += search->answered;
    ask->matching += search->matching;
    for (uint32_t i = 0; i < search->absent_count; i++) {
        note_absent(ask, search->absent[i].group, search->absent[i].name, search->absent[i].why);
    }
    ask->absences += search->absences - search->absent_count;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void answer_error(gp_out_t *out, uint64_t token, gp_error_t error, gp_slice_t text,
                         uint32_t column)
{
    gp_msg_route_answer_t *answer =
        &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_ROUTE_ANSWER)->u.route_answer;
    gp_out_last(out)->token = token;
    answer->error = (uint16_t)error;
    answer->column = column;
    answer->text = gp_out_slice(out, text);
}

/* To merge answers by rank, what it ranks by must be in them: first, so that it is not cut. */
static void keep_want(gp_ask_t *ask, const gp_rank_t *rank, gp_slice_t want)
{
    for (uint32_t i = 0; i < rank->key_count && ask->rank_n > 0; i++) {
        ask->want[ask->want_n] = (uint8_t)(rank->keys[i].attr >> 8);
        ask->want[ask->want_n + 1] = (uint8_t)rank->keys[i].attr;
        ask->want_n = (uint16_t)(ask->want_n + 2);
    }
    size_t left = (sizeof ask->want - ask->want_n);
    ask->want_n = (uint16_t)(ask->want_n + copy((char *)ask->want + ask->want_n, left, want));
}

static void keep_ask(gp_route_t *r, gp_ask_t *ask, uint64_t token, const gp_msg_route_find_t *msg)
{
    uint32_t timeout_ms = msg->timeout_ms == 0 ? TIMEOUT_MS : msg->timeout_ms;
    memset(ask, 0, offsetof(gp_ask_t, absent_names));
    r->next_question += 1;
    r->asks_open |= UINT32_C(1) << (uint32_t)(ask - r->asks);
    ask->token = token;
    ask->query_id = r->next_query_id;
    ask->question = r->next_question;
    ask->phase = GP_ASK_SUBGRID;
    ask->scope = msg->scope;
    ask->explain = msg->explain;
    ask->only = msg->only;
    ask->limit = msg->limit == 0 ? GP_HITS_MAX : msg->limit;
    ask->deadline = r->now + timeout_ms * GP_MSEC;
    ask->row_count = 0;
    ask->condition_count = 0;
    ask->query_n = (uint16_t)copy(ask->query, sizeof ask->query, msg->query);
    ask->rank_n = (uint16_t)copy(ask->rank, sizeof ask->rank, msg->rank);
    keep_want(ask, &r->rank, msg->want);
    r->next_query_id += 1;
    const gp_hint_t *hint = hint_of(r, hash_of(gp_route_names_only(&r->query)));
    if (hint != NULL) {
        ask->hint_subgrid = hint->group;
        ask->hint_region = hint->region;
    }
}

/* The own sub-Grid first. */
static void ask_own(const gp_route_t *r, const gp_ask_t *ask, gp_out_t *out)
{
    gp_msg_route_question_t *to =
        &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_ROUTE_QUESTION)->u.route_question;
    gp_out_last(out)->token = ask->question;
    uint32_t timeout_ms = (uint32_t)((ask->deadline - r->now) / GP_MSEC);
    to->query = gp_slice(ask->query, ask->query_n);
    to->rank = gp_slice(ask->rank, ask->rank_n);
    to->want = gp_slice(ask->want, ask->want_n);
    to->coordinate = gp_slice(r->coordinate, r->coordinate_n);
    to->limit = ask->limit;
    to->explain = ask->explain;
    to->timeout_ms = ask->scope == GP_ROUTE_SUBGRID ? timeout_ms : (timeout_ms + 1) / 2;
}

static void search(gp_route_t *r, gp_ask_t *ask)
{
    uint8_t body[GP_ROUTE_QUESTION_MAX];
    size_t n = 0;
    const uint64_t group = r->seats[GP_SEAT_SUBGRID].group;
    memset(&r->question, 0, gp_msg_size(GP_MSG_ROUTE));
    r->question.kind = GP_MSG_ROUTE;
    gp_msg_route_t *q = &r->question.u.route;
    gp_usec_t left = ask->deadline > r->now ? ask->deadline - r->now : 0;
    q->query_id = ask->query_id;
    q->home = group;
    q->ask = GP_ROUTE_ASK_ALL;
    q->scope = ask->scope;
    q->limit = ask->limit;
    q->query = gp_slice(ask->query, ask->query_n);
    q->rank = gp_slice(ask->rank, ask->rank_n);
    q->want = gp_slice(ask->want, ask->want_n);
    q->coordinate = gp_slice(r->coordinate, r->coordinate_n);
    q->hint_subgrid = ask->hint_subgrid;
    q->hint_region = ask->hint_region;
    q->only = ask->only;
    q->timeout_ms = (uint32_t)(left / GP_MSEC);
    q->cert = gp_slice(r->cert, r->cert_n);
    gp_error_t error = gp_msg_pack(&r->question, body, sizeof body, &n);
    assert(error == GP_OK); /* GP_ROUTE_QUESTION_MAX holds the longest */
    uint32_t have = ask->rank_n > 0 ? 0 : ask->row_count;
    const gp_order_t order = {.origin = &r->self,
                              .from = &r->self,
                              .ask = GP_ROUTE_ASK_ALL,
                              .limit = (uint16_t)(ask->limit - have),
                              .timeout_ms = q->timeout_ms,
                              .bytes = gp_slice(body, n)};
    ask->phase = GP_ASK_SEARCH;
    if (gp_search_begin(r, &order) != GP_OK) {
        note_absent(ask, r->seats[GP_SEAT_REGION].group, (gp_slice_t){0}, GP_ABSENT_REFUSED);
        ask->phase = GP_ASK_ENDED;
    }
}

void gp_ask_on_command(gp_route_t *r, uint64_t token, const gp_msg_route_find_t *msg, gp_out_t *out)
{
    if (!r->above) {
        answer_error(out, token, GP_E_BUSY, gp_text("this grid is one sub-Grid: ask that"), 0);
        return;
    }
    gp_error_t error = gp_query_compile(msg->query, &r->query, &r->error);
    if (error == GP_OK) {
        error = gp_rank_compile(msg->rank, &r->rank, &r->error);
    }
    if (error != GP_OK) {
        answer_error(out, token, error, gp_slice(r->error.text, r->error.text_n), r->error.column);
        return;
    }
    gp_ask_t *ask = free_ask(r);
    if (ask == NULL) {
        answer_error(out, token, GP_E_BUSY, gp_text("too many questions of this machine are open"),
                     0);
        return;
    }
    keep_ask(r, ask, token, msg);
    if (ask->only != 0) {
        search(r, ask);
    } else {
        ask_own(r, ask, out);
    }
}

static void keep_conditions(gp_ask_t *ask, const gp_msg_route_local_t *msg)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < msg->conditions_count; i++) {
        const gp_record_condition_t *from = &msg->conditions[i];
        uint32_t n =
            copy(ask->condition_text + used, sizeof ask->condition_text - used, from->text);
        ask->conditions[i] = *from;
        ask->conditions[i].text = gp_slice(ask->condition_text + used, n);
        used += n;
    }
    ask->condition_count = msg->conditions_count;
}

bool gp_ask_on_local(gp_route_t *r, uint64_t question, const gp_msg_route_local_t *msg)
{
    gp_ask_t *ask = NULL;
    for (uint32_t i = 0; i < GP_ROUTE_ASKS_MAX && ask == NULL; i++) {
        ask = is_open(r, i) && r->asks[i].question == question ? &r->asks[i] : NULL;
    }
    if (ask == NULL) {
        return false;
    }
    if (ask->phase != GP_ASK_SUBGRID) {
        return true; /* too late */
    }
    const gp_route_seat_t *own = &r->seats[GP_SEAT_SUBGRID];
    const source_t source = {.group = own->group,
                             .above = r->seats[GP_SEAT_REGION].group,
                             .subgrid = gp_slice(r->subgrid, r->subgrid_n),
                             .region = gp_slice(r->region, r->region_n),
                             .own = true,
                             .values = msg->values,
                             .value_count = msg->values_count};
    if (msg->error != GP_OK || msg->partial) {
        note_absent(ask, own->group, source.subgrid,
                    msg->error != GP_OK ? GP_ABSENT_SILENT : GP_ABSENT_PARTIAL);
    }
    ask->asked = 1;
    ask->answered = msg->error == GP_OK ? 1 : 0;
    ask->matching = msg->matched > 0 ? 1 : 0;
    ask->considered = msg->considered;
    ask->matched = msg->matched;
    keep_conditions(ask, msg);
    put_hits(r, ask, &source, msg->hits, msg->hits_count);
    ask->phase = GP_ASK_ENDED;
    if (ask->scope != GP_ROUTE_SUBGRID && !has_enough(ask)) {
        search(r, ask);
    }
    return true;
}

/* ---- answering ------------------------------------------------------------------------------- */

static void fill_rows(const gp_ask_t *ask, gp_msg_route_answer_t *answer)
{
    bool left_out = ask->left_out;
    for (uint32_t i = 0; i < ask->row_count; i++) {
        const gp_row_t *row = &ask->rows[ask->order[i]];
        answer->hits[i] =
            (gp_record_routed_hit_t){.id = row->id,
                                     .name = gp_slice(row->name, row->name_n),
                                     .address = gp_slice(row->address, row->address_n),
                                     .rtt_us = row->rtt_us,
                                     .incarnation = row->incarnation,
                                     .group = row->group,
                                     .subgrid = gp_slice(row->subgrid, row->subgrid_n),
                                     .region = gp_slice(row->region, row->region_n)};
        for (uint32_t k = 0; k < row->value_count; k++) {
            if (answer->values_count == GP_VALUES_MAX) {
                left_out = true;
                break;
            }
            gp_record_value_t *to = &answer->values[answer->values_count];
            *to = value_at(row, k);
            to->hit = (uint8_t)i;
            answer->values_count += 1;
        }
    }
    answer->hits_count = ask->row_count;
    if (left_out) {
        answer->text = gp_text("some values were left out: ask for fewer attributes or machines");
    }
}

static void answer(gp_route_t *r, gp_ask_t *ask, gp_out_t *out)
{
    gp_msg_route_answer_t *to =
        &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_ROUTE_ANSWER)->u.route_answer;
    gp_out_last(out)->token = ask->token;
    to->query_id = ask->query_id;
    to->partial = ask->absences > 0 && !has_enough(ask);
    to->considered = ask->considered;
    to->matched = ask->matched;
    to->asked = ask->asked;
    to->answered = ask->answered;
    to->matching = ask->matching;
    to->hops = ask->hops;
    to->absences = ask->absences;
    to->absent_count = ask->absent_count;
    memcpy(to->absent, ask->absent, ask->absent_count * sizeof ask->absent[0]);
    fill_rows(ask, to);
    to->conditions_count = ask->condition_count;
    memcpy(to->conditions, ask->conditions, ask->condition_count * sizeof ask->conditions[0]);
    remember(r, ask);
    r->asks_open &= ~(UINT32_C(1) << (uint32_t)(ask - r->asks));
}

/* Answers are large: one in a batch. */
void gp_asks_due(gp_route_t *r, gp_out_t *out)
{
    for (uint32_t i = 0; i < GP_ROUTE_ASKS_MAX && r->asks_open != 0; i++) {
        gp_ask_t *ask = &r->asks[i];
        if (!is_open(r, i)) {
            continue;
        }
        if (ask->phase == GP_ASK_SUBGRID && ask->deadline <= r->now) {
            note_absent(ask, r->seats[GP_SEAT_SUBGRID].group, (gp_slice_t){0}, GP_ABSENT_SILENT);
            ask->phase = GP_ASK_ENDED;
        }
        if (ask->phase == GP_ASK_ENDED && !gp_out_holds(out, GP_MSG_ROUTE_ANSWER)) {
            answer(r, ask, out);
        }
    }
}

gp_usec_t gp_asks_wake(const gp_route_t *r)
{
    gp_usec_t wake = GP_NEVER;
    for (uint32_t i = 0; i < GP_ROUTE_ASKS_MAX && r->asks_open != 0; i++) {
        if (is_open(r, i)) {
            gp_usec_t due = r->asks[i].phase == GP_ASK_ENDED ? r->now : r->asks[i].deadline;
            wake = due < wake ? due : wake;
        }
    }
    return wake;
}

void gp_asks_check(const gp_route_t *r)
{
    for (uint32_t i = 0; i < GP_ROUTE_ASKS_MAX && r->asks_open != 0; i++) {
        const gp_ask_t *ask = &r->asks[i];
        if (is_open(r, i)) {
            assert(ask->row_count <= ask->limit && ask->limit <= GP_HITS_MAX);
            assert(ask->absent_count <= ask->absences);
        }
    }
}
