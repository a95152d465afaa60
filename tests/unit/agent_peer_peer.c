/* The peer: what its cores tell each other, in one step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/peer/peer.h"
#include "discovery/state.h"
#include "proto/cert.h"

#define GROUP 5

typedef struct rig {
    void *peer;
    gp_peer_config_t config;
    gp_usec_t now;
    gp_out_t out;
    size_t bytes_most; /* that any step took */
    uint32_t actions_most;
    gp_action_t actions[GP_ACTIONS_MAX];
    _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
    gp_msg_t msg; /* the next event's, to be filled in */
    gp_secret_t *root;
    gp_secret_t *secrets[3]; /* of this machine and of two others */
    gp_id_t ids[3];
    uint8_t certs[3][GP_CERT_MAX];
    gp_slice_t cert[3];
} rig_t;

static void certify(rig_t *rig, int machine, uint16_t roles)
{
    gp_id_t root = gp_secret_id(rig->root);
    gp_cert_t cert = {.grid = gp_grid_id_of(&root),
                      .node = rig->ids[machine],
                      .roles = roles,
                      .not_before_ms = 1000,
                      .not_after_ms = 2000,
                      .serial = 1,
                      .region = "lab"};
    size_t n = 0;

    snprintf(cert.name, sizeof cert.name, "n%d", machine);
    assert_int_equal(gp_cert_issue(&cert, rig->root, (gp_slice_t){0}, rig->certs[machine], &n),
                     GP_OK);
    rig->cert[machine] = gp_slice(rig->certs[machine], n);
}

static int setup(void **state)
{
    rig_t *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    assert_int_equal(gp_keys_init(), GP_OK);
    assert_int_equal(gp_secret_new(&rig->root), GP_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gp_secret_new(&rig->secrets[i]), GP_OK);
        rig->ids[i] = gp_secret_id(rig->secrets[i]);
        certify(rig, i, GP_ROLE_ALL);
    }
    rig->now = 100 * GP_SECOND;
    rig->out = (gp_out_t){.actions = rig->actions,
                          .capacity = GP_ACTIONS_MAX,
                          .arena = rig->arena,
                          .size = sizeof rig->arena};
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_t *rig = *state;

    for (int i = 0; i < 3; i++) {
        gp_secret_free(rig->secrets[i]);
    }
    gp_secret_free(rig->root);
    free(rig->peer);
    free(rig);
    return 0;
}

static void step(rig_t *rig, gp_event_t event)
{
    event.now = rig->now;
    gp_out_reset(&rig->out);
    gp_peer_ops.step(rig->peer, &event, &rig->out);
    gp_peer_ops.check(rig->peer);
    rig->bytes_most = rig->out.used > rig->bytes_most ? rig->out.used : rig->bytes_most;
    rig->actions_most = rig->out.count > rig->actions_most ? rig->out.count : rig->actions_most;
}

static gp_msg_t *draft(rig_t *rig, gp_msg_kind_t kind)
{
    memset(&rig->msg, 0, gp_msg_size(kind));
    rig->msg.kind = kind;
    return &rig->msg;
}

static void command(rig_t *rig, uint64_t token)
{
    step(rig, (gp_event_t){.type = GP_EVENT_COMMAND,
                           .room = gp_msg_room(rig->msg.kind),
                           .token = token,
                           .ok = true,
                           .msg = &rig->msg});
}

static void receive(rig_t *rig, const gp_id_t *from)
{
    step(rig, (gp_event_t){.type = GP_EVENT_MSG, .peer = *from, .msg = &rig->msg});
}

/* A peer as before a start of the agent. */
static void renew(rig_t *rig, gp_slice_t cert)
{
    gp_peer_config_t *config = &rig->config;
    size_t n;

    memset(config, 0, sizeof *config);
    gp_group_defaults(&config->group);
    config->election = gp_election_defaults();
    gp_work_config_default(&config->work);
    config->tiers = gp_tiers_defaults();
    config->forming = gp_forming_defaults();
    config->group.group = config->election.group = config->discovery.group = GROUP;
    config->group.boot = config->discovery.incarnation = config->work.epoch = 1;
    config->group.cert = cert;
    config->discovery.members_max = GP_MEMBERS_MAX;
    config->group.name = config->discovery.name = gp_text("n0");
    config->discovery.region = gp_text("lab");
    config->group.address = config->discovery.address = gp_text("tcp://127.0.0.1:1000");
    n = gp_peer_ops.size(config);
    assert_true(n > 0);
    free(rig->peer);
    rig->peer = malloc(n);
    assert_non_null(rig->peer);
    memset(rig->peer, 0x5a, n);
    gp_peer_ops.init(rig->peer, config, rig->ids[0], 1);
}

