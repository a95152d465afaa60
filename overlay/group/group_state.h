/*
 * The inside of the group core: its state and what its files ask of each other. Private to
 * overlay/group and its tests.
 */
#ifndef GP_OVERLAY_GROUP_STATE_H
#define GP_OVERLAY_GROUP_STATE_H

#include "overlay/group/group.h"
#include "proto/random.h"

#define GP_GROUP_SLOTS       8     /* a beat period has so many moments at which some are asked */
#define GP_GROUP_CONFIRMERS  3     /* asked per suspicion */
#define GP_GROUP_OPEN_MAX    16    /* suspicions opened in one step; the rest in the next */
#define GP_GROUP_LINKS_MAX   4     /* leader, deputy, two ring neighbours */
#define GP_GROUP_SEEK_FANOUT 3     /* machines asked in one round of SEEK */
#define GP_GROUP_PROBE_BATCH 16    /* machines probed per quarter period without a leader */
#define GP_GROUP_PLACE_BEATS 32    /* one beat in so many to a member has a place with it, ... */
#define GP_GROUP_PLACE_RING  2     /* ... one probe in so many, ... */
#define GP_GROUP_PLACE_FIRST 24    /* ... and each question at first, so many times */
#define GP_GROUP_FORGET      4     /* periods: a suspicion of one who does not lead is forgotten */
#define GP_GROUP_FACTOR_MIN  1000u /* permille */
#define GP_GROUP_FACTOR_MAX  8000u
#define GP_GROUP_WINDOWS     3 /* availability: 1, 7, 30 days */

/* The observed availability of one machine (availability.c). */
typedef struct gp_availability {
    uint64_t up[GP_GROUP_WINDOWS]; /* share of time up, 2^32: always */
    gp_usec_t at;                  /* integrated up to here; 0: never begun */
    uint64_t penalty;              /* flaps, 1000 per fall, in 1/65536 */
    uint32_t health;               /* smoothed, permille in 1/65536 */
    uint32_t headroom;
    uint16_t published; /* the score last told */
} gp_availability_t;

typedef enum gp_group_dial_phase {
    GP_GROUP_DIAL_NONE = 0,
    GP_GROUP_DIAL_FIRST, /* in the shell's hands */
    GP_GROUP_DIAL_PAUSE, /* refused once; the second try comes at dial_at */
    GP_GROUP_DIAL_RETRY, /* open although its link broke: a process that ends closes one by one */
    GP_GROUP_DIAL_SECOND
} gp_group_dial_phase_t;

/*
 * One known machine. Sets of machines are masks of slot numbers. What each step looks at in every
 * entry comes first, in one line of the cache.
 */
typedef struct gp_group_entry {
    gp_usec_t due_at;    /* the oldest unanswered question counts as silence from here; 0: none */
    gp_usec_t window_at; /* of the suspicion */
    gp_usec_t ask_due;   /* this machine is asked to confirm; 0: not asked */
    gp_usec_t dial_at;
    gp_usec_t evidence_ask_at; /* leader: then ask the deputy to look; 0: no need */
    gp_usec_t hold_until;      /* leader: introduced, goes into the view then or when it speaks */
    uint8_t slot;
    uint8_t dial; /* gp_group_dial_phase_t */
    bool suspected;
    bool poked;          /* gp_group_heard: look at it in the next step */
    bool dirty;          /* what is shown may have to change */
    bool in_view;        /* part of the group's table; else only heard of */
    uint8_t ruled_state; /* by the view that this machine holds, or by itself if it leads */
    uint8_t ruled_cause;
    gp_group_member_t shown;
    uint8_t beat_slot;
    bool changed;    /* leader: to be told in the next view */
    bool identity;   /* ... with name, address and certificate */
    bool wants_full; /* leader: gets the whole table instead */
    bool stale;      /* while a whole table is read: not seen in it so far */
    bool untold;     /* follower: the leader is new and has not named it: own ears count */
    bool introduce;  /* present it to the leader until it is in a view */
    bool left_seen;  /* it said goodbye here, at left_incarnation */
    bool left_forever, left_moves;
    gp_usec_t ruled_at;
    gp_usec_t away_since; /* last alive, whatever was said of it since; or first heard of */
    gp_usec_t full_at;    /* leader: when it last got the whole table */
    gp_usec_t reply_at;   /* when it last got a SEEK_REPLY unasked, or was introduced */
    gp_usec_t pending_until;
    uint64_t left_incarnation;
    uint64_t seen_incarnation; /* highest that it spoke with itself */
    /* what was last told by MEMBER */
    uint8_t told_state, told_cause, told_flags;
    bool told, told_identity;
    uint64_t told_incarnation;
    /* questions */
    uint32_t sent_sequence; /* of the last BEAT or PROBE */
    gp_usec_t sent_at;
    uint32_t skip; /* rounds of beats left out so far */
    /* places (place.c) */
    gp_usec_t answered_at;   /* on the link that is there; 0: never */
    gp_usec_t told_place_at; /* when it last told a round trip that counted; 0: never */
    uint32_t measured_us;    /* the last round trip that counts; 0: none */
    uint8_t questions;       /* since a place went along */
    uint8_t exchanges;       /* of places, up to GP_GROUP_PLACE_FIRST */
    /* suspicion */
    bool many_passed; /* tested again after MANY_AT_ONCE: that rule no longer holds it */
    bool vouched;     /* a confirmer hears it */
    gp_usec_t suspected_at, quiet_until;
    uint32_t round;
    uint64_t asked, silent; /* confirmers */
    /* evidence */
    uint64_t evidence_incarnation;
    uint64_t evidence_by;
    uint32_t evidence_sequence; /* an answer to this or a later question disproves it */
    gp_usec_t evidence_at;      /* 0: none */
    bool link_lost;             /* and nothing else is known of that yet */
    uint64_t dial_incarnation;
    /* a question of a confirmer's */
    uint8_t ask_by; /* slot */
    uint32_t ask_round;
    uint64_t ask_incarnation;
    gp_availability_t availability;
} gp_group_entry_t;

