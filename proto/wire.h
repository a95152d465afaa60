/*
 * Big-endian fields of fixed layouts (envelope, certificate, token), for use inside proto. A reader
 * or writer that runs out of bytes stays failed, so a layout is read in one go and asked once.
 */
#ifndef GP_PROTO_WIRE_H
#define GP_PROTO_WIRE_H

#include "proto/types.h"

typedef struct gp_wire_in {
    const uint8_t *p;
    size_t left;
    bool failed;
} gp_wire_in_t;

typedef struct gp_wire_out {
    uint8_t *p;
    size_t left;
    bool failed;
} gp_wire_out_t;

static inline gp_wire_in_t gp_wire_in(gp_slice_t bytes)
{
    return (gp_wire_in_t){.p = bytes.p, .left = bytes.n};
}

static inline gp_wire_out_t gp_wire_out(uint8_t *to, size_t size)
{
    return (gp_wire_out_t){.p = to, .left = size};
}

/* The next n bytes, borrowed; empty after a failure. */
static inline gp_slice_t gp_wire_take(gp_wire_in_t *in, size_t n)
{
    gp_slice_t bytes;

    if (in->failed || n > in->left) {
        in->failed = true;
        return (gp_slice_t){0};
    }
    bytes = gp_slice(in->p, n);
    if (n > 0) {
        in->p += n;
        in->left -= n;
    }
    return bytes;
}

/* An unsigned number of `width` bytes (1 to 8); 0 after a failure. */
static inline uint64_t gp_wire_number(gp_wire_in_t *in, unsigned width)
{
    gp_slice_t bytes = gp_wire_take(in, width);
    uint64_t number = 0;

    assert(width >= 1 && width <= 8);
    for (uint32_t i = 0; i < bytes.n; i++) {
        number = number << 8 | bytes.p[i];
    }
    return number;
}

/* Exactly n bytes into `to`, which is left alone after a failure. */
static inline void gp_wire_copy(gp_wire_in_t *in, void *to, size_t n)
{
    gp_slice_t bytes = gp_wire_take(in, n);

    if (bytes.n > 0) {
        memcpy(to, bytes.p, bytes.n);
    }
}

static inline void gp_wire_put(gp_wire_out_t *out, const void *bytes, size_t n)
{
    if (out->failed || n > out->left) {
        out->failed = true;
        return;
    }
    if (n > 0) {
        memcpy(out->p, bytes, n);
        out->p += n;
        out->left -= n;
    }
}

static inline void gp_wire_put_number(gp_wire_out_t *out, uint64_t number, unsigned width)
{
    uint8_t bytes[8];

    assert(width >= 1 && width <= 8);
    assert(width == 8 || number >> (8 * width) == 0);
    for (unsigned i = 0; i < width; i++) {
        bytes[i] = (uint8_t)(number >> (8 * (width - 1 - i)));
    }
    gp_wire_put(out, bytes, width);
}

/* Bytes with their length in one byte before them. */
static inline gp_slice_t gp_wire_short(gp_wire_in_t *in)
{
    return gp_wire_take(in, (size_t)gp_wire_number(in, 1));
}

static inline void gp_wire_put_short(gp_wire_out_t *out, gp_slice_t bytes)
{
    gp_wire_put_number(out, bytes.n, 1);
    gp_wire_put(out, bytes.p, bytes.n);
}

#endif
