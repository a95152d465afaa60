/* The oracle: what must never happen, looked at whenever anything happens. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/lab/world_state.h"
#include "election/mandate_check.h"

#define JUST_HEARD (100 * GP_MSEC)

void gp_oracle_violation(gp_world_t *world, const char *what, const gp_sim_node_t *node)
{
    if (world->violation[0] == '\0') {
        snprintf(world->violation, sizeof world->violation, "%s: %s at %llu us", what, node->name,
                 (unsigned long long)world->now);
    }
}

/* The seat of the group that a message or a notice names. */
static gp_seat_t seat_of(const gp_msg_t *msg)
{
    uint8_t tier = gp_group_tier(gp_msg_group(msg));
    return tier < GP_SEAT_COUNT ? (gp_seat_t)tier : GP_SEAT_SUBGRID;
}

/* The trace is every notice of every node, in order: one number stands for all of it. */
static void trace(gp_sim_node_t *node, uint64_t token, const gp_msg_t *msg)
{
    gp_world_t *world = node->world;
    world->hash = gp_hash_word(world->hash, world->now);
    world->hash = gp_msg_hash(msg, gp_hash_word(world->hash, node->index));
    if (world->watch != NULL) {
        world->watch(world->watch_context, node->index, world->now, token, msg);
    }
}

/* At most one machine has a mandate in a term, whoever says so. */
static void check_mandate(gp_sim_node_t *node, const gp_msg_leader_t *leader)
{
    gp_sim_group_t *group = gp_sim_group(node, leader->group);
    if (leader->right != GP_RIGHT_QUORUM) {
        return;
    }
    uint64_t place = leader->term % GP_SIM_TERMS;
    if (leader->term > group->terms[place]) {
        group->terms[place] = leader->term;
        group->leaders[place] = leader->leader;
    } else if (leader->term == group->terms[place] &&
               !gp_id_equal(&group->leaders[place], &leader->leader)) {
        gp_oracle_violation(node->world, "two mandates in one term", node);
    }
}

/* At most one living process holds a lease, in true time, whatever the clocks say. */
static void check_lease(gp_sim_node_t *node, const gp_msg_leader_t *leader)
{
    gp_world_t *world = node->world;
    gp_sim_group_t *group = gp_sim_group(node, leader->group);
    gp_usec_t behind =
        gp_peer_behind(gp_runner_core(node->runner), (gp_seat_t)gp_group_tier(leader->group));
    bool leads = leader->right == GP_RIGHT_QUORUM && gp_id_equal(&leader->leader, &node->id) &&
                 leader->lease_until > gp_sim_local(node, world->now) - behind;
    if (!leads) {
        if (group->holder == node->index) {
            group->holder = UINT32_MAX;
        }
        return;
    }
    if (group->holder != UINT32_MAX && group->holder != node->index) {
        const gp_sim_node_t *holder = &world->nodes[group->holder];
        if (holder->running && holder->life == group->holder_life &&
            group->lease_until > world->now) {
            gp_oracle_violation(world, "two leases at once", node);
        }
    }
    group->holder = node->index;
    group->holder_life = node->life;
    group->lease_until = gp_sim_true(node, leader->lease_until + behind);
}

/*
 * The word "silent" is not for a machine of which a message was just taken. What waited for a slow
 * disk is told late, and may have been taken back.
 */
static void check_verdict(gp_sim_node_t *node, gp_seat_t seat, const gp_msg_member_t *notice)
{
    gp_world_t *world = node->world;
    const gp_record_member_t *entry = &notice->entries[0];
    const void *peer = gp_runner_core(node->runner);
    const void *election = gp_peer_seat_election(peer, seat);
    if (election == NULL) {
        return; /* it has just given that seat up */
    }
    const gp_group_member_t *member = gp_group_member(gp_peer_seat_group(peer, seat), &entry->id);
    uint32_t other = gp_world_node(world, &entry->id);
    bool stands = member != NULL && member->state == GP_MEMBER_UNAVAILABLE;
    bool verdict = stands && entry->state == GP_MEMBER_UNAVAILABLE &&
                   entry->cause == GP_CAUSE_SILENT && notice->before != GP_MEMBER_UNAVAILABLE &&
                   !notice->forgotten &&
                   gp_election_lease_until(election) >
                       gp_sim_local(node, world->now) - gp_peer_behind(peer, seat);
    if (!verdict || other == UINT32_MAX || !gp_id_equal(&world->nodes[other].id, &entry->id)) {
        return;
    }
    const gp_sim_tie_t *tie = gp_sim_tie_known(node, other);
    gp_usec_t heard = tie != NULL ? tie->heard : 0;
    if (heard != 0 && world->now - heard < JUST_HEARD) {
        gp_oracle_violation(world, "a machine was called silent that was just heard", node);
    }
}

