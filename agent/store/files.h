/*
 * Small files of a state directory: read with their guards checked, written whole or not at all.
 *
 * A file is opened relative to the directory's descriptor and never through a symbolic link, so
 * that what was checked is what is read.
 */
#ifndef GP_AGENT_STORE_FILES_H
#define GP_AGENT_STORE_FILES_H

#include "agent/store/fail.h"
#include "proto/types.h"

#include <sys/types.h>

/* A directory that is open: its descriptor, and its path for messages. */
typedef struct gp_folder {
    int fd;
    const char *path; /* borrowed */
} gp_folder_t;

typedef enum gp_guard {
    GP_GUARD_PUBLIC, /* others may read, but not write */
    GP_GUARD_SECRET  /* others may do neither */
} gp_guard_t;

/*
 * Checks that `name` is a regular file, no symbolic link, ours, and guarded. GP_E_STATE_MODE and
 * GP_E_STATE_OWNER name the command that mends it; GP_E_STATE_DAMAGED if it does not exist.
 */
GP_MUST_CHECK gp_error_t gp_file_check(gp_folder_t folder, const char *name, gp_guard_t guard,
                                       gp_fail_t *fail);

/* Does the folder have an entry of this name, of any type? */
bool gp_file_exists(gp_folder_t folder, const char *name);

/* Where to read to: the caller's memory, and how many bytes of it were read. */
typedef struct gp_file_buffer {
    uint8_t *bytes;
    size_t size;
    size_t n;
} gp_file_buffer_t;

/*
 * Checks and reads a whole file of at most buffer->size bytes; a larger one is GP_E_STATE_DAMAGED.
 * The buffer is zeroed on failure.
 */
GP_MUST_CHECK gp_error_t gp_file_read(gp_folder_t folder, const char *name, gp_guard_t guard,
                                      gp_file_buffer_t *buffer, gp_fail_t *fail);

/*
 * Writes a file that must not exist yet. It does not wait for the disk: gp_folder_sync_all does,
 * for all files of a folder at once, which is many times faster than one by one.
 */
GP_MUST_CHECK gp_error_t gp_file_create(gp_folder_t folder, const char *name, mode_t mode,
                                        gp_slice_t bytes, gp_fail_t *fail);

/* Replaces a file atomically and durably: after a crash it is the old one or the new one. */
GP_MUST_CHECK gp_error_t gp_file_replace(gp_folder_t folder, const char *name, mode_t mode,
                                         gp_slice_t bytes, gp_fail_t *fail);

/* Makes the entries of the folder durable. */
GP_MUST_CHECK gp_error_t gp_folder_sync(gp_folder_t folder, gp_fail_t *fail);

/* Makes all files of the folder durable, then its entries. */
GP_MUST_CHECK gp_error_t gp_folder_sync_all(gp_folder_t folder, gp_fail_t *fail);

/* Removes every file and empty subfolder in the folder, the secrets `first` (may be NULL). */
void gp_folder_empty(gp_folder_t folder, const char *const *first);

#endif
