/* Records: texts in a bounded pool, whole and delta, dead bands. */
#include <stdio.h>
#include <stdlib.h>

#include "discovery_driver.h"

static gp_slice_t text_of(const gp_records_t *r, uint32_t lane, gp_attr_t attr)
{
    return gp_records_text(r, lane, attr, NULL);
}

static void test_set_and_unset(void **state)
{
    gp_records_t *r = driver_records(3);
    (void)state;
    assert_false(gp_records_knows(r, 1, GP_ATTR_CPU));
    driver_set(r, 1, "cpu=4 arch=x86_64 os.id=debian");
    assert_int_equal(gp_records_number(r, 1, GP_ATTR_CPU), 4);
    assert_false(gp_records_knows(r, 0, GP_ATTR_CPU));
    gp_records_set_text(r, 1, GP_ATTR_ARCH, gp_text("aarch64"), false);
    assert_true(gp_slice_equal(text_of(r, 1, GP_ATTR_ARCH), gp_text("aarch64")));
    assert_true(gp_slice_equal(text_of(r, 1, GP_ATTR_OS_ID), gp_text("debian")));
    gp_records_unset(r, 1, GP_ATTR_ARCH);
    gp_records_unset(r, 1, GP_ATTR_ARCH);
    assert_false(gp_records_knows(r, 1, GP_ATTR_ARCH));
    assert_true(gp_slice_equal(text_of(r, 1, GP_ATTR_OS_ID), gp_text("debian")));
    gp_records_check(r);
    gp_records_clear(r, 1);
    assert_false(gp_records_knows(r, 1, GP_ATTR_CPU));
    gp_records_check(r);
    free(r);
}

static void test_cut_is_kept(void **state)
{
    gp_records_t *r = driver_records(1);
    bool cut = false;
    (void)state;
    gp_records_set_text(r, 0, GP_ATTR_ARCH, gp_text("x"), false);
    gp_records_set_text(r, 0, GP_ATTR_HAS, gp_text("gcc"), true);
    gp_records_unset(r, 0, GP_ATTR_ARCH); /* moves the other one */
    assert_true(gp_slice_equal(gp_records_text(r, 0, GP_ATTR_HAS, &cut), gp_text("gcc")));
    assert_true(cut);
    assert_int_equal(gp_records_attr(r, 0, GP_ATTR_HAS).number, GP_ATTR_CUT);
    free(r);
}

static void test_what_is_no_text_is_unknown(void **state)
{
    static char big[GP_ATTR_TEXT_MAX + 1];
    gp_records_t *r = driver_records(1);
    (void)state;
    memset(big, 'x', sizeof big);
    gp_records_set_text(r, 0, GP_ATTR_HAS, gp_slice(big, GP_ATTR_TEXT_MAX), false);
    assert_true(gp_records_knows(r, 0, GP_ATTR_HAS));
    gp_records_set_text(r, 0, GP_ATTR_HAS, gp_slice(big, sizeof big), false);
    assert_false(gp_records_knows(r, 0, GP_ATTR_HAS));
    gp_records_set_text(r, 0, GP_ATTR_ARCH, gp_slice(big, GP_ATTR_WORD_MAX), false);
    assert_true(gp_records_knows(r, 0, GP_ATTR_ARCH));
    gp_records_set_text(r, 0, GP_ATTR_ARCH, gp_slice(big, GP_ATTR_WORD_MAX + 1), false);
    assert_false(gp_records_knows(r, 0, GP_ATTR_ARCH));
    gp_records_set_text(r, 0, GP_ATTR_ARCH, gp_text("\xff"), false);
    assert_false(gp_records_knows(r, 0, GP_ATTR_ARCH));
    gp_records_check(r);
    free(r);
}

static void test_a_full_pool_drops_the_longest(void **state)
{
    static char big[GP_ATTR_TEXT_MAX];
    gp_records_t *r = driver_records(2);
    (void)state;
    memset(big, 'x', sizeof big);
    gp_records_set_number(r, 1, GP_ATTR_MEM, UINT64_MAX); /* no text, however large */
    gp_records_set_text(r, 1, GP_ATTR_ARCH, gp_text("x86_64"), false);
    gp_records_set_text(r, 1, GP_ATTR_HAS, gp_slice(big, 2000), false);
    gp_records_set_text(r, 1, GP_ATTR_CPU_FLAGS, gp_slice(big, 2048), false);
    assert_int_equal(r->overfull, 0);
    gp_records_set_text(r, 1, GP_ATTR_TAG, gp_slice(big, 500), false);
    assert_int_equal(r->overfull, 2);
    assert_false(gp_records_knows(r, 1, GP_ATTR_CPU_FLAGS));
    assert_true(gp_records_knows(r, 1, GP_ATTR_HAS));
    assert_true(gp_records_knows(r, 1, GP_ATTR_TAG));
    assert_true(gp_slice_equal(text_of(r, 1, GP_ATTR_ARCH), gp_text("x86_64")));
    assert_true(gp_records_number(r, 1, GP_ATTR_MEM) == UINT64_MAX);
    gp_records_set_text(r, 1, GP_ATTR_CPU_FLAGS, gp_slice(big, 2048), false);
    assert_false(gp_records_knows(r, 1, GP_ATTR_CPU_FLAGS)); /* it is the longest itself */
    assert_true(gp_records_knows(r, 1, GP_ATTR_HAS));
    gp_records_check(r);
    free(r);
}

