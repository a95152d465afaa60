/* What the files of the daemon share; nobody else includes this. */
#ifndef GP_AGENT_MAIN_AGENT_STATE_H
#define GP_AGENT_MAIN_AGENT_STATE_H

#include <event2/event.h>

#include "agent/host/host.h"
#include "agent/http/server.h"
#include "agent/lab/beacon_run.h"
#include "agent/main/agent.h"
#include "agent/node/admit.h"
#include "agent/node/guests_core.h"
#include "agent/node/visit.h"
#include "agent/peer/peer.h"
#include "agent/replay/recorder.h"
#include "agent/shell/runner.h"
#include "agent/store/config.h"
#include "agent/store/identity.h"
#include "agent/store/state_dir.h"
#include "agent/store/store.h"
#include "agent/work/launcher.h"
#include "overlay/net/net.h"
#include "proto/random.h"
#include "proto/text.h"

#define AGENT_STOP_MS    2000 /* a stop in good order takes no longer */
#define AGENT_ANSWER_MS  10   /* for answers to clients that are on their way */
#define AGENT_FLUSH_MS   20   /* for goodbyes that are on their way */
#define AGENT_ERRORS_MAX 128  /* error codes that are counted one by one */

#define AGENT_WHY_MAX     200 /* bytes of why a member is as it is, terminated */
#define AGENT_MISSING_MAX (AGENT_WHY_MAX + GP_NAME_MAX + 32) /* with its name and state */

#define AGENT_CERTS     256 /* certificates known again by their bytes */
#define AGENT_SUM_BYTES 32
#define AGENT_WAITING   (2 * GP_MEMBERS_MAX)

/* A certificate that was verified: its keyed BLAKE2b sum, and until when it is valid. */
typedef struct known_cert {
    uint8_t sum[AGENT_SUM_BYTES];
    gp_wall_ms_t until_ms;
} known_cert_t;

typedef struct waiter waiter_t;
typedef struct stream stream_t;
typedef struct deferred deferred_t;
typedef struct question question_t;
typedef struct listing listing_t;

/* Somebody who asks for admission, or a member for a fresh certificate; until it is answered. */
typedef struct asking {
    struct asking *next; /* of those that are being placed */
    struct agent *agent;
    gp_id_t reply_to; /* the guest's key, or the member */
    uint64_t way;     /* a guest's connection: others may use the same key; 0: a member */
    gp_id_t node;
    char name[GP_NAME_MAX + 1];
    char address[GP_ADDRESS_MAX + 1];
    uint64_t chosen; /* the sub-Grid that it wants to go to; 0: it asks where it may */
    uint8_t found;   /* gp_founds_t: it wants to begin one of its own, or a region: `chosen` */
    uint64_t token;  /* of the question where it may go */
    gp_admit_result_t admission;
} asking_t;

