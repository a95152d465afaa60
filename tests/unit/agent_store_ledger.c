/* The ledger: found again as written, in order, without what has expired when room is needed. */
#include "agent/store/ledger.h"

#include "agent_store_fixture.h"

static char dir[128];
static gp_store_t *store;

static int set_up(void **state)
{
    (void)state;
    gp_fail_t fail;
    (void)test_dir_make(dir);
    assert_error(gp_store_create(dir, &fail), GP_OK, &fail);
    assert_error(gp_store_open(dir, NULL, &store, &fail), GP_OK, &fail);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gp_store_close(store);
    test_dir_remove(dir);
    return 0;
}

static void reopen(void)
{
    gp_fail_t fail;
    gp_store_close(store);
    assert_error(gp_store_open(dir, NULL, &store, &fail), GP_OK, &fail);
}

static void run(gp_store_run_fn *function, void *context)
{
    gp_fail_t fail;
    assert_error(gp_store_run_now(store, function, context, &fail), GP_OK, &fail);
}

static gp_invitation_t invitation_of(gp_store_t *in, gp_wall_ms_t expires_ms)
{
    gp_invitation_t invitation = {.serial = gp_ledger_serial(in),
                                  .region = "lab",
                                  .roles = 7,
                                  .expires_ms = expires_ms,
                                  .uses = 5};
    invitation.key.b[0] = (uint8_t)invitation.serial;
    return invitation;
}

static gp_error_t three_invitations(gp_store_t *in, void *context)
{
    (void)context;
    for (int i = 0; i < 3; i++) {
        gp_invitation_t invitation = invitation_of(in, 1000);
        assert_int_equal(gp_ledger_invite(in, &invitation, 0), GP_OK);
    }
    gp_invitation_t changed;
    assert_int_equal(gp_ledger_invitation(in, 2, &changed), GP_OK);
    changed.used = 4;
    return gp_ledger_invite(in, &changed, 0);
}

static void each_serial(void *context, const gp_invitation_t *invitation)
{
    uint64_t *serials = context;
    *serials = *serials * 10 + invitation->serial;
}

static void test_invitations(void **state)
{
    gp_invitation_t invitation;
    uint64_t serials = 0;
    (void)state;
    run(three_invitations, NULL);
    reopen();
    assert_int_equal(gp_ledger_invitation(store, 2, &invitation), GP_OK);
    assert_int_equal(invitation.used, 4);
    assert_int_equal(invitation.uses, 5);
    assert_int_equal(invitation.roles, 7);
    assert_int_equal(invitation.expires_ms, 1000);
    assert_string_equal(invitation.region, "lab");
    assert_int_equal(invitation.key.b[0], 2);
    assert_int_equal(gp_ledger_invitation(store, 4, &invitation), GP_E_TOKEN_UNKNOWN);
    assert_int_equal(gp_ledger_invitations(store, 0, 10, each_serial, &serials), GP_OK);
    assert_int_equal(serials, 123);
    serials = 0;
    assert_int_equal(gp_ledger_invitations(store, 1, 1, each_serial, &serials), GP_OK);
    assert_int_equal(serials, 2);
}

static gp_error_t fill_invitations(gp_store_t *in, void *context)
{
    (void)context;
    for (int i = 0; i < GP_INVITATIONS_MAX; i++) {
        const gp_invitation_t invitation = invitation_of(in, (gp_wall_ms_t)(1000 + i));
        assert_int_equal(gp_ledger_invite(in, &invitation, 0), GP_OK);
    }
    return GP_OK;
}

static gp_error_t one_more(gp_store_t *in, void *context)
{
    const gp_wall_ms_t *now_ms = context;
    const gp_invitation_t invitation = invitation_of(in, 9999999);
    return gp_ledger_invite(in, &invitation, *now_ms);
}

static void test_expired_invitations_make_room(void **state)
{
    gp_fail_t fail;
    gp_invitation_t invitation;
    gp_wall_ms_t now_ms = 1000;
    (void)state;
    run(fill_invitations, NULL);
    assert_error(gp_store_run_now(store, one_more, &now_ms, &fail), GP_E_INVITE_LIMIT, &fail);
    now_ms = 1001;
    run(one_more, &now_ms);
    assert_int_equal(gp_ledger_invitation(store, 1, &invitation), GP_E_TOKEN_UNKNOWN);
    assert_int_equal(gp_ledger_invitation(store, 2, &invitation), GP_OK);
    assert_error(gp_store_run_now(store, one_more, &now_ms, &fail), GP_E_INVITE_LIMIT, &fail);
    reopen();
}

