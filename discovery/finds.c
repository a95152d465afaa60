#include "discovery/sentence.h"
#include "discovery/state.h"

#define TIMEOUT_MS     5000
#define RETRY_FIRST_MS 50
#define RETRY_NEWS_MS  4 /* a new leader may learn a moment later than others that it leads */
#define RETRY_MAX_MS   1000

static gp_msg_answer_t *add_answer(gp_out_t *out, uint64_t token)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_ANSWER);
    gp_out_last(out)->token = token;
    return &msg->u.answer;
}

static void answer_error(gp_discovery_t *d, gp_out_t *out, uint64_t token, gp_error_t error,
                         const gp_sentence_t *why)
{
    gp_msg_answer_t *answer = add_answer(out, token);
    answer->error = (uint16_t)error;
    answer->partial = true;
    answer->term = d->term;
    answer->right = d->right;
    answer->text = gp_out_slice(out, gp_slice(why->text, why->n));
}

static void answer_from(gp_msg_answer_t *to, const gp_msg_found_t *from, gp_out_t *out)
{
    to->query_id = from->query_id;
    to->term = from->term;
    to->right = from->right;
    to->partial = from->partial;
    to->alone = from->alone;
    to->error = from->error;
    to->column = from->column;
    to->considered = from->considered;
    to->matched = from->matched;
    to->text = gp_out_slice(out, from->text);
    to->hits_count = from->hits_count;
    for (uint32_t i = 0; i < from->hits_count; i++) {
        to->hits[i] = from->hits[i];
        to->hits[i].name = gp_out_slice(out, from->hits[i].name);
        to->hits[i].address = gp_out_slice(out, from->hits[i].address);
    }
    to->values_count = from->values_count;
    for (uint32_t i = 0; i < from->values_count; i++) {
        to->values[i] = from->values[i];
        to->values[i].text = gp_out_slice(out, from->values[i].text);
    }
    to->conditions_count = from->conditions_count;
    for (uint32_t i = 0; i < from->conditions_count; i++) {
        to->conditions[i] = from->conditions[i];
        to->conditions[i].text = gp_out_slice(out, from->conditions[i].text);
    }
}

static void close_find(gp_discovery_t *d, gp_find_t *find)
{
    uint64_t bit = UINT64_C(1) << (uint32_t)(find - d->finds);
    assert((d->open & bit) != 0);
    d->open &= ~bit;
}

static bool is_open(const gp_discovery_t *d, uint32_t i)
{
    assert(i < GP_FINDS_MAX);
    return (d->open >> i & 1) != 0;
}

static gp_question_t question_of(const gp_find_t *find)
{
    return (gp_question_t){.query = gp_slice(find->query, find->query_n),
                           .rank = gp_slice(find->rank, find->rank_n),
                           .want = gp_slice(find->want, find->want_n),
                           .near_node = find->near_node,
                           .limit = find->limit,
                           .explain = find->explain};
}

/* ---- the one who asks --------------------------------------------------------------------------
 */

static gp_find_t *free_find(gp_discovery_t *d)
{
    for (uint32_t i = 0; i < GP_FINDS_MAX; i++) {
        if (!is_open(d, i)) {
            return &d->finds[i];
        }
    }
    return NULL;
}

static void keep_find(gp_discovery_t *d, gp_find_t *find, uint64_t token,
                      const gp_msg_discovery_find_t *msg)
{
    uint32_t timeout_ms = msg->timeout_ms == 0 ? TIMEOUT_MS : msg->timeout_ms;
    assert(msg->query.n <= sizeof find->query && msg->rank.n <= sizeof find->rank);
    assert(msg->want.n <= sizeof find->want);
    d->open |= UINT64_C(1) << (uint32_t)(find - d->finds);
    find->explain = msg->explain;
    find->limit = msg->limit;
    find->token = token;
    find->query_id = d->next_query_id;
    find->order = d->find_order;
    find->gap_ms = RETRY_FIRST_MS;
    find->timeout_ms = timeout_ms;
    find->deadline = d->now + timeout_ms * GP_MSEC;
    find->send_at = d->now;
    find->asked = (gp_id_t){{0}};
    find->near_node = msg->near_node;
    find->query_n = (uint16_t)msg->query.n;
    find->rank_n = (uint16_t)msg->rank.n;
    find->want_n = (uint16_t)msg->want.n;
    if (msg->query.n > 0) {
        memcpy(find->query, msg->query.p, msg->query.n);
    }
    if (msg->rank.n > 0) {
        memcpy(find->rank, msg->rank.p, msg->rank.n);
    }
    if (msg->want.n > 0) {
        memcpy(find->want, msg->want.p, msg->want.n);
    }
    d->next_query_id += 1;
    d->find_order += 1;
}

