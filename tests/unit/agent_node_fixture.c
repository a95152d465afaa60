#include "agent_node_fixture.h"

#include <stdlib.h>

#include "agent/node/found.h"

void test_found(const char *root, const char *name)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    const gp_found_params_t params = {.root = root,
                                      .name = name,
                                      .region = "lab",
                                      .listen = "tcp://127.0.0.1:7001",
                                      .now_ms = TEST_NOW};
    assert_int_equal(gp_keys_init(), GP_OK);
    assert_error(gp_found(&params, &result, &fail), GP_OK, &fail);
}

void test_open(const char *root, const char *name, test_machine_t *ret_machine)
{
    gp_fail_t fail;
    assert_error(gp_state_open(root, name, &ret_machine->dir, &fail), GP_OK, &fail);
    assert_error(
        gp_identity_open(&ret_machine->dir, TEST_NOW, false, &ret_machine->identity, &fail), GP_OK,
        &fail);
    assert_error(gp_store_open(ret_machine->dir.path, NULL, &ret_machine->store, &fail), GP_OK,
                 &fail);
    ret_machine->issuer =
        (gp_issuer_t){.store = ret_machine->store, .identity = &ret_machine->identity};
}

void test_close(test_machine_t *machine)
{
    gp_store_close(machine->store);
    gp_identity_close(&machine->identity);
    gp_state_close(&machine->dir);
}

gp_invite_result_t test_invite(test_machine_t *machine, uint32_t uses, uint16_t roles,
                               gp_wall_ms_t now_ms)
{
    gp_fail_t fail;
    gp_invite_result_t result;
    const gp_invite_params_t params = {
        .uses = uses,
        .valid_ms = GP_INVITE_VALID_MS,
        .roles = roles,
        .seed_count = 1,
        .seeds = {{.address = "tcp://127.0.0.1:7001", .id = machine->identity.id}}};
    assert_error(gp_invite_now(&machine->issuer, &params, now_ms, &result, &fail), GP_OK, &fail);
    return result;
}

gp_join_params_t test_join_params(const char *root, const char *name, const char *token)
{
    return (gp_join_params_t){.root = root,
                              .name = name,
                              .region = "lab",
                              .token = token,
                              .listen = "tcp://127.0.0.1:7002",
                              .address = "tcp://127.0.0.1:7002",
                              .now_ms = TEST_NOW};
}

gp_admit_result_t test_admit(test_machine_t *machine, const gp_join_t *join, gp_wall_ms_t now_ms)
{
    static gp_msg_t msg;
    gp_admit_result_t result;
    gp_join_ask(join, &msg);
    const gp_admit_ask_t ask = {.peer = {.signer = join->id, .guest = gp_secret_id(join->one_time)},
                                .msg = &msg.u.join_ask};
    gp_admit_now(&machine->issuer, &ask, now_ms, &result);
    return result;
}

void test_reply(const gp_msg_t *answer, gp_join_reply_t *ret_reply)
{
    size_t n = 0;
    assert_int_equal(gp_msg_pack(answer, ret_reply->bytes, sizeof ret_reply->bytes, &n), GP_OK);
    assert_int_equal(
        gp_msg_read(answer->kind, gp_slice(ret_reply->bytes, n), true, &ret_reply->msg), GP_OK);
    ret_reply->msg.kind = answer->kind;
}

gp_error_t test_exchange(void *context, const gp_join_t *join, const gp_seed_t *seed,
                         const gp_msg_t *ask, gp_join_reply_t *ret_reply, gp_fail_t *fail)
{
    test_machine_t *machine = context;
    (void)fail;
    assert_int_equal(ask->kind, GP_MSG_JOIN_ASK);
    assert_true(gp_id_equal(&seed->id, &machine->identity.id));
    const gp_admit_result_t result = test_admit(machine, join, TEST_NOW);
    gp_msg_t *answer = calloc(1, sizeof *answer);
    assert_non_null(answer);
    gp_admit_answer(&result, &machine->identity, answer);
    if (answer->kind == GP_MSG_JOIN_OK) {
        answer->u.join_ok.entries_count = 1;
        answer->u.join_ok.entries[0] = (gp_record_member_t){.id = machine->identity.id,
                                                            .state = GP_MEMBER_ALIVE,
                                                            .name = gp_text(machine->dir.name),
                                                            .address = gp_text(seed->address)};
    }
    test_reply(answer, ret_reply);
    free(answer);
    return GP_OK;
}
