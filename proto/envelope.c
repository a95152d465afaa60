#include "proto/envelope.h"

#include "proto/wire.h"

#define GP_MAGIC_SIGNED "GP"
#define GP_MAGIC_LINK   "GL"
#define GP_MAGIC_BYTES  2U
#define GP_BODY_WIDTH   4U

gp_id_t gp_envelope_group(uint64_t group)
{
    gp_id_t id = {{0}};
    gp_wire_out_t out = gp_wire_out(id.b + sizeof id.b - sizeof group, sizeof group);

    gp_wire_put_number(&out, group, sizeof group);
    assert(!out.failed);
    return id;
}

gp_error_t gp_envelope_seal(const gp_envelope_t *envelope, const gp_msg_t *msg,
                            const gp_sealer_t *sealer, uint8_t *to, size_t size, size_t *ret_n)
{
    size_t room = size < GP_MESSAGE_MAX ? size : GP_MESSAGE_MAX;
    gp_wire_out_t out = gp_wire_out(to, GP_ENVELOPE_HEAD);
    size_t body = 0;
    gp_error_t error;

    assert(gp_msg_scope(msg->kind) == GP_SCOPE_SIGNED);
    if (room < GP_ENVELOPE_HEAD + GP_SIGNATURE_BYTES) {
        return GP_E_MESSAGE_SIZE;
    }
    room -= GP_ENVELOPE_HEAD + GP_SIGNATURE_BYTES;
    error = gp_msg_pack(msg, to + GP_ENVELOPE_HEAD, room, &body);
    if (error != GP_OK) {
        return error;
    }
    gp_wire_put(&out, GP_MAGIC_SIGNED, GP_MAGIC_BYTES);
    gp_wire_put_number(&out, GP_ENVELOPE_VERSION, 1);
    gp_wire_put_number(&out, 0, 1);
    gp_wire_put_number(&out, (uint64_t)msg->kind, 2);
    gp_wire_put_number(&out, body, GP_BODY_WIDTH);
    gp_wire_put(&out, envelope->grid.b, sizeof envelope->grid.b);
    gp_wire_put(&out, envelope->source.b, sizeof envelope->source.b);
    gp_wire_put(&out, envelope->destination.b, sizeof envelope->destination.b);
    gp_wire_put_number(&out, envelope->boot, 8);
    gp_wire_put_number(&out, envelope->sequence, 8);
    gp_wire_put_number(&out, envelope->sent_ms, 8);
    assert(!out.failed && out.left == 0);
    sealer->signer->sign(sealer->secret, &envelope->source, GP_ENVELOPE_CONTEXT,
                         gp_slice(to, GP_ENVELOPE_HEAD + body), to + GP_ENVELOPE_HEAD + body);
    *ret_n = GP_ENVELOPE_HEAD + body + GP_SIGNATURE_BYTES;
    return GP_OK;
}

gp_error_t gp_envelope_link(const gp_msg_t *msg, uint8_t *to, size_t size, size_t *ret_n)
{
    size_t room = size < GP_MESSAGE_MAX ? size : GP_MESSAGE_MAX;
    gp_wire_out_t out = gp_wire_out(to, GP_ENVELOPE_LINK_HEAD);
    size_t body = 0;
    gp_error_t error;

    assert(gp_msg_scope(msg->kind) == GP_SCOPE_LINK);
    if (room < GP_ENVELOPE_LINK_HEAD) {
        return GP_E_MESSAGE_SIZE;
    }
    error = gp_msg_pack(msg, to + GP_ENVELOPE_LINK_HEAD, room - GP_ENVELOPE_LINK_HEAD, &body);
    if (error != GP_OK) {
        return error;
    }
    gp_wire_put(&out, GP_MAGIC_LINK, GP_MAGIC_BYTES);
    gp_wire_put_number(&out, GP_ENVELOPE_VERSION, 1);
    gp_wire_put_number(&out, 0, 1);
    gp_wire_put_number(&out, (uint64_t)msg->kind, 2);
    assert(!out.failed && out.left == 0);
    *ret_n = GP_ENVELOPE_LINK_HEAD + body;
    return GP_OK;
}

/* Version, flags and kind: what both heads have after the magic. */
static gp_error_t open_common(gp_wire_in_t *in, gp_envelope_t *envelope)
{
    gp_scope_t scope = envelope->is_signed ? GP_SCOPE_SIGNED : GP_SCOPE_LINK;
    uint64_t version = gp_wire_number(in, 1);
    uint64_t flags = gp_wire_number(in, 1);
    uint32_t kind = (uint32_t)gp_wire_number(in, 2);

    assert(!in->failed); /* the frame has a head */
    if (version != GP_ENVELOPE_VERSION || flags != 0) {
        return GP_E_MESSAGE_VERSION; /* no flag exists yet: a later version's */
    }
    if (!gp_msg_known(kind) || gp_msg_scope((gp_msg_kind_t)kind) != scope) {
        return GP_E_MESSAGE_KIND;
    }
    envelope->kind = (gp_msg_kind_t)kind;
    return GP_OK;
}

