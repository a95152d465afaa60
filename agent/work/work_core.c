/*
 * The core's frame: memory, dispatch of events, storing, wake-ups. Decisions are in the other
 * files.
 */
#include "agent/work/work_state.h"

#define TOKEN_ATTEMPT UINT64_C(0x8000) /* a STORE token: sequence, side, slot */
#define TOKEN_SLOT    UINT64_C(0x7fff)
#define TOKEN_SHIFT   16
#define TOKEN_NOBODY  TOKEN_SLOT

#define BLOCK_ALIGN 16U

void gp_work_config_default(gp_work_config_t *ret_config)
{
    *ret_config = (gp_work_config_t){
        .home_max = GP_JOBS_MAX,
        .attempts_max = GP_JOBS_MAX,
        .running_max = GP_JOBS_MAX / 2,
        .command_bytes = GP_ARGS_BYTES_MAX + GP_ENV_BYTES_MAX + 2 * GP_QUERY_MAX +
                         (2 * GP_ARGS_MAX + 4) * (uint32_t)sizeof(uint16_t),
        .output_window = GP_OUTPUT_WINDOW,
        .lease_us = 10 * GP_SECOND,
        .keep_us = 2 * GP_SECOND,
        .claim_us = 1500 * GP_MSEC,
        .match_us = 10 * GP_SECOND,
        .lend = true,
        .roles = GP_ROLE_ALL,
    };
}

static bool config_usable(const gp_work_config_t *config)
{
    return config->epoch < (UINT64_C(1) << 43) && config->home_max > 0 &&
           config->home_max <= GP_JOBS_MAX && config->attempts_max > 0 &&
           config->attempts_max <= GP_JOBS_MAX && config->running_max <= config->attempts_max &&
           config->command_bytes >= 64 && config->command_bytes <= 65536 &&
           config->output_window >= 16 && config->output_window <= GP_OUTPUT_WINDOW &&
           config->lease_us >= 100 * GP_MSEC && config->lease_us <= WORK_LEASE_LONGEST &&
           config->keep_us > 0 && config->keep_us <= config->lease_us / 2 && config->claim_us > 0 &&
           config->match_us > 0;
}

