/* Certificates: who may issue what to whom, for how long; nothing altered passes. */
#include "proto/cert.h"

#include <stdlib.h>

#include "proto/text.h"
#include "proto_cmocka.h"

#define NOW UINT64_C(1700000000000)
#define DAY UINT64_C(86400000)

static gp_secret_t *root;
static gp_secret_t *founder;
static gp_secret_t *member;
static gp_secret_t *stranger;
static gp_id_t root_id;
static gp_cert_t founder_cert;
static gp_cert_t member_cert;
static uint8_t founder_bytes[GP_CERT_MAX];
static uint8_t member_bytes[GP_CERT_MAX];
static gp_slice_t founder_slice;
static gp_slice_t member_slice;

static gp_cert_t cert_for(const gp_secret_t *node, uint16_t roles, const char *name)
{
    gp_cert_t cert = {.grid = gp_grid_id_of(&root_id),
                      .node = gp_secret_id(node),
                      .roles = roles,
                      .not_before_ms = NOW,
                      .not_after_ms = NOW + GP_CERT_DAYS * DAY,
                      .serial = 77,
                      .region = "lab"};

    assert_true(gp_text_copy(cert.name, sizeof cert.name, gp_text(name)));
    return cert;
}

static gp_slice_t issue(const gp_cert_t *cert, const gp_secret_t *by, gp_slice_t chain,
                        uint8_t bytes[GP_CERT_MAX])
{
    size_t n = 0;

    assert_int_equal(gp_cert_issue(cert, by, chain, bytes, &n), GP_OK);
    return gp_slice(bytes, n);
}

