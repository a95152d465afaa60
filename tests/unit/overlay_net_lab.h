/*
 * A few transports in one process and one event loop, which note what they are told.
 */
#ifndef GP_TESTS_UNIT_OVERLAY_NET_LAB_H
#define GP_TESTS_UNIT_OVERLAY_NET_LAB_H

#include "overlay/net/net.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/types.h>
/* cmocka wants the three above */
#include <cmocka.h>

#define LAB_NODES 10
#define LAB_LOCAL "tcp://127.0.0.1:0"

typedef struct lab lab_t;
typedef struct lab_node lab_node_t;

struct lab_node {
    lab_t *lab;
    gp_secret_t *secret;
    gp_id_t id;
    gp_net_t *net;
    uint32_t frames;
    uint32_t guest_frames;
    uint32_t visitor_frames;
    uint64_t bytes;
    gp_id_t last_peer;
    uint8_t last[GP_MESSAGE_MAX];
    uint32_t last_n;
    uint32_t ups;
    uint32_t downs;
    uint64_t down_us; /* when the last down was told */
    uint32_t knocks;
    uint32_t dials;
    gp_dial_t dialed;
    uint64_t dial_token;
    uint32_t troubles;
    uint32_t idle_ms; /* kept by lab_start */
    uint32_t wait_ms; /* the same */
    uint32_t visitor_idle_ms;
    uint32_t visitor_rest_ms;
    /* the same: hears strangers, and greets; proof: by what lab_greeting wrote */
    bool open;
    uint64_t valid_ms; /* of who greets it; 0: an hour */
    uint32_t visits;   /* first frames heard of those who are not known */
    uint32_t greetings;
    void (*on_frame)(lab_node_t *node, const gp_id_t *peer, gp_slice_t frame); /* may be NULL */
    void (*on_link)(lab_node_t *node, const gp_id_t *peer, bool up);           /* may be NULL */
    void *extra;
};

struct lab {
    struct event_base *base;
    struct event *beat; /* so that a wait looks at its condition every few ms */
    lab_node_t nodes[LAB_NODES];
};

/* cmocka's setup and teardown: *state is a lab_t. */
int lab_setup(void **state);
int lab_teardown(void **state);

/* Starts node i with the identity of seed i + 1 (all bytes), or ends it and forgets what it noted.
 */
lab_node_t *lab_start(lab_t *lab, int i, const char *listen);
void lab_stop(lab_node_t *node, uint32_t flush_ms);
gp_secret_t *lab_secret(uint8_t seed);

/* Each admits the other; b's address is told to a, and a's to b if `both`. */
void lab_introduce(lab_node_t *a, lab_node_t *b, bool both);

/*
 * What a machine of this lab says first, in place of a certificate: "V", whether it asks, its id,
 * its address. Whoever says so is believed; the key is the transport's business.
 */
gp_slice_t lab_greeting(const gp_id_t *id, bool asks, const char *address);

void lab_send(lab_node_t *from, const lab_node_t *to, const char *text);

gp_net_counters_t lab_count(const lab_node_t *node);

/* A DEALER of the test's own, with the key of a seed, to do what a link never does. */
typedef struct lab_raw {
    void *context;
    void *socket;
    gp_secret_t *secret;
    gp_id_t id;
} lab_raw_t;

/* routing_id: NULL for none. */
lab_raw_t lab_raw_open(uint8_t seed, const lab_node_t *to, const char *routing_id);
void lab_raw_close(lab_raw_t *raw);
bool lab_raw_sent(lab_raw_t *raw, const void *bytes, size_t n);
int lab_raw_received(lab_raw_t *raw); /* how many bytes; negative: nothing is there */

/* The port of an address. */
uint16_t lab_port(const char *address);

/* A plain connection to that port of 127.0.0.1; fails the test if there is none. */
int lab_connect(uint16_t port);

uint64_t lab_now_us(void);
void lab_turn(lab_t *lab);

/* Runs the loop for so long. */
void lab_run(lab_t *lab, uint32_t ms);

/* A number of /proc/self/status, as "VmSize:". */
long lab_status(const char *name);

/*
 * Starts this program again with these arguments (argv[0] is set; NULL at the end). It ends with
 * its parent at the latest.
 */
pid_t lab_spawn(const char *const *arguments);

/* Has the child ended? Its status then is as waitpid says. */
bool lab_ended(pid_t child, int *ret_status);

/*
 * In main, first: if this is a child that lab_spawn_node started, plays it and does not return.
 * The child has the identity of `seed`, admits the node, tells it its address in a first frame over
 * its own link and echoes what comes. On "close" it sends 100 frames "bye" and closes.
 */
void lab_play_child(int argc, char **argv);
pid_t lab_spawn_node(const lab_node_t *parent, uint8_t seed, const char *listen);

/* Runs the loop until the condition holds; fails the test if that takes longer than limit_ms. */
#define LAB_UNTIL(lab, limit_ms, condition)                                                        \
    do {                                                                                           \
        uint64_t lab_end_us = lab_now_us() + (limit_ms)*UINT64_C(1000);                            \
        while (!(condition)) {                                                                     \
            if (lab_now_us() > lab_end_us) {                                                       \
                fail_msg("not within %d ms: %s", (int)(limit_ms), #condition);                     \
            }                                                                                      \
            lab_turn(lab);                                                                         \
        }                                                                                          \
    } while (0)

#endif
