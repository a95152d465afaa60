/* Addresses there and back, and the socket that listens. */
#include "overlay/net/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants some of the above */
#include <cmocka.h>

static void addresses_go_there_and_back(void **state)
{
    static const char *const good[] = {"tcp://127.0.0.1:1", "tcp://[::1]:65535",
                                       "tcp://[fe80::1:2]:4711", "tcp://10.255.0.9:4711"};
    gp_sockaddr_t address;
    char text[GP_ADDRESS_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(gp_address_parse(good[i], false, &address), GP_OK);
        gp_address_print(&address, text);
        assert_string_equal(text, good[i]);
    }
    /* an IPv4 address inside an IPv6 one is the same machine */
    assert_int_equal(gp_address_parse("tcp://[::ffff:127.0.0.1]:80", false, &address), GP_OK);
    gp_address_print(&address, text);
    assert_string_equal(text, "tcp://127.0.0.1:80");
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "tcp://",
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:",
        "tcp://:80",
        "127.0.0.1:80",
        "udp://127.0.0.1:80",
        "tcp://localhost:80",
        "tcp://127.0.0.1:65536",
        "tcp://127.0.0.1:-1",
        "tcp://127.0.0.1:8 ",
        "tcp://256.0.0.1:80",
        "tcp://1.2.3:80",
        "tcp://::1:80",
        "tcp://[::1:80",
        "tcp://[]:80",
        "tcp://[127.0.0.1]:80",
        "tcp://*:80",
        "tcp://127.0.0.1:0",
        "tcp://[::1%lo]:80",
        "tcp://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"};
    gp_sockaddr_t address;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (gp_address_parse(bad[i], false, &address) != GP_E_ADDRESS) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    assert_int_equal(gp_address_parse("tcp://*:0", true, &address), GP_OK);
    assert_int_equal(gp_address_parse("tcp://127.0.0.1:0", true, &address), GP_OK);
}

static void listening_finds_a_port_and_keeps_it_from_others(void **state)
{
    gp_sockaddr_t address;
    char text[GP_ADDRESS_MAX + 1];
    char again[GP_ADDRESS_MAX + 1];
    int fd = -1;
    int other = -1;

    (void)state;
    assert_int_equal(gp_address_parse("tcp://127.0.0.1:0", true, &address), GP_OK);
    assert_int_equal(gp_address_listen(&address, &fd, text), GP_OK);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(gp_address_parse(text, false, &address), GP_OK); /* no port 0 */
    assert_int_equal(gp_address_listen(&address, &other, again), GP_E_PORT_IN_USE);
    assert_int_equal(other, -1);
    (void)close(fd);
    /* at once again, although connections of before may linger */
    assert_int_equal(gp_address_listen(&address, &fd, again), GP_OK);
    assert_string_equal(text, again);
    (void)close(fd);
}

static void the_wildcard_hears_both_families(void **state)
{
    gp_sockaddr_t address;
    char text[GP_ADDRESS_MAX + 1];
    int fd = -1;
    static const char *const hosts[] = {"tcp://127.0.0.1", "tcp://[::1]"};

    (void)state;
    assert_int_equal(gp_address_parse("tcp://*:0", true, &address), GP_OK);
    assert_int_equal(gp_address_listen(&address, &fd, text), GP_OK);
    for (int i = 0; i < 2; i++) {
        char to[GP_ADDRESS_MAX + 1];
        int client;
        (void)snprintf(to, sizeof to, "%s%s", hosts[i], strrchr(text, ':'));
        assert_int_equal(gp_address_parse(to, false, &address), GP_OK);
        client = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (client < 0 && errno == EAFNOSUPPORT) {
            continue; /* a system without IPv6 */
        }
        assert_int_equal(connect(client, (struct sockaddr *)&address.storage, address.size), 0);
        (void)close(client);
    }
    (void)close(fd);
}

static void what_is_not_ours_is_refused(void **state)
{
    gp_sockaddr_t address;
    char text[GP_ADDRESS_MAX + 1];
    int fd = -1;

    (void)state;
    assert_int_equal(gp_address_parse("tcp://192.0.2.77:0", true, &address), GP_OK);
    assert_int_equal(gp_address_listen(&address, &fd, text), GP_E_ADDRESS);
    assert_int_equal(fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_go_there_and_back),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(listening_finds_a_port_and_keeps_it_from_others),
        cmocka_unit_test(the_wildcard_hears_both_families),
        cmocka_unit_test(what_is_not_ours_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