typedef struct gp_group_lead {
    gp_id_t id; /* none: nobody leads */
    gp_id_t deputy;
    gp_id_t told_deputy; /* as the election last said: a view may be newer */
    uint64_t term;
    gp_right_t right;
    gp_usec_t lease_until;
    gp_usec_t renewed_at; /* when the lease last grew: a majority answered just before */
    gp_usec_t since;
    gp_usec_t beat_at; /* its last beat */
    uint32_t voter_count;
    gp_id_t voters[GP_VOTERS_MAX];
    uint32_t held[GP_VOTERS_MAX]; /* leader: view numbers acknowledged in this term */
} gp_group_lead_t;

struct gp_group {
    gp_group_config_t config; /* its slices are not kept */
    gp_id_t self;
    gp_random_t random;
    gp_random_t directions; /* of places: when a machine asks does not depend on where it is */
    gp_usec_t now;
    gp_usec_t wake_at;
    gp_usec_t entries_wake; /* the earliest of all entries' times, as of the last step */
    uint64_t touched;       /* slots given out to be written to since the step before looked */
    bool poked;             /* some entry is: a step is wanted at once */
    bool started;
    bool leading;
    uint64_t incarnation;
    uint8_t flags;
    uint16_t health, headroom; /* own, as the shell measured */
    uint32_t factor;           /* local health: permille on time-outs */
    gp_usec_t factor_at;       /* last change */
    gp_usec_t strain_at;       /* last late answer ... */
    uint8_t strain_by;         /* ... and whose */
    uint32_t sequence;
    gp_group_lead_t leader;
    gp_id_t last_leader; /* the one before */
    gp_id_t sought;      /* from the disk: who led; none once somebody leads */
    gp_usec_t leaderless_since;
    /* view */
    uint64_t view_term;
    gp_id_t view_by; /* the leader whose view it is: a caretaker's term may be anybody's */
    uint32_t view_number;
    uint32_t view_digest;
    bool pending; /* leader: something is to be told */
    gp_usec_t cast_at, last_cast;
    gp_usec_t pull_at; /* 0: nothing to pull */
    uint32_t pull_tries;
    /* timers */
    gp_usec_t beat_at;
    uint32_t beat_slot;
    gp_usec_t ring_at;
    bool ring_asks;  /* every other time: half a period is for the choice of links alone */
    gp_id_t ring[2]; /* the neighbours that are linked to; all zero: not chosen yet */
    gp_usec_t probe_at;
    uint32_t probe_cursor;
    gp_usec_t seek_at;
    uint32_t seek_tries;
    uint32_t seek_cursor;
    gp_usec_t introduce_at; /* 0: nobody to introduce */
    gp_usec_t forwarded_at; /* last one for whom there is no place here; 0: none yet */
    gp_usec_t standings_at;
    uint64_t standings_hash;
    bool standings_dirty;
    gp_usec_t sweep_at; /* last sweep */
    gp_usec_t refused_verdict_at;
    gp_usec_t refused_at; /* last REFUSED */
    gp_usec_t fell_at;    /* a member was last seen to become unavailable */
    /* disk */
    bool store_dirty, store_open;
    bool store_tries; /* what is on its way to the disk is a try */
    gp_usec_t store_at, last_store;
    gp_usec_t tried_at; /* when this room last wrote to the disk; at first: the start */
    /* links */
    bool links_dirty;
    uint32_t link_count;
    gp_id_t links[GP_GROUP_LINKS_MAX];
    /* leaving */
    bool leaving, left, leave_forever, leave_moves;
    gp_usec_t leave_at, leave_until;
    bool late;         /* this step began late: deadlines were moved */
    gp_usec_t late_at; /* when one last did, however little */
    uint32_t rounds;
    /* the table */
    uint32_t count;
    uint8_t order[GP_MEMBERS_MAX];  /* slots in order of ids */
    uint64_t heads[GP_MEMBERS_MAX]; /* of the ids in that order: a search reads little else */
    uint64_t used;
    gp_usec_t wakes[GP_MEMBERS_MAX]; /* of each slot that is not touched: its earliest time */
    gp_group_entry_t entries[];      /* members_max, then members_max * cert_max bytes */
};

