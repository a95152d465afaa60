/*
 * The work core's memory and what its files share. Private to agent/work.
 *
 * One block: gp_work_t, home jobs, attempts, the commands of both, the output rings. Nothing in it
 * points into it, so it may be moved.
 */
#ifndef GP_AGENT_WORK_WORK_STATE_H
#define GP_AGENT_WORK_WORK_STATE_H

#include "agent/work/work_core.h"
#include "proto/cert.h"
#include "proto/random.h"

#define WORK_HITS_MAX      8                  /* machines that one job tries, best first */
#define WORK_FINDS_MAX     (GP_FINDS_MAX / 2) /* questions that jobs have open: others ask too */
#define WORK_NUMBER_BITS   20                 /* jobs, and offers, of one start of the agent */
#define WORK_LEASE_LONGEST (GP_SECOND * 3600)

/* A step leaves room for the other rooms of the machine on the same sheet. */
#define WORK_STEP_ACTIONS 64
#define WORK_STEP_BYTES   65536

#define WORK_RESEND            (300 * GP_MSEC) /* CLAIM, first KEEP, CANCEL */
#define WORK_FIND_AGAIN        (300 * GP_MSEC) /* discovery has no answer now */
#define WORK_FIND_LOST         (5 * GP_SECOND) /* discovery says nothing at all */
#define WORK_STORE_AGAIN       (1 * GP_SECOND) /* the disk failed */
#define WORK_ACK_DELAY         (20 * GP_MSEC)  /* credit waits for more output to come */
#define WORK_OUTPUT_RESEND     (500 * GP_MSEC) /* unacknowledged output; doubles */
#define WORK_OUTPUT_RESEND_MAX (4 * GP_SECOND)
#define WORK_END_RESEND        (500 * GP_MSEC) /* unacknowledged end; doubles */
#define WORK_END_RESEND_MAX    (30 * GP_SECOND)
#define WORK_STOP_RESEND       (2 * GP_SECOND) /* the launcher has not reaped it yet */
#define WORK_RESTART_LEASES    6  /* leases that a restarted home waits for the truth about a job */
#define WORK_GONE_LEASES       10 /* leases of silence from a machine that nobody knows any more */

typedef struct work_name {
    uint8_t n;
    uint8_t b[GP_NAME_MAX];
} work_name_t;

typedef struct work_text {
    uint16_t n;
    uint8_t b[GP_REASON_TEXT_MAX];
} work_text_t;

typedef struct work_hit {
    gp_id_t id;
    work_name_t name;
} work_hit_t;

/* How an attempt ended; in ENDED, in both records and in the last JOB notice. */
typedef struct work_end {
    gp_reason_t reason;
    uint32_t code;
    bool cut;
    uint64_t output;
    uint64_t wall_us;
    uint64_t cpu_us;
    uint64_t peak_bytes;
} work_end_t;

/* One STORE at a time for each record; what changed meanwhile is stored again. */
typedef struct work_storing {
    uint64_t token; /* of the STORE under way; 0: none */
    bool again;
} work_storing_t;

typedef enum home_phase {
    HOME_FREE = 0,
    HOME_NEW,      /* its record is being stored: the user does not know its number yet */
    HOME_MATCHING, /* discovery is asked for machines */
    HOME_CLAIMING, /* a machine is asked for an offer */
    HOME_NAMING,   /* the offer's machine is being stored as the executor */
    HOME_ORDERED,  /* the order to start is sent: from here on it may have run */
    HOME_RUNNING,  /* the executor says that it runs */
    HOME_ENDING,   /* the end is known and being stored */
    HOME_ENDED
} home_phase_t;

typedef struct home_job {
    home_phase_t phase;
    uint64_t job;
    uint64_t request; /* the token under which the user asked; 0: in an earlier life */
    uint64_t ticket;
    uint32_t incarnation;
    gp_id_t on;
    gp_id_t executor;
    work_name_t node;
    work_name_t name;
    work_text_t text; /* of the last refusal, then of the end */
    work_hit_t hits[WORK_HITS_MAX];
    uint32_t hit_count;
    uint32_t hit_next;
    bool finding;            /* a question is open */
    bool deaf;               /* the user is gone: output goes nowhere */
    bool ended_known;        /* `end` holds what the executor said; output may be missing */
    bool ack_owed;           /* ENDED_ACK waits for the record */
    bool unrecorded;         /* its end is known, and the disk failed to take it */
    gp_reason_t stop_reason; /* NONE: nobody wants it stopped */
    gp_job_state_t end_state;
    gp_job_state_t last_state; /* before the end: until that is stored, nobody hears of it */
    work_end_t end;
    work_storing_t storing;
    gp_usec_t since;
    gp_usec_t heard;
    gp_usec_t due;        /* when the phase has something to do; GP_NEVER */
    gp_usec_t deadline;   /* when the phase gives up; GP_NEVER */
    gp_usec_t cancel_due; /* next CANCEL; GP_NEVER */
    gp_usec_t credit_due; /* next OUTPUT_ACK; GP_NEVER */
    bool changed;         /* a JOB notice is due */
    bool release;         /* one CANCEL is due: it may hold an offer, or run on */
    uint64_t received;
    uint64_t consumed;
    uint64_t acked; /* `received` as last told */
    uint64_t until; /* credit as last told */
    uint32_t command_used;
} home_job_t;