/* An attempt starts once in the whole world, a job never twice, and only where it may. */
static void check_start(gp_sim_node_t *node, const gp_msg_job_start_t *start)
{
    gp_world_t *world = node->world;
    if (!gp_sim_lends(node)) {
        gp_oracle_violation(world, "a job was started against its owner's policy", node);
    }
    uint64_t name =
        gp_hash(&start->job, sizeof start->job, gp_hash(start->home.b, sizeof start->home.b, 0));
    for (uint32_t i = 0; i < world->started_count; i++) {
        if (world->started_jobs[i] == name) {
            gp_oracle_violation(world, "a job was started twice", node);
            return;
        }
    }
    if (world->started_count == world->started_capacity) {
        world->started_capacity = world->started_capacity == 0 ? 64 : 2 * world->started_capacity;
        world->started_jobs =
            realloc(world->started_jobs, world->started_capacity * sizeof(uint64_t));
        assert(world->started_jobs != NULL && "out of memory");
    }
    world->started_jobs[world->started_count++] = name;
}

static void count(gp_sim_node_t *node, gp_census_kind_t kind, uint32_t a, uint32_t b)
{
    if (!gp_census_count(&node->world->stats.census, kind, a, b)) {
        char what[GP_CENSUS_NAME_MAX + 32] = "the census knows no ";
        gp_census_name(kind, a, b, what + strlen(what));
        gp_oracle_violation(node->world, what, node);
    }
}

/* An end that could not be recorded is one row, whatever state the job was in. */
static void count_job(gp_sim_node_t *node, const gp_msg_job_t *job)
{
    bool unrecorded = job->state < GP_JOB_DONE && job->reason == GP_REASON_STORAGE;
    count(node, GP_CENSUS_JOB, unrecorded ? GP_JOB_RUNNING : job->state, job->reason);
}

static void count_error(gp_sim_node_t *node, uint32_t code)
{
    if (code != GP_OK) {
        count(node, GP_CENSUS_ERROR, code / GP_CENSUS_WIDTH, code % GP_CENSUS_WIDTH);
    }
}

static gp_census_place_t place_of(const gp_sim_node_t *node, const gp_msg_leader_t *leader)
{
    bool self = gp_id_equal(&leader->leader, &node->id);
    switch ((gp_right_t)leader->right) {
    case GP_RIGHT_QUORUM:
        return self ? GP_CENSUS_LEADS : GP_CENSUS_FOLLOWS;
    case GP_RIGHT_CARETAKER:
        return self ? GP_CENSUS_CARES : GP_CENSUS_FOLLOWS_CARETAKER;
    default:
        return GP_CENSUS_ALONE;
    }
}

/* A suspect that is forgotten: what became of it is not known here, the word on it was missed. */
static void count_member(gp_sim_node_t *node, const gp_msg_member_t *member)
{
    uint32_t before = member->before;
    if (!member->forgotten) {
        count(node, GP_CENSUS_MEMBER, before, member->entries[0].state);
        if (member->entries[0].cause != GP_CAUSE_MOVED) { /* no campaign has that yet: README.md */
            count(node, GP_CENSUS_VERDICT, member->entries[0].state, member->entries[0].cause);
        }
        return;
    }
    if (before == GP_MEMBER_SUSPECT) {
        count(node, GP_CENSUS_MEMBER, before, GP_MEMBER_UNKNOWN);
        before = GP_MEMBER_UNKNOWN;
    }
    count(node, GP_CENSUS_MEMBER, before, GP_MEMBER_NONE);
}

/*
 * Who gives the lead up is alone before it follows or cares, and so is who loses its leader before
 * it leads. A step in which it does both tells of the last only.
 */
static void count_place(gp_sim_node_t *node, gp_seat_t seat, gp_census_place_t place)
{
    gp_census_place_t before = node->places[seat];
    bool cares = place == GP_CENSUS_CARES || place == GP_CENSUS_FOLLOWS_CARETAKER;
    bool two =
        before == GP_CENSUS_LEADS ? cares : before == GP_CENSUS_FOLLOWS && place == GP_CENSUS_LEADS;
    if (two) {
        count(node, GP_CENSUS_PLACE, before, GP_CENSUS_ALONE);
        before = GP_CENSUS_ALONE;
    }
    count(node, GP_CENSUS_PLACE, before, place);
    node->places[seat] = place;
}

