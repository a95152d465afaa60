#include "tests/fuzz/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/temporary.h"

static char path[128];
static int place_fd = -1;

static void clean_up(void)
{
    DIR *entries = opendir(path);
    const struct dirent *entry;
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        (void)unlinkat(place_fd, entry->d_name, 0);
    }
    if (entries != NULL) {
        (void)closedir(entries);
    }
    (void)rmdir(path);
}

const char *fuzz_place(int *ret_fd)
{
    if (place_fd < 0) {
        FUZZ_CHECK(test_temporary(path, sizeof path));
        place_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        FUZZ_CHECK(place_fd >= 0);
        (void)atexit(clean_up);
    }
    if (ret_fd != NULL) {
        *ret_fd = place_fd;
    }
    return path;
}

void fuzz_place_write(const char *name, gp_slice_t bytes)
{
    const int fd = openat(place_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n);
    (void)close(fd);
}

size_t fuzz_place_read(const char *name, uint8_t *to, size_t size)
{
    const int fd = openat(place_fd, name, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, to, size);
    FUZZ_CHECK(n >= 0);
    if (fd >= 0) {
        (void)close(fd);
    }
    return (size_t)n;
}

void fuzz_place_remove(const char *name)
{
    (void)unlinkat(place_fd, name, 0);
}
