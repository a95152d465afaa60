/* The store: what it says is durable is there after a crash; what is damaged is said to be. */
#include "agent/store/store.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/store/state_dir.h"
#include "agent_store_fixture.h"
#include "proto/random.h"

static char dir[128];

static int set_up(void **state)
{
    (void)state;
    gp_fail_t fail;
    (void)test_dir_make(dir);
    assert_error(gp_store_create(dir, &fail), GP_OK, &fail);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_dir_remove(dir);
    return 0;
}

static gp_store_t *store_open(void)
{
    gp_fail_t fail;
    gp_store_t *store = NULL;
    assert_error(gp_store_open(dir, NULL, &store, &fail), GP_OK, &fail);
    return store;
}

/* A record of a core whose contents tell which one it is: an election's term. */
static size_t state_pack(uint64_t term, uint8_t to[256])
{
    static gp_msg_t msg;
    size_t n = 0;
    msg = (gp_msg_t){.kind = GP_MSG_ELECTION_STATE};
    msg.u.election_state.group = 7;
    msg.u.election_state.term = term;
    assert_int_equal(gp_msg_pack(&msg, to, 256, &n), GP_OK);
    return n;
}

static void state_put(gp_store_t *store, uint64_t term, uint64_t token)
{
    uint8_t bytes[256];
    const size_t n = state_pack(term, bytes);
    const gp_store_record_t record = {
        .room = GP_ROOM_ELECTION, .kind = GP_MSG_ELECTION_STATE, .bytes = gp_slice(bytes, n)};
    gp_store_put(store, &record, token);
}

static gp_error_t state_put_now(gp_store_t *store, uint64_t key, uint64_t term)
{
    uint8_t bytes[256];
    gp_fail_t fail;
    const size_t n = state_pack(term, bytes);
    const gp_store_record_t record = {.room = GP_ROOM_ELECTION,
                                      .kind = GP_MSG_ELECTION_STATE,
                                      .key = key,
                                      .bytes = gp_slice(bytes, n)};
    return gp_store_put_now(store, &record, &fail);
}

typedef struct loaded {
    uint32_t count;
    uint64_t keys[64];
    uint64_t terms[64];
} loaded_t;

static void on_load(void *context, uint64_t key, const gp_msg_t *msg)
{
    loaded_t *loaded = context;
    assert_int_equal(msg->kind, GP_MSG_ELECTION_STATE);
    assert_true(loaded->count < 64);
    loaded->keys[loaded->count] = key;
    loaded->terms[loaded->count] = msg->u.election_state.term;
    loaded->count++;
}

static loaded_t load(gp_store_t *store)
{
    gp_fail_t fail;
    loaded_t loaded = {.count = 0};
    assert_error(gp_store_load(store, GP_ROOM_ELECTION, on_load, &loaded, &fail), GP_OK, &fail);
    return loaded;
}

/* ---- the loop's side ---------------------------------------------------------------------------
 */

typedef struct news {
    uint32_t count;
    uint32_t failed;
    uint64_t last;
} news_t;

static void on_stored(void *context, gp_room_t room, uint64_t token, bool ok)
{
    news_t *news = context;
    assert_int_equal(room, GP_ROOM_ELECTION);
    assert_true(token > news->last); /* in order */
    news->last = token;
    news->count++;
    news->failed += ok ? 0 : 1;
}

static void start(gp_store_t *store, news_t *news)
{
    gp_fail_t fail;
    assert_error(gp_store_start(store, NULL, on_stored, news, &fail), GP_OK, &fail);
}

static void wait_news(gp_store_t *store, const news_t *news, uint32_t count)
{
    while (news->count < count) {
        struct pollfd fd = {.fd = gp_store_fd(store), .events = POLLIN};
        assert_int_equal(poll(&fd, 1, 10000), 1);
        gp_store_deliver(store);
    }
}

