#include "agent/lab/process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_ENV "GRIDPEER_READY_FD"
#define START_MS  10000
#define WORDS_MAX 16
#define PATH_SIZE (GP_STATE_PATH_MAX + GP_NAME_MAX + 32)

extern char **environ;

/* ---- limits ---------------------------------------------------------------------------------- */

uint64_t gp_until_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t gp_until_left(const gp_until_t *until, uint64_t most)
{
    uint64_t now = gp_until_now();
    uint64_t left = until->end_ms > now ? until->end_ms - now : 0;
    return until->end_ms == 0 || left > most ? most : left;
}

gp_error_t gp_until_check(const gp_until_t *until, const char *what, gp_fail_t *fail)
{
    struct pollfd wake = {.fd = until->wake, .events = POLLIN};
    if (poll(&wake, 1, 0) == 1) {
        return gp_fail(fail, GP_E_INTERRUPTED, "%s", what);
    }
    return gp_until_left(until, 1) == 0 ? gp_fail(fail, GP_E_TIMED_OUT, "%s", what) : GP_OK;
}

/* ---- which one ------------------------------------------------------------------------------- */

static bool is_of_word(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* Is the name a word of the text? That of n1 is none of "n10". */
static bool says(const char *text, const char *name)
{
    size_t n = strlen(name);
    const char *at = strstr(text, name);
    while (at != NULL && ((at > text && is_of_word(at[-1])) || is_of_word(at[n]))) {
        at = strstr(at + 1, name);
    }
    return at != NULL;
}

gp_error_t gp_process_named(const char *name, gp_error_t error, gp_fail_t *fail)
{
    char text[GP_FAIL_TEXT_MAX];
    if (says(fail->text, name)) {
        return error;
    }
    memcpy(text, fail->text, sizeof text);
    return gp_fail(fail, error, "%s%s%s", name, text[0] != '\0' ? ": " : "", text);
}

/* ---- starting -------------------------------------------------------------------------------- */

static void log_path(const char *dir, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s/agent.log", dir, name);
}

static char **environment_with(const char *ready, char **room, size_t size)
{
    size_t n = 0;
    for (char **at = environ; *at != NULL && n + 2 < size; at++) {
        if (strncmp(*at, READY_ENV "=", sizeof READY_ENV) != 0) {
            room[n++] = *at;
        }
    }
    room[n++] = (char *)(uintptr_t)ready;
    room[n] = NULL;
    return room;
}

/* The words of posix_spawn are not const; nothing writes to them. */
static void word_add(char **words, const char *word)
{
    size_t n = 0;
    while (words[n] != NULL) {
        n++;
    }
    assert(n + 1 < WORDS_MAX);
    words[n] = (char *)(uintptr_t)word;
}

static void option_add(char **words, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        word_add(words, name);
        word_add(words, value);
    }
}

