/*
 * The state of the routing core, shared by its files and by nobody else:
 *
 *   route.c         events, leaders, time
 *   route_place.c   what goes up: own places told, others' kept
 *   route_search.c  a question on its way: whom to ask, what came back, its end
 *   route_ask.c     this machine's own questions and their answers
 *   route_serve.c   others' questions to this machine's sub-Grid
 */
#ifndef GP_DISCOVERY_ROUTE_STATE_H
#define GP_DISCOVERY_ROUTE_STATE_H

#include "discovery/route.h"
#include "discovery/route_names.h"
#include "discovery/sentence.h"
#include "proto/coordinate.h"
#include "proto/random.h"

#define GP_ROUTE_WANT_MAX   64
#define GP_ROUTE_LEGS_MAX   (2 * GP_MEMBERS_MAX)
#define GP_ROUTE_SUB_NAMES  (2 * GP_MEMBERS_MAX) /* bytes of a sub-Grid's digest of names */
#define GP_ROUTE_ROW_VALUES 32                   /* attributes of one machine in an answer */
#define GP_ROUTE_ROW_TEXT   512                  /* bytes of their texts */
#define GP_ROUTE_HINTS_MAX  64                   /* names whose sub-Grid is remembered */
#define GP_ROUTE_NOWHERE    UINT32_MAX           /* a distance, if a coordinate is not known */

/* ---- places ---------------------------------------------------------------------------------- */

/* The election's last word of one seat's group. */
typedef struct gp_route_seat {
    uint64_t group;
    uint64_t term;
    gp_id_t leader;
    gp_id_t deputy;
    uint8_t right;
    gp_usec_t held_until;  /* when this machine last ceased to keep the directory; 0: never */
    gp_usec_t young_until; /* until then it may lack groups below */
    uint32_t member_count; /* who may tell places here; in the grid also who is told */
    gp_id_t members[GP_MEMBERS_MAX];
} gp_route_seat_t;

/* What this machine tells of a group that it leads. */
typedef struct gp_route_told {
    bool known; /* there is something to tell */
    bool fresh; /* it changed since it was told */
    uint32_t version;
    gp_usec_t due;   /* GP_NEVER: nothing to tell */
    gp_usec_t after; /* not before: at most once in a while */
    gp_usec_t gap;   /* until the next reminder */
    bool partial;
    uint32_t members;
    uint16_t summary_n;
    uint16_t names_n;
    uint8_t coordinate_n;
    uint8_t coordinate[GP_COORDINATE_MAX];
    uint8_t summary[GP_SUMMARY_MAX];
    uint8_t *names;
} gp_route_told_t;

typedef struct gp_route_directory {
    uint32_t count; /* places[0 .. count) are used, in the order of their groups */
    uint32_t names_max;
    gp_route_place_t *places; /* [GP_MEMBERS_MAX] */
} gp_route_directory_t;

/* ---- questions ------------------------------------------------------------------------------- */

typedef enum gp_leg_state {
    GP_LEG_WAITING = 0,
    GP_LEG_ASKED,
    GP_LEG_SHORT, /* it has ended, but answers that it sent are still on their way */
    GP_LEG_ENDED
} gp_leg_state_t;

/* One part of the grid that a question is to be asked of. */
typedef struct gp_leg {
    uint64_t group;
    uint32_t distance_us;
    uint8_t ask;   /* gp_route_ask_t, of its receiver */
    uint8_t state; /* gp_leg_state_t */
    bool hinted;
    uint32_t round; /* of the newest search there: it may have had to begin again */
    uint32_t backs; /* answers that came back by it */
    uint32_t backs_due;
    gp_id_t asked;
    gp_usec_t send_at; /* asked: again */
    gp_usec_t give_up_at;
    gp_usec_t gap;
} gp_leg_t;

typedef struct gp_search {
    gp_id_t origin;
    uint64_t query_id;
    gp_id_t from; /* who is told; the origin: this machine's own question */
    gp_usec_t deadline;
    uint16_t limit; /* machines still wanted from here when it came */
    uint8_t ask;    /* of this machine */
    uint8_t hops;
    bool ranked;
    bool enough;
    bool held;      /* for want of room on the sheet */
    uint32_t round; /* rises with each search of this machine */
    uint32_t asked;
    uint32_t answered;
    uint32_t matching;
    uint32_t considered;
    uint32_t matched;
    uint32_t backs;
    uint32_t hits;
    uint32_t absences;
    uint32_t absent_count;
    gp_record_absent_t absent[GP_ROUTE_ABSENT_MAX]; /* names lie in absent_names */
    char absent_names[GP_ROUTE_ABSENT_MAX][GP_NAME_MAX];
    uint32_t leg_count;
    gp_leg_t legs[GP_ROUTE_LEGS_MAX];
    uint32_t bytes_n; /* an own question: the body of its ROUTE; another's: the signed frame */
    uint8_t bytes[GP_ROUTE_QUESTION_MAX];
} gp_search_t;

