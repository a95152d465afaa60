/* Fixed layouts: what does not fit is not written, and what runs out stays failed. */
#include "proto/wire.h"

#include "proto_cmocka.h"

static void test_what_was_written_is_read(void **state)
{
    uint8_t bytes[16];
    uint8_t three[3] = {0};
    gp_wire_out_t out = gp_wire_out(bytes, sizeof bytes);
    gp_wire_in_t in;

    (void)state;
    gp_wire_put_number(&out, 0x1234, 2);
    gp_wire_put_short(&out, gp_text("ab"));
    gp_wire_put_short(&out, (gp_slice_t){0});
    gp_wire_put_number(&out, UINT64_MAX, 8);
    gp_wire_put(&out, "xy", 2);
    assert_false(out.failed);
    assert_int_equal(out.left, 0);
    assert_memory_equal(bytes, "\x12\x34\x02", 3);
    in = gp_wire_in(gp_slice(bytes, sizeof bytes));
    assert_int_equal(gp_wire_number(&in, 2), 0x1234);
    assert_true(gp_slice_equal(gp_wire_short(&in), gp_text("ab")));
    assert_int_equal(gp_wire_short(&in).n, 0);
    assert_true(gp_wire_number(&in, 8) == UINT64_MAX);
    gp_wire_copy(&in, three, sizeof three); /* only two are left */
    assert_true(in.failed);
    assert_int_equal(three[0], 0);
    assert_int_equal(gp_wire_number(&in, 1), 0); /* they stay where they are */
}

static void test_what_does_not_fit_is_not_written(void **state)
{
    uint8_t bytes[4] = {9, 9, 9, 9};
    gp_wire_out_t out = gp_wire_out(bytes, 3);

    (void)state;
    gp_wire_put(&out, "ab", 2);
    assert_false(out.failed);
    gp_wire_put_number(&out, 0x5555, 2);
    assert_true(out.failed);
    gp_wire_put(&out, "c", 1); /* which alone would fit */
    assert_true(out.failed);
    assert_int_equal(out.left, 1);
    assert_memory_equal(bytes, "ab\x09\x09", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_what_does_not_fit_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
