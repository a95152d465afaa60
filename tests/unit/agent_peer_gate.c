/* The gate: what passes, and what each kind of bad frame is refused for. Nothing refused counts. */
#include "agent/peer/gate.h"
#include "tests/unit/proto_cmocka.h"

#define GROUP 77
#define NOW   (100 * GP_SECOND)
#define WALL  UINT64_C(1700000000000)

static const gp_grid_id_t grid = {{1, 2, 3}};
static gp_secret_t *secrets[3]; /* of the sender, the receiver, a stranger */
static gp_id_t ids[3];
static gp_gate_sender_t senders[2][GP_GATE_SENDERS];
static gp_gate_t sender, receiver;
static uint8_t frame[GP_MESSAGE_MAX];
static size_t frame_n;
static gp_msg_t got;

#define REGION_GROUP (UINT64_C(1) << 56 | 78)
#define GRID_GROUP   (UINT64_C(2) << 56 | 79)

/*
 * "good" is a certificate of anybody, under the name that it is shown with, if that is "n1", or
 * if none is asked for; "far" likewise, of another region.
 */
static bool certified(void *context, gp_seat_t seat, gp_slice_t cert, const gp_id_t *id,
                      gp_slice_t name)
{
    bool far = gp_slice_equal(cert, gp_text("far")) && seat == GP_SEAT_GRID;
    (void)context;
    (void)id;
    return (far || gp_slice_equal(cert, gp_text("good"))) &&
           (name.n == 0 || gp_slice_equal(name, gp_text("n1")));
}

static gp_id_t of_another_region; /* none: nobody is */

static bool foreign(void *context, const gp_id_t *id)
{
    (void)context;
    return gp_id_equal(id, &of_another_region);
}

static gp_gate_config_t config_of(int who)
{
    return (gp_gate_config_t){.grid = grid,
                              .self = ids[who],
                              .groups = {GROUP, REGION_GROUP, GRID_GROUP},
                              .boot = 1,
                              .sealer = {&gp_signer_ed25519, secrets[who]},
                              .certified = certified,
                              .foreign = foreign};
}

static void seal(const gp_id_t *to, const gp_msg_t *msg)
{
    assert_int_equal(gp_gate_seal(&sender, to, msg, WALL, frame, &frame_n), GP_OK);
}

static gp_error_t take(void)
{
    return gp_gate_take(&receiver, &ids[0], gp_slice(frame, frame_n), NOW, WALL, &got);
}

static const gp_msg_t *refute_in(uint64_t group)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_REFUTE, .u.refute = {.group = group, .incarnation = 9}};
    return &msg;
}

static const gp_msg_t *refute(void)
{
    return refute_in(GROUP);
}

static int set_up(void **state)
{
    (void)state;
    if (gp_keys_init() != GP_OK) {
        return -1;
    }
    for (int i = 0; i < 3; i++) {
        if (gp_secret_new(&secrets[i]) != GP_OK) {
            return -1;
        }
        ids[i] = gp_secret_id(secrets[i]);
    }
    gp_gate_config_t config = config_of(0);
    gp_gate_init(&sender, &config, senders[0]);
    config = config_of(1);
    gp_gate_init(&receiver, &config, senders[1]);
    seal(&ids[1], refute());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        gp_secret_free(secrets[i]);
    }
    return 0;
}

static void test_what_is_for_this_machine_or_its_group_passes(void **state)
{
    (void)state;
    assert_int_equal(take(), GP_OK);
    assert_int_equal(got.kind, GP_MSG_REFUTE);
    assert_int_equal(got.u.refute.incarnation, 9);
    assert_int_equal(got.sent_ms, WALL);
    assert_int_equal(got.signed_bytes.n, frame_n);
    seal(NULL, refute());
    assert_int_equal(take(), GP_OK);
}

static void test_a_replay(void **state)
{
    (void)state;
    assert_int_equal(take(), GP_OK);
    assert_int_equal(take(), GP_E_MESSAGE_REPLAY);
    seal(&ids[1], refute());
    assert_int_equal(take(), GP_OK); /* the same again, said anew */
}

