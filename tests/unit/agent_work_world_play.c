/* What programs do, what users see, and what discovery answers, in the virtual world. */
#include <stdlib.h>

#include "tests/unit/agent_work_world_inside.h"

/* ---- what programs do ------------------------------------------------------------------------ */

static uint8_t byte_of(uint64_t job, uint64_t offset)
{
    return (uint8_t)(job * 31 + offset * 7 + offset / 251);
}

static uint8_t stream_of(uint64_t job, uint64_t offset)
{
    return (uint8_t)(1 + ((offset / 37 + job) % 3 == 0 ? 1 : 0));
}

static program_t *program_of(node_t *node, const gp_id_t *home, uint64_t job, uint32_t incarnation)
{
    for (uint32_t i = 0; i < PROGRAMS_MAX; i++) {
        program_t *p = &node->programs[i];

        if (p->used && p->job == job && p->incarnation == incarnation &&
            gp_id_equal(&p->home, home)) {
            return p;
        }
    }
    return NULL;
}

static void program_later(uint32_t at_node, const program_t *p, gp_usec_t in)
{
    world_push((pending_t){.type = PENDING_PROGRAM,
                           .key.at = w->now + in,
                           .node = at_node,
                           .life = w->nodes[at_node].life,
                           .token = (uint64_t)(p - w->nodes[at_node].programs)});
}

static void program_start(uint32_t at_node, const gp_msg_job_start_t *msg)
{
    node_t *node = &w->nodes[at_node];
    job_t *job = world_job_of(&msg->home, msg->job);
    program_t *p = NULL;

    assert(job != NULL); /* nothing starts that its user does not know */
    job->starts++;
    assert(job->starts == 1); /* never twice, nowhere */
    w->result->started++;
    assert(msg->args_count == 2 && msg->env_count == 1);
    assert(gp_slice_equal(msg->args[0].text, gp_text("program")));
    for (uint32_t i = 0; p == NULL; i++) {
        assert(i < PROGRAMS_MAX);
        p = node->programs[i].used ? NULL : &node->programs[i];
    }
    *p = (program_t){.used = true,
                     .home = msg->home,
                     .job = msg->job,
                     .incarnation = msg->incarnation,
                     .total = job->total,
                     .begin = w->now};
    world_tell("n%u starts job %llu.%u", at_node, (unsigned long long)msg->job, msg->incarnation);
    program_later(at_node, p, world_below(20 * GP_MSEC));
}

static void program_output(uint32_t at_node, program_t *p)
{
    uint8_t bytes[512];
    uint64_t room = p->until - p->written;
    uint64_t left = p->total - p->written;
    uint32_t n = 0;
    uint32_t most = 1 + (uint32_t)world_below(sizeof bytes);

    most = most < room ? most : (uint32_t)room;
    most = most < left ? most : (uint32_t)left;
    while (n < most && stream_of(p->job, p->written + n) == stream_of(p->job, p->written)) {
        bytes[n] = byte_of(p->job, p->written + n);
        n++;
    }
    if (n == 0) {
        return;
    }
    memset(&world_scratch, 0, gp_msg_size(GP_MSG_WORK_OUTPUT));
    world_scratch.kind = GP_MSG_WORK_OUTPUT;
    world_scratch.u.work_output = (gp_msg_work_output_t){.home = p->home,
                                                         .job = p->job,
                                                         .incarnation = p->incarnation,
                                                         .stream = stream_of(p->job, p->written),
                                                         .offset = p->written,
                                                         .bytes = gp_slice(bytes, n)};
    p->written += n;
    world_command(at_node, w->now, 0, &world_scratch);
}

