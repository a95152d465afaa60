#include "agent_store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/random.h"
#include "tests/temporary.h"

extern char **environ;

const char *test_dir_make(char path[128])
{
    assert_true(test_temporary(path, 128));
    return path;
}

void test_dir_remove(const char *path)
{
    DIR *entries = opendir(path);
    if (entries == NULL) {
        (void)unlink(path);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        char child[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(child, sizeof child, "%.200s/%.255s", path, entry->d_name);
        struct stat status;
        if (lstat(child, &status) == 0 && S_ISDIR(status.st_mode)) {
            test_dir_remove(child);
        } else {
            (void)unlink(child);
        }
    }
    (void)closedir(entries);
    (void)rmdir(path);
}

const char *test_path(const char *path, const char *name)
{
    static char buffers[8][512];
    static unsigned next;
    char *buffer = buffers[next++ % 8];
    (void)snprintf(buffer, sizeof buffers[0], "%.300s/%.200s", path, name);
    return buffer;
}

bool test_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

long test_size(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 ? (long)status.st_size : -1;
}

int test_entries(const char *path)
{
    DIR *entries = opendir(path);
    if (entries == NULL) {
        return 0;
    }
    int count = 0;
    while (readdir(entries) != NULL) {
        count++;
    }
    (void)closedir(entries);
    return count - 2;
}

void test_write(const char *path, const void *bytes, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    assert_int_equal(close(fd), 0);
}

size_t test_read(const char *path, void *to, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    const ssize_t n = read(fd, to, size);
    assert_true(n >= 0);
    assert_int_equal(close(fd), 0);
    return (size_t)n;
}

void test_copy(const char *from, const char *to)
{
    const long size = test_size(from);
    if (size < 0) {
        (void)unlink(to);
        return;
    }
    void *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    assert_int_equal(test_read(from, bytes, (size_t)size), (size_t)size);
    test_write(to, bytes, (size_t)size);
    free(bytes);
}

void test_cut(const char *path, long length)
{
    assert_int_equal(truncate(path, length), 0);
}

void test_flip(const char *path, long offset, unsigned char bits)
{
    unsigned char byte = 0;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= bits;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    assert_int_equal(close(fd), 0);
}

uint64_t test_dir_sum(const char *path)
{
    uint64_t sum = 0;
    DIR *entries = opendir(path);
    assert_non_null(entries);
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        const char *file = test_path(path, entry->d_name);
        struct stat status;
        if (lstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
            continue;
        }
        void *bytes = malloc((size_t)status.st_size + 1);
        assert_non_null(bytes);
        const size_t n = test_read(file, bytes, (size_t)status.st_size);
        sum += gp_hash(bytes, n, gp_hash(entry->d_name, strlen(entry->d_name), 1));
        free(bytes);
    }
    (void)closedir(entries);
    return sum;
}

pid_t test_child(const char *const *arguments, int *ret_out)
{
    char *argv[12] = {"/proc/self/exe", "child"};
    size_t count = 2;
    for (size_t i = 0; arguments[i] != NULL; i++) {
        assert_true(count < 11);
        argv[count] = strdup(arguments[i]);
        assert_non_null(argv[count]);
        count++;
    }
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], 1), 0);
    pid_t pid = 0;
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    *ret_out = ends[0];
    for (size_t i = 2; i < count; i++) {
        free(argv[i]);
    }
    return pid;
}

int test_child_wait(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void test_child_kill(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(test_child_wait(pid), 128 + SIGKILL);
}

void test_assert_error(gp_error_t actual, gp_error_t expected, const gp_fail_t *fail, int line)
{
    if (actual != expected) {
        fail_msg("line %d: %s instead of %s: %s", line, gp_error_name(actual),
                 expected == GP_OK ? "success" : gp_error_name(expected),
                 fail != NULL && actual != GP_OK ? fail->text : "");
    }
    if (expected != GP_OK && fail != NULL) {
        assert_int_equal(fail->code, expected);
        assert_true(strlen(fail->text) < sizeof fail->text);
    }
}

void test_put(gp_store_t *store, const gp_msg_t *msg, uint64_t token)
{
    static uint8_t bytes[GP_MESSAGE_MAX];
    size_t n = 0;
    assert_int_equal(gp_msg_pack(msg, bytes, sizeof bytes, &n), GP_OK);
    const gp_store_record_t record = {
        .room = gp_msg_room(msg->kind), .kind = msg->kind, .bytes = gp_slice(bytes, n)};
    gp_store_put(store, &record, token);
}
