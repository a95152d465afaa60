/*
 * A disk that fails: each write and each wait for the disk in turn, by a SQLite VFS that stands
 * before the real one. What is told to be durable must be there when the real disk is read again.
 */
#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/store/state_dir.h"
#include "agent/store/store.h"
#include "agent_store_fixture.h"

/* ---- the VFS -----------------------------------------------------------------------------------
 */

typedef struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real;
} faulty_file_t;

typedef enum fault { FAULT_NONE, FAULT_WRITE_FULL, FAULT_WRITE_IO, FAULT_SYNC } fault_t;

static fault_t fault;
static int countdown; /* calls until the fault; it then stays */
static int calls;

static bool fails(fault_t kind)
{
    calls += kind == fault ? 1 : 0;
    return kind == fault && calls > countdown;
}

static faulty_file_t *faulty(sqlite3_file *file)
{
    return (faulty_file_t *)file;
}

static int f_close(sqlite3_file *file)
{
    return faulty(file)->real->pMethods->xClose(faulty(file)->real);
}

static int f_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
    return faulty(file)->real->pMethods->xRead(faulty(file)->real, to, n, offset);
}

static int f_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 offset)
{
    sqlite3_file *real = faulty(file)->real;
    if (fails(FAULT_WRITE_FULL)) {
        return SQLITE_FULL;
    }
    if (fails(FAULT_WRITE_IO)) {
        (void)real->pMethods->xWrite(real, from, n / 2, offset); /* torn */
        return SQLITE_IOERR_WRITE;
    }
    return real->pMethods->xWrite(real, from, n, offset);
}

static int f_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return faulty(file)->real->pMethods->xTruncate(faulty(file)->real, size);
}

static int f_sync(sqlite3_file *file, int flags)
{
    return fails(FAULT_SYNC) ? SQLITE_IOERR_FSYNC
                             : faulty(file)->real->pMethods->xSync(faulty(file)->real, flags);
}

static int f_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return faulty(file)->real->pMethods->xFileSize(faulty(file)->real, size);
}

static int f_lock(sqlite3_file *file, int level)
{
    return faulty(file)->real->pMethods->xLock(faulty(file)->real, level);
}

static int f_unlock(sqlite3_file *file, int level)
{
    return faulty(file)->real->pMethods->xUnlock(faulty(file)->real, level);
}

static int f_reserved(sqlite3_file *file, int *result)
{
    return faulty(file)->real->pMethods->xCheckReservedLock(faulty(file)->real, result);
}

static int f_control(sqlite3_file *file, int operation, void *argument)
{
    return faulty(file)->real->pMethods->xFileControl(faulty(file)->real, operation, argument);
}

static int f_sector(sqlite3_file *file)
{
    return faulty(file)->real->pMethods->xSectorSize(faulty(file)->real);
}

static int f_device(sqlite3_file *file)
{
    return faulty(file)->real->pMethods->xDeviceCharacteristics(faulty(file)->real);
}

/* Version 1: no shared memory, which the store does without. */
static const sqlite3_io_methods faulty_methods = {.iVersion = 1,
                                                  .xClose = f_close,
                                                  .xRead = f_read,
                                                  .xWrite = f_write,
                                                  .xTruncate = f_truncate,
                                                  .xSync = f_sync,
                                                  .xFileSize = f_size,
                                                  .xLock = f_lock,
                                                  .xUnlock = f_unlock,
                                                  .xCheckReservedLock = f_reserved,
                                                  .xFileControl = f_control,
                                                  .xSectorSize = f_sector,
                                                  .xDeviceCharacteristics = f_device};

static sqlite3_vfs faulty_vfs;

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    sqlite3_vfs *real = vfs->pAppData;
    faulty(file)->real = (sqlite3_file *)(void *)((char *)file + sizeof(faulty_file_t));
    const int result = real->xOpen(real, name, faulty(file)->real, flags, out);
    file->pMethods = faulty(file)->real->pMethods != NULL ? &faulty_methods : NULL;
    return result;
}

static void vfs_register(void)
{
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    faulty_vfs = *real;
    faulty_vfs.pAppData = real;
    faulty_vfs.zName = "faulty";
    faulty_vfs.szOsFile = real->szOsFile + (int)sizeof(faulty_file_t);
    faulty_vfs.xOpen = v_open;
    assert_int_equal(sqlite3_vfs_register(&faulty_vfs, 0), SQLITE_OK);
}

/* ---- the tests ---------------------------------------------------------------------------------
 */

static char dir[128];

