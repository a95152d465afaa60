/*
 * The discovery core against members that send whatever the strict reader lets through: the input
 * is a row of events, each a kind, a sender, a length and the body of a message. The core's own
 * check runs after each step.
 */
#include <stdlib.h>

#include "discovery/discovery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENTS_MAX 64

static const gp_msg_kind_t kinds[] = {GP_MSG_RECORD,
                                      GP_MSG_RECORD_ASK,
                                      GP_MSG_FIND,
                                      GP_MSG_FOUND,
                                      GP_MSG_OWN_RECORD,
                                      GP_MSG_DISCOVERY_FIND,
                                      GP_MSG_DISCOVERY_LEADER,
                                      GP_MSG_DISCOVERY_MEMBER};

#define KINDS (sizeof kinds / sizeof kinds[0])

static gp_action_t actions[GP_ACTIONS_MAX];
static _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
static gp_out_t out = {.actions = actions,
                       .capacity = GP_ACTIONS_MAX,
                       .arena = arena,
                       .size = sizeof arena,
                       .room = GP_ROOM_DISCOVERY};
static gp_msg_t msg;
static uint8_t packed[2 * GP_MESSAGE_MAX];

static gp_id_t id_of(uint8_t n)
{
    gp_id_t id = {{0}};
    id.b[0] = (uint8_t)(1 + n % 5);
    return id;
}

/* What the core sends must itself be what a reader takes. */
static void check_actions(void)
{
    for (uint32_t i = 0; i < out.count; i++) {
        size_t n = 0;
        if (actions[i].msg != NULL &&
            (gp_msg_pack(actions[i].msg, packed, sizeof packed, &n) != GP_OK ||
             n > GP_MESSAGE_MAX - 512)) {
            abort();
        }
    }
}

static void step(void *core, const gp_event_t *event)
{
    gp_out_reset(&out);
    gp_discovery_ops.step(core, event, &out);
    gp_discovery_ops.check(core);
    check_actions();
}

/* The members and the leader that make the rest interesting. */
static void set_up(void *core, gp_usec_t now)
{
    gp_event_t event = {.type = GP_EVENT_COMMAND, .now = now, .msg = &msg};
    for (uint8_t i = 0; i < 5; i++) {
        msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
        msg.u.discovery_member.entries_count = 1;
        msg.u.discovery_member.entries[0] = (gp_record_member_t){
            .id = id_of(i), .incarnation = 1, .state = GP_MEMBER_ALIVE, .name = gp_text("n")};
        step(core, &event);
    }
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_LEADER};
    msg.u.discovery_leader.leader = id_of(0);
    msg.u.discovery_leader.deputy = id_of(1);
    msg.u.discovery_leader.right = GP_RIGHT_QUORUM;
    msg.u.discovery_leader.lease_until = GP_NEVER;
    step(core, &event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gp_discovery_config_t config = {
        .members_max = 8, .pool_bytes = 1024, .name = gp_text("n"), .region = gp_text("lab")};
    gp_usec_t now = GP_SECOND;
    void *core = malloc(gp_discovery_ops.size(&config));
    if (core == NULL) {
        abort();
    }
    gp_discovery_ops.init(core, &config, id_of(0), 1);
    set_up(core, now);
    size_t at = 0;
    for (int i = 0; i < EVENTS_MAX && at + 4 <= size; i++) {
        gp_msg_kind_t kind = kinds[data[at] % KINDS];
        bool local = gp_msg_scope(kind) == GP_SCOPE_LOCAL;
        size_t n = (size_t)data[at + 2] << 8 | data[at + 3];
        n = n < size - at - 4 ? n : size - at - 4;
        now += (gp_usec_t)(data[at] / KINDS) * 20 * GP_MSEC;
        gp_event_t event = {.type = local ? GP_EVENT_COMMAND : GP_EVENT_MSG,
                            .now = now,
                            .peer = id_of(data[at + 1]),
                            .token = (uint64_t)i,
                            .msg = &msg};
        if (gp_msg_read(kind, gp_slice(data + at + 4, n), false, &msg) == GP_OK) {
            msg.kind = kind;
            step(core, &event);
        }
        if (gp_discovery_ops.wake(core) <= now) {
            event = (gp_event_t){.type = GP_EVENT_WAKE, .now = now};
            step(core, &event);
        }
        at += 4 + n;
    }
    free(core);
    return 0;
}
