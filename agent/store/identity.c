#include "agent/store/identity.h"

#include <errno.h>
#include <ini.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "proto/text.h"

#define SEED_BYTES    32
#define GRID_FILE_MAX 2048
#define CHECK_BYTES   16
#define CHECK_TEXT    (2 * CHECK_BYTES)
#define CHECK_LINE    "check = "

gp_slice_t gp_identity_cert(const gp_identity_t *identity)
{
    return gp_slice(identity->cert_bytes, identity->cert_n);
}

/* ---- keys --------------------------------------------------------------------------------------
 */

static gp_error_t key_write(gp_folder_t folder, const char *name, const gp_secret_t *secret,
                            gp_fail_t *fail)
{
    uint8_t seed[SEED_BYTES];
    gp_secret_seed(secret, seed);
    const gp_error_t error = gp_file_create(folder, name, 0600, gp_slice(seed, sizeof seed), fail);
    sodium_memzero(seed, sizeof seed);
    return error;
}

static gp_error_t key_read(gp_folder_t folder, const char *name, gp_secret_t **ret_secret,
                           gp_fail_t *fail)
{
    uint8_t seed[SEED_BYTES];
    gp_file_buffer_t buffer = {.bytes = seed, .size = sizeof seed};
    gp_error_t error = gp_file_read(folder, name, GP_GUARD_SECRET, &buffer, fail);
    if (error != GP_OK) {
        return error;
    }
    if (buffer.n != sizeof seed) {
        sodium_memzero(seed, sizeof seed);
        return gp_fail(fail, GP_E_STATE_DAMAGED, "%s/%s has %zu bytes instead of %zu", folder.path,
                       name, buffer.n, sizeof seed);
    }
    error = gp_secret_from_seed(seed, ret_secret);
    sodium_memzero(seed, sizeof seed);
    if (error != GP_OK) {
        return gp_fail(fail, error, "cannot take the key of %s/%s", folder.path, name);
    }
    return GP_OK;
}

/* ---- the grid file -----------------------------------------------------------------------------
 */

static void check_text(const char *bytes, size_t n, char ret_text[CHECK_TEXT + 1])
{
    uint8_t sum[CHECK_BYTES];
    (void)crypto_generichash(sum, sizeof sum, (const uint8_t *)bytes, n, NULL, 0);
    (void)sodium_bin2hex(ret_text, CHECK_TEXT + 1, sum, sizeof sum);
}

static gp_error_t grid_write(gp_folder_t folder, const gp_identity_t *identity, gp_fail_t *fail)
{
    char text[GRID_FILE_MAX];
    char grid[GP_GRID_ID_TEXT];
    char id[GP_ID_TEXT];
    char check[CHECK_TEXT + 1];
    const gp_grid_id_t grid_id = gp_grid_id_of(&identity->root_id);
    gp_grid_id_text(&grid_id, grid);
    gp_id_text(&identity->root_id, id);
    int used = snprintf(text, sizeof text,
                        "# The grid of this machine. Written by gridpeer; not to be edited.\n"
                        "version = 1\ngrid = %s\nroot = %s\nregion = %s\ngroup = %016llx\n",
                        grid, id, identity->region, (unsigned long long)identity->group);
    if (identity->region_group != 0) {
        used += snprintf(text + used, sizeof text - (size_t)used,
                         "region-group = %016llx\ngrid-group = %016llx\n",
                         (unsigned long long)identity->region_group,
                         (unsigned long long)identity->grid_group);
    }
    for (uint32_t i = 0; i < identity->seed_count; i++) {
        gp_id_text(&identity->seeds[i].id, id);
        used += snprintf(text + used, sizeof text - (size_t)used, "seed%u = %s %s\n", (unsigned)i,
                         identity->seeds[i].address, id);
    }
    check_text(text, (size_t)used, check);
    used += snprintf(text + used, sizeof text - (size_t)used, CHECK_LINE "%s\n", check);
    assert(used > 0 && (size_t)used < sizeof text);
    return gp_file_create(folder, GP_FILE_GRID, 0600, gp_slice(text, (size_t)used), fail);
}

/* Of grid_reading_t; a grid that was founded without groups above its sub-Grid names none. */
#define ALL_BUT_ABOVE 0x3fu
#define ALL           0xffu

typedef struct grid_reading {
    gp_identity_t *identity;
    unsigned found; /* one bit a value */
} grid_reading_t;

static int seed_read(gp_identity_t *identity, const char *name, const char *value)
{
    char expected[16];
    const char *space = strchr(value, ' ');
    if (identity->seed_count == GP_TOKEN_SEEDS_MAX || space == NULL) {
        return 0;
    }
    (void)snprintf(expected, sizeof expected, "seed%u", (unsigned)identity->seed_count);
    gp_seed_t *seed = &identity->seeds[identity->seed_count];
    const gp_slice_t address = gp_slice(value, (size_t)(space - value));
    if (strcmp(name, expected) != 0 || gp_address_check(address, false) != GP_OK ||
        !gp_text_copy(seed->address, sizeof seed->address, address) ||
        gp_id_parse(space + 1, &seed->id) != GP_OK) {
        return 0;
    }
    identity->seed_count++;
    return 1;
}

