/*
 * Where members are in the network (proto/coordinate.h): places ride on beats and probes now and
 * then. Who asks measures the round trip; who is asked is told it with the next place.
 */
#include "overlay/group/group_state.h"

uint32_t gp_group_place(const gp_group_t *g, gp_out_t *out, gp_record_place_t ret_places[1])
{
    if (g->config.coordinate == NULL) {
        return 0;
    }
    uint8_t *bytes = gp_out_bytes(out, GP_COORDINATE_BYTES);
    gp_coordinate_pack(g->config.coordinate, bytes);
    ret_places[0].coordinate = gp_slice(bytes, GP_COORDINATE_BYTES);
    return 1;
}

uint32_t gp_group_place_ask(const gp_group_t *g, gp_group_entry_t *m, uint32_t every, gp_out_t *out,
                            gp_record_place_t ret_places[1])
{
    bool settled = m->exchanges >= GP_GROUP_PLACE_FIRST;
    m->questions++;
    if (settled && m->questions < every) {
        return 0;
    }
    m->questions = 0;
    if (!settled) {
        m->exchanges++;
    }
    ret_places[0].rtt_us = m->measured_us;
    return gp_group_place(g, out, ret_places);
}

/*
 * The first answer on a link waited for its handshake, and links that nobody holds are given up
 * when they are idle: only what follows an answer soon is a round trip.
 */
void gp_group_place_measured(gp_group_t *g, gp_group_entry_t *m, gp_usec_t took)
{
    bool linked = m->answered_at != 0 && g->now - m->answered_at <= 2 * g->config.ring_period;
    bool well = took <= g->config.beat_timeout && m->sent_at > g->late_at;
    m->answered_at = g->now;
    m->measured_us = !linked || !well ? 0 : took == 0 ? 1 : (uint32_t)took;
}

static bool take(gp_group_t *g, gp_group_entry_t *m, const gp_record_place_t *places,
                 uint32_t count)
{
    return g->config.coordinate != NULL && count > 0 &&
           gp_coordinate_read(places[0].coordinate, &m->shown.coordinate) == GP_OK;
}

static void learn(gp_group_t *g, const gp_group_entry_t *m, uint32_t rtt_us)
{
    gp_coordinate_update(g->config.coordinate, &g->directions, &m->shown.coordinate, rtt_us);
}

void gp_group_place_answered(gp_group_t *g, gp_group_entry_t *m, const gp_record_place_t *places,
                             uint32_t count)
{
    if (take(g, m, places, count) && m->measured_us != 0) {
        learn(g, m, m->measured_us);
    }
}

/* Its own questions bound how often a machine learns; what it is told, only this does. */
void gp_group_place_told(gp_group_t *g, gp_group_entry_t *m, const gp_record_place_t *places,
                         uint32_t count)
{
    bool soon = m->told_place_at != 0 && g->now - m->told_place_at < g->config.beat_period / 2;
    if (take(g, m, places, count) && places[0].rtt_us != 0 && !soon) {
        m->told_place_at = g->now;
        learn(g, m, places[0].rtt_us);
    }
}
