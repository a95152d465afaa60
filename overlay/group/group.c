/*
 * The group core: configuration, dispatch, timers, accessors.
 */
#include "overlay/group/group_state.h"

#define LATE_NOISE (10 * GP_MSEC) /* lateness that every scheduler shows */

void gp_group_defaults(gp_group_config_t *ret_config)
{
    *ret_config = (gp_group_config_t){
        .members_max = GP_MEMBERS_MAX,
        .cert_max = GP_CERT_MAX,
        .beat_period = 1 * GP_SECOND,
        .beat_timeout = 300 * GP_MSEC,
        .confirm_window = 500 * GP_MSEC,
        .ring_period = 10 * GP_SECOND,
        .late_after = 200 * GP_MSEC,
        .redial_after = 10 * GP_MSEC,
        .view_batch = 5 * GP_MSEC,
        .view_gap = 20 * GP_MSEC,
        .view_quiet = 50 * GP_MSEC,
        .pull_period = 200 * GP_MSEC,
        .seek_min = 100 * GP_MSEC,
        .seek_max = 5 * GP_SECOND,
        .many_hold = 10 * GP_SECOND,
        .leave_limit = 300 * GP_MSEC,
        .admit_hold = 250 * GP_MSEC,
        .introduce_limit = 30 * GP_SECOND,
        .forget_left_after = 3600 * GP_SECOND,
        .forget_stopped_after = 7 * 24 * 3600 * GP_SECOND,
        .forget_never_after = 600 * GP_SECOND,
        .forget_dead_after = 60 * GP_SECOND,
        .store_period = 2 * GP_SECOND,
        .try_period = 30 * GP_SECOND,
    };
}

void gp_group_slow_down(gp_group_config_t *config, uint32_t times)
{
    gp_usec_t *const all[] = {
        &config->beat_period,        &config->beat_timeout,      &config->confirm_window,
        &config->ring_period,        &config->late_after,        &config->redial_after,
        &config->view_batch,         &config->view_gap,          &config->view_quiet,
        &config->pull_period,        &config->seek_min,          &config->seek_max,
        &config->many_hold,          &config->leave_limit,       &config->admit_hold,
        &config->introduce_limit,    &config->forget_left_after, &config->forget_stopped_after,
        &config->forget_never_after, &config->forget_dead_after, &config->store_period,
        &config->try_period,
    };
    assert(times > 0 && times <= GP_SLOW_MAX);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        *all[i] *= times;
    }
}

static bool is_usable(const gp_group_config_t *config)
{
    return config->members_max > 0 && config->members_max <= GP_MEMBERS_MAX &&
           config->cert_max <= GP_CERT_MAX && config->boot > 0 &&
           config->boot <= UINT64_C(1) << 47 && config->name.n <= GP_NAME_MAX &&
           config->address.n <= GP_ADDRESS_MAX && config->beat_period >= 8 * GP_MSEC &&
           config->beat_timeout > 0 && config->confirm_window > 0 && config->seek_min >= 4 &&
           config->seek_max >= config->seek_min && config->ring_period >= 8 &&
           config->pull_period >= 4;
}

static size_t core_size(const void *config)
{
    const gp_group_config_t *c = config;
    if (!is_usable(c)) {
        return 0;
    }
    return sizeof(gp_group_t) + c->members_max * (sizeof(gp_group_entry_t) + c->cert_max);
}

