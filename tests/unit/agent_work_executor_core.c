/* The executor: which claims it takes, and that nothing starts but by the one order. */
#include <string.h>

#include "tests/unit/agent_work_desk.h"

static const gp_msg_claimed_t *answer(const desk_t *desk)
{
    return &desk_sent(desk, 9, GP_MSG_CLAIMED)->u.claimed;
}

static void declined(const desk_t *desk, gp_error_t error, const char *why)
{
    assert_false(answer(desk)->taken);
    assert_int_equal(answer(desk)->ticket, 0);
    assert_int_equal(answer(desk)->error, error);
    assert_true(desk_text_has(answer(desk)->text, why));
    assert_int_equal(desk->out.count, 1);
}

static void an_offer_starts_nothing(void **state)
{
    desk_t *desk = *state;

    assert_true(desk_offer(desk) == DESK_FIRST);
    assert_int_equal(desk->out.count, 1);
    assert_int_equal(gp_work_running(desk->core), 1); /* but it holds a place */
}

static void a_repeated_claim_gets_the_same_offer(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_offer(desk);

    assert_true(desk_offer(desk) == ticket);
    assert_int_equal(gp_work_running(desk->core), 1);
    desk_keep(desk, ticket, 0, 64);
    desk_claim(desk, 9, 40, 1); /* an old one: it is ordered already */
    assert_int_equal(desk->out.count, 0);
}

static void an_offer_stands_for_a_lease(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_offer(desk);

    assert_true(gp_work_ops.wake(desk->core) == desk->now + 10 * GP_SECOND);
    desk_wake(desk, 10 * GP_SECOND);
    assert_int_equal(gp_work_running(desk->core), 0);
    desk_keep(desk, ticket, 0, 64);
    assert_false(answer(desk)->taken);
    assert_true(answer(desk)->ticket == ticket); /* it never started and never will */
    assert_int_equal(desk->out.count, 1);
    assert_true(desk_offer(desk) == ticket + 1); /* never the same again */
    desk_keep(desk, ticket, 0, 64);
    assert_true(answer(desk)->ticket == ticket && !answer(desk)->taken);
}

static void the_machine_decides_itself(void **state)
{
    desk_t *desk = *state;
    gp_msg_work_policy_t *policy;

    desk->fits = GP_E_NO_MATCH;
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_NO_MATCH, "cpu >= 1: it has none");
    desk->fits = GP_OK;
    policy = &desk_msg(desk, GP_MSG_WORK_POLICY)->u.work_policy;
    policy->lend = false;
    desk_command(desk, 0);
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_REFUSED, "does not lend");
    policy = &desk_msg(desk, GP_MSG_WORK_POLICY)->u.work_policy;
    policy->lend = true;
    policy->draining = true;
    desk_command(desk, 0);
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_REFUSED, "drained");
    desk_msg(desk, GP_MSG_WORK_POLICY)->u.work_policy.lend = true;
    desk_command(desk, 0);
    (void)desk_offer(desk);
}

static void a_home_that_may_not_submit_has_nothing_run_here(void **state)
{
    desk_t *desk = *state;
    gp_id_t home = desk_id(9);

    desk_roles(desk, &home, GP_ROLE_ALL & ~GP_ROLE_SUBMIT);
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_SUBMIT, "lacks the role submit");
    desk_roles(desk, &home, GP_ROLE_MEMBER | GP_ROLE_SUBMIT); /* a fresh certificate */
    (void)desk_offer(desk);
}

static void a_machine_that_may_not_lend_takes_nothing(void **state)
{
    desk_t *desk = *state;

    desk_roles(desk, &desk->self, GP_ROLE_ALL & ~GP_ROLE_LEND);
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_LEND, "lacks the role lend");
    desk->config.roles = GP_ROLE_MEMBER | GP_ROLE_SUBMIT;
    desk_renew(desk);
    assert_int_equal(gp_work_roles(desk->core), GP_ROLE_MEMBER | GP_ROLE_SUBMIT);
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_LEND, "lacks the role lend");
    desk_roles(desk, &desk->self, GP_ROLE_MEMBER | GP_ROLE_LEND);
    (void)desk_offer(desk);
}

