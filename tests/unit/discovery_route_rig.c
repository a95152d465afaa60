#include "discovery_route_rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto_cmocka.h"

static const gp_sealer_t sealer = {.signer = &gp_signer_standin};

gp_id_t rig_id(uint8_t n)
{
    return (gp_id_t){{n}};
}

static void step(rig_t *rig, const gp_event_t *event)
{
    gp_event_t now = *event;
    now.now = rig->now;
    gp_out_reset(&rig->out);
    rig->out.room = GP_ROOM_ROUTE;
    gp_route_ops.step(rig->core, &now, &rig->out);
    gp_route_ops.check(rig->core);
}

rig_t *rig_new(bool alone)
{
    rig_t *rig = calloc(1, sizeof *rig);
    const gp_route_config_t config = {
        .groups = {RIG_SUBGRID, alone ? 0 : RIG_REGION, alone ? 0 : RIG_GRID},
        .subgrid = gp_text("s5"),
        .region = gp_text("lab"),
        .cert = gp_text("a certificate")};
    assert_non_null(rig);
    rig->core = calloc(1, gp_route_ops.size(&config));
    assert_non_null(rig->core);
    rig->now = 100 * GP_SECOND;
    rig->out = (gp_out_t){.actions = rig->actions,
                          .capacity = GP_ACTIONS_MAX,
                          .arena = rig->arena,
                          .size = sizeof rig->arena};
    gp_route_ops.init(rig->core, &config, rig_id(1), 1);
    step(rig, &(gp_event_t){.type = GP_EVENT_START});
    return rig;
}

void rig_free(rig_t *rig)
{
    free(rig->core);
    free(rig);
}

gp_msg_t *rig_draft(rig_t *rig, gp_msg_kind_t kind)
{
    memset(&rig->msg, 0, gp_msg_size(kind));
    rig->msg.kind = kind;
    return &rig->msg;
}

void rig_command(rig_t *rig, uint64_t token)
{
    step(rig, &(gp_event_t){.type = GP_EVENT_COMMAND, .token = token, .msg = &rig->msg});
}

gp_slice_t rig_frame(rig_t *rig, uint8_t from)
{
    uint8_t *frame = malloc(GP_MESSAGE_MAX);
    size_t n = 0;
    const gp_envelope_t envelope = {.is_signed = true,
                                    .kind = rig->msg.kind,
                                    .source = rig_id(from),
                                    .destination = rig_id(1),
                                    .boot = 1,
                                    .sequence = ++rig->sequence,
                                    .sent_ms = 1000};
    assert_non_null(frame);
    assert_int_equal(gp_envelope_seal(&envelope, &rig->msg, &sealer, frame, GP_MESSAGE_MAX, &n),
                     GP_OK);
    return gp_slice(frame, n);
}

void rig_message(rig_t *rig, uint8_t from)
{
    gp_slice_t frame = rig_frame(rig, from);
    gp_envelope_t envelope;
    gp_msg_t *msg = calloc(1, sizeof *msg);
    assert_non_null(msg);
    assert_int_equal(gp_envelope_open(frame, &envelope), GP_OK);
    assert_int_equal(gp_msg_read(envelope.kind, envelope.body, true, msg), GP_OK);
    msg->signed_bytes = frame;
    step(rig, &(gp_event_t){.type = GP_EVENT_MSG, .peer = rig_id(from), .msg = msg});
    free(msg);
    free((uint8_t *)(uintptr_t)frame.p);
}

void rig_run(rig_t *rig, gp_usec_t span)
{
    gp_usec_t end = rig->now + span;
    while (gp_route_ops.wake(rig->core) <= end) {
        gp_usec_t wake = gp_route_ops.wake(rig->core);
        rig->now = wake > rig->now ? wake : rig->now;
        step(rig, &(gp_event_t){.type = GP_EVENT_WAKE});
    }
    rig->now = end;
}

void rig_lead(rig_t *rig, gp_seat_t seat, uint8_t leader, uint8_t deputy, uint64_t term)
{
    static const uint64_t groups[] = {RIG_SUBGRID, RIG_REGION, RIG_GRID};
    gp_msg_route_leader_t *to = &rig_draft(rig, GP_MSG_ROUTE_LEADER)->u.route_leader;
    to->seat = (uint8_t)seat;
    to->group = groups[seat];
    to->term = term;
    to->leader = rig_id(leader);
    to->deputy = rig_id(deputy);
    to->right = leader == 0 ? GP_RIGHT_NONE : GP_RIGHT_QUORUM;
    rig_command(rig, 0);
}

