/* One core by itself: every event by hand, every action to be looked at. */
#include <stdlib.h>

#include "election_lab.h"

#include "proto_cmocka.h"

#define ARENA   262144U
#define ACTIONS 512U

gp_id_t lab_id(uint32_t number)
{
    gp_id_t id = {.b = {(uint8_t)(8 * number), (uint8_t)number}};
    return id;
}

gp_election_config_t lab_config(void)
{
    gp_election_config_t config = gp_election_defaults();
    config.group = LAB_GROUP;
    config.jitter_ms = 0;
    return config;
}

solo_t *solo_new(const gp_election_config_t *config, uint32_t number,
                 const gp_msg_election_state_t *state)
{
    solo_t *solo = calloc(1, sizeof *solo);
    assert_non_null(solo);
    assert_true(gp_election_ops.size(config) > 0);
    solo->core = calloc(1, gp_election_ops.size(config));
    assert_non_null(solo->core);
    solo->self = lab_id(number);
    solo->now = GP_SECOND;
    solo->out = (gp_out_t){.actions = calloc(ACTIONS, sizeof(gp_action_t)),
                           .capacity = ACTIONS,
                           .arena = aligned_alloc(16, ARENA),
                           .size = ARENA,
                           .room = GP_ROOM_ELECTION};
    gp_election_ops.init(solo->core, config, solo->self, 1);
    if (state != NULL) {
        static gp_msg_t msg;
        msg.kind = GP_MSG_ELECTION_STATE;
        msg.u.election_state = *state;
        gp_event_t load = {.type = GP_EVENT_LOAD, .msg = &msg};
        solo_event(solo, &load);
    }
    gp_event_t start = {.type = GP_EVENT_START};
    solo_event(solo, &start);
    return solo;
}

void solo_free(solo_t *solo)
{
    free(solo->out.actions);
    free(solo->out.arena);
    free(solo->core);
    free(solo);
}

void solo_event(solo_t *solo, const gp_event_t *event)
{
    gp_event_t copy = *event;
    copy.now = solo->now;
    copy.room = GP_ROOM_ELECTION;
    gp_out_reset(&solo->out);
    gp_election_ops.step(solo->core, &copy, &solo->out);
    gp_election_ops.check(solo->core);
    assert_true(event->type == GP_EVENT_LOAD || gp_election_ops.wake(solo->core) > solo->now);
}

void solo_msg(solo_t *solo, uint32_t from, const gp_msg_t *msg)
{
    gp_event_t event = {.type = GP_EVENT_MSG, .peer = lab_id(from), .msg = msg};
    solo_event(solo, &event);
}

void solo_command(solo_t *solo, const gp_msg_t *msg)
{
    gp_event_t event = {.type = GP_EVENT_COMMAND, .msg = msg};
    solo_event(solo, &event);
}

void solo_wake(solo_t *solo, gp_usec_t after)
{
    solo->now += after;
    gp_event_t event = {.type = GP_EVENT_WAKE};
    solo_event(solo, &event);
}

void solo_stored(solo_t *solo, bool ok)
{
    assert_int_not_equal(solo->core->storing_serial, 0);
    gp_event_t event = {.type = GP_EVENT_STORED, .token = solo->core->storing_serial, .ok = ok};
    solo_event(solo, &event);
}

const gp_action_t *solo_find(const solo_t *solo, gp_msg_kind_t kind)
{
    for (uint32_t i = 0; i < solo->out.count; i++) {
        const gp_action_t *action = &solo->out.actions[i];
        if (action->msg != NULL && action->msg->kind == kind) {
            return action;
        }
    }
    return NULL;
}

uint32_t solo_count(const solo_t *solo, gp_msg_kind_t kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < solo->out.count; i++) {
        const gp_action_t *action = &solo->out.actions[i];
        count += action->msg != NULL && action->msg->kind == kind ? 1 : 0;
    }
    return count;
}

gp_msg_election_state_t solo_state(uint32_t count, uint64_t term)
{
    gp_msg_election_state_t state = {
        .group = LAB_GROUP, .term = term, .value_term = term, .version = 3};
    state.voters_count = count;
    for (uint32_t i = 0; i < count; i++) {
        state.voters[i].id = lab_id(i + 1);
        state.voters[i].score = (uint16_t)(900 - 10 * i);
    }
    return state;
}

const gp_msg_t *solo_mandate(uint32_t leader, uint64_t term, uint32_t count)
{
    static gp_msg_t msg;
    static const uint8_t vote[] = "a vote";
    msg.kind = GP_MSG_MANDATE;
    gp_msg_mandate_t *mandate = &msg.u.mandate;
    *mandate = (gp_msg_mandate_t){
        .group = LAB_GROUP, .term = term, .leader = lab_id(leader), .version = 3};
    gp_msg_election_state_t state = solo_state(count, term);
    mandate->voters_count = count;
    memcpy(mandate->voters, state.voters, sizeof mandate->voters);
    mandate->votes_count = count;
    for (uint32_t i = 0; i < count / 2 + 1; i++) {
        mandate->votes[i].bytes = gp_slice(vote, sizeof vote);
    }
    return &msg;
}

