#include "agent/peer/gate.h"

#include "discovery/route_check.h"
#include "election/mandate_check.h"

void gp_gate_init(gp_gate_t *gate, const gp_gate_config_t *config, gp_gate_sender_t *senders)
{
    assert(senders != NULL);
    *gate = (gp_gate_t){.config = *config, .senders = senders};
}

static gp_gate_sender_t *sender_of(gp_gate_t *gate, const gp_id_t *id, gp_usec_t now)
{
    gp_gate_sender_t *oldest = NULL;
    for (uint32_t i = 0; i < gate->sender_count; i++) {
        gp_gate_sender_t *sender = &gate->senders[i];
        if (gp_id_equal(&sender->id, id)) {
            return sender;
        }
        if (oldest == NULL || sender->used < oldest->used) {
            oldest = sender;
        }
    }
    if (gate->sender_count < GP_GATE_SENDERS) {
        oldest = &gate->senders[gate->sender_count++];
    }
    *oldest = (gp_gate_sender_t){.id = *id, .used = now, .credit = GP_GATE_BURST * GP_SECOND};
    return oldest;
}

/* A bucket of frames in millionths: a microsecond of time earns GP_GATE_RATE of them. */
static bool within_quota(gp_gate_sender_t *sender, gp_usec_t now)
{
    const uint64_t full = GP_GATE_BURST * GP_SECOND;
    uint64_t passed = now > sender->used ? now - sender->used : 0;
    uint64_t earned = passed > full / GP_GATE_RATE ? full : passed * GP_GATE_RATE;
    sender->credit = earned >= full - sender->credit ? full : sender->credit + earned;
    sender->used = now;
    if (sender->credit < GP_SECOND) {
        return false;
    }
    sender->credit -= GP_SECOND;
    return true;
}

static bool for_us(const gp_gate_t *gate, const gp_id_t *destination)
{
    if (gp_id_equal(destination, &gate->config.self)) {
        return true;
    }
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        gp_id_t group = gp_envelope_group(gate->config.groups[seat]);
        if (gate->config.groups[seat] != 0 && gp_id_equal(destination, &group)) {
            return true;
        }
    }
    return false;
}

static gp_seat_t seat_of(const gp_msg_t *msg)
{
    return (gp_seat_t)gp_group_tier(gp_msg_group(msg));
}

/* Questions and answers come from anywhere in the grid. */
static bool is_of_grid(void *context, gp_slice_t cert, const gp_id_t *id, gp_slice_t name)
{
    const gp_gate_t *gate = context;
    return gate->config.certified(gate->config.context, GP_SEAT_GRID, cert, id, name);
}

static bool are_certified(const gp_gate_t *gate, gp_seat_t seat, const gp_record_member_t *entries,
                          uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!gate->config.certified(gate->config.context, seat, entries[i].cert, &entries[i].id,
                                    entries[i].name)) {
            return false;
        }
    }
    return true;
}

/* Whom a machine presents, itself or others, it presents by certificate, and by no other name. */
static bool carries_valid_certs(const gp_gate_t *gate, const gp_id_t *source, const gp_msg_t *msg)
{
    if (gate->config.certified == NULL) {
        return true;
    }
    switch (msg->kind) {
    case GP_MSG_SEEK:
        return gate->config.certified(gate->config.context, seat_of(msg), msg->u.seek.cert, source,
                                      msg->u.seek.name);
    case GP_MSG_INTRODUCE:
        return are_certified(gate, seat_of(msg), msg->u.introduce.entries,
                             msg->u.introduce.entries_count);
    case GP_MSG_SEEK_REPLY:
        return are_certified(gate, seat_of(msg), msg->u.seek_reply.entries,
                             msg->u.seek_reply.entries_count);
    default:
        return true;
    }
}

