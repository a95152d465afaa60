#include "proto/core.h"

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
    assert(out->room > 0 && out->room < GP_ROOM_COUNT);
    action = &out->actions[out->count++];
    *action = (gp_action_t){.type = type, .room = out->room};
    if (peer != NULL) {
        action->peer = *peer;
    }
    return action;
}

static bool scope_fits(gp_action_type_t type, gp_scope_t scope)
{
    switch (type) {
    case GP_ACTION_STORE:
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
