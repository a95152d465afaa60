/* The table: order, slots that stay, scrubbed masks, digest, ring. */
#include "tests/unit/overlay_solo.h"
#include "tests/unit/proto_cmocka.h"

static void test_order_and_slots(void **state)
{
    (void)state;
    solo_t *s = solo_new(0);
    gp_group_t *g = s->core;
    static const uint32_t numbers[] = {40, 3, 77, 9, 120, 5};
    for (size_t i = 0; i < 6; i++) {
        gp_id_t id = solo_id(numbers[i]);
        assert_non_null(gp_group_add(g, &id));
    }
    assert_int_equal(gp_group_count(g), 7);
    for (uint32_t i = 1; i < gp_group_count(g); i++) {
        assert_true(
            gp_id_compare(&gp_group_member_at(g, i - 1)->id, &gp_group_member_at(g, i)->id) < 0);
    }
    uint8_t slot = solo_entry(s, 9)->slot;
    gp_group_remove(g, solo_entry(s, 40));
    gp_group_remove(g, solo_entry(s, 120));
    assert_null(solo_entry(s, 40));
    assert_int_equal(solo_entry(s, 9)->slot, slot);
    gp_id_t id = solo_id(1);
    assert_non_null(gp_group_add(g, &id));
    assert_int_equal(gp_group_count(g), 6);
    solo_free(s);
}

static void test_full(void **state)
{
    (void)state;
    solo_t *s = solo_new(GP_MEMBERS_MAX - 1);
    gp_id_t id = solo_id(100);
    assert_int_equal(gp_group_count(s->core), GP_MEMBERS_MAX);
    assert_null(gp_group_add(s->core, &id));
    solo_free(s);
}

static void test_removed_slots_are_scrubbed(void **state)
{
    (void)state;
    solo_t *s = solo_new(4);
    gp_group_entry_t *m = solo_entry(s, 1);
    gp_group_entry_t *gone = solo_entry(s, 2);
    m->asked = m->silent = UINT64_C(1) << gone->slot;
    m->ask_due = 5;
    m->ask_by = gone->slot;
    assert_true(gp_group_evidence_add(s->core, m, gone->slot, gp_group_newest(m)));
    assert_true(gp_group_evidence_add(s->core, m, solo_entry(s, 3)->slot, gp_group_newest(m)));
    gp_group_remove(s->core, gone);
    assert_int_equal(m->asked | m->silent, 0);
    assert_int_equal(m->ask_due, 0);
    assert_int_equal(m->evidence_by, UINT64_C(1) << solo_entry(s, 3)->slot);
    gp_group_remove(s->core, solo_entry(s, 3));
    assert_int_equal(m->evidence_by, 0);
    assert_int_equal(m->evidence_at, 0); /* evidence without an observer is none */
    solo_free(s);
}

static void test_digest(void **state)
{
    (void)state;
    solo_t *a = solo_new(5);
    solo_t *b = solo_new(5);
    uint32_t digest = gp_group_digest(a->core);
    assert_int_equal(digest, gp_group_digest(b->core));
    gp_group_entry_t *m = solo_entry(b, 3);
    m->shown.incarnation++;
    assert_int_not_equal(digest, gp_group_digest(b->core));
    m->shown.incarnation--;
    m->shown.flags ^= GP_FLAG_LEAVING;
    assert_int_not_equal(digest, gp_group_digest(b->core));
    m->shown.flags ^= GP_FLAG_LEAVING;
    m->ruled_state = GP_MEMBER_ALIVE;
    assert_int_not_equal(digest, gp_group_digest(b->core));
    m->ruled_state = GP_MEMBER_UNKNOWN;
    assert_int_equal(digest, gp_group_digest(b->core));
    gp_id_t hearsay = solo_id(60);
    assert_non_null(gp_group_add(b->core, &hearsay));
    assert_int_equal(digest, gp_group_digest(b->core));
    solo_free(a);
    solo_free(b);
}

static void test_identity_is_bounded_and_noticed(void **state)
{
    (void)state;
    solo_t *s = solo_new(1);
    gp_group_entry_t *m = solo_entry(s, 1);
    gp_record_member_t record = solo_record(1, GP_MEMBER_ALIVE);
    assert_false(gp_group_identify(s->core, m, &record));
    char longer[GP_ADDRESS_MAX + 40];
    memset(longer, 'x', sizeof longer);
    record.address = gp_slice(longer, sizeof longer);
    record.name = gp_slice(longer, sizeof longer);
    assert_true(gp_group_identify(s->core, m, &record));
    assert_int_equal(strlen(m->shown.address), GP_ADDRESS_MAX);
    assert_int_equal(strlen(m->shown.name), GP_NAME_MAX);
    static const uint8_t cert[GP_CERT_MAX + 1] = {7, 8};
    record.cert = gp_slice(cert, sizeof cert);
    gp_group_identify(s->core, m, &record);
    assert_int_equal(m->shown.cert.n, 0); /* does not fit: not kept */
    record.cert = gp_slice(cert, 20);
    assert_true(gp_group_identify(s->core, m, &record));
    assert_int_equal(m->shown.cert.n, 20);
    assert_memory_equal(m->shown.cert.p, cert, 20);
    record.cert = gp_slice(NULL, 0);
    assert_false(gp_group_identify(s->core, m, &record)); /* not given: kept */
    assert_int_equal(m->shown.cert.n, 20);
    solo_free(s);
}

