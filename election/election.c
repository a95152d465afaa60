/*
 * The core's contract: events to their files, timers, the LEADER notice, and the invariants.
 */
#include "election/election.h"

#include "election/election_state.h"

gp_election_config_t gp_election_defaults(void)
{
    return (gp_election_config_t){
        .lease_ms = 1500,
        .lease_beat_ms = 400,
        .drift_permille = 20,
        .rank_wait_ms = 30,
        .jitter_ms = 30,
        .vote_wait_ms = 500,
        .vote_valid_ms = 120000,
        .dead_voter_after_ms = 10000,
        .promote_after_ms = 600000,
        .promote_gap = 100,
        .promote_every_ms = 1800000,
        .caretaker_after_ms = 2000,
        .store_retry_ms = 1000,
        .can_lead = true,
    };
}

void gp_election_slow_down(gp_election_config_t *config, uint32_t times)
{
    uint32_t *const all[] = {
        &config->lease_ms,
        &config->lease_beat_ms,
        &config->rank_wait_ms,
        &config->jitter_ms,
        &config->vote_wait_ms,
        &config->vote_valid_ms,
        &config->dead_voter_after_ms,
        &config->promote_after_ms,
        &config->promote_every_ms,
        &config->caretaker_after_ms,
        &config->store_retry_ms,
    };
    assert(times > 0 && times <= GP_SLOW_MAX);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        *all[i] *= times;
    }
}

static size_t size(const void *config)
{
    const gp_election_config_t *c = config;
    bool times = c->lease_ms > 0 && c->lease_ms <= 60000 && c->lease_beat_ms > 0 &&
                 c->lease_beat_ms * 2 <= c->lease_ms && c->drift_permille < 500 &&
                 c->vote_wait_ms > 0 && c->vote_wait_ms <= 60000 && c->rank_wait_ms > 0 &&
                 c->rank_wait_ms <= 10000 && c->jitter_ms <= 60000 && c->caretaker_after_ms > 0 &&
                 c->store_retry_ms > 0 && c->vote_valid_ms <= 3600000 &&
                 c->vote_valid_ms / 4 >= c->lease_ms;
    return times ? sizeof(gp_election_t) : 0;
}

static void init(void *core, const void *config, gp_id_t self, uint64_t seed)
{
    assert(size(config) > 0 && !gp_id_is_none(&self));
    gp_election_t *el = core;
    memset(el, 0, sizeof *el);
    el->config = *(const gp_election_config_t *)config;
    el->self = self;
    gp_random_init(&el->random, seed);
    el->role = GP_ELECTION_FOLLOWER;
    el->lost_at = GP_NEVER;
    el->campaign_at = GP_NEVER;
    el->phase_until = GP_NEVER;
    el->beat_at = GP_NEVER;
    el->doubt.again_at = GP_NEVER;
    el->caretaker_until = GP_NEVER;
    el->caretaker_beat_at = GP_NEVER;
}

void gp_election_again(gp_election_t *el, const gp_election_config_t *config, uint64_t seed)
{
    /* From its term to what of it is on the disk: see election_state.h. */
    enum { FROM = offsetof(gp_election_t, term), TO = offsetof(gp_election_t, storing_serial) };
    uint8_t kept[TO - FROM];
    const gp_id_t self = el->self;
    memcpy(kept, (const uint8_t *)el + FROM, sizeof kept);
    init(el, config, self, seed);
    memcpy((uint8_t *)el + FROM, kept, sizeof kept);
    gp_election_touch(el); /* nothing is promised before all of it is on the disk */
}

static void start(gp_election_t *el)
{
    assert(!el->started);
    el->started = true;
    el->lost_at = el->now;
    el->why = GP_CAMPAIGN_START;
    if (el->term > 0 || el->version > 0) {
        /* Before the crash a lease may have been granted that nobody remembers here. */
        el->restart_until =
            el->now + (gp_usec_t)el->config.lease_ms * (1000 + el->config.drift_permille);
        gp_election_arm(el, el->now);
    }
}

/* ---- timers ---------------------------------------------------------------------------------- */

static bool is_only_voter(const gp_election_t *el)
{
    return el->roster.count == 1 && gp_id_equal(&el->roster.voters[0].id, &el->self);
}

/* When a leader that cannot renew its lease must stop. */
static gp_usec_t lead_until(const gp_election_t *el)
{
    return el->lease_until != 0 ? el->lease_until
                                : el->won_at + gp_election_us(el->config.lease_ms);
}

