/* Tokens: read as they were typed, whole, unaltered, in time; the secret stays with the joiner. */
#include "proto/token.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "proto/text.h"
#include "proto_cmocka.h"

#define NOW  UINT64_C(1700000000000)
#define HOUR UINT64_C(3600000)
#define DAY  UINT64_C(86400000)

static gp_secret_t *root;
static gp_secret_t *founder;
static gp_id_t root_id;
static uint8_t cert_bytes[GP_CERT_MAX];
static gp_slice_t founder_cert;
static gp_token_t token;
static char text[GP_TOKEN_TEXT_MAX];

static int setup(void **state)
{
    gp_cert_t cert = {.roles = GP_ROLE_ALL & ~GP_ROLE_AUDIT,
                      .not_before_ms = NOW,
                      .not_after_ms = NOW + 30 * DAY,
                      .name = "n1",
                      .region = "lab"};
    size_t n = 0;

    (void)state;
    if (gp_keys_init() != GP_OK || gp_secret_new(&root) != GP_OK ||
        gp_secret_new(&founder) != GP_OK) {
        return -1;
    }
    root_id = gp_secret_id(root);
    cert.grid = gp_grid_id_of(&root_id);
    cert.node = gp_secret_id(founder);
    if (gp_cert_issue(&cert, root, (gp_slice_t){0}, cert_bytes, &n) != GP_OK) {
        return -1;
    }
    founder_cert = gp_slice(cert_bytes, n);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gp_secret_free(root);
    gp_secret_free(founder);
    return 0;
}

static int fresh(void **state)
{
    (void)state;
    token = (gp_token_t){.grid = gp_grid_id_of(&root_id),
                         .root = root_id,
                         .region = "lab",
                         .roles = GP_ROLE_MEMBER | GP_ROLE_LEND,
                         .expires_ms = NOW + 24 * HOUR,
                         .uses = 3,
                         .serial = 12,
                         .seed_count = 2};
    token.seeds[0].id = gp_secret_id(founder);
    gp_text_copy(token.seeds[0].address, GP_ADDRESS_MAX + 1, gp_text("tcp://192.0.2.1:7777"));
    gp_text_copy(token.seeds[1].address, GP_ADDRESS_MAX + 1, gp_text("tcp://[2001:db8::1]:7777"));
    return gp_token_issue(&token, founder, founder_cert, text) == GP_OK ? 0 : -1;
}

static gp_error_t parse_at(const char *typed, gp_wall_ms_t now_ms)
{
    uint8_t buffer[GP_TOKEN_MAX];
    gp_token_t got;
    gp_secret_t *secret = NULL;
    gp_error_t error = gp_token_parse(typed, now_ms, buffer, &got, &secret);

    assert_true((error == GP_OK) == (secret != NULL));
    gp_secret_free(secret);
    return error;
}

static void test_issue_and_parse(void **state)
{
    uint8_t buffer[GP_TOKEN_MAX];
    gp_token_t got;
    gp_token_t redeemed;
    gp_secret_t *secret = NULL;
    gp_id_t id;
    uint8_t seed[32];

    (void)state;
    assert_memory_equal(text, "gp1.", 4);
    assert_true(strlen(text) < GP_TOKEN_TEXT_MAX);
    assert_int_equal(gp_token_parse(text, NOW, buffer, &got, &secret), GP_OK);
    assert_string_equal(got.region, "lab");
    assert_int_equal(got.roles, GP_ROLE_MEMBER | GP_ROLE_LEND);
    assert_int_equal(got.uses, 3);
    assert_int_equal(got.serial, 12);
    assert_true(got.expires_ms == NOW + 24 * HOUR);
    assert_int_equal(got.seed_count, 2);
    assert_string_equal(got.seeds[1].address, "tcp://[2001:db8::1]:7777");
    assert_string_equal(got.issuer.name, "n1");
    assert_true(gp_id_equal(&got.root, &root_id));
    assert_true(gp_id_equal(&got.key, &token.key));
    id = gp_secret_id(secret);
    assert_true(gp_id_equal(&id, &got.key));
    gp_secret_seed(secret, seed);
    for (size_t i = 0; i + sizeof seed <= sizeof buffer; i++) {
        assert_memory_not_equal(buffer + i, seed, sizeof seed); /* what travels has no secret */
    }
    assert_int_equal(gp_invitation_read(got.invitation, &root_id, NOW, &redeemed), GP_OK);
    assert_int_equal(redeemed.serial, 12);
    gp_secret_free(secret);
}

