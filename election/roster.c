/*
 * Who votes: 1, 3 or 5 members, by how many could. One voter comes or goes at a time, and never so
 * that the new roster could not be committed at once by those who answer now.
 */
#include "election/election_state.h"

typedef enum change {
    CHANGE_NONE,
    CHANGE_ADD,
    CHANGE_REMOVE,
    CHANGE_WAIT /* something is wanted that cannot be done now */
} change_t;

typedef struct plan {
    change_t change;
    gp_id_t id;
} plan_t;

static bool is_self(const gp_election_t *el, const gp_id_t *id)
{
    return gp_id_equal(&el->self, id);
}

/* Is this leader to lead no more: it goes, or by its flags may not and somebody else could? */
static bool self_leaves(const gp_election_t *el)
{
    const gp_election_member_t *me = gp_election_member_const(el, &el->self);
    return el->going ||
           (me != NULL && (me->flags & GP_FLAGS_NO_VOTER) != 0 && gp_election_has_heir(el));
}

/* For how long a voter must be Unavailable, or its disk fail, before it counts as dead. */
static gp_usec_t patience(const gp_election_t *el)
{
    /* An even roster is as weak as the next smaller one but needs one more: be quick. */
    bool quick = el->going || el->roster.count % 2 == 0;
    return quick ? 0 : gp_election_us(el->config.dead_voter_after_ms);
}

static bool is_dead_member(const gp_election_t *el, const gp_election_member_t *member,
                           gp_usec_t after)
{
    bool gone = member->state == GP_MEMBER_UNAVAILABLE || (member->flags & GP_FLAG_FAILING) != 0;
    return member->state == GP_MEMBER_LEFT || (gone && el->now >= member->down_since + after);
}

/* A voter that the membership forgot: dead once it has not answered for long either. */
static bool is_dead_voter(const gp_election_t *el, uint32_t index)
{
    const gp_id_t *id = &el->roster.voters[index].id;
    const gp_election_member_t *member = gp_election_member_const(el, id);
    if (is_self(el, id)) {
        return false;
    }
    if (member != NULL) {
        return is_dead_member(el, member, patience(el));
    }
    gp_usec_t heard = el->progress[index].granted_at;
    heard = heard > el->won_at ? heard : el->won_at;
    return el->now >= heard + gp_election_us(el->config.dead_voter_after_ms);
}

/* Has this voter answered within the last lease, and would it keep what it is told? */
static bool responds(const gp_election_t *el, const gp_id_t *id)
{
    if (gp_election_is_failing(el, id)) {
        return false;
    }
    if (is_self(el, id)) {
        return true;
    }
    int index = gp_election_voter_index(&el->roster, id);
    if (index < 0) {
        return gp_id_equal(id, &el->learner) && el->learner_ready;
    }
    gp_usec_t heard = el->progress[index].granted_at;
    return heard != 0 && el->now < heard + gp_election_us(el->config.lease_ms);
}

static bool can_commit(const gp_election_t *el, const gp_election_roster_t *roster)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < roster->count; i++) {
        count += responds(el, &roster->voters[i].id) ? 1 : 0;
    }
    return roster->count > 0 && count >= gp_election_majority(roster->count);
}

/* How many voters this group should have. */
static uint32_t target_count(const gp_election_t *el)
{
    uint32_t able = 0;
    bool self_listed = false;
    gp_usec_t after = gp_election_us(el->config.dead_voter_after_ms);
    for (uint32_t i = 0; i < el->member_count; i++) {
        const gp_election_member_t *member = &el->members[i];
        bool self = is_self(el, &member->id);
        self_listed = self_listed || self;
        bool votes = gp_election_voter_index(&el->roster, &member->id) >= 0;
        bool could = (member->flags & GP_FLAG_RELAYED) == 0 && member->refused_until <= el->now;
        bool fit = (member->flags & GP_FLAG_LEAVING) == 0 && (votes || could);
        bool dead = is_dead_member(el, member, el->going ? 0 : after);
        able += self ? !self_leaves(el) : fit && !dead;
    }
    able += self_listed || el->going ? 0 : 1;
    return able >= 5 ? 5 : able >= 3 ? 3 : 1;
}

