/* No socket keeps a default that hurts: read back what was set. */
#include "overlay/net/options.h"

#include "proto/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <zmq.h>
/* cmocka wants some of the above */
#include <cmocka.h>

static int value_of(void *socket, int option)
{
    int value = -1;
    size_t size = sizeof value;

    assert_int_equal(zmq_getsockopt(socket, option, &value, &size), 0);
    return value;
}

static gp_curve_t fresh_curve(void)
{
    char public_key[41];
    char secret_key[41];
    gp_curve_t curve;

    assert_int_equal(zmq_curve_keypair(public_key, secret_key), 0);
    assert_non_null(zmq_z85_decode(curve.public_key, public_key));
    assert_non_null(zmq_z85_decode(curve.secret_key, secret_key));
    return curve;
}

static void check_network(void *socket)
{
    int64_t size_max = 0;
    size_t size = sizeof size_max;

    assert_int_equal(value_of(socket, ZMQ_LINGER), 0);
    assert_int_equal(value_of(socket, ZMQ_IPV6), 1);
    assert_in_range(value_of(socket, ZMQ_BACKLOG), 1024, 65535);
    assert_in_range(value_of(socket, ZMQ_SNDHWM), 1, 1000);
    assert_in_range(value_of(socket, ZMQ_RCVHWM), 1, 1000);
    assert_in_range(value_of(socket, ZMQ_HANDSHAKE_IVL), 1, 2000);
    assert_in_range(value_of(socket, ZMQ_CONNECT_TIMEOUT), 1, 2000);
    assert_in_range(value_of(socket, ZMQ_RECONNECT_IVL), 10, 100);
    assert_in_range(value_of(socket, ZMQ_RECONNECT_IVL_MAX), 100, 2000);
    assert_in_range(value_of(socket, ZMQ_TCP_MAXRT), 1000, 10000);
    assert_int_equal(value_of(socket, ZMQ_HEARTBEAT_IVL), 0);
    assert_int_equal(value_of(socket, ZMQ_TCP_KEEPALIVE), 0);
    assert_int_equal(value_of(socket, ZMQ_IMMEDIATE), 0); /* see options.c */
    assert_int_equal(value_of(socket, ZMQ_MECHANISM), ZMQ_CURVE);
    assert_int_equal(zmq_getsockopt(socket, ZMQ_MAXMSGSIZE, &size_max, &size), 0);
    assert_in_range(size_max, GP_MESSAGE_MAX, GP_MESSAGE_MAX + 256);
}

static void nothing_is_left_to_its_default(void **state)
{
    void *context = gp_context_new();
    gp_curve_t curve = fresh_curve();
    void *inbox = gp_inbox_socket(context, &curve);
    void *link = gp_link_socket(context, &curve, curve.public_key);
    char domain[32] = "";
    size_t size = sizeof domain;

    (void)state;
    assert_int_equal(zmq_ctx_get(context, ZMQ_IO_THREADS), 1);
    assert_true(zmq_ctx_get(context, ZMQ_MAX_SOCKETS) >= 3 * GP_NET_LINKS_MAX);
    check_network(inbox);
    check_network(link);
    assert_int_equal(value_of(inbox, ZMQ_CURVE_SERVER), 1);
    assert_int_equal(value_of(link, ZMQ_CURVE_SERVER), 0);
    assert_int_equal(value_of(inbox, 93), 1); /* ZMQ_ZAP_ENFORCE_DOMAIN */
    assert_int_equal(zmq_getsockopt(inbox, ZMQ_ZAP_DOMAIN, domain, &size), 0);
    assert_string_equal(domain, GP_NET_ZAP_DOMAIN);
    gp_socket_close(inbox, 0);
    gp_socket_close(link, 0);
    assert_int_equal(zmq_ctx_term(context), 0);
}

static void a_monitors_reader_has_no_limit(void **state)
{
    void *context = gp_context_new();
    void *socket = gp_monitor_socket(context);

    (void)state;
    assert_int_equal(value_of(socket, ZMQ_RCVHWM), 0);
    assert_int_equal(value_of(socket, ZMQ_LINGER), 0);
    gp_socket_close(socket, 0);
    assert_int_equal(zmq_ctx_term(context), 0);
}

/* libzmq would abort the process. */
static void without_descriptors_there_is_no_context(void **state)
{
    struct rlimit before;
    struct rlimit few;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 8;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_null(gp_context_new());
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_to_its_default),
        cmocka_unit_test(a_monitors_reader_has_no_limit),
        cmocka_unit_test(without_descriptors_there_is_no_context),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