static void core_init(void *core, const void *config, gp_id_t self, uint64_t seed)
{
    gp_group_t *g = core;
    const gp_group_config_t *c = config;
    assert(is_usable(c) && !gp_id_is_none(&self));
    *g = (gp_group_t){.config = *c, .self = self, .wake_at = GP_NEVER};
    g->config.name = g->config.address = g->config.cert = (gp_slice_t){NULL, 0};
    gp_random_init(&g->random, seed);
    gp_random_init(&g->directions, ~seed);
    g->incarnation = (c->boot << 16) + c->life;
    g->flags = c->flags;
    g->health = 1000;
    g->headroom = 500;
    g->factor = GP_GROUP_FACTOR_MIN;
    gp_group_entry_t *m = gp_group_add(g, &self);
    assert(m != NULL);
    gp_record_member_t record = {
        .id = self, .name = c->name, .address = c->address, .cert = c->cert};
    gp_group_identify(g, m, &record);
    m->shown.incarnation = g->incarnation;
    m->shown.flags = g->flags;
    g->store_dirty = false;
}

static void start(gp_group_t *g)
{
    g->started = true;
    g->leaderless_since = g->now;
    g->tried_at = g->now;
    g->seek_cursor = (uint32_t)gp_random_below(&g->random, GP_MEMBERS_MAX);
    g->seek_at = g->now;
    g->probe_at =
        g->now + g->config.beat_period + gp_random_below(&g->random, g->config.beat_period / 4);
    g->ring_at = g->now + gp_random_below(&g->random, g->config.ring_period);
    g->standings_dirty = true;
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        m->ruled_at = g->now;
        m->away_since = g->now;
        m->shown.since = g->now;
        gp_availability_start(&m->availability, g->now);
    }
}

/* ---- dispatch -------------------------------------------------------------------------------- */

static void take_flags(gp_group_t *g, uint8_t flags, gp_out_t *out)
{
    if (flags == g->flags) {
        return;
    }
    g->flags = flags;
    g->standings_dirty = true;
    gp_group_entry_t *self = gp_group_self(g);
    if (g->leading) {
        self->shown.flags = flags | GP_FLAG_SEEN;
        gp_group_rule(g, self, GP_MEMBER_ALIVE, (gp_cause_t)self->ruled_cause);
    } else {
        gp_group_present(g, out);
    }
}

static void on_self(gp_group_t *g, const gp_msg_group_self_t *news, gp_out_t *out)
{
    g->health = news->health < 1000 ? news->health : 1000;
    g->headroom = news->headroom < 1000 ? news->headroom : 1000;
    uint8_t kept = g->flags & GP_FLAG_FAILING;
    take_flags(g, (news->flags & GP_FLAGS_SAID & ~GP_FLAG_FAILING) | kept, out);
}

static void on_disk(gp_group_t *g, const gp_msg_group_disk_t *news, gp_out_t *out)
{
    uint8_t others = g->flags & (uint8_t)~GP_FLAG_FAILING;
    take_flags(g, news->failing ? others | GP_FLAG_FAILING : others, out);
}

/* The others learn of it as of a new address: from the leader's view. */
static void on_cert(gp_group_t *g, const gp_msg_group_cert_t *news, gp_out_t *out)
{
    gp_group_entry_t *self = gp_group_self(g);
    gp_record_member_t record = {.cert = news->cert};
    (void)gp_group_identify(g, self, &record);
    if (g->leading) {
        gp_group_rule(g, self, GP_MEMBER_ALIVE, (gp_cause_t)self->ruled_cause);
    } else {
        gp_group_present(g, out);
    }
}

static void on_command(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_GROUP_LEADER:
        gp_group_on_leader(g, event, out);
        break;
    case GP_MSG_GROUP_INTRODUCE:
        gp_group_on_introduce_command(g, event, out);
        break;
    case GP_MSG_GROUP_INVITE:
        gp_group_on_invite_command(g, event, out);
        break;
    case GP_MSG_GROUP_LEAVE:
        gp_group_on_leave_command(g, event, out);
        break;
    case GP_MSG_GROUP_SELF:
        on_self(g, &event->msg->u.group_self, out);
        break;
    case GP_MSG_GROUP_CERT:
        on_cert(g, &event->msg->u.group_cert, out);
        break;
    case GP_MSG_GROUP_DISK:
        on_disk(g, &event->msg->u.group_disk, out);
        break;
    default:
        gp_group_refuse(g, event, GP_E_MESSAGE_KIND, out);
        break;
    }
}

