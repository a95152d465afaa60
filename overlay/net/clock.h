/*
 * The transport's clock, for time-outs of its own.
 */
#ifndef GP_OVERLAY_NET_CLOCK_H
#define GP_OVERLAY_NET_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t gp_net_now_ms(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
