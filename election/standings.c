/*
 * The group as the membership core tells it: who lives, how available each is, who is reached; and
 * own evidence that the leader's process is gone.
 */
#include "election/election_state.h"

int gp_election_voter_index(const gp_election_roster_t *roster, const gp_id_t *id)
{
    assert(roster->count <= GP_VOTERS_MAX);
    for (uint32_t i = 0; i < roster->count; i++) {
        if (gp_id_equal(&roster->voters[i].id, id)) {
            return (int)i;
        }
    }
    return -1;
}

bool gp_election_roster_read(const gp_record_voter_t *voters, uint32_t count,
                             gp_election_roster_t *ret_roster)
{
    if (count == 0 || count > GP_VOTERS_MAX) {
        return false;
    }
    gp_election_roster_t roster = {0};
    for (uint32_t i = 0; i < count; i++) {
        if (gp_id_is_none(&voters[i].id) || gp_election_voter_index(&roster, &voters[i].id) >= 0) {
            return false;
        }
        roster.voters[roster.count++] = voters[i];
    }
    *ret_roster = roster;
    return true;
}

const gp_election_member_t *gp_election_member_const(const gp_election_t *el, const gp_id_t *id)
{
    for (uint32_t i = 0; i < el->member_count; i++) {
        if (gp_id_equal(&el->members[i].id, id)) {
            return &el->members[i];
        }
    }
    return NULL;
}

gp_election_member_t *gp_election_member(gp_election_t *el, const gp_id_t *id)
{
    for (uint32_t i = 0; i < el->member_count; i++) {
        if (gp_id_equal(&el->members[i].id, id)) {
            return &el->members[i];
        }
    }
    return NULL;
}

static bool is_standby(const gp_election_t *el, const gp_id_t *id)
{
    const gp_election_member_t *member = gp_election_member_const(el, id);
    return member != NULL && (member->flags & GP_FLAG_STANDBY) != 0;
}

/*
 * A standby leads only if nobody else can; with a failing disk it can keep no vote; and who is to
 * be replaced may be alone in having the last register, as an outsider may.
 */
static bool stands_last(const gp_election_t *el)
{
    const gp_election_member_t *me = gp_election_member_const(el, &el->self);
    const uint8_t flags = GP_FLAG_FAILING | GP_FLAG_STANDBY | GP_FLAG_LEAVING;
    return me != NULL && (me->flags & flags) != 0;
}

bool gp_election_is_failing(const gp_election_t *el, const gp_id_t *id)
{
    const gp_election_member_t *member = gp_election_member_const(el, id);
    return member != NULL && (member->flags & GP_FLAG_FAILING) != 0;
}

bool gp_election_living(const gp_election_t *el, const gp_id_t *id)
{
    const gp_election_member_t *member = gp_election_member_const(el, id);
    return member != NULL &&
           (member->state == GP_MEMBER_ALIVE || member->state == GP_MEMBER_SUSPECT);
}

const gp_election_roster_t *gp_election_view(const gp_election_t *el)
{
    const gp_election_ballot_t *mandate = &el->mandate;
    bool newer = mandate->term > el->value_term ||
                 (mandate->term == el->value_term && mandate->version > el->version);
    return el->roster.count == 0 || newer ? &mandate->roster : &el->roster;
}

bool gp_election_fit(const gp_election_t *el)
{
    const gp_election_member_t *me = gp_election_member_const(el, &el->self);
    return el->config.can_lead && !el->going && (me == NULL || (me->flags & GP_FLAG_RELAYED) == 0);
}

bool gp_election_is_voter(const gp_election_t *el)
{
    return gp_election_voter_index(&el->roster, &el->self) >= 0 &&
           gp_election_voter_index(gp_election_view(el), &el->self) >= 0;
}

bool gp_election_can_stand(const gp_election_t *el)
{
    /* Outside of its roster too, when nobody leads: it may be the only one that has it. */
    bool needed = gp_election_is_voter(el) || el->lost_at != GP_NEVER;
    return gp_election_fit(el) && el->roster.count > 0 && needed && el->term < GP_TERM_MAX;
}

uint32_t gp_election_rank(const gp_election_t *el)
{
    uint32_t rank = stands_last(el) ? el->roster.count : 0;
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_id_t *id = &el->roster.voters[i].id;
        if (gp_id_equal(id, &el->self)) {
            return rank;
        }
        bool later = is_standby(el, id) && !is_standby(el, &el->self);
        rank += gp_id_equal(id, &el->leader) || later ? 0 : 1;
    }
    return rank;
}

/* One entry of the new table, with what the old one remembers of it. */
static gp_election_member_t merge(const gp_election_t *el, const gp_record_standing_t *standing,
                                  const gp_election_member_t *old)
{
    bool down = standing->state == GP_MEMBER_UNAVAILABLE || standing->state == GP_MEMBER_LEFT ||
                (standing->flags & GP_FLAG_FAILING) != 0;
    gp_election_member_t member = {
        .id = standing->id,
        .incarnation = standing->incarnation,
        .down_since = GP_NEVER,
        .score = standing->score,
        .state = standing->state,
        .flags = standing->flags,
        .reached = standing->reached || gp_id_equal(&standing->id, &el->self),
    };
    if (down) {
        member.down_since = old != NULL && old->down_since != GP_NEVER ? old->down_since : el->now;
    }
    if (old != NULL && old->incarnation == member.incarnation) { /* restarted, it starts anew */
        member.refused_until = old->refused_until;
    }
    return member;
}