static int set_up(void **state)
{
    (void)state;
    gp_fail_t fail;
    fault = FAULT_NONE;
    calls = 0;
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

static gp_store_t *store_open(const char *vfs)
{
    gp_fail_t fail;
    gp_store_t *store = NULL;
    const gp_store_options_t options = {.vfs = vfs};
    assert_error(gp_store_open(dir, &options, &store, &fail), GP_OK, &fail);
    return store;
}

static gp_error_t put(gp_store_t *store, uint64_t term, gp_fail_t *fail)
{
    static gp_msg_t msg;
    uint8_t bytes[256];
    size_t n = 0;
    msg = (gp_msg_t){.kind = GP_MSG_ELECTION_STATE};
    msg.u.election_state.term = term;
    assert_int_equal(gp_msg_pack(&msg, bytes, sizeof bytes, &n), GP_OK);
    const gp_store_record_t record = {
        .room = GP_ROOM_ELECTION, .kind = GP_MSG_ELECTION_STATE, .bytes = gp_slice(bytes, n)};
    return gp_store_put_now(store, &record, fail);
}

static void on_load(void *context, uint64_t key, const gp_msg_t *msg)
{
    uint64_t *term = context;
    (void)key;
    *term = msg->u.election_state.term;
}

static uint64_t term_on_disk(void)
{
    gp_fail_t fail;
    uint64_t term = 0;
    fault = FAULT_NONE;
    gp_store_t *store = store_open(NULL);
    assert_error(gp_store_load(store, GP_ROOM_ELECTION, on_load, &term, &fail), GP_OK, &fail);
    gp_store_close(store);
    return term;
}

/* Fails the n-th call for every n until the whole run passes clean. */
static void fail_each(fault_t kind, gp_error_t expected, bool heals)
{
    bool clean = false;
    int n = 0;
    for (; !clean; n++) {
        assert_true(n < 2000);
        gp_fail_t fail;
        uint64_t told = term_on_disk();
        const uint64_t first = told;
        gp_store_t *store = store_open("faulty");
        fault = kind;
        countdown = n;
        calls = 0;
        clean = true;
        for (uint64_t term = first + 1; term <= first + 5; term++) {
            const gp_error_t error = put(store, term, &fail);
            if (error == GP_OK) {
                told = term;
                continue;
            }
            assert_error(error, expected, &fail);
            assert_non_null(strstr(fail.text, dir));
            clean = false;
        }
        fault = FAULT_NONE;
        const uint64_t last = first + 6;
        const gp_error_t after = put(store, last, &fail);
        assert_true(after == GP_OK || (!clean && !heals && after == expected));
        if (!clean && !heals) {
            /* Nothing is called durable after a failed wait, although the disk works again. */
            assert_int_equal(after, expected);
        }
        told = after == GP_OK ? last : told;
        gp_store_close(store);
        const uint64_t found = term_on_disk();
        /* What was not told may be there all the same, but nothing older than what was. */
        assert_in_range(found, told, last);
    }
    assert_true(n > 5); /* the faults were met */
}

static void test_full_disk_heals(void **state)
{
    (void)state;
    fail_each(FAULT_WRITE_FULL, GP_E_STATE_FULL, true);
}

static void test_torn_writes_are_never_durable(void **state)
{
    (void)state;
    fail_each(FAULT_WRITE_IO, GP_E_STATE_IO, false);
}

static void test_failed_fsync_is_never_forgotten(void **state)
{
    (void)state;
    fail_each(FAULT_SYNC, GP_E_STATE_IO, false);
}

typedef struct news {
    uint32_t good;
    uint32_t bad;
} news_t;

static void on_stored(void *context, gp_room_t room, uint64_t token, bool ok)
{
    news_t *news = context;
    (void)room;
    (void)token;
    news->good += ok ? 1 : 0;
    news->bad += ok ? 0 : 1;
}

static void test_the_loop_is_told(void **state)
{
    gp_fail_t fail;
    static gp_msg_t msg;
    news_t news = {.good = 0};
    (void)state;
    gp_store_t *store = store_open("faulty");
    assert_error(gp_store_start(store, NULL, on_stored, &news, &fail), GP_OK, &fail);
    msg = (gp_msg_t){.kind = GP_MSG_ELECTION_STATE};
    fault = FAULT_SYNC;
    countdown = 3;
    for (uint32_t i = 0; i < 8; i++) {
        test_put(store, &msg, i);
        while (news.good + news.bad == i) {
            struct pollfd fd = {.fd = gp_store_fd(store), .events = POLLIN};
            assert_int_equal(poll(&fd, 1, 10000), 1);
            gp_store_deliver(store);
        }
    }
    assert_true(news.good > 0 && news.bad > 0);
    assert_int_equal(gp_store_failure(store, &fail), GP_E_STATE_IO);
    assert_int_equal(gp_store_stats(store).failures, news.bad);
    fault = FAULT_NONE;
    gp_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_disk_heals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_torn_writes_are_never_durable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_fsync_is_never_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_loop_is_told, set_up, tear_down),
    };
    vfs_register();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
