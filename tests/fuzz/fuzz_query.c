/*
 * Queries and ranks as a member may send them, over records that it sent, too. Whatever the bytes:
 * an error within the text, or verdicts that contradict nothing.
 */
#include "discovery/query.h"
#include "tests/fuzz/fuzz.h"

#define LANES 3

static gp_query_t query;
static gp_query_t alone;
static gp_rank_t rank;
static gp_query_error_t error;

static void check_error(size_t size)
{
    if (error.error == GP_OK) {
        return;
    }
    bool column = error.column >= 1 && error.column <= size + 1;
    FUZZ_CHECK(column || error.error == GP_E_QUERY_LIMIT);
    FUZZ_CHECK(error.text_n > 0 && error.text_n < sizeof error.text);
    FUZZ_CHECK(error.text[error.text_n] == '\0');
}

static void check_query(const gp_records_t *records)
{
    uint64_t all = (UINT64_C(1) << LANES) - 1;
    uint64_t yes = all;
    uint16_t attrs[8];
    for (uint32_t part = 0; part < query.part_count; part++) {
        gp_verdict_t v = gp_query_part_eval(&query, part, records, all);
        gp_slice_t text = gp_query_part_text(&query, part);
        FUZZ_CHECK((v.yes & v.no) == 0 && ((v.yes | v.no) & ~all) == 0);
        yes &= v.yes;
        /* What an explanation shows of a query means the same when somebody asks it. */
        FUZZ_CHECK(gp_query_compile(text, &alone, &error) == GP_OK);
        FUZZ_CHECK(gp_query_eval(&alone, records, all) == v.yes);
    }
    FUZZ_CHECK(gp_query_eval(&query, records, UINT64_MAX) == yes);
    FUZZ_CHECK(gp_query_attrs(&query, attrs, 8) <= 8);
}

/* The bytes as attributes: number, kind of value, length, text. */
static void fill(gp_records_t *records, uint32_t lane, const uint8_t *data, size_t size)
{
    gp_record_attr_t attrs[GP_ATTRS_MAX];
    uint32_t n = 0;
    size_t at = 0;
    while (at + 4 <= size && n < GP_ATTRS_MAX) {
        size_t length = data[at + 3];
        length = length < size - at - 4 ? length : size - at - 4;
        attrs[n] = (gp_record_attr_t){.attr = (uint16_t)(data[at] << 8 | data[at + 1]),
                                      .number = data[at + 2],
                                      .text = gp_slice(data + at + 4, length)};
        at += 4 + length;
        n += 1;
    }
    gp_records_apply(records, lane, attrs, n, lane == 0);
    gp_records_check(records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(16) uint8_t memory[65536];
    if (size < 1) {
        return 0;
    }
    size_t split = size > 1 ? 1 + (size_t)data[0] * (size - 1) / 255 : 1;
    FUZZ_CHECK(gp_records_size(LANES, 512) <= sizeof memory);
    gp_records_t *records = gp_records_init(memory, LANES, 512);
    fill(records, 0, data + split, size - split);
    fill(records, 1, data + 1, split - 1);
    if (gp_query_compile(gp_slice(data + 1, split - 1), &query, &error) == GP_OK) {
        check_query(records);
    }
    check_error(split - 1);
    if (gp_rank_compile(gp_slice(data + 1, split - 1), &rank, &error) == GP_OK) {
        int order = gp_rank_compare(&rank, records, 0, records, 1);
        int back = gp_rank_compare(&rank, records, 1, records, 0);
        FUZZ_CHECK((order < 0) == (back > 0) && (order == 0) == (back == 0));
    }
    check_error(split - 1);
    return 0;
}