static int setup(void **state)
{
    (void)state;
    if (gp_keys_init() != GP_OK || gp_secret_new(&root) != GP_OK ||
        gp_secret_new(&founder) != GP_OK || gp_secret_new(&member) != GP_OK ||
        gp_secret_new(&stranger) != GP_OK) {
        return -1;
    }
    root_id = gp_secret_id(root);
    founder_cert = cert_for(founder, GP_ROLE_MEMBER | GP_ROLE_ADMIT | GP_ROLE_LEND, "n1");
    member_cert = cert_for(member, GP_ROLE_MEMBER | GP_ROLE_LEND, "n2");
    founder_slice = issue(&founder_cert, root, (gp_slice_t){0}, founder_bytes);
    member_slice = issue(&member_cert, founder, founder_slice, member_bytes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gp_secret_free(root);
    gp_secret_free(founder);
    gp_secret_free(member);
    gp_secret_free(stranger);
    return 0;
}

static void test_chains_of_one_and_two(void **state)
{
    gp_cert_t got;
    gp_id_t id = gp_secret_id(founder);

    (void)state;
    assert_int_equal(gp_cert_verify(founder_slice, &root_id, NOW, &got), GP_OK);
    assert_string_equal(got.name, "n1");
    assert_string_equal(got.region, "lab");
    assert_int_equal(got.serial, 77);
    assert_int_equal(got.roles, founder_cert.roles);
    assert_true(gp_id_equal(&got.issuer, &root_id));
    assert_int_equal(gp_cert_verify(member_slice, &root_id, NOW, &got), GP_OK);
    assert_string_equal(got.name, "n2");
    assert_true(gp_id_equal(&got.issuer, &id));
    assert_true(gp_id_equal(&got.node, &member_cert.node));
    assert_true(got.not_after_ms == member_cert.not_after_ms);
    memset(&got, 0, sizeof got);
    assert_int_equal(gp_cert_read(member_slice, &got), GP_OK);
    assert_string_equal(got.name, "n2");
}

static void test_the_longest_fits(void **state)
{
    uint8_t first[GP_CERT_MAX];
    uint8_t second[GP_CERT_MAX];
    const char *longest = "abcdefghijklmnopqrstuvwxyz012345";
    gp_cert_t cert = cert_for(founder, GP_ROLE_ALL, longest);
    gp_cert_t got;
    gp_slice_t slice;

    (void)state;
    memcpy(cert.region, longest, sizeof cert.region);
    slice = issue(&cert, root, (gp_slice_t){0}, first);
    cert.node = gp_secret_id(member);
    slice = issue(&cert, founder, slice, second);
    assert_int_equal(slice.n, 476);
    assert_int_equal(gp_cert_verify(slice, &root_id, NOW, &got), GP_OK);
    assert_string_equal(got.region, longest);
}

static void test_every_bit_flip_is_refused(void **state)
{
    gp_cert_t got;

    (void)state;
    for (size_t bit = 0; bit < 8 * (size_t)member_slice.n; bit++) {
        member_bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_int_not_equal(gp_cert_verify(member_slice, &root_id, NOW, &got), GP_OK);
        member_bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    assert_int_equal(gp_cert_verify(member_slice, &root_id, NOW, &got), GP_OK);
}

static void test_every_truncation_is_refused(void **state)
{
    gp_cert_t got;

    (void)state;
    for (size_t n = 0; n < member_slice.n; n++) {
        uint8_t *cut = malloc(n > 0 ? n : 1);
        assert_non_null(cut);
        if (n > 0) {
            memcpy(cut, member_bytes, n);
        }
        assert_int_equal(gp_cert_verify(gp_slice(cut, n), &root_id, NOW, &got), GP_E_CERT_FORMAT);
        free(cut);
    }
    member_bytes[member_slice.n] = 0;
    assert_int_equal(gp_cert_read(gp_slice(member_bytes, member_slice.n + 1U), &got),
                     GP_E_CERT_FORMAT);
    assert_int_equal(gp_cert_read(gp_slice(member_bytes, GP_CERT_MAX), &got), GP_E_CERT_FORMAT);
}

static void test_times(void **state)
{
    uint64_t end = NOW + GP_CERT_DAYS * DAY;
    gp_cert_t got;

    (void)state;
    assert_int_equal(gp_cert_verify(member_slice, &root_id, NOW - GP_CERT_GRACE_MS, &got), GP_OK);
    assert_int_equal(gp_cert_verify(member_slice, &root_id, NOW - GP_CERT_GRACE_MS - 1, &got),
                     GP_E_CERT_NOT_YET);
    assert_int_equal(gp_cert_verify(member_slice, &root_id, end + GP_CERT_GRACE_MS, &got), GP_OK);
    assert_int_equal(gp_cert_verify(member_slice, &root_id, end + GP_CERT_GRACE_MS + 1, &got),
                     GP_E_CERT_EXPIRED);
    assert_int_equal(gp_cert_verify(member_slice, &root_id, 0, &got), GP_E_CERT_NOT_YET);
    assert_int_equal(gp_cert_verify(member_slice, &root_id, UINT64_MAX, &got), GP_E_CERT_EXPIRED);
}

static void test_no_certificate_outlives_its_issuer(void **state)
{
    uint8_t bytes[GP_CERT_MAX];
    gp_cert_t cert = member_cert;
    gp_cert_t got;
    size_t n = 0;

    (void)state;
    cert.not_after_ms = founder_cert.not_after_ms + DAY;
    assert_int_equal(gp_cert_read(issue(&cert, founder, founder_slice, bytes), &got), GP_OK);
    assert_true(got.not_after_ms == founder_cert.not_after_ms);
    cert.not_before_ms = founder_cert.not_after_ms;
    assert_int_equal(gp_cert_issue(&cert, founder, founder_slice, bytes, &n), GP_E_CERT_EXPIRED);
}

static void test_who_may_issue(void **state)
{
    uint8_t bytes[GP_CERT_MAX];
    gp_cert_t cert = cert_for(stranger, GP_ROLE_MEMBER, "n3");
    size_t n = 4711;

    (void)state;
    /* a member without admit, though its own certificate has depth 0 */
    uint8_t plain[GP_CERT_MAX];
    gp_slice_t plain_slice = issue(&member_cert, root, (gp_slice_t){0}, plain);
    assert_int_equal(gp_cert_issue(&cert, member, plain_slice, bytes, &n), GP_E_CERT_CHAIN);
    /* with somebody else's certificate */
    assert_int_equal(gp_cert_issue(&cert, stranger, founder_slice, bytes, &n), GP_E_CERT_CHAIN);
    /* a chain of three */
    assert_int_equal(gp_cert_issue(&cert, member, member_slice, bytes, &n), GP_E_CERT_CHAIN);
    /* a role that the issuer lacks */
    cert.roles = GP_ROLE_MEMBER | GP_ROLE_OPERATE;
    assert_int_equal(gp_cert_issue(&cert, founder, founder_slice, bytes, &n), GP_E_CERT_CHAIN);
    cert.roles = GP_ROLE_MEMBER;
    /* as a root, for a grid that is not its own */
    assert_int_equal(gp_cert_issue(&cert, stranger, (gp_slice_t){0}, bytes, &n), GP_E_CERT_GRID);
    cert.grid.b[0] ^= 1;
    assert_int_equal(gp_cert_issue(&cert, founder, founder_slice, bytes, &n), GP_E_CERT_CHAIN);
    assert_int_equal(n, 4711);
}

static void test_form_of_what_is_issued(void **state)
{
    uint8_t bytes[GP_CERT_MAX];
    gp_cert_t cert = member_cert;
    size_t n = 0;

    (void)state;
    cert.roles = 0;
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, bytes, &n), GP_E_CERT_FORMAT);
    cert.roles = 64;
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, bytes, &n), GP_E_CERT_FORMAT);
    cert = member_cert;
    cert.name[0] = '-';
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, bytes, &n), GP_E_CERT_FORMAT);
    cert = member_cert;
    cert.region[0] = '\0';
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, bytes, &n), GP_E_CERT_FORMAT);
    cert = member_cert;
    cert.not_after_ms = cert.not_before_ms;
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, bytes, &n), GP_E_CERT_FORMAT);
    cert = member_cert;
    memset(&cert.node, 0, sizeof cert.node);
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, bytes, &n), GP_E_CERT_FORMAT);
}