static void where_certificates_are_a_stranger_may_do_nothing(void **state)
{
    desk_t *desk = *state;
    gp_id_t home = desk_id(9);

    desk->config.certified = true;
    desk_renew(desk);
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_SUBMIT, "not known here");
    desk_roles(desk, &home, 0); /* the group knows it, its certificate has not come yet */
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_SUBMIT, "not known here");
    desk_roles(desk, &home, GP_ROLE_ALL);
    (void)desk_offer(desk);
}

static void claims_without_sense_are_declined(void **state)
{
    desk_t *desk = *state;
    char big[300];

    desk_claim(desk, 9, 0, 1);
    declined(desk, GP_E_RUN_REFUSED, "no command");
    desk_claim(desk, 9, 40, 0);
    declined(desk, GP_E_RUN_REFUSED, "no command");
    memset(big, 'x', sizeof big);
    *desk_msg(desk, GP_MSG_CLAIM) = (gp_msg_t){.kind = GP_MSG_CLAIM};
    desk->msg.u.claim.job = 40;
    desk->msg.u.claim.incarnation = 1;
    desk_receive(desk, 9);
    declined(desk, GP_E_RUN_REFUSED, "no command");
    desk->msg.u.claim.args_count = 1;
    desk->msg.u.claim.args[0].text = gp_slice(big, sizeof big);
    desk_receive(desk, 9);
    declined(desk, GP_E_RUN_LIMIT, "too large");
    assert_int_equal(gp_work_running(desk->core), 0);
}

static void no_more_run_than_may(void **state)
{
    desk_t *desk = *state;

    desk_claim(desk, 9, 40, 1);
    desk_claim(desk, 9, 41, 1);
    desk_claim(desk, 9, 42, 1);
    declined(desk, GP_E_RUN_FULL, "as many jobs as it may");
    desk_wake(desk, 10 * GP_SECOND);
    desk_claim(desk, 9, 42, 1);
    assert_true(answer(desk)->taken);
}

static void a_newer_attempt_fences_an_older_one(void **state)
{
    desk_t *desk = *state;

    desk_claim(desk, 9, 40, 3);
    assert_true(answer(desk)->taken);
    desk_claim(desk, 9, 40, 2);
    declined(desk, GP_E_RUN_FENCED, "on record");
    desk_claim(desk, 9, 40, 4); /* its home has moved on: the old offer is void */
    assert_true(answer(desk)->taken);
    assert_int_equal(gp_work_running(desk->core), 1);
    desk_claim(desk, 8, 40, 1); /* another home's job of the same number */
    assert_true(desk_sent(desk, 8, GP_MSG_CLAIMED)->u.claimed.taken);
}

static void an_older_attempt_must_end_first(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    desk_claim(desk, 9, 40, 2);
    declined(desk, GP_E_RUN_FENCED, "on record");
    desk_program_ended(desk, GP_REASON_EXIT, 0, 0);
    desk_claim(desk, 9, 40, 2);
    assert_true(answer(desk)->taken);
}

static void only_the_right_ticket_starts(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_offer(desk);

    desk_keep(desk, ticket + 1, 0, 64); /* not given yet: uncertain */
    assert_int_equal(desk_sent(desk, 9, GP_MSG_ENDED)->u.ended.reason, GP_REASON_NODE_FAILED);
    desk_keep(desk, 0, 0, 64);
    assert_int_equal(desk->out.count, 0);
    desk_keep(desk, ticket, 0, 64);
    (void)desk_store_token(desk, GP_MSG_ATTEMPT_STATE);
    desk_msg(desk, GP_MSG_KEEP)->u.keep.ticket = ticket;
    desk->msg.u.keep.job = 40;
    desk->msg.u.keep.incarnation = 1;
    desk_receive(desk, 8); /* not its home */
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE), 0);
}

static void a_ticket_of_an_earlier_life_is_uncertain(void **state)
{
    desk_t *desk = *state;
    const gp_msg_ended_t *ended;

    desk_keep(desk, DESK_FIRST - 1000, 0, 64);
    ended = &desk_sent(desk, 9, GP_MSG_ENDED)->u.ended;
    assert_int_equal(ended->reason, GP_REASON_NODE_FAILED);
    assert_true(ended->cut);
    assert_true(desk_text_has(ended->text, "may have run"));
    assert_int_equal(desk->out.count, 1);
}