static size_t aligned(size_t n)
{
    return (n + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

/* Lays the block out in `work` (offsets only) and returns its whole size. */
static size_t lay_out(gp_work_t *work, const gp_work_config_t *config)
{
    size_t at = aligned(sizeof *work);

    work->jobs_at = at;
    at += aligned(sizeof(home_job_t) * config->home_max);
    work->attempts_at = at;
    at += aligned(sizeof(attempt_t) * config->attempts_max);
    work->home_commands_at = at;
    at += aligned((size_t)config->command_bytes * config->home_max);
    work->attempt_commands_at = at;
    at += aligned((size_t)config->command_bytes * config->attempts_max);
    work->rings_at = at;
    at += aligned((size_t)config->output_window * config->attempts_max);
    work->marks_at = at;
    at += aligned((size_t)(config->output_window / 8 + 1) * config->attempts_max);
    work->over_at = at;
    at += aligned(sizeof(work_over_t) * config->attempts_max);
    return at;
}

static size_t work_size(const void *config)
{
    gp_work_t work;

    return config_usable(config) ? lay_out(&work, config) : 0;
}

static void work_init(void *core, const void *config, gp_id_t self, uint64_t seed)
{
    gp_work_t *work = core;

    assert(config_usable(config));
    *work = (gp_work_t){.config = *(const gp_work_config_t *)config, .self = self};
    (void)lay_out(work, &work->config);
    gp_random_init(&work->random, seed);
    work->lend = work->config.lend;
    work->roles = work->config.roles;
    work->stop_deadline = GP_NEVER;
}

home_job_t *gp_work_home_slot(gp_work_t *work, uint32_t index)
{
    assert(index < work->home_count);
    return (home_job_t *)(void *)((uint8_t *)work + work->jobs_at) + index;
}

attempt_t *gp_work_attempt_slot(gp_work_t *work, uint32_t index)
{
    assert(index < work->attempt_count);
    return (attempt_t *)(void *)((uint8_t *)work + work->attempts_at) + index;
}

/*
 * Slots are taken into use one by one, from the first: a machine without work touches, and looks
 * through, none of them.
 */
home_job_t *gp_work_home_free(gp_work_t *work)
{
    for (uint32_t i = 0; i < work->home_count; i++) {
        if (gp_work_home_slot(work, i)->phase == HOME_FREE) {
            return gp_work_home_slot(work, i);
        }
    }
    if (work->home_count == work->config.home_max) {
        return NULL;
    }
    work->home_count++;
    *gp_work_home_slot(work, work->home_count - 1) = (home_job_t){.phase = HOME_FREE};
    return gp_work_home_slot(work, work->home_count - 1);
}

attempt_t *gp_work_attempt_free(gp_work_t *work)
{
    for (uint32_t i = 0; i < work->attempt_count; i++) {
        if (gp_work_attempt_slot(work, i)->phase == ATTEMPT_FREE) {
            return gp_work_attempt_slot(work, i);
        }
    }
    if (work->attempt_count == work->config.attempts_max) {
        return NULL;
    }
    work->attempt_count++;
    *gp_work_attempt_slot(work, work->attempt_count - 1) = (attempt_t){.phase = ATTEMPT_FREE};
    return gp_work_attempt_slot(work, work->attempt_count - 1);
}

static size_t job_index(gp_work_t *work, const home_job_t *job)
{
    return (size_t)(job - (const home_job_t *)(const void *)((uint8_t *)work + work->jobs_at));
}

static size_t attempt_index(gp_work_t *work, const attempt_t *attempt)
{
    return (size_t)(attempt -
                    (const attempt_t *)(const void *)((uint8_t *)work + work->attempts_at));
}

uint8_t *gp_work_home_bytes(gp_work_t *work, const home_job_t *job)
{
    return (uint8_t *)work + work->home_commands_at +
           job_index(work, job) * work->config.command_bytes;
}

uint8_t *gp_work_attempt_bytes(gp_work_t *work, const attempt_t *attempt)
{
    return (uint8_t *)work + work->attempt_commands_at +
           attempt_index(work, attempt) * work->config.command_bytes;
}

uint8_t *gp_work_ring(gp_work_t *work, const attempt_t *attempt)
{
    return (uint8_t *)work + work->rings_at +
           attempt_index(work, attempt) * work->config.output_window;
}

uint8_t *gp_work_marks(gp_work_t *work, const attempt_t *attempt)
{
    return (uint8_t *)work + work->marks_at +
           attempt_index(work, attempt) * (work->config.output_window / 8 + 1);
}

work_over_t *gp_work_over_slot(gp_work_t *work, uint32_t index)
{
    assert(index < work->config.attempts_max);
    return (work_over_t *)(void *)((uint8_t *)work + work->over_at) + index;
}

bool gp_work_has_room(const gp_work_t *work, const gp_out_t *out)
{
    return gp_out_is_light(out) && out->count - work->step_count < WORK_STEP_ACTIONS &&
           out->used - work->step_used < WORK_STEP_BYTES;
}

const work_peer_t *gp_work_peer(const gp_work_t *work, const gp_id_t *id)
{
    for (uint32_t i = 0; i < work->peer_count; i++) {
        if (gp_id_equal(&work->peers[i].id, id)) {
            return &work->peers[i];
        }
    }
    return NULL;
}

uint16_t gp_work_roles_of(const gp_work_t *work, const gp_id_t *id)
{
    const work_peer_t *peer = gp_work_peer(work, id);

    if (gp_id_equal(id, &work->self)) {
        return work->roles;
    }
    if (peer != NULL) {
        return peer->roles;
    }
    return work->config.certified ? 0 : GP_ROLE_ALL;
}

bool gp_work_peer_down(const gp_work_t *work, const gp_id_t *id)
{
    const work_peer_t *peer = gp_work_peer(work, id);

    return peer != NULL && (peer->state == GP_MEMBER_UNAVAILABLE || peer->state == GP_MEMBER_LEFT);
}

/* ---- storing --------------------------------------------------------------------------------- */

static uint64_t next_token(gp_work_t *work, uint64_t slot)
{
    work->store_sequence++;
    return work->store_sequence << TOKEN_SHIFT | slot;
}

static gp_msg_t *store(gp_work_t *work, work_storing_t *storing, uint64_t slot, gp_msg_kind_t kind,
                       gp_out_t *out)
{
    gp_msg_t *msg;

    if (storing->token != 0) {
        storing->again = true;
        return NULL;
    }
    storing->token = next_token(work, slot);
    msg = gp_out_add(out, GP_ACTION_STORE, NULL, kind);
    gp_out_last(out)->token = storing->token;
    return msg;
}

gp_msg_t *gp_work_store_job(gp_work_t *work, home_job_t *job, gp_out_t *out)
{
    return store(work, &job->storing, job_index(work, job), GP_MSG_JOB_STATE, out);
}

gp_msg_t *gp_work_store_attempt(gp_work_t *work, attempt_t *attempt, gp_out_t *out)
{
    return store(work, &attempt->storing, TOKEN_ATTEMPT | attempt_index(work, attempt),
                 GP_MSG_ATTEMPT_STATE, out);
}

gp_msg_t *gp_work_store_removal(gp_work_t *work, gp_msg_kind_t kind, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_STORE, NULL, kind);

    gp_out_last(out)->token = next_token(work, TOKEN_NOBODY);
    return msg;
}

static uint32_t put_number(uint8_t *key, uint32_t at, uint64_t number, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        key[at + i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
    }
    return at + bytes;
}

uint32_t gp_work_record_key(const gp_msg_t *msg, uint8_t key[GP_WORK_KEY_MAX], bool *ret_removed)
{
    uint32_t n = 0;

    if (msg->kind == GP_MSG_JOB_STATE) {
        *ret_removed = msg->u.job_state.state == 0;
        return put_number(key, n, msg->u.job_state.job, 8);
    }
    assert(msg->kind == GP_MSG_ATTEMPT_STATE);
    *ret_removed = msg->u.attempt_state.state == 0;
    memcpy(key, msg->u.attempt_state.home.b, sizeof msg->u.attempt_state.home.b);
    n = (uint32_t)sizeof msg->u.attempt_state.home.b;
    n = put_number(key, n, msg->u.attempt_state.job, 8);
    return put_number(key, n, msg->u.attempt_state.incarnation, 4);
}

/* Clears what waits on the STORE; false: the answer is of nobody who still waits. */
static bool stored(work_storing_t *storing, uint64_t token)
{
    if (storing->token == 0 || storing->token != token) {
        return false;
    }
    storing->token = 0;
    return true;
}

static void on_stored(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    uint32_t slot = (uint32_t)(event->token & TOKEN_SLOT);

    if ((event->token & TOKEN_ATTEMPT) != 0) {
        if (slot < work->attempt_count &&
            stored(&gp_work_attempt_slot(work, slot)->storing, event->token)) {
            gp_attempt_stored(work, gp_work_attempt_slot(work, slot), event, out);
        }
    } else if (slot < work->home_count &&
               stored(&gp_work_home_slot(work, slot)->storing, event->token)) {
        gp_home_stored(work, gp_work_home_slot(work, slot), event, out);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static void forget_peer(gp_work_t *work, const gp_id_t *id)
{
    for (uint32_t i = 0; i < work->peer_count; i++) {
        if (gp_id_equal(&work->peers[i].id, id)) {
            work->peers[i] = work->peers[--work->peer_count];
            return;
        }
    }
}

static void note_peer(gp_work_t *work, const gp_record_member_t *member, uint16_t roles)
{
    uint32_t at = 0;

    while (at < work->peer_count && !gp_id_equal(&work->peers[at].id, &member->id)) {
        at++;
    }
    if (at == GP_MEMBERS_MAX) {
        return;
    }
    work->peer_count = at == work->peer_count ? at + 1 : work->peer_count;
    work->peers[at] = (work_peer_t){.id = member->id,
                                    .state = (gp_member_state_t)member->state,
                                    .cause = (gp_cause_t)member->cause,
                                    .roles = roles};
}

static void on_member(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_work_member_t *msg = &event->msg->u.work_member;

    for (uint32_t i = 0; i < msg->entries_count; i++) {
        const gp_record_member_t *member = &msg->entries[i];

        note_peer(work, member, msg->roles);
        if (gp_id_equal(&member->id, &work->self)) {
            work->roles = msg->roles;
        }
        gp_home_member(work, &member->id, msg->forgotten, event->now);
        gp_executor_member(work, &member->id, msg->forgotten, out);
        if (msg->forgotten) {
            forget_peer(work, &member->id);
        }
    }
}

static void on_stop(gp_work_t *work, const gp_event_t *event)
{
    if (work->stopping) {
        return;
    }
    work->stopping = true;
    work->stop_deadline = event->now + event->msg->u.work_stop.wait_ms * GP_MSEC;
    gp_home_stop(work, event->now);
    gp_executor_stop(work, event->now);
}

static void on_command(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_WORK_MEMBER:
        on_member(work, event, out);
        break;
    case GP_MSG_WORK_POLICY:
        work->lend = event->msg->u.work_policy.lend;
        work->draining = event->msg->u.work_policy.draining;
        break;
    case GP_MSG_WORK_STOP:
        on_stop(work, event);
        break;
    case GP_MSG_WORK_STARTED:
    case GP_MSG_WORK_OUTPUT:
    case GP_MSG_WORK_ENDED:
        gp_attempt_command(work, event);
        break;
    default:
        gp_home_command(work, event, out);
        break;
    }
}

static void on_message(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_CLAIM:
    case GP_MSG_KEEP:
    case GP_MSG_OUTPUT_ACK:
    case GP_MSG_ENDED_ACK:
    case GP_MSG_CANCEL:
        gp_executor_message(work, event, out);
        break;
    default:
        gp_home_message(work, event, out);
        break;
    }
}

/* Everything whose time has come. What finds no room on the sheet stays due and is next. */
static void on_due(gp_work_t *work, gp_usec_t now, gp_out_t *out)
{
    uint32_t slots = (uint32_t)work->home_count + work->attempt_count;

    for (uint32_t i = 0; i < slots && gp_work_has_room(work, out); i++) {
        uint32_t slot = work->cursor % slots;

        work->cursor = slot + 1;
        if (slot < work->home_count) {
            gp_home_due(work, gp_work_home_slot(work, slot), now, out);
        } else {
            gp_attempt_due(work, gp_work_attempt_slot(work, slot - work->home_count), now, out);
        }
    }
}

/*
 * What the machine says to itself, as home and executor in one, is heard at once: it needs neither
 * wire nor signature. It need not wait for a barrier either, since nothing here leans on one.
 */
static void hear_self(gp_work_t *work, gp_usec_t now, gp_out_t *out)
{
    uint32_t i = work->step_count;

    while (i < out->count) {
        gp_event_t event = {.type = GP_EVENT_MSG, .now = now, .peer = work->self};

        if (out->actions[i].type != GP_ACTION_SEND ||
            !gp_id_equal(&out->actions[i].peer, &work->self)) {
            i++;
            continue;
        }
        event.msg = out->actions[i].msg;
        out->count--;
        memmove(&out->actions[i], &out->actions[i + 1], (out->count - i) * sizeof out->actions[0]);
        on_message(work, &event, out);
        on_due(work, now, out);
    }
}

static uint32_t work_left(gp_work_t *work)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < work->home_count; i++) {
        left += gp_home_open(gp_work_home_slot(work, i)) ? 1 : 0;
    }
    for (uint32_t i = 0; i < work->attempt_count; i++) {
        left += gp_executor_active(gp_work_attempt_slot(work, i)) ? 1 : 0;
    }
    return left;
}

