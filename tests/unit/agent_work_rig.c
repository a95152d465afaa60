#include "tests/unit/agent_work_rig.h"

#include <time.h>

#include "tests/temporary.h"

bool rig_without_cgroups;

gp_msg_t rig_message;

uint64_t rig_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void rig_credit(rig_t *rig, uint64_t job, uint64_t until)
{
    memset(&rig_message, 0, gp_msg_size(GP_MSG_JOB_READ));
    rig_message.kind = GP_MSG_JOB_READ;
    rig_message.u.job_read =
        (gp_msg_job_read_t){.home = rig->home, .job = job, .incarnation = 1, .until = until};
    assert_true(gp_launcher_notice(rig->launcher, &rig_message));
}

static void on_output(rig_t *rig, const gp_msg_work_output_t *msg)
{
    outcome_t *run = &rig->runs[msg->job];
    size_t at = (size_t)run->stream_bytes[msg->stream];

    assert_true(run->started && !run->ended);
    assert_int_equal(msg->offset, run->offset);
    assert_true(msg->stream == 1 || msg->stream == 2);
    assert_true(msg->bytes.n > 0 && msg->bytes.n <= GP_OUTPUT_CHUNK_MAX);
    for (uint32_t i = 0; i < msg->bytes.n; i++) {
        if (at + i < sizeof run->out[0] - 1) {
            run->out[msg->stream][at + i] = (char)msg->bytes.p[i];
        }
        run->sum += msg->stream == 1 ? msg->bytes.p[i] * (at + i + 1) : 0;
    }
    run->stream_bytes[msg->stream] += msg->bytes.n;
    run->offset += msg->bytes.n;
    if (rig->window > 0 && (rig->withhold == 0 || run->offset < rig->withhold)) {
        rig_credit(rig, msg->job, run->offset + rig->window);
    }
}

void rig_on_message(void *context, const gp_msg_t *msg)
{
    rig_t *rig = context;
    outcome_t *run;

    if (msg->kind == GP_MSG_WORK_OUTPUT) {
        on_output(rig, &msg->u.work_output);
        return;
    }
    if (msg->kind == GP_MSG_WORK_STARTED) {
        run = &rig->runs[msg->u.work_started.job];
        assert_false(run->answered);
        run->answered = true;
        run->started = msg->u.work_started.started;
        run->reason = (gp_reason_t)msg->u.work_started.reason;
        run->code = msg->u.work_started.code;
        snprintf(run->text, sizeof run->text, "%.*s", (int)msg->u.work_started.text.n,
                 msg->u.work_started.text.n > 0 ? (const char *)msg->u.work_started.text.p : "");
        return;
    }
    assert_int_equal(msg->kind, GP_MSG_WORK_ENDED);
    run = &rig->runs[msg->u.work_ended.job];
    assert_true(run->started && !run->ended);
    run->ended = true;
    run->reason = (gp_reason_t)msg->u.work_ended.reason;
    run->code = msg->u.work_ended.code;
    run->told = msg->u.work_ended.output;
    run->wall_us = msg->u.work_ended.wall_us;
    run->cpu_us = msg->u.work_ended.cpu_us;
    run->peak_bytes = msg->u.work_ended.peak_bytes;
    snprintf(run->text, sizeof run->text, "%.*s", (int)msg->u.work_ended.text.n,
             msg->u.work_ended.text.n > 0 ? (const char *)msg->u.work_ended.text.p : "");
    assert_int_equal(run->told, run->offset);
    if (rig->again != NULL) {
        rig_start_shell(rig, msg->u.work_ended.job, rig->again);
    }
}

void rig_open_launcher(rig_t *rig)
{
    gp_launcher_config_t config;
    char dir[160];

    gp_launcher_config_default(&config);
    snprintf(dir, sizeof dir, "%s/work", rig->dir);
    config.dir = dir;
    config.keeper = getenv("GRIDPEER_KEEPER");
    config.node = "n1";
    config.no_cgroups = rig->no_cgroups;
    config.memory_cgroup = rig->memory_cgroup;
    config.grace_ms = 300;
    config.drain_ms = 200;
    config.callback = rig_on_message;
    config.context = rig;
    assert_int_equal(gp_launcher_new(rig->base, &config, &rig->launcher, NULL), GP_OK);
}

int rig_setup(void **state)
{
    rig_t *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    rig->base = event_base_new();
    assert_true(test_temporary(rig->dir, sizeof rig->dir));
    rig->home.b[0] = 7;
    rig->window = GP_OUTPUT_WINDOW;
    rig->no_cgroups = rig_without_cgroups;
    rig_open_launcher(rig);
    *state = rig;
    return 0;
}

