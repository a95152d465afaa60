#include "agent/http/address.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

gp_error_t gp_http_address_error(int code)
{
    switch (code) {
    case EACCES:
    case EPERM:
        return GP_E_NOT_PERMITTED;
    case ENOENT:
    case ENOTDIR:
        return GP_E_STATE_MISSING;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
        return GP_E_NO_AGENT;
    case ENOSPC:
        return GP_E_STATE_FULL;
    case ETIMEDOUT:
    case EAGAIN:
        return GP_E_TIMED_OUT;
    default:
        return GP_E_SYSTEM;
    }
}

/* Opens the directory of `path`, of which `name` is the last part. */
static int directory_open(const char *path, const char *name)
{
    char directory[PATH_MAX];
    size_t n = (size_t)(name - path);
    if (n == 0) {
        return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (n >= sizeof directory) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(directory, path, n);
    directory[n] = '\0';
    return open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

gp_error_t gp_http_address_open(const char *path, gp_http_address_t *ret_address)
{
    assert(path != NULL && path[0] != '\0');
    gp_http_address_t address = {.directory = -1};
    address.sun.sun_family = AF_UNIX;
    size_t n = strlen(path);
    if (n < sizeof address.sun.sun_path) {
        memcpy(address.sun.sun_path, path, n + 1);
    } else {
        const char *slash = strrchr(path, '/');
        const char *name = slash == NULL ? path : slash + 1;
        address.directory = directory_open(path, name);
        if (address.directory < 0) {
            return gp_http_address_error(errno);
        }
        int written = snprintf(address.sun.sun_path, sizeof address.sun.sun_path,
                               "/proc/self/fd/%d/%s", address.directory, name);
        if (written < 0 || (size_t)written >= sizeof address.sun.sun_path) {
            (void)close(address.directory);
            errno = ENAMETOOLONG;
            return GP_E_SYSTEM;
        }
    }
    address.length =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address.sun.sun_path) + 1);
    *ret_address = address;
    return GP_OK;
}

void gp_http_address_close(gp_http_address_t *address)
{
    if (address->directory >= 0) {
        (void)close(address->directory);
        address->directory = -1;
    }
}
