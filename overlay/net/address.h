/*
 * Addresses as the system wants them, and the socket that listens.
 */
#ifndef GP_OVERLAY_NET_ADDRESS_H
#define GP_OVERLAY_NET_ADDRESS_H

#include "proto/errors.h"
#include "proto/limits.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct gp_sockaddr {
    struct sockaddr_storage storage;
    socklen_t size;
} gp_sockaddr_t;

/* tcp://ADDR:PORT, tcp://[v6]:PORT; for listening also * and port 0. GP_E_ADDRESS. */
GP_MUST_CHECK gp_error_t gp_address_parse(const char *text, bool for_listening,
                                          gp_sockaddr_t *ret_address);

/* The other way; an IPv4 address inside an IPv6 one is written as IPv4. */
void gp_address_print(const gp_sockaddr_t *address, char text[GP_ADDRESS_MAX + 1]);

/*
 * Opens a listening socket, for both families where the address allows it. Silent strangers stay in
 * the kernel: a connection is handed on with its first byte, which gridpeer sends at once.
 * GP_E_ADDRESS, GP_E_PORT_IN_USE, GP_E_NOT_PERMITTED, GP_E_TRANSPORT.
 */
GP_MUST_CHECK gp_error_t gp_address_listen(const gp_sockaddr_t *address, int *ret_fd,
                                           char ret_text[GP_ADDRESS_MAX + 1]);

#endif
