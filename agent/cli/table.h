/*
 * Documents as tables: aligned, UTF-8 safe, without colour, control characters escaped.
 */
#ifndef GP_AGENT_CLI_TABLE_H
#define GP_AGENT_CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "proto/limits.h"

typedef enum gp_cli_cell {
    GP_CELL_TEXT = 0, /* as it is */
    GP_CELL_BYTES,    /* 8589934592: 8.0 GiB */
    GP_CELL_AGE_MS,   /* 90000: 1 min 30 s */
    GP_CELL_SPAN_US,  /* 420: 0.42 ms */
    GP_CELL_SHARE,    /* 0.125: 12.5 % */
    GP_CELL_HERTZ,    /* 2400000000: 2.40 GHz */
    GP_CELL_BITRATE,  /* 1000000000: 1.00 Gbit/s */
    GP_CELL_SHORT     /* the first 8 characters of an id */
} gp_cli_cell_t;

typedef struct gp_cli_column {
    const char *field;
    const char *title;
    gp_cli_cell_t cell;
    bool extra; /* shown only when asked for by --fields */
} gp_cli_column_t;

/* Value of a field as a table shows it, escaped and terminated; "-" for null or nothing. */
void gp_cli_cell_text(gp_cli_cell_t cell, const json_t *value, char *text, size_t size);

/* Columns a terminal needs for the text; bytes that are not UTF-8 count one each. */
size_t gp_cli_width(const char *text);

/* Prints the items as a table with a heading line; nothing if there are no items. */
void gp_cli_table(FILE *out, const json_t *items, const gp_cli_column_t *columns, size_t count);

#endif
