/* A founder that is open and may issue, and joiners made from its tokens without a network. */
#ifndef GP_TEST_AGENT_NODE_FIXTURE_H
#define GP_TEST_AGENT_NODE_FIXTURE_H

#include "agent/node/admit.h"
#include "agent/node/join.h"
#include "agent_store_fixture.h"

#define TEST_NOW UINT64_C(1750000000000)
#define TEST_DAY UINT64_C(86400000)

typedef struct test_machine {
    gp_state_dir_t dir;
    gp_identity_t identity;
    gp_store_t *store;
    gp_issuer_t issuer;
} test_machine_t;

/* Founds a grid with the machine `name` in the region lab. */
void test_found(const char *root, const char *name);

/* Opens a machine that was founded or has joined. */
void test_open(const char *root, const char *name, test_machine_t *ret_machine);
void test_close(test_machine_t *machine);

/* A token of that machine. */
gp_invite_result_t test_invite(test_machine_t *machine, uint32_t uses, uint16_t roles,
                               gp_wall_ms_t now_ms);

/* Parameters that join the region lab with this token. */
gp_join_params_t test_join_params(const char *root, const char *name, const char *token);

/* Asks the issuer in place of a network; context is a test_machine_t. */
gp_error_t test_exchange(void *context, const gp_join_t *join, const gp_seed_t *seed,
                         const gp_msg_t *ask, gp_join_reply_t *ret_reply, gp_fail_t *fail);

/* The same ask, decided at once. */
gp_admit_result_t test_admit(test_machine_t *machine, const gp_join_t *join, gp_wall_ms_t now_ms);

/* Copies an answer through the wire's form, so that its slices point into reply->bytes. */
void test_reply(const gp_msg_t *answer, gp_join_reply_t *ret_reply);

#endif