typedef struct agent {
    struct event_base *base;
    gp_state_dir_t dir;
    gp_config_t config;
    gp_identity_t identity;
    gp_issuer_t issuer;
    char address[GP_ADDRESS_MAX + 1]; /* where others reach this machine */
    gp_store_t *store;
    gp_net_t *net;
    gp_http_server_t *http;
    gp_bench_t *bench;
    gp_runner_t *runner;
    gp_recorder_t *recorder;          /* NULL: nothing is recorded */
    bool crashed;                     /* the run before left its recording */
    char unrecorded[GP_LOG_TEXT_MAX]; /* why this run is not recorded, or no further; empty */
    gp_launcher_t *launcher;
    gp_host_t *host;
    gp_beacon_run_t beacon;
    struct event *wake;
    struct event *collect;
    struct event *renew;
    struct event *later;
    struct event *limit;
    struct event *admit;
    struct event *signals[2];
    gp_usec_t wake_at;
    gp_usec_t started; /* when this process began to be the agent */
    uint64_t boot;
    uint64_t requests; /* numbers of what users ask */
    bool storing;      /* the store's worker runs */
    bool stopping;
    bool idle;                          /* stopping: no work is left */
    bool left;                          /* stopping: the group knows */
    bool leaves;                        /* for good: the state directory is removed at the end */
    bool moved;                         /* it begins anew, in another sub-Grid */
    uint8_t founds;                     /* gp_founds_t, within a grid that was there */
    bool moved_before;                  /* its sub-Grid is not the one that it joined at first */
    bool told_to_stop;                  /* also if it then may not leave for good */
    bool led;                           /* when it was asked to leave */
    gp_http_call_t *leaver;             /* asked it to leave; waits to hear whether it does */
    bool changed;                       /* something that clients may wait for */
    gp_usec_t clock_told_at;            /* last hint that clocks differ; 0: never */
    uint64_t refused[AGENT_ERRORS_MAX]; /* frames, by the error that they met */
    gp_guests_t guests;                 /* invitations that the transport lets in */
    gp_refusals_t refusals;             /* in the activity log */
    gp_visit_gate_t strangers;
    uint32_t renew_failures;
    uint32_t renewed_n; /* a fresh certificate that came in, until it is taken */
    uint8_t renewed[GP_CERT_MAX];
    known_cert_t certs[AGENT_CERTS];
    gp_id_t waiting[AGENT_WAITING]; /* members that the transport does not know yet */
    uint32_t waiting_count;
    gp_id_t lapsed[GP_MEMBERS_MAX]; /* members that were forgotten: their certificates ended */
    uint32_t lapsed_count;
    asking_t *placing; /* newcomers whose sub-Grid is being asked for */
    question_t *questions;
    listing_t *listings;
    waiter_t *waiters;
    stream_t *streams;
    deferred_t *deferred; /* commands that wait for the end of the present step */
    deferred_t **deferred_last;
} agent_t;

/* agent.c */
gp_usec_t agent_now(void);
gp_wall_ms_t agent_wall(void);
void agent_settle(agent_t *agent); /* after anything that stepped the peer */
void agent_command(agent_t *agent, uint64_t token, const gp_msg_t *msg);
void agent_defer(agent_t *agent, uint64_t token, const gp_msg_t *msg);
void agent_defer_silence(agent_t *agent, const gp_id_t *peer, gp_room_t room);
void agent_stop(agent_t *agent);         /* in good order, to come back */
void agent_go(agent_t *agent);           /* for good; it does not stop yet */
void agent_end_work(agent_t *agent);     /* now it ends, within AGENT_STOP_MS */
void agent_left(agent_t *agent);         /* the group knows that this machine goes */
void agent_work_stopped(agent_t *agent); /* no program of the grid runs here any more */
const char *agent_name_of(void *context, const gp_id_t *id);
gp_error_t agent_find_address(agent_t *agent, gp_fail_t *fail); /* agent_address.c */
const void *agent_group(const agent_t *agent);
const void *agent_election(const agent_t *agent);

/* agent_effects.c */
extern const gp_effects_t agent_effects;

/* agent_visit.c: from agent_visit on frames can be sent to that machine; by what a core tells */
void agent_visit(agent_t *agent, const gp_id_t *id, const char *address);
void agent_contact(agent_t *agent, const gp_msg_contact_t *msg);
void agent_visited(agent_t *agent, const gp_id_t *peer, const gp_msg_visit_t *msg);
void agent_visitor_frame(agent_t *agent, const gp_id_t *peer, gp_slice_t frame);
bool agent_on_visit(void *context, gp_slice_t frame, gp_net_visit_t *ret_visit);
gp_slice_t agent_on_greet(void *context, const gp_id_t *peer, bool asks);

/* agent_book.c: at once; at once if it waits; when there is time; no longer */
void agent_admit_member(agent_t *agent, const gp_id_t *id, const char *address, gp_slice_t cert);
bool agent_vouched(void *context, const gp_id_t *id); /* what the group keeps of it is verified */
void agent_admit_now(agent_t *agent, const gp_id_t *id);
void agent_admit_if_member(agent_t *agent, const gp_id_t *id); /* of any group of this machine */
void agent_admit_soon(agent_t *agent, const gp_id_t *id);
void agent_book_sweep(agent_t *agent); /* those whose certificates have ended */
void agent_on_admit(evutil_socket_t fd, short what, void *context);
void agent_on_knock(void *context);

/* agent_join.c */
void agent_guest_frame(agent_t *agent, const gp_id_t *key, gp_slice_t frame);
void agent_letter(agent_t *agent, const gp_id_t *peer, const gp_msg_t *msg);
bool agent_certified(void *context, gp_seat_t seat, gp_slice_t cert, const gp_id_t *id,
                     gp_slice_t name);
