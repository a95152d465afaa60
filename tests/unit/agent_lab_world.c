/* What the world says of itself: why a group does not agree. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_machine_is_explained)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