static void ended_ack(desk_t *desk)
{
    gp_msg_ended_ack_t *msg = &desk_msg(desk, GP_MSG_ENDED_ACK)->u.ended_ack;

    *msg = (gp_msg_ended_ack_t){.job = 40, .incarnation = 1};
    desk_receive(desk, 9);
}

static void a_used_up_offer_starts_nothing_again(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_attempt(desk);

    desk_program_ended(desk, GP_REASON_EXIT, 0, 0);
    ended_ack(desk);
    desk_keep(desk, ticket, 0, 64); /* late, or repeated */
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE), 0);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_START), 0);
}

/* Its home need not be honest: what the launcher may still clean up after must not start again. */
static void an_attempt_that_ended_here_is_never_taken_again(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    desk_program_ended(desk, GP_REASON_EXIT, 0, 0);
    ended_ack(desk);
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_FENCED, "has ended here already");
    desk_claim(desk, 8, 40, 1); /* another home's job of the same number */
    assert_true(desk_sent(desk, 8, GP_MSG_CLAIMED)->u.claimed.taken);
    desk_claim(desk, 9, 40, 2);
    assert_true(answer(desk)->taken);
}

static void an_attempt_of_a_forgotten_home_is_never_taken_again(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    desk_program_ended(desk, GP_REASON_EXIT, 0, 0);
    desk_member(desk, 9, GP_MEMBER_LEFT, GP_CAUSE_LEFT, true);
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_FENCED, "has ended here already");
}

/* Takes a claim of home 9 through its whole life; returns whether it was taken. */
static bool claim_and_end(desk_t *desk, uint64_t job)
{
    uint64_t ticket;

    desk_claim(desk, 9, job, 1);
    if (!answer(desk)->taken) {
        return false;
    }
    ticket = answer(desk)->ticket;
    desk_msg(desk, GP_MSG_KEEP)->u.keep =
        (gp_msg_keep_t){.job = job, .incarnation = 1, .ticket = ticket, .lease_ms = 10000};
    desk_receive(desk, 9);
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
    desk_msg(desk, GP_MSG_WORK_ENDED)->u.work_ended = (gp_msg_work_ended_t){
        .home = desk_id(9), .job = job, .incarnation = 1, .reason = GP_REASON_EXIT};
    desk_command(desk, 0);
    desk_msg(desk, GP_MSG_ENDED_ACK)->u.ended_ack =
        (gp_msg_ended_ack_t){.job = job, .incarnation = 1};
    desk_receive(desk, 9);
    return true;
}

static void as_many_ends_are_remembered_as_attempts_may_be(void **state)
{
    desk_t *desk = *state;

    for (uint64_t job = 40; job < 44; job++) {
        assert_true(claim_and_end(desk, job));
    }
    for (uint64_t job = 40; job < 44; job++) {
        assert_false(claim_and_end(desk, job));
    }
    assert_true(claim_and_end(desk, 44)); /* in the place of the oldest */
    assert_false(claim_and_end(desk, 41));
    assert_true(claim_and_end(desk, 40));
}

