/*
 * Longer stories of a virtual group: partitions, mass deaths, noise, overload, full tables, liars.
 */
#include <stdio.h>
#include <stdlib.h>

#include "overlay/group/group_state.h"
#include "tests/unit/overlay_virtual.h"
#include "tests/unit/proto_cmocka.h"

static virtual_world_t *settled(uint64_t seed, uint32_t size)
{
    virtual_world_t *w = virtual_new(seed, size);
    virtual_start_all(w);
    assert_true(virtual_run_until(w, 20 * GP_SECOND, virtual_settled, 0));
    virtual_run(w, w->now + 4 * GP_SECOND + gp_random_below(&w->random, GP_SECOND));
    assert_true(virtual_settled(w, 0));
    return w;
}

static bool dead_known(virtual_world_t *w, uint32_t unused)
{
    (void)unused;
    for (uint32_t i = 0; i < w->count; i++) {
        if (!w->nodes[i].running && !virtual_see_unavailable(w, i)) {
            return false;
        }
    }
    return true;
}

static void test_mass_kill(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {5, 20, 60};
    for (size_t s = 0; s < 3; s++) {
        gp_usec_t worst = 0;
        uint32_t runs = sizes[s] > 20 ? 10 : 40;
        for (uint32_t seed = 0; seed < runs; seed++) {
            virtual_world_t *w = settled(seed + 1, sizes[s]);
            uint32_t dead = 0;
            while (dead < sizes[s] * 2 / 5) { /* more than a third, the voters' majority lives */
                uint32_t victim = (uint32_t)gp_random_below(&w->random, sizes[s]);
                if (victim > 2 && w->nodes[victim].running) {
                    virtual_kill(w, victim);
                    dead++;
                }
            }
            gp_usec_t from = w->now;
            assert_true(virtual_run_until(w, 5 * GP_SECOND, dead_known, 0));
            worst = w->now - from > worst ? w->now - from : worst;
            assert_int_equal(w->false_verdicts, 0);
            assert_true(w->actions_max <= 256 && w->arena_max <= GP_ARENA_SOFT / 2);
            if (seed == 0) {
                printf("greatest batch of %u: %u actions, %zu bytes\n", sizes[s], w->actions_max,
                       w->arena_max);
            }
            virtual_free(w);
        }
        printf("two fifths of %u killed at once: all know after at most %.1f ms\n", sizes[s],
               (double)worst / 1e3);
        assert_true(worst < GP_SECOND);
    }
}

static bool frozen_unknown(virtual_world_t *w, uint32_t state)
{
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->nodes[i].frozen && !virtual_all_see(w, i, (gp_member_state_t)state)) {
            return false;
        }
    }
    return true;
}

static void test_mass_freeze(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 30; seed++) {
        virtual_world_t *w = settled(seed + 1, 20);
        for (uint32_t frozen = 0; frozen < 9;) {
            uint32_t victim = 3 + (uint32_t)gp_random_below(&w->random, 17);
            if (!w->nodes[victim].frozen) {
                virtual_freeze(w, victim);
                frozen++;
            }
        }
        assert_true(virtual_run_until(w, 3 * GP_SECOND, frozen_unknown, GP_MEMBER_UNKNOWN));
        for (uint32_t i = 0; i < 20; i++) {
            if (w->nodes[i].frozen) {
                assert_int_equal(w->nodes[0].cause[i], GP_CAUSE_MANY_AT_ONCE);
            }
        }
        if (seed % 2 == 0) { /* the majority still leads after ten seconds: then they are dead */
            assert_true(
                virtual_run_until(w, 14 * GP_SECOND, frozen_unknown, GP_MEMBER_UNAVAILABLE));
        }
        for (uint32_t i = 0; i < 20; i++) {
            if (w->nodes[i].frozen) {
                virtual_thaw(w, i);
            }
        }
        assert_true(virtual_run_until(w, 6 * GP_SECOND, virtual_settled, 0));
        assert_int_equal(w->false_verdicts, 0);
        virtual_free(w);
    }
}

