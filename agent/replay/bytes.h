/*
 * Numbers and texts as bytes of a recording: numbers in groups of seven bits, the lowest first
 * (LEB128), texts behind their length. Writing past the end and reading past it are remembered, so
 * that who writes or reads asks once.
 */
#ifndef GP_AGENT_REPLAY_BYTES_H
#define GP_AGENT_REPLAY_BYTES_H

#include "proto/types.h"

typedef struct gp_put {
    uint8_t *to;
    size_t size;
    size_t used;
    bool over; /* it did not fit */
} gp_put_t;

typedef struct gp_get {
    gp_slice_t from;
    uint32_t used;
    bool over; /* more was asked for than there is, or a number is none */
} gp_get_t;

void gp_put_raw(gp_put_t *put, const void *bytes, size_t n);
void gp_put_number(gp_put_t *put, uint64_t number);
void gp_put_text(gp_put_t *put, gp_slice_t text);

/* Zeros and empty slices once it is over; slices point into what is read. */
gp_slice_t gp_get_raw(gp_get_t *get, size_t n);
uint64_t gp_get_number(gp_get_t *get);
gp_slice_t gp_get_text(gp_get_t *get);
gp_id_t gp_get_id(gp_get_t *get);

/* Numbers of a fixed width, the lowest byte first. */
void gp_bytes_put32(uint8_t to[4], uint32_t number);
void gp_bytes_put64(uint8_t to[8], uint64_t number);
uint32_t gp_bytes_get32(const uint8_t from[4]);
uint64_t gp_bytes_get64(const uint8_t from[8]);

#endif