static void leader_timers(gp_election_t *el, gp_out_t *out)
{
    if (el->now >= lead_until(el) && !is_only_voter(el)) {
        gp_election_step_down(el, GP_STEP_DOWN_LEASE, out);
        return;
    }
    gp_usec_t valid = gp_election_us(el->config.vote_valid_ms);
    if (el->now >= el->mandate.asked_at + valid / 4 * 3) {
        /* Those who voted against it do not renew: a new term settles who leads. */
        gp_election_step_down(el, GP_STEP_DOWN_LEASE, out);
        return;
    }
    if (el->now >= el->beat_at) {
        gp_election_beat(el, out);
        gp_election_renew(el, out);
        gp_election_watch_better(el, out);
        gp_election_maintain(el, out);
    }
}

static void follower_timers(gp_election_t *el, gp_out_t *out)
{
    bool held = !gp_id_is_none(&el->lease_holder) && gp_id_equal(&el->lease_holder, &el->leader);
    if (held && el->now >= el->grant_until && el->lost_at == GP_NEVER && gp_election_is_voter(el)) {
        el->lost_at = el->now;
        el->why = GP_CAMPAIGN_SILENT;
    }
    gp_election_doubt_timer(el, out);
    if (el->role != GP_ELECTION_FOLLOWER) {
        if (el->now >= el->phase_until) {
            gp_election_follow(el, el->term);
            gp_election_retry(el);
        }
    } else if (el->now >= el->campaign_at) {
        if (gp_election_can_stand(el) && !gp_election_disk_failing(el)) {
            gp_campaign_why_t why = el->evidence ? GP_CAMPAIGN_EVIDENCE : el->why;
            gp_election_ask_prevotes(el, why, out);
        } else {
            gp_election_arm(el, el->now + gp_election_us(el->config.lease_ms));
        }
    }
}

static void tick(gp_election_t *el, gp_out_t *out)
{
    if (gp_election_leads(el)) {
        leader_timers(el, out);
    }
    if (!gp_election_leads(el)) {
        follower_timers(el, out);
    }
    gp_election_handover_timers(el, out);
    gp_election_caretaker_timers(el, out);
}

static gp_usec_t earlier(gp_usec_t a, gp_usec_t b)
{
    return a < b ? a : b;
}

static gp_usec_t wake(const void *core)
{
    const gp_election_t *el = core;
    gp_usec_t at = GP_NEVER;
    if (!el->started) {
        return at;
    }
    if (gp_election_leads(el)) {
        at = earlier(el->beat_at, is_only_voter(el) ? GP_NEVER : lead_until(el));
        at = el->move != GP_ELECTION_STAY ? earlier(at, el->move_until) : at;
    } else {
        bool waits = el->role == GP_ELECTION_FOLLOWER;
        at = waits ? el->campaign_at : el->phase_until;
        bool held =
            !gp_id_is_none(&el->lease_holder) && gp_id_equal(&el->lease_holder, &el->leader);
        if (held && el->lost_at == GP_NEVER && gp_election_is_voter(el)) {
            at = earlier(at, el->grant_until);
        }
        at = el->going && !el->relinquished ? earlier(at, el->going_until) : at;
        at = earlier(at, el->doubt.again_at);
    }
    if (!gp_election_is_durable(el) && el->storing_serial == 0) {
        at = earlier(at, el->store_retry_at);
    }
    return earlier(at, gp_election_caretaker_wake(el));
}

/* ---- events ---------------------------------------------------------------------------------- */

