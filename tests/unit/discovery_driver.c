#include "discovery_driver.h"

#include <stdio.h>
#include <stdlib.h>

#include "discovery/units.h"

gp_id_t driver_id(uint8_t n)
{
    gp_id_t id = {{0}};
    id.b[0] = n;
    id.b[31] = 1;
    return id;
}

gp_records_t *driver_records(uint32_t width)
{
    size_t size = gp_records_size(width, GP_RECORD_POOL);
    void *memory = malloc(size);
    assert_non_null(memory);
    memset(memory, 0xa5, size);
    return gp_records_init(memory, width, GP_RECORD_POOL);
}

static void set_one(gp_records_t *records, uint32_t lane, uint32_t attr, char *value)
{
    const gp_attribute_t *attribute = gp_attribute(attr);
    if (!gp_type_is_number(attribute->type)) {
        for (char *c = value; *c != '\0'; c++) {
            *c = *c == ',' ? ' ' : *c;
        }
        gp_records_set_text(records, lane, attr, gp_text(value), false);
    } else if (attribute->type == GP_TYPE_BOOL) {
        gp_records_set_number(records, lane, attr, strcmp(value, "true") == 0 ? 1 : 0);
    } else {
        gp_quantity_t q;
        gp_slice_t text = gp_text(value);
        uint32_t split = gp_quantity_split(text);
        assert_int_equal(gp_quantity_parse(gp_slice(value, split),
                                           gp_slice(value + split, text.n - split), attribute->type,
                                           attribute->bare, &q),
                         GP_QUANTITY_OK);
        gp_records_set_number(records, lane, attr, q.number);
    }
}

void driver_set(gp_records_t *records, uint32_t lane, const char *text)
{
    while (*text != '\0') {
        char name[32];
        char value[256];
        int used = 0;
        assert_int_equal(sscanf(text, " %31[^= ]=%255[^ ] %n", name, value, &used), 2);
        uint32_t attr = gp_attribute_find(gp_text(name));
        assert_int_not_equal(attr, 0);
        set_one(records, lane, attr, value);
        text += used;
    }
}

/* ---- letters --------------------------------------------------------------------------------- */

/* A copy whose slices are its own, by the packer and the strict reader: as it would travel. */
static gp_msg_t *copy_message(const gp_msg_t *msg)
{
    static uint8_t packed[GP_MESSAGE_MAX];
    size_t n = 0;
    assert_int_equal(gp_msg_pack(msg, packed, sizeof packed, &n), GP_OK);
    uint8_t *block = malloc(sizeof(gp_msg_t) + n);
    assert_non_null(block);
    memcpy(block + sizeof(gp_msg_t), packed, n);
    gp_msg_t *copy = (gp_msg_t *)(void *)block;
    assert_int_equal(gp_msg_read(msg->kind, gp_slice(block + sizeof(gp_msg_t), n), false, copy),
                     GP_OK);
    copy->kind = msg->kind;
    return copy;
}

static void post(driver_grid_t *grid, const gp_id_t *from, const gp_id_t *to, const gp_msg_t *msg)
{
    assert_true(grid->letter_count < DRIVER_LETTERS);
    grid->letters[grid->letter_count] =
        (driver_letter_t){.from = *from, .to = *to, .msg = copy_message(msg)};
    grid->letter_count += 1;
    grid->sent[msg->kind] += 1;
}

