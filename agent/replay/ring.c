#include "agent/replay/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/replay/bytes.h"
#include "proto/random.h"

/*
 * The file: magic, version (32 bits), state (32 bits), size (64), checksum of magic, version and
 * size (64). A part: its turn (64), the number of its first record (64), a checksum of both (64),
 * then its records. A record: its length (32), a checksum (32), its bytes. A length of 0 ends it.
 */
#define MAGIC        "gridpeer replay\n"
#define MAGIC_BYTES  16
#define STATE_AT     20
#define SIZE_AT      24
#define CHECK_AT     32
#define FILE_HEAD    64
#define PART_HEAD    24
#define RECORD_HEAD  8
#define STATE_OPEN   1u
#define STATE_CLOSED 2u

static uint64_t part_start(uint64_t size, gp_ring_part_t part)
{
    static const unsigned quarters[GP_RING_PARTS + 1] = {0, 2, 3, 4};
    return FILE_HEAD + (size - FILE_HEAD) / 4 * quarters[part];
}

static uint64_t part_end(uint64_t size, gp_ring_part_t part)
{
    return part_start(size, (gp_ring_part_t)(part + 1));
}

static uint32_t record_check(gp_slice_t record, uint64_t turn, uint64_t at)
{
    uint64_t place[3] = {turn, at, record.n};
    uint64_t hash = gp_hash(record.p, record.n, gp_hash(place, sizeof place, GP_RING_VERSION));
    return (uint32_t)(hash ^ hash >> 32);
}

static uint64_t head_check(const uint8_t head[FILE_HEAD])
{
    uint64_t hash = gp_hash(head, STATE_AT, GP_RING_VERSION);
    return gp_hash(head + SIZE_AT, CHECK_AT - SIZE_AT, hash);
}

/* ---- writing --------------------------------------------------------------------------------- */

