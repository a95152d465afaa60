/* Quantities: exact, in every unit, and back as text. */
#include "discovery/units.h"

#include <stdio.h>
#include <stdlib.h>

#include "discovery_driver.h"

static gp_quantity_error_t parse(const char *text, gp_type_t type, uint64_t bare,
                                 gp_quantity_t *ret)
{
    gp_slice_t all = gp_text(text);
    uint32_t split = gp_quantity_split(all);
    return gp_quantity_parse(gp_slice(text, split), gp_slice(text + split, all.n - split), type,
                             bare, ret);
}

static void test_units(void **state)
{
    static const struct {
        const char *text;
        gp_type_t type;
        uint64_t bare;
        uint64_t number;
        bool between;
    } cases[] = {
        {"0", GP_TYPE_BYTES, 0, 0, false},
        {"0.0", GP_TYPE_BYTES, 0, 0, false},
        {"1B", GP_TYPE_BYTES, 0, 1, false},
        {"1kB", GP_TYPE_BYTES, 0, 1000, false},
        {"1KB", GP_TYPE_BYTES, 0, 1000, false},
        {"1KiB", GP_TYPE_BYTES, 0, 1024, false},
        {"1MB", GP_TYPE_BYTES, 0, 1000000, false},
        {"1MiB", GP_TYPE_BYTES, 0, 1048576, false},
        {"1.5GiB", GP_TYPE_BYTES, 0, 1610612736, false},
        {"1.50000000000000GiB", GP_TYPE_BYTES, 0, 1610612736, false},
        {"1.1GiB", GP_TYPE_BYTES, 0, 1181116006, true},
        {"0.5B", GP_TYPE_BYTES, 0, 0, true},
        {"2TB", GP_TYPE_BYTES, 0, 2000000000000, false},
        {"16383.999999999PiB", GP_TYPE_BYTES, 0, UINT64_C(18446744073708425716), true},
        {"1.000000001GB", GP_TYPE_BYTES, 0, 1000000001, false},
        {"2.4GHz", GP_TYPE_FREQUENCY, 0, 2400000000, false},
        {"2400", GP_TYPE_FREQUENCY, 1000000, 2400000000, false},
        {"100Mbit/s", GP_TYPE_BITRATE, 0, 100000000, false},
        {"100Mbps", GP_TYPE_BITRATE, 0, 100000000, false},
        {"1ns", GP_TYPE_DURATION, 0, 0, true},
        {"1500ns", GP_TYPE_DURATION, 0, 1, true},
        {"2000ns", GP_TYPE_DURATION, 0, 2, false},
        {"0.5ms", GP_TYPE_DURATION, 0, 500, false},
        {"90s", GP_TYPE_DURATION, 0, 90000000, false},
        {"10min", GP_TYPE_DURATION, 0, 600000000, false},
        {"10m", GP_TYPE_DURATION, 0, 600000000, false},
        {"1w", GP_TYPE_DURATION, 0, UINT64_C(604800000000), false},
        {"12.5%", GP_TYPE_SHARE, 0, 125, false},
        {"12.55%", GP_TYPE_SHARE, 0, 125, true},
        {"1.5", GP_TYPE_DECIMAL, 1000, 1500, false},
        {"1.0005", GP_TYPE_DECIMAL, 1000, 1000, true},
        {"4", GP_TYPE_COUNT, 1, 4, false},
        {"4.0", GP_TYPE_COUNT, 1, 4, false},
        {"4.5", GP_TYPE_COUNT, 1, 4, true},
        {"18446744073709551615", GP_TYPE_COUNT, 1, UINT64_MAX, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gp_quantity_t q;
        gp_quantity_error_t error = parse(cases[i].text, cases[i].type, cases[i].bare, &q);
        if (error != GP_QUANTITY_OK || q.number != cases[i].number ||
            q.between != cases[i].between) {
            fail_msg("%s: error %d, %llu %d", cases[i].text, error, (unsigned long long)q.number,
                     q.between);
        }
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *text;
        gp_type_t type;
        uint64_t bare;
        gp_quantity_error_t error;
    } cases[] = {
        {"", GP_TYPE_COUNT, 1, GP_QUANTITY_NO_NUMBER},
        {"x", GP_TYPE_COUNT, 1, GP_QUANTITY_NO_NUMBER},
        {".5", GP_TYPE_DECIMAL, 1000, GP_QUANTITY_NO_NUMBER},
        {"5.", GP_TYPE_DECIMAL, 1000, GP_QUANTITY_NO_NUMBER},
        {"1.2.3", GP_TYPE_DECIMAL, 1000, GP_QUANTITY_NO_NUMBER},
        {"8", GP_TYPE_BYTES, 0, GP_QUANTITY_NO_UNIT},
        {"0.1", GP_TYPE_BYTES, 0, GP_QUANTITY_NO_UNIT},
        {"8GHz", GP_TYPE_BYTES, 0, GP_QUANTITY_UNIT},
        {"8gib", GP_TYPE_BYTES, 0, GP_QUANTITY_UNIT},
        {"8B", GP_TYPE_COUNT, 1, GP_QUANTITY_UNIT},
        {"50%", GP_TYPE_DECIMAL, 1000, GP_QUANTITY_UNIT},
        {"18446744073709551616", GP_TYPE_COUNT, 1, GP_QUANTITY_RANGE},
        {"18446744073709551615KiB", GP_TYPE_BYTES, 0, GP_QUANTITY_RANGE},
        {"16384PiB", GP_TYPE_BYTES, 0, GP_QUANTITY_RANGE},
        {"0.1234567891GB", GP_TYPE_BYTES, 0, GP_QUANTITY_RANGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gp_quantity_t q = {.number = 7, .between = true};
        if (parse(cases[i].text, cases[i].type, cases[i].bare, &q) != cases[i].error) {
            fail_msg("%s", cases[i].text);
        }
        assert_int_equal(q.number, 7); /* untouched */
    }
    gp_quantity_t q = {.number = 7};
    assert_int_equal(gp_quantity_parse(gp_text("8x"), gp_text("B"), GP_TYPE_BYTES, 0, &q),
                     GP_QUANTITY_NO_NUMBER);
    assert_int_equal(q.number, 7);
}

/* Against arithmetic in 128 bits. */
static void test_exact(void **state)
{
    static const struct {
        const char *unit;
        uint64_t times;
    } units[] = {{"B", 1}, {"KiB", 1024}, {"GB", 1000000000}, {"TiB", UINT64_C(1) << 40}};
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 3);
    for (int round = 0; round < 20000; round++) {
        char text[64];
        uint64_t whole = gp_random_below(&random, 1000000);
        uint64_t fraction = gp_random_below(&random, 1000000000);
        size_t u = (size_t)gp_random_below(&random, 4);
        (void)snprintf(text, sizeof text, "%llu.%09llu%s", (unsigned long long)whole,
                       (unsigned long long)fraction, units[u].unit);
        __extension__ typedef unsigned __int128 wide_t;
        wide_t exact = ((wide_t)whole * 1000000000 + fraction) * units[u].times;
        gp_quantity_t q;
        assert_int_equal(parse(text, GP_TYPE_BYTES, 0, &q), GP_QUANTITY_OK);
        assert_true(q.number == (uint64_t)(exact / 1000000000));
        assert_int_equal(q.between, exact % 1000000000 != 0);
    }
}

static void test_print(void **state)
{
    static const struct {
        uint64_t number;
        gp_type_t type;
        const char *text;
    } cases[] = {
        {0, GP_TYPE_BYTES, "0B"},
        {1023, GP_TYPE_BYTES, "1023B"},
        {1024, GP_TYPE_BYTES, "1KiB"},
        {3355443200, GP_TYPE_BYTES, "3.1GiB"},
        {UINT64_MAX, GP_TYPE_BYTES, "16383.9PiB"},
        {2400000000, GP_TYPE_FREQUENCY, "2.4GHz"},
        {1000000000, GP_TYPE_BITRATE, "1Gbit/s"},
        {999, GP_TYPE_DURATION, "999us"},
        {90000000, GP_TYPE_DURATION, "1.5min"},
        {UINT64_C(86400000000), GP_TYPE_DURATION, "1d"},
        {0, GP_TYPE_SHARE, "0%"},
        {125, GP_TYPE_SHARE, "12.5%"},
        {5, GP_TYPE_SHARE, "0.5%"},
        {1500, GP_TYPE_DECIMAL, "1.50"},
        {4, GP_TYPE_COUNT, "4"},
        {1, GP_TYPE_BOOL, "true"},
        {0, GP_TYPE_BOOL, "false"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[GP_QUANTITY_TEXT_MAX];
        uint32_t n = gp_quantity_print(cases[i].number, cases[i].type, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(n, strlen(text));
    }
}

static void test_suggest(void **state)
{
    (void)state;
    assert_string_equal(gp_unit_suggest(gp_text("gib"), GP_TYPE_BYTES), "GiB");
    assert_string_equal(gp_unit_suggest(gp_text("G"), GP_TYPE_BYTES), "GiB");
    assert_string_equal(gp_unit_suggest(gp_text("gb"), GP_TYPE_BYTES), "GB");
    assert_string_equal(gp_unit_suggest(gp_text("mb"), GP_TYPE_BYTES), "MB");
    assert_string_equal(gp_unit_suggest(gp_text("Seconds"), GP_TYPE_DURATION), "s");
    assert_string_equal(gp_unit_suggest(gp_text("minutes"), GP_TYPE_DURATION), "min");
    assert_string_equal(gp_unit_suggest(gp_text("percent"), GP_TYPE_SHARE) == NULL ? "-" : "?",
                        "-");
    assert_null(gp_unit_suggest(gp_text("GHz"), GP_TYPE_BYTES));
    assert_true(gp_unit_known(gp_text("GHz")));
    assert_false(gp_unit_known(gp_text("")));
    assert_int_equal(gp_unit_type(gp_text("min")), GP_TYPE_DURATION);
    assert_int_equal(gp_unit_type(gp_text("hour")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units), cmocka_unit_test(test_errors),  cmocka_unit_test(test_exact),
        cmocka_unit_test(test_print), cmocka_unit_test(test_suggest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