static void leave(virtual_world_t *w, uint32_t node, bool forever)
{
    gp_msg_t msg = {.kind = GP_MSG_GROUP_LEAVE};
    msg.u.group_leave.forever = forever;
    virtual_command(w, node, &msg);
}

static bool has_left(virtual_world_t *w, uint32_t node)
{
    return w->nodes[node].left;
}

static void test_leave(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {2, 3, 20};
    for (size_t s = 0; s < 3; s++) {
        for (uint32_t seed = 0; seed < 30; seed++) {
            virtual_world_t *w = settled(seed + 1, sizes[s]);
            uint32_t node = 1 + (uint32_t)gp_random_below(&w->random, sizes[s] - 1);
            gp_usec_t from = w->now;
            leave(w, node, seed % 2 == 0);
            assert_true(virtual_run_until(w, GP_SECOND, has_left, node));
            assert_true(w->now - from < 20 * GP_MSEC);
            virtual_kill(w, node);
            assert_true(virtual_run_until(w, GP_SECOND, virtual_see_left, node));
            virtual_run(w, w->now + 5 * GP_SECOND);
            assert_true(virtual_see_left(w, node)); /* and nobody calls it unavailable */
            assert_int_equal(w->nodes[w->leader].cause[node],
                             seed % 2 == 0 ? GP_CAUSE_LEFT : GP_CAUSE_STOPPED);
            virtual_start(w, node, sizes[s]);
            assert_true(virtual_run_until(w, 3 * GP_SECOND, virtual_settled, 0));
            virtual_free(w);
        }
    }
}

static void test_leader_leaves(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 30; seed++) {
        virtual_world_t *w = settled(seed + 1, 9);
        uint32_t node = w->leader;
        leave(w, node, false);
        assert_true(w->nodes[node].left); /* told and gone in one step */
        virtual_run(w, w->now + 10 * GP_MSEC);
        virtual_kill(w, node);
        assert_true(virtual_run_until(w, GP_SECOND, virtual_see_left, node));
        virtual_run(w, w->now + 5 * GP_SECOND);
        assert_true(virtual_see_left(w, node));
        virtual_free(w);
    }
}

static void test_partition_and_heal(void **state)
{
    (void)state;
    gp_usec_t worst = 0;
    for (uint32_t seed = 0; seed < 40; seed++) {
        uint32_t size = seed % 2 == 0 ? 9 : 20;
        virtual_world_t *w = settled(seed + 1, size);
        for (uint32_t i = 0; i < size; i++) {
            bool away = i < 2 || (i > 4 && gp_random_below(&w->random, 2) == 0);
            virtual_side(w, i, away ? 1 : 0); /* the old leader and one more voter go */
        }
        gp_usec_t length = (2 + gp_random_below(&w->random, 40)) * GP_SECOND;
        virtual_run(w, w->now + length);
        if (length > 8 * GP_SECOND) {
            assert_int_equal(w->nodes[2].cause[0] == GP_CAUSE_SILENT ||
                                 w->nodes[2].cause[0] == GP_CAUSE_MANY_AT_ONCE,
                             true);
            assert_int_equal(w->nodes[0].state[2], GP_MEMBER_UNKNOWN);
            assert_int_equal(w->nodes[0].cause[2], GP_CAUSE_NO_QUORUM);
            assert_int_equal(w->nodes[1].state[2], GP_MEMBER_UNKNOWN);
        }
        for (uint32_t i = 0; i < size; i++) {
            virtual_side(w, i, 0);
        }
        gp_usec_t from = w->now;
        assert_true(virtual_run_until(w, 10 * GP_SECOND, virtual_settled, 0));
        worst = w->now - from > worst ? w->now - from : worst;
        virtual_run(w, w->now + 5 * GP_SECOND);
        assert_true(virtual_settled(w, 0));
        assert_int_equal(w->false_verdicts, 0);
        virtual_free(w);
    }
    printf("partition healed: one table again after at most %.1f ms\n", (double)worst / 1e3);
    assert_true(worst < 5 * GP_SECOND);
}

