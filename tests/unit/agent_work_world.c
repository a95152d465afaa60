#include "tests/unit/agent_work_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/cert.h"
#include "tests/unit/agent_work_world_inside.h"

world_t *w;
gp_msg_t world_scratch;

static bool world_story(void)
{
    static int on = -1;

    if (on < 0) {
        on = getenv("WORLD_STORY") != NULL;
    }
    return on == 1;
}

__attribute__((format(printf, 1, 2))) void world_tell(const char *format, ...)
{
    va_list list;

    if (!world_story()) {
        return;
    }
    va_start(list, format);
    printf("%9.3f ", (double)w->now / 1e6);
    vprintf(format, list);
    printf("\n");
    va_end(list);
}

bool world_chance(uint32_t permille)
{
    return permille > 0 && gp_random_below(&w->random, 1000) < permille;
}

uint64_t world_below(uint64_t bound)
{
    return gp_random_below(&w->random, bound);
}

static void world_mix(uint64_t value)
{
    w->result->hash = gp_hash(&value, sizeof value, w->result->hash);
}

/* ---- the queue ------------------------------------------------------------------------------- */

void world_push(pending_t event)
{
    assert(w->event_count < EVENTS_MAX);
    event.key.order = w->order++;
    heap_push(w->events, &w->event_count, sizeof event, &event);
}

static pending_t world_pop(void)
{
    pending_t event;

    heap_pop(w->events, &w->event_count, sizeof event, &event);
    return event;
}

static uint8_t *world_pack(const gp_msg_t *msg, size_t *ret_n)
{
    static uint8_t buffer[GP_MESSAGE_MAX];
    uint8_t *bytes;

    assert(gp_msg_pack(msg, buffer, sizeof buffer, ret_n) == GP_OK);
    bytes = malloc(*ret_n + 1);
    assert(bytes != NULL);
    memcpy(bytes, buffer, *ret_n);
    return bytes;
}

uint32_t world_node_of(const gp_id_t *id)
{
    for (uint32_t i = 0; i < WORLD_NODES; i++) {
        if (gp_id_equal(&w->nodes[i].id, id)) {
            return i;
        }
    }
    return WORLD_NODES; /* an identity that was lost with its disk */
}

job_t *world_job_of(const gp_id_t *home, uint64_t number)
{
    for (uint32_t i = 0; i < w->job_count; i++) {
        if (number != 0 && w->jobs[i].number == number && gp_id_equal(&w->jobs[i].home_id, home)) {
            return &w->jobs[i];
        }
    }
    return NULL;
}

void world_command(uint32_t node, gp_usec_t at, uint64_t token, const gp_msg_t *msg)
{
    pending_t event = {.type = PENDING_COMMAND,
                       .key.at = at,
                       .node = node,
                       .life = w->nodes[node].life,
                       .token = token,
                       .kind = msg->kind};

    event.bytes = world_pack(msg, &event.n);
    world_push(event);
}

/* ---- effects --------------------------------------------------------------------------------- */

static void send(uint32_t from, const held_t *action)
{
    uint32_t to = world_node_of(&action->peer);
    uint32_t copies = 1;

    world_mix(action->kind);
    w->result->messages++;
    if (to == WORLD_NODES) {
        return;
    }
    assert(from != to); /* that never leaves the core */
    copies = world_chance(w->faults.loss) ? 0 : world_chance(w->faults.repeat) ? 2 : 1;
    if (w->cut && w->nodes[from].side != w->nodes[to].side) {
        copies = 0;
    }
    for (uint32_t i = 0; i < copies; i++) {
        pending_t event = {.type = PENDING_MSG,
                           .key.at = w->now + 100 + world_below(1 + w->faults.delay_ms * GP_MSEC),
                           .node = to,
                           .from = from,
                           .peer = w->nodes[from].id,
                           .kind = action->kind,
                           .n = action->n};

        if (world_chance(w->faults.late)) {
            event.key.at += world_below(20 * GP_SECOND);
        }
        event.bytes = malloc(action->n + 1);
        assert(event.bytes != NULL);
        memcpy(event.bytes, action->bytes, action->n);
        world_push(event);
    }
}