/* The second of those that fill_invitations wrote. */
static gp_error_t use_up(gp_store_t *in, void *context)
{
    gp_invitation_t invitation;
    (void)context;
    assert_int_equal(gp_ledger_invitation(in, 2, &invitation), GP_OK);
    invitation.used = invitation.uses;
    return gp_ledger_invite(in, &invitation, 0);
}

static void test_what_is_used_up_makes_room_after_what_expired(void **state)
{
    gp_fail_t fail;
    gp_invitation_t invitation;
    gp_wall_ms_t now_ms = 1001;
    (void)state;
    run(fill_invitations, NULL);
    run(use_up, NULL);
    run(one_more, &now_ms);
    assert_int_equal(gp_ledger_invitation(store, 1, &invitation), GP_E_TOKEN_UNKNOWN);
    assert_int_equal(gp_ledger_invitation(store, 2, &invitation), GP_OK);
    run(one_more, &now_ms);
    assert_int_equal(gp_ledger_invitation(store, 2, &invitation), GP_E_TOKEN_UNKNOWN);
    assert_error(gp_store_run_now(store, one_more, &now_ms, &fail), GP_E_INVITE_LIMIT, &fail);
    reopen();
}

typedef struct machine {
    uint8_t id;
    const char *name;
    gp_wall_ms_t expires_ms;
} machine_t;

static gp_error_t admit(gp_store_t *in, void *context)
{
    const machine_t *machine = context;
    gp_admission_t admission = {.serial = gp_ledger_serial(in),
                                .invitation = 9,
                                .at_ms = 5,
                                .expires_ms = machine->expires_ms,
                                .cert_n = 3,
                                .cert = "abc"};
    admission.node.b[0] = machine->id;
    (void)snprintf(admission.name, sizeof admission.name, "%s", machine->name);
    return gp_ledger_admit(in, &admission, 0);
}

static void test_admissions(void **state)
{
    gp_admission_t found;
    const gp_id_t one = {.b = {1}};
    const gp_id_t two = {.b = {2}};
    const gp_id_t three = {.b = {3}};
    (void)state;
    run(admit, &(machine_t){1, "a", 1000});
    run(admit, &(machine_t){2, "b", 1000});
    run(admit, &(machine_t){1, "c", 2000});
    reopen();
    assert_int_equal(gp_ledger_by_node(store, &one, &found), GP_OK);
    assert_string_equal(found.name, "c"); /* the newest */
    assert_int_equal(found.serial, 3);
    assert_int_equal(found.cert_n, 3);
    assert_memory_equal(found.cert, "abc", 3);
    assert_int_equal(gp_ledger_by_node(store, &three, &found), GP_E_NODE_UNKNOWN);
    assert_int_equal(gp_ledger_by_name(store, gp_text("a"), &two, 999, &found), GP_OK);
    assert_int_equal(gp_ledger_by_name(store, gp_text("a"), &one, 999, &found), GP_E_NODE_UNKNOWN);
    assert_int_equal(gp_ledger_by_name(store, gp_text("a"), &two, 1000, &found), GP_E_NODE_UNKNOWN);
    assert_int_equal(gp_ledger_by_name(store, gp_text("x"), &two, 0, &found), GP_E_NODE_UNKNOWN);
    run((gp_store_run_fn *)gp_ledger_forget, (void *)(uintptr_t)&one);
    run((gp_store_run_fn *)gp_ledger_forget, (void *)(uintptr_t)&three); /* is nobody: fine */
    reopen();
    assert_int_equal(gp_ledger_by_node(store, &one, &found), GP_E_NODE_UNKNOWN);
    assert_int_equal(gp_ledger_by_node(store, &two, &found), GP_OK);
}

static gp_error_t serial_then_refuse(gp_store_t *in, void *context)
{
    uint64_t *serial = context;
    *serial = gp_ledger_serial(in);
    return GP_E_TOKEN_USED;
}

static void test_serials_are_given_back_only_when_nothing_was_kept(void **state)
{
    gp_fail_t fail;
    uint64_t serial = 0;
    (void)state;
    run(three_invitations, NULL);
    assert_error(gp_store_run_now(store, serial_then_refuse, &serial, &fail), GP_E_TOKEN_USED,
                 &fail);
    assert_int_equal(serial, 4);
    reopen();
    assert_error(gp_store_run_now(store, serial_then_refuse, &serial, &fail), GP_E_TOKEN_USED,
                 &fail);
    assert_int_equal(serial, 4);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_invitations),
        T(test_expired_invitations_make_room),
        T(test_what_is_used_up_makes_room_after_what_expired),
        T(test_admissions),
        T(test_serials_are_given_back_only_when_nothing_was_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
