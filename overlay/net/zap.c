#include "overlay/net/zap.h"

#include "overlay/net/options.h"
#include "proto/text.h"

#include <zmq.h>

/* A request: route, empty, version, request id, domain, address, routing id, mechanism,
 * credentials. */
enum {
    PART_ROUTE,
    PART_EMPTY,
    PART_VERSION,
    PART_REQUEST,
    PART_DOMAIN,
    PART_ADDRESS,
    PART_ROUTING_ID,
    PART_MECHANISM,
    PART_KEY,
    PART_COUNT
};

/* Takes all parts of one request; false: there is none. parts[] are initialized either way. */
static bool take(void *socket, zmq_msg_t parts[PART_COUNT], int *ret_count)
{
    int count = 0;
    bool more = true;

    for (int i = 0; i < PART_COUNT; i++) {
        zmq_msg_init(&parts[i]);
    }
    while (more) {
        zmq_msg_t extra;
        zmq_msg_t *part = &extra;
        if (count < PART_COUNT) {
            part = &parts[count];
        } else {
            zmq_msg_init(&extra);
        }
        if (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) < 0) {
            return false;
        }
        more = zmq_msg_more(part) != 0;
        if (part == &extra) {
            zmq_msg_close(&extra);
        }
        count++;
    }
    *ret_count = count;
    return true;
}

/* False: whoever asked is gone. */
static bool reply(gp_zap_t *zap, const gp_zap_held_t *to, const char *status, const char *user_id)
{
    const struct {
        const void *p;
        size_t n;
    } parts[] = {
        {to->route, to->route_n},
        {"", 0},
        {"1.0", 3},
        {to->request, to->request_n},
        {status, strlen(status)},
        {"", 0},
        {user_id, strlen(user_id)},
        {"", 0},
    };
    const size_t count = sizeof parts / sizeof parts[0];

    for (size_t i = 0; i < count; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0);
        if (zmq_send(zap->socket, parts[i].p, parts[i].n, flags) < 0) {
            return false;
        }
    }
    return true;
}

/* The key, written like an id, becomes the User-Id. */
static bool admit(gp_zap_t *zap, const gp_zap_held_t *to)
{
    char text[GP_ID_TEXT];
    gp_id_t key;

    memcpy(key.b, to->key, sizeof key.b);
    gp_id_text(&key, text);
    return reply(zap, to, "200", text);
}

/* Of one that was held. False: it is gone. */
static bool release(gp_zap_t *zap, gp_zap_held_t *slot)
{
    bool in = admit(zap, slot);

    if (in) {
        assert(zap->refused > 0);
        zap->refused--;
    }
    slot->route_n = 0;
    return in;
}

/* Holds the request in the oldest slot, whose own holder has to try again. */
static void hold(gp_zap_t *zap, const gp_zap_held_t *request)
{
    gp_zap_held_t *slot = &zap->held[zap->next];

    if (slot->route_n != 0) {
        (void)reply(zap, slot, "300", "");
    }
    *slot = *request;
    zap->next = (zap->next + 1) % GP_NET_HELD_MAX;
    zap->refused++;
    zap->holds(zap->context);
}

static void decide(gp_zap_t *zap, const gp_zap_held_t *request)
{
    if (memcmp(request->key, zap->probe, sizeof zap->probe) == 0) {
        zap->probed = true;
        (void)reply(zap, request, "400", "");
        return;
    }
    if (!zap->known(zap->context, request->key)) {
        hold(zap, request);
    } else if (admit(zap, request)) {
        zap->admitted++;
    }
}

static bool part_is(zmq_msg_t *part, const char *text)
{
    return zmq_msg_size(part) == strlen(text) &&
           memcmp(zmq_msg_data(part), text, strlen(text)) == 0;
}

/* Only libzmq itself can ask here. What does not look like it gets no answer, and so nobody in. */
static bool read_request(zmq_msg_t parts[PART_COUNT], int count, gp_zap_held_t *ret_request)
{
    size_t route_n = zmq_msg_size(&parts[PART_ROUTE]);
    size_t request_n = zmq_msg_size(&parts[PART_REQUEST]);

    if (count != PART_COUNT || route_n == 0 || route_n > GP_ZAP_ROUTE_MAX ||
        request_n > GP_ZAP_REQUEST_MAX || !part_is(&parts[PART_VERSION], "1.0") ||
        !part_is(&parts[PART_DOMAIN], GP_NET_ZAP_DOMAIN) ||
        !part_is(&parts[PART_MECHANISM], "CURVE") || zmq_msg_size(&parts[PART_KEY]) != 32) {
        return false;
    }
    *ret_request = (gp_zap_held_t){.route_n = (uint8_t)route_n, .request_n = (uint8_t)request_n};
    memcpy(ret_request->route, zmq_msg_data(&parts[PART_ROUTE]), route_n);
    memcpy(ret_request->request, zmq_msg_data(&parts[PART_REQUEST]), request_n);
    memcpy(ret_request->key, zmq_msg_data(&parts[PART_KEY]), 32);
    return true;
}