static gp_error_t check_evidence(gp_gate_t *gate, const gp_id_t *source, const gp_msg_t *msg,
                                 gp_wall_ms_t wall)
{
    if (gp_msg_group(msg) != 0 && seat_of(msg) < GP_SEAT_GRID && gate->config.foreign != NULL &&
        gate->config.foreign(gate->config.context, source)) {
        return GP_E_MESSAGE_REGION;
    }
    if (gp_msg_room(msg->kind) == GP_ROOM_ROUTE) {
        const gp_route_checker_t checker = {.grid = gate->config.grid,
                                            .signer = gate->config.sealer.signer,
                                            .wall = wall,
                                            .certified =
                                                gate->config.certified != NULL ? is_of_grid : NULL,
                                            .context = gate};
        return gp_route_check(msg, source, &checker);
    }
    if (msg->kind == GP_MSG_MANDATE) {
        return gp_mandate_check(msg, &gate->config.grid, gate->config.sealer.signer);
    }
    if (msg->kind == GP_MSG_VOTE_ASK) {
        return gp_release_check(msg, source, &gate->config.grid, gate->config.sealer.signer);
    }
    if (msg->kind == GP_MSG_CLAIM && gate->config.vouched != NULL &&
        !gate->config.vouched(gate->config.context, source)) {
        return GP_E_CERT_SIGNATURE;
    }
    return carries_valid_certs(gate, source, msg) ? GP_OK : GP_E_CERT_SIGNATURE;
}

static gp_error_t check_signed(gp_gate_t *gate, const gp_envelope_t *envelope,
                               const gp_id_t *session, gp_usec_t now, gp_wall_ms_t wall)
{
    if (memcmp(envelope->grid.b, gate->config.grid.b, sizeof envelope->grid.b) != 0) {
        return GP_E_MESSAGE_GRID;
    }
    if (!for_us(gate, &envelope->destination)) {
        return GP_E_MESSAGE_DESTINATION;
    }
    if (!gp_id_equal(&envelope->source, session)) {
        return GP_E_MESSAGE_SENDER;
    }
    gp_gate_sender_t *sender = sender_of(gate, &envelope->source, now);
    if (!within_quota(sender, now)) {
        return GP_E_MESSAGE_RATE;
    }
    gp_error_t error = gp_replay_check(&sender->replay, envelope->boot, envelope->sequence);
    if (error != GP_OK) {
        return error;
    }
    if (!gp_envelope_in_time(envelope, wall)) {
        return GP_E_MESSAGE_STALE;
    }
    if (!gp_envelope_verify(envelope, gate->config.sealer.signer)) {
        return GP_E_MESSAGE_SIGNATURE;
    }
    gp_replay_advance(&sender->replay, envelope->boot, envelope->sequence);
    return GP_OK;
}

gp_error_t gp_gate_take(gp_gate_t *gate, const gp_id_t *session, gp_slice_t frame, gp_usec_t now,
                        gp_wall_ms_t wall, gp_msg_t *ret_msg)
{
    gp_envelope_t envelope;
    gp_error_t error = gp_envelope_open(frame, &envelope);
    if (error != GP_OK) {
        return error;
    }
    if (envelope.is_signed) {
        error = check_signed(gate, &envelope, session, now, wall);
        if (error != GP_OK) {
            return error;
        }
    }
    error = gp_msg_read(envelope.kind, envelope.body, true, ret_msg);
    if (error != GP_OK) {
        return error;
    }
    ret_msg->sent_ms = envelope.is_signed ? envelope.sent_ms : 0;
    ret_msg->signed_bytes = envelope.is_signed ? frame : (gp_slice_t){0};
    return check_evidence(gate, session, ret_msg, wall);
}

gp_error_t gp_gate_seal(gp_gate_t *gate, const gp_id_t *to, const gp_msg_t *msg, gp_wall_ms_t wall,
                        uint8_t frame[GP_MESSAGE_MAX], size_t *ret_n)
{
    if (gp_msg_scope(msg->kind) == GP_SCOPE_LINK) {
        return gp_envelope_link(msg, frame, GP_MESSAGE_MAX, ret_n);
    }
    assert(to != NULL || gp_msg_group(msg) != 0);
    gp_envelope_t envelope = {
        .is_signed = true,
        .kind = msg->kind,
        .grid = gate->config.grid,
        .source = gate->config.self,
        .destination = to != NULL ? *to : gp_envelope_group(gp_msg_group(msg)),
        .boot = gate->config.boot,
        .sequence = ++gate->sequence,
        .sent_ms = wall,
    };
    return gp_envelope_seal(&envelope, msg, &gate->config.sealer, frame, GP_MESSAGE_MAX, ret_n);
}