/* ... and started: the other two are on its disk as members. */
static void start(rig_t *rig, gp_slice_t cert)
{
    gp_msg_group_state_t *record;

    renew(rig, cert);
    record = &draft(rig, GP_MSG_GROUP_STATE)->u.group_state;
    record->group = GROUP;
    record->entries_count = 2;
    for (int i = 1; i <= 2; i++) {
        record->entries[i - 1] = (gp_record_member_t){.id = rig->ids[i],
                                                      .incarnation = 1,
                                                      .state = GP_MEMBER_ALIVE,
                                                      .cause = GP_CAUSE_JOINED,
                                                      .name = gp_text(i == 1 ? "n1" : "n2"),
                                                      .address = gp_text("tcp://127.0.0.1:1001"),
                                                      .cert = rig->cert[i]};
    }
    step(rig, (gp_event_t){.type = GP_EVENT_LOAD, .room = GP_ROOM_GROUP, .msg = &rig->msg});
    step(rig, (gp_event_t){.type = GP_EVENT_START});
}

/* What the machine answers to a claim of this one; GP_OK: taken. */
static gp_error_t claim(rig_t *rig, const gp_id_t *home)
{
    gp_msg_claim_t *msg = &draft(rig, GP_MSG_CLAIM)->u.claim;

    msg->job = 7;
    msg->incarnation = 1;
    msg->lease_ms = 10000;
    msg->args_count = 1;
    msg->args[0].text = gp_text("true");
    receive(rig, home);
    for (uint32_t i = 0; i < rig->out.count; i++) {
        if (rig->actions[i].msg != NULL && rig->actions[i].msg->kind == GP_MSG_CLAIMED) {
            return (gp_error_t)rig->actions[i].msg->u.claimed.error;
        }
    }
    fail_msg("it says nothing");
    return GP_E_SYSTEM;
}

static uint32_t count(const rig_t *rig, gp_msg_kind_t kind)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < rig->out.count; i++) {
        n += rig->actions[i].msg != NULL && rig->actions[i].msg->kind == kind ? 1 : 0;
    }
    return n;
}

/* Steps at this very time until nothing more is due; returns how many messages of a kind came. */
static uint32_t settle(rig_t *rig, gp_msg_kind_t kind)
{
    uint32_t n = 0;

    for (int i = 0; i < 1000 && gp_peer_ops.wake(rig->peer) <= rig->now; i++) {
        step(rig, (gp_event_t){.type = GP_EVENT_WAKE});
        n += count(rig, kind);
    }
    assert_true(gp_peer_ops.wake(rig->peer) > rig->now);
    return n;
}

/* ---- roles ----------------------------------------------------------------------------------- */

static void a_machine_has_the_roles_of_its_certificate(void **state)
{
    rig_t *rig = *state;

    certify(rig, 0, GP_ROLE_MEMBER | GP_ROLE_SUBMIT);
    start(rig, rig->cert[0]);
    assert_int_equal(gp_work_roles(gp_peer_work(rig->peer)), GP_ROLE_MEMBER | GP_ROLE_SUBMIT);
    assert_int_equal(claim(rig, &rig->ids[1]), GP_E_RUN_LEND);
    certify(rig, 0, GP_ROLE_MEMBER | GP_ROLE_LEND);
    draft(rig, GP_MSG_GROUP_CERT)->u.group_cert.cert = rig->cert[0]; /* a fresh one */
    command(rig, 0);
    assert_int_equal(gp_work_roles(gp_peer_work(rig->peer)), GP_ROLE_MEMBER | GP_ROLE_LEND);
    assert_int_equal(claim(rig, &rig->ids[1]), GP_OK);
}