static void take_census(gp_sim_node_t *node, const gp_msg_t *msg)
{
    switch (msg->kind) {
    case GP_MSG_MEMBER:
        count_member(node, &msg->u.member);
        break;
    case GP_MSG_LEADER:
        count_place(node, seat_of(msg), place_of(node, &msg->u.leader));
        break;
    case GP_MSG_CAMPAIGN:
        count(node, msg->u.campaign.pre ? GP_CENSUS_PREVOTE : GP_CENSUS_CAMPAIGN,
              msg->u.campaign.why, 0);
        break;
    case GP_MSG_STEP_DOWN:
        count(node, GP_CENSUS_STEP_DOWN, msg->u.step_down.why, 0);
        break;
    case GP_MSG_SUSPICION:
        count(node, GP_CENSUS_SUSPICION, msg->u.suspicion.phase, 0);
        break;
    case GP_MSG_ROSTER:
        count(node, GP_CENSUS_ROSTER, msg->u.roster.committed ? 1 : 0, 0);
        break;
    case GP_MSG_JOB:
        count_job(node, &msg->u.job);
        break;
    case GP_MSG_ANSWER:
        count_error(node, msg->u.answer.error);
        break;
    case GP_MSG_REFUSED:
        count_error(node, msg->u.refused.error);
        break;
    default:
        break;
    }
}

void gp_oracle_notice(gp_sim_node_t *node, uint64_t token, const gp_msg_t *msg)
{
    gp_world_stats_t *stats = &node->world->stats;
    trace(node, token, msg);
    gp_sim_noticed(node, msg);
    take_census(node, msg);
    switch (msg->kind) {
    case GP_MSG_LEADER:
        check_mandate(node, &msg->u.leader);
        check_lease(node, &msg->u.leader);
        break;
    case GP_MSG_MEMBER:
        check_verdict(node, seat_of(msg), &msg->u.member);
        break;
    case GP_MSG_JOB_START:
        check_start(node, &msg->u.job_start);
        break;
    case GP_MSG_ANSWER:
        stats->found += msg->u.answer.error == GP_OK ? 1 : 0;
        break;
    case GP_MSG_JOB:
        stats->jobs_ended += msg->u.job.state >= GP_JOB_DONE ? 1 : 0;
        break;
    case GP_MSG_LEFT:
        node->left = node->left || (node->leaving && seat_of(msg) == GP_SEAT_SUBGRID);
        break;
    default:
        break;
    }
}

/* A word of the sender's next life, said again by a fault, may have come before this one. */
static bool is_of_this_life(const gp_world_t *world, const gp_happening_t *h)
{
    gp_envelope_t envelope;
    uint32_t peer = gp_world_node(world, &h->peer);
    return peer != UINT32_MAX && gp_envelope_open(gp_slice(h->bytes, h->n), &envelope) == GP_OK &&
           envelope.boot == world->nodes[peer].disk.boot;
}

/* What is signed is taken as it was said, once, and not refused because of what others said. */
void gp_oracle_frame(gp_sim_node_t *node, const gp_happening_t *h, gp_error_t error)
{
    gp_world_t *world = node->world;
    count_error(node, error);
    bool again = h->twin != 0 && world->twins.taken[h->twin - 1] == node->life;
    if (error == GP_OK && h->manner == GP_MANNER_FORGED) {
        gp_oracle_violation(world, "a forged message was taken", node);
    }
    if (error == GP_OK && h->manner == GP_MANNER_NEWER) {
        gp_oracle_violation(world, "a message of an unknown version was taken", node);
    }
    if (error == GP_OK && again) {
        gp_oracle_violation(world, "a signed message was taken twice", node);
    }
    if (error == GP_OK && h->twin != 0) {
        world->twins.taken[h->twin - 1] = node->life;
    }
    uint32_t peer = error == GP_OK ? gp_world_node(world, &h->peer) : UINT32_MAX;
    if (peer != UINT32_MAX && gp_id_equal(&world->nodes[peer].id, &h->peer)) {
        gp_sim_tie(node, peer)->heard = world->now;
    }
    bool in_order =
        h->manner == GP_MANNER_IN_ORDER && world->config.message_permyriad[GP_FAULT_REORDER] == 0;
    if (error == GP_E_MESSAGE_REPLAY && in_order && !again && is_of_this_life(world, h)) {
        gp_oracle_violation(world, "a new message was refused as a replay", node);
    }
}