/* Random changes against a plain array of strings. */
static void test_pool_against_strings(void **state)
{
    static const gp_attr_t attrs[] = {GP_ATTR_ARCH, GP_ATTR_OS_ID,   GP_ATTR_HAS,
                                      GP_ATTR_TAG,  GP_ATTR_ISOLATE, GP_ATTR_VIRT};
    static char twin[6][700];
    size_t twin_n[6];
    bool known[6] = {false};
    gp_records_t *r = driver_records(5);
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 4);
    for (int round = 0; round < 20000; round++) {
        size_t i = (size_t)gp_random_below(&random, 6);
        if (gp_random_below(&random, 4) == 0) {
            gp_records_unset(r, 3, attrs[i]);
            known[i] = false;
        } else {
            bool set = gp_attribute(attrs[i])->type == GP_TYPE_WORDS; /* six of them always fit */
            twin_n[i] = (size_t)gp_random_below(&random, set ? 600 : GP_ATTR_WORD_MAX + 1);
            memset(twin[i], (int)('a' + gp_random_below(&random, 26)), twin_n[i]);
            gp_records_set_text(r, 3, attrs[i], gp_slice(twin[i], twin_n[i]), false);
            known[i] = true;
        }
        gp_records_check(r);
        for (size_t j = 0; j < 6; j++) {
            assert_int_equal(gp_records_knows(r, 3, attrs[j]), known[j]);
            assert_true(!known[j] ||
                        gp_slice_equal(text_of(r, 3, attrs[j]), gp_slice(twin[j], twin_n[j])));
        }
    }
    assert_int_equal(r->overfull, 0);
    free(r);
}

static void test_apply(void **state)
{
    gp_records_t *r = driver_records(1);
    (void)state;
    driver_set(r, 0, "name=n1 cpu=4 arch=x86_64 mem=1GiB");
    const gp_record_attr_t delta[] = {
        {.attr = GP_ATTR_CPU, .number = 8, .text = gp_text("ignored")},
        {.attr = GP_ATTR_ARCH | GP_ATTR_UNSET},
        {.attr = GP_ATTR_NAME, .text = gp_text("evil")}, /* nobody may claim a name */
        {.attr = GP_ATTR_NAME | GP_ATTR_UNSET},
        {.attr = GP_ATTR_COUNT, .number = 1}, /* from a newer version */
        {.attr = 0x7fff, .number = 1},
        {.attr = 0},
        {.attr = GP_ATTR_HAS, .number = GP_ATTR_CUT, .text = gp_text("gcc")},
    };
    gp_records_apply(r, 0, delta, sizeof delta / sizeof delta[0], false);
    assert_int_equal(gp_records_number(r, 0, GP_ATTR_CPU), 8);
    assert_false(gp_records_knows(r, 0, GP_ATTR_ARCH));
    assert_true(gp_slice_equal(text_of(r, 0, GP_ATTR_NAME), gp_text("n1")));
    assert_true(gp_records_knows(r, 0, GP_ATTR_MEM));
    gp_records_apply(r, 0, delta, 1, true);
    assert_false(gp_records_knows(r, 0, GP_ATTR_MEM));
    assert_false(gp_records_knows(r, 0, GP_ATTR_HAS));
    assert_true(gp_records_knows(r, 0, GP_ATTR_NAME));
    gp_records_check(r);
    free(r);
}

