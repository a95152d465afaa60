/*
 * The mandate: the signed votes of a majority. It is collected as a ballot, proclaimed, renewed
 * before the votes expire, shown to whoever asks, and beats whatever is older.
 */
#include "election/election_state.h"

/* What a signed vote may take: head and signature of the envelope, and the widest body. */
static_assert(GP_VOTE_MAX >= 114 + 64 + 1 + 4 * 9 + 2 * 9 + 34 + 1 + 2 + 5,
              "a signed VOTE must fit into a mandate");
static_assert(GP_VOTERS_MAX <= 32, "votes are counted in 32 bits");

uint64_t gp_election_roster_digest(const gp_record_voter_t *voters, uint32_t count)
{
    assert(count <= GP_VOTERS_MAX);
    gp_id_t ids[GP_VOTERS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && gp_id_compare(&ids[at - 1], &voters[i].id) > 0; at--) {
            ids[at] = ids[at - 1];
        }
        ids[at] = voters[i].id;
    }
    return gp_hash(ids, count * sizeof ids[0], 0);
}

static bool same_voters(const gp_election_roster_t *a, const gp_election_roster_t *b)
{
    return gp_election_roster_digest(a->voters, a->count) ==
           gp_election_roster_digest(b->voters, b->count);
}

void gp_election_ballot_reset(gp_election_t *el)
{
    gp_election_ballot_t *ballot = &el->ballot;
    ballot->candidate = el->self;
    ballot->term = el->term;
    ballot->version = el->version;
    ballot->asked_at = el->now;
    ballot->roster = el->roster;
    memset(ballot->vote_n, 0, sizeof ballot->vote_n);
    ballot->release.n = 0;
}

bool gp_election_ballot_add(gp_election_t *el, const gp_id_t *peer, const gp_msg_t *msg)
{
    gp_election_ballot_t *ballot = &el->ballot;
    const gp_msg_vote_t *vote = &msg->u.vote;
    assert(vote->granted && gp_id_equal(&vote->candidate, &el->self));
    int index = gp_election_voter_index(&ballot->roster, peer);
    if (vote->term != ballot->term || index < 0 || vote->valid_ms < el->config.vote_valid_ms ||
        vote->roster != gp_election_roster_digest(ballot->roster.voters, ballot->roster.count) ||
        msg->signed_bytes.n == 0 || msg->signed_bytes.n > GP_VOTE_MAX) {
        return false;
    }
    memcpy(ballot->vote[index], msg->signed_bytes.p, msg->signed_bytes.n);
    ballot->vote_n[index] = (uint16_t)msg->signed_bytes.n;
    return true;
}

uint32_t gp_election_ballot_count(const gp_election_ballot_t *ballot)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ballot->roster.count; i++) {
        count += ballot->vote_n[i] > 0 ? 1 : 0;
    }
    return count;
}

bool gp_election_mandate(const gp_election_t *el, gp_msg_t *ret_msg)
{
    const gp_election_ballot_t *held = &el->mandate;
    if (held->term == 0) {
        return false;
    }
    /* Only the bytes of this kind may exist behind ret_msg: the fields one by one. */
    ret_msg->kind = GP_MSG_MANDATE;
    gp_msg_mandate_t *mandate = &ret_msg->u.mandate;
    mandate->group = el->config.group;
    mandate->term = held->term;
    mandate->leader = held->candidate;
    mandate->version = held->version;
    mandate->voters_count = held->roster.count;
    memcpy(mandate->voters, held->roster.voters, sizeof mandate->voters);
    mandate->votes_count = held->roster.count;
    for (uint32_t i = 0; i < held->roster.count; i++) {
        mandate->votes[i].bytes = gp_slice(held->vote[i], held->vote_n[i]);
    }
    gp_election_show_release(&held->release, mandate->releases, &mandate->releases_count);
    return true;
}

void gp_election_cast_mandate(gp_election_t *el, const gp_id_t *targets, uint32_t count,
                              gp_out_t *out)
{
    if (count == 0 || el->mandate.term == 0) {
        return;
    }
    gp_id_t *list = gp_out_bytes(out, count * sizeof *list);
    memcpy(list, targets, count * sizeof *list);
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_CAST, &el->self, GP_MSG_MANDATE);
    gp_out_last(out)->targets = list;
    gp_out_last(out)->target_count = count;
    bool held = gp_election_mandate(el, msg);
    assert(held);
    (void)held;
}