void gp_finds_on_command(gp_discovery_t *d, uint64_t token, const gp_msg_discovery_find_t *msg,
                         gp_out_t *out)
{
    const gp_question_t question = {.query = msg->query, .rank = msg->rank};
    gp_find_t *find = free_find(d);
    if (!gp_answer_compile(d, &question)) {
        gp_msg_answer_t *answer = add_answer(out, token);
        answer->error = (uint16_t)d->error.error;
        answer->column = d->error.column;
        answer->text = gp_out_slice(out, gp_slice(d->error.text, d->error.text_n));
    } else if (find == NULL) {
        char text[GP_REASON_TEXT_MAX];
        gp_sentence_t why;
        gp_sentence_init(&why, text, sizeof text);
        gp_sentence_number(&why, GP_FINDS_MAX);
        gp_sentence_add(&why, " questions of this machine are open");
        answer_error(d, out, token, GP_E_BUSY, &why);
    } else {
        keep_find(d, find, token, msg);
    }
}

void gp_finds_on_found(gp_discovery_t *d, const gp_id_t *from, const gp_msg_found_t *msg,
                       gp_out_t *out)
{
    if (msg->group != d->group) {
        return;
    }
    for (uint32_t i = 0; i < GP_FINDS_MAX; i++) {
        gp_find_t *find = &d->finds[i];
        if (is_open(d, i) && find->query_id == msg->query_id && gp_id_equal(&find->asked, from)) {
            gp_msg_answer_t *answer = add_answer(out, find->token);
            answer_from(answer, msg, out);
            answer->by = *from;
            close_find(d, find);
            return;
        }
    }
}

void gp_finds_on_leader(gp_discovery_t *d)
{
    for (uint32_t i = 0; i < GP_FINDS_MAX; i++) {
        if (is_open(d, i)) {
            d->finds[i].send_at = d->now;
            d->finds[i].gap_ms = RETRY_NEWS_MS;
        }
    }
}

static bool can_ask(const gp_discovery_t *d)
{
    return !gp_id_is_none(&d->leader) && d->right != GP_RIGHT_NONE &&
           !gp_id_equal(&d->leader, &d->self);
}

static void send_find(gp_discovery_t *d, gp_find_t *find, gp_out_t *out)
{
    gp_msg_find_t *msg = &gp_out_add(out, GP_ACTION_SEND, &d->leader, GP_MSG_FIND)->u.find;
    const gp_question_t question = question_of(find);
    msg->group = d->group;
    msg->query_id = find->query_id;
    msg->query = question.query;
    msg->rank = question.rank;
    msg->want = question.want;
    msg->limit = question.limit;
    msg->explain = question.explain;
    msg->near_node = question.near_node;
    if (gp_id_equal(&question.near_node, &d->self)) {
        msg->near = gp_publish_place(d, out); /* newer than what the super-peer was told */
    }
    find->asked = d->leader;
    find->send_at = d->now + find->gap_ms * GP_MSEC;
    find->gap_ms = find->gap_ms < RETRY_MAX_MS / 2 ? find->gap_ms * 2 : RETRY_MAX_MS;
}

static void answer_here(gp_discovery_t *d, gp_find_t *find, gp_out_t *out)
{
    gp_msg_found_t *found = gp_out_bytes(out, sizeof *found);
    const gp_question_t question = question_of(find);
    found->query_id = find->query_id;
    gp_answer_fill(d, &question, out, found);
    gp_msg_answer_t *answer = add_answer(out, find->token);
    answer_from(answer, found, out);
    answer->by = d->self;
    close_find(d, find);
}

