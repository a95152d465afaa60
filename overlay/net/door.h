/*
 * The listening socket, and when it accepts. ZeroMQ accepts by itself, as fast as it can, and spins
 * when there are no file descriptors left. So the socket is ours and ZeroMQ works on a copy of it;
 * when too many strangers come at once or descriptors get scarce, the kernel is told to let new
 * connection requests fall for a moment (a socket filter). They are repeated by their senders, and
 * none is refused: a refused connection is evidence that a process is gone, and must not be seen
 * while it lives. (zmq_unbind would do as well, if it did not end all connections that came in by
 * it.)
 */
#ifndef GP_OVERLAY_NET_DOOR_H
#define GP_OVERLAY_NET_DOOR_H

#include "proto/errors.h"
#include "proto/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;

#define GP_DOOR_PAUSE_MS     100 /* doubled while pause follows upon pause */
#define GP_DOOR_PAUSE_MAX_MS 1600

typedef struct gp_door {
    int fd;     /* ours; -1: closed */
    int fd_max; /* descriptors up to this one may be used for connections */
    bool paused;
    uint32_t pause_ms;
    uint64_t resumed_ms;
    struct event *resume;
    char address[GP_ADDRESS_MAX + 1];
    uint64_t tokens_ms; /* accepts that may still come, times the milliseconds that one costs */
    uint64_t last_ms;
    uint64_t accepted;
    uint64_t pauses;
    uint64_t failures;
    void (*on_pause)(void *context, bool scarce); /* scarce: descriptors, else too many at once */
    void *context;
} gp_door_t;

/* Listens; accepts nothing yet. Errors as gp_address_listen. on_pause and context are set. */
GP_MUST_CHECK gp_error_t gp_door_listen(gp_door_t *door, const char *address);

/* Starts to accept connections for this socket. GP_E_TRANSPORT. */
GP_MUST_CHECK gp_error_t gp_door_open(gp_door_t *door, struct event_base *base, void *inbox);

/* A connection was accepted as this descriptor (from the inbox's monitor). */
void gp_door_accepted(gp_door_t *door, int fd);

/* A connection could not be accepted (from the inbox's monitor). */
void gp_door_failed(gp_door_t *door);

/* After the inbox's own end, which closes the copy. A zeroed door with fd -1 is fine. */
void gp_door_close(gp_door_t *door);

#endif