/* Nobody leads and nobody tells: the caretaker's side must find the majority by itself. */
static void test_minority_seeks(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 20; seed++) {
        virtual_world_t *w = settled(seed + 1, 7);
        virtual_side(w, 6, 1);
        virtual_run(w, w->now + 20 * GP_SECOND);
        assert_int_equal(w->nodes[0].state[6], GP_MEMBER_UNAVAILABLE);
        w->no_election = true; /* the lost one leads itself as a caretaker and hears no news */
        virtual_side(w, 6, 0);
        virtual_run(w, w->now + 6 * GP_SECOND);
        assert_int_equal(w->nodes[6].state[0], GP_MEMBER_ALIVE);
        virtual_free(w);
    }
}

static void noise(uint32_t seeds, uint32_t size, gp_usec_t length, gp_usec_t stall, gp_usec_t every,
                  gp_usec_t pause)
{
    uint64_t suspicions = 0;
    uint64_t lates = 0;
    uint32_t factor = 0;
    for (uint32_t seed = 0; seed < seeds; seed++) {
        virtual_world_t *w = virtual_new(seed + 1, size);
        w->pause_every = every;
        w->pause_max = pause;
        virtual_start_all(w);
        virtual_run(w, w->now + 8 * GP_SECOND);
        w->stall_permille = stall > 0 ? 200 : 0;
        w->stall_max = stall;
        virtual_run(w, w->now + length);
        assert_int_equal(w->false_verdicts, 0);
        for (uint32_t i = 0; i < size; i++) {
            suspicions += w->nodes[i].suspicions;
            lates += w->nodes[i].lates;
            uint32_t f = gp_group_health_factor(w->nodes[i].core);
            factor = f > factor ? f : factor;
        }
        w->stall_permille = 0;
        virtual_run(w, w->now + 5 * GP_SECOND);
        assert_true(every > 0 || virtual_settled(w, 0));
        virtual_free(w);
    }
    printf("noise (stalls %u ms, pauses %u ms): %u x %u s of %u, suspicions %u, lates %u, "
           "greatest factor %u, false verdicts 0\n",
           (unsigned)(stall / GP_MSEC), (unsigned)(pause / GP_MSEC), seeds,
           (unsigned)(length / GP_SECOND), size, (unsigned)suspicions, (unsigned)lates, factor);
}

static void test_noise(void **state)
{
    (void)state;
    noise(6, 20, 60 * GP_SECOND, 400 * GP_MSEC, 0, 0);
    noise(10, 5, 60 * GP_SECOND, 400 * GP_MSEC, 0, 0);
    noise(6, 20, 60 * GP_SECOND, 0, 500 * GP_MSEC, 150 * GP_MSEC);
    noise(6, 20, 60 * GP_SECOND, 200 * GP_MSEC, 2 * GP_SECOND, 600 * GP_MSEC);
}

