/*
 * The LAN beacon: an agent says once a second, by UDP broadcast, where its grid can be joined, and
 * who wants to join listens. A hint and no more: anybody can say anything here, and the token and
 * the handshake decide. Off unless the owner turns it on; while on, czmq runs three threads for it.
 *
 *   "GPB" version:1 grid:16 port:2 (big-endian) region:1+n
 */
#ifndef GP_OVERLAY_NET_BEACON_H
#define GP_OVERLAY_NET_BEACON_H

#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/types.h"

#define GP_BEACON_UDP_PORT    7617 /* the default of config_table.h */
#define GP_BEACON_INTERVAL_MS 1000
#define GP_BEACON_MAX         (4 + 16 + 2 + 1 + GP_NAME_MAX)

typedef struct gp_beacon gp_beacon_t;

typedef struct gp_beacon_says {
    gp_grid_id_t grid;
    char region[GP_NAME_MAX + 1];
    uint16_t port; /* where its transport listens */
} gp_beacon_says_t;

typedef struct gp_beacon_config {
    uint16_t udp_port;            /* 0: GP_BEACON_UDP_PORT */
    const char *interface;        /* NULL: the first that can broadcast */
    const gp_beacon_says_t *says; /* NULL: only listen */
} gp_beacon_config_t;

/* What goes on the wire; bytes used. The region's name is checked (GP_E_NAME). */
GP_MUST_CHECK gp_error_t gp_beacon_write(const gp_beacon_says_t *says,
                                         uint8_t ret_bytes[GP_BEACON_MAX], size_t *ret_n);

/* From the wire, not trusted. GP_E_MESSAGE_DECODE. */
GP_MUST_CHECK gp_error_t gp_beacon_read(gp_slice_t bytes, gp_beacon_says_t *ret_says);

/*
 * Starts. Takes no signal handlers. GP_E_NAME; GP_E_TRANSPORT: no interface can broadcast, or the
 * port is taken.
 */
GP_MUST_CHECK gp_error_t gp_beacon_open(const gp_beacon_config_t *config, gp_beacon_t **ret_beacon);
void gp_beacon_close(gp_beacon_t *beacon); /* NULL is fine */

/*
 * Waits for the next beacon of this grid, up to timeout_ms. The address is "tcp://ADDR:PORT".
 * GP_E_TIMED_OUT.
 */
GP_MUST_CHECK gp_error_t gp_beacon_hear(gp_beacon_t *beacon, const gp_grid_id_t *grid,
                                        uint32_t timeout_ms, gp_beacon_says_t *ret_says,
                                        char ret_address[GP_ADDRESS_MAX + 1]);

#endif
