/* From a new job to an order: discovery, claims, refusals, and the one order. */
#include <string.h>

#include "tests/unit/agent_work_desk.h"

static void discovery_is_asked_for_the_job(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_find_t *find;

    (void)desk_accepted(desk);
    find = &desk_noticed(desk, GP_MSG_JOB_FIND)->u.job_find;
    assert_true(desk_find(desk, GP_ACTION_NOTICE, GP_MSG_JOB_FIND, 0)->token == DESK_FIRST);
    assert_true(find->job == DESK_FIRST);
    desk_text(find->query, "cpu >= 1");
    desk_text(find->rank, "cpu");
    assert_true(find->limit > 1 && find->explain);
}

static void the_best_machine_is_asked_first(void **state)
{
    desk_t *desk = *state;
    const gp_msg_claim_t *claim;

    (void)desk_matched(desk, 3);
    claim = &desk_sent(desk, 1, GP_MSG_CLAIM)->u.claim;
    assert_true(claim->job == DESK_FIRST && claim->incarnation == 1);
    assert_int_equal(claim->args_count, 2);
    desk_text(claim->args[0].text, "prog");
    desk_text(claim->args[1].text, "arg");
    assert_int_equal(claim->env_count, 1);
    desk_text(claim->env[0].text, "A=b");
    desk_text(claim->where, "cpu >= 1");
    assert_int_equal(claim->lease_ms, 10000);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.state, GP_JOB_CLAIMING);
    desk_text(desk_noticed(desk, GP_MSG_JOB)->u.job.node, "n1");
}

static void only_the_machine_that_was_named_will_do(void **state)
{
    desk_t *desk = *state;
    gp_msg_work_answer_t *answer;
    const gp_id_t second = desk_id(2);
    gp_msg_work_run_t *run = &desk_msg(desk, GP_MSG_WORK_RUN)->u.work_run;

    run->args_count = 1;
    run->args[0].text = gp_text("prog");
    run->on = second;
    desk_command(desk, 77);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_true(gp_id_equal(&desk_noticed(desk, GP_MSG_JOB_FIND)->u.job_find.on, &second));
    answer = &desk_msg(desk, GP_MSG_WORK_ANSWER)->u.work_answer;
    answer->hits_count = 3;
    answer->hits[1].id = desk_id(1);
    answer->hits[2].id = second;
    desk_command(desk, DESK_FIRST);
    (void)desk_sent(desk, 2, GP_MSG_CLAIM);
    desk_claimed(desk, 2, 1, false, 0);
    assert_int_equal(desk_told_end(desk)->reason, GP_REASON_REFUSED);
}

static void may_not_lend(desk_t *desk, uint8_t number)
{
    gp_id_t id = desk_id(number);

    desk_roles(desk, &id, GP_ROLE_MEMBER | GP_ROLE_SUBMIT);
}

static void a_machine_that_may_not_lend_is_passed_over(void **state)
{
    desk_t *desk = *state;
    uint16_t limit;

    (void)desk_accepted(desk);
    limit = desk_noticed(desk, GP_MSG_JOB_FIND)->u.job_find.limit;
    desk_renew(desk);
    may_not_lend(desk, 1);
    may_not_lend(desk, 2);
    (void)desk_accepted(desk); /* so many more are asked for as will be left out */
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_FIND)->u.job_find.limit, limit + 2);
    desk_renew(desk);
    may_not_lend(desk, 1);
    may_not_lend(desk, 2);
    (void)desk_matched(desk, 3);
    (void)desk_sent(desk, 3, GP_MSG_CLAIM);
}

static void if_nobody_that_matches_may_lend_the_job_says_so(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    may_not_lend(desk, 1);
    may_not_lend(desk, 2);
    (void)desk_matched(desk, 2);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_CLAIM), 0);
    job = desk_told_end(desk);
    assert_int_equal(job->reason, GP_REASON_REFUSED);
    desk_text(job->text, "of the machines that match (found: 2) no certificate has the role lend");
}