static void test_two_tokens_have_two_keys(void **state)
{
    gp_id_t first = token.key;

    (void)state;
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_OK);
    assert_false(gp_id_equal(&first, &token.key));
}

static void test_every_changed_bit_is_refused(void **state)
{
    uint8_t bytes[GP_TOKEN_MAX];
    char changed[GP_TOKEN_TEXT_MAX];
    size_t n = 0;

    (void)state;
    assert_int_equal(gp_base64_parse(gp_text(text + 4), bytes, sizeof bytes, &n), GP_OK);
    memcpy(changed, "gp1.", 4);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        gp_error_t error;
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        gp_base64_text(gp_slice(bytes, n), changed + 4, sizeof changed - 4);
        error = parse_at(changed, NOW);
        assert_true(error == GP_E_TOKEN_FORMAT || error == GP_E_TOKEN_SIGNATURE ||
                    error == GP_E_TOKEN_EXPIRED || error == GP_E_CERT_NOT_YET);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

static void test_every_changed_character_is_refused(void **state)
{
    static const char others[] = "Aa0-_.=+/ \t\n\x80";
    size_t n = strlen(text);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        char was = text[i];
        for (size_t k = 0; k < sizeof others - 1; k++) {
            if (others[k] == was) {
                continue;
            }
            text[i] = others[k];
            assert_int_not_equal(parse_at(text, NOW), GP_OK);
        }
        text[i] = was;
    }
}

static void test_every_truncation_is_refused(void **state)
{
    size_t n = strlen(text);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        char was = text[i];
        text[i] = '\0';
        assert_int_equal(parse_at(text, NOW), GP_E_TOKEN_FORMAT);
        text[i] = was;
    }
    assert_int_equal(parse_at(text, NOW), GP_OK);
}

static void test_as_typed(void **state)
{
    char typed[GP_TOKEN_TEXT_MAX + 8];
    static char huge[100000];
    size_t n = strlen(text);

    (void)state;
    memcpy(typed, text, n);
    memcpy(typed + n, "\n", 2);
    assert_int_equal(parse_at(typed, NOW), GP_OK);
    memcpy(typed + n, "\n\n", 3);
    assert_int_equal(parse_at(typed, NOW), GP_E_TOKEN_FORMAT);
    memcpy(typed + n, " ", 2);
    assert_int_equal(parse_at(typed, NOW), GP_E_TOKEN_FORMAT);
    memcpy(typed + n, "AAAA", 5);
    assert_int_equal(parse_at(typed, NOW), GP_E_TOKEN_FORMAT);
    memcpy(typed, text, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (typed[i] >= 'a' && typed[i] <= 'z') {
            typed[i] = (char)(typed[i] - 'a' + 'A');
        }
    }
    assert_int_equal(parse_at(typed, NOW), GP_E_TOKEN_FORMAT);
    memcpy(typed, text, n + 1);
    typed[2] = '2';
    assert_int_equal(parse_at(typed, NOW), GP_E_TOKEN_FORMAT);
    assert_int_equal(parse_at("", NOW), GP_E_TOKEN_FORMAT);
    assert_int_equal(parse_at("gp1.", NOW), GP_E_TOKEN_FORMAT);
    assert_int_equal(parse_at("gp1.\n", NOW), GP_E_TOKEN_FORMAT);
    assert_int_equal(parse_at("gp1.!!!!", NOW), GP_E_TOKEN_FORMAT);
    memset(huge, 'A', sizeof huge - 1);
    memcpy(huge, "gp1.", 4);
    assert_int_equal(parse_at(huge, NOW), GP_E_TOKEN_FORMAT);
}

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(parse_at(text, NOW + 24 * HOUR), GP_OK);
    assert_int_equal(parse_at(text, NOW + 24 * HOUR + 1), GP_E_TOKEN_EXPIRED);
    assert_int_equal(parse_at(text, NOW + 40 * DAY), GP_E_TOKEN_EXPIRED);
    assert_int_equal(parse_at(text, NOW - DAY), GP_E_CERT_NOT_YET);
    token.expires_ms = NOW + 90 * DAY;
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_OK);
    assert_true(token.expires_ms == NOW + 30 * DAY); /* the end of the issuer's certificate */
}

