#include "agent/replay/recorder.h"

#include <stdlib.h>

#include "agent/replay/mask.h"
#include "agent/replay/start.h"
#include "agent/shell/story.h"
#include "proto/random.h"

struct gp_recorder {
    gp_recorder_config_t config;
    gp_ring_t ring;
    bool open; /* the ring takes records; else it was never made, or has failed */
    gp_usec_t began;
    gp_usec_t now; /* of the event that is being taken */
    gp_peers_t peers;
    gp_digest_t digest;
};

/* ---- what a step did ------------------------------------------------------------------------- */

void gp_digest_actions(gp_digest_t *digest, const gp_out_t *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const gp_action_t *action = &out->actions[i];
        gp_put_t put = {.to = digest->bytes, .size = sizeof digest->bytes};
        gp_put_number(&put, action->type);
        gp_put_number(&put, action->room + GP_RECORDED_SEAT * action->seat);
        gp_put_raw(&put, action->peer.b, sizeof action->peer.b);
        gp_put_number(&put, action->token);
        gp_put_number(&put, action->target_count);
        gp_put_raw(&put, action->targets, action->target_count * sizeof(gp_id_t));
        if (action->msg != NULL && !gp_mask_put(action->msg, &digest->scratch, &put)) {
            gp_put_number(&put, action->msg->kind); /* too long for a frame: that it was there */
        }
        digest->hash = gp_hash(put.to, put.used, digest->hash);
    }
}

/* ---- machines -------------------------------------------------------------------------------- */

uint32_t gp_peers_place(const gp_peers_t *peers, const gp_id_t *id)
{
    uint32_t place = 0;
    while (place < peers->count && !gp_id_equal(&peers->ids[place], id)) {
        place++;
    }
    return place;
}

void gp_peers_add(gp_peers_t *peers, const gp_id_t *id)
{
    assert(peers->count < GP_MEMBERS_MAX);
    peers->ids[peers->count++] = *id;
}

/* ---- records --------------------------------------------------------------------------------- */

static void give_up(gp_recorder_t *recorder, gp_error_t error, const char *text)
{
    recorder->open = false;
    recorder->config.trouble(recorder->config.context, error, text);
}

static void append(gp_recorder_t *recorder, const gp_put_t *put)
{
    gp_fail_t fail = {0};
    gp_error_t error = gp_ring_append(&recorder->ring, gp_slice(put->to, put->used), &fail);
    if (error != GP_OK) {
        give_up(recorder, error, fail.text);
    }
}

static gp_put_t record(gp_recorder_t *recorder, gp_recorded_t type)
{
    gp_put_t put = {.to = recorder->digest.bytes, .size = sizeof recorder->digest.bytes};
    gp_put_number(&put, type);
    return put;
}

static void begin(void *context, const gp_runner_config_t *config)
{
    gp_recorder_t *recorder = context;
    gp_fail_t fail = {0};
    gp_ring_close(&recorder->ring); /* an earlier life in the same file */
    recorder->digest.hash = 0;
    recorder->peers.count = 0;
    gp_error_t error = gp_ring_create(recorder->config.folder, recorder->config.name,
                                      recorder->config.size, &recorder->ring, &fail);
    recorder->open = error == GP_OK;
    if (error != GP_OK) {
        recorder->config.trouble(recorder->config.context, error, fail.text);
        return;
    }
    gp_start_t start = {.version = gp_text(recorder->config.version),
                        .fingerprint = gp_mask_fingerprint(),
                        .wall_ms = config->effects->wall(config->context),
                        .now = config->effects->now(config->context),
                        .self = config->gate.self,
                        .seed = config->seed,
                        .config = *(const gp_peer_config_t *)config->core_config};
    recorder->began = start.now;
    gp_put_t put = record(recorder, GP_RECORDED_START);
    gp_start_put(&start, &put);
    assert(!put.over);
    append(recorder, &put);
}

