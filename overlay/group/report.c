/*
 * The end of each step: notices of what changed, links that are wanted, the record on disk.
 */
#include "overlay/group/group_state.h"

#define STORE_SOON (100 * GP_MSEC) /* what else happens in so long is written with it */

void gp_group_refuse(gp_group_t *g, const gp_event_t *event, gp_error_t error, gp_out_t *out)
{
    if (g->refused_at != 0 && g->now - g->refused_at < 100 * GP_MSEC) {
        return; /* a peer must not fill the log */
    }
    g->refused_at = g->now;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &event->peer, GP_MSG_REFUSED);
    msg->u.refused.kind = (uint16_t)event->msg->kind;
    msg->u.refused.error = (uint16_t)error;
}

/* ---- what is shown --------------------------------------------------------------------------- */

typedef struct verdict {
    gp_member_state_t state;
    gp_cause_t cause;
} verdict_t;

/* Without a leader a machine believes its own ears. */
static verdict_t seen_alone(const gp_group_t *g, const gp_group_entry_t *m)
{
    bool refused = gp_group_evidence_own(g, m);
    verdict_t ruled = {(gp_member_state_t)m->ruled_state, (gp_cause_t)m->ruled_cause};
    bool after = m->shown.heard_at > m->ruled_at || m->ruled_state == GP_MEMBER_ALIVE;
    if (gp_group_hears(g, m) && after && !refused && !m->suspected) {
        return m->ruled_state == GP_MEMBER_ALIVE ? ruled
                                                 : (verdict_t){GP_MEMBER_ALIVE, GP_CAUSE_ANSWERS};
    }
    bool soon = g->now - g->leaderless_since < 2 * g->config.beat_period;
    bool passing = ruled.state == GP_MEMBER_ALIVE || ruled.state == GP_MEMBER_UNAVAILABLE;
    if (ruled.state == GP_MEMBER_NONE || (passing && !soon)) {
        return (verdict_t){GP_MEMBER_UNKNOWN, GP_CAUSE_NO_LEADER};
    }
    if (ruled.state == GP_MEMBER_ALIVE && (refused || m->suspected)) {
        return (verdict_t){GP_MEMBER_SUSPECT, refused ? GP_CAUSE_REFUSED : GP_CAUSE_SILENT};
    }
    return ruled;
}

/* While the leader is new: the leader itself, and those who were heard. */
static bool is_ahead_of_the_view(const gp_group_t *g, const gp_group_entry_t *m)
{
    bool leads = gp_id_equal(&m->shown.id, &g->leader.id) && m->ruled_state != GP_MEMBER_ALIVE;
    if (leads && !gp_group_leader_silent(g)) {
        return true;
    }
    bool untold = m->ruled_state == GP_MEMBER_UNKNOWN || m->ruled_state == GP_MEMBER_NONE;
    return untold && (leads || (!g->leading && m->untold)) && gp_group_hears(g, m);
}

static verdict_t see(const gp_group_t *g, const gp_group_entry_t *m)
{
    verdict_t ruled = {(gp_member_state_t)m->ruled_state, (gp_cause_t)m->ruled_cause};
    if (gp_id_equal(&m->shown.id, &g->self)) {
        const gp_cause_t why = gp_group_left_cause(g->leave_forever, g->leave_moves);
        return g->left                          ? (verdict_t){GP_MEMBER_LEFT, why}
               : ruled.state == GP_MEMBER_ALIVE ? ruled
                                                : (verdict_t){GP_MEMBER_ALIVE, GP_CAUSE_JOINED};
    }
    if (!gp_group_has_leader(g)) {
        return seen_alone(g, m);
    }
    if (is_ahead_of_the_view(g, m)) {
        return (verdict_t){GP_MEMBER_ALIVE, GP_CAUSE_ANSWERS};
    }
    if (ruled.state == GP_MEMBER_NONE) {
        return (verdict_t){GP_MEMBER_UNKNOWN, GP_CAUSE_JOINED};
    }
    if (m->suspected && ruled.state == GP_MEMBER_ALIVE) {
        return (verdict_t){GP_MEMBER_SUSPECT, GP_CAUSE_SILENT};
    }
    /* The majority's last word, which the caretaker's first view takes back. */
    if (ruled.state == GP_MEMBER_UNAVAILABLE && g->leader.right == GP_RIGHT_CARETAKER) {
        return (verdict_t){GP_MEMBER_UNKNOWN, GP_CAUSE_NO_QUORUM};
    }
    return ruled;
}