static void an_acknowledgement_before_the_end_means_nothing(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    ended_ack(desk);
    assert_int_equal(gp_work_running(desk->core), 1);
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static void cancel(desk_t *desk, uint64_t ticket, gp_reason_t reason)
{
    gp_msg_cancel_t *msg = &desk_msg(desk, GP_MSG_CANCEL)->u.cancel;

    *msg =
        (gp_msg_cancel_t){.job = 40, .incarnation = 1, .ticket = ticket, .reason = (uint8_t)reason};
    desk_receive(desk, 9);
}

static void a_cancelled_offer_is_void(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_offer(desk);

    cancel(desk, ticket, GP_REASON_CANCELLED);
    assert_true(answer(desk)->ticket == ticket && !answer(desk)->taken);
    assert_int_equal(gp_work_running(desk->core), 0);
    (void)desk_offer(desk);
    cancel(desk, 0, GP_REASON_CANCELLED); /* given up unanswered */
    assert_int_equal(desk->out.count, 0);
    assert_int_equal(gp_work_running(desk->core), 0);
    cancel(desk, 0, GP_REASON_CANCELLED);
    assert_int_equal(desk->out.count, 0);
    assert_true(desk_offer(desk) > ticket + 1);
    cancel(desk, ticket, GP_REASON_CANCELLED); /* an old one does not void a newer offer */
    assert_int_equal(gp_work_running(desk->core), 1);
}

static void a_running_attempt_is_stopped(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_attempt(desk);

    cancel(desk, 0, GP_REASON_CANCELLED); /* a claim given up: the order came after it */
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_STOP), 0);
    cancel(desk, ticket, GP_REASON_HOME_RESTARTED);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_STOP)->u.job_stop.reason,
                     GP_REASON_HOME_RESTARTED);
    (void)desk_sent(desk, 9, GP_MSG_KEPT); /* heard */
    cancel(desk, ticket, GP_REASON_CANCELLED);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_STOP), 0);
    desk_wake(desk, 2 * GP_SECOND); /* the launcher has not said a word: once more, the same */
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_STOP)->u.job_stop.reason,
                     GP_REASON_HOME_RESTARTED);
    desk_program_ended(desk, GP_REASON_HOME_RESTARTED, 15, 0);
    assert_int_equal(desk_sent(desk, 9, GP_MSG_ENDED)->u.ended.reason, GP_REASON_HOME_RESTARTED);
    cancel(desk, ticket, GP_REASON_CANCELLED); /* asks again: it is told again */
    (void)desk_sent(desk, 9, GP_MSG_ENDED);
}

static void cancelled_while_it_is_recorded_it_does_not_start(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_offer(desk);
    uint64_t token;

    desk_keep(desk, ticket, 0, 64);
    token = desk_store_token(desk, GP_MSG_ATTEMPT_STATE);
    cancel(desk, ticket, GP_REASON_CANCELLED);
    desk_stored(desk, token, true);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_START), 0);
    assert_int_equal(desk_sent(desk, 9, GP_MSG_ENDED)->u.ended.reason, GP_REASON_CANCELLED);
}

/* ---- homes that are gone --------------------------------------------------------------------- */

static void a_record_for_a_home_that_left_is_dropped_and_never_denied(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_attempt(desk);

    desk_program_ended(desk, GP_REASON_EXIT, 0, 0);
    desk_member(desk, 9, GP_MEMBER_LEFT, GP_CAUSE_STOPPED, false);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE),
                     0); /* it may return */
    desk_member(desk, 9, GP_MEMBER_LEFT, GP_CAUSE_LEFT, false);
    assert_int_equal(
        desk_find(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE, 0)->msg->u.attempt_state.state, 0);
    desk_keep(desk, ticket, 0, 64); /* it did run: that must not be denied */
    assert_int_equal(desk_sent(desk, 9, GP_MSG_ENDED)->u.ended.reason, GP_REASON_NODE_FAILED);
}

static void unreported_ends_give_way_only_if_their_home_is_gone(void **state)
{
    desk_t *desk = *state;

    for (uint64_t job = 40; job < 44; job++) {
        gp_msg_work_ended_t *msg;
        uint64_t ticket;

        desk_claim(desk, 9, job, 1);
        ticket = answer(desk)->ticket;
        desk_msg(desk, GP_MSG_KEEP)->u.keep =
            (gp_msg_keep_t){.job = job, .incarnation = 1, .ticket = ticket, .lease_ms = 10000};
        desk_receive(desk, 9);
        desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
        msg = &desk_msg(desk, GP_MSG_WORK_ENDED)->u.work_ended;
        *msg = (gp_msg_work_ended_t){
            .home = desk_id(9), .job = job, .incarnation = 1, .reason = GP_REASON_EXIT};
        desk_command(desk, 0);
    }
    desk_claim(desk, 8, 40, 1);
    assert_int_equal(desk_sent(desk, 8, GP_MSG_CLAIMED)->u.claimed.error, GP_E_RUN_FULL);
    desk_member(desk, 9, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT, false);
    desk_claim(desk, 8, 40, 1);
    assert_true(desk_sent(desk, 8, GP_MSG_CLAIMED)->u.claimed.taken);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE), 1);
}

