#include "agent/main/agent.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/main/agent_state.h"
#include "agent/node/leave.h"

struct deferred {
    deferred_t *next;
    uint64_t token;
    gp_msg_kind_t kind; /* 0: a dial that could not be made, of `peer` for `room` */
    gp_id_t peer;
    gp_room_t room;
    uint32_t n;
    uint8_t bytes[];
};

const void *agent_group(const agent_t *agent)
{
    return gp_peer_group(gp_runner_core(agent->runner));
}

const void *agent_election(const agent_t *agent)
{
    return gp_peer_election(gp_runner_core(agent->runner));
}

/* The member's name, or the beginning of its id; valid until four more were asked for. */
const char *agent_name_of(void *context, const gp_id_t *id)
{
    static char texts[4][GP_ID_SHORT_TEXT];
    static unsigned next;
    const agent_t *agent = context;
    const gp_group_member_t *member = gp_group_member(agent_group(agent), id);
    if (member != NULL && member->name[0] != '\0') {
        return member->name;
    }
    char *text = texts[next++ % 4];
    gp_id_short(id, text);
    return text;
}

/* ---- the peer and its timer ------------------------------------------------------------------ */

static void plan_wake(agent_t *agent)
{
    gp_usec_t next = gp_runner_next(agent->runner);
    if (next == agent->wake_at) {
        return;
    }
    agent->wake_at = next;
    if (next == GP_NEVER) {
        evtimer_del(agent->wake);
        return;
    }
    gp_usec_t now = agent_now();
    gp_usec_t in = next > now ? next - now : 0;
    struct timeval delay = {.tv_sec = (time_t)(in / GP_SECOND),
                            .tv_usec = (suseconds_t)(in % GP_SECOND)};
    evtimer_add(agent->wake, &delay);
}

void agent_settle(agent_t *agent)
{
    if (agent->changed) {
        agent->changed = false;
        agent_look_again(agent);
    }
    plan_wake(agent);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
    agent_t *agent = context;
    (void)fd;
    (void)what;
    agent->wake_at = 0;
    gp_runner_wake(agent->runner);
    agent_settle(agent);
}

void agent_command(agent_t *agent, uint64_t token, const gp_msg_t *msg)
{
    gp_runner_command(agent->runner, token, msg);
    agent_settle(agent);
}

static void append(agent_t *agent, deferred_t *deferred)
{
    *agent->deferred_last = deferred;
    agent->deferred_last = &deferred->next;
    event_active(agent->later, EV_TIMEOUT, 0);
}

void agent_defer(agent_t *agent, uint64_t token, const gp_msg_t *msg)
{
    static uint8_t bytes[GP_MESSAGE_MAX];
    size_t n = 0;
    gp_error_t error = gp_msg_pack(msg, bytes, sizeof bytes, &n);
    assert(error == GP_OK);
    deferred_t *deferred = malloc(sizeof *deferred + n);
    assert(deferred != NULL && "out of memory");
    *deferred = (deferred_t){.token = token, .kind = msg->kind, .n = (uint32_t)n};
    memcpy(deferred->bytes, bytes, n);
    append(agent, deferred);
}

void agent_defer_silence(agent_t *agent, const gp_id_t *peer, gp_room_t room)
{
    deferred_t *deferred = malloc(sizeof *deferred);
    assert(deferred != NULL && "out of memory");
    *deferred = (deferred_t){.peer = *peer, .room = room};
    append(agent, deferred);
}

static void do_deferred(agent_t *agent, const deferred_t *deferred)
{
    if (deferred->kind == 0) {
        gp_runner_dialed(agent->runner, &deferred->peer, deferred->room, GP_DIAL_SILENT);
        return;
    }
    gp_msg_t *msg = gp_runner_draft(agent->runner, deferred->kind);
    gp_error_t error =
        gp_msg_read(deferred->kind, gp_slice(deferred->bytes, deferred->n), false, msg);
    assert(error == GP_OK);
    gp_runner_command(agent->runner, deferred->token, msg);
}

