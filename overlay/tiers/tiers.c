#include "overlay/tiers/tiers.h"

/* What this machine knows of its group of one tier. */
typedef struct tier {
    bool held;   /* it has a seat there; always at tier 0 */
    bool giving; /* it is being given up: nobody misses its vote */
    gp_id_t leader;
    gp_right_t right;
    gp_usec_t lease_until; /* until when this machine itself leads; 0: it does not */
    uint32_t voter_count;
    gp_id_t voters[GP_VOTERS_MAX];
    bool standby; /* as the seat was last told: a standby ... */
    bool resigns; /* ... that has no part below */
    /* tiers above the first */
    gp_usec_t ask_at; /* GP_NEVER: nothing to ask for */
    gp_usec_t ask_wait;
    gp_usec_t partless_since; /* no part in the group below since; GP_NEVER: it has one */
} tier_t;

struct gp_tiers {
    gp_tiers_config_t config;
    gp_id_t self;
    gp_usec_t now;
    bool started;
    tier_t tiers[GP_SEAT_COUNT];
};

gp_tiers_config_t gp_tiers_defaults(void)
{
    return (gp_tiers_config_t){
        .ask_min = 200 * GP_MSEC, .ask_max = 5 * GP_SECOND, .give_after = 10 * GP_SECOND};
}

void gp_tiers_slow_down(gp_tiers_config_t *config, uint32_t times)
{
    config->ask_min *= times;
    config->ask_max *= times;
    config->give_after *= times;
}

static size_t tiers_size(const void *config)
{
    const gp_tiers_config_t *c = config;
    return c->ask_min > 0 && c->ask_max >= c->ask_min ? sizeof(gp_tiers_t) : 0;
}

static tier_t unseated(void)
{
    return (tier_t){.ask_at = GP_NEVER, .partless_since = GP_NEVER};
}

static void tiers_init(void *core, const void *config, gp_id_t self, uint64_t seed)
{
    gp_tiers_t *t = core;
    (void)seed;
    *t = (gp_tiers_t){.config = *(const gp_tiers_config_t *)config, .self = self};
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        t->tiers[seat] = unseated();
    }
    t->tiers[GP_SEAT_SUBGRID].held = true;
}

static gp_usec_t later(gp_usec_t at, gp_usec_t by)
{
    return at == GP_NEVER ? GP_NEVER : at + by;
}

/* ---- what follows from what is known --------------------------------------------------------- */

static bool is_ruled(const tier_t *tier)
{
    return tier->held && tier->right == GP_RIGHT_QUORUM;
}

static bool leads(const gp_tiers_t *t, const tier_t *tier)
{
    return is_ruled(tier) && gp_id_equal(&tier->leader, &t->self);
}

static bool votes(const tier_t *tier, const gp_id_t *id)
{
    for (uint32_t i = 0; i < tier->voter_count; i++) {
        if (gp_id_equal(&tier->voters[i], id)) {
            return true;
        }
    }
    return false;
}

/* Has this machine a part in the group below that gives it a seat in this one? */
static bool has_part(const gp_tiers_t *t, int seat)
{
    const tier_t *below = &t->tiers[seat - 1];
    bool stands_by = !t->config.leaders_only[seat] && votes(below, &t->self);
    return is_ruled(below) && (leads(t, below) || stands_by);
}

static void tell_role(gp_tiers_t *t, int seat, gp_out_t *out)
{
    tier_t *tier = &t->tiers[seat];
    const tier_t *below = &t->tiers[seat - 1];
    /* While nobody leads below it stays as it was: the next moment tells. */
    bool standby = below->held && !is_ruled(below) ? tier->standby : !leads(t, below);
    bool resigns = t->now >= later(tier->partless_since, t->config.give_after);
    if (tier->standby == standby && tier->resigns == resigns) {
        return;
    }
    tier->standby = standby;
    tier->resigns = resigns;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &t->self, GP_MSG_SEAT_ROLE);
    msg->u.seat_role.seat = (uint8_t)seat;
    msg->u.seat_role.standby = standby;
    msg->u.seat_role.resigns = resigns;
}

