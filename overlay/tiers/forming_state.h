/*
 * What the files of the forming core share. Private to overlay/tiers.
 */
#ifndef GP_OVERLAY_TIERS_FORMING_STATE_H
#define GP_OVERLAY_TIERS_FORMING_STATE_H

#include "overlay/tiers/forming.h"
#include "proto/random.h"

#define ASKS_MAX   64     /* asks of this machine that are open */
#define REFUSED_MS 600000 /* a machine that could not move is left alone for so long */

typedef enum gp_form_why {
    WHY_NONE = 0,
    WHY_SHELL, /* a newcomer: the answer goes to the shell */
    WHY_LIST,  /* a super-peer looks for where its machines could go */
    WHY_MOVE   /* one of them is to go there */
} gp_form_why_t;

typedef struct ask {
    uint64_t number; /* 0: free */
    gp_form_why_t why;
    uint64_t token;
    gp_usec_t until;
} ask_t;

/* What this machine knows of one of its groups: who leads it. */
typedef struct tier {
    gp_id_t leader;
    uint64_t term;
    bool ruled;            /* by a mandate */
    gp_usec_t lease_until; /* this machine leads until then; 0: it does not */
} tier_t;

/* A machine that was told to go, and does not or cannot. */
typedef struct refused {
    gp_id_t id;
    gp_usec_t until;
} refused_t;

typedef enum gp_move_why {
    MOVE_MERGE = 1, /* the sub-Grid is small: all go */
    MOVE_SPLIT,     /* it is full: some go */
    MOVE_DRIFT      /* machines are far away from the others: they go */
} gp_move_why_t;

/* A super-peer's move of one machine. */
typedef struct move {
    bool on;
    gp_move_why_t why;
    gp_forming_place_t to;
    gp_id_t who;
    gp_usec_t until;
    uint32_t left; /* so many more may follow */
} move_t;

/* A machine to turn to. */
typedef struct gp_form_contact {
    gp_id_t id; /* none: there is none */
    char name[GP_NAME_MAX + 1];
    char address[GP_ADDRESS_MAX + 1];
    uint32_t cert_n;
    uint8_t cert[GP_CERT_MAX];
} gp_form_contact_t;

/* Where this machine goes, from the order to go until it is on the disk. */
typedef struct gp_form_keep {
    uint64_t subgrid;
    uint8_t found; /* gp_founds_t */
    gp_form_contact_t there;
    gp_form_contact_t above;
} gp_form_keep_t;

struct gp_forming {
    gp_forming_config_t config;
    gp_id_t self;
    gp_usec_t now;
    bool started;
    gp_random_t random;
    tier_t tiers[GP_SEAT_COUNT];
    uint64_t number; /* of the last ask */
    ask_t asks[ASKS_MAX];
    gp_usec_t founded_at; /* at the region peer: when the last sub-Grid was founded; 0: never */
    uint64_t founded;     /* which one */
    gp_usec_t look_at;
    gp_usec_t small_since; /* GP_NEVER: it is not small */
    move_t move;
    gp_form_keep_t keep;
    gp_usec_t keep_at; /* when it is written; GP_NEVER: it was, or nothing is */
    refused_t refused[GP_MEMBERS_MAX];
    uint32_t refused_count;
};

/* ---- forming.c ------------------------------------------------------------------------------- */

/* By a mandate, and its lease has not ended. */
bool gp_forming_leads(const gp_forming_t *f, gp_seat_t seat);

/* The entry of a member of that seat's group, in the arena; false: it is none. */
bool gp_forming_describe(const gp_forming_t *f, gp_seat_t seat, const gp_id_t *id, gp_out_t *out,
                         gp_record_member_t *ret);

/* Asks for what `ask` says; the rest of it is filled in. The answer comes to who asks why. */
void gp_forming_begin(gp_forming_t *f, gp_form_why_t why, uint64_t token, gp_msg_form_ask_t *ask,
                      gp_out_t *out);

/* ---- forming_move.c -------------------------------------------------------------------------- */

/* Told where there is room: whom to move, and where to. */
void gp_forming_plan(gp_forming_t *f, const gp_msg_form_told_t *told, gp_out_t *out);

/* The machine that is to move is expected there. */
void gp_forming_send_move(gp_forming_t *f, const gp_msg_form_told_t *told, gp_out_t *out);

/* Is anything to be changed about this sub-Grid? By its super-peer, now and then. */
void gp_forming_look(gp_forming_t *f, gp_out_t *out);

void gp_forming_on_move(gp_forming_t *f, const gp_event_t *event, gp_out_t *out);
void gp_forming_on_move_no(gp_forming_t *f, const gp_event_t *event);

#endif