bool gp_election_show_mandate(gp_election_t *el, const gp_id_t *peer, uint64_t term, gp_out_t *out)
{
    /* Who led once does not show it round as if it did still. */
    bool former = gp_id_equal(&el->mandate.candidate, &el->self) && !gp_election_leads(el);
    if (el->mandate.term == 0 || el->mandate.term < term || former) {
        return false;
    }
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_MANDATE);
    return gp_election_mandate(el, msg);
}

void gp_election_send_mandate_ask(gp_election_t *el, const gp_id_t *peer, uint64_t term,
                                  gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_MANDATE_ASK);
    msg->u.mandate_ask = (gp_msg_mandate_ask_t){.group = el->config.group, .term = term};
}

void gp_election_ask_mandate(gp_election_t *el, const gp_id_t *peer, uint64_t term, gp_out_t *out)
{
    if (el->now < el->ask_at) {
        return;
    }
    gp_election_send_mandate_ask(el, peer, term, out);
    el->ask_at = el->now + gp_election_us(el->config.lease_beat_ms) / 4;
}

void gp_election_take_mandate_ask(gp_election_t *el, const gp_id_t *peer,
                                  const gp_msg_mandate_ask_t *ask, gp_out_t *out)
{
    if (gp_id_equal(peer, &el->self)) {
        return;
    }
    bool shown = gp_election_show_mandate(el, peer, ask->term, out);
    if (shown && gp_election_leads(el)) {
        gp_election_resend_register(el, peer, out);
    }
}

void gp_election_proclaim(gp_election_t *el, gp_out_t *out)
{
    assert(gp_election_leads(el) && el->ballot.term == el->term);
    assert(gp_election_ballot_count(&el->ballot) >= gp_election_majority(el->ballot.roster.count));
    el->mandate = el->ballot;
    el->renewing = false;
    gp_id_t targets[GP_MEMBERS_MAX + GP_VOTERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < el->member_count; i++) {
        const gp_election_member_t *member = &el->members[i];
        bool gone = member->state == GP_MEMBER_UNAVAILABLE || member->state == GP_MEMBER_LEFT;
        bool never = member->state == GP_MEMBER_UNKNOWN && (member->flags & GP_FLAG_SEEN) == 0;
        if (!gone && !never && !gp_id_equal(&member->id, &el->self)) {
            targets[count++] = member->id;
        }
    }
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_id_t *id = &el->roster.voters[i].id;
        if (gp_election_member(el, id) == NULL && !gp_id_equal(id, &el->self)) {
            targets[count++] = *id;
        }
    }
    gp_election_cast_mandate(el, targets, count, out);
}

void gp_election_renew(gp_election_t *el, gp_out_t *out)
{
    assert(gp_election_leads(el));
    bool due = el->now >= el->mandate.asked_at + gp_election_us(el->config.vote_valid_ms) / 2;
    bool other = el->committed && !same_voters(&el->mandate.roster, &el->roster);
    if (!due && !other && !el->renewing) {
        return;
    }
    bool outdated = el->renewing &&
                    (!same_voters(&el->ballot.roster, &el->roster) ||
                     el->now >= el->ballot.asked_at + gp_election_us(el->config.vote_valid_ms) / 4);
    if (!el->renewing || outdated) {
        el->renewing = true;
        gp_election_ballot_reset(el);
        el->ballot.release = el->mandate.release;
    }
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_id_t *id = &el->roster.voters[i].id;
        if (el->ballot.vote_n[i] > 0 || gp_id_equal(id, &el->self)) {
            continue;
        }
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, id, GP_MSG_RENEW_ASK);
        msg->u.renew_ask = (gp_msg_renew_ask_t){.group = el->config.group, .term = el->term};
    }
    int own = gp_election_voter_index(&el->roster, &el->self);
    if (own >= 0 && el->ballot.vote_n[own] == 0) {
        assert(gp_id_equal(&el->voted_for, &el->self));
        gp_election_pending_t vote = {
            .promise = GP_ELECTION_PROMISE_VOTE,
            .peer = el->self,
            .term = el->term,
            .version = el->version,
            .roster = gp_election_roster_digest(el->roster.voters, el->roster.count)};
        gp_election_promise(el, &vote, out);
    }
}