/* The voter that should be one no longer: dead first, then leaving. -1: none. */
static int find_unfit(const gp_election_t *el)
{
    int found = -1;
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_id_t *id = &el->roster.voters[i].id;
        if (is_dead_voter(el, i)) {
            return (int)i;
        }
        const gp_election_member_t *member = gp_election_member_const(el, id);
        bool leaves = is_self(el, id) ? self_leaves(el)
                                      : member != NULL && (member->flags & GP_FLAG_LEAVING) != 0;
        if (leaves && (found < 0 || is_self(el, &el->roster.voters[found].id))) {
            found = (int)i;
        }
    }
    return found;
}

static uint16_t score_of(const gp_election_t *el, const gp_id_t *id, uint16_t otherwise)
{
    const gp_election_member_t *member = gp_election_member_const(el, id);
    return member != NULL ? member->score : otherwise;
}

/* The voter that is missed least: not this machine, not the successor. -1: none. */
static int find_worst(const gp_election_t *el)
{
    int found = -1;
    uint16_t worst = 0;
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_record_voter_t *voter = &el->roster.voters[i];
        if (is_self(el, &voter->id) ||
            (el->move == GP_ELECTION_MOVE_BETTER && gp_id_equal(&voter->id, &el->move_to))) {
            continue;
        }
        uint16_t score = score_of(el, &voter->id, voter->score);
        if (found < 0 ||
            gp_election_is_better(worst, &el->roster.voters[found].id, score, &voter->id)) {
            found = (int)i;
            worst = score;
        }
    }
    return found;
}

/* The best member that could become a voter, or NULL. */
static const gp_election_member_t *find_spare(const gp_election_t *el)
{
    const gp_election_member_t *best = NULL;
    for (uint32_t i = 0; i < el->member_count; i++) {
        const gp_election_member_t *member = &el->members[i];
        bool able = member->state == GP_MEMBER_ALIVE && (member->flags & GP_FLAGS_NO_VOTER) == 0 &&
                    member->refused_until <= el->now && !is_self(el, &member->id) &&
                    gp_election_voter_index(&el->roster, &member->id) < 0;
        if (able && (best == NULL ||
                     gp_election_is_better(member->score, &member->id, best->score, &best->id))) {
            best = member;
        }
    }
    return best;
}

static plan_t plan_remove(const gp_election_t *el, int index)
{
    assert(index >= 0);
    return (plan_t){.change = CHANGE_REMOVE, .id = el->roster.voters[index].id};
}

static plan_t make_plan(const gp_election_t *el)
{
    uint32_t count = el->roster.count;
    uint32_t target = target_count(el);
    int unfit = find_unfit(el);
    const gp_election_member_t *spare = find_spare(el);
    if (unfit >= 0) {
        if (spare != NULL && count <= target && count < GP_VOTERS_MAX) {
            return (plan_t){.change = CHANGE_ADD, .id = spare->id};
        }
        bool useful = count > target || spare != NULL || self_leaves(el);
        return useful && count > 1 ? plan_remove(el, unfit) : (plan_t){.change = CHANGE_WAIT};
    }
    if (el->move == GP_ELECTION_MOVE_BETTER) {
        if (gp_election_voter_index(&el->roster, &el->move_to) >= 0) {
            return (plan_t){.change = CHANGE_NONE};
        }
        return count < GP_VOTERS_MAX ? (plan_t){.change = CHANGE_ADD, .id = el->move_to}
                                     : plan_remove(el, find_worst(el));
    }
    if (count > target) {
        int worst = find_worst(el);
        return worst >= 0 ? plan_remove(el, worst) : (plan_t){.change = CHANGE_NONE};
    }
    if (count < target && spare != NULL) {
        return (plan_t){.change = CHANGE_ADD, .id = spare->id};
    }
    return (plan_t){.change = CHANGE_NONE};
}