typedef enum attempt_phase {
    ATTEMPT_FREE = 0,
    ATTEMPT_OFFERED,  /* a ticket is out; in memory only */
    ATTEMPT_STORING,  /* ordered; its record is being stored */
    ATTEMPT_STARTING, /* the launcher was told to start it */
    ATTEMPT_RUNNING,
    ATTEMPT_STOPPING, /* the launcher was told to stop it */
    ATTEMPT_ENDED     /* the home is told until it has recorded it */
} attempt_phase_t;

typedef struct attempt {
    attempt_phase_t phase;
    gp_id_t home;
    uint64_t job;
    uint64_t ticket;
    uint32_t incarnation;
    work_name_t name;
    work_text_t text;
    gp_reason_t stop_reason;
    work_end_t end;
    bool end_stored;
    work_storing_t storing;
    gp_usec_t lease_until; /* OFFERED: until when the offer stands */
    gp_usec_t due;         /* next JOB_START, JOB_STOP or ENDED; GP_NEVER */
    gp_usec_t due_step;    /* the pause before the one after */
    bool kept_owed;        /* a KEPT is due */
    bool lease_owed;       /* a JOB_LEASE is due */
    bool lease_over;       /* while it was being stopped: no more grace */
    bool end_told;         /* ENDED was sent at least once */
    gp_usec_t output_due;  /* resend output; GP_NEVER */
    gp_usec_t output_step;
    uint64_t output_start; /* the ring holds [start, end) */
    uint64_t output_end;
    uint64_t output_sent;
    uint64_t output_until; /* the home's credit */
    uint64_t output_read;  /* up to where the launcher may read */
    uint32_t command_used;
} attempt_t;

/* An attempt that was here and is over: it is never taken again. */
typedef struct work_over {
    gp_id_t home;
    uint64_t job;
    uint32_t incarnation;
} work_over_t;

typedef struct work_peer {
    gp_id_t id;
    gp_member_state_t state;
    gp_cause_t cause;
    uint16_t roles;
} work_peer_t;

typedef struct gp_work {
    gp_work_config_t config;
    gp_id_t self;
    gp_random_t random;
    uint32_t home_count; /* slots ever in use: the rest of the block is untouched */
    uint32_t attempt_count;
    uint64_t numbers;        /* jobs numbered since the start */
    uint64_t tickets;        /* offers made since the start */
    uint64_t forgotten;      /* the highest ticket whose record was given up unreported */
    uint64_t store_sequence; /* of STORE tokens */
    uint32_t finds_open;
    uint32_t step_count; /* the sheet as this step found it */
    size_t step_used;
    uint32_t cursor; /* where the next WAKE begins: no slot starves */
    uint16_t roles;  /* this machine's own */
    bool lend;
    bool draining;
    bool stopping;
    bool stopped_told;
    gp_usec_t stop_deadline;
    work_peer_t peers[GP_MEMBERS_MAX];
    uint32_t peer_count;
    size_t jobs_at; /* offsets from the block's start */
    size_t attempts_at;
    size_t home_commands_at;
    size_t attempt_commands_at;
    size_t rings_at;
    size_t marks_at;
    size_t over_at;      /* a ring of attempts_max work_over_t */
    uint32_t over_count; /* of its places in use */
    uint32_t over_next;
} gp_work_t;

/* ---- work_core.c: what both sides share ------------------------------------------------------ */

/* Slots in use: index below home_count and attempt_count. */
home_job_t *gp_work_home_slot(gp_work_t *work, uint32_t index);
attempt_t *gp_work_attempt_slot(gp_work_t *work, uint32_t index);

/* A free slot, or NULL: the table is full. */
home_job_t *gp_work_home_free(gp_work_t *work);
attempt_t *gp_work_attempt_free(gp_work_t *work);

