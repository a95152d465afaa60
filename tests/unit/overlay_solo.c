#include "tests/unit/overlay_solo.h"

#include <stdlib.h>

static gp_action_t sheet[SOLO_ACTIONS];
static _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
static char names[GP_MEMBERS_MAX + 64][8];
static char addresses[GP_MEMBERS_MAX + 64][16];

gp_id_t solo_id(uint32_t number)
{
    gp_id_t id = {{1, (uint8_t)(number >> 8), (uint8_t)number}};
    return id;
}

uint64_t solo_incarnation(uint32_t number)
{
    (void)number;
    return UINT64_C(1) << 16;
}

static void write_number(char *to, char first, uint32_t number)
{
    to[0] = first;
    to[1] = (char)('0' + number / 100 % 10);
    to[2] = (char)('0' + number / 10 % 10);
    to[3] = (char)('0' + number % 10);
    to[4] = 0;
}

gp_record_member_t solo_record(uint32_t number, gp_member_state_t state)
{
    assert(number < GP_MEMBERS_MAX + 64);
    write_number(names[number], 'n', number);
    write_number(addresses[number], 'a', number);
    return (gp_record_member_t){.id = solo_id(number),
                                .incarnation = solo_incarnation(number),
                                .state = (uint8_t)state,
                                .cause = GP_CAUSE_JOINED,
                                .flags = GP_FLAG_SEEN,
                                .name = gp_text(names[number]),
                                .address = gp_text(addresses[number])};
}

solo_t *solo_new(uint32_t others)
{
    solo_t *s = calloc(1, sizeof *s);
    assert(s != NULL);
    s->now = 100 * GP_SECOND;
    s->out = (gp_out_t){.actions = sheet,
                        .capacity = SOLO_ACTIONS,
                        .arena = arena,
                        .size = sizeof arena,
                        .room = GP_ROOM_GROUP};
    gp_record_member_t self = solo_record(0, GP_MEMBER_ALIVE);
    gp_group_defaults(&s->config);
    s->config.group = SOLO_GROUP;
    s->config.boot = 1;
    s->config.name = self.name;
    s->config.address = self.address;
    size_t size = gp_group_ops.size(&s->config);
    s->core = malloc(size);
    assert(s->core != NULL);
    gp_group_ops.init(s->core, &s->config, solo_id(0), 1);
    static gp_msg_t msg;
    memset(&msg, 0, sizeof msg);
    msg.kind = GP_MSG_GROUP_STATE;
    msg.u.group_state.group = SOLO_GROUP;
    for (uint32_t i = 1; i <= others; i++) {
        msg.u.group_state.entries[msg.u.group_state.entries_count++] =
            solo_record(i, GP_MEMBER_ALIVE);
    }
    if (others > 0) {
        solo_event(s, (gp_event_t){.type = GP_EVENT_LOAD, .msg = &msg});
    }
    return s;
}

solo_t *solo_started(uint32_t others)
{
    solo_t *s = solo_new(others);
    solo_event(s, (gp_event_t){.type = GP_EVENT_START});
    return s;
}

void solo_free(solo_t *s)
{
    free(s->core);
    free(s);
}

solo_t *solo_leading(uint32_t others)
{
    solo_t *s = solo_started(others);
    solo_leader(s, 0, others > 0 ? 1 : SOLO_ANY, 1, GP_RIGHT_QUORUM);
    for (uint32_t i = 1; i <= others; i++) {
        gp_msg_t msg = {.kind = GP_MSG_PROBE_ACK};
        msg.u.probe_ack.group = SOLO_GROUP;
        msg.u.probe_ack.incarnation = solo_incarnation(i);
        solo_message(s, i, &msg);
    }
    solo_run(s, s->now + 200 * GP_MSEC);
    solo_answer_all(s);
    assert(gp_group_living(s->core) == others + 1);
    return s;
}

solo_t *solo_following(uint32_t others)
{
    assert(others >= 2);
    solo_t *s = solo_started(others);
    solo_leader(s, 1, 2, 1, GP_RIGHT_QUORUM);
    static gp_msg_t msg;
    memset(&msg, 0, sizeof msg);
    msg.kind = GP_MSG_VIEW;
    gp_msg_view_t *view = &msg.u.view;
    *view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 7, .full = true};
    for (uint32_t i = 0; i <= others; i++) {
        view->entries[view->entries_count++] = solo_record(i, GP_MEMBER_ALIVE);
    }
    solo_message(s, 1, &msg);
    msg.u.view.digest = gp_group_digest(s->core);
    solo_message(s, 1, &msg); /* with the right digest */
    assert(gp_group_recognized(s->core) && s->core->pull_at == 0);
    return s;
}

void solo_event(solo_t *s, gp_event_t event)
{
    event.now = s->now;
    gp_out_reset(&s->out);
    gp_group_ops.step(s->core, &event, &s->out);
    if (event.type != GP_EVENT_LOAD) {
        gp_group_ops.check(s->core);
    }
}

void solo_message(solo_t *s, uint32_t from, const gp_msg_t *msg)
{
    solo_event(s, (gp_event_t){.type = GP_EVENT_MSG, .peer = solo_id(from), .msg = msg});
}

void solo_command(solo_t *s, const gp_msg_t *msg)
{
    solo_event(s, (gp_event_t){.type = GP_EVENT_COMMAND, .msg = msg});
}