/* The leader shows its mandate to everybody who comes, or comes back. */
static bool is_new_here(const gp_election_member_t *member, const gp_election_member_t *old)
{
    return member->state == GP_MEMBER_ALIVE &&
           (old == NULL || old->state != GP_MEMBER_ALIVE ||
            old->incarnation != member->incarnation || (!old->reached && member->reached));
}

/* What the standings say about the leader that this machine follows. */
static void watch_leader(gp_election_t *el, gp_out_t *out)
{
    if (gp_election_leads(el) || gp_id_is_none(&el->leader) ||
        gp_id_equal(&el->leader, &el->self)) {
        return;
    }
    const gp_election_member_t *leader = gp_election_member_const(el, &el->leader);
    if (leader == NULL) {
        return;
    }
    /* Before its first view a member cannot say more of its leader than that it hears it. */
    bool gone = leader->state == GP_MEMBER_UNAVAILABLE || leader->state == GP_MEMBER_LEFT;
    bool there = leader->reached && !gone;
    if (!there && el->lost_at == GP_NEVER) {
        el->lost_at = el->now;
    }
    if (el->evidence && leader->state == GP_MEMBER_ALIVE &&
        leader->incarnation > el->evidence_incarnation) {
        el->evidence = false;
    }
    if (there && el->lost_at != GP_NEVER && !el->evidence && el->now >= el->ask_at) {
        gp_election_ask_mandate(el, &el->leader, el->leader_term, out);
    }
    if (el->leader_incarnation == 0) {
        el->leader_incarnation = leader->incarnation;
    }
}

/* Times that depend on who is there: a majority may be in reach again, this voter may stand again.
 */
static void rearm(gp_election_t *el, uint32_t newly_reached, bool was_standby)
{
    if (el->role != GP_ELECTION_FOLLOWER || !gp_election_can_stand(el)) {
        return;
    }
    if (el->campaign_at == GP_NEVER ||
        (was_standby && !is_standby(el, &el->self) && el->lost_at != GP_NEVER)) {
        gp_election_arm(el, el->now);
    } else if (newly_reached > 0 && el->lost_at != GP_NEVER && el->attempts > 1) {
        el->attempts = 1;
        gp_election_retry(el);
    }
}

void gp_election_take_standings(gp_election_t *el, const gp_msg_election_standings_t *standings,
                                gp_out_t *out)
{
    assert(standings->members_count <= GP_MEMBERS_MAX);
    gp_election_member_t table[GP_MEMBERS_MAX];
    gp_id_t here[GP_MEMBERS_MAX];
    gp_id_t met[GP_MEMBERS_MAX];
    uint32_t here_count = 0;
    uint32_t met_count = 0;
    bool was_standby = is_standby(el, &el->self);
    for (uint32_t i = 0; i < standings->members_count; i++) {
        const gp_record_standing_t *standing = &standings->members[i];
        const gp_election_member_t *old =
            i < el->member_count && gp_id_equal(&el->members[i].id, &standing->id)
                ? &el->members[i]
                : gp_election_member_const(el, &standing->id);
        table[i] = merge(el, standing, old);
        if (gp_id_equal(&standing->id, &el->self)) {
            continue;
        }
        if (is_new_here(&table[i], old)) {
            here[here_count++] = standing->id;
        }
        if (table[i].reached && (old == NULL || !old->reached)) {
            met[met_count++] = standing->id;
        }
    }
    memcpy(el->members, table, standings->members_count * sizeof table[0]);
    el->member_count = standings->members_count;

    if (here_count > 0 && gp_election_leads(el)) {
        gp_election_cast_mandate(el, here, here_count, out);
    }
    for (uint32_t i = 0; i < met_count; i++) {
        gp_election_caretaker_met(el, &met[i], out);
    }
    watch_leader(el, out);
    rearm(el, met_count, was_standby);
    gp_election_maintain(el, out);
}

void gp_election_take_evidence(gp_election_t *el, const gp_msg_election_evidence_t *evidence)
{
    bool of_leader = gp_id_equal(&evidence->target, &el->leader);
    if (!of_leader || gp_election_leads(el) || gp_id_equal(&el->leader, &el->self) ||
        evidence->incarnation < el->leader_incarnation) {
        return;
    }
    el->evidence = true;
    el->evidence_incarnation = evidence->incarnation;
    if (el->lost_at == GP_NEVER) {
        el->lost_at = el->now;
    }
    if (el->role == GP_ELECTION_FOLLOWER && gp_election_can_stand(el)) {
        el->attempts = 0;
        el->why = GP_CAMPAIGN_EVIDENCE;
        gp_election_arm(el, el->now);
    }
}
