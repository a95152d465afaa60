/* What the world says of itself, and what it shows of a machine whose disk hangs. */
#include <stdio.h>

#include "agent/lab/world.h"

#include "proto_cmocka.h"

typedef struct lines {
    char text[8][1024];
    uint32_t count;
} lines_t;

static void take_line(void *context, const char *line)
{
    lines_t *lines = context;
    assert_true(lines->count < 8);
    snprintf(lines->text[lines->count], sizeof lines->text[0], "%s", line);
    lines->count += 1;
}

static void test_each_machine_is_explained(void **state)
{
    static lines_t lines;
    gp_world_config_t config;
    (void)state;
    gp_world_defaults(&config);
    config.nodes = 3;
    config.group_size = 3;
    config.seed = 7;
    gp_world_t *world = gp_world_new(&config);
    assert_non_null(world);
    for (uint32_t i = 0; i < 3; i++) {
        gp_world_start(world, i);
    }
    assert_true(gp_world_run(world, 5 * GP_SECOND));
    gp_world_crash(world, 2, false);
    gp_world_disk(world, 1, true, 0);
    assert_true(gp_world_run(world, 8 * GP_SECOND));
    gp_world_pause(world, 1, true);
    gp_world_explain(world, 0, take_line, &lines);
    assert_int_equal(lines.count, 3);
    assert_non_null(strstr(lines.text[0], "n1: "));
    assert_non_null(strstr(lines.text[0], "voters n1"));
    assert_non_null(strstr(lines.text[0], "n3 unavailable (refused)"));
    assert_non_null(strstr(lines.text[1], "n2: frozen, disk full, "));
    assert_string_equal(lines.text[2], "n3: does not run");
    gp_world_free(world);
}

#define NODES 7

/* Words of others against the machine whose disk hangs. */
typedef struct slander {
    gp_id_t victim;
    uint32_t node;
    uint32_t words;
    uint32_t stores; /* changes of members that it had to keep meanwhile */
} slander_t;

static void listen(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                   const gp_msg_t *notice)
{
    slander_t *slander = context;
    (void)at;
    (void)token;
    if (notice->kind == GP_MSG_MEMBER) {
        const gp_record_member_t *entry = &notice->u.member.entries[0];
        bool about = gp_id_equal(&entry->id, &slander->victim);
        slander->words +=
            about && node != slander->node &&
            (entry->state == GP_MEMBER_SUSPECT || entry->state == GP_MEMBER_UNAVAILABLE);
        slander->stores += !about && node == slander->node;
    }
}

/* All but the last run. */
static gp_world_t *settled_world(uint64_t seed)
{
    gp_world_config_t config;
    gp_world_defaults(&config);
    config.nodes = NODES;
    config.group_size = NODES;
    config.seed = seed;
    gp_world_t *world = gp_world_new(&config);
    assert_non_null(world);
    for (uint32_t i = 0; i < NODES - 1; i++) {
        gp_world_start(world, i);
    }
    assert_true(gp_world_run(world, 10 * GP_SECOND));
    return world;
}

static gp_id_t id_of(const gp_world_t *world, uint32_t node)
{
    const void *group = gp_peer_group(gp_world_peer(world, node));
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_id_t id = gp_group_member_at(group, i)->id;
        if (gp_world_node(world, &id) == node) {
            return id;
        }
    }
    fail_msg("it does not know itself");
    return (gp_id_t){0};
}

/* It hears and answers: only its record of the members is late. */
static void test_a_slow_disk_is_no_silence(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        gp_world_t *world = settled_world(seed);
        gp_id_t leader = gp_election_leader(gp_peer_election(gp_world_peer(world, 0)));
        uint32_t first = gp_world_node(world, &leader);
        slander_t slander = {.node = (first + 1) % (NODES - 1)};
        slander.victim = id_of(world, slander.node);
        gp_world_watch(world, listen, &slander);
        gp_world_disk(world, slander.node, false, 5 * GP_SECOND);
        gp_world_start(world, NODES - 1); /* one more to keep */
        assert_true(gp_world_run(world, 14 * GP_SECOND));
        if (slander.words > 0 || slander.stores == 0) {
            fail_msg("seed %u: %u words against n%u, %u changes", (unsigned)seed, slander.words,
                     slander.node + 1, slander.stores);
        }
        gp_world_free(world);
    }
}

