/*
 * Records: attributes as a member may send them, in and out of memory. What is said of a record,
 * whole or as changes, makes another machine hold the same.
 */
#include "discovery/record.h"
#include "tests/fuzz/fuzz.h"

#define POOL   512
#define STEPS  8
#define PACKED (GP_RECORD_POOL * 4)

enum { FRESH, SENT, HEARD, COPIES };

static _Alignas(16) uint8_t memory[COPIES][16384];
static gp_records_t *records[COPIES];
static gp_msg_t msg;
static gp_msg_t read_back;
static uint8_t packed[PACKED];

/* The bytes as attributes: number, kind of value, length, text. */
static uint32_t attributes(fuzz_bytes_t *bytes, gp_record_attr_t attrs[GP_ATTRS_MAX])
{
    uint32_t n = 0;
    uint32_t count = fuzz_u8(bytes) % 16;
    for (; n < count && bytes->n > 0; n++) {
        uint8_t attr = fuzz_u8(bytes);
        uint8_t how = fuzz_u8(bytes);
        attrs[n].attr = (uint16_t)(attr % (GP_ATTR_COUNT + 2) | (attr >= 128 ? GP_ATTR_UNSET : 0U));
        attrs[n].number = how < 128 ? how : fuzz_number(bytes, 1 + how % 8);
        attrs[n].text = fuzz_slice(bytes, (size_t)fuzz_u8(bytes) * (how % 4));
    }
    return n;
}

static bool same(const gp_records_t *a, const gp_records_t *b)
{
    gp_record_attr_t of_a[GP_ATTRS_MAX];
    gp_record_attr_t of_b[GP_ATTRS_MAX];
    uint32_t n = gp_records_dump(a, 0, of_a);
    if (n != gp_records_dump(b, 0, of_b)) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (of_a[i].attr != of_b[i].attr || of_a[i].number != of_b[i].number ||
            !gp_slice_equal(of_a[i].text, of_b[i].text)) {
            return false;
        }
    }
    return true;
}

/* Through a message to the one who hears it. */
static void send(uint32_t count, bool whole)
{
    size_t n = 0;
    msg.kind = GP_MSG_RECORD;
    msg.u.record.attrs_count = count;
    msg.u.record.whole = whole;
    FUZZ_CHECK(gp_msg_pack(&msg, packed, sizeof packed, &n) == GP_OK);
    FUZZ_CHECK(gp_msg_read(GP_MSG_RECORD, gp_slice(packed, n), true, &read_back) == GP_OK);
    gp_records_apply(records[HEARD], 0, read_back.u.record.attrs, read_back.u.record.attrs_count,
                     whole);
    gp_records_check(records[HEARD]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes_t bytes = {.p = data, .n = size};
    gp_record_attr_t attrs[GP_ATTRS_MAX];
    FUZZ_CHECK(gp_records_size(1, POOL) <= sizeof memory[0]);
    for (int i = 0; i < COPIES; i++) {
        memset(memory[i], 0x5a, gp_records_size(1, POOL));
        records[i] = gp_records_init(memory[i], 1, POOL);
    }
    for (int i = 0; i < STEPS && bytes.n > 0; i++) {
        bool whole = fuzz_u8(&bytes) % 4 == 0;
        uint32_t n = attributes(&bytes, attrs);
        gp_records_apply(records[FRESH], 0, attrs, n, whole);
        gp_records_check(records[FRESH]);
        send(gp_records_delta(records[FRESH], records[SENT], msg.u.record.attrs), false);
        gp_records_check(records[SENT]);
        FUZZ_CHECK(same(records[SENT], records[HEARD]));
    }
    send(gp_records_dump(records[FRESH], 0, msg.u.record.attrs), true);
    FUZZ_CHECK(same(records[FRESH], records[HEARD]));
    return 0;
}
