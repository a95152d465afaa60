#include "overlay/net/queue.h"

#include <stdlib.h>

static gp_queued_t *take_first(gp_queue_line_t *line)
{
    gp_queued_t *frame = line->first;

    assert(frame != NULL && line->count > 0 && line->bytes >= frame->n);
    line->first = frame->next;
    if (line->first == NULL) {
        line->last = NULL;
    }
    line->count--;
    line->bytes -= frame->n;
    return frame;
}

static void drop_first(gp_queue_line_t *line)
{
    free(take_first(line));
}

static bool is_full(const gp_queue_line_t *line, uint32_t n)
{
    return line->count >= GP_PEER_QUEUE_MAX || line->bytes + n > GP_PEER_QUEUE_BYTES;
}

gp_error_t gp_queue_push(gp_queue_t *queue, gp_class_t class, gp_slice_t frame, uint64_t now_ms,
                         uint32_t *ret_displaced)
{
    gp_queue_line_t *line = &queue->lines[class];
    gp_queued_t *copy;
    uint32_t displaced = 0;

    static_assert(GP_MESSAGE_MAX <= GP_PEER_QUEUE_BYTES, "an empty queue takes any frame");
    assert(class < GP_CLASS_COUNT && frame.n <= GP_MESSAGE_MAX);
    if (class == GP_CLASS_DATA && is_full(line, frame.n)) {
        return GP_E_PEER_QUEUE;
    }
    copy = malloc(sizeof *copy + frame.n);
    if (copy == NULL) {
        return GP_E_MEMORY;
    }
    while (is_full(line, frame.n)) {
        drop_first(line);
        displaced++;
    }
    *copy = (gp_queued_t){.since_ms = now_ms, .n = frame.n};
    if (frame.n > 0) {
        memcpy(copy->bytes, frame.p, frame.n);
    }
    if (line->last != NULL) {
        line->last->next = copy;
    } else {
        line->first = copy;
    }
    line->last = copy;
    line->count++;
    line->bytes += frame.n;
    *ret_displaced = displaced;
    return GP_OK;
}

/* The line whose turn it is. */
static gp_queue_line_t *next_line(gp_queue_t *queue)
{
    gp_queue_line_t *control = &queue->lines[GP_CLASS_CONTROL];

    return control->first != NULL ? control : &queue->lines[GP_CLASS_DATA];
}

const gp_queued_t *gp_queue_peek(gp_queue_t *queue)
{
    return next_line(queue)->first;
}

void gp_queue_pop(gp_queue_t *queue)
{
    drop_first(next_line(queue));
}

gp_queued_t *gp_queue_take(gp_queue_t *queue)
{
    gp_queue_line_t *line = next_line(queue);

    return line->first != NULL ? take_first(line) : NULL;
}

uint32_t gp_queue_expire(gp_queue_t *queue, uint64_t since_ms)
{
    uint32_t count = 0;

    for (int i = 0; i < GP_CLASS_COUNT; i++) {
        gp_queue_line_t *line = &queue->lines[i];
        while (line->first != NULL && line->first->since_ms < since_ms) {
            drop_first(line);
            count++;
        }
    }
    return count;
}

uint32_t gp_queue_clear(gp_queue_t *queue)
{
    return gp_queue_expire(queue, UINT64_MAX);
}

uint32_t gp_queue_count(const gp_queue_t *queue)
{
    return queue->lines[GP_CLASS_CONTROL].count + queue->lines[GP_CLASS_DATA].count;
}

uint32_t gp_queue_bytes(const gp_queue_t *queue)
{
    return queue->lines[GP_CLASS_CONTROL].bytes + queue->lines[GP_CLASS_DATA].bytes;
}