static void step(driver_grid_t *grid, uint32_t node, const gp_event_t *event)
{
    driver_node_t *n = &grid->nodes[node];
    uint32_t answers = 0;
    gp_out_reset(&n->out);
    gp_discovery_ops.step(n->core, event, &n->out);
    gp_discovery_ops.check(n->core);
    for (uint32_t i = 0; i < n->out.count; i++) {
        const gp_action_t *action = &n->out.actions[i];
        switch (action->type) {
        case GP_ACTION_SEND:
            post(grid, &n->id, &action->peer, action->msg);
            answers += action->msg->kind == GP_MSG_FOUND ? 1 : 0;
            break;
        case GP_ACTION_CAST:
            for (uint32_t t = 0; t < action->target_count; t++) {
                post(grid, &n->id, &action->targets[t], action->msg);
            }
            break;
        default:
            assert_int_equal(action->type, GP_ACTION_NOTICE);
            assert_int_equal(action->msg->kind, GP_MSG_ANSWER);
            free(grid->answer);
            grid->answer = copy_message(action->msg);
            grid->answer_token = action->token;
            grid->answer_count += 1;
            answers += 1;
        }
    }
    assert_true(answers <= 1);
}

void driver_command(driver_grid_t *grid, uint32_t node, uint64_t token, const gp_msg_t *msg)
{
    const gp_event_t event = {.type = GP_EVENT_COMMAND,
                              .room = GP_ROOM_DISCOVERY,
                              .now = grid->now,
                              .token = token,
                              .msg = msg};
    step(grid, node, &event);
}

void driver_wake(driver_grid_t *grid, uint32_t node)
{
    const gp_event_t event = {.type = GP_EVENT_WAKE, .now = grid->now};
    step(grid, node, &event);
}

void driver_message(driver_grid_t *grid, uint32_t node, const gp_id_t *from, const gp_msg_t *msg)
{
    const gp_event_t event = {
        .type = GP_EVENT_MSG, .now = grid->now, .peer = *from, .ok = true, .msg = msg};
    step(grid, node, &event);
}

void driver_deliver(driver_grid_t *grid)
{
    for (uint32_t i = 0; i < grid->letter_count; i++) {
        driver_letter_t letter = grid->letters[i];
        for (uint32_t n = 0; n < grid->node_count; n++) {
            if (gp_id_equal(&grid->nodes[n].id, &letter.to)) {
                driver_message(grid, n, &letter.from, letter.msg);
            }
        }
        free(letter.msg);
    }
    grid->letter_count = 0;
}

void driver_lose(driver_grid_t *grid)
{
    for (uint32_t i = 0; i < grid->letter_count; i++) {
        free(grid->letters[i].msg);
    }
    grid->letter_count = 0;
}

/* ---- the grid -------------------------------------------------------------------------------- */

void driver_leader(driver_grid_t *grid, uint32_t node, uint64_t term, uint32_t leader,
                   uint32_t deputy, gp_right_t right)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_LEADER};
    msg.u.discovery_leader.term = term;
    msg.u.discovery_leader.right = (uint8_t)right;
    if (leader != UINT32_MAX) {
        msg.u.discovery_leader.leader = grid->nodes[leader].id;
    }
    if (deputy != UINT32_MAX) {
        msg.u.discovery_leader.deputy = grid->nodes[deputy].id;
    }
    msg.u.discovery_leader.lease_until = leader == node ? grid->now + GP_SECOND : 0;
    driver_command(grid, node, 0, &msg);
}

void driver_member(driver_grid_t *grid, uint32_t node, uint32_t about, gp_member_state_t state)
{
    static gp_msg_t msg;
    char name[8];
    char address[32];
    snprintf(name, sizeof name, "n%u", about + 1);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", 7001 + about);
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
    msg.u.discovery_member.entries_count = 1;
    msg.u.discovery_member.entries[0] = (gp_record_member_t){.id = driver_id((uint8_t)(about + 1)),
                                                             .incarnation = 1,
                                                             .state = (uint8_t)state,
                                                             .flags = GP_FLAG_SEEN,
                                                             .name = gp_text(name),
                                                             .address = gp_text(address)};
    driver_command(grid, node, 0, &msg);
}

void driver_own(driver_grid_t *grid, uint32_t node, const char *text)
{
    static gp_msg_t msg;
    gp_records_t *records = driver_records(1);
    driver_set(records, 0, text);
    msg = (gp_msg_t){.kind = GP_MSG_OWN_RECORD};
    msg.u.own_record.whole = true;
    msg.u.own_record.attrs_count = gp_records_dump(records, 0, msg.u.own_record.attrs);
    driver_command(grid, node, 0, &msg);
    free(records);
}

