#include "discovery/route_state.h"

#define OWN_GAP        (1 * GP_SECOND)  /* the own sub-Grid is looked at so often */
#define TELL_GAP       (1 * GP_SECOND)  /* a sub-Grid is told anew at most so often, */
#define TELL_GAP_ABOVE (10 * GP_SECOND) /* a region so: 64 summaries take 25 ms to join */
#define REMIND_FIRST   (1 * GP_SECOND)  /* the first reminder after a change, then doubling to: */
#define REMIND_MAX     (30 * GP_SECOND)
#define FORGET_AFTER   (3 * REMIND_MAX + 5 * GP_SECOND)
#define KEEP           (5 * GP_SECOND) /* what a leader knew so long ago is as good as new */
#define YOUNG          (3 * GP_SECOND) /* all below have told a new leader, or been reminded */

/* ---- who keeps a directory ------------------------------------------------------------------- */

bool gp_places_held(const gp_route_t *r, gp_seat_t seat)
{
    const gp_route_seat_t *s = &r->seats[seat];
    if (seat == GP_SEAT_GRID) {
        return s->group != 0; /* all of its members are peers: it needs no leader */
    }
    return seat == GP_SEAT_REGION && s->right != GP_RIGHT_NONE &&
           (gp_id_equal(&s->leader, &r->self) || gp_id_equal(&s->deputy, &r->self));
}

bool gp_places_young(const gp_route_t *r, gp_seat_t seat)
{
    return r->now < r->seats[seat].young_until;
}

/* Whether what the group below offers is this machine's to tell. */
static bool tells(const gp_route_t *r, gp_seat_t below)
{
    const gp_route_seat_t *s = &r->seats[below];
    return r->above && s->group != 0 && r->seats[below + 1].group != 0 &&
           s->right == GP_RIGHT_QUORUM && gp_id_equal(&s->leader, &r->self);
}

/* ---- the directory --------------------------------------------------------------------------- */

static uint32_t position(const gp_route_directory_t *d, uint64_t group)
{
    uint32_t low = 0;
    uint32_t high = d->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (d->places[middle].group < group) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

gp_route_place_t *gp_places_find(gp_route_t *r, gp_seat_t seat, uint64_t group)
{
    gp_route_directory_t *d = &r->directory[seat];
    uint32_t at = position(d, group);
    return at < d->count && d->places[at].group == group ? &d->places[at] : NULL;
}

static gp_route_place_t *add_place(gp_route_directory_t *d, uint64_t group)
{
    if (d->count == GP_MEMBERS_MAX) {
        return NULL;
    }
    uint32_t at = position(d, group);
    uint8_t *names = d->places[d->count].names; /* memory that is nobody's now */
    memmove(&d->places[at + 1], &d->places[at], (d->count - at) * sizeof d->places[0]);
    d->places[at] = (gp_route_place_t){.group = group, .names = names};
    d->count += 1;
    return &d->places[at];
}

static void say_known(gp_out_t *out, gp_seat_t seat, const gp_route_place_t *place, bool gone)
{
    gp_msg_place_known_t *known =
        &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_PLACE_KNOWN)->u.place_known;
    known->seat = (uint8_t)seat;
    known->group = place->group;
    known->leader = place->leader;
    known->members = place->members;
    known->coordinate = gp_out_slice(out, gp_slice(place->coordinate, place->coordinate_n));
    known->gone = gone;
}

/* Something of the region changed: the grid is to be told. */
static void touch_above(gp_route_t *r, gp_seat_t seat)
{
    if (seat == GP_SEAT_REGION) {
        gp_route_told_t *told = &r->told[GP_SEAT_REGION];
        told->known = true;
        told->fresh = true;
        told->due = r->now > told->after ? r->now : told->after;
    }
}

static void drop_place(gp_route_t *r, gp_seat_t seat, gp_route_place_t *place, gp_out_t *out)
{
    gp_route_directory_t *d = &r->directory[seat];
    uint32_t at = (uint32_t)(place - d->places);
    uint8_t *names = place->names;
    say_known(out, seat, place, true);
    d->count -= 1;
    memmove(place, place + 1, (d->count - at) * sizeof *place);
    d->places[d->count] = (gp_route_place_t){.names = names};
    touch_above(r, seat);
}

/* Is this the word of who leads that group now? A lower term is void, as is a second leader. */
static bool is_fenced(const gp_route_place_t *place, const gp_id_t *from, const gp_msg_place_t *msg)
{
    if (msg->term != place->term) {
        return msg->term < place->term || msg->term - place->term > GP_TERM_JUMP;
    }
    return !gp_id_equal(&place->leader, from) || msg->version < place->version;
}

