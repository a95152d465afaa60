#include "overlay/tiers/forming_state.h"

gp_forming_config_t gp_forming_defaults(void)
{
    return (gp_forming_config_t){.members_aim = GP_MEMBERS_MAX / 2,
                                 .members_max = GP_MEMBERS_MAX,
                                 .members_min = GP_MEMBERS_MAX / 8,
                                 .merge_after = 600 * GP_SECOND,
                                 .drift_us = 20000,
                                 .look_period = 10 * GP_SECOND,
                                 .ask_timeout = 5 * GP_SECOND,
                                 .move_timeout = 10 * GP_SECOND,
                                 .found_gap = 3 * GP_SECOND};
}

void gp_forming_slow_down(gp_forming_config_t *config, uint32_t times)
{
    config->merge_after *= times;
    config->look_period *= times;
    config->ask_timeout *= times;
    config->move_timeout *= times;
    config->found_gap *= times;
}

static size_t forming_size(const void *config)
{
    const gp_forming_config_t *c = config;
    bool ordered = c->members_min > 0 && c->members_min <= c->members_aim &&
                   c->members_aim <= c->members_max && c->members_max <= GP_MEMBERS_MAX;
    return ordered && c->look_period > 0 && c->ask_timeout > 0 ? sizeof(gp_forming_t) : 0;
}

static void forming_init(void *core, const void *config, gp_id_t self, uint64_t seed)
{
    gp_forming_t *f = core;
    *f = (gp_forming_t){.config = *(const gp_forming_config_t *)config, .self = self};
    assert(f->config.view.describe != NULL || f->config.region == 0);
    f->look_at = GP_NEVER;
    f->small_since = GP_NEVER;
    f->keep_at = GP_NEVER;
    gp_random_init(&f->random, seed);
}

/* ---- what is known --------------------------------------------------------------------------- */

bool gp_forming_leads(const gp_forming_t *f, gp_seat_t seat)
{
    return f->tiers[seat].ruled && f->tiers[seat].lease_until > f->now &&
           gp_id_equal(&f->tiers[seat].leader, &f->self);
}

static bool is_member(const gp_forming_t *f, gp_seat_t seat, const gp_id_t *id)
{
    gp_record_member_t entry;
    return f->config.view.describe(f->config.view.context, seat, id, &entry);
}

/* In any of the groups of this machine. */
static bool is_known(const gp_forming_t *f, const gp_id_t *id)
{
    return is_member(f, GP_SEAT_SUBGRID, id) || is_member(f, GP_SEAT_REGION, id) ||
           is_member(f, GP_SEAT_GRID, id);
}

/* Its own memory: what a group's core holds may change before the sheet is read. */
bool gp_forming_describe(const gp_forming_t *f, gp_seat_t seat, const gp_id_t *id, gp_out_t *out,
                         gp_record_member_t *ret)
{
    gp_record_member_t entry;
    if (!f->config.view.describe(f->config.view.context, seat, id, &entry)) {
        return false;
    }
    *ret = (gp_record_member_t){.id = entry.id,
                                .incarnation = entry.incarnation,
                                .state = GP_MEMBER_UNKNOWN,
                                .cause = GP_CAUSE_JOINED,
                                .name = gp_out_slice(out, entry.name),
                                .address = gp_out_slice(out, entry.address),
                                .cert = gp_out_slice(out, entry.cert)};
    return true;
}

uint32_t gp_forming_choose(const gp_forming_offer_t *offers, uint32_t count)
{
    uint32_t least = UINT32_MAX;
    uint32_t best = count;
    for (uint32_t i = 0; i < count; i++) {
        least = offers[i].rtt_us != 0 && offers[i].rtt_us < least ? offers[i].rtt_us : least;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t rtt = offers[i].rtt_us;
        bool near = rtt != 0 && (rtt <= 2 * (uint64_t)least || rtt <= (uint64_t)least + 1000);
        if (!near || offers[i].full) {
            continue;
        }
        bool fewer = best == count || offers[i].members < offers[best].members;
        bool nearer = best != count && offers[i].members == offers[best].members &&
                      offers[i].rtt_us < offers[best].rtt_us;
        best = fewer || nearer ? i : best;
    }
    return best;
}

