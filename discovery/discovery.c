#include "discovery/sentence.h"
#include "discovery/state.h"
#include "discovery/units.h"

#define GATHER_MS   100   /* a new leader may wait so long for what it lacks */
#define MEMBERS_MAX 65536 /* far above any group; a bound for the arithmetic below */

/* ---- memory ------------------------------------------------------------------------------------
 */

typedef struct layout {
    size_t members;
    size_t by_id;
    size_t offered;
    size_t blocks;
    size_t finds;
    size_t query;
    size_t own;
    size_t sent;
    size_t block_memory;
    size_t end;
    uint32_t block_count;
} layout_t;

static size_t place(size_t *end, size_t bytes)
{
    size_t at = *end;
    *end = (at + bytes + 63) / 64 * 64;
    return at;
}

static uint32_t pool_of(const gp_discovery_config_t *config)
{
    return config->pool_bytes == 0 ? GP_RECORD_POOL : config->pool_bytes;
}

static layout_t lay_out(const gp_discovery_config_t *config)
{
    layout_t l = {0};
    size_t end = 0;
    size_t n = config->members_max;
    uint32_t pool = pool_of(config);
    l.block_count = (config->members_max + GP_LANES_MAX - 1) / GP_LANES_MAX;
    (void)place(&end, sizeof(gp_discovery_t));
    l.members = place(&end, n * sizeof(gp_listed_t));
    l.by_id = place(&end, n * sizeof(uint32_t));
    l.offered = place(&end, l.block_count * sizeof(uint64_t));
    l.blocks = place(&end, l.block_count * sizeof(gp_records_t *));
    l.finds = place(&end, GP_FINDS_MAX * sizeof(gp_find_t));
    l.query = place(&end, sizeof(gp_query_t));
    l.own = place(&end, gp_records_size(1, pool));
    l.sent = place(&end, gp_records_size(1, pool));
    l.block_memory = place(&end, l.block_count * gp_records_size(GP_LANES_MAX, pool));
    l.end = end;
    return l;
}

static size_t discovery_size(const void *config)
{
    const gp_discovery_config_t *c = config;
    if (c->members_max == 0 || c->members_max > MEMBERS_MAX || c->pool_bytes > UINT16_MAX ||
        c->name.n == 0 || c->name.n > GP_NAME_MAX || c->region.n > GP_NAME_MAX ||
        c->address.n > GP_ADDRESS_MAX) {
        return 0;
    }
    return lay_out(c).end;
}

static void discovery_init(void *core, const void *config, gp_id_t self, uint64_t seed)
{
    const gp_discovery_config_t *c = config;
    assert(discovery_size(c) > 0 && !gp_id_is_none(&self));
    layout_t l = lay_out(c);
    uint8_t *base = core;
    gp_discovery_t *d = core;
    *d = (gp_discovery_t){.self = self,
                          .group = c->group,
                          .epoch = c->incarnation,
                          .members_max = c->members_max,
                          .pool_bytes = pool_of(c),
                          .coordinate = c->coordinate,
                          .alone = c->alone,
                          .alone_context = c->alone_context,
                          .remind_at = GP_NEVER,
                          .ask_wake = GP_NEVER};
    d->members = (gp_listed_t *)(void *)(base + l.members);
    d->by_id = (uint32_t *)(void *)(base + l.by_id);
    d->offered = (uint64_t *)(void *)(base + l.offered);
    d->blocks = (gp_records_t **)(void *)(base + l.blocks);
    memset(d->offered, 0, l.block_count * sizeof(uint64_t));
    d->finds = (gp_find_t *)(void *)(base + l.finds);
    d->query = (gp_query_t *)(void *)(base + l.query);
    d->block_memory = base + l.block_memory;
    d->own = gp_records_init(base + l.own, 1, d->pool_bytes);
    d->sent = gp_records_init(base + l.sent, 1, d->pool_bytes);
    gp_records_set_text(d->own, 0, GP_ATTR_NAME, c->name, false);
    if (c->region.n > 0) {
        gp_records_set_text(d->own, 0, GP_ATTR_REGION, c->region, false);
    }
    gp_random_t random;
    gp_random_init(&random, seed);
    d->next_query_id = gp_random_next(&random); /* a late answer to a former process fits nothing */
    d->self_index = gp_members_add(d, &self);
    d->members[d->self_index].state = GP_MEMBER_ALIVE;
    gp_members_set_name(d, d->self_index, c->name, c->address);
    gp_members_restand(d, d->self_index);
}

/* ---- events ------------------------------------------------------------------------------------
 */

static void on_leader(gp_discovery_t *d, const gp_msg_discovery_leader_t *msg)
{
    bool held = gp_discovery_holds_index(d);
    bool led = gp_discovery_leads(d);
    bool changed =
        d->term != msg->term || d->right != msg->right || !gp_id_equal(&d->leader, &msg->leader);
    bool readers = changed || !gp_id_equal(&d->deputy, &msg->deputy);
    d->term = msg->term;
    d->leader = msg->leader;
    d->deputy = msg->deputy;
    d->right = msg->right;
    d->lease_until = msg->lease_until;
    if (readers) {
        gp_publish_readers(d);
        if (gp_discovery_holds_index(d)) {
            if (!held) {
                gp_members_hold_again(d);
            }
            gp_members_hold(d);
        } else if (held) {
            gp_members_release(d);
        }
    }
    if (!led && gp_discovery_leads(d)) {
        d->gather_until = d->now + GATHER_MS * GP_MSEC;
    }
    if (changed) {
        gp_finds_on_leader(d);
    }
}

