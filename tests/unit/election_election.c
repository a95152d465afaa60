/*
 * The whole election under a nemesis: hundreds of seeds of crashes, freezes, partitions, one-way
 * links, loss, repetition, failing disks, clocks that run fast or slow, changing scores, leaving
 * machines. The lab checks safety after every single event; at the end all heals, and within
 * seconds everybody must follow one leader with a full roster.
 */
#include "election_lab.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto_cmocka.h"
#include "proto_sample.h"

static uint32_t below(lab_t *lab, uint32_t bound)
{
    return (uint32_t)gp_random_below(&lab->random, bound);
}

static void test_grows_to_one_three_and_five_voters(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 7; n++) {
        lab_t *lab = lab_new(n, n);
        lab_grow(lab);
        assert_int_equal(lab_leader(lab), 0);
        assert_int_equal(lab_roster_count(lab), n >= 5 ? 5 : n >= 3 ? 3 : 1);
        /* The best scores vote. */
        for (uint32_t i = 0; i < lab_roster_count(lab); i++) {
            assert_true(lab_is_voter(lab, i));
        }
        lab_free(lab);
    }
}

static void test_config_is_checked(void **state)
{
    (void)state;
    gp_election_config_t config = gp_election_defaults();
    assert_true(gp_election_ops.size(&config) > 0);
    config.lease_beat_ms = config.lease_ms;
    assert_int_equal(gp_election_ops.size(&config), 0);
    config = gp_election_defaults();
    config.drift_permille = 1000;
    assert_int_equal(gp_election_ops.size(&config), 0);
    config = gp_election_defaults();
    config.vote_valid_ms = 100;
    assert_int_equal(gp_election_ops.size(&config), 0);
    static const struct {
        size_t offset;
        uint32_t value;
    } bad[] = {
        {offsetof(gp_election_config_t, lease_ms), 0},
        {offsetof(gp_election_config_t, lease_ms), 60001},
        {offsetof(gp_election_config_t, lease_beat_ms), 0},
        {offsetof(gp_election_config_t, vote_wait_ms), 0},
        {offsetof(gp_election_config_t, vote_wait_ms), 60001},
        {offsetof(gp_election_config_t, rank_wait_ms), 0},
        {offsetof(gp_election_config_t, rank_wait_ms), 10001},
        {offsetof(gp_election_config_t, jitter_ms), 60001},
        {offsetof(gp_election_config_t, caretaker_after_ms), 0},
        {offsetof(gp_election_config_t, store_retry_ms), 0},
        {offsetof(gp_election_config_t, vote_valid_ms), 3600001},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config = gp_election_defaults();
        memcpy((uint8_t *)&config + bad[i].offset, &bad[i].value, sizeof bad[i].value);
        assert_int_equal(gp_election_ops.size(&config), 0);
    }
}

/* Before its start it does nothing, and of the disk it takes only its own record. */
static void test_nothing_happens_before_the_start(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_election_t *core = test_calloc(1, gp_election_ops.size(&config));
    gp_election_ops.init(core, &config, lab_id(2), 1);
    static gp_action_t actions[4];
    static _Alignas(16) uint8_t arena[4096];
    gp_out_t out = {.actions = actions,
                    .capacity = 4,
                    .arena = arena,
                    .size = sizeof arena,
                    .room = GP_ROOM_ELECTION};
    gp_msg_t *msg = solo_new_msg(GP_MSG_LEASE);
    msg->u.lease.term = 3;
    gp_event_t event = {.type = GP_EVENT_MSG, .peer = lab_id(1), .msg = msg, .now = GP_SECOND};
    gp_election_ops.step(core, &event, &out);
    assert_int_equal(out.count, 0);
    gp_msg_t other = {.kind = GP_MSG_GROUP_STATE};
    event = (gp_event_t){.type = GP_EVENT_LOAD, .msg = &other, .now = GP_SECOND};
    gp_election_ops.step(core, &event, &out);
    gp_election_ops.check(core);
    assert_int_equal(out.count, 0);
    assert_int_equal(gp_election_own_term(core), 0);
    assert_true(gp_election_ops.wake(core) == GP_NEVER);
    test_free(core);
}

static void test_other_rooms_commands_change_nothing(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    assert_true(gp_election_committed(solo->core));
    solo_command(solo, solo_new_msg(GP_MSG_GROUP_LEAVE));
    assert_int_equal(solo->out.count, 0);
    assert_true(gp_election_leads(solo->core));
    solo_wake(solo, 2 * GP_SECOND); /* without an answer it steps down */
    assert_false(gp_election_leads(solo->core));
    assert_false(gp_election_committed(solo->core));
    solo_free(solo);
}

