#include "discovery/route_state.h"

#include "proto/evidence.h"

#define RESEND_FIRST (100 * GP_MSEC) /* a super-peer answers sooner; then doubling */
#define RESEND_RELAY (500 * GP_MSEC) /* who asks others is asked again later */
#define RESEND_MAX   (2 * GP_SECOND)
#define PATIENCE_MIN (200 * GP_MSEC) /* with a sub-Grid, before the next is asked instead of it */
#define PATIENCE_MAX (1 * GP_SECOND)
#define GRACE        (20 * GP_MSEC)  /* once there is enough, for who was asked as well */
#define STRAGGLE     (200 * GP_MSEC) /* for answers that were overtaken by the end */
#define MARGIN_MIN   (10 * GP_MSEC)  /* of the time left, kept for the way back: an eighth or ... */
#define BACKS_MAX    (GP_MEMBERS_MAX * GP_MEMBERS_MAX)

/* ---- the table ------------------------------------------------------------------------------- */

static bool is_open(const gp_route_t *r, uint32_t i)
{
    return (r->searches_open >> i & 1) != 0;
}

static bool is_own(const gp_route_t *r, const gp_search_t *search)
{
    return gp_id_equal(&search->from, &r->self);
}

static gp_search_t *free_search(gp_route_t *r)
{
    if (r->searches_open == UINT64_MAX) {
        return NULL;
    }
    uint32_t i = gp_lowest_bit(~r->searches_open);
    r->searches_open |= UINT64_C(1) << i;
    return &r->searches[i];
}

static bool is_known(const gp_route_t *r, const gp_order_t *order, uint64_t query_id)
{
    for (uint32_t i = 0; i < GP_ROUTES_MAX; i++) {
        const gp_search_t *s = &r->searches[i];
        if (is_open(r, i) && s->query_id == query_id && s->ask == order->ask &&
            gp_id_equal(&s->origin, order->origin)) {
            return true;
        }
    }
    return false;
}

/* Reads the question that a search carries into r->question. */
static void read_question(gp_route_t *r, const gp_search_t *search)
{
    gp_envelope_t envelope;
    gp_slice_t bytes = gp_slice(search->bytes, search->bytes_n);
    gp_error_t error = is_own(r, search)
                           ? gp_msg_read(GP_MSG_ROUTE, bytes, true, &r->question)
                           : gp_evidence_open(bytes, GP_MSG_ROUTE, &envelope, &r->question);
    assert(error == GP_OK); /* it was read when it came */
}

static void note_absent(gp_search_t *search, uint64_t group, gp_slice_t name, gp_absent_why_t why)
{
    search->absences += 1;
    if (search->absent_count < GP_ROUTE_ABSENT_MAX) {
        uint32_t i = search->absent_count;
        assert(name.n <= GP_NAME_MAX);
        if (name.n > 0) {
            memcpy(search->absent_names[i], name.p, name.n);
        }
        search->absent[i] = (gp_record_absent_t){
            .group = group, .name = gp_slice(search->absent_names[i], name.n), .why = (uint8_t)why};
        search->absent_count += 1;
    }
}

/* ---- whom to ask ----------------------------------------------------------------------------- */

/* In this order parts are asked: the one hinted at, then sub-Grids, then regions, nearest first. */
static bool comes_before(const gp_leg_t *a, const gp_leg_t *b)
{
    if (a->hinted != b->hinted) {
        return a->hinted;
    }
    if (a->ask != b->ask) {
        return a->ask == GP_ROUTE_ASK_SUBGRID;
    }
    if (a->distance_us != b->distance_us) {
        return a->distance_us < b->distance_us;
    }
    return a->group < b->group;
}

static void add_leg(gp_search_t *search, gp_leg_t leg)
{
    assert(search->leg_count < GP_ROUTE_LEGS_MAX);
    uint32_t at = search->leg_count;
    for (; at > 0 && comes_before(&leg, &search->legs[at - 1]); at--) {
        search->legs[at] = search->legs[at - 1];
    }
    search->legs[at] = leg;
    search->leg_count += 1;
}

