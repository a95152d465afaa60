/*
 * Is the roster that a mandate names the group's? Its signatures prove only that these voters voted
 * (mandate_check.c), and whoever holds a certificate can name itself the only voter. So a mandate
 * deposes the leader that a machine follows only if what the machine knows speaks for it: most of
 * the voters that it knows signed it, or the leader conceded, in writing or by showing it itself.
 *
 * A group may change all its voters while a machine is away. Who has heard no leader itself for
 * LEADERLESS_LEASES therefore takes what it gets, as does who knows nothing yet.
 */
#include "election/election_state.h"

#define LEADERLESS_LEASES 2

static uint32_t count_signed(const gp_msg_mandate_t *mandate, const gp_election_roster_t *roster)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < mandate->voters_count && i < mandate->votes_count; i++) {
        bool voted = mandate->votes[i].bytes.n > 0;
        count += voted && gp_election_voter_index(roster, &mandate->voters[i].id) >= 0 ? 1 : 0;
    }
    return count;
}

static bool is_signed_by_most(const gp_msg_mandate_t *mandate, const gp_election_roster_t *roster)
{
    return roster->count > 0 &&
           count_signed(mandate, roster) >= gp_election_majority(roster->count);
}

bool gp_election_signed_by_known(const gp_election_t *el, const gp_msg_mandate_t *mandate)
{
    return is_signed_by_most(mandate, &el->roster) ||
           (el->mandate.term > 0 && is_signed_by_most(mandate, &el->mandate.roster));
}

/* Has it been without a leader for so long that the group may have moved on? */
static bool is_leaderless(const gp_election_t *el)
{
    gp_usec_t since = el->lost_at;
    if (since == GP_NEVER && !el->leader_heard) {
        since = el->mandate.asked_at; /* somebody else showed it, and it may be long gone */
    }
    return !gp_election_leads(el) && since != GP_NEVER &&
           el->now >= since + LEADERLESS_LEASES * gp_election_us(el->config.lease_ms);
}

static bool is_conceded(const gp_election_t *el, const gp_id_t *peer,
                        const gp_msg_mandate_t *mandate)
{
    if (gp_id_is_none(&el->leader)) {
        return false;
    }
    const gp_record_release_t *release = &mandate->releases[0];
    return gp_id_equal(peer, &el->leader) ||
           (mandate->releases_count > 0 && release->term == el->leader_term &&
            gp_id_equal(&release->by, &el->leader));
}

bool gp_election_is_vouched(const gp_election_t *el, const gp_id_t *peer,
                            const gp_msg_mandate_t *mandate)
{
    assert(mandate->term > el->leader_term && mandate->term >= el->term);
    bool knows_nothing = el->roster.count == 0 && el->mandate.term == 0;
    bool voted = mandate->term == el->term && gp_id_equal(&el->voted_for, &mandate->leader);
    return knows_nothing || voted || is_conceded(el, peer, mandate) ||
           gp_election_signed_by_known(el, mandate) || is_leaderless(el);
}

static void ask(gp_election_t *el, const gp_id_t *peer, uint64_t term, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_MANDATE_ASK);
    msg->u.mandate_ask = (gp_msg_mandate_ask_t){.group = el->config.group, .term = term};
}

void gp_election_doubt(gp_election_t *el, const gp_id_t *peer, const gp_msg_mandate_t *mandate,
                       gp_out_t *out)
{
    el->doubted = *peer;
    el->doubt_at = el->now + gp_election_us(el->config.lease_ms);
    bool follows = !gp_id_is_none(&el->leader) && !gp_id_equal(&el->leader, &el->self);
    if (follows && !gp_election_leads(el)) {
        ask(el, &el->leader, mandate->term, out);
    }
}

void gp_election_doubt_timer(gp_election_t *el, gp_out_t *out)
{
    if (el->now >= el->doubt_at) {
        ask(el, &el->doubted, el->leader_term + 1, out);
        el->doubt_at = GP_NEVER;
    }
}