static void take_message(gp_election_t *el, const gp_id_t *peer, const gp_msg_t *msg, gp_out_t *out)
{
#define TAKE(KIND, name, call)                                                                     \
    case GP_MSG_##KIND:                                                                            \
        if (msg->u.name.group == el->config.group) {                                               \
            call;                                                                                  \
        }                                                                                          \
        break
    switch (msg->kind) {
        TAKE(LEASE, lease, gp_election_take_lease(el, peer, &msg->u.lease, out));
        TAKE(LEASE_ACK, lease_ack, gp_election_take_lease_ack(el, peer, &msg->u.lease_ack, out));
        TAKE(PREVOTE_ASK, prevote_ask,
             gp_election_take_prevote_ask(el, peer, &msg->u.prevote_ask, out));
        TAKE(PREVOTE, prevote, gp_election_take_prevote(el, peer, &msg->u.prevote, out));
        TAKE(VOTE_ASK, vote_ask, gp_election_take_vote_ask(el, peer, &msg->u.vote_ask, out));
        TAKE(VOTE, vote, gp_election_take_vote(el, peer, msg, out));
        TAKE(MANDATE, mandate, gp_election_take_mandate(el, peer, &msg->u.mandate, out));
        TAKE(MANDATE_ASK, mandate_ask,
             gp_election_take_mandate_ask(el, peer, &msg->u.mandate_ask, out));
        TAKE(REGISTER, register_, gp_election_take_register(el, peer, &msg->u.register_, out));
        TAKE(REGISTER_ACK, register_ack,
             gp_election_take_register_ack(el, peer, &msg->u.register_ack, out));
        TAKE(HANDOVER, handover, gp_election_take_handover(el, peer, msg, out));
        TAKE(RENEW_ASK, renew_ask, gp_election_take_renew_ask(el, peer, &msg->u.renew_ask, out));
        TAKE(CARETAKER, caretaker, gp_election_take_caretaker(el, peer, &msg->u.caretaker, out));
    default:
        break;
    }
#undef TAKE
}

static void take_command(gp_election_t *el, const gp_msg_t *msg, gp_out_t *out)
{
    switch (msg->kind) {
    case GP_MSG_ELECTION_STANDINGS:
        gp_election_take_standings(el, &msg->u.election_standings, out);
        break;
    case GP_MSG_ELECTION_EVIDENCE:
        gp_election_take_evidence(el, &msg->u.election_evidence);
        break;
    case GP_MSG_ELECTION_RELINQUISH:
        gp_election_relinquish(el, &msg->u.election_relinquish, out);
        break;
    case GP_MSG_ELECTION_STAY:
        gp_election_stay(el);
        break;
    case GP_MSG_ELECTION_FOUND:
        gp_election_found(el, msg->u.election_found.score, out);
        break;
    default:
        break;
    }
}

/* Says who leads, if that is not what was said last. */
static void tell_leader(gp_election_t *el, gp_out_t *out)
{
    gp_msg_leader_t now = {.group = el->config.group,
                           .term = gp_election_term(el),
                           .leader = gp_election_leader(el),
                           .deputy = gp_election_deputy(el),
                           .right = (uint8_t)gp_election_right(el),
                           .lease_until = gp_election_lease_until(el)};
    now.voters_count = gp_election_voters(el, now.voters);
    const gp_msg_leader_t *said = &el->said;
    now.renewed = said->term == now.term && gp_id_equal(&said->leader, &now.leader) &&
                  gp_id_equal(&said->deputy, &now.deputy) && said->right == now.right;
    bool same = now.renewed && said->lease_until == now.lease_until &&
                said->voters_count == now.voters_count;
    for (uint32_t i = 0; same && i < now.voters_count; i++) {
        same = gp_id_equal(&said->voters[i].id, &now.voters[i].id) &&
               said->voters[i].score == now.voters[i].score;
    }
    if (!same) {
        el->said = now;
        gp_out_add(out, GP_ACTION_NOTICE, &el->self, GP_MSG_LEADER)->u.leader = now;
    }
}

static void step(void *core, const gp_event_t *event, gp_out_t *out)
{
    gp_election_t *el = core;
    assert(event->now >= el->now);
    el->now = event->now;
    if (event->type == GP_EVENT_LOAD) {
        assert(!el->started);
        if (event->msg->kind == GP_MSG_ELECTION_STATE) {
            gp_election_load(el, &event->msg->u.election_state);
        }
        return;
    }
    if (event->type == GP_EVENT_START) {
        start(el);
    }
    if (!el->started) {
        return;
    }
    tick(el, out); /* first: a machine that slept must not act on what it no longer holds */
    switch (event->type) {
    case GP_EVENT_MSG:
        take_message(el, &event->peer, event->msg, out);
        break;
    case GP_EVENT_STORED:
        gp_election_take_stored(el, event->token, event->ok, out);
        break;
    case GP_EVENT_COMMAND:
        take_command(el, event->msg, out);
        break;
    default:
        break;
    }
    tick(el, out);
    gp_election_flush(el, out);
    tell_leader(el, out);
}

/* ---- what it knows --------------------------------------------------------------------------- */

uint64_t gp_election_term(const gp_election_t *el)
{
    return el->leader_term > 0 ? el->leader_term : el->term;
}

uint64_t gp_election_own_term(const gp_election_t *el)
{
    return el->term;
}