static void test_boot_epoch_rises(void **state)
{
    gp_fail_t fail;
    uint64_t epoch = 0;
    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        gp_store_t *store = store_open();
        assert_error(gp_store_boot(store, &epoch, &fail), GP_OK, &fail);
        assert_int_equal(epoch, i);
        gp_store_close(store);
    }
}

static void test_latest_of_each_key_is_kept(void **state)
{
    (void)state;
    gp_store_t *store = store_open();
    assert_int_equal(state_put_now(store, 0, 1), GP_OK);
    assert_int_equal(state_put_now(store, 9, 2), GP_OK);
    assert_int_equal(state_put_now(store, 0, 3), GP_OK);
    gp_store_close(store);
    store = store_open();
    const loaded_t loaded = load(store);
    assert_int_equal(loaded.count, 2);
    assert_int_equal(loaded.keys[0], 0);
    assert_int_equal(loaded.terms[0], 3);
    assert_int_equal(loaded.keys[1], 9);
    assert_int_equal(loaded.terms[1], 2);
    gp_store_close(store);
}

static void test_put_is_answered_in_order_and_grouped(void **state)
{
    news_t news = {.count = 0};
    (void)state;
    gp_store_t *store = store_open();
    start(store, &news);
    for (uint64_t i = 1; i <= 500; i++) {
        state_put(store, i, i);
    }
    wait_news(store, &news, 500);
    assert_int_equal(news.failed, 0);
    assert_true(gp_store_stats(store).commits < 300); /* fewer commits than puts */
    gp_store_close(store);
    store = store_open();
    const loaded_t loaded = load(store);
    assert_int_equal(loaded.count, 1);
    assert_int_equal(loaded.terms[0], 500);
    gp_store_close(store);
}

static void test_stop_commits_what_waits(void **state)
{
    news_t news = {.count = 0};
    (void)state;
    gp_store_t *store = store_open();
    start(store, &news);
    for (uint64_t i = 1; i <= 100; i++) {
        state_put(store, i, i);
    }
    gp_store_remove(store, GP_ROOM_ELECTION, GP_MSG_ELECTION_STATE, 5);
    gp_store_stop(store);
    assert_int_equal(news.count, 100);
    assert_int_equal(load(store).terms[0], 100);
    gp_store_close(store);
}

static void log_one(gp_store_t *store, gp_slice_t detail)
{
    const gp_log_entry_t entry = {.at = 5,
                                  .actor = gp_text("agent"),
                                  .what = gp_text("note"),
                                  .object = gp_text("n1"),
                                  .detail = detail};
    gp_store_log(store, &entry);
}

typedef struct late {
    gp_store_t *store;
    uint32_t stored;
    uint32_t done;
} late_t;

static void on_late_done(void *context, gp_error_t result)
{
    late_t *late = context;
    assert_int_equal(result, GP_E_BUSY);
    late->done++;
}

static gp_error_t never_run(gp_store_t *store, void *context)
{
    (void)store;
    (void)context;
    fail_msg("ran after the end");
    return GP_OK;
}

/* A core that answers a durable record with the next one, as an election does. */
static void on_late_stored(void *context, gp_room_t room, uint64_t token, bool ok)
{
    late_t *late = context;
    assert_int_equal(room, GP_ROOM_ELECTION);
    assert_true(ok && token == 1);
    late->stored++;
    state_put(late->store, 2, 2);
    gp_store_run(late->store, never_run, on_late_done, late);
    log_one(late->store, gp_text("late"));
}

static void test_what_comes_while_stopping_is_not_written(void **state)
{
    gp_fail_t fail;
    (void)state;
    late_t late = {.store = store_open()};
    assert_error(gp_store_start(late.store, NULL, on_late_stored, &late, &fail), GP_OK, &fail);
    state_put(late.store, 1, 1);
    gp_store_stop(late.store);
    assert_int_equal(late.stored, 1);
    assert_int_equal(late.done, 1);
    assert_int_equal(load(late.store).terms[0], 1);
    gp_store_close(late.store);
}