static void answer_late(gp_discovery_t *d, gp_find_t *find, gp_out_t *out)
{
    char text[GP_REASON_TEXT_MAX];
    gp_sentence_t why;
    gp_sentence_init(&why, text, sizeof text);
    bool asked = !gp_id_is_none(&find->asked);
    gp_sentence_add(&why, asked ? "no answer from the super-peer " : "no super-peer was known");
    uint32_t index = asked ? gp_members_find(d, &find->asked) : GP_NOBODY;
    if (index != GP_NOBODY) {
        gp_sentence_slice(&why, gp_slice(d->members[index].name, d->members[index].name_n));
    }
    gp_sentence_add(&why, " within ");
    gp_sentence_number(&why, find->timeout_ms);
    gp_sentence_add(&why, " ms");
    answer_error(d, out, find->token, asked ? GP_E_TIMED_OUT : GP_E_NO_LEADER, &why);
    close_find(d, find);
}

/* The open question that came first, of those whose answer is due now; NULL: none. */
static gp_find_t *first_due(gp_discovery_t *d)
{
    gp_find_t *first = NULL;
    bool ready = gp_discovery_ready(d);
    for (uint32_t i = 0; i < GP_FINDS_MAX; i++) {
        gp_find_t *find = &d->finds[i];
        if (is_open(d, i) && (ready || find->deadline <= d->now) &&
            (first == NULL || find->order < first->order)) {
            first = find;
        }
    }
    return first;
}

/*
 * Answers are large: those that can wait come one in a batch, to whomever, however often the core
 * is stepped for it. What an event asks for is answered at once, and events are one in a batch.
 */
void gp_finds_due(gp_discovery_t *d, gp_out_t *out)
{
    if (d->open != 0 && !gp_out_holds(out, GP_MSG_ANSWER) && !gp_out_holds(out, GP_MSG_FOUND)) {
        gp_find_t *find = first_due(d);
        if (find != NULL && gp_discovery_ready(d)) {
            answer_here(d, find, out);
        } else if (find != NULL) {
            answer_late(d, find, out);
        }
    }
    for (uint32_t i = 0; i < GP_FINDS_MAX && d->open != 0 && can_ask(d); i++) {
        if (is_open(d, i) && d->finds[i].send_at <= d->now) {
            send_find(d, &d->finds[i], out);
        }
    }
}

gp_usec_t gp_finds_wake(const gp_discovery_t *d)
{
    gp_usec_t wake = GP_NEVER;
    if (d->open == 0) {
        return wake;
    }
    if (gp_discovery_ready(d)) {
        return d->now; /* more answers than one step may give */
    }
    bool gathering = gp_discovery_leads(d);
    for (uint32_t i = 0; i < GP_FINDS_MAX; i++) {
        const gp_find_t *find = &d->finds[i];
        if (!is_open(d, i)) {
            continue;
        }
        gp_usec_t next = find->deadline;
        if (can_ask(d) && find->send_at < next) {
            next = find->send_at;
        }
        if (gathering && d->gather_until < next) {
            next = d->gather_until;
        }
        wake = next < wake ? next : wake;
    }
    return wake;
}

/* ---- the one who is asked -----------------------------------------------------------------------
 */

/* Silence is an answer, too: the asker tries again, here or at the next leader. */
void gp_finds_on_find(gp_discovery_t *d, const gp_id_t *from, const gp_msg_find_t *msg,
                      gp_out_t *out)
{
    uint32_t index = gp_members_find(d, from);
    if (index == GP_NOBODY || msg->group != d->group || !gp_discovery_ready(d)) {
        return;
    }
    const gp_question_t question = {.query = msg->query,
                                    .rank = msg->rank,
                                    .want = msg->want,
                                    .near = msg->near,
                                    .near_node = msg->near_node,
                                    .limit = msg->limit,
                                    .explain = msg->explain};
    gp_msg_found_t *found = &gp_out_add(out, GP_ACTION_SEND, from, GP_MSG_FOUND)->u.found;
    found->query_id = msg->query_id;
    gp_answer_fill(d, &question, out, found);
}

void gp_finds_check(const gp_discovery_t *d)
{
    for (uint32_t i = 0; i < GP_FINDS_MAX; i++) {
        if (is_open(d, i)) {
            assert(d->finds[i].order < d->find_order && d->finds[i].query_n <= GP_QUERY_MAX);
        }
    }
}
