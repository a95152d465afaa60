/*
 * How available a machine has been, as this machine observed it: 0 .. 1000.
 *
 *   A     = (5 up_1 + 3 up_7 + 2 up_30) / 10         share of time up over 1, 7 and 30 days
 *   raw   = (60 A + 20 health + 20 headroom) / 100 - min(400, penalty / 5)
 *   score = raw in steps of 10, and moved only when raw differs from it by 10 or more
 *
 * The windows are exponential, each beginning at one half: a newcomer is not the best. Each fall
 * adds 1000 to the penalty, whose half-life is 15 minutes (route flap damping, RFC 2439). Health
 * and headroom are the machine's own words in its BEAT_ACKs, smoothed over about 16 of them; they
 * are 40 % at most. A relayed machine has 0: others can't dial it.
 */
#include "overlay/group/group_state.h"

#define ONE          (UINT64_C(1) << 32)
#define QUANTUM_US   UINT64_C(10546875)   /* 1/8192 day */
#define PENALTY_KEEP UINT64_C(4260221365) /* 2^32 2^(-quantum / 15 minutes) */
#define FALL         (UINT64_C(1000) << 16)
#define PENALTY_MAX  (4 * FALL)
#define UNIT         65536u

/* 2^32 (1 - 1/(8192 days)) for 1, 7 and 30 days */
static const uint64_t window_keep[GP_GROUP_WINDOWS] = {4294443008, 4294892398, 4294949820};

static uint64_t fixed_multiply(uint64_t a, uint64_t b)
{
    assert(a <= ONE && b <= ONE);
    return a == ONE ? b : (a * b) >> 32; /* of two ones the product would not fit */
}

static uint64_t fixed_power(uint64_t base, uint64_t exponent)
{
    uint64_t result = ONE;
    while (exponent > 0) {
        if ((exponent & 1) != 0) {
            result = fixed_multiply(result, base);
        }
        base = fixed_multiply(base, base);
        exponent >>= 1;
    }
    return result;
}

void gp_availability_start(gp_availability_t *a, gp_usec_t now)
{
    *a = (gp_availability_t){.at = now, .health = 1000 * UNIT, .headroom = 500 * UNIT};
    for (int i = 0; i < GP_GROUP_WINDOWS; i++) {
        a->up[i] = ONE / 2;
    }
}

void gp_availability_advance(gp_availability_t *a, bool up, gp_usec_t now)
{
    assert(now >= a->at);
    uint64_t quanta = (now - a->at) / QUANTUM_US;
    if (quanta == 0) {
        return;
    }
    a->at += quanta * QUANTUM_US;
    for (int i = 0; i < GP_GROUP_WINDOWS; i++) {
        uint64_t keep = fixed_power(window_keep[i], quanta);
        uint64_t distance = up ? ONE - a->up[i] : a->up[i];
        distance = fixed_multiply(distance, keep);
        a->up[i] = up ? ONE - distance : distance;
    }
    uint64_t keep = fixed_power(PENALTY_KEEP, quanta);
    a->penalty = (a->penalty * (keep >> 16)) >> 16;
}

void gp_availability_rest(gp_availability_t *a, gp_usec_t now)
{
    assert(now >= a->at);
    a->at = now;
}

void gp_availability_fall(gp_availability_t *a)
{
    a->penalty += FALL;
    if (a->penalty > PENALTY_MAX) {
        a->penalty = PENALTY_MAX;
    }
}

static uint32_t smooth(uint32_t old, uint16_t sample)
{
    uint32_t target = (sample > 1000 ? 1000u : sample) * UNIT;
    return old - old / 16 + target / 16;
}

void gp_availability_sample(gp_availability_t *a, uint16_t health, uint16_t headroom)
{
    a->health = smooth(a->health, health);
    a->headroom = smooth(a->headroom, headroom);
}

uint16_t gp_availability_score(gp_availability_t *a, uint8_t flags)
{
    if ((flags & GP_FLAG_RELAYED) != 0) {
        a->published = 0;
        return 0;
    }
    uint64_t up = (5 * a->up[0] + 3 * a->up[1] + 2 * a->up[2]) / 10;
    uint64_t raw = (60 * ((1000 * up) >> 32) + 20 * (a->health / UNIT) + 20 * (a->headroom / UNIT));
    raw /= 100;
    uint64_t penalty = (a->penalty >> 16) / 5;
    penalty = penalty > 400 ? 400 : penalty;
    raw = raw > penalty ? raw - penalty : 0;
    assert(raw <= 1000);
    uint64_t distance = raw > a->published ? raw - a->published : a->published - raw;
    if (distance >= 10) {
        a->published = (uint16_t)((raw + 5) / 10 * 10);
    }
    return a->published;
}