void solo_link(solo_t *s, uint32_t peer, bool up)
{
    solo_event(s, (gp_event_t){.type = GP_EVENT_LINK, .peer = solo_id(peer), .ok = up});
}

void solo_dialed(solo_t *s, uint32_t peer, gp_dial_t result)
{
    solo_event(s, (gp_event_t){.type = GP_EVENT_DIALED, .peer = solo_id(peer), .token = result});
}

void solo_leader(solo_t *s, uint32_t leader, uint32_t deputy, uint64_t term, gp_right_t right)
{
    gp_msg_t msg = {.kind = GP_MSG_GROUP_LEADER};
    gp_msg_group_leader_t *news = &msg.u.group_leader;
    news->term = term;
    news->right = (uint8_t)right;
    if (leader != SOLO_ANY) {
        news->leader = solo_id(leader);
    }
    if (deputy != SOLO_ANY) {
        news->deputy = solo_id(deputy);
    }
    if (leader == 0) {
        news->lease_until = right == GP_RIGHT_CARETAKER ? GP_NEVER : s->now + 1500 * GP_MSEC;
    }
    for (uint32_t v = 0; v < 3; v++) {
        news->voters[news->voters_count++] = (gp_record_voter_t){solo_id(v), 500};
    }
    solo_command(s, &msg);
}

void solo_lease(solo_t *s)
{
    gp_msg_t msg = {.kind = GP_MSG_GROUP_LEADER};
    gp_msg_group_leader_t *news = &msg.u.group_leader;
    const gp_group_lead_t *lead = &s->core->leader;
    assert(s->core->leading);
    news->term = lead->term;
    news->leader = lead->id;
    news->deputy = lead->told_deputy;
    news->right = (uint8_t)lead->right;
    news->lease_until = s->now + 1500 * GP_MSEC;
    for (uint32_t v = 0; v < lead->voter_count; v++) {
        news->voters[news->voters_count++].id = lead->voters[v];
    }
    solo_command(s, &msg);
}

void solo_run(solo_t *s, gp_usec_t until)
{
    gp_usec_t wake = gp_group_ops.wake(s->core);
    while (wake <= until) {
        s->now = wake > s->now ? wake : s->now;
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        wake = gp_group_ops.wake(s->core);
        assert(wake > s->now); /* or time would stand still */
    }
    s->now = until;
}

bool solo_run_to(solo_t *s, gp_usec_t limit, gp_msg_kind_t kind)
{
    gp_usec_t end = s->now + limit;
    gp_usec_t wake = gp_group_ops.wake(s->core);
    while (wake <= end) {
        s->now = wake > s->now ? wake : s->now;
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        if (solo_action(s, kind, SOLO_ANY, 0) != NULL) {
            return true;
        }
        wake = gp_group_ops.wake(s->core);
    }
    s->now = end;
    return false;
}

const gp_action_t *solo_action(const solo_t *s, gp_msg_kind_t kind, uint32_t peer, uint32_t nth)
{
    gp_id_t id = peer == SOLO_ANY ? (gp_id_t){{0}} : solo_id(peer);
    for (uint32_t i = 0; i < s->out.count; i++) {
        const gp_action_t *a = &s->out.actions[i];
        bool fits = a->msg != NULL && a->msg->kind == kind &&
                    (peer == SOLO_ANY || gp_id_equal(&a->peer, &id));
        if (fits && nth-- == 0) {
            return a;
        }
    }
    return NULL;
}

const gp_action_t *solo_plain(const solo_t *s, gp_action_type_t type, uint32_t peer)
{
    gp_id_t id = solo_id(peer);
    for (uint32_t i = 0; i < s->out.count; i++) {
        const gp_action_t *a = &s->out.actions[i];
        if (a->type == type && gp_id_equal(&a->peer, &id)) {
            return a;
        }
    }
    return NULL;
}

gp_group_entry_t *solo_entry(solo_t *s, uint32_t number)
{
    gp_id_t id = solo_id(number);
    return gp_group_find(s->core, &id);
}

void solo_answer(solo_t *s, uint32_t number)
{
    gp_msg_t msg = {.kind = GP_MSG_BEAT_ACK};
    msg.u.beat_ack.group = SOLO_GROUP;
    msg.u.beat_ack.incarnation = gp_group_newest(solo_entry(s, number));
    msg.u.beat_ack.sequence = solo_entry(s, number)->sent_sequence;
    msg.u.beat_ack.health = 1000;
    msg.u.beat_ack.headroom = 500;
    solo_message(s, number, &msg);
}

void solo_answer_all(solo_t *s)
{
    for (uint32_t i = 1; i < GP_MEMBERS_MAX + 64; i++) {
        if (solo_entry(s, i) != NULL && solo_entry(s, i)->sent_at != 0) {
            solo_answer(s, i);
        }
    }
}

void solo_hearsay(solo_t *s, uint32_t number)
{
    gp_msg_t msg = {.kind = GP_MSG_SEEK_REPLY};
    msg.u.seek_reply.group = SOLO_GROUP;
    msg.u.seek_reply.entries[msg.u.seek_reply.entries_count++] =
        solo_record(number, GP_MEMBER_ALIVE);
    solo_message(s, 2, &msg);
    assert(!solo_entry(s, number)->in_view);
}