static void on_later(evutil_socket_t fd, short what, void *context)
{
    agent_t *agent = context;
    (void)fd;
    (void)what;
    deferred_t *deferred = agent->deferred;
    agent->deferred = NULL;
    agent->deferred_last = &agent->deferred;
    while (deferred != NULL) {
        deferred_t *next = deferred->next;
        do_deferred(agent, deferred);
        free(deferred);
        deferred = next;
    }
    agent_settle(agent);
}

/* ---- what comes in --------------------------------------------------------------------------- */

static void on_frame(void *context, const gp_id_t *peer, gp_standing_t standing, gp_slice_t frame)
{
    agent_t *agent = context;
    if (standing == GP_STANDING_GUEST) {
        agent_guest_frame(agent, peer, frame);
    } else if (standing == GP_STANDING_VISITOR) {
        agent_visitor_frame(agent, peer, frame);
    } else {
        gp_runner_frame(agent->runner, peer, frame);
    }
    agent_settle(agent);
}

static void on_link(void *context, const gp_id_t *peer, bool up)
{
    agent_t *agent = context;
    gp_runner_link(agent->runner, peer, up);
    agent_settle(agent);
}

static void on_dialed(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result)
{
    agent_t *agent = context;
    gp_runner_dialed(agent->runner, peer, (gp_room_t)token, result);
    agent_settle(agent);
}

static void on_trouble(void *context, gp_error_t error, const char *text)
{
    agent_t *agent = context;
    gp_log_entry_t entry = {.at = agent_wall(),
                            .actor = gp_text("transport"),
                            .what = gp_text(gp_error_name(error)),
                            .object = gp_text(agent->dir.name),
                            .detail = gp_text(text)};
    gp_store_log(agent->store, &entry);
}

static void on_stored(void *context, gp_room_t room, uint64_t token, bool ok)
{
    agent_t *agent = context;
    gp_runner_stored(agent->runner, room, token, ok);
    agent_settle(agent);
}

static uint8_t own_flags(const agent_t *agent)
{
    return agent->config.agent_relayed ? GP_FLAG_RELAYED : 0;
}

static void collect(agent_t *agent)
{
    gp_msg_t *msg = gp_runner_draft(agent->runner, GP_MSG_OWN_RECORD);
    uint32_t again_ms = gp_host_collect(agent->host, msg);
    agent_command(agent, 0, msg);
    msg = gp_runner_draft(agent->runner, GP_MSG_GROUP_SELF);
    msg->u.group_self.health = 1000;
    msg->u.group_self.headroom = gp_host_headroom(agent->host);
    msg->u.group_self.flags = own_flags(agent);
    agent_command(agent, 0, msg);
    if (gp_store_failure(agent->store, NULL) != GP_OK) { /* also of what no core wrote */
        msg = gp_runner_draft(agent->runner, GP_MSG_GROUP_DISK);
        msg->u.group_disk.failing = true;
        agent_command(agent, 0, msg);
    }
    if (again_ms > agent->config.collect_period || again_ms == GP_HOST_PERIOD_MS) {
        again_ms = agent->config.collect_period;
    }
    struct timeval period = {.tv_sec = (time_t)(again_ms / 1000),
                             .tv_usec = (suseconds_t)(again_ms % 1000 * 1000)};
    evtimer_add(agent->collect, &period);
}

