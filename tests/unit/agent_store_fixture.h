/*
 * What the tests of agent/store and agent/node share: a directory of their own, damage to files,
 * and a child process that is killed.
 */
#ifndef GP_TEST_AGENT_STORE_FIXTURE_H
#define GP_TEST_AGENT_STORE_FIXTURE_H

#include "proto/types.h"

#include <stdio.h>
#include <sys/types.h>

#include "agent/store/store.h"
#include "proto/message.h"
#include "proto_cmocka.h"

/* A fresh directory of mode 0700 under TMPDIR; test_dir_remove takes all of it away. */
const char *test_dir_make(char path[128]);
void test_dir_remove(const char *path);

/* path/name, in one of a few static buffers. */
const char *test_path(const char *path, const char *name);

bool test_exists(const char *path);
long test_size(const char *path); /* -1: there is no such file */

/* How many entries a directory has, hidden ones too. */
int test_entries(const char *path);

/* Whole files. */
void test_write(const char *path, const void *bytes, size_t n);
size_t test_read(const char *path, void *to, size_t size);
void test_copy(const char *from, const char *to);
void test_cut(const char *path, long length);
void test_flip(const char *path, long offset, unsigned char bits);

/* A sum over names and contents of a directory's files, to see that nothing was changed. */
uint64_t test_dir_sum(const char *path);

/*
 * Starts this very program with the arguments "child" and `arguments`; *ret_out is a pipe from its
 * standard output.
 */
pid_t test_child(const char *const *arguments, int *ret_out);

/* Kills it with SIGKILL and waits for its end. */
void test_child_kill(pid_t pid);
int test_child_wait(pid_t pid); /* its exit code, or 128 + signal */

/* Keeps a record of which there is one. */
void test_put(gp_store_t *store, const gp_msg_t *msg, uint64_t token);

/* Asserts the error, and prints its text if it is another one. */
#define assert_error(actual, expected, fail)                                                       \
    test_assert_error((actual), (expected), (fail), __LINE__)
void test_assert_error(gp_error_t actual, gp_error_t expected, const gp_fail_t *fail, int line);

#endif
