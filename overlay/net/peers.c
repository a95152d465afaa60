/*
 * The table of the admitted, ordered by id and by CURVE key, and its changes.
 */
#include "overlay/net/address.h"
#include "overlay/net/clock.h"
#include "overlay/net/internal.h"

#include "proto/text.h"

#include <stdlib.h>

#define GUEST_LEAVE_MS 1000 /* the last answer to a guest gets so long to leave */

/* ---- the table ------------------------------------------------------------------------------- */

typedef const uint8_t *(*name_of_t)(const gp_net_peer_t *peer);

static const uint8_t *name_id(const gp_net_peer_t *peer)
{
    return peer->id.b;
}

static const uint8_t *name_key(const gp_net_peer_t *peer)
{
    return peer->key;
}

/* Where it is, or where it would be. */
static uint32_t place(gp_net_peer_t *const *table, uint32_t count, name_of_t name_of,
                      const uint8_t name[32])
{
    uint32_t low = 0;
    uint32_t high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(name_of(table[middle]), name, 32) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static gp_net_peer_t *find(gp_net_peer_t *const *table, uint32_t count, name_of_t name_of,
                           const uint8_t name[32])
{
    uint32_t at = place(table, count, name_of, name);

    return at < count && memcmp(name_of(table[at]), name, 32) == 0 ? table[at] : NULL;
}

static void insert(gp_net_peer_t **table, uint32_t count, name_of_t name_of, gp_net_peer_t *peer)
{
    uint32_t at = place(table, count, name_of, name_of(peer));

    memmove(table + at + 1, table + at, (count - at) * sizeof *table);
    table[at] = peer;
}

static void take_out(gp_net_peer_t **table, uint32_t count, name_of_t name_of,
                     const gp_net_peer_t *peer)
{
    uint32_t at = place(table, count, name_of, name_of(peer));

    assert(at < count && table[at] == peer);
    memmove(table + at, table + at + 1, (count - at - 1) * sizeof *table);
}

gp_net_peer_t *gp_net_find(const gp_net_t *net, const gp_id_t *id)
{
    return find(net->by_id, net->peer_count, name_id, id->b);
}

gp_net_peer_t *gp_net_find_key(const gp_net_t *net, const uint8_t key[32])
{
    return find(net->by_key, net->peer_count, name_key, key);
}

gp_standing_t gp_net_standing(const gp_net_t *net, const gp_id_t *id)
{
    const gp_net_peer_t *peer = gp_net_find(net, id);

    if (gp_id_equal(id, &net->self)) {
        return GP_STANDING_MEMBER;
    }
    return peer != NULL ? peer->standing : GP_STANDING_NONE;
}

bool gp_net_is_proven(const gp_net_peer_t *peer)
{
    return peer->standing != GP_STANDING_CONTACT;
}

/* ---- changes --------------------------------------------------------------------------------- */

gp_error_t gp_net_add(gp_net_t *net, const gp_id_t *id, gp_standing_t standing,
                      gp_net_peer_t **ret_peer)
{
    uint8_t key[32];
    gp_net_peer_t *peer;
    gp_error_t error;

    if (net->peer_count >= GP_NET_PEERS_MAX) {
        return GP_E_PEER_LIMIT;
    }
    error = gp_id_curve(id, key);
    if (error != GP_OK) {
        return error;
    }
    if (gp_net_find_key(net, key) != NULL) {
        return GP_E_CERT_FORMAT; /* an id and its negative share a CURVE key: one of them may use it
                                  */
    }
    peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        return GP_E_MEMORY;
    }
    peer->net = net;
    peer->id = *id;
    peer->standing = standing;
    peer->used_ms = gp_net_now_ms();
    peer->newest = -1;
    memcpy(peer->key, key, sizeof peer->key);
    insert(net->by_id, net->peer_count, name_id, peer);
    insert(net->by_key, net->peer_count, name_key, peer);
    net->peer_count++;
    *ret_peer = peer;
    return GP_OK;
}

void gp_net_remove(gp_net_peer_t *peer, uint32_t leave_ms)
{
    gp_net_t *net = peer->net;

    assert(!peer->gone);
    gp_send_clear(peer, GP_DROP_FORGOTTEN);
    take_out(net->by_id, net->peer_count, name_id, peer);
    take_out(net->by_key, net->peer_count, name_key, peer);
    net->peer_count--;
    peer->gone = true;
    peer->leave_ms = gp_net_now_ms() + leave_ms;
    gp_link_close(peer, 0);
    if (leave_ms == 0) {
        gp_inbox_cut(peer);
    }
    peer->next_gone = net->gone;
    net->gone = peer;
    net->changed = true; /* whoever walks the table starts anew */
    gp_net_later(net);
}

