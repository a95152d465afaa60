/*
 * Frames: what opens is sealed again (with the stand-in, which the fuzzer can satisfy) and must
 * give the same bytes; its body goes to the reader as in the agent.
 */
#include "proto/envelope.h"
#include "tests/fuzz/fuzz.h"

static gp_msg_t msg;
static uint8_t frame[GP_MESSAGE_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gp_sealer_t sealer = {.signer = &gp_signer_standin};
    gp_envelope_t envelope;
    gp_error_t error;
    size_t n = 0;

    if (size > 2 * GP_MESSAGE_MAX || gp_envelope_open(gp_slice(data, size), &envelope) != GP_OK ||
        gp_msg_read(envelope.kind, envelope.body, true, &msg) != GP_OK) {
        return 0;
    }
    error = envelope.is_signed ? gp_envelope_seal(&envelope, &msg, &sealer, frame, sizeof frame, &n)
                               : gp_envelope_link(&msg, frame, sizeof frame, &n);
    FUZZ_CHECK(error == GP_OK && n == size);
    if (envelope.is_signed) {
        n -= GP_SIGNATURE_BYTES;
        FUZZ_CHECK(gp_envelope_verify(&envelope, &gp_signer_standin) ==
                   (memcmp(frame + n, data + n, GP_SIGNATURE_BYTES) == 0));
    }
    FUZZ_CHECK(memcmp(frame, data, n) == 0);
    return 0;
}