/* ---- asks of this machine -------------------------------------------------------------------- */

static void take_ask(gp_forming_t *f, const gp_id_t *from, const gp_msg_form_ask_t *ask,
                     gp_out_t *out);
static void take_told(gp_forming_t *f, const gp_id_t *from, const gp_msg_form_told_t *told,
                      gp_out_t *out);

static void send_ask(gp_forming_t *f, const gp_id_t *to, const gp_msg_form_ask_t *ask,
                     gp_out_t *out)
{
    if (gp_id_equal(to, &f->self)) {
        take_ask(f, &f->self, ask, out);
        return;
    }
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, to, GP_MSG_FORM_ASK);
    msg->u.form_ask = *ask;
    for (uint32_t i = 0; i < ask->entries_count; i++) {
        gp_record_member_t *entry = &msg->u.form_ask.entries[i];
        entry->name = gp_out_slice(out, entry->name);
        entry->address = gp_out_slice(out, entry->address);
        entry->cert = gp_out_slice(out, entry->cert);
    }
}

static void answer(gp_forming_t *f, const ask_t *ask, const gp_msg_form_told_t *told, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &f->self, GP_MSG_FORM_ANSWER);
    gp_out_last(out)->token = ask->token;
    gp_msg_form_answer_t *to = &msg->u.form_answer;
    to->error = told->error;
    to->chosen = told->chosen;
    to->found = told->found;
    to->entries_count = told->entries_count;
    memcpy(to->entries, told->entries, told->entries_count * sizeof told->entries[0]);
    to->above_count = told->above_count;
    memcpy(to->above, told->above, told->above_count * sizeof told->above[0]);
    to->places_count = told->places_count;
    memcpy(to->places, told->places, told->places_count * sizeof told->places[0]);
}

static void fail_ask(gp_forming_t *f, ask_t *ask, gp_error_t error, gp_out_t *out)
{
    if (ask->why == WHY_SHELL) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &f->self, GP_MSG_FORM_ANSWER);
        gp_out_last(out)->token = ask->token;
        msg->u.form_answer.error = (uint16_t)error;
    } else {
        f->move.on = false;
    }
    ask->number = 0;
}

/* Asks for what `ask` says; the rest of it is filled in here. */
void gp_forming_begin(gp_forming_t *f, gp_form_why_t why, uint64_t token, gp_msg_form_ask_t *ask,
                      gp_out_t *out)
{
    ask_t *place = NULL;
    for (uint32_t i = 0; i < ASKS_MAX && place == NULL; i++) {
        place = f->asks[i].number == 0 ? &f->asks[i] : NULL;
    }
    ask_t none = {.why = why, .token = token};
    if (place == NULL || !f->tiers[GP_SEAT_SUBGRID].ruled) {
        fail_ask(f, &none, place == NULL ? GP_E_BUSY : GP_E_NO_LEADER, out);
        return;
    }
    *place = (ask_t){
        .number = ++f->number, .why = why, .token = token, .until = f->now + f->config.ask_timeout};
    ask->region = f->config.region;
    ask->number = f->number;
    ask->origin = f->self;
    send_ask(f, &f->tiers[GP_SEAT_SUBGRID].leader, ask, out);
}

static void time_out(gp_forming_t *f, gp_out_t *out)
{
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        if (f->asks[i].number != 0 && f->asks[i].until <= f->now) {
            fail_ask(f, &f->asks[i], GP_E_TIMED_OUT, out);
        }
    }
}

/* ---- on the way ------------------------------------------------------------------------------ */

