/* The state directory: where it is, whose it is, who is in it; made and removed whole. */
#include "agent/store/state_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_store_fixture.h"

static char root[128];

static int set_up(void **state)
{
    (void)state;
    (void)test_dir_make(root);
    return unsetenv("GRIDPEER_DIR") + unsetenv("GRIDPEER_NODE");
}

static int tear_down(void **state)
{
    (void)state;
    test_dir_remove(root);
    return 0;
}

/* A machine's directory with all the files that opening demands. */
static void machine_make(const char *name)
{
    static const char *const files[] = {GP_FILE_NODE_KEY, GP_FILE_CERT, GP_FILE_GRID, GP_FILE_DB,
                                        GP_FILE_MARK};
    gp_fail_t fail;
    gp_state_dir_t dir;
    assert_error(gp_state_begin(root, name, &dir, &fail), GP_OK, &fail);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        assert_error(gp_file_create(gp_state_folder(&dir), files[i], 0600, gp_text("x"), &fail),
                     GP_OK, &fail);
    }
    assert_error(gp_state_commit(&dir, &fail), GP_OK, &fail);
    gp_state_close(&dir);
}

static void test_root_comes_from_option_environment_default(void **state)
{
    char path[GP_STATE_PATH_MAX];
    gp_fail_t fail;
    (void)state;
    assert_error(gp_state_root("/a/b//", path, &fail), GP_OK, &fail);
    assert_string_equal(path, "/a/b");
    assert_int_equal(setenv("GRIDPEER_DIR", "/from/environment", 1), 0);
    assert_error(gp_state_root(NULL, path, &fail), GP_OK, &fail);
    assert_string_equal(path, "/from/environment");
    assert_error(gp_state_root("/option", path, &fail), GP_OK, &fail);
    assert_string_equal(path, "/option");
    assert_int_equal(unsetenv("GRIDPEER_DIR"), 0);
    assert_error(gp_state_root("", path, &fail), GP_OK, &fail);
    if (geteuid() == 0) {
        assert_string_equal(path, "/var/lib/gridpeer");
    } else {
        assert_non_null(strstr(path, "/gridpeer"));
    }
    assert_error(gp_state_root("relative", path, &fail), GP_OK, &fail);
    assert_int_equal(path[0], '/');
    assert_non_null(strstr(path, "/relative"));
    char far[400];
    memset(far, 'x', sizeof far - 1);
    far[0] = '/';
    far[sizeof far - 1] = '\0';
    assert_error(gp_state_root(far, path, &fail), GP_E_USAGE, &fail);
}

