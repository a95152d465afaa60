/* A directory of its own for a harness that needs files; it goes when the process ends. */
#ifndef GP_TESTS_FUZZ_PLACE_H
#define GP_TESTS_FUZZ_PLACE_H

#include "proto/types.h"

/* Makes the directory, under TMPDIR or /tmp, at the first call. Returns its path, and its
 * descriptor if asked for. */
const char *fuzz_place(int *ret_fd);

/* Makes the file `name` in it hold exactly these bytes; keeps its inode if it has one. */
void fuzz_place_write(const char *name, gp_slice_t bytes);

/* Reads at most `size` bytes of it; 0 if there is none. */
size_t fuzz_place_read(const char *name, uint8_t *to, size_t size);

void fuzz_place_remove(const char *name);

#endif
