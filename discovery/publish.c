#include "discovery/state.h"

#define PUBLISH_GAP_MS  1000
#define REMIND_FIRST_MS 8000
#define REMIND_MAX_MS   64000
#define WHOLE_GAP_MS    100
#define PLACE_BAND_US   200 /* or what it usually errs by, if that is more */

static bool is_remote(const gp_discovery_t *d, const gp_id_t *id)
{
    return !gp_id_is_none(id) && !gp_id_equal(id, &d->self);
}

/* Who was told already stays told: a deputy that becomes leader has every delta. */
void gp_publish_readers(gp_discovery_t *d)
{
    const gp_reader_of_t before[2] = {d->readers[0], d->readers[1]};
    const gp_id_t ids[2] = {d->leader, d->deputy};
    for (uint32_t i = 0; i < 2; i++) {
        bool told = false;
        for (uint32_t j = 0; j < 2; j++) {
            told = told || (before[j].told && gp_id_equal(&before[j].id, &ids[i]));
        }
        assert(!told || is_remote(d, &ids[i]));
        d->readers[i] = (gp_reader_of_t){.id = ids[i], .told = told};
    }
    if (gp_id_equal(&ids[0], &ids[1])) {
        d->readers[1] = (gp_reader_of_t){.told = false};
    }
}

void gp_publish_again(gp_discovery_t *d, const gp_id_t *reader)
{
    for (uint32_t i = 0; i < 2; i++) {
        d->readers[i].told = d->readers[i].told && !gp_id_equal(&d->readers[i].id, reader);
    }
}

/* `sent` is what readers hold, so it may jump to what is collected only when nobody holds it. */
static void renew_sent(gp_discovery_t *d)
{
    gp_record_attr_t attrs[GP_ATTRS_MAX];
    assert(!d->readers[0].told && !d->readers[1].told);
    if (d->version > 0 && !d->dirty) {
        return;
    }
    gp_records_apply(d->sent, 0, attrs, gp_records_dump(d->own, 0, attrs), true);
    d->version += 1;
    d->dirty = false;
}

static void remind_soon(gp_discovery_t *d)
{
    d->remind_gap_ms = REMIND_FIRST_MS;
    d->remind_at = d->now + REMIND_FIRST_MS * GP_MSEC;
}

gp_slice_t gp_publish_place(const gp_discovery_t *d, gp_out_t *out)
{
    if (d->coordinate == NULL || !gp_coordinate_is_placed(d->coordinate)) {
        return (gp_slice_t){0};
    }
    uint8_t *bytes = gp_out_bytes(out, GP_COORDINATE_BYTES);
    gp_coordinate_pack(d->coordinate, bytes);
    return gp_slice(bytes, GP_COORDINATE_BYTES);
}

static gp_msg_record_t *add_record(gp_discovery_t *d, gp_out_t *out, gp_action_type_t type,
                                   const gp_id_t *to)
{
    gp_msg_record_t *record = &gp_out_add(out, type, to, GP_MSG_RECORD)->u.record;
    record->group = d->group;
    record->incarnation = d->epoch;
    record->version = d->version;
    return record;
}

/* Texts move inside the core's pools when records change: the message takes copies. */
static void keep_texts(gp_out_t *out, gp_msg_record_t *record)
{
    for (uint32_t i = 0; i < record->attrs_count; i++) {
        record->attrs[i].text = gp_out_slice(out, record->attrs[i].text);
    }
}

static void send_whole(gp_discovery_t *d, const gp_id_t *to, gp_out_t *out)
{
    if (!d->readers[0].told && !d->readers[1].told) {
        renew_sent(d);
    }
    gp_msg_record_t *record = add_record(d, out, GP_ACTION_SEND, to);
    record->whole = true;
    record->coordinate = gp_publish_place(d, out);
    record->attrs_count = gp_records_dump(d->sent, 0, record->attrs);
    keep_texts(out, record);
    remind_soon(d);
}

