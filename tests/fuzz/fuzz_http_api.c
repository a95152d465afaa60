/*
 * The API: bytes of a client over a real socket, through libevent's parser, our routing and the
 * agent's own handlers, to a peer that founded its grid. The transport, the store and the launcher
 * are stand-ins. When the client has gone nothing may be left of it.
 */
#include <event2/event.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/main/agent_state.h"
#include "tests/fuzz/core_configs.h"
#include "tests/fuzz/core_driver.h"
#include "tests/fuzz/place.h"

#define LONGEST    4096
#define ROUNDS_MAX 64 /* of the loop, until a client is served and forgotten */
#define DEFERRED   16
#define STORES_MAX 64

static agent_t agent;
static gp_usec_t clock_now;
static struct {
    gp_msg_kind_t kind;
    uint64_t token;
    size_t n;
    uint8_t bytes[512];
} deferred[DEFERRED];
static uint32_t deferred_count;
static struct {
    gp_room_t room;
    uint64_t ticket;
} stores[STORES_MAX];
static uint32_t store_count;
static uint8_t own_frame[1024]; /* to this machine itself: its vote */
static size_t own_n;

/* ---- the rest of the agent, as far as the API needs it --------------------------------------- */

gp_usec_t agent_now(void)
{
    return clock_now;
}

gp_wall_ms_t agent_wall(void)
{
    return UINT64_C(1700000000000) + clock_now / 1000;
}

const void *agent_group(const agent_t *of)
{
    return gp_peer_group(gp_runner_core(of->runner));
}

const void *agent_election(const agent_t *of)
{
    return gp_peer_election(gp_runner_core(of->runner));
}

const char *agent_name_of(void *context, const gp_id_t *id)
{
    const gp_group_member_t *member = gp_group_member(agent_group(context), id);
    return member == NULL ? "?" : member->name;
}

void agent_command(agent_t *of, uint64_t token, const gp_msg_t *msg)
{
    gp_runner_command(of->runner, token, msg);
}

void agent_defer(agent_t *of, uint64_t token, const gp_msg_t *msg)
{
    (void)of;
    FUZZ_CHECK(deferred_count < DEFERRED);
    deferred[deferred_count].kind = msg->kind;
    deferred[deferred_count].token = token;
    FUZZ_CHECK(gp_msg_pack(msg, deferred[deferred_count].bytes, sizeof deferred[0].bytes,
                           &deferred[deferred_count].n) == GP_OK);
    deferred_count++;
}

void agent_stop(agent_t *of, bool forever)
{
    (void)of;
    (void)forever;
}

void agent_work_stopped(agent_t *of)
{
    (void)of;
}

void agent_invite(gp_http_call_t *call, void *context)
{
    (void)context;
    gp_http_call_error(call, GP_E_NOT_PERMITTED, "this machine may not");
}

const gp_id_t *gp_net_self(const gp_net_t *net)
{
    (void)net;
    return &agent.identity.id;
}

void gp_net_count(const gp_net_t *net, gp_net_counters_t *ret_counters)
{
    (void)net;
    *ret_counters = (gp_net_counters_t){.frames_in = 1};
}

bool gp_launcher_notice(gp_launcher_t *launcher, const gp_msg_t *notice)
{
    (void)launcher;
    return notice->kind != GP_MSG_WORK_STOPPED;
}

/* What the disk says all through one input. */
static uint8_t disk;
#define DISK_FAILS    1
#define DISK_GIVEN_UP 2

gp_error_t gp_store_failure(gp_store_t *store, gp_fail_t *ret_fail)
{
    (void)store;
    if ((disk & DISK_FAILS) == 0) {
        return GP_OK;
    }
    *ret_fail = (gp_fail_t){.code = GP_E_STATE_IO, .text = "cannot write"};
    return ret_fail->code;
}

bool gp_store_given_up(gp_store_t *store)
{
    (void)store;
    return (disk & DISK_GIVEN_UP) != 0;
}

gp_store_stats_t gp_store_stats(gp_store_t *store)
{
    (void)store;
    return (gp_store_stats_t){.commits = 1};
}