/* ---- other groups ------------------------------------------------------------------------------
 */

/* Core 2 of voters 1..3 in term 2, follows leader 1. */
static solo_t *new_follower(void)
{
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_wake(solo, 1531 * GP_MSEC);
    solo_standings(solo, 3, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    return solo;
}

/* A message of voter 1, leader of term 2, or for LEASE_ACK and REGISTER_ACK of a voter to it. */
static gp_msg_t *new_message(gp_msg_kind_t kind)
{
    static const uint8_t frame[200] = "signed bytes";
    gp_msg_t *msg = solo_new_msg(kind);
    msg->signed_bytes = gp_slice(frame, sizeof frame);
    switch (kind) {
    case GP_MSG_LEASE:
        msg->u.lease.term = 2;
        break;
    case GP_MSG_LEASE_ACK:
        msg->u.lease_ack.term = 2;
        msg->u.lease_ack.sequence = 2;
        break;
    case GP_MSG_PREVOTE:
        msg->u.prevote.own_term = 5;
        break;
    case GP_MSG_VOTE:
        msg->u.vote.candidate = lab_id(2);
        msg->u.vote.own_term = 5;
        break;
    case GP_MSG_MANDATE:
        *msg = *solo_mandate(1, 3, 3);
        break;
    case GP_MSG_REGISTER:
        msg->u.register_.term = 2;
        msg->u.register_.version = 9;
        msg->u.register_.voters_count = 1;
        msg->u.register_.voters[0].id = lab_id(1);
        break;
    case GP_MSG_REGISTER_ACK:
        msg->u.register_ack.term = 2;
        msg->u.register_ack.version = 5;
        msg->u.register_ack.stored = true;
        break;
    case GP_MSG_HANDOVER:
        msg->u.handover.term = 2;
        break;
    case GP_MSG_RENEW_ASK:
        msg->u.renew_ask.term = 2;
        break;
    default: /* any will be answered */
        break;
    }
    return msg;
}

static void test_other_groups_are_not_listened_to(void **state)
{
    (void)state;
    static const gp_msg_kind_t kinds[] = {
        GP_MSG_LEASE,     GP_MSG_LEASE_ACK, GP_MSG_PREVOTE_ASK, GP_MSG_PREVOTE,  GP_MSG_VOTE_ASK,
        GP_MSG_VOTE,      GP_MSG_MANDATE,   GP_MSG_MANDATE_ASK, GP_MSG_REGISTER, GP_MSG_HANDOVER,
        GP_MSG_RENEW_ASK, GP_MSG_CARETAKER, GP_MSG_REGISTER_ACK};
    static gp_election_t before;
    gp_election_config_t config = lab_config();
    assert_int_equal(gp_election_ops.size(&config), sizeof before);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        bool to_leader = kinds[i] == GP_MSG_LEASE_ACK || kinds[i] == GP_MSG_REGISTER_ACK;
        solo_t *solo = to_leader ? solo_leader(&config, 3) : new_follower();
        if (to_leader) { /* something new to acknowledge */
            gp_election_roster_t roster = solo->core->roster;
            gp_out_reset(&solo->out);
            gp_election_write(solo->core, &roster, &solo->out);
            solo_wake(solo, 400 * GP_MSEC);
        }
        uint32_t from = to_leader ? 3 : 1;
        gp_msg_t *msg = new_message(kinds[i]);
        msg->u.lease.group = LAB_GROUP + 1; /* the first field of every kind of this room */
        before = *solo->core;
        solo_msg(solo, from, msg);
        assert_int_equal(solo->out.count, 0);
        assert_memory_equal(solo->core, &before, sizeof before);
        msg->u.lease.group = LAB_GROUP; /* of its own group it means something */
        solo_msg(solo, from, msg);
        assert_true(solo->out.count > 0 || memcmp(solo->core, &before, sizeof before) != 0);
        solo_free(solo);
    }
}

