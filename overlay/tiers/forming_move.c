/*
 * Machines that go from one sub-Grid to another: whom a super-peer moves, where to, and when.
 */
#include "overlay/tiers/forming_state.h"

#include "proto/text.h"

/* How many machines a sub-Grid may have after others were added to it in one go. */
static uint32_t comfortable(const gp_forming_t *f)
{
    return (f->config.members_aim + f->config.members_max) / 2;
}

/* Copied: it is stored again until the disk has taken it. */
static void set_entry(gp_form_contact_t *contact, const gp_record_member_t *entries, uint32_t count)
{
    *contact = (gp_form_contact_t){.cert_n = 0};
    if (count > 0 && entries[0].cert.n <= sizeof contact->cert) {
        contact->id = entries[0].id;
        (void)gp_text_copy(contact->name, sizeof contact->name, entries[0].name);
        (void)gp_text_copy(contact->address, sizeof contact->address, entries[0].address);
        contact->cert_n = entries[0].cert.n;
        memcpy(contact->cert, entries[0].cert.p, contact->cert_n);
    }
}

/* This machine goes itself: kept here until it has left, and then on the disk. */
static void go(gp_forming_t *f, const gp_msg_move_t *order, gp_out_t *out)
{
    f->keep.subgrid = order->chosen;
    f->keep.found = order->found;
    set_entry(&f->keep.there, order->entries, order->entries_count);
    set_entry(&f->keep.above, order->above, order->above_count);
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &f->self, GP_MSG_FORM_GO);
    msg->u.form_go.subgrid = order->chosen;
}

void gp_forming_send_move(gp_forming_t *f, const gp_msg_form_told_t *told, gp_out_t *out)
{
    gp_msg_move_t order = {.group = f->config.subgrid,
                           .term = f->tiers[GP_SEAT_SUBGRID].term,
                           .chosen = told->chosen,
                           .found = told->found,
                           .entries_count = told->entries_count,
                           .above_count = told->above_count};
    memcpy(order.entries, told->entries, told->entries_count * sizeof told->entries[0]);
    memcpy(order.above, told->above, told->above_count * sizeof told->above[0]);
    if (gp_id_equal(&f->move.who, &f->self)) {
        go(f, &order, out);
    } else {
        gp_out_add(out, GP_ACTION_SEND, &f->move.who, GP_MSG_MOVE)->u.move = order;
    }
}

static void leave_alone(gp_forming_t *f, const gp_id_t *id)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < f->refused_count; i++) {
        if (f->refused[i].until > f->now) {
            f->refused[kept++] = f->refused[i];
        }
    }
    f->refused_count = kept < GP_MEMBERS_MAX ? kept : GP_MEMBERS_MAX - 1;
    f->refused[f->refused_count++] = (refused_t){.id = *id, .until = f->now + REFUSED_MS * GP_MSEC};
}

static bool is_left_alone(const gp_forming_t *f, const gp_id_t *id)
{
    for (uint32_t i = 0; i < f->refused_count; i++) {
        if (gp_id_equal(&f->refused[i].id, id) && f->refused[i].until > f->now) {
            return true;
        }
    }
    return false;
}

static gp_forming_place_t place_of(const gp_record_offer_t *record)
{
    gp_forming_place_t place = {
        .group = record->group, .leader = record->leader, .members = record->members};
    place.located = gp_coordinate_read(record->coordinate, &place.coordinate) == GP_OK;
    return place;
}

/* UINT32_MAX: nobody knows. */
static uint32_t way_us(const gp_forming_member_t *m, bool located, const gp_coordinate_t *to)
{
    return m->located && located ? gp_coordinate_distance_us(&m->coordinate, to) : UINT32_MAX;
}

/* How much a machine gains, in microseconds, if it goes there; UINT32_MAX / 2: as much as now. */
static uint32_t gain_of(uint32_t from_us, uint32_t to_us)
{
    int64_t gain = (int64_t)from_us - (int64_t)to_us + UINT32_MAX / 2;
    return gain < 0 ? 0 : gain > UINT32_MAX ? UINT32_MAX : (uint32_t)gain;
}

/*
 * May it go there? From a small sub-Grid everybody goes. From a full one who is about as near there
 * as here, and whoever founds another one. For drift alone only who is much nearer there.
 */
static bool fits(const gp_forming_t *f, gp_move_why_t why, uint32_t from_us, uint32_t to_us)
{
    bool known = from_us != UINT32_MAX && to_us != UINT32_MAX;
    switch (why) {
    case MOVE_SPLIT:
        return !known || to_us <= 2 * (uint64_t)from_us + 1000;
    case MOVE_DRIFT:
        return known && from_us >= f->config.drift_us && 2 * (uint64_t)to_us <= from_us;
    default:
        return true;
    }
}