/* ---- table.c --------------------------------------------------------------------------------- */

/*
 * NULL: not known. An entry that is given out for writing counts as touched: the end of the step
 * looks at those only. Who just reads takes the constant one.
 */
gp_group_entry_t *gp_group_find(gp_group_t *g, const gp_id_t *id);
const gp_group_entry_t *gp_group_look(const gp_group_t *g, const gp_id_t *id);
gp_group_entry_t *gp_group_at(gp_group_t *g, uint32_t index);
const gp_group_entry_t *gp_group_look_at(const gp_group_t *g, uint32_t index);
gp_group_entry_t *gp_group_self(gp_group_t *g);

/* A new entry of state NONE outside of the view; NULL if the table is full. */
gp_group_entry_t *gp_group_add(gp_group_t *g, const gp_id_t *id);
void gp_group_remove(gp_group_t *g, gp_group_entry_t *m);

/* Takes over name, address and certificate, each if it is given. Returns whether one changed. */
bool gp_group_identify(gp_group_t *g, gp_group_entry_t *m, const gp_record_member_t *record);

/* Fills a record for the wire; texts are copied: the entry may be another's later in the step. */
void gp_group_record(const gp_group_entry_t *m, bool identity, gp_out_t *out,
                     gp_record_member_t *ret_record);

/* The order-independent digest of the entries that are in the view. */
uint32_t gp_group_digest(gp_group_t *g);

/* Sets what the group's word on an entry is; at the leader it will be told. */
void gp_group_rule(gp_group_t *g, gp_group_entry_t *m, gp_member_state_t state, gp_cause_t cause);
void gp_group_observers(gp_group_t *g, gp_group_entry_t *m, uint64_t slots);

/* Members in the view whose word is ALIVE, this machine included. */
uint32_t gp_group_living(gp_group_t *g);

/* The living neighbours of this machine in order of ids; NULL if there are none. */
gp_group_entry_t *gp_group_ring(gp_group_t *g, bool next);

/*
 * Chooses the neighbours to link to. Not for each newcomer: where sixty come at once, each would be
 * somebody's neighbour for a moment, and handshakes would be most of what they do.
 */
void gp_group_ring_choose(gp_group_t *g);

bool gp_group_has_leader(const gp_group_t *g);
bool gp_group_is_deputy(const gp_group_t *g);
bool gp_group_is_voter(const gp_group_t *g);  /* by the roster that the election told last */
bool gp_group_may_judge(const gp_group_t *g); /* leads by a quorum, and its lease runs */

/* The highest incarnation known of it, from whatever source. */
uint64_t gp_group_newest(const gp_group_entry_t *m);

/* Heard by this machine itself within two periods. */
bool gp_group_hears(const gp_group_t *g, const gp_group_entry_t *m);

/* ---- view.c ---------------------------------------------------------------------------------- */

