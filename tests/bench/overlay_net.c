/*
 * What the transport costs, as one JSON document. No verdict: figures of a shared machine are for
 * comparing, not for passing.
 *
 *   bench_overlay_net [LINKS]     (default 60)
 */
#include "overlay/net/net.h"
#include "proto/text.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OPENS     50
#define TRIPS     5000
#define STREAM    20000
#define FRAME     200
#define IDLE_MS   3000
#define LINKS_MAX 200

static struct event_base *base;
static uint32_t frames;
static uint32_t ups;
static bool echoes;
static gp_net_t *here;

static uint64_t now_us(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t cpu_us(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static long memory_kb(const char *path, const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen(path, "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtol(line + strlen(name), NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return value;
}

static void on_frame(void *context, const gp_id_t *peer, gp_standing_t standing, gp_slice_t frame)
{
    (void)context;
    (void)standing;
    frames++;
    if (echoes) {
        (void)!gp_net_send(here, peer, frame, GP_CLASS_CONTROL);
    }
}

static void on_link(void *context, const gp_id_t *peer, bool up)
{
    (void)context;
    (void)peer;
    ups += up;
}

static void on_dialed(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result)
{
    (void)context;
    (void)peer;
    (void)token;
    (void)result;
}

static gp_secret_t *secret_of(uint32_t number)
{
    uint8_t seed[32] = {1, (uint8_t)number, (uint8_t)(number >> 8)};
    gp_secret_t *secret = NULL;

    if (gp_secret_from_seed(seed, &secret) != GP_OK) {
        abort();
    }
    return secret;
}

static gp_id_t id_of(uint32_t number)
{
    gp_secret_t *secret = secret_of(number);
    gp_id_t id = gp_secret_id(secret);

    gp_secret_free(secret);
    return id;
}

static gp_net_t *open_net(uint32_t number)
{
    gp_secret_t *secret = secret_of(number);
    gp_net_config_t config = {
        .base = base,
        .secret = secret,
        .listen = "tcp://127.0.0.1:0",
        .events = {.on_frame = on_frame, .on_link = on_link, .on_dialed = on_dialed}};
    gp_net_t *net = NULL;

    if (gp_net_open(&config, &net) != GP_OK) {
        abort();
    }
    gp_secret_free(secret);
    return net;
}

static void turn(void)
{
    (void)event_base_loop(base, EVLOOP_ONCE);
}

/* The child: an agent that links to number 0 and echoes. */
static int play(uint32_t number, const char *address)
{
    gp_id_t parent = id_of(0);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    here = open_net(number);
    echoes = true;
    if (gp_net_admit(here, &parent, address) != GP_OK ||
        gp_net_link(here, &parent, true) != GP_OK) {
        return 1;
    }
    for (;;) {
        turn();
    }
}

static pid_t start(uint32_t number)
{
    char text[16];
    char *argv[] = {(char *)"child", (char *)"play", text, (char *)(uintptr_t)gp_net_address(here),
                    NULL};
    pid_t pid = -1;
    gp_id_t id = id_of(number);

    (void)snprintf(text, sizeof text, "%u", number);
    if (gp_net_admit(here, &id, NULL) != GP_OK ||
        posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0) {
        abort();
    }
    return pid;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static void print(const char *name, uint64_t *samples, uint32_t n)
{
    qsort(samples, n, sizeof *samples, compare);
    printf("  \"%s\": {\"p50\": %llu, \"p99\": %llu, \"max\": %llu, \"n\": %u},\n", name,
           (unsigned long long)samples[n / 2], (unsigned long long)samples[n - 1 - n / 100],
           (unsigned long long)samples[n - 1], n);
}

static void measure_open(void)
{
    static uint64_t samples[OPENS];
    static uint64_t closes[OPENS];
    uint64_t cpu = cpu_us();

    for (uint32_t i = 0; i < OPENS; i++) {
        uint64_t start_us = now_us();
        gp_net_t *net = open_net(0);
        samples[i] = now_us() - start_us;
        start_us = now_us();
        gp_net_close(net, 100);
        closes[i] = now_us() - start_us;
    }
    cpu = cpu_us() - cpu;
    print("open_us", samples, OPENS);
    print("close_us", closes, OPENS);
    printf("  \"open_and_close_cpu_us\": %llu,\n", (unsigned long long)(cpu / OPENS));
}

static void measure_trips(const gp_id_t *to)
{
    static uint64_t samples[TRIPS];
    uint8_t bytes[FRAME] = {1};
    uint64_t start_us;

    for (uint32_t i = 0; i < TRIPS; i++) {
        uint32_t before = frames;
        start_us = now_us();
        if (gp_net_send(here, to, gp_slice(bytes, sizeof bytes), GP_CLASS_CONTROL) != GP_OK) {
            abort();
        }
        while (frames == before) {
            turn();
        }
        samples[i] = now_us() - start_us;
    }
    print("round_trip_us", samples, TRIPS);
    start_us = now_us();
    for (uint32_t sent = frames, end = frames + STREAM, last = frames; frames < end;) {
        while (sent < end && sent - frames < 64) {
            (void)!gp_net_send(here, to, gp_slice(bytes, sizeof bytes), GP_CLASS_DATA);
            sent++;
        }
        turn();
        last = frames;
        (void)last;
    }
    printf("  \"echoes_per_s_window_64\": %llu,\n",
           (unsigned long long)STREAM * 1000000 / (now_us() - start_us));
}

static void measure_idle(uint32_t links, pid_t child)
{
    struct timespec before;
    struct timespec after;
    clockid_t clock;
    struct timeval limit = {.tv_sec = IDLE_MS / 1000};
    uint64_t cpu = cpu_us();
    char path[64];

    if (clock_getcpuclockid(child, &clock) != 0) {
        abort();
    }
    (void)clock_gettime(clock, &before);
    (void)event_base_loopexit(base, &limit);
    (void)event_base_dispatch(base);
    (void)clock_gettime(clock, &after);
    cpu = cpu_us() - cpu;
    printf("  \"idle_cpu_ppm\": {\"with_%u_links\": %llu, \"with_1_link\": %lld},\n", links,
           (unsigned long long)(cpu * 1000 / IDLE_MS),
           (long long)((after.tv_sec - before.tv_sec) * 1000000 +
                       (after.tv_nsec - before.tv_nsec) / 1000) *
               1000 / IDLE_MS);
    printf("  \"with_%u_links_kb\": {\"rss\": %ld, \"anonymous\": %ld, \"pss\": %ld},\n", links,
           memory_kb("/proc/self/status", "VmRSS:"), memory_kb("/proc/self/status", "RssAnon:"),
           memory_kb("/proc/self/smaps_rollup", "Pss:"));
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)child);
    printf("  \"with_1_link_kb\": {\"rss\": %ld, \"anonymous\": %ld,", memory_kb(path, "VmRSS:"),
           memory_kb(path, "RssAnon:"));
    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)child);
    printf(" \"pss\": %ld},\n", memory_kb(path, "Pss:"));
}