/* These name the sender's incarnation: their handlers decide whether it is the current life. */
static bool on_incarnated(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_BEAT_ACK:
        gp_group_on_beat_ack(g, event, out);
        return true;
    case GP_MSG_PROBE_ACK:
        gp_group_on_probe_ack(g, event, out);
        return true;
    case GP_MSG_REFUTE:
        gp_group_on_refute(g, event, out);
        return true;
    case GP_MSG_SEEK:
        gp_group_on_seek(g, event, out);
        return true;
    case GP_MSG_LEAVE:
        gp_group_on_leave(g, event, out);
        return true;
    default:
        return false;
    }
}

static void on_other(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_BEAT:
        gp_group_on_beat(g, event, out);
        break;
    case GP_MSG_PROBE:
        gp_group_on_probe(g, event, out);
        break;
    case GP_MSG_VIEW:
        gp_group_on_view(g, event, out);
        break;
    case GP_MSG_VIEW_PULL:
        gp_group_on_pull(g, event, out);
        break;
    case GP_MSG_VIEW_ACK:
        gp_group_on_view_ack(g, event, out);
        break;
    case GP_MSG_SUSPECT:
        gp_group_on_suspect(g, event, out);
        break;
    case GP_MSG_CONFIRM_ASK:
        gp_group_on_confirm_ask(g, event, out);
        break;
    case GP_MSG_CONFIRM:
        gp_group_on_confirm(g, event, out);
        break;
    case GP_MSG_EVIDENCE:
        gp_group_on_evidence(g, event, out);
        break;
    case GP_MSG_SEEK_REPLY:
        gp_group_on_seek_reply(g, event, out);
        break;
    case GP_MSG_INTRODUCE:
        gp_group_on_introduce(g, event, out);
        break;
    default:
        gp_group_refuse(g, event, GP_E_MESSAGE_KIND, out);
        break;
    }
}

static void on_message(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    assert(event->msg != NULL);
    /* every message of this room begins with its group */
    if (!g->started || g->left || event->msg->u.beat.group != g->config.group ||
        gp_id_equal(&event->peer, &g->self)) {
        return;
    }
    if (on_incarnated(g, event, out)) {
        return;
    }
    gp_group_entry_t *m = gp_group_find(g, &event->peer);
    if (m != NULL) {
        gp_group_sign_of_life(g, m, out);
    }
    on_other(g, event, out);
}

/* ---- timers ---------------------------------------------------------------------------------- */

static bool is_due(gp_usec_t at, gp_usec_t now)
{
    return at != 0 && at <= now;
}

static void entry_timers(gp_group_t *g, gp_group_entry_t *m, uint32_t *opened, gp_out_t *out)
{
    if (m->poked) {
        gp_group_sign_of_life(g, m, out);
    }
    if (is_due(m->due_at, g->now) && *opened < GP_GROUP_OPEN_MAX) {
        *opened += 1;
        gp_group_unanswered(g, m, out);
    }
    if (m->suspected && is_due(m->window_at, g->now)) {
        if (g->leading) {
            gp_group_window_ends(g, m, out);
        } else {
            gp_group_close(g, m, 5, GP_CAUSE_NONE, out);
        }
    }
    if (gp_group_dial_waits(m) && is_due(m->dial_at, g->now)) {
        gp_group_dial_again(g, m, out);
    }
    if (is_due(m->ask_due, g->now)) {
        gp_group_confirm(g, m, GP_CAUSE_SILENT, out);
    }
    if (is_due(m->evidence_ask_at, g->now)) {
        gp_group_evidence_ask(g, m, out);
    }
    if (is_due(m->hold_until, g->now)) {
        gp_group_take_in(g, m);
    }
}

