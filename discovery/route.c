#include "discovery/route_state.h"

#define PAIR_POOL (GP_ROUTE_ROW_TEXT + 2 * GP_NAME_MAX)

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct layout {
    size_t told_names[GP_SEAT_COUNT - 1];
    size_t places[GP_SEAT_COUNT];
    size_t names[GP_SEAT_COUNT];
    size_t searches;
    size_t asks;
    size_t serves;
    size_t hints;
    size_t pair;
    size_t end;
} layout_t;

static const uint32_t names_max[GP_SEAT_COUNT] = {0, GP_ROUTE_SUB_NAMES, GP_PLACE_NAMES_MAX};

static size_t place(size_t *end, size_t bytes)
{
    size_t at = *end;
    *end = (at + bytes + 63) / 64 * 64;
    return at;
}

/* A machine of a lone sub-Grid has no memory for what is beyond it. */
static layout_t lay_out(const gp_route_config_t *config)
{
    layout_t l = {0};
    size_t end = 0;
    const bool above = config->groups[GP_SEAT_REGION] != 0;
    (void)place(&end, above ? sizeof(gp_route_t) : offsetof(gp_route_t, query));
    if (above) {
        for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
            l.told_names[seat - 1] = place(&end, names_max[seat]);
            l.places[seat] = place(&end, GP_MEMBERS_MAX * sizeof(gp_route_place_t));
            l.names[seat] = place(&end, GP_MEMBERS_MAX * (size_t)names_max[seat]);
        }
        l.searches = place(&end, GP_ROUTES_MAX * sizeof(gp_search_t));
        l.asks = place(&end, GP_ROUTE_ASKS_MAX * sizeof(gp_ask_t));
        l.serves = place(&end, GP_ROUTE_SERVES_MAX * sizeof(gp_serve_t));
        l.hints = place(&end, GP_ROUTE_HINTS_MAX * sizeof(gp_hint_t));
        l.pair = place(&end, gp_records_size(2, PAIR_POOL));
    }
    l.end = end;
    return l;
}

static size_t route_size(const void *config)
{
    const gp_route_config_t *c = config;
    if (c->subgrid.n > GP_NAME_MAX || c->region.n > GP_NAME_MAX || c->cert.n > GP_CERT_MAX) {
        return 0;
    }
    return lay_out(c).end;
}

static void init_above(gp_route_t *r, uint8_t *base, const layout_t *l)
{
    for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
        gp_route_directory_t *d = &r->directory[seat];
        r->told[seat - 1].names = base + l->told_names[seat - 1];
        r->told[seat - 1].due = GP_NEVER;
        d->names_max = names_max[seat];
        d->places = (gp_route_place_t *)(void *)(base + l->places[seat]);
        for (uint32_t i = 0; i < GP_MEMBERS_MAX; i++) {
            d->places[i] = (gp_route_place_t){.names = base + l->names[seat] + i * d->names_max};
        }
    }
    r->searches = (gp_search_t *)(void *)(base + l->searches);
    r->asks = (gp_ask_t *)(void *)(base + l->asks);
    r->serves = (gp_serve_t *)(void *)(base + l->serves);
    r->hints = (gp_hint_t *)(void *)(base + l->hints);
    memset(r->hints, 0, GP_ROUTE_HINTS_MAX * sizeof *r->hints);
    r->pair = gp_records_init(base + l->pair, 2, PAIR_POOL);
}

static void keep(void *to, gp_slice_t from)
{
    if (from.n > 0) {
        memcpy(to, from.p, from.n);
    }
}