void gp_peers_reap(gp_net_t *net, uint64_t now_ms)
{
    gp_net_peer_t **at = &net->gone;

    while (*at != NULL) {
        gp_net_peer_t *peer = *at;
        if (now_ms < peer->leave_ms && peer->connections > 0) {
            at = &peer->next_gone;
            continue;
        }
        gp_inbox_cut(peer);
        *at = peer->next_gone;
        free(peer);
    }
}

void gp_peers_close(gp_net_t *net)
{
    while (net->peer_count > 0) {
        gp_net_remove(net->by_id[net->peer_count - 1], 0);
    }
    gp_peers_reap(net, UINT64_MAX);
    free(net->by_id);
    free(net->by_key);
    net->by_id = NULL;
    net->by_key = NULL;
}

void gp_net_move(gp_net_peer_t *peer, const char *address)
{
    bool was_open = peer->link.socket != NULL;

    if (strcmp(peer->address, address) == 0) {
        return;
    }
    peer->rest_ms = 0;
    (void)gp_text_copy(peer->address, sizeof peer->address, gp_text(address));
    if (was_open) {
        gp_link_close(peer, 0);
    }
    /* If it cannot be opened now, the tick does it: the admission holds in any case. */
    if ((peer->held || gp_queue_count(&peer->queue) > 0) && peer->connections == 0) {
        gp_link_try(peer);
    }
}

gp_error_t gp_net_admit(gp_net_t *net, const gp_id_t *id, const char *address)
{
    gp_net_peer_t *peer = gp_net_find(net, id);
    gp_sockaddr_t parsed;
    bool is_new = peer == NULL;

    if (address != NULL && gp_address_parse(address, false, &parsed) != GP_OK) {
        return GP_E_ADDRESS;
    }
    if (gp_id_equal(id, &net->self)) {
        return GP_OK;
    }
    if (is_new) {
        gp_error_t error = gp_net_add(net, id, GP_STANDING_MEMBER, &peer);
        if (error != GP_OK) {
            return error;
        }
    }
    bool was_known = !is_new && gp_net_is_proven(peer);
    if (peer->standing != GP_STANDING_MEMBER) { /* of a member's link the owner is told */
        peer->standing = GP_STANDING_MEMBER;
        peer->up = false;
        net->changed = true;
        gp_net_later(net);
    }
    if (address != NULL) {
        gp_net_move(peer, address);
    }
    if (!was_known) {
        gp_zap_admit(&net->zap, peer->key);
    }
    return GP_OK;
}

gp_error_t gp_net_admit_guest(gp_net_t *net, const gp_id_t *key, bool on)
{
    gp_net_peer_t *peer = gp_net_find(net, key);
    gp_error_t error;

    if (!on) {
        if (peer != NULL && peer->standing == GP_STANDING_GUEST) {
            gp_net_remove(peer, GUEST_LEAVE_MS);
        }
        return GP_OK;
    }
    if (peer != NULL) {
        return GP_OK;
    }
    error = gp_net_add(net, key, GP_STANDING_GUEST, &peer);
    if (error != GP_OK) {
        return error;
    }
    gp_zap_admit(&net->zap, peer->key);
    return GP_OK;
}

void gp_net_forget(gp_net_t *net, const gp_id_t *id)
{
    gp_net_peer_t *peer = gp_net_find(net, id);

    if (peer != NULL) {
        gp_net_remove(peer, 0);
    }
}

gp_error_t gp_net_link(gp_net_t *net, const gp_id_t *id, bool hold)
{
    gp_net_peer_t *peer = gp_net_find(net, id);

    if (peer == NULL || (hold && peer->address[0] == '\0')) {
        return GP_E_PEER_UNREACHABLE;
    }
    peer->held = hold;
    peer->used_ms = gp_net_now_ms();
    if (hold && peer->link.socket == NULL && peer->connections == 0) {
        gp_link_try(peer); /* if it cannot be opened now, the tick does it */
    }
    return GP_OK;
}

bool gp_net_peer(const gp_net_t *net, uint32_t index, gp_net_peer_info_t *ret_info)
{
    const gp_net_peer_t *peer;

    if (index >= net->peer_count) {
        return false;
    }
    peer = net->by_id[index];
    *ret_info = (gp_net_peer_info_t){.id = peer->id,
                                     .standing = peer->standing,
                                     .held = peer->held,
                                     .up = peer->link.up || peer->connections > 0,
                                     .outgoing = peer->link.up,
                                     .incoming = peer->connections,
                                     .queued = gp_queue_count(&peer->queue),
                                     .frames_in = peer->frames_in,
                                     .frames_out = peer->frames_out,
                                     .dropped = peer->dropped};
    (void)gp_text_copy(ret_info->address, sizeof ret_info->address, gp_text(peer->address));
    return true;
}