/* It is asked for, too, while the seat's group seems not to know of this machine. */
static void arm_asking(gp_tiers_t *t, int seat)
{
    tier_t *tier = &t->tiers[seat];
    bool wanted = has_part(t, seat) && !is_ruled(tier);
    if (!wanted) {
        tier->ask_at = GP_NEVER;
    } else if (tier->ask_at == GP_NEVER) {
        tier->ask_at = t->now;
        tier->ask_wait = t->config.ask_min;
    }
}

/* While nobody leads below it stays as it was: the next leader may know this machine as a voter. */
static void watch_part(gp_tiers_t *t, int seat)
{
    tier_t *tier = &t->tiers[seat];
    const tier_t *below = &t->tiers[seat - 1];
    if (!tier->held || has_part(t, seat)) {
        tier->partless_since = GP_NEVER;
    } else if ((!below->held || is_ruled(below)) && tier->partless_since == GP_NEVER) {
        tier->partless_since = t->now;
    }
}

/* Only once another votes in its stead: who just goes may take the majority with it. */
static void give(gp_tiers_t *t, int seat, gp_out_t *out)
{
    tier_t *tier = &t->tiers[seat];
    bool missed = !is_ruled(tier) || leads(t, tier) || votes(tier, &t->self);
    if (!tier->held || tier->giving || !tier->resigns || missed) {
        return;
    }
    tier->giving = true;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &t->self, GP_MSG_SEAT_GIVE);
    msg->u.seat_give.seat = (uint8_t)seat;
}

/* A voter asks its leader; a leader that has no seat, all members: one of them may have one. */
static void ask(gp_tiers_t *t, int seat, gp_out_t *out)
{
    tier_t *tier = &t->tiers[seat];
    const tier_t *below = &t->tiers[seat - 1];
    if (tier->ask_at > t->now) {
        return;
    }
    tier->ask_at = t->now + tier->ask_wait;
    tier->ask_wait =
        2 * tier->ask_wait < t->config.ask_max ? 2 * tier->ask_wait : t->config.ask_max;
    if (leads(t, below)) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &t->self, GP_MSG_SEAT_WANTED);
        msg->u.seat_wanted.seat = (uint8_t)seat;
    } else {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &below->leader, GP_MSG_SEAT_ASK);
        msg->u.seat_ask.group = t->config.groups[seat];
    }
}

static void review(gp_tiers_t *t, gp_out_t *out)
{
    for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
        if (t->config.groups[seat] == 0) {
            break;
        }
        watch_part(t, seat);
        if (t->tiers[seat].held) {
            tell_role(t, seat, out);
        }
        give(t, seat, out);
        arm_asking(t, seat);
        ask(t, seat, out);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

/* The seat above the first of that group; GP_SEAT_COUNT: none. */
static int seat_above(const gp_tiers_t *t, uint64_t group)
{
    int seat = GP_SEAT_REGION;
    while (seat < GP_SEAT_COUNT && (group == 0 || t->config.groups[seat] != group)) {
        seat++;
    }
    return seat;
}

/*
 * Who has the seat itself lets in whoever has a part below, as far as it knows: the leader its
 * voters, and anybody the leader; and whom the region peer sent to found a sub-Grid. Also while
 * nobody leads there: it may be the one that is missed.
 */
static void on_ask(const gp_tiers_t *t, const gp_event_t *event, gp_out_t *out)
{
    int seat = seat_above(t, event->msg->u.seat_ask.group);
    if (seat == GP_SEAT_COUNT) {
        return;
    }
    const tier_t *below = &t->tiers[seat - 1];
    bool own_voter = leads(t, below) && below->lease_until > t->now && votes(below, &event->peer);
    bool own_leader = is_ruled(below) && gp_id_equal(&below->leader, &event->peer);
    bool expected = t->config.expects != NULL &&
                    t->config.expects(t->config.context, (gp_seat_t)seat, &event->peer);
    if (t->tiers[seat].held && (own_voter || own_leader || expected)) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &t->self, GP_MSG_SEAT_OFFER);
        msg->u.seat_offer.seat = (uint8_t)seat;
        msg->u.seat_offer.target = event->peer;
    }
}

