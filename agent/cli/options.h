/*
 * Options and operands of a command line, read by a table. Pure: no environment, no output.
 */
#ifndef GP_AGENT_CLI_OPTIONS_H
#define GP_AGENT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

typedef enum gp_cli_kind {
    GP_CLI_FLAG = 1, /* --json */
    GP_CLI_TEXT,     /* --where QUERY */
    GP_CLI_NUMBER,   /* --limit 3: min..max */
    GP_CLI_DURATION, /* --timeout 10s: min..max milliseconds */
    GP_CLI_HOURS,    /* --hours 1.5: min..max milliseconds */
    GP_CLI_LIST      /* --env A=1 --env B=2: may be repeated */
} gp_cli_kind_t;

typedef struct gp_cli_option {
    const char *name; /* without dashes */
    gp_cli_kind_t kind;
    const char *value; /* what --help calls its value; NULL for a flag */
    const char *help;
    uint64_t min;
    uint64_t max;
} gp_cli_option_t;

/* Option tables that are searched one after the other. */
typedef struct gp_cli_options {
    const gp_cli_option_t *own;
    size_t own_count;
    const gp_cli_option_t *common;
    size_t common_count;
} gp_cli_options_t;

typedef struct gp_cli_given {
    const gp_cli_option_t *option;
    const char *text; /* NULL for a flag */
    uint64_t number;  /* NUMBER, DURATION and HOURS: its value */
} gp_cli_given_t;

typedef struct gp_cli_args {
    gp_cli_given_t given[GP_CLI_OPTIONS_MAX];
    uint32_t given_count;
    const char *words[GP_CLI_WORDS_MAX];
    uint32_t word_count;
    char **rest; /* what came after --, or NULL if there was no -- */
    uint32_t rest_count;
} gp_cli_args_t;

/*
 * Reads argv[0..argc-1], everything behind the command's words. No value may be empty. On failure
 * returns false with what is wrong in `why`, and the nearest right name if there is one.
 */
bool gp_cli_args_read(int argc, char **argv, const gp_cli_options_t *options,
                      gp_cli_args_t *ret_args, char *why, size_t why_size);

/* The option as given (LIST: the index-th time), or NULL. */
const gp_cli_given_t *gp_cli_given(const gp_cli_args_t *args, const char *name, uint32_t index);

bool gp_cli_flag(const gp_cli_args_t *args, const char *name);

/* The value, or `otherwise` if the option was not given. */
const char *gp_cli_text(const gp_cli_args_t *args, const char *name, const char *otherwise);
uint64_t gp_cli_number(const gp_cli_args_t *args, const char *name, uint64_t otherwise);

/*
 * How far apart two words are: the least number of letters to insert, delete, change or swap
 * (Damerau, 1964). Words over 32 bytes are as far as can be.
 */
unsigned gp_cli_distance(const char *a, const char *b);

/* The candidate nearest to `word`, if it is near enough to be meant; else NULL. */
const char *gp_cli_nearest(const char *word, const char *const *candidates, size_t count);

#endif
