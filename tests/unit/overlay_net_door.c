/* Floods and the last file descriptors: the door closes for a moment, and never refuses. */
#include "overlay/net/door.h"

#include "overlay/net/options.h"
#include "tests/unit/overlay_net_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#define HELLO 64

static gp_net_counters_t count(const lab_node_t *node)
{
    gp_net_counters_t counters;

    gp_net_count(node->net, &counters);
    return counters;
}

/* The child: opens `n` connections to the port, greets on each, and holds them until it is killed.
 */
static int play_flood(uint16_t port, int n)
{
    uint8_t hello[HELLO] = {0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3};
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    memcpy(hello + 12, "CURVE", 5);
    for (int i = 0; i < n; i++) {
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
            return 1; /* refused: what must not happen */
        }
        (void)send(fd, hello, sizeof hello, MSG_NOSIGNAL);
    }
    (void)poll(NULL, 0, -1);
    return 0;
}

static pid_t flood(const lab_node_t *node, int n)
{
    char port[8];
    char number[16];
    const char *const arguments[] = {"flood", port, number, NULL};

    (void)snprintf(port, sizeof port, "%u", lab_port(gp_net_address(node->net)));
    (void)snprintf(number, sizeof number, "%d", n);
    return lab_spawn(arguments);
}

static void end(pid_t pid)
{
    int status = 0;

    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status)); /* it had not ended by itself, by a refusal */
}

typedef struct told {
    uint32_t pauses;
    bool scarce;
} told_t;

static void on_pause(void *context, bool scarce)
{
    told_t *told = context;

    told->pauses++;
    told->scarce = scarce;
}

/* 1: connected, 0: no answer yet, -1: refused. */
static int look(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;

    if (poll(&item, 1, 50) == 0) {
        return 0;
    }
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    return error == 0 ? 1 : -1;
}

static int begin_to_connect(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    (void)connect(fd, (struct sockaddr *)&to, sizeof to);
    return fd;
}

static void a_paused_door_is_silent_and_opens_again(void **state)
{
    lab_t *lab = *state;
    told_t told = {0};
    gp_door_t door = {.fd = -1, .on_pause = on_pause, .context = &told};
    void *context = gp_context_new();
    void *inbox = zmq_socket(context, ZMQ_ROUTER);
    uint16_t port;
    int before;
    int during;

    assert_int_equal(gp_door_listen(&door, LAB_LOCAL), GP_OK);
    assert_int_equal(gp_door_open(&door, lab->base, inbox), GP_OK);
    port = lab_port(door.address);
    for (int i = 0; i < GP_NET_ACCEPT_BURST - 1; i++) {
        gp_door_accepted(&door, 10);
    }
    before = begin_to_connect(port);
    assert_int_equal(look(before), 1);
    assert_int_equal(told.pauses, 0);
    for (int i = 0; i < GP_NET_ACCEPT_RATE && told.pauses == 0; i++) {
        gp_door_accepted(&door, 10);
    }
    assert_int_equal(told.pauses, 1);
    assert_false(told.scarce);
    during = begin_to_connect(port);
    assert_int_equal(look(during), 0); /* neither let in nor refused */
    gp_door_accepted(&door, 10);
    assert_int_equal(told.pauses, 1); /* one pause at a time */
    LAB_UNTIL(lab, 1000, !door.paused);
    LAB_UNTIL(lab, 4000, look(during) == 1); /* its kernel asked again */
    assert_int_equal(look(before), 1);       /* and who was in stayed in */

    gp_door_failed(&door);
    assert_int_equal(told.pauses, 2);
    assert_true(told.scarce);
    LAB_UNTIL(lab, 1000, !door.paused);
    gp_door_accepted(&door, door.fd_max);
    assert_int_equal(told.pauses, 3);
    assert_true(told.scarce);
    (void)close(before);
    (void)close(during);
    gp_socket_close(inbox, 0);
    assert_int_equal(zmq_ctx_term(context), 0);
    gp_door_close(&door);
}

