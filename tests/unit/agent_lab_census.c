/* The census: what it knows it counts, what it does not know it says; rows have names of their own.
 */
#include <stdio.h>
#include <string.h>

#include "agent/lab/census.h"
#include "proto/errors.h"
#include "proto/message.h"

#include "proto_cmocka.h"

static gp_census_t census;

static void test_only_what_is_known_counts(void **state)
{
    (void)state;
    memset(&census, 0, sizeof census);
    assert_true(gp_census_count(&census, GP_CENSUS_MEMBER, GP_MEMBER_ALIVE, GP_MEMBER_SUSPECT));
    assert_int_equal(census.seen[GP_CENSUS_MEMBER][GP_MEMBER_ALIVE][GP_MEMBER_SUSPECT], 1);
    assert_false(gp_census_count(&census, GP_CENSUS_MEMBER, GP_MEMBER_LEFT, GP_MEMBER_SUSPECT));
    assert_false(gp_census_count(&census, GP_CENSUS_PLACE, GP_CENSUS_LEADS, GP_CENSUS_FOLLOWS));
    assert_false(
        gp_census_count(&census, GP_CENSUS_VERDICT, GP_MEMBER_UNAVAILABLE, GP_CAUSE_NO_QUORUM));
    assert_false(gp_census_count(&census, GP_CENSUS_STEP_DOWN, 0, 0));
    assert_false(gp_census_count(&census, GP_CENSUS_MEMBER, GP_CENSUS_WIDTH, 0));
    assert_false(gp_census_count(&census, GP_CENSUS_MEMBER, 0, GP_CENSUS_WIDTH));
    uint32_t code = GP_E_MESSAGE_STALE;
    assert_true(
        gp_census_count(&census, GP_CENSUS_ERROR, code / GP_CENSUS_WIDTH, code % GP_CENSUS_WIDTH));
    code = GP_E_PORT_IN_USE; /* the shell's */
    assert_false(
        gp_census_count(&census, GP_CENSUS_ERROR, code / GP_CENSUS_WIDTH, code % GP_CENSUS_WIDTH));
}

typedef struct rows {
    char names[256][GP_CENSUS_NAME_MAX];
    uint32_t count;
    uint64_t seen;
} rows_t;

static void take_row(void *context, const char *name, uint64_t seen)
{
    rows_t *rows = context;
    assert_true(rows->count < 256);
    assert_null(strchr(name, '?'));
    for (uint32_t i = 0; i < rows->count; i++) {
        assert_string_not_equal(rows->names[i], name);
    }
    snprintf(rows->names[rows->count], GP_CENSUS_NAME_MAX, "%s", name);
    rows->count += 1;
    rows->seen += seen;
}

static void test_each_row_has_a_name(void **state)
{
    static rows_t rows;
    (void)state;
    memset(&census, 0, sizeof census);
    assert_true(gp_census_count(&census, GP_CENSUS_JOB, GP_JOB_DONE, GP_REASON_EXIT));
    assert_true(gp_census_count(&census, GP_CENSUS_JOB, GP_JOB_DONE, GP_REASON_EXIT));
    gp_census_each(&census, take_row, &rows);
    assert_true(rows.count > 80);
    assert_int_equal(rows.seen, 2);
    char name[GP_CENSUS_NAME_MAX];
    gp_census_name(GP_CENSUS_JOB, GP_JOB_DONE, GP_REASON_EXIT, name);
    assert_string_equal(name, "job: done, exit");
    gp_census_name(GP_CENSUS_ERROR, GP_E_FENCED / GP_CENSUS_WIDTH, GP_E_FENCED % GP_CENSUS_WIDTH,
                   name);
    assert_string_equal(name, "error: E_FENCED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_is_known_counts),
        cmocka_unit_test(test_each_row_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