static void program_end(uint32_t at_node, program_t *p, gp_reason_t reason, uint32_t code)
{
    job_t *job = world_job_of(&p->home, p->job);

    if (reason == GP_REASON_EXIT) {
        job->completed = true;
    }
    memset(&world_scratch, 0, gp_msg_size(GP_MSG_WORK_ENDED));
    world_scratch.kind = GP_MSG_WORK_ENDED;
    world_scratch.u.work_ended = (gp_msg_work_ended_t){.home = p->home,
                                                       .job = p->job,
                                                       .incarnation = p->incarnation,
                                                       .reason = (uint8_t)reason,
                                                       .code = code,
                                                       .output = p->written,
                                                       .wall_us = w->now - p->begin};
    world_command(at_node, w->now, 0, &world_scratch);
    p->used = false;
}

/* A program's moment: it starts, writes, ends. */
void world_program_moment(uint32_t at_node, program_t *p)
{
    if (!p->used) {
        return;
    }
    if (!p->started) {
        bool fails = p->total % 11 == 5;

        memset(&world_scratch, 0, gp_msg_size(GP_MSG_WORK_STARTED));
        world_scratch.kind = GP_MSG_WORK_STARTED;
        world_scratch.u.work_started =
            (gp_msg_work_started_t){.home = p->home,
                                    .job = p->job,
                                    .incarnation = p->incarnation,
                                    .started = !fails,
                                    .reason = fails ? GP_REASON_NOT_FOUND : GP_REASON_NONE,
                                    .code = fails ? 2 : 0};
        world_command(at_node, w->now, 0, &world_scratch);
        p->started = true;
        p->used = !fails;
    } else if (p->stop != 0) {
        program_end(at_node, p, (gp_reason_t)p->stop, 9);
    } else if (p->written < p->total) {
        program_output(at_node, p);
    } else if (world_below(4) == 0) {
        program_end(at_node, p, GP_REASON_EXIT, p->job % 5 == 0 ? 7 : 0);
    }
    if (p->used) {
        program_later(at_node, p, 1 + world_below(100 * GP_MSEC));
    }
}

void world_program_notice(uint32_t at_node, const gp_msg_t *msg)
{
    node_t *node = &w->nodes[at_node];
    program_t *p;

    switch (msg->kind) {
    case GP_MSG_JOB_START:
        program_start(at_node, &msg->u.job_start);
        break;
    case GP_MSG_JOB_READ:
        p = program_of(node, &msg->u.job_read.home, msg->u.job_read.job,
                       msg->u.job_read.incarnation);
        if (p != NULL) {
            assert(msg->u.job_read.until >= p->until);
            p->until = msg->u.job_read.until;
        }
        break;
    case GP_MSG_JOB_STOP:
        p = program_of(node, &msg->u.job_stop.home, msg->u.job_stop.job,
                       msg->u.job_stop.incarnation);
        assert(msg->u.job_stop.reason != GP_REASON_NONE);
        if (p != NULL && p->stop == 0) {
            p->stop = msg->u.job_stop.reason;
        }
        break;
    default:
        break;
    }
}

/* ---- users ----------------------------------------------------------------------------------- */