static void no_match_says_which_condition_excludes_how_many(void **state)
{
    desk_t *desk = *state;
    gp_msg_work_answer_t *answer;
    const gp_msg_job_t *job;

    (void)desk_accepted(desk);
    answer = &desk_msg(desk, GP_MSG_WORK_ANSWER)->u.work_answer;
    answer->considered = 12;
    answer->conditions_count = 3;
    answer->conditions[0].text = gp_text("cpu >= 64");
    answer->conditions[0].excluded = 12;
    answer->conditions[1].text = gp_text("arch == x86_64");
    answer->conditions[2].text = gp_text("mem >= 1TiB");
    answer->conditions[2].excluded = 10;
    desk_command(desk, DESK_FIRST);
    job = desk_told_end(desk);
    assert_int_equal(job->state, GP_JOB_FAILED);
    assert_int_equal(job->reason, GP_REASON_NO_MATCH);
    desk_text(job->text,
              "none of 12 machines matches: cpu >= 64 excludes 12; mem >= 1TiB excludes 10");
}

static void answer_error(desk_t *desk, gp_error_t error, const char *text)
{
    gp_msg_work_answer_t *answer = &desk_msg(desk, GP_MSG_WORK_ANSWER)->u.work_answer;

    answer->error = (uint16_t)error;
    answer->text = gp_text(text);
    desk_command(desk, DESK_FIRST);
}

static void a_wrong_query_fails_at_once(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    (void)desk_accepted(desk);
    answer_error(desk, GP_E_QUERY_ATTRIBUTE, "no attribute 'cpus': did you mean cpu?");
    job = desk_told_end(desk);
    assert_int_equal(job->reason, GP_REASON_NO_MATCH);
    desk_text(job->text, "no attribute 'cpus': did you mean cpu?");
}

/* What the group may get over is waited for; a question that is wrong is not asked again. */
static void some_errors_pass(void **state)
{
    static const struct {
        gp_error_t error;
        bool passes;
    } cases[] = {
        {GP_E_NO_LEADER, true},    {GP_E_NO_QUORUM, true}, {GP_E_PARTIAL, true},
        {GP_E_BUSY, true},         {GP_E_TIMED_OUT, true}, {GP_E_PEER_UNREACHABLE, true},
        {GP_E_PEER_QUEUE, true},   {GP_E_NO_MATCH, false}, {GP_E_QUERY_SYNTAX, false},
        {GP_E_QUERY_LIMIT, false}, {GP_E_SYSTEM, false},
    };
    desk_t *desk = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        desk_renew(desk);
        (void)desk_accepted(desk);
        answer_error(desk, cases[i].error, "");
        if (cases[i].passes) {
            assert_int_equal(desk->out.count, 0);
            desk_wake(desk, 300 * GP_MSEC);
            (void)desk_noticed(desk, GP_MSG_JOB_FIND);
        } else {
            assert_int_equal(desk_told_end(desk)->reason, GP_REASON_NO_MATCH);
        }
    }
}

static void without_a_leader_discovery_is_asked_again_for_a_while(void **state)
{
    desk_t *desk = *state;
    gp_usec_t begin = desk->now;
    const gp_msg_job_t *job;

    (void)desk_accepted(desk);
    answer_error(desk, GP_E_NO_LEADER, "");
    assert_int_equal(desk->out.count, 0);
    while (desk->now - begin < 9 * GP_SECOND) {
        desk_wake(desk, 300 * GP_MSEC);
        assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_FIND), 1);
        answer_error(desk, GP_E_NO_LEADER, "");
    }
    desk_wake(desk, 2 * GP_SECOND);
    job = desk_told_end(desk);
    assert_int_equal(job->reason, GP_REASON_NO_MATCH);
    desk_text(job->text, gp_error_text(GP_E_NO_LEADER));
}

static void a_lost_answer_is_asked_for_again(void **state)
{
    desk_t *desk = *state;

    (void)desk_accepted(desk);
    desk_wake(desk, 4 * GP_SECOND);
    assert_int_equal(desk->out.count, 0);
    desk_wake(desk, GP_SECOND);
    (void)desk_noticed(desk, GP_MSG_JOB_FIND);
    desk_wake(desk, 5 * GP_SECOND);
    assert_true(desk_text_has(desk_told_end(desk)->text, "nobody said"));
    answer_error(desk, GP_OK, ""); /* far too late */
    assert_int_equal(desk->out.count, 0);
}

