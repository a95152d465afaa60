/*
 * What every harness shares: a cursor over the fuzzer's bytes, and a check that ends the run.
 *
 * Reading past the end gives zeros, so that every input means something and zero is the plainest
 * choice everywhere. Nothing here allocates.
 */
#ifndef GP_TESTS_FUZZ_H
#define GP_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "proto/types.h"

/* Aborts, which libFuzzer reports with the input, if a promise is broken. */
#define FUZZ_CHECK(holds)                                                                          \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #holds);                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_bytes {
    const uint8_t *p;
    size_t n;
} fuzz_bytes_t;

static inline uint8_t fuzz_u8(fuzz_bytes_t *bytes)
{
    if (bytes->n == 0) {
        return 0;
    }
    bytes->n--;
    return *bytes->p++;
}

/* Big-endian, of `width` bytes (1 .. 8). */
static inline uint64_t fuzz_number(fuzz_bytes_t *bytes, unsigned width)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < width; i++) {
        number = number << 8 | fuzz_u8(bytes);
    }
    return number;
}

/* At most n bytes; they stay where they are. */
static inline gp_slice_t fuzz_slice(fuzz_bytes_t *bytes, size_t n)
{
    n = n < bytes->n ? n : bytes->n;
    gp_slice_t slice = gp_slice(bytes->p, n);
    bytes->p += n;
    bytes->n -= n;
    return slice;
}

/* All that is left. */
static inline gp_slice_t fuzz_rest(fuzz_bytes_t *bytes)
{
    return fuzz_slice(bytes, bytes->n);
}

#endif