static void on_command(gp_discovery_t *d, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_OWN_RECORD:
        gp_publish_on_own(d, &event->msg->u.own_record);
        break;
    case GP_MSG_DISCOVERY_LEADER:
        on_leader(d, &event->msg->u.discovery_leader);
        break;
    case GP_MSG_DISCOVERY_MEMBER:
        gp_members_on_member(d, &event->msg->u.discovery_member);
        break;
    case GP_MSG_DISCOVERY_FIND:
        gp_finds_on_command(d, event->token, &event->msg->u.discovery_find, out);
        break;
    default:
        break;
    }
}

static void on_msg(gp_discovery_t *d, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_RECORD:
        gp_members_on_record(d, &event->peer, &event->msg->u.record);
        break;
    case GP_MSG_RECORD_ASK:
        if (event->msg->u.record_ask.group == d->group) {
            gp_publish_on_ask(d, &event->peer, out);
        }
        break;
    case GP_MSG_FIND:
        gp_finds_on_find(d, &event->peer, &event->msg->u.find, out);
        break;
    case GP_MSG_FOUND:
        gp_finds_on_found(d, &event->peer, &event->msg->u.found, out);
        break;
    default:
        break;
    }
}

static void discovery_step(void *core, const gp_event_t *event, gp_out_t *out)
{
    gp_discovery_t *d = core;
    assert(event->now >= d->now);
    d->now = event->now;
    if (event->type == GP_EVENT_COMMAND) {
        on_command(d, event, out);
    } else if (event->type == GP_EVENT_MSG) {
        on_msg(d, event, out);
    }
    gp_publish_due(d, out);
    gp_members_ask(d, out);
    gp_finds_due(d, out);
}

static gp_usec_t discovery_wake(const void *core)
{
    const gp_discovery_t *d = core;
    const gp_usec_t wakes[] = {gp_publish_wake(d), d->ask_wake, gp_finds_wake(d)};
    gp_usec_t wake = GP_NEVER;
    for (size_t i = 0; i < sizeof wakes / sizeof wakes[0]; i++) {
        wake = wakes[i] < wake ? wakes[i] : wake;
    }
    return wake;
}

static void discovery_check(const void *core)
{
    const gp_discovery_t *d = core;
    gp_members_check(d);
    gp_finds_check(d);
    gp_records_check(d->own);
    gp_records_check(d->sent);
    for (uint32_t i = 0; i < 2; i++) {
        assert(!d->readers[i].told || d->version > 0);
        assert(!d->readers[i].told || !gp_id_equal(&d->readers[i].id, &d->self));
    }
    assert(!gp_discovery_leads(d) || gp_discovery_holds_index(d));
}

const gp_core_ops_t gp_discovery_ops = {.name = "discovery",
                                        .size = discovery_size,
                                        .init = discovery_init,
                                        .step = discovery_step,
                                        .wake = discovery_wake,
                                        .check = discovery_check};

/* ---- questions that need no message
 * -------------------------------------------------------------- */

const gp_records_t *gp_discovery_own(const void *core)
{
    const gp_discovery_t *d = core;
    return d->own;
}

const gp_records_t *gp_discovery_record(const void *core, const gp_id_t *id, uint32_t *ret_lane)
{
    const gp_discovery_t *d = core;
    uint32_t index = gp_members_find(d, id);
    if (index == d->self_index) {
        *ret_lane = 0;
        return d->own;
    }
    if (index == GP_NOBODY || !d->members[index].held) {
        return NULL;
    }
    return gp_members_block(d, index, ret_lane);
}

/* "; here mem.free is 3.1GiB" */
static void say_value(const gp_discovery_t *d, uint16_t attr, gp_sentence_t *why)
{
    const gp_attribute_t *attribute = gp_attribute(attr);
    gp_sentence_add(why, "; here ");
    gp_sentence_add(why, attribute->name);
    if (!gp_records_knows(d->own, 0, attr)) {
        gp_sentence_add(why, " is not known");
    } else if (gp_type_is_number(attribute->type)) {
        char text[GP_QUANTITY_TEXT_MAX];
        (void)gp_quantity_print(gp_records_number(d->own, 0, attr), attribute->type, text);
        gp_sentence_add(why, " is ");
        gp_sentence_add(why, text);
    } else {
        gp_sentence_add(why, " is ");
        gp_sentence_quote(why, gp_records_text(d->own, 0, attr, NULL));
    }
}

static void say_part(gp_discovery_t *d, uint32_t part, gp_query_error_t *why)
{
    gp_sentence_t s;
    gp_sentence_init(&s, why->text, sizeof why->text);
    gp_sentence_quote(&s, gp_query_part_text(d->query, part));
    gp_sentence_add(&s, " does not hold");
    uint16_t code = d->query->code[d->query->parts[part].code];
    assert(code < d->query->term_count); /* postfix: a term comes first */
    if (d->query->parts[part].codes <= 2) {
        say_value(d, d->query->terms[code].attr, &s);
    }
    why->error = GP_E_NO_MATCH;
    why->column = d->query->parts[part].text.at + 1u;
    why->text_n = s.n;
}

gp_error_t gp_discovery_fits(void *core, gp_slice_t where, gp_query_error_t *ret_why)
{
    gp_discovery_t *d = core;
    gp_error_t error = gp_query_compile(where, d->query, ret_why);
    if (error != GP_OK) {
        return error;
    }
    for (uint32_t part = 0; part < d->query->part_count; part++) {
        if (gp_query_part_eval(d->query, part, d->own, 1).yes == 0) {
            say_part(d, part, ret_why);
            return GP_E_NO_MATCH;
        }
    }
    return GP_OK;
}