static void tell_stopped(gp_work_t *work, gp_usec_t now, gp_out_t *out)
{
    uint32_t left;

    if (!work->stopping || work->stopped_told) {
        return;
    }
    left = work_left(work);
    if (left == 0 || now >= work->stop_deadline) {
        work->stopped_told = true;
        gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_WORK_STOPPED)->u.work_stopped.left = left;
    }
}

static void work_step(void *core, const gp_event_t *event, gp_out_t *out)
{
    gp_work_t *work = core;

    work->step_count = out->count;
    work->step_used = out->used;
    if (event->type == GP_EVENT_LOAD) {
        gp_home_load(work, event);
        gp_attempt_load(work, event);
        return; /* the rest begins with START */
    }
    /* Time first: a lease that has ended is not saved by the message that comes late. */
    gp_executor_expire(work, event->now);
    switch (event->type) {
    case GP_EVENT_MSG:
        on_message(work, event, out);
        break;
    case GP_EVENT_STORED:
        on_stored(work, event, out);
        break;
    case GP_EVENT_COMMAND:
        on_command(work, event, out);
        break;
    case GP_EVENT_LOAD:
    case GP_EVENT_START:
    case GP_EVENT_WAKE:
    case GP_EVENT_LINK:
    case GP_EVENT_DIALED:
        break;
    }
    on_due(work, event->now, out);
    hear_self(work, event->now, out);
    tell_stopped(work, event->now, out);
}