static void test_removed_record_is_gone(void **state)
{
    news_t news = {.count = 0};
    (void)state;
    gp_store_t *store = store_open();
    assert_int_equal(state_put_now(store, 3, 1), GP_OK);
    assert_int_equal(state_put_now(store, 4, 2), GP_OK);
    start(store, &news);
    gp_store_remove(store, GP_ROOM_ELECTION, GP_MSG_ELECTION_STATE, 3);
    gp_store_remove(store, GP_ROOM_ELECTION, GP_MSG_ELECTION_STATE, 77); /* was never there */
    gp_store_close(store);
    store = store_open();
    const loaded_t loaded = load(store);
    assert_int_equal(loaded.count, 1);
    assert_int_equal(loaded.keys[0], 4);
    gp_store_close(store);
}

static void test_full_queue_refuses(void **state)
{
    news_t news = {.count = 0};
    (void)state;
    gp_store_t *store = store_open();
    start(store, &news);
    for (uint64_t i = 1; i <= 20 * GP_STORE_QUEUE_MAX; i++) {
        state_put(store, i, i);
    }
    wait_news(store, &news, 20 * GP_STORE_QUEUE_MAX);
    assert_true(news.failed < news.count);
    gp_store_close(store);
    store = store_open();
    assert_int_equal(load(store).count, 1);
    gp_store_close(store);
}

static void count_entry(void *context, const gp_log_entry_t *entry)
{
    uint32_t *count = context;
    assert_true(gp_slice_equal(entry->object, gp_text("n1")));
    assert_int_equal(entry->hash.n, 32);
    (*count)++;
}

static uint32_t entries(gp_store_t *store)
{
    uint32_t count = 0;
    assert_int_equal(gp_store_log_read(store, 0, 100000, count_entry, &count), GP_OK);
    return count;
}

/* The disk hangs: what is queued then has a limit, entries of the log included. */
static gp_error_t run_hang(gp_store_t *store, void *context)
{
    const int *pipe_fds = context;
    char byte = 'b';
    (void)store;
    assert_int_equal(write(pipe_fds[3], &byte, 1), 1); /* it hangs */
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    return GP_OK;
}

static void on_hang_done(void *context, gp_error_t result)
{
    (void)context;
    assert_int_equal(result, GP_OK);
}

static void test_a_hanging_disk_has_a_bounded_queue(void **state)
{
    news_t news = {.count = 0};
    int pipes[4];
    char byte = 'b';
    (void)state;
    gp_store_t *store = store_open();
    start(store, &news);
    assert_true(pipe(pipes) == 0 && pipe(pipes + 2) == 0);
    gp_store_run(store, run_hang, on_hang_done, pipes);
    assert_int_equal(read(pipes[2], &byte, 1), 1);
    for (uint64_t i = 1; i <= 3 * GP_STORE_QUEUE_MAX; i++) {
        log_one(store, gp_text("written while the disk hangs"));
    }
    for (uint64_t i = 1; i <= 8; i++) {
        state_put(store, i, i);
    }
    assert_int_equal(gp_store_stats(store).failures, 2 * GP_STORE_QUEUE_MAX + 8);
    assert_int_equal(write(pipes[1], &byte, 1), 1);
    wait_news(store, &news, 8);
    assert_int_equal(news.failed, 8); /* each is told, in its turn */
    gp_store_close(store);
    store = store_open();
    assert_int_equal(entries(store), GP_STORE_QUEUE_MAX);
    gp_store_close(store);
    for (int i = 0; i < 4; i++) {
        (void)close(pipes[i]);
    }
}

/* ---- transactions of others --------------------------------------------------------------------
 */

