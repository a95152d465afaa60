#include "agent/work/launcher.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/work/launcher_host.h"
#include "proto/text.h"

#define FREE_LIMIT_MS 6000 /* as keeper.c's KILL_LIMIT_MS, with a margin */
#define DRAIN_POLL_MS 50
#define LEASE_MARGIN_MS                                                                            \
    1000 /* the core ends it first, with a report: the keeper is the backstop                      \
          */

enum { STREAM_OUT = 0, STREAM_ERR, STREAMS };

typedef struct attempt {
    struct attempt *next;
    struct gp_launcher *launcher;
    gp_id_t home;
    uint64_t job;
    uint32_t incarnation;
    char name[64];     /* of its folder and its cgroups */
    char program[128]; /* for messages */
    pid_t pid;         /* of the keeper, or of what cleans up after it; 0: none */
    int pidfd;
    int control;
    int pipes[STREAMS];
    struct event *pid_event;
    struct event *control_event;
    struct event *pipe_events[STREAMS];
    struct event *timer;
    uint64_t offset;
    uint64_t until;
    uint32_t drained_ms;
    gp_reason_t stop_reason;
    int spawn_error;
    bool started;  /* the keeper says so */
    bool cleaning; /* the keeper was killed: another process does its last duties */
    bool over;     /* nothing of it runs any more: `report` tells */
    bool dropped;  /* some of its output was not read */
    bool told_start;
    bool told_end;
    gp_keeper_report_t report;
} attempt_t;

struct gp_launcher {
    struct event_base *base;
    gp_launcher_config_t config;
    launcher_place_t place;
    char node[GP_NAME_MAX + 1];
    char user[64];
    attempt_t *attempts;
    uint32_t count;
    gp_msg_t msg; /* what is told now */
    uint8_t bytes[GP_OUTPUT_CHUNK_MAX];
};

void gp_launcher_config_default(gp_launcher_config_t *ret_config)
{
    *ret_config = (gp_launcher_config_t){.grace_ms = 2000, .drain_ms = 2000};
}

/* ---- telling --------------------------------------------------------------------------------- */

static gp_msg_t *begin(gp_launcher_t *launcher, gp_msg_kind_t kind)
{
    memset(&launcher->msg, 0, gp_msg_size(kind));
    launcher->msg.kind = kind;
    return &launcher->msg;
}

static void tell(gp_launcher_t *launcher)
{
    launcher->config.callback(launcher->config.context, &launcher->msg);
}

static void tell_started(attempt_t *attempt)
{
    gp_launcher_t *launcher = attempt->launcher;
    gp_msg_work_started_t *msg = &begin(launcher, GP_MSG_WORK_STARTED)->u.work_started;
    char text[GP_REASON_TEXT_MAX];

    msg->home = attempt->home;
    msg->job = attempt->job;
    msg->incarnation = attempt->incarnation;
    msg->started = attempt->started;
    attempt->told_start = true;
    if (!attempt->started) {
        attempt->told_end = true;
        if (attempt->spawn_error != 0) {
            attempt->report = (gp_keeper_report_t){.type = GP_KEEPER_NOT_STARTED,
                                                   .stage = GP_KEEPER_STAGE_PROCESS,
                                                   .error = attempt->spawn_error};
        }
        msg->reason =
            (uint8_t)launcher_not_started(&attempt->report, attempt->program, text, sizeof text);
        msg->code = (uint32_t)attempt->report.error;
        msg->text = gp_text(text);
    }
    tell(launcher);
}

/* How it ended: exactly, never only "failed". */
static gp_reason_t reason_of(const attempt_t *attempt, uint32_t *ret_code, char *text, size_t size)
{
    const gp_keeper_report_t *report = &attempt->report;
    bool exited = WIFEXITED(report->status);

    text[0] = '\0';
    *ret_code = (uint32_t)(exited ? WEXITSTATUS(report->status) : WTERMSIG(report->status));
    if (report->left != 0) {
        snprintf(text, size, "some of its processes could not be ended: stuck in the kernel");
    } else if (attempt->dropped) {
        snprintf(text, size, "its last output was not read: nobody took it");
    } else if (report->type != GP_KEEPER_ENDED) {
        snprintf(text, size, "its keeper was killed, and it with it");
    }
    if (report->lease_over != 0) {
        return GP_REASON_LEASE_LOST;
    }
    if (report->on_order != 0 && attempt->stop_reason != GP_REASON_NONE) {
        return attempt->stop_reason;
    }
    if (report->oom_kills > 0) {
        snprintf(text, size,
                 "the kernel killed %" PRIu32 " of its processes for memory; the largest one held "
                 "%" PRIu64 " bytes",
                 report->oom_kills, report->peak_bytes);
        if (!exited && WTERMSIG(report->status) == SIGKILL) {
            return GP_REASON_OOM;
        }
    } else if (report->host_ooms > 0 && !exited && WTERMSIG(report->status) == SIGKILL) {
        snprintf(text, size,
                 "the kernel killed %" PRIu32 " processes of this machine for memory meanwhile: "
                 "probably it was one of them",
                 report->host_ooms);
    }
    return exited ? GP_REASON_EXIT : GP_REASON_SIGNAL;
}

