#include "discovery/route_state.h"

/* ---- others' questions to this machine's sub-Grid -------------------------------------------- */

static bool is_open(const gp_route_t *r, uint32_t i)
{
    return (r->serves_open >> i & 1) != 0;
}

static gp_serve_t *free_serve(gp_route_t *r)
{
    for (uint32_t i = 0; i < GP_ROUTE_SERVES_MAX; i++) {
        if (!is_open(r, i)) {
            r->serves_open |= UINT32_C(1) << i;
            return &r->serves[i];
        }
    }
    return NULL;
}

static bool is_known(const gp_route_t *r, const gp_order_t *order, uint64_t query_id)
{
    for (uint32_t i = 0; i < GP_ROUTE_SERVES_MAX; i++) {
        const gp_serve_t *s = &r->serves[i];
        if (is_open(r, i) && s->query_id == query_id && gp_id_equal(&s->origin, order->origin) &&
            gp_id_equal(&s->from, order->from)) {
            return true;
        }
    }
    return false;
}

static void head(gp_route_t *r, const gp_serve_t *serve)
{
    const gp_route_seat_t *own = &r->seats[GP_SEAT_SUBGRID];
    memset(&r->found, 0, gp_msg_size(GP_MSG_ROUTE_FOUND));
    r->found.kind = GP_MSG_ROUTE_FOUND;
    gp_msg_route_found_t *found = &r->found.u.route_found;
    found->origin = serve->origin;
    found->query_id = serve->query_id;
    found->group = own->group;
    found->above = r->seats[GP_SEAT_REGION].group;
    found->term = own->term;
    found->hops = serve->hops;
    found->subgrid = gp_slice(r->subgrid, r->subgrid_n);
    found->region = gp_slice(r->region, r->region_n);
    found->cert = gp_slice(r->cert, r->cert_n);
}

static void give(gp_route_t *r, const gp_id_t *to, gp_out_t *out)
{
    if (gp_id_equal(to, &r->self)) {
        gp_search_on_served(r, out);
        return;
    }
    gp_out_add(out, GP_ACTION_SEND, to, GP_MSG_ROUTE_FOUND)->u.route_found = r->found.u.route_found;
}

void gp_serve_begin(gp_route_t *r, const gp_order_t *order, gp_out_t *out)
{
    const gp_msg_route_t *q = &r->question.u.route;
    if (is_known(r, order, q->query_id)) {
        return; /* it was sent again */
    }
    gp_serve_t *serve = free_serve(r);
    if (serve == NULL) {
        const gp_serve_t busy = {
            .origin = *order->origin, .query_id = q->query_id, .hops = order->hops};
        head(r, &busy);
        r->found.u.route_found.error = GP_E_BUSY;
        give(r, order->from, out);
        return;
    }
    uint32_t way = gp_places_distance_us(q->coordinate, gp_slice(r->coordinate, r->coordinate_n));
    r->next_question += 1;
    *serve = (gp_serve_t){.origin = *order->origin,
                          .from = *order->from,
                          .query_id = q->query_id,
                          .question = r->next_question,
                          .rtt_us = way == GP_ROUTE_NOWHERE ? 0 : way,
                          .hops = order->hops,
                          .deadline = r->now + order->timeout_ms * GP_MSEC};
    gp_msg_route_question_t *to =
        &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_ROUTE_QUESTION)->u.route_question;
    gp_out_last(out)->token = serve->question;
    to->query = gp_out_slice(out, q->query);
    to->rank = gp_out_slice(out, q->rank);
    to->want = gp_out_slice(out, q->want);
    to->coordinate = gp_out_slice(out, q->coordinate);
    to->limit = order->limit;
    to->timeout_ms = order->timeout_ms;
}

/*
 * Texts are fewer than at home: the claim must travel with its carrier's frame around it. A machine
 * of which it is not known how far it is from the asker is as far as its super-peer.
 */
static void fill(gp_msg_route_found_t *to, const gp_msg_route_local_t *from, uint32_t rtt_us,
                 gp_out_t *out)
{
    uint32_t text_left = GP_ROUTE_TEXT_MAX;
    to->right = from->right;
    to->partial = from->partial;
    to->error = from->error;
    to->considered = from->considered;
    to->matched = from->matched;
    to->hits_count = from->hits_count;
    for (uint32_t i = 0; i < to->hits_count; i++) {
        to->hits[i] = from->hits[i];
        to->hits[i].rtt_us = from->hits[i].rtt_us != 0 ? from->hits[i].rtt_us : rtt_us;
        to->hits[i].name = gp_out_slice(out, from->hits[i].name);
        to->hits[i].address = gp_out_slice(out, from->hits[i].address);
    }
    for (uint32_t i = 0; i < from->values_count; i++) {
        const gp_record_value_t *value = &from->values[i];
        if (value->text.n <= text_left) {
            text_left -= value->text.n;
            to->values[to->values_count] = *value;
            to->values[to->values_count].text = gp_out_slice(out, value->text);
            to->values_count += 1;
        }
    }
}

void gp_serve_on_local(gp_route_t *r, uint64_t question, const gp_msg_route_local_t *msg,
                       gp_out_t *out)
{
    for (uint32_t i = 0; i < GP_ROUTE_SERVES_MAX; i++) {
        gp_serve_t *serve = &r->serves[i];
        if (!is_open(r, i) || serve->question != question) {
            continue;
        }
        gp_id_t to = serve->from;
        r->serves_open &= ~(UINT32_C(1) << i);
        head(r, serve);
        fill(&r->found.u.route_found, msg, serve->rtt_us, out);
        give(r, &to, out);
        return;
    }
}

void gp_serves_due(gp_route_t *r)
{
    for (uint32_t i = 0; i < GP_ROUTE_SERVES_MAX && r->serves_open != 0; i++) {
        if (is_open(r, i) && r->serves[i].deadline <= r->now) {
            r->serves_open &= ~(UINT32_C(1) << i);
        }
    }
}

gp_usec_t gp_serves_wake(const gp_route_t *r)
{
    gp_usec_t wake = GP_NEVER;
    for (uint32_t i = 0; i < GP_ROUTE_SERVES_MAX && r->serves_open != 0; i++) {
        if (is_open(r, i) && r->serves[i].deadline < wake) {
            wake = r->serves[i].deadline;
        }
    }
    return wake;
}