/* All of the event but its message. Returns whether the whole id of its peer is in it. */
static bool put_event(gp_recorder_t *recorder, const gp_event_t *event, gp_put_t *put)
{
    uint8_t hash[8];
    bool peer = !gp_id_is_none(&event->peer);
    uint32_t place = gp_peers_place(&recorder->peers, &event->peer);
    bool whole = peer && place == recorder->peers.count;
    gp_bytes_put64(hash, recorder->digest.hash);
    gp_put_raw(put, hash, sizeof hash);
    gp_put_number(put, event->type);
    gp_put_number(put, event->room + GP_RECORDED_SEAT * event->seat);
    gp_put_number(put, (event->ok ? GP_RECORDED_OK : 0) | (peer ? GP_RECORDED_PEER : 0) |
                           (event->token != 0 ? GP_RECORDED_TOKEN : 0) |
                           (event->msg != NULL ? GP_RECORDED_MSG : 0) |
                           (whole ? GP_RECORDED_NEW : 0));
    gp_put_number(put, event->now - recorder->began);
    if (whole) {
        gp_put_raw(put, event->peer.b, sizeof event->peer.b);
    } else if (peer) {
        gp_put_number(put, place);
    }
    if (event->token != 0) {
        gp_put_number(put, event->token);
    }
    return whole;
}

static void before(void *context, const gp_event_t *event)
{
    gp_recorder_t *recorder = context;
    recorder->now = event->now;
    if (!recorder->open) {
        return;
    }
    gp_put_t put = record(recorder, GP_RECORDED_EVENT);
    bool whole = put_event(recorder, event, &put);
    if (event->msg != NULL && !gp_mask_put(event->msg, &recorder->digest.scratch, &put)) {
        give_up(recorder, GP_E_MESSAGE_SIZE, "an event that no record can hold");
        return;
    }
    append(recorder, &put);
    if (whole && recorder->ring.part == GP_RING_HEAD && recorder->peers.count < GP_MEMBERS_MAX) {
        gp_peers_add(&recorder->peers, &event->peer);
    }
}

static const char *nobody(void *context, const gp_id_t *id)
{
    (void)context;
    (void)id;
    return "";
}

static void keep_notices(gp_recorder_t *recorder, const gp_out_t *out)
{
    char text[64];
    for (uint32_t i = 0; recorder->open && i < out->count; i++) {
        const gp_action_t *action = &out->actions[i];
        gp_put_t put = record(recorder, GP_RECORDED_NOTICE);
        gp_put_number(&put, recorder->now - recorder->began);
        if (action->type == GP_ACTION_NOTICE &&
            gp_story_tell(action->msg, nobody, NULL, text, sizeof text) &&
            gp_mask_put(action->msg, &recorder->digest.scratch, &put)) {
            append(recorder, &put);
        }
    }
}

static void after(void *context, const gp_out_t *out)
{
    gp_recorder_t *recorder = context;
    if (!recorder->open) {
        return;
    }
    gp_digest_actions(&recorder->digest, out);
    if (recorder->ring.part != GP_RING_HEAD) {
        keep_notices(recorder, out);
    }
}

const gp_tap_t gp_recorder_tap = {.begin = begin, .before = before, .after = after};

gp_recorder_t *gp_recorder_new(const gp_recorder_config_t *config)
{
    gp_recorder_t *recorder = calloc(1, sizeof *recorder);
    if (recorder != NULL) {
        recorder->config = *config;
        recorder->ring.fd = -1;
    }
    return recorder;
}

void gp_recorder_free(gp_recorder_t *recorder)
{
    if (recorder == NULL) {
        return;
    }
    if (recorder->open) {
        gp_put_t put = record(recorder, GP_RECORDED_END);
        uint8_t hash[8];
        gp_bytes_put64(hash, recorder->digest.hash);
        gp_put_raw(&put, hash, sizeof hash);
        append(recorder, &put);
    }
    gp_ring_close(&recorder->ring);
    free(recorder);
}