gp_log_span_t gp_store_log_span(const gp_store_t *store)
{
    (void)store;
    return (gp_log_span_t){.first = 1, .last = 2};
}

gp_error_t gp_store_log_read(gp_store_t *store, uint64_t seq, uint32_t limit, gp_log_each_fn *each,
                             void *context)
{
    (void)store;
    for (uint64_t i = 1; i <= 2; i++) {
        if (i > seq && i - seq <= limit) {
            each(context, &(gp_log_entry_t){.seq = i,
                                            .actor = gp_text("agent"),
                                            .what = gp_text("start"),
                                            .object = gp_slice("\xff", 1),
                                            .hash = gp_slice("hash", 4)});
        }
    }
    return GP_OK;
}

void gp_store_run(gp_store_t *store, gp_store_run_fn *run, gp_store_done_fn *done, void *context)
{
    done(context, run(store, context));
}

/* ---- the peer's effects ---------------------------------------------------------------------- */

static gp_usec_t effect_now(void *context)
{
    (void)context;
    return clock_now;
}

static gp_wall_ms_t effect_wall(void *context)
{
    (void)context;
    return agent_wall();
}

static void effect_store(void *context, const gp_msg_t *msg, gp_slice_t bytes, uint64_t ticket)
{
    (void)context;
    FUZZ_CHECK(bytes.n > 0 && store_count < STORES_MAX);
    stores[store_count].room = gp_msg_room(msg->kind);
    stores[store_count++].ticket = ticket;
}

static void effect_send(void *context, const gp_id_t *to, gp_msg_kind_t kind, gp_slice_t frame)
{
    (void)context;
    (void)kind;
    if (gp_id_equal(to, &agent.identity.id) && frame.n <= sizeof own_frame) {
        memcpy(own_frame, frame.p, frame.n);
        own_n = frame.n;
    }
}

static void effect_link(void *context, const gp_id_t *peer, bool hold)
{
    (void)context;
    (void)peer;
    (void)hold;
}

static void effect_dial(void *context, const gp_id_t *peer, gp_room_t room)
{
    (void)context;
    (void)peer;
    (void)room;
}

static void effect_notice(void *context, gp_room_t room, uint64_t token, const gp_msg_t *msg)
{
    agent_t *of = context;
    if (room == GP_ROOM_WORK) {
        agent_job_notice(of, token, msg);
    } else if (msg->kind == GP_MSG_ANSWER && token <= of->requests) {
        agent_answer(of, token, &msg->u.answer);
    } else if (msg->kind == GP_MSG_ROUTE_ANSWER) {
        agent_routed(of, token, &msg->u.route_answer);
    } else if (msg->kind == GP_MSG_FORM_ANSWER) {
        (void)agent_listed(of, token, &msg->u.form_answer);
    }
}

static void effect_dropped(void *context, const gp_id_t *peer, gp_error_t error)
{
    (void)context;
    (void)peer;
    FUZZ_CHECK(error == GP_OK); /* only its own frames come in here */
}

static const gp_effects_t effects = {.now = effect_now,
                                     .wall = effect_wall,
                                     .store = effect_store,
                                     .send = effect_send,
                                     .link = effect_link,
                                     .dial = effect_dial,
                                     .notice = effect_notice,
                                     .dropped = effect_dropped};

/* ---- one client ------------------------------------------------------------------------------ */

static void peer_new(void)
{
    static gp_peer_config_t config;
    config = fuzz_peer_config(1, 0);
    const gp_runner_config_t runner = {.ops = &gp_peer_ops,
                                       .core_config = &config,
                                       .seed = 1,
                                       .gate = {.self = fuzz_id(0),
                                                .groups = {FUZZ_GROUP},
                                                .boot = 1,
                                                .sealer = {.signer = &gp_signer_standin}},
                                       .effects = &effects,
                                       .context = &agent,
                                       .bench = agent.bench};
    clock_now = 100 * GP_SECOND;
    store_count = deferred_count = 0;
    own_n = 0;
    agent.requests = 0;
    FUZZ_CHECK(gp_runner_new(&runner, &agent.runner) == GP_OK);
    gp_runner_start(agent.runner);
    gp_msg_t *found = gp_runner_draft(agent.runner, GP_MSG_ELECTION_FOUND);
    gp_runner_command(agent.runner, 0, found);
}

