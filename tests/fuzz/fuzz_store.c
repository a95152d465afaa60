/*
 * The database and its journal, as an agent that was killed left them, with damage: each three to
 * five bytes of the input say where and what. Damage to the database or to the mark is told, or
 * harmless: what opens has every record that was acknowledged, and nothing else. SQLite reads real
 * files and checks them all, so this is slow.
 */
#include "agent/store/ledger.h"
#include "agent/store/store_inside.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/place.h"

#define IMAGE_MAX 262144
#define NOW       UINT64_C(1700000000000)
#define RECORDS   6
#define EDITS_MAX 8

enum { DB, WAL, MARK, FILES };

static struct {
    const char *name;
    size_t n;
    uint8_t bytes[IMAGE_MAX];
} images[FILES] = {{.name = GP_FILE_DB}, {.name = GP_FILE_DB_WAL}, {.name = GP_FILE_MARK}};

static const gp_store_options_t options = {.building = true}; /* nothing waits for the disk */
static uint8_t damaged[IMAGE_MAX];
static uint8_t packed[GP_MESSAGE_MAX];

/* The packed record under a key. */
static gp_slice_t record_of(uint64_t key)
{
    static gp_msg_t msg;
    size_t n = 0;
    memset(&msg, 0, gp_msg_size(GP_MSG_JOB_STATE));
    msg.kind = GP_MSG_JOB_STATE;
    msg.u.job_state.job = key;
    msg.u.job_state.state = GP_JOB_DONE;
    msg.u.job_state.name = gp_text("a job");
    FUZZ_CHECK(gp_msg_pack(&msg, packed, sizeof packed, &n) == GP_OK);
    return gp_slice(packed, n);
}

static gp_error_t fill_ledger(gp_store_t *store, void *context)
{
    gp_log_entry_t entry = {.at = NOW,
                            .actor = gp_text("operator"),
                            .what = gp_text("invite"),
                            .object = gp_text("lab"),
                            .detail = gp_text("for 3")};
    gp_invitation_t invitation = {
        .serial = gp_ledger_serial(store), .region = "lab", .expires_ms = NOW * 2, .uses = 3};
    (void)context;
    gp_error_t error = gp_ledger_invite(store, &invitation, NOW);
    return error == GP_OK ? gp_store_log_inside(store, &entry) : error;
}

static void set_up(void)
{
    gp_store_t *store = NULL;
    gp_fail_t fail = {0};
    const char *path = fuzz_place(NULL);
    FUZZ_CHECK(gp_store_create(path, &fail) == GP_OK);
    FUZZ_CHECK(gp_store_open(path, &options, &store, &fail) == GP_OK);
    for (uint64_t key = 1; key <= RECORDS; key++) {
        const gp_store_record_t record = {
            .room = GP_ROOM_WORK, .kind = GP_MSG_JOB_STATE, .key = key, .bytes = record_of(key)};
        FUZZ_CHECK(gp_store_put_now(store, &record, &fail) == GP_OK);
    }
    FUZZ_CHECK(gp_store_run_now(store, fill_ledger, NULL, &fail) == GP_OK);
    for (int i = 0; i < FILES; i++) { /* as a killed process leaves them */
        images[i].n = fuzz_place_read(images[i].name, images[i].bytes, IMAGE_MAX);
        FUZZ_CHECK(images[i].n > 0 && images[i].n < IMAGE_MAX);
    }
    gp_store_close(store);
}

/* One piece of damage in one file; its length may become shorter. */
static void damage(fuzz_bytes_t *bytes, size_t *n)
{
    uint8_t how = fuzz_u8(bytes);
    size_t at = fuzz_number(bytes, 3) % *n;
    switch (how % 4) {
    case 0:
        damaged[at] ^= (uint8_t)(1 + fuzz_u8(bytes) % 255);
        break;
    case 1:
        *n = at + 1;
        break;
    case 2:
        for (size_t i = at; i < *n && i < at + 512; i++) {
            damaged[i] = fuzz_u8(bytes);
        }
        break;
    default:
        memmove(damaged, damaged + at / 512 * 512, *n - at / 512 * 512 < 4096 ? 512 : 4096);
        break;
    }
}

static void count_record(void *context, uint64_t key, const gp_msg_t *msg)
{
    uint64_t *found = context;
    FUZZ_CHECK(key >= 1 && key <= RECORDS && msg->kind == GP_MSG_JOB_STATE);
    FUZZ_CHECK(msg->u.job_state.job == key && msg->u.job_state.state == GP_JOB_DONE);
    *found |= UINT64_C(1) << key;
}

static void count_invitation(void *context, const gp_invitation_t *invitation)
{
    uint32_t *count = context;
    FUZZ_CHECK(strcmp(invitation->region, "lab") == 0 && invitation->uses == 3);
    *count += 1;
}

/* Everything that was acknowledged is there. */
static void check_whole(gp_store_t *store)
{
    gp_fail_t fail = {0};
    uint64_t found = 0;
    uint32_t invitations = 0;
    FUZZ_CHECK(gp_store_load(store, GP_ROOM_WORK, count_record, &found, &fail) == GP_OK);
    FUZZ_CHECK(found == ((UINT64_C(1) << RECORDS) - 1) << 1);
    FUZZ_CHECK(gp_ledger_invitations(store, 0, 10, count_invitation, &invitations) == GP_OK);
    FUZZ_CHECK(invitations == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes_t bytes = {.p = data, .n = size};
    gp_store_t *store = NULL;
    gp_fail_t fail = {0};
    uint64_t seq = 0;
    if (images[DB].n == 0) {
        set_up();
    }
    uint8_t target = fuzz_u8(&bytes) % FILES;
    for (int i = 0; i < FILES; i++) {
        size_t n = images[i].n;
        memcpy(damaged, images[i].bytes, n);
        for (int k = 0; i == target && k < EDITS_MAX && bytes.n > 0; k++) {
            damage(&bytes, &n);
        }
        fuzz_place_write(images[i].name, gp_slice(damaged, n));
    }
    gp_error_t error = gp_store_open(fuzz_place(NULL), &options, &store, &fail);
    if (error != GP_OK) {
        FUZZ_CHECK(fail.code == error && fail.text[0] != '\0');
        return 0;
    }
    check_whole(store);
    (void)!gp_store_log_verify(store, &seq);
    gp_store_close(store);
    return 0;
}