static void tell_ended(attempt_t *attempt)
{
    gp_launcher_t *launcher = attempt->launcher;
    gp_msg_work_ended_t *msg = &begin(launcher, GP_MSG_WORK_ENDED)->u.work_ended;
    char text[GP_REASON_TEXT_MAX];

    attempt->told_end = true;
    msg->home = attempt->home;
    msg->job = attempt->job;
    msg->incarnation = attempt->incarnation;
    msg->reason = (uint8_t)reason_of(attempt, &msg->code, text, sizeof text);
    msg->text = gp_text(text);
    msg->output = attempt->offset;
    msg->wall_us = attempt->report.wall_us;
    msg->cpu_us = attempt->report.cpu_us;
    msg->peak_bytes = attempt->report.peak_bytes;
    tell(launcher);
}

/* ---- an attempt's life ----------------------------------------------------------------------- */

static void event_drop(struct event **event)
{
    if (*event != NULL) {
        event_free(*event);
        *event = NULL;
    }
}

static void fd_drop(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static void close_pipe(attempt_t *attempt, int stream)
{
    event_drop(&attempt->pipe_events[stream]);
    fd_drop(&attempt->pipes[stream]);
}

static void attempt_free(attempt_t *attempt)
{
    gp_launcher_t *launcher = attempt->launcher;
    attempt_t **at = &launcher->attempts;

    while (*at != attempt) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = attempt->next;
    launcher->count--;
    close_pipe(attempt, STREAM_OUT);
    close_pipe(attempt, STREAM_ERR);
    event_drop(&attempt->control_event);
    event_drop(&attempt->pid_event);
    event_drop(&attempt->timer);
    fd_drop(&attempt->control);
    fd_drop(&attempt->pidfd);
    free(attempt);
}

static void timer_in(attempt_t *attempt, uint32_t ms)
{
    const struct timeval in = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

    evtimer_add(attempt->timer, &in);
}

/* Reads when the core gave credit, and not before the start is told. */
static void set_reading(attempt_t *attempt)
{
    bool read_on = attempt->told_start && attempt->offset < attempt->until;

    for (int i = 0; i < STREAMS; i++) {
        if (attempt->pipe_events[i] != NULL) {
            if (read_on) {
                event_add(attempt->pipe_events[i], NULL);
            } else {
                event_del(attempt->pipe_events[i]);
            }
        }
    }
}

/* Tells what is to be told next, and lets go of what is over. */
static void settle(attempt_t *attempt)
{
    bool failed = attempt->spawn_error != 0 || (attempt->over && !attempt->started);

    if (!attempt->told_start && (attempt->started || failed)) {
        tell_started(attempt);
        set_reading(attempt);
    }
    if (attempt->over && !attempt->told_end) {
        if (attempt->pipes[STREAM_OUT] < 0 && attempt->pipes[STREAM_ERR] < 0) {
            tell_ended(attempt);
        } else if (!evtimer_pending(attempt->timer, NULL)) {
            timer_in(attempt, DRAIN_POLL_MS);
        }
    }
    if (attempt->told_end && attempt->pid == 0) {
        attempt_free(attempt);
    }
}

static void on_pipe(evutil_socket_t fd, short what, void *context)
{
    attempt_t *attempt = context;
    gp_launcher_t *launcher = attempt->launcher;
    int stream = fd == attempt->pipes[STREAM_ERR] ? STREAM_ERR : STREAM_OUT;
    uint64_t room = attempt->until - attempt->offset;
    gp_msg_work_output_t *msg;
    ssize_t n;

    (void)what;
    assert(room > 0);
    n = read(fd, launcher->bytes,
             room < sizeof launcher->bytes ? (size_t)room : sizeof launcher->bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        close_pipe(attempt, stream);
        settle(attempt);
        return;
    }
    msg = &begin(launcher, GP_MSG_WORK_OUTPUT)->u.work_output;
    msg->home = attempt->home;
    msg->job = attempt->job;
    msg->incarnation = attempt->incarnation;
    msg->stream = (uint8_t)(stream + 1);
    msg->offset = attempt->offset;
    msg->bytes = gp_slice(launcher->bytes, (size_t)n);
    attempt->offset += (uint64_t)n;
    tell(launcher);
    set_reading(attempt);
}

/*
 * It is over, but a pipe is open still: unread output waits for credit, or somebody outside the
 * tree was handed the pipe. The one is waited for, for a stopped attempt only so long; the other
 * not.
 */
static void drain(attempt_t *attempt)
{
    attempt->drained_ms += DRAIN_POLL_MS;
    for (int i = 0; i < STREAMS; i++) {
        int unread = 0;

        if (attempt->pipes[i] < 0) {
            continue;
        }
        if (ioctl(attempt->pipes[i], FIONREAD, &unread) != 0 || unread == 0) {
            close_pipe(attempt, i);
        } else if (attempt->stop_reason != GP_REASON_NONE &&
                   attempt->drained_ms >= attempt->launcher->config.drain_ms) {
            attempt->dropped = true;
            close_pipe(attempt, i);
        }
    }
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    attempt_t *attempt = context;

    (void)fd;
    (void)what;
    if (attempt->over) {
        drain(attempt);
    }
    settle(attempt);
}

/* Takes what the keeper has reported. */
static void read_reports(attempt_t *attempt)
{
    gp_keeper_report_t report;

    while (attempt->control >= 0) {
        ssize_t n = recv(attempt->control, &report, sizeof report, MSG_DONTWAIT);

        /* A keeper that ends with an order unread resets the connection, told once and before the
         * reports that it sent. */
        if (n < 0 && (errno == EINTR || errno == ECONNRESET)) {
            continue;
        }
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        if (n != (ssize_t)sizeof report) {
            event_drop(&attempt->control_event);
            fd_drop(&attempt->control);
            return;
        }
        if (report.type == GP_KEEPER_STARTED) {
            attempt->started = true;
        } else {
            attempt->over = true;
            attempt->report = report;
        }
    }
}

static void on_control(evutil_socket_t fd, short what, void *context)
{
    attempt_t *attempt = context;

    (void)fd;
    (void)what;
    read_reports(attempt);
    settle(attempt);
}

/* ---- keepers --------------------------------------------------------------------------------- */

static void on_pid(evutil_socket_t fd, short what, void *context);

/* Hears when the process ends. Without that it could never be let go of: then it must not live. */
static bool watch_pid(attempt_t *attempt, pid_t pid)
{
    attempt->pidfd = pidfd_open(pid, 0);
    if (attempt->pidfd >= 0) {
        attempt->pid_event =
            event_new(attempt->launcher->base, attempt->pidfd, EV_READ, on_pid, attempt);
    }
    if (attempt->pid_event == NULL || event_add(attempt->pid_event, NULL) != 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return false;
    }
    attempt->pid = pid;
    return true;
}

/* The keeper was killed: what it kept must be ended and cleaned up all the same. */
static bool clean_after(attempt_t *attempt)
{
    const gp_launcher_t *launcher = attempt->launcher;
    pid_t pid;

    attempt->cleaning = true;
    attempt->report =
        (gp_keeper_report_t){.stage = GP_KEEPER_STAGE_SETUP, .error = ECHILD, .status = SIGKILL};
    return launcher_spawn_cleaner(&launcher->place, attempt->name, &pid) == 0 &&
           watch_pid(attempt, pid);
}

static void on_pid(evutil_socket_t fd, short what, void *context)
{
    attempt_t *attempt = context;

    (void)fd;
    (void)what;
    if (waitpid(attempt->pid, NULL, WNOHANG) == 0) {
        event_add(attempt->pid_event, NULL);
        return;
    }
    event_drop(&attempt->pid_event);
    fd_drop(&attempt->pidfd);
    attempt->pid = 0;
    read_reports(attempt);
    if (!attempt->over && (attempt->cleaning || !clean_after(attempt))) {
        attempt->over = true;
    }
    settle(attempt);
}

static void send_order(const attempt_t *attempt, gp_keeper_order_type_t type, uint32_t ms)
{
    const gp_keeper_order_t order = {.type = type, .ms = ms};

    if (attempt->control >= 0) {
        ssize_t n = send(attempt->control, &order, sizeof order, MSG_DONTWAIT | MSG_NOSIGNAL);

        (void)n; /* a keeper that is gone is heard of by its pidfd; the core repeats its orders */
    }
}

/* ---- starting -------------------------------------------------------------------------------- */

static attempt_t *find(const gp_launcher_t *launcher, const gp_id_t *home, uint64_t job,
                       uint32_t incarnation)
{
    for (attempt_t *attempt = launcher->attempts; attempt != NULL; attempt = attempt->next) {
        if (attempt->job == job && attempt->incarnation == incarnation &&
            gp_id_equal(&attempt->home, home)) {
            return attempt;
        }
    }
    return NULL;
}

static attempt_t *attempt_new(gp_launcher_t *launcher, const gp_msg_job_start_t *msg)
{
    attempt_t *attempt = calloc(1, sizeof *attempt);
    char home[GP_ID_SHORT_TEXT];

    if (attempt == NULL) {
        return NULL;
    }
    *attempt = (attempt_t){.launcher = launcher,
                           .home = msg->home,
                           .job = msg->job,
                           .incarnation = msg->incarnation,
                           .pidfd = -1,
                           .control = -1,
                           .pipes = {-1, -1}};
    gp_id_short(&msg->home, home);
    snprintf(attempt->name, sizeof attempt->name, "%" PRIu64 ".%" PRIu32 "-%s", msg->job,
             msg->incarnation, home);
    if (msg->args_count > 0) {
        (void)gp_text_escape(attempt->program, sizeof attempt->program, msg->args[0].text);
    }
    attempt->timer = evtimer_new(launcher->base, on_timer, attempt);
    if (attempt->timer == NULL) {
        free(attempt);
        return NULL;
    }
    attempt->next = launcher->attempts;
    launcher->attempts = attempt;
    launcher->count++;
    return attempt;
}

static bool make_events(attempt_t *attempt)
{
    struct event_base *base = attempt->launcher->base;

    for (int i = 0; i < STREAMS; i++) {
        attempt->pipe_events[i] =
            event_new(base, attempt->pipes[i], EV_READ | EV_PERSIST, on_pipe, attempt);
        if (attempt->pipe_events[i] == NULL) {
            return false;
        }
    }
    attempt->control_event =
        event_new(base, attempt->control, EV_READ | EV_PERSIST, on_control, attempt);
    return attempt->control_event != NULL && event_add(attempt->control_event, NULL) == 0;
}

/* The pipes and the control socket; theirs[] are the keeper's ends. */
static int make_channels(attempt_t *attempt, int theirs[STREAMS + 1])
{
    int pair[2];

    for (int i = 0; i < STREAMS; i++) {
        if (pipe2(pair, O_CLOEXEC) != 0) {
            return errno;
        }
        attempt->pipes[i] = pair[0];
        theirs[i] = pair[1];
        if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0) {
            return errno;
        }
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return errno;
    }
    attempt->control = pair[0];
    theirs[STREAMS] = pair[1];
    return make_events(attempt) ? 0 : ENOMEM;
}