void gp_group_notice_member(gp_group_t *g, gp_group_entry_t *m, bool forgotten, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &m->shown.id, GP_MSG_MEMBER);
    gp_msg_member_t *notice = &msg->u.member;
    notice->group = g->config.group;
    notice->before = m->told ? m->told_state : GP_MEMBER_NONE;
    notice->forgotten = forgotten;
    notice->entries_count = 1;
    gp_record_member_t *record = &notice->entries[0];
    gp_group_record(m, true, out, record);
    record->state = (uint8_t)m->shown.state;
    record->cause = (uint8_t)m->shown.cause;
    if (forgotten) {
        record->cert = gp_slice(NULL, 0);
    }
    m->told = true;
    m->told_identity = true;
    m->told_state = (uint8_t)m->shown.state;
    m->told_cause = (uint8_t)m->shown.cause;
    m->told_flags = m->shown.flags;
    m->told_incarnation = m->shown.incarnation;
}

static void account(gp_group_t *g, gp_group_entry_t *m, gp_member_state_t before)
{
    if (before == GP_MEMBER_NONE || before == GP_MEMBER_UNKNOWN) {
        gp_availability_rest(&m->availability, g->now);
    } else {
        bool up = before == GP_MEMBER_ALIVE || before == GP_MEMBER_SUSPECT;
        gp_availability_advance(&m->availability, up, g->now);
    }
}

static void refresh(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    m->dirty = false;
    verdict_t now = see(g, m);
    if (now.state != m->shown.state) {
        account(g, m, m->shown.state);
        if (now.state == GP_MEMBER_UNAVAILABLE) {
            g->fell_at = g->now;
            gp_availability_fall(&m->availability);
        }
        m->shown.since = g->now;
        g->standings_dirty = true;
    }
    m->shown.state = now.state;
    m->shown.cause = now.cause;
    bool same = m->told && m->told_identity && m->told_state == now.state &&
                m->told_cause == now.cause && m->told_flags == m->shown.flags &&
                m->told_incarnation == m->shown.incarnation;
    if (!same) {
        gp_group_notice_member(g, m, false, out);
    }
}

/* ---- standings ------------------------------------------------------------------------------- */

static bool is_reached(gp_group_t *g, gp_group_entry_t *m)
{
    if (gp_id_equal(&m->shown.id, &g->self)) {
        return true;
    }
    if (gp_group_evidence_own(g, m)) {
        return false;
    }
    if (!gp_group_has_leader(g) || g->leading || gp_group_is_deputy(g)) {
        return gp_group_hears(g, m) && !m->suspected;
    }
    if (gp_id_equal(&m->shown.id, &g->leader.id)) {
        return !gp_group_leader_silent(g);
    }
    return m->ruled_state == GP_MEMBER_ALIVE && !m->suspected;
}

static bool is_active(const gp_group_t *g)
{
    return g->leading || !gp_group_has_leader(g) || gp_group_is_deputy(g);
}

static uint64_t standing_hash(const gp_record_standing_t *s, uint64_t seed)
{
    uint64_t rest = (uint64_t)s->state | (uint64_t)s->flags << 8 | (uint64_t)s->score << 16 |
                    (uint64_t)s->reached << 32;
    uint64_t hash = gp_hash_word(gp_hash_word(seed, gp_id_head(&s->id)), s->incarnation);
    return gp_hash_word(hash, rest);
}

