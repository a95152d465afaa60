/*
 * gridpeer-keeper: stands between the agent and one attempt's processes (see keeper.h).
 *
 * It is small and linked statically, so that a fork of it is cheap where the agent's never would
 * be, and so that the environment of the program, which is its own too, can't touch it.
 */
#include "agent/work/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KILL_PAUSE_MS    2    /* between two rounds over what the dead have left behind */
#define KILL_LIMIT_MS    5000 /* then what is left is stuck in the kernel */
#define CLEAN_WAIT_S     8    /* for keepers of an agent that is gone */
#define FILES_SOFT_LIMIT 1024 /* what programs expect; select() breaks above it */
#define CGROUP_TRIES     16   /* another keeper may remove the empty parent just then */
#define NEVER            UINT64_MAX

typedef struct keeper {
    char work[PATH_MAX];
    char v2[PATH_MAX]; /* empty: none */
    char v1[PATH_MAX];
    pid_t self;
    pid_t leader;
    bool leader_reaped;
    int status;
    bool agent_gone;
    bool killing;
    bool lease_over;
    bool on_order;
    uint64_t kill_since;
    uint64_t kill_at; /* after the grace of GP_KEEPER_END */
    uint64_t lease_at;
    uint64_t started_us;
    uint64_t host_ooms; /* before the start */
    uint64_t ended_us;
} keeper_t;

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static bool join(char *to, const char *base, const char *name)
{
    int n = snprintf(to, PATH_MAX, "%s/%s", base, name);

    return n > 0 && n < PATH_MAX;
}

static int write_file(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX];
    ssize_t n;
    int fd;

    if (!join(path, dir, name)) {
        return ENAMETOOLONG;
    }
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    n = write(fd, text, strlen(text));
    if (n < 0) {
        int error = errno;

        close(fd);
        return error;
    }
    close(fd);
    return 0;
}

/* The number after `key` in a file of `key number` lines; 0 if it is not there. */
static uint64_t read_count(const char *dir, const char *name, const char *key)
{
    char path[PATH_MAX];
    char word[64];
    unsigned long long value = 0;
    FILE *file;

    if (dir[0] == '\0' || !join(path, dir, name)) {
        return 0;
    }
    file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    while (fscanf(file, "%63s %llu", word, &value) == 2) {
        if (strcmp(word, key) == 0) {
            fclose(file);
            return value;
        }
    }
    fclose(file);
    return 0;
}

static void report(const gp_keeper_report_t *what)
{
    ssize_t n;

    do {
        n = send(GP_KEEPER_CONTROL_FD, what, sizeof *what, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
}

/* ---- removing -------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_DNR) {
        chmod(path, S_IRWXU); /* the program shut itself out: the next round gets in */
        return 0;
    }
    if (remove(path) != 0 && errno == EACCES) {
        char *slash = strrchr(path, '/');

        if (slash != NULL && slash != path) {
            char parent[PATH_MAX];

            snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
            chmod(parent, S_IRWXU);
        }
    }
    return 0;
}

static void remove_tree(const char *path)
{
    /* Each round opens what the one before made readable; a program can nest only so deep. */
    for (int round = 0; round < 64 && access(path, F_OK) == 0; round++) {
        nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    }
}

/* The folder that a cgroup lies in. */
static void parent_of(const char *path, char ret_parent[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    snprintf(ret_parent, PATH_MAX, "%.*s", slash != NULL ? (int)(slash - path) : 0, path);
}

/* The last one also removes what all of them lie in: an agent that is killed leaves nothing. */
static void remove_cgroup(const char *path)
{
    char parent[PATH_MAX];

    if (path[0] != '\0') {
        parent_of(path, parent);
        (void)rmdir(path);
        (void)rmdir(parent);
    }
}

/* ---- killing --------------------------------------------------------------------------------- */

/* Ends the direct children. They are not reaped meanwhile, so their numbers are theirs. */
static void kill_children(void)
{
    char path[64];
    FILE *children;
    long pid;

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    children = fopen(path, "re");
    if (children == NULL) {
        return;
    }
    while (fscanf(children, "%ld", &pid) == 1) {
        if (pid > 1) {
            kill((pid_t)pid, SIGKILL);
        }
    }
    fclose(children);
}

/*
 * One round: the cgroup as a whole, where there is one, and the direct children; what those leave
 * behind becomes a direct child and falls in the next round.
 */
static void kill_tree(keeper_t *keeper)
{
    if (!keeper->killing) {
        keeper->killing = true;
        keeper->kill_since = now_us();
    }
    if (keeper->v2[0] != '\0') {
        (void)write_file(keeper->v2, "cgroup.kill", "1");
    }
    kill_children();
}

/* Reaps what has ended. False: there is no child left. */
static bool reap(keeper_t *keeper)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid == 0) {
            return true;
        }
        if (pid < 0) {
            return errno != ECHILD;
        }
        if (pid == keeper->leader) {
            keeper->leader_reaped = true;
            keeper->status = status;
            keeper->ended_us = now_us();
        }
    }
}

