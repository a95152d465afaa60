/* One question over the index: hits in order, values, explanation, limits. */
#include <stdio.h>
#include <stdlib.h>

#include "discovery_driver.h"

static driver_grid_t grid;

static int set_up(void **state)
{
    (void)state;
    driver_grid_init(&grid, 5);
    driver_own(&grid, 0, "cpu=2 mem=4GiB mem.free=1GiB arch=x86_64 load.1=0.5");
    driver_own(&grid, 1, "cpu=4 mem=8GiB mem.free=2GiB arch=x86_64 gpu=0");
    driver_own(&grid, 2, "cpu=8 mem=16GiB mem.free=8GiB arch=aarch64 gpu=1");
    driver_own(&grid, 3, "cpu=16 mem=32GiB mem.free=8GiB arch=x86_64 has=gcc,make load.1=2");
    driver_own(&grid, 4, "cpu=16 mem=32GiB mem.free=8GiB arch=x86_64 has=gcc tag=rack=r3");
    driver_run(&grid, GP_MSEC);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    driver_grid_free(&grid);
    return 0;
}

typedef struct asked {
    const char *query;
    const char *rank;
    uint16_t limit;
    bool explain;
    uint16_t want[3];
} asked_t;

static const gp_msg_answer_t *ask(asked_t a)
{
    static gp_msg_t msg;
    uint8_t want[6];
    uint32_t want_n = 0;
    for (size_t i = 0; i < 3 && a.want[i] != 0; i++) {
        want[want_n] = (uint8_t)(a.want[i] >> 8);
        want[want_n + 1] = (uint8_t)a.want[i];
        want_n += 2;
    }
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_FIND};
    msg.u.discovery_find.query = gp_text(a.query);
    msg.u.discovery_find.rank = gp_text(a.rank == NULL ? "" : a.rank);
    msg.u.discovery_find.limit = a.limit;
    msg.u.discovery_find.explain = a.explain;
    msg.u.discovery_find.want = gp_slice(want, want_n);
    driver_command(&grid, 3, 1, &msg);
    driver_run(&grid, GP_MSEC);
    assert_int_equal(grid.answer->u.answer.error, 0);
    return &grid.answer->u.answer;
}

/* "n4 n5 n3" */
static const char *names(const gp_msg_answer_t *a)
{
    static char text[256];
    size_t n = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < a->hits_count; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", i == 0 ? "" : " ",
                              (int)a->hits[i].name.n, (const char *)a->hits[i].name.p);
    }
    return text;
}

