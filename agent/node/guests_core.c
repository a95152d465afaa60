#include "agent/node/guests_core.h"

static void take_out(gp_guests_t *guests, uint32_t place, gp_id_t *ret_gone)
{
    *ret_gone = guests->keys[place].key;
    guests->keys[place] = guests->keys[--guests->count];
}

static bool is_less_use(const gp_guest_key_t *a, const gp_guest_key_t *b)
{
    return a->used != b->used ? a->used : a->until_ms < b->until_ms;
}

bool gp_guests_add(gp_guests_t *guests, const gp_id_t *key, gp_wall_ms_t until_ms,
                   gp_id_t *ret_gone)
{
    const bool full = guests->count == GP_INVITATIONS_MAX;
    if (full) {
        uint32_t least = 0;
        for (uint32_t i = 1; i < guests->count; i++) {
            least = is_less_use(&guests->keys[i], &guests->keys[least]) ? i : least;
        }
        take_out(guests, least, ret_gone);
    }
    guests->keys[guests->count++] = (gp_guest_key_t){.key = *key, .until_ms = until_ms};
    return full;
}

void gp_guests_used(gp_guests_t *guests, const gp_id_t *key, gp_wall_ms_t now_ms)
{
    for (uint32_t i = 0; i < guests->count; i++) {
        gp_guest_key_t *guest = &guests->keys[i];
        if (gp_id_equal(&guest->key, key) && !guest->used) {
            const gp_wall_ms_t until_ms = now_ms + GP_GUEST_USED_MS;
            guest->used = true;
            guest->until_ms = until_ms < guest->until_ms ? until_ms : guest->until_ms;
        }
    }
}

bool gp_guests_sweep(gp_guests_t *guests, gp_wall_ms_t now_ms, gp_id_t *ret_gone)
{
    for (uint32_t i = 0; i < guests->count; i++) {
        if (guests->keys[i].until_ms <= now_ms) {
            take_out(guests, i, ret_gone);
            return true;
        }
    }
    return false;
}

bool gp_guests_may_ask(gp_guests_t *guests, const gp_id_t *key, gp_usec_t now)
{
    for (uint32_t i = 0; i < guests->count; i++) {
        if (gp_id_equal(&guests->keys[i].key, key)) {
            return gp_asks_take(&guests->keys[i].asks, now);
        }
    }
    return false;
}