static gp_error_t open_signed(gp_slice_t frame, gp_wire_in_t *in, gp_envelope_t *envelope)
{
    size_t body;

    if (frame.n < GP_ENVELOPE_HEAD + GP_SIGNATURE_BYTES) {
        return GP_E_MESSAGE_SIZE;
    }
    body = (size_t)gp_wire_number(in, GP_BODY_WIDTH);
    if (body != frame.n - GP_ENVELOPE_HEAD - GP_SIGNATURE_BYTES) {
        return GP_E_MESSAGE_SIZE;
    }
    gp_wire_copy(in, envelope->grid.b, sizeof envelope->grid.b);
    gp_wire_copy(in, envelope->source.b, sizeof envelope->source.b);
    gp_wire_copy(in, envelope->destination.b, sizeof envelope->destination.b);
    envelope->boot = gp_wire_number(in, 8);
    envelope->sequence = gp_wire_number(in, 8);
    envelope->sent_ms = gp_wire_number(in, 8);
    envelope->body = gp_wire_take(in, body);
    envelope->signed_bytes = gp_slice(frame.p, GP_ENVELOPE_HEAD + body);
    envelope->signature = gp_wire_take(in, GP_SIGNATURE_BYTES).p;
    assert(!in->failed && in->left == 0);
    return GP_OK;
}

gp_error_t gp_envelope_open(gp_slice_t frame, gp_envelope_t *ret_envelope)
{
    gp_envelope_t envelope = {0};
    gp_wire_in_t in = gp_wire_in(frame);
    gp_slice_t magic;
    gp_error_t error;

    if (frame.n > GP_MESSAGE_MAX || frame.n < GP_ENVELOPE_LINK_HEAD) {
        return GP_E_MESSAGE_SIZE;
    }
    magic = gp_wire_take(&in, GP_MAGIC_BYTES);
    envelope.is_signed = gp_slice_equal(magic, gp_text(GP_MAGIC_SIGNED));
    if (!envelope.is_signed && !gp_slice_equal(magic, gp_text(GP_MAGIC_LINK))) {
        return GP_E_MESSAGE_MAGIC;
    }
    error = open_common(&in, &envelope);
    if (error != GP_OK) {
        return error;
    }
    if (envelope.is_signed) {
        error = open_signed(frame, &in, &envelope);
    } else {
        envelope.body = gp_wire_take(&in, in.left);
    }
    if (error != GP_OK) {
        return error;
    }
    *ret_envelope = envelope;
    return GP_OK;
}

bool gp_envelope_in_time(const gp_envelope_t *envelope, gp_wall_ms_t wall)
{
    gp_wall_ms_t sent = envelope->sent_ms;
    return (sent > wall ? sent - wall : wall - sent) <= GP_ENVELOPE_SKEW_MS;
}

bool gp_envelope_verify(const gp_envelope_t *envelope, const gp_signer_t *signer)
{
    assert(envelope->is_signed);
    return signer->verify(&envelope->source, GP_ENVELOPE_CONTEXT, envelope->signed_bytes,
                          envelope->signature);
}

/* ---- replay window --------------------------------------------------------------------------- */

/*
 * A ring of bits indexed by the sequence itself, as in RFC 6479, so that nothing is ever shifted:
 * bit (sequence mod window) is right for the last `window` sequences up to the highest.
 */
static bool is_seen(const gp_replay_t *replay, uint64_t sequence)
{
    uint64_t bit = sequence % GP_REPLAY_WINDOW;

    return (replay->seen[bit / 64] >> (bit % 64) & 1) != 0;
}

gp_error_t gp_replay_check(const gp_replay_t *replay, uint64_t boot, uint64_t sequence)
{
    if (boot != replay->boot) {
        return boot > replay->boot ? GP_OK : GP_E_MESSAGE_REPLAY;
    }
    if (sequence > replay->highest) {
        return GP_OK;
    }
    if (replay->highest - sequence >= GP_REPLAY_WINDOW || is_seen(replay, sequence)) {
        return GP_E_MESSAGE_REPLAY;
    }
    return GP_OK;
}

void gp_replay_advance(gp_replay_t *replay, uint64_t boot, uint64_t sequence)
{
    uint64_t bit = sequence % GP_REPLAY_WINDOW;

    if (gp_replay_check(replay, boot, sequence) != GP_OK) {
        return; /* its twin was verified first */
    }
    if (boot > replay->boot ||
        (sequence > replay->highest && sequence - replay->highest >= GP_REPLAY_WINDOW)) {
        memset(replay->seen, 0, sizeof replay->seen);
        replay->boot = boot;
        replay->highest = sequence;
    }
    while (replay->highest < sequence) {
        uint64_t next = ++replay->highest % GP_REPLAY_WINDOW;
        replay->seen[next / 64] &= ~(UINT64_C(1) << (next % 64));
    }
    replay->seen[bit / 64] |= UINT64_C(1) << (bit % 64);
    assert(is_seen(replay, sequence));
}
