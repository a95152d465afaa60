#include "proto/cert.h"

#include <sodium.h>

#include "proto/text.h"
#include "proto/wire.h"

#define GP_CERT_VERSION 1

/* A certificate taken apart: the fields, and the bytes that they came in. */
typedef struct gp_cert_parts {
    gp_cert_t cert;
    bool has_issuer_cert; /* depth 1 */
    gp_slice_t signed_bytes;
    gp_slice_t signature;
    gp_slice_t issuer_cert; /* whole, of depth 0 */
} gp_cert_parts_t;

gp_grid_id_t gp_grid_id_of(const gp_id_t *root)
{
    uint8_t hash[32];
    gp_grid_id_t grid;

    crypto_generichash(hash, sizeof hash, root->b, sizeof root->b, NULL, 0);
    memcpy(grid.b, hash, sizeof grid.b);
    return grid;
}

/* What no certificate may say, whoever signed it. */
static bool is_well_formed(const gp_cert_t *cert)
{
    return gp_name_check(gp_text(cert->name)) == GP_OK &&
           gp_name_check(gp_text(cert->region)) == GP_OK && cert->roles != 0 &&
           (cert->roles & ~GP_ROLE_ALL) == 0 && cert->not_before_ms < cert->not_after_ms &&
           !gp_id_is_none(&cert->node);
}

/* A name of 1 to 32 bytes; a wrong one becomes empty, which is_well_formed refuses. */
static void read_name(gp_wire_in_t *in, char name[GP_NAME_MAX + 1])
{
    gp_slice_t bytes = gp_wire_short(in);

    if (bytes.n > GP_NAME_MAX || gp_name_check(bytes) != GP_OK) {
        bytes.n = 0;
    }
    (void)gp_text_copy(name, GP_NAME_MAX + 1, bytes);
}

/* Reads one certificate, without that of its issuer. */
static gp_error_t read_one(gp_wire_in_t *in, gp_cert_parts_t *parts)
{
    const uint8_t *from = in->p;
    gp_cert_t *cert = &parts->cert;
    uint64_t version = gp_wire_number(in, 1);
    uint64_t depth;

    memset(parts, 0, sizeof *parts);
    gp_wire_copy(in, cert->grid.b, sizeof cert->grid.b);
    gp_wire_copy(in, cert->node.b, sizeof cert->node.b);
    cert->roles = (uint16_t)gp_wire_number(in, 2);
    cert->not_before_ms = gp_wire_number(in, 8);
    cert->not_after_ms = gp_wire_number(in, 8);
    cert->serial = gp_wire_number(in, 8);
    read_name(in, cert->name);
    read_name(in, cert->region);
    gp_wire_copy(in, cert->issuer.b, sizeof cert->issuer.b);
    depth = gp_wire_number(in, 1);
    if (in->failed) {
        return GP_E_CERT_FORMAT;
    }
    parts->signed_bytes = gp_slice(from, (size_t)(in->p - from));
    parts->signature = gp_wire_take(in, GP_SIGNATURE_BYTES);
    parts->has_issuer_cert = depth == 1;
    if (in->failed || version != GP_CERT_VERSION || depth > 1 || !is_well_formed(cert)) {
        return GP_E_CERT_FORMAT;
    }
    return GP_OK;
}

/* Reads a certificate and that of its issuer: whole, with nothing after it. */
static gp_error_t read_chain(gp_slice_t bytes, gp_cert_parts_t *parts, gp_cert_parts_t *issuer)
{
    gp_wire_in_t in = gp_wire_in(bytes);
    gp_error_t error;

    if (bytes.n > GP_CERT_MAX) {
        return GP_E_CERT_FORMAT;
    }
    error = read_one(&in, parts);
    if (error == GP_OK && parts->has_issuer_cert) {
        parts->issuer_cert = gp_slice(in.p, in.left);
        error = read_one(&in, issuer);
        if (error == GP_OK && issuer->has_issuer_cert) {
            return GP_E_CERT_FORMAT; /* no longer chains exist */
        }
    }
    if (error == GP_OK && in.left != 0) {
        return GP_E_CERT_FORMAT;
    }
    return error;
}

gp_error_t gp_cert_read(gp_slice_t bytes, gp_cert_t *ret_cert)
{
    gp_cert_parts_t parts;
    gp_cert_parts_t issuer;
    gp_error_t error = read_chain(bytes, &parts, &issuer);

    if (error == GP_OK) {
        *ret_cert = parts.cert;
    }
    return error;
}

/* May the one whose certificate is `issuer` give what `cert` says? */
static bool may_issue(const gp_cert_t *issuer, const gp_cert_t *cert)
{
    return (issuer->roles & GP_ROLE_ADMIT) != 0 && (cert->roles & ~issuer->roles) == 0 &&
           cert->not_after_ms <= issuer->not_after_ms &&
           memcmp(issuer->grid.b, cert->grid.b, sizeof cert->grid.b) == 0;
}

static bool is_signed_by(const gp_cert_parts_t *parts, const gp_id_t *key)
{
    assert(parts->signature.n == GP_SIGNATURE_BYTES);
    return gp_verify(key, GP_CERT_CONTEXT, parts->signed_bytes, parts->signature.p);
}

static gp_error_t check_times(const gp_cert_t *cert, gp_wall_ms_t now_ms)
{
    if (now_ms > cert->not_after_ms && now_ms - cert->not_after_ms > GP_CERT_GRACE_MS) {
        return GP_E_CERT_EXPIRED;
    }
    if (cert->not_before_ms > now_ms && cert->not_before_ms - now_ms > GP_CERT_GRACE_MS) {
        return GP_E_CERT_NOT_YET;
    }
    return GP_OK;
}

