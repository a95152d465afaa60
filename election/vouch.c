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

static bool is_known_voter(const gp_election_t *el, const gp_id_t *id)
{
    return gp_election_voter_index(&el->roster, id) >= 0 ||
           gp_election_voter_index(&el->mandate.roster, id) >= 0;
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
    /* The register of one that votes no longer stays as it was: the mandate's roster is newer. */
    bool votes = gp_election_voter_index(&el->roster, &el->self) >= 0 || el->mandate.term == 0;
    return (votes && is_backed(el, mandate, by_showing, &el->roster)) ||
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

/* For whatever is newer than what this machine knows: not only the mandate at hand, which may be
 * made up, while there is a true one. */
static void ask(gp_election_t *el, const gp_id_t *peer, gp_out_t *out)
{
    if (!gp_id_equal(peer, &el->self)) {
        gp_election_send_mandate_ask(el, peer, el->leader_term + 1, out);
    }
}

/* The voters that are known, and the leader: does it concede? */
static void ask_around(gp_election_t *el, gp_out_t *out)
{
    const gp_election_roster_t *rosters[] = {&el->roster, &el->mandate.roster};
    for (uint32_t r = 0; r < 2; r++) {
        for (uint32_t i = 0; i < rosters[r]->count; i++) {
            const gp_id_t *id = &rosters[r]->voters[i].id;
            bool asked = r > 0 && gp_election_voter_index(rosters[0], id) >= 0;
            if (!asked && !vouches(&el->doubt, id)) {
                ask(el, id, out);
            }
        }
    }
    if (!gp_id_is_none(&el->leader) && !is_known_voter(el, &el->leader)) {
        ask(el, &el->leader, out);
    }
}

static void note_voucher(gp_election_t *el, const gp_id_t *peer)
{
    gp_election_doubt_t *doubt = &el->doubt;
    if (is_known_voter(el, peer) && !vouches(doubt, peer) &&
        doubt->voucher_count < 2 * GP_VOTERS_MAX) {
        doubt->vouchers[doubt->voucher_count++] = *peer;
    }
}

/* For which something speaks already: anybody can make up another one. */
static bool keeps_doubt(const gp_election_t *el, const gp_id_t *peer)
{
    const gp_election_doubt_t *doubt = &el->doubt;
    bool open = doubt->again_at != GP_NEVER && el->now < doubt->again_at;
    return open && doubt->voucher_count > 0 && !is_known_voter(el, peer);
}

bool gp_election_is_doubted(gp_election_t *el, const gp_id_t *peer, const gp_msg_mandate_t *mandate,
                            gp_out_t *out)
{
    gp_election_doubt_t *doubt = &el->doubt;
    if (!is_same(doubt, mandate) && keeps_doubt(el, peer)) {
        return !is_vouched(el, peer, mandate);
    }
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
        ask_around(el, out);
    }
    return true;
}

void gp_election_doubt_timer(gp_election_t *el, gp_out_t *out)
{
    if (el->now >= el->doubt.again_at) {
        ask(el, &el->doubt.peer, out);
        el->doubt.again_at = GP_NEVER;
    }
}