static gp_msg_form_told_t told_of(const gp_msg_form_ask_t *ask, gp_error_t error)
{
    return (gp_msg_form_told_t){.region = ask->region,
                                .number = ask->number,
                                .origin = ask->origin,
                                .via = ask->via,
                                .error = (uint16_t)error,
                                .chosen = ask->chosen,
                                .found = ask->found};
}

static void send_told(gp_forming_t *f, const gp_id_t *to, const gp_msg_form_told_t *told,
                      gp_out_t *out)
{
    if (gp_id_equal(to, &f->self)) {
        take_told(f, &f->self, told, out);
    } else {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, to, GP_MSG_FORM_TOLD);
        msg->u.form_told = *told;
    }
}

static void refuse(gp_forming_t *f, const gp_id_t *to, const gp_msg_form_ask_t *ask,
                   gp_error_t error, gp_out_t *out)
{
    gp_msg_form_told_t told = told_of(ask, error);
    send_told(f, to, &told, out);
}

static void invite(const gp_forming_t *f, gp_seat_t seat, const gp_record_member_t *entry,
                   gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &f->self, GP_MSG_FORM_INVITE);
    msg->u.form_invite.seat = (uint8_t)seat;
    msg->u.form_invite.entries_count = 1;
    msg->u.form_invite.entries[0] =
        (gp_record_member_t){.id = entry->id,
                             .state = GP_MEMBER_UNKNOWN,
                             .cause = GP_CAUSE_JOINED,
                             .name = gp_out_slice(out, entry->name),
                             .address = gp_out_slice(out, entry->address),
                             .cert = gp_out_slice(out, entry->cert)};
}

/* The chosen sub-Grid's super-peer takes the machine in. */
static void let_in(gp_forming_t *f, const gp_id_t *from, const gp_msg_form_ask_t *ask,
                   gp_out_t *out)
{
    gp_msg_form_told_t told = told_of(ask, GP_OK);
    const gp_record_member_t *entry = &ask->entries[0];
    bool known = is_member(f, GP_SEAT_SUBGRID, &entry->id);
    if (!gp_forming_leads(f, GP_SEAT_SUBGRID)) {
        told.error = GP_E_NO_LEADER;
    } else if (!known && f->config.view.known(f->config.view.context) >= f->config.members_max) {
        told.error = GP_E_GROUP_FULL;
    } else if (gp_forming_describe(f, GP_SEAT_SUBGRID, &f->self, out, &told.entries[0])) {
        told.entries_count = 1;
        invite(f, GP_SEAT_SUBGRID, entry, out);
    }
    send_told(f, from, &told, out);
}

/* The sub-Grids of the region, or the regions of the grid. */
static void list(gp_forming_t *f, const gp_id_t *from, const gp_msg_form_ask_t *ask, gp_out_t *out)
{
    gp_forming_place_t places[GP_MEMBERS_MAX];
    gp_msg_form_told_t told = told_of(ask, GP_OK);
    const gp_seat_t seat = ask->regions ? GP_SEAT_GRID : GP_SEAT_REGION;
    uint32_t count = f->config.view.places(f->config.view.context, seat, places);
    for (uint32_t i = 0; i < count; i++) {
        gp_record_member_t entry;
        if (gp_forming_describe(f, seat, &places[i].leader, out, &entry)) {
            gp_record_offer_t *place = &told.places[told.places_count++];
            *place = (gp_record_offer_t){.group = places[i].group,
                                         .name = gp_out_slice(out, places[i].name),
                                         .leader = places[i].leader,
                                         .leader_name = entry.name,
                                         .address = entry.address,
                                         .members = places[i].members};
            place->full = !ask->regions && places[i].members >= f->config.members_max;
            if (places[i].located) {
                uint8_t *bytes = gp_out_bytes(out, GP_COORDINATE_BYTES);
                gp_coordinate_pack(&places[i].coordinate, bytes);
                place->coordinate = gp_slice(bytes, GP_COORDINATE_BYTES);
            }
        }
    }
    send_told(f, from, &told, out);
}

