/* The self-test tells a guarded inbox from one that is not. */
#include "overlay/net/probe.h"

#include "tests/unit/overlay_net_lab.h"

#include <stdio.h>
#include <zmq.h>

static uint32_t asked;

static bool lets_all_in(void *context, const uint8_t key[32])
{
    (void)context;
    (void)key;
    asked++;
    return true;
}

static void nothing(void *context)
{
    (void)context;
}

static gp_curve_t curve_of(uint8_t seed)
{
    gp_secret_t *secret = lab_secret(seed);
    gp_curve_t curve;

    gp_secret_curve(secret, curve.public_key, curve.secret_key);
    gp_secret_free(secret);
    return curve;
}

/* The kernel's table of local sockets has no trace of the probe's address. */
static bool is_hidden_again(void)
{
    char line[512];
    bool hidden = true;
    FILE *file = fopen("/proc/net/unix", "re");

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        hidden = hidden && strstr(line, "@gridpeer-") == NULL;
    }
    (void)fclose(file);
    return hidden;
}

static void a_guarded_inbox_passes_and_quickly(void **state)
{
    lab_t *lab = *state;
    gp_curve_t curve = curve_of(1);
    uint64_t start_us = lab_now_us();

    for (int i = 0; i < 10; i++) {
        void *context = gp_context_new();
        gp_zap_t zap = {.known = lets_all_in, .before = nothing, .holds = nothing};
        void *inbox;
        assert_int_equal(gp_zap_open(&zap, context), GP_OK);
        inbox = gp_inbox_socket(context, &curve);
        assert_non_null(inbox);
        assert_int_equal(gp_probe(context, inbox, &curve, &zap), GP_OK);
        assert_true(zap.probed);
        gp_socket_close(inbox, 0);
        gp_zap_close(&zap);
        assert_int_equal(zmq_ctx_term(context), 0);
    }
    print_message("a context, its handler, its inbox and the self-test: %llu us\n",
                  (unsigned long long)((lab_now_us() - start_us) / 10));
    assert_int_equal(asked, 0); /* the probe's key is refused whatever the table says */
    LAB_UNTIL(lab, 1000, is_hidden_again());
}

/* A CURVE server as libzmq makes it by default, where nobody handles ZAP: all keys get in. */
static void an_unguarded_inbox_is_found_out(void **state)
{
    void *context = gp_context_new();
    void *elsewhere = gp_context_new();
    gp_curve_t curve = curve_of(1);
    gp_zap_t zap = {.known = lets_all_in, .before = nothing, .holds = nothing};
    void *inbox = zmq_socket(context, ZMQ_ROUTER);
    static const int on = 1;

    (void)state;
    assert_int_equal(zmq_setsockopt(inbox, ZMQ_CURVE_SERVER, &on, sizeof on), 0);
    assert_int_equal(zmq_setsockopt(inbox, ZMQ_CURVE_SECRETKEY, curve.secret_key, 32), 0);
    assert_int_equal(gp_zap_open(&zap, elsewhere), GP_OK);
    assert_int_equal(gp_probe(context, inbox, &curve, &zap), GP_E_TRANSPORT_OPEN);
    gp_socket_close(inbox, 0);
    gp_zap_close(&zap);
    assert_int_equal(zmq_ctx_term(context), 0);
    assert_int_equal(zmq_ctx_term(elsewhere), 0);
}

/* Our own options without a handler fail closed, and that is no pass either. */
static void an_inbox_without_a_handler_lets_nobody_in_and_fails(void **state)
{
    void *context = gp_context_new();
    void *elsewhere = gp_context_new();
    gp_curve_t curve = curve_of(1);
    gp_zap_t zap = {.known = lets_all_in, .before = nothing, .holds = nothing};
    void *inbox = gp_inbox_socket(context, &curve);

    (void)state;
    assert_int_equal(gp_zap_open(&zap, elsewhere), GP_OK);
    assert_int_equal(gp_probe(context, inbox, &curve, &zap), GP_E_TRANSPORT);
    assert_false(zap.probed);
    gp_socket_close(inbox, 0);
    gp_zap_close(&zap);
    assert_int_equal(zmq_ctx_term(context), 0);
    assert_int_equal(zmq_ctx_term(elsewhere), 0);
}

static void a_context_has_one_handler(void **state)
{
    void *context = gp_context_new();
    gp_zap_t zap = {.known = lets_all_in, .before = nothing, .holds = nothing};
    gp_zap_t second = {.known = lets_all_in, .before = nothing, .holds = nothing};

    (void)state;
    assert_int_equal(gp_zap_open(&zap, context), GP_OK);
    assert_int_equal(gp_zap_open(&second, context), GP_E_TRANSPORT);
    gp_zap_close(&second);
    gp_zap_close(&zap);
    assert_int_equal(zmq_ctx_term(context), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_guarded_inbox_passes_and_quickly),
        TEST(an_unguarded_inbox_is_found_out),
        TEST(an_inbox_without_a_handler_lets_nobody_in_and_fails),
        TEST(a_context_has_one_handler),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