static void test_a_new_score_of_a_voter_is_told(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    gp_msg_t *msg = solo_new_msg(GP_MSG_REGISTER);
    gp_msg_election_state_t disk = solo_state(3, 2);
    msg->u.register_.term = 2;
    msg->u.register_.version = 4;
    msg->u.register_.voters_count = 3;
    memcpy(msg->u.register_.voters, disk.voters, sizeof disk.voters);
    solo_msg(solo, 1, msg);
    assert_null(solo_find(solo, GP_MSG_LEADER)); /* nothing but the version is new */
    msg->u.register_.version = 5;
    msg->u.register_.voters[2].score = 700;
    solo_msg(solo, 1, msg);
    const gp_action_t *told = solo_find(solo, GP_MSG_LEADER);
    assert_non_null(told);
    assert_int_equal(told->msg->u.leader.voters[2].score, 700);
    solo_free(solo);
}

/* ---- the nemesis ----------------------------------------------------------------------------- */

static void hurt_process(lab_t *lab)
{
    uint32_t index = below(lab, lab->count);
    lab_node_t *node = &lab->nodes[index];
    if (node->core == NULL) {
        lab_start(lab, index);
        return;
    }
    switch (below(lab, 7)) {
    case 5:
        node->flags = (uint8_t)below(lab, 4); /* relayed, leaving */
        break;
    case 0:
        node->silent_crash = below(lab, 2) == 0;
        lab_crash(lab, index);
        break;
    case 1:
        lab_freeze(lab, index);
        break;
    case 2:
        lab_command(lab, index, GP_MSG_ELECTION_RELINQUISH);
        lab_run(lab, below(lab, 3000) * GP_MSEC);
        lab_crash(lab, index);
        break;
    case 3:
        node->disk_fails = !node->disk_fails;
        break;
    case 4:
        node->score = (uint16_t)below(lab, 1001);
        break;
    default:
        lab_thaw(lab, index);
        break;
    }
}

static void hurt_leader(lab_t *lab)
{
    int leader = lab_leader(lab);
    if (leader < 0) {
        return;
    }
    uint32_t index = (uint32_t)leader;
    switch (below(lab, 6)) {
    case 0:
        lab_crash(lab, index);
        break;
    case 1:
        lab_freeze(lab, index);
        break;
    case 2:
        lab_split(lab, UINT32_C(1) << index, true);
        break;
    case 3: /* with some of the others, perhaps one way */
        for (uint32_t i = 0; i < lab->count; i++) {
            lab->cut[index][i] = lab->cut[index][i] || below(lab, 2) == 0;
            lab->cut[i][index] = lab->cut[i][index] || below(lab, 3) == 0;
        }
        break;
    case 4: { /* a voter forgets what it granted */
        uint32_t other = below(lab, lab->count);
        if (lab->nodes[other].core != NULL && other != index) {
            lab->nodes[other].silent_crash = true;
            lab_crash(lab, other);
            lab_run(lab, below(lab, 100) * GP_MSEC);
            lab_start(lab, other);
        }
        break;
    }
    default:
        lab_command(lab, index, GP_MSG_ELECTION_RELINQUISH);
        break;
    }
}

static void hurt_network(lab_t *lab)
{
    switch (below(lab, 5)) {
    case 0:
        lab_split(lab, below(lab, UINT32_C(1) << lab->count), true);
        break;
    case 1:
        lab->cut[below(lab, lab->count)][below(lab, lab->count)] = true;
        break;
    case 2:
        lab->loss_permille = below(lab, 300);
        lab->repeat_permille = below(lab, 300);
        break;
    case 3:
        lab->delay_max = lab->delay_min + below(lab, 200000);
        break;
    default:
        memset(lab->cut, 0, sizeof lab->cut);
        break;
    }
}

/* A machine that only went away (not left) comes back; roles that were given up may return. */
static void restart_all(lab_t *lab)
{
    for (uint32_t i = 0; i < lab->count; i++) {
        lab_node_t *node = &lab->nodes[i];
        if (node->core != NULL && node->core->going) {
            lab_crash(lab, i);
        }
        if (node->core == NULL) {
            lab_start(lab, i);
        }
    }
}

static bool is_whole(const lab_t *lab)
{
    uint32_t target = lab->count >= 5 ? 5 : lab->count >= 3 ? 3 : 1;
    return lab_agreed(lab) && lab_roster_count(lab) == target;
}

