/* Founding, its leftovers (none), and leaving. */
#include "agent/node/found.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/node/leave.h"
#include "agent/store/config.h"
#include "agent_node_fixture.h"
#include "proto/text.h"

static char root[128];

static int set_up(void **state)
{
    (void)state;
    (void)test_dir_make(root);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_dir_remove(root);
    return 0;
}

static gp_found_params_t good(void)
{
    return (gp_found_params_t){.root = root,
                               .name = "n1",
                               .region = "lab",
                               .listen = "tcp://127.0.0.1:7001",
                               .now_ms = TEST_NOW};
}

static void test_a_simulated_founder_is_marked(void **state)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    (void)state;
    gp_found_params_t params = good();
    assert_error(gp_found(&params, &result, &fail), GP_OK, &fail);
    assert_false(gp_state_is_sim(root, "n1"));
    params.name = "n2";
    params.sim = true;
    assert_error(gp_found(&params, &result, &fail), GP_OK, &fail);
    assert_true(gp_state_is_sim(root, "n2"));
}

static void count_log(void *context, const gp_log_entry_t *entry)
{
    uint32_t *count = context;
    assert_true(gp_slice_equal(entry->what, gp_text("init")));
    assert_true(gp_slice_equal(entry->object, gp_text("n1")));
    (*count)++;
}

static void test_founder_is_complete(void **state)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    gp_config_t config;
    test_machine_t machine;
    uint32_t entries = 0;
    (void)state;
    const gp_found_params_t params = good();
    assert_error(gp_found(&params, &result, &fail), GP_OK, &fail);
    assert_string_equal(result.listen, "tcp://127.0.0.1:7001");
    assert_string_equal(result.path, test_path(root, "n1"));
    assert_int_equal(test_entries(root), 1);
    test_open(root, "n1", &machine);
    assert_true(gp_id_equal(&result.id, &machine.identity.id));
    assert_int_equal(result.group, machine.identity.group);
    assert_int_equal(result.group, gp_group_id(&result.grid, gp_text("lab"), 0, 0));
    assert_int_equal(machine.identity.region_group,
                     gp_group_id(&result.grid, gp_text("lab"), 1, 0));
    assert_int_equal(machine.identity.grid_group, gp_group_id(&result.grid, gp_text(""), 2, 0));
    assert_error(gp_config_read(gp_state_folder(&machine.dir), &config, &fail), GP_OK, &fail);
    assert_string_equal(config.agent_listen, "tcp://127.0.0.1:7001");
    assert_int_equal(gp_store_log_read(machine.store, 0, 10, count_log, &entries), GP_OK);
    assert_int_equal(entries, 1);
    test_close(&machine);
}

static void test_group_ids_differ(void **state)
{
    const gp_grid_id_t one = {.b = {1}};
    const gp_grid_id_t two = {.b = {2}};
    (void)state;
    const uint64_t id = gp_group_id(&one, gp_text("lab"), 0, 0);
    assert_int_equal(id >> 56, 0);
    assert_true(id != gp_group_id(&two, gp_text("lab"), 0, 0));
    assert_true(id != gp_group_id(&one, gp_text("attic"), 0, 0));
    assert_true(id != gp_group_id(&one, gp_text("lab"), 0, 1));
    assert_int_equal(gp_group_id(&one, gp_text("lab"), 2, 0) >> 56, 2);
}

static void refused(const gp_found_params_t *params, gp_error_t expected, int entries)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    assert_error(gp_found(params, &result, &fail), expected, &fail);
    assert_true(fail.text[0] != '\0');
    assert_int_equal(test_entries(root), entries);
}

static void test_bad_parameters_leave_nothing(void **state)
{
    (void)state;
    gp_found_params_t params = good();
    params.name = "N1";
    refused(&params, GP_E_NAME, 0);
    params.name = "../n1";
    refused(&params, GP_E_NAME, 0);
    params.name = "";
    refused(&params, GP_E_NAME, 0);
    params.name = "abcdefghijklmnopqrstuvwxyz0123456";
    refused(&params, GP_E_NAME, 0);
    params = good();
    params.region = "the lab";
    refused(&params, GP_E_NAME, 0);
    params = good();
    params.listen = "127.0.0.1:7001";
    refused(&params, GP_E_ADDRESS, 0);
    params.listen = "tcp://localhost:7001";
    refused(&params, GP_E_ADDRESS, 0);
}

