#include "tests/fuzz/core_driver.h"

#include "agent/peer/gate.h"
#include "agent/shell/record.h"
#include "election/election.h"
#include "tests/fuzz/core_disk.h"
#include "tests/fuzz/core_messages.h"
#include "tests/fuzz/core_programs.h"
#include "tests/unit/proto_sample.h"

#define EVENTS_MAX 64   /* of one input */
#define WAKES_MAX  24   /* timers that run while time passes; then the machine is late */
#define SPINS_MAX  1024 /* wakes at one moment: more is a timer that never ends */
#define DIALS_MAX  16
#define ASKED_MAX  256 /* questions of one life */
#define OWN_MAX    8   /* frames to this machine itself that are on their way */
#define OWN_BYTES  1024
#define WALL       UINT64_C(1700000000000)

typedef struct world {
    uint8_t variant;
    uint64_t boot;
    gp_usec_t now;
    uint64_t token;
    bool asked[ASKED_MAX]; /* a question of this token waits for its answer */
    uint64_t question;     /* token of the last ROUTE_QUESTION: to be answered */
    uint64_t sequence;     /* of all senders together: it rises for each */
    uint64_t sender_boot;
    gp_id_t written_to; /* the machine that a message last went to */
    gp_gate_t gate;
    fuzz_memory_t memory;
    uint32_t own_count;
    uint32_t dial_count;
    struct {
        gp_id_t peer;
        gp_room_t room;
    } dials[DIALS_MAX];
    struct {
        size_t n;
        uint8_t bytes[OWN_BYTES];
    } own[OWN_MAX]; /* the last member: not cleared */
} world_t;

static world_t world;
static void *core_memory;
static gp_gate_sender_t senders[GP_GATE_SENDERS];
static gp_action_t actions[GP_ACTIONS_MAX];
static _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
static gp_msg_t made; /* the message that an event brings */
static gp_msg_t taken;
static gp_msg_t own_msg;
static gp_msg_t looked_at;
static uint8_t arriving[GP_MESSAGE_MAX]; /* a frame on its way in */
static uint8_t frame[GP_MESSAGE_MAX];    /* and one on its way out */
static uint8_t packed[GP_MESSAGE_MAX];

static const gp_grid_id_t grid = {{1}};

static const gp_usec_t passing[] = {
    0,
    1 * GP_MSEC,
    5 * GP_MSEC,
    20 * GP_MSEC,
    50 * GP_MSEC,
    100 * GP_MSEC,
    200 * GP_MSEC,
    500 * GP_MSEC,
    1 * GP_SECOND,
    2 * GP_SECOND,
    5 * GP_SECOND,
    10 * GP_SECOND,
    30 * GP_SECOND,
    60 * GP_SECOND,
    600 * GP_SECOND,
    3 * GP_SECOND, /* frozen: no timer runs meanwhile */
};
#define FROZEN 15

/* One of the seats that this machine may have: only with that variant more than the first. */
static gp_seat_t seat_of(int choice)
{
    bool tiers = (world.variant & FUZZ_VARIANT_TIERS) != 0;
    return tiers ? (gp_seat_t)(choice % GP_SEAT_COUNT) : GP_SEAT_SUBGRID;
}

static uint64_t group_of(int choice)
{
    static const uint64_t groups[GP_SEAT_COUNT] = {FUZZ_GROUP, FUZZ_REGION, FUZZ_GRID};
    return groups[seat_of(choice)];
}

static gp_wall_ms_t wall(void)
{
    return WALL + world.now / 1000;
}

static gp_usec_t wake(void)
{
    return fuzz_core.ops->wake(core_memory);
}

/* ---- what a core does ------------------------------------------------------------------------ */

