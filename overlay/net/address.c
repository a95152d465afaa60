#include "overlay/net/address.h"

#include "overlay/net/options.h"
#include "proto/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SCHEME  "tcp://"
#define BACKLOG 1024

/* How long the kernel keeps a connection that says nothing to itself. */
#define SILENT_S 10

static bool read_ipv4(const char *host, uint16_t port, gp_sockaddr_t *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address->storage;

    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address->size = sizeof *v4;
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

static bool read_ipv6(const char *host, uint16_t port, gp_sockaddr_t *address)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->storage;

    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address->size = sizeof *v6;
    return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1;
}

gp_error_t gp_address_parse(const char *text, bool for_listening, gp_sockaddr_t *ret_address)
{
    char host[GP_ADDRESS_MAX + 1] = "";
    const char *from = text + strlen(SCHEME);
    const char *colon;
    uint16_t port;
    gp_sockaddr_t address = {.size = 0};
    bool ok;

    if (strlen(text) > GP_ADDRESS_MAX || gp_address_check(gp_text(text), for_listening) != GP_OK) {
        return GP_E_ADDRESS;
    }
    colon = strrchr(text, ':');
    assert(colon != NULL && colon > from);
    port = (uint16_t)strtoul(colon + 1, NULL, 10);
    if (from[0] == '[') {
        memcpy(host, from + 1, (size_t)(colon - from) - 2);
        ok = read_ipv6(host, port, &address);
    } else if (from[0] == '*') {
        ok = for_listening && read_ipv6("::", port, &address);
    } else {
        memcpy(host, from, (size_t)(colon - from));
        ok = read_ipv4(host, port, &address);
    }
    if (!ok) {
        return GP_E_ADDRESS;
    }
    *ret_address = address;
    return GP_OK;
}

void gp_address_print(const gp_sockaddr_t *address, char text[GP_ADDRESS_MAX + 1])
{
    char host[INET6_ADDRSTRLEN] = "";

    if (address->storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        (void)snprintf(text, GP_ADDRESS_MAX + 1, SCHEME "%s:%u", host, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
        unsigned port = ntohs(v6->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
            (void)inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof host);
            (void)snprintf(text, GP_ADDRESS_MAX + 1, SCHEME "%s:%u", host, port);
        } else {
            (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
            (void)snprintf(text, GP_ADDRESS_MAX + 1, SCHEME "[%s]:%u", host, port);
        }
    }
}

static gp_error_t error_of(int number)
{
    switch (number) {
    case EADDRINUSE:
        return GP_E_PORT_IN_USE;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL:
        return GP_E_ADDRESS;
    case EACCES:
    case EPERM:
        return GP_E_NOT_PERMITTED;
    default:
        return GP_E_TRANSPORT;
    }
}

static bool prepare(int fd, int family)
{
    static const int on = 1;
    static const int off = 0;
    static const int silent_s = SILENT_S;

    /* DEFER_ACCEPT is a help, not a need: where the kernel lacks it, strangers see 10 bytes. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &silent_s, sizeof silent_s);
    gp_connection_quicken(fd);
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           (family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0);
}

/* "[::]" where the system has no IPv6 is 0.0.0.0. */
static gp_sockaddr_t without_ipv6(const gp_sockaddr_t *address)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    gp_sockaddr_t other = {.size = sizeof(struct sockaddr_in)};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&other.storage;

    v4->sin_family = AF_INET;
    v4->sin_port = v6->sin6_port;
    return other;
}

gp_error_t gp_address_listen(const gp_sockaddr_t *address, int *ret_fd,
                             char ret_text[GP_ADDRESS_MAX + 1])
{
    gp_sockaddr_t at = *address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&at.storage;
    const int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(at.storage.ss_family, type, 0);

    if (fd < 0 && errno == EAFNOSUPPORT && at.storage.ss_family == AF_INET6 &&
        IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
        at = without_ipv6(address);
        fd = socket(AF_INET, type, 0);
    }
    if (fd < 0) {
        return error_of(errno);
    }
    if (!prepare(fd, at.storage.ss_family) ||
        bind(fd, (const struct sockaddr *)&at.storage, at.size) != 0 || listen(fd, BACKLOG) != 0) {
        gp_error_t error = error_of(errno);
        (void)close(fd);
        return error;
    }
    at.size = sizeof at.storage;
    if (getsockname(fd, (struct sockaddr *)&at.storage, &at.size) != 0) {
        (void)close(fd);
        return GP_E_TRANSPORT;
    }
    gp_address_print(&at, ret_text);
    *ret_fd = fd;
    return GP_OK;
}