static void a_home_has_the_roles_of_its_certificate(void **state)
{
    rig_t *rig = *state;
    const gp_id_t stranger = {.b = {9}};

    certify(rig, 1, GP_ROLE_ALL & ~GP_ROLE_SUBMIT);
    start(rig, rig->cert[0]);
    assert_int_equal(claim(rig, &rig->ids[1]), GP_E_RUN_SUBMIT);
    assert_int_equal(claim(rig, &rig->ids[2]), GP_OK);
    assert_int_equal(claim(rig, &stranger), GP_E_RUN_SUBMIT);
}

static void somebody_elses_certificate_gives_no_roles(void **state)
{
    rig_t *rig = *state;

    rig->cert[1] = rig->cert[2];
    start(rig, rig->cert[0]);
    assert_int_equal(claim(rig, &rig->ids[1]), GP_E_RUN_SUBMIT);
    rig->cert[1] = gp_text("no certificate");
    start(rig, rig->cert[0]);
    assert_int_equal(claim(rig, &rig->ids[1]), GP_E_RUN_SUBMIT);
    rig->cert[1] = (gp_slice_t){0};
    start(rig, rig->cert[0]);
    assert_int_equal(claim(rig, &rig->ids[1]), GP_E_RUN_SUBMIT);
}

static void without_certificates_all_may_everything(void **state)
{
    rig_t *rig = *state;
    const gp_id_t stranger = {.b = {9}};

    rig->cert[1] = (gp_slice_t){0};
    start(rig, (gp_slice_t){0});
    assert_int_equal(gp_work_roles(gp_peer_work(rig->peer)), GP_ROLE_ALL);
    assert_int_equal(claim(rig, &rig->ids[1]), GP_OK);
    assert_int_equal(claim(rig, &stranger), GP_OK);
}

/* ---- between the cores ----------------------------------------------------------------------- */

static void a_machine_that_does_not_match_says_why(void **state)
{
    rig_t *rig = *state;
    gp_msg_claim_t *msg;

    start(rig, (gp_slice_t){0});
    msg = &draft(rig, GP_MSG_CLAIM)->u.claim;
    msg->job = 7;
    msg->incarnation = 1;
    msg->lease_ms = 10000;
    msg->where = gp_text("name == n0 and cpu >= 64");
    msg->args_count = 1;
    msg->args[0].text = gp_text("true");
    receive(rig, &rig->ids[1]);
    for (uint32_t i = 0; i < rig->out.count; i++) {
        if (rig->actions[i].msg != NULL && rig->actions[i].msg->kind == GP_MSG_CLAIMED) {
            const gp_msg_claimed_t *claimed = &rig->actions[i].msg->u.claimed;

            assert_int_equal(claimed->error, GP_E_NO_MATCH);
            assert_true(
                gp_slice_equal(claimed->text, gp_text("\"cpu >= 64\" does not hold; here cpu is "
                                                      "not known")));
            return;
        }
    }
    fail_msg("it says nothing");
}

/* The question that discovery is asked for a job which is to run on `on`, where `where` holds. */
static void asked(rig_t *rig, const gp_id_t *on, const char *where, const char *expected)
{
    const gp_discovery_t *d;
    gp_msg_work_run_t *run;
    uint64_t stored = 0;

    start(rig, (gp_slice_t){0});
    run = &draft(rig, GP_MSG_WORK_RUN)->u.work_run;
    run->on = *on;
    run->where = gp_text(where);
    run->args_count = 1;
    run->args[0].text = gp_text("true");
    command(rig, 5);
    for (uint32_t i = 0; i < rig->out.count; i++) {
        stored = rig->actions[i].type == GP_ACTION_STORE ? rig->actions[i].token : stored;
    }
    step(rig,
         (gp_event_t){.type = GP_EVENT_STORED, .room = GP_ROOM_WORK, .token = stored, .ok = true});
    d = gp_peer_discovery(rig->peer);
    assert_int_equal(d->open, 1);
    assert_true(
        gp_slice_equal(gp_slice(d->finds[0].query, d->finds[0].query_n), gp_text(expected)));
}