static gp_seat_t directory_of(const gp_leg_t *leg)
{
    return leg->ask == GP_ROUTE_ASK_SUBGRID ? GP_SEAT_REGION : GP_SEAT_GRID;
}

static bool is_in_directory(const gp_leg_t *leg)
{
    return leg->ask == GP_ROUTE_ASK_SUBGRID || leg->ask == GP_ROUTE_ASK_REGION;
}

/* All parts in that directory that may match, but the one that was asked already. */
static void plan_parts(gp_route_t *r, gp_search_t *search, gp_seat_t seat, uint64_t but)
{
    const gp_msg_route_t *q = &r->question.u.route;
    const gp_route_directory_t *d = &r->directory[seat];
    const bool region = seat == GP_SEAT_GRID;
    if (q->only == 0 && gp_places_young(r, seat)) {
        note_absent(search, r->seats[seat].group, (gp_slice_t){0}, GP_ABSENT_YOUNG);
    }
    for (uint32_t i = 0; i < d->count; i++) {
        const gp_route_place_t *place = &d->places[i];
        if (place->group == but || (q->only != 0 && place->group != q->only) ||
            !gp_places_may_match(r, place)) {
            continue;
        }
        if (place->silent) {
            note_absent(search, place->group, gp_slice(place->name, place->name_n),
                        GP_ABSENT_SILENT);
            continue;
        }
        gp_slice_t where = gp_slice(place->coordinate, place->coordinate_n);
        gp_leg_t leg = {.group = place->group,
                        .distance_us = gp_places_distance_us(q->coordinate, where),
                        .ask = region ? GP_ROUTE_ASK_REGION : GP_ROUTE_ASK_SUBGRID,
                        .hinted = place->group == (region ? q->hint_region : q->hint_subgrid)};
        add_leg(search, leg);
    }
}

static gp_error_t plan(gp_route_t *r, gp_search_t *search)
{
    const gp_msg_route_t *q = &r->question.u.route;
    const bool up = search->ask == GP_ROUTE_ASK_ALL;
    if (gp_route_leads(r, GP_SEAT_REGION)) {
        gp_error_t error = gp_query_compile(q->query, &r->query, &r->error);
        if (error != GP_OK) {
            return error;
        }
        plan_parts(r, search, GP_SEAT_REGION, q->home);
        if (search->ask != GP_ROUTE_ASK_REGION && q->scope == GP_ROUTE_GRID) {
            plan_parts(r, search, GP_SEAT_GRID, r->seats[GP_SEAT_REGION].group);
        }
        return GP_OK;
    }
    const bool super_peer = gp_route_leads(r, GP_SEAT_SUBGRID);
    if (!up || (!super_peer && !is_own(r, search))) {
        return GP_E_NO_LEADER;
    }
    const gp_seat_t seat = super_peer ? GP_SEAT_REGION : GP_SEAT_SUBGRID;
    add_leg(search, (gp_leg_t){.group = r->seats[seat].group,
                               .ask = super_peer ? GP_ROUTE_ASK_OTHERS : GP_ROUTE_ASK_ALL});
    return GP_OK;
}