static void test_order(void **state)
{
    static const struct {
        const char *query;
        const char *rank;
        uint16_t limit;
        const char *names;
        uint32_t matched;
    } cases[] = {
        {"", "", 0, "n3 n4 n5 n2 n1", 5}, /* most free memory, then the name */
        {"", "", 2, "n3 n4", 5},
        {"", "name", 0, "n1 n2 n3 n4 n5", 5},
        {"", "name desc", 3, "n5 n4 n3", 5},
        {"", "cpu asc", 0, "n1 n2 n3 n4 n5", 5},
        {"", "cpu, name desc", 0, "n5 n4 n3 n2 n1", 5},
        {"", "load.1", 0, "n1 n4 n2 n3 n5", 5}, /* unknown comes last */
        {"cpu >= 8", "mem.free desc, cpu asc", 0, "n3 n4 n5", 3},
        {"cpu >= 8", "", 64, "n3 n4 n5", 3},
        {"cpu >= 80", "", 0, "", 0},
        {"has gcc and not has make", "", 0, "n5", 1},
        {"tag.rack == r3", "", 0, "n5", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const gp_msg_answer_t *a =
            ask((asked_t){.query = cases[i].query, .rank = cases[i].rank, .limit = cases[i].limit});
        assert_string_equal(names(a), cases[i].names);
        assert_int_equal(a->matched, cases[i].matched);
        assert_int_equal(a->considered, 5);
    }
}

static void test_suspects_come_last(void **state)
{
    (void)state;
    driver_member(&grid, 0, 2, GP_MEMBER_SUSPECT);
    driver_member(&grid, 0, 3, GP_MEMBER_SUSPECT);
    assert_string_equal(names(ask((asked_t){.query = ""})), "n5 n2 n1 n3 n4");
    assert_string_equal(names(ask((asked_t){.query = "", .limit = 4})), "n5 n2 n1 n3");
}

static void test_explain(void **state)
{
    (void)state;
    const gp_msg_answer_t *a = ask(
        (asked_t){.query = "cpu >= 8 and gpu and (arch == x86_64 or load.1 < 1)", .explain = true});
    assert_int_equal(a->matched, 0);
    assert_int_equal(a->conditions_count, 3);
    assert_true(gp_slice_equal(a->conditions[0].text, gp_text("cpu >= 8")));
    assert_int_equal(a->conditions[0].excluded, 2);
    assert_int_equal(a->conditions[0].unknown, 0);
    assert_true(gp_slice_equal(a->conditions[1].text, gp_text("gpu")));
    assert_int_equal(a->conditions[1].excluded, 1);
    assert_int_equal(a->conditions[1].unknown, 3);
    assert_true(gp_slice_equal(a->conditions[2].text, gp_text("(arch == x86_64 or load.1 < 1)")));
    assert_int_equal(a->conditions[2].excluded, 0);
    assert_int_equal(a->conditions[2].unknown, 1);
    assert_int_equal(ask((asked_t){.query = "cpu >= 8"})->conditions_count, 0);
}

static void test_many_conditions(void **state)
{
    char text[GP_QUERY_MAX + 1] = "cpu";
    (void)state;
    for (int i = 1; i < 200; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), ",cpu");
    }
    const gp_msg_answer_t *a = ask((asked_t){.query = text, .explain = true});
    assert_int_equal(a->conditions_count, GP_EXPLAIN_MAX);
    assert_int_equal(a->matched, 5);
}

static const gp_record_value_t *value(const gp_msg_answer_t *a, uint32_t hit, gp_attr_t attr)
{
    for (uint32_t i = 0; i < a->values_count; i++) {
        if (a->values[i].hit == hit && a->values[i].attr == attr) {
            return &a->values[i];
        }
    }
    return NULL;
}

static void test_values(void **state)
{
    (void)state;
    const gp_msg_answer_t *a = ask((asked_t){.query = "cpu >= 16 and mem > 1GiB and cpu < 99",
                                             .want = {GP_ATTR_HAS, GP_ATTR_GPU, 999}});
    assert_int_equal(a->hits_count, 2);
    assert_int_equal(a->values_count, 2 * 4);
    assert_int_equal(a->values[0].attr, GP_ATTR_HAS); /* what was wanted comes first */
    assert_int_equal(value(a, 0, GP_ATTR_CPU)->number, 16);
    assert_true(value(a, 1, GP_ATTR_HAS)->known);
    assert_true(gp_slice_equal(value(a, 1, GP_ATTR_HAS)->text, gp_text("gcc")));
    assert_false(value(a, 0, GP_ATTR_GPU)->known);
    assert_null(value(a, 0, 999));
    assert_int_equal(a->text.n, 0);
    a = ask((asked_t){.query = "cpu >= 16", .want = {GP_ATTR_GPU, GP_ATTR_CPU, GP_ATTR_GPU}});
    assert_int_equal(a->values_count, 2 * 2); /* each once, however often it is wanted */
}