static void test_idle_traffic(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {20, 60};
    for (size_t s = 0; s < 2; s++) {
        virtual_world_t *w = settled(9, sizes[s]);
        virtual_run(w, w->now + 20 * GP_SECOND);
        for (uint32_t i = 0; i < w->count; i++) {
            w->nodes[i].sent = w->nodes[i].sent_bytes = w->nodes[i].stores = 0;
            w->nodes[i].standings = 0;
        }
        virtual_run(w, w->now + 100 * GP_SECOND);
        uint64_t worst = 0;
        uint64_t bytes = 0;
        uint32_t tries = 0;
        for (uint32_t i = 2; i < w->count; i++) {
            worst = w->nodes[i].sent > worst ? w->nodes[i].sent : worst;
            bytes = w->nodes[i].sent_bytes > bytes ? w->nodes[i].sent_bytes : bytes;
            tries += w->nodes[i].stores > 0 ? 1 : 0;
            assert_in_range(w->nodes[i].stores, 0, 4); /* a voter tries its disk each 30 s */
            assert_true(w->nodes[i].standings < 10);
        }
        assert_in_range(tries, 0, GP_VOTERS_MAX);
        printf("idle, %u members: a member sends %.2f messages/s, %.0f payload bytes/s; the leader "
               "%.1f messages/s\n",
               sizes[s], (double)worst / 100, (double)bytes / 100,
               (double)w->nodes[w->leader].sent / 100);
        assert_true(worst <= 400);
        assert_in_range(w->nodes[w->leader].stores, 0, 4);
        virtual_free(w);
    }
}

static void test_one_way(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 20; seed++) {
        virtual_world_t *w = settled(seed + 1, 9);
        uint32_t node = 3 + (uint32_t)gp_random_below(&w->random, 6);
        w->mute[node][w->leader] = true; /* the leader hears nothing from it, all others do */
        virtual_run(w, w->now + 10 * GP_SECOND);
        const gp_group_member_t *m = virtual_view(w, 2, node);
        assert_int_equal(m->state, GP_MEMBER_ALIVE);
        assert_int_equal(m->cause, GP_CAUSE_ONE_WAY);
        w->mute[node][w->leader] = false;
        virtual_run(w, w->now + 2 * GP_SECOND);
        m = virtual_view(w, 2, node);
        assert_int_equal(m->cause, GP_CAUSE_ANSWERS);
        virtual_free(w);
    }
}

/* Three of nine cannot be reached by one member, which says so; the leader knows better. */
static void test_bad_observer(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 20; seed++) {
        virtual_world_t *w = settled(seed + 1, 9);
        for (uint32_t i = 0; i < 9; i++) {
            if (i != w->leader && i != 5) {
                w->mute[i][5] = true;
            }
        }
        virtual_run(w, w->now + 30 * GP_SECOND);
        for (uint32_t i = 0; i < 9; i++) {
            assert_true(i == 0 || w->nodes[0].state[i] == GP_MEMBER_ALIVE);
        }
        assert_int_equal(w->false_verdicts, 0);
        virtual_free(w);
    }
}

static void test_kill_under_noise(void **state)
{
    (void)state;
    gp_usec_t worst = 0;
    for (uint32_t seed = 0; seed < 20; seed++) {
        virtual_world_t *w = settled(seed + 1, 20);
        w->stall_permille = 50;
        w->stall_max = 400 * GP_MSEC;
        virtual_run(w, w->now + 5 * GP_SECOND);
        uint32_t victim = 3 + (uint32_t)gp_random_below(&w->random, 17);
        virtual_kill(w, victim);
        gp_usec_t from = w->now;
        assert_true(virtual_run_until(w, 10 * GP_SECOND, virtual_see_unavailable, victim));
        worst = w->now - from > worst ? w->now - from : worst;
        virtual_free(w);
    }
    printf("killed while lines stall: all know after at most %.1f ms\n", (double)worst / 1e3);
    assert_true(worst < 4 * GP_SECOND);
}

static void test_quick_restart(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 40; seed++) {
        virtual_world_t *w = settled(seed + 1, 9);
        uint32_t node = (uint32_t)gp_random_below(&w->random, 9);
        virtual_kill(w, node);
        virtual_run(w, w->now + gp_random_below(&w->random, 40 * GP_MSEC));
        virtual_start(w, node, 9);
        assert_true(virtual_run_until(w, 5 * GP_SECOND, virtual_settled, 0));
        virtual_run(w, w->now + 3 * GP_SECOND);
        assert_true(virtual_settled(w, 0));
        assert_int_equal(virtual_view(w, w->leader, node)->incarnation, UINT64_C(2) << 16);
        virtual_free(w);
    }
}

