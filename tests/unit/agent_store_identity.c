/* Keys, certificate and grid file: read back as written, refused when they do not fit together. */
#include "agent/store/identity.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_node_fixture.h"
#include "proto/random.h"

static char root[128];

static int set_up(void **state)
{
    (void)state;
    (void)test_dir_make(root);
    test_found(root, "n1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_dir_remove(root);
    return 0;
}

static gp_error_t identity_open(gp_wall_ms_t now_ms, bool allow_expired, gp_fail_t *fail)
{
    gp_state_dir_t dir;
    gp_identity_t identity;
    gp_error_t error = gp_state_open(root, "n1", &dir, fail);
    if (error != GP_OK) {
        return error;
    }
    error = gp_identity_open(&dir, now_ms, allow_expired, &identity, fail);
    if (error == GP_OK) {
        gp_identity_close(&identity);
    }
    gp_state_close(&dir);
    return error;
}

static void test_reads_what_was_written(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    gp_identity_t identity;
    (void)state;
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_OK, &fail);
    assert_error(gp_identity_open(&dir, TEST_NOW, false, &identity, &fail), GP_OK, &fail);
    const gp_id_t id = gp_secret_id(identity.node);
    assert_true(gp_id_equal(&id, &identity.id));
    assert_true(gp_id_equal(&id, &identity.cert.node));
    assert_non_null(identity.root);
    assert_string_equal(identity.region, "lab");
    assert_string_equal(identity.cert.name, "n1");
    assert_int_equal(identity.cert.roles, GP_ROLE_ALL);
    assert_int_equal(identity.group >> 56, 0);
    assert_true(identity.group != 0);
    assert_int_equal(identity.region_group >> 56, 1);
    assert_int_equal(identity.grid_group >> 56, 2);
    gp_identity_close(&identity);
    gp_identity_close(&identity); /* twice is fine */
    gp_state_close(&dir);
    struct stat status;
    assert_int_equal(stat(test_path(root, "n1/" GP_FILE_NODE_KEY), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 32);
}

static void test_every_damaged_byte_is_noticed(void **state)
{
    static const char *const files[] = {GP_FILE_NODE_KEY, GP_FILE_ROOT_KEY, GP_FILE_CERT,
                                        GP_FILE_GRID};
    gp_fail_t fail;
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/n1/%s", root, files[i]);
        const long size = test_size(path);
        for (long at = 0; at < size; at++) {
            test_flip(path, at, (unsigned char)(1u << at % 8));
            if (identity_open(TEST_NOW, false, &fail) == GP_OK) {
                fail_msg("%s: byte %ld does not count", files[i], at);
            }
            assert_non_null(strstr(fail.text, files[i]));
            test_flip(path, at, (unsigned char)(1u << at % 8));
        }
        char copy[256];
        (void)snprintf(copy, sizeof copy, "%s/copy", root);
        test_copy(path, copy);
        for (long length = 0; length < size; length += 7) {
            test_cut(path, length);
            assert_true(identity_open(TEST_NOW, false, &fail) != GP_OK);
            test_copy(copy, path);
        }
        test_write(path, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 43);
        assert_true(identity_open(TEST_NOW, false, &fail) != GP_OK);
        test_copy(copy, path);
        assert_error(identity_open(TEST_NOW, false, &fail), GP_OK, &fail);
    }
}

static void test_certificates_have_their_time(void **state)
{
    gp_fail_t fail;
    (void)state;
    const gp_wall_ms_t after = TEST_NOW + GP_CERT_DAYS * TEST_DAY + GP_CERT_GRACE_MS + 1;
    assert_error(identity_open(after, false, &fail), GP_E_CERT_EXPIRED, &fail);
    assert_non_null(strstr(fail.text, "to 2025-07-15 15:06:40 UTC"));
    assert_error(identity_open(after, true, &fail), GP_OK, &fail);
    assert_error(identity_open(TEST_NOW - GP_CERT_GRACE_MS - 1, false, &fail), GP_E_CERT_NOT_YET,
                 &fail);
}

