#include "election_lab.h"

#include <stdio.h>
#include <stdlib.h>

#include "election/mandate_check.h"
#include "proto/envelope.h"

#include "proto_cmocka.h"

#define ARENA             262144U
#define ACTIONS           512U
#define WALL_BASE_MS      1700000000000U
#define UNREACHED_AFTER   (600 * GP_MSEC)
#define UNAVAILABLE_AFTER (1200 * GP_MSEC)
#define STANDINGS_EVERY   (250 * GP_MSEC)

typedef enum lab_event_kind { EVENT_FRAME, EVENT_STORED, EVENT_EVIDENCE } lab_event_kind_t;

struct lab_event {
    lab_event_t *next;
    gp_usec_t at;
    uint64_t sequence;
    lab_event_kind_t kind;
    uint32_t node;
    uint64_t process;
    uint64_t token;                /* STORED */
    uint32_t about;                /* EVIDENCE */
    uint64_t incarnation;          /* EVIDENCE */
    gp_msg_election_state_t state; /* STORED; its value points into bytes */
    size_t n;
    uint8_t bytes[];
};

static gp_grid_id_t lab_grid(void)
{
    return (gp_grid_id_t){.b = {'l', 'a', 'b'}};
}

static int node_of(const lab_t *lab, const gp_id_t *id)
{
    for (uint32_t i = 0; i < lab->count; i++) {
        if (gp_id_equal(&lab->nodes[i].id, id)) {
            return (int)i;
        }
    }
    return -1;
}

lab_t *lab_new(uint32_t count, uint64_t seed)
{
    assert_true(count <= LAB_NODES_MAX);
    lab_t *lab = calloc(1, sizeof *lab);
    assert_non_null(lab);
    gp_random_init(&lab->random, seed);
    lab->now = 10 * GP_SECOND;
    lab->config = gp_election_defaults();
    lab->config.group = LAB_GROUP;
    lab->count = count;
    lab->delay_min = 200;
    lab->delay_max = 2000;
    lab->disk_min = 1000;
    lab->disk_max = 5000;
    lab->evidence_permille = 1000;
    for (uint32_t i = 0; i < count; i++) {
        lab_node_t *node = &lab->nodes[i];
        node->id = lab_id(i + 1);
        node->score = (uint16_t)(900 - 10 * i);
        node->incarnation = 1;
        for (uint32_t j = 0; j < LAB_NODES_MAX; j++) {
            node->unreached_since[j] = GP_NEVER;
        }
    }
    return lab;
}