gp_error_t gp_search_begin(gp_route_t *r, const gp_order_t *order)
{
    const gp_msg_route_t *q = &r->question.u.route;
    assert(order->bytes.n <= GP_ROUTE_QUESTION_MAX);
    if (is_known(r, order, q->query_id)) {
        return GP_OK; /* it was sent again */
    }
    gp_search_t *search = free_search(r);
    if (search == NULL) {
        return GP_E_BUSY;
    }
    *search = (gp_search_t){.origin = *order->origin,
                            .query_id = q->query_id,
                            .from = *order->from,
                            .deadline = r->now + order->timeout_ms * GP_MSEC,
                            .limit = order->limit == 0 ? GP_HITS_MAX : order->limit,
                            .ask = order->ask,
                            .hops = order->hops,
                            .ranked = q->rank.n > 0,
                            .round = ++r->next_round,
                            .bytes_n = order->bytes.n};
    memcpy(search->bytes, order->bytes.p, order->bytes.n);
    gp_error_t error = plan(r, search);
    if (error != GP_OK) {
        r->searches_open &= ~(UINT64_C(1) << (uint32_t)(search - r->searches));
    }
    return error;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Who is to be asked now: leaders change. None: nobody is known at the moment. */
static gp_id_t target_of(gp_route_t *r, const gp_leg_t *leg)
{
    if (is_in_directory(leg)) {
        const gp_route_place_t *place = gp_places_find(r, directory_of(leg), leg->group);
        return place != NULL ? place->leader : (gp_id_t){{0}};
    }
    return r->seats[leg->ask == GP_ROUTE_ASK_OTHERS ? GP_SEAT_REGION : GP_SEAT_SUBGRID].leader;
}

static gp_usec_t patience(const gp_leg_t *leg, gp_usec_t left)
{
    gp_usec_t third = left / 3;
    switch ((gp_route_ask_t)leg->ask) {
    case GP_ROUTE_ASK_SUBGRID:
        third = third > PATIENCE_MAX ? PATIENCE_MAX : third;
        third = third < PATIENCE_MIN ? PATIENCE_MIN : third;
        return third < left ? third : left;
    case GP_ROUTE_ASK_REGION:
        return left - third;
    default:
        return left;
    }
}

static uint16_t still_wanted(const gp_search_t *search)
{
    return search->ranked || search->hits >= search->limit
               ? search->limit
               : (uint16_t)(search->limit - search->hits);
}

/* Its own question is signed for each; another's is carried as it was signed. */
static void send_question(gp_route_t *r, const gp_search_t *search, const gp_leg_t *leg,
                          uint32_t timeout_ms, gp_out_t *out)
{
    if (is_own(r, search)) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &leg->asked, GP_MSG_ROUTE);
        msg->u.route = r->question.u.route;
        msg->u.route.ask = leg->ask;
        msg->u.route.limit = still_wanted(search);
        msg->u.route.timeout_ms = timeout_ms;
        gp_slice_t *parts[] = {&msg->u.route.query, &msg->u.route.rank, &msg->u.route.want,
                               &msg->u.route.coordinate, &msg->u.route.cert};
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            *parts[i] = gp_out_slice(out, *parts[i]);
        }
        return;
    }
    gp_msg_route_pass_t *pass =
        &gp_out_add(out, GP_ACTION_SEND, &leg->asked, GP_MSG_ROUTE_PASS)->u.route_pass;
    pass->ask = leg->ask;
    pass->group = leg->group;
    pass->hops = (uint8_t)(search->hops + 1);
    pass->limit = still_wanted(search);
    pass->timeout_ms = timeout_ms;
    pass->claim = gp_out_slice(out, gp_slice(search->bytes, search->bytes_n));
}

static void end_leg(gp_route_t *r, gp_search_t *search, gp_leg_t *leg, gp_absent_why_t why)
{
    gp_slice_t name = {0};
    if (is_in_directory(leg)) {
        const gp_route_place_t *place = gp_places_find(r, directory_of(leg), leg->group);
        name = place != NULL ? gp_slice(place->name, place->name_n) : name;
    }
    leg->state = GP_LEG_ENDED;
    note_absent(search, leg->group, name, why);
}

static uint32_t timeout_ms_of(const gp_route_t *r, const gp_leg_t *leg)
{
    gp_usec_t left = leg->give_up_at > r->now ? leg->give_up_at - r->now : 0;
    gp_usec_t margin = left / 8 > MARGIN_MIN ? left / 8 : MARGIN_MIN;
    gp_usec_t usable = left > 2 * margin ? left - margin : left / 2;
    return usable >= GP_MSEC ? (uint32_t)(usable / GP_MSEC) : 1;
}