static void run_chaos(uint64_t seed, uint32_t hurts)
{
    gp_random_t pick;
    gp_random_init(&pick, seed * 7919 + 1);
    uint32_t n = 1 + (uint32_t)gp_random_below(&pick, 7);
    lab_t *lab = lab_new(n, seed);
    lab->evidence_permille = below(lab, 1001);
    if (seed % 2 == 0) { /* rosters and leaders that change often */
        lab->config.dead_voter_after_ms = 200 + below(lab, 3000);
        lab->config.promote_after_ms = 500 + below(lab, 3000);
        lab->config.promote_every_ms = 2000;
    }
    lab->disk_max = lab->disk_min + below(lab, 30000);
    for (uint32_t i = 0; i < n; i++) {
        lab->nodes[i].rate_ppm = (int64_t)below(lab, 20001) - 10000;
        lab->nodes[i].offset = below(lab, 1000000000);
        lab->nodes[i].score = (uint16_t)below(lab, 1001);
    }
    lab_grow(lab);
    for (uint32_t i = 0; i < hurts; i++) {
        switch (below(lab, 4)) {
        case 0:
            hurt_leader(lab);
            break;
        case 1:
            hurt_network(lab);
            break;
        default:
            hurt_process(lab);
            break;
        }
        lab_run(lab, below(lab, below(lab, 2) == 0 ? 300 : 3000) * GP_MSEC);
    }
    lab_heal(lab);
    lab->delay_max = 2000;
    restart_all(lab);
    (void)lab_wait(lab, lab_agreed, 12 * GP_SECOND);
    (void)lab_wait(lab, is_whole, 40 * GP_SECOND);
    lab_run(lab, 12 * GP_SECOND); /* who drained a moment ago votes again after ten */
    (void)lab_wait(lab, is_whole,
                   2 * GP_SECOND); /* and it stays: at most a handover is under way */
    lab_free(lab);
}

static void test_nemesis(void **state)
{
    (void)state;
    const char *from = getenv("LAB_SEED");
    const char *count = getenv("LAB_SEEDS");
    uint64_t first = from != NULL ? strtoull(from, NULL, 10) : 1;
    uint64_t seeds = count != NULL ? strtoull(count, NULL, 10) : from != NULL ? 1 : 300;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        if (from != NULL || count != NULL) {
            (void)fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        }
        run_chaos(seed, 40);
    }
}

/* ---- anything at all ---------------------------------------------------------------------------
 */

/* Brings the fields of a random message near to what the core knows, so that it gets far. */
static void tame(gp_random_t *random, const gp_field_t *fields, uint32_t count, uint8_t *base)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *at = base + fields[i].offset;
        bool wild = gp_random_below(random, 40) == 0;
        bool peer = fields[i].type == GP_FIELD_PEER;
        if (fields[i].type == GP_FIELD_ID || peer) {
            gp_id_t id = lab_id(1 + (uint32_t)gp_random_below(random, 5));
            memcpy(at, wild && !peer ? &(gp_id_t){0} : &id, sizeof id);
        } else if (fields[i].type == GP_FIELD_U64 && !wild) {
            uint64_t value = gp_random_below(random, 9);
            memcpy(at, &value, sizeof value);
        } else if (fields[i].type == GP_FIELD_LIST) {
            const gp_record_table_t *record = gp_record_table(fields[i].record);
            uint32_t records = gp_field_count(&fields[i], base);
            for (uint32_t j = 0; j < records; j++) {
                tame(random, record->fields, record->field_count, at + j * record->size);
            }
        }
    }
}