static void on_collect(evutil_socket_t fd, short what, void *context)
{
    agent_t *agent = context;
    (void)fd;
    (void)what;
    collect(agent);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void on_limit(evutil_socket_t fd, short what, void *context)
{
    agent_t *agent = context;
    (void)fd;
    (void)what;
    event_base_loopexit(agent->base, NULL);
}

static void finish_if_done(agent_t *agent)
{
    if (agent->idle && agent->left) {
        /* Whoever asked for this gets an answer before the loop ends. */
        struct timeval soon = {.tv_usec = AGENT_ANSWER_MS * 1000};
        event_base_loopexit(agent->base, &soon);
    }
}

void agent_work_stopped(agent_t *agent)
{
    agent->idle = true;
    finish_if_done(agent);
}

void agent_left(agent_t *agent)
{
    agent->left = agent->stopping; /* else it only moves */
    finish_if_done(agent);
}

static void relinquish(agent_t *agent)
{
    gp_msg_t *msg = gp_runner_draft(agent->runner, GP_MSG_ELECTION_RELINQUISH);
    msg->u.election_relinquish.forever = agent->leaves;
    agent_command(agent, 0, msg);
}

void agent_end_work(agent_t *agent)
{
    const gp_msg_t msg = {.kind = GP_MSG_WORK_STOP,
                          .u.work_stop = {.wait_ms = AGENT_STOP_MS / 2}};
    struct timeval limit = {.tv_sec = AGENT_STOP_MS / 1000};
    evtimer_add(agent->limit, &limit);
    agent_defer(agent, 0, &msg);
}

void agent_stop(agent_t *agent)
{
    agent->told_to_stop = true;
    if (!agent->stopping) {
        agent->stopping = true;
        agent_end_work(agent);
        relinquish(agent);
    }
}

/* Programs go on until it is known that it may go: see agent_relinquished. */
void agent_go(agent_t *agent)
{
    assert(!agent->stopping);
    agent->stopping = true;
    agent->leaves = true;
    relinquish(agent);
}

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)number;
    (void)what;
    agent_stop(context);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static gp_error_t open_state(agent_t *agent, const gp_agent_options_t *options, gp_fail_t *fail)
{
    gp_error_t error = gp_state_open(options->root, options->name, &agent->dir, fail);
    if (error != GP_OK) {
        return error;
    }
    error = gp_config_read(gp_state_folder(&agent->dir), &agent->config, fail);
    if (error == GP_OK) {
        error = gp_harden(agent->config.agent_debug, fail); /* before a secret is read */
    }
    if (error == GP_OK && options->listen != NULL) {
        error = gp_config_set(&agent->config, "agent", "listen", options->listen, fail);
    }
    if (error == GP_OK) {
        error = gp_identity_open(&agent->dir, agent_wall(), false, &agent->identity, fail);
    }
    if (error == GP_OK) {
        error = gp_store_open(agent->dir.path, NULL, &agent->store, fail);
    }
    if (error == GP_OK) {
        error = gp_store_boot(agent->store, &agent->boot, fail);
    }
    if (error == GP_OK) {
        error = agent_find_place(agent, fail);
    }
    return error;
}

static gp_error_t open_events(agent_t *agent, gp_fail_t *fail)
{
    struct event_config *config = event_config_new();
    if (config != NULL) {
        /* One cached clock reading a round is exact enough, and a syscall less for each timer. */
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        agent->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (agent->base == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "no event loop");
    }
    agent->wake = evtimer_new(agent->base, on_wake, agent);
    agent->later = evtimer_new(agent->base, on_later, agent);
    agent->limit = evtimer_new(agent->base, on_limit, agent);
    agent->admit = evtimer_new(agent->base, agent_on_admit, agent);
    agent->collect = evtimer_new(agent->base, on_collect, agent);
    agent->signals[0] = evsignal_new(agent->base, SIGTERM, on_signal, agent);
    agent->signals[1] = evsignal_new(agent->base, SIGINT, on_signal, agent);
    if (agent->wake == NULL || agent->later == NULL || agent->limit == NULL ||
        agent->admit == NULL || agent->collect == NULL || agent->signals[0] == NULL ||
        agent->signals[1] == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "no timers");
    }
    evsignal_add(agent->signals[0], NULL);
    evsignal_add(agent->signals[1], NULL);
    agent->deferred_last = &agent->deferred;
    return GP_OK;
}