static bool is_listed(const gp_forming_t *f, uint64_t group)
{
    gp_forming_place_t places[GP_MEMBERS_MAX];
    uint32_t count = f->config.view.places(f->config.view.context, GP_SEAT_REGION, places);
    for (uint32_t i = 0; i < count; i++) {
        if (places[i].group == group) {
            return true;
        }
    }
    return false;
}

/*
 * The region peer gives the number of a new sub-Grid out and lets its founder into the region; the
 * leader of the grid's group, the name of a new region. Not two at once: whoever finds all full at
 * the same moment goes to the one that was just founded, as soon as it is up, and one name is not
 * given out twice.
 */
static void found(gp_forming_t *f, const gp_id_t *from, const gp_msg_form_ask_t *ask, gp_out_t *out)
{
    gp_msg_form_told_t told = told_of(ask, GP_OK);
    const gp_seat_t above = (gp_seat_t)ask->found; /* the seat next to the last that it founds */
    const gp_record_member_t *founder = &ask->entries[0];
    if (above == GP_SEAT_GRID &&
        f->config.view.has_region(f->config.view.context, ask->chosen, founder)) {
        told.error = GP_E_REGION_EXISTS;
    } else if (f->founded_at != 0 && f->now < f->founded_at + f->config.found_gap &&
               !is_listed(f, f->founded)) {
        told.error = GP_E_BUSY;
    } else if (gp_forming_describe(f, above, &f->self, out, &told.above[0])) {
        f->founded_at = f->now;
        told.above_count = 1;
        told.chosen = gp_random_next(&f->random) >> 8 | 1; /* tier 0, and never 0 */
        f->founded = told.chosen;
        invite(f, above, founder, out);
    } else {
        told.error = GP_E_NO_LEADER;
    }
    send_told(f, from, &told, out);
}

/* At the region peer: only the leader of the grid's group knows which names are given out. */
static void pass_to_grid(gp_forming_t *f, const gp_id_t *from, gp_msg_form_ask_t *ask,
                         gp_out_t *out)
{
    const tier_t *grid = &f->tiers[GP_SEAT_GRID];
    if (!grid->ruled || gp_id_equal(&grid->leader, &f->self)) {
        refuse(f, from, ask, GP_E_NO_LEADER, out);
        return;
    }
    ask->via = *from;
    send_ask(f, &grid->leader, ask, out);
}

/* At the region peer. */
static void direct(gp_forming_t *f, const gp_id_t *from, gp_msg_form_ask_t *ask, gp_out_t *out)
{
    gp_forming_place_t places[GP_MEMBERS_MAX];
    if (ask->found == GP_FOUNDS_REGION) {
        pass_to_grid(f, from, ask, out);
        return;
    }
    if (ask->found == GP_FOUNDS_SUBGRID && ask->entries_count == 1) {
        found(f, from, ask, out);
        return;
    }
    if (ask->chosen == 0) {
        list(f, from, ask, out);
        return;
    }
    ask->via = *from;
    uint32_t count = f->config.view.places(f->config.view.context, GP_SEAT_REGION, places);
    for (uint32_t i = 0; i < count; i++) {
        if (places[i].group == ask->chosen) {
            send_ask(f, &places[i].leader, ask, out);
            return;
        }
    }
    refuse(f, from, ask, GP_E_NODE_UNKNOWN, out);
}

