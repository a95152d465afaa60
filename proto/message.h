/*
 * Messages in memory: the structs that proto/messages.h generates, and the packer, the strict
 * reader and the printer that walk its field tables.
 *
 * On the wire a message body is one msgpack array with exactly the fields of its kind, in order; a
 * list is an array of arrays. The form is canonical: shortest encodings, known counts, no ext, no
 * floats, no nil, no maps, no trailing bytes. msgpack-c writes; it never reads: its unpacker
 * reserves gigabytes for five hostile bytes. The reader allocates nothing: slices point into the
 * bytes that were read.
 */
#ifndef GP_PROTO_MESSAGE_H
#define GP_PROTO_MESSAGE_H

#include "proto/errors.h"
#include "proto/messages.h"
#include "proto/types.h"

typedef enum gp_room {
    GP_ROOM_GROUP = 1,
    GP_ROOM_ELECTION,
    GP_ROOM_DISCOVERY,
    GP_ROOM_WORK,
    GP_ROOM_JOIN,
    GP_ROOM_TIERS,
    GP_ROOM_ROUTE,
    GP_ROOM_FORMING,
    GP_ROOM_COUNT
} gp_room_t;

typedef enum gp_scope {
    GP_SCOPE_LINK = 1,
    GP_SCOPE_SIGNED,
    GP_SCOPE_STORED,
    GP_SCOPE_LOCAL,
    GP_SCOPE_NOTICE
} gp_scope_t;

typedef enum gp_msg_kind {
#define GP_M(KIND, name, code, scope, room, doc) GP_MSG_##KIND = code,
    GP_MESSAGES(GP_M)
#undef GP_M
} gp_msg_kind_t;

#define GP_C_BOOL             bool
#define GP_C_U8               uint8_t
#define GP_C_U16              uint16_t
#define GP_C_U32              uint32_t
#define GP_C_U64              uint64_t
#define GP_C_ID               gp_id_t
#define GP_C_PEER             gp_id_t
#define GP_C_TEXT             gp_slice_t
#define GP_C_BLOB             gp_slice_t
#define GP_F(type, name, max) GP_C_##type name;
#define GP_L(record, name, max)                                                                    \
    uint32_t name##_count;                                                                         \
    gp_record_##record##_t name[max];

#define GP_R(name, doc)                                                                            \
    typedef struct gp_record_##name {                                                              \
        GP_RECORD_##name(GP_F, GP_L)                                                               \
    } gp_record_##name##_t;
GP_RECORDS(GP_R)
#undef GP_R

#define GP_M(KIND, name, code, scope, room, doc)                                                   \
    typedef struct gp_msg_##name {                                                                 \
        GP_FIELDS_##KIND(GP_F, GP_L)                                                               \
    } gp_msg_##name##_t;
GP_MESSAGES(GP_M)
#undef GP_M
#undef GP_F
#undef GP_L

typedef struct gp_msg {
    gp_msg_kind_t kind;
    gp_wall_ms_t sent_ms;    /* signed messages that came in: when the sender says that it signed */
    gp_slice_t signed_bytes; /* signed messages that came in: the whole frame (head, body and
                                signature), for evidence */
    union {
#define GP_M(KIND, name, code, scope, room, doc) gp_msg_##name##_t name;
        GP_MESSAGES(GP_M)
#undef GP_M
    } u;
} gp_msg_t;

/* ---- words that several rooms use ------------------------------------------------------------ */

typedef enum gp_member_state {
    GP_MEMBER_NONE = 0,
    GP_MEMBER_ALIVE,
    GP_MEMBER_SUSPECT,     /* this machine or the leader hears nothing, no verdict yet */
    GP_MEMBER_UNAVAILABLE, /* a quorum's verdict, with its cause */
    GP_MEMBER_UNKNOWN,     /* not known, and why: no quorum here, too many at once */
    GP_MEMBER_LEFT         /* said goodbye */
} gp_member_state_t;

typedef enum gp_cause {
    GP_CAUSE_NONE = 0,
    GP_CAUSE_JOINED,       /* admitted by certificate */
    GP_CAUSE_ANSWERS,      /* heard again */
    GP_CAUSE_REFUTED,      /* it denied a suspicion itself */
    GP_CAUSE_RESTARTED,    /* a new incarnation */
    GP_CAUSE_REFUSED,      /* agent process gone: its address refuses connections */
    GP_CAUSE_SILENT,       /* no answer to several observers */
    GP_CAUSE_ONE_WAY,      /* some reach it, the leader does not */
    GP_CAUSE_STOPPED,      /* agent stopped in good order */
    GP_CAUSE_LEFT,         /* left the grid for good */
    GP_CAUSE_NO_QUORUM,    /* this side has no majority: cannot know */
    GP_CAUSE_MANY_AT_ONCE, /* a third of the group fell silent together: the network or I */
    GP_CAUSE_NO_LEADER,    /* nobody leads yet */
    GP_CAUSE_MOVED         /* went into another sub-Grid */
} gp_cause_t;

