#include "agent/store/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/limits.h"
#include "proto/text.h"

#define FILE_PATH_MAX (GP_STATE_PATH_MAX + 64)

/* folder/name, quoted so that it can be pasted. */
static const char *file_quoted(gp_folder_t folder, const char *name, char to[2 * FILE_PATH_MAX])
{
    char path[FILE_PATH_MAX];
    (void)snprintf(path, sizeof path, "%.*s/%.60s", GP_STATE_PATH_MAX, folder.path, name);
    return gp_text_quote(path, to, 2 * (size_t)FILE_PATH_MAX);
}

static gp_error_t guard_check(gp_folder_t folder, const char *name, gp_guard_t guard,
                              const struct stat *status, gp_fail_t *fail)
{
    char quoted[2 * FILE_PATH_MAX];
    if (!S_ISREG(status->st_mode)) {
        return gp_fail(fail, GP_E_STATE_MODE, "%s is not a regular file: move it away",
                       file_quoted(folder, name, quoted));
    }
    if (status->st_uid != geteuid()) {
        return gp_fail(fail, GP_E_STATE_OWNER, "%s belongs to user %u, not to user %u",
                       file_quoted(folder, name, quoted), (unsigned)status->st_uid,
                       (unsigned)geteuid());
    }
    const mode_t forbidden = guard == GP_GUARD_SECRET ? 077 : 022;
    if ((status->st_mode & forbidden) != 0) {
        const char *path = file_quoted(folder, name, quoted);
        return gp_fail(fail, GP_E_STATE_MODE, "%s has mode %04o: chmod %s %s", path,
                       (unsigned)(status->st_mode & 07777),
                       guard == GP_GUARD_SECRET ? "600" : "go-w", path);
    }
    return GP_OK;
}

/* Why a file could not be opened. */
static gp_error_t open_fail(gp_folder_t folder, const char *name, int number, gp_fail_t *fail)
{
    char quoted[2 * FILE_PATH_MAX];
    const char *path = file_quoted(folder, name, quoted);
    if (number == ENOENT) {
        return gp_fail(fail, GP_E_STATE_DAMAGED, "%s is missing", path);
    }
    if (number == ELOOP) {
        return gp_fail(fail, GP_E_STATE_MODE,
                       "%s is a symbolic link, which is never followed: put the file itself there",
                       path);
    }
    return gp_fail_errno(fail, number, "cannot open %s", path);
}