/* A machine votes for one candidate in a term, whatever befalls it. */
static void check_voted(gp_sim_node_t *node, const gp_msg_vote_t *vote)
{
    uint64_t place = vote->term % GP_SIM_TERMS;
    gp_sim_votes_t **kept = &node->votes[gp_group_tier(vote->group)];
    if (*kept == NULL) {
        *kept = calloc(1, sizeof **kept);
        assert(*kept != NULL && "out of memory");
    }
    gp_sim_votes_t *votes = *kept;
    if (vote->term > votes->terms[place] || votes->groups[place] != vote->group) {
        votes->terms[place] = vote->term;
        votes->whom[place] = vote->candidate;
        votes->groups[place] = vote->group;
    } else if (vote->term == votes->terms[place] &&
               !gp_id_equal(&votes->whom[place], &vote->candidate)) {
        gp_oracle_violation(node->world, "two votes in one term", node);
    }
}

/* A vote that leaves the machine is on its disk. */
static void check_vote(gp_sim_node_t *node, const gp_msg_vote_t *vote)
{
    gp_world_t *world = node->world;
    const gp_sim_record_t *record = NULL;
    for (uint32_t i = 0; i < node->disk.count; i++) {
        if (node->disk.v[i].kind == GP_MSG_ELECTION_STATE && node->disk.v[i].key == vote->group) {
            record = &node->disk.v[i];
        }
    }
    uint64_t term = vote->term;
    gp_id_t candidate = vote->candidate;
    if (record != NULL) {
        gp_error_t error = gp_msg_read(GP_MSG_ELECTION_STATE, gp_slice(record->bytes, record->n),
                                       false, &world->msg);
        assert(error == GP_OK);
        const gp_msg_election_state_t *state = &world->msg.u.election_state;
        if (state->term > term ||
            (state->term == term && gp_id_equal(&state->voted_for, &candidate))) {
            return;
        }
    }
    gp_oracle_violation(world, "a vote was sent before it was durable", node);
}

static void check_shown(gp_sim_node_t *node, const gp_envelope_t *envelope)
{
    gp_world_t *world = node->world;
    const gp_signer_t *signer = world->config.ed25519 ? &gp_signer_ed25519 : &gp_signer_standin;
    if (world->config.check_every <= 16 &&
        gp_mandate_check(&world->msg, &envelope->grid, signer) != GP_OK) {
        gp_oracle_violation(world, "a mandate was shown that its votes do not prove", node);
    }
}

void gp_oracle_sent(gp_sim_node_t *node, gp_msg_kind_t kind, gp_slice_t frame)
{
    gp_world_t *world = node->world;
    gp_envelope_t envelope;
    if (kind != GP_MSG_VOTE && kind != GP_MSG_PREVOTE && kind != GP_MSG_MANDATE &&
        kind != GP_MSG_CLAIMED) {
        return;
    }
    gp_error_t error = gp_envelope_open(frame, &envelope);
    assert(error == GP_OK);
    error = gp_msg_read(kind, envelope.body, true, &world->msg);
    assert(error == GP_OK);
    if (kind == GP_MSG_MANDATE) {
        check_shown(node, &envelope);
    } else if (kind == GP_MSG_PREVOTE) {
        count(node, GP_CENSUS_WOULD_VOTE, world->msg.u.prevote.reason, 0);
    } else if (kind == GP_MSG_CLAIMED) {
        count_error(node, world->msg.u.claimed.error);
    } else {
        gp_msg_vote_t vote = world->msg.u.vote;
        /* Who is no voter hears that before it asks for votes; both are judged by the same code. */
        bool early = vote.reason == GP_VOTE_NOT_VOTER;
        count(node, early ? GP_CENSUS_WOULD_VOTE : GP_CENSUS_VOTE, vote.reason, 0);
        if (vote.granted) {
            check_voted(node, &vote);
            check_vote(node, &vote);
        }
    }
}

/* Only a side with a majority may call anybody unavailable. */
static void check_side(gp_sim_node_t *node, gp_seat_t seat)
{
    const void *peer = gp_runner_core(node->runner);
    const void *election = gp_peer_seat_election(peer, seat);
    if (election == NULL || gp_election_right(election) != GP_RIGHT_CARETAKER) {
        return;
    }
    const gp_group_t *group = gp_peer_seat_group(peer, seat);
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        if (gp_group_member_at(group, i)->state == GP_MEMBER_UNAVAILABLE) {
            gp_oracle_violation(node->world, "a side without a majority gave a verdict", node);
        }
    }
}

void gp_oracle_stepped(gp_sim_node_t *node)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        check_side(node, (gp_seat_t)seat);
    }
}