static void look_at_frame(const gp_action_t *action)
{
    const gp_id_t *to = action->type == GP_ACTION_CAST ? NULL : &action->peer;
    gp_envelope_t envelope;
    size_t n = 0;
    FUZZ_CHECK(action->type != GP_ACTION_CAST || action->target_count > 0);
    FUZZ_CHECK(gp_gate_seal(&world.gate, to, action->msg, wall(), frame, &n) == GP_OK);
    FUZZ_CHECK(gp_envelope_open(gp_slice(frame, n), &envelope) == GP_OK);
    FUZZ_CHECK(gp_msg_read(envelope.kind, envelope.body, true, &looked_at) == GP_OK);
    gp_id_t self = fuzz_id(0);
    bool own = action->type == GP_ACTION_SEND && gp_id_equal(&action->peer, &self);
    if (action->type == GP_ACTION_SEND && !own) {
        world.written_to = action->peer;
    }
    if (own && n <= OWN_BYTES && world.own_count < OWN_MAX) {
        memcpy(world.own[world.own_count].bytes, frame, n);
        world.own[world.own_count++].n = n;
    }
    bool evidence = action->msg->kind == GP_MSG_VOTE || action->msg->kind == GP_MSG_HANDOVER;
    if (evidence && n <= sizeof world.memory.blob) {
        memcpy(world.memory.blob, frame, n);
        world.memory.blob_n = n;
    }
}

/* The shell holds notices as bytes until a barrier falls. */
static void look_at_notice(const gp_action_t *action)
{
    const gp_msg_t *msg = action->msg;
    size_t n = 0;
    FUZZ_CHECK(gp_msg_pack(msg, packed, sizeof packed, &n) == GP_OK);
    FUZZ_CHECK(gp_msg_read(msg->kind, gp_slice(packed, n), false, &looked_at) == GP_OK);
    bool answer = msg->kind == GP_MSG_ANSWER || msg->kind == GP_MSG_ROUTE_ANSWER;
    if (answer && action->token < ASKED_MAX) {
        FUZZ_CHECK(world.asked[action->token]); /* one answer for each question */
        world.asked[action->token] = false;
    }
    world.question = msg->kind == GP_MSG_ROUTE_QUESTION ? action->token : world.question;
    fuzz_programs_notice(msg);
}

static void look_at(const gp_action_t *action)
{
    switch (action->type) {
    case GP_ACTION_STORE:
    case GP_ACTION_KEEP:
        fuzz_disk_store(action);
        break;
    case GP_ACTION_SEND:
    case GP_ACTION_CAST:
        look_at_frame(action);
        break;
    case GP_ACTION_NOTICE:
        look_at_notice(action);
        break;
    case GP_ACTION_DIAL:
        if (world.dial_count < DIALS_MAX) {
            world.dials[world.dial_count].room = action->room;
            world.dials[world.dial_count++].peer = action->peer;
        }
        break;
    case GP_ACTION_LINK:
        break;
    }
    if (action->msg != NULL) {
        fuzz_memory_hear(&world.memory, action->msg);
    }
}

static void step_once(gp_event_t event)
{
    gp_out_t out = {.actions = actions,
                    .capacity = GP_ACTIONS_MAX,
                    .arena = arena,
                    .size = sizeof arena,
                    .room = fuzz_core.room};
    event.now = world.now;
    fuzz_core.ops->step(core_memory, &event, &out);
    for (uint32_t i = 0; i < out.count; i++) {
        look_at(&out.actions[i]);
    }
    fuzz_core.ops->check(core_memory);
}

static void answer_store(gp_seat_t seat, gp_room_t room, bool ok)
{
    gp_event_t event = {.type = GP_EVENT_STORED, .room = room, .seat = seat, .ok = ok};
    if (fuzz_disk_answer(seat, room, ok, &event.token)) {
        step_once(event);
    }
}

/* The disk answers at once, or when it holds all that it can. */
static void answer_stores(void)
{
    bool slow = (world.variant & FUZZ_VARIANT_SLOW) != 0;
    uint32_t most = slow ? FUZZ_DISK_QUEUE / 2U : 0U;
    for (int lane = 0; lane < GP_SEAT_COUNT * GP_ROOM_COUNT; lane++) {
        gp_seat_t seat = (gp_seat_t)(lane / GP_ROOM_COUNT);
        gp_room_t room = (gp_room_t)(lane % GP_ROOM_COUNT);
        for (uint32_t i = 0; fuzz_disk_waiting(seat, room) > most; i++) {
            FUZZ_CHECK(i < SPINS_MAX); /* a record is stored again and again */
            answer_store(seat, room, true);
        }
    }
}

