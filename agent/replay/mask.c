#include "agent/replay/mask.h"

#include "proto/message_table.h"
#include "proto/random.h"

/* A secret field: a TEXT or BLOB, or the texts of a list of words. */
typedef struct secret_field {
    gp_msg_kind_t kind;
    size_t offset;
    size_t count_offset; /* 0: no list */
} secret_field_t;

#define SECRET(KIND, message, field)                                                               \
    {                                                                                              \
        GP_MSG_##KIND, offsetof(gp_msg_t, u.message.field), 0                                      \
    }
#define SECRET_WORDS(KIND, message, list)                                                          \
    {                                                                                              \
        GP_MSG_##KIND, offsetof(gp_msg_t, u.message.list),                                         \
            offsetof(gp_msg_t, u.message.list##_count)                                             \
    }

static const secret_field_t secrets[] = {
    SECRET_WORDS(CLAIM, claim, args),
    SECRET_WORDS(CLAIM, claim, env),
    SECRET_WORDS(WORK_RUN, work_run, args),
    SECRET_WORDS(WORK_RUN, work_run, env),
    SECRET_WORDS(JOB_START, job_start, args),
    SECRET_WORDS(JOB_START, job_start, env),
    SECRET(OUTPUT, output, bytes),
    SECRET(WORK_OUTPUT, work_output, bytes),
    SECRET(JOB_OUTPUT, job_output, bytes),
};
#define SECRET_COUNT (sizeof secrets / sizeof secrets[0])

#define KINDS_MAX     512                   /* codes of messages are below */
#define LENGTHS_BYTES (2 * GP_ARGS_MAX * 3) /* a length takes three */

static bool has_secrets(gp_msg_kind_t kind)
{
    for (size_t i = 0; i < SECRET_COUNT; i++) {
        if (secrets[i].kind == kind) {
            return true;
        }
    }
    return false;
}

/* Frames that a core keeps and shows to others. */
static bool is_evidence(gp_msg_kind_t kind)
{
    return kind == GP_MSG_VOTE || kind == GP_MSG_HANDOVER;
}

/* The slices of a secret field, one after the other; NULL: that was the last. */
static gp_slice_t *slice_at(gp_msg_t *msg, const secret_field_t *secret, uint32_t index)
{
    uint8_t *base = (uint8_t *)msg;
    uint32_t count = 1;
    if (secret->count_offset == 0) {
        return index < count ? (gp_slice_t *)(void *)(base + secret->offset) : NULL;
    }
    memcpy(&count, base + secret->count_offset, sizeof count);
    gp_record_word_t *words = (gp_record_word_t *)(void *)(base + secret->offset);
    return index < count ? &words[index].text : NULL;
}

typedef void secret_fn(gp_slice_t *secret, void *context);

static void each_secret(gp_msg_t *msg, secret_fn *each, void *context)
{
    for (size_t i = 0; i < SECRET_COUNT; i++) {
        if (secrets[i].kind != msg->kind) {
            continue;
        }
        gp_slice_t *secret = slice_at(msg, &secrets[i], 0);
        for (uint32_t j = 1; secret != NULL; j++) {
            each(secret, context);
            secret = slice_at(msg, &secrets[i], j);
        }
    }
}

/* ---- writing --------------------------------------------------------------------------------- */

/* What is left of a secret in the message: nothing; in the recording: its length. */
static void hide(gp_slice_t *secret, void *context)
{
    gp_put_number(context, secret->n);
    *secret = (gp_slice_t){0};
}

static gp_error_t put_packed(const gp_msg_t *msg, gp_put_t *put)
{
    size_t n = 0;
    if (put->over || put->size - put->used < 4) {
        return GP_E_MESSAGE_SIZE;
    }
    size_t room = put->size - put->used - 4;
    uint8_t *to = put->to + put->used;
    gp_error_t error = gp_msg_pack(msg, to + 4, room < GP_MESSAGE_MAX ? room : GP_MESSAGE_MAX, &n);
    gp_bytes_put32(to, (uint32_t)n);
    put->used += 4 + n;
    return error;
}

bool gp_mask_put(const gp_msg_t *msg, gp_msg_t *scratch, gp_put_t *put)
{
    size_t before = put->used;
    if (gp_msg_room(msg->kind) == GP_ROOM_JOIN) {
        return false;
    }
    gp_slice_t evidence = is_evidence(msg->kind) ? msg->signed_bytes : (gp_slice_t){0};
    gp_put_number(put, msg->kind);
    gp_put_number(put, evidence.n > 0 ? msg->sent_ms : 0);
    gp_put_text(put, evidence);
    uint8_t bytes[LENGTHS_BYTES];
    gp_put_t lengths = {.to = bytes, .size = sizeof bytes};
    if (has_secrets(msg->kind)) {
        gp_msg_copy(scratch, msg);
        each_secret(scratch, hide, &lengths);
        msg = scratch;
    }
    gp_error_t error = put_packed(msg, put);
    gp_put_raw(put, bytes, lengths.used);
    if (error != GP_OK || put->over || lengths.over) {
        put->used = before;
        return false;
    }
    return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What is given back in place of a secret. */
static void give_back(gp_slice_t *secret, void *context)
{
    static uint8_t letters[GP_ARGS_BYTES_MAX];
    static_assert(sizeof letters >= GP_OUTPUT_CHUNK_MAX, "as long as any secret");
    gp_get_t *get = context;
    uint64_t n = gp_get_number(get);
    get->over = get->over || n > sizeof letters;
    if (!get->over) {
        memset(letters, 'x', (size_t)n);
        *secret = gp_slice(letters, (size_t)n);
    }
}

gp_error_t gp_mask_get(gp_get_t *get, gp_msg_t *ret_msg)
{
    uint64_t kind = gp_get_number(get);
    gp_wall_ms_t sent_ms = gp_get_number(get);
    gp_slice_t evidence = gp_get_text(get);
    gp_slice_t head = gp_get_raw(get, 4);
    gp_slice_t body = gp_get_raw(get, head.n == 4 ? gp_bytes_get32(head.p) : 0);
    if (get->over || kind > UINT32_MAX || !gp_msg_known((uint32_t)kind) ||
        gp_msg_read((gp_msg_kind_t)kind, body, false, ret_msg) != GP_OK) {
        return GP_E_REPLAY_DAMAGED;
    }
    ret_msg->sent_ms = sent_ms;
    ret_msg->signed_bytes = evidence;
    each_secret(ret_msg, give_back, get);
    return get->over ? GP_E_REPLAY_DAMAGED : GP_OK;
}

/* ---- which messages these are ---------------------------------------------------------------- */

static uint64_t hash_fields(const gp_field_t *fields, uint32_t count, uint64_t hash)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t facts[] = {(uint64_t)fields[i].type, (uint64_t)fields[i].record, fields[i].max};
        hash = gp_hash(fields[i].name, strlen(fields[i].name), hash);
        hash = gp_hash(facts, sizeof facts, hash);
    }
    return hash;
}

uint64_t gp_mask_fingerprint(void)
{
    uint64_t hash = 0;
    for (uint32_t code = 0; code < KINDS_MAX; code++) {
        const gp_msg_table_t *table = gp_msg_table(code);
        if (table != NULL) {
            hash =
                hash_fields(table->fields, table->field_count, gp_hash(&code, sizeof code, hash));
        }
    }
    for (int kind = GP_RECORD_KIND_NONE + 1; kind < GP_RECORD_KIND_COUNT; kind++) {
        const gp_record_table_t *table = gp_record_table((gp_record_kind_t)kind);
        hash = hash_fields(table->fields, table->field_count, hash);
    }
    return hash;
}
