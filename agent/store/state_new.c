/* Making and removing a state directory: all of it or nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/state_inside.h"
#include "proto/text.h"

#define HIDDEN_TRIES 16

static const char *const secrets_first[] = {GP_FILE_ROOT_KEY, GP_FILE_NODE_KEY, NULL};

/* A path through a file, or below /proc: that is not the disk's fault. */
static gp_error_t root_failed(int number, const char *path, gp_fail_t *fail)
{
    const gp_error_t error = gp_fail_errno(fail, number, "cannot make the directory %s", path);
    const bool place = error == GP_E_STATE_IO && number != EIO;
    if (place && fail != NULL) {
        fail->code = GP_E_STATE_PLACE;
    }
    return place ? GP_E_STATE_PLACE : error;
}

/*
 * Makes DIR and what is missing above it. *ret_existing: the length of the part that was there; 0:
 * all of it was.
 */
static gp_error_t root_make(const char *root, size_t *ret_existing, gp_fail_t *fail)
{
    char path[GP_STATE_PATH_MAX];
    (void)gp_text_copy(path, sizeof path, gp_text(root));
    const size_t length = strlen(path);
    size_t parent = 0;
    *ret_existing = 0;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0') {
            continue;
        }
        path[i] = '\0';
        if (mkdir(path, 0700) == 0) {
            *ret_existing = *ret_existing == 0 ? parent + 1 : *ret_existing;
        } else if (errno != EEXIST) {
            return root_failed(errno, path, fail);
        }
        path[i] = i < length ? '/' : '\0';
        parent = i;
    }
    return GP_OK;
}

/* Removes the parts of DIR that root_make made, as far as they are empty. */
static void root_unmake(const char *root, size_t existing)
{
    char path[GP_STATE_PATH_MAX];
    (void)gp_text_copy(path, sizeof path, gp_text(root));
    for (size_t length = strlen(path); existing > 0 && length >= existing; length--) {
        if (path[length] == '/' || path[length] == '\0') {
            path[length] = '\0';
            if (rmdir(path) != 0) {
                return;
            }
        }
    }
}

/* A hidden directory is ".NAME.XXXXXX". */
static bool is_hidden(const char *name)
{
    const size_t length = strlen(name);
    if (length < 9 || length > GP_NAME_MAX + 8 || name[0] != '.' || name[length - 7] != '.') {
        return false;
    }
    return gp_name_check(gp_slice(name + 1, length - 8)) == GP_OK;
}

