/*
 * Small files below the host's root: read whole, read again and again, listed.
 */
#ifndef GP_AGENT_HOST_FILES_H
#define GP_AGENT_HOST_FILES_H

#include "proto/types.h"

#define GP_HOST_PATH_MAX 512

/* A file that stays open; fd -1: it is not there. */
typedef struct gp_host_file {
    int fd;
} gp_host_file_t;

/* Joins root and path; false: too long. */
bool gp_host_path(const char *root, const char *path, char to[GP_HOST_PATH_MAX]);

/*
 * Reads at most size - 1 bytes of a file into text and terminates them; a trailing newline is
 * dropped. Returns false if it cannot be read (text is then empty).
 */
bool gp_host_read(const char *root, const char *path, char *text, size_t size);

/* Reads a file that holds one unsigned decimal number. */
bool gp_host_read_number(const char *root, const char *path, uint64_t *ret);

gp_host_file_t gp_host_file_open(const char *root, const char *path);
bool gp_host_file_read(const gp_host_file_t *file, char *text, size_t size);
void gp_host_file_close(gp_host_file_t *file);

bool gp_host_exists(const char *root, const char *path);

/* Whether this process may write there: what it may use to set limits. */
bool gp_host_writable(const char *root, const char *path);

/*
 * Calls `each` with the name of every entry of a directory, in the order of their names, until it
 * returns false. Returns false if the directory cannot be read.
 */
bool gp_host_list(const char *root, const char *path, bool (*each)(void *context, const char *name),
                  void *context);

/* The decimal number at *text, which moves behind it; false: no digit there, or too large. */
bool gp_host_scan(const char **text, uint64_t *ret);

/* The same for a decimal such as "0.16", times `scale` (a power of ten), further digits dropped. */
bool gp_host_scan_decimal(const char **text, uint64_t scale, uint64_t *ret);

/* What follows "key" at the start of a line, after blanks and an optional ':'; NULL: none. */
const char *gp_host_line(const char *text, const char *key);

#endif