static int group_read(const char *value, uint8_t tier, uint64_t *ret_group)
{
    char *end = NULL;
    *ret_group = strtoull(value, &end, 16);
    return strlen(value) == 16 && *end == '\0' && *ret_group != 0 &&
           gp_group_tier(*ret_group) == tier;
}

/* One value of the grid file; 0: it is wrong. */
static int grid_value(void *context, const char *section, const char *name, const char *value)
{
    static const char *const names[] = {"version", "grid",  "root",         "region",
                                        "group",   "check", "region-group", "grid-group"};
    grid_reading_t *reading = context;
    gp_identity_t *identity = reading->identity;
    size_t which = 0;
    while (which < sizeof names / sizeof names[0] && strcmp(name, names[which]) != 0) {
        which++;
    }
    if (section[0] != '\0' || value == NULL || (reading->found >> which & 1u) != 0) {
        return 0;
    }
    if (which == sizeof names / sizeof names[0]) {
        return seed_read(identity, name, value);
    }
    reading->found |= 1u << which;
    switch (which) {
    case 0:
        return strcmp(value, "1") == 0;
    case 2:
        return gp_id_parse(value, &identity->root_id) == GP_OK;
    case 3:
        return gp_name_check(gp_text(value)) == GP_OK &&
               gp_text_copy(identity->region, sizeof identity->region, gp_text(value));
    case 4:
        return group_read(value, 0, &identity->group);
    case 6:
        return group_read(value, 1, &identity->region_group);
    case 7:
        return group_read(value, 2, &identity->grid_group);
    default:
        return 1; /* grid follows from root; check was checked */
    }
}