static void a_job_for_one_machine_asks_for_that_one(void **state)
{
    rig_t *rig = *state;
    const gp_id_t anybody = {{0}};
    const gp_id_t stranger = {.b = {9}};

    asked(rig, &anybody, "cpu >= 1", "cpu >= 1");
    asked(rig, &rig->ids[2], "", "name == \"n2\"");
    asked(rig, &rig->ids[2], "cpu >= 1 or gpu", "name == \"n2\" and (cpu >= 1 or gpu)");
    asked(rig, &stranger, "cpu >= 1", "name == \"-\" and (cpu >= 1)"); /* no machine's name */
}

/* Admission is the node's business: to the cores it only shows that its sender lives. */
static void a_message_of_another_room_is_only_heard(void **state)
{
    rig_t *rig = *state;

    start(rig, (gp_slice_t){0});
    (void)settle(rig, GP_MSG_MEMBER);
    (void)draft(rig, GP_MSG_CERT_RENEW);
    receive(rig, &rig->ids[1]);
    assert_int_equal(rig->out.count, 0);
}

static void a_core_that_cannot_be_configured_leaves_no_peer(void **state)
{
    rig_t *rig = *state;
    gp_peer_config_t good;

    renew(rig, (gp_slice_t){0});
    good = rig->config;
    rig->config.group.beat_period = 0;
    assert_int_equal(gp_peer_ops.size(&rig->config), 0);
    rig->config = good;
    rig->config.election.lease_ms = 0;
    assert_int_equal(gp_peer_ops.size(&rig->config), 0);
    rig->config = good;
    rig->config.discovery.members_max = 0;
    assert_int_equal(gp_peer_ops.size(&rig->config), 0);
    rig->config = good;
    rig->config.work.home_max = 0;
    assert_int_equal(gp_peer_ops.size(&rig->config), 0);
}

/* ---- room on the sheet ----------------------------------------------------------------------- */

#define MANY (GP_MEMBERS_MAX - 1) /* members beside this machine */

static void ask(rig_t *rig, uint64_t token, uint32_t timeout_ms)
{
    gp_msg_discovery_find_t *find = &draft(rig, GP_MSG_DISCOVERY_FIND)->u.discovery_find;

    find->query = gp_text("cpu >= 1");
    find->timeout_ms = timeout_ms;
    command(rig, token);
}

/* Each member that is told steps discovery again, which has answers due all the time. */
static void many_members_and_many_answers_fit_one_step(void **state)
{
    rig_t *rig = *state;
    gp_msg_group_state_t *record;

    renew(rig, (gp_slice_t){0});
    record = &draft(rig, GP_MSG_GROUP_STATE)->u.group_state;
    record->group = GROUP;
    record->entries_count = MANY;
    for (uint8_t i = 0; i < MANY; i++) {
        record->entries[i] = (gp_record_member_t){.id = {.b = {i, 1}},
                                                  .incarnation = 1,
                                                  .state = GP_MEMBER_ALIVE,
                                                  .cause = GP_CAUSE_JOINED,
                                                  .name = gp_text("n"),
                                                  .address = gp_text("tcp://127.0.0.1:1001")};
    }
    step(rig, (gp_event_t){.type = GP_EVENT_LOAD, .room = GP_ROOM_GROUP, .msg = &rig->msg});
    for (uint64_t token = 1; token <= GP_FINDS_MAX; token++) {
        ask(rig, token, 1000);
    }
    rig->now += 2 * GP_SECOND;
    step(rig, (gp_event_t){.type = GP_EVENT_START});
    assert_int_equal(count(rig, GP_MSG_MEMBER), GP_MEMBERS_MAX);
    assert_int_equal(count(rig, GP_MSG_ANSWER), 1);
    assert_int_equal(settle(rig, GP_MSG_ANSWER), GP_FINDS_MAX - 1);
}