/* A newcomer that knows one member, not the leader; and one whom a member admits. */
static void test_newcomer(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 30; seed++) {
        virtual_world_t *w = virtual_new(seed + 1, 12);
        for (uint32_t i = 0; i < 11; i++) {
            virtual_start(w, i, 11);
        }
        virtual_run(w, w->now + 5 * GP_SECOND);
        uint32_t by = 5;
        gp_msg_t msg = {.kind = GP_MSG_GROUP_INTRODUCE};
        msg.u.group_introduce.entries_count = 1;
        msg.u.group_introduce.entries[0] = (gp_record_member_t){
            .id = w->nodes[11].id, .name = gp_text("n11"), .address = gp_text("tcp://127.0.0.1:7")};
        virtual_command(w, by, &msg);
        virtual_run(w, w->now + GP_SECOND);
        for (uint32_t i = 0; i < 11; i++) {
            assert_int_equal(w->nodes[i].state[11], GP_MEMBER_UNKNOWN);
            assert_int_equal(w->nodes[i].cause[11], GP_CAUSE_JOINED);
        }
        virtual_run(w, w->now + 20 * GP_SECOND); /* never seen: not dead either */
        assert_int_equal(w->nodes[2].state[11], GP_MEMBER_UNKNOWN);
        gp_usec_t from = w->now;
        w->no_election = seed % 2 == 0; /* it finds the leader by asking, in half of the runs */
        virtual_start(w, 11, seed % 3 == 0 ? 1 : 5);
        assert_true(virtual_run_until(w, 3 * GP_SECOND, virtual_see_alive, 11));
        assert_true(w->now - from < 300 * GP_MSEC);
        virtual_free(w);
    }
}

static void test_full_group(void **state)
{
    (void)state;
    virtual_world_t *w = virtual_new(3, 12);
    w->members_max = 10;
    for (uint32_t i = 0; i < 10; i++) {
        virtual_start(w, i, 10);
    }
    virtual_run(w, w->now + 5 * GP_SECOND);
    virtual_start(w, 10, 3);
    virtual_run(w, w->now + 5 * GP_SECOND);
    assert_true(w->nodes[0].refused > 0);
    assert_int_equal(w->nodes[0].state[10], GP_MEMBER_NONE);
    leave(w, 7, false); /* its place is given to the newcomer, which never gave up */
    virtual_run(w, w->now + 50 * GP_MSEC);
    virtual_kill(w, 7);
    virtual_run(w, w->now + 8 * GP_SECOND);
    assert_int_equal(w->nodes[0].state[10], GP_MEMBER_ALIVE);
    assert_int_equal(w->nodes[0].state[7], GP_MEMBER_NONE);
    assert_true(virtual_same_tables(w, 0));
    virtual_free(w);
}

/* ---- liars ----------------------------------------------------------------------------------- */

static gp_record_member_t lie_of(virtual_world_t *w, const gp_id_t *target)
{
    gp_random_t *r = &w->random;
    uint64_t incarnation = gp_random_below(r, 2) == 0 ? (UINT64_C(1) << 16) + gp_random_below(r, 3)
                                                      : gp_random_next(r);
    gp_record_member_t record = {.id = *target,
                                 .incarnation = incarnation,
                                 .state = (uint8_t)gp_random_below(r, 6),
                                 .cause = (uint8_t)gp_random_below(r, 32),
                                 .flags = (uint8_t)gp_random_below(r, 8),
                                 .observers = gp_slice(target, gp_random_below(r, 33)),
                                 .name = gp_text("liar"),
                                 .address = gp_text("tcp://127.0.0.1:1")};
    if (gp_random_below(r, 4) == 0) {
        record.id.b[0] ^= 1; /* nobody */
    }
    return record;
}