static void test_commit_gives_the_name_and_keeps_the_lock(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    gp_state_dir_t other;
    long pid = 0;
    struct stat status;
    (void)state;
    assert_error(gp_state_begin(root, "n1", &dir, &fail), GP_OK, &fail);
    assert_false(test_exists(test_path(root, "n1")));
    assert_error(gp_file_create(gp_state_folder(&dir), GP_FILE_NODE_KEY, 0600, gp_text("k"), &fail),
                 GP_OK, &fail);
    assert_error(gp_state_commit(&dir, &fail), GP_OK, &fail);
    assert_int_equal(stat(test_path(root, "n1"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_true(gp_state_in_use(root, "n1", &pid));
    assert_int_equal(pid, getpid());
    assert_error(gp_state_begin(root, "n1", &other, &fail), GP_E_STATE_EXISTS, &fail);
    assert_non_null(strstr(fail.text, ", and it runs (process "));
    gp_state_close(&dir);
    assert_false(gp_state_in_use(root, "n1", &pid));
    assert_error(gp_state_refuse_used(root, "n1", &fail), GP_E_STATE_EXISTS, &fail);
    assert_non_null(strstr(fail.text, ", and it does not run"));
    assert_error(gp_state_refuse_used(root, "n2", &fail), GP_OK, &fail);
    assert_int_equal(test_entries(root), 1);
}

static void test_nothing_is_left_of_what_was_not_committed(void **state)
{
    char deep[160];
    gp_fail_t fail;
    gp_state_dir_t dir;
    (void)state;
    (void)snprintf(deep, sizeof deep, "%s/a/b/c", root);
    assert_error(gp_state_begin(deep, "n1", &dir, &fail), GP_OK, &fail);
    assert_error(gp_file_create(gp_state_folder(&dir), "f", 0600, gp_text("k"), &fail), GP_OK,
                 &fail);
    assert_true(test_exists(deep));
    gp_state_close(&dir);
    assert_int_equal(test_entries(root), 0);
    assert_error(gp_state_begin(root, "not valid", &dir, &fail), GP_E_NAME, &fail);
    assert_error(gp_state_begin(root, "..", &dir, &fail), GP_E_NAME, &fail);
    assert_int_equal(test_entries(root), 0);
}

static void test_what_a_crash_left_is_cleared(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    gp_state_dir_t living;
    (void)state;
    assert_error(gp_state_begin(root, "n2", &living, &fail), GP_OK, &fail);
    assert_int_equal(mkdir(test_path(root, ".n1.abc123"), 0700), 0);
    test_write(test_path(root, ".n1.abc123/lock"), "1\n", 2);
    test_write(test_path(root, ".n1.abc123/node.key"), "secret", 6);
    assert_int_equal(mkdir(test_path(root, ".config"), 0700), 0);
    /* Of simulated ones first, and only those; or what holds nothing that could be lost. */
    assert_int_equal(mkdir(test_path(root, ".n5.empty0"), 0700), 0);
    assert_int_equal(mkdir(test_path(root, ".n5.begun0"), 0700), 0);
    test_write(test_path(root, ".n5.begun0/lock"), "1\n", 2);
    assert_int_equal(mkdir(test_path(root, ".n4.abc123"), 0700), 0);
    test_write(test_path(root, ".n4.abc123/lock"), "1\n", 2);
    test_write(test_path(root, ".n4.abc123/node.key"), "secret", 6);
    test_write(test_path(root, ".n4.abc123/" GP_FILE_SIM), "made", 4);
    gp_state_clear_sims(root);
    assert_false(test_exists(test_path(root, ".n4.abc123")));
    assert_false(test_exists(test_path(root, ".n5.empty0")));
    assert_false(test_exists(test_path(root, ".n5.begun0")));
    assert_true(test_exists(test_path(root, ".n1.abc123/node.key")));
    assert_true(test_exists(living.path));
    assert_int_equal(mkdir(test_path(root, ".n1.empty0"), 0700), 0);
    assert_error(gp_state_begin(root, "n1", &dir, &fail), GP_OK, &fail);
    assert_false(test_exists(test_path(root, ".n1.abc123")));
    assert_false(test_exists(test_path(root, ".n1.empty0")));
    assert_true(test_exists(test_path(root, ".config"))); /* not ours */
    assert_true(test_exists(living.path));                /* somebody is at work there */
    assert_error(gp_state_commit(&dir, &fail), GP_OK, &fail);
    assert_error(gp_state_commit(&living, &fail), GP_OK, &fail);
    gp_state_close(&dir);
    gp_state_close(&living);
    assert_int_equal(test_entries(root), 3);
}

static void test_commit_loses_against_another_of_the_same_name(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t first;
    gp_state_dir_t second;
    (void)state;
    assert_error(gp_state_begin(root, "n1", &first, &fail), GP_OK, &fail);
    assert_error(gp_state_begin(root, "n1", &second, &fail), GP_OK, &fail);
    assert_error(gp_state_commit(&first, &fail), GP_OK, &fail);
    assert_error(gp_state_commit(&second, &fail), GP_E_STATE_EXISTS, &fail);
    gp_state_close(&second);
    gp_state_close(&first);
    assert_int_equal(test_entries(root), 1);
}

static void test_open_locks(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    gp_state_dir_t other;
    char pid[24];
    (void)state;
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_E_STATE_MISSING, &fail);
    assert_non_null(strstr(fail.text, "gridpeer init"));
    machine_make("n1");
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_OK, &fail);
    assert_error(gp_state_open(root, "n1", &other, &fail), GP_E_STATE_LOCKED, &fail);
    (void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(fail.text, pid));
    assert_non_null(strstr(fail.text, root));
    gp_state_close(&dir);
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_OK, &fail);
    gp_state_close(&dir);
}