static void notice(uint32_t at_node, const held_t *action)
{
    gp_msg_t *msg = malloc(sizeof *msg);

    assert(msg != NULL);
    assert(gp_msg_read(action->kind, gp_slice(action->bytes, action->n), false, msg) == GP_OK);
    world_mix(action->kind);
    switch (msg->kind) {
    case GP_MSG_JOB:
        world_on_job(at_node, action->token, &msg->u.job);
        break;
    case GP_MSG_JOB_OUTPUT:
        world_on_job_output(at_node, &msg->u.job_output);
        break;
    case GP_MSG_JOB_FIND:
        world_on_find(at_node, action->token, &msg->u.job_find);
        break;
    case GP_MSG_WORK_STOPPED:
        world_tell("n%u has wound up its work (%u left)", at_node, msg->u.work_stopped.left);
        break;
    default:
        world_program_notice(at_node, msg);
        break;
    }
    free(msg);
}

/* Lets actions out, up to the next STORE that is not durable yet. */
static void flush(uint32_t at_node)
{
    node_t *node = &w->nodes[at_node];
    uint32_t done = 0;

    while (done < node->held_count && !node->storing) {
        held_t *action = &node->held[done];

        if (action->type == GP_ACTION_STORE) {
            node->storing = true;
            world_push((pending_t){.type = PENDING_STORED,
                                   .key.at = w->now + 50 + world_below(8 * GP_MSEC),
                                   .node = at_node,
                                   .life = node->life,
                                   .token = action->token,
                                   .ok = !world_chance(w->faults.store_fails)});
            break;
        }
        if (action->type == GP_ACTION_SEND) {
            send(at_node, action);
        } else {
            assert(action->type == GP_ACTION_NOTICE);
            notice(at_node, action);
        }
        free(action->bytes);
        done++;
    }
    memmove(node->held, node->held + done, (node->held_count - done) * sizeof node->held[0]);
    node->held_count -= done;
}

static void put_record(node_t *node, const held_t *action)
{
    uint8_t key[GP_WORK_KEY_MAX];
    uint32_t key_n;
    bool removed;
    record_t *to = NULL;

    assert(gp_msg_read(action->kind, gp_slice(action->bytes, action->n), false, &world_scratch) ==
           GP_OK);
    key_n = gp_work_record_key(&world_scratch, key, &removed);
    for (uint32_t i = 0; i < RECORDS_MAX; i++) {
        record_t *r = &node->records[i];

        if (r->used && r->kind == action->kind && r->key_n == key_n &&
            memcmp(r->key, key, key_n) == 0) {
            to = r;
            break;
        }
        to = to == NULL && !r->used ? r : to;
    }
    assert(to != NULL);
    if (to->used) {
        free(to->bytes);
        to->used = false;
    }
    if (removed) {
        return;
    }
    *to = (record_t){.used = true, .key_n = key_n, .kind = action->kind, .n = action->n};
    memcpy(to->key, key, key_n);
    to->bytes = malloc(action->n + 1);
    assert(to->bytes != NULL);
    memcpy(to->bytes, action->bytes, action->n);
}

static void step(uint32_t at_node, gp_event_t event);

static void on_stored(uint32_t at_node, const pending_t *event)
{
    node_t *node = &w->nodes[at_node];
    held_t store = node->held[0];
    uint32_t drop = 1;

    assert(node->storing && node->held_count > 0 && store.token == event->token);
    /* A STORE that is said to have failed may be on the disk all the same. */
    if (event->ok || world_chance(300)) {
        put_record(node, &store);
    }
    while (!event->ok && drop < node->held_count && node->held[drop].batch == store.batch &&
           node->held[drop].type != GP_ACTION_STORE) {
        free(node->held[drop].bytes);
        drop++;
    }
    free(store.bytes);
    memmove(node->held, node->held + drop, (node->held_count - drop) * sizeof node->held[0]);
    node->held_count -= drop;
    node->storing = false;
    step(at_node, (gp_event_t){.type = GP_EVENT_STORED,
                               .room = GP_ROOM_WORK,
                               .token = event->token,
                               .ok = event->ok});
}