static int spawn_keeper(attempt_t *attempt, const gp_msg_job_start_t *msg, const int *theirs)
{
    const gp_launcher_t *launcher = attempt->launcher;
    const char *const head[] = {"gridpeer-keeper",
                                GP_KEEPER_RUN,
                                launcher->place.dir,
                                attempt->name,
                                launcher_or_none(launcher->place.v2),
                                launcher_or_none(launcher->place.v1),
                                NULL};
    char home[PATH_MAX];
    const launcher_setting_t setting = {
        .home = home, .user = launcher->user, .node = launcher->node};
    char **argv;
    char **envp;
    pid_t pid;
    int error = ENOMEM;

    if (snprintf(home, sizeof home, "%s/%s", launcher->place.dir, attempt->name) >=
        (int)sizeof home) {
        return ENAMETOOLONG;
    }
    argv = launcher_arguments(head, msg);
    envp = launcher_environment(msg, &setting);
    if (argv != NULL && envp != NULL) {
        error = launcher_spawn(launcher->place.keeper,
                               &(launcher_spawning_t){.argv = argv,
                                                      .envp = envp,
                                                      .out = theirs[STREAM_OUT],
                                                      .err = theirs[STREAM_ERR],
                                                      .control = theirs[STREAMS]},
                               &pid);
    }
    launcher_strings_free(argv);
    launcher_strings_free(envp);
    if (error == 0 && !watch_pid(attempt, pid)) {
        error = EMFILE;
    }
    return error;
}

