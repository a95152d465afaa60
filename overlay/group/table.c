/*
 * The table of one group: entries that stay in their slots, and an order of slots by id.
 */
#include "overlay/group/group_state.h"

static uint8_t *cert_place(gp_group_t *g, const gp_group_entry_t *m)
{
    uint8_t *bytes = (uint8_t *)(g->entries + g->config.members_max);
    return bytes + (size_t)m->slot * g->config.cert_max;
}

/* The index of id in the order, or where it belongs; *ret_found tells which. */
static uint32_t place(const gp_group_t *g, const gp_id_t *id, bool *ret_found)
{
    uint64_t head = gp_id_head(id);
    uint32_t low = 0;
    uint32_t high = g->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int c = g->heads[middle] < head ? -1 : 1;
        if (g->heads[middle] == head) {
            c = gp_id_compare(&g->entries[g->order[middle]].shown.id, id);
        }
        if (c == 0) {
            *ret_found = true;
            return middle;
        }
        if (c < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_found = false;
    return low;
}

static gp_group_entry_t *touch(gp_group_t *g, uint8_t slot)
{
    g->touched |= UINT64_C(1) << slot;
    return &g->entries[slot];
}

gp_group_entry_t *gp_group_find(gp_group_t *g, const gp_id_t *id)
{
    bool found;
    uint32_t index = place(g, id, &found);
    return found ? touch(g, g->order[index]) : NULL;
}

const gp_group_entry_t *gp_group_look(const gp_group_t *g, const gp_id_t *id)
{
    bool found;
    uint32_t index = place(g, id, &found);
    return found ? &g->entries[g->order[index]] : NULL;
}

gp_group_entry_t *gp_group_at(gp_group_t *g, uint32_t index)
{
    assert(index < g->count);
    return touch(g, g->order[index]);
}

const gp_group_entry_t *gp_group_look_at(const gp_group_t *g, uint32_t index)
{
    assert(index < g->count);
    return &g->entries[g->order[index]];
}

gp_group_entry_t *gp_group_self(gp_group_t *g)
{
    gp_group_entry_t *m = gp_group_find(g, &g->self);
    assert(m != NULL);
    return m;
}

gp_group_entry_t *gp_group_add(gp_group_t *g, const gp_id_t *id)
{
    bool found;
    uint32_t index = place(g, id, &found);
    assert(!found);
    if (g->count == g->config.members_max) {
        return NULL;
    }
    uint8_t slot = 0;
    while ((g->used >> slot & 1) != 0) {
        slot++;
    }
    assert(slot < g->config.members_max);
    uint32_t after = g->count - index;
    memmove(&g->order[index + 1], &g->order[index], after * sizeof g->order[0]);
    memmove(&g->heads[index + 1], &g->heads[index], after * sizeof g->heads[0]);
    g->order[index] = slot;
    g->heads[index] = gp_id_head(id);
    g->count++;
    g->used |= UINT64_C(1) << slot;
    gp_group_entry_t *m = touch(g, slot);
    *m = (gp_group_entry_t){.slot = slot, .dirty = true, .ruled_at = g->now, .away_since = g->now};
    m->shown.id = *id;
    m->shown.since = g->now;
    m->beat_slot = (uint8_t)(gp_hash(id->b, sizeof id->b, g->config.group) % GP_GROUP_SLOTS);
    m->pending_until = g->now + g->config.introduce_limit;
    m->untold = gp_group_has_leader(g) && !g->leading && !gp_group_holds(g);
    gp_availability_start(&m->availability, g->now);
    return m;
}

void gp_group_remove(gp_group_t *g, gp_group_entry_t *m)
{
    assert(!gp_id_equal(&m->shown.id, &g->self));
    bool found;
    uint32_t index = place(g, &m->shown.id, &found);
    assert(found);
    uint8_t slot = m->slot;
    g->count--;
    uint32_t after = g->count - index;
    memmove(&g->order[index], &g->order[index + 1], after * sizeof g->order[0]);
    memmove(&g->heads[index], &g->heads[index + 1], after * sizeof g->heads[0]);
    uint64_t others = ~(UINT64_C(1) << slot);
    g->used &= others;
    g->touched |= ~others; /* so that its times count no more */
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *o = gp_group_at(g, i);
        o->asked &= others;
        o->silent &= others;
        o->evidence_by &= others;
        if (o->evidence_by == 0) {
            gp_group_evidence_void(o);
        }
        if (o->ask_due != 0 && o->ask_by == slot) {
            o->ask_due = 0;
        }
    }
    g->links_dirty = true;
    g->standings_dirty = true;
    g->store_dirty = true;
}

static bool take_text(char *to, size_t max, gp_slice_t from)
{
    size_t n = from.n < max ? from.n : max;
    if (n == 0 || (strlen(to) == n && memcmp(to, from.p, n) == 0)) {
        return false;
    }
    memcpy(to, from.p, n);
    to[n] = 0;
    return true;
}

bool gp_group_identify(gp_group_t *g, gp_group_entry_t *m, const gp_record_member_t *record)
{
    bool changed = take_text(m->shown.name, GP_NAME_MAX, record->name);
    changed = take_text(m->shown.address, GP_ADDRESS_MAX, record->address) || changed;
    if (record->cert.n > 0 && record->cert.n <= g->config.cert_max &&
        !gp_slice_equal(record->cert, m->shown.cert)) {
        uint8_t *to = cert_place(g, m);
        memmove(to, record->cert.p, record->cert.n);
        m->shown.cert = gp_slice(to, record->cert.n);
        changed = true;
    }
    if (changed) {
        m->identity = true;
        m->told_identity = false;
        m->dirty = true;
        g->store_dirty = true;
    }
    return changed;
}