static void test_open_refuses_modes_links_and_owners(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    (void)state;
    machine_make("n1");
    static const struct {
        const char *file;
        mode_t bad;
        mode_t good;
        const char *cure;
    } modes[] = {
        {"n1", 0750, 0700, "chmod 700 "},
        {"n1/" GP_FILE_NODE_KEY, 0640, 0600, "chmod 600 "},
        {"n1/" GP_FILE_NODE_KEY, 0604, 0600, "chmod 600 "},
        {"n1/" GP_FILE_DB, 0644, 0600, "chmod 600 "},
        {"n1/" GP_FILE_CERT, 0664, 0644, "chmod go-w "},
        {"n1/" GP_FILE_GRID, 0602, 0600, "chmod go-w "},
        {"", 0777, 0700, "chmod go-w "},
    };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        const char *path = test_path(root, modes[i].file);
        assert_int_equal(chmod(path, modes[i].bad), 0);
        assert_error(gp_state_open(root, "n1", &dir, &fail), GP_E_STATE_MODE, &fail);
        assert_non_null(strstr(fail.text, modes[i].cure));
        assert_non_null(strstr(fail.text, root));
        assert_int_equal(chmod(path, modes[i].good), 0);
        assert_error(gp_state_open(root, "n1", &dir, &fail), GP_OK, &fail);
        gp_state_close(&dir);
    }
    const char *key = test_path(root, "n1/" GP_FILE_NODE_KEY);
    const char *moved = test_path(root, "key");
    assert_int_equal(rename(key, moved), 0);
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_E_STATE_DAMAGED, &fail);
    assert_int_equal(symlink(moved, key), 0);
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_E_STATE_MODE, &fail);
    assert_non_null(strstr(fail.text, "symbolic link"));
    assert_int_equal(unlink(key), 0);
    assert_int_equal(mkdir(key, 0700), 0);
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_E_STATE_MODE, &fail);
    assert_int_equal(rmdir(key), 0);
    assert_int_equal(rename(moved, key), 0);
    assert_int_equal(rename(test_path(root, "n1"), test_path(root, "real")), 0);
    assert_int_equal(symlink(test_path(root, "real"), test_path(root, "n1")), 0);
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_E_STATE_MODE, &fail);
    if (geteuid() == 0) {
        assert_int_equal(chown(test_path(root, "real/" GP_FILE_NODE_KEY), 65534, 65534), 0);
        assert_error(gp_state_open(root, "real", &dir, &fail), GP_E_STATE_OWNER, &fail);
        assert_int_equal(chown(test_path(root, "real"), 65534, 65534), 0);
        assert_error(gp_state_open(root, "real", &dir, &fail), GP_E_STATE_OWNER, &fail);
        assert_non_null(strstr(fail.text, "65534"));
    }
}

/* Recordings are for sending to somebody; the directory is what keeps others from reading them. */
static void test_a_recording_may_be_readable(void **state)
{
    static const char *const names[] = {"n1/" GP_FILE_REPLAY, "n1/" GP_FILE_CRASHED};
    gp_fail_t fail;
    gp_state_dir_t dir;
    (void)state;
    machine_make("n1");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = test_path(root, names[i]);
        struct stat status;
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        assert_true(fd >= 0);
        (void)close(fd);
        assert_int_equal(chmod(path, 0644), 0);
        assert_error(gp_state_open(root, "n1", &dir, &fail), GP_OK, &fail);
        gp_state_close(&dir);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0644); /* it is as its owner wants it */
    }
    assert_int_equal(chmod(test_path(root, "n1"), 0755), 0);
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_E_STATE_MODE, &fail);
}