static void measure_links(uint32_t links)
{
    static pid_t children[LINKS_MAX];
    uint64_t start_us;
    gp_id_t first = id_of(1);
    uint64_t cpu;

    here = open_net(0);
    printf("  \"alone_kb\": {\"rss\": %ld, \"anonymous\": %ld},\n",
           memory_kb("/proc/self/status", "VmRSS:"), memory_kb("/proc/self/status", "RssAnon:"));
    start_us = now_us();
    for (uint32_t i = 0; i < links; i++) {
        children[i] = start(i + 1);
    }
    while (ups < links) {
        turn();
    }
    printf("  \"all_%u_processes_started_and_up_us\": %llu,\n", links,
           (unsigned long long)(now_us() - start_us));
    cpu = cpu_us();
    measure_trips(&first);
    printf("  \"cpu_us_per_echo\": %.1f,\n", (double)(cpu_us() - cpu) / (TRIPS + STREAM));
    measure_idle(links, children[0]);
    for (uint32_t i = 0; i < links; i++) {
        (void)kill(children[i], SIGKILL);
        (void)waitpid(children[i], NULL, 0);
    }
    gp_net_close(here, 0);
}

int main(int argc, char **argv)
{
    uint32_t links = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 60;

    base = event_base_new();
    if (base == NULL || gp_keys_init() != GP_OK || links == 0 || links > LINKS_MAX) {
        return 1;
    }
    if (argc == 4 && strcmp(argv[1], "play") == 0) {
        return play((uint32_t)strtoul(argv[2], NULL, 10), argv[3]);
    }
    printf("{\n");
    measure_open();
    measure_links(links);
    printf("  \"frame_bytes\": %d\n}\n", FRAME);
    event_base_free(base);
    return 0;
}