/* The roster after the change, with fresh scores, best first. */
static gp_election_roster_t changed_roster(const gp_election_t *el, const plan_t *plan)
{
    gp_election_roster_t next = {0};
    for (uint32_t i = 0; i <= el->roster.count; i++) {
        gp_record_voter_t voter = {.id = plan->id};
        if (i < el->roster.count) {
            voter = el->roster.voters[i];
        } else if (plan->change != CHANGE_ADD) {
            break;
        }
        if (plan->change == CHANGE_REMOVE && gp_id_equal(&voter.id, &plan->id)) {
            continue;
        }
        voter.score = score_of(el, &voter.id, voter.score);
        assert(next.count < GP_VOTERS_MAX);
        uint32_t at = next.count++;
        for (; at > 0 && gp_election_is_better(voter.score, &voter.id, next.voters[at - 1].score,
                                               &next.voters[at - 1].id);
             at--) {
            next.voters[at] = next.voters[at - 1];
        }
        next.voters[at] = voter;
    }
    return next;
}

void gp_election_drop_learner(gp_election_t *el)
{
    el->learner = (gp_id_t){0};
    el->learner_ready = false;
}

/* A voter to be must have the register on its disk first. */
static bool teach(gp_election_t *el, const gp_id_t *id, gp_out_t *out)
{
    if (!gp_id_equal(&el->learner, id)) {
        el->learner = *id;
        el->learner_ready = false;
        el->learner_since = el->now;
        gp_election_send_register(el, id, out);
        return false;
    }
    if (!el->learner_ready && el->now >= el->learner_since + gp_election_us(el->config.lease_ms)) {
        gp_election_member_t *member = gp_election_member(el, id);
        if (member != NULL) {
            member->refused_until = el->now + gp_election_us(el->config.dead_voter_after_ms);
        }
        gp_election_drop_learner(el);
        return false;
    }
    return el->learner_ready;
}

/* A leader that drains, or that others can no longer dial, hands over; it may recover before. */
static void watch_self(gp_election_t *el)
{
    bool outside = gp_election_voter_index(&el->roster, &el->self) < 0;
    if (self_leaves(el)) {
        if (el->move != GP_ELECTION_MOVE_AWAY) {
            el->move = GP_ELECTION_MOVE_AWAY;
            el->move_until = el->now + gp_election_us(el->config.lease_ms);
        }
    } else if (el->move == GP_ELECTION_MOVE_AWAY && !outside) {
        el->move = GP_ELECTION_STAY;
    }
}

void gp_election_maintain(gp_election_t *el, gp_out_t *out)
{
    if (!gp_election_leads(el) || !el->committed || el->now >= el->lease_until ||
        !gp_election_is_durable(el)) {
        return;
    }
    watch_self(el);
    /* With a failing disk it could not even write: it keeps the lead, or hands it over. */
    bool failing = gp_election_is_failing(el, &el->self);
    plan_t plan = failing ? (plan_t){.change = CHANGE_NONE} : make_plan(el);
    if (plan.change == CHANGE_ADD && !teach(el, &plan.id, out)) {
        return;
    }
    if (plan.change == CHANGE_ADD || plan.change == CHANGE_REMOVE) {
        gp_election_roster_t next = changed_roster(el, &plan);
        if (can_commit(el, &next)) {
            gp_election_write(el, &next, out);
            return;
        }
        plan.change = CHANGE_WAIT;
    }
    /* A successor must win without this machine, if that is why it is to succeed. */
    if (plan.change == CHANGE_NONE && (el->going || can_commit(el, &el->roster))) {
        gp_election_try_handover(el, out);
    }
}
