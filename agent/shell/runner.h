/*
 * The runner: drives one peer for a shell. The daemon and the simulator share it, so what a batch
 * of actions means is written once.
 *
 * It turns frames into events through the gate, actions into effects, and keeps the barrier: once
 * a room stores a record, everything that the room asks for afterwards waits, as finished frames,
 * until that record is durable. If it cannot be made durable, the rest of the same step is dropped
 * and the core is told.
 */
#ifndef GP_AGENT_SHELL_RUNNER_H
#define GP_AGENT_SHELL_RUNNER_H

#include "agent/peer/gate.h"
#include "proto/core.h"

/* How a shell carries out what cores decide. Slices and messages are valid during the call only. */
typedef struct gp_effects {
    gp_usec_t (*now)(void *context);     /* this machine's monotonic clock */
    gp_wall_ms_t (*wall)(void *context); /* this machine's wall clock */
    /*
     * Make msg, packed as bytes, its room's record of that kind; answer later (never during the
     * call) by gp_runner_stored, for each room in the order of the calls.
     */
    void (*store)(void *context, const gp_msg_t *msg, gp_slice_t bytes, uint64_t ticket);
    void (*send)(void *context, const gp_id_t *to, gp_msg_kind_t kind, gp_slice_t frame);
    void (*link)(void *context, const gp_id_t *peer, bool hold);
    void (*dial)(void *context, const gp_id_t *peer, gp_room_t room);
    void (*notice)(void *context, gp_room_t room, uint64_t token, const gp_msg_t *msg);
    void (*letter)(void *context, const gp_id_t *peer, const gp_msg_t *msg); /* of the room JOIN */
    void (*dropped)(void *context, const gp_id_t *peer, gp_error_t error); /* a frame was refused */
} gp_effects_t;

/* Large buffers that every runner of a process shares; one thread uses them. */
typedef struct gp_bench gp_bench_t;
gp_bench_t *gp_bench_new(void); /* NULL: out of memory */
void gp_bench_free(gp_bench_t *bench);

typedef struct gp_runner gp_runner_t;
typedef struct gp_runner_config gp_runner_config_t;

/* Who looks on, to record it: at what the cores begin with, what comes in and what they do. */
typedef struct gp_tap {
    void (*begin)(void *context, const gp_runner_config_t *config);
    void (*before)(void *context, const gp_event_t *event); /* of the step: it may not return */
    void (*after)(void *context, const gp_out_t *out);
} gp_tap_t;

struct gp_runner_config {
    const gp_core_ops_t *ops;
    const void *core_config;
    uint64_t seed;
    gp_gate_config_t gate;
    const gp_effects_t *effects;
    void *context;
    gp_bench_t *bench;
    /* Zeroed memory for the runner and its core, gp_runner_size bytes; NULL: it makes its own. */
    void *memory;
    const gp_tap_t *tap; /* NULL: nobody looks on */
    void *tap_context;
};

/* Bytes of a runner with its core; 0: the core cannot use this config. */
size_t gp_runner_size(const gp_runner_config_t *config);

/* GP_E_CONFIG: the core cannot use this config; GP_E_MEMORY. */
GP_MUST_CHECK gp_error_t gp_runner_new(const gp_runner_config_t *config, gp_runner_t **ret_runner);
void gp_runner_free(gp_runner_t *runner);

/* A record from the disk, as store was given it; before start. */
void gp_runner_load(gp_runner_t *runner, const gp_msg_t *msg);
void gp_runner_start(gp_runner_t *runner);

void gp_runner_frame(gp_runner_t *runner, const gp_id_t *session, gp_slice_t frame);
void gp_runner_link(gp_runner_t *runner, const gp_id_t *peer, bool up);
void gp_runner_dialed(gp_runner_t *runner, const gp_id_t *peer, gp_room_t room, gp_dial_t result);
void gp_runner_stored(gp_runner_t *runner, gp_room_t room, uint64_t ticket, bool ok);
void gp_runner_command(gp_runner_t *runner, uint64_t token, const gp_msg_t *msg);
/* The same in the seat of another group than the sub-Grid's. */
void gp_runner_command_in(gp_runner_t *runner, gp_seat_t seat, uint64_t token, const gp_msg_t *msg);

/* The signed frame of a message that the shell itself sends; valid until the next call. */
gp_slice_t gp_runner_seal(gp_runner_t *runner, const gp_id_t *to, const gp_msg_t *msg);

/* Runs the core if its time has come. */
void gp_runner_wake(gp_runner_t *runner);

/* When gp_runner_wake is next wanted, on this machine's clock; GP_NEVER if not. */
gp_usec_t gp_runner_next(const gp_runner_t *runner);

/* The core's memory, for its const accessors. */
const void *gp_runner_core(const gp_runner_t *runner);

/* The same to change it, for a shell that simulates. */
void *gp_runner_memory(gp_runner_t *runner);

/* Nothing waits for the disk. */
bool gp_runner_is_idle(const gp_runner_t *runner);

/* A zeroed message of this kind for building a command; one at a time. */
gp_msg_t *gp_runner_draft(gp_runner_t *runner, gp_msg_kind_t kind);

#endif
