/*
 * The file of a recording: records in three parts of bounded size.
 *
 *   head   half of the file: what came from the start on, until it is full. It is never written
 *          again, so the run can be replayed from its beginning
 *   tails  two of a quarter: the latest, in turns; one is always whole or being filled
 *
 * Each record has its length and a checksum over its bytes, its place and the turn of its part, so
 * that what is left of an earlier turn is not taken for news. It is written by one pwrite(2),
 * before what it tells of is done, and is then the kernel's: it survives the process, however that
 * ends, and a loss of power as far as the page cache got. There is no mapping on purpose: its pages
 * would count as the agent's memory, and a full disk would end the agent instead of the recording.
 */
#ifndef GP_AGENT_REPLAY_RING_H
#define GP_AGENT_REPLAY_RING_H

#include "agent/store/files.h"
#include "proto/limits.h"

#define GP_RING_VERSION 1

typedef enum gp_ring_part {
    GP_RING_HEAD = 0,
    GP_RING_TAIL_A,
    GP_RING_TAIL_B,
    GP_RING_PARTS
} gp_ring_part_t;

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct gp_ring {
    int fd;
    uint64_t size;
    gp_ring_part_t part; /* that is written to */
    uint64_t turn;       /* of it: 1 the head, then higher with each change */
    uint64_t at;         /* of the next record, in the file */
    uint64_t records;    /* written so far */
} gp_ring_t;

/*
 * Makes the file anew, with mode 0600, and all its room on the disk. size: GP_RING_BYTES_MIN ..
 * GP_RING_MEBIBYTES_MAX. GP_E_STATE_FULL and the like; no file stays then.
 */
GP_MUST_CHECK gp_error_t gp_ring_create(gp_folder_t folder, const char *name, uint64_t size,
                                        gp_ring_t *ret_ring, gp_fail_t *fail);

/* Appends a record of 1 .. GP_RING_RECORD_MAX bytes. After an error nothing more can be appended.
 */
GP_MUST_CHECK gp_error_t gp_ring_append(gp_ring_t *ring, gp_slice_t record, gp_fail_t *fail);

/* Would the next record of n bytes, and so all that follow, go to a tail? */
bool gp_ring_ends_head(const gp_ring_t *ring, size_t n);

/* Marks the file as of a run that ended in good order, and closes it. With fd -1 nothing is done.
 */
void gp_ring_close(gp_ring_t *ring);

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct gp_ring_file {
    uint8_t *bytes;
    uint64_t size;
    bool closed; /* in good order */
    gp_ring_part_t order[GP_RING_PARTS];
    unsigned part_count;
    unsigned part;   /* in `order`, of the next record */
    uint64_t at;     /* of the next record in the file; 0: the part begins */
    uint64_t number; /* of the next record */
    bool torn;       /* its last record was being written when all ended */
} gp_ring_file_t;

typedef struct gp_ring_record {
    gp_slice_t bytes; /* as long as the file is open */
    uint64_t number;  /* from 0 */
    bool tail;
    bool gap; /* records before it were overwritten */
} gp_ring_record_t;

/*
 * Reads a file. GP_E_REPLAY_FORMAT (no such file, or no recording), _VERSION, _DAMAGED (cut off, a
 * head that cannot be), or as gp_fail_errno says.
 */
GP_MUST_CHECK gp_error_t gp_ring_open(const char *path, gp_ring_file_t *ret_file, gp_fail_t *fail);

/*
 * The next record; *ret_some is false after the last. GP_E_REPLAY_DAMAGED: bytes are not as they
 * were written, and others that are follow, or must.
 */
GP_MUST_CHECK gp_error_t gp_ring_next(gp_ring_file_t *file, gp_ring_record_t *ret_record,
                                      bool *ret_some, gp_fail_t *fail);

void gp_ring_free(gp_ring_file_t *file);

/*
 * Did the run that wrote the file end in good order? False as well if it is no recording. Looks at
 * its first bytes only.
 */
bool gp_ring_ended_well(gp_folder_t folder, const char *name);

#endif
