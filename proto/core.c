#include "proto/core.h"

#include "proto/message_table.h"

#define GP_OUT_ALIGN 16U

void gp_out_reset(gp_out_t *out)
{
    assert(out->actions != NULL && out->capacity > 0);
    assert(out->arena != NULL && (uintptr_t)out->arena % GP_OUT_ALIGN == 0);
    out->count = 0;
    out->used = 0;
}

void *gp_out_bytes(gp_out_t *out, size_t n)
{
    size_t from = (out->used + (GP_OUT_ALIGN - 1)) & ~(size_t)(GP_OUT_ALIGN - 1);

    assert((uintptr_t)out->arena % GP_OUT_ALIGN == 0);
    assert(from <= out->size && n <= out->size - from);
    out->used = from + n;
    memset(out->arena + from, 0, n);
    return out->arena + from;
}

gp_slice_t gp_out_slice(gp_out_t *out, gp_slice_t from)
{
    uint8_t *to = gp_out_bytes(out, from.n);

    if (from.n > 0) {
        memcpy(to, from.p, from.n);
    }
    return (gp_slice_t){.p = to, .n = from.n};
}

static gp_action_t *out_next(gp_out_t *out, gp_action_type_t type, const gp_id_t *peer)
{
    gp_action_t *action;

    assert(out->count < out->capacity);
    assert(out->room > 0 && out->room < GP_ROOM_COUNT && out->seat < GP_SEAT_COUNT);
    action = &out->actions[out->count++];
    *action = (gp_action_t){.type = type, .room = out->room, .seat = out->seat};
    if (peer != NULL) {
        action->peer = *peer;
    }
    return action;
}

static bool scope_fits(gp_action_type_t type, gp_scope_t scope)
{
    switch (type) {
    case GP_ACTION_STORE:
    case GP_ACTION_KEEP:
        return scope == GP_SCOPE_STORED;
    case GP_ACTION_SEND:
        return scope == GP_SCOPE_SIGNED || scope == GP_SCOPE_LINK;
    case GP_ACTION_CAST:
        return scope == GP_SCOPE_SIGNED;
    case GP_ACTION_NOTICE:
        return scope == GP_SCOPE_NOTICE;
    case GP_ACTION_LINK:
    case GP_ACTION_DIAL:
    default:
        return false;
    }
}

gp_msg_t *gp_out_add(gp_out_t *out, gp_action_type_t type, const gp_id_t *peer, gp_msg_kind_t kind)
{
    gp_action_t *action = out_next(out, type, peer);
    gp_msg_t *msg = gp_out_bytes(out, gp_msg_size(kind));

    assert(gp_msg_known((uint32_t)kind));
    assert(scope_fits(type, gp_msg_scope(kind)));
    msg->kind = kind;
    action->msg = msg;
    return msg;
}

void gp_out_plain(gp_out_t *out, gp_action_type_t type, const gp_id_t *peer, uint64_t token)
{
    assert(type == GP_ACTION_LINK || type == GP_ACTION_DIAL);
    out_next(out, type, peer)->token = token;
}

bool gp_out_is_light(const gp_out_t *out)
{
    return out->count < GP_ACTIONS_SOFT && out->used < GP_ARENA_SOFT;
}

bool gp_out_holds(const gp_out_t *out, gp_msg_kind_t kind)
{
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->actions[i].msg != NULL && out->actions[i].msg->kind == kind) {
            return true;
        }
    }
    return false;
}

gp_action_t *gp_out_last(gp_out_t *out)
{
    assert(out->count > 0);
    return &out->actions[out->count - 1];
}

/* ---- messages that outlive their core's memory ----------------------------------------------- */

typedef struct detach {
    gp_out_t *out;
    const uint8_t *memory;
    size_t size;
} detach_t;

static bool is_within(const detach_t *detach, const void *p)
{
    uintptr_t at = (uintptr_t)p;
    uintptr_t from = (uintptr_t)detach->memory;
    return at >= from && at - from < detach->size;
}

static bool has_slices(const gp_record_table_t *record)
{
    for (uint32_t i = 0; i < record->field_count; i++) {
        gp_field_type_t type = record->fields[i].type;
        if (type == GP_FIELD_TEXT || type == GP_FIELD_BLOB) {
            return true;
        }
    }
    return false;
}

static void detach_fields(const detach_t *detach, const gp_field_t *fields, uint32_t count,
                          uint8_t *base)
{
    for (uint32_t i = 0; i < count; i++) {
        const gp_field_t *field = &fields[i];
        uint8_t *at = base + field->offset;
        if (field->type == GP_FIELD_TEXT || field->type == GP_FIELD_BLOB) {
            gp_slice_t *slice = (gp_slice_t *)(void *)at;
            if (slice->n > 0 && is_within(detach, slice->p)) {
                *slice = gp_out_slice(detach->out, *slice);
            }
        } else if (field->type == GP_FIELD_LIST) {
            const gp_record_table_t *record = gp_record_table(field->record);
            uint32_t records = has_slices(record) ? gp_field_count(field, base) : 0;
            for (uint32_t k = 0; k < records; k++) {
                detach_fields(detach, record->fields, record->field_count, at + k * record->size);
            }
        }
    }
}

void gp_out_detach(gp_out_t *out, uint32_t from, const void *memory, size_t size)
{
    const detach_t detach = {.out = out, .memory = memory, .size = size};
    for (uint32_t i = from; i < out->count; i++) {
        gp_action_t *action = &out->actions[i];
        if (action->msg != NULL) {
            const gp_msg_table_t *table = gp_msg_table((uint32_t)action->msg->kind);
            gp_msg_t *msg = (gp_msg_t *)(uintptr_t)action->msg; /* it lives in the arena */
            detach_fields(&detach, table->fields, table->field_count, (uint8_t *)&msg->u);
        }
        if (action->target_count > 0 && is_within(&detach, action->targets)) {
            size_t bytes = action->target_count * sizeof *action->targets;
            gp_id_t *targets = gp_out_bytes(out, bytes);
            memcpy(targets, action->targets, bytes);
            action->targets = targets;
        }
    }
}