/* ---- output of programs ---------------------------------------------------------------------- */

#define JOBS     40
#define SLOW_US  (500 * GP_MSEC)
#define JOB_MASK 0xfffff /* above: the life of the home that gave the number */

typedef struct taken {
    uint64_t bytes[JOBS + 1]; /* by job of the one home */
    gp_usec_t last[JOBS + 1];
    bool done[JOBS + 1];
    uint64_t waited; /* the first job whose user was slow; 0: none */
    gp_usec_t waited_until;
} taken_t;

static void take_notice(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                        const gp_msg_t *notice)
{
    taken_t *taken = context;
    (void)node;
    (void)token;
    if (notice->kind == GP_MSG_JOB_OUTPUT) {
        const gp_msg_job_output_t *output = &notice->u.job_output;
        uint64_t job = output->job & JOB_MASK;
        assert_in_range(job, 1, JOBS);
        assert_int_equal(output->offset, taken->bytes[job]); /* no gap, nothing twice */
        if (output->offset > 0 && at - taken->last[job] > SLOW_US && taken->waited == 0) {
            taken->waited = job;
            taken->waited_until = at;
        }
        taken->bytes[job] += output->bytes.n;
        taken->last[job] = at;
    } else if (notice->kind == GP_MSG_JOB && notice->u.job.state == GP_JOB_DONE) {
        taken->done[notice->u.job.job & JOB_MASK] = true;
    }
}

static gp_world_t *small_world(taken_t *taken)
{
    gp_world_config_t config;
    gp_world_defaults(&config);
    config.nodes = 3;
    config.group_size = 3;
    config.seed = 7;
    gp_world_t *world = gp_world_new(&config);
    assert_non_null(world);
    gp_world_watch(world, take_notice, taken);
    for (uint32_t i = 0; i < 3; i++) {
        gp_world_start(world, i);
    }
    assert_true(gp_world_run(world, 5 * GP_SECOND));
    return world;
}

static void test_programs_write_more_than_is_ever_on_its_way(void **state)
{
    static taken_t taken;
    (void)state;
    gp_world_t *world = small_world(&taken);
    uint32_t little = 0, much = 0;
    for (uint32_t i = 0; i < JOBS; i++) {
        gp_world_job(world, 0, "cpu >= 1");
        assert_true(gp_world_run(world, gp_world_now(world) + 5 * GP_SECOND));
    }
    for (uint32_t job = 1; job <= JOBS; job++) {
        assert_true(taken.done[job]);
        little += taken.bytes[job] == 5 ? 1 : 0;
        much += taken.bytes[job] == 50000 ? 1 : 0;
    }
    assert_int_equal(little + much, JOBS);
    assert_in_range(little, 1, JOBS - 1);
    assert_true(taken.waited != 0); /* a user was slow */
    gp_world_check_output(world, 0);
    assert_string_equal(gp_world_violation(world), "");
    gp_world_free(world);
}

static void test_a_program_that_waits_for_ever_is_told(void **state)
{
    static taken_t taken;
    (void)state;
    gp_world_t *world = small_world(&taken);
    for (uint32_t i = 0; i < JOBS && taken.waited == 0; i++) {
        gp_world_job(world, 0, "cpu >= 1");
        assert_true(gp_world_run(world, gp_world_now(world) + 5 * GP_SECOND));
    }
    /* The same again, up to shortly before that user takes what came. */
    uint64_t job = taken.waited;
    gp_usec_t until = taken.waited_until - 100 * GP_MSEC;
    assert_true(job != 0);
    gp_world_free(world);
    memset(&taken, 0, sizeof taken);
    world = small_world(&taken);
    for (uint32_t i = 0; i < job; i++) {
        assert_true(taken.bytes[job] == 0);
        gp_world_job(world, 0, "cpu >= 1");
        gp_usec_t end = gp_world_now(world) + 5 * GP_SECOND;
        assert_true(gp_world_run(world, i + 1 < job ? end : until));
    }
    gp_world_check_output(world, 10 * GP_SECOND);
    assert_string_equal(gp_world_violation(world), "");
    gp_world_check_output(world, 100 * GP_MSEC);
    assert_non_null(strstr(gp_world_violation(world), "waits for its user"));
    gp_world_free(world);
}

