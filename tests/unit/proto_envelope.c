/* Frames: sealed and opened the same; anything else refused with the right error; no replays. */
#include "proto/envelope.h"

#include <stdlib.h>

#include "proto/random.h"
#include "proto_cmocka.h"
#include "proto_sample.h"

static gp_secret_t *secret;
static gp_sealer_t sealer;
static gp_envelope_t head;
static uint8_t frame[GP_MESSAGE_MAX];
static size_t frame_n;
static gp_envelope_t opened;
static gp_msg_t msg;

static int setup(void **state)
{
    (void)state;
    if (gp_keys_init() != GP_OK || gp_secret_new(&secret) != GP_OK) {
        return -1;
    }
    sealer = (gp_sealer_t){.signer = &gp_signer_ed25519, .secret = secret};
    head = (gp_envelope_t){.grid = {{9, 8, 7}},
                           .source = gp_secret_id(secret),
                           .destination = {{1, 2}},
                           .boot = 3,
                           .sequence = 0x0102030405060708ULL,
                           .sent_ms = 1700000000000ULL};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gp_secret_free(secret);
    return 0;
}

static int seal_refute(void **state)
{
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_REFUTE, .u.refute = {.group = 5, .incarnation = 6}};
    return gp_envelope_seal(&head, &msg, &sealer, frame, sizeof frame, &frame_n) == GP_OK ? 0 : -1;
}

static void test_seal_and_open(void **state)
{
    gp_msg_t got;

    (void)state;
    assert_int_equal(frame_n, GP_ENVELOPE_HEAD + 3 + GP_SIGNATURE_BYTES);
    assert_memory_equal(frame, "GP\1\0\0\x0b\0\0\0\3\x09\x08\x07", 13);
    assert_int_equal(gp_envelope_open(gp_slice(frame, frame_n), &opened), GP_OK);
    assert_true(opened.is_signed);
    assert_int_equal(opened.kind, GP_MSG_REFUTE);
    assert_memory_equal(&opened.grid, &head.grid, sizeof head.grid);
    assert_true(gp_id_equal(&opened.source, &head.source));
    assert_true(gp_id_equal(&opened.destination, &head.destination));
    assert_int_equal(opened.boot, head.boot);
    assert_true(opened.sequence == head.sequence);
    assert_true(opened.sent_ms == head.sent_ms);
    assert_ptr_equal(opened.signed_bytes.p, frame);
    assert_int_equal(opened.signed_bytes.n + GP_SIGNATURE_BYTES, frame_n);
    assert_ptr_equal(opened.body.p, frame + GP_ENVELOPE_HEAD);
    assert_true(gp_envelope_verify(&opened, &gp_signer_ed25519));
    assert_false(gp_envelope_verify(&opened, &gp_signer_standin));
    assert_int_equal(gp_msg_read(opened.kind, opened.body, true, &got), GP_OK);
    assert_true(sample_equal(&got, &msg));
}