static void test_seed_of_another_token(void **state)
{
    uint8_t bytes[GP_TOKEN_MAX];
    uint8_t other[GP_TOKEN_MAX];
    size_t n = 0;
    size_t m = 0;

    (void)state;
    assert_int_equal(gp_base64_parse(gp_text(text + 4), bytes, sizeof bytes, &n), GP_OK);
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_OK);
    assert_int_equal(gp_base64_parse(gp_text(text + 4), other, sizeof other, &m), GP_OK);
    assert_int_equal(n, m);
    memcpy(bytes + n - 32, other + m - 32, 32);
    gp_base64_text(gp_slice(bytes, n), text + 4, sizeof text - 4);
    assert_int_equal(parse_at(text, NOW), GP_E_TOKEN_SIGNATURE);
}

static void test_invitation_of_another_grid(void **state)
{
    uint8_t bytes[GP_TOKEN_MAX];
    gp_secret_t *other_root = NULL;
    gp_id_t other_id;
    gp_token_t got;
    size_t n = 0;

    (void)state;
    assert_int_equal(gp_secret_new(&other_root), GP_OK);
    other_id = gp_secret_id(other_root);
    assert_int_equal(gp_base64_parse(gp_text(text + 4), bytes, sizeof bytes, &n), GP_OK);
    assert_int_equal(gp_invitation_read(gp_slice(bytes, n - 32), &other_id, NOW, &got),
                     GP_E_TOKEN_GRID);
    assert_int_equal(gp_invitation_read(gp_slice(bytes, n - 32), &root_id, NOW, &got), GP_OK);
    assert_int_equal(gp_invitation_read(gp_slice(bytes, n), &root_id, NOW, &got),
                     GP_E_TOKEN_FORMAT);
    assert_int_equal(gp_invitation_read(gp_slice(bytes, GP_TOKEN_MAX + 1), &root_id, NOW, &got),
                     GP_E_TOKEN_FORMAT);
    for (size_t cut = 0; cut < n - 32; cut++) {
        assert_int_equal(gp_invitation_read(gp_slice(bytes, cut), &root_id, NOW, &got),
                         GP_E_TOKEN_FORMAT);
    }
    gp_secret_free(other_root);
}

static void test_who_may_invite(void **state)
{
    uint8_t bytes[GP_CERT_MAX];
    gp_cert_t cert;
    gp_token_t before = token;
    size_t n = 0;

    (void)state;
    assert_int_equal(gp_token_issue(&token, root, founder_cert, text), GP_E_JOIN_NOT_ISSUER);
    token.roles = GP_ROLE_AUDIT;
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_E_CERT_ROLE);
    token = before;
    assert_int_equal(gp_cert_read(founder_cert, &cert), GP_OK);
    cert.roles = GP_ROLE_MEMBER | GP_ROLE_LEND;
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, bytes, &n), GP_OK);
    assert_int_equal(gp_token_issue(&token, founder, gp_slice(bytes, n), text),
                     GP_E_JOIN_NOT_ISSUER);
    /* a certificate of depth 1 cannot admit: chains end there */
    cert.roles = GP_ROLE_MEMBER | GP_ROLE_LEND | GP_ROLE_ADMIT;
    assert_int_equal(gp_cert_issue(&cert, founder, founder_cert, bytes, &n), GP_OK);
    assert_int_equal(gp_token_issue(&token, founder, gp_slice(bytes, n), text),
                     GP_E_JOIN_NOT_ISSUER);
    assert_int_equal(gp_token_issue(&token, founder, (gp_slice_t){0}, text), GP_E_CERT_FORMAT);
    token.grid.b[0] ^= 1;
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_E_TOKEN_GRID);
    token.grid.b[0] ^= 1;
    memcpy(bytes, founder_cert.p, founder_cert.n);
    assert_memory_equal(bytes + 1, token.grid.b, sizeof token.grid.b);
    bytes[1] ^= 1;
    assert_int_equal(gp_token_issue(&token, founder, gp_slice(bytes, founder_cert.n), text),
                     GP_E_TOKEN_GRID);
}

