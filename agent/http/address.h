/*
 * Where the API listens: a Unix socket, whose path may be longer than the 107 bytes of sun_path.
 */
#ifndef GP_AGENT_HTTP_ADDRESS_H
#define GP_AGENT_HTTP_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

#include "proto/errors.h"

#define GP_HTTP_SOCKET_NAME "api.sock" /* in the node's directory */

typedef struct gp_http_address {
    struct sockaddr_un sun;
    socklen_t length;
    int directory; /* open while the address is in use, or -1 */
} gp_http_address_t;

/*
 * An address for `path`; the directory is opened and named through /proc/self/fd when the path is
 * too long. GP_E_STATE_MISSING (no such directory), GP_E_NOT_PERMITTED, GP_E_SYSTEM (see errno).
 */
GP_MUST_CHECK gp_error_t gp_http_address_open(const char *path, gp_http_address_t *ret_address);

void gp_http_address_close(gp_http_address_t *address);

/* The error for errno after open, bind or connect of a path. */
gp_error_t gp_http_address_error(int code);

#endif
