/*
 * Bad cables: an Ethernet cable in user space for each machine, which delays, loses, duplicates,
 * reorders and corrupts what goes through it (there is no netem on every kernel).
 *
 * Usage: badlink SEED HUB MACHINE...      each a path of a network namespace
 *
 * Cable number i is a pair of TAP devices: "lan" in the namespace of machine i, and "c<i>" in that
 * of the hub, where a bridge takes it. Nothing is persistent: the devices go with this process, and
 * this process with its standard input. There it is told, a line each:
 *
 *   set CABLE WAY DELAY JITTER LOSS DUPLICATE REORDER CORRUPT
 *       WAY is 0 from the machine, 1 to it; times in microseconds, shares in permille
 *   count
 *       answered by a line "CABLE WAY PASSED DELAYED LOST DUPLICATED REORDERED CORRUPTED DROPPED"
 *       for each cable and way, and a line "end"
 *
 * All chance comes from SEED. What is corrupted is one bit behind the Ethernet header: the
 * checksums of IP and TCP find it, so that to the agents it is a loss.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define CABLES_MAX 64
#define FRAME_MAX  1600
#define HELD_MAX   16384 /* frames under way, of all cables together */
#define BURST      64    /* frames of one device at a time */
#define HEADER     14    /* bytes of an Ethernet header, which are never corrupted */
#define HOLD_BACK  1000  /* microseconds more that a reordered frame waits */
#define WAYS       2
#define NEVER      UINT64_MAX

typedef struct manner {
    uint64_t delay;
    uint64_t jitter;
    uint32_t loss;
    uint32_t duplicate;
    uint32_t reorder;
    uint32_t corrupt;
} manner_t;

typedef struct count {
    uint64_t passed;
    uint64_t delayed;
    uint64_t lost;
    uint64_t duplicated;
    uint64_t reordered;
    uint64_t corrupted;
    uint64_t dropped; /* nobody took it, or there was no room */
} count_t;

typedef struct lane {
    manner_t manner;
    count_t count;
    uint64_t last_due;
    int from;
    int to;
} lane_t;

typedef struct frame {
    uint64_t due;
    uint64_t order;
    lane_t *lane;
    size_t n;
    uint8_t bytes[FRAME_MAX];
} frame_t;

static lane_t lanes[CABLES_MAX * WAYS];
static size_t lane_count;
static frame_t frames[HELD_MAX];
static frame_t *idle[HELD_MAX];
static frame_t *heap[HELD_MAX]; /* the first is due first */
static size_t idle_count, heap_count;
static uint64_t random_state, order;

static uint64_t draw(void) /* splitmix64 */
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static bool happens(uint32_t permille)
{
    return permille > 0 && draw() % 1000 < permille;
}

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- frames under way ------------------------------------------------------------------------ */

static bool sooner(const frame_t *a, const frame_t *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void swap(size_t a, size_t b)
{
    frame_t *frame = heap[a];
    heap[a] = heap[b];
    heap[b] = frame;
}

static void push(frame_t *frame)
{
    size_t at = heap_count++;
    heap[at] = frame;
    for (; at > 0 && sooner(heap[at], heap[(at - 1) / 2]); at = (at - 1) / 2) {
        swap(at, (at - 1) / 2);
    }
}

static frame_t *pop(void)
{
    frame_t *first = heap[0];
    heap[0] = heap[--heap_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap_count; child++) {
            least = sooner(heap[child], heap[least]) ? child : least;
        }
        if (least == at) {
            return first;
        }
        swap(at, least);
        at = least;
    }
}

static void put(lane_t *lane, const uint8_t *bytes, size_t n)
{
    if (write(lane->to, bytes, n) == (ssize_t)n) {
        lane->count.passed++;
    } else {
        lane->count.dropped++;
    }
}

static void hold(lane_t *lane, const uint8_t *bytes, size_t n, uint64_t now)
{
    const manner_t *manner = &lane->manner;
    if (idle_count == 0) {
        lane->count.dropped++;
        return;
    }
    frame_t *frame = idle[--idle_count];
    uint64_t due = now + manner->delay + (manner->jitter > 0 ? draw() % manner->jitter : 0);
    if (happens(manner->reorder)) {
        lane->count.reordered++;
        due += manner->delay + manner->jitter + HOLD_BACK;
    } else {
        due = due > lane->last_due ? due : lane->last_due; /* jitter alone changes no order */
        lane->last_due = due;
    }
    lane->count.delayed++;
    frame->due = due;
    frame->order = order++;
    frame->lane = lane;
    frame->n = n;
    memcpy(frame->bytes, bytes, n);
    push(frame);
}

