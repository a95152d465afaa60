/* What a stranger shows and is refused for, and the same with the transport between. */
#include "agent/node/visit.h"

#include "overlay_net_lab.h"
#include "proto/text.h"

#define WALL   UINT64_C(1750000000000)
#define DAY_MS UINT64_C(86400000)
#define NOW    (100 * GP_SECOND)

/* Machines: the host, and others with seeds of their own; the last is of another grid. */
enum { HOST, GUEST, OTHER, FOREIGN, MACHINES };

typedef struct machine {
    gp_identity_t identity;
    gp_gate_t gate;
    gp_gate_sender_t senders[GP_GATE_SENDERS];
} machine_t;

static machine_t machines[MACHINES];
static gp_secret_t *roots[2];
static gp_visit_gate_t strangers;
static uint8_t frame[GP_MESSAGE_MAX];
static size_t frame_n;
static gp_net_visit_t got;

static void certify(machine_t *machine, const gp_secret_t *root, const char *region,
                    gp_wall_ms_t until_ms)
{
    gp_identity_t *identity = &machine->identity;
    gp_cert_t cert = {.grid = identity->grid,
                      .node = identity->id,
                      .roles = GP_ROLE_MEMBER,
                      .not_before_ms = WALL - 2 * DAY_MS,
                      .not_after_ms = until_ms,
                      .serial = 1,
                      .name = "n"};
    size_t n = 0;
    assert_true(gp_text_copy(cert.region, sizeof cert.region, gp_text(region)));
    assert_int_equal(gp_cert_issue(&cert, root, (gp_slice_t){0}, identity->cert_bytes, &n), GP_OK);
    identity->cert_n = (uint32_t)n;
}

static void set_machine(int i)
{
    machine_t *machine = &machines[i];
    const gp_secret_t *root = roots[i == FOREIGN];
    gp_identity_t *identity = &machine->identity;
    *machine = (machine_t){.identity.node = lab_secret((uint8_t)(i + 1))};
    identity->id = gp_secret_id(identity->node);
    identity->root_id = gp_secret_id(root);
    identity->grid = gp_grid_id_of(&identity->root_id);
    certify(machine, root, i == OTHER ? "elsewhere" : "lab", WALL + DAY_MS);
    gp_gate_config_t config = {.grid = identity->grid,
                               .self = identity->id,
                               .boot = 1,
                               .sealer = {&gp_signer_ed25519, identity->node}};
    gp_gate_init(&machine->gate, &config, machine->senders);
}

static int set_up(void **state)
{
    if (lab_setup(state) != 0) {
        return -1;
    }
    roots[0] = lab_secret(200);
    roots[1] = lab_secret(201);
    for (int i = 0; i < MACHINES; i++) {
        set_machine(i);
    }
    gp_visit_open(&machines[HOST].identity, &strangers);
    return 0;
}

static int tear_down(void **state)
{
    for (int i = 0; i < MACHINES; i++) {
        gp_secret_free(machines[i].identity.node);
    }
    gp_secret_free(roots[0]);
    gp_secret_free(roots[1]);
    return lab_teardown(state);
}

/* `from` shows the certificate that it has, to `to`, at this time. */
static void write_visit(int from, int to, gp_wall_ms_t wall)
{
    static gp_msg_t msg;
    gp_visit_write(&machines[from].identity, "tcp://127.0.0.1:4711", true, &msg);
    assert_int_equal(
        gp_gate_seal(&machines[from].gate, &machines[to].identity.id, &msg, wall, frame, &frame_n),
        GP_OK);
}

static gp_error_t check_at(gp_usec_t now)
{
    return gp_visit_check(&strangers, gp_slice(frame, frame_n), now, WALL, &got);
}

static gp_error_t check(void)
{
    return check_at(NOW);
}