static gp_usec_t work_wake(const void *core)
{
    /* The slots are reached through one accessor for both; nothing is written here. */
    gp_work_t *work = (gp_work_t *)(uintptr_t)core;
    gp_usec_t at = work->stopping && !work->stopped_told ? work->stop_deadline : GP_NEVER;

    for (uint32_t i = 0; i < work->home_count; i++) {
        gp_usec_t due = gp_home_wake(gp_work_home_slot(work, i));

        at = due < at ? due : at;
    }
    for (uint32_t i = 0; i < work->attempt_count; i++) {
        gp_usec_t due = gp_attempt_wake(gp_work_attempt_slot(work, i));

        at = due < at ? due : at;
    }
    return at;
}

static void work_check(const void *core)
{
    gp_work_t *work = (gp_work_t *)(uintptr_t)core;
    uint32_t finds = 0;

    assert(work->peer_count <= GP_MEMBERS_MAX);
    assert(work->home_count <= work->config.home_max);
    assert(work->attempt_count <= work->config.attempts_max);
    assert(work->over_count <= work->config.attempts_max);
    for (uint32_t i = 0; i < work->home_count; i++) {
        const home_job_t *job = gp_work_home_slot(work, i);

        gp_home_check(work, job);
        finds += job->finding ? 1 : 0;
        for (uint32_t j = 0; job->phase != HOME_FREE && j < i; j++) {
            const home_job_t *other = gp_work_home_slot(work, j);

            assert(other->phase == HOME_FREE || other->job != job->job);
        }
    }
    assert(finds == work->finds_open && finds <= WORK_FINDS_MAX);
    for (uint32_t i = 0; i < work->attempt_count; i++) {
        gp_attempt_check(work, gp_work_attempt_slot(work, i));
    }
    assert(gp_work_running(core) <= work->config.running_max);
}