/* Further than it wanders by itself. */
static bool has_moved(const gp_discovery_t *d)
{
    if (d->coordinate == NULL) {
        return false;
    }
    uint32_t usual_us = (uint32_t)d->coordinate->usual / GP_COORDINATE_TICKS;
    uint32_t band_us = usual_us > PLACE_BAND_US ? usual_us : PLACE_BAND_US;
    return d->told.error == 0 || gp_coordinate_moved_us(&d->told, d->coordinate) > band_us;
}

/* A delta or, when nothing changed, a reminder of the version: who missed one then asks. */
static void send_delta(gp_discovery_t *d, gp_out_t *out)
{
    gp_id_t *told = gp_out_bytes(out, 2 * sizeof *told);
    uint32_t count = 0;
    for (uint32_t i = 0; i < 2; i++) {
        if (d->readers[i].told) {
            told[count] = d->readers[i].id;
            count += 1;
        }
    }
    assert(count > 0);
    bool one = count == 1;
    gp_msg_record_t *record =
        add_record(d, out, one ? GP_ACTION_SEND : GP_ACTION_CAST, one ? &told[0] : NULL);
    if (!one) {
        gp_out_last(out)->targets = told;
        gp_out_last(out)->target_count = count;
    }
    if (!d->dirty || has_moved(d)) {
        record->coordinate = gp_publish_place(d, out);
        d->told = record->coordinate.n > 0 ? *d->coordinate : d->told;
    }
    if (d->dirty) {
        record->attrs_count = gp_records_delta(d->own, d->sent, record->attrs);
        keep_texts(out, record);
        d->version += 1;
        record->version = d->version;
        d->dirty = false;
        remind_soon(d);
    }
}

void gp_publish_on_own(gp_discovery_t *d, const gp_msg_own_record_t *msg)
{
    gp_records_apply(d->own, 0, msg->attrs, msg->attrs_count, msg->whole);
    d->collected = true;
    d->dirty = d->version == 0 || gp_records_differ(d->own, d->sent);
    gp_members_copy_own(d);
}

void gp_publish_on_ask(gp_discovery_t *d, const gp_id_t *from, gp_out_t *out)
{
    uint32_t index = gp_members_find(d, from);
    if (index == GP_NOBODY || index == d->self_index || !d->collected ||
        d->now < d->members[index].whole_after) {
        return;
    }
    d->members[index].whole_after = d->now + WHOLE_GAP_MS * GP_MSEC;
    send_whole(d, from, out);
    for (uint32_t i = 0; i < 2; i++) {
        if (gp_id_equal(&d->readers[i].id, from)) {
            d->readers[i].told = true;
        }
    }
}

static bool anybody_told(const gp_discovery_t *d)
{
    return d->readers[0].told || d->readers[1].told;
}

void gp_publish_due(gp_discovery_t *d, gp_out_t *out)
{
    if (!d->collected) {
        return;
    }
    for (uint32_t i = 0; i < 2; i++) {
        gp_reader_of_t *reader = &d->readers[i];
        if (!reader->told && is_remote(d, &reader->id)) {
            send_whole(d, &reader->id, out);
            reader->told = true;
        }
    }
    if (!anybody_told(d)) {
        return;
    }
    if (d->dirty && d->now >= d->publish_after) {
        send_delta(d, out);
        d->publish_after = d->now + PUBLISH_GAP_MS * GP_MSEC;
    } else if (!d->dirty && d->now >= d->remind_at) {
        send_delta(d, out);
        d->remind_gap_ms = d->remind_gap_ms < REMIND_MAX_MS ? d->remind_gap_ms * 2 : REMIND_MAX_MS;
        d->remind_at = d->now + d->remind_gap_ms * GP_MSEC;
    }
}

gp_usec_t gp_publish_wake(const gp_discovery_t *d)
{
    if (!d->collected || !anybody_told(d)) {
        return GP_NEVER;
    }
    return d->dirty ? d->publish_after : d->remind_at;
}