static void test_a_message_for_another_machine(void **state)
{
    (void)state;
    seal(&ids[2], refute());
    assert_int_equal(take(), GP_E_MESSAGE_DESTINATION);
    seal(NULL, refute_in(GROUP + 1)); /* for another group */
    assert_int_equal(take(), GP_E_MESSAGE_DESTINATION);
}

static void test_a_message_for_each_group_of_the_machine(void **state)
{
    (void)state;
    gp_gate_config_t config = config_of(1);
    config.groups[GP_SEAT_GRID] = GROUP + 1;
    gp_gate_init(&receiver, &config, senders[1]);
    seal(NULL, refute());
    assert_int_equal(take(), GP_OK);
    seal(NULL, refute_in(GROUP + 1));
    assert_int_equal(take(), GP_OK);
    seal(NULL, refute_in(GROUP + 2));
    assert_int_equal(take(), GP_E_MESSAGE_DESTINATION);
}

static void test_a_message_of_another_grid(void **state)
{
    (void)state;
    gp_gate_config_t config = config_of(0);
    config.grid.b[0] ^= 1;
    gp_gate_init(&sender, &config, senders[0]);
    seal(&ids[1], refute());
    assert_int_equal(take(), GP_E_MESSAGE_GRID);
}

/* Its session is its own, what it sends was said by another: a relay, or a thief. */
static void test_a_message_of_another_sender(void **state)
{
    (void)state;
    assert_int_equal(gp_gate_take(&receiver, &ids[2], gp_slice(frame, frame_n), NOW, WALL, &got),
                     GP_E_MESSAGE_SENDER);
    assert_int_equal(take(), GP_OK); /* who said it may still send it */
}

static void test_another_name_under_a_message(void **state)
{
    (void)state;
    uint8_t forged[GP_MESSAGE_MAX];
    gp_envelope_t envelope;
    assert_int_equal(gp_envelope_open(gp_slice(frame, frame_n), &envelope), GP_OK);
    memcpy(forged, frame, frame_n);
    gp_sign(secrets[2], GP_ENVELOPE_CONTEXT, envelope.signed_bytes,
            forged + frame_n - GP_SIGNATURE_BYTES);
    assert_int_equal(gp_gate_take(&receiver, &ids[0], gp_slice(forged, frame_n), NOW, WALL, &got),
                     GP_E_MESSAGE_SIGNATURE);
    assert_int_equal(take(), GP_OK); /* the forged one took nothing from the window */
}

static void test_every_flipped_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < frame_n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            frame[i] ^= (uint8_t)(1 << bit);
            assert_int_not_equal(take(), GP_OK);
            frame[i] ^= (uint8_t)(1 << bit);
        }
    }
    assert_int_equal(take(), GP_OK);
}

static void test_old_and_early_messages(void **state)
{
    (void)state;
    gp_slice_t bytes = gp_slice(frame, frame_n);
    gp_wall_ms_t skew = GP_ENVELOPE_SKEW_MS;
    assert_int_equal(gp_gate_take(&receiver, &ids[0], bytes, NOW, WALL + skew + 1, &got),
                     GP_E_MESSAGE_STALE);
    assert_int_equal(gp_gate_take(&receiver, &ids[0], bytes, NOW, WALL - skew - 1, &got),
                     GP_E_MESSAGE_STALE);
    assert_int_equal(gp_gate_take(&receiver, &ids[0], bytes, NOW, WALL + skew, &got), GP_OK);
}

static void test_too_many_of_one_sender(void **state)
{
    (void)state;
    gp_error_t error = GP_OK;
    uint32_t tried = 0;
    assert_int_equal(take(), GP_OK);
    while (error != GP_E_MESSAGE_RATE) { /* replays: refused before any signature is looked at */
        error = take();
        assert_true(error == GP_E_MESSAGE_REPLAY || error == GP_E_MESSAGE_RATE);
        assert_true(++tried <= GP_GATE_BURST);
    }
    assert_int_equal(
        gp_gate_take(&receiver, &ids[0], gp_slice(frame, frame_n), NOW + GP_SECOND, WALL, &got),
        GP_E_MESSAGE_REPLAY); /* a second later it has credit again */
}

