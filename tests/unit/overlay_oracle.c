/* What stands in the election's place, and what tests wait for. */
#include <stdlib.h>

#include "tests/unit/overlay_virtual.h"

#define LEASE (1500 * GP_MSEC)

/* ---- the oracle: what the election would say ---------------------------------------------------
 */

static void tell_leader(virtual_world_t *w, uint32_t to, uint32_t leader, gp_right_t right,
                        uint64_t term)
{
    virtual_node_t *n = &w->nodes[to];
    gp_msg_t *msg = calloc(1, sizeof *msg);
    assert(msg != NULL);
    msg->kind = GP_MSG_GROUP_LEADER;
    gp_msg_group_leader_t *news = &msg->u.group_leader;
    news->term = term;
    news->right = (uint8_t)right;
    if (right != GP_RIGHT_NONE) {
        news->leader = w->nodes[leader].id;
        for (uint32_t v = 0; v < w->voters; v++) {
            bool fit = v != leader && w->nodes[v].running && !w->nodes[v].frozen &&
                       w->nodes[v].side == w->nodes[leader].side;
            if (fit) {
                news->deputy = w->nodes[v].id;
                break;
            }
        }
    }
    for (uint32_t v = 0; v < w->voters; v++) {
        news->voters[news->voters_count].id = w->nodes[v].id;
        news->voters[news->voters_count++].score = 500;
    }
    if (to == leader && right != GP_RIGHT_NONE) {
        news->lease_until = w->now + LEASE;
        n->lease_until = news->lease_until;
    }
    n->leader = right == GP_RIGHT_NONE ? (gp_id_t){{0}} : w->nodes[leader].id;
    n->term = term;
    n->right = right;
    virtual_tell(w, to, to == leader ? 0 : 150 + gp_random_below(&w->random, 700), msg);
}

static bool is_up(const virtual_world_t *w, uint32_t node)
{
    const virtual_node_t *n = &w->nodes[node];
    return n->running && !n->frozen && !n->left;
}

static uint32_t first_up(const virtual_world_t *w, uint32_t limit, unsigned side)
{
    for (uint32_t i = 0; i < limit; i++) {
        if (is_up(w, i) && w->nodes[i].side == side) {
            return i;
        }
    }
    return VIRTUAL_NODES;
}

static bool has_majority(const virtual_world_t *w, unsigned side)
{
    uint32_t votes = 0;
    for (uint32_t v = 0; v < w->voters; v++) {
        votes += is_up(w, v) && w->nodes[v].side == side;
    }
    return votes > w->voters / 2;
}

static void choose_leader(virtual_world_t *w)
{
    bool leads = w->leader < VIRTUAL_NODES && is_up(w, w->leader) &&
                 has_majority(w, w->nodes[w->leader].side);
    if (leads) {
        w->failover_at = 0;
        return;
    }
    if (w->failover_at == 0) {
        bool crash =
            w->leader == VIRTUAL_NODES || !w->nodes[w->leader].running || w->nodes[w->leader].left;
        w->failover_at = w->now + (crash ? 60 * GP_MSEC : 1700 * GP_MSEC);
        return;
    }
    if (w->now < w->failover_at) {
        return;
    }
    w->leader = VIRTUAL_NODES;
    for (unsigned side = 0; side < 4; side++) {
        if (has_majority(w, side)) {
            w->leader = first_up(w, w->voters, side);
            w->term++;
            w->failover_at = 0;
        }
    }
}

/* Tells each machine that is up what its side's election came to; leaders keep their lease. */
void virtual_oracle(virtual_world_t *w)
{
    choose_leader(w);
    for (uint32_t i = 0; i < w->count; i++) {
        virtual_node_t *n = &w->nodes[i];
        if (!is_up(w, i)) {
            continue;
        }
        if (w->leader < VIRTUAL_NODES && is_up(w, w->leader) &&
            n->side == w->nodes[w->leader].side && has_majority(w, n->side)) {
            bool same = n->term == w->term && n->right == GP_RIGHT_QUORUM;
            if (!same || (i == w->leader && n->lease_until < w->now + LEASE - 400 * GP_MSEC)) {
                tell_leader(w, i, w->leader, GP_RIGHT_QUORUM, w->term);
            }
            n->alone_since = 0;
            continue;
        }
        if (n->alone_since == 0) {
            n->alone_since = w->now;
        }
        gp_usec_t alone = w->now - n->alone_since;
        uint32_t caretaker = first_up(w, w->count, n->side);
        if (alone > 1500 * GP_MSEC && n->right == GP_RIGHT_QUORUM) {
            tell_leader(w, i, 0, GP_RIGHT_NONE, n->term);
        } else if (alone > 2500 * GP_MSEC && (n->right != GP_RIGHT_CARETAKER ||
                                              !gp_id_equal(&n->leader, &w->nodes[caretaker].id))) {
            tell_leader(w, i, caretaker, GP_RIGHT_CARETAKER, w->term + 5);
        }
    }
}

/* ---- conditions ------------------------------------------------------------------------------ */

const gp_group_member_t *virtual_view(virtual_world_t *w, uint32_t by, uint32_t target)
{
    return gp_group_member(w->nodes[by].core, &w->nodes[target].id);
}

bool virtual_all_see(virtual_world_t *w, uint32_t target, gp_member_state_t state)
{
    for (uint32_t i = 0; i < w->count; i++) {
        bool counts = i != target && is_up(w, i);
        if (counts && w->nodes[i].state[target] != state) {
            return false;
        }
    }
    return true;
}

bool virtual_see_unavailable(virtual_world_t *w, uint32_t target)
{
    return virtual_all_see(w, target, GP_MEMBER_UNAVAILABLE);
}

bool virtual_see_alive(virtual_world_t *w, uint32_t target)
{
    return virtual_all_see(w, target, GP_MEMBER_ALIVE);
}

bool virtual_see_left(virtual_world_t *w, uint32_t target)
{
    return virtual_all_see(w, target, GP_MEMBER_LEFT);
}

bool virtual_same_tables(virtual_world_t *w, uint32_t unused)
{
    (void)unused;
    uint32_t first = VIRTUAL_NODES;
    for (uint32_t i = 0; i < w->count; i++) {
        if (!is_up(w, i)) {
            continue;
        }
        first = first == VIRTUAL_NODES ? i : first;
        const gp_group_t *a = w->nodes[first].core;
        const gp_group_t *b = w->nodes[i].core;
        if (gp_group_view_digest(a) != gp_group_view_digest(b) ||
            gp_group_view_number(a) != gp_group_view_number(b) ||
            !gp_id_equal(gp_group_leader(a), gp_group_leader(b)) ||
            gp_id_is_none(gp_group_leader(b))) {
            return false;
        }
    }
    return first != VIRTUAL_NODES;
}

bool virtual_settled(virtual_world_t *w, uint32_t unused)
{
    if (!virtual_same_tables(w, unused)) {
        return false;
    }
    for (uint32_t i = 0; i < w->count; i++) {
        if (is_up(w, i) && !virtual_see_alive(w, i)) {
            return false;
        }
    }
    return true;
}
