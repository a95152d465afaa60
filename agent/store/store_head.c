/*
 * The head row, and the mark: a small file beside the database that says how many commits were
 * acknowledged. SQLite takes a journal that is damaged in the middle for one that ends there; the
 * mark tells the difference.
 *
 * The mark is written after each commit and before anybody hears of it, but without waiting for the
 * disk: after a loss of power it may lag behind, which only makes it less strict, and a killed
 * process does not lose it. Two slots, written in turn, so that one is always whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/store_inside.h"

#define MARK_SLOT  512 /* a slot each: never in the same sector */
#define MARK_BYTES (2 * MARK_SLOT)
#define MARK_USED  (8 + 8 + 2 * GP_STORE_SUM)

static const uint8_t mark_magic[8] = {'g', 'p', 'm', 'a', 'r', 'k', '0', '1'};

static uint8_t *number_put(uint8_t *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (uint8_t)(number >> (8 * (bytes - 1 - i)));
    }
    return to + bytes;
}

static const uint8_t *number_get(const uint8_t *from, uint64_t *ret_number, size_t bytes)
{
    *ret_number = 0;
    for (size_t i = 0; i < bytes; i++) {
        *ret_number = *ret_number << 8 | from[i];
    }
    return from + bytes;
}

static void sum_of(const char *what, const uint8_t *bytes, size_t n, uint8_t ret_sum[GP_STORE_SUM])
{
    gp_store_sum_t sum;
    gp_store_sum_init(&sum, what, GP_STORE_SUM);
    gp_store_sum_bytes(&sum, gp_slice(bytes, n));
    gp_store_sum_end(&sum, ret_sum, GP_STORE_SUM);
}

void gp_store_head_pack(const gp_store_head_t *head, uint8_t to[GP_STORE_HEAD])
{
    uint8_t *at = number_put(to, GP_STORE_SCHEMA, 4);
    at = number_put(at, head->commits, 8);
    at = number_put(at, head->boot, 8);
    at = number_put(at, head->serial, 8);
    at = number_put(at, head->log_first, 8);
    at = number_put(at, head->log_next, 8);
    memcpy(at, head->log_anchor, GP_STORE_HASH);
    memcpy(at + GP_STORE_HASH, head->log_last, GP_STORE_HASH);
    memcpy(at + 2 * (size_t)GP_STORE_HASH, head->rows, GP_STORE_SUM);
    at += 2 * GP_STORE_HASH + GP_STORE_SUM;
    sum_of("head", to, (size_t)(at - to), at);
    assert(at + GP_STORE_SUM == to + GP_STORE_HEAD);
}

bool gp_store_head_read(gp_slice_t bytes, gp_store_head_t *ret_head)
{
    uint8_t sum[GP_STORE_SUM];
    uint64_t schema = 0;
    if (bytes.n != GP_STORE_HEAD) {
        return false;
    }
    sum_of("head", bytes.p, GP_STORE_HEAD - GP_STORE_SUM, sum);
    const uint8_t *at = number_get(bytes.p, &schema, 4);
    if (memcmp(sum, bytes.p + GP_STORE_HEAD - GP_STORE_SUM, GP_STORE_SUM) != 0 ||
        schema != GP_STORE_SCHEMA) {
        return false;
    }
    at = number_get(at, &ret_head->commits, 8);
    at = number_get(at, &ret_head->boot, 8);
    at = number_get(at, &ret_head->serial, 8);
    at = number_get(at, &ret_head->log_first, 8);
    at = number_get(at, &ret_head->log_next, 8);
    memcpy(ret_head->log_anchor, at, GP_STORE_HASH);
    memcpy(ret_head->log_last, at + GP_STORE_HASH, GP_STORE_HASH);
    memcpy(ret_head->rows, at + 2 * (size_t)GP_STORE_HASH, GP_STORE_SUM);
    return true;
}