/* ---- the child, between clone and exec ------------------------------------------------------- */

static _Noreturn void give_up(int pipe_fd, uint32_t stage, int error)
{
    const gp_keeper_report_t what = {.type = GP_KEEPER_NOT_STARTED, .stage = stage, .error = error};
    ssize_t n = write(pipe_fd, &what, sizeof what);

    _exit(n == (ssize_t)sizeof what ? 126 : 127);
}

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void reset_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < FILES_SOFT_LIMIT ? limit.rlim_max : FILES_SOFT_LIMIT;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0; /* a lent disk is not for cores */
        setrlimit(RLIMIT_CORE, &limit);
    }
}

/* Tries one path. Returns only if it failed; *stage is raised if the file itself is there. */
static int try_exec(const char *path, char **argv, uint32_t *stage)
{
    int error;

    execv(path, argv);
    error = errno;
    if (error == ENOENT && access(path, F_OK) == 0) {
        *stage = GP_KEEPER_STAGE_INTERPRETER;
    }
    return error;
}

/* As execvp, but a file that is no program is an error and not a script for some shell. */
static int search_exec(char **argv, uint32_t *stage)
{
    const char *path = getenv("PATH");
    int found = ENOENT;

    *stage = GP_KEEPER_STAGE_EXEC;
    if (strchr(argv[0], '/') != NULL) {
        return try_exec(argv[0], argv, stage);
    }
    while (path != NULL) {
        const char *end = strchrnul(path, ':');
        char full[PATH_MAX];
        int n = snprintf(full, sizeof full, "%.*s/%s", (int)(end - path), path, argv[0]);

        if (n > 0 && n < PATH_MAX && end > path) {
            int error = try_exec(full, argv, stage);

            if (error != ENOENT && error != ENOTDIR && error != EACCES) {
                return error;
            }
            found = error == EACCES && access(full, F_OK) == 0 ? EACCES : found;
            if (*stage == GP_KEEPER_STAGE_INTERPRETER) {
                return error;
            }
        }
        path = *end == ':' ? end + 1 : NULL;
    }
    return found;
}

static _Noreturn void be_program(const keeper_t *keeper, char **argv, int pipe_fd, bool placed)
{
    uint32_t stage;
    int error;

    reset_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper->self) {
        _exit(126); /* the keeper is gone already */
    }
    if (setsid() < 0 && errno != EPERM) {
        give_up(pipe_fd, GP_KEEPER_STAGE_SETUP, errno);
    }
    if (keeper->v2[0] != '\0' && !placed) {
        error = write_file(keeper->v2, "cgroup.procs", "0");
        if (error != 0) {
            give_up(pipe_fd, GP_KEEPER_STAGE_SETUP, error);
        }
    }
    if (keeper->v1[0] != '\0') {
        error = write_file(keeper->v1, "cgroup.procs", "0");
        if (error != 0) {
            give_up(pipe_fd, GP_KEEPER_STAGE_SETUP, error);
        }
    }
    (void)write_file("/proc/self", "oom_score_adj", "0");
    reset_limits();
    umask(S_IWGRP | S_IWOTH);
    if (chdir(keeper->work) != 0) {
        give_up(pipe_fd, GP_KEEPER_STAGE_DIRECTORY, errno);
    }
    syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    error = search_exec(argv, &stage);
    give_up(pipe_fd, stage, error);
}

