/*
 * One update, all in ticks:
 *
 *   distance = |a - b| + height_a + height_b              residual = rtt - distance
 *   trust    = error / (error + max(error, error_other))  at most 1/2
 *   error   += trust / 4 (min(1, |residual| / rtt) - error)
 *   force    = trust (1/4 + error / 2) bounded(residual)  at most 3/8 of the residual
 *   place   += force (a - b) / distance, height += force (height_a + height_b) / distance
 *   place   -= place / 16384                              keeps the cloud of all at the origin
 *
 * bounded() is an influence function of robust statistics. `usual` follows the median of the
 * residuals, by a sixteenth up or down; the level is that, or error min(rtt, 2 distance) / 4 if it
 * is more. No residual counts for more than two levels. One that pulls (who claims to be far
 * answers soon: a lie, or a change) counts the less the greater it is beyond four. A network that
 * changes makes all residuals great, and `usual` with them: then every one counts again. The
 * error's part is for a machine whose neighbours are nearly all close: they alone make the median,
 * and the few far ones would never be heard.
 */
#include "proto/coordinate.h"

_Static_assert(GP_COORDINATE_BYTES == GP_COORDINATE_MAX, "messages have room for one");

#define ONE        65536
#define GAIN_ERROR (ONE / 4)
#define GAIN_FORCE (ONE / 4)
#define PULL       16384
#define SAME_PLACE GP_COORDINATE_TICKS /* closer than this there is no direction */
#define FULL       2                   /* levels: a residual up to this counts in full */
#define GROSS      4                   /* levels: a pull beyond this counts ever less */
#define FRACTION   11                  /* bits of it in the form on the wire */

/* The difference of two places, and its length. */
typedef struct way {
    int64_t axis[GP_COORDINATE_AXES];
    int64_t length;
} way_t;

/* The greatest whole number whose square is not above `value`, bit by bit. */
static int64_t square_root(uint64_t value)
{
    uint64_t root = 0;
    uint64_t bit = UINT64_C(1) << 62;

    while (bit > value) {
        bit >>= 2;
    }
    for (; bit != 0; bit >>= 2) {
        if (value >= root + bit) {
            value -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
    }
    return (int64_t)root;
}

static int64_t within(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* To the nearest: cutting off would pull everything towards 0. */
static int64_t divide(int64_t value, int64_t by)
{
    return (value < 0 ? value - by / 2 : value + by / 2) / by;
}

static void measure(way_t *way)
{
    uint64_t sum = 0;

    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        sum += (uint64_t)(way->axis[i] * way->axis[i]);
    }
    way->length = square_root(sum);
}

static way_t way_between(const gp_coordinate_t *a, const gp_coordinate_t *b)
{
    way_t way;

    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        way.axis[i] = (int64_t)a->axis[i] - b->axis[i];
    }
    measure(&way);
    return way;
}

static void check(const gp_coordinate_t *c)
{
    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        assert(c->axis[i] >= -GP_COORDINATE_AXIS_MAX && c->axis[i] <= GP_COORDINATE_AXIS_MAX);
    }
    assert(c->height >= GP_COORDINATE_HEIGHT_MIN && c->height <= GP_COORDINATE_HEIGHT_MAX);
    assert(c->error >= GP_COORDINATE_ERROR_UNIT && c->error <= GP_COORDINATE_ERROR_MAX);
    assert(c->usual >= 0);
}

void gp_coordinate_start(gp_coordinate_t *c)
{
    *c = (gp_coordinate_t){.height = GP_COORDINATE_HEIGHT_MIN, .error = GP_COORDINATE_ERROR_MAX};
}

/* What is usual follows the median, and with the error tells how much of the residual counts. */
static int64_t bounded(gp_coordinate_t *c, int64_t distance, int64_t rtt)
{
    int64_t residual = rtt - distance;
    int64_t size = residual < 0 ? -residual : residual;
    int64_t usual = c->usual;

    if (usual == 0) {
        usual = size;
    } else if (size > usual) {
        usual += usual / 16 + 1;
    } else {
        usual -= usual / 16;
    }
    c->usual = (int32_t)usual;
    int64_t way = rtt < 2 * distance ? rtt : 2 * distance;
    int64_t share = c->error * way / (4 * ONE);
    int64_t level = usual > share ? usual : share;
    int64_t most = FULL * level;
    if (-residual > GROSS * level) {
        most = most * GROSS * level / size;
    }
    return within(residual, -most, most);
}

static void move(gp_coordinate_t *c, const way_t *way, int64_t force, int64_t distance)
{
    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        int64_t to = c->axis[i] + divide(force * way->axis[i], distance);
        to -= to / PULL;
        c->axis[i] = (int32_t)within(to, -GP_COORDINATE_AXIS_MAX, GP_COORDINATE_AXIS_MAX);
    }
}