/* Memory for the packed command of a job or an attempt: config.command_bytes long. */
uint8_t *gp_work_home_bytes(gp_work_t *work, const home_job_t *job);
uint8_t *gp_work_attempt_bytes(gp_work_t *work, const attempt_t *attempt);

/* The output ring of an attempt (config.output_window bytes) and its marks: a bit a byte, stderr.
 */
uint8_t *gp_work_ring(gp_work_t *work, const attempt_t *attempt);
uint8_t *gp_work_marks(gp_work_t *work, const attempt_t *attempt);

/* A place of the ring of attempts that are over: index below config.attempts_max. */
work_over_t *gp_work_over_slot(gp_work_t *work, uint32_t index);

/* Room for one more round of actions in this step. */
bool gp_work_has_room(const gp_work_t *work, const gp_out_t *out);

/*
 * Begins a STORE of the record, or notes that it must be stored again. Returns the message to fill
 * in, or NULL if one is under way.
 */
gp_msg_t *gp_work_store_job(gp_work_t *work, home_job_t *job, gp_out_t *out);
gp_msg_t *gp_work_store_attempt(gp_work_t *work, attempt_t *attempt, gp_out_t *out);

/* A STORE whose answer nobody waits for: the removal of a record. */
gp_msg_t *gp_work_store_removal(gp_work_t *work, gp_msg_kind_t kind, gp_out_t *out);

/* What the group last said of a machine, or NULL. */
const work_peer_t *gp_work_peer(const gp_work_t *work, const gp_id_t *id);

/* What a machine may do, this one too: gp_role_t bits; none if it is a stranger. */
uint16_t gp_work_roles_of(const gp_work_t *work, const gp_id_t *id);

/* The group says that the machine is unavailable or has left. */
bool gp_work_peer_down(const gp_work_t *work, const gp_id_t *id);

/* ---- words_core.c: commands and short texts -------------------------------------------------- */

/* Texts are cut before a character where they are too long, and always fit a TEXT field. */
void gp_work_name_set(work_name_t *name, gp_slice_t from);
void gp_work_text_set(work_text_t *text, gp_slice_t from);
void gp_work_text_add(work_text_t *text, gp_slice_t from);
void gp_work_text_number(work_text_t *text, uint64_t number);
gp_slice_t gp_work_name_slice(const work_name_t *name);
gp_slice_t gp_work_text_slice(const work_text_t *text);

typedef struct work_words {
    gp_slice_t where;
    gp_slice_t rank;
    const gp_record_word_t *args;
    uint32_t args_count;
    const gp_record_word_t *env;
    uint32_t env_count;
} work_words_t;

/*
 * Packs words into `to`. Errors: GP_E_RUN_LIMIT (over a limit, or they do not fit),
 * GP_E_MESSAGE_DECODE (not UTF-8, or with a NUL: no message could carry them).
 */
GP_MUST_CHECK gp_error_t gp_work_words_pack(const work_words_t *words, uint8_t *to, uint32_t size,
                                            uint32_t *ret_used);

/* Unpacks; slices point into `bytes`. args and env have GP_ARGS_MAX records each. */
void gp_work_words_unpack(gp_slice_t bytes, work_words_t *ret_words, gp_record_word_t *args,
                          gp_record_word_t *env);

/*
 * A handler of an event changes state and sets due times; the *_due functions, which run at the end
 * of every step for everything that is due, send, store and tell.
 */

/* ---- place_core.c: from a new job to an order ------------------------------------------------ */

/* Its question, if one is open, is open no more. */
void gp_home_close_find(gp_work_t *work, home_job_t *job);
void gp_home_match(gp_work_t *work, home_job_t *job, gp_usec_t now);
void gp_home_answer(gp_work_t *work, const gp_event_t *event);
void gp_home_claimed(gp_work_t *work, const gp_event_t *event, gp_out_t *out);
void gp_home_claim_next(gp_work_t *work, home_job_t *job, gp_usec_t now);
void gp_home_place_due(gp_work_t *work, home_job_t *job, gp_usec_t now, gp_out_t *out);

/* ---- home_core.c: a job's record, its start and its end -------------------------------------- */

home_job_t *gp_home_find(gp_work_t *work, uint64_t number);
void gp_home_enter(home_job_t *job, home_phase_t phase, gp_usec_t now);
void gp_home_send_cancel(const home_job_t *job, gp_reason_t reason, gp_out_t *out);

