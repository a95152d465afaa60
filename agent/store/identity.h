/*
 * Who this machine is: its secret key, its certificate and its grid, in small files of the state
 * directory.
 *
 *   node.key   the 32-byte seed of the machine's Ed25519 key, mode 0600
 *   root.key   the same of the grid's root, only where the grid was founded
 *   cert       the certificate, as bytes
 *   grid       text: the grid's root key, region, groups and where to look for others
 *
 * Secrets go from the file into locked memory (gp_secret_t) and nowhere else; buffers are zeroed.
 */
#ifndef GP_AGENT_STORE_IDENTITY_H
#define GP_AGENT_STORE_IDENTITY_H

#include "agent/store/state_dir.h"
#include "proto/cert.h"
#include "proto/token.h"

/* A machine to look for, from the token or from the last members known. */
typedef struct gp_seed {
    char address[GP_ADDRESS_MAX + 1];
    gp_id_t id;
} gp_seed_t;

typedef struct gp_identity {
    gp_secret_t *node;
    gp_secret_t *root; /* NULL but where the grid was founded */
    gp_id_t id;
    gp_id_t root_id;
    gp_grid_id_t grid;
    char region[GP_NAME_MAX + 1];
    uint64_t group;        /* of tier 0 */
    uint64_t region_group; /* of tier 1, and ... */
    uint64_t grid_group;   /* ... of tier 2; both 0: this grid was founded without them */
    gp_cert_t cert;
    uint8_t cert_bytes[GP_CERT_MAX];
    uint32_t cert_n;
    uint32_t seed_count;
    gp_seed_t seeds[GP_TOKEN_SEEDS_MAX];
} gp_identity_t;

/* The certificate's bytes; borrowed. */
gp_slice_t gp_identity_cert(const gp_identity_t *identity);

/*
 * Writes all files of an identity into a directory that is being built. Of the identity all but id,
 * grid and cert is taken; root may be NULL.
 */
GP_MUST_CHECK gp_error_t gp_identity_write(const gp_state_dir_t *dir, const gp_identity_t *identity,
                                           gp_fail_t *fail);

/*
 * Reads and checks an identity: files guarded, keys and certificate belong together, certificate
 * valid now. GP_E_STATE_MODE, _OWNER, _DAMAGED, GP_E_CERT_*. An expired certificate is an error
 * only if !allow_expired (for leaving). End it with gp_identity_close.
 */
GP_MUST_CHECK gp_error_t gp_identity_open(const gp_state_dir_t *dir, gp_wall_ms_t now_ms,
                                          bool allow_expired, gp_identity_t *ret_identity,
                                          gp_fail_t *fail);

/* Frees the secrets. */
void gp_identity_close(gp_identity_t *identity);

/*
 * Takes a fresh certificate, after checking that it is this machine's and valid: on the disk first,
 * then in the identity. GP_E_CERT_*.
 */
GP_MUST_CHECK gp_error_t gp_identity_renew(const gp_state_dir_t *dir, gp_identity_t *identity,
                                           gp_slice_t cert, gp_wall_ms_t now_ms, gp_fail_t *fail);

/*
 * No core dumps, no reading of this process's memory by others of the same user, files for the
 * owner only, no death by SIGPIPE or SIGXFSZ (a program that is started gets the defaults back by
 * its launcher). `debug` leaves dumps and debuggers possible.
 */
GP_MUST_CHECK gp_error_t gp_harden(bool debug, gp_fail_t *fail);

#endif