static void take_ask(gp_forming_t *f, const gp_id_t *from, const gp_msg_form_ask_t *asked,
                     gp_out_t *out)
{
    gp_msg_form_ask_t ask = *asked;
    const tier_t *region = &f->tiers[GP_SEAT_REGION];
    bool from_region_peer = region->ruled && gp_id_equal(from, &region->leader);
    bool own = ask.chosen == f->config.subgrid && ask.entries_count == 1;
    bool passed = !gp_id_is_none(&ask.via);
    bool adds = ask.found == GP_FOUNDS_REGION && ask.entries_count == 1 &&
                gp_group_tier(ask.chosen) == GP_SEAT_REGION;
    if (adds && gp_forming_leads(f, GP_SEAT_GRID) && is_known(f, from)) {
        found(f, from, &ask, out);
    } else if (adds && passed) {
        refuse(f, from, &ask, GP_E_NO_LEADER, out); /* another one leads the grid's group now */
    } else if (ask.region != f->config.region || f->config.region == 0) {
        refuse(f, from, &ask, GP_E_REGION_UNKNOWN, out);
    } else if (passed && own && from_region_peer) {
        let_in(f, from, &ask, out);
    } else if (passed) {
        refuse(f, from, &ask, GP_E_FENCED, out); /* whoever sent it is not the region peer */
    } else if (gp_forming_leads(f, GP_SEAT_REGION) &&
               (is_member(f, GP_SEAT_REGION, from) || is_member(f, GP_SEAT_SUBGRID, from))) {
        direct(f, from, &ask, out);
    } else if (gp_forming_leads(f, GP_SEAT_SUBGRID) && is_member(f, GP_SEAT_SUBGRID, from) &&
               region->ruled && !gp_id_equal(&region->leader, &f->self)) {
        send_ask(f, &region->leader, &ask, out);
    } else {
        refuse(f, from, &ask, GP_E_NO_LEADER, out);
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static void take_told(gp_forming_t *f, const gp_id_t *from, const gp_msg_form_told_t *told,
                      gp_out_t *out)
{
    bool mine = gp_id_equal(&told->origin, &f->self);
    if (!is_known(f, from)) {
        return;
    }
    if (!mine) { /* back on the way that the ask came: by the one who asked the region peer */
        gp_msg_form_told_t on = *told;
        bool at_region_peer = gp_forming_leads(f, GP_SEAT_REGION) && !gp_id_is_none(&told->via) &&
                              !gp_id_equal(&told->via, &f->self);
        const gp_id_t to = at_region_peer ? told->via : told->origin;
        on.via = (gp_id_t){{0}};
        if (is_member(f, GP_SEAT_SUBGRID, &to) ||
            (at_region_peer && is_member(f, GP_SEAT_REGION, &to))) {
            send_told(f, &to, &on, out);
        }
        return;
    }
    ask_t *ask = NULL;
    for (uint32_t i = 0; i < ASKS_MAX && ask == NULL; i++) {
        ask = told->number != 0 && f->asks[i].number == told->number ? &f->asks[i] : NULL;
    }
    if (ask == NULL) {
        return;
    }
    gp_form_why_t why = ask->why;
    if (why == WHY_SHELL) {
        answer(f, ask, told, out);
        ask->number = 0;
    } else if (told->error != GP_OK) {
        fail_ask(f, ask, (gp_error_t)told->error, out);
    } else {
        ask->number = 0;
        if (why == WHY_LIST) {
            gp_forming_plan(f, told, out);
        } else if (f->move.on) {
            gp_forming_send_move(f, told, out);
            f->look_at = f->now + f->config.look_period / 64;
        }
    }
}

/* ---- where this machine goes -------------------------------------------------------------------
 */

#define KEEP_AGAIN GP_SECOND /* after the disk refused it */

static uint32_t put_entry(const gp_form_contact_t *contact, gp_record_member_t *ret)
{
    if (gp_id_is_none(&contact->id)) {
        return 0;
    }
    *ret = (gp_record_member_t){.id = contact->id,
                                .state = GP_MEMBER_UNKNOWN,
                                .cause = GP_CAUSE_JOINED,
                                .name = gp_text(contact->name),
                                .address = gp_text(contact->address),
                                .cert = gp_slice(contact->cert, contact->cert_n)};
    return 1;
}

static void keep(gp_forming_t *f, gp_out_t *out)
{
    if (f->now < f->keep_at) {
        return;
    }
    f->keep_at = GP_NEVER;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_STORE, &f->self, GP_MSG_FORM_STATE);
    gp_msg_form_state_t *state = &msg->u.form_state;
    state->subgrid = f->keep.subgrid;
    state->found = f->keep.found;
    state->entries_count = put_entry(&f->keep.there, &state->entries[0]);
    state->above_count = put_entry(&f->keep.above, &state->above[0]);
}

static void on_kept(gp_forming_t *f, bool ok, gp_out_t *out)
{
    if (!ok) {
        f->keep_at = f->now + KEEP_AGAIN;
        return;
    }
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &f->self, GP_MSG_FORM_MOVED);
    msg->u.form_moved.subgrid = f->keep.subgrid;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void on_leader(gp_forming_t *f, const gp_msg_tiers_leader_t *news)
{
    assert(news->seat < GP_SEAT_COUNT);
    f->tiers[news->seat] = (tier_t){.leader = news->leader,
                                    .term = news->term,
                                    .ruled = news->right == GP_RIGHT_QUORUM,
                                    .lease_until = news->lease_until};
    if (f->look_at == GP_NEVER) {
        f->look_at = f->now + f->config.look_period;
    }
}

static void forming_step(void *core, const gp_event_t *event, gp_out_t *out)
{
    gp_forming_t *f = core;
    f->now = event->now > f->now ? event->now : f->now;
    f->started = f->started || event->type == GP_EVENT_START;
    if (f->config.region == 0) {
        return;
    }
    if (event->msg != NULL) {
        switch (event->msg->kind) {
        case GP_MSG_FORM_ASK:
            take_ask(f, &event->peer, &event->msg->u.form_ask, out);
            break;
        case GP_MSG_FORM_TOLD:
            take_told(f, &event->peer, &event->msg->u.form_told, out);
            break;
        case GP_MSG_MOVE:
            gp_forming_on_move(f, event, out);
            break;
        case GP_MSG_MOVE_NO:
            gp_forming_on_move_no(f, event);
            break;
        case GP_MSG_TIERS_LEADER:
            on_leader(f, &event->msg->u.tiers_leader);
            break;
        case GP_MSG_FORM_PLACE: {
            gp_msg_form_ask_t ask = {.chosen = event->msg->u.form_place.chosen,
                                     .found = event->msg->u.form_place.found,
                                     .regions = event->msg->u.form_place.regions,
                                     .entries_count = event->msg->u.form_place.entries_count};
            memcpy(ask.entries, event->msg->u.form_place.entries,
                   ask.entries_count * sizeof ask.entries[0]);
            gp_forming_begin(f, WHY_SHELL, event->token, &ask, out);
            break;
        }
        case GP_MSG_FORM_KEEP:
            f->keep_at = f->keep.subgrid == event->msg->u.form_keep.subgrid ? f->now : f->keep_at;
            break;
        default:
            break;
        }
    }
    if (event->type == GP_EVENT_STORED) {
        on_kept(f, event->ok, out);
    }
    keep(f, out);
    if (f->started) {
        time_out(f, out);
        gp_forming_look(f, out);
    }
}

static gp_usec_t forming_wake(const void *core)
{
    const gp_forming_t *f = core;
    gp_usec_t wake = f->started && f->config.region != 0 ? f->look_at : GP_NEVER;
    wake = f->keep_at < wake ? f->keep_at : wake;
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        if (f->asks[i].number != 0 && f->asks[i].until < wake) {
            wake = f->asks[i].until;
        }
    }
    return wake;
}

static void forming_check(const void *core)
{
    const gp_forming_t *f = core;
    assert(f->refused_count <= GP_MEMBERS_MAX);
    assert(f->small_since == GP_NEVER || f->small_since <= f->now);
    assert(!f->move.on || f->config.region != 0);
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        assert(f->asks[i].number <= f->number);
    }
}

const gp_core_ops_t gp_forming_ops = {
    .name = "forming",
    .size = forming_size,
    .init = forming_init,
    .step = forming_step,
    .wake = forming_wake,
    .check = forming_check,
};
