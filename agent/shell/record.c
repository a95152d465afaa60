#include "agent/shell/record.h"

#include "agent/work/work_core.h"
#include "proto/random.h"

uint64_t gp_record_key(const gp_msg_t *msg, bool *ret_removed)
{
    uint8_t key[GP_WORK_KEY_MAX];
    *ret_removed = false;
    if (gp_msg_room(msg->kind) != GP_ROOM_WORK) {
        return gp_msg_group(msg); /* a machine has a seat in several, and may have moved */
    }
    uint32_t n = gp_work_record_key(msg, key, ret_removed);
    return gp_hash(key, n, 0);
}