static void test_garbage(void **state)
{
    (void)state;
    for (size_t n = 0; n < frame_n; n++) {
        assert_int_not_equal(gp_gate_take(&receiver, &ids[0], gp_slice(frame, n), NOW, WALL, &got),
                             GP_OK);
    }
}

/* A probe rides on the session; a claim without a signature is none. */
static void test_unsigned_frames(void **state)
{
    (void)state;
    gp_msg_t probe = {.kind = GP_MSG_PROBE, .u.probe = {.group = GROUP, .sequence = 4}};
    seal(&ids[1], &probe);
    assert_memory_equal(frame, "GL", 2);
    assert_int_equal(take(), GP_OK);
    assert_int_equal(got.u.probe.sequence, 4);
    assert_int_equal(got.signed_bytes.n, 0);
    frame[4] = 0;
    frame[5] = GP_MSG_REFUTE;
    assert_int_not_equal(take(), GP_OK);
}

static const gp_msg_t *seek(const char *name, const char *cert)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_SEEK};
    msg.u.seek.group = GROUP;
    msg.u.seek.name = gp_text(name);
    msg.u.seek.address = gp_text("tcp://127.0.0.1:1");
    msg.u.seek.cert = gp_text(cert);
    return &msg;
}

static void test_who_presents_itself_shows_its_certificate(void **state)
{
    (void)state;
    seal(&ids[1], seek("n1", "good"));
    assert_int_equal(take(), GP_OK);
    seal(&ids[1], seek("n1", "")); /* a stranger */
    assert_int_equal(take(), GP_E_CERT_SIGNATURE);
    seal(&ids[1], seek("n1", "of another grid"));
    assert_int_equal(take(), GP_E_CERT_SIGNATURE);
    seal(&ids[1], seek("n2", "good")); /* under another's name */
    assert_int_equal(take(), GP_E_CERT_SIGNATURE);
}

static void test_who_presents_others_shows_theirs(void **state)
{
    (void)state;
    static gp_msg_t msg;
    for (int good = 0; good < 2; good++) {
        gp_record_member_t entry = {.id = ids[2],
                                    .name = gp_text("n1"),
                                    .address = gp_text("tcp://127.0.0.1:1"),
                                    .cert = gp_text(good == 1 ? "good" : "bad")};
        msg = (gp_msg_t){.kind = GP_MSG_INTRODUCE};
        msg.u.introduce.group = GROUP;
        msg.u.introduce.entries[msg.u.introduce.entries_count++] = entry;
        seal(&ids[1], &msg);
        assert_int_equal(take(), good == 1 ? GP_OK : GP_E_CERT_SIGNATURE);
        msg = (gp_msg_t){.kind = GP_MSG_SEEK_REPLY};
        msg.u.seek_reply.group = GROUP;
        msg.u.seek_reply.entries[msg.u.seek_reply.entries_count++] = entry;
        seal(&ids[1], &msg);
        assert_int_equal(take(), good == 1 ? GP_OK : GP_E_CERT_SIGNATURE);
    }
}

/* What a home may do is read from the certificate that the group keeps of it. */
static bool vouches;
static bool vouched(void *context, const gp_id_t *id)
{
    (void)context;
    return vouches && gp_id_equal(id, &ids[0]);
}

static void test_a_claim_needs_the_certificate_that_its_roles_are_read_from(void **state)
{
    (void)state;
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_CLAIM};
    msg.u.claim.job = 7;
    seal(&ids[1], &msg);
    assert_int_equal(take(), GP_OK); /* nobody is asked */
    receiver.config.vouched = vouched;
    for (int i = 0; i < 2; i++) {
        vouches = i == 1;
        seal(&ids[1], &msg);
        assert_int_equal(take(), vouches ? GP_OK : GP_E_CERT_SIGNATURE);
    }
}

/* A mandate without the votes of a majority of its roster is none, whoever shows it. */
static void test_a_mandate_without_votes(void **state)
{
    (void)state;
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_MANDATE};
    msg.u.mandate.group = GROUP;
    msg.u.mandate.term = 3;
    msg.u.mandate.leader = ids[0];
    msg.u.mandate.version = 1;
    msg.u.mandate.voters[msg.u.mandate.voters_count++].id = ids[0];
    msg.u.mandate.votes_count = 1;
    seal(&ids[1], &msg);
    assert_int_equal(take(), GP_E_MANDATE);
}

