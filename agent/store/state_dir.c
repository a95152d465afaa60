#include "agent/store/state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/state_inside.h"
#include "proto/text.h"

gp_folder_t gp_state_folder(const gp_state_dir_t *dir)
{
    assert(dir->fd >= 0);
    return (gp_folder_t){.fd = dir->fd, .path = dir->path};
}

static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* The parts joined, absolute and without a slash at the end. */
static gp_error_t root_join(const char *first, const char *second, char ret_root[GP_STATE_PATH_MAX],
                            gp_fail_t *fail)
{
    char base[PATH_MAX] = "";
    if (first[0] != '/' && getcwd(base, sizeof base) == NULL) {
        return gp_fail_errno(fail, errno, "cannot tell the current directory");
    }
    const int n = snprintf(ret_root, GP_STATE_PATH_MAX, "%s%s%s%s", base,
                           base[0] != '\0' ? "/" : "", first, second);
    if (n < 0 || n >= GP_STATE_PATH_MAX - GP_NAME_MAX - 16) {
        return gp_fail(fail, GP_E_USAGE, "the path of the state directory is longer than %d bytes",
                       GP_STATE_PATH_MAX - GP_NAME_MAX - 16);
    }
    for (size_t end = (size_t)n; end > 1 && ret_root[end - 1] == '/'; end--) {
        ret_root[end - 1] = '\0';
    }
    return GP_OK;
}

gp_error_t gp_state_root(const char *option, char ret_root[GP_STATE_PATH_MAX], gp_fail_t *fail)
{
    if (option != NULL && option[0] != '\0') {
        return root_join(option, "", ret_root, fail);
    }
    const char *dir = environment("GRIDPEER_DIR");
    if (dir != NULL) {
        return root_join(dir, "", ret_root, fail);
    }
    if (geteuid() == 0) {
        return root_join("/var/lib/gridpeer", "", ret_root, fail);
    }
    const char *state = environment("XDG_STATE_HOME");
    if (state != NULL && state[0] == '/') { /* the specification: ignore a relative one */
        return root_join(state, "/gridpeer", ret_root, fail);
    }
    const char *home = environment("HOME");
    if (home == NULL) {
        return gp_fail(fail, GP_E_USAGE,
                       "HOME is not set, so there is no default state directory: give --dir DIR");
    }
    return root_join(home, "/.local/state/gridpeer", ret_root, fail);
}

gp_error_t gp_state_root_open(const char *root, int *ret_fd, gp_fail_t *fail)
{
    char quoted[2 * GP_STATE_PATH_MAX];
    const int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        const int number = errno;
        (void)gp_fail_errno(fail, number, "cannot open %s", root);
        return number == ENOENT
                   ? gp_fail(fail, GP_E_STATE_MISSING,
                             "%s does not exist: found a grid with "
                             "gridpeer init REGION, or name another directory with --dir DIR",
                             root)
                   : gp_fail_errno(fail, number, "cannot open %s", root);
    }
    struct stat status;
    gp_error_t error = GP_OK;
    if (fstat(fd, &status) != 0) {
        error = gp_fail_errno(fail, errno, "cannot look at %s", root);
    } else if (status.st_uid != geteuid() && status.st_uid != 0) {
        error = gp_fail(fail, GP_E_STATE_OWNER, "%s belongs to user %u, not to user %u", root,
                        (unsigned)status.st_uid, (unsigned)geteuid());
    } else if ((status.st_mode & 022) != 0 && (status.st_mode & S_ISVTX) == 0) {
        error = gp_fail(fail, GP_E_STATE_MODE,
                        "%s has mode %04o, so others could exchange it: "
                        "chmod go-w %s",
                        root, (unsigned)(status.st_mode & 07777),
                        gp_text_quote(root, quoted, sizeof quoted));
    }
    if (error != GP_OK) {
        (void)close(fd);
        return error;
    }
    *ret_fd = fd;
    return GP_OK;
}

/* ---- the lock -------------------------------------------------------------------------------- */

/* Who wrote its pid into the lock file; 0: nobody yet. For people only: the lock is what counts. */
static long lock_pid(int fd)
{
    char text[24] = "";
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0) {
        return 0;
    }
    char *end = NULL;
    errno = 0;
    const long pid = strtol(text, &end, 10);
    return errno == 0 && end != text && pid > 0 ? pid : 0;
}

/* An open file description's lock: it is not shared with other threads' opens or lost by a close.
 */
static struct flock lock_whole(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
}

gp_error_t gp_state_lock(gp_folder_t folder, int *ret_fd, gp_fail_t *fail)
{
    const int fd = openat(folder.fd, GP_FILE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return gp_fail_errno(fail, errno, "cannot open %s/" GP_FILE_LOCK, folder.path);
    }
    struct flock whole = lock_whole();
    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        const int number = errno;
        const long pid = lock_pid(fd);
        (void)close(fd);
        if (number != EAGAIN && number != EACCES) {
            return gp_fail_errno(fail, number, "cannot lock %s", folder.path);
        }
        return gp_fail(fail, GP_E_STATE_LOCKED, "%s is in use by process %ld", folder.path, pid);
    }
    char text[24];
    const int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* The pid is a hint for people: a full disk must not keep an agent from starting. */
    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) != n) {
        (void)ftruncate(fd, 0);
    }
    *ret_fd = fd;
    return GP_OK;
}