static void test_every_bit_is_signed(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * frame_n; bit++) {
        frame[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        if (gp_envelope_open(gp_slice(frame, frame_n), &opened) == GP_OK && opened.is_signed) {
            assert_false(gp_envelope_verify(&opened, &gp_signer_ed25519));
        }
        frame[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

static void test_every_truncation_and_extension(void **state)
{
    (void)state;
    for (size_t n = 0; n < frame_n; n++) {
        uint8_t *cut = malloc(n > 0 ? n : 1);
        assert_non_null(cut);
        if (n > 0) {
            memcpy(cut, frame, n);
        }
        assert_int_equal(gp_envelope_open(gp_slice(cut, n), &opened), GP_E_MESSAGE_SIZE);
        free(cut);
    }
    assert_int_equal(gp_envelope_open(gp_slice(frame, frame_n + 1), &opened), GP_E_MESSAGE_SIZE);
    assert_int_equal(gp_envelope_open((gp_slice_t){0}, &opened), GP_E_MESSAGE_SIZE);
}

static gp_error_t open_with(size_t at, uint8_t byte)
{
    uint8_t was = frame[at];
    gp_error_t error;

    frame[at] = byte;
    error = gp_envelope_open(gp_slice(frame, frame_n), &opened);
    frame[at] = was;
    return error;
}

static void test_wrong_heads(void **state)
{
    static uint8_t huge[GP_MESSAGE_MAX + 1] = "GP";

    (void)state;
    assert_int_equal(open_with(0, 'X'), GP_E_MESSAGE_MAGIC);
    assert_int_equal(open_with(1, 'X'), GP_E_MESSAGE_MAGIC);
    assert_int_equal(open_with(2, 2), GP_E_MESSAGE_VERSION);
    assert_int_equal(open_with(2, 0), GP_E_MESSAGE_VERSION);
    assert_int_equal(open_with(3, 1), GP_E_MESSAGE_VERSION);
    assert_int_equal(open_with(4, 0xff), GP_E_MESSAGE_KIND);              /* unknown */
    assert_int_equal(open_with(5, GP_MSG_BEAT), GP_E_MESSAGE_KIND);       /* LINK */
    assert_int_equal(open_with(5, GP_MSG_LEADER), GP_E_MESSAGE_KIND);     /* NOTICE */
    assert_int_equal(open_with(5, GP_MSG_GROUP_SELF), GP_E_MESSAGE_KIND); /* LOCAL */
    assert_int_equal(open_with(5, GP_MSG_JOB_STATE), GP_E_MESSAGE_KIND);  /* STORED */
    assert_int_equal(open_with(1, 'L'), GP_E_MESSAGE_KIND); /* signed kind in a link frame */
    assert_int_equal(open_with(9, 4), GP_E_MESSAGE_SIZE);
    assert_int_equal(open_with(6, 0xff), GP_E_MESSAGE_SIZE);
    assert_int_equal(gp_envelope_open(gp_slice(huge, sizeof huge), &opened), GP_E_MESSAGE_SIZE);
}

static void test_link_frames(void **state)
{
    gp_msg_t got;
    size_t n = 0;

    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_PROBE, .u.probe = {.group = 1, .sequence = 2}};
    assert_int_equal(gp_envelope_link(&msg, frame, sizeof frame, &n), GP_OK);
    assert_int_equal(n, 10);
    assert_memory_equal(frame, "GL\1\0\0\3\x93\1\2\x90", 10);
    assert_int_equal(gp_envelope_open(gp_slice(frame, n), &opened), GP_OK);
    assert_false(opened.is_signed);
    assert_int_equal(opened.kind, GP_MSG_PROBE);
    assert_true(gp_id_is_none(&opened.source));
    assert_int_equal(gp_msg_read(opened.kind, opened.body, true, &got), GP_OK);
    assert_true(sample_equal(&got, &msg));
    for (size_t size = 0; size < n; size++) {
        size_t untouched = 1;
        assert_int_equal(gp_envelope_link(&msg, frame, size, &untouched), GP_E_MESSAGE_SIZE);
        assert_int_equal(untouched, 1);
    }
    frame[1] = 'P'; /* a link kind in a signed frame */
    assert_int_equal(gp_envelope_open(gp_slice(frame, n), &opened), GP_E_MESSAGE_KIND);
}

static void test_small_buffers(void **state)
{
    (void)state;
    for (size_t size = 0; size < frame_n; size++) {
        uint8_t *small = malloc(size > 0 ? size : 1);
        size_t untouched = 1;
        assert_non_null(small);
        assert_int_equal(gp_envelope_seal(&head, &msg, &sealer, small, size, &untouched),
                         GP_E_MESSAGE_SIZE);
        assert_int_equal(untouched, 1);
        free(small);
    }
}

/* A message that packs to more than a frame may have is refused, whatever the buffer. */
static void test_the_largest_frame(void **state)
{
    static uint8_t big[2 * GP_MESSAGE_MAX];
    static uint8_t text[GP_ATTR_TEXT_MAX];
    size_t n = 0;

    (void)state;
    memset(text, 'a', sizeof text);
    msg = (gp_msg_t){.kind = GP_MSG_RECORD};
    for (uint32_t i = 0; i < GP_ATTRS_MAX; i++) {
        msg.u.record.attrs[i].text = gp_slice(text, sizeof text);
    }
    msg.u.record.attrs_count = 31;
    assert_int_equal(gp_envelope_seal(&head, &msg, &sealer, big, sizeof big, &n), GP_OK);
    assert_true(n <= GP_MESSAGE_MAX);
    assert_int_equal(gp_envelope_open(gp_slice(big, n), &opened), GP_OK);
    msg.u.record.attrs_count = 32;
    assert_int_equal(gp_envelope_seal(&head, &msg, &sealer, big, sizeof big, &n),
                     GP_E_MESSAGE_SIZE);
}

static void test_group_destination(void **state)
{
    gp_id_t id = gp_envelope_group(0x0102030405060708ULL);
    gp_id_t want = {{0}};

    (void)state;
    for (uint8_t i = 0; i < 8; i++) {
        want.b[24 + i] = (uint8_t)(i + 1);
    }
    assert_true(gp_id_equal(&id, &want));
}

/* ---- replay window --------------------------------------------------------------------------- */

static void test_replay_examples(void **state)
{
    gp_replay_t replay = {0};

    (void)state;
    assert_int_equal(gp_replay_check(&replay, 5, 100), GP_OK);
    assert_int_equal(gp_replay_check(&replay, 5, 100), GP_OK); /* a check does not mark */
    gp_replay_advance(&replay, 5, 100);
    assert_int_equal(gp_replay_check(&replay, 5, 100), GP_E_MESSAGE_REPLAY);
    assert_int_equal(gp_replay_check(&replay, 4, 101), GP_E_MESSAGE_REPLAY);
    gp_replay_advance(&replay, 4, 101); /* changes nothing */
    assert_int_equal(gp_replay_check(&replay, 5, 101), GP_OK);
    assert_int_equal(gp_replay_check(&replay, 5, 99), GP_OK);
    gp_replay_advance(&replay, 5, 100 + GP_REPLAY_WINDOW);
    assert_int_equal(gp_replay_check(&replay, 5, 100), GP_E_MESSAGE_REPLAY);
    assert_int_equal(gp_replay_check(&replay, 5, 101), GP_OK);
    gp_replay_advance(&replay, 5, UINT64_MAX);
    assert_int_equal(gp_replay_check(&replay, 5, UINT64_MAX), GP_E_MESSAGE_REPLAY);
    assert_int_equal(gp_replay_check(&replay, 5, UINT64_MAX - 1), GP_OK);
    assert_int_equal(gp_replay_check(&replay, 5, UINT64_MAX - GP_REPLAY_WINDOW),
                     GP_E_MESSAGE_REPLAY);
    assert_int_equal(gp_replay_check(&replay, 6, 0), GP_OK);
    gp_replay_advance(&replay, 6, 0);
    assert_int_equal(gp_replay_check(&replay, 6, 0), GP_E_MESSAGE_REPLAY);
    assert_int_equal(gp_replay_check(&replay, 6, 1), GP_OK);
}

#define NAIVE_MAX 65536U

/* The plainest statement of the rule. */
typedef struct naive {
    uint64_t boot;
    uint64_t highest;
    bool seen[NAIVE_MAX];
} naive_t;

static gp_error_t naive_check(const naive_t *naive, uint64_t boot, uint64_t sequence)
{
    if (boot < naive->boot) {
        return GP_E_MESSAGE_REPLAY;
    }
    if (boot == naive->boot &&
        (naive->seen[sequence] || sequence + GP_REPLAY_WINDOW <= naive->highest)) {
        return GP_E_MESSAGE_REPLAY;
    }
    return GP_OK;
}

static void naive_advance(naive_t *naive, uint64_t boot, uint64_t sequence)
{
    if (naive_check(naive, boot, sequence) != GP_OK) {
        return;
    }
    if (boot > naive->boot) {
        memset(naive, 0, sizeof *naive);
        naive->boot = boot;
    }
    naive->seen[sequence] = true;
    naive->highest = sequence > naive->highest ? sequence : naive->highest;
}

static void test_replay_against_the_plain_rule(void **state)
{
    static naive_t naive;
    gp_replay_t replay = {0};
    gp_random_t random;
    uint64_t boot = 1;
    uint64_t around = 0;

    (void)state;
    gp_random_init(&random, 42);
    for (int i = 0; i < 400000; i++) {
        uint64_t jump = gp_random_below(&random, 1000) == 0 ? 2500 : 4;
        uint64_t sequence;

        around += gp_random_below(&random, jump);
        if (around + 2000 >= NAIVE_MAX || gp_random_below(&random, 20000) == 0) {
            boot++;
            around = gp_random_below(&random, 3000);
        }
        sequence = around + gp_random_below(&random, 8);
        if (gp_random_below(&random, 3) == 0) {
            uint64_t back = gp_random_below(&random, 1400);
            sequence = sequence > back ? sequence - back : 0;
        }
        boot -= gp_random_below(&random, 50) == 0 && boot > 1 ? 1 : 0;
        assert_int_equal(gp_replay_check(&replay, boot, sequence),
                         naive_check(&naive, boot, sequence));
        if (gp_random_below(&random, 4) > 0) { /* the others failed to verify */
            gp_replay_advance(&replay, boot, sequence);
            naive_advance(&naive, boot, sequence);
        }
        boot = naive.boot > boot ? naive.boot : boot;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_seal_and_open, seal_refute),
        cmocka_unit_test_setup(test_every_bit_is_signed, seal_refute),
        cmocka_unit_test_setup(test_every_truncation_and_extension, seal_refute),
        cmocka_unit_test_setup(test_wrong_heads, seal_refute),
        cmocka_unit_test(test_link_frames),
        cmocka_unit_test_setup(test_small_buffers, seal_refute),
        cmocka_unit_test(test_the_largest_frame),
        cmocka_unit_test(test_group_destination),
        cmocka_unit_test(test_replay_examples),
        cmocka_unit_test(test_replay_against_the_plain_rule),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
