/*
 * What this machine is: collectors that fill the own record for the discovery core.
 *
 * Everything is read below one root directory, so that tests bring their own machine. What cannot
 * be read stays unknown: a collector never guesses. The numbers that change are read from files
 * that stay open.
 */
#ifndef GP_AGENT_HOST_HOST_H
#define GP_AGENT_HOST_HOST_H

#include "discovery/record.h"
#include "proto/errors.h"

typedef struct gp_host gp_host_t;

typedef struct gp_host_config {
    const char *root;            /* prefix of /proc, /sys, /etc ...; NULL or "": this machine */
    const char *work_dir;        /* on the file system that work may use; not below root */
    const char *agent_version;   /* "0.1.0" */
    const char *const *tags;     /* KEY=VALUE each, see gp_host_tag_valid */
    uint32_t tag_count;          /* at most GP_TAGS_MAX */
    const char *const *programs; /* looked for beside the usual ones */
    uint32_t program_count;
    bool withheld;      /* the owner does not lend this machine now */
    uint64_t lend_cpu;  /* thousandths of a processor; 0: no limit is told */
    uint64_t lend_mem;  /* bytes; 0: no limit is told */
    uint64_t lend_disk; /* bytes; 0: no limit is told */
} gp_host_config_t;

/* How often to collect: each time costs about 0.07 ms of processor time. */
#define GP_HOST_PERIOD_MS       5000
#define GP_HOST_FIRST_PERIOD_MS 250 /* the second one, which is the first to know idle processors  \
                                     */

/*
 * Opens the collectors; the texts of config must outlive them. Errors: GP_E_CONFIG (a tag that is
 * not valid, or too many), GP_E_MEMORY.
 */
GP_MUST_CHECK gp_error_t gp_host_new(const gp_host_config_t *config, gp_host_t **ret_host);
void gp_host_free(gp_host_t *host); /* NULL is fine */

/*
 * Collects into *ret_msg, which becomes an OWN_RECORD for the discovery core: whole the first time,
 * then what may have changed. Slices point into host's memory, valid until the next call. Returns
 * when to call again, in milliseconds from now.
 */
uint32_t gp_host_collect(gp_host_t *host, gp_msg_t *ret_msg);

/* What the last collection found, in lane 0. */
const gp_records_t *gp_host_records(const gp_host_t *host);

/*
 * Free room in permille, for the group's rank: the smaller one of idle processor time and free
 * memory; what is not known does not count; 1000 if neither is known.
 */
uint16_t gp_host_headroom(const gp_host_t *host);

/* KEY=VALUE: KEY 1 to 32 of a-z 0-9 . _ -, VALUE 0 to 64 printable bytes without spaces. */
bool gp_host_tag_valid(const char *tag);

#endif