static gp_error_t open_net(agent_t *agent, gp_fail_t *fail)
{
    gp_net_config_t config = {
        .base = agent->base,
        .secret = agent->identity.node,
        .listen = agent->config.agent_listen,
        .events = {.context = agent,
                   .on_frame = on_frame,
                   .on_visit = agent_on_visit,
                   .on_greet = agent_on_greet,
                   .on_link = on_link,
                   .on_dialed = on_dialed,
                   .on_knock = agent_on_knock,
                   .on_trouble = on_trouble},
    };
    gp_visit_open(&agent->identity, &agent->strangers);
    gp_error_t error = gp_net_open(&config, &agent->net);
    if (error != GP_OK) {
        /* It is well written: the configuration was read. */
        return gp_fail(fail, error == GP_E_ADDRESS ? GP_E_ADDRESS_FOREIGN : error,
                       "cannot listen on %s", agent->config.agent_listen);
    }
    return agent_find_address(agent, fail);
}

/* It aims at half of what fills a sub-Grid, and is small with an eighth. */
static void describe_forming(const agent_t *agent, gp_forming_config_t *config)
{
    const uint32_t members_max = agent->config.forming_members_max;
    *config = gp_forming_defaults();
    config->members_max = members_max;
    config->members_aim = members_max / 2;
    config->members_min = (members_max + 7) / 8;
}

static void describe_peer(agent_t *agent, gp_peer_config_t *config)
{
    memset(config, 0, sizeof *config);
    gp_group_defaults(&config->group);
    config->election = gp_election_defaults();
    gp_work_config_default(&config->work);
    config->tiers = gp_tiers_defaults();
    describe_forming(agent, &config->forming);
    config->tiers.groups[GP_SEAT_REGION] = agent->identity.region_group;
    config->tiers.groups[GP_SEAT_GRID] = agent->identity.grid_group;
    config->group.group = agent->identity.group;
    config->group.boot = agent->boot;
    config->group.name = gp_text(agent->dir.name);
    config->group.address = gp_text(agent->address);
    config->group.cert = gp_identity_cert(&agent->identity);
    config->group.flags = own_flags(agent);
    config->group.members_max = GP_MEMBERS_MAX;
    config->group.cert_max = GP_CERT_MAX;
    config->election.group = agent->identity.group;
    config->discovery.group = agent->identity.group;
    config->discovery.incarnation = agent->boot;
    config->discovery.members_max = GP_MEMBERS_MAX;
    config->discovery.name = gp_text(agent->dir.name);
    config->discovery.region = gp_text(agent->identity.region);
    config->discovery.address = gp_text(agent->address);
    config->election.lease_ms = agent->config.election_lease;
    config->group.beat_period = agent->config.group_beat * GP_MSEC;
    config->work.epoch = agent->boot;
    config->work.running_max = (uint16_t)agent->config.run_jobs_max;
    config->work.lease_us = agent->config.run_lease * GP_MSEC;
    config->work.lend = agent->config.lend_enabled;
}

static gp_error_t open_peer(agent_t *agent, gp_fail_t *fail)
{
    gp_peer_config_t peer;
    describe_peer(agent, &peer);
    uint64_t seed;
    randombytes_buf(&seed, sizeof seed);
    agent->bench = gp_bench_new();
    gp_runner_config_t config = {
        .ops = &gp_peer_ops,
        .core_config = &peer,
        .seed = seed,
        .gate = {.grid = agent->identity.grid,
                 .self = agent->identity.id,
                 .groups = {agent->identity.group, agent->identity.region_group,
                            agent->identity.grid_group},
                 .boot = agent->boot,
                 .sealer = {&gp_signer_ed25519, agent->identity.node},
                 .certified = agent_certified,
                 .foreign = agent_foreign,
                 .vouched = agent_vouched,
                 .context = agent},
        .effects = &agent_effects,
        .context = agent,
        .bench = agent->bench,
        .tap = agent->recorder != NULL ? &gp_recorder_tap : NULL,
        .tap_context = agent->recorder,
    };
    gp_error_t error = agent->bench == NULL ? GP_E_MEMORY : gp_runner_new(&config, &agent->runner);
    return error == GP_OK ? GP_OK : gp_fail(fail, error, "the cores cannot start");
}