static void only_so_many_questions_are_open(void **state)
{
    desk_t *desk = *state;
    uint32_t asked = 0;

    desk->config.home_max = 40;
    desk_renew(desk);
    for (int i = 0; i < 40; i++) {
        desk_run(desk);
        desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
        asked += desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_FIND);
    }
    assert_int_equal(asked, 32);
    answer_error(desk, GP_E_QUERY_SYNTAX, "");
    desk_wake(desk, 50 * GP_MSEC);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_FIND), 1);
}

/* ---- claims ---------------------------------------------------------------------------------- */

static void a_claim_is_repeated_as_it_was(void **state)
{
    desk_t *desk = *state;

    (void)desk_matched(desk, 2);
    desk_wake(desk, 300 * GP_MSEC);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_CLAIM)->u.claim.incarnation, 1);
    assert_int_equal(desk->out.count, 1);
}

static void a_refusal_leads_to_the_next_machine(void **state)
{
    desk_t *desk = *state;

    (void)desk_matched(desk, 3);
    desk_claimed(desk, 2, 1, false, 0); /* was not asked */
    assert_int_equal(desk->out.count, 0);
    desk_claimed(desk, 1, 2, false, 0); /* not about this */
    assert_int_equal(desk->out.count, 0);
    desk_claimed(desk, 1, 1, false, 0);
    assert_int_equal(desk_sent(desk, 2, GP_MSG_CLAIM)->u.claim.incarnation, 2);
    desk_claimed(desk, 1, 1, false, 0); /* the same once more */
    assert_int_equal(desk->out.count, 0);
}

static void when_all_refuse_the_last_words_are_told(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    (void)desk_matched(desk, 2);
    desk_claimed(desk, 1, 1, false, 0);
    desk_claimed(desk, 2, 2, false, 0);
    job = desk_told_end(desk);
    assert_int_equal(job->state, GP_JOB_FAILED);
    assert_int_equal(job->reason, GP_REASON_REFUSED);
    desk_text(job->node, "n2");
    desk_text(job->text, "all 2 machines that match declined; the last one: it is full");
}

static void a_refusal_without_words_is_told_by_its_error(void **state)
{
    desk_t *desk = *state;
    gp_msg_claimed_t *msg;

    (void)desk_matched(desk, 1);
    msg = &desk_msg(desk, GP_MSG_CLAIMED)->u.claimed;
    *msg = (gp_msg_claimed_t){.job = DESK_FIRST, .incarnation = 1, .error = GP_E_RUN_LEND};
    desk_receive(desk, 1);
    desk_text(desk_told_end(desk)->text, gp_error_text(GP_E_RUN_LEND));
}

static void only_so_many_machines_are_tried(void **state)
{
    desk_t *desk = *state;

    (void)desk_matched(desk, 9);
    for (uint8_t i = 1; i <= WORK_HITS_MAX; i++) {
        (void)desk_sent(desk, i, GP_MSG_CLAIM);
        desk_claimed(desk, i, i, false, 0);
    }
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_CLAIM), 0);
    assert_true(desk_text_has(desk_told_end(desk)->text, "all 8 machines"));
}

/* However many may not lend, no more are asked for than one answer holds. */
static void no_more_machines_are_asked_for_than_an_answer_holds(void **state)
{
    desk_t *desk = *state;

    for (uint8_t i = 0; i < GP_MEMBERS_MAX; i++) {
        may_not_lend(desk, (uint8_t)(100 + i));
    }
    desk_run(desk);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_FIND)->u.job_find.limit, GP_HITS_MAX);
}

