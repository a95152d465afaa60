#include "agent/lab/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/lab/beacon_run.h"

#include "overlay/net/beacon.h"
#include "overlay/net/guest.h"
#include "proto/envelope.h"

#define ASK_MS    5000
#define BEACON_MS 2500

static gp_wall_ms_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (gp_wall_ms_t)now.tv_sec * 1000 + (gp_wall_ms_t)now.tv_nsec / 1000000;
}

static gp_error_t seal(const gp_join_t *join, const gp_seed_t *seed, const gp_msg_t *ask,
                       uint8_t *frame, size_t *ret_n)
{
    gp_envelope_t envelope = {.is_signed = true,
                              .kind = ask->kind,
                              .grid = join->token.grid,
                              .source = join->id,
                              .destination = seed->id,
                              .boot = 1,
                              .sequence = 1,
                              .sent_ms = wall_ms()};
    gp_sealer_t sealer = {&gp_signer_ed25519, join->node};
    return gp_envelope_seal(&envelope, ask, &sealer, frame, GP_MESSAGE_MAX, ret_n);
}

/* The answer is for this machine, and the machine that was asked has signed it. */
static gp_error_t open_answer(const gp_join_t *join, const gp_seed_t *seed, gp_slice_t frame,
                              gp_msg_t *ret_msg)
{
    gp_envelope_t envelope;
    gp_error_t error = gp_envelope_open(frame, &envelope);
    if (error != GP_OK) {
        return error;
    }
    if (!envelope.is_signed || !gp_id_equal(&envelope.source, &seed->id) ||
        !gp_id_equal(&envelope.destination, &join->id)) {
        return GP_E_MESSAGE_SENDER;
    }
    if (!gp_envelope_verify(&envelope, &gp_signer_ed25519)) {
        return GP_E_MESSAGE_SIGNATURE;
    }
    return gp_msg_read(envelope.kind, envelope.body, true, ret_msg);
}

/* What is known beyond the error's own text; NULL: nothing. */
static const char *why(gp_error_t error, gp_dial_t dial)
{
    if (error == GP_E_JOIN_REFUSED) {
        return "who listens there is not the machine of the token, or does not know the token";
    }
    /* Of any other error the connection is not the cause, whatever became of it. */
    if (error != GP_E_JOIN_UNREACHABLE && error != GP_E_TIMED_OUT) {
        return NULL;
    }
    switch (dial) {
    case GP_DIAL_REFUSED:
        return "nothing listens there";
    case GP_DIAL_SILENT:
        return "there is no answer";
    case GP_DIAL_UNREACHABLE:
        return "there is no way to it";
    case GP_DIAL_OPEN:
        break;
    }
    return NULL;
}

/* What is the same for each machine that is asked. */
typedef struct asking {
    const gp_join_t *join;
    gp_slice_t question;
    uint32_t limit_ms;
} asking_t;

static gp_error_t exchange(const asking_t *asking, const gp_seed_t *seed,
                           gp_join_reply_t *ret_reply, gp_fail_t *fail)
{
    const gp_join_t *join = asking->join;
    size_t n = 0;
    gp_dial_t dial = GP_DIAL_OPEN;
    gp_guest_t guest = {.address = seed->address,
                        .server = seed->id,
                        .secret = join->one_time,
                        .question = asking->question,
                        .timeout_ms = asking->limit_ms};
    gp_error_t error = gp_guest_ask(&guest, ret_reply->bytes, sizeof ret_reply->bytes, &n, &dial);
    if (error == GP_E_TIMED_OUT && dial == GP_DIAL_OPEN) {
        return gp_fail(fail, GP_E_JOIN_UNANSWERED, "%s said nothing within %u ms", seed->address,
                       asking->limit_ms);
    }
    if (error != GP_OK) {
        const char *reason = why(error, dial);
        return gp_fail(fail, error, "%s%s%s", seed->address, reason != NULL ? ": " : "",
                       reason != NULL ? reason : "");
    }
    error = open_answer(join, seed, gp_slice(ret_reply->bytes, n), &ret_reply->msg);
    return error == GP_OK ? GP_OK : gp_fail(fail, error, "the answer of %s", seed->address);
}

/* The token's address has changed, perhaps, and a beacon on this network tells the new one. */
static gp_error_t exchange_nearby(const asking_t *asking, const gp_seed_t *seed,
                                  gp_join_reply_t *ret_reply, gp_fail_t *fail)
{
    gp_beacon_run_t beacon = {0};
    gp_seed_t nearby = *seed;
    gp_error_t error =
        gp_beacon_listen(&asking->join->token.grid, GP_BEACON_UDP_PORT, BEACON_MS, &beacon, fail);
    FILE *heard = error == GP_OK ? fdopen(dup(beacon.fd), "r") : NULL;
    error = GP_E_JOIN_UNREACHABLE;
    while (heard != NULL && error != GP_OK &&
           fgets(nearby.address, sizeof nearby.address, heard) != NULL) {
        nearby.address[strcspn(nearby.address, "\n")] = '\0';
        error = exchange(asking, &nearby, ret_reply, fail);
    }
    if (heard != NULL) {
        fclose(heard);
    }
    gp_beacon_end(&beacon);
    return error;
}

gp_error_t gp_exchange(void *context, const gp_join_t *join, const gp_seed_t *seed,
                       const gp_msg_t *ask, gp_join_reply_t *ret_reply, gp_fail_t *fail)
{
    const uint32_t *limit_ms = context;
    uint8_t *frame = malloc(GP_MESSAGE_MAX);
    if (frame == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "no memory for the question");
    }
    size_t n = 0;
    gp_fail_t nearby = {0};
    gp_error_t error = seal(join, seed, ask, frame, &n);
    asking_t asking = {.join = join,
                       .question = gp_slice(frame, n),
                       .limit_ms = limit_ms != NULL ? *limit_ms : ASK_MS};
    if (error == GP_OK) {
        error = exchange(&asking, seed, ret_reply, fail);
    }
    if (error == GP_E_JOIN_UNREACHABLE &&
        exchange_nearby(&asking, seed, ret_reply, &nearby) == GP_OK) {
        error = GP_OK; /* otherwise what the token's own address said is what to tell */
    }
    free(frame);
    return error;
}
