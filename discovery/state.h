/*
 * The state of the discovery core, shared by its files and by nobody else:
 *
 *   discovery.c  events, leaders, time
 *   publish.c    this machine's record on its way to leader and deputy
 *   members.c    members and their records: the index
 *   answer.c     a question evaluated over the index
 *   finds.c      this machine's own questions
 */
#ifndef GP_DISCOVERY_STATE_H
#define GP_DISCOVERY_STATE_H

#include "discovery/discovery.h"
#include "proto/random.h"

#define GP_WANT_MAX 64 /* bytes of the wanted attributes in a message */

/* What a member is for an answer. */
typedef enum gp_standing {
    GP_STANDING_NONE = 0, /* not there, or neither offered nor missed */
    GP_STANDING_OFFERED,
    GP_STANDING_MISSING, /* lives, but its record is not here */
    GP_STANDING_UNKNOWN, /* nobody knows whether it lives */
    GP_STANDING_COUNT
} gp_standing_t;

typedef struct gp_listed {
    gp_id_t id;
    uint64_t incarnation; /* as the group tells it */
    bool used;
    bool held; /* its record is in its lane */
    uint8_t state;
    uint8_t flags;
    uint8_t standing; /* gp_standing_t, kept by gp_members_restand */
    uint8_t name_n;
    uint8_t address_n;
    uint32_t version; /* of the record held */
    uint64_t epoch;   /* the incarnation under which the record held was told */
    uint32_t ask_gap_ms;
    gp_usec_t told_at;          /* when it last told something new */
    gp_usec_t ask_at;           /* when to ask for a whole record; GP_NEVER: nothing to ask */
    gp_usec_t whole_after;      /* no whole record to this member before: it may ask too often */
    gp_coordinate_t coordinate; /* as it last told; error 0: not known */
    char name[GP_NAME_MAX];
    char address[GP_ADDRESS_MAX];
} gp_listed_t;

/* Whom this machine reports to. */
typedef struct gp_reader_of {
    gp_id_t id;
    bool told; /* it has been sent the whole record, and each delta since */
} gp_reader_of_t;

typedef struct gp_find {
    bool explain;
    uint16_t limit;
    uint16_t query_n;
    uint16_t rank_n;
    uint16_t want_n;
    uint32_t gap_ms;
    uint64_t token;
    uint64_t query_id;
    uint64_t order; /* first come, first served */
    gp_usec_t deadline;
    gp_usec_t send_at;
    gp_id_t asked; /* nobody yet: none */
    gp_id_t near_node;
    uint32_t timeout_ms;
    uint8_t want[GP_WANT_MAX];
    char query[GP_QUERY_MAX];
    char rank[GP_QUERY_MAX];
} gp_find_t;

typedef struct gp_discovery {
    gp_id_t self;
    uint64_t group;
    uint64_t epoch;
    uint32_t members_max;
    uint32_t pool_bytes;
    uint32_t blocks_used; /* blocks of 64 lanes that were ever laid out */
    gp_usec_t now;        /* of the last event */

    uint64_t term;
    gp_id_t leader;
    gp_id_t deputy;
    uint8_t right;
    gp_usec_t lease_until;
    gp_usec_t released_at;  /* when this machine last ceased to keep the index */
    gp_usec_t gather_until; /* a new leader waits for records and members until then */

    const gp_coordinate_t *coordinate; /* of this machine; NULL: it has none */
    gp_coordinate_t told;              /* the one that all readers were told last; error 0: none */
    bool (*alone)(const void *context);
    const void *alone_context;
    gp_records_t *own;                 /* as collected */
    gp_records_t *sent;                /* as told to the readers, at `version` */
    bool collected;
    bool dirty; /* own left a dead band around sent */
    uint32_t version;
    uint32_t remind_gap_ms;
    gp_usec_t publish_after;
    gp_usec_t remind_at;
    gp_reader_of_t readers[2]; /* leader, deputy */

    gp_listed_t *members; /* [members_max]; the index is block * 64 + lane */
    uint32_t *by_id;      /* indices of used members in the order of their ids */
    uint32_t member_count;
    uint32_t slots_used; /* members[] above were never used */
    uint32_t self_index;
    bool unlisted;      /* a member had no room */
    gp_usec_t ask_wake; /* no member's ask_at is earlier */
    uint32_t standing_count[GP_STANDING_COUNT];
    uint64_t *offered;     /* [block]: lanes offered */
    gp_records_t **blocks; /* [block] */
    uint8_t *block_memory;

    uint64_t open; /* bit i: finds[i] is in use */
    uint64_t find_order;
    uint64_t next_query_id;
    gp_find_t *finds; /* [GP_FINDS_MAX]; memory that most machines never touch */

    gp_query_t *query;
    gp_rank_t rank;
    gp_query_error_t error;
} gp_discovery_t;

_Static_assert(GP_FINDS_MAX <= 64, "open finds are the bits of one word");

/* ---- members.c ------------------------------------------------------------------------------- */

#define GP_NOBODY UINT32_MAX

/* The member's index, or GP_NOBODY. */
uint32_t gp_members_find(const gp_discovery_t *d, const gp_id_t *id);