static void a_machine_of_the_grid_is_known_by_what_it_shows(void **state)
{
    (void)state;
    write_visit(GUEST, HOST, WALL);
    assert_int_equal(check(), GP_OK);
    assert_true(gp_id_equal(&got.id, &machines[GUEST].identity.id));
    assert_string_equal(got.address, "tcp://127.0.0.1:4711");
    assert_true(got.asks);
    assert_int_equal(got.valid_ms, DAY_MS + GP_CERT_GRACE_MS);
    write_visit(OTHER, HOST, WALL); /* of another region */
    assert_int_equal(check(), GP_OK);
}

static void what_is_no_visit_is_refused(void **state)
{
    const gp_msg_t beat = {.kind = GP_MSG_PROBE};
    const gp_msg_t leave = {.kind = GP_MSG_LEAVE, .u.leave = {.group = 1}};
    (void)state;
    frame_n = 0;
    assert_int_equal(check(), GP_E_MESSAGE_SIZE);
    assert_int_equal(gp_envelope_link(&beat, frame, sizeof frame, &frame_n), GP_OK);
    assert_int_equal(check(), GP_E_MESSAGE_KIND);
    assert_int_equal(gp_gate_seal(&machines[GUEST].gate, &machines[HOST].identity.id, &leave, WALL,
                                  frame, &frame_n),
                     GP_OK);
    assert_int_equal(check(), GP_E_MESSAGE_KIND);
}

static void a_visit_is_for_one_machine_and_for_now(void **state)
{
    (void)state;
    write_visit(GUEST, OTHER, WALL);
    assert_int_equal(check(), GP_E_MESSAGE_DESTINATION);
    write_visit(GUEST, HOST, WALL - GP_ENVELOPE_SKEW_MS - 1);
    assert_int_equal(check(), GP_E_MESSAGE_STALE);
    write_visit(GUEST, HOST, WALL + GP_ENVELOPE_SKEW_MS + 1);
    assert_int_equal(check(), GP_E_MESSAGE_STALE);
    write_visit(GUEST, HOST, WALL);
    assert_int_equal(check(), GP_OK);
    assert_int_equal(check(), GP_E_MESSAGE_REPLAY);
    write_visit(GUEST, HOST, WALL);
    frame[frame_n / 2] ^= 1; /* in the certificate */
    assert_int_equal(check(), GP_E_MESSAGE_SIGNATURE);
}

static void a_certificate_must_be_valid_and_the_signers_own(void **state)
{
    machine_t *guest = &machines[GUEST];
    (void)state;
    write_visit(FOREIGN, HOST, WALL);
    assert_int_equal(check(), GP_E_MESSAGE_GRID);

    gp_identity_t own = guest->identity;
    memcpy(guest->identity.cert_bytes, machines[OTHER].identity.cert_bytes, GP_CERT_MAX);
    guest->identity.cert_n = machines[OTHER].identity.cert_n;
    write_visit(GUEST, HOST, WALL);
    assert_int_equal(check(), GP_E_MESSAGE_SENDER);

    guest->identity = own;
    certify(guest, roots[0], "lab", WALL - GP_CERT_GRACE_MS - 1);
    write_visit(GUEST, HOST, WALL);
    assert_int_equal(check(), GP_E_CERT_EXPIRED);

    /* another root's signature, under this grid's name and under its own */
    guest->identity = own;
    guest->identity.grid = machines[FOREIGN].identity.grid;
    certify(guest, roots[1], "lab", WALL + DAY_MS);
    guest->identity.grid = own.grid;
    write_visit(GUEST, HOST, WALL);
    assert_int_equal(check(), GP_E_CERT_GRID);
    guest->identity = own;
    guest->identity.cert_bytes[guest->identity.cert_n - 1] ^= 1;
    write_visit(GUEST, HOST, WALL);
    assert_int_equal(check(), GP_E_CERT_SIGNATURE);

    guest->identity = own;
    guest->identity.cert_n = 0;
    write_visit(GUEST, HOST, WALL);
    assert_int_equal(check(), GP_E_CERT_FORMAT);
}