static void stand(gp_group_t *g, gp_group_entry_t *m, gp_record_standing_t *ret_standing)
{
    bool self = gp_id_equal(&m->shown.id, &g->self);
    account(g, m, m->shown.state);
    if (self) {
        gp_availability_sample(&m->availability, g->health, g->headroom);
    }
    uint8_t flags = self ? (uint8_t)(g->flags | GP_FLAG_SEEN) : m->shown.flags;
    m->shown.score = gp_availability_score(&m->availability, flags);
    *ret_standing = (gp_record_standing_t){
        .id = m->shown.id,
        .incarnation = self ? g->incarnation : gp_group_newest(m),
        .state = (uint8_t)m->shown.state,
        .flags = flags,
        .score = m->shown.score,
        .reached = is_reached(g, m),
    };
}

static void report_standings(gp_group_t *g, gp_out_t *out)
{
    bool timer = is_active(g) && g->now >= g->standings_at;
    if (!timer && !g->standings_dirty) {
        return;
    }
    g->standings_dirty = false;
    gp_record_standing_t *standings = gp_out_bytes(out, g->count * sizeof *standings);
    uint64_t hash = g->leader.term;
    for (uint32_t i = 0; i < g->count; i++) {
        stand(g, gp_group_at(g, i), &standings[i]);
        hash = standing_hash(&standings[i], hash);
    }
    if (!timer && hash == g->standings_hash) {
        return;
    }
    g->standings_hash = hash;
    g->standings_at = g->now + g->config.beat_period;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &g->self, GP_MSG_STANDINGS);
    msg->u.standings.group = g->config.group;
    msg->u.standings.members_count = g->count;
    memcpy(msg->u.standings.members, standings, g->count * sizeof *standings);
}

/* ---- links ----------------------------------------------------------------------------------- */

static void want(gp_group_t *g, gp_id_t *wanted, uint32_t *count, const gp_id_t *id)
{
    if (gp_id_is_none(id) || gp_id_equal(id, &g->self) || gp_group_find(g, id) == NULL) {
        return;
    }
    for (uint32_t i = 0; i < *count; i++) {
        if (gp_id_equal(&wanted[i], id)) {
            return;
        }
    }
    assert(*count < GP_GROUP_LINKS_MAX);
    wanted[(*count)++] = *id;
}

static bool contains(const gp_id_t *ids, uint32_t count, const gp_id_t *id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (gp_id_equal(&ids[i], id)) {
            return true;
        }
    }
    return false;
}

/*
 * A neighbour that moved up because another one fell may have fallen with it, and a link that never
 * came up does not break.
 */
static void look_at_once(gp_group_t *g, const gp_id_t *id, gp_out_t *out)
{
    gp_group_entry_t *m = gp_group_find(g, id);
    if (g->fell_at != 0 && g->now - g->fell_at < g->config.beat_period && m != NULL) {
        gp_group_dial(g, m, out);
    }
}

static bool neighbour_fell(gp_group_t *g)
{
    for (int next = 0; next < 2; next++) {
        const gp_group_entry_t *m = gp_group_find(g, &g->ring[next]);
        if (!gp_id_is_none(&g->ring[next]) && (m == NULL || m->ruled_state != GP_MEMBER_ALIVE)) {
            return true;
        }
    }
    return false;
}

static void report_links(gp_group_t *g, gp_out_t *out)
{
    if (!g->links_dirty) {
        return;
    }
    g->links_dirty = false;
    gp_id_t wanted[GP_GROUP_LINKS_MAX];
    uint32_t count = 0;
    if (!g->left) {
        want(g, wanted, &count, &g->leader.id);
        want(g, wanted, &count, &g->leader.deputy);
        if (neighbour_fell(g)) {
            gp_group_ring_choose(g);
        }
        want(g, wanted, &count, &g->ring[0]);
        want(g, wanted, &count, &g->ring[1]);
    }
    for (uint32_t i = 0; i < g->link_count; i++) {
        if (!contains(wanted, count, &g->links[i])) {
            gp_out_plain(out, GP_ACTION_LINK, &g->links[i], 0);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!contains(g->links, g->link_count, &wanted[i])) {
            gp_out_plain(out, GP_ACTION_LINK, &wanted[i], 1);
            look_at_once(g, &wanted[i], out);
        }
    }
    memcpy(g->links, wanted, count * sizeof *wanted);
    g->link_count = count;
}

/* ---- disk ------------------------------------------------------------------------------------ */

