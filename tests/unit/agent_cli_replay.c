/* replay: lines, documents, expected stories, and what went wrong. */
#include <stdlib.h>
#include <unistd.h>

#include "agent_cli_stage.h"
#include "tests/unit/proto_cmocka.h"

#define LIVE(test) cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

static const char lines[] = "[     1.500000] n1 leads\n[    61.000000] a\\x0ab\n";

static void a_story_is_told_line_by_line(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "replay some/file"), 0);
    assert_string_equal(stage->backend, "replay some/file");
    assert_string_equal(stage->out, lines);
    assert_has(stage->err, "n1, from 2026-01-01T00:00:00.000Z on, gridpeer 0.0.1: 7 events");
    assert_has(stage->err, "did not end in good order");
    assert_has(stage->err, "3 later events (those before them were overwritten)");
    assert_int_equal(stage_run(stage, "replay some/file --events"), 0);
    assert_has(stage->out, "[     0.000002] < wake\n");
}

static void a_document_has_the_same_facts(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "replay f --json"), 0);
    json_t *document = stage_document(stage);
    const json_t *items = json_object_get(document, "items");
    assert_int_equal(json_array_size(items), 2);
    const json_t *item = json_array_get(items, 1);
    assert_int_equal(json_integer_value(json_object_get(item, "after_us")), 61000000);
    assert_string_equal(json_string_value(json_object_get(item, "at")), "2026-01-01T00:01:01.000Z");
    assert_string_equal(json_string_value(json_object_get(item, "text")), "a\nb");
    assert_true(json_is_false(json_object_get(item, "replayed")));
    assert_int_equal(json_integer_value(json_object_get(document, "replayed")), 7);
    assert_true(json_is_true(json_object_get(document, "overwritten")));
    assert_string_equal(json_string_value(json_object_get(document, "node")), "n1");
    json_decref(document);
}

static void a_recording_that_stopped_is_no_end_of_the_run(void **state)
{
    stage_t *stage = *state;
    stage->recording_stopped = true;
    assert_int_equal(stage_run(stage, "replay f"), 0);
    assert_has(stage->err, "the recording stopped before the run did");
    assert_null(strstr(stage->err, "good order"));
    assert_int_equal(stage_run(stage, "replay f --json"), 0);
    json_t *document = stage_document(stage);
    assert_true(json_is_true(json_object_get(document, "stopped")));
    assert_true(json_is_false(json_object_get(document, "ended")));
    json_decref(document);
}

static void expect(stage_t *stage, const char *text, int code, const char *said)
{
    char path[80], line[128];
    snprintf(path, sizeof path, "%s/story", stage->fake.directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    snprintf(line, sizeof line, "replay f --expect %s", path);
    assert_int_equal(stage_run(stage, line), code);
    assert_string_equal(stage->out, "");
    assert_has(stage->err, said);
}

static void an_expected_story_is_a_test(void **state)
{
    stage_t *stage = *state;
    expect(stage, lines, 0, "the expected one: 2 lines");
    expect(stage, "# first\n[     1.500000] n1 leads\n# then\n[    61.000000] a\\x0ab\n# end", 0,
           "the expected one");
    expect(stage, "[     1.500000] n1 leads\n[    61.000000] a\\x0ab", 0, "the expected one");
    expect(stage, "[     1.500000] n2 leads\n[    61.000000] a\\x0ab\n", 1,
           "[     1.500000] n2 leads; told: [     1.500000] n1 leads");
    expect(stage, "[     1.500000] n1 leads\n", 1, "line 2");
    expect(stage, "", 1, "its end; told: [     1.500000] n1 leads");
    expect(stage, "[     1.500000] n1 leads\n[    61.000000] a\\x0ab\nmore\n", 1,
           "more; told: its end");
    assert_int_equal(stage_run(stage, "replay f --expect /nowhere/story"), 64);
    assert_has(stage->err, "/nowhere/story");
    assert_int_equal(stage_run(stage, "replay f --expect /dev"), 64);
    assert_string_equal(stage->backend, ""); /* nothing was played */
}

static void what_went_wrong_has_its_code(void **state)
{
    static const struct {
        gp_error_t error;
        int code;
    } cases[] = {
        {GP_E_REPLAY_FORMAT, 3},   {GP_E_REPLAY_VERSION, 3}, {GP_E_REPLAY_DAMAGED, 3},
        {GP_E_REPLAY_DIVERGED, 1}, {GP_E_REPLAY_ASSERT, 1},
    };
    stage_t *stage = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage->backend_error = cases[i].error;
        assert_int_equal(stage_run(stage, "replay f"), cases[i].code);
        assert_string_equal(stage->out, lines); /* what came before it is told */
        assert_has(stage->err, gp_error_text(cases[i].error));
    }
}

static void one_file_is_named(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "replay"), 64);
    assert_int_equal(stage_run(stage, "replay a b"), 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(a_story_is_told_line_by_line),
        LIVE(a_document_has_the_same_facts),
        LIVE(a_recording_that_stopped_is_no_end_of_the_run),
        LIVE(an_expected_story_is_a_test),
        LIVE(what_went_wrong_has_its_code),
        LIVE(one_file_is_named),
    };
    (void)unsetenv("GRIDPEER_DIR");
    (void)unsetenv("GRIDPEER_NODE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