static void a_silent_machine_is_passed_over(void **state)
{
    desk_t *desk = *state;

    (void)desk_matched(desk, 2);
    desk_wake(desk, 1500 * GP_MSEC);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_CANCEL)->u.cancel.incarnation, 1);
    assert_int_equal(desk_sent(desk, 2, GP_MSG_CLAIM)->u.claim.incarnation, 2);
    desk_claimed(desk, 1, 1, true, 500); /* it was only slow */
    assert_true(desk_sent(desk, 1, GP_MSG_CANCEL)->u.cancel.ticket == 500);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE), 0);
    desk_wake(desk, 1500 * GP_MSEC);
    assert_true(desk_text_has(desk_told_end(desk)->text, "did not answer"));
}

static void an_unavailable_machine_is_not_asked(void **state)
{
    desk_t *desk = *state;

    desk_member(desk, 1, GP_MEMBER_UNAVAILABLE, GP_CAUSE_REFUSED, false);
    (void)desk_matched(desk, 3);
    (void)desk_sent(desk, 2, GP_MSG_CLAIM);
    desk_member(desk, 2, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT, false);
    (void)desk_sent(desk, 3, GP_MSG_CLAIM);
    desk_member(desk, 1, GP_MEMBER_ALIVE, GP_CAUSE_ANSWERS, false);
    assert_int_equal(desk->out.count, 0);
    desk_member(desk, 3, GP_MEMBER_ALIVE, GP_CAUSE_NONE, true); /* forgotten */
    assert_true(desk_text_has(desk_told_end(desk)->text, "unavailable"));
}

/* ---- the order ------------------------------------------------------------------------------- */

static void the_executor_is_durable_before_the_order(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_state_t *record;
    const gp_msg_keep_t *keep;
    const gp_id_t first = desk_id(1);

    (void)desk_offered(desk);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_KEEP), 0);
    record = &desk_find(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE, 0)->msg->u.job_state;
    assert_int_equal(record->state, GP_JOB_RUNNING);
    assert_true(record->ticket == 500 && gp_id_equal(&record->executor, &first));
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    keep = &desk_sent(desk, 1, GP_MSG_KEEP)->u.keep;
    assert_true(keep->ticket == 500 && keep->incarnation == 1 && keep->lease_ms == 10000);
    assert_true(keep->received == 0 && keep->until == 64);
}

static void without_that_record_nothing_is_ordered(void **state)
{
    desk_t *desk = *state;

    (void)desk_offered(desk);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), false);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_KEEP), 0);
    assert_true(desk_sent(desk, 1, GP_MSG_CANCEL)->u.cancel.ticket == 500);
    assert_int_equal(desk_told_end(desk)->reason, GP_REASON_STORAGE);
}

static void a_machine_that_went_meanwhile_is_not_ordered(void **state)
{
    desk_t *desk = *state;
    uint64_t token;

    (void)desk_offered(desk);
    token = desk_store_token(desk, GP_MSG_JOB_STATE);
    desk_member(desk, 1, GP_MEMBER_UNAVAILABLE, GP_CAUSE_REFUSED, false);
    desk_stored(desk, token, true);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_KEEP), 0);
    assert_int_equal(desk_sent(desk, 2, GP_MSG_CLAIM)->u.claim.incarnation, 2);
}

static void an_old_refusal_does_not_undo_the_order(void **state)
{
    desk_t *desk = *state;

    (void)desk_ordered(desk);
    desk_claimed(desk, 1, 1, false, 0); /* to a claim before the one that was taken */
    desk_claimed(desk, 1, 1, false, 499);
    desk_claimed(desk, 1, 1, true, 501);
    desk_claimed(desk, 2, 1, false, 500);
    assert_int_equal(desk->out.count, 0);
    desk_wake(desk, 300 * GP_MSEC);
    (void)desk_sent(desk, 1, GP_MSG_KEEP);
}

static void the_word_that_it_never_started_frees_the_job(void **state)
{
    desk_t *desk = *state;

    (void)desk_ordered(desk);
    desk_claimed(desk, 1, 1, false, 500);
    assert_int_equal(desk_sent(desk, 2, GP_MSG_CLAIM)->u.claim.incarnation, 2);
    desk_claimed(desk, 2, 2, true, 9);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_true(desk_sent(desk, 2, GP_MSG_KEEP)->u.keep.ticket == 9);
}