static void test_a_directory_that_was_renamed_is_refused(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    gp_identity_t identity;
    (void)state;
    assert_int_equal(rename(test_path(root, "n1"), test_path(root, "n2")), 0);
    assert_error(gp_state_open(root, "n2", &dir, &fail), GP_OK, &fail);
    assert_error(gp_identity_open(&dir, TEST_NOW, false, &identity, &fail), GP_E_CERT_SIGNATURE,
                 &fail);
    gp_state_close(&dir);
}

static void test_keys_of_another_machine_do_not_fit(void **state)
{
    static const char *const files[] = {GP_FILE_NODE_KEY, GP_FILE_ROOT_KEY, GP_FILE_CERT,
                                        GP_FILE_GRID};
    gp_fail_t fail;
    (void)state;
    test_found(root, "n2");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char own[256];
        char other[256];
        char copy[256];
        (void)snprintf(own, sizeof own, "%s/n1/%s", root, files[i]);
        (void)snprintf(other, sizeof other, "%s/n2/%s", root, files[i]);
        (void)snprintf(copy, sizeof copy, "%s/copy", root);
        test_copy(own, copy);
        test_copy(other, own);
        assert_true(identity_open(TEST_NOW, false, &fail) != GP_OK);
        test_copy(copy, own);
    }
}

static void test_renewal_survives_and_refuses(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    gp_identity_t identity;
    (void)state;
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_OK, &fail);
    assert_error(gp_identity_open(&dir, TEST_NOW, false, &identity, &fail), GP_OK, &fail);
    gp_cert_t cert = identity.cert;
    uint8_t bytes[GP_CERT_MAX];
    size_t n = 0;
    cert.not_after_ms += TEST_DAY;
    cert.serial = 77;
    assert_int_equal(gp_cert_issue(&cert, identity.root, gp_slice(NULL, 0), bytes, &n), GP_OK);
    assert_error(gp_identity_renew(&dir, &identity, gp_slice(bytes, n - 1), TEST_NOW, &fail),
                 GP_E_CERT_FORMAT, &fail);
    assert_int_equal(identity.cert.serial, 0);
    /* What a crash in the middle of an earlier renewal left does not matter. */
    test_write(test_path(dir.path, GP_FILE_CERT ".new"), "rest", 4);
    assert_error(gp_identity_renew(&dir, &identity, gp_slice(bytes, n), TEST_NOW, &fail), GP_OK,
                 &fail);
    assert_int_equal(identity.cert.serial, 77);
    assert_false(test_exists(test_path(dir.path, GP_FILE_CERT ".new")));
    gp_identity_close(&identity);
    assert_error(gp_identity_open(&dir, TEST_NOW, false, &identity, &fail), GP_OK, &fail);
    assert_int_equal(identity.cert.serial, 77);
    gp_identity_close(&identity);
    gp_state_close(&dir);
}

/* The child hardens itself and tells what came of it. */
static int child_harden(void)
{
    gp_fail_t fail;
    struct rlimit core;
    if (gp_harden(false, &fail) != GP_OK || getrlimit(RLIMIT_CORE, &core) != 0 ||
        core.rlim_max != 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 || umask(0) != 077) {
        return 1;
    }
    return raise(SIGPIPE) == 0 && raise(SIGXFSZ) == 0 ? 0 : 2;
}

static void test_hardening(void **state)
{
    static const char *const arguments[] = {"harden", NULL};
    int out = -1;
    (void)state;
    assert_int_equal(test_child_wait(test_child(arguments, &out)), 0);
    (void)close(out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(test_reads_what_was_written),
        T(test_every_damaged_byte_is_noticed),
        T(test_certificates_have_their_time),
        T(test_a_directory_that_was_renamed_is_refused),
        T(test_keys_of_another_machine_do_not_fit),
        T(test_renewal_survives_and_refuses),
        cmocka_unit_test(test_hardening),
    };
    if (argc == 3 && strcmp(argv[1], "child") == 0 && strcmp(argv[2], "harden") == 0) {
        return child_harden();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
