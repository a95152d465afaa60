/*
 * Summaries as a peer may send them. Input: a byte, the length of one summary, that one, another.
 * What is read has one form and says the same as its bytes; two joined are one that covers both.
 */
#include "discovery/summary.h"
#include "tests/fuzz/fuzz.h"

#define QUERIES (sizeof queries / sizeof queries[0])

static const char *const queries[] = {
    "",
    "cpu >= 4 and mem.free >= 8GiB and arch == x86_64 and load.1 < 2",
    "not (gpu or container) or os.id in {debian, zork}",
    "kernel ~= 6.1 and libc >= 2.3 and version not in 0..1",
    "has {gcc, zork} or cpu.flags like avx* or isolate not has user",
    "tag.rack == r3 or tag.row is not set and tag has spare",
    "mem.free >= lend.mem and cpu.idle in 10%..90% and kernel != libc",
};

static gp_query_t compiled[QUERIES];

static void compile(void)
{
    gp_query_error_t error;
    for (size_t i = 0; i < QUERIES && compiled[QUERIES - 1].term_count == 0; i++) {
        FUZZ_CHECK(gp_query_compile(gp_text(queries[i]), &compiled[i], &error) == GP_OK);
    }
}

/* Which queries may match; bit i. */
static uint32_t ask(const gp_summary_t *summary)
{
    uint32_t may = 0;
    for (size_t i = 0; i < QUERIES; i++) {
        may |= gp_summary_may_match(summary, &compiled[i]) ? 1u << i : 0;
    }
    return may;
}

static bool read_one(gp_slice_t bytes, gp_summary_t *summary)
{
    uint8_t again[GP_SUMMARY_MAX];
    if (gp_summary_read(bytes, summary) != GP_OK) {
        return false;
    }
    gp_summary_check(summary);
    FUZZ_CHECK(gp_summary_pack(summary, again) == bytes.n);
    FUZZ_CHECK(memcmp(again, bytes.p, bytes.n) == 0);
    FUZZ_CHECK((ask(summary) & 1) == (summary->machines > 0 ? 1u : 0u));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gp_summary_t a;
    static gp_summary_t b;
    fuzz_bytes_t bytes = {.p = data, .n = size};
    compile();
    gp_slice_t first = fuzz_slice(&bytes, (size_t)fuzz_u8(&bytes) + 1);
    bool one = read_one(first, &a);
    bool two = read_one(fuzz_rest(&bytes), &b);
    if (one && two) {
        uint32_t may = ask(&a) | ask(&b);
        gp_summary_join(&a, &b);
        gp_summary_check(&a);
        FUZZ_CHECK((ask(&a) & may) == may);
    }
    return 0;
}
