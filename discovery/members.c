#include "discovery/state.h"

#define KEEP_MS        2000 /* records of who led a moment ago are as good as new */
#define ASK_FIRST_MS   200  /* a newcomer reports by itself: ask only when it does not */
#define ASK_GAP_MS     250
#define ASK_GAP_MAX_MS 8000

/* ---- the table ------------------------------------------------------------------------------- */

/* Where the id stands, or would stand, in by_id. */
static uint32_t position(const gp_discovery_t *d, const gp_id_t *id, bool *ret_there)
{
    uint32_t low = 0;
    uint32_t high = d->member_count;
    *ret_there = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = gp_id_compare(&d->members[d->by_id[middle]].id, id);
        if (order == 0) {
            *ret_there = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t gp_members_find(const gp_discovery_t *d, const gp_id_t *id)
{
    bool there;
    uint32_t at = position(d, id, &there);
    return there ? d->by_id[at] : GP_NOBODY;
}

gp_records_t *gp_members_block(const gp_discovery_t *d, uint32_t index, uint32_t *ret_lane)
{
    assert(index < d->slots_used && index / GP_LANES_MAX < d->blocks_used);
    *ret_lane = index % GP_LANES_MAX;
    return d->blocks[index / GP_LANES_MAX];
}

/* Memory of a block is touched only when a record first needs it: most machines never lead. */
static gp_records_t *block_for(gp_discovery_t *d, uint32_t index, uint32_t *ret_lane)
{
    uint32_t block = index / GP_LANES_MAX;
    while (d->blocks_used <= block) {
        size_t bytes = gp_records_size(GP_LANES_MAX, d->pool_bytes);
        d->blocks[d->blocks_used] =
            gp_records_init(d->block_memory + d->blocks_used * bytes, GP_LANES_MAX, d->pool_bytes);
        d->blocks_used += 1;
    }
    return gp_members_block(d, index, ret_lane);
}

static uint32_t free_slot(gp_discovery_t *d)
{
    for (uint32_t i = 0; i < d->slots_used; i++) {
        if (!d->members[i].used) {
            return i;
        }
    }
    if (d->slots_used < d->members_max) {
        d->slots_used += 1;
        return d->slots_used - 1;
    }
    for (uint32_t i = 0; i < d->slots_used; i++) {
        if (d->members[i].state == GP_MEMBER_LEFT && i != d->self_index) {
            gp_members_forget(d, i);
            return i;
        }
    }
    return GP_NOBODY;
}

uint32_t gp_members_add(gp_discovery_t *d, const gp_id_t *id)
{
    uint32_t index = free_slot(d);
    if (index == GP_NOBODY) {
        d->unlisted = true;
        return GP_NOBODY;
    }
    bool there;
    uint32_t at = position(d, id, &there);
    assert(!there);
    memmove(&d->by_id[at + 1], &d->by_id[at], (d->member_count - at) * sizeof d->by_id[0]);
    d->by_id[at] = index;
    d->member_count += 1;
    d->members[index] =
        (gp_listed_t){.id = *id, .used = true, .ask_gap_ms = ASK_GAP_MS, .ask_at = GP_NEVER};
    d->standing_count[GP_STANDING_NONE] += 1;
    return index;
}

static void drop_record(gp_discovery_t *d, uint32_t index)
{
    gp_listed_t *member = &d->members[index];
    if (member->held) {
        uint32_t lane;
        gp_records_t *block = gp_members_block(d, index, &lane);
        gp_records_clear(block, lane);
    }
    member->held = false;
    member->version = 0;
    member->epoch = 0;
    member->ask_at = GP_NEVER;
}

void gp_members_forget(gp_discovery_t *d, uint32_t index)
{
    gp_listed_t *member = &d->members[index];
    assert(member->used && index != d->self_index);
    drop_record(d, index);
    member->state = GP_MEMBER_NONE;
    gp_members_restand(d, index);
    d->standing_count[GP_STANDING_NONE] -= 1;
    bool there;
    uint32_t at = position(d, &member->id, &there);
    assert(there);
    d->member_count -= 1;
    memmove(&d->by_id[at], &d->by_id[at + 1], (d->member_count - at) * sizeof d->by_id[0]);
    *member = (gp_listed_t){.ask_at = GP_NEVER};
}

static gp_standing_t standing_of(const gp_listed_t *member)
{
    switch ((gp_member_state_t)member->state) {
    case GP_MEMBER_ALIVE:
    case GP_MEMBER_SUSPECT:
        if ((member->flags & GP_FLAG_LEAVING) != 0) {
            return GP_STANDING_NONE;
        }
        return member->held ? GP_STANDING_OFFERED : GP_STANDING_MISSING;
    case GP_MEMBER_UNKNOWN: /* one that was admitted and never came is not missed */
        return (member->flags & GP_FLAG_SEEN) != 0 ? GP_STANDING_UNKNOWN : GP_STANDING_NONE;
    default:
        return GP_STANDING_NONE;
    }
}

void gp_members_restand(gp_discovery_t *d, uint32_t index)
{
    gp_listed_t *member = &d->members[index];
    gp_standing_t standing = standing_of(member);
    assert(d->standing_count[member->standing] > 0);
    d->standing_count[member->standing] -= 1;
    d->standing_count[standing] += 1;
    member->standing = (uint8_t)standing;
    uint64_t bit = UINT64_C(1) << index % GP_LANES_MAX;
    if (standing == GP_STANDING_OFFERED) {
        d->offered[index / GP_LANES_MAX] |= bit;
    } else {
        d->offered[index / GP_LANES_MAX] &= ~bit;
    }
}

/* The name is the certificate's, never the record's: a machine cannot pose as another. */
static void set_given(gp_discovery_t *d, uint32_t index)
{
    const gp_listed_t *member = &d->members[index];
    uint32_t lane;
    gp_records_t *block = gp_members_block(d, index, &lane);
    gp_records_set_text(block, lane, GP_ATTR_NAME, gp_slice(member->name, member->name_n), false);
    if (gp_records_knows(d->own, 0, GP_ATTR_REGION)) {
        gp_records_set_text(block, lane, GP_ATTR_REGION,
                            gp_records_text(d->own, 0, GP_ATTR_REGION, NULL), false);
    }
}

void gp_members_set_name(gp_discovery_t *d, uint32_t index, gp_slice_t name, gp_slice_t address)
{
    gp_listed_t *member = &d->members[index];
    assert(name.n <= GP_NAME_MAX && address.n <= GP_ADDRESS_MAX);
    member->name_n = (uint8_t)name.n;
    member->address_n = (uint8_t)address.n;
    if (name.n > 0) {
        memcpy(member->name, name.p, name.n);
    }
    if (address.n > 0) {
        memcpy(member->address, address.p, address.n);
    }
    if (member->held) {
        set_given(d, index);
    }
}

/* ---- holding the index -------------------------------------------------------------------------
 */

static bool wants_record(const gp_discovery_t *d, uint32_t index)
{
    const gp_listed_t *member = &d->members[index];
    return index != d->self_index && !member->held &&
           (member->state == GP_MEMBER_ALIVE || member->state == GP_MEMBER_SUSPECT);
}

static void ask_at(gp_discovery_t *d, gp_listed_t *member, gp_usec_t at)
{
    if (member->ask_at > at) {
        member->ask_at = at;
    }
    if (d->ask_wake > at) {
        d->ask_wake = at;
    }
}

void gp_members_copy_own(gp_discovery_t *d)
{
    if (!d->collected || !gp_discovery_holds_index(d)) {
        return;
    }
    gp_record_attr_t attrs[GP_ATTRS_MAX];
    uint32_t lane;
    gp_records_t *block = block_for(d, d->self_index, &lane);
    gp_records_apply(block, lane, attrs, gp_records_dump(d->own, 0, attrs), true);
    d->members[d->self_index].held = true;
    set_given(d, d->self_index);
    gp_members_restand(d, d->self_index);
}

void gp_members_hold_again(gp_discovery_t *d)
{
    for (uint32_t i = 0; i < d->slots_used; i++) {
        const gp_listed_t *member = &d->members[i];
        if (member->used && i != d->self_index && member->told_at <= d->released_at &&
            d->now > d->released_at + KEEP_MS * GP_MSEC) {
            drop_record(d, i);
            gp_members_restand(d, i);
        }
    }
}

void gp_members_hold(gp_discovery_t *d)
{
    gp_members_copy_own(d);
    for (uint32_t i = 0; i < d->slots_used; i++) {
        if (d->members[i].used && wants_record(d, i)) {
            d->members[i].ask_gap_ms = ASK_GAP_MS;
            ask_at(d, &d->members[i], d->now);
        }
    }
}

/*
 * Who no longer leads asks nobody any more, but keeps what it was told and goes on listening: the
 * others may not have noticed yet, and it may be asked again a moment later.
 */
void gp_members_release(gp_discovery_t *d)
{
    d->released_at = d->now;
    for (uint32_t i = 0; i < d->slots_used; i++) {
        d->members[i].ask_at = GP_NEVER;
    }
}

/* ---- events ------------------------------------------------------------------------------------
 */

void gp_members_on_member(gp_discovery_t *d, const gp_msg_discovery_member_t *msg)
{
    if (msg->entries_count != 1) {
        return;
    }
    const gp_record_member_t *entry = &msg->entries[0];
    uint32_t index = gp_members_find(d, &entry->id);
    bool self = index == d->self_index;
    if (msg->forgotten) {
        if (index != GP_NOBODY && !self) {
            gp_members_forget(d, index);
        }
        return;
    }
    if (index == GP_NOBODY) {
        index = gp_members_add(d, &entry->id);
    }
    if (index == GP_NOBODY) {
        return;
    }
    gp_listed_t *member = &d->members[index];
    if (member->incarnation != entry->incarnation) {
        member->incarnation = entry->incarnation;
        member->epoch = 0; /* a new process: whatever it tells next is newer ... */
        member->version = 0;
        gp_publish_again(d, &entry->id); /* ... and whatever it was told is forgotten */
    }
    member->flags = entry->flags;
    if (!self || entry->state == GP_MEMBER_LEFT) {
        member->state = entry->state; /* of itself a machine knows that it lives */
    }
    gp_members_set_name(d, index, entry->name, entry->address);
    if (gp_discovery_holds_index(d) && wants_record(d, index)) {
        ask_at(d, member, d->now + ASK_FIRST_MS * GP_MSEC);
    }
    gp_members_restand(d, index);
}

/* Whether the message continues what is held; may decide that the whole record is needed. */
static bool record_fits(gp_discovery_t *d, gp_listed_t *member, const gp_msg_record_t *msg)
{
    if (member->held && msg->incarnation < member->epoch) {
        return false; /* late, from the process before */
    }
    bool same = member->held && msg->incarnation == member->epoch;
    if (msg->whole) {
        return !same || msg->version >= member->version;
    }
    if (same && msg->version <= member->version) {
        return false; /* a duplicate, or a reminder of what is held */
    }
    if (same && msg->attrs_count > 0 && msg->version == member->version + 1) {
        return true;
    }
    if (gp_discovery_holds_index(d)) {
        ask_at(d, member, d->now);
    } else {
        /* Out of date, and nobody's business now: it is asked for when it is. */
        uint32_t index = (uint32_t)(member - d->members);
        drop_record(d, index);
        gp_members_restand(d, index);
    }
    return false;
}

void gp_members_on_record(gp_discovery_t *d, const gp_id_t *from, const gp_msg_record_t *msg)
{
    uint32_t index = gp_members_find(d, from);
    if (index == GP_NOBODY || index == d->self_index || msg->group != d->group) {
        return;
    }
    gp_listed_t *member = &d->members[index];
    bool late = msg->incarnation < member->epoch ||
                (msg->incarnation == member->epoch && msg->version < member->version);
    gp_coordinate_t place;
    if (!late && gp_coordinate_read(msg->coordinate, &place) == GP_OK) {
        member->coordinate = place;
    }
    if (!record_fits(d, member, msg)) {
        return;
    }
    uint32_t lane;
    gp_records_t *block = block_for(d, index, &lane);
    gp_records_apply(block, lane, msg->attrs, msg->attrs_count, msg->whole);
    member->held = true;
    member->told_at = d->now;
    member->epoch = msg->incarnation;
    member->version = msg->version;
    if (msg->whole) {
        member->ask_at = GP_NEVER;
        member->ask_gap_ms = ASK_GAP_MS;
    }
    set_given(d, index);
    gp_members_restand(d, index);
}

const gp_coordinate_t *gp_members_place(const gp_discovery_t *d, uint32_t index)
{
    if (index == d->self_index) {
        bool placed = d->coordinate != NULL && gp_coordinate_is_placed(d->coordinate);
        return placed ? d->coordinate : NULL;
    }
    return d->members[index].coordinate.error != 0 ? &d->members[index].coordinate : NULL;
}

/* ---- asking ------------------------------------------------------------------------------------
 */

void gp_members_ask(gp_discovery_t *d, gp_out_t *out)
{
    if (d->ask_wake > d->now) {
        return;
    }
    gp_id_t *targets = gp_out_bytes(out, GP_MEMBERS_MAX * sizeof *targets);
    uint32_t count = 0;
    d->ask_wake = GP_NEVER;
    for (uint32_t i = 0; i < d->slots_used; i++) {
        gp_listed_t *member = &d->members[i];
        bool alive = member->state == GP_MEMBER_ALIVE || member->state == GP_MEMBER_SUSPECT;
        if (!alive) {
            member->ask_at = GP_NEVER; /* it will report when it comes back */
        } else if (member->ask_at <= d->now && count < GP_MEMBERS_MAX) {
            member->ask_at = d->now + member->ask_gap_ms * GP_MSEC;
            member->ask_gap_ms =
                member->ask_gap_ms < ASK_GAP_MAX_MS / 2 ? member->ask_gap_ms * 2 : ASK_GAP_MAX_MS;
            targets[count] = member->id;
            count += 1;
        }
        d->ask_wake = member->ask_at < d->ask_wake ? member->ask_at : d->ask_wake;
    }
    if (count > 0) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_CAST, NULL, GP_MSG_RECORD_ASK);
        msg->u.record_ask.group = d->group;
        gp_out_last(out)->targets = targets;
        gp_out_last(out)->target_count = count;
    }
}

