/* What waits for one peer. */
#include "overlay/net/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* cmocka wants the three above */
#include <cmocka.h>

static uint32_t displaced;

static gp_error_t push(gp_queue_t *queue, gp_class_t class, uint32_t number, uint64_t now_ms)
{
    displaced = 0;
    return gp_queue_push(queue, class, gp_slice(&number, sizeof number), now_ms, &displaced);
}

static uint32_t number_of(const gp_queued_t *frame)
{
    uint32_t number = 0;

    assert_non_null(frame);
    assert_int_equal(frame->n, sizeof number);
    memcpy(&number, frame->bytes, sizeof number);
    return number;
}

static void control_overtakes_data_and_each_keeps_its_order(void **state)
{
    gp_queue_t queue = {0};
    static const uint32_t order[] = {2, 4, 1, 3};

    (void)state;
    assert_null(gp_queue_peek(&queue));
    assert_null(gp_queue_take(&queue));
    assert_int_equal(push(&queue, GP_CLASS_DATA, 1, 0), GP_OK);
    assert_int_equal(push(&queue, GP_CLASS_CONTROL, 2, 0), GP_OK);
    assert_int_equal(push(&queue, GP_CLASS_DATA, 3, 0), GP_OK);
    assert_int_equal(push(&queue, GP_CLASS_CONTROL, 4, 0), GP_OK);
    assert_int_equal(gp_queue_count(&queue), 4);
    assert_int_equal(gp_queue_bytes(&queue), 16);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(number_of(gp_queue_peek(&queue)), order[i]);
        if (i % 2 == 0) {
            gp_queue_pop(&queue);
        } else {
            gp_queued_t *frame = gp_queue_take(&queue);
            assert_int_equal(number_of(frame), order[i]);
            free(frame);
        }
    }
    assert_int_equal(gp_queue_count(&queue), 0);
    assert_int_equal(gp_queue_bytes(&queue), 0);
}

static void a_full_line_displaces_control_and_refuses_data(void **state)
{
    gp_queue_t queue = {0};

    (void)state;
    for (uint32_t i = 0; i < GP_PEER_QUEUE_MAX; i++) {
        assert_int_equal(push(&queue, GP_CLASS_DATA, i, 0), GP_OK);
        assert_int_equal(push(&queue, GP_CLASS_CONTROL, i, 0), GP_OK);
        assert_int_equal(displaced, 0);
    }
    assert_int_equal(push(&queue, GP_CLASS_DATA, 1, 0), GP_E_PEER_QUEUE);
    assert_int_equal(push(&queue, GP_CLASS_CONTROL, 1, 0), GP_OK);
    assert_int_equal(displaced, 1);
    assert_int_equal(number_of(gp_queue_peek(&queue)), 1); /* 0 gave way */
    assert_int_equal(gp_queue_count(&queue), 2 * GP_PEER_QUEUE_MAX);
    assert_int_equal(gp_queue_clear(&queue), 2 * GP_PEER_QUEUE_MAX);
}

static void bytes_count_as_well(void **state)
{
    gp_queue_t queue = {0};
    static uint8_t large[GP_MESSAGE_MAX];
    const uint32_t fit = GP_PEER_QUEUE_BYTES / GP_MESSAGE_MAX;

    (void)state;
    for (uint32_t i = 0; i < fit; i++) {
        assert_int_equal(
            gp_queue_push(&queue, GP_CLASS_DATA, gp_slice(large, sizeof large), 0, &displaced),
            GP_OK);
        assert_int_equal(push(&queue, GP_CLASS_CONTROL, i, 0), GP_OK);
    }
    assert_int_equal(push(&queue, GP_CLASS_DATA, 1, 0), GP_E_PEER_QUEUE);
    assert_int_equal(gp_queue_bytes(&queue), GP_PEER_QUEUE_BYTES + 4 * fit);
    /* one large frame may push several small ones out, never all room and more */
    for (uint32_t i = 0; i < 2 * fit; i++) {
        assert_int_equal(
            gp_queue_push(&queue, GP_CLASS_CONTROL, gp_slice(large, sizeof large), 0, &displaced),
            GP_OK);
        assert_true(gp_queue_bytes(&queue) <= 2 * GP_PEER_QUEUE_BYTES);
    }
    assert_int_equal(displaced, 1);
    (void)gp_queue_clear(&queue);
    assert_int_equal(gp_queue_bytes(&queue), 0);
}

static void the_old_is_dropped_and_the_young_stays(void **state)
{
    gp_queue_t queue = {0};

    (void)state;
    assert_int_equal(push(&queue, GP_CLASS_CONTROL, 1, 100), GP_OK);
    assert_int_equal(push(&queue, GP_CLASS_CONTROL, 2, 200), GP_OK);
    assert_int_equal(push(&queue, GP_CLASS_DATA, 3, 150), GP_OK);
    assert_int_equal(gp_queue_expire(&queue, 100), 0);
    assert_int_equal(gp_queue_expire(&queue, 200), 2);
    assert_int_equal(number_of(gp_queue_peek(&queue)), 2);
    assert_int_equal(gp_queue_expire(&queue, UINT64_MAX), 1);
    assert_int_equal(gp_queue_clear(&queue), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_overtakes_data_and_each_keeps_its_order),
        cmocka_unit_test(a_full_line_displaces_control_and_refuses_data),
        cmocka_unit_test(bytes_count_as_well),
        cmocka_unit_test(the_old_is_dropped_and_the_young_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