void rig_member(rig_t *rig, gp_seat_t seat, uint8_t member, bool gone)
{
    gp_msg_route_member_t *to = &rig_draft(rig, GP_MSG_ROUTE_MEMBER)->u.route_member;
    to->seat = (uint8_t)seat;
    to->id = rig_id(member);
    to->gone = gone;
    rig_command(rig, 0);
}

/* Of machines called n<group>-1 .. 4, all alike. */
static void offer(uint64_t group, uint64_t cpu, uint8_t summary[GP_SUMMARY_MAX], gp_slice_t *ret_n,
                  uint8_t names[GP_PLACE_NAMES_MAX], gp_slice_t *ret_names)
{
    static gp_summary_t made;
    static gp_route_names_t digest;
    void *memory = malloc(gp_records_size(4, GP_RECORD_POOL));
    assert_non_null(memory);
    gp_records_t *records = gp_records_init(memory, 4, GP_RECORD_POOL);
    memset(&digest, 0, sizeof digest);
    for (uint32_t i = 0; i < 4; i++) {
        char name[GP_NAME_MAX];
        (void)snprintf(name, sizeof name, "n%u-%u", (unsigned)(group & 0xffff), i + 1);
        gp_records_set_number(records, i, GP_ATTR_CPU, cpu);
        gp_records_set_text(records, i, GP_ATTR_NAME, gp_text(name), false);
        gp_route_names_add(&digest, gp_text(name));
    }
    gp_summary_make(records, 15, &made);
    *ret_n = gp_slice(summary, gp_summary_pack(&made, summary));
    *ret_names = gp_slice(names, gp_route_names_pack(&digest, names));
    free(memory);
}

void rig_own(rig_t *rig, uint32_t members, uint64_t cpu)
{
    uint8_t summary[GP_SUMMARY_MAX];
    uint8_t names[GP_PLACE_NAMES_MAX];
    gp_msg_route_own_t *to = &rig_draft(rig, GP_MSG_ROUTE_OWN)->u.route_own;
    to->members = members;
    offer(RIG_SUBGRID, cpu, summary, &to->summary, names, &to->names);
    rig_command(rig, 0);
}

void rig_place(rig_t *rig, uint8_t from, uint64_t below, uint64_t term, uint32_t version,
               uint64_t cpu)
{
    uint8_t summary[GP_SUMMARY_MAX];
    uint8_t names[GP_PLACE_NAMES_MAX];
    rig_member(rig, gp_group_tier(below) == 0 ? GP_SEAT_REGION : GP_SEAT_GRID, from, false);
    gp_msg_place_t *to = &rig_draft(rig, GP_MSG_PLACE)->u.place;
    to->group = gp_group_tier(below) == 0 ? RIG_REGION : RIG_GRID;
    to->below = below;
    to->term = term;
    to->version = version;
    to->members = 4;
    to->gone = cpu == 0;
    offer(below, cpu, summary, &to->summary, names, &to->names);
    rig_message(rig, from);
}

const gp_action_t *rig_find(const rig_t *rig, gp_msg_kind_t kind, uint32_t i)
{
    for (uint32_t at = 0; at < rig->out.count; at++) {
        const gp_action_t *action = &rig->actions[at];
        if (action->msg != NULL && action->msg->kind == kind && i-- == 0) {
            return action;
        }
    }
    return NULL;
}

void rig_question(rig_t *rig, uint8_t from, uint64_t query_id, gp_route_ask_t ask,
                  const char *query)
{
    gp_coordinate_t place;
    uint8_t where[GP_COORDINATE_BYTES];
    gp_msg_route_t *to = &rig_draft(rig, GP_MSG_ROUTE)->u.route;
    to->query_id = query_id;
    to->home = 77;
    to->ask = (uint8_t)ask;
    to->scope = GP_ROUTE_GRID;
    to->query = gp_text(query);
    to->timeout_ms = 4000;
    to->cert = gp_text("another certificate");
    gp_coordinate_start(&place);
    gp_coordinate_pack(&place, where);
    to->coordinate = gp_slice(where, sizeof where);
    rig_message(rig, from);
}