/* Rubbish is told by its form; what has to be verified is counted, whoever sends it. */
static void a_flood_costs_no_more_than_the_quota(void **state)
{
    (void)state;
    memset(frame, 'x', 200);
    frame_n = 200;
    for (int i = 0; i < 2 * GP_GUEST_ASKS_BURST; i++) {
        assert_int_equal(check(), GP_E_MESSAGE_MAGIC);
    }
    write_visit(GUEST, HOST, WALL);
    frame[frame_n - 1] ^= 1;
    for (int i = 0; i < GP_GUEST_ASKS_BURST; i++) {
        assert_int_equal(check(), GP_E_MESSAGE_SIGNATURE);
    }
    write_visit(OTHER, HOST, WALL);
    assert_int_equal(check(), GP_E_MESSAGE_RATE);
    assert_int_equal(check_at(NOW + GP_SECOND / GP_GUEST_ASKS_RATE + 1), GP_OK);
}

/* ---- with the transport ---------------------------------------------------------------------- */

static void on_frame(void *context, const gp_id_t *peer, gp_standing_t standing, gp_slice_t bytes)
{
    (void)peer;
    (void)bytes;
    *(uint32_t *)context += standing == GP_STANDING_VISITOR;
}

static void on_link(void *context, const gp_id_t *peer, bool up)
{
    (void)context;
    (void)peer;
    (void)up;
}

static void on_dialed(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result)
{
    (void)context;
    (void)peer;
    (void)token;
    (void)result;
}

static bool on_visit(void *context, gp_slice_t bytes, gp_net_visit_t *ret_visit)
{
    (void)context;
    return gp_visit_check(&strangers, bytes, NOW, WALL, ret_visit) == GP_OK;
}

/* The thief holds what somebody else signed for this host; its own key connected. */
static void a_visit_is_worth_nothing_with_another_key(void **state)
{
    lab_t *lab = *state;
    uint32_t frames = 0;
    lab_node_t host = {.id = machines[HOST].identity.id};
    const gp_net_config_t config = {.base = lab->base,
                                    .secret = machines[HOST].identity.node,
                                    .listen = LAB_LOCAL,
                                    .events = {.context = &frames,
                                               .on_frame = on_frame,
                                               .on_visit = on_visit,
                                               .on_link = on_link,
                                               .on_dialed = on_dialed}};
    assert_int_equal(gp_net_open(&config, &host.net), GP_OK);
    write_visit(GUEST, HOST, WALL);
    lab_raw_t thief = lab_raw_open(99, &host, NULL);
    assert_true(lab_raw_sent(&thief, frame, frame_n));
    assert_true(lab_raw_sent(&thief, "in?", 3));
    LAB_UNTIL(lab, 2000, lab_count(&host).visits_refused == 1);
    LAB_UNTIL(lab, 2000, lab_count(&host).dropped[GP_DROP_STRANGER] == 2);
    assert_int_equal(lab_count(&host).peers, 0);
    lab_raw_close(&thief);

    write_visit(GUEST, HOST, WALL);
    lab_raw_t guest = lab_raw_open(GUEST + 1, &host, NULL);
    assert_true(lab_raw_sent(&guest, frame, frame_n));
    assert_true(lab_raw_sent(&guest, "in!", 3));
    LAB_UNTIL(lab, 2000, frames == 1);
    assert_int_equal(gp_net_standing(host.net, &machines[GUEST].identity.id), GP_STANDING_VISITOR);
    lab_raw_close(&guest);
    gp_net_close(host.net, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_machine_of_the_grid_is_known_by_what_it_shows),
        TEST(what_is_no_visit_is_refused),
        TEST(a_visit_is_for_one_machine_and_for_now),
        TEST(a_certificate_must_be_valid_and_the_signers_own),
        TEST(a_flood_costs_no_more_than_the_quota),
        TEST(a_visit_is_worth_nothing_with_another_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