static bool write_at(int fd, const uint8_t *bytes, size_t n, uint64_t at)
{
    size_t used = 0;
    while (used < n) {
        ssize_t wrote = pwrite(fd, bytes + used, n - used, (off_t)(at + used));
        if (wrote < 0 && errno != EINTR) {
            return false;
        }
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

static bool begin_part(gp_ring_t *ring, gp_ring_part_t part)
{
    uint8_t head[PART_HEAD + RECORD_HEAD] = {0};
    ring->part = part;
    ring->turn++;
    gp_bytes_put64(head, ring->turn);
    gp_bytes_put64(head + 8, ring->records);
    gp_bytes_put64(head + 16, gp_hash(head, 16, GP_RING_VERSION));
    uint64_t start = part_start(ring->size, part);
    ring->at = start + PART_HEAD;
    return write_at(ring->fd, head, sizeof head, start);
}

static bool write_head(const gp_ring_t *ring)
{
    uint8_t head[FILE_HEAD] = {0};
    memcpy(head, MAGIC, MAGIC_BYTES);
    gp_bytes_put32(head + MAGIC_BYTES, GP_RING_VERSION);
    gp_bytes_put32(head + STATE_AT, STATE_OPEN);
    gp_bytes_put64(head + SIZE_AT, ring->size);
    gp_bytes_put64(head + CHECK_AT, head_check(head));
    return write_at(ring->fd, head, sizeof head, 0);
}

gp_error_t gp_ring_create(gp_folder_t folder, const char *name, uint64_t size, gp_ring_t *ret_ring,
                          gp_fail_t *fail)
{
    assert(size >= GP_RING_BYTES_MIN && size <= (uint64_t)GP_RING_MEBIBYTES_MAX << 20);
    (void)unlinkat(folder.fd, name, 0);
    gp_ring_t ring = {.size = size};
    ring.fd = openat(folder.fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (ring.fd < 0) {
        return gp_fail_errno(fail, errno, "cannot create %s/%s", folder.path, name);
    }
    int number = posix_fallocate(ring.fd, 0, (off_t)size);
    if (number == 0 && (!write_head(&ring) || !begin_part(&ring, GP_RING_HEAD))) {
        number = errno;
    }
    if (number != 0) {
        (void)close(ring.fd);
        (void)unlinkat(folder.fd, name, 0);
        return gp_fail_errno(fail, number, "cannot make %s/%s of %llu bytes", folder.path, name,
                             (unsigned long long)size);
    }
    *ret_ring = ring;
    return GP_OK;
}

bool gp_ring_ends_head(const gp_ring_t *ring, size_t n)
{
    return ring->part != GP_RING_HEAD ||
           n + 2 * RECORD_HEAD > part_end(ring->size, ring->part) - ring->at;
}

gp_error_t gp_ring_append(gp_ring_t *ring, gp_slice_t record, gp_fail_t *fail)
{
    uint8_t bytes[RECORD_HEAD + 256 + RECORD_HEAD];
    assert(record.n > 0 && record.n <= GP_RING_RECORD_MAX);
    if (record.n + 2 * RECORD_HEAD > part_end(ring->size, ring->part) - ring->at &&
        !begin_part(ring, ring->part == GP_RING_TAIL_A ? GP_RING_TAIL_B : GP_RING_TAIL_A)) {
        return gp_fail_errno(fail, errno, "cannot write the recording");
    }
    gp_bytes_put32(bytes, record.n);
    gp_bytes_put32(bytes + 4, record_check(record, ring->turn, ring->at));
    bool small = record.n <= sizeof bytes - 2 * RECORD_HEAD;
    size_t n = RECORD_HEAD + (small ? record.n : 0);
    if (small) {
        memcpy(bytes + RECORD_HEAD, record.p, record.n);
    }
    memset(bytes + n, 0, RECORD_HEAD);
    /* A large one is written from its end, so that its head never stands before bytes of old. */
    bool written =
        small || (write_at(ring->fd, bytes + n, RECORD_HEAD, ring->at + RECORD_HEAD + record.n) &&
                  write_at(ring->fd, record.p, record.n, ring->at + RECORD_HEAD));
    if (!written || !write_at(ring->fd, bytes, small ? n + RECORD_HEAD : n, ring->at)) {
        return gp_fail_errno(fail, errno, "cannot write the recording");
    }
    ring->at += RECORD_HEAD + record.n;
    ring->records++;
    return GP_OK;
}

void gp_ring_close(gp_ring_t *ring)
{
    uint8_t state[4];
    if (ring->fd < 0) {
        return;
    }
    gp_bytes_put32(state, STATE_CLOSED);
    (void)write_at(ring->fd, state, sizeof state, STATE_AT); /* else it looks like a crash */
    (void)close(ring->fd);
    ring->fd = -1;
}

/* ---- opening --------------------------------------------------------------------------------- */

static gp_error_t check_head(const gp_ring_file_t *file, uint64_t n, const char *path,
                             gp_fail_t *fail)
{
    const uint8_t *head = file->bytes;
    if (n < FILE_HEAD || memcmp(head, MAGIC, MAGIC_BYTES) != 0) {
        return gp_fail(fail, GP_E_REPLAY_FORMAT, "%s does not begin as a recording does", path);
    }
    uint32_t version = gp_bytes_get32(head + MAGIC_BYTES);
    if (version != GP_RING_VERSION) {
        return gp_fail(fail, GP_E_REPLAY_VERSION, "%s is of version %u, this gridpeer reads %d",
                       path, (unsigned)version, GP_RING_VERSION);
    }
    if (gp_bytes_get64(head + CHECK_AT) != head_check(head) || file->size < GP_RING_BYTES_MIN) {
        return gp_fail(fail, GP_E_REPLAY_DAMAGED, "the head of %s is not as it was written", path);
    }
    if (n < file->size) {
        return gp_fail(fail, GP_E_REPLAY_DAMAGED, "%s has %llu bytes of %llu", path,
                       (unsigned long long)n, (unsigned long long)file->size);
    }
    return GP_OK;
}

static const uint8_t *part_head(const gp_ring_file_t *file, gp_ring_part_t part)
{
    return file->bytes + part_start(file->size, part);
}

/* The turn of a part; 0: never written, or not readable. */
static uint64_t turn_of(const gp_ring_file_t *file, gp_ring_part_t part)
{
    const uint8_t *head = part_head(file, part);
    bool whole = gp_bytes_get64(head + 16) == gp_hash(head, 16, GP_RING_VERSION);
    return whole ? gp_bytes_get64(head) : 0;
}

static gp_error_t order_parts(gp_ring_file_t *file, const char *path, gp_fail_t *fail)
{
    uint64_t a = turn_of(file, GP_RING_TAIL_A);
    uint64_t b = turn_of(file, GP_RING_TAIL_B);
    if (turn_of(file, GP_RING_HEAD) == 0) {
        return gp_fail(fail, GP_E_REPLAY_DAMAGED, "%s has no readable beginning", path);
    }
    file->order[file->part_count++] = GP_RING_HEAD;
    if (a != 0 && (b == 0 || a < b)) {
        file->order[file->part_count++] = GP_RING_TAIL_A;
    }
    if (b != 0) {
        file->order[file->part_count++] = GP_RING_TAIL_B;
    }
    if (a != 0 && b != 0 && a > b) {
        file->order[file->part_count++] = GP_RING_TAIL_A;
    }
    return GP_OK;
}

/* All bytes of the file, as many as it may have; -1 and errno. */
static ssize_t read_whole(int fd, uint8_t **ret_bytes)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : ESPIPE;
        return -1;
    }
    uint64_t most = (uint64_t)GP_RING_MEBIBYTES_MAX << 20;
    size_t n = (uint64_t)status.st_size > most ? (size_t)most : (size_t)status.st_size;
    *ret_bytes = malloc(n > FILE_HEAD ? n : FILE_HEAD);
    size_t used = 0;
    ssize_t got = *ret_bytes == NULL ? -1 : 1;
    while (got > 0 && used < n) {
        got = read(fd, *ret_bytes + used, n - used);
        used += got > 0 ? (size_t)got : 0;
    }
    return got < 0 ? -1 : (ssize_t)used;
}

/* A name that stands for no file is the user's mistake, not the disk's. */
static gp_error_t open_failed(const char *path, int number, gp_fail_t *fail)
{
    bool no_file = number == ENOENT || number == ENOTDIR || number == EISDIR || number == ESPIPE ||
                   number == ENXIO || number == ENAMETOOLONG;
    return no_file ? gp_fail(fail, GP_E_REPLAY_FORMAT, "%s: %s", path,
                             number == ESPIPE ? "no regular file" : strerror(number))
                   : gp_fail_errno(fail, number, "cannot read %s", path);
}

gp_error_t gp_ring_open(const char *path, gp_ring_file_t *ret_file, gp_fail_t *fail)
{
    gp_ring_file_t file = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return open_failed(path, errno, fail);
    }
    ssize_t n = read_whole(fd, &file.bytes);
    int number = errno;
    (void)close(fd);
    if (n < 0) {
        gp_ring_free(&file);
        return open_failed(path, number, fail);
    }
    file.size = n >= FILE_HEAD ? gp_bytes_get64(file.bytes + SIZE_AT) : 0;
    gp_error_t error = check_head(&file, (uint64_t)n, path, fail);
    if (error == GP_OK) {
        error = order_parts(&file, path, fail);
    }
    if (error != GP_OK) {
        gp_ring_free(&file);
        return error;
    }
    file.closed = gp_bytes_get32(file.bytes + STATE_AT) == STATE_CLOSED;
    *ret_file = file;
    return GP_OK;
}