static void mark_pack(const gp_store_head_t *head, uint8_t to[MARK_USED])
{
    uint8_t packed[GP_STORE_HEAD];
    gp_store_head_pack(head, packed);
    memcpy(to, mark_magic, sizeof mark_magic);
    (void)number_put(to + 8, head->commits, 8);
    sum_of("mark", packed, sizeof packed, to + 16);
    sum_of("slot", to, 16 + GP_STORE_SUM, to + 16 + GP_STORE_SUM);
}

gp_error_t gp_store_mark_create(const char *path, const gp_store_head_t *head, gp_fail_t *fail)
{
    uint8_t bytes[MARK_BYTES] = {0};
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return gp_fail_errno(fail, errno, "cannot open %s", path);
    }
    mark_pack(head, bytes + (head->commits % 2) * MARK_SLOT);
    const gp_error_t error = gp_file_create((gp_folder_t){.fd = fd, .path = path}, GP_FILE_MARK,
                                            0600, gp_slice(bytes, sizeof bytes), fail);
    (void)close(fd);
    return error;
}

/* The slot's number of commits, or false if the slot is not whole. */
static bool slot_read(const uint8_t *slot, uint64_t *ret_commits)
{
    uint8_t sum[GP_STORE_SUM];
    sum_of("slot", slot, 16 + GP_STORE_SUM, sum);
    if (memcmp(slot, mark_magic, sizeof mark_magic) != 0 ||
        memcmp(sum, slot + 16 + GP_STORE_SUM, GP_STORE_SUM) != 0) {
        return false;
    }
    (void)number_get(slot + 8, ret_commits, 8);
    return true;
}

gp_error_t gp_store_mark_open(gp_store_t *store, gp_fail_t *fail)
{
    char path[GP_STATE_PATH_MAX + 16];
    uint8_t bytes[MARK_BYTES];
    (void)snprintf(path, sizeof path, "%s/" GP_FILE_MARK, store->path);
    store->mark_fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (store->mark_fd < 0) {
        return errno == ENOENT ? gp_fail(fail, GP_E_STATE_DAMAGED, "%s is missing", path)
                               : gp_fail_errno(fail, errno, "cannot open %s", path);
    }
    const ssize_t n = pread(store->mark_fd, bytes, sizeof bytes, 0);
    if (n < 0) {
        return gp_fail_errno(fail, errno, "cannot read %s", path);
    }
    uint64_t commits = 0;
    const uint8_t *newest = NULL;
    for (size_t i = 0; n == (ssize_t)sizeof bytes && i < 2; i++) {
        uint64_t found = 0;
        if (slot_read(bytes + i * MARK_SLOT, &found) && (newest == NULL || found > commits)) {
            newest = bytes + i * MARK_SLOT;
            commits = found;
        }
    }
    if (newest == NULL) {
        return gp_fail(fail, GP_E_STATE_DAMAGED, "%s is damaged; nothing was changed", path);
    }
    uint8_t expected[MARK_USED];
    mark_pack(&store->head, expected);
    if (store->head.commits < commits) {
        return gp_fail(fail, GP_E_STATE_DAMAGED,
                       "%s/" GP_FILE_DB " lacks the last %llu of %llu "
                       "commits: it, or its journal " GP_FILE_DB_WAL ", was damaged, cut or set "
                       "back; nothing was changed",
                       store->path, (unsigned long long)(commits - store->head.commits),
                       (unsigned long long)commits);
    }
    if (store->head.commits == commits && memcmp(newest, expected, MARK_USED) != 0) {
        return gp_fail(fail, GP_E_STATE_DAMAGED,
                       "%s/" GP_FILE_DB " is not the one that " GP_FILE_MARK
                       " belongs to; nothing was changed",
                       store->path);
    }
    return GP_OK;
}

bool gp_store_mark_write(gp_store_t *store)
{
    uint8_t slot[MARK_USED];
    mark_pack(&store->head, slot);
    const off_t offset = (off_t)(store->head.commits % 2) * MARK_SLOT;
    return pwrite(store->mark_fd, slot, sizeof slot, offset) == (ssize_t)sizeof slot;
}

void gp_store_mark_sync(gp_store_t *store)
{
    (void)fdatasync(store->mark_fd);
}
