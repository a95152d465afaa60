#include "overlay/net/guest.h"

#include "overlay/net/address.h"
#include "overlay/net/clock.h"
#include "overlay/net/dial.h"
#include "overlay/net/monitor.h"
#include "overlay/net/options.h"
#include "proto/text.h"

#include <event2/event.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

typedef struct talk {
    const gp_guest_t *guest;
    uint64_t end_ms;
    void *context;
    void *socket;
    gp_monitor_t monitor;
    bool in;      /* the handshake is done */
    bool cut;     /* the connection ended after it */
    bool refused; /* it failed */
    bool dialed;
    gp_dial_t dial;
} talk_t;

static uint32_t left_ms(const talk_t *talk)
{
    uint64_t now = gp_net_now_ms();

    return now < talk->end_ms ? (uint32_t)(talk->end_ms - now) : 0;
}

static void on_dialed(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result)
{
    talk_t *talk = context;

    (void)peer;
    (void)token;
    talk->dial = result;
    talk->dialed = true;
}

/* What is at the address? One plain connection tells more than all that ZeroMQ reports. */
static gp_error_t dial(talk_t *talk)
{
    struct event_base *base = event_base_new();
    gp_dials_t dials = {.base = base, .on_result = on_dialed, .context = talk};
    gp_error_t error = GP_E_TRANSPORT;

    if (base == NULL) {
        return error;
    }
    if (gp_dial(&dials, talk->guest->address, &talk->guest->server, 0)) {
        while (!talk->dialed && event_base_loop(base, EVLOOP_ONCE) == 0) {
        }
        error = talk->dial == GP_DIAL_OPEN ? GP_OK : GP_E_JOIN_UNREACHABLE;
    }
    gp_dials_close(&dials);
    event_base_free(base);
    return error;
}

static void on_event(void *owner, uint16_t event, uint32_t value)
{
    talk_t *talk = owner;

    (void)value;
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        talk->in = true;
    } else if (talk->in) {
        talk->in = false;
        talk->cut = true;
    } else {
        talk->refused = true;
    }
}

static gp_error_t connect_to(talk_t *talk)
{
    gp_curve_t curve;
    uint8_t server_key[32];
    gp_monitor_config_t config = {
        .events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                  ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                  ZMQ_EVENT_DISCONNECTED,
        .on_event = on_event,
        .owner = talk};
    gp_error_t error = gp_id_curve(&talk->guest->server, server_key);

    if (error != GP_OK) {
        return GP_E_JOIN_REFUSED; /* a key that nobody can have */
    }
    talk->context = gp_context_new();
    if (talk->context == NULL) {
        return GP_E_TRANSPORT;
    }
    gp_secret_curve(talk->guest->secret, curve.public_key, curve.secret_key);
    talk->socket = gp_link_socket(talk->context, &curve, server_key);
    explicit_bzero(&curve, sizeof curve);
    if (talk->socket == NULL) {
        return GP_E_TRANSPORT;
    }
    config.context = talk->context;
    config.monitored = talk->socket;
    error = gp_monitor_open(&talk->monitor, &config);
    if (error == GP_OK && zmq_connect(talk->socket, talk->guest->address) != 0) {
        error = GP_E_TRANSPORT;
    }
    return error;
}

/*
 * Waits for the verdict of the handshake. Who does not know the key and hears no strangers, or too
 * many, says nothing until ZeroMQ gives the handshake up; whoever stops waiting before that can't
 * tell such a machine from a slow one.
 */
static gp_error_t wait_in(talk_t *talk)
{
    while (!talk->in) {
        zmq_pollitem_t item = {talk->monitor.pair, 0, ZMQ_POLLIN, 0};
        uint32_t ms = left_ms(talk);
        if (talk->refused) {
            return GP_E_JOIN_REFUSED;
        }
        if (ms == 0) {
            return GP_E_TIMED_OUT;
        }
        if (zmq_poll(&item, 1, (long)ms) >= 0) {
            (void)gp_monitor_drain(&talk->monitor);
        }
    }
    return GP_OK;
}

/*
 * Who does not know the key says nothing, and a machine that hangs says nothing either. ZeroMQ
 * tells no difference; but the one that runs answers the first bytes of a greeting, whoever sends
 * them.
 */
