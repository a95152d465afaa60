/*
 * The output ring of an attempt: what the program wrote and the home has not taken yet.
 *
 * Bytes of both streams lie in one order, with a mark a byte that tells which stream it is of: so
 * no number of tiny writes can take more than the ring. As in TCP, `received` frees the ring and
 * `until` is the credit that the consumer at the far end gives.
 */
#include "agent/work/work_state.h"

#define STREAM_OUT 1
#define STREAM_ERR 2

static bool marked(const uint8_t *marks, uint32_t at)
{
    return (marks[at / 8] >> (at % 8) & 1U) != 0;
}

void gp_output_begin(gp_work_t *work, attempt_t *attempt)
{
    attempt->output_start = 0;
    attempt->output_end = 0;
    attempt->output_sent = 0;
    attempt->output_read = 0;
    attempt->output_due = GP_NEVER;
    attempt->output_step = WORK_OUTPUT_RESEND;
    assert(attempt->output_until <= UINT64_MAX - work->config.output_window);
}

void gp_output_read_on(gp_work_t *work, attempt_t *attempt, gp_out_t *out)
{
    uint64_t until = attempt->output_start + work->config.output_window;
    gp_msg_job_read_t *msg;

    assert(until >= attempt->output_read);
    /* Not for every byte: a reader that is woken rarely reads much at once. */
    if (until - attempt->output_read < work->config.output_window / 4 + 1) {
        return;
    }
    attempt->output_read = until;
    msg = &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_JOB_READ)->u.job_read;
    msg->home = attempt->home;
    msg->job = attempt->job;
    msg->incarnation = attempt->incarnation;
    msg->until = until;
}

/* Marks `n` bytes from `at` on; most of them eight at a time. */
static void mark(uint8_t *marks, uint32_t at, uint32_t n, bool on)
{
    uint32_t end = at + n;

    while (at < end && at % 8 != 0) {
        uint8_t bit = (uint8_t)(1U << (at % 8));

        marks[at / 8] = (uint8_t)(on ? marks[at / 8] | bit : marks[at / 8] & ~bit);
        at++;
    }
    memset(marks + at / 8, on ? 0xff : 0, (end - at) / 8);
    at += (end - at) / 8 * 8;
    if (at < end) {
        uint8_t bits = (uint8_t)((1U << (end - at)) - 1);

        marks[at / 8] = (uint8_t)(on ? marks[at / 8] | bits : marks[at / 8] & ~bits);
    }
}

void gp_output_add(gp_work_t *work, attempt_t *attempt, const gp_msg_work_output_t *msg)
{
    uint32_t window = work->config.output_window;
    gp_slice_t left = msg->bytes;

    assert(msg->offset == attempt->output_end); /* the launcher is this machine's own */
    assert(left.n <= attempt->output_read - attempt->output_end);
    while (left.n > 0) {
        uint32_t at = (uint32_t)(attempt->output_end % window);
        uint32_t n = left.n < window - at ? left.n : window - at;

        memcpy(gp_work_ring(work, attempt) + at, left.p, n);
        mark(gp_work_marks(work, attempt), at, n, msg->stream == STREAM_ERR);
        attempt->output_end += n;
        left.p += n;
        left.n -= n;
    }
}

void gp_output_ack(attempt_t *attempt, uint64_t received, uint64_t until, gp_usec_t now)
{
    if (received > attempt->output_end) {
        return; /* more than was ever sent: not ours */
    }
    if (received > attempt->output_start) {
        attempt->output_start = received;
        attempt->output_step = WORK_OUTPUT_RESEND;
        attempt->output_due = now + attempt->output_step;
    }
    if (attempt->output_sent < attempt->output_start) {
        attempt->output_sent = attempt->output_start;
    }
    if (until > attempt->output_until && until <= UINT64_MAX / 2) {
        attempt->output_until = until;
    }
}

/* The longest piece from `from` on that is of one stream, in one part of the ring, below `to`. */
static uint32_t piece(const gp_work_t *work, const uint8_t *marks, uint64_t from, uint64_t to)
{
    uint32_t window = work->config.output_window;
    uint32_t at = (uint32_t)(from % window);
    uint32_t n = 1;
    uint32_t most = window - at;
    uint8_t whole = marked(marks, at) ? 0xff : 0;

    assert(from < to);
    most = most < GP_OUTPUT_CHUNK_MAX ? most : GP_OUTPUT_CHUNK_MAX;
    most = to - from < most ? (uint32_t)(to - from) : most;
    while (n < most && marked(marks, at + n) == marked(marks, at)) {
        n++;
        while ((at + n) % 8 == 0 && n + 8 <= most && marks[(at + n) / 8] == whole) {
            n += 8;
        }
    }
    return n;
}

void gp_output_send(gp_work_t *work, attempt_t *attempt, gp_usec_t now, gp_out_t *out)
{
    const uint8_t *ring = gp_work_ring(work, attempt);
    const uint8_t *marks = gp_work_marks(work, attempt);
    uint64_t to =
        attempt->output_end < attempt->output_until ? attempt->output_end : attempt->output_until;

    if (attempt->output_due <= now) { /* nothing was acknowledged in time: again from the start */
        attempt->output_sent = attempt->output_start;
        attempt->output_step *= 2;
        if (attempt->output_step > WORK_OUTPUT_RESEND_MAX) {
            attempt->output_step = WORK_OUTPUT_RESEND_MAX;
        }
    }
    while (attempt->output_sent < to && gp_work_has_room(work, out)) {
        uint32_t n = piece(work, marks, attempt->output_sent, to);
        uint32_t at = (uint32_t)(attempt->output_sent % work->config.output_window);
        gp_msg_output_t *msg =
            &gp_out_add(out, GP_ACTION_SEND, &attempt->home, GP_MSG_OUTPUT)->u.output;

        msg->job = attempt->job;
        msg->incarnation = attempt->incarnation;
        msg->stream = marked(marks, at) ? STREAM_ERR : STREAM_OUT;
        msg->offset = attempt->output_sent;
        /* Copied: only what is on the sheet counts when room is looked for. */
        msg->bytes = gp_out_slice(out, gp_slice(ring + at, n));
        attempt->output_sent += n;
        attempt->output_due = now + attempt->output_step;
    }
    if (attempt->output_start == attempt->output_sent) {
        attempt->output_due = GP_NEVER;
    }
}

bool gp_output_waits(const attempt_t *attempt)
{
    return attempt->output_sent < attempt->output_end &&
           attempt->output_sent < attempt->output_until;
}