static void test_what_exists_stays(void **state)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    (void)state;
    const gp_found_params_t params = good();
    assert_error(gp_found(&params, &result, &fail), GP_OK, &fail);
    const uint64_t sum = test_dir_sum(test_path(root, "n1"));
    refused(&params, GP_E_STATE_EXISTS, 1);
    assert_int_equal(test_dir_sum(test_path(root, "n1")), sum);
}

static void test_a_place_that_cannot_be_written(void **state)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    char file[160];
    (void)state;
    gp_found_params_t params = good();
    (void)snprintf(file, sizeof file, "%s/file", root);
    test_write(file, "x", 1);
    params.root = file;
    assert_true(gp_found(&params, &result, &fail) != GP_OK);
    assert_non_null(strstr(fail.text, file));
    assert_int_equal(test_entries(root), 1);
}

/*
 * Files may not grow over any number of bytes at which founding fails: whatever step it is that
 * does not get its room, nothing is left.
 */
static void test_full_disk_leaves_nothing(void **state)
{
    static const rlim_t limits[] = {0, 16, 40, 200, 600, 1500, 4000, 9000, 20000, 40000};
    struct rlimit before;
    gp_fail_t fail;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_error(gp_harden(true, &fail), GP_OK, &fail);
    uint32_t failures = 0;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        gp_setup_result_t result;
        const gp_found_params_t params = good();
        const struct rlimit small = {.rlim_cur = limits[i], .rlim_max = before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const gp_error_t error = gp_found(&params, &result, &fail);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        if (error != GP_OK) {
            assert_error(error, GP_E_STATE_FULL, &fail);
            assert_int_equal(test_entries(root), 0);
            failures++;
        }
    }
    assert_true(failures >= 8);
}

/* The same on a real small file system, in a mount namespace of its own: root only. */
static int child_tmpfs(const char *path)
{
    char options[64];
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        return 77;
    }
    for (unsigned kib = 4; kib <= 256; kib += 8) {
        gp_fail_t fail;
        gp_setup_result_t result;
        const gp_found_params_t params = {
            .root = path, .name = "n1", .region = "lab", .now_ms = TEST_NOW};
        (void)snprintf(options, sizeof options, "mode=0700,size=%uk", kib);
        if (mount("tmpfs", path, "tmpfs", 0, options) != 0) {
            return 77;
        }
        const gp_error_t error = gp_found(&params, &result, &fail);
        if (error != GP_OK && (error != GP_E_STATE_FULL || test_entries(path) != 0)) {
            (void)fprintf(stderr, "%u KiB: %s %s\n", kib, gp_error_name(error), fail.text);
            return 1;
        }
        if (umount(path) != 0) {
            return 2;
        }
        if (error == GP_OK) {
            return kib > 4 ? 0 : 3;
        }
    }
    return 4;
}

static void test_small_file_system_leaves_nothing(void **state)
{
    const char *const arguments[] = {"tmpfs", root, NULL};
    int out = -1;
    (void)state;
    const int code = test_child_wait(test_child(arguments, &out));
    (void)close(out);
    if (code == 77) {
        skip();
    }
    assert_int_equal(code, 0);
}

static void test_leaving_removes_everything(void **state)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    gp_state_dir_t dir;
    bool was_root = false;
    (void)state;
    const gp_found_params_t params = good();
    assert_error(gp_found(&params, &result, &fail), GP_OK, &fail);
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_OK, &fail);
    assert_error(gp_leave_check(&dir, true, false, &fail), GP_OK, &fail);
    assert_error(gp_leave_check(&dir, false, true, &fail), GP_OK, &fail);
    assert_error(gp_leave_check(&dir, false, false, &fail), GP_E_LEAVE_ROOT, &fail);
    assert_non_null(strstr(fail.text, "n1/root.key"));
    assert_error(gp_leave(&dir, &was_root, &fail), GP_OK, &fail);
    assert_true(was_root);
    assert_int_equal(test_entries(root), 0);
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_E_STATE_MISSING, &fail);
    /* The name is free again. */
    assert_error(gp_found(&params, &result, &fail), GP_OK, &fail);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(test_founder_is_complete),
        T(test_a_simulated_founder_is_marked),
        cmocka_unit_test(test_group_ids_differ),
        T(test_bad_parameters_leave_nothing),
        T(test_what_exists_stays),
        T(test_a_place_that_cannot_be_written),
        T(test_full_disk_leaves_nothing),
        T(test_small_file_system_leaves_nothing),
        T(test_leaving_removes_everything),
    };
    if (gp_keys_init() != GP_OK) {
        return 1;
    }
    if (argc == 4 && strcmp(argv[1], "child") == 0 && strcmp(argv[2], "tmpfs") == 0) {
        return child_tmpfs(argv[3]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