void gp_ring_free(gp_ring_file_t *file)
{
    free(file->bytes);
    file->bytes = NULL;
}

bool gp_ring_ended_well(gp_folder_t folder, const char *name)
{
    uint8_t head[FILE_HEAD];
    int fd = openat(folder.fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    ssize_t n = pread(fd, head, sizeof head, 0);
    (void)close(fd);
    return n == sizeof head && memcmp(head, MAGIC, MAGIC_BYTES) == 0 &&
           gp_bytes_get32(head + STATE_AT) == STATE_CLOSED;
}

/* ---- records --------------------------------------------------------------------------------- */

/* The record at a place of the part, if there is one as it was written. */
static bool record_at(const gp_ring_file_t *file, gp_ring_part_t part, uint64_t at,
                      gp_slice_t *ret_record)
{
    uint64_t end = part_end(file->size, part);
    if (end - at < RECORD_HEAD) {
        return false;
    }
    uint32_t n = gp_bytes_get32(file->bytes + at);
    if (n == 0 || n > GP_RING_RECORD_MAX || n > end - at - RECORD_HEAD) {
        return false;
    }
    *ret_record = gp_slice(file->bytes + at + RECORD_HEAD, n);
    return gp_bytes_get32(file->bytes + at + 4) ==
           record_check(*ret_record, turn_of(file, part), at);
}

/* Bytes that are no record: the end of the part, one that was being written, or damage. */
static gp_error_t end_part(gp_ring_file_t *file, gp_ring_part_t part, gp_fail_t *fail)
{
    gp_slice_t record;
    uint64_t at = file->at;
    uint64_t end = part_end(file->size, part);
    bool last = file->part + 1 == file->part_count;
    bool clean = end - at < RECORD_HEAD || gp_bytes_get32(file->bytes + at) == 0;
    bool more = !clean && !last;
    while (!clean && !more && ++at < end) {
        more = record_at(file, part, at, &record);
    }
    if (more) {
        return gp_fail(fail, GP_E_REPLAY_DAMAGED,
                       "record %llu, at byte %llu, is not as it was written",
                       (unsigned long long)file->number, (unsigned long long)file->at);
    }
    file->torn = !clean;
    file->part++;
    file->at = 0;
    return GP_OK;
}

gp_error_t gp_ring_next(gp_ring_file_t *file, gp_ring_record_t *ret_record, bool *ret_some,
                        gp_fail_t *fail)
{
    *ret_some = false;
    while (file->part < file->part_count) {
        gp_ring_part_t part = file->order[file->part];
        bool gap = false;
        if (file->at == 0) {
            uint64_t first = gp_bytes_get64(part_head(file, part) + 8);
            file->at = part_start(file->size, part) + PART_HEAD;
            gap = first != file->number;
            file->number = first;
        }
        gp_slice_t bytes;
        if (record_at(file, part, file->at, &bytes)) {
            *ret_record = (gp_ring_record_t){
                .bytes = bytes, .number = file->number++, .tail = part != GP_RING_HEAD, .gap = gap};
            file->at += RECORD_HEAD + bytes.n;
            *ret_some = true;
            return GP_OK;
        }
        gp_error_t error = end_part(file, part, fail);
        if (error != GP_OK) {
            return error;
        }
    }
    return GP_OK;
}
