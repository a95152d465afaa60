/*
 * Network coordinates: places in a made-up space, such that the distance of two places tells the
 * round trip between their machines, also of two that never met.
 *
 * After Vivaldi (Dabek, Cox, Kaashoek, Morris: A decentralized network coordinate system, SIGCOMM
 * 2004): each round trip that was measured is a spring between two machines. A place has axes, for
 * the way through the network, and a height, for what every way to this machine costs. The pull
 * towards the origin is from Ledlie, Gardner, Seltzer: Network coordinates in the wild, NSDI 2007.
 * Beyond them: the force of a spring is bounded by what is usual for its machine, so that neither a
 * round trip that waited in a queue nor a machine that lies about its place does much; that made a
 * latency filter for each neighbour needless. README.md has the measurements.
 */
#ifndef GP_PROTO_COORDINATE_H
#define GP_PROTO_COORDINATE_H

#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/random.h"
#include "proto/types.h"

#define GP_COORDINATE_AXES       4
#define GP_COORDINATE_BYTES      (2 * GP_COORDINATE_AXES + 3) /* of the form on the wire */
#define GP_COORDINATE_TICKS      32                           /* in a microsecond */
#define GP_COORDINATE_AXIS_MAX   (4095 << 14)                 /* ticks: 2.1 s either way */
#define GP_COORDINATE_HEIGHT_MIN (10 * GP_COORDINATE_TICKS)   /* a height of 0 could never grow */
#define GP_COORDINATE_HEIGHT_MAX (4095 << 14)
#define GP_COORDINATE_ERROR_UNIT 256 /* the least error, and the step of its form on the wire */
#define GP_COORDINATE_ERROR_MAX  (255 * GP_COORDINATE_ERROR_UNIT)
#define GP_COORDINATE_RTT_MIN_US 20 /* two least heights: what is shorter counts as this */
#define GP_COORDINATE_RTT_MAX_US (UINT32_C(1) << 22) /* 4.2 s: what is longer counts as this */

/* Plain memory. Only start, update and read make one, so each is within the limits above. */
typedef struct gp_coordinate {
    int32_t axis[GP_COORDINATE_AXES]; /* ticks, -AXIS_MAX .. AXIS_MAX */
    int32_t height;                   /* ticks, HEIGHT_MIN .. HEIGHT_MAX */
    int32_t error; /* recent |estimate - measured| / measured, in 1/65536: UNIT .. ERROR_MAX */
    int32_t usual; /* median |estimate - measured| in ticks, from 0; not on the wire */
} gp_coordinate_t;

/* It has seen a round trip: before, it says nothing about its machine. Not of one that was read. */
static inline bool gp_coordinate_is_placed(const gp_coordinate_t *c)
{
    return c->usual > 0;
}

/* A machine that knows nothing yet: at the origin, with the greatest error. */
void gp_coordinate_start(gp_coordinate_t *c);

/*
 * One observed round trip of rtt_us microseconds (any value; kept within RTT_MIN_US .. RTT_MAX_US)
 * to a machine that says that its coordinate is `other`: moves c, its height, its error and what
 * is usual. `random` is used only if both are in the same place: then they part in any direction.
 * However absurd they are, after its first call none moves c by more than (1/4 + error / 2) times
 * the greater of what is usual and error rtt / 4; the other's word that it errs less than c counts
 * for nothing.
 * c and other may be the same.
 */
void gp_coordinate_update(gp_coordinate_t *c, gp_random_t *random, const gp_coordinate_t *other,
                          uint32_t rtt_us);

/*
 * The estimated round trip between two machines in microseconds: the way between their places and
 * both heights. Symmetric; RTT_MIN_US or more, and below 13 s by the limits. Of a coordinate and
 * itself: twice its height, as of two machines in its place.
 */
uint32_t gp_coordinate_distance_us(const gp_coordinate_t *a, const gp_coordinate_t *b);

/* How far one machine has moved, in microseconds: the way between both places, and in height. */
uint32_t gp_coordinate_moved_us(const gp_coordinate_t *from, const gp_coordinate_t *to);

/*
 * The canonical form of c: the axes and the height as big-endian 16-bit numbers of a sign, 4 bits
 * of exponent and 11 of fraction (a relative precision of 1/4096), and one byte of error.
 */
void gp_coordinate_pack(const gp_coordinate_t *c, uint8_t ret_bytes[GP_COORDINATE_BYTES]);

/*
 * Reads what pack wrote; what it accepts packs to the same bytes again. GP_E_MESSAGE_SIZE: not
 * GP_COORDINATE_BYTES; GP_E_MESSAGE_DECODE: a zero with a sign; GP_E_MESSAGE_LIMIT: a height below
 * HEIGHT_MIN or with a sign, or an error of 0. *ret_c is left alone after an error.
 */
GP_MUST_CHECK gp_error_t gp_coordinate_read(gp_slice_t bytes, gp_coordinate_t *ret_c);

#endif
