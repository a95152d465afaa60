/* One work core on a desk: step it by hand, look at what it wants done. */
#ifndef AGENT_WORK_DESK_H
#define AGENT_WORK_DESK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/work/work_core.h"
#include "agent/work/work_state.h"

#define DESK_EPOCH 3
#define DESK_FIRST                                                                                 \
    ((UINT64_C(3) << 20) + 1) /* the first job's number, the first offer's ticket                  \
                               */

typedef struct desk {
    gp_work_config_t config;
    void *core;
    gp_usec_t now;
    gp_id_t self;
    gp_action_t actions[GP_ACTIONS_MAX];
    _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
    gp_out_t out;
    gp_msg_t msg;    /* the event's message, to be filled in by the test */
    gp_error_t fits; /* what the machine decides */
    bool crowded;    /* is the next step's sheet full? */
} desk_t;

/* Small limits, no LOAD and START yet. */
void desk_open(desk_t *desk);
void desk_close(desk_t *desk);

/* cmocka's: each test has a desk of its own, *state. */
int desk_setup(void **state);
int desk_teardown(void **state);
#define DESK(test) cmocka_unit_test_setup_teardown(test, desk_setup, desk_teardown)

/* A new core with desk->config, as after a start of the agent. */
void desk_renew(desk_t *desk);

gp_id_t desk_id(uint8_t number);

/* Zeroes desk->msg for `kind` and returns it. */
gp_msg_t *desk_msg(desk_t *desk, gp_msg_kind_t kind);

/* Each checks the core's invariants and leaves the actions in desk->out. */
void desk_command(desk_t *desk, uint64_t token);
void desk_receive(desk_t *desk, uint8_t from);
void desk_load(desk_t *desk);
void desk_start(desk_t *desk);
void desk_stored(desk_t *desk, uint64_t token, bool ok);
void desk_wake(desk_t *desk, gp_usec_t in); /* after so much time */

/* The next step finds a sheet that other rooms have filled: what can wait is left for later. */
void desk_crowd(desk_t *desk);

/* The n-th action (from 0) of this type and kind, or NULL. */
const gp_action_t *desk_find(const desk_t *desk, gp_action_type_t type, gp_msg_kind_t kind,
                             uint32_t n);
uint32_t desk_count(const desk_t *desk, gp_action_type_t type, gp_msg_kind_t kind);

/* The same, which must be there (once): its message. */
const gp_msg_t *desk_sent(const desk_t *desk, uint8_t to, gp_msg_kind_t kind);
const gp_msg_t *desk_noticed(const desk_t *desk, gp_msg_kind_t kind);

/* What is told of the job once its record is durable. */
const gp_msg_job_t *desk_told_end(desk_t *desk);

/* The token of the one STORE of this kind. */
uint64_t desk_store_token(const desk_t *desk, gp_msg_kind_t kind);

void desk_text(gp_slice_t text, const char *expected);
bool desk_text_has(gp_slice_t text, const char *part);

/* ---- the home's way, step by step; each leaves its last actions ------------------------------ */

/* WORK_RUN of {"prog", "arg"} where "cpu >= 1"; token 77. */
void desk_run(desk_t *desk);

/* ... and its record is durable: JOB_FIND is out. Returns the job's number. */
uint64_t desk_accepted(desk_t *desk);

/* ... and discovery answers with machines 1..hits. */
uint64_t desk_matched(desk_t *desk, uint8_t hits);

/* ... and machine 1 offers ticket 500: the executor is being stored. Returns the number. */
uint64_t desk_offered(desk_t *desk);

/* ... durable: the order is out. */
uint64_t desk_ordered(desk_t *desk);

/* ... and machine 1 says that it runs. */
uint64_t desk_running(desk_t *desk);

/* A message of the executor, about the job's attempt 1. */
void desk_claimed(desk_t *desk, uint8_t from, uint32_t incarnation, bool taken, uint64_t ticket);
void desk_kept(desk_t *desk, uint8_t from, bool running);
void desk_output(desk_t *desk, uint64_t offset, const char *text);
void desk_ended(desk_t *desk, uint8_t from, gp_reason_t reason, uint32_t code, uint64_t output);
void desk_member(desk_t *desk, uint8_t of, gp_member_state_t state, gp_cause_t cause,
                 bool forgotten);

/* The group says that this machine is alive, and its certificate that it may do this. */
void desk_roles(desk_t *desk, const gp_id_t *of, uint16_t roles);

/* ---- the executor's way, for home 9, job 40, incarnation 1 ----------------------------------- */

void desk_claim(desk_t *desk, uint8_t from, uint64_t job, uint32_t incarnation);

/* A claim that is taken: returns the ticket. */
uint64_t desk_offer(desk_t *desk);
void desk_keep(desk_t *desk, uint64_t ticket, uint64_t received, uint64_t until);

/* ... ordered, recorded, and the launcher told to start. Returns the ticket. */
uint64_t desk_launched(desk_t *desk);

/* ... and started. */
uint64_t desk_attempt(desk_t *desk);
void desk_wrote(desk_t *desk, uint8_t stream, uint64_t offset, const char *text);
void desk_program_ended(desk_t *desk, gp_reason_t reason, uint32_t code, uint64_t output);

#endif