static void an_offer_without_a_ticket_is_none(void **state)
{
    desk_t *desk = *state;

    (void)desk_matched(desk, 2);
    desk_claimed(desk, 1, 1, true, 0);
    assert_int_equal(desk->out.count, 0);
}

static void a_machine_may_be_its_own_executor(void **state)
{
    desk_t *desk = *state;
    gp_msg_work_answer_t *answer;
    const gp_msg_job_start_t *start;
    uint64_t job = desk_accepted(desk);

    answer = &desk_msg(desk, GP_MSG_WORK_ANSWER)->u.work_answer;
    answer->hits_count = 1;
    answer->hits[0].id = desk->self;
    desk_command(desk, job);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_CLAIM), 0);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
    start = &desk_noticed(desk, GP_MSG_JOB_START)->u.job_start;
    assert_true(start->job == job && start->args_count == 2);
    assert_true(gp_id_equal(&start->home, &desk->self));
}

/* The first machine takes the order back: the next one is asked, and nothing is due but that. */
static void what_a_refused_order_left_behind_is_not_due_for_ever(void **state)
{
    desk_t *desk = *state;
    gp_msg_output_t *msg;

    (void)desk_ordered(desk);
    msg = &desk_msg(desk, GP_MSG_OUTPUT)->u.output;
    *msg = (gp_msg_output_t){
        .job = DESK_FIRST, .incarnation = 1, .stream = 1, .offset = 5, .bytes = gp_text("x")};
    desk_receive(desk, 1); /* a gap, which is told a little later */
    desk_claimed(desk, 1, 1, false, 500);
    (void)desk_sent(desk, 2, GP_MSG_CLAIM);
    desk_wake(desk, WORK_ACK_DELAY);
    assert_int_equal(desk->out.count, 0);
    assert_true(gp_work_ops.wake(desk->core) > desk->now);
}

static void what_ran_is_not_placed_again(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    (void)desk_running(desk);
    desk_output(desk, 0, "x");
    desk_claimed(desk, 1, 1, false, 500);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_CLAIM), 0);
    (void)desk_sent(desk, 1, GP_MSG_CANCEL);
    job = desk_told_end(desk);
    assert_int_equal(job->state, GP_JOB_FAILED);
    assert_int_equal(job->reason, GP_REASON_NODE_FAILED);
    assert_true(desk_text_has(job->text, "it may have run"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK(discovery_is_asked_for_the_job),
        DESK(the_best_machine_is_asked_first),
        DESK(only_the_machine_that_was_named_will_do),
        DESK(a_machine_that_may_not_lend_is_passed_over),
        DESK(if_nobody_that_matches_may_lend_the_job_says_so),
        DESK(no_match_says_which_condition_excludes_how_many),
        DESK(a_wrong_query_fails_at_once),
        DESK(without_a_leader_discovery_is_asked_again_for_a_while),
        DESK(a_lost_answer_is_asked_for_again),
        DESK(only_so_many_questions_are_open),
        DESK(a_claim_is_repeated_as_it_was),
        DESK(a_refusal_leads_to_the_next_machine),
        DESK(when_all_refuse_the_last_words_are_told),
        DESK(a_silent_machine_is_passed_over),
        DESK(an_unavailable_machine_is_not_asked),
        DESK(the_executor_is_durable_before_the_order),
        DESK(without_that_record_nothing_is_ordered),
        DESK(a_machine_that_went_meanwhile_is_not_ordered),
        DESK(an_old_refusal_does_not_undo_the_order),
        DESK(the_word_that_it_never_started_frees_the_job),
        DESK(an_offer_without_a_ticket_is_none),
        DESK(a_machine_may_be_its_own_executor),
        DESK(what_a_refused_order_left_behind_is_not_due_for_ever),
        DESK(what_ran_is_not_placed_again),
        DESK(some_errors_pass),
        DESK(a_refusal_without_words_is_told_by_its_error),
        DESK(only_so_many_machines_are_tried),
        DESK(no_more_machines_are_asked_for_than_an_answer_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