const gp_core_ops_t gp_work_ops = {
    .name = "work",
    .size = work_size,
    .init = work_init,
    .step = work_step,
    .wake = work_wake,
    .check = work_check,
};

/* ---- listings -------------------------------------------------------------------------------- */

bool gp_work_job_at(const void *core, uint32_t index, gp_work_job_t *ret_job)
{
    gp_work_t *work = (gp_work_t *)(uintptr_t)core;
    const home_job_t *job;

    if (index >= work->home_count) {
        return false;
    }
    job = gp_work_home_slot(work, index);
    if (job->phase == HOME_FREE) {
        return false;
    }
    const work_end_t end = gp_home_end(job);
    *ret_job = (gp_work_job_t){
        .job = job->job,
        .incarnation = job->incarnation,
        .code = end.code,
        .state = gp_home_state(job),
        .reason = end.reason,
        .executor = job->executor,
        .node = gp_work_name_slice(&job->node),
        .name = gp_work_name_slice(&job->name),
        .text = gp_home_text(job),
        .since = job->since,
        .heard = job->heard,
        .output = job->received,
        .wall_us = end.wall_us,
        .cpu_us = end.cpu_us,
        .peak_bytes = end.peak_bytes,
    };
    return true;
}

bool gp_work_job_find(const void *core, uint64_t number, gp_work_job_t *ret_job)
{
    gp_work_t *work = (gp_work_t *)(uintptr_t)core;

    for (uint32_t i = 0; i < work->home_count; i++) {
        const home_job_t *job = gp_work_home_slot(work, i);

        if (job->phase != HOME_FREE && job->job == number) {
            return gp_work_job_at(core, i, ret_job);
        }
    }
    return false;
}

bool gp_work_attempt_at(const void *core, uint32_t index, gp_work_attempt_t *ret_attempt)
{
    gp_work_t *work = (gp_work_t *)(uintptr_t)core;
    const attempt_t *attempt;

    if (index >= work->attempt_count) {
        return false;
    }
    attempt = gp_work_attempt_slot(work, index);
    if (attempt->phase == ATTEMPT_FREE) {
        return false;
    }
    *ret_attempt = (gp_work_attempt_t){
        .home = attempt->home,
        .job = attempt->job,
        .incarnation = attempt->incarnation,
        .state = gp_attempt_state(attempt),
        .reason = attempt->end.reason,
        .name = gp_work_name_slice(&attempt->name),
        .lease_until = attempt->lease_until,
    };
    return true;
}

uint16_t gp_work_roles(const void *core)
{
    const gp_work_t *work = core;

    return work->roles;
}

uint32_t gp_work_running(const void *core)
{
    gp_work_t *work = (gp_work_t *)(uintptr_t)core;
    uint32_t n = 0;

    for (uint32_t i = 0; i < work->attempt_count; i++) {
        n += gp_executor_active(gp_work_attempt_slot(work, i)) ? 1 : 0;
    }
    return n;
}
