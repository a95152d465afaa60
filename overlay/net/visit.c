/*
 * Those that pass: machines that are in no group of this one. A stranger is unknown but for its
 * key, and is heard once; if it proves that it is a machine of this grid, it is a visitor. A
 * contact is one that this machine was told of: it is dialled, and heard when it has proven the
 * same. Both stay as long as they are used, in a bounded number of places.
 */
#include "overlay/net/address.h"
#include "overlay/net/clock.h"
#include "overlay/net/internal.h"

bool gp_net_is_passing(const gp_net_peer_t *peer)
{
    return peer->standing == GP_STANDING_CONTACT || peer->standing == GP_STANDING_VISITOR;
}

/* Nobody holds it, nothing waits for it, and no frame came or went for so long. */
static bool is_idle(const gp_net_peer_t *peer, uint64_t now_ms, uint64_t idle_ms)
{
    return !peer->held && gp_queue_count(&peer->queue) == 0 && now_ms - peer->used_ms >= idle_ms;
}

void gp_visits_expire(gp_net_t *net, uint64_t now_ms)
{
    uint32_t i = 0;

    while (i < net->peer_count) {
        gp_net_peer_t *peer = net->by_id[i];
        if (gp_net_is_passing(peer) &&
            (now_ms >= peer->until_ms || is_idle(peer, now_ms, net->visitor_idle_ms))) {
            gp_net_remove(peer, 0);
        } else {
            i++;
        }
    }
}

/* Room for one more that passes: the one that is not used for longest goes, if any is idle. */
static bool make_room(gp_net_t *net, uint64_t now_ms)
{
    gp_net_peer_t *idlest = NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; i < net->peer_count; i++) {
        gp_net_peer_t *peer = net->by_id[i];
        if (!gp_net_is_passing(peer)) {
            continue;
        }
        count++;
        if (is_idle(peer, now_ms, net->visitor_rest_ms) &&
            (idlest == NULL || peer->used_ms < idlest->used_ms)) {
            idlest = peer;
        }
    }
    if (count < GP_NET_VISITORS_MAX) {
        return true;
    }
    if (idlest != NULL) {
        gp_net_remove(idlest, 0);
    }
    return idlest != NULL;
}

/* Makes `id` one that passes, if it is not known yet. */
static gp_error_t add_passing(gp_net_t *net, const gp_id_t *id, gp_standing_t standing,
                              gp_net_peer_t **ret_peer)
{
    gp_error_t error = GP_OK;

    *ret_peer = gp_net_find(net, id);
    if (*ret_peer == NULL) {
        error = make_room(net, gp_net_now_ms()) ? gp_net_add(net, id, standing, ret_peer)
                                                : GP_E_PEER_LIMIT;
        if (error == GP_OK) {
            (*ret_peer)->until_ms = UINT64_MAX; /* until a certificate says otherwise */
        }
    }
    return error;
}

gp_error_t gp_net_contact(gp_net_t *net, const gp_id_t *id, const char *address)
{
    gp_net_peer_t *peer;
    gp_sockaddr_t parsed;
    gp_error_t error;

    if (gp_address_parse(address, false, &parsed) != GP_OK) {
        return GP_E_ADDRESS;
    }
    if (gp_id_equal(id, &net->self)) {
        return GP_OK;
    }
    error = add_passing(net, id, GP_STANDING_CONTACT, &peer);
    if (error != GP_OK || !gp_net_is_passing(peer)) {
        return error;
    }
    peer->used_ms = gp_net_now_ms(); /* somebody means to use it */
    gp_net_move(peer, address);
    return GP_OK;
}

/* The one with this key is who the visit says: GP_E_MESSAGE_SENDER if not. */
static gp_error_t prove(gp_net_t *net, const uint8_t key[32], const gp_net_visit_t *visit,
                        gp_net_peer_t **ret_peer)
{
    gp_net_peer_t *peer;
    uint8_t proven[32];
    gp_sockaddr_t parsed;
    uint64_t now_ms = gp_net_now_ms();
    gp_error_t error = gp_id_curve(&visit->id, proven);

    if (error != GP_OK) {
        return error;
    }
    if (memcmp(proven, key, sizeof proven) != 0 || gp_id_equal(&visit->id, &net->self)) {
        return GP_E_MESSAGE_SENDER;
    }
    error = add_passing(net, &visit->id, GP_STANDING_VISITOR, ret_peer);
    if (error != GP_OK || !gp_net_is_passing(*ret_peer)) {
        return error;
    }
    peer = *ret_peer;
    peer->standing = GP_STANDING_VISITOR;
    peer->used_ms = now_ms;
    peer->until_ms = visit->valid_ms < UINT64_MAX - now_ms ? now_ms + visit->valid_ms : UINT64_MAX;
    if (gp_address_parse(visit->address, false, &parsed) == GP_OK) {
        gp_net_move(peer, visit->address);
    }
    gp_zap_admit(&net->zap, peer->key);
    return GP_OK;
}

gp_net_peer_t *gp_visits_take(gp_net_t *net, const uint8_t key[32], gp_slice_t frame,
                              bool *ret_asks)
{
    gp_net_visit_t visit = {.valid_ms = 0};
    gp_net_peer_t *peer = NULL;
    bool proven = false;

    if (net->events.on_visit != NULL && frame.n > 0) {
        net->depth++;
        proven = net->events.on_visit(net->events.context, frame, &visit);
        net->depth--;
    }
    if (!proven || prove(net, key, &visit, &peer) != GP_OK) {
        net->counters.dropped[GP_DROP_STRANGER]++;
        return NULL;
    }
    net->counters.visits++;
    *ret_asks = visit.asks;
    return peer;
}

gp_slice_t gp_visits_greeting(const gp_net_peer_t *peer)
{
    gp_net_t *net = peer->net;
    gp_slice_t greeting = {0};

    if (net->events.on_greet != NULL) {
        gp_id_t id = peer->id;
        net->depth++;
        greeting = net->events.on_greet(net->events.context, &id, !gp_net_is_proven(peer));
        net->depth--;
    }
    return greeting;
}