static void step(uint32_t at_node, gp_event_t event)
{
    node_t *node = &w->nodes[at_node];

    event.now = w->now;
    gp_out_reset(&w->out);
    gp_work_ops.step(node->core, &event, &w->out);
    gp_work_ops.check(node->core);
    node->batch++;
    for (uint32_t i = 0; i < w->out.count; i++) {
        const gp_action_t *action = &w->actions[i];
        held_t *held = &node->held[node->held_count++];

        assert(node->held_count < HELD_MAX);
        *held = (held_t){.type = action->type,
                         .batch = node->batch,
                         .peer = action->peer,
                         .token = action->token,
                         .kind = action->msg->kind};
        held->bytes = world_pack(action->msg, &held->n);
    }
    flush(at_node);
}

/* ---- machines -------------------------------------------------------------------------------- */

static gp_error_t fits(void *context, gp_slice_t where, char *reason, size_t size)
{
    const node_t *node = context;

    assert(gp_slice_equal(where, gp_text("cpu >= 1")));
    if ((w->now / GP_SECOND + (uint64_t)(node - w->nodes)) % 5 == 0) {
        snprintf(reason, size, "cpu >= 1: the owner needs it now");
        return GP_E_RUN_REFUSED;
    }
    return GP_OK;
}

static void boot(uint32_t at_node)
{
    node_t *node = &w->nodes[at_node];
    gp_work_config_t config;

    gp_work_config_default(&config);
    node->epoch++;
    node->life++;
    node->up = true;
    config.epoch = node->epoch;
    config.home_max = 12;
    config.attempts_max = 10;
    config.running_max = 5;
    config.command_bytes = 256;
    config.output_window = 1024;
    config.fits = fits;
    config.fits_context = node;
    free(node->core);
    node->core = malloc(gp_work_ops.size(&config));
    assert(node->core != NULL);
    memset(node->core, 0xa5, gp_work_ops.size(&config));
    gp_work_ops.init(node->core, &config, node->id, world_below(UINT64_MAX));
    for (uint32_t i = 0; i < RECORDS_MAX; i++) {
        const record_t *r = &node->records[i];
        gp_event_t event = {.type = GP_EVENT_LOAD, .room = GP_ROOM_WORK, .now = w->now};

        if (r->used) {
            assert(gp_msg_read(r->kind, gp_slice(r->bytes, r->n), false, &world_scratch) == GP_OK);
            event.msg = &world_scratch;
            gp_out_reset(&w->out);
            gp_work_ops.step(node->core, &event, &w->out);
            assert(w->out.count == 0);
        }
    }
    step(at_node, (gp_event_t){.type = GP_EVENT_START});
    world_tell("n%u is up, life %u", at_node, node->life);
}

/* What the group of `at_node` says of `about`, now. */
static gp_member_state_t verdict(uint32_t at_node, uint32_t about)
{
    uint32_t mine = 0;

    if (!w->nodes[about].up) {
        return w->nodes[about].stopped ? GP_MEMBER_LEFT : GP_MEMBER_UNAVAILABLE;
    }
    if (!w->cut || w->nodes[at_node].side == w->nodes[about].side) {
        return GP_MEMBER_ALIVE;
    }
    for (uint32_t i = 0; i < WORLD_NODES; i++) {
        mine += w->nodes[i].side == w->nodes[at_node].side ? 1 : 0;
    }
    return mine * 2 > WORLD_NODES ? GP_MEMBER_UNAVAILABLE : GP_MEMBER_UNKNOWN;
}

static void tell_member(uint32_t at_node, const gp_id_t *id, gp_member_state_t state,
                        bool forgotten)
{
    gp_record_member_t *entry = &world_scratch.u.work_member.entries[0];

    memset(&world_scratch, 0, gp_msg_size(GP_MSG_WORK_MEMBER));
    world_scratch.kind = GP_MSG_WORK_MEMBER;
    world_scratch.u.work_member.forgotten = forgotten;
    world_scratch.u.work_member.entries_count = 1;
    world_scratch.u.work_member.roles = GP_ROLE_ALL;
    entry->id = *id;
    entry->state = (uint8_t)state;
    entry->cause = state == GP_MEMBER_LEFT ? GP_CAUSE_STOPPED : GP_CAUSE_SILENT;
    world_command(at_node, w->now, 0, &world_scratch);
}