static void test_ring(void **state)
{
    (void)state;
    solo_t *s = solo_leading(6);
    gp_id_t next = gp_group_ring(s->core, true)->shown.id;
    gp_id_t previous = gp_group_ring(s->core, false)->shown.id;
    gp_id_t one = solo_id(1);
    gp_id_t six = solo_id(6);
    assert_true(gp_id_equal(&next, &one) && gp_id_equal(&previous, &six));
    gp_group_rule(s->core, solo_entry(s, 1), GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
    solo_entry(s, 2)->shown.flags |= GP_FLAG_RELAYED; /* nobody can dial it */
    next = gp_group_ring(s->core, true)->shown.id;
    gp_id_t three = solo_id(3);
    assert_true(gp_id_equal(&next, &three));
    solo_free(s);
    s = solo_leading(0);
    assert_null(gp_group_ring(s->core, true));
    solo_free(s);
}

static void test_observers_in_order(void **state)
{
    (void)state;
    solo_t *s = solo_new(6);
    uint64_t slots = UINT64_C(1) << solo_entry(s, 5)->slot | UINT64_C(1) << solo_entry(s, 2)->slot |
                     UINT64_C(1) << solo_entry(s, 6)->slot | UINT64_C(1) << solo_entry(s, 4)->slot;
    gp_group_entry_t *m = solo_entry(s, 1);
    gp_group_observers(s->core, m, slots);
    assert_int_equal(m->shown.observer_count, GP_OBSERVERS_MAX);
    gp_id_t two = solo_id(2);
    gp_id_t five = solo_id(5);
    assert_true(gp_id_equal(&m->shown.observers[0], &two));
    assert_true(gp_id_equal(&m->shown.observers[2], &five));
    gp_record_member_t record;
    gp_out_reset(&s->out);
    gp_group_record(m, true, &s->out, &record);
    assert_int_equal(record.observers.n, 3 * sizeof(gp_id_t));
    assert_memory_equal(record.observers.p, m->shown.observers, record.observers.n);
    solo_free(s);
}

static void test_a_new_name_alone_is_noticed(void **state)
{
    (void)state;
    solo_t *s = solo_new(1);
    gp_record_member_t record = solo_record(1, GP_MEMBER_ALIVE);
    record.name = gp_text("m001"); /* of the same length */
    solo_entry(s, 1)->identity = false;
    assert_true(gp_group_identify(s->core, solo_entry(s, 1), &record));
    assert_true(solo_entry(s, 1)->identity);
    assert_string_equal(solo_entry(s, 1)->shown.name, "m001");
    assert_string_equal(solo_entry(s, 1)->shown.address, "a001");
    solo_free(s);
}

/* Who left for good may have a successor of its name: that one is meant. */
static void test_members_are_found_by_name(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    const gp_group_t *g = s->core;
    assert_null(gp_group_member_named(g, gp_text("n009")));
    gp_id_t two = solo_id(2);
    assert_true(gp_id_equal(&gp_group_member_named(g, gp_text("n002"))->id, &two));
    gp_msg_t leave = {.kind = GP_MSG_LEAVE};
    leave.u.leave.group = SOLO_GROUP;
    leave.u.leave.incarnation = solo_incarnation(2);
    leave.u.leave.forever = true;
    solo_message(s, 2, &leave);
    assert_true(gp_id_equal(&gp_group_member_named(g, gp_text("n002"))->id, &two));
    gp_record_member_t record = solo_record(3, GP_MEMBER_ALIVE);
    record.name = gp_text("n002");
    gp_group_identify(s->core, solo_entry(s, 3), &record);
    gp_id_t three = solo_id(3);
    assert_true(gp_id_equal(&gp_group_member_named(g, gp_text("n002"))->id, &three));
    solo_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_slots),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_removed_slots_are_scrubbed),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_identity_is_bounded_and_noticed),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_observers_in_order),
        cmocka_unit_test(test_a_new_name_alone_is_noticed),
        cmocka_unit_test(test_members_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