/* Of a machine that has left: it is not expected here again. */
static inline bool gp_cause_is_final(uint8_t cause)
{
    return cause == GP_CAUSE_LEFT || cause == GP_CAUSE_MOVED;
}

typedef enum gp_member_flag {
    GP_FLAG_RELAYED = 1,  /* others cannot dial back: never super-peer */
    GP_FLAG_LEAVING = 2,  /* draining: no new role, no new work */
    GP_FLAG_SEEN = 4,     /* its agent has been up at least once since it was admitted */
    GP_FLAG_FAILING = 8,  /* its disk refused a record of late: no voter for long, last to stand */
    GP_FLAG_STANDBY = 16, /* it leads nothing in the group below: stands last, hands over first */
    GP_FLAG_REGION_PEER = 32 /* it leads the region */
} gp_member_flag_t;

/* With any of these a machine becomes no voter ... */
#define GP_FLAGS_NO_VOTER (GP_FLAG_RELAYED | GP_FLAG_LEAVING | GP_FLAG_FAILING)
/* ... with any of these no successor. A machine says all of them of itself. */
#define GP_FLAGS_NO_LEADER (GP_FLAGS_NO_VOTER | GP_FLAG_STANDBY)
#define GP_FLAGS_SAID      (GP_FLAGS_NO_LEADER | GP_FLAG_REGION_PEER)

/* So many groups a machine begins, from its sub-Grid up. */
typedef enum gp_founds {
    GP_FOUNDS_NOTHING = 0,
    GP_FOUNDS_SUBGRID,
    GP_FOUNDS_REGION, /* and its first sub-Grid */
    GP_FOUNDS_GRID    /* and its first region */
} gp_founds_t;

/* By which right a leader leads. */
typedef enum gp_right {
    GP_RIGHT_NONE = 0,
    GP_RIGHT_QUORUM,   /* a mandate: signed votes of a majority */
    GP_RIGHT_CARETAKER /* no majority on this side: may look after things, may take over nothing */
} gp_right_t;

typedef enum gp_campaign_why {
    GP_CAMPAIGN_START = 1, /* the group has no leader yet */
    GP_CAMPAIGN_SILENT,    /* the leader's lease ran out */
    GP_CAMPAIGN_EVIDENCE,  /* the leader's process is gone */
    GP_CAMPAIGN_HANDOVER   /* the leader gave up in writing */
} gp_campaign_why_t;

typedef enum gp_step_down_why {
    GP_STEP_DOWN_TERM = 1, /* somebody has a higher term */
    GP_STEP_DOWN_LEASE,    /* no quorum renewed the lease */
    GP_STEP_DOWN_HANDOVER, /* given to a successor */
    GP_STEP_DOWN_MANDATE,  /* a caretaker met a mandate or a better caretaker */
    GP_STEP_DOWN_DISK      /* this machine's disk failed: it could not keep its word */
} gp_step_down_why_t;

typedef enum gp_vote_reason {
    GP_VOTE_YES = 0,
    GP_VOTE_STALE_TERM, /* the asker's term is not higher than ours */
    GP_VOTE_LEASED,     /* another leader's lease still runs */
    GP_VOTE_BEHIND,     /* the asker's register is older than ours */
    GP_VOTE_TAKEN,      /* already voted in this term */
    GP_VOTE_NOT_VOTER,  /* not in our roster */
    GP_VOTE_NOT_DURABLE /* our disk failed */
} gp_vote_reason_t;

/* How far a user's question goes. */
typedef enum gp_route_scope {
    GP_ROUTE_SUBGRID = 0,
    GP_ROUTE_REGION,
    GP_ROUTE_GRID
} gp_route_scope_t;

/* What is asked of who gets a question: it asks others only for what comes after it here. */
typedef enum gp_route_ask {
    GP_ROUTE_ASK_ALL = 1, /* a super-peer: carry it to the region peer */
    GP_ROUTE_ASK_OTHERS,  /* a region peer: ask all but the asker's sub-Grid, then other regions */
    GP_ROUTE_ASK_REGION,  /* another region peer: ask your sub-Grids */
    GP_ROUTE_ASK_SUBGRID  /* a super-peer: ask your machines */
} gp_route_ask_t;

/* Why an answer may lack what a part of the grid has. */
typedef enum gp_absent_why {
    GP_ABSENT_SILENT = 1, /* no answer in time */
    GP_ABSENT_PARTIAL,    /* it does not know all of its own */
    GP_ABSENT_REFUSED,    /* it could not answer: too busy, or not the leader any more */
    GP_ABSENT_LOST,       /* an answer was lost on its way */
    GP_ABSENT_YOUNG,      /* its leader is new, and may not know all groups yet */
    GP_ABSENT_LATE        /* no time was left to ask it */
} gp_absent_why_t;