/* A leader's release that somebody else signed is none. */
static void test_a_forged_release(void **state)
{
    (void)state;
    static gp_gate_sender_t others[GP_GATE_SENDERS];
    static uint8_t release[GP_MESSAGE_MAX];
    static gp_msg_t ask, handover;
    handover = (gp_msg_t){.kind = GP_MSG_HANDOVER};
    handover.u.handover =
        (gp_msg_handover_t){.group = GROUP, .term = 3, .successor = ids[0], .version = 1};
    for (int by = 0; by < 3; by += 2) { /* the asker itself, the leader */
        gp_gate_t signer;
        gp_gate_config_t config = config_of(by);
        gp_gate_init(&signer, &config, others);
        size_t n = 0;
        assert_int_equal(gp_gate_seal(&signer, NULL, &handover, WALL, release, &n), GP_OK);
        ask = (gp_msg_t){.kind = GP_MSG_VOTE_ASK};
        ask.u.vote_ask.group = GROUP;
        ask.u.vote_ask.term = 4;
        ask.u.vote_ask.releases_count = 1;
        ask.u.vote_ask.releases[0] =
            (gp_record_release_t){.by = ids[2], .term = 3, .bytes = gp_slice(release, n)};
        seal(&ids[1], &ask);
        assert_int_equal(take(), by == 2 ? GP_OK : GP_E_RELEASE);
    }
}

static gp_msg_t seek_with(uint64_t group, const char *cert)
{
    gp_msg_t msg = {.kind = GP_MSG_SEEK};
    msg.u.seek.group = group;
    msg.u.seek.name = gp_text("n1");
    msg.u.seek.cert = gp_text(cert);
    return msg;
}

static void test_certificates_of_other_regions_count_in_the_grid_alone(void **state)
{
    const struct {
        uint64_t group;
        gp_error_t error;
    } cases[] = {{GROUP, GP_E_CERT_SIGNATURE},
                 {REGION_GROUP, GP_E_CERT_SIGNATURE},
                 {GRID_GROUP, GP_OK}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gp_msg_t msg = seek_with(cases[i].group, "far");
        seal(&ids[1], &msg);
        assert_int_equal(take(), cases[i].error);
        msg = seek_with(cases[i].group, "good");
        seal(&ids[1], &msg);
        assert_int_equal(take(), GP_OK);
        msg = (gp_msg_t){.kind = GP_MSG_SEEK_REPLY};
        msg.u.seek_reply.group = cases[i].group;
        msg.u.seek_reply.entries_count = 1;
        msg.u.seek_reply.entries[0].id = ids[2];
        msg.u.seek_reply.entries[0].name = gp_text("n1");
        msg.u.seek_reply.entries[0].cert = gp_text("far");
        seal(&ids[1], &msg);
        assert_int_equal(take(), cases[i].error);
    }
}

static void test_questions_come_from_any_region(void **state)
{
    gp_msg_t msg = {.kind = GP_MSG_ROUTE};
    (void)state;
    msg.u.route.cert = gp_text("far");
    seal(&ids[1], &msg);
    assert_int_equal(take(), GP_OK);
    msg.u.route.cert = gp_text("bad");
    seal(&ids[1], &msg);
    assert_int_equal(take(), GP_E_CERT_SIGNATURE);
}

/* Signed or not, in a group below the grid's it says nothing. */
static void test_machines_of_other_regions_speak_in_the_grid_alone(void **state)
{
    const uint64_t groups[] = {GROUP, REGION_GROUP, GRID_GROUP};
    (void)state;
    of_another_region = ids[0];
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        gp_error_t error = groups[i] == GRID_GROUP ? GP_OK : GP_E_MESSAGE_REGION;
        gp_msg_t beat = {.kind = GP_MSG_BEAT};
        seal(&ids[1], refute_in(groups[i]));
        assert_int_equal(take(), error);
        beat.u.beat.group = groups[i];
        seal(&ids[1], &beat);
        assert_int_equal(take(), error);
    }
    gp_msg_t visit = {.kind = GP_MSG_VISIT}; /* of no group */
    seal(&ids[1], &visit);
    assert_int_equal(take(), GP_OK);
    of_another_region = (gp_id_t){{0}};
    seal(&ids[1], refute());
    assert_int_equal(take(), GP_OK);
}