bool gp_zap_drain(gp_zap_t *zap)
{
    zmq_msg_t parts[PART_COUNT];
    gp_zap_held_t request;

    for (int i = 0; i < GP_ZWATCH_BUDGET; i++) {
        int count = 0;
        bool taken = take(zap->socket, parts, &count);
        bool valid = taken && read_request(parts, count, &request);

        for (int k = 0; k < PART_COUNT; k++) {
            zmq_msg_close(&parts[k]);
        }
        if (!taken) {
            return false;
        }
        if (valid) {
            zap->before(zap->context);
            decide(zap, &request);
        }
    }
    return true;
}

static bool drain(void *owner)
{
    return gp_zap_drain(owner);
}

gp_error_t gp_zap_open(gp_zap_t *zap, void *zmq_context)
{
    assert(zap->known != NULL && zap->before != NULL && zap->holds != NULL);
    zap->socket = gp_zap_socket(zmq_context);
    return zap->socket != NULL ? GP_OK : GP_E_TRANSPORT;
}

gp_error_t gp_zap_watch(gp_zap_t *zap, gp_zhub_t *hub)
{
    return gp_zwatch_open(&zap->watch, hub, zap->socket, drain, zap);
}

void gp_zap_admit(gp_zap_t *zap, const uint8_t key[32])
{
    for (uint32_t i = 0; i < GP_NET_HELD_MAX; i++) {
        gp_zap_held_t *slot = &zap->held[i];
        if (slot->route_n != 0 && memcmp(slot->key, key, sizeof slot->key) == 0 &&
            release(zap, slot)) {
            zap->admitted++;
        }
    }
    gp_zwatch_touched(&zap->watch);
}

/* ---- strangers ------------------------------------------------------------------------------- */

static void leave_place(gp_zap_t *zap, gp_zap_stranger_t *stranger)
{
    assert(zap->stranger_count > 0);
    stranger->until_ms = 0;
    zap->stranger_count--;
}

/* Their connections are cut by now (inbox.c), or ended by themselves. */
static void free_places(gp_zap_t *zap, uint64_t now_ms)
{
    for (uint32_t i = 0; i < GP_NET_STRANGERS_MAX && zap->stranger_count > 0; i++) {
        gp_zap_stranger_t *stranger = &zap->strangers[i];
        if (stranger->until_ms != 0 && now_ms >= stranger->until_ms) {
            leave_place(zap, stranger);
        }
    }
}

static void take_place(gp_zap_t *zap, const uint8_t key[32], uint64_t now_ms)
{
    gp_zap_stranger_t *place = zap->strangers;

    while (place->until_ms != 0) {
        place++;
        assert(place < zap->strangers + GP_NET_STRANGERS_MAX);
    }
    memcpy(place->key, key, sizeof place->key);
    place->until_ms = now_ms + GP_ZAP_STRANGER_MS;
    zap->stranger_count++;
}

void gp_zap_let_in(gp_zap_t *zap, uint64_t now_ms)
{
    free_places(zap, now_ms);
    for (uint32_t i = 1; i <= GP_NET_HELD_MAX; i++) {
        gp_zap_held_t *slot = &zap->held[(zap->next + GP_NET_HELD_MAX - i) % GP_NET_HELD_MAX];
        if (zap->stranger_count == GP_NET_STRANGERS_MAX) {
            break;
        }
        if (slot->route_n != 0 && release(zap, slot)) {
            take_place(zap, slot->key, now_ms);
        }
    }
    gp_zwatch_touched(&zap->watch);
}

void gp_zap_spoke(gp_zap_t *zap, const uint8_t key[32])
{
    for (uint32_t i = 0; i < GP_NET_STRANGERS_MAX; i++) {
        gp_zap_stranger_t *stranger = &zap->strangers[i];
        if (stranger->until_ms != 0 && memcmp(stranger->key, key, sizeof stranger->key) == 0) {
            leave_place(zap, stranger);
            return;
        }
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

void gp_zap_close(gp_zap_t *zap)
{
    gp_zwatch_close(&zap->watch);
    if (zap->socket != NULL) {
        gp_socket_close(zap->socket, 0);
        zap->socket = NULL;
    }
}