static void route_init(void *core, const void *config, gp_id_t self, uint64_t seed)
{
    const gp_route_config_t *c = config;
    gp_route_t *r = core;
    gp_random_t random;
    layout_t l = lay_out(c);
    memset(r, 0, offsetof(gp_route_t, query));
    gp_random_init(&random, seed);
    r->self = self;
    r->above = c->groups[GP_SEAT_REGION] != 0;
    r->seats[GP_SEAT_SUBGRID].group = c->groups[GP_SEAT_SUBGRID];
    r->next_query_id = gp_random_next(&random); /* a late answer to a former process fits nothing */
    r->own_due = GP_NEVER;
    r->subgrid_n = (uint8_t)c->subgrid.n;
    r->region_n = (uint8_t)c->region.n;
    r->cert_n = (uint16_t)c->cert.n;
    keep(r->subgrid, c->subgrid);
    keep(r->region, c->region);
    keep(r->cert, c->cert);
    if (r->above) {
        init_above(r, core, &l);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

/* What is empty stays as it is. */
static void on_self(gp_route_t *r, const gp_msg_route_self_t *msg)
{
    if (msg->cert.n > 0) {
        r->cert_n = (uint16_t)msg->cert.n;
        keep(r->cert, msg->cert);
    }
    if (msg->coordinate.n > 0) {
        r->coordinate_n = (uint8_t)msg->coordinate.n;
        keep(r->coordinate, msg->coordinate);
    }
}

static void on_command(gp_route_t *r, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_ROUTE_LEADER:
        gp_places_on_leader(r, &event->msg->u.route_leader);
        break;
    case GP_MSG_ROUTE_MEMBER:
        gp_places_on_member(r, &event->msg->u.route_member, out);
        break;
    case GP_MSG_ROUTE_SELF:
        on_self(r, &event->msg->u.route_self);
        break;
    case GP_MSG_ROUTE_OWN:
        gp_places_on_own(r, &event->msg->u.route_own);
        break;
    case GP_MSG_ROUTE_FIND:
        gp_ask_on_command(r, event->token, &event->msg->u.route_find, out);
        break;
    case GP_MSG_ROUTE_LOCAL:
        if (r->above && !gp_ask_on_local(r, event->token, &event->msg->u.route_local)) {
            gp_serve_on_local(r, event->token, &event->msg->u.route_local, out);
        }
        break;
    default:
        break;
    }
}

static void on_msg(gp_route_t *r, const gp_event_t *event, gp_out_t *out)
{
    const gp_id_t *from = &event->peer;
    switch (event->msg->kind) {
    case GP_MSG_PLACE:
        gp_places_on_place(r, from, &event->msg->u.place, out);
        break;
    case GP_MSG_ROUTE:
        gp_search_on_route(r, from, event->msg, out);
        break;
    case GP_MSG_ROUTE_PASS:
        gp_search_on_pass(r, from, &event->msg->u.route_pass, out);
        break;
    case GP_MSG_ROUTE_FOUND:
        gp_search_on_found(r, from, event->msg, out);
        break;
    case GP_MSG_ROUTE_BACK:
        gp_search_on_back(r, from, &event->msg->u.route_back, out);
        break;
    case GP_MSG_ROUTE_DONE:
        gp_search_on_done(r, from, &event->msg->u.route_done);
        break;
    default:
        break;
    }
}

static void route_step(void *core, const gp_event_t *event, gp_out_t *out)
{
    gp_route_t *r = core;
    assert(event->now >= r->now);
    r->now = event->now;
    if (event->type == GP_EVENT_COMMAND) {
        on_command(r, event, out);
    } else if (event->type == GP_EVENT_MSG && r->above) {
        on_msg(r, event, out);
    }
    gp_places_due(r, out);
    gp_serves_due(r);
    gp_searches_due(r, out);
    gp_asks_due(r, out);
}

static gp_usec_t route_wake(const void *core)
{
    const gp_route_t *r = core;
    const gp_usec_t wakes[] = {gp_places_wake(r), gp_serves_wake(r), gp_searches_wake(r),
                               gp_asks_wake(r)};
    gp_usec_t wake = GP_NEVER;
    for (size_t i = 0; i < sizeof wakes / sizeof wakes[0]; i++) {
        wake = wakes[i] < wake ? wakes[i] : wake;
    }
    return wake;
}

static void route_check(const void *core)
{
    const gp_route_t *r = core;
    gp_places_check(r);
    gp_searches_check(r);
    gp_asks_check(r);
}

const gp_core_ops_t gp_route_ops = {.name = "route",
                                    .size = route_size,
                                    .init = route_init,
                                    .step = route_step,
                                    .wake = route_wake,
                                    .check = route_check};