gp_error_t gp_file_check(gp_folder_t folder, const char *name, gp_guard_t guard, gp_fail_t *fail)
{
    struct stat status;
    if (fstatat(folder.fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return open_fail(folder, name, errno, fail);
    }
    if (S_ISLNK(status.st_mode)) {
        return open_fail(folder, name, ELOOP, fail);
    }
    return guard_check(folder, name, guard, &status, fail);
}

bool gp_file_exists(gp_folder_t folder, const char *name)
{
    struct stat status;
    return fstatat(folder.fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Reads to the end or until `size` bytes are there; -1 and errno if the disk fails. */
static ssize_t read_all(int fd, uint8_t *to, size_t size)
{
    size_t used = 0;
    while (used < size) {
        const ssize_t n = read(fd, to + used, size - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        used += (size_t)n;
    }
    return (ssize_t)used;
}

static gp_error_t read_open(gp_folder_t folder, const char *name, gp_guard_t guard, int fd,
                            gp_file_buffer_t *buffer, gp_fail_t *fail)
{
    char quoted[2 * FILE_PATH_MAX];
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return gp_fail_errno(fail, errno, "cannot look at %s", file_quoted(folder, name, quoted));
    }
    const gp_error_t error = guard_check(folder, name, guard, &status, fail);
    if (error != GP_OK) {
        return error;
    }
    if (status.st_size < 0 || (uint64_t)status.st_size > buffer->size) {
        return gp_fail(fail, GP_E_STATE_DAMAGED, "%s has %lld bytes, at most %zu are possible",
                       file_quoted(folder, name, quoted), (long long)status.st_size, buffer->size);
    }
    const ssize_t n = read_all(fd, buffer->bytes, buffer->size);
    if (n < 0) {
        return gp_fail_errno(fail, errno, "cannot read %s", file_quoted(folder, name, quoted));
    }
    buffer->n = (size_t)n;
    return GP_OK;
}

gp_error_t gp_file_read(gp_folder_t folder, const char *name, gp_guard_t guard,
                        gp_file_buffer_t *buffer, gp_fail_t *fail)
{
    const int fd = openat(folder.fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return open_fail(folder, name, errno, fail);
    }
    const gp_error_t error = read_open(folder, name, guard, fd, buffer, fail);
    (void)close(fd);
    if (error != GP_OK) {
        sodium_memzero(buffer->bytes, buffer->size);
    }
    return error;
}

/* Writes all bytes, and waits for the disk if told so; false and errno if it fails. */
static bool write_all(int fd, gp_slice_t bytes, bool durable)
{
    size_t used = 0;
    while (used < bytes.n) {
        const ssize_t n = write(fd, bytes.p + used, bytes.n - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return false;
        }
        used += (size_t)n;
    }
    return !durable || fsync(fd) == 0;
}

typedef struct file_want {
    mode_t mode;
    bool durable;
} file_want_t;

static gp_error_t file_create(gp_folder_t folder, const char *name, file_want_t want,
                              gp_slice_t bytes, gp_fail_t *fail)
{
    char quoted[2 * FILE_PATH_MAX];
    const int fd =
        openat(folder.fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, want.mode);
    if (fd < 0) {
        return gp_fail_errno(fail, errno, "cannot create %s", file_quoted(folder, name, quoted));
    }
    /* The umask may have taken bits away that the file is meant to have. */
    bool written = fchmod(fd, want.mode) == 0 && write_all(fd, bytes, want.durable);
    int number = errno;
    if (close(fd) != 0 && written) {
        written = false;
        number = errno;
    }
    if (!written) {
        (void)unlinkat(folder.fd, name, 0);
        return gp_fail_errno(fail, number, "cannot write %s", file_quoted(folder, name, quoted));
    }
    return GP_OK;
}

gp_error_t gp_file_create(gp_folder_t folder, const char *name, mode_t mode, gp_slice_t bytes,
                          gp_fail_t *fail)
{
    return file_create(folder, name, (file_want_t){.mode = mode}, bytes, fail);
}

gp_error_t gp_file_replace(gp_folder_t folder, const char *name, mode_t mode, gp_slice_t bytes,
                           gp_fail_t *fail)
{
    char quoted[2 * FILE_PATH_MAX];
    char fresh[64];
    const int n = snprintf(fresh, sizeof fresh, "%s.new", name);
    assert(n > 0 && (size_t)n < sizeof fresh);
    /* What a crash left: the directory is locked, so nobody else is writing it. */
    (void)unlinkat(folder.fd, fresh, 0);
    const file_want_t want = {.mode = mode, .durable = true};
    const gp_error_t error = file_create(folder, fresh, want, bytes, fail);
    if (error != GP_OK) {
        return error;
    }
    if (renameat(folder.fd, fresh, folder.fd, name) != 0) {
        const int number = errno;
        (void)unlinkat(folder.fd, fresh, 0);
        return gp_fail_errno(fail, number, "cannot replace %s", file_quoted(folder, name, quoted));
    }
    return gp_folder_sync(folder, fail);
}

gp_error_t gp_folder_sync(gp_folder_t folder, gp_fail_t *fail)
{
    if (fsync(folder.fd) != 0) {
        return gp_fail_errno(fail, errno, "cannot make %s durable", folder.path);
    }
    return GP_OK;
}

/* Calls `each` with every file of the folder; false and errno as soon as one call says so. */
typedef bool entry_fn(int folder_fd, const char *name);

static bool folder_each(gp_folder_t folder, entry_fn *each)
{
    const int fd = openat(folder.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) {
        const int number = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        errno = number;
        return false;
    }
    bool fine = true;
    const struct dirent *entry;
    while (fine && (entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            fine = each(folder.fd, entry->d_name);
        }
    }
    const int number = errno;
    (void)closedir(entries);
    errno = number;
    return fine;
}

/* Opens a file for one call; a file that cannot be opened is a failure. */
static bool with_file(int folder_fd, const char *name, int (*call)(int fd))
{
    const int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    const bool fine = call(fd) == 0;
    const int number = errno;
    (void)close(fd);
    errno = number;
    return fine;
}

/* Begins to write; a file system that cannot do so does all of it in the fsync. */
static int begin_write(int fd)
{
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return 0;
}

static bool entry_begin(int folder_fd, const char *name)
{
    return with_file(folder_fd, name, begin_write);
}

static bool entry_sync(int folder_fd, const char *name)
{
    return with_file(folder_fd, name, fsync);
}

gp_error_t gp_folder_sync_all(gp_folder_t folder, gp_fail_t *fail)
{
    /* All begin before any is waited for: the file system then commits its own journal once. */
    if (!folder_each(folder, entry_begin) || !folder_each(folder, entry_sync)) {
        return gp_fail_errno(fail, errno, "cannot make %s durable", folder.path);
    }
    return gp_folder_sync(folder, fail);
}

static bool entry_remove(int folder_fd, const char *name)
{
    if (unlinkat(folder_fd, name, 0) != 0 && errno == EISDIR) {
        (void)unlinkat(folder_fd, name, AT_REMOVEDIR);
    }
    return true;
}

void gp_folder_empty(gp_folder_t folder, const char *const *first)
{
    for (size_t i = 0; first != NULL && first[i] != NULL; i++) {
        (void)unlinkat(folder.fd, first[i], 0);
    }
    (void)folder_each(folder, entry_remove);
}