static gp_error_t run_log(gp_store_t *store, void *context)
{
    const gp_error_t *result = context;
    const gp_log_entry_t entry = {.at = 1,
                                  .actor = gp_text("operator"),
                                  .what = gp_text("test"),
                                  .object = gp_text("n1"),
                                  .detail = gp_text("")};
    assert_int_equal(gp_store_log_inside(store, &entry), GP_OK);
    return *result;
}

static void on_done(void *context, gp_error_t result)
{
    gp_error_t *got = context;
    assert_int_equal(*got, result);
    *got = GP_E_TIMED_OUT; /* was called */
}

static void test_a_refused_run_changes_nothing(void **state)
{
    gp_fail_t fail;
    gp_error_t refuse = GP_E_TOKEN_USED;
    gp_error_t accept = GP_OK;
    news_t news = {.count = 0};
    (void)state;
    gp_store_t *store = store_open();
    assert_error(gp_store_run_now(store, run_log, &refuse, &fail), GP_E_TOKEN_USED, &fail);
    const uint64_t commits = gp_store_stats(store).commits;
    start(store, &news);
    gp_store_run(store, run_log, on_done, &refuse);
    state_put(store, 5, 1);
    gp_store_run(store, run_log, on_done, &accept);
    assert_error(gp_store_run_now(store, run_log, &(gp_error_t){GP_E_BUSY}, &fail), GP_E_BUSY,
                 &fail);
    gp_store_stop(store);
    assert_int_equal(refuse, GP_E_TIMED_OUT);
    assert_int_equal(accept, GP_E_TIMED_OUT);
    assert_true(gp_store_stats(store).commits > commits);
    assert_int_equal(entries(store), 1);
    assert_int_equal(load(store).terms[0], 5);
    gp_store_close(store);
    store = store_open();
    assert_int_equal(entries(store), 1);
    gp_store_close(store);
}

/* ---- the activity log --------------------------------------------------------------------------
 */

static void test_log_is_chained_and_bounded(void **state)
{
    static char far[5000];
    news_t news = {.count = 0};
    uint64_t wrong = 0;
    (void)state;
    memset(far, 'x', sizeof far);
    gp_store_t *store = store_open();
    gp_store_log_keep(store, 1000);
    start(store, &news);
    for (int i = 0; i < 3000; i++) {
        log_one(store, gp_slice(far, (size_t)i % 300));
        if (i % 500 == 0) {
            state_put(store, 1, (uint64_t)i + 1);
            wait_news(store, &news, (uint32_t)(i / 500 + 1));
        }
    }
    log_one(store, gp_slice(far, sizeof far)); /* is cut */
    log_one(store, gp_slice("\0\xff", 2));
    gp_store_stop(store);
    const uint32_t kept = entries(store);
    assert_in_range(kept, 1000, 1125);
    const gp_log_span_t span = gp_store_log_span(store);
    assert_int_equal(span.last - span.first + 1, kept);
    assert_int_equal(gp_store_log_verify(store, &wrong), GP_OK);
    gp_store_close(store);
    store = store_open();
    assert_int_equal(entries(store), kept);
    assert_int_equal(gp_store_log_verify(store, &wrong), GP_OK);
    gp_store_close(store);
}

/* ---- two at once, killed, damaged --------------------------------------------------------------
 */

static void test_create_refuses_what_exists(void **state)
{
    gp_fail_t fail;
    (void)state;
    const uint64_t sum = test_dir_sum(dir);
    assert_true(gp_store_create(dir, &fail) != GP_OK);
    assert_int_equal(test_dir_sum(dir), sum);
    assert_true(gp_store_create(test_path(dir, "nowhere"), &fail) != GP_OK);
}

/* The child: writes records and tells which are durable; is killed from outside. */
static int child_write(const char *path)
{
    gp_fail_t fail;
    gp_store_t *store = NULL;
    if (gp_store_open(path, NULL, &store, &fail) != GP_OK) {
        (void)fprintf(stderr, "%s\n", fail.text);
        return 1;
    }
    for (uint64_t term = load(store).count > 0 ? load(store).terms[0] + 1 : 1;; term++) {
        if (state_put_now(store, 0, term) != GP_OK ||
            write(1, &term, sizeof term) != (ssize_t)sizeof term) {
            return 2;
        }
    }
}