/* This machine leads there since a moment: what it would have asked for is its own to ask now. */
static void lead_on(gp_route_t *r, gp_search_t *search, gp_leg_t *leg)
{
    const bool up = leg->ask == GP_ROUTE_ASK_ALL;
    if (!gp_route_leads(r, up ? GP_SEAT_SUBGRID : GP_SEAT_REGION)) {
        end_leg(r, search, leg, GP_ABSENT_REFUSED);
        return;
    }
    search->leg_count = 0; /* it was the only one, and makes room for them */
    search->held = true;   /* its parts are asked in the next step */
    if (plan(r, search) != GP_OK) {
        note_absent(search, r->seats[GP_SEAT_REGION].group, (gp_slice_t){0}, GP_ABSENT_REFUSED);
    }
}

static void ask_leg(gp_route_t *r, gp_search_t *search, gp_leg_t *leg, gp_out_t *out)
{
    const bool first = leg->state == GP_LEG_WAITING;
    const gp_id_t to = target_of(r, leg);
    const bool relay = leg->ask != GP_ROUTE_ASK_SUBGRID;
    read_question(r, search);
    if (first) {
        leg->give_up_at = r->now + patience(leg, search->deadline - r->now);
        leg->gap = relay ? RESEND_RELAY : RESEND_FIRST;
        search->asked += leg->ask == GP_ROUTE_ASK_SUBGRID ? 1 : 0;
    }
    if (!gp_id_equal(&leg->asked, &to)) {
        leg->round = leg->backs = 0;
    }
    leg->state = GP_LEG_ASKED;
    leg->asked = to;
    leg->send_at = r->now + leg->gap;
    leg->gap = leg->gap < RESEND_MAX / 2 ? leg->gap * 2 : RESEND_MAX;
    if (gp_id_is_none(&to) && is_in_directory(leg)) {
        end_leg(r, search, leg, GP_ABSENT_REFUSED); /* it is gone */
    } else if (gp_id_equal(&to, &r->self) && leg->ask == GP_ROUTE_ASK_SUBGRID) {
        const gp_order_t order = {.origin = &search->origin,
                                  .from = &r->self,
                                  .hops = search->hops,
                                  .limit = still_wanted(search),
                                  .timeout_ms = timeout_ms_of(r, leg)};
        gp_serve_begin(r, &order, out);
    } else if (gp_id_equal(&to, &r->self) && !is_in_directory(leg)) {
        lead_on(r, search, leg);
    } else if (gp_id_equal(&to, &r->self)) {
        end_leg(r, search, leg, GP_ABSENT_REFUSED); /* its own region by an old name */
    } else if (!gp_id_is_none(&to)) {
        send_question(r, search, leg, timeout_ms_of(r, leg), out);
    }
}

/* ---- what comes back ------------------------------------------------------------------------- */

static gp_leg_t *leg_of(const gp_route_t *r, const gp_id_t *origin, uint64_t query_id,
                        const gp_id_t *from, gp_search_t **ret_search)
{
    for (uint32_t i = 0; i < GP_ROUTES_MAX; i++) {
        gp_search_t *s = &r->searches[i];
        if (!is_open(r, i) || s->query_id != query_id || !gp_id_equal(&s->origin, origin)) {
            continue;
        }
        for (uint32_t k = 0; k < s->leg_count; k++) {
            gp_leg_t *leg = &s->legs[k];
            bool waits = leg->state == GP_LEG_ASKED || leg->state == GP_LEG_SHORT;
            if (waits && gp_id_equal(&leg->asked, from)) {
                *ret_search = s;
                return leg;
            }
        }
    }
    return NULL;
}