void gp_election_take_renew_ask(gp_election_t *el, const gp_id_t *peer,
                                const gp_msg_renew_ask_t *ask, gp_out_t *out)
{
    if (gp_id_equal(peer, &el->self) || ask->term > GP_TERM_MAX) {
        return;
    }
    if (ask->term < el->term) {
        gp_election_deny(el, peer, ask->term, GP_VOTE_STALE_TERM, out);
        return;
    }
    if (!gp_election_believes(el, peer, ask->term)) {
        gp_election_ask_mandate(el, peer, ask->term, out);
        return;
    }
    assert(ask->term == el->term);
    if (el->value_term != ask->term) {
        return; /* its register is still on the way: it will ask again */
    }
    if (gp_id_is_none(&el->voted_for)) {
        el->voted_for = *peer;
        gp_election_touch(el);
    }
    if (!gp_id_equal(&el->voted_for, peer)) {
        gp_election_deny(el, peer, ask->term, GP_VOTE_TAKEN, out);
        return;
    }
    gp_election_pending_t vote = {
        .promise = GP_ELECTION_PROMISE_VOTE,
        .peer = *peer,
        .term = ask->term,
        .version = el->version,
        .roster = gp_election_roster_digest(el->roster.voters, el->roster.count)};
    gp_election_promise(el, &vote, out);
}

static void keep_mandate(gp_election_t *el, const gp_msg_mandate_t *mandate,
                         const gp_election_roster_t *roster)
{
    gp_election_ballot_t *held = &el->mandate;
    held->candidate = mandate->leader;
    held->term = mandate->term;
    held->version = mandate->version;
    held->asked_at = el->now;
    held->roster = *roster;
    memset(held->vote_n, 0, sizeof held->vote_n);
    for (uint32_t i = 0; i < roster->count; i++) {
        gp_slice_t bytes = mandate->votes[i].bytes;
        assert(bytes.n <= GP_VOTE_MAX);
        if (bytes.n > 0) {
            memcpy(held->vote[i], bytes.p, bytes.n);
        }
        held->vote_n[i] = (uint16_t)bytes.n;
    }
    held->release.n = 0;
    if (mandate->releases_count > 0) {
        const gp_record_release_t *release = &mandate->releases[0];
        assert(release->bytes.n > 0 && release->bytes.n <= GP_RELEASE_MAX);
        held->release.by = release->by;
        held->release.term = release->term;
        held->release.n = (uint16_t)release->bytes.n;
        memcpy(held->release.bytes, release->bytes.p, release->bytes.n);
    }
}

/* A mandate of a term that is not higher than what is known. True: dealt with. */
static bool take_known(gp_election_t *el, const gp_id_t *peer, const gp_msg_mandate_t *mandate,
                       const gp_election_roster_t *roster, gp_out_t *out)
{
    if (mandate->term < el->leader_term) {
        if (!gp_id_equal(&mandate->leader, &el->self)) {
            (void)gp_election_show_mandate(el, peer, el->leader_term, out);
        }
        return true;
    }
    if (mandate->term < el->term) {
        gp_election_deny(el, &mandate->leader, mandate->term, GP_VOTE_STALE_TERM, out);
        return true;
    }
    if (mandate->term > el->leader_term) {
        return false;
    }
    if (gp_id_equal(&mandate->leader, &el->leader) && !gp_election_leads(el)) {
        bool its_own = gp_id_equal(peer, &el->leader);
        if (mandate->version >= el->mandate.version &&
            (its_own || gp_election_signed_by_known(el, mandate))) {
            keep_mandate(el, mandate, roster);
        }
        if (its_own) {
            gp_election_sign_of_life(el, out);
        }
    }
    return true;
}

void gp_election_take_mandate(gp_election_t *el, const gp_id_t *peer,
                              const gp_msg_mandate_t *mandate, gp_out_t *out)
{
    gp_election_roster_t roster;
    if (!gp_election_roster_read(mandate->voters, mandate->voters_count, &roster) ||
        mandate->votes_count != roster.count || mandate->term == 0 ||
        !gp_election_credible(el, mandate->term) || gp_id_is_none(&mandate->leader) ||
        gp_id_equal(&mandate->leader, &el->self)) {
        return;
    }
    if (take_known(el, peer, mandate, &roster, out)) {
        return;
    }
    if (gp_election_is_doubted(el, peer, mandate, out)) {
        return;
    }
    if (gp_election_leads(el)) {
        gp_election_step_down(el, GP_STEP_DOWN_TERM, out);
    }
    gp_election_follow(el, mandate->term);
    el->leader = mandate->leader;
    el->leader_term = mandate->term;
    const gp_election_member_t *member = gp_election_member_const(el, &el->leader);
    el->leader_incarnation = member != NULL ? member->incarnation : 0;
    keep_mandate(el, mandate, &roster);
    gp_election_sign_of_life(el, out);
    el->leader_heard = gp_id_equal(peer, &el->leader);
    if (el->going && !el->relinquished) {
        gp_election_report_relinquished(el, &el->leader, out);
    }
}