/* Ends a job with the words that are in its `text`. */
void gp_home_finish(gp_work_t *work, home_job_t *job, gp_job_state_t state, gp_reason_t reason,
                    gp_usec_t now);

/* Ends a job that certainly never started, as its stop_reason says. */
void gp_home_finish_stopped(gp_work_t *work, home_job_t *job, gp_usec_t now);
void gp_home_load(gp_work_t *work, const gp_event_t *event);
void gp_home_command(gp_work_t *work, const gp_event_t *event, gp_out_t *out);
void gp_home_stored(gp_work_t *work, home_job_t *job, const gp_event_t *event, gp_out_t *out);
void gp_home_stop(gp_work_t *work, gp_usec_t now);
void gp_home_due(gp_work_t *work, home_job_t *job, gp_usec_t now, gp_out_t *out);
gp_usec_t gp_home_wake(const home_job_t *job);
bool gp_home_open(const home_job_t *job);
gp_job_state_t gp_home_state(const home_job_t *job);
/* How it ended; while it has not, nothing, although its program's end may be known: its output is
 * still on the way. STORAGE while it runs: the disk failed to take its end, and is tried again. */
work_end_t gp_home_end(const home_job_t *job);
/* Of the last refusal, or of its end, in words. */
gp_slice_t gp_home_text(const home_job_t *job);
void gp_home_check(const gp_work_t *work, const home_job_t *job);

/* ---- watch_core.c: a job that may be running: lease, output, end, its machine's fate --------- */

void gp_home_message(gp_work_t *work, const gp_event_t *event, gp_out_t *out);
void gp_home_consumed(gp_work_t *work, home_job_t *job, uint64_t offset, gp_usec_t now);
void gp_home_member(gp_work_t *work, const gp_id_t *id, bool forgotten, gp_usec_t now);
void gp_home_watch_due(gp_work_t *work, home_job_t *job, gp_usec_t now, gp_out_t *out);

/* ---- executor_core.c: attempts --------------------------------------------------------------- */

void gp_executor_message(gp_work_t *work, const gp_event_t *event, gp_out_t *out);
void gp_executor_expire(gp_work_t *work, gp_usec_t now);
void gp_executor_member(gp_work_t *work, const gp_id_t *id, bool forgotten, gp_out_t *out);
void gp_executor_stop(gp_work_t *work, gp_usec_t now);

/* Says that the offer of this ticket never started and never will. */
void gp_executor_refuse(const attempt_t *attempt, gp_error_t error, const char *text,
                        gp_out_t *out);
bool gp_executor_active(const attempt_t *attempt);

/* Keeps in mind that this attempt was here, in place of the one that was over first. */
void gp_executor_remember(gp_work_t *work, const attempt_t *attempt);

/* ---- attempt_core.c: the life of one attempt ------------------------------------------------- */

void gp_attempt_load(gp_work_t *work, const gp_event_t *event);
void gp_attempt_command(gp_work_t *work, const gp_event_t *event);
void gp_attempt_stored(gp_work_t *work, attempt_t *attempt, const gp_event_t *event, gp_out_t *out);

/* The order: an offer becomes an attempt. */
void gp_attempt_begin(gp_work_t *work, attempt_t *attempt, gp_usec_t now);

/* Wants it stopped; the first reason given holds. */
void gp_attempt_stop(attempt_t *attempt, gp_reason_t reason, gp_usec_t now);

/* Forgets an attempt and removes its record. */
void gp_attempt_remove(gp_work_t *work, attempt_t *attempt, gp_out_t *out);
void gp_attempt_due(gp_work_t *work, attempt_t *attempt, gp_usec_t now, gp_out_t *out);
gp_usec_t gp_attempt_wake(const attempt_t *attempt);
gp_job_state_t gp_attempt_state(const attempt_t *attempt);
void gp_attempt_check(const gp_work_t *work, const attempt_t *attempt);

/* ---- output_core.c: the output ring of an attempt -------------------------------------------- */

void gp_output_begin(gp_work_t *work, attempt_t *attempt);
void gp_output_add(gp_work_t *work, attempt_t *attempt, const gp_msg_work_output_t *msg);
void gp_output_ack(attempt_t *attempt, uint64_t received, uint64_t until, gp_usec_t now);
void gp_output_send(gp_work_t *work, attempt_t *attempt, gp_usec_t now, gp_out_t *out);
void gp_output_read_on(gp_work_t *work, attempt_t *attempt, gp_out_t *out);

/* There is output that may be sent: the last step's sheet was full. */
bool gp_output_waits(const attempt_t *attempt);

#endif