static void test_pick(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    char name[GP_NAME_MAX + 1];
    char nowhere[160];
    (void)state;
    (void)snprintf(nowhere, sizeof nowhere, "%s/nowhere", root);
    assert_error(gp_state_pick(nowhere, NULL, name, &fail), GP_E_STATE_MISSING, &fail);
    assert_error(gp_state_pick(root, NULL, name, &fail), GP_E_STATE_MISSING, &fail);
    assert_non_null(strstr(fail.text, "gridpeer join"));
    machine_make("n2");
    assert_int_equal(mkdir(test_path(root, "other"), 0700), 0);
    assert_error(gp_state_pick(root, NULL, name, &fail), GP_OK, &fail);
    assert_string_equal(name, "n2");
    machine_make("n1");
    assert_error(gp_state_pick(root, NULL, name, &fail), GP_E_STATE_AMBIGUOUS, &fail);
    assert_non_null(strstr(fail.text, "n1, n2"));
    assert_error(gp_state_open(root, "n2", &dir, &fail), GP_OK, &fail);
    assert_error(gp_state_pick(root, NULL, name, &fail), GP_OK, &fail); /* the one that runs */
    assert_string_equal(name, "n2");
    gp_state_close(&dir);
    assert_int_equal(setenv("GRIDPEER_NODE", "n1", 1), 0);
    assert_error(gp_state_pick(root, NULL, name, &fail), GP_OK, &fail);
    assert_string_equal(name, "n1");
    assert_error(gp_state_pick(root, "n7", name, &fail), GP_OK, &fail);
    assert_string_equal(name, "n7");
    assert_error(gp_state_pick(root, "../x", name, &fail), GP_E_NAME, &fail);
    assert_int_equal(unsetenv("GRIDPEER_NODE"), 0);
}

static void test_a_mark_tells_simulated_machines(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    (void)state;
    machine_make("n1");
    assert_false(gp_state_is_sim(root, "n1"));
    assert_false(gp_state_is_sim(root, "n7"));
    assert_error(gp_state_begin(root, "n2", &dir, &fail), GP_OK, &fail);
    assert_error(gp_state_mark_sim(&dir, &fail), GP_OK, &fail);
    assert_false(gp_state_is_sim(root, "n2"));
    assert_error(gp_state_commit(&dir, &fail), GP_OK, &fail);
    gp_state_close(&dir);
    assert_true(gp_state_is_sim(root, "n2"));
    /* Only a file of its own counts, in a directory of its own. */
    assert_int_equal(symlink("n2", test_path(root, "n3")), 0);
    assert_false(gp_state_is_sim(root, "n3"));
    assert_int_equal(symlink("../n2/sim", test_path(root, "n1/sim")), 0);
    assert_false(gp_state_is_sim(root, "n1"));
}

static void test_list_is_sorted(void **state)
{
    static gp_state_list_t list;
    gp_fail_t fail;
    (void)state;
    machine_make("zeta");
    machine_make("alpha");
    machine_make("n10");
    assert_error(gp_state_list(root, &list, &fail), GP_OK, &fail);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.names[0], "alpha");
    assert_string_equal(list.names[1], "n10");
    assert_string_equal(list.names[2], "zeta");
}

static void test_remove_leaves_nothing(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    (void)state;
    machine_make("n1");
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_OK, &fail);
    assert_error(gp_state_remove(&dir, &fail), GP_OK, &fail);
    assert_int_equal(test_entries(root), 0);
    assert_int_equal(dir.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_root_comes_from_option_environment_default, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_commit_gives_the_name_and_keeps_the_lock, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_left_of_what_was_not_committed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_crash_left_is_cleared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_commit_loses_against_another_of_the_same_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_open_locks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_recording_may_be_readable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_refuses_modes_links_and_owners, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_pick, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_mark_tells_simulated_machines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list_is_sorted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remove_leaves_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
