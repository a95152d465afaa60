/*
 * What the store costs: how long one durable record takes, how many fit into a second, and how much
 * memory it adds. Prints one JSON line. TMPDIR says on which disk.
 */
#include "agent/store/store.h"

#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/temporary.h"

#define ROUNDS 2000
#define BURST  256

static uint32_t answered;
static uint32_t failed;

static void on_stored(void *context, gp_room_t room, uint64_t token, bool ok)
{
    (void)context;
    (void)room;
    (void)token;
    answered++;
    failed += ok ? 0 : 1;
}

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Dirty private memory of this process, in KiB: what each further agent costs. */
static long dirty_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        long value = 0;
        if (sscanf(line, "Private_Dirty: %ld", &value) == 1) {
            kib += value;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib;
}

static void wait_for(gp_store_t *store, uint32_t count)
{
    while (answered < count) {
        struct pollfd fd = {.fd = gp_store_fd(store), .events = POLLIN};
        (void)poll(&fd, 1, -1);
        gp_store_deliver(store);
    }
}

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int fail_with(const gp_fail_t *fail)
{
    (void)fprintf(stderr, "%s: %s\n", gp_error_name(fail->code), fail->text);
    return 1;
}

int main(void)
{
    static uint64_t times[ROUNDS];
    static const gp_msg_t msg = {.kind = GP_MSG_ELECTION_STATE};
    static uint8_t bytes[GP_MESSAGE_MAX];
    size_t n = 0;
    char path[128];
    gp_fail_t fail;
    gp_store_t *store = NULL;
    (void)mallopt(M_ARENA_MAX, 1);
    if (!test_temporary(path, sizeof path)) {
        return 1;
    }
    const long before = dirty_kib();
    if (gp_msg_pack(&msg, bytes, sizeof bytes, &n) != GP_OK) {
        return 1;
    }
    if (gp_store_create(path, &fail) != GP_OK) {
        return fail_with(&fail);
    }
    const uint64_t open_at = now_us();
    if (gp_store_open(path, NULL, &store, &fail) != GP_OK) {
        return fail_with(&fail);
    }
    const uint64_t open_us = now_us() - open_at;
    if (gp_store_start(store, NULL, on_stored, NULL, &fail) != GP_OK) {
        return fail_with(&fail);
    }
    const long opened = dirty_kib();
    const gp_store_record_t record = {
        .room = GP_ROOM_ELECTION, .kind = GP_MSG_ELECTION_STATE, .bytes = gp_slice(bytes, n)};
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const uint64_t at = now_us();
        gp_store_put(store, &record, i);
        wait_for(store, i + 1);
        times[i] = now_us() - at;
    }
    const long used = dirty_kib();
    const uint64_t burst_at = now_us();
    for (uint32_t i = 0; i < 20; i++) {
        for (uint32_t k = 0; k < BURST; k++) {
            gp_store_put(store, &record, k);
        }
        wait_for(store, ROUNDS + (i + 1) * BURST);
    }
    const uint64_t burst_us = now_us() - burst_at;
    qsort(times, ROUNDS, sizeof times[0], by_size);
    (void)printf("{\"open_us\":%llu,\"put_us\":{\"p50\":%llu,\"p99\":%llu,\"max\":%llu},"
                 "\"burst_puts_per_s\":%llu,\"dirty_kib\":{\"before\":%ld,\"open\":%ld,"
                 "\"used\":%ld},\"failed\":%u}\n",
                 (unsigned long long)open_us, (unsigned long long)times[ROUNDS / 2],
                 (unsigned long long)times[ROUNDS * 99 / 100],
                 (unsigned long long)times[ROUNDS - 1],
                 (unsigned long long)(UINT64_C(20) * BURST * 1000000 / (burst_us + 1)), before,
                 opened, used, (unsigned)failed);
    gp_store_close(store);
    char file[160];
    static const char *const files[] = {"state.db", "state.mark", "state.db-wal"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(file, sizeof file, "%s/%s", path, files[i]);
        (void)unlink(file);
    }
    (void)rmdir(path);
    return 0;
}