void lab_free(lab_t *lab)
{
    while (lab->events != NULL) {
        lab_event_t *next = lab->events->next;
        free(lab->events);
        lab->events = next;
    }
    for (uint32_t i = 0; i < lab->count; i++) {
        free(lab->nodes[i].core);
    }
    free(lab);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static gp_usec_t to_local(const lab_node_t *node, gp_usec_t at)
{
    return node->offset + (gp_usec_t)((int64_t)at * (1000000 + node->rate_ppm) / 1000000);
}

/* The first true time at which the local clock shows at least `local`. */
static gp_usec_t to_true(const lab_node_t *node, gp_usec_t local)
{
    if (local == GP_NEVER) {
        return GP_NEVER;
    }
    if (local <= node->offset) {
        return 0;
    }
    uint64_t rate = (uint64_t)(1000000 + node->rate_ppm);
    gp_usec_t at = (local - node->offset) * 1000000 / rate;
    while (to_local(node, at) < local) {
        at++;
    }
    return at;
}

/* ---- the queue ------------------------------------------------------------------------------- */

static lab_event_t *event_new(lab_t *lab, lab_event_kind_t kind, uint32_t node, gp_usec_t at,
                              size_t n)
{
    lab_event_t *event = calloc(1, sizeof *event + n);
    assert_non_null(event);
    event->kind = kind;
    event->node = node;
    event->process = lab->nodes[node].process;
    event->at = at;
    event->sequence = lab->sequence++;
    event->n = n;
    return event;
}

static void event_add(lab_t *lab, lab_event_t *event)
{
    lab_event_t **at = &lab->events;
    while (*at != NULL && ((*at)->at < event->at ||
                           ((*at)->at == event->at && (*at)->sequence < event->sequence))) {
        at = &(*at)->next;
    }
    event->next = *at;
    *at = event;
}

static gp_usec_t between(lab_t *lab, gp_usec_t low, gp_usec_t high)
{
    return low + gp_random_below(&lab->random, high - low + 1);
}

static bool chance(lab_t *lab, uint32_t permille)
{
    return gp_random_below(&lab->random, 1000) < permille;
}

/* ---- what must never be broken --------------------------------------------------------------- */

static void check_leader_of(lab_t *lab, uint64_t term, const gp_id_t *leader)
{
    assert_in_range(term, 1, LAB_TERMS_MAX - 1);
    if (gp_id_is_none(&lab->leaders[term])) {
        lab->leaders[term] = *leader;
    }
    assert_true(gp_id_equal(&lab->leaders[term], leader)); /* one mandate per term */
}

/* Is what this message says on the sender's disk already, and said only once? */
static void check_sent(lab_t *lab, uint32_t from, const gp_msg_t *msg)
{
    lab_node_t *node = &lab->nodes[from];
    const gp_msg_election_state_t *disk = &node->disk;
    if (msg->kind == GP_MSG_VOTE && msg->u.vote.granted) {
        uint64_t term = msg->u.vote.term;
        assert_true(node->stored && disk->term >= term);
        assert_true(disk->term > term || gp_id_equal(&disk->voted_for, &msg->u.vote.candidate));
        gp_id_t *voted = &lab->votes[term][from];
        assert_true(gp_id_is_none(voted) || gp_id_equal(voted, &msg->u.vote.candidate));
        *voted = msg->u.vote.candidate;
    } else if (msg->kind == GP_MSG_VOTE_ASK) {
        assert_true(node->stored && disk->term == msg->u.vote_ask.term);
        assert_true(gp_id_equal(&disk->voted_for, &node->id));
    } else if (msg->kind == GP_MSG_REGISTER_ACK && msg->u.register_ack.stored) {
        uint64_t term = msg->u.register_ack.term;
        assert_true(node->stored && disk->value_term >= term);
        assert_true(disk->value_term > term || disk->version >= msg->u.register_ack.version);
    } else if (msg->kind == GP_MSG_REGISTER) {
        assert_true(node->stored && disk->value_term >= msg->u.register_.term);
    } else if (msg->kind == GP_MSG_LEASE_ACK && msg->u.lease_ack.version > 0) {
        assert_true(disk->value_term > msg->u.lease_ack.term ||
                    disk->version >= msg->u.lease_ack.version);
    } else if (msg->kind == GP_MSG_MANDATE) {
        check_leader_of(lab, msg->u.mandate.term, &msg->u.mandate.leader);
    }
}

static bool holds_lease(const lab_t *lab, const lab_node_t *node)
{
    return node->core != NULL && gp_election_right(node->core) == GP_RIGHT_QUORUM &&
           gp_election_lease_until(node->core) != 0 &&
           to_true(node, gp_election_lease_until(node->core)) > lab->now;
}

static void check_all(lab_t *lab)
{
    uint32_t leases = 0;
    for (uint32_t i = 0; i < lab->count; i++) {
        lab_node_t *node = &lab->nodes[i];
        if (node->core == NULL) {
            continue;
        }
        leases += holds_lease(lab, node) ? 1 : 0;
        if (!gp_election_leads(node->core)) {
            continue;
        }
        check_leader_of(lab, node->core->term, &node->id);
        /* Whoever wins has all that was committed, and writes it again under a higher version. */
        if (node->core->term >= gp_election_term(node->core) && !node->frozen &&
            holds_lease(lab, node)) {
            assert_true(node->core->version >= lab->committed_version);
        }
        if (node->core->committed && node->core->version >= lab->committed_version &&
            holds_lease(lab, node)) {
            uint64_t digest =
                gp_election_roster_digest(node->core->roster.voters, node->core->roster.count);
            assert_true(node->core->version > lab->committed_version ||
                        digest == lab->committed_digest);
            lab->committed_version = node->core->version;
            lab->committed_digest = digest;
        }
    }
    assert_in_range(leases, 0, 1); /* never two leases at once, by true time */
}

/* ---- actions --------------------------------------------------------------------------------- */

static bool is_signed(gp_msg_kind_t kind)
{
    return gp_msg_scope(kind) == GP_SCOPE_SIGNED;
}

/* With LAB_TRACE set in the environment a run tells its story on stderr. */
static void trace(const lab_t *lab, uint32_t node, const char *what, const gp_msg_t *msg)
{
    static int wanted = -1;
    if (wanted < 0) {
        wanted = getenv("LAB_TRACE") != NULL;
    }
    if (wanted) {
        char text[400];
        (void)gp_msg_print(msg, NULL, NULL, text, sizeof text);
        (void)fprintf(stderr, "%llu.%06llu n%u %s %s\n", (unsigned long long)(lab->now / GP_SECOND),
                      (unsigned long long)(lab->now % GP_SECOND), node + 1, what, text);
    }
}

static void send_frame(lab_t *lab, uint32_t from, uint32_t to, gp_msg_kind_t kind, gp_slice_t frame)
{
    if (lab->drop != NULL && lab->drop(from, to, kind)) {
        return;
    }
    if (from != to && (lab->cut[from][to] || chance(lab, lab->loss_permille))) {
        return;
    }
    uint32_t copies = from != to && chance(lab, lab->repeat_permille) ? 2 : 1;
    for (uint32_t i = 0; i < copies; i++) {
        gp_usec_t delay = from == to ? 10 : between(lab, lab->delay_min, lab->delay_max);
        delay += i > 0 ? between(lab, 0, 3 * GP_SECOND) : 0;
        lab_event_t *event = event_new(lab, EVENT_FRAME, to, lab->now + delay, frame.n);
        event->about = from;
        memcpy(event->bytes, frame.p, frame.n);
        event_add(lab, event);
    }
}

static void send_message(lab_t *lab, uint32_t from, const gp_action_t *action)
{
    uint8_t frame[8192];
    size_t n = 0;
    lab_node_t *node = &lab->nodes[from];
    trace(lab, from, "sends", action->msg);
    check_sent(lab, from, action->msg);
    node->sent[action->msg->kind & 255] += 1;
    bool cast = action->type == GP_ACTION_CAST;
    gp_envelope_t envelope = {
        .grid = lab_grid(),
        .source = node->id,
        .destination = cast ? gp_envelope_group(LAB_GROUP) : action->peer,
        .boot = node->process,
        .sequence = ++lab->sequence,
        .sent_ms = WALL_BASE_MS + lab->now / 1000,
    };
    gp_sealer_t sealer = {.signer = &gp_signer_standin};
    gp_error_t error =
        is_signed(action->msg->kind)
            ? gp_envelope_seal(&envelope, action->msg, &sealer, frame, sizeof frame, &n)
            : gp_envelope_link(action->msg, frame, sizeof frame, &n);
    assert_int_equal(error, GP_OK);
    for (uint32_t i = 0; i < (cast ? action->target_count : 1); i++) {
        int to = node_of(lab, cast ? &action->targets[i] : &action->peer);
        assert_true(to >= 0);
        assert_true(!cast || (uint32_t)to != from);
        send_frame(lab, from, (uint32_t)to, action->msg->kind, gp_slice(frame, n));
    }
}

static void store(lab_t *lab, uint32_t from, const gp_action_t *action)
{
    const gp_msg_election_state_t *state = &action->msg->u.election_state;
    gp_usec_t at = lab->now + between(lab, lab->disk_min, lab->disk_max);
    lab_event_t *event = event_new(lab, EVENT_STORED, from, at, state->value.n);
    event->token = action->token;
    event->state = *state;
    if (state->value.n > 0) {
        memcpy(event->bytes, state->value.p, state->value.n);
    }
    event_add(lab, event);
}

static void notice(lab_t *lab, uint32_t from, const gp_msg_t *msg)
{
    lab_node_t *node = &lab->nodes[from];
    trace(lab, from, "notes", msg);
    switch (msg->kind) {
    case GP_MSG_LEADER:
        node->said = msg->u.leader;
        node->said_at = lab->now;
        assert_true(msg->u.leader.right != GP_RIGHT_QUORUM ||
                    !gp_id_is_none(&msg->u.leader.leader));
        if (msg->u.leader.right == GP_RIGHT_QUORUM) {
            check_leader_of(lab, msg->u.leader.term, &msg->u.leader.leader);
        }
        break;
    case GP_MSG_RELINQUISHED:
        node->successor = msg->u.relinquished.successor;
        node->relinquished++;
        break;
    case GP_MSG_HEIRLESS:
        node->heirless++;
        break;
    case GP_MSG_CAMPAIGN:
        node->campaigns += msg->u.campaign.pre ? 0 : 1;
        node->pre_campaigns += msg->u.campaign.pre ? 1 : 0;
        break;
    case GP_MSG_STEP_DOWN:
        node->step_downs++;
        node->step_down_why = msg->u.step_down.why;
        break;
    default:
        assert_int_equal(msg->kind, GP_MSG_ROSTER);
        break;
    }
}

static void step(lab_t *lab, uint32_t index, gp_event_t *event)
{
    static _Alignas(16) uint8_t arena[ARENA];
    static gp_action_t actions[ACTIONS];
    lab_node_t *node = &lab->nodes[index];
    assert_non_null(node->core);
    gp_out_t out = {.actions = actions,
                    .capacity = ACTIONS,
                    .arena = arena,
                    .size = sizeof arena,
                    .room = GP_ROOM_ELECTION};
    gp_out_reset(&out);
    event->now = to_local(node, lab->now);
    event->room = GP_ROOM_ELECTION;
    gp_election_ops.step(node->core, event, &out);
    gp_election_ops.check(node->core);
    lab->steps++;
    for (uint32_t i = 0; i < out.count; i++) {
        switch (actions[i].type) {
        case GP_ACTION_STORE:
            store(lab, index, &actions[i]);
            break;
        case GP_ACTION_SEND:
        case GP_ACTION_CAST:
            send_message(lab, index, &actions[i]);
            break;
        case GP_ACTION_NOTICE:
            notice(lab, index, actions[i].msg);
            break;
        default:
            fail_msg("an action that an election has no use for");
        }
    }
    /* What is due was done: a core that wants to be woken now spins. */
    assert_true(event->type == GP_EVENT_LOAD ||
                gp_election_ops.wake(node->core) > to_local(node, lab->now));
    check_all(lab);
}

/* ---- membership, as an oracle ---------------------------------------------------------------- */

static bool reaches(const lab_t *lab, uint32_t a, uint32_t b)
{
    return a == b || (lab->nodes[b].core != NULL && !lab->nodes[b].frozen && !lab->cut[a][b] &&
                      !lab->cut[b][a]);
}

static gp_member_state_t state_of(const lab_t *lab, uint32_t viewer, uint32_t other)
{
    const lab_node_t *node = &lab->nodes[viewer];
    if (lab->nodes[other].left) {
        return GP_MEMBER_LEFT;
    }
    if (node->unreached_since[other] == GP_NEVER) {
        return GP_MEMBER_ALIVE;
    }
    if (lab->now < node->unreached_since[other] + UNAVAILABLE_AFTER) {
        return GP_MEMBER_SUSPECT;
    }
    bool quorum = gp_election_right(node->core) == GP_RIGHT_QUORUM;
    return quorum ? GP_MEMBER_UNAVAILABLE : GP_MEMBER_UNKNOWN;
}

static void standings(lab_t *lab, uint32_t index)
{
    static gp_msg_t msg;
    lab_node_t *node = &lab->nodes[index];
    msg.kind = GP_MSG_ELECTION_STANDINGS;
    msg.u.election_standings.members_count = 0;
    for (uint32_t i = 0; i < lab->count; i++) {
        if (!lab->nodes[i].member) {
            continue;
        }
        bool reached = reaches(lab, index, i);
        gp_usec_t *since = &node->unreached_since[i];
        *since = reached ? GP_NEVER : *since == GP_NEVER ? lab->now : *since;
        gp_record_standing_t *standing =
            &msg.u.election_standings.members[msg.u.election_standings.members_count++];
        *standing = (gp_record_standing_t){
            .id = lab->nodes[i].id,
            .incarnation = lab->nodes[i].incarnation,
            .state = (uint8_t)state_of(lab, index, i),
            .flags = lab->nodes[i].flags,
            .score = lab->nodes[i].score,
            .reached = reached || lab->now < *since + UNREACHED_AFTER,
        };
    }
    gp_event_t event = {.type = GP_EVENT_COMMAND, .msg = &msg};
    step(lab, index, &event);
}

/* ---- running --------------------------------------------------------------------------------- */

static void deliver_frame(lab_t *lab, lab_event_t *event)
{
    static gp_msg_t msg;
    gp_envelope_t envelope;
    gp_slice_t frame = gp_slice(event->bytes, event->n);
    gp_grid_id_t grid = lab_grid();
    assert_int_equal(gp_envelope_open(frame, &envelope), GP_OK);
    assert_int_equal(gp_msg_read(envelope.kind, envelope.body, true, &msg), GP_OK);
    if (envelope.is_signed) {
        assert_true(gp_envelope_verify(&envelope, &gp_signer_standin));
        msg.signed_bytes = frame;
        msg.sent_ms = envelope.sent_ms;
    }
    if (msg.kind == GP_MSG_MANDATE) {
        assert_int_equal(gp_mandate_check(&msg, &grid, &gp_signer_standin), GP_OK);
    }
    if (msg.kind == GP_MSG_VOTE_ASK) {
        assert_int_equal(gp_release_check(&msg, &envelope.source, &grid, &gp_signer_standin),
                         GP_OK);
    }
    gp_event_t step_event = {
        .type = GP_EVENT_MSG, .peer = lab->nodes[event->about].id, .msg = &msg};
    step(lab, event->node, &step_event);
}

static void write_disk(lab_node_t *node, const lab_event_t *event)
{
    node->stored = true;
    node->disk = event->state;
    if (event->n > 0) {
        memcpy(node->disk_value, event->bytes, event->n);
    }
    node->disk.value = gp_slice(node->disk_value, event->n);
}

static void run_event(lab_t *lab, lab_event_t *event)
{
    lab_node_t *node = &lab->nodes[event->node];
    if (node->core == NULL || node->process != event->process) {
        return;
    }
    if (event->kind == EVENT_FRAME) {
        deliver_frame(lab, event);
    } else if (event->kind == EVENT_STORED) {
        if (!node->disk_fails) {
            write_disk(node, event);
        }
        gp_event_t stored = {
            .type = GP_EVENT_STORED, .token = event->token, .ok = !node->disk_fails};
        step(lab, event->node, &stored);
    } else {
        static gp_msg_t msg;
        msg.kind = GP_MSG_ELECTION_EVIDENCE;
        msg.u.election_evidence = (gp_msg_election_evidence_t){
            .target = lab->nodes[event->about].id, .incarnation = event->incarnation};
        gp_event_t command = {.type = GP_EVENT_COMMAND, .msg = &msg};
        step(lab, event->node, &command);
    }
}

/* The next thing that happens to a running node by itself; GP_NEVER: nothing. */
static gp_usec_t next_own(const lab_t *lab, uint32_t *ret_node)
{
    gp_usec_t first = GP_NEVER;
    for (uint32_t i = 0; i < lab->count; i++) {
        const lab_node_t *node = &lab->nodes[i];
        if (node->core == NULL || node->frozen) {
            continue;
        }
        gp_usec_t at = to_true(node, gp_election_ops.wake(node->core));
        at = node->member && node->standings_at < at ? node->standings_at : at;
        at = at > lab->now ? at : lab->now;
        if (at < first) {
            first = at;
            *ret_node = i;
        }
    }
    return first;
}

static void run_own(lab_t *lab, uint32_t index)
{
    lab_node_t *node = &lab->nodes[index];
    if (node->member && node->standings_at <= lab->now) {
        node->standings_at = lab->now + STANDINGS_EVERY + between(lab, 0, 20 * GP_MSEC);
        standings(lab, index);
        return;
    }
    gp_event_t event = {.type = GP_EVENT_WAKE};
    step(lab, index, &event);
}

/* One event at or before `until`; false: there is none. */
static bool run_one(lab_t *lab, gp_usec_t until)
{
    uint32_t index = 0;
    gp_usec_t own = next_own(lab, &index);
    lab_event_t *event = lab->events;
    if (event != NULL && event->at <= own) {
        if (event->at > until) {
            return false;
        }
        lab->events = event->next;
        lab->now = event->at > lab->now ? event->at : lab->now;
        lab_node_t *node = &lab->nodes[event->node];
        if (node->frozen && node->process == event->process) {
            event->at = lab->now + 50 * GP_MSEC; /* waits in its socket */
            event_add(lab, event);
            return true;
        }
        run_event(lab, event);
        free(event);
        return true;
    }
    if (own > until) {
        return false;
    }
    lab->now = own;
    run_own(lab, index);
    return true;
}

void lab_run(lab_t *lab, gp_usec_t for_us)
{
    gp_usec_t until = lab->now + for_us;
    while (run_one(lab, until)) {
    }
    lab->now = until;
}

gp_usec_t lab_wait(lab_t *lab, lab_done_t done, gp_usec_t limit)
{
    gp_usec_t from = lab->now;
    while (!done(lab)) {
        if (!run_one(lab, from + limit)) {
            fail_msg("waited for %llu us in vain", (unsigned long long)limit);
        }
    }
    return lab->now - from;
}

/* ---- what a test does to it ------------------------------------------------------------------ */

void lab_start(lab_t *lab, uint32_t index)
{
    lab_node_t *node = &lab->nodes[index];
    assert_null(node->core);
    node->core = calloc(1, gp_election_ops.size(&lab->config));
    assert_non_null(node->core);
    node->process++;
    node->incarnation++;
    node->member = true;
    node->left = false;
    node->frozen = false;
    node->standings_at = lab->now + between(lab, 0, 30 * GP_MSEC);
    node->said = (gp_msg_leader_t){0};
    gp_election_ops.init(node->core, &lab->config, node->id, gp_random_next(&lab->random));
    if (node->stored) {
        static gp_msg_t msg;
        msg.kind = GP_MSG_ELECTION_STATE;
        msg.u.election_state = node->disk;
        gp_event_t load = {.type = GP_EVENT_LOAD, .msg = &msg};
        step(lab, index, &load);
    }
    gp_event_t start = {.type = GP_EVENT_START};
    step(lab, index, &start);
}

void lab_crash(lab_t *lab, uint32_t index)
{
    lab_node_t *node = &lab->nodes[index];
    if (node->core == NULL) {
        return;
    }
    /* What was on its way to the disk may have got there or not. */
    for (lab_event_t *event = lab->events; event != NULL; event = event->next) {
        if (event->kind == EVENT_STORED && event->node == index &&
            event->process == node->process && !node->disk_fails && chance(lab, 500)) {
            write_disk(node, event);
        }
    }
    free(node->core);
    node->core = NULL;
    node->frozen = false;
    for (uint32_t i = 0; i < lab->count; i++) {
        bool sees = i != index && lab->nodes[i].core != NULL && !lab->cut[i][index] &&
                    !lab->cut[index][i] && !node->silent_crash &&
                    chance(lab, lab->evidence_permille);
        if (sees) {
            gp_usec_t at = lab->now + between(lab, 500, 30 * GP_MSEC);
            lab_event_t *event = event_new(lab, EVENT_EVIDENCE, i, at, 0);
            event->about = index;
            event->incarnation = node->incarnation;
            event_add(lab, event);
        }
    }
}

void lab_leave(lab_t *lab, uint32_t index)
{
    lab_node_t *node = &lab->nodes[index];
    node->silent_crash = true;
    lab_crash(lab, index);
    node->silent_crash = false;
    node->left = true;
}

void lab_evidence(lab_t *lab, uint32_t index, uint32_t about)
{
    static gp_msg_t msg;
    msg.kind = GP_MSG_ELECTION_EVIDENCE;
    msg.u.election_evidence = (gp_msg_election_evidence_t){
        .target = lab->nodes[about].id, .incarnation = lab->nodes[about].incarnation};
    gp_event_t command = {.type = GP_EVENT_COMMAND, .msg = &msg};
    step(lab, index, &command);
}

void lab_freeze(lab_t *lab, uint32_t node)
{
    lab->nodes[node].frozen = lab->nodes[node].core != NULL;
}

void lab_thaw(lab_t *lab, uint32_t node)
{
    lab->nodes[node].frozen = false;
}

void lab_split(lab_t *lab, uint32_t mask, bool cut)
{
    for (uint32_t a = 0; a < lab->count; a++) {
        for (uint32_t b = 0; b < lab->count; b++) {
            if ((mask >> a & 1) != (mask >> b & 1)) {
                lab->cut[a][b] = cut;
            }
        }
    }
}

void lab_heal(lab_t *lab)
{
    memset(lab->cut, 0, sizeof lab->cut);
    lab->loss_permille = 0;
    lab->repeat_permille = 0;
    for (uint32_t i = 0; i < lab->count; i++) {
        lab->nodes[i].frozen = false;
        lab->nodes[i].disk_fails = false;
        lab->nodes[i].flags = 0;
    }
}

void lab_command(lab_t *lab, uint32_t index, gp_msg_kind_t kind)
{
    static gp_msg_t msg;
    msg.kind = kind;
    memset(&msg.u, 0, sizeof msg.u);
    if (kind == GP_MSG_ELECTION_FOUND) {
        msg.u.election_found.score = lab->nodes[index].score;
    }
    gp_event_t event = {.type = GP_EVENT_COMMAND, .msg = &msg};
    step(lab, index, &event);
}

void lab_go_for_good(lab_t *lab, uint32_t index)
{
    static const gp_msg_t msg = {.kind = GP_MSG_ELECTION_RELINQUISH,
                                 .u.election_relinquish = {.forever = true}};
    gp_event_t event = {.type = GP_EVENT_COMMAND, .msg = &msg};
    step(lab, index, &event);
}

/* ---- what a test sees ------------------------------------------------------------------------ */

int lab_leader(const lab_t *lab)
{
    for (uint32_t i = 0; i < lab->count; i++) {
        if (holds_lease(lab, &lab->nodes[i]) && !lab->nodes[i].frozen) {
            return (int)i;
        }
    }
    return -1;
}

bool lab_agreed(const lab_t *lab)
{
    int leader = lab_leader(lab);
    if (leader < 0) {
        return false;
    }
    const gp_election_t *core = lab->nodes[leader].core;
    for (uint32_t i = 0; i < lab->count; i++) {
        const lab_node_t *node = &lab->nodes[i];
        if (node->core == NULL || !node->member) {
            continue;
        }
        gp_id_t follows = gp_election_leader(node->core);
        if (!gp_id_equal(&follows, &lab->nodes[leader].id) ||
            gp_election_right(node->core) != GP_RIGHT_QUORUM ||
            gp_election_term(node->core) != gp_election_term(core)) {
            return false;
        }
    }
    return true;
}

uint32_t lab_roster_count(const lab_t *lab)
{
    int leader = lab_leader(lab);
    return leader >= 0 ? lab->nodes[leader].core->roster.count : 0;
}

bool lab_is_voter(const lab_t *lab, uint32_t node)
{
    int leader = lab_leader(lab);
    return leader >= 0 &&
           gp_election_voter_index(&lab->nodes[leader].core->roster, &lab->nodes[node].id) >= 0;
}

static bool is_grown(const lab_t *lab)
{
    uint32_t target = lab->count >= 5 ? 5 : lab->count >= 3 ? 3 : 1;
    int leader = lab_leader(lab);
    return lab_agreed(lab) && lab_roster_count(lab) == target &&
           lab->nodes[leader].core->committed &&
           lab->nodes[leader].core->mandate.roster.count == target;
}

void lab_grow(lab_t *lab)
{
    for (uint32_t i = 0; i < lab->count; i++) {
        lab_start(lab, i);
    }
    lab_command(lab, 0, GP_MSG_ELECTION_FOUND);
    (void)lab_wait(lab, is_grown, 5 * GP_SECOND);
    lab_run(lab, GP_SECOND);
}
