/* What a plain connection shows. */
#include "overlay/net/dial.h"
#include "tests/unit/overlay_net_lab.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct told {
    uint32_t count;
    gp_dial_t result;
    uint64_t token;
} told_t;

static void on_result(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result)
{
    told_t *told = context;

    assert_int_equal(peer->b[0], 42);
    told->count++;
    told->result = result;
    told->token = token;
}

static const gp_id_t peer = {{42}};

/* A listening socket of 127.0.0.1 that nobody accepts from; its address. */
static int listener(int backlog, char address[GP_ADDRESS_MAX + 1])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(address, GP_ADDRESS_MAX + 1, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

static gp_dial_t dial(lab_t *lab, const char *address)
{
    told_t told = {0};
    gp_dials_t *dials = calloc(1, sizeof *dials);

    assert_non_null(dials);
    dials->base = lab->base;
    dials->on_result = on_result;
    dials->context = &told;
    assert_true(gp_dial(dials, address, &peer, 99));
    assert_int_equal(told.count, 0); /* never from inside the call */
    LAB_UNTIL(lab, 1000, told.count == 1);
    assert_int_equal(told.token, 99);
    gp_dials_close(dials);
    free(dials);
    return told.result;
}

static void open_refused_and_no_way(void **state)
{
    lab_t *lab = *state;
    char address[GP_ADDRESS_MAX + 1];
    int fd = listener(5, address);

    assert_int_equal(dial(lab, address), GP_DIAL_OPEN);
    (void)close(fd);
    assert_int_equal(dial(lab, address), GP_DIAL_REFUSED);
    assert_int_equal(dial(lab, NULL), GP_DIAL_UNREACHABLE);
    assert_int_equal(dial(lab, "tcp://nowhere:1"), GP_DIAL_UNREACHABLE);
    assert_int_equal(dial(lab, "tcp://224.0.0.1:1"), GP_DIAL_UNREACHABLE);
}

/* A kernel whose backlog is full drops the newcomer's packets: no answer, and no evidence. */
static void a_full_backlog_is_silent(void **state)
{
    lab_t *lab = *state;
    char address[GP_ADDRESS_MAX + 1];
    int fd = listener(0, address);
    int held[8];
    uint64_t start_us;
    gp_dial_t result = GP_DIAL_OPEN;
    int n = 0;

    while (result == GP_DIAL_OPEN && n < 8) {
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(lab_port(address)),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        held[n] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(held[n], (struct sockaddr *)&to, sizeof to);
        n++;
        start_us = lab_now_us();
        result = dial(lab, address);
    }
    assert_int_equal(result, GP_DIAL_SILENT);
    assert_true(lab_now_us() - start_us >= GP_DIAL_MS * 1000 - 20000); /* it was given its time */
    while (n-- > 0) {
        (void)close(held[n]);
    }
    (void)close(fd);
}

static void there_is_a_limit_to_dials_at_once(void **state)
{
    lab_t *lab = *state;
    told_t told = {0};
    gp_dials_t *dials = calloc(1, sizeof *dials);

    assert_non_null(dials);
    dials->base = lab->base;
    dials->on_result = on_result;
    dials->context = &told;
    for (int i = 0; i < GP_NET_DIALS_MAX; i++) {
        assert_true(gp_dial(dials, NULL, &peer, 1));
    }
    assert_false(gp_dial(dials, NULL, &peer, 1));
    LAB_UNTIL(lab, 1000, told.count == GP_NET_DIALS_MAX);
    assert_true(gp_dial(dials, NULL, &peer, 1));
    gp_dials_close(dials); /* and nothing is told any more */
    lab_run(lab, 20);
    assert_int_equal(told.count, GP_NET_DIALS_MAX);
    free(dials);
}

/* ---- a port that dials itself ---------------------------------------------------------------- */

/* In a network of its own, whose only free ports are two: a dial to one of them gets it as its own.
 */
static int play_echo(void)
{
    struct ifreq lo = {.ifr_name = "lo"};
    lab_t *lab;
    void *state;
    int fd;
    FILE *range;
    bool echoed = false;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 && unshare(CLONE_NEWNET) != 0) {
        return 77;
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "we");
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo) != 0 || range == NULL ||
        fputs("40000 40001", range) < 0 || fclose(range) != 0 || lab_setup(&state) != 0) {
        return 77;
    }
    lab = state;
    for (int i = 0; i < 50; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(40000),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        echoed = echoed || connect(plain, (struct sockaddr *)&to, sizeof to) == 0;
        (void)close(plain);
        if (dial(lab, "tcp://127.0.0.1:40000") != GP_DIAL_REFUSED) {
            return 1;
        }
    }
    (void)close(fd);
    (void)lab_teardown(&state);
    return echoed ? 0 : 2; /* the premise: a plain connect() does fall for it */
}

static void a_port_that_dials_itself_counts_as_refused(void **state)
{
    lab_t *lab = *state;
    const char *const arguments[] = {"echo", NULL};
    pid_t pid = lab_spawn(arguments);
    int status = -1;

    LAB_UNTIL(lab, 20000, lab_ended(pid, &status));
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("skipped: no network namespace may be made here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(open_refused_and_no_way),
        TEST(a_full_backlog_is_silent),
        TEST(there_is_a_limit_to_dials_at_once),
        TEST(a_port_that_dials_itself_counts_as_refused),
    };

    if (argc > 1 && strcmp(argv[1], "echo") == 0) {
        return play_echo();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