static void test_dead_bands(void **state)
{
    static const struct {
        const char *sent;
        const char *fresh;
        bool differs;
    } cases[] = {
        {"cpu=4", "cpu=4", false},
        {"cpu=4", "cpu=5", true}, /* no band */
        {"mem.free=1GiB", "mem.free=1025MiB", false},
        {"mem.free=1GiB", "mem.free=960MiB", false},
        {"mem.free=1GiB", "mem.free=959MiB", true},
        {"mem.free=100GiB", "mem.free=96GiB", false}, /* 5 % */
        {"mem.free=100GiB", "mem.free=94GiB", true},
        {"load.1=0.1", "load.1=0.6", false},
        {"load.1=0.1", "load.1=0.61", true},
        {"load.1=10", "load.1=12.4", false},
        {"load.1=10", "load.1=12.6", true},
        {"uptime=10s", "uptime=60s", false},
        {"uptime=10s", "uptime=71s", true},
        {"uptime=80d", "uptime=89d", false},
        {"uptime=80d", "uptime=91d", true},
        {"arch=x86_64", "arch=x86_64", false},
        {"arch=x86_64", "arch=aarch64", true},
        {"arch=x86_64", "", true},
        {"", "arch=x86_64", true},
        {"psi.cpu=0%", "psi.cpu=5%", false},
        {"psi.cpu=0%", "psi.cpu=5.1%", true},
        {"name=n1", "name=n2", false}, /* not ours to tell */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gp_record_attr_t delta[GP_ATTRS_MAX];
        gp_records_t *sent = driver_records(1);
        gp_records_t *fresh = driver_records(1);
        driver_set(sent, 0, cases[i].sent);
        driver_set(fresh, 0, cases[i].fresh);
        if (gp_records_differ(fresh, sent) != cases[i].differs) {
            fail_msg("%s to %s", cases[i].sent, cases[i].fresh);
        }
        assert_int_equal(gp_records_delta(fresh, sent, delta), cases[i].differs ? 1 : 0);
        assert_false(gp_records_differ(fresh, sent));
        gp_records_check(sent);
        free(sent);
        free(fresh);
    }
}

/* Whoever applies every delta holds what the sender holds. */
static void test_deltas_add_up(void **state)
{
    static const char *const words[] = {"gcc", "gcc,make", "make", ""};
    gp_records_t *fresh = driver_records(1);
    gp_records_t *sent = driver_records(1);
    gp_records_t *remote = driver_records(64);
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 9);
    for (int round = 0; round < 2000; round++) {
        gp_record_attr_t delta[GP_ATTRS_MAX];
        char text[128];
        (void)snprintf(text, sizeof text, "mem.free=%uMiB load.1=%u",
                       (unsigned)gp_random_below(&random, 4000),
                       (unsigned)gp_random_below(&random, 3));
        driver_set(fresh, 0, text);
        gp_slice_t has = gp_text(words[gp_random_below(&random, 4)]);
        gp_records_set_text(fresh, 0, GP_ATTR_HAS, has, false);
        if (gp_random_below(&random, 3) == 0) {
            gp_records_unset(fresh, 0, GP_ATTR_LOAD_1);
        }
        uint32_t n = gp_records_delta(fresh, sent, delta);
        gp_records_apply(remote, 17, delta, n, false);
        gp_record_attr_t ours[GP_ATTRS_MAX];
        gp_record_attr_t theirs[GP_ATTRS_MAX];
        uint32_t count = gp_records_dump(sent, 0, ours);
        assert_int_equal(gp_records_dump(remote, 17, theirs), count);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(ours[i].attr, theirs[i].attr);
            assert_true(ours[i].number == theirs[i].number);
            assert_true(gp_slice_equal(ours[i].text, theirs[i].text));
        }
    }
    free(fresh);
    free(sent);
    free(remote);
}

/* The same words, but now they are all: who reads them may say no where it said unknown. */
static void test_a_cut_text_differs_from_a_whole_one(void **state)
{
    gp_record_attr_t delta[GP_ATTRS_MAX];
    gp_records_t *sent = driver_records(1);
    gp_records_t *fresh = driver_records(1);
    (void)state;
    gp_records_set_text(sent, 0, GP_ATTR_HAS, gp_text("gcc"), true);
    gp_records_set_text(fresh, 0, GP_ATTR_HAS, gp_text("gcc"), false);
    assert_true(gp_records_differ(fresh, sent));
    assert_int_equal(gp_records_delta(fresh, sent, delta), 1);
    assert_int_equal(delta[0].attr, GP_ATTR_HAS);
    assert_int_equal(delta[0].number, 0);
    assert_false(gp_records_differ(fresh, sent));
    free(sent);
    free(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_unset),
        cmocka_unit_test(test_cut_is_kept),
        cmocka_unit_test(test_what_is_no_text_is_unknown),
        cmocka_unit_test(test_a_full_pool_drops_the_longest),
        cmocka_unit_test(test_pool_against_strings),
        cmocka_unit_test(test_apply),
        cmocka_unit_test(test_dead_bands),
        cmocka_unit_test(test_deltas_add_up),
        cmocka_unit_test(test_a_cut_text_differs_from_a_whole_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