void gp_group_record(const gp_group_entry_t *m, bool identity, gp_out_t *out,
                     gp_record_member_t *ret_record)
{
    gp_slice_t observers =
        gp_slice(m->shown.observers, m->shown.observer_count * sizeof m->shown.observers[0]);
    *ret_record = (gp_record_member_t){
        .id = m->shown.id,
        .incarnation = m->shown.incarnation,
        .state = m->ruled_state,
        .cause = m->ruled_cause,
        .flags = m->shown.flags,
        .observers = gp_out_slice(out, observers),
    };
    if (identity) {
        ret_record->name = gp_out_slice(out, gp_text(m->shown.name));
        ret_record->address = gp_out_slice(out, gp_text(m->shown.address));
        ret_record->cert = gp_out_slice(out, m->shown.cert);
    }
}

uint32_t gp_group_digest(gp_group_t *g)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        const gp_group_entry_t *m = gp_group_look_at(g, i);
        if (!m->in_view || m->ruled_state == GP_MEMBER_NONE) {
            continue;
        }
        uint8_t bytes[sizeof(gp_id_t) + 10];
        memcpy(bytes, m->shown.id.b, sizeof(gp_id_t));
        for (int b = 0; b < 8; b++) {
            bytes[sizeof(gp_id_t) + (size_t)b] = (uint8_t)(m->shown.incarnation >> (8 * b));
        }
        bytes[sizeof(gp_id_t) + 8] = m->ruled_state;
        bytes[sizeof(gp_id_t) + 9] = m->shown.flags;
        sum += gp_hash(bytes, sizeof bytes, g->config.group);
    }
    return (uint32_t)(sum ^ sum >> 32);
}

void gp_group_rule(gp_group_t *g, gp_group_entry_t *m, gp_member_state_t state, gp_cause_t cause)
{
    if (m->ruled_state == GP_MEMBER_ALIVE && state != GP_MEMBER_ALIVE) {
        m->away_since = g->now;
    }
    if (m->ruled_state != state) {
        m->ruled_at = g->now;
        g->links_dirty = true;
        g->store_dirty = g->store_dirty || state == GP_MEMBER_LEFT;
    }
    m->ruled_state = (uint8_t)state;
    m->ruled_cause = (uint8_t)cause;
    m->dirty = true;
    g->standings_dirty = true;
    if (state != GP_MEMBER_UNAVAILABLE) {
        m->shown.observer_count = 0;
    }
    if (g->leading) {
        m->changed = true;
        gp_group_change(g);
    }
}

void gp_group_observers(gp_group_t *g, gp_group_entry_t *m, uint64_t slots)
{
    m->shown.observer_count = 0;
    for (uint32_t i = 0; i < g->count && m->shown.observer_count < GP_OBSERVERS_MAX; i++) {
        const gp_group_entry_t *o = gp_group_look_at(g, i);
        if ((slots >> o->slot & 1) != 0) {
            m->shown.observers[m->shown.observer_count++] = o->shown.id;
        }
    }
}

uint32_t gp_group_living(gp_group_t *g)
{
    uint32_t living = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        const gp_group_entry_t *m = gp_group_look_at(g, i);
        living += m->in_view && m->ruled_state == GP_MEMBER_ALIVE;
    }
    return living;
}

gp_group_entry_t *gp_group_ring(gp_group_t *g, bool next)
{
    bool found;
    uint32_t own = place(g, &g->self, &found);
    assert(found);
    for (uint32_t i = 1; i < g->count; i++) {
        uint32_t step = next ? i : g->count - i;
        gp_group_entry_t *m = gp_group_at(g, (own + step) % g->count);
        if (m->in_view && m->ruled_state == GP_MEMBER_ALIVE &&
            (m->shown.flags & GP_FLAG_RELAYED) == 0) {
            return m;
        }
    }
    return NULL;
}

void gp_group_ring_choose(gp_group_t *g)
{
    for (int next = 0; next < 2; next++) {
        const gp_group_entry_t *m = gp_group_ring(g, next == 1);
        gp_id_t id = m != NULL ? m->shown.id : (gp_id_t){{0}};
        g->links_dirty = g->links_dirty || !gp_id_equal(&id, &g->ring[next]);
        g->ring[next] = id;
    }
}

bool gp_group_has_leader(const gp_group_t *g)
{
    return g->leader.right != GP_RIGHT_NONE;
}

bool gp_group_is_deputy(const gp_group_t *g)
{
    return gp_group_has_leader(g) && !g->leading && gp_id_equal(&g->leader.deputy, &g->self);
}

bool gp_group_is_voter(const gp_group_t *g)
{
    for (uint32_t i = 0; i < g->leader.voter_count; i++) {
        if (gp_id_equal(&g->leader.voters[i], &g->self)) {
            return true;
        }
    }
    return false;
}

bool gp_group_may_judge(const gp_group_t *g)
{
    return g->leading && g->leader.right == GP_RIGHT_QUORUM && g->now < g->leader.lease_until;
}

uint64_t gp_group_newest(const gp_group_entry_t *m)
{
    return m->shown.incarnation > m->seen_incarnation ? m->shown.incarnation : m->seen_incarnation;
}

bool gp_group_hears(const gp_group_t *g, const gp_group_entry_t *m)
{
    return m->shown.heard_at != 0 && g->now - m->shown.heard_at <= 2 * g->config.beat_period;
}