gp_msg_t *solo_new_msg(gp_msg_kind_t kind)
{
    static gp_msg_t msg[2];
    static uint32_t turn;
    gp_msg_t *next = &msg[turn++ % 2];
    memset(next, 0, sizeof *next);
    next->kind = kind;
    if (gp_msg_scope(kind) == GP_SCOPE_LINK || gp_msg_scope(kind) == GP_SCOPE_SIGNED) {
        next->u.lease.group = LAB_GROUP; /* the first field of every kind of this room */
    }
    return next;
}

void solo_standings(solo_t *solo, uint32_t count,
                    void (*change)(gp_msg_election_standings_t *standings))
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_ELECTION_STANDINGS);
    gp_msg_election_standings_t *standings = &msg->u.election_standings;
    standings->members_count = count;
    for (uint32_t i = 0; i < count; i++) {
        standings->members[i] = (gp_record_standing_t){.id = lab_id(i + 1),
                                                       .incarnation = 5,
                                                       .state = GP_MEMBER_ALIVE,
                                                       .score = (uint16_t)(900 - 10 * i),
                                                       .reached = true};
    }
    if (change != NULL) {
        change(standings);
    }
    solo_command(solo, msg);
}

void solo_vote_ask(solo_t *solo, uint32_t from, uint64_t term, bool evidence, uint64_t released)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE_ASK);
    msg->u.vote_ask.term = term;
    msg->u.vote_ask.value_term = solo->core->value_term;
    msg->u.vote_ask.version = solo->core->version;
    msg->u.vote_ask.roster =
        gp_election_roster_digest(solo->core->roster.voters, solo->core->roster.count);
    msg->u.vote_ask.evidence = evidence;
    if (released > 0) { /* by the leader of solo's lease, or by whom it voted for */
        const gp_election_t *core = solo->core;
        bool held = !gp_id_is_none(&core->lease_holder);
        msg->u.vote_ask.releases_count = 1;
        msg->u.vote_ask.releases[0].by = held ? core->lease_holder : core->voted_for;
        msg->u.vote_ask.releases[0].term = released;
    }
    solo_msg(solo, from, msg);
}

void solo_prevote_ask(solo_t *solo, uint32_t from, uint64_t term, bool evidence)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE_ASK);
    msg->u.prevote_ask.term = term;
    msg->u.prevote_ask.value_term = solo->core->value_term;
    msg->u.prevote_ask.version = solo->core->version;
    msg->u.prevote_ask.evidence = evidence;
    solo_msg(solo, from, msg);
}

void solo_lease(solo_t *solo, uint32_t leader, uint64_t term)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_LEASE);
    msg->u.lease.term = term;
    msg->u.lease.sequence = 1;
    solo_msg(solo, leader, msg);
}

void solo_vote(solo_t *solo, uint32_t from, uint64_t term)
{
    static const uint8_t frame[233] = {'G', 'P'};
    const gp_election_ballot_t *ballot = &solo->core->ballot;
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE);
    msg->signed_bytes = gp_slice(frame, sizeof frame);
    msg->u.vote.term = term;
    msg->u.vote.candidate = solo->self;
    msg->u.vote.granted = true;
    msg->u.vote.roster = gp_election_roster_digest(ballot->roster.voters, ballot->roster.count);
    msg->u.vote.valid_ms = solo->core->config.vote_valid_ms;
    solo_msg(solo, from, msg);
}

void solo_lease_acks(solo_t *solo, uint32_t from)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_LEASE_ACK);
    msg->u.lease_ack.term = solo->core->term;
    msg->u.lease_ack.sequence = solo->core->sequence;
    msg->u.lease_ack.version = solo->core->version;
    solo_msg(solo, from, msg);
}

solo_t *solo_leader(const gp_election_config_t *config, uint32_t count)
{
    gp_msg_election_state_t state = solo_state(count, 1);
    solo_t *solo = solo_new(config, 1, &state);
    solo_standings(solo, count, NULL);
    solo_wake(solo, 2 * GP_SECOND);
    for (uint32_t i = 2; i <= count / 2 + 1; i++) {
        gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
        msg->u.prevote.term = 2;
        msg->u.prevote.granted = true;
        solo_msg(solo, i, msg);
    }
    solo_stored(solo, true);
    for (uint32_t i = 1; i <= count / 2 + 1; i++) {
        solo_vote(solo, i, 2);
    }
    assert_true(gp_election_leads(solo->core));
    solo_stored(solo, true);
    for (uint32_t i = 2; i <= count; i++) {
        solo_lease_acks(solo, i);
    }
    assert_true(gp_election_committed(solo->core));
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_QUORUM);
    return solo;
}

int solo_answer(const solo_t *solo, uint32_t to)
{
    gp_id_t id = lab_id(to);
    for (uint32_t i = 0; i < solo->out.count; i++) {
        const gp_action_t *action = &solo->out.actions[i];
        if (action->type != GP_ACTION_SEND || !gp_id_equal(&action->peer, &id)) {
            continue;
        }
        if (action->msg->kind == GP_MSG_VOTE) {
            assert_true(action->msg->u.vote.granted == (action->msg->u.vote.reason == GP_VOTE_YES));
            return action->msg->u.vote.reason;
        }
        if (action->msg->kind == GP_MSG_PREVOTE) {
            assert_true(action->msg->u.prevote.granted ==
                        (action->msg->u.prevote.reason == GP_VOTE_YES));
            return action->msg->u.prevote.reason;
        }
    }
    return -1;
}