static bool greets(const talk_t *talk)
{
    static const uint8_t greeting[10] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f};
    gp_sockaddr_t address;
    bool answered = false;

    if (gp_address_parse(talk->guest->address, false, &address) != GP_OK) {
        return false;
    }
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    if (fd >= 0) {
        (void)connect(fd, (const struct sockaddr *)&address.storage, address.size);
        if (poll(&item, 1, (int)left_ms(talk)) == 1 &&
            send(fd, greeting, sizeof greeting, MSG_NOSIGNAL) == sizeof greeting) {
            item.events = POLLIN;
            uint8_t byte;
            answered = poll(&item, 1, (int)left_ms(talk)) == 1 && recv(fd, &byte, 1, 0) == 1;
        }
        (void)close(fd);
    }
    return answered;
}

/* Waits for the answer, or the end of the connection. GP_OK: one of them may be there. */
static gp_error_t wait_for_news(talk_t *talk)
{
    zmq_pollitem_t items[] = {{talk->socket, 0, ZMQ_POLLIN, 0},
                              {talk->monitor.pair, 0, ZMQ_POLLIN, 0}};

    if (zmq_poll(items, 2, (long)left_ms(talk)) <= 0) {
        return GP_E_TIMED_OUT;
    }
    (void)gp_monitor_drain(&talk->monitor);
    return GP_OK;
}

/*
 * Who does not know the key may hear the question before it cuts the connection. So does one that
 * is killed meanwhile; but that one does not come to the second handshake, or comes back and
 * answers then. To ask again costs nothing: the answer is the same.
 */
static gp_error_t question_and_answer(talk_t *talk, uint8_t *answer, size_t size, size_t *ret_n)
{
    gp_slice_t question = talk->guest->question;
    bool due = true;
    int asked = 0;
    int n = -1;

    while (n <= 0) {
        if (due && talk->in) {
            if (zmq_send(talk->socket, question.p, question.n, ZMQ_DONTWAIT) < 0) {
                return GP_E_TRANSPORT;
            }
            due = false;
            asked++;
        }
        if (wait_for_news(talk) != GP_OK) {
            return GP_E_TIMED_OUT;
        }
        n = zmq_recv(talk->socket, answer, size, ZMQ_DONTWAIT);
        if (n <= 0 && talk->cut) {
            talk->cut = false;
            due = true;
            if (asked == 2) {
                return GP_E_JOIN_REFUSED;
            }
        }
    }
    if ((size_t)n > size) {
        return GP_E_MESSAGE_SIZE;
    }
    *ret_n = (size_t)n;
    return GP_OK;
}

gp_error_t gp_guest_ask(const gp_guest_t *guest, uint8_t *answer, size_t size, size_t *ret_n,
                        gp_dial_t *ret_dial)
{
    talk_t talk = {
        .guest = guest, .end_ms = gp_net_now_ms() + guest->timeout_ms, .dial = GP_DIAL_UNREACHABLE};
    gp_error_t error = GP_OK;

    if (gp_address_check(gp_text(guest->address), false) != GP_OK) {
        error = GP_E_ADDRESS;
    } else if (guest->question.n == 0 || guest->question.n > GP_MESSAGE_MAX) {
        error = GP_E_MESSAGE_SIZE;
    }
    if (error == GP_OK) {
        error = dial(&talk);
    }
    if (error == GP_OK) {
        error = connect_to(&talk);
    }
    if (error == GP_OK) {
        error = wait_in(&talk);
        if (error == GP_E_JOIN_REFUSED && !greets(&talk)) {
            error = GP_E_TIMED_OUT;
        }
        if (error == GP_E_TIMED_OUT) {
            talk.dial = GP_DIAL_SILENT;
        }
    }
    if (error == GP_OK) {
        error = question_and_answer(&talk, answer, size, ret_n);
    }
    gp_monitor_close(&talk.monitor);
    if (talk.socket != NULL) {
        gp_socket_close(talk.socket, 0);
    }
    if (talk.context != NULL) {
        (void)zmq_ctx_term(talk.context);
    }
    *ret_dial = talk.dial;
    return error;
}
