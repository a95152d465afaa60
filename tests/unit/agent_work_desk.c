#include "tests/unit/agent_work_desk.h"

#include <string.h>

static gp_error_t fits(void *context, gp_slice_t where, char *reason, size_t size)
{
    const desk_t *desk = context;

    (void)where;
    if (desk->fits != GP_OK) {
        snprintf(reason, size, "cpu >= 1: it has none");
    }
    return desk->fits;
}

void desk_open(desk_t *desk)
{
    memset(desk, 0, sizeof *desk);
    gp_work_config_default(&desk->config);
    desk->config.epoch = DESK_EPOCH;
    desk->config.home_max = 4;
    desk->config.attempts_max = 4;
    desk->config.running_max = 2;
    desk->config.command_bytes = 256;
    desk->config.output_window = 64;
    desk->config.fits = fits;
    desk->config.fits_context = desk;
    desk->self = desk_id(200);
    desk->now = 100 * GP_SECOND;
    desk->out = (gp_out_t){.actions = desk->actions,
                           .capacity = GP_ACTIONS_MAX,
                           .arena = desk->arena,
                           .size = sizeof desk->arena,
                           .room = GP_ROOM_WORK};
    desk_renew(desk);
}

void desk_renew(desk_t *desk)
{
    size_t n = gp_work_ops.size(&desk->config);

    free(desk->core);
    assert_true(n > 0);
    desk->core = malloc(n);
    assert_non_null(desk->core);
    memset(desk->core, 0x5a, n);
    gp_work_ops.init(desk->core, &desk->config, desk->self, 1);
    gp_work_ops.check(desk->core);
    assert_true(gp_work_ops.wake(desk->core) == GP_NEVER);
}

void desk_close(desk_t *desk)
{
    free(desk->core);
}

int desk_setup(void **state)
{
    desk_t *desk = malloc(sizeof *desk);

    assert_non_null(desk);
    desk_open(desk);
    *state = desk;
    return 0;
}

int desk_teardown(void **state)
{
    desk_close(*state);
    free(*state);
    return 0;
}

gp_id_t desk_id(uint8_t number)
{
    return (gp_id_t){.b = {number, 1}};
}

gp_msg_t *desk_msg(desk_t *desk, gp_msg_kind_t kind)
{
    memset(&desk->msg, 0, gp_msg_size(kind));
    desk->msg.kind = kind;
    return &desk->msg;
}

static void step(desk_t *desk, gp_event_t event)
{
    static uint8_t bytes[GP_MESSAGE_MAX];
    size_t n;

    event.now = desk->now;
    gp_out_reset(&desk->out);
    for (uint32_t i = 0; desk->crowded && i < GP_ACTIONS_SOFT; i++) {
        gp_out_plain(&desk->out, GP_ACTION_LINK, &desk->self, 1);
    }
    desk->crowded = false;
    gp_work_ops.step(desk->core, &event, &desk->out);
    gp_work_ops.check(desk->core);
    for (uint32_t i = 0; i < desk->out.count; i++) { /* all of it fits a message */
        assert_true(desk->actions[i].msg == NULL ||
                    gp_msg_pack(desk->actions[i].msg, bytes, sizeof bytes, &n) == GP_OK);
    }
}

void desk_crowd(desk_t *desk)
{
    desk->crowded = true;
}

void desk_command(desk_t *desk, uint64_t token)
{
    step(desk, (gp_event_t){.type = GP_EVENT_COMMAND, .token = token, .msg = &desk->msg});
}

void desk_receive(desk_t *desk, uint8_t from)
{
    step(desk, (gp_event_t){.type = GP_EVENT_MSG, .peer = desk_id(from), .msg = &desk->msg});
}

void desk_load(desk_t *desk)
{
    step(desk, (gp_event_t){.type = GP_EVENT_LOAD, .room = GP_ROOM_WORK, .msg = &desk->msg});
    assert_int_equal(desk->out.count, 0);
}

void desk_start(desk_t *desk)
{
    step(desk, (gp_event_t){.type = GP_EVENT_START});
}

void desk_stored(desk_t *desk, uint64_t token, bool ok)
{
    step(desk,
         (gp_event_t){.type = GP_EVENT_STORED, .room = GP_ROOM_WORK, .token = token, .ok = ok});
}

void desk_wake(desk_t *desk, gp_usec_t in)
{
    desk->now += in;
    step(desk, (gp_event_t){.type = GP_EVENT_WAKE});
}

const gp_action_t *desk_find(const desk_t *desk, gp_action_type_t type, gp_msg_kind_t kind,
                             uint32_t n)
{
    for (uint32_t i = 0; i < desk->out.count; i++) {
        if (desk->actions[i].type == type && desk->actions[i].msg->kind == kind && n-- == 0) {
            return &desk->actions[i];
        }
    }
    return NULL;
}