/* One machine in the answer to an own question. */
typedef struct gp_row {
    gp_id_t id;
    uint64_t incarnation;
    uint64_t group;
    uint64_t above; /* its region's group */
    uint32_t rtt_us;
    bool own; /* of the own sub-Grid: those stay in its order, before all others */
    uint8_t name_n;
    uint8_t address_n;
    uint8_t subgrid_n;
    uint8_t region_n;
    uint8_t value_count;
    uint16_t text_n;
    char name[GP_NAME_MAX];
    char address[GP_ADDRESS_MAX];
    char subgrid[GP_NAME_MAX];
    char region[GP_NAME_MAX];
    gp_record_value_t values[GP_ROUTE_ROW_VALUES]; /* their texts lie in text */
    char text[GP_ROUTE_ROW_TEXT];
} gp_row_t;

typedef enum gp_ask_phase {
    GP_ASK_SUBGRID = 1, /* the own sub-Grid is asked */
    GP_ASK_SEARCH,      /* a search goes on for it */
    GP_ASK_ENDED        /* its answer is to be given */
} gp_ask_phase_t;

typedef struct gp_ask {
    uint64_t token;
    uint64_t query_id;
    uint64_t question; /* token of its ROUTE_QUESTION */
    uint8_t phase;     /* gp_ask_phase_t */
    uint8_t scope;
    uint8_t hops;
    bool explain;
    bool left_out; /* values, for want of room */
    uint16_t limit;
    uint16_t query_n;
    uint16_t rank_n;
    uint16_t want_n;
    gp_usec_t deadline;
    uint64_t hint_subgrid;
    uint64_t hint_region;
    uint64_t only; /* the one sub-Grid that is asked; 0: any */
    uint32_t considered;
    uint32_t matched;
    uint32_t asked;
    uint32_t answered;
    uint32_t matching;
    uint32_t absences;
    uint32_t absent_count;
    gp_record_absent_t absent[GP_ROUTE_ABSENT_MAX]; /* names lie in absent_names */
    char absent_names[GP_ROUTE_ABSENT_MAX][GP_NAME_MAX];
    uint32_t row_count;
    uint8_t order[GP_HITS_MAX]; /* rows, best first */
    gp_row_t rows[GP_HITS_MAX];
    uint32_t condition_count;
    gp_record_condition_t conditions[GP_EXPLAIN_MAX]; /* texts lie in condition_text */
    char condition_text[2 * GP_QUERY_MAX];
    char query[GP_QUERY_MAX];
    char rank[GP_QUERY_MAX];
    uint8_t want[GP_ROUTE_WANT_MAX];
} gp_ask_t;

/* Another machine's question to this sub-Grid. */
typedef struct gp_serve {
    gp_id_t origin;
    gp_id_t from;
    uint64_t query_id;
    uint64_t question;
    uint32_t rtt_us; /* between this machine and the asker; 0: not known */
    uint8_t hops;
    gp_usec_t deadline;
} gp_serve_t;

/* Where a machine of that name was. */
typedef struct gp_hint {
    uint64_t hash; /* 0: nothing here */
    uint64_t group;
    uint64_t region;
    uint64_t used;
} gp_hint_t;

typedef struct gp_route {
    gp_id_t self;
    gp_usec_t now;
    bool above; /* there are groups above: else nothing here is ever used */
    uint8_t subgrid_n;
    uint8_t region_n;
    uint8_t coordinate_n;
    uint16_t cert_n;
    char subgrid[GP_NAME_MAX];
    char region[GP_NAME_MAX];
    uint8_t coordinate[GP_COORDINATE_MAX];
    uint8_t cert[GP_CERT_MAX];
    gp_route_seat_t seats[GP_SEAT_COUNT];
    gp_usec_t own_due;                             /* when to ask for ROUTE_OWN again */
    gp_route_told_t told[GP_SEAT_COUNT - 1];       /* of the groups led: to the seat above */
    gp_route_directory_t directory[GP_SEAT_COUNT]; /* by seat; that of the first is empty */
    uint64_t next_query_id;
    uint64_t next_question;
    uint32_t next_round;
    uint64_t searches_open; /* bit i: searches[i] is in use */
    uint32_t asks_open;
    uint32_t serves_open;
    uint64_t hint_clock;
    gp_search_t *searches; /* [GP_ROUTES_MAX]; memory that most machines never touch */
    gp_ask_t *asks;        /* [GP_ROUTE_ASKS_MAX] */
    gp_serve_t *serves;    /* [GP_ROUTE_SERVES_MAX] */
    gp_hint_t *hints;      /* [GP_ROUTE_HINTS_MAX] */
    gp_records_t *pair;    /* two lanes, to compare two machines by rank */
    /* for the step at hand only; not there if nothing is above */
    gp_query_t query;
    gp_query_error_t error;
    gp_summary_t summary;
    gp_summary_t summary_more;
    gp_route_names_t names;
    gp_rank_t rank;
    gp_row_t row;
    gp_msg_t question;
    gp_msg_t found;
} gp_route_t;