/* The answer: it is known there now. */
static void on_reply(const gp_tiers_t *t, const gp_event_t *event, gp_out_t *out)
{
    int seat = seat_above(t, event->msg->u.seek_reply.group);
    if (seat == GP_SEAT_COUNT || t->tiers[seat].held) {
        return;
    }
    const tier_t *below = &t->tiers[seat - 1];
    bool asked = t->tiers[seat].ask_at != GP_NEVER &&
                 (leads(t, below) || gp_id_equal(&event->peer, &below->leader));
    if (has_part(t, seat) && asked) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &t->self, GP_MSG_SEAT_TAKE);
        msg->u.seat_take.seat = (uint8_t)seat;
    }
}

static void on_leader(gp_tiers_t *t, const gp_msg_tiers_leader_t *news)
{
    assert(news->seat < GP_SEAT_COUNT);
    tier_t *tier = &t->tiers[news->seat];
    if (!tier->held) {
        return;
    }
    if (!gp_id_equal(&tier->leader, &news->leader) && news->seat + 1 < GP_SEAT_COUNT) {
        t->tiers[news->seat + 1].ask_at = GP_NEVER; /* another may give what the last could not */
    }
    tier->leader = news->leader;
    tier->right = (gp_right_t)news->right;
    tier->lease_until = news->lease_until;
    tier->voter_count = news->voters_count;
    for (uint32_t i = 0; i < news->voters_count; i++) {
        tier->voters[i] = news->voters[i].id;
    }
}

static void on_seat(gp_tiers_t *t, const gp_msg_tiers_seat_t *news)
{
    assert(news->seat > GP_SEAT_SUBGRID && news->seat < GP_SEAT_COUNT);
    t->tiers[news->seat] = unseated();
    t->tiers[news->seat].held = news->held;
    t->tiers[news->seat].standby = news->standby;
}

static void tiers_step(void *core, const gp_event_t *event, gp_out_t *out)
{
    gp_tiers_t *t = core;
    t->now = event->now > t->now ? event->now : t->now;
    t->started = t->started || event->type == GP_EVENT_START;
    if (event->msg != NULL) {
        switch (event->msg->kind) {
        case GP_MSG_SEAT_ASK:
            on_ask(t, event, out);
            break;
        case GP_MSG_SEEK_REPLY:
            on_reply(t, event, out);
            break;
        case GP_MSG_TIERS_LEADER:
            on_leader(t, &event->msg->u.tiers_leader);
            break;
        case GP_MSG_TIERS_SEAT:
            on_seat(t, &event->msg->u.tiers_seat);
            break;
        default:
            break;
        }
    }
    if (t->started) {
        review(t, out);
    }
}

static gp_usec_t tiers_wake(const void *core)
{
    const gp_tiers_t *t = core;
    gp_usec_t wake = GP_NEVER;
    for (int seat = GP_SEAT_REGION; t->started && seat < GP_SEAT_COUNT; seat++) {
        const tier_t *tier = &t->tiers[seat];
        wake = tier->ask_at < wake ? tier->ask_at : wake;
        gp_usec_t due =
            tier->resigns ? GP_NEVER : later(tier->partless_since, t->config.give_after);
        wake = due < wake ? due : wake;
    }
    return wake;
}

static void tiers_check(const void *core)
{
    const gp_tiers_t *t = core;
    assert(t->tiers[GP_SEAT_SUBGRID].held);
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        const tier_t *tier = &t->tiers[seat];
        assert(tier->voter_count <= GP_VOTERS_MAX);
        assert(tier->held || (tier->right == GP_RIGHT_NONE && !tier->giving));
    }
}

const gp_core_ops_t gp_tiers_ops = {
    .name = "tiers",
    .size = tiers_size,
    .init = tiers_init,
    .step = tiers_step,
    .wake = tiers_wake,
    .check = tiers_check,
};