/* The token of `text`, but with this certificate of its issuer, and signed by this one. */
static gp_error_t read_forged(gp_slice_t cert, const gp_secret_t *by)
{
    uint8_t bytes[2 * GP_TOKEN_MAX];
    gp_token_t got;
    size_t n = 0;

    assert_int_equal(gp_base64_parse(gp_text(text + 4), bytes, sizeof bytes, &n), GP_OK);
    n -= 32 + GP_SIGNATURE_BYTES + founder_cert.n; /* to behind the certificate's length */
    bytes[n - 2] = (uint8_t)(cert.n >> 8);
    bytes[n - 1] = (uint8_t)cert.n;
    memcpy(bytes + n, cert.p, cert.n);
    gp_sign(by, GP_TOKEN_CONTEXT, gp_slice(bytes, n + cert.n), bytes + n + cert.n);
    return gp_invitation_read(gp_slice(bytes, n + cert.n + GP_SIGNATURE_BYTES), &root_id, NOW,
                              &got);
}

/* The root certified it, but not to admit others. */
static void test_forged_without_the_role(void **state)
{
    uint8_t bytes[GP_CERT_MAX];
    gp_cert_t cert;
    size_t n = 0;

    (void)state;
    assert_int_equal(gp_cert_read(founder_cert, &cert), GP_OK);
    assert_int_equal(read_forged(founder_cert, founder), GP_OK); /* the tool works */
    cert.roles = GP_ROLE_MEMBER | GP_ROLE_LEND;
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, bytes, &n), GP_OK);
    assert_int_equal(read_forged(gp_slice(bytes, n), founder), GP_E_TOKEN_SIGNATURE);
}

/*
 * A member whose certificate of depth 1 has the role admit signs invitations with a changed
 * program: nobody may believe them, for it cannot issue certificates either.
 */
static void test_forged_by_a_member(void **state)
{
    gp_secret_t *member = NULL;
    uint8_t chain[GP_CERT_MAX];
    gp_cert_t cert;
    size_t n = 0;

    (void)state;
    assert_int_equal(gp_secret_new(&member), GP_OK);
    assert_int_equal(gp_cert_read(founder_cert, &cert), GP_OK);
    cert.node = gp_secret_id(member);
    assert_int_equal(gp_cert_issue(&cert, founder, founder_cert, chain, &n), GP_OK);
    assert_int_equal(read_forged(gp_slice(chain, n), member), GP_E_TOKEN_SIGNATURE);
    gp_secret_free(member);
}

static void test_fields_out_of_limits(void **state)
{
    gp_token_t before = token;

    (void)state;
    token.uses = 0;
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_E_TOKEN_FORMAT);
    token.uses = GP_TOKEN_USES_MAX + 1;
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_E_TOKEN_FORMAT);
    token = before;
    token.seed_count = 0;
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_E_TOKEN_FORMAT);
    token.seed_count = GP_TOKEN_SEEDS_MAX + 1;
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_E_TOKEN_FORMAT);
    token = before;
    memcpy(token.region, "Lab", 4);
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_E_TOKEN_FORMAT);
    token = before;
    memcpy(token.seeds[1].address, "tcp://*:0", 10);
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_E_TOKEN_FORMAT);
    token = before;
    token.roles = 0;
    assert_int_equal(gp_token_issue(&token, founder, founder_cert, text), GP_E_TOKEN_FORMAT);
}