static gp_error_t grid_read(gp_folder_t folder, gp_identity_t *identity, gp_fail_t *fail)
{
    char text[GRID_FILE_MAX + 1];
    char check[CHECK_TEXT + 1];
    gp_file_buffer_t buffer = {.bytes = (uint8_t *)text, .size = GRID_FILE_MAX};
    const gp_error_t error = gp_file_read(folder, GP_FILE_GRID, GP_GUARD_PUBLIC, &buffer, fail);
    if (error != GP_OK) {
        return error;
    }
    const size_t end = strlen(CHECK_LINE) + CHECK_TEXT + 1;
    text[buffer.n] = '\0';
    bool whole = buffer.n > end && strlen(text) == buffer.n;
    if (whole) {
        const char *line = text + buffer.n - end;
        check_text(text, buffer.n - end, check);
        whole = memcmp(line, CHECK_LINE, strlen(CHECK_LINE)) == 0 &&
                memcmp(line + strlen(CHECK_LINE), check, CHECK_TEXT) == 0 && line[end - 1] == '\n';
    }
    grid_reading_t reading = {.identity = identity};
    if (!whole || ini_parse_string(text, grid_value, &reading) != 0 ||
        (reading.found != ALL_BUT_ABOVE && reading.found != ALL)) {
        return gp_fail(fail, GP_E_STATE_DAMAGED, "%s/" GP_FILE_GRID " is damaged or was edited",
                       folder.path);
    }
    identity->grid = gp_grid_id_of(&identity->root_id);
    return GP_OK;
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

gp_error_t gp_identity_write(const gp_state_dir_t *dir, const gp_identity_t *identity,
                             gp_fail_t *fail)
{
    assert(dir->building && identity->node != NULL && identity->cert_n > 0);
    const gp_folder_t folder = gp_state_folder(dir);
    gp_error_t error = key_write(folder, GP_FILE_NODE_KEY, identity->node, fail);
    if (error == GP_OK && identity->root != NULL) {
        error = key_write(folder, GP_FILE_ROOT_KEY, identity->root, fail);
    }
    if (error == GP_OK) {
        error = gp_file_create(folder, GP_FILE_CERT, 0600, gp_identity_cert(identity), fail);
    }
    if (error == GP_OK) {
        error = grid_write(folder, identity, fail);
    }
    return error;
}

/* Checks a certificate against the identity's root, key, name and region. */
static gp_error_t cert_check(const gp_state_dir_t *dir, const gp_identity_t *identity,
                             gp_slice_t bytes, gp_wall_ms_t now_ms, gp_cert_t *ret_cert)
{
    gp_cert_t cert;
    const gp_error_t error = gp_cert_verify(bytes, &identity->root_id, now_ms, &cert);
    if (error != GP_OK) {
        return error;
    }
    if (!gp_id_equal(&cert.node, &identity->id) || strcmp(cert.name, dir->name) != 0 ||
        strcmp(cert.region, identity->region) != 0) {
        return GP_E_CERT_SIGNATURE;
    }
    *ret_cert = cert;
    return GP_OK;
}

static gp_error_t cert_read(const gp_state_dir_t *dir, gp_identity_t *identity, gp_wall_ms_t now_ms,
                            bool allow_expired, gp_fail_t *fail)
{
    gp_file_buffer_t buffer = {.bytes = identity->cert_bytes, .size = sizeof identity->cert_bytes};
    gp_error_t error =
        gp_file_read(gp_state_folder(dir), GP_FILE_CERT, GP_GUARD_PUBLIC, &buffer, fail);
    if (error != GP_OK) {
        return error;
    }
    identity->cert_n = (uint32_t)buffer.n;
    const gp_slice_t bytes = gp_identity_cert(identity);
    error = cert_check(dir, identity, bytes, now_ms, &identity->cert);
    if (error == GP_E_CERT_EXPIRED && allow_expired) {
        return gp_cert_read(bytes, &identity->cert);
    }
    if (error == GP_E_CERT_EXPIRED || error == GP_E_CERT_NOT_YET) {
        char now[GP_FAIL_TIME_TEXT];
        char from[GP_FAIL_TIME_TEXT] = "?";
        char to[GP_FAIL_TIME_TEXT] = "?";
        if (gp_cert_read(bytes, &identity->cert) == GP_OK) {
            (void)gp_fail_time(identity->cert.not_before_ms, from);
            (void)gp_fail_time(identity->cert.not_after_ms, to);
        }
        return gp_fail(fail, error,
                       "%s/" GP_FILE_CERT " is valid from %s to %s, and it is %s; to join again, "
                       "first leave: gridpeer leave --node %s",
                       dir->path, from, to, gp_fail_time(now_ms, now), dir->name);
    }
    if (error != GP_OK) {
        return gp_fail(fail, error,
                       "%s/" GP_FILE_CERT " does not fit " GP_FILE_NODE_KEY
                       ", the machine's name or its grid",
                       dir->path);
    }
    return GP_OK;
}

static gp_error_t identity_read(const gp_state_dir_t *dir, gp_wall_ms_t now_ms, bool allow_expired,
                                gp_identity_t *identity, gp_fail_t *fail)
{
    const gp_folder_t folder = gp_state_folder(dir);
    gp_error_t error = key_read(folder, GP_FILE_NODE_KEY, &identity->node, fail);
    if (error != GP_OK) {
        return error;
    }
    identity->id = gp_secret_id(identity->node);
    error = grid_read(folder, identity, fail);
    if (error == GP_OK && gp_file_exists(folder, GP_FILE_ROOT_KEY)) {
        error = key_read(folder, GP_FILE_ROOT_KEY, &identity->root, fail);
        if (error == GP_OK) {
            const gp_id_t root = gp_secret_id(identity->root);
            if (!gp_id_equal(&root, &identity->root_id)) {
                error = gp_fail(fail, GP_E_STATE_DAMAGED,
                                "%s/" GP_FILE_ROOT_KEY " is not the key of this grid", dir->path);
            }
        }
    }
    if (error == GP_OK) {
        error = cert_read(dir, identity, now_ms, allow_expired, fail);
    }
    return error;
}

gp_error_t gp_identity_open(const gp_state_dir_t *dir, gp_wall_ms_t now_ms, bool allow_expired,
                            gp_identity_t *ret_identity, gp_fail_t *fail)
{
    gp_identity_t identity = {.node = NULL};
    const gp_error_t error = identity_read(dir, now_ms, allow_expired, &identity, fail);
    if (error != GP_OK) {
        gp_identity_close(&identity);
        return error;
    }
    *ret_identity = identity;
    return GP_OK;
}

void gp_identity_close(gp_identity_t *identity)
{
    gp_secret_free(identity->node);
    gp_secret_free(identity->root);
    identity->node = NULL;
    identity->root = NULL;
}

gp_error_t gp_identity_renew(const gp_state_dir_t *dir, gp_identity_t *identity, gp_slice_t cert,
                             gp_wall_ms_t now_ms, gp_fail_t *fail)
{
    gp_cert_t fresh;
    gp_error_t error =
        cert.n <= GP_CERT_MAX ? cert_check(dir, identity, cert, now_ms, &fresh) : GP_E_CERT_FORMAT;
    if (error != GP_OK) {
        return gp_fail(fail, error, "the fresh certificate is not for this machine");
    }
    error = gp_file_replace(gp_state_folder(dir), GP_FILE_CERT, 0600, cert, fail);
    if (error != GP_OK) {
        return error;
    }
    memcpy(identity->cert_bytes, cert.p, cert.n);
    identity->cert_n = cert.n;
    identity->cert = fresh;
    return GP_OK;
}

gp_error_t gp_harden(bool debug, gp_fail_t *fail)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    (void)umask(077);
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR) {
        return gp_fail_errno(fail, errno, "cannot ignore SIGPIPE and SIGXFSZ");
    }
    if (debug) {
        return GP_OK;
    }
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return gp_fail_errno(fail, errno, "cannot forbid core dumps");
    }
    return GP_OK;
}