static void keep_place(const gp_route_directory_t *d, gp_route_place_t *place,
                       const gp_msg_place_t *msg)
{
    place->version = msg->version;
    place->members = msg->members;
    place->partial = msg->partial;
    place->name_n = (uint8_t)msg->name.n;
    place->coordinate_n = (uint8_t)msg->coordinate.n;
    place->summary_n = (uint16_t)msg->summary.n;
    place->names_n = (uint16_t)msg->names.n;
    if (msg->name.n > 0) {
        memcpy(place->name, msg->name.p, msg->name.n);
    }
    if (msg->coordinate.n > 0) {
        memcpy(place->coordinate, msg->coordinate.p, msg->coordinate.n);
    }
    if (msg->summary.n > 0) {
        memcpy(place->summary, msg->summary.p, msg->summary.n);
    }
    if (msg->names.n > d->names_max) {
        place->names[0] = 0; /* any name */
        place->names_n = 1;
    } else if (msg->names.n > 0) {
        memcpy(place->names, msg->names.p, msg->names.n);
    }
}

/* Is all as it was but where it is, and who tells? Then there is nothing to tell above. */
static bool offers_the_same(const gp_route_place_t *place, const gp_msg_place_t *msg)
{
    return place->members == msg->members && place->partial == msg->partial &&
           gp_slice_equal(gp_slice(place->summary, place->summary_n), msg->summary) &&
           gp_slice_equal(gp_slice(place->names, place->names_n), msg->names);
}

static bool is_sound(gp_route_t *r, const gp_msg_place_t *msg)
{
    gp_coordinate_t place;
    if (msg->below == 0 || msg->below == msg->group || msg->term > GP_TERM_MAX) {
        return false;
    }
    if (msg->coordinate.n > 0 && gp_coordinate_read(msg->coordinate, &place) != GP_OK) {
        return false;
    }
    gp_error_t error = gp_summary_read(msg->summary, &r->summary);
    return msg->gone || error == GP_OK || error == GP_E_MESSAGE_VERSION;
}

static void put_place(gp_route_t *r, gp_seat_t seat, const gp_id_t *from, const gp_msg_place_t *msg,
                      gp_out_t *out)
{
    gp_route_place_t *place = gp_places_find(r, seat, msg->below);
    if (place != NULL && is_fenced(place, from, msg)) {
        return;
    }
    if (msg->gone) {
        if (place != NULL) {
            drop_place(r, seat, place, out);
        }
        return;
    }
    bool told = place != NULL && place->term == msg->term && place->version == msg->version;
    place = place != NULL ? place : add_place(&r->directory[seat], msg->below);
    if (place == NULL) {
        return;
    }
    place->heard_at = r->now;
    place->silent = false;
    if (!told) {
        bool same = offers_the_same(place, msg);
        place->leader = *from;
        place->term = msg->term;
        keep_place(&r->directory[seat], place, msg);
        say_known(out, seat, place, false);
        if (!same) {
            touch_above(r, seat);
        }
    }
}

static uint32_t member_at(const gp_route_seat_t *s, const gp_id_t *id)
{
    uint32_t at = 0;
    while (at < s->member_count && !gp_id_equal(&s->members[at], id)) {
        at++;
    }
    return at;
}

void gp_places_on_place(gp_route_t *r, const gp_id_t *from, const gp_msg_place_t *msg,
                        gp_out_t *out)
{
    for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
        const gp_route_seat_t *s = &r->seats[seat];
        bool member = member_at(s, from) < s->member_count;
        if (s->group == msg->group && member && gp_places_held(r, (gp_seat_t)seat) &&
            is_sound(r, msg)) {
            put_place(r, (gp_seat_t)seat, from, msg, out);
        }
    }
}

static bool is_old(const gp_route_t *r, const gp_route_place_t *place)
{
    return !place->silent && place->heard_at + FORGET_AFTER <= r->now;
}

/* A region may be cut off for days: what is answered without it must not be called whole. */
static void forget_old(gp_route_t *r, gp_seat_t seat, gp_out_t *out)
{
    gp_route_directory_t *d = &r->directory[seat];
    for (uint32_t i = d->count; i > 0; i--) {
        gp_route_place_t *place = &d->places[i - 1];
        if (is_old(r, place) && seat == GP_SEAT_GRID) {
            place->silent = true;
        } else if (is_old(r, place)) {
            drop_place(r, seat, place, out);
        }
    }
}