/* Adds a member without a state; GP_NOBODY: no room even after forgetting one that left. */
uint32_t gp_members_add(gp_discovery_t *d, const gp_id_t *id);

void gp_members_forget(gp_discovery_t *d, uint32_t index);
void gp_members_set_name(gp_discovery_t *d, uint32_t index, gp_slice_t name, gp_slice_t address);

/* Computes the member's standing anew; call after every change of its state or record. */
void gp_members_restand(gp_discovery_t *d, uint32_t index);

gp_records_t *gp_members_block(const gp_discovery_t *d, uint32_t index, uint32_t *ret_lane);

/* This machine became, or stopped being, leader or deputy. */
/* Before _hold, for who did not keep the index: forgets what may have grown old. */
void gp_members_hold_again(gp_discovery_t *d);
void gp_members_hold(gp_discovery_t *d);
void gp_members_release(gp_discovery_t *d);

/* Puts this machine's own attributes into its lane, if it holds the index. */
void gp_members_copy_own(gp_discovery_t *d);

void gp_members_on_member(gp_discovery_t *d, const gp_msg_discovery_member_t *msg);
void gp_members_on_record(gp_discovery_t *d, const gp_id_t *from, const gp_msg_record_t *msg);

/* Where a member is; NULL: it has not said so. */
const gp_coordinate_t *gp_members_place(const gp_discovery_t *d, uint32_t index);

/* Asks for the whole records that are due. The next are due at d->ask_wake. */
void gp_members_ask(gp_discovery_t *d, gp_out_t *out);
void gp_members_check(const gp_discovery_t *d);

/* ---- publish.c ------------------------------------------------------------------------------- */

void gp_publish_readers(gp_discovery_t *d);
/* This reader is another process now: it is to be told the whole record. */
void gp_publish_again(gp_discovery_t *d, const gp_id_t *reader);
void gp_publish_on_own(gp_discovery_t *d, const gp_msg_own_record_t *msg);
void gp_publish_on_ask(gp_discovery_t *d, const gp_id_t *from, gp_out_t *out);
void gp_publish_due(gp_discovery_t *d, gp_out_t *out);
/* This machine's coordinate as it goes into a message; empty: it has none yet. */
gp_slice_t gp_publish_place(const gp_discovery_t *d, gp_out_t *out);
gp_usec_t gp_publish_wake(const gp_discovery_t *d);

/* ---- answer.c -------------------------------------------------------------------------------- */

typedef struct gp_question {
    gp_slice_t query;
    gp_slice_t rank;
    gp_slice_t want;
    gp_slice_t near;   /* the coordinate from which round trips count, as on the wire ... */
    gp_id_t near_node; /* ... or the member whose coordinate is that; none: neither */
    uint16_t limit;
    bool explain;
} gp_question_t;

/* Compiles into *d->query and d->rank; else d->error says why not. */
bool gp_answer_compile(gp_discovery_t *d, const gp_question_t *question);

/* Evaluates a question over the index into *to; slices point into the core or the arena. */
void gp_answer_fill(gp_discovery_t *d, const gp_question_t *question, gp_out_t *out,
                    gp_msg_found_t *to);

/* ---- finds.c --------------------------------------------------------------------------------- */

void gp_finds_on_command(gp_discovery_t *d, uint64_t token, const gp_msg_discovery_find_t *msg,
                         gp_out_t *out);
void gp_finds_on_found(gp_discovery_t *d, const gp_id_t *from, const gp_msg_found_t *msg,
                       gp_out_t *out);
void gp_finds_on_find(gp_discovery_t *d, const gp_id_t *from, const gp_msg_find_t *msg,
                      gp_out_t *out);
void gp_finds_on_leader(gp_discovery_t *d);
void gp_finds_due(gp_discovery_t *d, gp_out_t *out);
gp_usec_t gp_finds_wake(const gp_discovery_t *d);
void gp_finds_check(const gp_discovery_t *d);

/* ---- discovery.c ----------------------------------------------------------------------------- */

static inline bool gp_discovery_holds_index(const gp_discovery_t *d)
{
    return gp_id_equal(&d->leader, &d->self) || gp_id_equal(&d->deputy, &d->self);
}

/* Whether this machine may answer for the group now: a lease that ran out is none. */
static inline bool gp_discovery_leads(const gp_discovery_t *d)
{
    return gp_id_equal(&d->leader, &d->self) &&
           (d->right == GP_RIGHT_CARETAKER ||
            (d->right == GP_RIGHT_QUORUM && d->now < d->lease_until));
}

/* Whether the answer is about all members that live. */
static inline bool gp_discovery_whole(const gp_discovery_t *d)
{
    return !d->unlisted && d->standing_count[GP_STANDING_MISSING] == 0 &&
           d->standing_count[GP_STANDING_UNKNOWN] == 0;
}

/* Has what it needs for a good answer, or has waited long enough for records, and for members that
 * it has not heard yet: they may follow it a moment later. */
static inline bool gp_discovery_ready(const gp_discovery_t *d)
{
    return gp_discovery_leads(d) && (gp_discovery_whole(d) || d->now >= d->gather_until);
}

#endif