/* Signs whatever the bytes say: what an issuer with a changed program could do. */
static void resign(uint8_t *bytes, size_t head, const gp_secret_t *secret)
{
    gp_sign(secret, GP_CERT_CONTEXT, gp_slice(bytes, head), bytes + head);
}

/* A chain that was signed by the right keys, but must not be believed. */
static void test_what_is_no_certificate(void **state)
{
    static uint8_t longer[GP_CERT_MAX + 1];
    uint8_t bytes[GP_CERT_MAX];
    gp_cert_t got = {.serial = 42};
    size_t n = 42;

    (void)state;
    memcpy(longer, founder_slice.p, founder_slice.n);
    assert_int_equal(gp_cert_read(gp_slice(longer, sizeof longer), &got), GP_E_CERT_FORMAT);
    assert_int_equal(got.serial, 42);
    assert_int_equal(gp_cert_issue(&member_cert, founder, gp_text("none"), bytes, &n),
                     GP_E_CERT_FORMAT);
    assert_int_equal(n, 42);
}

static void test_forged_by_a_member(void **state)
{
    size_t head = (size_t)member_slice.n - founder_slice.n - GP_SIGNATURE_BYTES;
    size_t roles_at = 1 + 16 + 32;
    size_t end_at = roles_at + 2 + 8;
    uint8_t forged[GP_CERT_MAX];
    gp_slice_t slice = gp_slice(forged, member_slice.n);
    gp_cert_t got;

    (void)state;
    memcpy(forged, member_bytes, member_slice.n);
    resign(forged, head, founder);
    assert_int_equal(gp_cert_verify(slice, &root_id, NOW, &got), GP_OK); /* the tool works */
    forged[roles_at + 1] |= GP_ROLE_OPERATE;
    resign(forged, head, founder);
    assert_int_equal(gp_cert_verify(slice, &root_id, NOW, &got), GP_E_CERT_CHAIN);

    memcpy(forged, member_bytes, member_slice.n);
    forged[end_at] = 1; /* lives longer than its issuer */
    resign(forged, head, founder);
    assert_int_equal(gp_cert_verify(slice, &root_id, NOW, &got), GP_E_CERT_CHAIN);

    memcpy(forged, member_bytes, member_slice.n);
    resign(forged, head, member); /* signed by itself, in the founder's name */
    assert_int_equal(gp_cert_verify(slice, &root_id, NOW, &got), GP_E_CERT_SIGNATURE);
}