/* Who told of a region that is silent has left the grid's group, or was forgotten there. */
static void forget_of(gp_route_t *r, const gp_id_t *id, gp_out_t *out)
{
    gp_route_directory_t *d = &r->directory[GP_SEAT_GRID];
    for (uint32_t i = d->count; i > 0; i--) {
        gp_route_place_t *place = &d->places[i - 1];
        if (place->silent && gp_id_equal(&place->leader, id)) {
            drop_place(r, GP_SEAT_GRID, place, out);
        }
    }
}

uint32_t gp_places_distance_us(gp_slice_t a, gp_slice_t b)
{
    gp_coordinate_t from;
    gp_coordinate_t to;
    bool known = gp_coordinate_read(a, &from) == GP_OK && gp_coordinate_read(b, &to) == GP_OK;
    return known ? gp_coordinate_distance_us(&from, &to) : GP_ROUTE_NOWHERE;
}

bool gp_places_may_match(gp_route_t *r, const gp_route_place_t *place)
{
    if (place->partial) {
        return true;
    }
    if (!gp_route_names_may_match(gp_slice(place->names, place->names_n), &r->query)) {
        return false;
    }
    gp_error_t error = gp_summary_read(gp_slice(place->summary, place->summary_n), &r->summary);
    return error != GP_OK || gp_summary_may_match(&r->summary, &r->query);
}

/* ---- telling --------------------------------------------------------------------------------- */

/* A region is told as all of its sub-Grids together. */
static void join_region(gp_route_t *r)
{
    gp_route_told_t *told = &r->told[GP_SEAT_REGION];
    const gp_route_directory_t *d = &r->directory[GP_SEAT_REGION];
    uint64_t members = 0;
    memset(&r->summary, 0, sizeof r->summary);
    memset(&r->names, 0, sizeof r->names);
    told->partial = gp_places_young(r, GP_SEAT_REGION);
    for (uint32_t i = 0; i < d->count; i++) {
        const gp_route_place_t *place = &d->places[i];
        gp_slice_t bytes = gp_slice(place->summary, place->summary_n);
        members += place->members;
        if (gp_summary_read(bytes, &r->summary_more) == GP_OK) {
            gp_summary_join(&r->summary, &r->summary_more);
        } else {
            told->partial = true;
        }
        told->partial = told->partial || place->partial;
        gp_route_names_join(&r->names, gp_slice(place->names, place->names_n));
    }
    told->members = members < UINT32_MAX ? (uint32_t)members : UINT32_MAX;
    told->summary_n = (uint16_t)gp_summary_pack(&r->summary, told->summary);
    told->names_n = (uint16_t)gp_route_names_pack(&r->names, told->names);
}

static uint32_t listeners(const gp_route_t *r, gp_seat_t above, gp_id_t *to)
{
    const gp_route_seat_t *s = &r->seats[above];
    const gp_id_t pair[2] = {s->leader, s->deputy};
    const gp_id_t *from = above == GP_SEAT_GRID ? s->members : pair;
    uint32_t from_n = above == GP_SEAT_GRID ? s->member_count : 2;
    uint32_t n = 0;
    for (uint32_t i = 0; i < from_n; i++) {
        if (!gp_id_is_none(&from[i]) && !gp_id_equal(&from[i], &r->self)) {
            to[n] = from[i];
            n += 1;
        }
    }
    return n;
}

static void fill_place(const gp_route_t *r, gp_seat_t below, gp_msg_place_t *to)
{
    const gp_route_told_t *told = &r->told[below];
    const bool region = below == GP_SEAT_REGION;
    to->group = r->seats[below + 1].group;
    to->below = r->seats[below].group;
    to->term = r->seats[below].term;
    to->version = told->version;
    to->gone = told->members == 0;
    to->partial = told->partial;
    to->name = region ? gp_slice(r->region, r->region_n) : gp_slice(r->subgrid, r->subgrid_n);
    to->members = told->members;
    to->coordinate = gp_slice(r->coordinate, r->coordinate_n);
    to->summary = gp_slice(told->summary, told->summary_n);
    to->names = gp_slice(told->names, told->names_n);
}