void gp_launcher_start(gp_launcher_t *launcher, const gp_msg_t *msg)
{
    const gp_msg_job_start_t *start = &msg->u.job_start;
    int theirs[STREAMS + 1] = {-1, -1, -1};
    bool taken = find(launcher, &start->home, start->job, start->incarnation) != NULL;
    attempt_t *attempt;

    assert(msg->kind == GP_MSG_JOB_START);
    attempt = attempt_new(launcher, start);
    if (attempt == NULL) {
        return; /* not even a record of it: the core's lease ends it */
    }
    if (taken) { /* its folder and cgroups have the same name, and it is told under the same one */
        attempt->over = true;
        attempt->report = (gp_keeper_report_t){
            .type = GP_KEEPER_NOT_STARTED, .stage = GP_KEEPER_STAGE_TAKEN, .error = EEXIST};
        timer_in(attempt, 0);
        return;
    }
    attempt->spawn_error = launcher_words_fit(start) ? make_channels(attempt, theirs) : EINVAL;
    if (attempt->spawn_error == 0) {
        attempt->spawn_error = spawn_keeper(attempt, start, theirs);
    }
    for (int i = 0; i <= STREAMS; i++) {
        fd_drop(&theirs[i]);
    }
    if (attempt->spawn_error != 0) {
        timer_in(attempt, 0); /* told from the loop, not from here */
    }
}

