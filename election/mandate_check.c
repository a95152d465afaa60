#include "election/mandate_check.h"

#include "election/election.h"

/* Opens one vote and reads it. Verifies nothing. */
static gp_error_t open_vote(const gp_record_vote_t *record, gp_envelope_t *ret_envelope,
                            gp_msg_t *ret_msg)
{
    gp_error_t error = gp_envelope_open(record->bytes, ret_envelope);
    if (error != GP_OK) {
        return error;
    }
    if (!ret_envelope->is_signed || ret_envelope->kind != GP_MSG_VOTE) {
        return GP_E_MANDATE;
    }
    return gp_msg_read(GP_MSG_VOTE, ret_envelope->body, true, ret_msg);
}

static int find_voter(const gp_msg_mandate_t *mandate, const gp_id_t *id)
{
    for (uint32_t i = 0; i < mandate->voters_count; i++) {
        if (gp_id_equal(&mandate->voters[i].id, id)) {
            return (int)i;
        }
    }
    return -1;
}

/* Does this vote say what the mandate needs? */
static bool is_fitting(const gp_msg_mandate_t *mandate, uint64_t digest, const gp_msg_vote_t *vote)
{
    return vote->granted && vote->group == mandate->group && vote->term == mandate->term &&
           gp_id_equal(&vote->candidate, &mandate->leader) && vote->roster == digest;
}

gp_error_t gp_mandate_check(const gp_msg_t *mandate_msg, const gp_grid_id_t *grid,
                            const gp_signer_t *signer)
{
    assert(mandate_msg->kind == GP_MSG_MANDATE);
    const gp_msg_mandate_t *mandate = &mandate_msg->u.mandate;
    uint32_t voters = mandate->voters_count;
    if (voters == 0 || voters > GP_VOTERS_MAX || mandate->votes_count > GP_VOTERS_MAX) {
        return GP_E_MANDATE;
    }
    for (uint32_t i = 0; i < voters; i++) {
        if (find_voter(mandate, &mandate->voters[i].id) != (int)i) {
            return GP_E_MANDATE; /* a roster that names a voter twice */
        }
    }
    uint64_t digest = gp_election_roster_digest(mandate->voters, voters);
    bool counted[GP_VOTERS_MAX] = {false};
    uint32_t count = 0;
    for (uint32_t i = 0; i < mandate->votes_count; i++) {
        gp_envelope_t envelope;
        gp_msg_t msg;
        gp_error_t error = open_vote(&mandate->votes[i], &envelope, &msg);
        if (error != GP_OK) {
            return error;
        }
        int voter = find_voter(mandate, &envelope.source);
        if (memcmp(envelope.grid.b, grid->b, sizeof grid->b) != 0) {
            return GP_E_MESSAGE_GRID;
        }
        if (voter < 0 || counted[voter] || !is_fitting(mandate, digest, &msg.u.vote)) {
            return GP_E_MANDATE;
        }
        if (!gp_envelope_verify(&envelope, signer)) {
            return GP_E_MESSAGE_SIGNATURE;
        }
        counted[voter] = true;
        count++;
    }
    return count >= voters / 2 + 1 ? GP_OK : GP_E_MANDATE;
}

gp_wall_ms_t gp_mandate_until(const gp_msg_t *mandate_msg)
{
    assert(mandate_msg->kind == GP_MSG_MANDATE);
    const gp_msg_mandate_t *mandate = &mandate_msg->u.mandate;
    uint32_t majority = mandate->voters_count / 2 + 1;
    gp_wall_ms_t sorted[GP_VOTERS_MAX]; /* latest first */
    uint32_t count = 0;
    for (uint32_t i = 0; i < mandate->votes_count && i < GP_VOTERS_MAX; i++) {
        gp_envelope_t envelope;
        gp_msg_t msg;
        if (open_vote(&mandate->votes[i], &envelope, &msg) != GP_OK) {
            return 0;
        }
        gp_wall_ms_t until = envelope.sent_ms + msg.u.vote.valid_ms;
        uint32_t at = count++;
        for (; at > 0 && sorted[at - 1] < until; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = until;
    }
    return count >= majority ? sorted[majority - 1] : 0;
}