static void a_stopping_agent_takes_nothing_and_stops_what_runs(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    desk_claim(desk, 9, 41, 1);
    desk_msg(desk, GP_MSG_WORK_STOP)->u.work_stop.wait_ms = 3000;
    desk_command(desk, 0);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_STOP)->u.job_stop.reason,
                     GP_REASON_AGENT_STOPPED);
    desk_claim(desk, 9, 42, 1);
    declined(desk, GP_E_RUN_REFUSED, "stop");
    desk_program_ended(desk, GP_REASON_AGENT_STOPPED, 15, 0);
    assert_int_equal(desk_sent(desk, 9, GP_MSG_ENDED)->u.ended.reason, GP_REASON_AGENT_STOPPED);
    assert_int_equal(desk_noticed(desk, GP_MSG_WORK_STOPPED)->u.work_stopped.left, 0);
}

/* ---- hostile peers --------------------------------------------------------------------------- */

static uint64_t some(gp_random_t *random)
{
    static const uint64_t numbers[] = {
        0, 1, 2, 3, 40, 64, 500, DESK_FIRST, DESK_FIRST + 1, DESK_FIRST + 2, UINT64_MAX};

    return numbers[gp_random_below(random, sizeof numbers / sizeof numbers[0])];
}

static void random_message(desk_t *desk, gp_random_t *random)
{
    static const gp_msg_kind_t kinds[] = {
        GP_MSG_CLAIM,  GP_MSG_CLAIMED,    GP_MSG_KEEP,  GP_MSG_KEPT,      GP_MSG_OUTPUT,
        GP_MSG_CANCEL, GP_MSG_OUTPUT_ACK, GP_MSG_ENDED, GP_MSG_ENDED_ACK, GP_MSG_BEAT};
    gp_msg_t *msg = desk_msg(desk, kinds[gp_random_below(random, 10)]);
    uint32_t incarnation = (uint32_t)gp_random_below(random, 4);

    switch (msg->kind) {
    case GP_MSG_CLAIM:
        msg->u.claim = (gp_msg_claim_t){.job = some(random),
                                        .incarnation = incarnation,
                                        .lease_ms = (uint32_t)gp_random_below(random, 3600001),
                                        .args_count = (uint32_t)gp_random_below(random, 3)};
        break;
    case GP_MSG_CLAIMED:
        msg->u.claimed = (gp_msg_claimed_t){.job = some(random),
                                            .incarnation = incarnation,
                                            .taken = gp_random_below(random, 2) == 0,
                                            .ticket = some(random),
                                            .error = (uint16_t)some(random)};
        break;
    case GP_MSG_KEEP:
        msg->u.keep = (gp_msg_keep_t){.job = some(random),
                                      .incarnation = incarnation,
                                      .ticket = some(random),
                                      .lease_ms = (uint32_t)gp_random_below(random, 3600001),
                                      .received = some(random),
                                      .until = some(random)};
        break;
    case GP_MSG_KEPT:
        msg->u.kept = (gp_msg_kept_t){
            .job = some(random), .incarnation = incarnation, .running = incarnation % 2 == 0};
        break;
    case GP_MSG_OUTPUT:
        msg->u.output = (gp_msg_output_t){.job = some(random),
                                          .incarnation = incarnation,
                                          .stream = (uint8_t)gp_random_below(random, 3),
                                          .offset = some(random),
                                          .bytes = gp_text("abc")};
        break;
    case GP_MSG_CANCEL:
        msg->u.cancel = (gp_msg_cancel_t){.job = some(random),
                                          .incarnation = incarnation,
                                          .ticket = some(random),
                                          .reason = (uint8_t)gp_random_below(random, 32)};
        break;
    case GP_MSG_OUTPUT_ACK:
        msg->u.output_ack = (gp_msg_output_ack_t){.job = some(random),
                                                  .incarnation = incarnation,
                                                  .received = some(random),
                                                  .until = some(random)};
        break;
    case GP_MSG_ENDED:
        msg->u.ended = (gp_msg_ended_t){.job = some(random),
                                        .incarnation = incarnation,
                                        .reason = (uint8_t)gp_random_below(random, 32),
                                        .output = some(random),
                                        .cut = gp_random_below(random, 2) == 0};
        break;
    default:
        msg->u.ended_ack = (gp_msg_ended_ack_t){.job = some(random), .incarnation = incarnation};
        break;
    }
}