/* ---- orders ---------------------------------------------------------------------------------- */

void gp_launcher_stop(gp_launcher_t *launcher, const gp_msg_t *msg)
{
    const gp_msg_job_stop_t *stop = &msg->u.job_stop;
    attempt_t *attempt = find(launcher, &stop->home, stop->job, stop->incarnation);

    assert(msg->kind == GP_MSG_JOB_STOP && stop->reason != GP_REASON_NONE);
    if (attempt == NULL) {
        return;
    }
    if (stop->reason == GP_REASON_LEASE_LOST) {
        send_order(attempt, GP_KEEPER_KILL, 0);
    } else if (attempt->stop_reason ==
               GP_REASON_NONE) { /* repeated, it does not prolong the grace */
        send_order(attempt, GP_KEEPER_END, launcher->config.grace_ms);
    }
    if (attempt->stop_reason == GP_REASON_NONE) {
        attempt->stop_reason = (gp_reason_t)stop->reason;
    }
}

void gp_launcher_read(gp_launcher_t *launcher, const gp_msg_t *msg)
{
    const gp_msg_job_read_t *read_on = &msg->u.job_read;
    attempt_t *attempt = find(launcher, &read_on->home, read_on->job, read_on->incarnation);

    assert(msg->kind == GP_MSG_JOB_READ);
    if (attempt != NULL && read_on->until > attempt->until) {
        attempt->until = read_on->until;
        set_reading(attempt);
    }
}

void gp_launcher_lease(gp_launcher_t *launcher, const gp_msg_t *msg)
{
    const gp_msg_job_lease_t *lease = &msg->u.job_lease;
    const attempt_t *attempt = find(launcher, &lease->home, lease->job, lease->incarnation);

    assert(msg->kind == GP_MSG_JOB_LEASE);
    if (attempt != NULL) {
        send_order(attempt, GP_KEEPER_LEASE, lease->lease_ms + LEASE_MARGIN_MS);
    }
}

bool gp_launcher_notice(gp_launcher_t *launcher, const gp_msg_t *msg)
{
    switch (msg->kind) {
    case GP_MSG_JOB_START:
        gp_launcher_start(launcher, msg);
        return true;
    case GP_MSG_JOB_STOP:
        gp_launcher_stop(launcher, msg);
        return true;
    case GP_MSG_JOB_READ:
        gp_launcher_read(launcher, msg);
        return true;
    case GP_MSG_JOB_LEASE:
        gp_launcher_lease(launcher, msg);
        return true;
    default:
        return false;
    }
}

/* ---- the launcher ---------------------------------------------------------------------------- */

