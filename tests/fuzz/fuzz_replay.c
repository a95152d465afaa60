/*
 * Records of recordings: whatever the bytes are, reading them ends well; and a message that could
 * be read is written and read again as itself.
 */
#include "agent/replay/mask.h"
#include "agent/replay/start.h"
#include "tests/fuzz/fuzz.h"

static gp_msg_t msg, scratch;

static size_t write_again(uint8_t bytes[GP_RING_RECORD_MAX])
{
    gp_put_t put = {.to = bytes, .size = GP_RING_RECORD_MAX};
    return gp_mask_put(&msg, &scratch, &put) ? put.used : 0;
}

static void try_message(gp_slice_t data)
{
    static uint8_t first[GP_RING_RECORD_MAX];
    static uint8_t second[GP_RING_RECORD_MAX];
    gp_get_t get = {.from = data};
    if (gp_mask_get(&get, &msg) != GP_OK) {
        return;
    }
    size_t n = write_again(first);
    if (n == 0) {
        return; /* a letter of joining, or evidence that is longer than any */
    }
    get = (gp_get_t){.from = gp_slice(first, n)};
    FUZZ_CHECK(gp_mask_get(&get, &msg) == GP_OK && get.used == n);
    FUZZ_CHECK(write_again(second) == n && memcmp(first, second, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_start_t start;
    if (size > GP_RING_RECORD_MAX) {
        return 0;
    }
    gp_get_t get = {.from = gp_slice(data, size)};
    FUZZ_CHECK(gp_start_get(&get, &start) != GP_OK || get.used <= size);
    try_message(gp_slice(data, size));
    return 0;
}