/* Each question of a job that finds all places taken is answered in the same step. */
static void many_jobs_that_ask_in_vain_fit_one_step(void **state)
{
    rig_t *rig = *state;
    uint32_t jobs = 60;

    start(rig, (gp_slice_t){0});
    for (uint64_t token = 1; token <= GP_FINDS_MAX; token++) {
        ask(rig, token, 600000);
    }
    for (uint64_t token = 100; token < 100 + jobs; token++) {
        gp_msg_work_run_t *run = &draft(rig, GP_MSG_WORK_RUN)->u.work_run;
        uint64_t stored = 0;

        run->args_count = 1;
        run->args[0].text = gp_text("true");
        command(rig, token);
        for (uint32_t i = 0; i < rig->out.count; i++) {
            stored = rig->actions[i].type == GP_ACTION_STORE ? rig->actions[i].token : stored;
        }
        assert_true(stored != 0);
        step(rig, (gp_event_t){
                      .type = GP_EVENT_STORED, .room = GP_ROOM_WORK, .token = stored, .ok = true});
        (void)settle(rig, GP_MSG_JOB_FIND);
    }
    rig->now += GP_SECOND; /* all of them ask again */
    step(rig, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_int_equal(count(rig, GP_MSG_JOB_FIND), 1);
    assert_int_equal(settle(rig, GP_MSG_JOB_FIND), jobs - 1);
}

/* ---- output of many programs ----------------------------------------------------------------- */

static uint64_t stored_token(const rig_t *rig)
{
    for (uint32_t i = 0; i < rig->out.count; i++) {
        if (rig->actions[i].type == GP_ACTION_STORE && rig->actions[i].room == GP_ROOM_WORK) {
            return rig->actions[i].token;
        }
    }
    fail_msg("nothing is stored");
    return 0;
}

/* A program of a home that runs here and has written as much as it may, of which nothing is taken.
 */
static void run_full(rig_t *rig, const gp_id_t *home, uint64_t job)
{
    static uint8_t written[GP_OUTPUT_CHUNK_MAX];
    uint64_t ticket = 0;
    gp_msg_claim_t *claim = &draft(rig, GP_MSG_CLAIM)->u.claim;

    claim->job = job;
    claim->incarnation = 1;
    claim->lease_ms = 10000;
    claim->args_count = 1;
    claim->args[0].text = gp_text("yes");
    receive(rig, home);
    for (uint32_t i = 0; i < rig->out.count; i++) {
        if (rig->actions[i].msg != NULL && rig->actions[i].msg->kind == GP_MSG_CLAIMED) {
            ticket = rig->actions[i].msg->u.claimed.ticket;
        }
    }
    gp_msg_keep_t *keep = &draft(rig, GP_MSG_KEEP)->u.keep;
    keep->job = job;
    keep->incarnation = 1;
    keep->ticket = ticket;
    keep->lease_ms = 3600000;
    keep->until = GP_OUTPUT_WINDOW;
    receive(rig, home);
    step(rig, (gp_event_t){.type = GP_EVENT_STORED,
                           .room = GP_ROOM_WORK,
                           .token = stored_token(rig),
                           .ok = true});
    assert_int_equal(count(rig, GP_MSG_JOB_START), 1);
    gp_msg_work_started_t *started = &draft(rig, GP_MSG_WORK_STARTED)->u.work_started;
    started->home = *home;
    started->job = job;
    started->incarnation = 1;
    started->started = true;
    command(rig, 0);
    for (uint64_t offset = 0; offset < GP_OUTPUT_WINDOW; offset += sizeof written) {
        gp_msg_work_output_t *output = &draft(rig, GP_MSG_WORK_OUTPUT)->u.work_output;
        output->home = *home;
        output->job = job;
        output->incarnation = 1;
        output->stream = 1;
        output->offset = offset;
        output->bytes = gp_slice(written, sizeof written);
        command(rig, 0);
    }
}

/* All that was not taken is sent once more, in a step in which members change. */
static void much_output_and_changed_members_fit_one_step(void **state)
{
    rig_t *rig = *state;

    start(rig, (gp_slice_t){0});
    for (uint64_t job = 1; job <= 16; job++) {
        run_full(rig, &rig->ids[1], job);
    }
    rig->now += GP_MSEC;
    for (int i = 1; i <= 2; i++) { /* both are heard, so both are alive */
        gp_msg_probe_ack_t *ack = &draft(rig, GP_MSG_PROBE_ACK)->u.probe_ack;
        ack->group = GROUP;
        ack->incarnation = UINT64_C(1) << 16;
        receive(rig, &rig->ids[i]);
    }
    rig->now += 60 * GP_SECOND; /* suspended: all is late */
    step(rig, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_int_equal(count(rig, GP_MSG_MEMBER), 2);
    uint32_t sent = count(rig, GP_MSG_OUTPUT);
    assert_true(sent > 0);
    assert_int_equal(sent + settle(rig, GP_MSG_OUTPUT),
                     16 * GP_OUTPUT_WINDOW / GP_OUTPUT_CHUNK_MAX);
}

/* ---- the worst step -------------------------------------------------------------------------- */

/* All other members, with everything as long as it may be. */
static void load_members(rig_t *rig)
{
    static uint8_t cert[GP_CERT_MAX];
    static char names[MANY][GP_NAME_MAX + 1];
    static char address[GP_ADDRESS_MAX + 1];
    gp_msg_group_state_t *record = &draft(rig, GP_MSG_GROUP_STATE)->u.group_state;

    memset(cert, 0x7f, sizeof cert);
    memset(address, '1', GP_ADDRESS_MAX);
    memcpy(address, "tcp://[", 7);
    record->group = GROUP;
    record->entries_count = MANY;
    for (uint8_t i = 0; i < MANY; i++) {
        memset(names[i], 'n', GP_NAME_MAX);
        names[i][0] = (char)('a' + i / 26);
        names[i][1] = (char)('a' + i % 26);
        record->entries[i] =
            (gp_record_member_t){.id = i < 2 ? rig->ids[i + 1] : (gp_id_t){.b = {i, 1}},
                                 .incarnation = 1,
                                 .state = GP_MEMBER_ALIVE,
                                 .cause = GP_CAUSE_JOINED,
                                 .name = gp_text(names[i]),
                                 .address = gp_text(address),
                                 .cert = gp_slice(cert, sizeof cert)};
    }
    step(rig, (gp_event_t){.type = GP_EVENT_LOAD, .room = GP_ROOM_GROUP, .msg = &rig->msg});
}

/* A job of this home, with a condition of full length. */
static void submit(rig_t *rig, uint64_t token)
{
    static char where[GP_QUERY_MAX];
    gp_msg_work_run_t *run = &draft(rig, GP_MSG_WORK_RUN)->u.work_run;

    memset(where, ' ', sizeof where);
    memcpy(where, "cpu >= 1", 8);
    run->where = gp_slice(where, sizeof where);
    run->args_count = 1;
    run->args[0].text = gp_text("true");
    command(rig, token);
    step(rig, (gp_event_t){.type = GP_EVENT_STORED,
                           .room = GP_ROOM_WORK,
                           .token = stored_token(rig),
                           .ok = true});
    (void)settle(rig, GP_MSG_JOB_FIND);
}

static void all_members_are_heard(rig_t *rig)
{
    for (int i = 0; i < MANY; i++) {
        gp_id_t id = i < 2 ? rig->ids[i + 1] : (gp_id_t){.b = {(uint8_t)i, 1}};
        gp_msg_probe_ack_t *ack = &draft(rig, GP_MSG_PROBE_ACK)->u.probe_ack;

        ack->group = GROUP;
        ack->incarnation = UINT64_C(1) << 16;
        receive(rig, &id);
    }
}

/*
 * 64 members with all texts and certificates of full length, as many questions as can be open, jobs
 * that ask, and programs whose output nobody takes; then the machine is suspended, so that all is
 * late at once. What it takes is what peer_step says, and what it says of the worst is reckoned
 * here.
 */
static void the_worst_step_fits_the_sheet(void **state)
{
    rig_t *rig = *state;

    renew(rig, (gp_slice_t){0});
    load_members(rig);
    for (uint64_t token = 1; token <= GP_FINDS_MAX; token++) {
        ask(rig, token, 30000);
    }
    step(rig, (gp_event_t){.type = GP_EVENT_START});
    assert_int_equal(count(rig, GP_MSG_MEMBER), GP_MEMBERS_MAX);
    size_t members = rig->out.used;
    assert_in_range(members, MANY * (GP_CERT_MAX + GP_NAME_MAX + GP_ADDRESS_MAX), 81920);
    for (uint64_t job = 1; job <= 16; job++) {
        run_full(rig, &rig->ids[1], job);
    }
    for (uint64_t token = 100; token < 160; token++) {
        submit(rig, token);
    }
    rig->now += GP_MSEC;
    all_members_are_heard(rig);
    rig->now += 60 * GP_SECOND;
    step(rig, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_int_equal(count(rig, GP_MSG_MEMBER), MANY);
    assert_true(count(rig, GP_MSG_OUTPUT) > 0);
    (void)settle(rig, GP_MSG_OUTPUT);
    assert_in_range(rig->bytes_most, members, GP_ARENA_BYTES / 4);
    assert_in_range(rig->actions_most, GP_MEMBERS_MAX, GP_ACTIONS_MAX / 4);

    size_t answer = gp_msg_size(GP_MSG_ANSWER) + gp_msg_size(GP_MSG_WORK_ANSWER) + GP_MESSAGE_MAX;
    size_t reckoned = GP_ARENA_SOFT + GP_MESSAGE_MAX /* what can wait, and the last of it */
                      + 2 * members                  /* each member changed twice */
                      + 2 * members + GP_MESSAGE_MAX /* a new leader's view, roster, records */
                      + GP_JOBS_MAX * gp_msg_size(GP_MSG_ATTEMPT_STATE) /* all removed */
                      + 3 * answer;
    assert_true(reckoned <= GP_ARENA_BYTES);
    static_assert(GP_ACTIONS_SOFT + 2 * GP_MEMBERS_MAX + GP_JOBS_MAX + 64 <= GP_ACTIONS_MAX,
                  "the same of actions: what can wait, members, records, and what comes once");
}

/* ---- the disk ----------------------------------------------------------------------------------
 */

/* As it presents itself next, while it has no leader. */
static bool is_flagged(rig_t *rig)
{
    for (int i = 0; i < 100; i++) {
        gp_usec_t wake = gp_peer_ops.wake(rig->peer);
        rig->now = wake > rig->now ? wake : rig->now;
        step(rig, (gp_event_t){.type = GP_EVENT_WAKE});
        for (uint32_t k = 0; k < rig->out.count; k++) {
            const gp_msg_t *msg = rig->actions[k].msg;
            if (msg != NULL && msg->kind == GP_MSG_SEEK) {
                return (msg->u.seek.flags & GP_FLAG_FAILING) != 0;
            }
        }
    }
    fail_msg("it seeks nobody");
    return false;
}

static void stored(rig_t *rig, gp_room_t room, bool ok)
{
    step(rig, (gp_event_t){.type = GP_EVENT_STORED, .room = room, .ok = ok});
    (void)settle(rig, GP_MSG_MEMBER);
}

/* Whichever record failed; and it is well when for long enough none has. */
static void a_failing_disk_is_the_groups_business(void **state)
{
    rig_t *rig = *state;

    start(rig, rig->cert[0]);
    stored(rig, GP_ROOM_WORK, true);
    assert_false(is_flagged(rig));
    stored(rig, GP_ROOM_WORK, false);
    gp_usec_t failed_at = rig->now;
    assert_true(is_flagged(rig));
    assert_true(rig->now < failed_at + 4 * GP_SECOND);
    rig->now = failed_at + 4 * GP_SECOND;
    stored(rig, GP_ROOM_GROUP, true);
    stored(rig, GP_ROOM_ELECTION, false);
    rig->now += 4 * GP_SECOND;
    stored(rig, GP_ROOM_GROUP, true);
    assert_true(is_flagged(rig));
    rig->now += 2 * GP_SECOND;
    stored(rig, GP_ROOM_GROUP, true);
    assert_false(is_flagged(rig));
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_machine_has_the_roles_of_its_certificate),
        RIGGED(a_home_has_the_roles_of_its_certificate),
        RIGGED(somebody_elses_certificate_gives_no_roles),
        RIGGED(without_certificates_all_may_everything),
        RIGGED(a_machine_that_does_not_match_says_why),
        RIGGED(a_job_for_one_machine_asks_for_that_one),
        RIGGED(a_message_of_another_room_is_only_heard),
        RIGGED(a_core_that_cannot_be_configured_leaves_no_peer),
        RIGGED(many_members_and_many_answers_fit_one_step),
        RIGGED(many_jobs_that_ask_in_vain_fit_one_step),
        RIGGED(much_output_and_changed_members_fit_one_step),
        RIGGED(the_worst_step_fits_the_sheet),
        RIGGED(a_failing_disk_is_the_groups_business),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