gp_id_t gp_election_voted_for(const gp_election_t *el)
{
    return el->voted_for;
}

gp_id_t gp_election_leader(const gp_election_t *el)
{
    switch (gp_election_right(el)) {
    case GP_RIGHT_QUORUM:
        return el->leader;
    case GP_RIGHT_CARETAKER:
        return el->caretaker;
    default:
        return (gp_id_t){0};
    }
}

gp_right_t gp_election_right(const gp_election_t *el)
{
    if (gp_election_leads(el)) {
        return el->lease_until != 0 ? GP_RIGHT_QUORUM : GP_RIGHT_NONE;
    }
    if (!gp_id_is_none(&el->caretaker)) {
        return GP_RIGHT_CARETAKER;
    }
    return el->lost_at == GP_NEVER && el->leader_term > 0 ? GP_RIGHT_QUORUM : GP_RIGHT_NONE;
}

gp_usec_t gp_election_lease_until(const gp_election_t *el)
{
    return gp_election_caretakes(el) ? GP_NEVER : el->lease_until;
}

gp_id_t gp_election_deputy(const gp_election_t *el)
{
    const gp_election_roster_t *roster = gp_election_view(el);
    gp_id_t leader = gp_election_leader(el);
    if (gp_id_is_none(&leader)) {
        leader = el->leader; /* the one that was lost is not the one to turn to */
    }
    for (uint32_t i = 0; i < roster->count; i++) {
        const gp_id_t *id = &roster->voters[i].id;
        bool living = gp_id_equal(id, &el->self) || gp_election_living(el, id);
        if (living && !gp_id_equal(id, &leader)) {
            return *id;
        }
    }
    return (gp_id_t){0};
}

uint32_t gp_election_voters(const gp_election_t *el, gp_record_voter_t ret_voters[GP_VOTERS_MAX])
{
    const gp_election_roster_t *roster = gp_election_view(el);
    memcpy(ret_voters, roster->voters, roster->count * sizeof ret_voters[0]);
    return roster->count;
}

uint64_t gp_election_version(const gp_election_t *el)
{
    return el->version;
}

bool gp_election_committed(const gp_election_t *el)
{
    return gp_election_leads(el) && el->committed;
}

/* ---- invariants ------------------------------------------------------------------------------ */

static void check(const void *core)
{
    const gp_election_t *el = core;
    assert(el->role >= GP_ELECTION_FOLLOWER && el->role <= GP_ELECTION_LEADER);
    assert(el->durable_serial <= el->serial && el->storing_serial <= el->serial);
    assert(el->storing_serial == 0 || el->storing_serial > el->durable_serial);
    assert(el->pending_count <= GP_ELECTION_PENDING_MAX);
    assert(el->member_count <= GP_MEMBERS_MAX && el->roster.count <= GP_VOTERS_MAX);
    assert(el->term <= GP_TERM_MAX && el->leader_term <= el->term && el->value_term <= el->term);
    assert(el->mandate.term == el->leader_term);
    assert(el->version > 0 || el->roster.count == 0);
    assert(el->lease_until == 0 || gp_election_leads(el));
    assert(el->role != GP_ELECTION_CANDIDATE || gp_id_equal(&el->voted_for, &el->self));
    assert(!gp_election_caretakes(el) || (!gp_election_leads(el) && !el->going));
    assert(!el->learner_ready || !gp_id_is_none(&el->learner));
    for (uint32_t i = 0; i < el->roster.count; i++) {
        assert(!gp_id_is_none(&el->roster.voters[i].id));
    }
    for (uint32_t i = 0; i < el->pending_count; i++) {
        assert(el->pending[i].serial > el->durable_serial);
        assert(el->pending[i].serial <= el->serial);
    }
    if (gp_election_leads(el)) {
        assert(gp_id_equal(&el->leader, &el->self) && el->leader_term == el->term);
        assert(gp_id_equal(&el->mandate.candidate, &el->self) && el->value_term == el->term);
        assert(gp_id_equal(&el->voted_for, &el->self) && gp_id_is_none(&el->lease_holder));
        assert(gp_id_is_none(&el->caretaker));
        for (uint32_t i = 0; i < el->roster.count; i++) {
            assert(gp_id_equal(&el->progress[i].id, &el->roster.voters[i].id));
            assert(el->progress[i].version <= el->version);
        }
    }
}

const gp_core_ops_t gp_election_ops = {
    .name = "election", .size = size, .init = init, .step = step, .wake = wake, .check = check};