/* Makes the process, in its cgroup from its first moment where the kernel can do that. */
static pid_t make_process(const keeper_t *keeper, bool *ret_placed)
{
    struct clone_args args = {.exit_signal = SIGCHLD};
    int cgroup = keeper->v2[0] != '\0' ? open(keeper->v2, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    pid_t pid;

    *ret_placed = cgroup >= 0;
    if (cgroup >= 0) {
        args.flags = CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)cgroup;
        pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0) {
            return 0;
        }
        close(cgroup);
        if (pid > 0) {
            return pid;
        }
    }
    *ret_placed = false;
    return _Fork();
}

/* ---- starting -------------------------------------------------------------------------------- */

static _Noreturn void not_started(keeper_t *keeper, uint32_t stage, int error)
{
    const gp_keeper_report_t what = {.type = GP_KEEPER_NOT_STARTED, .stage = stage, .error = error};

    report(&what);
    remove_cgroup(keeper->v2);
    remove_cgroup(keeper->v1);
    remove_tree(keeper->work);
    exit(1);
}

/* A cgroup that can't be made is done without: the subreaper still holds the tree together. */
static void make_cgroup(char *path)
{
    char parent[PATH_MAX];
    int tries = path[0] != '\0' ? CGROUP_TRIES : 0;

    parent_of(path, parent);
    for (; tries > 0 && mkdir(path, S_IRWXU | S_IRGRP | S_IXGRP) != 0; tries--) {
        if (errno != ENOENT ||
            (mkdir(parent, S_IRWXU | S_IRGRP | S_IXGRP) != 0 && errno != EEXIST)) {
            tries = 1;
        }
    }
    if (tries == 0) {
        path[0] = '\0';
    }
}

static void start(keeper_t *keeper, char **argv)
{
    gp_keeper_report_t what;
    bool placed;
    int pipe_fds[2];
    ssize_t n;

    if (mkdir(keeper->work, S_IRWXU) != 0) {
        const gp_keeper_report_t failed = {
            .type = GP_KEEPER_NOT_STARTED, .stage = GP_KEEPER_STAGE_DIRECTORY, .error = errno};

        report(&failed);
        exit(1);
    }
    make_cgroup(keeper->v2);
    make_cgroup(keeper->v1);
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        not_started(keeper, GP_KEEPER_STAGE_PROCESS, errno);
    }
    keeper->host_ooms = read_count("/proc", "vmstat", "oom_kill");
    keeper->started_us = now_us();
    keeper->leader = make_process(keeper, &placed);
    if (keeper->leader == 0) {
        be_program(keeper, argv, pipe_fds[1], placed);
    }
    if (keeper->leader < 0) {
        not_started(keeper, GP_KEEPER_STAGE_PROCESS, errno);
    }
    close(pipe_fds[1]);
    do {
        n = read(pipe_fds[0], &what, sizeof what);
    } while (n < 0 && errno == EINTR);
    close(pipe_fds[0]);
    if (n == (ssize_t)sizeof what) {
        waitpid(keeper->leader, NULL, 0);
        not_started(keeper, what.stage, what.error);
    }
    what = (gp_keeper_report_t){.type = GP_KEEPER_STARTED};
    report(&what);
}

/* ---- keeping --------------------------------------------------------------------------------- */

static void take_order(keeper_t *keeper)
{
    gp_keeper_order_t order;
    ssize_t n = recv(GP_KEEPER_CONTROL_FD, &order, sizeof order, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n != (ssize_t)sizeof order) {
        keeper->agent_gone = true;
        kill_tree(keeper);
        return;
    }
    keeper->on_order =
        keeper->on_order || (order.type != GP_KEEPER_LEASE && !keeper->leader_reaped);
    switch (order.type) {
    case GP_KEEPER_END:
        if (!keeper->leader_reaped) {
            kill(-keeper->leader, SIGTERM);
            kill(-keeper->leader, SIGCONT); /* a stopped program should hear it too */
        }
        keeper->kill_at = now_us() + (uint64_t)order.ms * 1000;
        break;
    case GP_KEEPER_KILL:
        kill_tree(keeper);
        break;
    case GP_KEEPER_LEASE:
        keeper->lease_at = now_us() + (uint64_t)order.ms * 1000;
        break;
    default:
        break;
    }
}

