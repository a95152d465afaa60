#include "election/mandate_check.h"

#include "election/election.h"
#include "proto/evidence.h"

/* What is no signed message of that kind proves nothing: the kind's own error says so. */
static gp_error_t open_signed(gp_slice_t bytes, gp_msg_kind_t kind, gp_envelope_t *ret_envelope,
                              gp_msg_t *ret_msg)
{
    gp_error_t error = gp_evidence_open(bytes, kind, ret_envelope, ret_msg);
    if (error == GP_E_MESSAGE_KIND) {
        return kind == GP_MSG_VOTE ? GP_E_MANDATE : GP_E_RELEASE;
    }
    return error;
}

static bool names_twice(const gp_msg_mandate_t *mandate)
{
    for (uint32_t i = 0; i < mandate->voters_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (gp_id_equal(&mandate->voters[i].id, &mandate->voters[j].id)) {
                return true;
            }
        }
    }
    return false;
}

/* Does this vote say what the mandate needs? */
static bool is_fitting(const gp_msg_mandate_t *mandate, uint64_t digest, const gp_msg_vote_t *vote)
{
    return vote->granted && vote->group == mandate->group && vote->term == mandate->term &&
           gp_id_equal(&vote->candidate, &mandate->leader) && vote->roster == digest;
}

typedef struct claim {
    uint64_t group;
    uint64_t term;            /* in which the successor stands */
    const gp_id_t *successor; /* who shows the release */
} claim_t;

static gp_error_t check_release(const gp_record_release_t *release, const claim_t *claim,
                                const gp_grid_id_t *grid, const gp_signer_t *signer)
{
    gp_envelope_t envelope;
    gp_msg_t msg;
    gp_error_t error = open_signed(release->bytes, GP_MSG_HANDOVER, &envelope, &msg);
    if (error != GP_OK) {
        return error;
    }
    const gp_msg_handover_t *handover = &msg.u.handover;
    bool fits = gp_id_equal(&envelope.source, &release->by) && handover->group == claim->group &&
                handover->term == release->term && release->term < claim->term &&
                gp_id_equal(&handover->successor, claim->successor);
    return fits ? gp_evidence_verify(&envelope, grid, signer) : GP_E_RELEASE;
}

gp_error_t gp_release_check(const gp_msg_t *ask_msg, const gp_id_t *asker, const gp_grid_id_t *grid,
                            const gp_signer_t *signer)
{
    assert(ask_msg->kind == GP_MSG_VOTE_ASK);
    const gp_msg_vote_ask_t *ask = &ask_msg->u.vote_ask;
    claim_t claim = {.group = ask->group, .term = ask->term, .successor = asker};
    return ask->releases_count == 0 ? GP_OK
                                    : check_release(&ask->releases[0], &claim, grid, signer);
}

gp_error_t gp_mandate_check(const gp_msg_t *mandate_msg, const gp_grid_id_t *grid,
                            const gp_signer_t *signer)
{
    assert(mandate_msg->kind == GP_MSG_MANDATE);
    const gp_msg_mandate_t *mandate = &mandate_msg->u.mandate;
    uint32_t voters = mandate->voters_count;
    if (voters == 0 || voters > GP_VOTERS_MAX || mandate->votes_count != voters ||
        names_twice(mandate)) {
        return GP_E_MANDATE;
    }
    uint64_t digest = gp_election_roster_digest(mandate->voters, voters);
    uint32_t count = 0;
    for (uint32_t i = 0; i < voters; i++) {
        if (mandate->votes[i].bytes.n == 0) {
            continue;
        }
        gp_envelope_t envelope;
        gp_msg_t msg;
        gp_error_t error = open_signed(mandate->votes[i].bytes, GP_MSG_VOTE, &envelope, &msg);
        if (error != GP_OK) {
            return error;
        }
        if (!gp_id_equal(&envelope.source, &mandate->voters[i].id) ||
            !is_fitting(mandate, digest, &msg.u.vote)) {
            return GP_E_MANDATE;
        }
        error = gp_evidence_verify(&envelope, grid, signer);
        if (error != GP_OK) {
            return error;
        }
        count++;
    }
    if (count < voters / 2 + 1) {
        return GP_E_MANDATE;
    }
    claim_t claim = {.group = mandate->group, .term = mandate->term, .successor = &mandate->leader};
    return mandate->releases_count == 0
               ? GP_OK
               : check_release(&mandate->releases[0], &claim, grid, signer);
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
        if (mandate->votes[i].bytes.n == 0) {
            continue;
        }
        if (open_signed(mandate->votes[i].bytes, GP_MSG_VOTE, &envelope, &msg) != GP_OK) {
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