static void find_stopped(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                         const gp_msg_t *notice)
{
    bool *found = context;
    (void)node;
    (void)at;
    (void)token;
    *found = *found || (notice->kind == GP_MSG_JOB && notice->u.job.state == GP_JOB_FAILED &&
                        notice->u.job.reason == GP_REASON_AGENT_STOPPED);
}

/* As the daemon: its programs are ended and told so; and however its disk is, it ends in time. */
static void test_who_stops_ends_its_programs(void **state)
{
    static taken_t taken;
    bool found = false;
    (void)state;
    gp_world_t *world = small_world(&taken);
    gp_world_watch(world, find_stopped, &found);
    gp_world_job_on(world, 0, 1, "cpu >= 1");
    assert_true(gp_world_run(world, gp_world_now(world) + 500 * GP_MSEC));
    gp_world_leave(world, 1, false);
    assert_true(gp_world_run(world, gp_world_now(world) + GP_SECOND));
    assert_true(found);
    assert_false(gp_world_alive(world, 1));
    gp_world_disk(world, 2, true, 0);
    assert_true(gp_world_run(world, gp_world_now(world) + GP_SECOND));
    gp_world_leave(world, 2, false);
    gp_world_job(world, 2, "cpu >= 1");
    assert_true(gp_world_run(world, gp_world_now(world) + 2500 * GP_MSEC));
    assert_false(gp_world_alive(world, 2));
    gp_world_free(world);
}

static bool says_it_leaves(const gp_world_t *world, uint32_t at, uint32_t node)
{
    const void *leader = gp_peer_group(gp_world_peer(world, node));
    const gp_id_t *id = gp_group_leader(leader);
    const gp_group_member_t *member = gp_group_member(gp_peer_group(gp_world_peer(world, at)), id);
    return (member->flags & GP_FLAG_LEAVING) != 0;
}

/* The disk of the only other machine refuses records: who leads stays, and nobody sees it leave. */
static void test_who_is_needed_stays(void **state)
{
    gp_world_config_t config;
    char why[128];
    (void)state;
    gp_world_defaults(&config);
    config.nodes = 2;
    gp_world_t *world = gp_world_new(&config);
    assert_non_null(world);
    gp_world_start(world, 0);
    gp_world_start(world, 1);
    assert_true(gp_world_run(world, 5 * GP_SECOND));
    gp_world_disk(world, 1, true, 0);
    gp_world_leave(world, 0, true);
    assert_true(gp_world_run(world, 6 * GP_SECOND));
    assert_true(says_it_leaves(world, 0, 0));
    assert_true(gp_world_run(world, 10 * GP_SECOND));
    assert_true(gp_world_alive(world, 0));
    assert_false(says_it_leaves(world, 0, 0));
    assert_false(says_it_leaves(world, 1, 0));
    assert_true(gp_world_agrees(world, 0, why, sizeof why));
    gp_world_heal(world);
    assert_true(gp_world_run(world, 60 * GP_SECOND));
    gp_world_leave(world, 0, true);
    assert_true(gp_world_run(world, 65 * GP_SECOND));
    assert_false(gp_world_alive(world, 0));
    assert_true(gp_world_agrees(world, 0, why, sizeof why));
    gp_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_machine_is_explained),
        cmocka_unit_test(test_a_slow_disk_is_no_silence),
        cmocka_unit_test(test_programs_write_more_than_is_ever_on_its_way),
        cmocka_unit_test(test_a_program_that_waits_for_ever_is_told),
        cmocka_unit_test(test_who_stops_ends_its_programs),
        cmocka_unit_test(test_who_is_needed_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