static void load_record(void *context, uint64_t key, const gp_msg_t *msg)
{
    agent_t *agent = context;
    (void)key;
    gp_runner_load(agent->runner, msg);
}

/* What was known before; the first frame to each lets it in at once. */
static void admit_known(agent_t *agent)
{
    const void *group = agent_group(agent);
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        agent_admit_soon(agent, &member->id);
    }
}

static gp_error_t load_records(agent_t *agent, gp_fail_t *fail)
{
    gp_error_t error = GP_OK;
    for (int room = GP_ROOM_GROUP; error == GP_OK && room < GP_ROOM_COUNT; room++) {
        error = gp_store_load(agent->store, (gp_room_t)room, load_record, agent, fail);
    }
    if (error == GP_OK) {
        error = agent_join_open(agent, fail);
    }
    gp_store_log_keep(agent->store, agent->config.activity_entries);
    if (error == GP_OK) {
        error = gp_store_start(agent->store, agent->base, on_stored, agent, fail);
    }
    agent->storing = error == GP_OK;
    return error;
}

/* A beacon that cannot start is no reason not to: joining by the token's address works without. */
static void start_beacon(agent_t *agent)
{
    gp_fail_t fail = {0};
    const char *port = strrchr(agent->address, ':');
    if (!agent->config.beacon_enabled || port == NULL) {
        return;
    }
    gp_error_t error = gp_beacon_say(&agent->identity.grid, agent->identity.region,
                                     (uint16_t)strtoul(port + 1, NULL, 10),
                                     (uint16_t)agent->config.beacon_port, &agent->beacon, &fail);
    if (error != GP_OK) {
        on_trouble(agent, error, fail.text);
    }
}

static void start_peer(agent_t *agent)
{
    agent_recorder_tell(agent);
    start_beacon(agent);
    admit_known(agent);
    agent_guests_admit(agent);
    gp_runner_start(agent->runner);
    bool first = agent->identity.root != NULL && !agent->moved_before;
    if (first || agent->founds > 0) { /* at each start: what its disk knows stays as it is */
        gp_msg_t *msg = gp_runner_draft(agent->runner, GP_MSG_ELECTION_FOUND);
        msg->u.election_found.score = 500;
        msg->u.election_found.found = first ? GP_FOUNDS_GRID : agent->founds;
        gp_runner_command(agent->runner, 0, msg);
    }
    collect(agent);
    agent_settle(agent);
}

