/*
 * Handover: the leader gives its lease up in writing and names a successor, which stands at once,
 * without pre-vote and without waiting for the lease (Raft's leadership transfer, with a release
 * that voters can see). Used when this machine goes, and when a clearly better one is there.
 */
#include "election/election_state.h"

static_assert(GP_RELEASE_MAX >= 114 + 64 + 1 + 3 * 9 + 34, "a signed HANDOVER is kept whole");

static void give_up(gp_election_t *el, const gp_id_t *successor, gp_out_t *out)
{
    assert(gp_election_leads(el) && !gp_id_equal(successor, &el->self));
    gp_id_t *targets = gp_out_bytes(out, GP_VOTERS_MAX * sizeof *targets);
    uint32_t count = 0;
    targets[count++] = *successor;
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_id_t *id = &el->roster.voters[i].id;
        if (!gp_id_equal(id, &el->self) && !gp_id_equal(id, successor)) {
            targets[count++] = *id;
        }
    }
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_CAST, &el->self, GP_MSG_HANDOVER);
    gp_out_last(out)->targets = targets;
    gp_out_last(out)->target_count = count;
    msg->u.handover = (gp_msg_handover_t){.group = el->config.group,
                                          .term = el->term,
                                          .successor = *successor,
                                          .version = el->version};
    el->moved_at = el->now;
    gp_election_step_down(el, GP_STEP_DOWN_HANDOVER, out);
    /* If the successor fails: after a lease this machine may stand again. */
    gp_election_arm(el, el->now + gp_election_us(el->config.lease_ms));
    el->move_to = *successor;
    el->going_until = el->now + gp_election_us(el->config.lease_ms);
}

/* Would this voter do as a leader? */
static bool is_able(const gp_election_t *el, uint32_t index)
{
    const gp_id_t *id = &el->roster.voters[index].id;
    const gp_election_member_t *member = gp_election_member_const(el, id);
    return !gp_id_equal(id, &el->self) && member != NULL && member->state == GP_MEMBER_ALIVE &&
           (member->flags & GP_FLAGS_NO_LEADER) == 0;
}

/* Has it all that is committed, so that it can win from the next moment on? */
static bool is_ready(const gp_election_t *el, uint32_t index)
{
    return is_able(el, index) && el->progress[index].version == el->version;
}

/* The best voter of those that are able, or only of those that are ready; -1: none. */
static int find_successor(const gp_election_t *el, bool ready)
{
    int found = -1;
    uint16_t best = 0;
    for (uint32_t i = 0; i < el->roster.count; i++) {
        if (!is_able(el, i) || (ready && !is_ready(el, i))) {
            continue;
        }
        const gp_election_member_t *member = gp_election_member_const(el, &el->roster.voters[i].id);
        if (found < 0 || member->score > best) {
            found = (int)i;
            best = member->score;
        }
    }
    return found;
}

void gp_election_show_release(const gp_election_release_t *release, gp_record_release_t *ret_record,
                              uint32_t *ret_count)
{
    *ret_count = release->n > 0 ? 1 : 0;
    if (release->n > 0) {
        *ret_record = (gp_record_release_t){.by = release->by,
                                            .term = release->term,
                                            .bytes = gp_slice(release->bytes, release->n)};
    }
}

void gp_election_try_handover(gp_election_t *el, gp_out_t *out)
{
    assert(gp_election_leads(el) && el->committed);
    if (el->move == GP_ELECTION_MOVE_AWAY) {
        /* For a while the best one is waited for, then the best that is ready will do. */
        bool patient = el->now + gp_election_us(el->config.lease_ms) / 2 < el->move_until;
        int successor = find_successor(el, !patient);
        if (successor >= 0 && is_ready(el, (uint32_t)successor)) {
            gp_id_t id = el->roster.voters[successor].id;
            give_up(el, &id, out);
        }
    } else if (el->move == GP_ELECTION_MOVE_BETTER) {
        int index = gp_election_voter_index(&el->roster, &el->move_to);
        if (index >= 0 && is_ready(el, (uint32_t)index)) {
            gp_id_t id = el->move_to;
            give_up(el, &id, out);
        }
    }
}

void gp_election_report_relinquished(gp_election_t *el, const gp_id_t *successor, gp_out_t *out)
{
    assert(el->going);
    el->relinquished = true;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &el->self, GP_MSG_RELINQUISHED);
    msg->u.relinquished =
        (gp_msg_relinquished_t){.group = el->config.group, .successor = *successor};
}