/*
 * The next one to go there: whoever gains most by it; this machine last of all. Who founds a
 * sub-Grid is the one that is farthest away, so that others of its place can follow. NULL: nobody.
 */
static const gp_forming_member_t *next_to_go(const gp_forming_t *f, gp_move_why_t why,
                                             const gp_forming_member_t *members, uint32_t count,
                                             const gp_forming_place_t *to)
{
    gp_coordinate_t own;
    bool located = f->config.view.own(f->config.view.context, &own);
    const gp_forming_member_t *best = NULL;
    uint32_t best_gain = 0;
    for (uint32_t i = 0; i < count; i++) {
        const gp_forming_member_t *m = &members[i];
        bool self = gp_id_equal(&m->id, &f->self);
        uint32_t from_us = way_us(m, located, &own);
        uint32_t to_us = to->group == 0 ? 0 : way_us(m, to->located, &to->coordinate);
        bool last = self && (count > 1 || why != MOVE_MERGE);
        if (last || is_left_alone(f, &m->id) || !fits(f, why, from_us, to_us)) {
            continue;
        }
        uint32_t gain = gain_of(from_us, to_us);
        if (best == NULL || gain > best_gain) {
            best = m;
            best_gain = gain;
        }
    }
    return best;
}

static bool has(const gp_forming_member_t *members, uint32_t count, const gp_id_t *id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (gp_id_equal(&members[i].id, id)) {
            return true;
        }
    }
    return false;
}

/* to->group 0: it founds one. */
static void move_next(gp_forming_t *f, gp_move_why_t why, const gp_forming_place_t *to,
                      uint32_t left, gp_out_t *out)
{
    gp_forming_member_t members[GP_MEMBERS_MAX];
    uint32_t count = f->config.view.members(f->config.view.context, members);
    const gp_forming_member_t *who = left > 0 ? next_to_go(f, why, members, count, to) : NULL;
    gp_msg_form_ask_t ask = {.chosen = to->group,
                             .found = to->group == 0 ? GP_FOUNDS_SUBGRID : GP_FOUNDS_NOTHING,
                             .entries_count = 1};
    f->move.on = false;
    if (who == NULL || !gp_forming_describe(f, GP_SEAT_SUBGRID, &who->id, out, &ask.entries[0])) {
        return;
    }
    f->move = (move_t){.on = true,
                       .why = why,
                       .to = *to,
                       .who = who->id,
                       .until = f->now + f->config.move_timeout,
                       .left = left - 1};
    gp_forming_begin(f, WHY_MOVE, 0, &ask, out);
}

/* Has it room for those who would come? Of a small sub-Grid all come. */
static bool has_room(const gp_forming_t *f, gp_move_why_t why, const gp_forming_place_t *place,
                     uint32_t count)
{
    switch (why) {
    case MOVE_MERGE:
        return place->members + count <= comfortable(f);
    case MOVE_SPLIT: /* a full one shares with any; else with those that have just begun */
        return place->members <
               (count >= f->config.members_max ? f->config.members_aim : f->config.members_min);
    default:
        return place->members < comfortable(f);
    }
}

/* Where somebody gains most by going, of equal ones where the fewest are; false: nowhere. */
static bool find_room(const gp_forming_t *f, gp_move_why_t why, const gp_msg_form_told_t *told,
                      gp_forming_place_t *ret_to)
{
    gp_forming_member_t members[GP_MEMBERS_MAX];
    uint32_t count = f->config.view.members(f->config.view.context, members);
    gp_coordinate_t own;
    bool located = f->config.view.own(f->config.view.context, &own);
    bool any = false;
    uint32_t best_gain = 0;
    for (uint32_t i = 0; i < told->places_count; i++) {
        const gp_forming_place_t place = place_of(&told->places[i]);
        const gp_forming_member_t *who = next_to_go(f, why, members, count, &place);
        if (place.group == f->config.subgrid || who == NULL || !has_room(f, why, &place, count)) {
            continue;
        }
        uint32_t gain =
            gain_of(way_us(who, located, &own), way_us(who, place.located, &place.coordinate));
        if (!any || gain > best_gain || (gain == best_gain && place.members < ret_to->members)) {
            *ret_to = place;
            best_gain = gain;
            any = true;
        }
    }
    return any;
}