void world_on_job(uint32_t at_node, uint64_t request, const gp_msg_job_t *msg)
{
    job_t *job = request > 0 && request <= w->job_count
                     ? &w->jobs[request - 1]
                     : world_job_of(&w->nodes[at_node].id, msg->job);

    world_tell("n%u says job %llu.%u: %s, %s (code %u): %.*s", at_node,
               (unsigned long long)msg->job, msg->incarnation,
               gp_job_state_name((gp_job_state_t)msg->state),
               gp_reason_name((gp_reason_t)msg->reason), msg->code, (int)msg->text.n,
               (const char *)msg->text.p);
    if (msg->state < GP_JOB_DONE && msg->reason == GP_REASON_STORAGE) {
        assert(job == NULL || (job->number == msg->job && !job->told_end));
        w->result->unrecorded++;
        return;
    }
    if (job == NULL) { /* on the disk, but the agent went before its user heard the number */
        assert(msg->state == GP_JOB_FAILED && msg->reason == GP_REASON_HOME_RESTARTED);
        return;
    }
    if (msg->job == 0) {
        assert(msg->state == GP_JOB_FAILED && msg->text.n > 0);
        assert(msg->reason == GP_REASON_STORAGE || msg->reason == GP_REASON_REFUSED);
        job->told_end = true;
        w->result->rejected++;
        return;
    }
    if (job->number == 0) {
        job->number = msg->job;
        w->result->accepted++;
        if (world_chance(w->faults.cancel)) {
            memset(&world_scratch, 0, gp_msg_size(GP_MSG_WORK_CANCEL));
            world_scratch.kind = GP_MSG_WORK_CANCEL;
            world_scratch.u.work_cancel = (gp_msg_work_cancel_t){.job = msg->job};
            world_command(at_node, w->now + world_below(2 * GP_SECOND), 0, &world_scratch);
        }
    }
    assert(job->number == msg->job);
    assert(msg->state < GP_JOB_DONE || msg->reason != GP_REASON_NONE);
    if (msg->state < GP_JOB_DONE) {
        return;
    }
    assert(!job->told_end || request == 0);
    job->told_end = true;
    job->state = (gp_job_state_t)msg->state;
    job->reason = (gp_reason_t)msg->reason;
    if (msg->state == GP_JOB_DONE) {
        assert(job->completed && job->read == job->total && job->starts == 1);
        assert(msg->reason == GP_REASON_EXIT && msg->code == 0);
    }
    if (msg->reason == GP_REASON_EXIT) {
        assert(job->completed && msg->code == (msg->job % 5 == 0 ? 7U : 0U));
    }
    if (msg->reason == GP_REASON_NO_MATCH || msg->reason == GP_REASON_REFUSED) {
        assert(job->starts == 0 && msg->text.n > 0);
    }
}

void world_on_job_output(uint32_t at_node, const gp_msg_job_output_t *msg)
{
    job_t *job = world_job_of(&w->nodes[at_node].id, msg->job);

    assert(job != NULL && !job->told_end);
    assert(msg->offset == job->read);
    for (uint32_t i = 0; i < msg->bytes.n; i++) {
        assert(msg->bytes.p[i] == byte_of(msg->job, msg->offset + i));
        assert(msg->stream == stream_of(msg->job, msg->offset + i));
    }
    job->read += msg->bytes.n;
    memset(&world_scratch, 0, gp_msg_size(GP_MSG_WORK_CONSUMED));
    world_scratch.kind = GP_MSG_WORK_CONSUMED;
    world_scratch.u.work_consumed = (gp_msg_work_consumed_t){.job = msg->job, .offset = job->read};
    world_command(at_node,
                  w->now + (job->slow ? world_below(3 * GP_SECOND) : world_below(2 * GP_MSEC)), 0,
                  &world_scratch);
}

/* Discovery: hits in a random order, machines that are down among them, or none, or an error. */
void world_on_find(uint32_t at_node, uint64_t token, const gp_msg_job_find_t *msg)
{
    uint32_t first = (uint32_t)world_below(WORLD_NODES);
    gp_msg_work_answer_t *answer = &world_scratch.u.work_answer;

    assert(gp_slice_equal(msg->query, gp_text("cpu >= 1")));
    if (world_chance(w->healed ? 0 : 50)) {
        return; /* the answer is lost */
    }
    memset(&world_scratch, 0, gp_msg_size(GP_MSG_WORK_ANSWER));
    world_scratch.kind = GP_MSG_WORK_ANSWER;
    if (world_chance(100)) {
        answer->error = GP_E_NO_LEADER;
    } else if (!world_chance(50)) {
        uint32_t count = 1 + (uint32_t)world_below(WORLD_NODES);

        for (uint32_t i = 0; i < count; i++) {
            gp_record_hit_t *hit = &answer->hits[answer->hits_count++];

            hit->id = w->nodes[(first + i) % WORLD_NODES].id;
            hit->name = gp_text("some-machine");
        }
    } else {
        answer->considered = WORLD_NODES;
        answer->conditions_count = 1;
        answer->conditions[0].text = gp_text("cpu >= 1");
        answer->conditions[0].excluded = WORLD_NODES;
    }
    world_command(at_node, w->now + world_below(50 * GP_MSEC), token, &world_scratch);
}