void gp_state_unlock(int *fd)
{
    if (*fd >= 0) {
        struct flock whole = lock_whole();
        whole.l_type = F_UNLCK;
        (void)fcntl(*fd, F_OFD_SETLK, &whole);
        (void)close(*fd);
        *fd = -1;
    }
}

bool gp_state_in_use(const char *root, const char *name, long *ret_pid)
{
    char path[GP_STATE_PATH_MAX + GP_NAME_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/%s/" GP_FILE_LOCK, root, name);
    *ret_pid = 0;
    const int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    struct flock whole = lock_whole();
    const bool used = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    if (used) {
        *ret_pid = lock_pid(fd);
    }
    (void)close(fd);
    return used;
}

bool gp_state_is_sim(const char *root, const char *name)
{
    char path[GP_STATE_PATH_MAX + GP_NAME_MAX + 2];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/%s", root, name);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const bool sim = fstatat(fd, GP_FILE_SIM, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                     S_ISREG(status.st_mode) && status.st_uid == geteuid();
    (void)close(fd);
    return sim;
}

/* ---- which machines there are ---------------------------------------------------------------- */

static int name_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* A machine's directory has a valid name and holds a key. */
static bool is_machine(int root_fd, const char *name)
{
    char key[NAME_MAX + 16];
    struct stat status;
    if (gp_name_check(gp_text(name)) != GP_OK) {
        return false;
    }
    (void)snprintf(key, sizeof key, "%s/" GP_FILE_NODE_KEY, name);
    return fstatat(root_fd, key, &status, AT_SYMLINK_NOFOLLOW) == 0 || errno == EACCES;
}

gp_error_t gp_state_list(const char *root, gp_state_list_t *ret_list, gp_fail_t *fail)
{
    ret_list->count = 0;
    DIR *entries = opendir(root);
    if (entries == NULL) {
        return errno == ENOENT ? GP_OK : gp_fail_errno(fail, errno, "cannot read %s", root);
    }
    gp_error_t error = GP_OK;
    const struct dirent *entry;
    while (error == GP_OK && (entry = readdir(entries)) != NULL) {
        if (!is_machine(dirfd(entries), entry->d_name)) {
            continue;
        }
        if (ret_list->count == GP_STATE_NODES_MAX) {
            error = gp_fail(fail, GP_E_USAGE,
                            "%s holds more than %d machines: name one with "
                            "--node NAME",
                            root, GP_STATE_NODES_MAX);
            break;
        }
        (void)gp_text_copy(ret_list->names[ret_list->count++], GP_NAME_MAX + 1,
                           gp_text(entry->d_name));
    }
    (void)closedir(entries);
    qsort(ret_list->names, ret_list->count, sizeof ret_list->names[0], name_order);
    return error;
}

/* Several machines and none was named: say which there are. */
static gp_error_t ambiguous(const char *root, const gp_state_list_t *list, gp_fail_t *fail)
{
    char names[512] = "";
    size_t used = 0;
    uint32_t shown = 0;
    while (shown < list->count && used + GP_NAME_MAX + 2 < sizeof names) {
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", shown > 0 ? ", " : "",
                                 list->names[shown]);
        shown++;
    }
    return gp_fail(fail, GP_E_STATE_AMBIGUOUS, "%s holds %u machines: %s%s; name one: --node %s",
                   root, (unsigned)list->count, names, shown < list->count ? " ..." : "",
                   list->names[0]);
}

static gp_error_t pick_from(const char *root, const gp_state_list_t *list,
                            char ret_name[GP_NAME_MAX + 1], gp_fail_t *fail)
{
    if (list->count == 0) {
        return gp_fail(fail, GP_E_STATE_MISSING,
                       "%s holds no machine: found a grid with gridpeer "
                       "init REGION, or join one with gridpeer join REGION --token T",
                       root);
    }
    uint32_t chosen = 0;
    uint32_t running = 0;
    for (uint32_t i = 0; list->count > 1 && i < list->count; i++) {
        long pid = 0;
        if (gp_state_in_use(root, list->names[i], &pid)) {
            chosen = i;
            running++;
        }
    }
    if (list->count > 1 && running != 1) {
        return ambiguous(root, list, fail);
    }
    memcpy(ret_name, list->names[chosen], GP_NAME_MAX + 1);
    return GP_OK;
}