static void take(lane_t *lane, uint8_t *bytes, size_t n, uint64_t now)
{
    const manner_t *manner = &lane->manner;
    if (happens(manner->loss)) {
        lane->count.lost++;
        return;
    }
    if (n > HEADER && happens(manner->corrupt)) {
        lane->count.corrupted++;
        uint64_t bit = draw() % ((n - HEADER) * 8);
        bytes[HEADER + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    int copies = 1;
    if (happens(manner->duplicate)) {
        lane->count.duplicated++;
        copies = 2;
    }
    bool at_once =
        manner->delay == 0 && manner->jitter == 0 && manner->reorder == 0 && lane->last_due <= now;
    for (int i = 0; i < copies; i++) {
        if (at_once) {
            put(lane, bytes, n);
        } else {
            hold(lane, bytes, n, now);
        }
    }
}

static void deliver(uint64_t now)
{
    while (heap_count > 0 && heap[0]->due <= now) {
        frame_t *frame = pop();
        put(frame->lane, frame->bytes, frame->n);
        idle[idle_count++] = frame;
    }
}

static void drain(lane_t *lane)
{
    static uint8_t bytes[FRAME_MAX];
    for (int i = 0; i < BURST; i++) {
        ssize_t n = read(lane->from, bytes, sizeof bytes);
        if (n <= 0) {
            return;
        }
        take(lane, bytes, (size_t)n, now_us());
    }
}

/* ---- orders ---------------------------------------------------------------------------------- */

static void tell_counts(void)
{
    for (size_t i = 0; i < lane_count; i++) {
        const count_t *c = &lanes[i].count;
        printf("%zu %zu %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
               " %" PRIu64 "\n",
               i / WAYS, i % WAYS, c->passed, c->delayed, c->lost, c->duplicated, c->reordered,
               c->corrupted, c->dropped);
    }
    puts("end");
    (void)fflush(stdout);
}

static void obey(const char *line)
{
    size_t cable, way;
    manner_t m = {0};
    if (strcmp(line, "count") == 0) {
        tell_counts();
    } else if (sscanf(line, "set %zu %zu %" SCNu64 " %" SCNu64 " %u %u %u %u", &cable, &way,
                      &m.delay, &m.jitter, &m.loss, &m.duplicate, &m.reorder, &m.corrupt) == 8 &&
               way < WAYS && cable * WAYS + way < lane_count) {
        lanes[cable * WAYS + way].manner = m;
    } else {
        fprintf(stderr, "badlink: not an order: %s\n", line);
        exit(64);
    }
}

/* False: whoever gives orders is gone. */
static bool hear(void)
{
    static char text[4096];
    static size_t used;
    ssize_t n = read(STDIN_FILENO, text + used, sizeof text - 1 - used);
    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    used += (size_t)n;
    text[used] = '\0';
    char *line = text;
    for (char *end = strchr(line, '\n'); end != NULL; end = strchr(line, '\n')) {
        *end = '\0';
        obey(line);
        line = end + 1;
    }
    used -= (size_t)(line - text);
    memmove(text, line, used);
    return true;
}

/* ---- devices --------------------------------------------------------------------------------- */

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "badlink: cannot %s %s: %s\n", what, name, strerror(errno));
    exit(1);
}

static int open_tap(const char *netns, const char *name)
{
    int space = open(netns, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0) {
        fail("enter", netns);
    }
    close(space);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        fail("make the device", name);
    }
    return fd;
}

static void carry(void)
{
    struct pollfd fds[CABLES_MAX * WAYS + 1];
    for (size_t i = 0; i < lane_count; i++) {
        fds[i] = (struct pollfd){.fd = lanes[i].from, .events = POLLIN};
    }
    fds[lane_count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        uint64_t now = now_us();
        uint64_t due = heap_count > 0 ? heap[0]->due : NEVER;
        uint64_t wait = due > now ? due - now : 0;
        struct timespec limit = {.tv_sec = (time_t)(wait / 1000000),
                                 .tv_nsec = (long)(wait % 1000000 * 1000)};
        int ready = ppoll(fds, lane_count + 1, due == NEVER ? NULL : &limit, NULL);
        deliver(now_us());
        for (size_t i = 0; ready > 0 && i < lane_count; i++) {
            if (fds[i].revents != 0) {
                drain(&lanes[i]);
            }
        }
        if (ready > 0 && fds[lane_count].revents != 0 && !hear()) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc - 3 > CABLES_MAX) {
        fprintf(stderr, "usage: badlink SEED HUB MACHINE...\n");
        return 64;
    }
    random_state = strtoull(argv[1], NULL, 10);
    for (size_t i = 0; i < HELD_MAX; i++) {
        idle[idle_count++] = &frames[i];
    }
    for (int i = 3; i < argc; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", i - 3);
        int machine = open_tap(argv[i], "lan");
        int hub = open_tap(argv[2], name);
        lanes[lane_count++] = (lane_t){.from = machine, .to = hub};
        lanes[lane_count++] = (lane_t){.from = hub, .to = machine};
    }
    puts("ready");
    (void)fflush(stdout);
    carry();
    return 0;
}