/* The launcher does as it is told: it starts, and ends what it started, sooner or later. */
static void play_launcher(desk_t *desk, gp_random_t *random)
{
    gp_msg_job_start_t starts[8];
    uint32_t count = 0;

    for (uint32_t i = 0; i < desk->out.count; i++) {
        if (desk->actions[i].msg->kind == GP_MSG_JOB_START && count < 8) {
            starts[count++] = desk->actions[i].msg->u.job_start;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        gp_msg_work_started_t *msg = &desk_msg(desk, GP_MSG_WORK_STARTED)->u.work_started;

        *msg = (gp_msg_work_started_t){.home = starts[i].home,
                                       .job = starts[i].job,
                                       .incarnation = starts[i].incarnation,
                                       .started = gp_random_below(random, 2) == 0};
        desk_command(desk, 0);
    }
}

/* What a peer sends, and what a user asks, never reaches an assertion. */
static void no_message_breaks_it(void **state)
{
    desk_t *desk = *state;
    gp_random_t random;

    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t tokens[64];
        uint32_t count = 0;

        gp_random_init(&random, seed);
        desk_renew(desk);
        for (int i = 0; i < 400; i++) {
            switch (gp_random_below(&random, 12)) {
            case 0:
                desk_run(desk);
                break;
            case 1:
                desk_msg(desk, GP_MSG_WORK_CANCEL)->u.work_cancel.job = some(&random);
                desk_command(desk, 0);
                break;
            case 2:
                desk_member(desk, (uint8_t)gp_random_below(&random, 4),
                            (gp_member_state_t)gp_random_below(&random, 6),
                            (gp_cause_t)gp_random_below(&random, 32),
                            gp_random_below(&random, 9) == 0);
                break;
            case 3:
                desk_wake(desk, gp_random_below(&random, 12 * GP_SECOND));
                break;
            case 4: {
                gp_msg_work_answer_t *msg = &desk_msg(desk, GP_MSG_WORK_ANSWER)->u.work_answer;

                msg->hits_count = (uint32_t)gp_random_below(&random, 4);
                for (uint32_t j = 0; j < msg->hits_count; j++) {
                    msg->hits[j].id = desk_id((uint8_t)gp_random_below(&random, 4));
                }
                msg->error = (uint16_t)gp_random_below(&random, 130);
                desk_command(desk, some(&random));
                break;
            }
            case 5:
                if (count > 0) {
                    desk_stored(desk, tokens[--count], gp_random_below(&random, 4) > 0);
                    break;
                }
                /* fall through */
            default:
                random_message(desk, &random);
                desk_receive(desk, (uint8_t)gp_random_below(&random, 4));
                break;
            }
            for (uint32_t j = 0; j < desk->out.count && count < 64; j++) {
                if (desk->actions[j].type == GP_ACTION_STORE) {
                    tokens[count++] = desk->actions[j].token;
                }
            }
            play_launcher(desk, &random);
        }
    }
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void a_machine_that_may_run_nothing_takes_nothing(void **state)
{
    desk_t *desk = *state;

    desk->config.running_max = 0;
    desk_renew(desk);
    desk_claim(desk, 9, 40, 1);
    declined(desk, GP_E_RUN_REFUSED, "does not lend");
}

static void without_an_opinion_of_its_own_a_machine_takes_what_fits(void **state)
{
    desk_t *desk = *state;

    desk->config.fits = NULL;
    desk_renew(desk);
    (void)desk_offer(desk);
}

static void no_ticket_is_given_twice(void **state)
{
    desk_t *desk = *state;

    ((gp_work_t *)desk->core)->tickets = (UINT64_C(1) << WORK_NUMBER_BITS) - 2;
    assert_true(desk_offer(desk) >> WORK_NUMBER_BITS == DESK_EPOCH);
    desk_claim(desk, 9, 41, 1);
    declined(desk, GP_E_RUN_FULL, "as many jobs");
}

/* Has this attempt of machine 9's run and, if so wanted, end. */
static void attempt(desk_t *desk, uint64_t job, bool ends)
{
    uint64_t ticket;

    desk_claim(desk, 9, job, 1);
    ticket = answer(desk)->ticket;
    desk_msg(desk, GP_MSG_KEEP)->u.keep =
        (gp_msg_keep_t){.job = job, .incarnation = 1, .ticket = ticket, .lease_ms = 10000};
    desk_receive(desk, 9);
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
    if (ends) {
        desk_msg(desk, GP_MSG_WORK_ENDED)->u.work_ended = (gp_msg_work_ended_t){
            .home = desk_id(9), .job = job, .incarnation = 1, .reason = GP_REASON_EXIT};
        desk_command(desk, 0);
    }
}

/* What runs, and what is being written, stays whatever the group says of its home. */
static void only_a_record_at_rest_gives_way(void **state)
{
    desk_t *desk = *state;
    uint64_t rest = 0;
    uint64_t written[3] = {0};

    attempt(desk, 40, false);
    for (uint64_t job = 41; job < 44; job++) {
        attempt(desk, job, true);
    }
    desk_wake(desk, 500 * GP_MSEC); /* not acknowledged: the ends are written down */
    for (uint32_t i = 0; i < 3; i++) {
        const gp_action_t *store = desk_find(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE, i);
        assert_non_null(store);
        written[i] = store->token;
        rest = i == 1 ? store->msg->u.attempt_state.job : rest;
    }
    desk_stored(desk, written[1], true);
    desk_member(desk, 9, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT, false);
    desk_claim(desk, 8, 40, 1);
    assert_true(desk_sent(desk, 8, GP_MSG_CLAIMED)->u.claimed.taken);
    assert_true(
        desk_find(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE, 0)->msg->u.attempt_state.job ==
        rest);
    desk_claim(desk, 8, 41, 1);
    assert_int_equal(desk_sent(desk, 8, GP_MSG_CLAIMED)->u.claimed.error, GP_E_RUN_FULL);
}

/* A member beyond those that are remembered: only that it is forgotten says anything about it. */
static void a_home_that_is_not_remembered_is_forgotten_all_the_same(void **state)
{
    desk_t *desk = *state;

    for (uint8_t i = 0; i < GP_MEMBERS_MAX; i++) {
        desk_member(desk, (uint8_t)(100 + i), GP_MEMBER_ALIVE, GP_CAUSE_JOINED, false);
    }
    (void)desk_attempt(desk);
    desk_program_ended(desk, GP_REASON_EXIT, 0, 0);
    desk_member(desk, 9, GP_MEMBER_LEFT, GP_CAUSE_LEFT, false);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE), 0);
    desk_member(desk, 9, GP_MEMBER_LEFT, GP_CAUSE_LEFT, true);
    assert_int_equal(
        desk_find(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE, 0)->msg->u.attempt_state.state, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK(an_offer_starts_nothing),
        DESK(a_repeated_claim_gets_the_same_offer),
        DESK(an_offer_stands_for_a_lease),
        DESK(the_machine_decides_itself),
        DESK(a_home_that_may_not_submit_has_nothing_run_here),
        DESK(a_machine_that_may_not_lend_takes_nothing),
        DESK(where_certificates_are_a_stranger_may_do_nothing),
        DESK(claims_without_sense_are_declined),
        DESK(no_more_run_than_may),
        DESK(a_newer_attempt_fences_an_older_one),
        DESK(an_older_attempt_must_end_first),
        DESK(only_the_right_ticket_starts),
        DESK(a_ticket_of_an_earlier_life_is_uncertain),
        DESK(a_used_up_offer_starts_nothing_again),
        DESK(an_attempt_that_ended_here_is_never_taken_again),
        DESK(an_attempt_of_a_forgotten_home_is_never_taken_again),
        DESK(as_many_ends_are_remembered_as_attempts_may_be),
        DESK(an_acknowledgement_before_the_end_means_nothing),
        DESK(a_cancelled_offer_is_void),
        DESK(a_running_attempt_is_stopped),
        DESK(cancelled_while_it_is_recorded_it_does_not_start),
        DESK(a_record_for_a_home_that_left_is_dropped_and_never_denied),
        DESK(unreported_ends_give_way_only_if_their_home_is_gone),
        DESK(a_stopping_agent_takes_nothing_and_stops_what_runs),
        DESK(no_message_breaks_it),
        DESK(a_machine_that_may_run_nothing_takes_nothing),
        DESK(without_an_opinion_of_its_own_a_machine_takes_what_fits),
        DESK(no_ticket_is_given_twice),
        DESK(only_a_record_at_rest_gives_way),
        DESK(a_home_that_is_not_remembered_is_forgotten_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
