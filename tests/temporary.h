/* For tests: a directory of their own. */
#ifndef GP_TESTS_TEMPORARY_H
#define GP_TESTS_TEMPORARY_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Makes a new directory of mode 0700 under TMPDIR, or under /tmp if that is not set, and writes its
 * path. False: it cannot be made, or its path does not fit.
 */
static inline bool test_temporary(char *path, size_t size)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(path, size, "%s/gp-test-XXXXXX", base != NULL ? base : "/tmp");
    return n > 0 && (size_t)n < size && mkdtemp(path) != NULL;
}

#endif