/* The sender carries what the stranger signed. */
static void test_what_a_relay_changes(void **state)
{
    static gp_msg_t msg;
    uint8_t claim[1024];
    size_t n = 0;
    const gp_sealer_t stranger = {&gp_signer_ed25519, secrets[2]};
    const gp_envelope_t envelope = {
        .grid = grid, .source = ids[2], .destination = ids[0], .boot = 1, .sent_ms = WALL};
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_ROUTE_FOUND};
    msg.u.route_found.origin = ids[1];
    msg.u.route_found.query_id = 5;
    msg.u.route_found.cert = gp_text("good");
    assert_int_equal(gp_envelope_seal(&envelope, &msg, &stranger, claim, sizeof claim, &n), GP_OK);
    msg = (gp_msg_t){.kind = GP_MSG_ROUTE_BACK};
    msg.u.route_back.origin = ids[1];
    msg.u.route_back.query_id = 5;
    msg.u.route_back.claim = gp_slice(claim, n);
    seal(&ids[1], &msg);
    assert_int_equal(take(), GP_OK);
    claim[n - 1] ^= 1;
    seal(&ids[1], &msg);
    assert_int_equal(take(), GP_E_MESSAGE_SIGNATURE);
    claim[n - 1] ^= 1;
    msg.u.route_back.query_id = 6;
    seal(&ids[1], &msg);
    assert_int_equal(take(), GP_E_CLAIM);
}

static void hear_stranger(gp_usec_t now)
{
    gp_gate_config_t config = config_of(0);
    gp_secret_t *secret = NULL;
    assert_int_equal(gp_secret_new(&secret), GP_OK);
    config.self = gp_secret_id(secret);
    config.sealer.secret = secret;
    gp_gate_init(&sender, &config, senders[0]);
    seal(&ids[1], refute());
    assert_int_equal(
        gp_gate_take(&receiver, &config.self, gp_slice(frame, frame_n), now, WALL, &got), GP_OK);
    gp_secret_free(secret);
}

/* More senders than are remembered: the one that was silent the longest makes room. */
static void test_who_is_heard_now_and_then_is_remembered(void **state)
{
    static uint8_t first[GP_MESSAGE_MAX];
    size_t first_n = frame_n;
    (void)state;
    memcpy(first, frame, frame_n);
    for (uint32_t i = 0; i < 3 * GP_GATE_SENDERS; i++) {
        gp_usec_t now = NOW + 2 * i;
        assert_int_equal(
            gp_gate_take(&receiver, &ids[0], gp_slice(first, first_n), now, WALL, &got),
            i == 0 ? GP_OK : GP_E_MESSAGE_REPLAY);
        hear_stranger(now + 1);
        assert_in_range(receiver.sender_count, 1, GP_GATE_SENDERS);
    }
    assert_int_equal(receiver.sender_count, GP_GATE_SENDERS);
}

int main(void)
{
#define GATE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        GATE(test_what_is_for_this_machine_or_its_group_passes),
        GATE(test_a_replay),
        GATE(test_a_message_for_another_machine),
        GATE(test_a_message_for_each_group_of_the_machine),
        GATE(test_a_message_of_another_grid),
        GATE(test_a_message_of_another_sender),
        GATE(test_another_name_under_a_message),
        GATE(test_every_flipped_bit),
        GATE(test_old_and_early_messages),
        GATE(test_too_many_of_one_sender),
        GATE(test_garbage),
        GATE(test_unsigned_frames),
        GATE(test_who_presents_itself_shows_its_certificate),
        GATE(test_who_presents_others_shows_theirs),
        GATE(test_a_claim_needs_the_certificate_that_its_roles_are_read_from),
        GATE(test_a_mandate_without_votes),
        GATE(test_a_forged_release),
        GATE(test_certificates_of_other_regions_count_in_the_grid_alone),
        GATE(test_questions_come_from_any_region),
        GATE(test_machines_of_other_regions_speak_in_the_grid_alone),
        GATE(test_what_a_relay_changes),
        GATE(test_who_is_heard_now_and_then_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