int rig_teardown(void **state)
{
    rig_t *rig = *state;
    char dir[160];

    assert_int_equal(gp_launcher_count(rig->launcher), 0);
    gp_launcher_free(rig->launcher);
    event_base_free(rig->base);
    snprintf(dir, sizeof dir, "%s/work", rig->dir);
    assert_int_equal(rmdir(dir), 0); /* nothing is left in it */
    assert_int_equal(rmdir(rig->dir), 0);
    free(rig);
    return 0;
}

static void tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

/* Runs the loop until `done` says so. */
void rig_loop_until(rig_t *rig, bool (*done)(rig_t *rig, uint64_t job), uint64_t job)
{
    const struct timeval often = {.tv_usec = 10000};
    struct event *timer = event_new(rig->base, -1, EV_PERSIST, tick, NULL);
    uint64_t end = rig_now_ms() + LIMIT_MS;

    event_add(timer, &often);
    while (!done(rig, job)) {
        assert_true(rig_now_ms() < end);
        event_base_loop(rig->base, EVLOOP_ONCE);
    }
    event_free(timer);
}

bool rig_is_over(rig_t *rig, uint64_t job)
{
    const outcome_t *run = &rig->runs[job];

    return run->ended || (run->answered && !run->started);
}

bool rig_is_started(rig_t *rig, uint64_t job)
{
    return rig->runs[job].answered;
}

bool rig_is_quiet(rig_t *rig, uint64_t job)
{
    (void)job;
    return gp_launcher_count(rig->launcher) == 0;
}

bool rig_has_line(rig_t *rig, uint64_t job)
{
    return strchr(rig->runs[job].out[1], '\n') != NULL;
}

void rig_start_words(rig_t *rig, uint64_t job, const char *const *args, const char *const *env)
{
    memset(&rig_message, 0, gp_msg_size(GP_MSG_JOB_START));
    rig_message.kind = GP_MSG_JOB_START;
    rig_message.u.job_start.home = rig->home;
    rig_message.u.job_start.job = job;
    rig_message.u.job_start.incarnation = 1;
    for (; *args != NULL; args++) {
        rig_message.u.job_start.args[rig_message.u.job_start.args_count++].text = gp_text(*args);
    }
    for (; env != NULL && *env != NULL; env++) {
        rig_message.u.job_start.env[rig_message.u.job_start.env_count++].text = gp_text(*env);
    }
    memset(&rig->runs[job], 0, sizeof rig->runs[job]);
    assert_true(gp_launcher_notice(rig->launcher, &rig_message));
    assert_false(rig->runs[job].answered); /* never from within */
    if (rig->window > 0) {
        rig_credit(rig, job, rig->window);
    }
}

void rig_start_shell(rig_t *rig, uint64_t job, const char *script)
{
    rig_start_words(rig, job, (const char *[]){"sh", "-c", script, NULL}, NULL);
}

outcome_t *rig_run_words(rig_t *rig, const char *const *args)
{
    rig_start_words(rig, 1, args, NULL);
    rig_loop_until(rig, rig_is_over, 1);
    rig_loop_until(rig, rig_is_quiet, 1);
    return &rig->runs[1];
}

outcome_t *rig_run_shell(rig_t *rig, const char *script)
{
    return rig_run_words(rig, (const char *[]){"sh", "-c", script, NULL});
}

void rig_stop(rig_t *rig, uint64_t job, gp_reason_t reason)
{
    memset(&rig_message, 0, gp_msg_size(GP_MSG_JOB_STOP));
    rig_message.kind = GP_MSG_JOB_STOP;
    rig_message.u.job_stop = (gp_msg_job_stop_t){
        .home = rig->home, .job = job, .incarnation = 1, .reason = (uint8_t)reason};
    assert_true(gp_launcher_notice(rig->launcher, &rig_message));
}

/* The first number that the program wrote. */
pid_t rig_pid_written(const outcome_t *run)
{
    long pid = strtol(run->out[1], NULL, 10);

    assert_true(pid > 1);
    return (pid_t)pid;
}

/* Not there, or only a dead entry that its parent has not taken yet. */
bool rig_is_dead(pid_t pid)
{
    char path[64];
    char text[256] = "";
    const char *at;
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return true;
    }
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    at = strrchr(text, ')');
    return at == NULL || at[2] == 'Z' || at[2] == 'X';
}

/* Lets so much time pass: for what must not happen. */
void rig_loop_for(rig_t *rig, int ms)
{
    const struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    event_base_loopexit(rig->base, &in);
    event_base_dispatch(rig->base);
}