/* What was given out in this step may have other times by now. */
static bool may_be_due(const gp_group_t *g, uint8_t slot)
{
    bool touched = (g->touched >> slot & 1) != 0;
    return touched || g->entries[slot].poked || g->wakes[slot] <= g->now;
}

static void run_timers(gp_group_t *g, gp_out_t *out)
{
    uint32_t opened = 0;
    bool due = g->poked || g->entries_wake <= g->now;
    for (uint32_t i = 0; due && i < g->count; i++) {
        if (may_be_due(g, g->order[i])) {
            entry_timers(g, gp_group_at(g, i), &opened, out);
        }
    }
    if ((g->leading || gp_group_is_deputy(g)) && g->beat_at <= g->now) {
        gp_group_ease(g);
        gp_group_beats(g, out);
    }
    if (is_due(g->ring_at, g->now)) {
        gp_group_ease(g);
        gp_group_ring_probe(g, out);
        gp_group_present_again(g, out);
        gp_group_forget_old(g, out);
        gp_group_close_ears(g);
    }
    if (!gp_group_has_leader(g) && is_due(g->probe_at, g->now)) {
        gp_group_leaderless_probe(g, out);
    }
    if (is_due(g->pull_at, g->now)) {
        gp_group_pull(g, out);
    }
    if (is_due(g->seek_at, g->now)) {
        gp_group_seek(g, out);
    }
    if (is_due(g->introduce_at, g->now)) {
        gp_group_introduce_again(g, out);
    }
    if (g->leaving && !g->left && g->leave_at <= g->now) {
        gp_group_leave_again(g, out);
    }
}

static void sooner(gp_usec_t *at, gp_usec_t candidate)
{
    if (candidate != 0 && candidate < *at) {
        *at = candidate;
    }
}

static gp_usec_t entry_wake(const gp_group_entry_t *m)
{
    gp_usec_t at = GP_NEVER;
    sooner(&at, m->due_at);
    sooner(&at, m->ask_due);
    sooner(&at, m->evidence_ask_at);
    sooner(&at, m->hold_until);
    if (m->suspected) {
        sooner(&at, m->window_at);
    }
    if (gp_group_dial_waits(m)) {
        sooner(&at, m->dial_at);
    }
    return at;
}

static gp_usec_t first_wake(const gp_group_t *g)
{
    gp_usec_t wake = GP_NEVER;
    for (uint32_t i = 0; i < g->count; i++) {
        sooner(&wake, g->wakes[g->order[i]]);
    }
    return wake;
}

/* At the end of each step: when an entry is next due, and whether one is dirty. */
static bool look_at_touched(gp_group_t *g)
{
    bool dirty = false;
    bool first_gone = false; /* the one that was due next may not be any more */
    for (uint64_t left = g->touched & g->used; left != 0; left &= left - 1) {
        uint32_t slot = gp_lowest_bit(left);
        gp_usec_t wake = entry_wake(&g->entries[slot]);
        first_gone = first_gone || (g->wakes[slot] == g->entries_wake && wake > g->wakes[slot]);
        g->wakes[slot] = wake;
        sooner(&g->entries_wake, wake);
        dirty = dirty || g->entries[slot].dirty;
    }
    if (first_gone || (g->touched & ~g->used) != 0) {
        g->entries_wake = first_wake(g);
    }
    g->touched = 0;
    return dirty;
}

static gp_usec_t next_wake(const gp_group_t *g)
{
    gp_usec_t at = g->entries_wake;
    bool leader = gp_group_has_leader(g);
    if (g->leading || gp_group_is_deputy(g)) {
        sooner(&at, g->beat_at);
        sooner(&at, g->standings_at);
    } else if (!leader) {
        sooner(&at, g->probe_at);
        sooner(&at, g->standings_at);
    }
    if (g->leading && g->pending) {
        sooner(&at, g->cast_at);
    }
    if (g->leaving && !g->left) {
        sooner(&at, g->leave_at);
    }
    if (!g->store_open) {
        sooner(&at, g->store_dirty ? g->store_at : gp_group_try_at(g));
    }
    sooner(&at, g->ring_at);
    sooner(&at, g->pull_at);
    sooner(&at, g->seek_at);
    sooner(&at, g->introduce_at);
    return g->left ? GP_NEVER : at;
}