/* Are there enough machines together, far away from here, for a sub-Grid of their own? */
static bool has_cluster(const gp_forming_t *f)
{
    gp_forming_member_t members[GP_MEMBERS_MAX];
    uint32_t count = f->config.view.members(f->config.view.context, members);
    const gp_forming_place_t own = {.group = 0};
    const gp_forming_member_t *founder = next_to_go(f, MOVE_DRIFT, members, count, &own);
    gp_coordinate_t here;
    uint32_t with = 0;
    if (founder == NULL || !f->config.view.own(f->config.view.context, &here)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t to_us = way_us(&members[i], true, &founder->coordinate);
        with += fits(f, MOVE_DRIFT, way_us(&members[i], true, &here), to_us) ? 1 : 0;
    }
    return with >= f->config.members_min;
}

void gp_forming_plan(gp_forming_t *f, const gp_msg_form_told_t *told, gp_out_t *out)
{
    gp_forming_member_t members[GP_MEMBERS_MAX];
    uint32_t count = f->config.view.members(f->config.view.context, members);
    gp_forming_place_t to = {.group = 0};
    const gp_forming_place_t own = {.group = 0};
    if (count < f->config.members_min) {
        if (find_room(f, MOVE_MERGE, told, &to)) {
            move_next(f, MOVE_MERGE, &to, count, out);
        }
        return;
    }
    if (count > comfortable(f) && find_room(f, MOVE_SPLIT, told, &to)) {
        uint32_t surplus = count - f->config.members_aim;
        uint32_t gap = f->config.members_aim - to.members;
        move_next(f, MOVE_SPLIT, &to, surplus < gap ? surplus : gap, out);
    } else if (find_room(f, MOVE_DRIFT, told, &to)) {
        move_next(f, MOVE_DRIFT, &to, comfortable(f) - to.members, out);
    } else if (has_cluster(f)) {
        move_next(f, MOVE_DRIFT, &own, 1, out);
    }
}

static void stop_looking(gp_forming_t *f)
{
    f->look_at = GP_NEVER;
    f->small_since = GP_NEVER;
    f->move.on = false;
}

/* Is the machine that was told to go still here? */
static void watch_move(gp_forming_t *f, const gp_forming_member_t *members, uint32_t count,
                       gp_out_t *out)
{
    f->look_at = f->now + f->config.look_period / 64; /* it may be gone at any moment */
    if (!has(members, count, &f->move.who)) {
        const gp_forming_place_t to = f->move.to;
        move_next(f, f->move.why, &to, to.group != 0 ? f->move.left : 0, out);
    } else if (f->now >= f->move.until) {
        leave_alone(f, &f->move.who);
        f->move.on = false;
    }
}

/* Is it worth asking for the other sub-Grids? */
static bool is_due(const gp_forming_t *f, const gp_forming_member_t *members, uint32_t count)
{
    const gp_forming_place_t own = {.group = 0};
    if (f->small_since != GP_NEVER) {
        return f->now - f->small_since >= f->config.merge_after;
    }
    return count > comfortable(f) || next_to_go(f, MOVE_DRIFT, members, count, &own) != NULL;
}

void gp_forming_look(gp_forming_t *f, gp_out_t *out)
{
    gp_forming_member_t members[GP_MEMBERS_MAX];
    if (!gp_forming_leads(f, GP_SEAT_SUBGRID) || !f->tiers[GP_SEAT_REGION].ruled) {
        stop_looking(f);
        return;
    }
    if (f->now < f->look_at) {
        return;
    }
    uint32_t count = f->config.view.members(f->config.view.context, members);
    f->look_at = f->now + f->config.look_period;
    if (count >= f->config.members_min) {
        f->small_since = GP_NEVER;
    } else if (f->small_since == GP_NEVER) {
        f->small_since = f->now;
    }
    if (f->move.on) {
        watch_move(f, members, count, out);
    } else if (is_due(f, members, count)) {
        gp_msg_form_ask_t ask = {.chosen = 0};
        gp_forming_begin(f, WHY_LIST, 0, &ask, out);
    }
}

void gp_forming_on_move(gp_forming_t *f, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_move_t *order = &event->msg->u.move;
    const tier_t *own = &f->tiers[GP_SEAT_SUBGRID];
    if (!own->ruled || !gp_id_equal(&event->peer, &own->leader) || order->term != own->term ||
        order->chosen == 0 || gp_group_tier(order->chosen) != 0 ||
        (order->found ? order->above_count : order->entries_count) == 0) {
        return;
    }
    if (f->config.view.busy(f->config.view.context)) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &event->peer, GP_MSG_MOVE_NO);
        msg->u.move_no.group = f->config.subgrid;
        msg->u.move_no.error = GP_E_BUSY;
        return;
    }
    go(f, order, out);
}

void gp_forming_on_move_no(gp_forming_t *f, const gp_event_t *event)
{
    if (f->move.on && gp_id_equal(&event->peer, &f->move.who)) {
        leave_alone(f, &f->move.who);
        f->move.on = false;
        f->look_at = f->now;
    }
}