/* One frame that this machine sent to itself: its own vote counts once it is signed. */
static void hear_self(void)
{
    static uint8_t bytes[OWN_BYTES];
    gp_id_t self = fuzz_id(0);
    gp_slice_t own = gp_slice(bytes, world.own[--world.own_count].n);
    memcpy(bytes, world.own[world.own_count].bytes, own.n);
    if (gp_gate_take(&world.gate, &self, own, world.now, wall(), &own_msg) == GP_OK) {
        step_once((gp_event_t){.type = GP_EVENT_MSG, .peer = self, .ok = true, .msg = &own_msg});
    }
}

/* One step, and what follows from it without anybody else. */
static void step(gp_event_t event)
{
    step_once(event);
    answer_stores();
    for (uint32_t i = 0; world.own_count > 0; i++) {
        FUZZ_CHECK(i < SPINS_MAX); /* a machine that talks to itself without end */
        hear_self();
        answer_stores();
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static void pass_time(uint8_t choice)
{
    gp_usec_t until = world.now + passing[choice % 16];
    uint32_t wakes = 0;
    uint32_t spins = 0;
    while (choice % 16 != FROZEN && wakes < WAKES_MAX && wake() <= until) {
        if (wake() > world.now) {
            world.now = wake();
            spins = 0;
            wakes++;
        }
        FUZZ_CHECK(spins++ < SPINS_MAX);
        step((gp_event_t){.type = GP_EVENT_WAKE});
    }
    world.now = until > world.now ? until : world.now;
}

/* ---- messages -------------------------------------------------------------------------------- */

static gp_slice_t seal(const gp_id_t *from, const gp_id_t *to, const gp_msg_t *msg, uint8_t *bytes)
{
    const gp_sealer_t sealer = {.signer = &gp_signer_standin};
    const gp_envelope_t head = {.grid = grid,
                                .source = *from,
                                .destination = *to,
                                .boot = world.sender_boot,
                                .sequence = world.sequence,
                                .sent_ms = wall()};
    size_t n = 0;
    gp_error_t error = gp_msg_scope(msg->kind) == GP_SCOPE_LINK
                           ? gp_envelope_link(msg, bytes, GP_MESSAGE_MAX, &n)
                           : gp_envelope_seal(&head, msg, &sealer, bytes, GP_MESSAGE_MAX, &n);
    return gp_slice(bytes, error == GP_OK ? n : 0);
}

static void deliver(const gp_id_t *from, gp_slice_t bytes)
{
    if (gp_gate_take(&world.gate, from, bytes, world.now, wall(), &taken) == GP_OK) {
        step((gp_event_t){.type = GP_EVENT_MSG, .peer = *from, .ok = true, .msg = &taken});
    }
}

/* How a message travels, in bits. */
#define TO_GROUP 1
#define DAMAGED  2
#define AGAIN    4
#define OLD      8
#define RESTART  16

/* What others signed may be carried by anybody. */
static void keep_claim(gp_slice_t sent)
{
    bool claim = made.kind == GP_MSG_ROUTE || made.kind == GP_MSG_ROUTE_FOUND;
    if (claim && sent.n <= sizeof world.memory.blob) {
        memcpy(world.memory.blob, sent.p, sent.n);
        world.memory.blob_n = sent.n;
    }
}

static void send_made(uint8_t sender, uint8_t how, fuzz_bytes_t *bytes)
{
    /* Zero: whom the core last wrote to answers. */
    gp_id_t from = sender == 0 ? world.written_to : fuzz_id((uint8_t)(1 + (sender - 1) % 15));
    uint64_t group = gp_group_tier(gp_msg_group(&made)) != 0 ? gp_msg_group(&made) : FUZZ_GROUP;
    gp_id_t to = (how & TO_GROUP) != 0 ? gp_envelope_group(group) : fuzz_id(0);
    world.sequence += (how & OLD) != 0 ? 0 : 1;
    world.sender_boot += (how & RESTART) != 0 ? 1 : 0;
    gp_slice_t sent = seal(&from, &to, &made, arriving);
    if (sent.n == 0) {
        return;
    }
    keep_claim(sent);
    if ((how & DAMAGED) != 0) {
        arriving[fuzz_number(bytes, 2) % sent.n] ^= (uint8_t)(1 + fuzz_u8(bytes) % 255);
    }
    deliver(&from, sent);
    if ((how & AGAIN) != 0) {
        deliver(&from, sent);
    }
}

static bool travels(gp_msg_kind_t kind)
{
    gp_scope_t scope = gp_msg_scope(kind);
    bool ours = fuzz_core.room == 0 || gp_msg_room(kind) == fuzz_core.room;
    return (scope == GP_SCOPE_LINK || scope == GP_SCOPE_SIGNED) && ours &&
           gp_msg_room(kind) != GP_ROOM_JOIN;
}

static gp_msg_kind_t choose_kind(uint8_t choice)
{
    static gp_msg_kind_t kinds[UINT8_MAX + 1];
    static uint32_t count;
    if (count == 0) {
        for (size_t i = 0; i < sample_kind_count; i++) {
            if (travels(sample_kinds[i])) {
                FUZZ_CHECK(count <= UINT8_MAX); /* more than a byte can choose from */
                kinds[count++] = sample_kinds[i];
            }
        }
    }
    return kinds[choice % count];
}

static void on_message(fuzz_bytes_t *bytes)
{
    gp_msg_kind_t kind = choose_kind(fuzz_u8(bytes));
    uint8_t sender = fuzz_u8(bytes);
    uint8_t how = fuzz_u8(bytes);
    fuzz_message(bytes, &world.memory, kind, &made);
    send_made(sender, how, bytes);
}

/* A body as it is; what the strict reader does not let through never gets here. */
static void on_body(fuzz_bytes_t *bytes)
{
    gp_msg_kind_t kind = choose_kind(fuzz_u8(bytes));
    uint8_t sender = fuzz_u8(bytes);
    size_t n = fuzz_number(bytes, 2);
    if (gp_msg_read(kind, fuzz_slice(bytes, n), true, &made) == GP_OK) {
        send_made(sender, 0, bytes);
    }
}

/* The vote of one voter; nobody can forge one in this machine's name. */
static gp_slice_t vote_of(const gp_id_t *voter, const gp_msg_t *vote, uint8_t *bytes)
{
    gp_id_t self = fuzz_id(0);
    gp_slice_t own = gp_slice(world.memory.blob, world.memory.blob_n);
    gp_slice_t signed_vote =
        gp_id_equal(voter, &self) ? own : seal(voter, &vote->u.vote.candidate, vote, bytes);
    return signed_vote.n <= GP_VOTE_MAX ? signed_vote : gp_slice(NULL, 0);
}

/* A mandate with the votes of all voters but those that are silent. */
static void on_mandate(fuzz_bytes_t *bytes)
{
    static uint8_t votes[GP_VOTERS_MAX][GP_MESSAGE_MAX];
    static gp_msg_t vote;
    gp_msg_mandate_t *mandate = &made.u.mandate;
    gp_id_t leader = fuzz_id(fuzz_u8(bytes));
    uint8_t sender = fuzz_u8(bytes);
    uint8_t others = fuzz_u8(bytes);
    uint8_t silent = fuzz_u8(bytes);
    fuzz_message_empty(GP_MSG_MANDATE, &made);
    mandate->group = group_of(sender / 16);
    mandate->term = fuzz_memory_get(&world.memory, "term") + fuzz_u8(bytes);
    mandate->leader = leader;
    mandate->version = fuzz_memory_get(&world.memory, "version");
    for (uint8_t i = 0; i < FUZZ_MEMBERS && mandate->voters_count < GP_VOTERS_MAX; i++) {
        if ((others & 1U << i) == 0) {
            mandate->voters[mandate->voters_count++] =
                (gp_record_voter_t){.id = fuzz_id(i), .score = (uint16_t)(i * 100)};
        }
    }
    vote.kind = GP_MSG_VOTE;
    vote.u.vote =
        (gp_msg_vote_t){.group = mandate->group,
                        .term = mandate->term,
                        .candidate = leader,
                        .granted = true,
                        .version = mandate->version,
                        .roster = gp_election_roster_digest(mandate->voters, mandate->voters_count),
                        .valid_ms = 3600000};
    fuzz_memory_set(&world.memory, "roster", vote.u.vote.roster);
    mandate->votes_count = mandate->voters_count;
    for (uint32_t i = 0; i < mandate->voters_count; i++) {
        if ((silent & 1U << i) == 0) {
            mandate->votes[i].bytes = vote_of(&mandate->voters[i].id, &vote, votes[i]);
        }
    }
    send_made(sender, 0, bytes);
}

/* ---- this machine's own ---------------------------------------------------------------------- */

/* Of what it answers; else a new one. */
static uint64_t token_of(gp_msg_kind_t kind)
{
    switch (kind) {
    case GP_MSG_WORK_ANSWER:
        return fuzz_memory_get(&world.memory, "job");
    case GP_MSG_ROUTE_LOCAL:
        return world.question;
    default:
        return ++world.token;
    }
}

static void command(const gp_msg_t *msg)
{
    gp_event_t event = {.type = GP_EVENT_COMMAND,
                        .room = gp_msg_room(msg->kind),
                        .token = token_of(msg->kind),
                        .ok = true,
                        .msg = msg};
    bool question = msg->kind == GP_MSG_DISCOVERY_FIND || msg->kind == GP_MSG_ROUTE_FIND;
    if (question && event.token < ASKED_MAX) {
        world.asked[event.token] = true;
    }
    step(event);
}

static void on_command(fuzz_bytes_t *bytes)
{
    size_t count = 0;
    while (fuzz_core.commands[count] != 0) {
        count++;
    }
    fuzz_message(bytes, &world.memory, fuzz_core.commands[fuzz_u8(bytes) % count], &made);
    if (fuzz_core.sayable == NULL || fuzz_core.sayable(&made)) {
        command(&made);
    }
}

static void on_program(fuzz_bytes_t *bytes)
{
    bool runs_work = fuzz_core.room == 0 || fuzz_core.room == GP_ROOM_WORK;
    if (runs_work && fuzz_programs_report(bytes, &made)) {
        command(&made);
    }
}

static void on_dialed(fuzz_bytes_t *bytes)
{
    uint8_t choice = fuzz_u8(bytes);
    if (world.dial_count == 0) {
        return;
    }
    uint32_t which = choice % world.dial_count;
    gp_dial_t result = (gp_dial_t)(GP_DIAL_OPEN + (choice / 16 + 1) % 4); /* zero: refused */
    gp_event_t event = {.type = GP_EVENT_DIALED,
                        .room = world.dials[which].room,
                        .peer = world.dials[which].peer,
                        .token = result,
                        .ok = result == GP_DIAL_OPEN};
    world.dials[which] = world.dials[--world.dial_count];
    step(event);
}

static void on_link(fuzz_bytes_t *bytes)
{
    uint8_t choice = fuzz_u8(bytes);
    step((gp_event_t){
        .type = GP_EVENT_LINK, .peer = fuzz_id((uint8_t)(1 + choice % 15)), .ok = choice >= 128});
}

/* ---- life ------------------------------------------------------------------------------------ */

static void load(const gp_msg_t *record)
{
    step_once(
        (gp_event_t){.type = GP_EVENT_LOAD, .room = gp_msg_room(record->kind), .msg = record});
}

/* Exactly so many bytes, with guards at both ends; the few sizes that there are live on. */
static void *memory_of(size_t size)
{
    static struct {
        size_t size;
        void *memory;
    } kept[16];
    FUZZ_CHECK(size > 0);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (kept[i].size == 0) {
            kept[i].size = size;
            kept[i].memory = malloc(size);
            FUZZ_CHECK(kept[i].memory != NULL);
        }
        if (kept[i].size == size) {
            return kept[i].memory;
        }
    }
    FUZZ_CHECK(false);
    return NULL;
}

static void start(void)
{
    const void *config = fuzz_core.configure(++world.boot, world.variant);
    size_t size = fuzz_core.ops->size(config);
    core_memory = memory_of(size);
    memset(core_memory, 0x5a, size); /* a core relies on nothing that it did not write */
    world.dial_count = world.own_count = 0;
    memset(world.asked, 0, sizeof world.asked);
    fuzz_programs_reset();
    const gp_gate_config_t gate = {
        .grid = grid,
        .self = fuzz_id(0),
        .groups = {FUZZ_GROUP, group_of(GP_SEAT_REGION), group_of(GP_SEAT_GRID)},
        .boot = world.boot,
        .sealer = {.signer = &gp_signer_standin}};
    gp_gate_init(&world.gate, &gate, senders);
    fuzz_core.ops->init(core_memory, config, fuzz_id(0), world.boot);
    for (uint32_t i = 0; fuzz_disk_read(i, &made); i++) {
        load(&made);
    }
}

static void begin(void)
{
    bool opens = (world.variant & FUZZ_VARIANT_EMPTY) == 0;
    start();
    unsigned index = 0;
    while (opens && fuzz_core.opening(world.variant, index, &made) &&
           gp_msg_scope(made.kind) == GP_SCOPE_STORED) {
        load(&made);
        index++;
    }
    step((gp_event_t){.type = GP_EVENT_START});
    while (opens && fuzz_core.opening(world.variant, index, &made)) {
        command(&made);
        index++;
    }
    bool elects = fuzz_core.room == 0 || fuzz_core.room == GP_ROOM_ELECTION;
    if (opens && elects && (world.variant & FUZZ_VARIANT_FOLLOWS) != 0) {
        /* The first of the others leads by the votes of three. */
        static const uint8_t mandate[] = {1, 1, 0xf1, 0, 1};
        on_mandate(&(fuzz_bytes_t){.p = mandate, .n = sizeof mandate});
    }
}

/* The process dies; of what the disk was still to write, the first few records got there. */
static void on_crash(fuzz_bytes_t *bytes)
{
    fuzz_disk_crash(fuzz_u8(bytes));
    start();
    step((gp_event_t){.type = GP_EVENT_START});
}

static void on_event(fuzz_bytes_t *bytes)
{
    uint8_t choice = fuzz_u8(bytes);
    pass_time(choice >> 4);
    switch (choice & 15) {
    case 6:
    case 7:
    case 8:
        on_command(bytes);
        break;
    case 9:
        choice = fuzz_u8(bytes);
        answer_store(seat_of(choice >> 3), (gp_room_t)(GP_ROOM_GROUP + (choice >> 1) % 4),
                     (choice & 1) == 0);
        break;
    case 10:
        on_dialed(bytes);
        break;
    case 11:
        on_link(bytes);
        break;
    case 12:
        on_program(bytes);
        break;
    case 13:
        on_mandate(bytes);
        break;
    case 14:
        on_crash(bytes);
        break;
    case 15:
        on_body(bytes);
        break;
    default:
        on_message(bytes);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes_t bytes = {.p = data, .n = size};
    memset(&world, 0, offsetof(world_t, own));
    world.variant = fuzz_u8(&bytes);
    world.now = 100 * GP_SECOND;
    world.sender_boot = 1;
    world.written_to = fuzz_id(1);
    fuzz_memory_reset(&world.memory);
    static const struct {
        const char *name;
        uint64_t number;
    } first[] = {{"group", FUZZ_GROUP}, {"term", 1},    {"incarnation", 65536},
                 {"lease_ms", 10000},   {"score", 500}, {"health", 1000},
                 {"headroom", 500},     {"right", 1},   {"valid_ms", 3600000},
                 {"timeout_ms", 5000},  {"state", 1},   {"ticket", 1},
                 {"until", 4096},       {"limit", 10},  {"stream", 1}};
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        fuzz_memory_set(&world.memory, first[i].name, first[i].number);
    }
    fuzz_disk_reset();
    begin();
    for (int i = 0; i < EVENTS_MAX && bytes.n > 0; i++) {
        on_event(&bytes);
    }
    pass_time(8);
    return 0;
}