/* An answer for the asker: here, or further on. `claim` is empty if this machine gave it itself. */
static void pass_back(gp_route_t *r, gp_search_t *search, gp_slice_t claim, gp_out_t *out)
{
    const gp_msg_route_found_t *found = &r->found.u.route_found;
    search->backs += 1;
    if (is_own(r, search)) {
        gp_ask_on_found(r, found);
    } else if (claim.n == 0) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &search->from, GP_MSG_ROUTE_FOUND);
        msg->u.route_found = *found;
        msg->u.route_found.round = search->round;
    } else if (claim.n <= GP_ROUTE_CLAIM_MAX) {
        gp_msg_route_back_t *back =
            &gp_out_add(out, GP_ACTION_SEND, &search->from, GP_MSG_ROUTE_BACK)->u.route_back;
        back->origin = search->origin;
        back->query_id = search->query_id;
        back->round = search->round;
        back->claim = gp_out_slice(out, claim);
    }
}

static void judge(gp_route_t *r, const gp_leg_t *leg, const gp_msg_route_found_t *found)
{
    gp_route_place_t *place = gp_places_find(r, GP_SEAT_REGION, leg->group);
    if (place != NULL) {
        place->asked += 1;
        place->vain += found->matched == 0 && !found->partial ? 1 : 0;
    }
}

/* A sub-Grid answered, with r->found. */
static void end_subgrid(gp_route_t *r, gp_search_t *search, gp_leg_t *leg, gp_slice_t claim,
                        gp_out_t *out)
{
    const gp_msg_route_found_t *found = &r->found.u.route_found;
    if (found->error != GP_OK || found->group != leg->group) {
        end_leg(r, search, leg, GP_ABSENT_REFUSED);
        return;
    }
    judge(r, leg, found);
    search->answered += 1;
    search->matching += found->matched > 0 ? 1 : 0;
    search->considered += found->considered;
    search->matched += found->matched;
    search->hits += found->hits_count;
    if (found->partial) {
        end_leg(r, search, leg, GP_ABSENT_PARTIAL);
    }
    leg->state = GP_LEG_ENDED;
    if (found->hits_count > 0) {
        pass_back(r, search, claim, out);
    }
}

/* Who was asked again may have begun again: only what came in one round tells what was lost. */
static bool is_newest(gp_leg_t *leg, uint32_t round)
{
    if (round > leg->round) {
        leg->round = round;
        leg->backs = 0;
    }
    return round == leg->round;
}

static void count_back(gp_leg_t *leg, uint32_t round)
{
    leg->backs += is_newest(leg, round) ? 1 : 0;
    if (leg->state == GP_LEG_SHORT && leg->backs >= leg->backs_due) {
        leg->state = GP_LEG_ENDED;
    }
}

void gp_search_on_found(gp_route_t *r, const gp_id_t *from, const gp_msg_t *msg, gp_out_t *out)
{
    const gp_msg_route_found_t *found = &msg->u.route_found;
    gp_search_t *search;
    gp_leg_t *leg = leg_of(r, &found->origin, found->query_id, from, &search);
    if (leg == NULL) {
        return;
    }
    gp_msg_copy(&r->found, msg);
    if (leg->ask == GP_ROUTE_ASK_SUBGRID) {
        end_subgrid(r, search, leg, msg->signed_bytes, out);
    } else if (leg->backs < BACKS_MAX) { /* a region peer of its own sub-Grid */
        pass_back(r, search, msg->signed_bytes, out);
        count_back(leg, found->round);
    }
}

void gp_search_on_served(gp_route_t *r, gp_out_t *out)
{
    const gp_msg_route_found_t *found = &r->found.u.route_found;
    gp_search_t *search;
    gp_leg_t *leg = leg_of(r, &found->origin, found->query_id, &r->self, &search);
    if (leg != NULL) {
        end_subgrid(r, search, leg, (gp_slice_t){0}, out);
    }
}