/* A standby is one as well: as soon as it leads below. */
bool gp_election_has_heir(const gp_election_t *el)
{
    for (uint32_t i = 0; i < el->member_count; i++) {
        const gp_election_member_t *member = &el->members[i];
        if (!gp_id_equal(&member->id, &el->self) && member->state == GP_MEMBER_ALIVE &&
            (member->flags & GP_FLAGS_NO_VOTER) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_company(const gp_election_t *el)
{
    for (uint32_t i = 0; i < el->member_count; i++) {
        const gp_id_t *id = &el->members[i].id;
        if (!gp_id_equal(id, &el->self) && gp_election_living(el, id)) {
            return true;
        }
    }
    return false;
}

/*
 * Whoever stays might elect nobody: it would take along the lead, or a vote while nobody leads. A
 * register that does not name it may be alone with this machine, so the last mandate counts, too.
 */
static bool is_needed(const gp_election_t *el)
{
    bool follows = el->lost_at == GP_NEVER && !gp_id_equal(&el->leader, &el->self);
    bool votes = gp_election_voter_index(&el->roster, &el->self) >= 0 ||
                 gp_election_voter_index(&el->mandate.roster, &el->self) >= 0;
    bool counts = gp_election_leads(el) || (votes && !follows);
    return el->forever && counts && (el->depended || has_company(el));
}

void gp_election_stay(gp_election_t *el)
{
    el->going = false;
    el->forever = false;
    el->depended = false;
    el->relinquished = false;
    el->move = el->move == GP_ELECTION_MOVE_AWAY ? GP_ELECTION_STAY : el->move;
}

static void stay_as_needed(gp_election_t *el, gp_out_t *out)
{
    gp_election_stay(el);
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &el->self, GP_MSG_HEIRLESS);
    msg->u.heirless.group = el->config.group;
}

void gp_election_relinquish(gp_election_t *el, const gp_msg_election_relinquish_t *how,
                            gp_out_t *out)
{
    bool forever = how->forever;
    static const gp_id_t nobody;
    bool again = el->going;
    el->going = true;
    el->forever = forever;
    el->depended = how->depended;
    if (forever && !gp_election_leads(el) && !gp_election_is_voter(el) && el->roster.count > 0) {
        el->roster = (gp_election_roster_t){0}; /* nobody needs this copy: it starts anew */
        gp_election_touch(el);
    }
    if (again && !el->relinquished) {
        return; /* under way */
    }
    gp_election_caretaker_end(el, out);
    if (!gp_election_leads(el)) {
        if (el->role != GP_ELECTION_FOLLOWER) {
            gp_election_follow(el, el->term);
        }
        if (is_needed(el)) {
            el->relinquished = false;
            el->going_until = el->now + gp_election_us(el->config.lease_ms);
            return;
        }
        bool led = el->lost_at == GP_NEVER && !gp_id_equal(&el->leader, &el->self);
        gp_election_report_relinquished(el, led ? &el->leader : &nobody, out);
        return;
    }
    if (!gp_election_has_heir(el) && !is_needed(el)) {
        gp_election_step_down(el, GP_STEP_DOWN_HANDOVER, out);
        gp_election_report_relinquished(el, &nobody, out);
        return;
    }
    el->move = GP_ELECTION_MOVE_AWAY;
    el->move_until = el->now + gp_election_us(el->config.lease_ms);
    el->going_until = el->now + 2 * gp_election_us(el->config.lease_ms);
    gp_election_maintain(el, out);
}

void gp_election_take_handover(gp_election_t *el, const gp_id_t *peer, const gp_msg_t *msg,
                               gp_out_t *out)
{
    const gp_msg_handover_t *handover = &msg->u.handover;
    bool of_leader = gp_id_equal(&el->leader, peer) && handover->term == el->leader_term;
    if (!of_leader || handover->term != el->term || gp_election_leads(el)) {
        return;
    }
    el->moved_at = el->now;
    el->lost_at = el->now;
    if (gp_id_equal(&el->lease_holder, peer)) {
        el->lease_holder = (gp_id_t){0};
    }
    if (el->role != GP_ELECTION_FOLLOWER) {
        gp_election_follow(el, el->term);
    }
    gp_election_member_t *member = gp_election_member(el, peer);
    if (member != NULL && gp_election_voter_index(&el->roster, peer) < 0) {
        /* It took itself out of the roster: do not bring it back before the group knows why. */
        member->refused_until = el->now + gp_election_us(el->config.dead_voter_after_ms);
    }
    bool caught_up = el->value_term == handover->term && el->version >= handover->version;
    if (gp_id_equal(&handover->successor, &el->self) && caught_up && gp_election_can_stand(el)) {
        gp_slice_t bytes = msg->signed_bytes;
        assert(bytes.n > 0 && bytes.n <= GP_RELEASE_MAX);
        gp_election_release_t release = {
            .by = *peer, .term = handover->term, .n = (uint16_t)bytes.n};
        memcpy(release.bytes, bytes.p, bytes.n);
        gp_election_ask_votes(el, GP_CAMPAIGN_HANDOVER, &release, out);
        return;
    }
    /* Somebody else's turn: stand only if nothing comes of it. */
    gp_election_arm(el, el->now + gp_election_us(el->config.vote_wait_ms));
}

/* A machine that is clearly better than this leader, for long, leads in its stead. */
void gp_election_watch_better(gp_election_t *el, gp_out_t *out)
{
    assert(gp_election_leads(el));
    const gp_election_member_t *me = gp_election_member_const(el, &el->self);
    if (el->move != GP_ELECTION_STAY || me == NULL) {
        return;
    }
    /* Who has become a standby below gives this up as well, to whoever may lead. */
    bool standby = (me->flags & GP_FLAG_STANDBY) != 0;
    uint32_t needed = standby ? 0 : me->score + el->config.promote_gap;
    const gp_election_member_t *still = gp_election_member_const(el, &el->better);
    const gp_election_member_t *best = NULL;
    for (uint32_t i = 0; i < el->member_count; i++) {
        const gp_election_member_t *member = &el->members[i];
        bool able = member->state == GP_MEMBER_ALIVE && (member->flags & GP_FLAGS_NO_LEADER) == 0 &&
                    member->score >= needed && !gp_id_equal(&member->id, &el->self);
        if (!able) {
            still = still == member ? NULL : still;
            continue;
        }
        if (best == NULL || member->score > best->score) {
            best = member;
        }
    }
    if (still == NULL) {
        el->better = best != NULL ? best->id : (gp_id_t){0};
        el->better_since = el->now;
        return;
    }
    bool long_enough =
        standby || el->now >= el->better_since + gp_election_us(el->config.promote_after_ms);
    bool rested = standby || el->moved_at == 0 ||
                  el->now >= el->moved_at + gp_election_us(el->config.promote_every_ms);
    if (long_enough && rested) {
        el->move = GP_ELECTION_MOVE_BETTER;
        el->move_to = el->better;
        el->move_until = el->now + 2 * gp_election_us(el->config.lease_ms);
        el->better = (gp_id_t){0};
        el->moved_at = el->now;
        gp_election_maintain(el, out);
    }
}

/* The time to prepare is over, and this machine leads still. */
static void end_of_patience(gp_election_t *el, gp_out_t *out)
{
    static const gp_id_t nobody;
    int successor = find_successor(el, true);
    /* A roster that still names who has gone for good may never find its majority again. */
    bool named = gp_election_voter_index(&el->roster, &el->self) >= 0;
    if (el->move == GP_ELECTION_MOVE_BETTER) {
        el->move = GP_ELECTION_STAY;
    } else if (!el->going) {
        el->move_until = el->now + gp_election_us(el->config.lease_ms);
    } else if ((successor < 0 || named) && is_needed(el)) {
        stay_as_needed(el, out);
    } else if (successor >= 0) {
        gp_id_t id = el->roster.voters[successor].id;
        give_up(el, &id, out);
    } else {
        gp_election_step_down(el, GP_STEP_DOWN_HANDOVER, out);
        gp_election_report_relinquished(el, &nobody, out);
    }
}

void gp_election_handover_timers(gp_election_t *el, gp_out_t *out)
{
    static const gp_id_t nobody;
    if (gp_election_leads(el) && el->move != GP_ELECTION_STAY && el->now >= el->move_until) {
        end_of_patience(el, out);
    }
    if (el->going && !el->relinquished && !gp_election_leads(el) && el->now >= el->going_until) {
        if (is_needed(el)) {
            stay_as_needed(el, out);
        } else {
            gp_election_report_relinquished(el, &nobody, out);
        }
    }
}
