/* Starts gridpeer-beacon (agent/main/beacon.c), which is beside this program or in its libexec. */
#ifndef GP_AGENT_LAB_BEACON_RUN_H
#define GP_AGENT_LAB_BEACON_RUN_H

#include <stdio.h>

#include "agent/store/fail.h"
#include "proto/types.h"

/* A beacon that was started. */
typedef struct gp_beacon_run {
    int pid; /* 0: none */
    int fd;  /* say: what it lives as long as; hear: what it prints */
} gp_beacon_run_t;

/* Says where this machine of the grid listens, until gp_beacon_end or the end of this process. */
GP_MUST_CHECK gp_error_t gp_beacon_say(const gp_grid_id_t *grid, const char *region, uint16_t port,
                                       uint16_t udp_port, gp_beacon_run_t *ret_run,
                                       gp_fail_t *fail);

/* Listens for limit_ms; the addresses come as lines of ret_run->fd. */
GP_MUST_CHECK gp_error_t gp_beacon_listen(const gp_grid_id_t *grid, uint16_t udp_port,
                                          uint32_t limit_ms, gp_beacon_run_t *ret_run,
                                          gp_fail_t *fail);

/* Ends it and waits for it. One that was not started is fine. */
void gp_beacon_end(gp_beacon_run_t *run);

#endif