gp_cause_t gp_group_left_cause(bool forever, bool moves); /* why it said goodbye */
bool gp_group_holds(const gp_group_t *g); /* some view of the present leader */
void gp_group_change(gp_group_t *g);      /* leader: something is to be told soon */
void gp_group_flush(gp_group_t *g, gp_out_t *out);
void gp_group_pull_soon(gp_group_t *g, gp_usec_t after);
void gp_group_pull(gp_group_t *g, gp_out_t *out);
void gp_group_on_view(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_pull(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_view_ack(gp_group_t *g, const gp_event_t *event, gp_out_t *out);

/* The member is no longer known: MEMBER with forgotten set, then it is removed. */
void gp_group_forget(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out);

/* Leader: makes room for a newcomer; false if nobody can be forgotten. */
bool gp_group_make_room(gp_group_t *g, gp_out_t *out);
void gp_group_forget_old(gp_group_t *g, gp_out_t *out);

/* ---- lead.c ---------------------------------------------------------------------------------- */

void gp_group_on_leader(gp_group_t *g, const gp_event_t *event, gp_out_t *out);

/* The leader is not new any more: from now on its view counts for more than what is heard here. */
void gp_group_close_ears(gp_group_t *g);

/* The leader that is followed has not beaten this machine for three periods. */
bool gp_group_leader_silent(const gp_group_t *g);

/* This machine's place in the group is settled: nothing to seek. */
bool gp_group_recognized(const gp_group_t *g);

/* The view calls this machine other than alive in its incarnation: raise it and deny. */
void gp_group_refute(gp_group_t *g, gp_out_t *out);

void gp_group_on_leave_command(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_leave_again(gp_group_t *g, gp_out_t *out);
void gp_group_leave_done(gp_group_t *g, gp_out_t *out);
void gp_group_on_leave(gp_group_t *g, const gp_event_t *event, gp_out_t *out);

/* ---- beat.c ---------------------------------------------------------------------------------- */

/* Asks now; silence counts after `timeout` (0: after no time: this question sets no deadline). */
void gp_group_probe(gp_group_t *g, gp_group_entry_t *m, gp_usec_t timeout, gp_out_t *out);
gp_usec_t gp_group_scaled(const gp_group_t *g, gp_usec_t time); /* by local health */
void gp_group_strain(gp_group_t *g, uint32_t permille);         /* local health got worse */
void gp_group_ease(gp_group_t *g);
void gp_group_beats_start(gp_group_t *g);
void gp_group_beats(gp_group_t *g, gp_out_t *out);
void gp_group_ring_probe(gp_group_t *g, gp_out_t *out);
void gp_group_leaderless_probe(gp_group_t *g, gp_out_t *out);
void gp_group_on_beat(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_beat_ack(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_probe(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_probe_ack(gp_group_t *g, const gp_event_t *event, gp_out_t *out);

/* Any message from m proves that it lives: clears, revives, confirms. */
void gp_group_sign_of_life(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out);

/* The same where m named its incarnation; false: the message is of an earlier life of m. */
bool gp_group_witness(gp_group_t *g, gp_group_entry_t *m, uint64_t incarnation, gp_out_t *out);

/* ---- detect.c -------------------------------------------------------------------------------- */

void gp_group_late(gp_group_t *g, gp_usec_t late, gp_out_t *out);
void gp_group_unanswered(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out);

/* Own suspicions outlive a leader: the next one is told, or takes them up itself. */
void gp_group_suspicions_resend(gp_group_t *g, gp_out_t *out);
void gp_group_suspicions_escalate(gp_group_t *g, gp_out_t *out);
void gp_group_window_ends(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out);

/* phase as in SUSPICION: 2 cleared .. 5 dropped */
void gp_group_close(gp_group_t *g, gp_group_entry_t *m, uint8_t phase, gp_cause_t cause,
                    gp_out_t *out);

/* Leader: somebody doubts m: ask it with a short deadline. */
void gp_group_doubt(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out);
void gp_group_sweep(gp_group_t *g, gp_usec_t fresh, gp_out_t *out); /* not those just heard */
uint64_t gp_group_choose_confirmers(gp_group_t *g, const gp_group_entry_t *m, uint32_t count,
                                    uint64_t except);
void gp_group_ask(gp_group_t *g, gp_group_entry_t *m, uint64_t confirmers, gp_out_t *out);
void gp_group_on_suspect(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_confirm_ask(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_confirm(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_refute(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_confirm(gp_group_t *g, gp_group_entry_t *m, gp_cause_t cause, gp_out_t *out);

/* ---- evidence.c ------------------------------------------------------------------------------ */

void gp_group_on_link(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_dialed(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_evidence(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_dial(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out);
static inline bool gp_group_dial_waits(const gp_group_entry_t *m) /* for dial_at */
{
    return m->dial == GP_GROUP_DIAL_PAUSE || m->dial == GP_GROUP_DIAL_RETRY;
}
void gp_group_dial_again(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out);
void gp_group_evidence_void(gp_group_entry_t *m);
bool gp_group_evidence_add(gp_group_t *g, gp_group_entry_t *m, uint8_t by, uint64_t incarnation);
bool gp_group_evidence_own(const gp_group_t *g, const gp_group_entry_t *m);
void gp_group_judge(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out);
void gp_group_evidence_ask(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out);
void gp_group_evidence_resend(gp_group_t *g, gp_out_t *out);

/* ---- seek.c ---------------------------------------------------------------------------------- */

void gp_group_seek_soon(gp_group_t *g, gp_usec_t after); /* and begin the backoff anew */
void gp_group_seek(gp_group_t *g, gp_out_t *out);
void gp_group_on_seek(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_seek_reply(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_introduce(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_introduce_command(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_on_invite_command(gp_group_t *g, const gp_event_t *event, gp_out_t *out);
void gp_group_take_in(gp_group_t *g, gp_group_entry_t *m); /* leader: into the view */
void gp_group_introduce_again(gp_group_t *g, gp_out_t *out);

void gp_group_present(gp_group_t *g, gp_out_t *out); /* this machine to its leader, anew */
/* If the leader's view of this machine is not what it said of itself: the word was lost. */
void gp_group_present_again(gp_group_t *g, gp_out_t *out);
void gp_group_reply(gp_group_t *g, const gp_id_t *to, gp_out_t *out); /* who leads */

/* ---- place.c --------------------------------------------------------------------------------- */

/* This machine's place, for a list of one; returns its length: 0, it has none. */
uint32_t gp_group_place(const gp_group_t *g, gp_out_t *out, gp_record_place_t ret_places[1]);

/* For the next question to m: as above, with each at first and then with one in `every`. */
uint32_t gp_group_place_ask(const gp_group_t *g, gp_group_entry_t *m, uint32_t every, gp_out_t *out,
                            gp_record_place_t ret_places[1]);

/* Its answer took so long: notes the round trip, unless a handshake or trouble may be in it. */
void gp_group_place_measured(gp_group_t *g, gp_group_entry_t *m, gp_usec_t took);

/* m says where it is, in the answer that was just measured. Garbage is ignored. */
void gp_group_place_answered(gp_group_t *g, gp_group_entry_t *m, const gp_record_place_t *places,
                             uint32_t count);

/* m, the leader or its deputy, says where it is and how far from here, as it measured. */
void gp_group_place_told(gp_group_t *g, gp_group_entry_t *m, const gp_record_place_t *places,
                         uint32_t count);

/* ---- report.c -------------------------------------------------------------------------------- */

/* When the disk is to be tried next, if nothing else is written; GP_NEVER. */
gp_usec_t gp_group_try_at(const gp_group_t *g);

/* End of each step: notices, if some entry is dirty; links, standings, the record on disk. */
void gp_group_report(gp_group_t *g, bool dirty, gp_out_t *out);
void gp_group_refuse(gp_group_t *g, const gp_event_t *event, gp_error_t error, gp_out_t *out);
void gp_group_notice_member(gp_group_t *g, gp_group_entry_t *m, bool forgotten, gp_out_t *out);
void gp_group_load(gp_group_t *g, const gp_event_t *event);

/* ---- availability.c -------------------------------------------------------------------------- */

void gp_availability_start(gp_availability_t *a, gp_usec_t now);
void gp_availability_advance(gp_availability_t *a, bool up, gp_usec_t now);
void gp_availability_rest(gp_availability_t *a, gp_usec_t now); /* not known: no time passes */
void gp_availability_fall(gp_availability_t *a);
void gp_availability_sample(gp_availability_t *a, uint16_t health, uint16_t headroom);

/* 0 .. 1000 in steps of 10; see availability.c for the formula. */
uint16_t gp_availability_score(gp_availability_t *a, uint8_t flags);

#endif
