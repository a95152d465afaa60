#include "tests/fuzz/core_disk.h"

#include "agent/shell/record.h"
#include "tests/fuzz/fuzz.h"

typedef struct record {
    gp_msg_kind_t kind;
    uint64_t key;
    bool removed; /* it says that the one of this key is no longer needed */
    uint64_t token;
    size_t n;
    uint8_t bytes[FUZZ_DISK_BYTES];
} record_t;

typedef struct queue {
    uint32_t first;
    uint32_t count;
    record_t records[FUZZ_DISK_QUEUE];
} queue_t;

static queue_t queues[GP_SEAT_COUNT][GP_ROOM_COUNT];
static record_t durable[FUZZ_DISK_RECORDS];
static uint32_t durable_count;

void fuzz_disk_reset(void)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        for (int room = 0; room < GP_ROOM_COUNT; room++) {
            queues[seat][room].first = queues[seat][room].count = 0;
        }
    }
    durable_count = 0;
}

static void record_copy(record_t *to, const record_t *from)
{
    memcpy(to, from, offsetof(record_t, bytes) + from->n);
}

static void record_keep(const record_t *record)
{
    uint32_t at = 0;
    while (at < durable_count &&
           (durable[at].kind != record->kind || durable[at].key != record->key)) {
        at++;
    }
    if (record->removed) {
        if (at < durable_count) {
            durable_count--;
            if (at < durable_count) {
                record_copy(&durable[at], &durable[durable_count]);
            }
        }
        return;
    }
    FUZZ_CHECK(at < FUZZ_DISK_RECORDS); /* a core that never removes its records */
    durable_count = at == durable_count ? at + 1 : durable_count;
    record_copy(&durable[at], record);
}

void fuzz_disk_store(const gp_action_t *action)
{
    queue_t *queue = &queues[action->seat][action->room];
    FUZZ_CHECK(gp_msg_room(action->msg->kind) == action->room);
    FUZZ_CHECK(queue->count < FUZZ_DISK_QUEUE); /* records pile up */
    record_t *record = &queue->records[(queue->first + queue->count) % FUZZ_DISK_QUEUE];
    record->kind = action->msg->kind;
    record->token = action->token;
    record->key = gp_record_key(action->msg, &record->removed);
    FUZZ_CHECK(gp_msg_pack(action->msg, record->bytes, sizeof record->bytes, &record->n) == GP_OK);
    queue->count++;
}

uint32_t fuzz_disk_waiting(gp_seat_t seat, gp_room_t room)
{
    return queues[seat][room].count;
}

bool fuzz_disk_answer(gp_seat_t seat, gp_room_t room, bool ok, uint64_t *ret_token)
{
    queue_t *queue = &queues[seat][room];
    if (queue->count == 0) {
        return false;
    }
    record_t *record = &queue->records[queue->first];
    if (ok) {
        record_keep(record);
    }
    *ret_token = record->token;
    queue->first = (queue->first + 1) % FUZZ_DISK_QUEUE;
    queue->count--;
    return true;
}

void fuzz_disk_crash(uint32_t reached)
{
    uint64_t token = 0;
    for (int lane = 0; lane < GP_SEAT_COUNT * GP_ROOM_COUNT; lane++) {
        gp_seat_t seat = (gp_seat_t)(lane / GP_ROOM_COUNT);
        gp_room_t room = (gp_room_t)(lane % GP_ROOM_COUNT);
        for (uint32_t i = 0; fuzz_disk_answer(seat, room, i < reached, &token); i++) {
        }
    }
}

bool fuzz_disk_read(uint32_t index, gp_msg_t *ret_record)
{
    if (index >= durable_count) {
        return false;
    }
    const record_t *record = &durable[index];
    FUZZ_CHECK(gp_msg_read(record->kind, gp_slice(record->bytes, record->n), false, ret_record) ==
               GP_OK);
    return true;
}