static int pause_ms(const keeper_t *keeper, uint64_t now)
{
    uint64_t at = keeper->kill_at < keeper->lease_at ? keeper->kill_at : keeper->lease_at;

    if (keeper->killing) {
        return KILL_PAUSE_MS;
    }
    if (at == NEVER) {
        return -1;
    }
    return at <= now ? 0 : at - now > 3600000000 ? 3600000 : (int)((at - now) / 1000 + 1);
}

/* Until nothing is left. Returns false if something could not be ended. */
static bool keep(keeper_t *keeper, int signals)
{
    while (reap(keeper)) {
        struct pollfd fds[2] = {
            {.fd = keeper->agent_gone ? -1 : GP_KEEPER_CONTROL_FD, .events = POLLIN},
            {.fd = signals, .events = POLLIN}};
        uint64_t now = now_us();

        if (now >= keeper->lease_at && !keeper->killing && !keeper->leader_reaped) {
            keeper->lease_over = true;
        }
        if (keeper->leader_reaped || keeper->killing || now >= keeper->kill_at ||
            now >= keeper->lease_at) {
            kill_tree(keeper);
        }
        if (keeper->killing && now_us() - keeper->kill_since > KILL_LIMIT_MS * 1000) {
            return false;
        }
        if (poll(fds, 2, pause_ms(keeper, now_us())) <= 0) {
            continue;
        }
        if ((fds[1].revents & POLLIN) != 0) {
            struct signalfd_siginfo info;
            ssize_t n = read(signals, &info, sizeof info);

            (void)n; /* what counts is what waitpid says */
        }
        if (fds[0].revents != 0) {
            take_order(keeper);
        }
    }
    return true;
}

/* ---- the end --------------------------------------------------------------------------------- */

static uint64_t time_us(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static void report_end(const keeper_t *keeper, bool all)
{
    gp_keeper_report_t what = {.type = GP_KEEPER_ENDED,
                               .status = keeper->status,
                               .lease_over = keeper->lease_over ? 1 : 0,
                               .left = all ? 0 : 1,
                               .on_order = keeper->on_order ? 1 : 0};
    uint64_t oom = read_count(keeper->v2, "memory.events", "oom_kill") +
                   read_count(keeper->v1, "memory.oom_control", "oom_kill");
    struct rusage usage;

    what.oom_kills = (uint32_t)oom;
    what.host_ooms = (uint32_t)(read_count("/proc", "vmstat", "oom_kill") - keeper->host_ooms);
    what.wall_us = (keeper->leader_reaped ? keeper->ended_us : now_us()) - keeper->started_us;
    if (getrusage(RUSAGE_CHILDREN, &usage) == 0) {
        what.cpu_us = time_us(usage.ru_utime) + time_us(usage.ru_stime);
        what.peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    }
    report(&what);
}

/* Nothing of the agent's stays open: the program's pipes close when the program's tree is gone. */
static void let_go_of_pipes(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(null);
    }
}

