/* The root key goes only where nobody needs it, or where its user said so. */
#include "agent/node/leave_core.h"

#include "proto_cmocka.h"

static void test_every_combination(void **state)
{
    static const struct {
        gp_leave_facts_t facts;
        gp_error_t expected;
    } cases[] = {
        {{.has_root = false, .alone = false, .destroy_root = false}, GP_OK},
        {{.has_root = false, .alone = false, .destroy_root = true}, GP_OK},
        {{.has_root = false, .alone = true, .destroy_root = false}, GP_OK},
        {{.has_root = false, .alone = true, .destroy_root = true}, GP_OK},
        {{.has_root = true, .alone = false, .destroy_root = false}, GP_E_LEAVE_ROOT},
        {{.has_root = true, .alone = false, .destroy_root = true}, GP_OK},
        {{.has_root = true, .alone = true, .destroy_root = false}, GP_OK},
        {{.has_root = true, .alone = true, .destroy_root = true}, GP_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(gp_leave_decide(&cases[i].facts), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