static void set_up(void)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/api.sock", fuzz_place(NULL));
    agent.base = event_base_new();
    agent.bench = gp_bench_new();
    FUZZ_CHECK(agent.base != NULL && agent.bench != NULL);
    (void)snprintf(agent.dir.name, sizeof agent.dir.name, "n0");
    (void)snprintf(agent.identity.region, sizeof agent.identity.region, "lab");
    agent.identity.id = fuzz_id(0);
    agent.identity.group = FUZZ_GROUP;
    const gp_http_config_t config = {.base = agent.base,
                                     .socket_path = path,
                                     .routes = agent_routes,
                                     .route_count = agent_route_count,
                                     .context = &agent};
    FUZZ_CHECK(gp_http_server_new(&config, &agent.http) == GP_OK);
}

/* What waits behind the present step: records, and what handlers put off. True: there was any. */
static bool settle(void)
{
    static uint8_t frame[sizeof own_frame];
    bool any = store_count > 0 || deferred_count > 0 || own_n > 0;
    gp_slice_t own = gp_slice(frame, own_n);
    memcpy(frame, own_frame, own_n);
    own_n = 0;
    if (own.n > 0) {
        gp_runner_frame(agent.runner, &agent.identity.id, own);
    }
    for (uint32_t i = 0; i < store_count; i++) {
        gp_runner_stored(agent.runner, stores[i].room, stores[i].ticket, disk == 0);
    }
    store_count = 0;
    for (uint32_t i = 0; i < deferred_count; i++) {
        gp_msg_t *msg = gp_runner_draft(agent.runner, deferred[i].kind);
        FUZZ_CHECK(gp_msg_read(deferred[i].kind, gp_slice(deferred[i].bytes, deferred[i].n), false,
                               msg) == GP_OK);
        gp_runner_command(agent.runner, deferred[i].token, msg);
    }
    deferred_count = 0;
    return any;
}

static void serve(int fd, size_t *ret_n)
{
    static uint8_t answer[65536];
    (void)event_base_loop(agent.base, EVLOOP_NONBLOCK);
    (void)settle();
    clock_now += 100 * GP_MSEC;
    gp_runner_wake(agent.runner);
    ssize_t n = fd < 0 ? 0 : recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    *ret_n += n > 0 ? (size_t)n : 0;
}

static int client_new(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/api.sock", fuzz_place(NULL));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t answered = 0;
    if (size < 1 || size > LONGEST) {
        return 0;
    }
    if (agent.http == NULL) {
        set_up();
    }
    peer_new();
    disk = 0;
    for (int i = 0; i < 8 && settle(); i++) {
    }
    int fd = client_new();
    disk = data[0] % 4 == DISK_GIVEN_UP ? 0 : data[0] % 4;
    size_t first = 1 + (size_t)data[0] * (size - 1) / 255; /* in one piece or in two */
    FUZZ_CHECK(send(fd, data + 1, first - 1, MSG_NOSIGNAL) == (ssize_t)(first - 1));
    serve(fd, &answered);
    (void)!send(fd, data + first, size - first, MSG_NOSIGNAL); /* it may have hung up by now */
    serve(fd, &answered);
    serve(fd, &answered);
    serve(fd, &answered);
    (void)close(fd);
    for (int i = 0; i < ROUNDS_MAX && (i < 2 || agent.streams != NULL || agent.questions != NULL ||
                                       agent.waiters != NULL);
         i++) {
        serve(-1, &answered);
    }
    FUZZ_CHECK(agent.streams == NULL && agent.questions == NULL && agent.waiters == NULL);
    gp_runner_free(agent.runner);
    agent.runner = NULL;
    return 0;
}
