#include "agent/lab/measure.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "overlay/net/address.h"
#include "proto/core.h"

#define ROUNDS   3
#define LIMIT_US (300 * GP_MSEC)

static gp_usec_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (gp_usec_t)now.tv_sec * GP_SECOND + (gp_usec_t)now.tv_nsec / 1000;
}

/* A connection that is being made; -1: it cannot be. */
static int begin(const char *text)
{
    gp_sockaddr_t to;
    if (gp_address_parse(text, false, &to) != GP_OK) {
        return -1;
    }
    int fd = socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool going = fd >= 0 && (connect(fd, (const struct sockaddr *)&to.storage, to.size) == 0 ||
                             errno == EINPROGRESS);
    if (fd >= 0 && !going) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* It was answered, one way or the other: only who listens counts. */
static void end(struct pollfd *dial, gp_usec_t us, uint32_t *rtt_us)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int number = 0;
    socklen_t size = sizeof number;
    bool open = getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &number, &size) == 0 && number == 0;
    uint32_t took = us == 0 ? 1 : (uint32_t)us;
    if (open && (*rtt_us == 0 || took < *rtt_us)) {
        *rtt_us = took;
    }
    (void)setsockopt(dial->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    (void)close(dial->fd);
    dial->fd = -1;
}

static void measure_once(const gp_seed_t *seeds, uint32_t count, uint32_t *rtt_us)
{
    struct pollfd dials[GP_MEMBERS_MAX];
    gp_usec_t begun[GP_MEMBERS_MAX];
    gp_usec_t limit = now_us() + LIMIT_US;
    uint32_t open = 0;
    for (uint32_t i = 0; i < count; i++) {
        begun[i] = now_us();
        dials[i] = (struct pollfd){.fd = begin(seeds[i].address), .events = POLLOUT};
        open += dials[i].fd >= 0 ? 1 : 0;
    }
    while (open > 0 && now_us() < limit) {
        (void)poll(dials, count, (int)((limit - now_us()) / GP_MSEC) + 1);
        for (uint32_t i = 0; i < count; i++) {
            if (dials[i].fd >= 0 && dials[i].revents != 0) {
                end(&dials[i], now_us() - begun[i], &rtt_us[i]);
                open--;
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (dials[i].fd >= 0) {
            (void)close(dials[i].fd);
        }
    }
}

void gp_measure(const gp_seed_t *seeds, uint32_t count, uint32_t *ret_rtt_us)
{
    assert(count <= GP_MEMBERS_MAX);
    memset(ret_rtt_us, 0, count * sizeof *ret_rtt_us);
    for (int round = 0; round < ROUNDS; round++) {
        measure_once(seeds, count, ret_rtt_us);
    }
}