void driver_find(driver_grid_t *grid, uint32_t node, uint64_t token, const char *query)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_FIND};
    msg.u.discovery_find.query = gp_text(query);
    driver_command(grid, node, token, &msg);
}

static void node_init(driver_node_t *node, uint32_t index)
{
    char name[8];
    snprintf(name, sizeof name, "n%u", index + 1);
    const gp_discovery_config_t config = {.group = 7,
                                          .incarnation = 1,
                                          .members_max = GP_MEMBERS_MAX,
                                          .name = gp_text(name),
                                          .region = gp_text("lab"),
                                          .address = gp_text("tcp://127.0.0.1:1")};
    size_t size = gp_discovery_ops.size(&config);
    assert_true(size > 0);
    node->core = malloc(size);
    assert_non_null(node->core);
    memset(node->core, 0x5a, size);
    node->id = driver_id((uint8_t)(index + 1));
    gp_discovery_ops.init(node->core, &config, node->id, index);
    node->out = (gp_out_t){.actions = malloc(GP_ACTIONS_MAX * sizeof(gp_action_t)),
                           .capacity = GP_ACTIONS_MAX,
                           .arena = malloc(GP_ARENA_BYTES),
                           .size = GP_ARENA_BYTES,
                           .room = GP_ROOM_DISCOVERY};
}

void driver_grid_init(driver_grid_t *grid, uint32_t nodes)
{
    *grid = (driver_grid_t){.now = GP_SECOND, .node_count = nodes};
    for (uint32_t i = 0; i < nodes; i++) {
        node_init(&grid->nodes[i], i);
    }
    for (uint32_t i = 0; i < nodes; i++) {
        for (uint32_t j = 0; j < nodes; j++) {
            driver_member(grid, i, j, GP_MEMBER_ALIVE);
        }
    }
    for (uint32_t i = 0; i < nodes; i++) {
        driver_leader(grid, i, 1, 0, nodes > 1 ? 1 : UINT32_MAX, GP_RIGHT_QUORUM);
    }
}

void driver_grid_quiet(driver_grid_t *grid, uint32_t nodes)
{
    driver_grid_init(grid, nodes);
    driver_lose(grid);
    memset(grid->sent, 0, sizeof grid->sent);
}

void driver_grid_free(driver_grid_t *grid)
{
    driver_lose(grid);
    free(grid->answer);
    for (uint32_t i = 0; i < grid->node_count; i++) {
        free(grid->nodes[i].core);
        free(grid->nodes[i].out.actions);
        free(grid->nodes[i].out.arena);
    }
}

/* The node that wants to wake first, and when. */
static uint32_t first_wake(const driver_grid_t *grid, gp_usec_t *ret_when)
{
    uint32_t first = 0;
    *ret_when = GP_NEVER;
    for (uint32_t i = 0; i < grid->node_count; i++) {
        gp_usec_t wake = gp_discovery_ops.wake(grid->nodes[i].core);
        if (wake < *ret_when) {
            *ret_when = wake;
            first = i;
        }
    }
    return first;
}

void driver_run(driver_grid_t *grid, gp_usec_t span)
{
    gp_usec_t end = grid->now + span;
    for (;;) {
        for (uint32_t i = 0; i < grid->node_count; i++) {
            gp_discovery_t *d = grid->nodes[i].core;
            if (gp_id_equal(&d->leader, &d->self)) {
                d->lease_until = grid->now + GP_SECOND;
            }
        }
        driver_deliver(grid);
        gp_usec_t when;
        uint32_t node = first_wake(grid, &when);
        if (grid->letter_count > 0) {
            continue;
        }
        if (when > end) {
            break;
        }
        grid->now = when > grid->now ? when : grid->now;
        driver_wake(grid, node);
    }
    grid->now = end;
}