static void tell(gp_route_t *r, gp_seat_t below, gp_out_t *out)
{
    gp_route_told_t *told = &r->told[below];
    const gp_seat_t above = (gp_seat_t)(below + 1);
    if (below == GP_SEAT_REGION && told->fresh) {
        join_region(r);
    }
    const bool moved = !gp_slice_equal(gp_slice(told->coordinate, told->coordinate_n),
                                       gp_slice(r->coordinate, r->coordinate_n));
    told->version += told->fresh || moved ? 1 : 0;
    memcpy(told->coordinate, r->coordinate, sizeof told->coordinate);
    told->coordinate_n = r->coordinate_n;
    gp_id_t *to = gp_out_bytes(out, GP_MEMBERS_MAX * sizeof *to);
    uint32_t n = listeners(r, above, to);
    if (n > 0) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_CAST, &r->self, GP_MSG_PLACE);
        gp_out_last(out)->targets = to;
        gp_out_last(out)->target_count = n;
        fill_place(r, below, &msg->u.place);
    }
    told->gap = told->fresh ? REMIND_FIRST : told->gap;
    told->after = r->now + (below == GP_SEAT_REGION ? TELL_GAP_ABOVE : TELL_GAP);
    told->due = r->now + told->gap;
    told->gap = told->gap < REMIND_MAX / 2 ? told->gap * 2 : REMIND_MAX;
    told->fresh = below == GP_SEAT_REGION && gp_places_young(r, GP_SEAT_REGION);
    if (told->fresh) {
        told->due = r->seats[GP_SEAT_REGION].young_until;
    }
    if (gp_places_held(r, above)) {
        gp_msg_place_t own = {0};
        fill_place(r, below, &own);
        put_place(r, above, &r->self, &own, out);
    }
}

void gp_places_on_own(gp_route_t *r, const gp_msg_route_own_t *msg)
{
    gp_route_told_t *told = &r->told[GP_SEAT_SUBGRID];
    assert(msg->summary.n <= GP_SUMMARY_MAX);
    bool same = told->known && told->members == msg->members && told->partial == msg->partial &&
                gp_slice_equal(gp_slice(told->summary, told->summary_n), msg->summary) &&
                gp_slice_equal(gp_slice(told->names, told->names_n), msg->names);
    if (same || !r->above || msg->names.n > GP_ROUTE_SUB_NAMES) {
        return;
    }
    told->known = true;
    told->fresh = true;
    told->members = msg->members;
    told->partial = msg->partial;
    told->summary_n = (uint16_t)msg->summary.n;
    told->names_n = (uint16_t)msg->names.n;
    if (msg->summary.n > 0) {
        memcpy(told->summary, msg->summary.p, msg->summary.n);
    }
    if (msg->names.n > 0) {
        memcpy(told->names, msg->names.p, msg->names.n);
    }
    told->due = r->now > told->after ? r->now : told->after;
}

/* ---- news ------------------------------------------------------------------------------------ */

/* Who listens there is another one now: it is told at once, and reminded soon. */
static void tell_again(gp_route_t *r, gp_seat_t below)
{
    gp_route_told_t *told = &r->told[below];
    if (told->known) {
        told->due = r->now;
        told->gap = REMIND_FIRST;
    }
}

/* A group's first leader ever founded it: there was nobody before it whom others could have told.
 */
static bool is_founder(const gp_route_seat_t *s, const gp_id_t *self)
{
    return s->term == 1 && s->right == GP_RIGHT_QUORUM && gp_id_equal(&s->leader, self);
}

void gp_places_on_leader(gp_route_t *r, const gp_msg_route_leader_t *msg)
{
    const gp_seat_t seat = (gp_seat_t)msg->seat;
    gp_route_seat_t *s = &r->seats[seat];
    bool held = gp_places_held(r, seat);
    bool led = gp_route_leads(r, seat);
    bool news = s->term != msg->term || s->right != msg->right || s->group != msg->group ||
                !gp_id_equal(&s->leader, &msg->leader) || !gp_id_equal(&s->deputy, &msg->deputy);
    s->group = msg->group;
    s->term = msg->term;
    s->leader = msg->leader;
    s->deputy = msg->deputy;
    s->right = msg->right;
    if (!news) {
        return;
    }
    if (!led && gp_route_leads(r, seat) && seat == GP_SEAT_SUBGRID) {
        r->own_due = r->now;
    }
    if (held && !gp_places_held(r, seat)) {
        s->held_until = r->now;
    } else if (!held && gp_places_held(r, seat) &&
               (s->held_until == 0 || r->now >= s->held_until + KEEP)) {
        s->young_until = r->now + YOUNG;
    }
    if (is_founder(s, &r->self)) {
        s->young_until = r->now;
    }
    s->member_count = s->group != 0 ? s->member_count : 0;
    if (seat < GP_SEAT_GRID) {
        tell_again(r, seat);
    }
    if (seat > GP_SEAT_SUBGRID) {
        tell_again(r, (gp_seat_t)(seat - 1));
    }
    if (seat == GP_SEAT_REGION) {
        touch_above(r, seat);
    }
}

