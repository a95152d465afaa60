/* Signed frames as evidence: of the kind that was asked for, of this grid, by who says so. */
#include "proto/evidence.h"

#include "proto_cmocka.h"

static uint8_t frame[GP_MESSAGE_MAX];
static gp_msg_t msg;
static gp_envelope_t opened;

static gp_slice_t seal(void)
{
    static const gp_sealer_t sealer = {.signer = &gp_signer_standin};
    const gp_envelope_t envelope = {.grid = {{4}}, .source = {{7}}, .destination = {{8}}};
    size_t n = 0;
    msg = (gp_msg_t){.kind = GP_MSG_REFUTE, .u.refute = {.group = 5, .incarnation = 6}};
    assert_int_equal(gp_envelope_seal(&envelope, &msg, &sealer, frame, sizeof frame, &n), GP_OK);
    return gp_slice(frame, n);
}

static void test_open(void **state)
{
    gp_slice_t bytes = seal();
    size_t n = 0;
    (void)state;
    assert_int_equal(gp_evidence_open(bytes, GP_MSG_REFUTE, &opened, &msg), GP_OK);
    assert_int_equal(msg.u.refute.incarnation, 6);
    assert_int_equal(gp_evidence_open(bytes, GP_MSG_VOTE, &opened, &msg), GP_E_MESSAGE_KIND);
    bytes.n -= 1;
    assert_int_not_equal(gp_evidence_open(bytes, GP_MSG_REFUTE, &opened, &msg), GP_OK);
    msg = (gp_msg_t){.kind = GP_MSG_PROBE};
    assert_int_equal(gp_envelope_link(&msg, frame, sizeof frame, &n), GP_OK);
    assert_int_equal(gp_evidence_open(gp_slice(frame, n), GP_MSG_PROBE, &opened, &msg),
                     GP_E_MESSAGE_KIND); /* nobody signed it */
}

static void test_verify(void **state)
{
    const gp_grid_id_t grid = {{4}};
    const gp_grid_id_t other = {{5}};
    (void)state;
    assert_int_equal(gp_evidence_open(seal(), GP_MSG_REFUTE, &opened, &msg), GP_OK);
    assert_int_equal(gp_evidence_verify(&opened, &grid, &gp_signer_standin), GP_OK);
    assert_int_equal(gp_evidence_verify(&opened, &other, &gp_signer_standin), GP_E_MESSAGE_GRID);
    frame[GP_ENVELOPE_HEAD + 1] ^= 1;
    assert_int_equal(gp_evidence_verify(&opened, &grid, &gp_signer_standin),
                     GP_E_MESSAGE_SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