static uint64_t last_told(int fd)
{
    uint64_t last = 0;
    uint64_t term = 0;
    while (read(fd, &term, sizeof term) == (ssize_t)sizeof term) {
        assert_true(term > last);
        last = term;
    }
    return last;
}

static void test_kill_9_loses_nothing_that_was_told(void **state)
{
    uint64_t last = 0;
    (void)state;
    for (int round = 0; round < 15; round++) {
        const char *const arguments[] = {"write", dir, NULL};
        int out = -1;
        const pid_t pid = test_child(arguments, &out);
        uint64_t term = 0;
        /* Some rounds long enough for the journal to be emptied in between. */
        const int writes = round % 5 == 4 ? 200 : 1 + round * 2;
        for (int i = 0; i < writes; i++) {
            assert_int_equal(read(out, &term, sizeof term), sizeof term);
            assert_true(term > last);
            last = term;
        }
        test_child_kill(pid);
        const uint64_t more = last_told(out);
        last = more > last ? more : last;
        (void)close(out);
        gp_store_t *store = store_open();
        const loaded_t loaded = load(store);
        assert_int_equal(loaded.count, 1);
        /* One more may have been written and not told. */
        assert_in_range(loaded.terms[0], last, last + 1);
        last = loaded.terms[0];
        gp_store_close(store);
    }
}

/* Leaves a database with a journal that is not empty, as after kill -9; the last term is returned.
 */
static uint64_t crashed_state(int writes)
{
    const char *const arguments[] = {"write", dir, NULL};
    int out = -1;
    uint64_t last = 0;
    const pid_t pid = test_child(arguments, &out);
    for (int i = 0; i < writes; i++) {
        assert_int_equal(read(out, &last, sizeof last), sizeof last);
    }
    test_child_kill(pid);
    const uint64_t more = last_told(out);
    (void)close(out);
    return more > last ? more : last;
}

/*
 * After damage: either everything that was told is there, or the store says that it is damaged and
 * has not touched a byte.
 */
static bool check_damaged(const char *path, uint64_t last)
{
    gp_fail_t fail;
    gp_store_t *store = NULL;
    const uint64_t sum = test_dir_sum(path);
    const gp_error_t error = gp_store_open(path, NULL, &store, &fail);
    if (error == GP_OK) {
        loaded_t loaded = {.count = 0};
        assert_error(gp_store_load(store, GP_ROOM_ELECTION, on_load, &loaded, &fail), GP_OK, &fail);
        assert_int_equal(loaded.count, 1);
        assert_in_range(loaded.terms[0], last, last + 1);
        gp_store_close(store);
        return false;
    }
    assert_error(error, GP_E_STATE_DAMAGED, &fail);
    assert_non_null(strstr(fail.text, path));
    assert_int_equal(test_dir_sum(path), sum);
    return true;
}

static void test_damage_is_noticed_and_left_alone(void **state)
{
    static const char *const files[] = {GP_FILE_DB, GP_FILE_DB_WAL, GP_FILE_MARK};
    char copy[128];
    gp_random_t random;
    uint32_t noticed[3] = {0};
    (void)state;
    gp_random_init(&random, 11);
    const uint64_t last = crashed_state(40);
    assert_true(test_size(test_path(dir, GP_FILE_DB_WAL)) > 0);
    for (int round = 0; round < 240; round++) {
        const size_t which = (size_t)round % 3;
        (void)test_dir_make(copy);
        for (size_t i = 0; i < 3; i++) {
            test_copy(test_path(dir, files[i]), test_path(copy, files[i]));
        }
        const char *victim = test_path(copy, files[which]);
        const long size = test_size(victim);
        const long at = (long)gp_random_below(&random, (uint64_t)size);
        if (round % 2 == 0) {
            test_cut(victim, round < 6 ? 0 : at);
        } else {
            for (int i = 0; i < 1 + round % 40; i++) {
                test_flip(victim, (at + i) % size,
                          (unsigned char)(1 + gp_random_below(&random, 255)));
            }
        }
        noticed[which] += check_damaged(copy, last) ? 1 : 0;
        test_dir_remove(copy);
    }
    assert_true(noticed[0] > 20);
    assert_true(noticed[1] > 60); /* nearly every byte of the journal counts */
    assert_true(noticed[2] > 20);
}

