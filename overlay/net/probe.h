/*
 * The self-test: a throw-away key must not get in.
 */
#ifndef GP_OVERLAY_NET_PROBE_H
#define GP_OVERLAY_NET_PROBE_H

#include "overlay/net/options.h"
#include "overlay/net/zap.h"

#define GP_PROBE_MS 2000 /* it takes about 2 ms */

/*
 * Lets a key that nobody knows knock at the inbox, through an address in the kernel's memory that
 * is gone afterwards (no interface need be up). The inbox must not be bound to anything else yet:
 * what it does here, it does before anybody can reach it. GP_E_TRANSPORT_OPEN: the key got in.
 * GP_E_TRANSPORT: no verdict in time, or not by the handler.
 */
GP_MUST_CHECK gp_error_t gp_probe(void *context, void *inbox, const gp_curve_t *self,
                                  gp_zap_t *zap);

#endif