static gp_msg_t *random_message(gp_random_t *random, const solo_t *solo)
{
    static gp_msg_t msg;
    static const uint8_t frame[GP_VOTE_MAX + 1];
    gp_msg_kind_t kind = 0;
    do {
        kind = sample_kinds[gp_random_below(random, sample_kind_count)];
    } while (gp_msg_room(kind) != GP_ROOM_ELECTION || gp_msg_scope(kind) == GP_SCOPE_NOTICE);
    static const gp_msg_kind_t wanted[] = {[GP_ELECTION_FOLLOWER] = GP_MSG_LEASE,
                                           [GP_ELECTION_ASKING] = GP_MSG_PREVOTE,
                                           [GP_ELECTION_CANDIDATE] = GP_MSG_VOTE,
                                           [GP_ELECTION_LEADER] = GP_MSG_LEASE_ACK};
    bool helps = gp_random_below(random, 2) == 0;
    kind = helps ? wanted[solo->core->role] : kind;
    memset(&msg, 0, sizeof msg);
    sample_message(random, kind, &msg);
    msg.kind = kind;
    const gp_msg_table_t *table = gp_msg_table(kind);
    tame(random, table->fields, table->field_count, (uint8_t *)&msg.u);
    if (gp_msg_scope(kind) == GP_SCOPE_SIGNED || gp_msg_scope(kind) == GP_SCOPE_LINK) {
        msg.u.lease.group = LAB_GROUP;
    }
    /* What the gate guarantees: a HANDOVER and a release have bytes, and not too many. */
    bool handover = kind == GP_MSG_HANDOVER;
    uint64_t most = handover ? GP_RELEASE_MAX : sizeof frame;
    msg.signed_bytes = gp_slice(frame, (handover ? 1 : 0) + gp_random_below(random, most));
    if (kind == GP_MSG_MANDATE && msg.u.mandate.releases_count > 0) {
        msg.u.mandate.releases[0].bytes =
            gp_slice(frame, 1 + gp_random_below(random, GP_RELEASE_MAX));
    }
    if (kind == GP_MSG_VOTE_ASK && msg.u.vote_ask.releases_count > 0) {
        msg.u.vote_ask.releases[0].bytes =
            gp_slice(frame, 1 + gp_random_below(random, GP_RELEASE_MAX));
    }
    const gp_election_ballot_t *ballot = &solo->core->ballot;
    if (helps && kind == GP_MSG_VOTE) {
        msg.u.vote.term = ballot->term;
        msg.u.vote.candidate = solo->self;
        msg.u.vote.granted = true;
        msg.u.vote.valid_ms = 120000;
        msg.u.vote.roster = gp_election_roster_digest(ballot->roster.voters, ballot->roster.count);
    } else if (helps && kind == GP_MSG_PREVOTE) {
        msg.u.prevote.term = solo->core->term + 1;
        msg.u.prevote.granted = true;
    } else if (helps && kind == GP_MSG_LEASE_ACK) {
        msg.u.lease_ack.term = solo->core->term;
        msg.u.lease_ack.sequence = solo->core->sequence;
    }
    return &msg;
}

static void test_no_input_reaches_an_assert(void **state)
{
    (void)state;
    uint32_t led = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        gp_random_t random;
        gp_random_init(&random, seed);
        gp_election_config_t config = lab_config();
        config.can_lead = seed % 10 != 0;
        gp_msg_election_state_t disk = solo_state(1 + (uint32_t)(seed % 5), 1);
        solo_t *solo = solo_new(&config, 1 + (uint32_t)(seed % 3), seed % 7 == 0 ? NULL : &disk);
        for (uint32_t i = 0; i < 1500; i++) {
            solo->now += gp_random_below(&random, 4) == 0 ? gp_random_below(&random, 300 * GP_MSEC)
                                                          : gp_random_below(&random, 100);
            bool stores = solo->core->storing_serial != 0 && gp_random_below(&random, 2) == 0;
            gp_msg_t *msg = random_message(&random, solo);
            bool local = gp_msg_scope(msg->kind) == GP_SCOPE_LOCAL;
            if (stores) {
                solo_stored(solo, gp_random_below(&random, 20) != 0);
            } else if (local && msg->kind == GP_MSG_ELECTION_RELINQUISH && i < 1000) {
                solo_wake(solo, 0);
            } else if (local) {
                solo_command(solo, msg);
            } else {
                solo_msg(solo, 1 + (uint32_t)gp_random_below(&random, 5), msg);
            }
            led += gp_election_leads(solo->core) ? 1 : 0;
        }
        solo_free(solo);
    }
    print_message("led in %u steps\n", led);
    assert_true(led > 1000); /* it does get far */
}

/* Each time of the config, also one that is added later and forgotten there. */
static void test_all_times_are_slowed_down(void **state)
{
    (void)state;
    const gp_election_config_t plain = gp_election_defaults();
    gp_election_config_t slow = plain;
    gp_election_slow_down(&slow, GP_SLOW_MAX);
    assert_true(gp_election_ops.size(&slow) > 0);
    const uint32_t *to = &slow.lease_ms;
    for (const uint32_t *from = &plain.lease_ms; from <= &plain.store_retry_ms; from++, to++) {
        bool time = from != &plain.drift_permille && from != &plain.promote_gap;
        assert_true(*to == (time ? GP_SLOW_MAX * *from : *from));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_is_checked),
        cmocka_unit_test(test_all_times_are_slowed_down),
        cmocka_unit_test(test_nothing_happens_before_the_start),
        cmocka_unit_test(test_other_rooms_commands_change_nothing),
        cmocka_unit_test(test_other_groups_are_not_listened_to),
        cmocka_unit_test(test_a_new_score_of_a_voter_is_told),
        cmocka_unit_test(test_grows_to_one_three_and_five_voters),
        cmocka_unit_test(test_no_input_reaches_an_assert),
        cmocka_unit_test(test_nemesis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