void gp_coordinate_update(gp_coordinate_t *c, gp_random_t *random, const gp_coordinate_t *other,
                          uint32_t rtt_us)
{
    check(c);
    check(other);
    way_t way = way_between(c, other);
    int64_t heights = (int64_t)c->height + other->height;
    int64_t distance = way.length + heights;
    int64_t rtt = within(rtt_us, GP_COORDINATE_RTT_MIN_US, GP_COORDINATE_RTT_MAX_US);
    rtt *= GP_COORDINATE_TICKS;
    int64_t residual = rtt - distance;

    int64_t doubt = other->error > c->error ? other->error : c->error;
    int64_t trust = (int64_t)c->error * ONE / (c->error + doubt);
    int64_t miss = within((residual < 0 ? -residual : residual) * ONE / rtt, 0, ONE);
    int64_t error = c->error + divide(GAIN_ERROR * trust / ONE * (miss - c->error), ONE);
    c->error = (int32_t)within(error, GP_COORDINATE_ERROR_UNIT, GP_COORDINATE_ERROR_MAX);

    int64_t gain = (GAIN_FORCE + c->error / 2) * trust / ONE; /* who errs makes longer steps */
    int64_t force = divide(bounded(c, distance, rtt) * gain, ONE);
    bool together = way.length < SAME_PLACE;
    if (together && residual > 0) {
        for (int i = 0; i < GP_COORDINATE_AXES; i++) {
            way.axis[i] = (int64_t)gp_random_below(random, 2 * ONE) - ONE;
        }
        measure(&way);
        move(c, &way, force, way.length + 1);
        return; /* the height waits until there is a way to compare it with */
    }
    move(c, &way, force, distance);
    int64_t height = c->height + divide(force * heights, distance);
    c->height = (int32_t)within(height, GP_COORDINATE_HEIGHT_MIN, GP_COORDINATE_HEIGHT_MAX);
}

uint32_t gp_coordinate_distance_us(const gp_coordinate_t *a, const gp_coordinate_t *b)
{
    way_t way = way_between(a, b);
    return (uint32_t)divide(way.length + a->height + b->height, GP_COORDINATE_TICKS);
}

uint32_t gp_coordinate_moved_us(const gp_coordinate_t *from, const gp_coordinate_t *to)
{
    way_t way = way_between(from, to);
    int64_t rise = (int64_t)to->height - from->height;
    return (uint32_t)divide(way.length + (rise < 0 ? -rise : rise), GP_COORDINATE_TICKS);
}

/* A small float: below 4096 exact, above it the nearest of 12 significant bits. */
static uint32_t number_pack(int32_t ticks)
{
    uint32_t size = (uint32_t)(ticks < 0 ? -ticks : ticks);
    uint32_t shift = 0;
    uint32_t kept = size;

    while (kept >> (FRACTION + 1) != 0) {
        shift++;
        kept = (size + (UINT32_C(1) << (shift - 1))) >> shift;
    }
    bool whole = kept >> FRACTION == 0; /* no leading bit to leave out */
    uint32_t form = whole ? kept : (shift + 1) << FRACTION | (kept - (1u << FRACTION));
    return ticks < 0 ? form | 0x8000u : form;
}

static int32_t number_read(uint32_t form)
{
    uint32_t exponent = form >> FRACTION & 15u;
    uint32_t kept = form & ((1u << FRACTION) - 1);
    int32_t size = (int32_t)(exponent == 0 ? kept : (kept | 1u << FRACTION) << (exponent - 1));

    return (form & 0x8000u) != 0 ? -size : size;
}

static void put(uint8_t *to, uint32_t form)
{
    to[0] = (uint8_t)(form >> 8);
    to[1] = (uint8_t)form;
}

static uint32_t take(const uint8_t *from)
{
    return (uint32_t)from[0] << 8 | from[1];
}

void gp_coordinate_pack(const gp_coordinate_t *c, uint8_t ret_bytes[GP_COORDINATE_BYTES])
{
    check(c);
    for (size_t i = 0; i < GP_COORDINATE_AXES; i++) {
        put(ret_bytes + 2 * i, number_pack(c->axis[i]));
    }
    put(ret_bytes + GP_COORDINATE_BYTES - 3, number_pack(c->height));
    int64_t error = divide(c->error, GP_COORDINATE_ERROR_UNIT);
    ret_bytes[GP_COORDINATE_BYTES - 1] = (uint8_t)error;
}

gp_error_t gp_coordinate_read(gp_slice_t bytes, gp_coordinate_t *ret_c)
{
    gp_coordinate_t c = {0};

    if (bytes.n != GP_COORDINATE_BYTES) {
        return GP_E_MESSAGE_SIZE;
    }
    for (size_t i = 0; i < GP_COORDINATE_AXES; i++) {
        uint32_t form = take(bytes.p + 2 * i);
        if (form == 0x8000u) {
            return GP_E_MESSAGE_DECODE;
        }
        c.axis[i] = number_read(form);
    }
    c.height = number_read(take(bytes.p + GP_COORDINATE_BYTES - 3));
    c.error = bytes.p[GP_COORDINATE_BYTES - 1] * GP_COORDINATE_ERROR_UNIT;
    if (c.height < GP_COORDINATE_HEIGHT_MIN || c.error < GP_COORDINATE_ERROR_UNIT) {
        return GP_E_MESSAGE_LIMIT;
    }
    check(&c);
    *ret_c = c;
    return GP_OK;
}