static gp_error_t prepare_dir(gp_launcher_t *launcher, gp_fail_t *fail)
{
    const char *dir = launcher->config.dir;
    char quoted[2 * LAUNCHER_PATH_MAX];
    struct stat st;

    if (mkdir(dir, S_IRWXU) != 0 && errno != EEXIST) {
        return gp_fail_errno(fail, errno, "cannot make %s", dir);
    }
    if (realpath(dir, launcher->place.dir) == NULL || stat(launcher->place.dir, &st) != 0) {
        return gp_fail_errno(fail, errno, "cannot look at %s", dir);
    }
    if (!S_ISDIR(st.st_mode)) {
        return gp_fail(fail, GP_E_STATE_MODE, "%s is no directory", dir);
    }
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return gp_fail(fail, GP_E_STATE_MODE, "%s has mode %04o: chmod go-w %s", dir,
                       (unsigned)(st.st_mode & 07777), gp_text_quote(dir, quoted, sizeof quoted));
    }
    return GP_OK;
}

static gp_error_t prepare_keeper(gp_launcher_t *launcher, gp_fail_t *fail)
{
    char *path = launcher->place.keeper;
    int error = 0;

    if (launcher->config.keeper != NULL) {
        (void)gp_text_copy(path, LAUNCHER_PATH_MAX, gp_text(launcher->config.keeper));
        error = access(path, X_OK) == 0 ? 0 : errno;
    } else {
        error = gp_launcher_find_keeper(path, LAUNCHER_PATH_MAX);
    }
    return error == 0
               ? GP_OK
               : gp_fail(fail, GP_E_SYSTEM, "%s, which runs the programs, cannot be used: %s", path,
                         strerrordesc_np(error));
}

static gp_error_t prepare(gp_launcher_t *launcher, gp_fail_t *fail)
{
    const gp_launcher_config_t *config = &launcher->config;
    const struct passwd *entry = getpwuid(geteuid());
    gp_error_t error = prepare_dir(launcher, fail);
    int number;

    if (error == GP_OK) {
        error = prepare_keeper(launcher, fail);
    }
    if (error != GP_OK) {
        return error;
    }
    (void)gp_text_copy(launcher->node, sizeof launcher->node, gp_text(config->node));
    (void)gp_text_copy(launcher->user, sizeof launcher->user,
                       gp_text(entry != NULL ? entry->pw_name : "nobody"));
    if (!config->no_cgroups) {
        launcher_cgroup(launcher->place.dir, false, launcher->place.v2);
    }
    if (config->memory_cgroup) {
        launcher_cgroup(launcher->place.dir, true, launcher->place.v1);
    }
    number = launcher_clean(&launcher->place);
    return number == 0
               ? GP_OK
               : gp_fail(fail, GP_E_SYSTEM, "%s cannot end what an earlier agent left in %s: %s",
                         launcher->place.keeper, launcher->place.dir, strerrordesc_np(number));
}

gp_error_t gp_launcher_new(struct event_base *base, const gp_launcher_config_t *config,
                           gp_launcher_t **ret_launcher, gp_fail_t *fail)
{
    gp_launcher_t *launcher;
    gp_error_t error;

    assert(config->dir != NULL && config->node != NULL && config->callback != NULL);
    launcher = calloc(1, sizeof *launcher);
    if (launcher == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot prepare for running programs");
    }
    launcher->base = base;
    launcher->config = *config;
    error = prepare(launcher, fail);
    /* The strings are the caller's: only the copies are used from here on. */
    launcher->config.dir = NULL;
    launcher->config.keeper = NULL;
    launcher->config.node = NULL;
    if (error != GP_OK) {
        gp_launcher_free(launcher);
        return error;
    }
    *ret_launcher = launcher;
    return GP_OK;
}

void gp_launcher_free(gp_launcher_t *launcher)
{
    if (launcher == NULL) {
        return;
    }
    for (attempt_t *attempt = launcher->attempts; attempt != NULL; attempt = attempt->next) {
        event_drop(&attempt->control_event);
        fd_drop(&attempt->control); /* the keeper takes it for the agent's end */
    }
    while (launcher->attempts != NULL) {
        attempt_t *attempt = launcher->attempts;

        if (attempt->pid != 0) {
            (void)launcher_wait(attempt->pid, attempt->pidfd, FREE_LIMIT_MS, NULL);
        }
        attempt_free(attempt);
    }
    free(launcher);
}

gp_launcher_strength_t gp_launcher_strength(const gp_launcher_t *launcher)
{
    return launcher->place.v2[0] != '\0' ? GP_LAUNCHER_CGROUP : GP_LAUNCHER_ADOPTION;
}

const char *gp_launcher_cgroup(const gp_launcher_t *launcher, bool v1)
{
    return v1 ? launcher->place.v1 : launcher->place.v2;
}

uint32_t gp_launcher_count(const gp_launcher_t *launcher)
{
    return launcher->count;
}
