/*
 * The strict reader: two bytes of kind, then a body. What it reads must pack to the same bytes;
 * what it prints must be text.
 */
#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

static gp_msg_t msg;
static uint8_t packed[GP_MESSAGE_MAX];
static char text[1024];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_msg_kind_t kind;
    size_t n = 0;

    if (size < 2 || size - 2 > sizeof packed) {
        return 0;
    }
    kind = (gp_msg_kind_t)(data[0] << 8 | data[1]);
    if (gp_msg_read(kind, gp_slice(data + 2, size - 2), false, &msg) != GP_OK) {
        return 0;
    }
    if (gp_msg_pack(&msg, packed, sizeof packed, &n) != GP_OK || n != size - 2 ||
        memcmp(packed, data + 2, n) != 0) {
        abort();
    }
    n = gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    for (size_t i = 0; i < n; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            abort();
        }
    }
    return 0;
}