void gp_search_on_back(gp_route_t *r, const gp_id_t *from, const gp_msg_route_back_t *msg,
                       gp_out_t *out)
{
    gp_envelope_t envelope;
    gp_search_t *search;
    gp_leg_t *leg = leg_of(r, &msg->origin, msg->query_id, from, &search);
    if (leg == NULL || leg->ask == GP_ROUTE_ASK_SUBGRID || leg->backs >= BACKS_MAX) {
        return;
    }
    if (is_own(r, search)) {
        const gp_msg_route_found_t *found = &r->found.u.route_found;
        if (gp_evidence_open(msg->claim, GP_MSG_ROUTE_FOUND, &envelope, &r->found) != GP_OK ||
            found->query_id != search->query_id || !gp_id_equal(&found->origin, &r->self)) {
            return;
        }
    }
    pass_back(r, search, msg->claim, out);
    count_back(leg, msg->round);
}

void gp_search_on_done(gp_route_t *r, const gp_id_t *from, const gp_msg_route_done_t *msg)
{
    gp_search_t *search;
    gp_leg_t *leg = leg_of(r, &msg->origin, msg->query_id, from, &search);
    if (leg == NULL || leg->ask == GP_ROUTE_ASK_SUBGRID || leg->state != GP_LEG_ASKED) {
        return;
    }
    if (msg->error == GP_E_NO_LEADER) {
        return; /* another leads there by now: it is asked once it is known here */
    }
    if (msg->error != GP_OK) {
        end_leg(r, search, leg, GP_ABSENT_REFUSED);
        return;
    }
    if (!is_newest(leg, msg->round)) {
        return;
    }
    search->asked += msg->asked;
    search->answered += msg->answered;
    search->matching += msg->matching;
    search->considered += msg->considered;
    search->matched += msg->matched;
    search->hits += msg->hits;
    for (uint32_t i = 0; i < msg->absent_count; i++) {
        note_absent(search, msg->absent[i].group, msg->absent[i].name,
                    (gp_absent_why_t)msg->absent[i].why);
    }
    search->absences += msg->absences > msg->absent_count ? msg->absences - msg->absent_count : 0;
    leg->backs_due = msg->backs;
    leg->state = leg->backs < leg->backs_due ? GP_LEG_SHORT : GP_LEG_ENDED;
    gp_usec_t until = r->now + STRAGGLE;
    leg->give_up_at = until < leg->give_up_at ? until : leg->give_up_at;
}

/* ---- questions of others --------------------------------------------------------------------- */

static void refuse(const gp_order_t *order, uint64_t query_id, gp_error_t error, gp_out_t *out)
{
    gp_msg_route_done_t *done =
        &gp_out_add(out, GP_ACTION_SEND, order->from, GP_MSG_ROUTE_DONE)->u.route_done;
    done->origin = *order->origin;
    done->query_id = query_id;
    done->error = (uint16_t)error;
}

static void take(gp_route_t *r, const gp_order_t *order, gp_out_t *out)
{
    if (!r->above || order->bytes.n == 0 || order->bytes.n > GP_ROUTE_QUESTION_MAX) {
        return;
    }
    if (order->ask == GP_ROUTE_ASK_SUBGRID) {
        gp_serve_begin(r, order, out);
        return;
    }
    bool another = order->group != 0 && order->group != r->seats[GP_SEAT_REGION].group;
    gp_error_t error = another ? GP_E_NO_LEADER : gp_search_begin(r, order);
    if (error != GP_OK) {
        refuse(order, r->question.u.route.query_id, error, out);
    }
}

void gp_search_on_route(gp_route_t *r, const gp_id_t *from, const gp_msg_t *msg, gp_out_t *out)
{
    gp_msg_copy(&r->question, msg);
    const gp_msg_route_t *q = &r->question.u.route;
    const gp_order_t order = {.origin = from,
                              .from = from,
                              .ask = q->ask,
                              .hops = q->ask == GP_ROUTE_ASK_ALL ? 0 : 1,
                              .limit = q->limit,
                              .timeout_ms = q->timeout_ms,
                              .bytes = msg->signed_bytes};
    if (q->ask >= GP_ROUTE_ASK_ALL && !gp_id_equal(from, &r->self)) {
        take(r, &order, out);
    }
}