static void lie_about(virtual_world_t *w, gp_msg_t *msg, const gp_record_member_t *record)
{
    gp_random_t *r = &w->random;
    uint32_t number = gp_group_view_number(w->nodes[0].core);
    switch (msg->kind) {
    case GP_MSG_VIEW:
        msg->u.view.term = w->term + gp_random_below(r, 3) - 1;
        msg->u.view.number = number + (uint32_t)gp_random_below(r, 3);
        msg->u.view.full = gp_random_below(r, 2) == 0;
        msg->u.view.entries_count = (uint32_t)gp_random_below(r, 3);
        msg->u.view.entries[0] = *record;
        msg->u.view.entries[1] = *record;
        break;
    case GP_MSG_SEEK:
        msg->u.seek.incarnation = record->incarnation;
        msg->u.seek.name = gp_text("liar");
        msg->u.seek.address = gp_text("tcp://127.0.0.1:2");
        break;
    case GP_MSG_SEEK_REPLY:
        msg->u.seek_reply.leader = record->id;
        msg->u.seek_reply.right = (uint8_t)gp_random_below(r, 3);
        msg->u.seek_reply.entries_count = 1;
        msg->u.seek_reply.entries[0] = *record;
        break;
    case GP_MSG_INTRODUCE:
        msg->u.introduce.entries_count = (uint32_t)gp_random_below(r, 2);
        msg->u.introduce.entries[0] = *record;
        break;
    case GP_MSG_LEAVE:
        msg->u.leave.incarnation = record->incarnation;
        msg->u.leave.forever = true;
        break;
    case GP_MSG_EVIDENCE:
    case GP_MSG_SUSPECT:
    case GP_MSG_CONFIRM_ASK:
        msg->u.evidence.target = record->id;
        msg->u.evidence.incarnation = record->incarnation;
        msg->u.evidence.cause = GP_CAUSE_REFUSED;
        break;
    case GP_MSG_CONFIRM:
        msg->u.confirm.target = record->id;
        msg->u.confirm.incarnation = record->incarnation;
        msg->u.confirm.cause = (uint8_t)(GP_CAUSE_ANSWERS + gp_random_below(r, 6));
        break;
    default:
        break;
    }
}

static void lie(virtual_world_t *w, gp_msg_t *msg)
{
    static const gp_msg_kind_t kinds[] = {
        GP_MSG_BEAT,        GP_MSG_BEAT_ACK,   GP_MSG_PROBE,     GP_MSG_PROBE_ACK,
        GP_MSG_VIEW,        GP_MSG_VIEW_PULL,  GP_MSG_VIEW_ACK,  GP_MSG_SUSPECT,
        GP_MSG_CONFIRM_ASK, GP_MSG_CONFIRM,    GP_MSG_REFUTE,    GP_MSG_EVIDENCE,
        GP_MSG_SEEK,        GP_MSG_SEEK_REPLY, GP_MSG_INTRODUCE, GP_MSG_LEAVE};
    static gp_id_t target;
    gp_random_t *r = &w->random;
    memset(msg, 0, sizeof *msg);
    uint8_t *bytes = (uint8_t *)&msg->u;
    msg->kind = kinds[gp_random_below(r, sizeof kinds / sizeof kinds[0])];
    size_t n = gp_msg_size(msg->kind) - (size_t)(bytes - (uint8_t *)msg);
    bool slices = msg->kind == GP_MSG_VIEW || msg->kind == GP_MSG_SEEK ||
                  msg->kind == GP_MSG_SEEK_REPLY || msg->kind == GP_MSG_INTRODUCE;
    bool bools = msg->kind == GP_MSG_LEAVE;
    for (size_t i = 0; i < n && !slices && !bools; i++) {
        bytes[i] = (uint8_t)(gp_random_below(r, 3) == 0 ? gp_random_next(r) : 0);
    }
    target = w->nodes[gp_random_below(r, w->count)].id;
    gp_record_member_t record = lie_of(w, &target);
    lie_about(w, msg, &record);
    msg->u.beat.group = 77;
}