/* ---- the contract ---------------------------------------------------------------------------- */

static void core_step(void *core, const gp_event_t *event, gp_out_t *out)
{
    gp_group_t *g = core;
    g->now = event->now > g->now ? event->now : g->now;
    if (event->type == GP_EVENT_LOAD) {
        assert(!g->started);
        gp_group_load(g, event);
        return;
    }
    if (event->type == GP_EVENT_START) {
        assert(!g->started);
        start(g);
    }
    if (!g->started && event->type != GP_EVENT_COMMAND) {
        return;
    }
    if (g->wake_at != GP_NEVER && g->now > g->wake_at + LATE_NOISE) {
        gp_group_late(g, g->now - g->wake_at, out);
    }
    switch (event->type) {
    case GP_EVENT_MSG:
        on_message(g, event, out);
        break;
    case GP_EVENT_LINK:
        gp_group_on_link(g, event, out);
        break;
    case GP_EVENT_DIALED:
        gp_group_on_dialed(g, event, out);
        break;
    case GP_EVENT_STORED:
        g->store_open = false;
        g->store_dirty = g->store_dirty || (!event->ok && !g->store_tries);
        break;
    case GP_EVENT_COMMAND:
        on_command(g, event, out);
        break;
    default:
        break;
    }
    run_timers(g, out);
    g->poked = false;
    gp_group_flush(g, out); /* may forget some */
    gp_group_report(g, look_at_touched(g), out);
    g->wake_at = next_wake(g);
}

static gp_usec_t core_wake(const void *core)
{
    const gp_group_t *g = core;
    return g->poked && g->wake_at > g->now ? g->now : g->wake_at;
}

/* Or had it a moment ago, and waits for the next leader. */
static bool has_majority(const gp_group_t *g)
{
    return g->leader.right == GP_RIGHT_QUORUM || g->left ||
           (g->leader.right == GP_RIGHT_NONE &&
            g->now - g->leaderless_since < 3 * g->config.beat_period);
}

static void check_entry(const gp_group_t *g, const gp_group_entry_t *m)
{
    assert(&g->entries[m->slot] == m && (g->used >> m->slot & 1) != 0);
    assert(m->ruled_state <= GP_MEMBER_LEFT && m->shown.observer_count <= GP_OBSERVERS_MAX);
    assert(!m->suspected || m->suspected_at <= g->now);
    assert((m->evidence_at == 0) == (m->evidence_by == 0));
    assert(m->shown.cert.n <= g->config.cert_max);
    bool touched = (g->touched >> m->slot & 1) != 0;
    assert(touched || (!m->dirty && g->wakes[m->slot] == entry_wake(m)));
    assert((m->asked & ~g->used) == 0 && (m->silent & ~g->used) == 0);
    assert((m->evidence_by & ~g->used) == 0);
    assert(m->shown.heard_at <= g->now && m->shown.score <= 1000);
    bool self = gp_id_equal(&m->shown.id, &g->self);
    assert(!self || (!m->suspected && m->evidence_at == 0 && m->due_at == 0));
    assert(!m->changed || g->leading);
    assert(m->told || !g->started);
    /* A message of another room may come first after a freeze: this room's turn is due then. */
    bool overdue = g->wake_at <= g->now;
    assert(m->shown.state != GP_MEMBER_UNAVAILABLE || has_majority(g) || overdue);
}