static void test_other_grids(void **state)
{
    gp_id_t other_root = gp_secret_id(stranger);
    uint8_t bytes[GP_CERT_MAX];
    gp_cert_t cert = founder_cert;
    gp_slice_t slice;
    gp_cert_t got;

    (void)state;
    assert_int_equal(gp_cert_verify(member_slice, &other_root, NOW, &got), GP_E_CERT_GRID);
    cert.grid = gp_grid_id_of(&other_root);
    slice = issue(&cert, stranger, (gp_slice_t){0}, bytes);
    assert_int_equal(gp_cert_verify(slice, &other_root, NOW, &got), GP_OK);
    assert_int_equal(gp_cert_verify(slice, &root_id, NOW, &got), GP_E_CERT_GRID);
    memcpy(bytes + 1, founder_cert.grid.b, sizeof founder_cert.grid.b);
    resign(bytes, slice.n - GP_SIGNATURE_BYTES, stranger); /* claims our grid, own root */
    assert_int_equal(gp_cert_verify(slice, &root_id, NOW, &got), GP_E_CERT_CHAIN);
}

/* The member's own part under the certificate of another issuer. */
static void test_swapped_issuer(void **state)
{
    uint8_t other[GP_CERT_MAX];
    uint8_t mixed[GP_CERT_MAX];
    gp_cert_t cert = cert_for(stranger, GP_ROLE_MEMBER | GP_ROLE_ADMIT | GP_ROLE_LEND, "n9");
    gp_slice_t slice = issue(&cert, root, (gp_slice_t){0}, other);
    size_t own = (size_t)member_slice.n - founder_slice.n;
    gp_cert_t got;

    (void)state;
    memcpy(mixed, member_bytes, own);
    memcpy(mixed + own, other, slice.n);
    assert_int_equal(gp_cert_verify(gp_slice(mixed, own + slice.n), &root_id, NOW, &got),
                     GP_E_CERT_CHAIN);
    memcpy(mixed + own, member_bytes, member_slice.n > 100 ? 100 : 0);
    assert_int_equal(gp_cert_verify(gp_slice(mixed, own + 100), &root_id, NOW, &got),
                     GP_E_CERT_FORMAT);
}

static void test_roles_text(void **state)
{
    char text[64];

    (void)state;
    gp_roles_text(GP_ROLE_MEMBER | GP_ROLE_SUBMIT, text, sizeof text);
    assert_string_equal(text, "member,submit");
    gp_roles_text(GP_ROLE_ALL, text, sizeof text);
    assert_string_equal(text, "member,lend,submit,admit,operate,audit");
    gp_roles_text(0, text, sizeof text);
    assert_string_equal(text, "");
    gp_roles_text(GP_ROLE_ALL, text, 14);
    assert_string_equal(text, "member,lend");
    gp_roles_text(GP_ROLE_ALL, text, 1);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chains_of_one_and_two),
        cmocka_unit_test(test_the_longest_fits),
        cmocka_unit_test(test_every_bit_flip_is_refused),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_no_certificate_outlives_its_issuer),
        cmocka_unit_test(test_who_may_issue),
        cmocka_unit_test(test_form_of_what_is_issued),
        cmocka_unit_test(test_what_is_no_certificate),
        cmocka_unit_test(test_forged_by_a_member),
        cmocka_unit_test(test_other_grids),
        cmocka_unit_test(test_swapped_issuer),
        cmocka_unit_test(test_roles_text),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