gp_error_t gp_state_pick(const char *root, const char *option, char ret_name[GP_NAME_MAX + 1],
                         gp_fail_t *fail)
{
    const char *named = option != NULL && option[0] != '\0' ? option : environment("GRIDPEER_NODE");
    if (named != NULL) {
        if (gp_name_check(gp_text(named)) != GP_OK) {
            return gp_fail(fail, GP_E_NAME, "--node: not the name of a machine");
        }
        (void)gp_text_copy(ret_name, GP_NAME_MAX + 1, gp_text(named));
        return GP_OK;
    }
    gp_state_list_t *list = malloc(sizeof *list);
    if (list == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot list the machines of %s", root);
    }
    gp_error_t error = gp_state_list(root, list, fail);
    if (error == GP_OK) {
        error = pick_from(root, list, ret_name, fail);
    }
    free(list);
    return error;
}

/* ---- opening --------------------------------------------------------------------------------- */

static gp_error_t open_checked(gp_state_dir_t *dir, gp_fail_t *fail)
{
    char quoted[2 * GP_STATE_PATH_MAX];
    dir->fd = openat(dir->root_fd, dir->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir->fd < 0) {
        const int number = errno;
        if (number == ENOENT) {
            return gp_fail(fail, GP_E_STATE_MISSING,
                           "%s does not exist: found a grid with gridpeer "
                           "init REGION, or join one with gridpeer join REGION --token T",
                           dir->path);
        }
        if (number == ELOOP || number == ENOTDIR) {
            return gp_fail(fail, GP_E_STATE_MODE,
                           "%s is a symbolic link or a file, which is never "
                           "followed: put the directory itself there",
                           dir->path);
        }
        return gp_fail_errno(fail, number, "cannot open %s", dir->path);
    }
    struct stat status;
    if (fstat(dir->fd, &status) != 0) {
        return gp_fail_errno(fail, errno, "cannot look at %s", dir->path);
    }
    if (status.st_uid != geteuid()) {
        return gp_fail(fail, GP_E_STATE_OWNER, "%s belongs to user %u, not to user %u", dir->path,
                       (unsigned)status.st_uid, (unsigned)geteuid());
    }
    if ((status.st_mode & 077) != 0) {
        return gp_fail(fail, GP_E_STATE_MODE, "%s has mode %04o: chmod 700 %s", dir->path,
                       (unsigned)(status.st_mode & 07777),
                       gp_text_quote(dir->path, quoted, sizeof quoted));
    }
    return GP_OK;
}

/*
 * What must be there, what may be there, and how each is guarded. Recordings are not among it: no
 * key is in them, nobody else gets through the directory, and one that was made readable to send it
 * to somebody must not keep the agent from starting.
 */
static gp_error_t files_check(gp_folder_t folder, gp_fail_t *fail)
{
    static const struct {
        const char *name;
        gp_guard_t guard;
        bool required;
    } files[] = {
        {GP_FILE_NODE_KEY, GP_GUARD_SECRET, true}, {GP_FILE_ROOT_KEY, GP_GUARD_SECRET, false},
        {GP_FILE_CERT, GP_GUARD_PUBLIC, true},     {GP_FILE_GRID, GP_GUARD_PUBLIC, true},
        {GP_FILE_CONFIG, GP_GUARD_PUBLIC, false},  {GP_FILE_DB, GP_GUARD_SECRET, true},
        {GP_FILE_DB_WAL, GP_GUARD_SECRET, false},  {GP_FILE_MARK, GP_GUARD_SECRET, true},
        {GP_FILE_LOCK, GP_GUARD_PUBLIC, false},    {GP_FILE_SIM, GP_GUARD_PUBLIC, false},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (!files[i].required && !gp_file_exists(folder, files[i].name)) {
            continue;
        }
        const gp_error_t error = gp_file_check(folder, files[i].name, files[i].guard, fail);
        if (error != GP_OK) {
            return error;
        }
    }
    return GP_OK;
}

gp_error_t gp_state_open(const char *root, const char *name, gp_state_dir_t *ret_dir,
                         gp_fail_t *fail)
{
    if (gp_name_check(gp_text(name)) != GP_OK) {
        return gp_fail(fail, GP_E_NAME, "that is not the name of a machine");
    }
    gp_state_dir_t dir = {.root_fd = -1, .fd = -1, .lock_fd = -1};
    (void)gp_text_copy(dir.name, sizeof dir.name, gp_text(name));
    (void)gp_text_copy(dir.root, sizeof dir.root, gp_text(root));
    if ((size_t)snprintf(dir.path, sizeof dir.path, "%.*s/%s", GP_STATE_PATH_MAX - 40, root,
                         name) >= sizeof dir.path) {
        return gp_fail(fail, GP_E_USAGE, "the path of the state directory is too long");
    }
    gp_error_t error = gp_state_root_open(root, &dir.root_fd, fail);
    if (error == GP_OK) {
        error = open_checked(&dir, fail);
    }
    if (error == GP_OK) {
        error = files_check(gp_state_folder(&dir), fail);
    }
    if (error == GP_OK) {
        error = gp_state_lock(gp_state_folder(&dir), &dir.lock_fd, fail);
    }
    if (error != GP_OK) {
        gp_state_close(&dir);
        return error;
    }
    *ret_dir = dir;
    return GP_OK;
}