/* Does the hidden name still mean this directory? It is renamed when it is complete. */
static bool is_still(int root_fd, const char *name, int fd)
{
    struct stat named, opened;
    return fstatat(root_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

/* Is anything in it but its lock? What has just been begun is nobody's yet, and nothing is lost. */
static bool has_content(int dir_fd)
{
    const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return true;
    }
    bool content = false;
    const struct dirent *entry;
    while (!content && (entry = readdir(entries)) != NULL) {
        content = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                  strcmp(entry->d_name, GP_FILE_LOCK) != 0;
    }
    (void)closedir(entries);
    return content;
}

/*
 * Removes one hidden directory, unless somebody holds its lock: then it is being built or removed.
 * With the lock in hand it is looked at again: its maker may have finished it and given it its name
 * since it was found, and what has its name belongs to a machine, whose agent may start just now:
 * so the lock is not even touched of what was locked, and then had its name, when first looked at.
 */
static void hidden_clear(const char *root, int root_fd, const char *name, bool only_sims)
{
    const int fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    long pid = 0;
    const gp_folder_t folder = {.fd = fd, .path = name};
    const bool others = only_sims && !gp_file_exists(folder, GP_FILE_SIM) && has_content(fd);
    if (others || gp_state_in_use(root, name, &pid) || !is_still(root_fd, name, fd)) {
        (void)close(fd);
        return;
    }
    int lock_fd = -1;
    if (gp_file_exists(folder, GP_FILE_LOCK) && gp_state_lock(folder, &lock_fd, NULL) == GP_OK) {
        if (is_still(root_fd, name, fd)) {
            gp_folder_empty(folder, secrets_first);
        }
        gp_state_unlock(&lock_fd);
    }
    (void)close(fd);
    /* Without a lock file it is either empty, or its maker will find it gone and try again. */
    (void)unlinkat(root_fd, name, AT_REMOVEDIR);
}

/* Removes what crashes left; of simulated machines only, if so told. */
static void hidden_clear_all(const char *root, int root_fd, bool only_sims)
{
    const int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    if (entries == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        if (is_hidden(entry->d_name)) {
            hidden_clear(root, root_fd, entry->d_name, only_sims);
        }
    }
    (void)closedir(entries);
}

static bool hidden_path(gp_state_dir_t *dir, const char *suffix)
{
    const int n = snprintf(dir->path, sizeof dir->path, "%.*s/.%s.%s", GP_STATE_PATH_MAX - 60,
                           dir->root, dir->name, suffix);
    return n > 0 && (size_t)n < sizeof dir->path;
}

/* Makes and locks a hidden directory; tries again if one that clears took it for a leftover. */
static gp_error_t hidden_make(gp_state_dir_t *dir, gp_fail_t *fail)
{
    for (int tries = 0; tries < HIDDEN_TRIES; tries++) {
        if (!hidden_path(dir, "XXXXXX")) {
            return gp_fail(fail, GP_E_USAGE, "the path of the state directory is too long");
        }
        if (mkdtemp(dir->path) == NULL) {
            return gp_fail_errno(fail, errno, "cannot make a directory in %s", dir->root);
        }
        dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir->fd >= 0 && gp_state_lock(gp_state_folder(dir), &dir->lock_fd, fail) == GP_OK) {
            if (gp_file_exists(gp_state_folder(dir), GP_FILE_LOCK)) {
                return GP_OK;
            }
            (void)close(dir->lock_fd);
            dir->lock_fd = -1;
        }
        if (dir->fd >= 0) {
            (void)close(dir->fd);
            dir->fd = -1;
        }
        (void)rmdir(dir->path);
    }
    return gp_fail(fail, GP_E_STATE_IO, "cannot make a locked directory in %s", dir->root);
}

gp_error_t gp_state_begin(const char *root, const char *name, gp_state_dir_t *ret_dir,
                          gp_fail_t *fail)
{
    if (gp_name_check(gp_text(name)) != GP_OK) {
        return gp_fail(fail, GP_E_NAME, "that is not a name for a machine: give one with --name");
    }
    gp_state_dir_t dir = {.root_fd = -1, .fd = -1, .lock_fd = -1, .building = true};
    (void)gp_text_copy(dir.name, sizeof dir.name, gp_text(name));
    if (!gp_text_copy(dir.root, sizeof dir.root, gp_text(root))) {
        return gp_fail(fail, GP_E_USAGE, "the path of the state directory is too long");
    }
    gp_error_t error = root_make(root, &dir.made, fail);
    if (error == GP_OK) {
        error = gp_state_root_open(root, &dir.root_fd, fail);
    }
    if (error == GP_OK) {
        hidden_clear_all(root, dir.root_fd, false);
        error = gp_state_refuse_used(root, name, fail);
    }
    if (error == GP_OK) {
        error = hidden_make(&dir, fail);
    }
    if (error != GP_OK) {
        gp_state_close(&dir);
        return error;
    }
    *ret_dir = dir;
    return GP_OK;
}

gp_error_t gp_state_refuse_used(const char *root, const char *name, gp_fail_t *fail)
{
    long pid = 0;
    char path[GP_STATE_PATH_MAX + GP_NAME_MAX + 2];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    if (lstat(path, &status) != 0) {
        return GP_OK;
    }
    if (gp_state_in_use(root, name, &pid)) {
        return gp_fail(fail, GP_E_STATE_EXISTS, "%s in %s, and it runs (process %ld)", name, root,
                       pid);
    }
    return gp_fail(fail, GP_E_STATE_EXISTS, "%s in %s, and it does not run", name, root);
}