static int prepare_signals(void)
{
    sigset_t set;

    /* What ends whole sessions must not end the keeper before its tree. */
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Held while a keeper lives: the next agent's `clean` waits for it. */
static int lock_base(const char *base, int how)
{
    int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && flock(fd, how) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool set_paths(keeper_t *keeper, const char *base, const char *name, char **cgroups)
{
    return join(keeper->work, base, name) &&
           (strcmp(cgroups[0], GP_KEEPER_NONE) == 0 || join(keeper->v2, cgroups[0], name)) &&
           (strcmp(cgroups[1], GP_KEEPER_NONE) == 0 || join(keeper->v1, cgroups[1], name));
}

static int run(char **argv)
{
    static keeper_t keeper = {.status = SIGKILL, .kill_at = NEVER, .lease_at = NEVER};
    int signals = prepare_signals();
    bool all;

    keeper.self = getpid();
    if (signals < 0 || lock_base(argv[0], LOCK_SH) < 0 ||
        !set_paths(&keeper, argv[0], argv[1], argv + 2) || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        const gp_keeper_report_t what = {
            .type = GP_KEEPER_NOT_STARTED, .stage = GP_KEEPER_STAGE_PROCESS, .error = errno};

        report(&what);
        return 1;
    }
    start(&keeper, argv + 4);
    let_go_of_pipes();
    all = keep(&keeper, signals);
    report_end(&keeper, all);
    remove_cgroup(keeper.v2);
    remove_cgroup(keeper.v1);
    remove_tree(keeper.work);
    return 0;
}

/* ---- cleaning up after an agent that is gone ------------------------------------------------- */

static void on_alarm(int signal)
{
    (void)signal;
}

static bool is_member(long pid, const char *cgroup)
{
    const char *name = strrchr(cgroup, '/');
    char path[64];
    char line[PATH_MAX];
    bool member = false;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/cgroup", pid);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *end = strrchr(line, '/');

        line[strcspn(line, "\n")] = '\0';
        member = member || (end != NULL && name != NULL && strcmp(end, name) == 0);
    }
    if (file != NULL) {
        fclose(file);
    }
    return member;
}

/*
 * Ends what is in a cgroup without cgroup.kill. By descriptor: if the process that had the number
 * when the descriptor was opened is gone by the time of the signal, nobody else is hit.
 */
static void kill_v1(const char *path)
{
    char procs[PATH_MAX];
    long pid;

    for (int round = 0; round < 100 && join(procs, path, "cgroup.procs"); round++) {
        FILE *file = fopen(procs, "re");
        bool any = false;

        if (file == NULL) {
            return;
        }
        while (fscanf(file, "%ld", &pid) == 1) {
            int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0U);

            any = true;
            if (fd >= 0 && is_member(pid, path)) {
                syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0U);
            }
            if (fd >= 0) {
                close(fd);
            }
        }
        fclose(file);
        if (!any) {
            return;
        }
        poll(NULL, 0, KILL_PAUSE_MS);
    }
}

static void clean_cgroup(const char *path, bool v2)
{
    if (v2) {
        (void)write_file(path, "cgroup.kill", "1");
    } else {
        kill_v1(path);
    }
    for (int ms = 0; rmdir(path) != 0 && errno == EBUSY && ms < KILL_LIMIT_MS;
         ms += KILL_PAUSE_MS) {
        poll(NULL, 0, KILL_PAUSE_MS);
    }
}

typedef enum clean_what { CLEAN_V2, CLEAN_V1, CLEAN_WORK } clean_what_t;

static void clean_all(const char *base, clean_what_t what)
{
    DIR *dir = strcmp(base, GP_KEEPER_NONE) == 0 ? NULL : opendir(base);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[PATH_MAX];

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
            !join(path, base, entry->d_name)) {
            continue;
        }
        if (what == CLEAN_WORK) {
            remove_tree(path);
        } else {
            clean_cgroup(path, what == CLEAN_V2);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (what != CLEAN_WORK) {
        (void)rmdir(base);
    }
}

static void clean_one(char **argv)
{
    static keeper_t keeper;

    if (!set_paths(&keeper, argv[0], argv[3], argv + 1)) {
        return;
    }
    if (keeper.v2[0] != '\0') {
        clean_cgroup(keeper.v2, true);
    }
    if (keeper.v1[0] != '\0') {
        clean_cgroup(keeper.v1, false);
    }
    remove_cgroup(keeper.v2);
    remove_cgroup(keeper.v1);
    remove_tree(keeper.work);
}

static int clean(char **argv)
{
    struct sigaction action = {.sa_handler = on_alarm};
    int lock;

    sigaction(SIGALRM, &action, NULL);
    alarm(CLEAN_WAIT_S);
    lock = lock_base(argv[0], LOCK_EX);
    alarm(0);
    clean_all(argv[1], CLEAN_V2);
    clean_all(argv[2], CLEAN_V1);
    clean_all(argv[0], CLEAN_WORK);
    return lock >= 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc >= 7 && strcmp(argv[1], GP_KEEPER_RUN) == 0) {
        return run(argv + 2);
    }
    if (argc == 5 && strcmp(argv[1], GP_KEEPER_CLEAN) == 0) {
        return clean(argv + 2);
    }
    if (argc == 6 && strcmp(argv[1], GP_KEEPER_CLEAN) == 0) {
        clean_one(argv + 2);
        return 0;
    }
    fprintf(stderr, "gridpeer-keeper is started by gridpeer agent, not by hand.\n");
    return 64;
}