void gp_places_on_member(gp_route_t *r, const gp_msg_route_member_t *msg, gp_out_t *out)
{
    gp_route_seat_t *s = &r->seats[msg->seat];
    uint32_t at = member_at(s, &msg->id);
    if (msg->gone && at < s->member_count) {
        s->member_count -= 1;
        s->members[at] = s->members[s->member_count];
    } else if (!msg->gone && at == s->member_count && at < GP_MEMBERS_MAX) {
        s->members[at] = msg->id;
        s->member_count += 1;
        if (msg->seat == GP_SEAT_GRID) {
            tell_again(r, GP_SEAT_REGION);
        }
    } else if (msg->back && msg->seat == GP_SEAT_GRID) {
        tell_again(r, GP_SEAT_REGION);
    }
    if (msg->gone && msg->seat == GP_SEAT_GRID) {
        forget_of(r, &msg->id, out);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

void gp_places_due(gp_route_t *r, gp_out_t *out)
{
    if (!r->above) {
        return;
    }
    if (tells(r, GP_SEAT_SUBGRID) && r->own_due <= r->now) {
        r->own_due = r->now + OWN_GAP;
        gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_PLACE_DUE)->u.place_due.below =
            r->seats[GP_SEAT_SUBGRID].group;
    }
    for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
        forget_old(r, (gp_seat_t)seat, out);
    }
    for (int below = 0; below < GP_SEAT_GRID; below++) {
        gp_route_told_t *told = &r->told[below];
        if (tells(r, (gp_seat_t)below) && told->known && told->due <= r->now) {
            tell(r, (gp_seat_t)below, out);
        }
    }
}

static gp_usec_t earlier(gp_usec_t a, gp_usec_t b)
{
    return a < b ? a : b;
}

gp_usec_t gp_places_wake(const gp_route_t *r)
{
    gp_usec_t wake = GP_NEVER;
    if (!r->above) {
        return wake;
    }
    if (tells(r, GP_SEAT_SUBGRID)) {
        wake = r->own_due;
    }
    for (int below = 0; below < GP_SEAT_GRID; below++) {
        if (tells(r, (gp_seat_t)below) && r->told[below].known) {
            wake = earlier(wake, r->told[below].due);
        }
    }
    for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
        const gp_route_directory_t *d = &r->directory[seat];
        for (uint32_t i = 0; i < d->count; i++) {
            wake = earlier(wake, d->places[i].silent ? GP_NEVER
                                                     : d->places[i].heard_at + FORGET_AFTER);
        }
    }
    return wake;
}

/* ---- for the shell --------------------------------------------------------------------------- */

uint32_t gp_route_count(const void *core, gp_seat_t seat)
{
    return ((const gp_route_t *)core)->directory[seat].count;
}

const gp_route_place_t *gp_route_at(const void *core, gp_seat_t seat, uint32_t at)
{
    const gp_route_directory_t *d = &((const gp_route_t *)core)->directory[seat];
    assert(at < d->count);
    return &d->places[at];
}

/* But this one's own. */
static bool has_others(const gp_route_t *r, gp_seat_t seat)
{
    const gp_route_directory_t *d = &r->directory[seat];
    for (uint32_t i = 0; i < d->count; i++) {
        if (d->places[i].group != r->seats[seat - 1].group) {
            return true;
        }
    }
    return gp_places_young(r, seat);
}

bool gp_route_alone(const void *core)
{
    const gp_route_t *r = core;
    bool leads = gp_route_leads(r, GP_SEAT_SUBGRID) && gp_route_leads(r, GP_SEAT_REGION);
    return !r->above || (leads && !has_others(r, GP_SEAT_REGION) && !has_others(r, GP_SEAT_GRID));
}

gp_slice_t gp_route_told(const void *core)
{
    const gp_route_told_t *told = &((const gp_route_t *)core)->told[GP_SEAT_SUBGRID];
    return gp_slice(told->summary, told->summary_n);
}

void gp_places_check(const gp_route_t *r)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        const gp_route_directory_t *d = &r->directory[seat];
        assert(d->count <= GP_MEMBERS_MAX && (r->above || d->count == 0));
        for (uint32_t i = 0; i < d->count; i++) {
            assert(d->places[i].group != 0 && d->places[i].names_n <= d->names_max);
            assert(i == 0 || d->places[i - 1].group < d->places[i].group);
        }
        assert(r->seats[seat].member_count <= GP_MEMBERS_MAX);
    }
}
