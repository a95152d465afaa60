/*
 * The collectors and what they share; private to agent/host.
 */
#ifndef GP_AGENT_HOST_COLLECT_H
#define GP_AGENT_HOST_COLLECT_H

#include "agent/host/files.h"
#include "agent/host/host.h"

/* The most restrictive limits of the control groups that this process is in. */
typedef struct gp_host_cgroup {
    uint64_t cpu;                     /* thousandths of a processor; UINT64_MAX: no limit */
    uint64_t mem;                     /* bytes; UINT64_MAX: no limit */
    char mem_usage[GP_HOST_PATH_MAX]; /* where the usage of the group that has `mem` stands */
    char mem_stat[GP_HOST_PATH_MAX];
} gp_host_cgroup_t;

struct gp_host {
    gp_host_config_t config;
    gp_records_t *records;
    bool collected;
    gp_usec_t slow_at; /* when to read what changes seldom */
    gp_usec_t programs_at;
    uint64_t cpu_total; /* of the sample before, in ticks */
    uint64_t cpu_idle;
    bool cpu_sampled;
    gp_host_cgroup_t cgroup;
    gp_host_file_t stat;
    gp_host_file_t meminfo;
    gp_host_file_t loadavg;
    gp_host_file_t uptime;
    gp_host_file_t psi_cpu;
    gp_host_file_t psi_mem;
    gp_host_file_t psi_io;
};

/* gp_host_collect at a time that the caller tells, microseconds on the agent's clock. */
uint32_t gp_host_collect_at(gp_host_t *host, gp_usec_t now, gp_msg_own_record_t *ret_msg);

/* Sets a text up to the end of its line, without the blanks around it; an empty one is unknown. */
void gp_host_set_line(gp_host_t *host, gp_attr_t attr, const char *text);

/* fixed.c: what does not change while the kernel runs. */
void gp_host_collect_fixed(gp_host_t *host);

/* place.c: where the agent runs: virtual machine, container, isolation, limits. */
void gp_host_collect_place(gp_host_t *host);
void gp_host_cgroup_limits(const char *root, gp_host_cgroup_t *ret);

/* moving.c: what changes all the time. */
void gp_host_open_moving(gp_host_t *host);
void gp_host_close_moving(gp_host_t *host);
void gp_host_collect_moving(gp_host_t *host);

/* slow.c: what changes seldom. */
void gp_host_collect_slow(gp_host_t *host);
void gp_host_collect_programs(gp_host_t *host);

/* Processors in a list such as "0-3,8"; 0: cannot be read. */
uint32_t gp_host_count_list(const char *list);

#endif
