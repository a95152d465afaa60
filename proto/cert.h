/*
 * Certificates: who is a member of the grid and what it may do.
 *
 * Bytes: version:1 grid:16 node:32 roles:2 not_before_ms:8 not_after_ms:8 serial:8 name:1+n
 * region:1+n issuer:32 depth:1 signature:64, then, when depth is 1, the issuer's own certificate
 * (of depth 0, signed by the root). Depth 0 is signed by the root; no longer chains exist.
 * Signatures use the context "gridpeer/cert/1". One encoding exists for each certificate; it is
 * known by node and serial, never by a hash of its bytes.
 */
#ifndef GP_PROTO_CERT_H
#define GP_PROTO_CERT_H

#include "proto/keys.h"
#include "proto/limits.h"

#define GP_CERT_CONTEXT  "gridpeer/cert/1"
#define GP_CERT_DAYS     30 /* validity of a fresh certificate; it renews itself after 2/3 */
#define GP_CERT_GRACE_MS 120000

typedef enum gp_role {
    GP_ROLE_MEMBER = 1,
    GP_ROLE_LEND = 2,
    GP_ROLE_SUBMIT = 4,
    GP_ROLE_ADMIT = 8,
    GP_ROLE_OPERATE = 16,
    GP_ROLE_AUDIT = 32,
    GP_ROLE_ALL = 63
} gp_role_t;

typedef struct gp_cert {
    gp_grid_id_t grid;
    gp_id_t node;
    uint16_t roles; /* gp_role_t bits */
    gp_wall_ms_t not_before_ms;
    gp_wall_ms_t not_after_ms;
    uint64_t serial;
    char name[GP_NAME_MAX + 1];
    char region[GP_NAME_MAX + 1];
    gp_id_t issuer; /* the root, or a member whose certificate has the role admit */
} gp_cert_t;

gp_grid_id_t gp_grid_id_of(const gp_id_t *root);

/*
 * Writes a certificate signed by `secret`, which is the root (issuer_cert empty) or a member whose
 * own certificate, of depth 0, is issuer_cert. Of cert all but issuer is taken; not_after_ms is cut
 * to that of the issuer's certificate, for none outlives it. GP_E_CERT_CHAIN: that member may not
 * admit, or not give these roles; GP_E_CERT_GRID: the root is another grid's; GP_E_CERT_EXPIRED:
 * the issuer's own ends before this one begins; GP_E_CERT_FORMAT: a name, a role or the times are
 * wrong.
 */
GP_MUST_CHECK gp_error_t gp_cert_issue(const gp_cert_t *cert, const gp_secret_t *secret,
                                       gp_slice_t issuer_cert, uint8_t ret_bytes[GP_CERT_MAX],
                                       size_t *ret_n);

/* Takes the bytes apart without trusting them. GP_E_CERT_FORMAT. */
GP_MUST_CHECK gp_error_t gp_cert_read(gp_slice_t bytes, gp_cert_t *ret_cert);

/*
 * Reads and verifies the whole chain against the grid's root at this time: form, grid, signatures,
 * times (with GP_CERT_GRACE_MS), the issuer's right to admit. An issuer cannot give roles that it
 * does not have, or a life longer than its own. GP_E_CERT_*; a wrong chain is reported before a
 * wrong signature, and that before wrong times.
 */
GP_MUST_CHECK gp_error_t gp_cert_verify(gp_slice_t bytes, const gp_id_t *root, gp_wall_ms_t now_ms,
                                        gp_cert_t *ret_cert);

/* "member,lend,submit" into text. */
void gp_roles_text(uint16_t roles, char *text, size_t size);

#endif