/* The most of everything fits GP_TOKEN_MAX and GP_TOKEN_TEXT_MAX. */
static void test_the_longest(void **state)
{
    static const char address[] = "tcp://[2001:0db8:0000:0000:0000:ffff:255.255.255.255]:65535";
    uint8_t bytes[GP_CERT_MAX];
    gp_cert_t cert;
    size_t n = 0;

    (void)state;
    assert_int_equal(gp_cert_read(founder_cert, &cert), GP_OK);
    memset(cert.name, 'a', GP_NAME_MAX);
    memset(cert.region, 'b', GP_NAME_MAX);
    memset(token.region, 'c', GP_NAME_MAX);
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, bytes, &n), GP_OK);
    token.seed_count = GP_TOKEN_SEEDS_MAX;
    for (size_t i = 0; i < GP_TOKEN_SEEDS_MAX; i++) {
        assert_true(gp_text_copy(token.seeds[i].address, GP_ADDRESS_MAX + 1, gp_text(address)));
    }
    assert_int_equal(gp_token_issue(&token, founder, gp_slice(bytes, n), text), GP_OK);
    assert_int_equal(parse_at(text, NOW), GP_OK);
}

/* No room for the one-time secret: an error, and no copy of its seed stays behind. */
static void test_without_memory(void **state)
{
    uint8_t bytes[GP_TOKEN_MAX];
    uint8_t buffer[GP_TOKEN_MAX];
    struct rlimit before;
    struct rlimit none;
    gp_secret_t *secret = NULL;
    gp_token_t got;
    gp_error_t error;
    size_t n = 0;

    (void)state;
    assert_int_equal(parse_at(text, NOW), GP_OK); /* the stack has all its pages now */
    assert_int_equal(gp_base64_parse(gp_text(text + 4), bytes, sizeof bytes, &n), GP_OK);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    error = gp_token_parse(text, NOW, buffer, &got, &secret);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(error, GP_E_MEMORY);
    assert_null(secret);
    for (size_t i = 0; i + 32 <= sizeof buffer; i++) {
        assert_memory_not_equal(buffer + i, bytes + n - 32, 32);
    }
}

static void test_proof(void **state)
{
    uint8_t proof[GP_SIGNATURE_BYTES];
    gp_secret_t *one_time = NULL;
    gp_id_t key;
    gp_id_t node = {{1}};
    gp_id_t thief = {{2}};

    (void)state;
    assert_int_equal(gp_secret_new(&one_time), GP_OK);
    key = gp_secret_id(one_time);
    gp_token_prove(one_time, &node, gp_text("n7"), proof);
    assert_true(gp_token_proven(&key, &node, gp_text("n7"), proof));
    assert_false(gp_token_proven(&key, &thief, gp_text("n7"), proof));
    assert_false(gp_token_proven(&key, &node, gp_text("n8"), proof));
    assert_false(gp_token_proven(&node, &node, gp_text("n7"), proof));
    assert_false(gp_token_proven(&key, &node, (gp_slice_t){0}, proof));
    assert_false(
        gp_token_proven(&key, &node, gp_text("abcdefghijklmnopqrstuvwxyz0123456789"), proof));
    proof[10] ^= 1;
    assert_false(gp_token_proven(&key, &node, gp_text("n7"), proof));
    gp_token_prove(one_time, &node, (gp_slice_t){0}, proof); /* any name will do */
    assert_true(gp_token_proven(&key, &node, (gp_slice_t){0}, proof));
    assert_false(gp_token_proven(&key, &node, gp_text("n7"), proof));
    gp_secret_free(one_time);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_issue_and_parse, fresh),
        cmocka_unit_test_setup(test_two_tokens_have_two_keys, fresh),
        cmocka_unit_test_setup(test_every_changed_bit_is_refused, fresh),
        cmocka_unit_test_setup(test_every_changed_character_is_refused, fresh),
        cmocka_unit_test_setup(test_every_truncation_is_refused, fresh),
        cmocka_unit_test_setup(test_as_typed, fresh),
        cmocka_unit_test_setup(test_times, fresh),
        cmocka_unit_test_setup(test_seed_of_another_token, fresh),
        cmocka_unit_test_setup(test_invitation_of_another_grid, fresh),
        cmocka_unit_test_setup(test_who_may_invite, fresh),
        cmocka_unit_test_setup(test_forged_without_the_role, fresh),
        cmocka_unit_test_setup(test_forged_by_a_member, fresh),
        cmocka_unit_test_setup(test_without_memory, fresh),
        cmocka_unit_test_setup(test_fields_out_of_limits, fresh),
        cmocka_unit_test_setup(test_the_longest, fresh),
        cmocka_unit_test(test_proof),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