typedef enum gp_job_state {
    GP_JOB_NEW = 1,
    GP_JOB_MATCHING,
    GP_JOB_CLAIMING,
    GP_JOB_RUNNING,
    GP_JOB_DONE,
    GP_JOB_FAILED,
    GP_JOB_CANCELLED,
    GP_JOB_LOST
} gp_job_state_t;

typedef enum gp_reason {
    GP_REASON_NONE = 0,
    GP_REASON_EXIT,           /* code: exit code */
    GP_REASON_SIGNAL,         /* code: signal number */
    GP_REASON_OOM,            /* the kernel's memory limit */
    GP_REASON_CANCELLED,      /* by the user */
    GP_REASON_NOT_FOUND,      /* the program does not exist there; code: errno */
    GP_REASON_NOT_EXECUTABLE, /* code: errno */
    GP_REASON_START,          /* could not be started for another cause; code: errno */
    GP_REASON_NO_MATCH,       /* no machine matches */
    GP_REASON_REFUSED,        /* the machines that match refused */
    GP_REASON_LEASE_LOST,     /* the executor heard nothing from home until its lease ended */
    GP_REASON_NODE_FAILED,    /* its machine is unavailable */
    GP_REASON_AGENT_STOPPED,  /* the executor's agent stopped in good order */
    GP_REASON_HOME_RESTARTED, /* the home's agent restarted; the attempt was stopped */
    GP_REASON_STORAGE,        /* a record could not be made durable */
    GP_REASON_POLICY          /* the owner's policy */
} gp_reason_t;

/* ---- functions ------------------------------------------------------------------------------- */

/* Facts of the table. An unknown kind gives NULL, 0. */
const char *gp_msg_name(gp_msg_kind_t kind); /* "beat" */
gp_scope_t gp_msg_scope(gp_msg_kind_t kind);
gp_room_t gp_msg_room(gp_msg_kind_t kind);
bool gp_msg_known(uint32_t code);

/* Bytes of a gp_msg_t whose union holds only this kind. */
size_t gp_msg_size(gp_msg_kind_t kind);

/*
 * Packs the body of msg into at most `size` bytes at `to`. Returns GP_OK and *ret_n, or
 * GP_E_MESSAGE_SIZE; GP_E_MESSAGE_DECODE if a TEXT is not UTF-8 without NUL (gp_text_valid).
 * Asserts that fields are within their limits: they are this machine's own.
 */
gp_error_t gp_msg_pack(const gp_msg_t *msg, uint8_t *to, size_t size, size_t *ret_n);

/*
 * A hash of what msg says, its kind included: equal for equal bodies on every machine, and much
 * faster than packing. Asserts what packing asserts. Not for security.
 */
uint64_t gp_msg_hash(const gp_msg_t *msg, uint64_t seed);

/*
 * Reads the body of a message of `kind`, strictly. Slices in *ret_msg point into bytes. `wire`
 * refuses scopes that may not travel. Errors: GP_E_MESSAGE_KIND, GP_E_MESSAGE_DECODE (form),
 * GP_E_MESSAGE_LIMIT (a field or count over its limit). *ret_msg is undefined after an error.
 */
gp_error_t gp_msg_read(gp_msg_kind_t kind, gp_slice_t bytes, bool wire, gp_msg_t *ret_msg);

/*
 * Prints "kind field=value ..." into text (always terminated, cut at size). Ids print as names
 * through `name` (may be NULL: first 8 characters of base32). Unprintable bytes are escaped; blobs
 * print as their length only. Returns the bytes written without the terminator.
 */
size_t gp_msg_print(const gp_msg_t *msg, const char *(*name)(void *context, const gp_id_t *id),
                    void *context, char *text, size_t size);

/* The group that msg names, as the first of its fields; 0: messages of its kind name none. */
uint64_t gp_msg_group(const gp_msg_t *msg);

/* Copies msg (only as much as its kind needs) to `to`, which has gp_msg_size(kind) bytes. */
void gp_msg_copy(gp_msg_t *to, const gp_msg_t *msg);

/* The enums above as words; a number that none of them has gives "?". */
const char *gp_member_state_name(gp_member_state_t state);
const char *gp_cause_name(gp_cause_t cause); /* one word */
const char *gp_cause_text(gp_cause_t cause); /* for people */
const char *gp_right_name(gp_right_t right);
const char *gp_campaign_why_name(gp_campaign_why_t why);
const char *gp_step_down_why_name(gp_step_down_why_t why);
const char *gp_vote_reason_name(gp_vote_reason_t reason);
const char *gp_job_state_name(gp_job_state_t state);
const char *gp_reason_name(gp_reason_t reason);

#endif