static void in_a_flood_members_are_served_and_nobody_is_refused(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    lab_node_t *c = lab_start(lab, 2, LAB_LOCAL);
    const int n = GP_NET_ACCEPT_BURST + 600;
    pid_t pid;

    lab_introduce(b, a, false);
    assert_int_equal(gp_net_link(b->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1);
    pid = flood(a, n);
    /* on a slow machine it comes too slowly to need a pause */
    LAB_UNTIL(lab, 20000, count(a).accept_pauses > 0 || count(a).accepted > (uint64_t)n);
    lab_send(b, a, "member"); /* over what is connected already */
    LAB_UNTIL(lab, 1000, a->frames == 1);
    assert_int_equal(b->downs, 0);
    assert_int_equal(gp_net_dial(b->net, &a->id, 1), GP_OK);
    LAB_UNTIL(lab, 1000, b->dials == 1);
    assert_int_not_equal(b->dialed, GP_DIAL_REFUSED); /* no evidence of a death */
    /* and a newcomer has its turn after those who came before */
    lab_introduce(c, a, false);
    assert_int_equal(gp_net_link(c->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 20000, a->ups == 2);
    end(pid);
}

/* INT_MAX: not one. */
static int lowest_free(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        assert_int_equal(errno, EMFILE);
        return INT_MAX;
    }
    (void)close(fd);
    return fd;
}

static void the_last_descriptors_are_kept_and_nothing_spins(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    lab_node_t *c = lab_start(lab, 2, LAB_LOCAL);
    struct rlimit before;
    struct rlimit few;
    pid_t pid;

    lab_introduce(b, a, false);
    assert_int_equal(gp_net_link(b->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1);
    lab_stop(a, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)lowest_free() + 2 * GP_NET_FD_RESERVE + 40;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    a = lab_start(lab, 0, LAB_LOCAL); /* it looks at the limit when it opens */
    lab_introduce(b, a, false);
    LAB_UNTIL(lab, 2000, a->ups == 1);

    pid = flood(a, 200);
    LAB_UNTIL(lab, 5000, count(a).accept_pauses > 0);
    lab_run(lab, 1000);
    print_message("tries to accept while descriptors are short: %llu\n",
                  (unsigned long long)count(a).accept_failures);
    /* Some, until this thread has its turn; libzmq alone tries as often as the CPU can. */
    assert_true(count(a).accept_failures < 100000);
    /* for our own files; a burst may take some, and gives them back */
    LAB_UNTIL(lab, 3000, lowest_free() < (int)few.rlim_cur - GP_NET_FD_RESERVE / 2);
    lab_send(b, a, "member");
    LAB_UNTIL(lab, 500, a->frames == 1);
    assert_int_equal(a->downs, 0);
    end(pid);

    lab_introduce(c, a, false);
    lab_send(c, a, "newcomer");
    LAB_UNTIL(lab, 5000, a->frames == 2);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* A link that cannot be opened for want of descriptors is opened later, by itself. */
static void a_link_waits_for_descriptors(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    struct rlimit before;
    struct rlimit few;

    lab_introduce(a, b, false);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (rlim_t more = 0; more < 8; more++) {
        uint32_t ups = a->ups;
        few = before;
        few.rlim_cur = (rlim_t)lowest_free() + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
        lab_run(lab, 20);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        LAB_UNTIL(lab, 4000, a->ups == ups + 1);
        gp_net_forget(a->net, &b->id);
        lab_introduce(a, b, false);
    }
}

/* When all are gone, opening fails with a reason, and nothing aborts. */
static void without_descriptors_opening_fails_cleanly(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    struct rlimit before;
    struct rlimit few;
    gp_net_t *net = NULL;
    gp_secret_t *secret = lab_secret(77);
    gp_net_config_t config = {
        .base = lab->base,
        .secret = secret,
        .listen = LAB_LOCAL,
        .events = {.on_frame = (void (*)(void *, const gp_id_t *, gp_standing_t, gp_slice_t))abort,
                   .on_link = (void (*)(void *, const gp_id_t *, bool))abort,
                   .on_dialed = (void (*)(void *, const gp_id_t *, uint64_t, gp_dial_t))abort}};
    int failed = 0;

    (void)a;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    for (rlim_t more = 0; more < 60; more++) {
        gp_error_t error;
        few.rlim_cur = (rlim_t)lowest_free() + more;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        error = gp_net_open(&config, &net);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (error == GP_OK) {
            gp_net_close(net, 0);
        } else {
            assert_true(error == GP_E_TRANSPORT || error == GP_E_MEMORY);
            failed++;
        }
    }
    assert_in_range(failed, 10, 50);
    gp_secret_free(secret);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_paused_door_is_silent_and_opens_again),
        TEST(in_a_flood_members_are_served_and_nobody_is_refused),
        TEST(the_last_descriptors_are_kept_and_nothing_spins),
        TEST(a_link_waits_for_descriptors),
        TEST(without_descriptors_opening_fails_cleanly),
    };

    if (argc == 4 && strcmp(argv[1], "flood") == 0) {
        return play_flood((uint16_t)strtoul(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10));
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