static gp_error_t open_http(agent_t *agent, gp_fail_t *fail)
{
    char path[GP_STATE_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/api.sock", agent->dir.path);
    gp_http_config_t config = {.base = agent->base,
                               .socket_path = path,
                               .routes = agent_routes,
                               .route_count = agent_route_count,
                               .guard = agent_guard,
                               .context = agent};
    gp_error_t error = gp_http_server_new(&config, &agent->http);
    return error == GP_OK ? GP_OK : gp_fail(fail, error, "cannot serve the API on %s", path);
}

static gp_error_t open_hands(agent_t *agent, gp_fail_t *fail)
{
    char work[GP_STATE_PATH_MAX + 8];
    snprintf(work, sizeof work, "%s/work", agent->dir.path);
    gp_launcher_config_t launcher;
    gp_launcher_config_default(&launcher);
    launcher.dir = work;
    launcher.node = agent->dir.name;
    launcher.callback = agent_launched;
    launcher.context = agent;
    gp_error_t error = gp_launcher_new(agent->base, &launcher, &agent->launcher, fail);
    if (error != GP_OK) {
        return error;
    }
    gp_host_config_t host = {.root = "",
                             .work_dir = agent->dir.path,
                             .agent_version = GP_VERSION,
                             .withheld = !agent->config.lend_enabled ||
                                         (agent->identity.cert.roles & GP_ROLE_LEND) == 0};
    error = gp_host_new(&host, &agent->host);
    return error == GP_OK ? GP_OK : gp_fail(fail, error, "cannot look at this machine");
}

static gp_error_t open_all(agent_t *agent, const gp_agent_options_t *options, gp_fail_t *fail)
{
    gp_error_t error = open_state(agent, options, fail);
    if (error == GP_OK) {
        error = open_events(agent, fail);
    }
    if (error == GP_OK) {
        error = open_net(agent, fail);
    }
    if (error == GP_OK) {
        error = agent_recorder_open(agent, fail);
    }
    if (error == GP_OK) {
        error = open_peer(agent, fail);
    }
    if (error == GP_OK) {
        error = open_hands(agent, fail);
    }
    if (error == GP_OK) {
        error = load_records(agent, fail);
    }
    if (error == GP_OK) {
        error = open_http(agent, fail);
    }
    return error;
}

static void free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

static void close_all(agent_t *agent)
{
    gp_http_server_free(agent->http);
    gp_beacon_end(&agent->beacon);
    gp_launcher_free(agent->launcher);
    if (agent->storing) {
        gp_store_stop(agent->store); /* its last news may still go out */
        agent->storing = false;
    }
    gp_net_close(agent->net, AGENT_FLUSH_MS);
    gp_store_close(agent->store);
    agent_place_close(agent);
    gp_host_free(agent->host);
    gp_runner_free(agent->runner);
    gp_recorder_free(agent->recorder);
    gp_bench_free(agent->bench);
    while (agent->deferred != NULL) {
        deferred_t *deferred = agent->deferred;
        agent->deferred = deferred->next;
        free(deferred);
    }
    struct event *events[] = {agent->wake,    agent->admit,      agent->later,     agent->limit,
                              agent->collect, agent->signals[0], agent->signals[1]};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        free_event(events[i]);
    }
    if (agent->base != NULL) {
        event_base_free(agent->base);
    }
    gp_identity_close(&agent->identity);
}

static void tell_ready(int fd)
{
    if (fd >= 0) {
        ssize_t n = write(fd, "r", 1);
        (void)n; /* whoever started us may have gone: that is no reason to stop */
        close(fd);
    }
}

/* It could not come up: "CODE DETAIL", so that this can be told in the foreground. */
static void tell_failed(int fd, gp_error_t error, const gp_fail_t *fail)
{
    if (fd >= 0) {
        (void)dprintf(fd, "%d %s", (int)error, fail->text);
        close(fd);
    }
}

/* *ret_moved: it is to begin anew, where its state directory says that it is now. */
static gp_error_t run_once(const gp_agent_options_t *options, bool *ret_moved, gp_fail_t *fail)
{
    agent_t *agent = calloc(1, sizeof *agent);
    *ret_moved = false;
    if (agent == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "no agent");
    }
    agent->started = agent_now();
    gp_error_t error = open_all(agent, options, fail);
    if (error == GP_OK) {
        start_peer(agent);
        tell_ready(options->ready_fd);
        event_base_dispatch(agent->base);
    } else {
        tell_failed(options->ready_fd, error, fail);
    }
    bool leaves = error == GP_OK && agent->leaves;
    *ret_moved = error == GP_OK && agent->moved && !agent->stopping;
    close_all(agent);
    if (error != GP_OK) {
        agent_recorder_untold(agent);
    }
    if (leaves) {
        bool was_root;
        error = gp_leave(&agent->dir, &was_root, fail);
    } else {
        gp_state_close(&agent->dir);
    }
    free(agent);
    return error;
}

gp_error_t gp_agent_run(const gp_agent_options_t *options, gp_fail_t *fail)
{
    gp_agent_options_t again = *options;
    bool moved = true;
    gp_error_t error = GP_OK;
    while (moved) {
        error = run_once(&again, &moved, fail);
        again.ready_fd = -1;
    }
    return error;
}
