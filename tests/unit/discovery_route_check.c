/* What relays carry: only as it was signed, by whom a certificate names, in answer to what was
 * asked.
 */
#include "discovery/route_check.h"

#include "proto_cmocka.h"

#define WALL UINT64_C(5000000)

static gp_secret_t *secret;
static gp_sealer_t sealer;
static uint8_t frame[GP_MESSAGE_MAX];
static gp_msg_t msg;
static gp_msg_t carrier;
static gp_route_checker_t checker;

static bool certified(void *context, gp_slice_t cert, const gp_id_t *id, gp_slice_t name)
{
    gp_id_t self = gp_secret_id(secret);
    (void)context;
    return name.n == 0 && gp_slice_equal(cert, gp_text("good")) && gp_id_equal(id, &self);
}

static gp_slice_t seal(gp_wall_ms_t sent_ms, uint8_t grid)
{
    size_t n = 0;
    const gp_envelope_t envelope = {.is_signed = true,
                                    .kind = msg.kind,
                                    .grid = {{grid}},
                                    .source = gp_secret_id(secret),
                                    .destination = {{9}},
                                    .boot = 1,
                                    .sequence = 1,
                                    .sent_ms = sent_ms};
    assert_int_equal(gp_envelope_seal(&envelope, &msg, &sealer, frame, sizeof frame, &n), GP_OK);
    return gp_slice(frame, n);
}

static void make_question(const char *cert)
{
    msg = (gp_msg_t){.kind = GP_MSG_ROUTE};
    msg.u.route.query_id = 3;
    msg.u.route.query = gp_text("cpu >= 4");
    msg.u.route.cert = gp_text(cert);
}

static void make_answer(const char *cert)
{
    msg = (gp_msg_t){.kind = GP_MSG_ROUTE_FOUND};
    msg.u.route_found.origin = (gp_id_t){{7}};
    msg.u.route_found.query_id = 3;
    msg.u.route_found.cert = gp_text(cert);
}

static gp_error_t check_pass(gp_slice_t claim)
{
    gp_id_t relay = {{55}};
    carrier = (gp_msg_t){.kind = GP_MSG_ROUTE_PASS, .u.route_pass = {.claim = claim}};
    return gp_route_check(&carrier, &relay, &checker);
}

static gp_error_t check_back(gp_slice_t claim, uint8_t origin, uint64_t query_id)
{
    gp_id_t relay = {{55}};
    carrier =
        (gp_msg_t){.kind = GP_MSG_ROUTE_BACK,
                   .u.route_back = {.origin = {{origin}}, .query_id = query_id, .claim = claim}};
    return gp_route_check(&carrier, &relay, &checker);
}

static int setup(void **state)
{
    (void)state;
    if (gp_keys_init() != GP_OK || gp_secret_new(&secret) != GP_OK) {
        return -1;
    }
    sealer = (gp_sealer_t){.signer = &gp_signer_ed25519, .secret = secret};
    checker = (gp_route_checker_t){
        .grid = {{1}}, .signer = &gp_signer_ed25519, .wall = WALL, .certified = certified};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gp_secret_free(secret);
    return 0;
}

static void test_questions(void **state)
{
    (void)state;
    make_question("good");
    assert_int_equal(check_pass(seal(WALL, 1)), GP_OK);
    assert_int_equal(check_pass(seal(WALL - GP_ENVELOPE_SKEW_MS, 1)), GP_OK);
    assert_int_equal(check_pass(seal(WALL - GP_ENVELOPE_SKEW_MS - 1, 1)), GP_E_MESSAGE_STALE);
    assert_int_equal(check_pass(seal(WALL + GP_ENVELOPE_SKEW_MS + 1, 1)), GP_E_MESSAGE_STALE);
    assert_int_equal(check_pass(seal(WALL, 2)), GP_E_MESSAGE_GRID);
    make_question("bad");
    assert_int_equal(check_pass(seal(WALL, 1)), GP_E_CERT_SIGNATURE);
    make_answer("good");
    assert_int_equal(check_pass(seal(WALL, 1)), GP_E_CLAIM);
    assert_int_equal(check_pass(gp_text("nothing")), GP_E_MESSAGE_MAGIC);
}

static void test_answers(void **state)
{
    (void)state;
    make_answer("good");
    assert_int_equal(check_back(seal(WALL, 1), 7, 3), GP_OK);
    assert_int_equal(check_back(seal(WALL, 1), 8, 3), GP_E_CLAIM);
    assert_int_equal(check_back(seal(WALL, 1), 7, 4), GP_E_CLAIM);
    make_question("good");
    assert_int_equal(check_back(seal(WALL, 1), 7, 3), GP_E_CLAIM);
}

/* No byte of a claim can be changed. */
static void test_every_byte_counts(void **state)
{
    (void)state;
    make_answer("good");
    gp_slice_t claim = seal(WALL, 1);
    for (uint32_t i = 0; i < claim.n; i++) {
        frame[i] ^= 1;
        assert_int_not_equal(check_back(claim, 7, 3), GP_OK);
        frame[i] ^= 1;
    }
    assert_int_equal(check_back(claim, 7, 3), GP_OK);
}

/* Straight from who says it: the session has vouched for all but the certificate. */
static void test_at_first_hand(void **state)
{
    gp_id_t self = gp_secret_id(secret);
    gp_id_t other = {{3}};
    (void)state;
    make_question("good");
    assert_int_equal(gp_route_check(&msg, &self, &checker), GP_OK);
    assert_int_equal(gp_route_check(&msg, &other, &checker), GP_E_CERT_SIGNATURE);
    make_answer("bad");
    assert_int_equal(gp_route_check(&msg, &self, &checker), GP_E_CERT_SIGNATURE);
    checker.certified = NULL;
    assert_int_equal(gp_route_check(&msg, &self, &checker), GP_OK);
    msg = (gp_msg_t){.kind = GP_MSG_ROUTE_DONE};
    assert_int_equal(gp_route_check(&msg, &self, &checker), GP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_questions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_byte_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_at_first_hand, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