static void core_check(const void *core)
{
    const gp_group_t *g = core;
    assert(g->count > 0 && g->count <= g->config.members_max);
    uint64_t used = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        const gp_group_entry_t *m = &g->entries[g->order[i]];
        check_entry(g, m);
        assert(g->heads[i] == gp_id_head(&m->shown.id));
        used |= UINT64_C(1) << m->slot;
        assert(i == 0 || gp_id_compare(&g->entries[g->order[i - 1]].shown.id, &m->shown.id) < 0);
    }
    assert(used == g->used);
    assert(g->touched != 0 || g->entries_wake == first_wake(g));
    assert(gp_group_member(g, &g->self) != NULL);
    assert(g->factor >= GP_GROUP_FACTOR_MIN && g->factor <= GP_GROUP_FACTOR_MAX);
    assert(!g->leading || (gp_id_equal(&g->leader.id, &g->self) && gp_group_has_leader(g)));
    assert(!g->leading || g->view_term == g->leader.term);
    assert(!g->pending || g->leading);
    assert(g->link_count <= GP_GROUP_LINKS_MAX && g->leader.voter_count <= GP_VOTERS_MAX);
    assert(gp_group_view_held(g) <= g->view_number);
}

const gp_core_ops_t gp_group_ops = {
    .name = "group",
    .size = core_size,
    .init = core_init,
    .step = core_step,
    .wake = core_wake,
    .check = core_check,
};

/* ---- accessors ------------------------------------------------------------------------------- */

void gp_group_heard(gp_group_t *group, const gp_id_t *id, gp_usec_t now)
{
    gp_group_entry_t *m = gp_group_find(group, id);
    if (m == NULL || gp_id_equal(id, &group->self) || !group->started) {
        return;
    }
    group->now = now > group->now ? now : group->now;
    bool matters = m->suspected || m->ask_due != 0 || !gp_group_hears(group, m) ||
                   m->ruled_state != GP_MEMBER_ALIVE || m->evidence_at != 0;
    m->due_at = 0;
    if (!matters) {
        m->shown.heard_at = group->now;
        return;
    }
    m->poked = true;
    group->poked = true; /* wake_at stays: being late for it must still be seen */
}

uint32_t gp_group_count(const gp_group_t *group)
{
    return group->count;
}

const gp_group_member_t *gp_group_member_at(const gp_group_t *group, uint32_t index)
{
    assert(index < group->count);
    return &group->entries[group->order[index]].shown;
}

const gp_group_member_t *gp_group_member(const gp_group_t *group, const gp_id_t *id)
{
    const gp_group_entry_t *m = gp_group_look(group, id);
    return m == NULL ? NULL : &m->shown;
}

const gp_group_member_t *gp_group_member_named(const gp_group_t *group, gp_slice_t name)
{
    const gp_group_member_t *left = NULL;
    for (uint32_t i = 0; i < group->count; i++) {
        const gp_group_member_t *m = gp_group_member_at(group, i);
        if (gp_slice_equal(gp_text(m->name), name)) {
            if (m->state != GP_MEMBER_LEFT) {
                return m;
            }
            left = m; /* who left for good may have a successor of the same name */
        }
    }
    return left;
}

bool gp_group_links_to(const gp_group_t *group, const gp_id_t *id)
{
    for (uint32_t i = 0; i < group->link_count; i++) {
        if (gp_id_equal(&group->links[i], id)) {
            return true;
        }
    }
    return false;
}

const gp_id_t *gp_group_leader(const gp_group_t *group)
{
    return &group->leader.id;
}

uint64_t gp_group_view_term(const gp_group_t *group)
{
    return group->view_term;
}

uint32_t gp_group_view_number(const gp_group_t *group)
{
    return group->view_number;
}

uint32_t gp_group_view_digest(const gp_group_t *group)
{
    return group->view_digest;
}

uint64_t gp_group_incarnation(const gp_group_t *group)
{
    return group->incarnation;
}

uint32_t gp_group_health_factor(const gp_group_t *group)
{
    return group->factor;
}