_Static_assert(GP_ROUTES_MAX <= 64, "open searches are the bits of one word");
_Static_assert(GP_ROUTE_ASKS_MAX <= 32 && GP_ROUTE_SERVES_MAX <= 32, "and these of half a one");
_Static_assert(GP_COORDINATE_MAX == GP_COORDINATE_BYTES, "limits.h knows no coordinates");

/* ---- route.c --------------------------------------------------------------------------------- */

static inline bool gp_route_leads(const gp_route_t *r, gp_seat_t seat)
{
    const gp_route_seat_t *s = &r->seats[seat];
    return gp_id_equal(&s->leader, &r->self) && s->right != GP_RIGHT_NONE;
}

/* ---- route_place.c --------------------------------------------------------------------------- */

void gp_places_init(gp_route_t *r);
void gp_places_on_leader(gp_route_t *r, const gp_msg_route_leader_t *msg);
void gp_places_on_member(gp_route_t *r, const gp_msg_route_member_t *msg, gp_out_t *out);
void gp_places_on_own(gp_route_t *r, const gp_msg_route_own_t *msg);
void gp_places_on_place(gp_route_t *r, const gp_id_t *from, const gp_msg_place_t *msg,
                        gp_out_t *out);
void gp_places_due(gp_route_t *r, gp_out_t *out);
gp_usec_t gp_places_wake(const gp_route_t *r);
void gp_places_check(const gp_route_t *r);

/* Whether this machine keeps the directory of that seat's group: else others ask in vain. */
bool gp_places_held(const gp_route_t *r, gp_seat_t seat);

/* Has it kept it for too short a time to have heard of all groups below? */
bool gp_places_young(const gp_route_t *r, gp_seat_t seat);

/* The place of a group below; NULL: not known here. */
gp_route_place_t *gp_places_find(gp_route_t *r, gp_seat_t seat, uint64_t group);

/* Whether a machine of the place may match r->query. */
bool gp_places_may_match(gp_route_t *r, const gp_route_place_t *place);

/* The estimated round trip between two coordinates on the wire, or GP_ROUTE_NOWHERE. */
uint32_t gp_places_distance_us(gp_slice_t a, gp_slice_t b);

/* ---- route_search.c -------------------------------------------------------------------------- */

typedef struct gp_order {
    const gp_id_t *origin;
    const gp_id_t *from;
    uint64_t group; /* that is asked; 0: whichever this machine leads */
    uint8_t ask;
    uint8_t hops;
    uint16_t limit;
    uint32_t timeout_ms;
    gp_slice_t bytes; /* as gp_search_t keeps them; r->question holds what they say */
} gp_order_t;

void gp_search_on_route(gp_route_t *r, const gp_id_t *from, const gp_msg_t *msg, gp_out_t *out);
void gp_search_on_pass(gp_route_t *r, const gp_id_t *from, const gp_msg_route_pass_t *msg,
                       gp_out_t *out);
void gp_search_on_found(gp_route_t *r, const gp_id_t *from, const gp_msg_t *msg, gp_out_t *out);
void gp_search_on_back(gp_route_t *r, const gp_id_t *from, const gp_msg_route_back_t *msg,
                       gp_out_t *out);
void gp_search_on_done(gp_route_t *r, const gp_id_t *from, const gp_msg_route_done_t *msg);

/* Starts to carry r->question on. GP_E_BUSY: there is no room; GP_E_NO_LEADER: not its business. */
gp_error_t gp_search_begin(gp_route_t *r, const gp_order_t *order);

/* The own sub-Grid's answer, to a question that this machine carries: r->found. */
void gp_search_on_served(gp_route_t *r, gp_out_t *out);
void gp_searches_due(gp_route_t *r, gp_out_t *out);
gp_usec_t gp_searches_wake(const gp_route_t *r);
void gp_searches_check(const gp_route_t *r);

/* ---- route_ask.c ----------------------------------------------------------------------------- */

void gp_ask_on_command(gp_route_t *r, uint64_t token, const gp_msg_route_find_t *msg,
                       gp_out_t *out);
/* The own sub-Grid answered; false: not a question of this machine. */
bool gp_ask_on_local(gp_route_t *r, uint64_t question, const gp_msg_route_local_t *msg);
/* Answers of other sub-Grids, and the end of an own search. */
void gp_ask_on_found(gp_route_t *r, const gp_msg_route_found_t *found);
void gp_ask_on_end(gp_route_t *r, const gp_search_t *search);
void gp_asks_due(gp_route_t *r, gp_out_t *out);
gp_usec_t gp_asks_wake(const gp_route_t *r);
void gp_asks_check(const gp_route_t *r);

/* ---- route_serve.c --------------------------------------------------------------------------- */

/* Asks the own sub-Grid r->question, for whom the order says: maybe this machine itself. */
void gp_serve_begin(gp_route_t *r, const gp_order_t *order, gp_out_t *out);
void gp_serve_on_local(gp_route_t *r, uint64_t question, const gp_msg_route_local_t *msg,
                       gp_out_t *out);
void gp_serves_due(gp_route_t *r);
gp_usec_t gp_serves_wake(const gp_route_t *r);

#endif