bool agent_foreign(void *context, const gp_id_t *id);
bool agent_cert_valid(agent_t *agent, gp_slice_t cert, const gp_id_t *id); /* of any region */
gp_error_t agent_join_open(agent_t *agent, gp_fail_t *fail);
void agent_invite(gp_http_call_t *call, void *context);

/* Answers it and frees it. `ok`, what a JOIN_OK says beside the certificate; NULL: it is let into
 * the own sub-Grid at once. */
void agent_join_answer(asking_t *asking, const gp_msg_form_answer_t *ok);
void agent_join_refuse(asking_t *asking, gp_error_t error);

/* agent_move.c: the cores say that it is written where this machine goes; where that is */
void agent_moved(agent_t *agent);
gp_error_t agent_find_place(agent_t *agent, gp_fail_t *fail);

/* agent_place.c: where a newcomer goes; the answer */
void agent_place(asking_t *asking);
void agent_placed(agent_t *agent, uint64_t token, const gp_msg_form_answer_t *answer);
void agent_place_close(agent_t *agent);

/* agent_guests.c: those of an earlier life are read before the store's worker starts, and let in
 * once the members have been */
gp_error_t agent_guests_read(agent_t *agent);
void agent_guests_admit(agent_t *agent);
gp_error_t agent_guest_add(agent_t *agent, const gp_id_t *key, gp_wall_ms_t until_ms);
void agent_guests_sweep(agent_t *agent);

/* agent_leave.c: may this be asked now? It is asked; the role is handed over; it cannot be */
bool agent_guard(gp_http_call_t *call, const gp_http_route_t *route, void *context);
void agent_leave(gp_http_call_t *call, void *context);
void agent_relinquished(agent_t *agent, const gp_msg_relinquished_t *relinquished);
void agent_heirless(agent_t *agent);

/* agent_api.c */
extern const gp_http_route_t agent_routes[];
extern const size_t agent_route_count;
json_t *agent_id_text(const gp_id_t *id); /* "": nobody's */
void agent_why(agent_t *agent, const gp_group_member_t *member, char text[AGENT_WHY_MAX]);

/* agent_find.c: a question; the own sub-Grid's answer; that of what lies beyond */
void agent_find(gp_http_call_t *call, void *context);
/* Answers the call with an error: no member has that name; and where the machine is, if it is. */
void agent_where(agent_t *agent, gp_http_call_t *call, const char *name);
void agent_answer(agent_t *agent, uint64_t token, const gp_msg_answer_t *answer);
void agent_routed(agent_t *agent, uint64_t token, const gp_msg_route_answer_t *answer);

/* agent_groups.c: what there is beside the own sub-Grid; false: the answer is for others */
void agent_subgrids(gp_http_call_t *call, void *context);
void agent_regions(gp_http_call_t *call, void *context);
bool agent_listed(agent_t *agent, uint64_t token, const gp_msg_form_answer_t *answer);

/* agent_recorder.c: what the run before left is kept; then this one is recorded, if it is to be */
gp_error_t agent_recorder_open(agent_t *agent, gp_fail_t *fail);
void agent_recorder_tell(agent_t *agent); /* of the run before, once the log can be written */
/* It could not come up, so nobody was told: the next start finds what the run before left. */
void agent_recorder_untold(agent_t *agent);

/* agent_jobs.c */
bool agent_check_query(gp_http_call_t *call, const char *name, const char *query, const char *rank);
void agent_run(gp_http_call_t *call, void *context);
void agent_jobs_list(gp_http_call_t *call, void *context);
void agent_job_cancel(gp_http_call_t *call, void *context);
void agent_job_notice(agent_t *agent, uint64_t token, const gp_msg_t *msg);
void agent_launched(void *context, const gp_msg_t *command);

/* agent_metrics.c */
void agent_metrics(gp_http_call_t *call, void *context);

/* agent_wait.c */
void agent_wait_for(gp_http_call_t *call, void *context);
void agent_look_again(agent_t *agent); /* something changed: who waits for that? */
uint32_t agent_waiting_clients(const agent_t *agent);

#endif
