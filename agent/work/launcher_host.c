#include "agent/work/launcher_host.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/work/launcher.h"
#include "proto/random.h"

#define KEEPER_NAME         "gridpeer-keeper"
#define LAUNCHER_BASE_WORDS 6

/* ---- cgroups --------------------------------------------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word)) {
        if ((at == list || at[-1] == ',') && (at[n] == ',' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

/* Where the hierarchy is mounted, from /proc/self/mountinfo. */
static bool find_mount(bool v1, char ret_mount[LAUNCHER_PATH_MAX])
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[LAUNCHER_PATH_MAX];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char root[1024];
        char mount[1024];
        char type[64];
        char options[1024];
        const char *rest = strstr(line, " - ");

        if (rest == NULL || sscanf(line, "%*s %*s %*s %1023s %1023s", root, mount) != 2 ||
            sscanf(rest, " - %63s %*s %1023s", type, options) != 2 || strcmp(root, "/") != 0) {
            continue;
        }
        found = v1 ? strcmp(type, "cgroup") == 0 && has_word(options, "memory")
                   : strcmp(type, "cgroup2") == 0;
        if (found) {
            snprintf(ret_mount, LAUNCHER_PATH_MAX, "%s", mount);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

/* This process's own place in the hierarchy, from /proc/self/cgroup: "0::/x" or "4:memory:/x". */
static bool find_own(bool v1, char ret_path[LAUNCHER_PATH_MAX])
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[LAUNCHER_PATH_MAX];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char *list = strchr(line, ':');
        char *path = list != NULL ? strchr(list + 1, ':') : NULL;

        if (path == NULL) {
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        *path++ = '\0';
        found = v1 ? has_word(list + 1, "memory") : list[1] == '\0';
        if (found) {
            snprintf(ret_path, LAUNCHER_PATH_MAX, "%s", strcmp(path, "/") == 0 ? "" : path);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

void launcher_cgroup(const char *dir, bool v1, char ret_path[LAUNCHER_PATH_MAX])
{
    char mount[LAUNCHER_PATH_MAX];
    char own[LAUNCHER_PATH_MAX];
    char procs[LAUNCHER_PATH_MAX];
    bool usable;
    int n;

    ret_path[0] = '\0';
    if (!find_mount(v1, mount) || !find_own(v1, own)) {
        return;
    }
    n = snprintf(ret_path, LAUNCHER_PATH_MAX, "%s%s/gridpeer-%016" PRIx64, mount, own,
                 gp_hash(dir, strlen(dir), 0));
    if (n < 0 || n >= LAUNCHER_PATH_MAX - 64 || (mkdir(ret_path, 0755) != 0 && errno != EEXIST)) {
        ret_path[0] = '\0';
        return;
    }
    snprintf(procs, sizeof procs, "%.*s/cgroup.%s", n, ret_path, v1 ? "procs" : "kill");
    usable = access(procs, W_OK) == 0; /* kernels before 5.14 have no cgroup.kill */
    (void)rmdir(ret_path);             /* keepers make it again, and remove it after them */
    if (!usable) {
        ret_path[0] = '\0';
    }
}

/* ---- the keeper ------------------------------------------------------------------------------ */

int gp_launcher_find_keeper(char *path, size_t size)
{
    static const char *const places[] = {"", "/../libexec/gridpeer", "/../work", "/../../work"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *dir;
    size_t told = 1; /* where an installation has it */
    int error = ENOENT;

    if (n <= 0) {
        (void)snprintf(path, size, "/proc/self/exe");
        return n < 0 ? errno : ENOENT;
    }
    self[n] = '\0';
    dir = dirname(self);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int m = snprintf(path, size, "%s%s/" KEEPER_NAME, dir, places[i]);

        if (m < 0 || (size_t)m >= size) {
            return ENAMETOOLONG;
        }
        if (access(path, X_OK) == 0) {
            return 0;
        }
        if (errno == EACCES && error != EACCES) { /* it is there, and of no use */
            error = EACCES;
            told = i;
        }
    }
    (void)snprintf(path, size, "%s%s/" KEEPER_NAME, dir, places[told]);
    return error;
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool word_fits(gp_slice_t word)
{
    return word.n == 0 || memchr(word.p, '\0', word.n) == NULL;
}

bool launcher_words_fit(const gp_msg_job_start_t *msg)
{
    if (msg->args_count == 0 || msg->args[0].text.n == 0) {
        return false;
    }
    for (uint32_t i = 0; i < msg->args_count; i++) {
        if (!word_fits(msg->args[i].text)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < msg->env_count; i++) {
        gp_slice_t word = msg->env[i].text;

        if (!word_fits(word) || word.n == 0 || word.p[0] == '=' ||
            memchr(word.p, '=', word.n) == NULL) {
            return false;
        }
    }
    return true;
}

void launcher_strings_free(char **strings)
{
    for (size_t i = 0; strings != NULL && strings[i] != NULL; i++) {
        free(strings[i]);
    }
    free(strings);
}

static char *copy_word(gp_slice_t word)
{
    char *text = malloc((size_t)word.n + 1);

    if (text != NULL) {
        memcpy(text, word.p, word.n);
        text[word.n] = '\0';
    }
    return text;
}

char **launcher_arguments(const char *const *head, const gp_msg_job_start_t *msg)
{
    size_t n = 0;
    char **to;

    while (head[n] != NULL) {
        n++;
    }
    to = calloc(n + msg->args_count + 1, sizeof *to);
    for (size_t i = 0; to != NULL && i < n + msg->args_count; i++) {
        to[i] = i < n ? strdup(head[i]) : copy_word(msg->args[i - n].text);
        if (to[i] == NULL) {
            launcher_strings_free(to);
            return NULL;
        }
    }
    return to;
}

/* The same variable: both up to the '='. */
static bool same_name(const char *a, gp_slice_t b)
{
    size_t n = strcspn(a, "=") + 1;

    return n <= b.n && memcmp(a, b.p, n) == 0;
}

static bool is_given(const gp_msg_job_start_t *msg, const char *word, uint32_t from)
{
    for (uint32_t i = from; i < msg->env_count; i++) {
        if (same_name(word, msg->env[i].text)) {
            return true;
        }
    }
    return false;
}

static bool add_string(char **to, size_t *n, char *string)
{
    to[*n] = string;
    *n += string != NULL;
    return string != NULL;
}

/* What every attempt gets, as far as nothing else is given. */
static bool add_base(char **to, size_t *n, const gp_msg_job_start_t *msg,
                     const launcher_setting_t *setting)
{
    static const char *const names[] = {
        "PATH=", "HOME=", "LANG=", "USER=", "GRIDPEER_JOB=", "GRIDPEER_NODE="};
    char job[24];
    const char *values[] = {"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                            setting->home,
                            "C.UTF-8",
                            setting->user,
                            job,
                            setting->node};

    snprintf(job, sizeof job, "%" PRIu64, msg->job);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char line[LAUNCHER_PATH_MAX + 16];

        snprintf(line, sizeof line, "%s%s", names[i], values[i]);
        if (!is_given(msg, line, 0) && !add_string(to, n, strdup(line))) {
            return false;
        }
    }
    return true;
}

char **launcher_environment(const gp_msg_job_start_t *msg, const launcher_setting_t *setting)
{
    char **to = calloc((size_t)LAUNCHER_BASE_WORDS + msg->env_count + 1, sizeof *to);
    size_t n = 0;
    bool ok = to != NULL && add_base(to, &n, msg, setting);

    for (uint32_t i = 0; ok && i < msg->env_count; i++) {
        char *word = copy_word(msg->env[i].text);

        if (word != NULL && is_given(msg, word, i + 1)) {
            free(word); /* the last word for a name holds */
        } else {
            ok = add_string(to, &n, word);
        }
    }
    if (!ok) {
        launcher_strings_free(to);
        return NULL;
    }
    return to;
}

/* ---- errors in words ------------------------------------------------------------------------- */

static gp_reason_t exec_failed(int error, const char *program, char *text, size_t size)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        snprintf(text, size, "%s: there is no such program here", program);
        return GP_REASON_NOT_FOUND;
    case EACCES:
    case EISDIR:
        snprintf(text, size, "%s: permission denied, not an executable file", program);
        return GP_REASON_NOT_EXECUTABLE;
    case ENOEXEC:
        snprintf(text, size,
                 "%s: not a program that this machine can run: no #! line, damaged, or of another "
                 "architecture",
                 program);
        return GP_REASON_NOT_EXECUTABLE;
    default:
        snprintf(text, size, "%s: %s", program, strerror(error));
        return GP_REASON_START;
    }
}

gp_reason_t launcher_not_started(const gp_keeper_report_t *report, const char *program, char *text,
                                 size_t size)
{
    switch (report->stage) {
    case GP_KEEPER_STAGE_EXEC:
        return exec_failed(report->error, program, text, size);
    case GP_KEEPER_STAGE_INTERPRETER:
        snprintf(text, size, "%s: its interpreter (#! line) or loader does not exist here",
                 program);
        return GP_REASON_NOT_FOUND;
    case GP_KEEPER_STAGE_DIRECTORY:
        snprintf(text, size, "no working directory: %s", strerror(report->error));
        return GP_REASON_START;
    case GP_KEEPER_STAGE_PROCESS:
        snprintf(text, size, "no process: %s", strerror(report->error));
        return GP_REASON_START;
    case GP_KEEPER_STAGE_TAKEN:
        snprintf(text, size, "an attempt of the same number is still being cleaned up here");
        return GP_REASON_START;
    default:
        snprintf(text, size, "the process could not be set up: %s", strerror(report->error));
        return GP_REASON_START;
    }
}
