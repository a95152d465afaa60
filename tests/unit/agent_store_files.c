/* Small files: guarded, whole or not there, and failures that say what to do. */
#include "agent/store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_store_fixture.h"

static char path[128];
static gp_folder_t folder;

static int set_up(void **state)
{
    (void)state;
    folder.path = test_dir_make(path);
    folder.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder.fd < 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)close(folder.fd);
    test_dir_remove(path);
    return 0;
}

static gp_error_t read_file(const char *name, gp_guard_t guard, gp_file_buffer_t *buffer,
                            gp_fail_t *fail)
{
    memset(buffer->bytes, 0x55, buffer->size);
    return gp_file_read(folder, name, guard, buffer, fail);
}

static void test_created_once_and_read_back(void **state)
{
    uint8_t bytes[8];
    gp_file_buffer_t buffer = {.bytes = bytes, .size = sizeof bytes};
    gp_fail_t fail;
    struct stat status;
    (void)state;
    const mode_t mask = umask(0777); /* takes every bit away: the mode is what was asked for */
    assert_error(gp_file_create(folder, "f", 0600, gp_text("12345678"), &fail), GP_OK, &fail);
    (void)umask(mask);
    assert_int_equal(stat(test_path(path, "f"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_error(read_file("f", GP_GUARD_SECRET, &buffer, &fail), GP_OK, &fail);
    assert_int_equal(buffer.n, 8);
    assert_memory_equal(bytes, "12345678", 8);
    assert_true(gp_file_create(folder, "f", 0600, gp_text("x"), &fail) != GP_OK);
    assert_error(gp_file_create(folder, "empty", 0600, gp_text(""), &fail), GP_OK, &fail);
    assert_error(read_file("empty", GP_GUARD_SECRET, &buffer, &fail), GP_OK, &fail);
    assert_int_equal(buffer.n, 0);
}

static void test_nothing_is_read_unguarded(void **state)
{
    uint8_t bytes[8];
    const uint8_t zero[8] = {0};
    gp_file_buffer_t buffer = {.bytes = bytes, .size = sizeof bytes};
    gp_fail_t fail;
    (void)state;
    assert_error(read_file("f", GP_GUARD_PUBLIC, &buffer, &fail), GP_E_STATE_DAMAGED, &fail);
    assert_non_null(strstr(fail.text, "missing"));
    test_write(test_path(path, "f"), "secret", 6);
    assert_int_equal(chmod(test_path(path, "f"), 0644), 0);
    assert_error(read_file("f", GP_GUARD_SECRET, &buffer, &fail), GP_E_STATE_MODE, &fail);
    assert_memory_equal(bytes, zero, sizeof bytes);
    assert_non_null(strstr(fail.text, "chmod 600 "));
    assert_error(read_file("f", GP_GUARD_PUBLIC, &buffer, &fail), GP_OK, &fail);
    assert_int_equal(symlink("f", test_path(path, "link")), 0);
    assert_error(read_file("link", GP_GUARD_PUBLIC, &buffer, &fail), GP_E_STATE_MODE, &fail);
    assert_error(gp_file_check(folder, "link", GP_GUARD_PUBLIC, &fail), GP_E_STATE_MODE, &fail);
    assert_int_equal(mkfifo(test_path(path, "pipe"), 0600), 0);
    assert_error(read_file("pipe", GP_GUARD_PUBLIC, &buffer, &fail), GP_E_STATE_MODE, &fail);
    test_write(test_path(path, "big"), "123456789", 9);
    assert_error(read_file("big", GP_GUARD_SECRET, &buffer, &fail), GP_E_STATE_DAMAGED, &fail);
    assert_memory_equal(bytes, zero, sizeof bytes);
}

static void test_replaced_or_as_it_was(void **state)
{
    uint8_t bytes[64];
    gp_file_buffer_t buffer = {.bytes = bytes, .size = sizeof bytes};
    gp_fail_t fail;
    struct rlimit before;
    (void)state;
    assert_error(gp_file_create(folder, "f", 0600, gp_text("old"), &fail), GP_OK, &fail);
    test_write(test_path(path, "f.new"), "a crash left this", 17);
    assert_error(gp_file_replace(folder, "f", 0600, gp_text("newer"), &fail), GP_OK, &fail);
    assert_error(read_file("f", GP_GUARD_SECRET, &buffer, &fail), GP_OK, &fail);
    assert_memory_equal(bytes, "newer", 5);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){2, before.rlim_max}), 0);
    const gp_error_t error = gp_file_replace(folder, "f", 0600, gp_text("newest"), &fail);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_error(error, GP_E_STATE_FULL, &fail);
    assert_error(read_file("f", GP_GUARD_SECRET, &buffer, &fail), GP_OK, &fail);
    assert_memory_equal(bytes, "newer", 5);
    assert_int_equal(test_entries(path), 1);
}

static void test_emptied(void **state)
{
    static const char *const first[] = {"b", "not there", NULL};
    gp_fail_t fail;
    (void)state;
    assert_error(gp_file_create(folder, "a", 0600, gp_text("1"), &fail), GP_OK, &fail);
    assert_error(gp_file_create(folder, "b", 0600, gp_text("2"), &fail), GP_OK, &fail);
    assert_error(gp_file_create(folder, ".c", 0600, gp_text("3"), &fail), GP_OK, &fail);
    gp_folder_empty(folder, first);
    assert_int_equal(test_entries(path), 0);
}

static void test_system_errors_have_their_codes(void **state)
{
    gp_fail_t fail;
    char far[2000];
    (void)state;
    assert_error(gp_fail_errno(&fail, ENOSPC, "cannot %s", "do"), GP_E_STATE_FULL, &fail);
    assert_string_equal(fail.text, "cannot do: No space left on device");
    assert_error(gp_fail_errno(&fail, EDQUOT, "x"), GP_E_STATE_FULL, &fail);
    assert_error(gp_fail_errno(&fail, EACCES, "x"), GP_E_NOT_PERMITTED, &fail);
    assert_error(gp_fail_errno(&fail, ENOMEM, "x"), GP_E_MEMORY, &fail);
    assert_error(gp_fail_errno(&fail, EMFILE, "x"), GP_E_SYSTEM, &fail);
    assert_error(gp_fail_errno(&fail, EIO, "x"), GP_E_STATE_IO, &fail);
    assert_error(gp_fail_errno(&fail, 99999, "x"), GP_E_STATE_IO, &fail);
    assert_int_equal(gp_fail(NULL, GP_E_BUSY, "%s", "nobody listens"), GP_E_BUSY);
    char time[GP_FAIL_TIME_TEXT];
    assert_string_equal(gp_fail_time(UINT64_C(1750000000999), time), "2025-06-15 15:06:40 UTC");
    assert_string_equal(gp_fail_time(UINT64_MAX, time), "9999-12-31 23:59:59 UTC");
    memset(far, 'x', sizeof far - 1);
    far[sizeof far - 1] = '\0';
    assert_error(gp_fail_errno(&fail, EIO, "%s", far), GP_E_STATE_IO, &fail);
    assert_int_equal(strlen(fail.text), sizeof fail.text - 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_created_once_and_read_back),     T(test_nothing_is_read_unguarded),
        T(test_replaced_or_as_it_was),          T(test_emptied),
        T(test_system_errors_have_their_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