/* Every text of every machine would not fit into one message. */
static void test_values_are_bounded(void **state)
{
    static gp_msg_t own;
    static char big[2000];
    (void)state;
    memset(big, 'x', sizeof big);
    gp_discovery_t *d = grid.nodes[0].core;
    for (uint32_t i = 0; i < 40; i++) {
        static gp_msg_t msg;
        char name[16];
        gp_id_t id = driver_id((uint8_t)(100 + i));
        (void)snprintf(name, sizeof name, "big%u", i);
        msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
        msg.u.discovery_member.entries_count = 1;
        msg.u.discovery_member.entries[0] = (gp_record_member_t){
            .id = id, .incarnation = 1, .state = GP_MEMBER_ALIVE, .name = gp_text(name)};
        driver_command(&grid, 0, 0, &msg);
        own = (gp_msg_t){.kind = GP_MSG_RECORD};
        own.u.record.group = 7;
        own.u.record.version = 1;
        own.u.record.whole = true;
        own.u.record.attrs_count = 2;
        own.u.record.attrs[0] =
            (gp_record_attr_t){.attr = GP_ATTR_CPU_FLAGS, .text = gp_slice(big, sizeof big)};
        own.u.record.attrs[1] =
            (gp_record_attr_t){.attr = GP_ATTR_TAG, .text = gp_slice(big, sizeof big)};
        driver_message(&grid, 0, &id, &own);
    }
    assert_int_equal(d->standing_count[GP_STANDING_OFFERED], 45);
    const gp_msg_answer_t *a = ask((asked_t){
        .query = "name like big*", .want = {GP_ATTR_CPU_FLAGS, GP_ATTR_TAG, GP_ATTR_CPU}});
    assert_int_equal(a->hits_count, 40);
    assert_true(a->text.n > 0); /* says that values were left out */
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < a->values_count; i++) {
        bytes += a->values[i].text.n;
    }
    assert_in_range(bytes, 20000, 24576);
}

static void test_partial(void **state)
{
    (void)state;
    assert_false(ask((asked_t){.query = ""})->partial);
    driver_run(&grid, 100 * GP_MSEC); /* the leader is not new any more: it does not wait */
    driver_member(&grid, 0, 4, GP_MEMBER_UNKNOWN);
    assert_true(ask((asked_t){.query = ""})->partial);
    driver_member(&grid, 0, 4, GP_MEMBER_UNAVAILABLE);
    assert_false(ask((asked_t){.query = ""})->partial);
    /* Admitted, and never came: nothing of it is missed. */
    gp_msg_t msg = {.kind = GP_MSG_DISCOVERY_MEMBER};
    msg.u.discovery_member.entries[msg.u.discovery_member.entries_count++] = (gp_record_member_t){
        .id = driver_id(60), .state = GP_MEMBER_UNKNOWN, .name = gp_text("never")};
    driver_command(&grid, 0, 0, &msg);
    assert_false(ask((asked_t){.query = ""})->partial);
}

static void rename_member(uint32_t index, const char *name)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
    msg.u.discovery_member.entries_count = 1;
    msg.u.discovery_member.entries[0] = (gp_record_member_t){.id = grid.nodes[index].id,
                                                             .incarnation = 1,
                                                             .state = GP_MEMBER_ALIVE,
                                                             .flags = GP_FLAG_SEEN,
                                                             .name = gp_text(name)};
    driver_command(&grid, 0, 0, &msg);
}

/* Equally good ones come by name, a shorter name first; two of one name by their keys. */
static void test_order_of_equals(void **state)
{
    (void)state;
    rename_member(2, "mm");
    rename_member(3, "m");
    rename_member(4, "mmm");
    assert_string_equal(names(ask((asked_t){.query = ""})), "m mm mmm n2 n1");
    rename_member(3, "mm");
    rename_member(4, "mm");
    const gp_msg_answer_t *a = ask((asked_t){.query = "cpu >= 8"});
    assert_int_equal(a->hits_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(gp_id_equal(&a->hits[i].id, &grid.nodes[2 + i].id));
    }
}

/* More members than there is room for: no answer is about all of them. */
static void test_unlisted_members_make_it_partial(void **state)
{
    static gp_msg_t msg;
    (void)state;
    driver_run(&grid, 100 * GP_MSEC); /* the leader is not new any more: it does not wait */
    for (uint32_t i = 0; i <= GP_MEMBERS_MAX - 5; i++) {
        assert_false(ask((asked_t){.query = ""})->partial);
        msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
        msg.u.discovery_member.entries_count = 1;
        msg.u.discovery_member.entries[0] = (gp_record_member_t){
            .id = driver_id((uint8_t)(100 + i)), .incarnation = 1, .state = GP_MEMBER_UNAVAILABLE};
        driver_command(&grid, 0, 0, &msg);
    }
    assert_true(ask((asked_t){.query = ""})->partial);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_order),
        CASE(test_suspects_come_last),
        CASE(test_explain),
        CASE(test_many_conditions),
        CASE(test_values),
        CASE(test_values_are_bounded),
        CASE(test_partial),
        CASE(test_order_of_equals),
        CASE(test_unlisted_members_make_it_partial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