/* One member says anything; no assert falls, no other is called unavailable, and it all mends. */
static void test_liar(void **state)
{
    (void)state;
    static gp_msg_t msg;
    for (uint32_t seed = 0; seed < 20; seed++) {
        virtual_world_t *w = settled(seed + 1, 7);
        for (int i = 0; i < 3000; i++) {
            lie(w, &msg);
            uint32_t to = (uint32_t)gp_random_below(&w->random, 6);
            virtual_inject(w, 6, to, &msg);
            if (i % 4 == 0) {
                virtual_run(w, w->now + gp_random_below(&w->random, 20 * GP_MSEC));
            }
            for (uint32_t k = 0; k < 6; k++) {
                assert_int_not_equal(w->nodes[w->leader].state[k], GP_MEMBER_UNAVAILABLE);
            }
        }
        virtual_kill(w, 6);
        virtual_run(w, w->now + 40 * GP_SECOND);
        assert_true(virtual_settled(w, 0));
        virtual_free(w);
    }
}

/* Everything happens to everybody; then all is mended and one table must come of it. */
static void test_chaos(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 45; seed++) {
        uint32_t size = seed % 3 == 0 ? 5 : seed % 3 == 1 ? 9 : 20;
        virtual_world_t *w = virtual_new(seed + 1, size);
        virtual_start_all(w);
        w->stall_permille = (unsigned)gp_random_below(&w->random, 100);
        w->stall_max = gp_random_below(&w->random, GP_SECOND) + 1;
        for (int i = 0; i < 60; i++) {
            uint32_t node = (uint32_t)gp_random_below(&w->random, size);
            virtual_node_t *n = &w->nodes[node];
            uint32_t what = (uint32_t)gp_random_below(&w->random, 5);
            if (what == 0 && n->running) {
                virtual_kill(w, node);
            } else if (what == 1 && !n->running) {
                virtual_start(w, node, 1 + (uint32_t)gp_random_below(&w->random, size));
            } else if (what == 2 && n->running) {
                virtual_freeze(w, node);
            } else if (what == 3 && n->running && n->frozen) {
                virtual_thaw(w, node);
            } else if (what == 4) {
                virtual_side(w, node, (unsigned)gp_random_below(&w->random, 2));
            }
            virtual_run(w, w->now + gp_random_below(&w->random, 2 * GP_SECOND));
        }
        w->stall_permille = 0;
        for (uint32_t i = 0; i < size; i++) {
            virtual_side(w, i, 0);
            if (!w->nodes[i].running) {
                virtual_start(w, i, size);
            } else if (w->nodes[i].frozen) {
                virtual_thaw(w, i);
            }
        }
        gp_usec_t from = w->now;
        bool fine = virtual_run_until(w, 15 * GP_SECOND, virtual_settled, 0);
        if (!fine) {
            printf("chaos: seed %u did not mend\n", seed);
        }
        assert_true(fine);
        (void)from;
        virtual_run(w, w->now + 3 * GP_SECOND);
        assert_true(virtual_settled(w, 0));
        virtual_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mass_kill),
        cmocka_unit_test(test_mass_freeze),
        cmocka_unit_test(test_leave),
        cmocka_unit_test(test_leader_leaves),
        cmocka_unit_test(test_partition_and_heal),
        cmocka_unit_test(test_minority_seeks),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_idle_traffic),
        cmocka_unit_test(test_one_way),
        cmocka_unit_test(test_bad_observer),
        cmocka_unit_test(test_kill_under_noise),
        cmocka_unit_test(test_quick_restart),
        cmocka_unit_test(test_newcomer),
        cmocka_unit_test(test_full_group),
        cmocka_unit_test(test_liar),
        cmocka_unit_test(test_chaos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
