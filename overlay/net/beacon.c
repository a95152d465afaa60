#include "overlay/net/beacon.h"

#include "overlay/net/clock.h"
#include "proto/text.h"

/* czmq's header is not clean under our warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <czmq.h>
#pragma GCC diagnostic pop

#define MAGIC        "GPB"
#define VERSION      1
#define HEAD         4
#define CONFIGURE_MS 2000

struct gp_beacon {
    zactor_t *actor;
};

/* ---- bytes ----------------------------------------------------------------------------------- */

gp_error_t gp_beacon_write(const gp_beacon_says_t *says, uint8_t ret_bytes[GP_BEACON_MAX],
                           size_t *ret_n)
{
    size_t n = strnlen(says->region, sizeof says->region);
    uint8_t *to = ret_bytes;

    if (n > GP_NAME_MAX || gp_name_check(gp_slice(says->region, n)) != GP_OK) {
        return GP_E_NAME;
    }
    memcpy(to, MAGIC, 3);
    to[3] = VERSION;
    to += HEAD;
    memcpy(to, says->grid.b, sizeof says->grid.b);
    to += sizeof says->grid.b;
    *to++ = (uint8_t)(says->port >> 8);
    *to++ = (uint8_t)says->port;
    *to++ = (uint8_t)n;
    memcpy(to, says->region, n);
    to += n;
    *ret_n = (size_t)(to - ret_bytes);
    return GP_OK;
}

gp_error_t gp_beacon_read(gp_slice_t bytes, gp_beacon_says_t *ret_says)
{
    const size_t fixed = HEAD + sizeof ret_says->grid.b + 3;
    gp_beacon_says_t says = {.port = 0};
    const uint8_t *from = bytes.p;
    gp_slice_t region;

    if (bytes.n < fixed || memcmp(from, MAGIC, 3) != 0 || from[3] != VERSION ||
        bytes.n != fixed + from[fixed - 1]) {
        return GP_E_MESSAGE_DECODE;
    }
    from += HEAD;
    memcpy(says.grid.b, from, sizeof says.grid.b);
    from += sizeof says.grid.b;
    says.port = (uint16_t)(from[0] << 8 | from[1]);
    region = gp_slice(from + 3, from[2]);
    if (says.port == 0 || gp_name_check(region) != GP_OK ||
        !gp_text_copy(says.region, sizeof says.region, region)) {
        return GP_E_MESSAGE_DECODE;
    }
    *ret_says = says;
    return GP_OK;
}

/* ---- czmq ------------------------------------------------------------------------------------ */

/* Once per process: czmq would take SIGINT and SIGTERM, and write to the standard output. */
static void tame(const char *interface)
{
    (void)setenv("ZSYS_SIGHANDLER", "false", 1);
    zsys_set_logstream(NULL);
    zsys_set_interface(interface != NULL ? interface : "");
}

/* Binds the UDP port; false: it has no interface for it. */
static bool configure(zactor_t *actor, uint16_t port)
{
    char *host;
    bool ok;

    zsock_set_rcvtimeo(actor, CONFIGURE_MS);
    if (zsock_send(actor, "si", "CONFIGURE", (int)port) != 0) {
        return false;
    }
    host = zstr_recv(actor);
    ok = host != NULL && host[0] != '\0';
    zstr_free(&host);
    return ok;
}

static bool start(zactor_t *actor, const uint8_t *bytes, size_t n)
{
    if (n > 0) {
        return zsock_send(actor, "sbi", "PUBLISH", bytes, n, GP_BEACON_INTERVAL_MS) == 0;
    }
    return zsock_send(actor, "sb", "SUBSCRIBE", (const byte *)MAGIC, (size_t)3) == 0;
}

gp_error_t gp_beacon_open(const gp_beacon_config_t *config, gp_beacon_t **ret_beacon)
{
    uint8_t bytes[GP_BEACON_MAX];
    size_t n = 0;
    gp_beacon_t *beacon;
    uint16_t port = config->udp_port != 0 ? config->udp_port : GP_BEACON_UDP_PORT;

    if (config->says != NULL) {
        gp_error_t error = gp_beacon_write(config->says, bytes, &n);
        if (error != GP_OK) {
            return error;
        }
    }
    beacon = calloc(1, sizeof *beacon);
    if (beacon == NULL) {
        return GP_E_MEMORY;
    }
    tame(config->interface);
    beacon->actor = zactor_new(zbeacon, NULL);
    if (beacon->actor == NULL || !configure(beacon->actor, port) ||
        !start(beacon->actor, bytes, n)) {
        gp_beacon_close(beacon);
        return GP_E_TRANSPORT;
    }
    *ret_beacon = beacon;
    return GP_OK;
}

void gp_beacon_close(gp_beacon_t *beacon)
{
    if (beacon != NULL) {
        zactor_destroy(&beacon->actor);
        free(beacon);
    }
}

/* The sender's address and what it says; false: nothing that counts. */
static bool understand(zmsg_t *message, const gp_grid_id_t *grid, gp_beacon_says_t *ret_says,
                       char ret_address[GP_ADDRESS_MAX + 1])
{
    zframe_t *host = zmsg_first(message);
    zframe_t *data = zmsg_next(message);
    gp_beacon_says_t says;
    char address[GP_ADDRESS_MAX + 1];
    int n;

    if (host == NULL || data == NULL ||
        gp_beacon_read(gp_slice(zframe_data(data), zframe_size(data)), &says) != GP_OK ||
        memcmp(says.grid.b, grid->b, sizeof grid->b) != 0) {
        return false;
    }
    n = snprintf(address, sizeof address,
                 memchr(zframe_data(host), ':', zframe_size(host)) != NULL ? "tcp://[%.*s]:%u"
                                                                           : "tcp://%.*s:%u",
                 (int)zframe_size(host), (const char *)zframe_data(host), (unsigned)says.port);
    if (n < 0 || (size_t)n >= sizeof address ||
        gp_address_check(gp_text(address), false) != GP_OK) {
        return false;
    }
    memcpy(ret_address, address, sizeof address);
    *ret_says = says;
    return true;
}

gp_error_t gp_beacon_hear(gp_beacon_t *beacon, const gp_grid_id_t *grid, uint32_t timeout_ms,
                          gp_beacon_says_t *ret_says, char ret_address[GP_ADDRESS_MAX + 1])
{
    uint64_t end = gp_net_now_ms() + timeout_ms;
    bool heard = false;

    while (!heard) {
        uint64_t now = gp_net_now_ms();
        zmsg_t *message;
        if (now >= end) {
            return GP_E_TIMED_OUT;
        }
        zsock_set_rcvtimeo(beacon->actor, (int)(end - now));
        message = zmsg_recv(beacon->actor);
        if (message != NULL) {
            heard = understand(message, grid, ret_says, ret_address);
            zmsg_destroy(&message);
        }
    }
    return GP_OK;
}