/*
 * A voter whose disk fails unnoticed fails the group when it is needed, and in a quiet group nobody
 * writes. While it fails, somebody has to see when it is well.
 */
gp_usec_t gp_group_try_at(const gp_group_t *g)
{
    if ((g->flags & GP_FLAG_FAILING) != 0) {
        return g->tried_at + g->config.store_period;
    }
    return gp_group_is_voter(g) ? g->tried_at + g->config.try_period : GP_NEVER;
}

static void store_try(gp_group_t *g, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_KEEP, &g->self, GP_MSG_GROUP_TRY);
    gp_out_last(out)->token = g->view_number;
    msg->u.group_try.group = g->config.group;
    msg->u.group_try.at = g->now;
}

/*
 * What it loses with the record it seeks and hears again: a slow disk is no reason for silence.
 * Only who leaves waits for it, last of the batch: when it starts again, it must know whom to look
 * for.
 */
static void store_members(gp_group_t *g, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, g->leaving ? GP_ACTION_STORE : GP_ACTION_KEEP, &g->self,
                               GP_MSG_GROUP_STATE);
    gp_out_last(out)->token = g->view_number;
    gp_msg_group_state_t *state = &msg->u.group_state;
    state->group = g->config.group;
    state->term = g->view_term;
    state->number = g->view_number;
    state->leader = gp_group_has_leader(g) ? g->leader.id : g->last_leader;
    for (uint32_t i = 0; i < g->count; i++) {
        const gp_group_entry_t *m = gp_group_look_at(g, i);
        if (m->shown.address[0] != 0) {
            gp_group_record(m, true, out, &state->entries[state->entries_count++]);
        }
    }
}

static void report_store(gp_group_t *g, gp_out_t *out)
{
    if (g->store_open) {
        return;
    }
    if (g->store_dirty && g->store_at == 0) {
        /* The first change soon: a machine that has just joined may crash. */
        gp_usec_t next = g->last_store == 0 ? 0 : g->last_store + g->config.store_period;
        gp_usec_t soon = g->now + STORE_SOON;
        g->store_at = next > soon ? next : soon;
    }
    if (g->now < (g->store_dirty ? g->store_at : gp_group_try_at(g))) {
        return;
    }
    g->tried_at = g->now;
    g->store_open = true;
    g->store_tries = !g->store_dirty;
    if (g->store_tries) {
        store_try(g, out);
        return;
    }
    g->last_store = g->now;
    g->store_dirty = false;
    g->store_at = 0;
    store_members(g, out);
}

void gp_group_load(gp_group_t *g, const gp_event_t *event)
{
    if (event->msg->kind != GP_MSG_GROUP_STATE) {
        return;
    }
    const gp_msg_group_state_t *state = &event->msg->u.group_state;
    if (state->group != g->config.group) {
        return;
    }
    g->view_term = state->term;
    g->view_number = state->number;
    g->sought = state->leader;
    for (uint32_t i = 0; i < state->entries_count; i++) {
        const gp_record_member_t *record = &state->entries[i];
        gp_group_entry_t *m = gp_group_find(g, &record->id);
        if (m != NULL || record->state == GP_MEMBER_NONE) {
            continue; /* this machine itself */
        }
        m = gp_group_add(g, &record->id);
        if (m == NULL) {
            break;
        }
        m->in_view = true;
        m->shown.incarnation = record->incarnation;
        m->shown.flags = record->flags;
        gp_group_identify(g, m, record);
        bool left = record->state == GP_MEMBER_LEFT;
        gp_group_rule(g, m, left ? GP_MEMBER_LEFT : GP_MEMBER_UNKNOWN,
                      left ? (gp_cause_t)record->cause : GP_CAUSE_NO_LEADER);
    }
    g->view_digest = gp_group_digest(g);
    g->store_dirty = false;
}

void gp_group_report(gp_group_t *g, bool dirty, gp_out_t *out)
{
    for (uint32_t i = 0; dirty && i < g->count; i++) {
        if (gp_group_look_at(g, i)->dirty) {
            refresh(g, gp_group_at(g, i), out);
        }
    }
    report_links(g, out);
    report_standings(g, out);
    report_store(g, out);
}