static void verdicts_later(gp_usec_t in)
{
    world_push((pending_t){.type = PENDING_VERDICT, .key.at = w->now + in});
}

static void give_verdicts(void)
{
    for (uint32_t i = 0; i < WORLD_NODES; i++) {
        for (uint32_t j = 0; w->nodes[i].up && j < WORLD_NODES; j++) {
            gp_member_state_t state = verdict(i, j);

            if (i != j && w->nodes[i].told[j] != state) {
                w->nodes[i].told[j] = state;
                tell_member(i, &w->nodes[j].id, state, false);
            }
        }
    }
}

static void crash(uint32_t at_node, bool keep_disk)
{
    node_t *node = &w->nodes[at_node];

    world_tell("n%u crashes%s", at_node, keep_disk ? "" : ", and its disk with it");
    for (uint32_t i = 0; i < node->held_count; i++) {
        if (i == 0 && node->storing && world_chance(500)) {
            put_record(node, &node->held[0]);
        }
        free(node->held[i].bytes);
    }
    node->held_count = 0;
    node->storing = false;
    node->up = false;
    node->life++;
    memset(node->told, 0, sizeof node->told);
    memset(node->programs, 0, sizeof node->programs);
    if (!keep_disk) {
        gp_id_t old = node->id;

        for (uint32_t i = 0; i < RECORDS_MAX; i++) {
            if (node->records[i].used) {
                free(node->records[i].bytes);
                node->records[i].used = false;
            }
        }
        for (uint32_t i = 0; i < w->job_count; i++) {
            w->jobs[i].home_lost = w->jobs[i].home_lost || gp_id_equal(&w->jobs[i].home_id, &old);
        }
        node->id.b[1]++;
        for (uint32_t i = 0; i < WORLD_NODES; i++) {
            if (i != at_node && w->nodes[i].up) {
                tell_member(i, &old, GP_MEMBER_UNAVAILABLE, true);
            }
        }
    }
    verdicts_later(300 * GP_MSEC);
    world_push((pending_t){.type = PENDING_RESTART,
                           .key.at = w->now + 10 * GP_MSEC + world_below(15 * GP_SECOND),
                           .node = at_node});
}