gp_error_t gp_state_mark_sim(const gp_state_dir_t *dir, gp_fail_t *fail)
{
    static const char text[] =
        "made by gridpeer sim up: gridpeer sim down removes this directory\n";
    assert(dir->building);
    return gp_file_create(gp_state_folder(dir), GP_FILE_SIM, 0600, gp_text(text), fail);
}

void gp_state_clear_sims(const char *root)
{
    int fd = -1;
    if (gp_state_root_open(root, &fd, NULL) == GP_OK) {
        hidden_clear_all(root, fd, true);
        (void)close(fd);
    }
}

/* The last part of the path where the directory is now. */
static const char *own_entry(const gp_state_dir_t *dir)
{
    const char *slash = strrchr(dir->path, '/');
    assert(slash != NULL);
    return slash + 1;
}

gp_error_t gp_state_commit(gp_state_dir_t *dir, gp_fail_t *fail)
{
    assert(dir->building && dir->fd >= 0 && dir->lock_fd >= 0);
    gp_error_t error = gp_folder_sync_all(gp_state_folder(dir), fail);
    if (error != GP_OK) {
        return error;
    }
    if (renameat2(dir->root_fd, own_entry(dir), dir->root_fd, dir->name, RENAME_NOREPLACE) != 0) {
        if (errno == EEXIST) {
            return gp_fail(fail, GP_E_STATE_EXISTS, "%s in %s was set up meanwhile", dir->name,
                           dir->root);
        }
        return gp_fail_errno(fail, errno, "cannot rename %s to %s", dir->path, dir->name);
    }
    error = gp_folder_sync((gp_folder_t){.fd = dir->root_fd, .path = dir->root}, fail);
    if (error != GP_OK) {
        /* Not known to be durable: take it back, so that success and failure cannot be confused. */
        (void)renameat(dir->root_fd, dir->name, dir->root_fd, own_entry(dir));
        return error;
    }
    dir->building = false;
    (void)snprintf(dir->path, sizeof dir->path, "%.*s/%s", GP_STATE_PATH_MAX - 60, dir->root,
                   dir->name);
    return GP_OK;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

void gp_state_close(gp_state_dir_t *dir)
{
    if (dir->building && dir->fd >= 0) {
        gp_folder_empty(gp_state_folder(dir), secrets_first);
        (void)unlinkat(dir->root_fd, own_entry(dir), AT_REMOVEDIR);
    }
    gp_state_unlock(&dir->lock_fd);
    close_fd(&dir->fd);
    close_fd(&dir->root_fd);
    if (dir->building) {
        root_unmake(dir->root, dir->made);
        dir->building = false;
    }
}

gp_error_t gp_state_remove(gp_state_dir_t *dir, gp_fail_t *fail)
{
    assert(!dir->building && dir->fd >= 0 && dir->lock_fd >= 0);
    const gp_state_dir_t before = *dir;
    char suffix[7];
    struct stat status;
    int tries = 0;
    do {
        (void)snprintf(suffix, sizeof suffix, "%06x", (unsigned)(getpid() + tries) & 0xffffffu);
        (void)hidden_path(dir, suffix);
        tries++;
    } while (tries < HIDDEN_TRIES && lstat(dir->path, &status) == 0);
    if (renameat2(dir->root_fd, dir->name, dir->root_fd, own_entry(dir), RENAME_NOREPLACE) != 0) {
        const int number = errno;
        *dir = before;
        return gp_fail_errno(fail, number, "cannot remove %s", dir->path);
    }
    /* From here it is gone: what is left under the hidden name is cleared now or by the next one.
     */
    dir->building = true;
    dir->made = 0;
    (void)fsync(dir->root_fd);
    gp_state_close(dir);
    return GP_OK;
}
