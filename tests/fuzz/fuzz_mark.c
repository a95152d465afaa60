/*
 * The head row of the journal and the mark beside it. Input: bits, then the head, then the mark.
 * Bits: are the sums made to fit? What opens is a mark that does not know of later commits than the
 * head.
 */
#include <unistd.h>

#include "agent/store/store_inside.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/place.h"

#define MARK_SLOT 512
#define SLOT_USED (16 + GP_STORE_SUM) /* magic, commits and the sum of the head */

static uint8_t head_bytes[GP_STORE_HEAD];
static uint8_t mark[2 * MARK_SLOT];

static void put_sum(const char *what, uint8_t *bytes, size_t n)
{
    gp_store_sum_t sum;
    gp_store_sum_init(&sum, what, GP_STORE_SUM);
    gp_store_sum_bytes(&sum, gp_slice(bytes, n));
    gp_store_sum_end(&sum, bytes + n, GP_STORE_SUM);
}

/* The rest of the input at `to`, zeros behind it. */
static void fill(fuzz_bytes_t *bytes, uint8_t *to, size_t n)
{
    gp_slice_t from = fuzz_slice(bytes, n);
    memset(to, 0, n);
    if (from.n > 0) {
        memcpy(to, from.p, from.n);
    }
}

static uint64_t commits_of(const uint8_t *slot)
{
    fuzz_bytes_t bytes = {.p = slot + 8, .n = 8};
    return fuzz_number(&bytes, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gp_store_t store;
    fuzz_bytes_t bytes = {.p = data, .n = size};
    gp_store_head_t head;
    uint8_t again[GP_STORE_HEAD];
    gp_fail_t fail = {0};
    uint8_t bits = fuzz_u8(&bytes);
    fill(&bytes, head_bytes, sizeof head_bytes);
    if ((bits & 1) != 0) {
        put_sum("head", head_bytes, GP_STORE_HEAD - GP_STORE_SUM);
    }
    size_t n = bytes.n < sizeof mark ? bytes.n : sizeof mark;
    fill(&bytes, mark, sizeof mark);
    for (size_t i = 0; i < 2; i++) {
        if ((bits & 2U << i) != 0) {
            memcpy(mark + i * MARK_SLOT, "gpmark01", 8);
            put_sum("slot", mark + i * MARK_SLOT, SLOT_USED);
        }
    }
    memset(&head, 0, sizeof head);
    if (gp_store_head_read(gp_slice(head_bytes, sizeof head_bytes), &head)) {
        gp_store_head_pack(&head, again);
        FUZZ_CHECK(memcmp(again, head_bytes, sizeof again) == 0);
    }
    (void)snprintf(store.path, sizeof store.path, "%s", fuzz_place(NULL));
    store.head = head;
    fuzz_place_write(GP_FILE_MARK, gp_slice(mark, (bits & 8) != 0 ? sizeof mark : n));
    if (gp_store_mark_open(&store, &fail) == GP_OK) {
        FUZZ_CHECK(((bits & 2) != 0 && commits_of(mark) <= head.commits) ||
                   ((bits & 4) != 0 && commits_of(mark + MARK_SLOT) <= head.commits) ||
                   (bits & 6) == 0);
        FUZZ_CHECK(gp_store_mark_write(&store));
    } else {
        FUZZ_CHECK(fail.code != GP_OK && fail.text[0] != '\0');
    }
    if (store.mark_fd >= 0) {
        (void)close(store.mark_fd);
        store.mark_fd = -1;
    }
    return 0;
}