void gp_search_on_pass(gp_route_t *r, const gp_id_t *from, const gp_msg_route_pass_t *msg,
                       gp_out_t *out)
{
    gp_envelope_t envelope;
    if (gp_evidence_open(msg->claim, GP_MSG_ROUTE, &envelope, &r->question) != GP_OK ||
        gp_id_equal(&envelope.source, &r->self)) {
        return;
    }
    const gp_msg_route_t *q = &r->question.u.route;
    const gp_order_t order = {.origin = &envelope.source,
                              .from = from,
                              .group = msg->group,
                              .ask = msg->ask,
                              .hops = msg->hops,
                              .limit = msg->limit,
                              .timeout_ms =
                                  msg->timeout_ms < q->timeout_ms ? msg->timeout_ms : q->timeout_ms,
                              .bytes = msg->claim};
    bool further = msg->ask < GP_ROUTE_ASK_SUBGRID;
    /* What was asked of the asker's super-peer is never asked of the next, and so on. */
    if (msg->ask > q->ask && msg->hops + (further ? 1 : 0) <= GP_ROUTE_HOPS_MAX) {
        take(r, &order, out);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Who did not answer is not missed if there is enough; an answer that was lost counted as one. */
static void give_up(gp_route_t *r, gp_search_t *search, gp_leg_t *leg)
{
    if (leg->state == GP_LEG_SHORT) {
        end_leg(r, search, leg, GP_ABSENT_LOST);
    } else if (!search->enough) {
        end_leg(r, search, leg, leg->state == GP_LEG_WAITING ? GP_ABSENT_LATE : GP_ABSENT_SILENT);
    }
    leg->state = GP_LEG_ENDED;
}

static void finish(gp_route_t *r, gp_search_t *search, gp_out_t *out)
{
    for (uint32_t i = 0; i < search->leg_count; i++) {
        if (search->legs[i].state != GP_LEG_ENDED) {
            give_up(r, search, &search->legs[i]);
        }
    }
    r->searches_open &= ~(UINT64_C(1) << (uint32_t)(search - r->searches));
    if (is_own(r, search)) {
        gp_ask_on_end(r, search);
        return;
    }
    gp_msg_route_done_t *done =
        &gp_out_add(out, GP_ACTION_SEND, &search->from, GP_MSG_ROUTE_DONE)->u.route_done;
    done->origin = search->origin;
    done->query_id = search->query_id;
    done->round = search->round;
    done->asked = search->asked;
    done->answered = search->answered;
    done->matching = search->matching;
    done->considered = search->considered;
    done->matched = search->matched;
    done->backs = search->backs;
    done->hits = search->hits;
    done->absences = search->absences;
    done->absent_count = search->absent_count;
    for (uint32_t i = 0; i < search->absent_count; i++) {
        done->absent[i] = search->absent[i];
        done->absent[i].name = gp_out_slice(out, search->absent[i].name);
    }
}

/* There is enough: who was asked as well may be nearer, and has as long as its way takes. */
static void see_enough(gp_route_t *r, gp_search_t *search)
{
    if (search->enough || search->ranked || search->hits < search->limit) {
        return;
    }
    search->enough = true;
    for (uint32_t i = 0; i < search->leg_count; i++) {
        gp_leg_t *leg = &search->legs[i];
        gp_usec_t way = leg->distance_us == GP_ROUTE_NOWHERE ? 0 : leg->distance_us;
        gp_usec_t until = r->now + GRACE + way;
        leg->give_up_at = until < leg->give_up_at ? until : leg->give_up_at;
    }
}

static void tend_open(gp_route_t *r, gp_search_t *search, gp_leg_t *leg, gp_out_t *out)
{
    if (leg->give_up_at <= r->now) {
        give_up(r, search, leg);
        return;
    }
    gp_id_t to = target_of(r, leg);
    bool other = !gp_id_is_none(&to) && !gp_id_equal(&to, &leg->asked);
    if (leg->state == GP_LEG_ASKED && (leg->send_at <= r->now || other)) {
        ask_leg(r, search, leg, out);
    }
}

/* Regions wait for the sub-Grids here, all for the part that is hinted at. */
static bool may_start(const gp_search_t *search, const gp_leg_t *leg)
{
    for (const gp_leg_t *before = search->legs; before < leg; before++) {
        bool first = (before->hinted && !leg->hinted) || (!leg->hinted && before->ask != leg->ask);
        if (first && before->state != GP_LEG_ENDED) {
            return false;
        }
    }
    return true;
}

static void tend(gp_route_t *r, gp_search_t *search, gp_out_t *out)
{
    uint32_t open = 0;
    bool waiting = false;
    search->held = !gp_out_is_light(out);
    if (search->held) {
        return; /* in the next step */
    }
    see_enough(r, search);
    for (uint32_t i = 0; i < search->leg_count; i++) {
        gp_leg_t *leg = &search->legs[i];
        if (leg->state == GP_LEG_ASKED || leg->state == GP_LEG_SHORT) {
            tend_open(r, search, leg, out);
            open += leg->state != GP_LEG_ENDED ? 1 : 0;
        }
    }
    for (uint32_t i = 0; i < search->leg_count && !search->enough; i++) {
        gp_leg_t *leg = &search->legs[i];
        if (leg->state != GP_LEG_WAITING) {
            continue;
        }
        if (open < GP_ROUTE_PARALLEL_MAX && search->deadline > r->now && may_start(search, leg)) {
            ask_leg(r, search, leg, out);
            open += leg->state != GP_LEG_ENDED ? 1 : 0;
        }
        waiting = waiting || leg->state == GP_LEG_WAITING;
    }
    if (search->deadline <= r->now || (open == 0 && (search->enough || !waiting))) {
        finish(r, search, out);
    }
}

void gp_searches_due(gp_route_t *r, gp_out_t *out)
{
    for (uint64_t bits = r->searches_open; bits != 0; bits &= bits - 1) {
        tend(r, &r->searches[gp_lowest_bit(bits)], out);
    }
}

gp_usec_t gp_searches_wake(const gp_route_t *r)
{
    gp_usec_t wake = GP_NEVER;
    for (uint64_t bits = r->searches_open; bits != 0; bits &= bits - 1) {
        const gp_search_t *search = &r->searches[gp_lowest_bit(bits)];
        wake = search->deadline < wake ? search->deadline : wake;
        wake = search->held ? r->now : wake;
        for (uint32_t i = 0; i < search->leg_count; i++) {
            const gp_leg_t *leg = &search->legs[i];
            if (leg->state == GP_LEG_ASKED || leg->state == GP_LEG_SHORT) {
                wake = leg->give_up_at < wake ? leg->give_up_at : wake;
            }
            if (leg->state == GP_LEG_ASKED) {
                wake = leg->send_at < wake ? leg->send_at : wake;
            }
        }
    }
    return wake;
}

void gp_searches_check(const gp_route_t *r)
{
    for (uint64_t bits = r->searches_open; bits != 0; bits &= bits - 1) {
        const gp_search_t *search = &r->searches[gp_lowest_bit(bits)];
        uint32_t open = 0;
        assert(search->leg_count <= GP_ROUTE_LEGS_MAX && search->hops <= GP_ROUTE_HOPS_MAX);
        assert(search->absent_count <= search->absences);
        for (uint32_t i = 0; i < search->leg_count; i++) {
            const gp_leg_t *leg = &search->legs[i];
            bool asked = leg->state == GP_LEG_ASKED || leg->state == GP_LEG_SHORT;
            open += asked ? 1 : 0;
            assert(leg->ask > search->ask || (leg->ask == search->ask && is_own(r, search)));
        }
        assert(open <= GP_ROUTE_PARALLEL_MAX);
    }
}
