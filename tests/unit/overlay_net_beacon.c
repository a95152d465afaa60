/* The LAN beacon: its bytes, and once over a network of its own. */
#include "overlay/net/beacon.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka wants some of the above */
#include <cmocka.h>

#define BRIDGE  "gp0"
#define HERE    "198.51.100.1" /* RFC 5737: documentation */
#define SKIPPED 77

static gp_beacon_says_t sample(void)
{
    gp_beacon_says_t says = {.region = "north", .port = 4711};

    for (uint8_t i = 0; i < sizeof says.grid.b; i++) {
        says.grid.b[i] = i;
    }
    return says;
}

static void what_is_written_is_read(void **state)
{
    gp_beacon_says_t says = sample();
    gp_beacon_says_t read;
    uint8_t bytes[GP_BEACON_MAX];
    size_t n = 0;

    (void)state;
    assert_int_equal(gp_beacon_write(&says, bytes, &n), GP_OK);
    assert_int_equal(n, 4 + 16 + 2 + 1 + 5);
    assert_int_equal(gp_beacon_read(gp_slice(bytes, n), &read), GP_OK);
    assert_memory_equal(read.grid.b, says.grid.b, sizeof says.grid.b);
    assert_string_equal(read.region, "north");
    assert_int_equal(read.port, 4711);
    memset(says.region, 'r', GP_NAME_MAX);
    says.region[GP_NAME_MAX] = '\0';
    assert_int_equal(gp_beacon_write(&says, bytes, &n), GP_OK);
    assert_int_equal(n, GP_BEACON_MAX);
    assert_int_equal(gp_beacon_read(gp_slice(bytes, n), &read), GP_OK);
}

static void what_is_not_a_beacon_is_not_read(void **state)
{
    gp_beacon_says_t says = sample();
    gp_beacon_says_t read;
    uint8_t bytes[GP_BEACON_MAX];
    uint8_t good[GP_BEACON_MAX];
    size_t n = 0;

    (void)state;
    assert_int_equal(gp_beacon_write(&says, good, &n), GP_OK);
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(gp_beacon_read(gp_slice(good, cut), &read), GP_E_MESSAGE_DECODE);
    }
    assert_int_equal(gp_beacon_read(gp_slice(good, n + 1), &read), GP_E_MESSAGE_DECODE);
    for (size_t i = 0; i < n; i++) { /* any byte but those of the grid and the port changed */
        memcpy(bytes, good, n);
        bytes[i] = 0xf7;
        if (i < 4 || i == 22 || i > 22) {
            assert_int_equal(gp_beacon_read(gp_slice(bytes, n), &read), GP_E_MESSAGE_DECODE);
        }
    }
    memcpy(bytes, good, n);
    bytes[20] = bytes[21] = 0; /* port 0 */
    assert_int_equal(gp_beacon_read(gp_slice(bytes, n), &read), GP_E_MESSAGE_DECODE);
    says.region[0] = '\0';
    assert_int_equal(gp_beacon_write(&says, bytes, &n), GP_E_NAME);
    says.region[0] = '/';
    assert_int_equal(gp_beacon_write(&says, bytes, &n), GP_E_NAME);
}

/* ---- over a network -------------------------------------------------------------------------- */

/* A network of this process alone, with one interface that can broadcast: a bridge to nowhere. */
static bool make_network(void)
{
    struct ifreq request = {.ifr_name = BRIDGE};
    struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
    int fd;

    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return false;
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCBRADDBR, BRIDGE) != 0) {
        return false;
    }
    address->sin_family = AF_INET;
    (void)inet_pton(AF_INET, HERE, &address->sin_addr);
    if (ioctl(fd, SIOCSIFADDR, &request) != 0) {
        return false;
    }
    memset(&request.ifr_ifru, 0, sizeof request.ifr_ifru);
    request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
    return ioctl(fd, SIOCSIFFLAGS, &request) == 0;
}

static int play_network(void)
{
    gp_beacon_says_t says = sample();
    gp_beacon_config_t config = {.udp_port = 4999};
    gp_beacon_t *talker = NULL;
    gp_beacon_t *listener = NULL;
    gp_beacon_says_t heard;
    gp_grid_id_t other = {{9}};
    char address[GP_ADDRESS_MAX + 1] = "";
    struct sigaction action;

    if (!make_network()) {
        return SKIPPED;
    }
    if (gp_beacon_open(&config, &listener) != GP_OK) {
        return 1;
    }
    config.says = &says;
    if (gp_beacon_open(&config, &talker) != GP_OK) {
        return 2;
    }
    if (gp_beacon_hear(listener, &says.grid, 5000, &heard, address) != GP_OK ||
        strcmp(address, "tcp://" HERE ":4711") != 0 || strcmp(heard.region, "north") != 0) {
        return 3;
    }
    if (gp_beacon_hear(listener, &other, 1500, &heard, address) != GP_E_TIMED_OUT) {
        return 4; /* another grid's beacon is none */
    }
    if (sigaction(SIGINT, NULL, &action) != 0 || action.sa_handler != SIG_DFL) {
        return 5; /* czmq took the signal */
    }
    gp_beacon_close(talker);
    gp_beacon_close(listener);
    return 0;
}

static int play_no_network(void)
{
    gp_beacon_config_t config = {.udp_port = 4999};
    gp_beacon_t *beacon = NULL;

    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return SKIPPED;
    }
    return gp_beacon_open(&config, &beacon) == GP_E_TRANSPORT && beacon == NULL ? 0 : 1;
}

static void play(const char *what)
{
    char *argv[] = {(char *)"child", (char *)(uintptr_t)what, NULL};
    pid_t pid = -1;
    int status = -1;

    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED) {
        print_message(
            "skipped: no network of its own may be made here (zbeacon takes no loopback)\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_beacon_is_heard(void **state)
{
    (void)state;
    play("network");
}

static void without_an_interface_it_fails_cleanly(void **state)
{
    (void)state;
    play("nothing");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_not_a_beacon_is_not_read),
        cmocka_unit_test(a_beacon_is_heard),
        cmocka_unit_test(without_an_interface_it_fails_cleanly),
    };

    if (argc > 1) {
        return strcmp(argv[1], "network") == 0 ? play_network() : play_no_network();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
