/*
 * The configuration file of a machine, DIR/NAME/gridpeer.ini, after the table in config_table.h.
 * What is not in the file has its default; what is unknown, given twice or out of range is an error
 * that names the line. Never a secret.
 */
#ifndef GP_AGENT_STORE_CONFIG_H
#define GP_AGENT_STORE_CONFIG_H

#include "agent/store/config_table.h"
#include "agent/store/files.h"

typedef char gp_config_address_t[GP_ADDRESS_MAX + 1]; /* may be empty */
typedef bool gp_config_flag_t;
typedef uint32_t gp_config_number_t;
typedef uint32_t gp_config_duration_t; /* milliseconds */

#define GP_CONFIG_T_ADDRESS  gp_config_address_t
#define GP_CONFIG_T_FLAG     gp_config_flag_t
#define GP_CONFIG_T_NUMBER   gp_config_number_t
#define GP_CONFIG_T_DURATION gp_config_duration_t

/* config.agent_listen, config.run_lease (in milliseconds) ... */
typedef struct gp_config {
#define GP_C(TYPE, section, key, initial, min, max, doc) GP_CONFIG_T_##TYPE section##_##key;
    GP_CONFIG(GP_C)
#undef GP_C
} gp_config_t;

/* All defaults. */
void gp_config_defaults(gp_config_t *ret_config);

/*
 * Reads a configuration text; `source` names it in errors. GP_E_CONFIG with source:line, the value
 * and what is accepted.
 */
GP_MUST_CHECK gp_error_t gp_config_parse(const char *source, const char *text,
                                         gp_config_t *ret_config, gp_fail_t *fail);

/* Reads the file gridpeer.ini of a state directory; without the file all are defaults. */
GP_MUST_CHECK gp_error_t gp_config_read(gp_folder_t folder, gp_config_t *ret_config,
                                        gp_fail_t *fail);

/* Sets one value as the file would, for --listen and the like. GP_E_CONFIG. */
GP_MUST_CHECK gp_error_t gp_config_set(gp_config_t *config, const char *section, const char *key,
                                       const char *value, gp_fail_t *fail);

/*
 * The commented file: all settings of `config`, those that have their default as comments. Returns
 * the bytes it has; no more than size - 1 of them are written, terminated.
 */
size_t gp_config_file(const gp_config_t *config, char *text, size_t size);

/* Each setting in order: its name "section.key", value, default, what is accepted, what it means.
 */
typedef struct gp_config_entry {
    const char *section;
    const char *key;
    const char *value; /* valid during the call */
    const char *initial;
    const char *range; /* valid during the call */
    const char *doc;
} gp_config_entry_t;
typedef void gp_config_each_fn(void *context, const gp_config_entry_t *entry);
void gp_config_each(const gp_config_t *config, gp_config_each_fn *each, void *context);

#endif
