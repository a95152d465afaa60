/* What a run begins with comes back, number by number. */
#include "agent/replay/start.h"

#include "agent/replay/mask.h"
#include "tests/unit/proto_cmocka.h"

static uint8_t bytes[4096];

static gp_start_t sample(void)
{
    gp_start_t start = {.version = gp_text("9.9"),
                        .fingerprint = gp_mask_fingerprint(),
                        .wall_ms = 1767225600000,
                        .now = 12345,
                        .self = {{1, 2, 3}},
                        .seed = UINT64_MAX};
    /* Each byte of the numbers is set, so that one that is left out shows. */
    memset(&start.config, 1, sizeof start.config);
    start.config.group.name = gp_text("n1");
    start.config.group.address = gp_text("tcp://127.0.0.1:1");
    start.config.group.cert = gp_text("certificate");
    start.config.discovery.name = gp_text("n1");
    start.config.discovery.region = gp_text("lab");
    start.config.discovery.address = gp_text("tcp://127.0.0.1:1");
    return start;
}

static size_t put_sample(const gp_start_t *start)
{
    gp_put_t put = {.to = bytes, .size = sizeof bytes};
    gp_start_put(start, &put);
    assert_false(put.over);
    return put.used;
}

/* How many bytes of a config are zero although the sample's are not: holes and pointers. */
static size_t zeros(const void *config, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += ((const uint8_t *)config)[i] == 0 ? 1 : 0;
    }
    return count;
}

static void test_all_of_it_comes_back(void **state)
{
    (void)state;
    gp_start_t start = sample();
    gp_start_t back;
    gp_get_t get = {.from = gp_slice(bytes, put_sample(&start))};
    assert_int_equal(gp_start_get(&get, &back), GP_OK);
    assert_int_equal(get.used, get.from.n);
    assert_true(gp_slice_equal(back.version, gp_text("9.9")));
    assert_true(back.wall_ms == start.wall_ms && back.now == start.now && back.seed == start.seed);
    assert_true(gp_id_equal(&back.self, &start.self));
    assert_true(gp_slice_equal(back.config.group.cert, start.config.group.cert));
    assert_true(gp_slice_equal(back.config.discovery.region, start.config.discovery.region));
    assert_true(back.config.group.store_period == start.config.group.store_period);
    assert_true(back.config.group.try_period == start.config.group.try_period);
    assert_int_equal(back.config.work.roles, start.config.work.roles);
    assert_null(back.config.work.fits);
    /* No number was left out: what is zero are holes between fields, pointers, and these slices. */
    gp_group_config_t *group = &back.config.group;
    group->name = group->address = group->cert = (gp_slice_t){0};
    gp_discovery_config_t *discovery = &back.config.discovery;
    discovery->name = discovery->region = discovery->address = (gp_slice_t){0};
    assert_int_equal(zeros(group, sizeof *group), 3 * sizeof(gp_slice_t) + sizeof(void *) + 3);
    assert_int_equal(zeros(&back.config.election, sizeof back.config.election), 3 + 7);
    assert_int_equal(zeros(discovery, sizeof *discovery),
                     3 * sizeof(gp_slice_t) + 3 * sizeof(void *));
    assert_int_equal(zeros(&back.config.work, sizeof back.config.work), 2 + 4 + 16);
    /* The sub-Grid's group is that of its seat. */
    /* The sub-Grid is that of the group, all may have a seat there; whom to ask is the peer's. */
    assert_int_equal(zeros(&back.config.tiers, sizeof back.config.tiers),
                     sizeof(uint64_t) + 2 * sizeof(void *) + 1 + 5);
    assert_int_equal(zeros(&back.config.forming, sizeof back.config.forming),
                     2 * sizeof(uint64_t) + sizeof(gp_forming_view_t) + 8); /* and padding */
}

static void test_what_is_cut_is_damaged(void **state)
{
    (void)state;
    gp_start_t start = sample();
    gp_start_t back;
    size_t n = put_sample(&start);
    for (size_t i = 0; i < n; i++) {
        gp_get_t get = {.from = gp_slice(bytes, i)};
        assert_int_equal(gp_start_get(&get, &back), GP_E_REPLAY_DAMAGED);
    }
}

static void test_of_other_messages_it_is_another_version(void **state)
{
    (void)state;
    gp_start_t start = sample();
    gp_start_t back;
    start.fingerprint++;
    gp_get_t get = {.from = gp_slice(bytes, put_sample(&start))};
    assert_int_equal(gp_start_get(&get, &back), GP_E_REPLAY_VERSION);
    assert_true(gp_slice_equal(back.version, gp_text("9.9"))); /* to be told */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it_comes_back),
        cmocka_unit_test(test_what_is_cut_is_damaged),
        cmocka_unit_test(test_of_other_messages_it_is_another_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