uint32_t desk_count(const desk_t *desk, gp_action_type_t type, gp_msg_kind_t kind)
{
    uint32_t n = 0;

    while (desk_find(desk, type, kind, n) != NULL) {
        n++;
    }
    return n;
}

static const gp_action_t *only(const desk_t *desk, gp_action_type_t type, gp_msg_kind_t kind)
{
    if (desk_count(desk, type, kind) != 1) {
        fail_msg("%u actions of kind %s, not one", desk_count(desk, type, kind), gp_msg_name(kind));
    }
    return desk_find(desk, type, kind, 0);
}

const gp_msg_t *desk_sent(const desk_t *desk, uint8_t to, gp_msg_kind_t kind)
{
    const gp_action_t *action = only(desk, GP_ACTION_SEND, kind);
    gp_id_t id = desk_id(to);

    assert_true(gp_id_equal(&action->peer, &id));
    return action->msg;
}

const gp_msg_t *desk_noticed(const desk_t *desk, gp_msg_kind_t kind)
{
    return only(desk, GP_ACTION_NOTICE, kind)->msg;
}

uint64_t desk_store_token(const desk_t *desk, gp_msg_kind_t kind)
{
    return only(desk, GP_ACTION_STORE, kind)->token;
}

void desk_text(gp_slice_t text, const char *expected)
{
    char got[GP_MESSAGE_MAX];

    snprintf(got, sizeof got, "%.*s", (int)text.n, text.n > 0 ? (const char *)text.p : "");
    assert_string_equal(got, expected);
}

bool desk_text_has(gp_slice_t text, const char *part)
{
    char got[1024];

    snprintf(got, sizeof got, "%.*s", (int)text.n, text.n > 0 ? (const char *)text.p : "");
    if (strstr(got, part) == NULL) {
        print_message("'%s' does not say '%s'\n", got, part);
        return false;
    }
    return true;
}

/* ---- the home's way -------------------------------------------------------------------------- */

void desk_run(desk_t *desk)
{
    gp_msg_work_run_t *run = &desk_msg(desk, GP_MSG_WORK_RUN)->u.work_run;

    run->name = gp_text("a-job");
    run->where = gp_text("cpu >= 1");
    run->rank = gp_text("cpu");
    run->args_count = 2;
    run->args[0].text = gp_text("prog");
    run->args[1].text = gp_text("arg");
    run->env_count = 1;
    run->env[0].text = gp_text("A=b");
    desk_command(desk, 77);
}

uint64_t desk_accepted(desk_t *desk)
{
    desk_run(desk);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    return desk_noticed(desk, GP_MSG_JOB)->u.job.job;
}

uint64_t desk_matched(desk_t *desk, uint8_t hits)
{
    static const char *const names[] = {"n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"};
    uint64_t job = desk_accepted(desk);
    gp_msg_work_answer_t *answer = &desk_msg(desk, GP_MSG_WORK_ANSWER)->u.work_answer;

    for (uint8_t i = 0; i < hits; i++) {
        answer->hits[i].id = desk_id((uint8_t)(i + 1));
        answer->hits[i].name = gp_text(names[i]);
    }
    answer->hits_count = hits;
    answer->considered = 9;
    desk_command(desk, job);
    return job;
}

void desk_claimed(desk_t *desk, uint8_t from, uint32_t incarnation, bool taken, uint64_t ticket)
{
    gp_msg_claimed_t *msg = &desk_msg(desk, GP_MSG_CLAIMED)->u.claimed;

    msg->job = DESK_FIRST;
    msg->incarnation = incarnation;
    msg->taken = taken;
    msg->ticket = ticket;
    if (!taken) {
        msg->error = GP_E_RUN_FULL;
        msg->text = gp_text("it is full");
    }
    desk_receive(desk, from);
}

uint64_t desk_offered(desk_t *desk)
{
    uint64_t job = desk_matched(desk, 3);

    (void)desk_sent(desk, 1, GP_MSG_CLAIM);
    desk_claimed(desk, 1, 1, true, 500);
    return job;
}

uint64_t desk_ordered(desk_t *desk)
{
    uint64_t job = desk_offered(desk);

    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    return job;
}

uint64_t desk_running(desk_t *desk)
{
    uint64_t job = desk_ordered(desk);

    desk_kept(desk, 1, true);
    return job;
}

void desk_kept(desk_t *desk, uint8_t from, bool running)
{
    gp_msg_kept_t *msg = &desk_msg(desk, GP_MSG_KEPT)->u.kept;

    *msg = (gp_msg_kept_t){.job = DESK_FIRST, .incarnation = 1, .running = running};
    desk_receive(desk, from);
}

void desk_output(desk_t *desk, uint64_t offset, const char *text)
{
    gp_msg_output_t *msg = &desk_msg(desk, GP_MSG_OUTPUT)->u.output;

    *msg = (gp_msg_output_t){
        .job = DESK_FIRST, .incarnation = 1, .stream = 1, .offset = offset, .bytes = gp_text(text)};
    desk_receive(desk, 1);
}