/* The certificate that the root signed. */
static gp_error_t verify_first(const gp_cert_parts_t *parts, const gp_id_t *root,
                               gp_wall_ms_t now_ms)
{
    assert(!parts->has_issuer_cert);
    if (!gp_id_equal(&parts->cert.issuer, root)) {
        return GP_E_CERT_CHAIN;
    }
    if (!is_signed_by(parts, root)) {
        return GP_E_CERT_SIGNATURE;
    }
    return check_times(&parts->cert, now_ms);
}

gp_error_t gp_cert_verify(gp_slice_t bytes, const gp_id_t *root, gp_wall_ms_t now_ms,
                          gp_cert_t *ret_cert)
{
    gp_grid_id_t grid = gp_grid_id_of(root);
    gp_cert_parts_t parts;
    gp_cert_parts_t issuer;
    gp_error_t error = read_chain(bytes, &parts, &issuer);

    if (error != GP_OK) {
        return error;
    }
    if (memcmp(parts.cert.grid.b, grid.b, sizeof grid.b) != 0) {
        return GP_E_CERT_GRID;
    }
    if (!parts.has_issuer_cert) {
        error = verify_first(&parts, root, now_ms);
    } else if (!gp_id_equal(&parts.cert.issuer, &issuer.cert.node) ||
               !may_issue(&issuer.cert, &parts.cert)) {
        error = GP_E_CERT_CHAIN;
    } else {
        error = verify_first(&issuer, root, now_ms);
        if (error == GP_OK && !is_signed_by(&parts, &issuer.cert.node)) {
            error = GP_E_CERT_SIGNATURE;
        }
        if (error == GP_OK) {
            error = check_times(&parts.cert, now_ms);
        }
    }
    if (error == GP_OK) {
        *ret_cert = parts.cert;
    }
    return error;
}

static void write_one(gp_wire_out_t *out, const gp_cert_t *cert, uint64_t depth)
{
    gp_wire_put_number(out, GP_CERT_VERSION, 1);
    gp_wire_put(out, cert->grid.b, sizeof cert->grid.b);
    gp_wire_put(out, cert->node.b, sizeof cert->node.b);
    gp_wire_put_number(out, cert->roles, 2);
    gp_wire_put_number(out, cert->not_before_ms, 8);
    gp_wire_put_number(out, cert->not_after_ms, 8);
    gp_wire_put_number(out, cert->serial, 8);
    gp_wire_put_short(out, gp_text(cert->name));
    gp_wire_put_short(out, gp_text(cert->region));
    gp_wire_put(out, cert->issuer.b, sizeof cert->issuer.b);
    gp_wire_put_number(out, depth, 1);
}

gp_error_t gp_cert_issue(const gp_cert_t *cert, const gp_secret_t *secret, gp_slice_t issuer_cert,
                         uint8_t ret_bytes[GP_CERT_MAX], size_t *ret_n)
{
    gp_wire_out_t out = gp_wire_out(ret_bytes, GP_CERT_MAX);
    uint8_t signature[GP_SIGNATURE_BYTES];
    gp_cert_t mine = *cert;
    gp_cert_parts_t issuer;
    gp_cert_parts_t unused;

    mine.issuer = gp_secret_id(secret);
    if (issuer_cert.n > 0) {
        gp_error_t error = read_chain(issuer_cert, &issuer, &unused);
        if (error != GP_OK) {
            return error;
        }
        if (mine.not_before_ms >= issuer.cert.not_after_ms) {
            return GP_E_CERT_EXPIRED;
        }
        if (mine.not_after_ms > issuer.cert.not_after_ms) {
            mine.not_after_ms = issuer.cert.not_after_ms;
        }
        if (issuer.has_issuer_cert || !gp_id_equal(&issuer.cert.node, &mine.issuer) ||
            !may_issue(&issuer.cert, &mine)) {
            return GP_E_CERT_CHAIN;
        }
    } else {
        gp_grid_id_t grid = gp_grid_id_of(&mine.issuer);
        if (memcmp(mine.grid.b, grid.b, sizeof grid.b) != 0) {
            return GP_E_CERT_GRID;
        }
    }
    if (!is_well_formed(&mine)) {
        return GP_E_CERT_FORMAT;
    }
    write_one(&out, &mine, issuer_cert.n > 0 ? 1 : 0);
    assert(!out.failed);
    gp_sign(secret, GP_CERT_CONTEXT, gp_slice(ret_bytes, (size_t)(out.p - ret_bytes)), signature);
    gp_wire_put(&out, signature, sizeof signature);
    gp_wire_put(&out, issuer_cert.p, issuer_cert.n);
    assert(!out.failed); /* two of the longest fit */
    *ret_n = GP_CERT_MAX - out.left;
    return GP_OK;
}

void gp_roles_text(uint16_t roles, char *text, size_t size)
{
    static const char *const words[] = {"member", "lend", "submit", "admit", "operate", "audit"};
    size_t used = 0;

    assert(size > 0);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t n = strlen(words[i]);
        if ((roles >> i & 1) == 0) {
            continue;
        }
        if (used + n + 2 > size) {
            break; /* whole words only */
        }
        if (used > 0) {
            text[used++] = ',';
        }
        memcpy(text + used, words[i], n);
        used += n;
    }
    text[used] = '\0';
}
