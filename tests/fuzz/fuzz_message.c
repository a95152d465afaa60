/*
 * The strict reader and the packer. Two bytes of kind, then a body: what is read must pack to the
 * same bytes, and print as text. With the first bit set a message is made of the bytes instead,
 * field by field: what the packer writes the reader must read back equal.
 */
#include "proto/message.h"
#include "tests/fuzz/core_messages.h"
#include "tests/unit/proto_sample.h"

static gp_msg_t msg;
static gp_msg_t again;
static uint8_t packed[GP_MESSAGE_MAX];
static char text[1024];

static void check_print(void)
{
    size_t n = gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(text[i] >= ' ' && text[i] <= '~');
    }
}

static void make_one(fuzz_bytes_t *bytes)
{
    static fuzz_memory_t memory; /* nothing was ever heard */
    size_t n = 0;
    gp_msg_kind_t kind = sample_kinds[fuzz_u8(bytes) % sample_kind_count];
    fuzz_message(bytes, &memory, kind, &msg);
    if (gp_msg_pack(&msg, packed, sizeof packed, &n) == GP_OK) {
        FUZZ_CHECK(gp_msg_read(kind, gp_slice(packed, n), false, &again) == GP_OK);
        FUZZ_CHECK(sample_equal(&msg, &again));
    }
    check_print();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_msg_kind_t kind;
    size_t n = 0;

    if (size < 2 || size - 2 > sizeof packed) {
        return 0;
    }
    if (data[0] >= 0x80) {
        make_one(&(fuzz_bytes_t){.p = data + 1, .n = size - 1});
        return 0;
    }
    kind = (gp_msg_kind_t)(data[0] << 8 | data[1]);
    if (gp_msg_read(kind, gp_slice(data + 2, size - 2), false, &msg) != GP_OK) {
        return 0;
    }
    FUZZ_CHECK(gp_msg_pack(&msg, packed, sizeof packed, &n) == GP_OK);
    FUZZ_CHECK(n == size - 2 && memcmp(packed, data + 2, n) == 0);
    check_print();
    return 0;
}