void desk_ended(desk_t *desk, uint8_t from, gp_reason_t reason, uint32_t code, uint64_t output)
{
    gp_msg_ended_t *msg = &desk_msg(desk, GP_MSG_ENDED)->u.ended;

    *msg = (gp_msg_ended_t){.job = DESK_FIRST,
                            .incarnation = 1,
                            .reason = (uint8_t)reason,
                            .code = code,
                            .output = output,
                            .wall_us = 5,
                            .cpu_us = 6,
                            .peak_bytes = 7};
    desk_receive(desk, from);
}

void desk_member(desk_t *desk, uint8_t of, gp_member_state_t state, gp_cause_t cause,
                 bool forgotten)
{
    gp_msg_work_member_t *msg = &desk_msg(desk, GP_MSG_WORK_MEMBER)->u.work_member;

    msg->forgotten = forgotten;
    msg->roles = GP_ROLE_ALL;
    msg->entries_count = 1;
    msg->entries[0].id = desk_id(of);
    msg->entries[0].state = (uint8_t)state;
    msg->entries[0].cause = (uint8_t)cause;
    desk_command(desk, 0);
}

void desk_roles(desk_t *desk, const gp_id_t *of, uint16_t roles)
{
    gp_msg_work_member_t *msg = &desk_msg(desk, GP_MSG_WORK_MEMBER)->u.work_member;

    msg->roles = roles;
    msg->entries_count = 1;
    msg->entries[0].id = *of;
    msg->entries[0].state = GP_MEMBER_ALIVE;
    msg->entries[0].cause = GP_CAUSE_JOINED;
    desk_command(desk, 0);
}

/* ---- the executor's way ---------------------------------------------------------------------- */

void desk_claim(desk_t *desk, uint8_t from, uint64_t job, uint32_t incarnation)
{
    gp_msg_claim_t *msg = &desk_msg(desk, GP_MSG_CLAIM)->u.claim;

    msg->job = job;
    msg->incarnation = incarnation;
    msg->lease_ms = 10000;
    msg->name = gp_text("a-job");
    msg->where = gp_text("cpu >= 1");
    msg->args_count = 2;
    msg->args[0].text = gp_text("prog");
    msg->args[1].text = gp_text("arg");
    msg->env_count = 1;
    msg->env[0].text = gp_text("A=b");
    desk_receive(desk, from);
}

uint64_t desk_offer(desk_t *desk)
{
    const gp_msg_claimed_t *claimed;

    desk_claim(desk, 9, 40, 1);
    claimed = &desk_sent(desk, 9, GP_MSG_CLAIMED)->u.claimed;
    assert_true(claimed->taken && claimed->ticket != 0);
    return claimed->ticket;
}

void desk_keep(desk_t *desk, uint64_t ticket, uint64_t received, uint64_t until)
{
    gp_msg_keep_t *msg = &desk_msg(desk, GP_MSG_KEEP)->u.keep;

    *msg = (gp_msg_keep_t){.job = 40,
                           .incarnation = 1,
                           .ticket = ticket,
                           .lease_ms = 10000,
                           .received = received,
                           .until = until};
    desk_receive(desk, 9);
}

uint64_t desk_launched(desk_t *desk)
{
    uint64_t ticket = desk_offer(desk);

    desk_keep(desk, ticket, 0, 64);
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
    return ticket;
}

uint64_t desk_attempt(desk_t *desk)
{
    uint64_t ticket = desk_launched(desk);
    gp_msg_work_started_t *msg = &desk_msg(desk, GP_MSG_WORK_STARTED)->u.work_started;

    *msg =
        (gp_msg_work_started_t){.home = desk_id(9), .job = 40, .incarnation = 1, .started = true};
    desk_command(desk, 0);
    return ticket;
}

void desk_wrote(desk_t *desk, uint8_t stream, uint64_t offset, const char *text)
{
    gp_msg_work_output_t *msg = &desk_msg(desk, GP_MSG_WORK_OUTPUT)->u.work_output;

    *msg = (gp_msg_work_output_t){.home = desk_id(9),
                                  .job = 40,
                                  .incarnation = 1,
                                  .stream = stream,
                                  .offset = offset,
                                  .bytes = gp_text(text)};
    desk_command(desk, 0);
}

void desk_program_ended(desk_t *desk, gp_reason_t reason, uint32_t code, uint64_t output)
{
    gp_msg_work_ended_t *msg = &desk_msg(desk, GP_MSG_WORK_ENDED)->u.work_ended;

    *msg = (gp_msg_work_ended_t){.home = desk_id(9),
                                 .job = 40,
                                 .incarnation = 1,
                                 .reason = (uint8_t)reason,
                                 .code = code,
                                 .output = output};
    desk_command(desk, 0);
}

const gp_msg_job_t *desk_told_end(desk_t *desk)
{
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    return &desk_noticed(desk, GP_MSG_JOB)->u.job;
}