static void test_files_set_back_or_missing(void **state)
{
    gp_fail_t fail;
    gp_store_t *store = NULL;
    char old[128];
    (void)state;
    (void)test_dir_make(old);
    (void)crashed_state(10);
    test_copy(test_path(dir, GP_FILE_DB_WAL), test_path(old, "wal"));
    test_copy(test_path(dir, GP_FILE_DB), test_path(old, "db"));
    (void)crashed_state(10);
    /* An older journal; then none; then an older pair. */
    test_copy(test_path(dir, GP_FILE_DB_WAL), test_path(old, "new-wal"));
    assert_int_equal(unlink(test_path(dir, GP_FILE_DB_WAL)), 0);
    assert_error(gp_store_open(dir, NULL, &store, &fail), GP_E_STATE_DAMAGED, &fail);
    assert_non_null(strstr(fail.text, "lacks the last"));
    test_copy(test_path(old, "db"), test_path(dir, GP_FILE_DB));
    test_copy(test_path(old, "wal"), test_path(dir, GP_FILE_DB_WAL));
    assert_error(gp_store_open(dir, NULL, &store, &fail), GP_E_STATE_DAMAGED, &fail);
    assert_int_equal(unlink(test_path(dir, GP_FILE_DB)), 0);
    assert_error(gp_store_open(dir, NULL, &store, &fail), GP_E_STATE_DAMAGED, &fail);
    assert_true(test_exists(test_path(dir, GP_FILE_DB_WAL))); /* evidence stays */
    test_dir_remove(old);
}

/* ---- full disk ---------------------------------------------------------------------------------
 */

static void test_full_disk_fails_safely_and_heals(void **state)
{
    struct rlimit before;
    news_t news = {.count = 0};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    gp_store_t *store = store_open();
    start(store, &news);
    state_put(store, 1, 1);
    wait_news(store, &news, 1);
    assert_int_equal(news.failed, 0);
    const struct rlimit small = {.rlim_cur = (rlim_t)test_size(test_path(dir, GP_FILE_DB_WAL)),
                                 .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    state_put(store, 2, 2);
    wait_news(store, &news, 2);
    assert_int_equal(news.failed, 1);
    gp_fail_t fail;
    assert_error(gp_store_failure(store, &fail), GP_E_STATE_FULL, &fail);
    assert_non_null(strstr(fail.text, dir));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    state_put(store, 3, 3);
    wait_news(store, &news, 3);
    assert_int_equal(news.failed, 1);
    assert_int_equal(gp_store_failure(store, NULL), GP_OK);
    gp_store_close(store);
    store = store_open();
    assert_int_equal(load(store).terms[0], 3);
    gp_store_close(store);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_boot_epoch_rises, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_latest_of_each_key_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_put_is_answered_in_order_and_grouped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_stop_commits_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_comes_while_stopping_is_not_written, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_removed_record_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_hanging_disk_has_a_bounded_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_queue_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_refused_run_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log_is_chained_and_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_create_refuses_what_exists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kill_9_loses_nothing_that_was_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_is_noticed_and_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_files_set_back_or_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk_fails_safely_and_heals, set_up, tear_down),
    };
    if (argc == 4 && strcmp(argv[1], "child") == 0 && strcmp(argv[2], "write") == 0) {
        return child_write(argv[3]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