static int spawn(const gp_process_params_t *params, char **words, int write_fd, pid_t *ret_pid)
{
    char log[PATH_SIZE], ready[40];
    char *room[512];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    log_path(params->dir, params->name, log);
    snprintf(ready, sizeof ready, READY_ENV "=%d", write_fd);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    /* Onto itself: open in this child, and in no other that is started meanwhile. */
    posix_spawn_file_actions_adddup2(&files, write_fd, write_fd);
    posix_spawnattr_init(&attributes);
    /* Whoever starts it may hold signals back; it must be able to hear them. */
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawn(ret_pid, params->program, &files, &attributes, words,
                            environment_with(ready, room, sizeof room / sizeof room[0]));
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

gp_error_t gp_process_start(const gp_process_params_t *params, gp_process_t *ret_process,
                            gp_fail_t *fail)
{
    char log[PATH_SIZE];
    char *words[WORDS_MAX] = {NULL};
    struct stat status;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return gp_fail_errno(fail, errno, "cannot make a pipe");
    }
    *ret_process = (gp_process_t){.dir = params->dir, .ready_fd = fds[0]};
    snprintf(ret_process->name, sizeof ret_process->name, "%s", params->name);
    log_path(params->dir, params->name, log);
    ret_process->log_from = stat(log, &status) == 0 ? status.st_size : 0;
    word_add(words, params->program);
    word_add(words, "agent");
    option_add(words, "--dir", params->dir);
    option_add(words, "--node", params->name);
    option_add(words, "--listen", params->listen);
    int error = spawn(params, words, fds[1], &ret_process->pid);
    close(fds[1]);
    if (error == 0) {
        return GP_OK;
    }
    close(fds[0]);
    ret_process->ready_fd = -1;
    return gp_fail_errno(fail, error, "cannot start %s", params->program);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/*
 * The last error in the agent's log, and its advice behind it: why it did not come up. Its name in
 * front would be there twice, as whoever tells this is a gridpeer too.
 */
static void last_words(const gp_process_t *process, char *text, size_t size)
{
    static const char own[] = "gridpeer: ", next[] = "  next: ";
    char path[PATH_SIZE], line[512], advice[512] = "";
    log_path(process->dir, process->name, path);
    FILE *file = fopen(path, "re");
    snprintf(text, size, "it ended before it served");
    if (file == NULL) {
        return;
    }
    bool there = fseeko(file, process->log_from, SEEK_SET) == 0;
    while (there && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, next, sizeof next - 1) == 0) {
            snprintf(advice, sizeof advice, " (%s)", line + sizeof next - 1);
        } else if (line[0] != '\0' && line[0] != ' ') {
            bool named = strncmp(line, own, sizeof own - 1) == 0;
            snprintf(text, size, "%s", named ? line + sizeof own - 1 : line);
            advice[0] = '\0';
        }
    }
    fclose(file);
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", advice);
}

/* What the agent told over the pipe: GP_OK, its error, or GP_E_NO_AGENT if it told nothing. */
static gp_error_t verdict_read(const gp_process_t *process, gp_fail_t *fail)
{
    char told[GP_FAIL_TEXT_MAX + 16], why[1024];
    char *detail = told;
    ssize_t n = read(process->ready_fd, told, sizeof told - 1); /* it was one write */
    told[n > 0 ? n : 0] = '\0';
    if (told[0] == 'r') {
        return GP_OK;
    }
    long code = strtol(told, &detail, 10);
    if (*detail == ' ' && strcmp(gp_error_name((gp_error_t)code), "E_UNKNOWN") != 0) {
        return gp_fail(fail, (gp_error_t)code, "%s", detail + 1);
    }
    last_words(process, why, sizeof why);
    return gp_fail(fail, GP_E_NO_AGENT, "%s did not come up: %s", process->name, why);
}

gp_error_t gp_process_wait(gp_process_t *process, const gp_until_t *until, gp_fail_t *fail)
{
    if (process->ready_fd < 0) {
        return GP_OK;
    }
    char what[GP_NAME_MAX + 32];
    struct pollfd fds[2] = {{.fd = process->ready_fd, .events = POLLIN},
                            {.fd = until->wake, .events = POLLIN}};
    snprintf(what, sizeof what, "%s does not serve yet", process->name);
    int ready = poll(fds, 2, (int)gp_until_left(until, START_MS));
    if (ready <= 0 || fds[0].revents == 0) {
        gp_error_t error = gp_until_check(until, what, fail);
        return error != GP_OK ? error
                              : gp_fail(fail, GP_E_NO_AGENT, "%s after %d ms", what, START_MS);
    }
    gp_error_t error = verdict_read(process, fail);
    close(process->ready_fd);
    process->ready_fd = -1;
    if (error != GP_OK) {
        waitpid(process->pid, NULL, 0);
    }
    return error;
}

void gp_process_drop(gp_process_t *process)
{
    if (process->ready_fd >= 0) {
        close(process->ready_fd);
        process->ready_fd = -1;
        kill(process->pid, SIGKILL); /* our child, not yet waited for: the number is its own */
        waitpid(process->pid, NULL, 0);
    }
}
