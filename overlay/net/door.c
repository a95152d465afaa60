#include "overlay/net/door.h"

#include "overlay/net/address.h"
#include "overlay/net/clock.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define SHED_MAX 4096

/* Highest descriptor for a connection: the kernel gives the lowest free one, so a high one says
 * that nearly all are in use, by whomever. */
static int highest(void)
{
    struct rlimit limit;
    uint64_t count = 1024;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT32_MAX) {
        count = limit.rlim_cur;
    }
    return (int)(count - (count / 4 < GP_NET_FD_RESERVE ? count / 4 : GP_NET_FD_RESERVE));
}

/* Lets requests to connect fall, or pass again. */
static bool filter(const gp_door_t *door, bool drop)
{
    struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_fprog program = {.len = 1, .filter = nothing};
    static const int ignored;

    if (drop) {
        return setsockopt(door->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
    }
    return setsockopt(door->fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof ignored) == 0;
}

static bool somebody_waits(const gp_door_t *door)
{
    struct pollfd look = {.fd = door->fd, .events = POLLIN};

    return poll(&look, 1, 0) == 1;
}

/* False: there is not even a descriptor to throw somebody out with. */
static bool shed_here(const gp_door_t *door)
{
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    for (int i = 0; i < SHED_MAX && somebody_waits(door); i++) {
        int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            (void)close(fd);
        } else if (errno == EMFILE) {
            return false;
        } else if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
            return true; /* nobody can be accepted now, by whomever: the pause must do */
        }
    }
    return true;
}

/* In a thread with a descriptor table of its own, which has room again. */
static void *shed_apart(void *arg)
{
    const gp_door_t *door = arg;
    unsigned listener = (unsigned)door->fd;

    if (unshare(CLONE_FILES) == 0 && close_range(listener + 1, ~0U, 0) == 0 &&
        (listener == 0 || close_range(0, listener - 1, 0) == 0)) {
        (void)shed_here(door);
    }
    return NULL;
}

/*
 * Throws out those who wait to be accepted, so that ZeroMQ does not try to, again and again. A
 * descriptor kept in reserve would not do: ZeroMQ's thread is as quick to take it.
 */
static void shed(gp_door_t *door)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    if (shed_here(door)) {
        return;
    }
    /* All signals stay with the loop's thread: in that one its pipe for them is closed. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&thread, NULL, shed_apart, door);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (number == 0) {
        (void)pthread_join(thread, NULL);
    }
}

static void wait_a_moment(gp_door_t *door)
{
    struct timeval pause = {.tv_sec = door->pause_ms / 1000,
                            .tv_usec = (suseconds_t)(door->pause_ms % 1000) * 1000};

    (void)event_add(door->resume, &pause);
}

static void pause_door(gp_door_t *door, bool scarce)
{
    if (!door->paused && filter(door, true)) {
        bool again = gp_net_now_ms() - door->resumed_ms < 10 * GP_DOOR_PAUSE_MS;
        door->pause_ms = again ? 2 * door->pause_ms : GP_DOOR_PAUSE_MS;
        if (door->pause_ms > GP_DOOR_PAUSE_MAX_MS) {
            door->pause_ms = GP_DOOR_PAUSE_MAX_MS;
        }
        door->paused = true;
        door->pauses++;
        wait_a_moment(door);
        door->on_pause(door->context, scarce);
    }
    if (scarce) {
        shed(door);
    }
}

static bool is_scarce(const gp_door_t *door)
{
    int fd = fcntl(door->fd, F_DUPFD_CLOEXEC, 0);

    if (fd >= 0) {
        (void)close(fd);
    }
    return fd < 0 || fd >= door->fd_max;
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    gp_door_t *door = arg;

    (void)fd;
    (void)what;
    door->fd_max = highest();
    if (is_scarce(door) || !filter(door, false)) {
        wait_a_moment(door);
        return;
    }
    door->paused = false;
    door->resumed_ms = gp_net_now_ms();
}

gp_error_t gp_door_listen(gp_door_t *door, const char *address)
{
    gp_sockaddr_t parsed;
    gp_error_t error = gp_address_parse(address, true, &parsed);

    assert(door->on_pause != NULL);
    door->fd = -1;
    if (error != GP_OK) {
        return error;
    }
    return gp_address_listen(&parsed, &door->fd, door->address);
}

gp_error_t gp_door_open(gp_door_t *door, struct event_base *base, void *inbox)
{
    int fd;

    door->resume = evtimer_new(base, on_resume, door);
    if (door->resume == NULL) {
        return GP_E_MEMORY;
    }
    door->pause_ms = GP_DOOR_PAUSE_MS;
    door->last_ms = gp_net_now_ms();
    door->tokens_ms = GP_NET_ACCEPT_BURST * UINT64_C(1000);
    door->fd_max = highest();
    fd = fcntl(door->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return GP_E_TRANSPORT;
    }
    if (zmq_setsockopt(inbox, ZMQ_USE_FD, &fd, sizeof fd) != 0) {
        (void)close(fd);
        return GP_E_TRANSPORT;
    }
    /* From here on the copy is ZeroMQ's, whatever comes of it. */
    return zmq_bind(inbox, door->address) == 0 ? GP_OK : GP_E_TRANSPORT;
}

void gp_door_accepted(gp_door_t *door, int fd)
{
    const uint64_t full = GP_NET_ACCEPT_BURST * UINT64_C(1000);
    uint64_t now = gp_net_now_ms();
    uint64_t more = (now - door->last_ms) * GP_NET_ACCEPT_RATE;

    door->accepted++;
    door->last_ms = now;
    door->tokens_ms = more > full - door->tokens_ms ? full : door->tokens_ms + more;
    door->tokens_ms -= door->tokens_ms < 1000 ? door->tokens_ms : 1000;
    if (fd >= door->fd_max) {
        pause_door(door, true);
    } else if (door->tokens_ms < 1000) {
        pause_door(door, false);
    }
}

void gp_door_failed(gp_door_t *door)
{
    door->failures++;
    pause_door(door, true);
}

void gp_door_close(gp_door_t *door)
{
    if (door->resume != NULL) {
        event_free(door->resume);
        door->resume = NULL;
    }
    if (door->fd >= 0) {
        (void)close(door->fd);
        door->fd = -1;
    }
}