static void stop(uint32_t at_node)
{
    gp_msg_t msg = {.kind = GP_MSG_WORK_STOP, .u.work_stop = {.wait_ms = 3000}};

    world_tell("n%u is told to stop", at_node);
    w->nodes[at_node].stopped = true;
    world_command(at_node, w->now, 0, &msg);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void submit(uint32_t index)
{
    uint32_t home = (uint32_t)world_below(WORLD_NODES);
    job_t *job = &w->jobs[index];
    gp_msg_work_run_t *run = &world_scratch.u.work_run;

    while (!w->nodes[home].up) {
        home = (home + 1) % WORLD_NODES;
        if (world_below(50) == 0) {
            return; /* nobody is up */
        }
    }
    job->submitted = true;
    job->home = home;
    job->home_life = w->nodes[home].life;
    job->home_id = w->nodes[home].id;
    job->total = world_chance(300) ? 0 : world_below(world_chance(200) ? 6000 : 600);
    job->slow = world_chance(w->faults.slow_reader);
    w->result->submitted++;
    memset(&world_scratch, 0, gp_msg_size(GP_MSG_WORK_RUN));
    world_scratch.kind = GP_MSG_WORK_RUN;
    run->name = gp_text("a-job");
    run->where = gp_text("cpu >= 1");
    run->args_count = 2;
    run->args[0].text = gp_text("program");
    run->args[1].text = gp_text("and its argument");
    run->env_count = 1;
    run->env[0].text = gp_text("A=b");
    world_command(home, w->now, index + 1, &world_scratch);
}

static void tick(void)
{
    uint32_t victim = (uint32_t)world_below(WORLD_NODES);
    node_t *node = &w->nodes[victim];

    if (!w->healed) {
        if (node->up && world_chance(w->faults.crash)) {
            crash(victim, !world_chance(w->faults.lose_disk));
        } else if (node->up && world_chance(w->faults.freeze)) {
            node->frozen_until = w->now + world_below(25 * GP_SECOND);
            world_tell("n%u is frozen", victim);
        } else if (node->up && !node->stopped && world_chance(w->faults.stop)) {
            stop(victim);
        }
        if (!w->cut && world_chance(w->faults.partition)) {
            w->cut = true;
            w->cut_until = w->now + world_below(40 * GP_SECOND);
            for (uint32_t i = 0; i < WORLD_NODES; i++) {
                w->nodes[i].side = (uint32_t)world_below(2);
            }
            world_tell("the network is cut");
            verdicts_later(2 * GP_SECOND);
        }
    }
    if (w->cut && (w->healed || w->now >= w->cut_until)) {
        w->cut = false;
        world_tell("the network is whole");
    }
    verdicts_later(200 * GP_MSEC);
    world_push((pending_t){.type = PENDING_TICK, .key.at = w->now + COMMANDS_PERIOD});
}

static void heal(void)
{
    world_tell("all is healed");
    w->healed = true;
    w->faults = (world_faults_t){.delay_ms = 2};
    w->cut = false;
    for (uint32_t i = 0; i < WORLD_NODES; i++) {
        w->nodes[i].frozen_until = 0;
        if (w->nodes[i].up && w->nodes[i].stopped) {
            crash(i, true); /* the agent that was stopped is gone; systemd starts it again */
        }
        w->nodes[i].stopped = false;
    }
}

static void dispatch(pending_t *event)
{
    node_t *node = &w->nodes[event->node];
    gp_event_t to = {.peer = event->peer, .token = event->token, .msg = &world_scratch};

    switch (event->type) {
    case PENDING_TICK:
        tick();
        return;
    case PENDING_VERDICT:
        give_verdicts();
        return;
    case PENDING_RESTART:
        if (!node->up) {
            boot(event->node);
        }
        return;
    default:
        break;
    }
    if (!node->up || (event->type != PENDING_MSG && event->life != node->life)) {
        return;
    }
    if (w->now < node->frozen_until) {
        pending_t later = *event;

        later.key.at = node->frozen_until;
        event->bytes = NULL;
        world_push(later);
        return;
    }
    if (event->type == PENDING_STORED) {
        on_stored(event->node, event);
    } else if (event->type == PENDING_PROGRAM) {
        world_program_moment(event->node, &node->programs[event->token]);
    } else {
        bool wire = event->type == PENDING_MSG;

        assert(gp_msg_read(event->kind, gp_slice(event->bytes, event->n), wire, &world_scratch) ==
               GP_OK);
        to.type = wire ? GP_EVENT_MSG : GP_EVENT_COMMAND;
        step(event->node, to);
    }
}

/* The machine whose core wants to be woken first. */
static gp_usec_t next_wake(uint32_t *ret_node)
{
    gp_usec_t first = GP_NEVER;

    for (uint32_t i = 0; i < WORLD_NODES; i++) {
        gp_usec_t at = w->nodes[i].up ? gp_work_ops.wake(w->nodes[i].core) : GP_NEVER;

        if (at != GP_NEVER && at < w->nodes[i].frozen_until) {
            at = w->nodes[i].frozen_until;
        }
        if (at < first) {
            first = at;
            *ret_node = i;
        }
    }
    return first;
}

static void run_until(gp_usec_t end)
{
    uint64_t wakes = 0;

    for (;;) {
        uint32_t node = 0;
        gp_usec_t wake = next_wake(&node);

        if (wake <= w->events[0].key.at) {
            if (wake > end) {
                break;
            }
            wakes = wake <= w->now ? wakes + 1 : 0;
            assert(wakes < 1000); /* a core that wakes without end */
            w->now = wake > w->now ? wake : w->now;
            step(node, (gp_event_t){.type = GP_EVENT_WAKE});
            continue;
        }
        if (w->events[0].key.at > end) {
            break;
        }
        {
            pending_t event = world_pop();

            wakes = 0;
            w->now = event.key.at > w->now ? event.key.at : w->now;
            world_mix(w->now);
            dispatch(&event);
            free(event.bytes);
        }
    }
    w->now = end;
}

/* After healing, every accepted job has ended, with a reason, where its user can see it. */
static void demand(void)
{
    for (uint32_t i = 0; i < w->job_count; i++) {
        const job_t *job = &w->jobs[i];
        gp_work_job_t seen;

        if (!job->submitted || job->home_lost || job->number == 0) {
            continue;
        }
        if (gp_work_job_find(w->nodes[job->home].core, job->number, &seen)) {
            assert(seen.state >= GP_JOB_DONE && seen.reason != GP_REASON_NONE);
            w->result->reasons[seen.reason & 31]++;
            w->result->done += seen.state == GP_JOB_DONE;
            w->result->failed += seen.state == GP_JOB_FAILED;
            w->result->cancelled += seen.state == GP_JOB_CANCELLED;
            w->result->lost += seen.state == GP_JOB_LOST;
            /* What the user was told is what is on record, unless the disk had failed. */
            assert(w->disk_failed || !job->told_end ||
                   (seen.state == job->state && seen.reason == job->reason));
        } else {
            assert(job->told_end); /* so old that it gave way to newer ones */
        }
    }
    for (uint32_t i = 0; i < WORLD_NODES; i++) {
        for (uint32_t j = 0; j < RECORDS_MAX; j++) {
            const record_t *r = &w->nodes[i].records[j];

            if (r->used && r->kind == GP_MSG_ATTEMPT_STATE) {
                assert(gp_msg_read(r->kind, gp_slice(r->bytes, r->n), false, &world_scratch) ==
                       GP_OK);
                /* Nothing is left to report, except to identities that are gone. */
                assert(world_node_of(&world_scratch.u.attempt_state.home) == WORLD_NODES);
            }
        }
        assert(gp_work_running(w->nodes[i].core) == 0);
        for (uint32_t j = 0; j < PROGRAMS_MAX; j++) {
            assert(!w->nodes[i].programs[j].used);
        }
    }
}

void world_run(uint64_t seed, const world_faults_t *faults, uint32_t jobs, uint32_t fault_ms,
               world_result_t *ret_result)
{
    static world_t world;

    assert(jobs <= WORLD_JOBS);
    w = &world;
    memset(w, 0, sizeof *w);
    memset(ret_result, 0, sizeof *ret_result);
    w->result = ret_result;
    w->faults = *faults;
    w->disk_failed = faults->store_fails > 0;
    w->out = (gp_out_t){.actions = w->actions,
                        .capacity = GP_ACTIONS_MAX,
                        .arena = w->arena,
                        .size = sizeof w->arena,
                        .room = GP_ROOM_WORK};
    gp_random_init(&w->random, seed);
    w->now = 5 * GP_SECOND;
    for (uint32_t i = 0; i < WORLD_NODES; i++) {
        w->nodes[i].id.b[0] = (uint8_t)(i + 1);
        boot(i);
    }
    world_push((pending_t){.type = PENDING_TICK, .key.at = w->now});
    for (uint32_t i = 0; i < jobs; i++) {
        w->job_count = i + 1;
        submit(i);
        run_until(w->now + world_below(2 * (uint64_t)fault_ms * GP_MSEC / (jobs + 1)));
    }
    run_until(w->now + fault_ms * GP_MSEC / 4);
    heal();
    run_until(w->now + 240 * GP_SECOND);
    for (uint32_t i = 0; i < WORLD_NODES; i++) {
        crash(i, true); /* what was acknowledged is on the disks */
    }
    run_until(w->now + 120 * GP_SECOND);
    demand();
    while (w->event_count > 0) {
        free(world_pop().bytes);
    }
    for (uint32_t i = 0; i < WORLD_NODES; i++) {
        crash(i, false);
        free(w->nodes[i].core);
        while (w->event_count > 0) {
            free(world_pop().bytes);
        }
    }
}
