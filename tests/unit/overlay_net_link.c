/* Links between processes: killed, stopped, restarted, closed; and what waits for them. */
#include "tests/unit/overlay_net_lab.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD              9  /* the seed of a child */
#define TCP_RTO_MAX_OPTION 44 /* TCP_RTO_MAX_MS of Linux 6.15 */

static gp_net_counters_t count(const lab_node_t *node)
{
    gp_net_counters_t counters;

    gp_net_count(node->net, &counters);
    return counters;
}

static gp_id_t child_id(uint8_t seed)
{
    gp_secret_t *secret = lab_secret(seed);
    gp_id_t id = gp_secret_id(secret);

    gp_secret_free(secret);
    return id;
}

static void reap(pid_t pid)
{
    int status = 0;

    (void)kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

/* The child's address, from its first frame. */
static void learn_address(lab_node_t *node, const gp_id_t *child, char address[GP_ADDRESS_MAX + 1])
{
    LAB_UNTIL(node->lab, 5000, node->frames > 0);
    assert_true(node->last_n <= GP_ADDRESS_MAX && gp_id_equal(&node->last_peer, child));
    memcpy(address, node->last, node->last_n);
    address[node->last_n] = '\0';
}

/* TCP sockets of this process; *ret_quick of them repeat what is lost each second at least. */
static int tcp_sockets(int *ret_quick)
{
    int count = 0;

    *ret_quick = 0;
    for (int fd = 0; fd < 1024; fd++) {
        int ms = 0;
        socklen_t size = sizeof ms;
        if (getsockopt(fd, IPPROTO_TCP, TCP_RTO_MAX_OPTION, &ms, &size) == 0) {
            count++;
            *ret_quick += ms == 1000;
        }
    }
    return count;
}

static void what_is_lost_is_repeated_each_second_at_least(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    int quick = 0;

    if (tcp_sockets(&quick) == 0) {
        skip(); /* Linux before 6.15 */
    }
    lab_introduce(a, b, true);
    lab_send(a, b, "hello");
    LAB_UNTIL(lab, 5000, b->frames == 1);
    /* two that listen and both ends of a connection, at least */
    LAB_UNTIL(lab, 5000, tcp_sockets(&quick) >= 4 && quick == tcp_sockets(&quick));
}

/* The fast failure detector, where the dead had opened the connection. */
static void a_killed_process_is_noticed_by_whom_it_had_connected_to(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    pid_t pid = lab_spawn_node(a, CHILD, LAB_LOCAL);
    uint64_t killed_us;

    LAB_UNTIL(lab, 5000, a->frames == 1);
    assert_int_equal(a->ups, 1);
    lab_run(lab, 50);
    killed_us = lab_now_us();
    assert_int_equal(kill(pid, SIGKILL), 0);
    LAB_UNTIL(lab, 1000, a->downs == 1);
    print_message("incoming: down %llu us after kill\n",
                  (unsigned long long)(a->down_us - killed_us));
    reap(pid);
}

/* The same where this side wants a link as well: the connection that is there will do. */
static void a_link_that_is_held_may_be_the_other_sides(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t child = child_id(CHILD);
    pid_t pid = lab_spawn_node(a, CHILD, LAB_LOCAL);
    char address[GP_ADDRESS_MAX + 1];
    gp_net_peer_info_t info;
    uint64_t killed_us;

    learn_address(a, &child, address);
    assert_int_equal(gp_net_admit(a->net, &child, address), GP_OK);
    assert_int_equal(gp_net_link(a->net, &child, true), GP_OK);
    lab_run(lab, 100);
    assert_true(gp_net_peer(a->net, 0, &info) && info.held && !info.outgoing);
    assert_int_equal(info.incoming, 1);
    assert_int_equal(a->ups, 1);
    killed_us = lab_now_us();
    assert_int_equal(kill(pid, SIGKILL), 0);
    LAB_UNTIL(lab, 1000, a->downs == 1);
    print_message("held: down %llu us after kill\n", (unsigned long long)(a->down_us - killed_us));
    /* The kernel of the dead refuses, once all of its files are closed: that is evidence. */
    reap(pid);
    assert_int_equal(gp_net_dial(a->net, &child, 7), GP_OK);
    LAB_UNTIL(lab, 1000, a->dials == 1);
    assert_int_equal(a->dialed, GP_DIAL_REFUSED);
    assert_int_equal(a->dial_token, 7);

    /* restarted in the same place, it is back by itself */
    pid = lab_spawn_node(a, CHILD, address);
    LAB_UNTIL(lab, 3000, gp_net_peer(a->net, 0, &info) && info.up);
    assert_int_equal(a->ups, 2);
    reap(pid);
}

static uint32_t outgoing(const lab_node_t *node)
{
    gp_net_peer_info_t info;

    return gp_net_peer(node->net, 0, &info) && info.outgoing ? 1 : 0;
}

static uint32_t incoming(const lab_node_t *node)
{
    gp_net_peer_info_t info;

    return gp_net_peer(node->net, 0, &info) ? info.incoming : 0;
}

/* Of two connections that were opened at the same time, the lower id's stays; nobody hears of it.
 */
static void of_two_connections_one_stays(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    lab_node_t *low = gp_id_compare(&a->id, &b->id) < 0 ? a : b;
    lab_node_t *high = low == a ? b : a;

    lab_introduce(a, b, true);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    assert_int_equal(gp_net_link(b->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1 && b->ups == 1);
    lab_send(low, high, "before");
    lab_send(high, low, "before");
    LAB_UNTIL(lab, 3000,
              outgoing(low) == 1 && incoming(high) == 1 && outgoing(high) == 0 &&
                  incoming(low) == 0);
    lab_send(low, high, "after");
    lab_send(high, low, "after");
    LAB_UNTIL(lab, 2000, low->frames == 2 && high->frames == 2);
    assert_true(low->ups + high->ups == 2 && low->downs + high->downs == 0);
}

/* The side that opened it lets go and is idle: the other side, which holds on, opens its own. */
static void whoever_holds_on_opens_it_again(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b;

    lab->nodes[1].idle_ms = 200;
    b = lab_start(lab, 1, LAB_LOCAL);
    lab_introduce(a, b, true);
    assert_int_equal(gp_net_link(b->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1 && b->ups == 1);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    assert_int_equal(gp_net_link(b->net, &a->id, false), GP_OK);
    LAB_UNTIL(lab, 5000, outgoing(a) == 1 && incoming(b) == 1);
    lab_send(b, a, "hello");
    LAB_UNTIL(lab, 2000, a->frames == 1);
}

/* While the old process hangs with its connections open, a new one with its identity takes over. */
static void a_restarted_machine_replaces_its_hanging_predecessor(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t child = child_id(CHILD);
    pid_t old = lab_spawn_node(a, CHILD, LAB_LOCAL);
    pid_t new;

    LAB_UNTIL(lab, 5000, a->frames == 1);
    assert_int_equal(kill(old, SIGSTOP), 0);
    new = lab_spawn_node(a, CHILD, LAB_LOCAL);
    LAB_UNTIL(lab, 5000, a->frames == 2);
    assert_int_equal(gp_net_send(a->net, &child, gp_text("who?"), GP_CLASS_CONTROL), GP_OK);
    LAB_UNTIL(lab, 2000, a->frames == 3); /* the new one echoes */
    assert_int_equal(a->ups, 1);
    assert_int_equal(a->downs, 0);
    /* the end of the old one is no news */
    reap(old);
    lab_run(lab, 50);
    assert_int_equal(a->downs, 0);
    assert_int_equal(gp_net_send(a->net, &child, gp_text("who?"), GP_CLASS_CONTROL), GP_OK);
    LAB_UNTIL(lab, 2000, a->frames == 4);
    reap(new);
    LAB_UNTIL(lab, 1000, a->downs == 1);
}

static void a_farewell_arrives_whole_before_the_end_is_told(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t child = child_id(CHILD);
    pid_t pid = lab_spawn_node(a, CHILD, LAB_LOCAL);
    int status = -1;

    LAB_UNTIL(lab, 5000, a->frames == 1);
    assert_int_equal(gp_net_send(a->net, &child, gp_text("close"), GP_CLASS_CONTROL), GP_OK);
    LAB_UNTIL(lab, 3000, a->downs == 1);
    assert_int_equal(a->frames, 101);
    LAB_UNTIL(lab, 3000, lab_ended(pid, &status));
    assert_int_equal(status, 0);
}

/* A stopped process: its kernel answers for it, so a dial says OPEN; frames to it are bounded. */
static void a_stopped_process_looks_open_and_its_queue_is_bounded(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t child = child_id(CHILD);
    pid_t pid = lab_spawn_node(a, CHILD, LAB_LOCAL);
    char address[GP_ADDRESS_MAX + 1];
    static uint8_t bytes[16384];
    gp_error_t error = GP_OK;
    gp_net_counters_t counters;
    int sent = 0;

    learn_address(a, &child, address);
    assert_int_equal(gp_net_admit(a->net, &child, address), GP_OK);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(gp_net_dial(a->net, &child, 1), GP_OK);
    LAB_UNTIL(lab, 1000, a->dials == 1);
    assert_int_equal(a->dialed, GP_DIAL_OPEN);

    /* DATA is refused when too much waits */
    while (error == GP_OK && sent < 10000) {
        error = gp_net_send(a->net, &child, gp_slice(bytes, sizeof bytes), GP_CLASS_DATA);
        sent += error == GP_OK;
        lab_turn(lab);
    }
    assert_int_equal(error, GP_E_PEER_QUEUE);
    counters = count(a);
    assert_true(counters.queued_bytes <= GP_PEER_QUEUE_BYTES);
    assert_int_equal(counters.dropped[GP_DROP_FULL], 1);
    assert_int_equal(counters.queued, GP_PEER_QUEUE_BYTES / sizeof bytes);

    /* CONTROL makes room for the newest */
    for (int i = 0; i < GP_PEER_QUEUE_MAX + 10; i++) {
        assert_int_equal(gp_net_send(a->net, &child, gp_text("beat"), GP_CLASS_CONTROL), GP_OK);
    }
    assert_int_equal(count(a).dropped[GP_DROP_DISPLACED], 10);

    /* awake again, it gets what waits, or that is dropped as too old; nothing stays behind */
    assert_int_equal(kill(pid, SIGCONT), 0);
    LAB_UNTIL(lab, 8000, count(a).queued == 0 && count(a).queued_bytes == 0);
    assert_int_equal(a->downs, 0);
    reap(pid);
}

/* A stranger's server sits on the peer's port, and says things that are no ZMTP; later it is gone.
 */
static void a_link_outlives_a_stranger_on_its_port(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    static const char *const greetings[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-x\r\n",
                                            ""};
    gp_id_t id = child_id(2);

    for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof at;
        char address[GP_ADDRESS_MAX + 1];
        uint32_t ups = a->ups;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int served = 0;
        static const int on = 1;

        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(fd, 5), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
        (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
        assert_int_equal(gp_net_admit(a->net, &id, address), GP_OK);
        assert_int_equal(gp_net_link(a->net, &id, true), GP_OK);
        for (uint64_t end_us = lab_now_us() + 600000; lab_now_us() < end_us;) {
            int client = accept(fd, NULL, NULL);
            if (client >= 0) {
                (void)send(client, greetings[i], strlen(greetings[i]), MSG_NOSIGNAL);
                (void)close(client);
                served++;
            }
            lab_turn(lab);
        }
        assert_in_range(served, 1, 40); /* tried again, and not in a frenzy */
        assert_int_equal(a->ups, ups);
        (void)close(fd);
        lab_node_t *b = lab_start(lab, 1, address);
        assert_int_equal(gp_net_admit(b->net, &a->id, NULL), GP_OK);
        LAB_UNTIL(lab, 4000, a->ups == ups + 1);
        lab_stop(b, 0);
        gp_net_forget(a->net, &id);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_killed_process_is_noticed_by_whom_it_had_connected_to),
        TEST(a_link_that_is_held_may_be_the_other_sides),
        TEST(of_two_connections_one_stays),
        TEST(what_is_lost_is_repeated_each_second_at_least),
        TEST(whoever_holds_on_opens_it_again),
        TEST(a_restarted_machine_replaces_its_hanging_predecessor),
        TEST(a_farewell_arrives_whole_before_the_end_is_told),
        TEST(a_link_outlives_a_stranger_on_its_port),
        TEST(a_stopped_process_looks_open_and_its_queue_is_bounded),
    };

    lab_play_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
