/*
 * The peer: the cores of one machine, composed into one core. Both shells drive it.
 *
 * A machine has a seat in each group that it belongs to (proto/core.h), with cores of its own. The
 * cores know nothing of each other: they meet here, as events. A notice that one core gives is
 * handed to those that need it as a command, in the same step and the same seat:
 *
 *   group.STANDINGS   -> election.ELECTION_STANDINGS      who is there, how good, who is reached
 *   group.GONE        -> election.ELECTION_EVIDENCE       that process is gone: do not wait
 *   group.MEMBER      -> discovery, work                  a machine came, went or changed; work
 *                                                         hears its roles, of its certificate
 *   election.LEADER   -> group, discovery                 who leads, by which right, until when
 *   work.JOB_FIND     -> discovery.DISCOVERY_FIND         machines for a job
 *   discovery.ANSWER  -> work.WORK_ANSWER                 (only for questions of jobs)
 *   election.RELINQUISHED -> group.GROUP_LEAVE            last step of leaving in good order
 *   election.HEIRLESS -> election.ELECTION_STAY           in all seats, and leaving is withdrawn
 *   any STORED, refused or not -> group.GROUP_DISK        the disk fails, or is well again
 *   election.LEADER   -> tiers.TIERS_LEADER               of each seat
 *   tiers.SEAT_WANTED                                     SEAT_ASK to all members below
 *   tiers.SEAT_OFFER  -> group.GROUP_INVITE               there: one of its voters asks for a seat
 *   tiers.SEAT_ROLE   -> group.GROUP_SELF                 there: it leads below, or only stands by
 *   tiers.SEAT_GIVE   -> election.ELECTION_RELINQUISH     there
 *   tiers.SEAT_TAKE                                       new cores for that seat: see seats.c
 *   election.LEADER   -> route.ROUTE_LEADER               of each seat, if there are seats above
 *   group.MEMBER      -> route.ROUTE_MEMBER               of each seat above
 *   route.PLACE_DUE   -> route.ROUTE_OWN                  what discovery has of the sub-Grid
 *   route.ROUTE_QUESTION -> discovery.DISCOVERY_FIND      a routed question to the own sub-Grid
 *   discovery.ANSWER  -> route.ROUTE_LOCAL                (only for those)
 *
 * Leaving: the shell gives ELECTION_RELINQUISH; the peer marks the machine as leaving, hands over
 * what it leads, says goodbye, and reports LEFT, after which the shell may stop. Who is to go for
 * good but is needed where it leads goes on as before, and reports HEIRLESS.
 */
#ifndef GP_AGENT_PEER_PEER_H
#define GP_AGENT_PEER_PEER_H

#include "agent/work/work_core.h"
#include "discovery/discovery.h"
#include "discovery/route.h"
#include "election/election.h"
#include "overlay/group/group.h"
#include "overlay/tiers/forming.h"
#include "overlay/tiers/tiers.h"
#include "proto/core.h"

typedef struct gp_peer_config {
    /* The peer itself fills in `coordinate` here and below, `alone`, and `fits`, `certified`,
     * `roles`. */
    gp_group_config_t group;
    gp_election_config_t election;
    gp_discovery_config_t discovery;
    gp_work_config_t work;
    /* `groups`: the first is that of `group`; of the tiers above those in which it may get a seat
     */
    gp_tiers_config_t tiers;
    gp_forming_config_t forming; /* groups and view are the peer's business */
    uint32_t members_above;      /* members of a group above; 0: as many as of the sub-Grid */
} gp_peer_config_t;

extern const gp_core_ops_t gp_peer_ops;

/* The composed cores, for their const accessors: of the sub-Grid's seat, if nothing else is said.
 */
const void *gp_peer_group(const void *peer);
const void *gp_peer_election(const void *peer);
const void *gp_peer_discovery(const void *peer);
const void *gp_peer_work(const void *peer);
const void *gp_peer_route(const void *peer);

/* Where this machine is in the network, as far as it knows: gp_coordinate_is_placed. */
const gp_coordinate_t *gp_peer_coordinate(const void *peer);

/*
 * For a shell that simulates: while a whole sub-Grid is calm, what this machine does in it may
 * rest. Its cores there take no events and their clocks stand still until it goes on; whatever it
 * has above lives on. The shell sees to it that nothing is on its way to or from those cores.
 */
void gp_peer_rest(void *peer, gp_usec_t now);
void gp_peer_go_on(void *peer, gp_usec_t now);
/* By how much the clock of the cores in that seat is behind. */
gp_usec_t gp_peer_behind(const void *peer, gp_seat_t seat);

/* The cores of another seat; NULL: this machine has no such seat now. */
const void *gp_peer_seat_group(const void *peer, gp_seat_t seat);
const void *gp_peer_seat_election(const void *peer, gp_seat_t seat);

#endif
