/* Numbers and texts as bytes: they come back, and what is too much or too little is remembered. */
#include "agent/replay/bytes.h"
#include "tests/unit/proto_cmocka.h"

static void test_numbers_come_back(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    uint8_t bytes[100];
    gp_put_t put = {.to = bytes, .size = sizeof bytes};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        gp_put_number(&put, numbers[i]);
    }
    gp_put_text(&put, gp_text("text"));
    assert_false(put.over);
    gp_get_t get = {.from = gp_slice(bytes, put.used)};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_true(gp_get_number(&get) == numbers[i]);
    }
    assert_true(gp_slice_equal(gp_get_text(&get), gp_text("text")));
    assert_false(get.over);
    assert_int_equal(gp_get_number(&get), 0);
    assert_true(get.over);
}

static void test_what_does_not_fit_is_remembered(void **state)
{
    (void)state;
    uint8_t bytes[4];
    gp_put_t put = {.to = bytes, .size = sizeof bytes};
    gp_put_raw(&put, "abcd", 4);
    assert_false(put.over);
    gp_put_number(&put, 0);
    assert_true(put.over);
    gp_put_raw(&put, "", 0); /* and stays so */
    assert_true(put.over);
    assert_int_equal(put.used, 4);
}

static void test_hostile_numbers(void **state)
{
    (void)state;
    static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 1};
    gp_get_t get = {.from = gp_slice(endless, sizeof endless)};
    (void)gp_get_number(&get);
    assert_true(get.over);
    static const uint8_t longer[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 'a'}; /* a text of 4 GiB */
    get = (gp_get_t){.from = gp_slice(longer, sizeof longer)};
    assert_int_equal(gp_get_text(&get).n, 0);
    assert_true(get.over);
}

static void test_fixed_widths(void **state)
{
    (void)state;
    uint8_t bytes[8];
    gp_bytes_put64(bytes, UINT64_C(0x0102030405060708));
    assert_int_equal(bytes[0], 8);
    assert_true(gp_bytes_get64(bytes) == UINT64_C(0x0102030405060708));
    gp_bytes_put32(bytes, 0xfffefdfc);
    assert_true(gp_bytes_get32(bytes) == 0xfffefdfc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_come_back),
        cmocka_unit_test(test_what_does_not_fit_is_remembered),
        cmocka_unit_test(test_hostile_numbers),
        cmocka_unit_test(test_fixed_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
