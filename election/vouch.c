/*
 * Is the roster that a mandate names the group's? Its signatures prove only that these voters voted
 * (mandate_check.c), and whoever holds a certificate can name itself the only voter. So a mandate
 * deposes the leader that a machine follows only if what the machine knows speaks for it: most of
 * the voters that it knows signed it or, asked, show that they follow it; or the leader conceded,
 * in writing or by showing it itself.
 *
 * A group may change all its voters while a machine is away. Who has heard no leader itself for
 * LEADERLESS_LEASES therefore takes what it gets, as does who knows nothing yet.
 */
#include "election/election_state.h"

#define LEADERLESS_LEASES 2

static bool signs(const gp_msg_mandate_t *mandate, const gp_id_t *voter)
{
    for (uint32_t i = 0; i < mandate->voters_count && i < mandate->votes_count; i++) {
        if (mandate->votes[i].bytes.n > 0 && gp_id_equal(&mandate->voters[i].id, voter)) {
            return true;
        }
    }
    return false;
}

static bool is_same(const gp_election_doubt_t *doubt, const gp_msg_mandate_t *mandate)
{
    return doubt->term == mandate->term && gp_id_equal(&doubt->leader, &mandate->leader);
}

static bool vouches(const gp_election_doubt_t *doubt, const gp_id_t *voter)
{
    for (uint32_t i = 0; i < doubt->voucher_count; i++) {
        if (gp_id_equal(&doubt->vouchers[i], voter)) {
            return true;
        }
    }
    return false;
}

/* Most voters of the roster signed the mandate or, where that counts too, showed it. */
static bool is_backed(const gp_election_t *el, const gp_msg_mandate_t *mandate, bool by_showing,
                      const gp_election_roster_t *roster)
{
    bool shown = by_showing && is_same(&el->doubt, mandate);
    uint32_t count = 0;
    for (uint32_t i = 0; i < roster->count; i++) {
        const gp_id_t *id = &roster->voters[i].id;
        count += signs(mandate, id) || (shown && vouches(&el->doubt, id)) ? 1 : 0;
    }
    return roster->count > 0 && count >= gp_election_majority(roster->count);
}

static bool is_backed_by_known(const gp_election_t *el, const gp_msg_mandate_t *mandate,
                               bool by_showing)
{
    return is_backed(el, mandate, by_showing, &el->roster) ||
           (el->mandate.term > 0 && is_backed(el, mandate, by_showing, &el->mandate.roster));
}

bool gp_election_signed_by_known(const gp_election_t *el, const gp_msg_mandate_t *mandate)
{
    return is_backed_by_known(el, mandate, false);
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

static bool is_vouched(const gp_election_t *el, const gp_id_t *peer,
                       const gp_msg_mandate_t *mandate)
{
    assert(mandate->term > el->leader_term && mandate->term >= el->term);
    bool knows_nothing = el->roster.count == 0 && el->mandate.term == 0;
    bool voted = mandate->term == el->term && gp_id_equal(&el->voted_for, &mandate->leader);
    return knows_nothing || voted || is_conceded(el, peer, mandate) ||
           is_backed_by_known(el, mandate, true) || is_leaderless(el);
}

static void ask(gp_election_t *el, const gp_id_t *peer, uint64_t term, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_MANDATE_ASK);
    msg->u.mandate_ask = (gp_msg_mandate_ask_t){.group = el->config.group, .term = term};
}

static void ask_voters(gp_election_t *el, const gp_election_roster_t *roster,
                       const gp_election_roster_t *asked, gp_out_t *out)
{
    for (uint32_t i = 0; i < roster->count; i++) {
        const gp_id_t *id = &roster->voters[i].id;
        bool known = vouches(&el->doubt, id) || gp_id_equal(id, &el->self);
        if (!known && (asked == NULL || gp_election_voter_index(asked, id) < 0)) {
            ask(el, id, el->doubt.term, out);
        }
    }
}

static void note_voucher(gp_election_t *el, const gp_id_t *peer)
{
    bool known = gp_election_voter_index(&el->roster, peer) >= 0 ||
                 gp_election_voter_index(&el->mandate.roster, peer) >= 0;
    gp_election_doubt_t *doubt = &el->doubt;
    if (known && !vouches(doubt, peer) && doubt->voucher_count < 2 * GP_VOTERS_MAX) {
        doubt->vouchers[doubt->voucher_count++] = *peer;
    }
}

bool gp_election_is_doubted(gp_election_t *el, const gp_id_t *peer, const gp_msg_mandate_t *mandate,
                            gp_out_t *out)
{
    gp_election_doubt_t *doubt = &el->doubt;
    if (!is_same(doubt, mandate)) {
        doubt->term = mandate->term;
        doubt->leader = mandate->leader;
        doubt->voucher_count = 0;
    }
    doubt->peer = *peer;
    doubt->again_at = el->now + gp_election_us(el->config.lease_ms);
    note_voucher(el, peer);
    if (is_vouched(el, peer, mandate)) {
        doubt->again_at = GP_NEVER;
        return false;
    }
    if (el->now >= doubt->ask_at) { /* however many mandates somebody makes up */
        doubt->ask_at = el->now + gp_election_us(el->config.lease_beat_ms) / 4;
        ask_voters(el, &el->roster, NULL, out);
        ask_voters(el, &el->mandate.roster, &el->roster, out);
    }
    bool follows = !gp_id_is_none(&el->leader) && !gp_id_equal(&el->leader, &el->self);
    if (follows && !gp_election_leads(el)) {
        ask(el, &el->leader, mandate->term, out);
    }
    return true;
}

void gp_election_doubt_timer(gp_election_t *el, gp_out_t *out)
{
    if (el->now >= el->doubt.again_at) {
        ask(el, &el->doubt.peer, el->leader_term + 1, out);
        el->doubt.again_at = GP_NEVER;
    }
}
