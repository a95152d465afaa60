/*
 * The frames that wait for one peer. Bounded, with a policy for each class (net.h).
 */
#ifndef GP_OVERLAY_NET_QUEUE_H
#define GP_OVERLAY_NET_QUEUE_H

#include "overlay/net/net.h"

typedef struct gp_queued {
    struct gp_queued *next;
    uint64_t since_ms;
    uint32_t n;
    uint8_t bytes[];
} gp_queued_t;

typedef struct gp_queue_line {
    gp_queued_t *first;
    gp_queued_t *last;
    uint32_t count;
    uint32_t bytes;
} gp_queue_line_t;

/* Zeroed: empty. */
typedef struct gp_queue {
    gp_queue_line_t lines[GP_CLASS_COUNT];
} gp_queue_t;

/*
 * Keeps a copy of the frame. CONTROL makes room by dropping its oldest (*ret_displaced of them).
 * GP_E_PEER_QUEUE: no room. GP_E_MEMORY.
 */
GP_MUST_CHECK gp_error_t gp_queue_push(gp_queue_t *queue, gp_class_t class, gp_slice_t frame,
                                       uint64_t now_ms, uint32_t *ret_displaced);

/* The frame that goes next, CONTROL first; NULL: none. */
const gp_queued_t *gp_queue_peek(gp_queue_t *queue);
void gp_queue_pop(gp_queue_t *queue);

/* Takes that frame out; the caller frees it. NULL: none. */
gp_queued_t *gp_queue_take(gp_queue_t *queue);

/* Drops all that waits since before `since_ms`; returns how many. */
uint32_t gp_queue_expire(gp_queue_t *queue, uint64_t since_ms);
uint32_t gp_queue_clear(gp_queue_t *queue);

uint32_t gp_queue_count(const gp_queue_t *queue);
uint32_t gp_queue_bytes(const gp_queue_t *queue);

#endif