void gp_members_check(const gp_discovery_t *d)
{
    uint32_t used = 0;
    uint32_t standing[GP_STANDING_COUNT] = {0};
    for (uint32_t i = 0; i < d->slots_used; i++) {
        const gp_listed_t *member = &d->members[i];
        if (!member->used) {
            assert(!member->held && member->ask_at == GP_NEVER);
            continue;
        }
        assert(member->ask_at >= d->ask_wake);
        assert(member->ask_at == GP_NEVER || gp_discovery_holds_index(d));
        used += 1;
        standing[member->standing] += 1;
        bool offered = (d->offered[i / GP_LANES_MAX] >> i % GP_LANES_MAX & 1) != 0;
        assert(offered == (member->standing == GP_STANDING_OFFERED));
        assert(!offered || member->held);
    }
    assert(used == d->member_count && d->members[d->self_index].used);
    for (uint32_t i = 0; i < GP_STANDING_COUNT; i++) {
        assert(standing[i] == d->standing_count[i]);
    }
    /* Another one each time: these are slow to look at. */
    uint32_t at = (uint32_t)(d->now % used);
    assert(gp_members_find(d, &d->members[d->by_id[at]].id) == d->by_id[at]);
    for (uint32_t i = 0; i < d->blocks_used; i++) {
        gp_records_check_lane(d->blocks[i], (uint32_t)(d->now % d->blocks[i]->width));
    }
}

/* ---- the group as a whole -------------------------------------------------------------------- */

/* A group of more than one block has no summary to renew: it is made anew. */
static void summarize(const gp_discovery_t *d, gp_summary_t *summary)
{
    gp_summary_t block;
    if (d->blocks_used == 1) {
        (void)gp_summary_renew(summary, d->blocks[0], d->offered[0]);
        return;
    }
    memset(summary, 0, sizeof *summary);
    for (uint32_t i = 0; i < d->blocks_used; i++) {
        gp_summary_make(d->blocks[i], d->offered[i], &block);
        gp_summary_join(summary, &block);
    }
}

uint32_t gp_discovery_offer(const void *core, gp_summary_t *summary, gp_route_names_t *names,
                            bool *ret_partial)
{
    const gp_discovery_t *d = core;
    uint32_t count = 0;
    summarize(d, summary);
    for (uint32_t i = 0; i < d->slots_used; i++) {
        const gp_listed_t *member = &d->members[i];
        if (member->used && member->standing == GP_STANDING_OFFERED) {
            gp_route_names_add(names, gp_slice(member->name, member->name_n));
            count += 1;
        }
    }
    *ret_partial = d->right != GP_RIGHT_QUORUM || !gp_discovery_whole(d);
    return count;
}
