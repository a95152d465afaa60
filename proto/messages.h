/*
 * The one table of messages. It generates the enum, the structs, the field tables that the packer,
 * the strict reader and the printer walk, and the protocol page (scripts/protocol-page).
 *
 * F(type, name, max)    a field: BOOL U8 U16 U32 U64 ID PEER TEXT BLOB; max is the largest value of
 *                       a number (0: any of its width) or the most bytes of TEXT and BLOB; an ID of
 *                       zeros is nobody's, a PEER is somebody's
 * L(record, name, max)  a list of at most max records; the struct has name[max] and name_count
 * R(name, doc)          a record with the fields GP_RECORD_<name>
 * M(KIND, name, code, scope, room, doc)   a message with the fields GP_FIELDS_<KIND>
 *
 * Scopes: LINK    rides on the authenticated session of a link; never relayed, orders nothing
 *         SIGNED  travels in the signed envelope
 *         STORED  a room's record on its own disk
 *         LOCAL   a command to a core from its own machine; the reader refuses it from the wire
 *         NOTICE  a fact that a core reports; the reader refuses it from the wire
 *
 * Codes are for ever: a code is never reused. Rooms own ranges of 64 codes.
 */
#ifndef GP_PROTO_MESSAGES_H
#define GP_PROTO_MESSAGES_H

#include "proto/limits.h"

/* ---- records ------------------------------------------------------------------------------- */

#define GP_RECORDS(R)                                                                              \
    R(member, "one member of a group, as a view tells it")                                         \
    R(voter, "one voter of a roster, best first")                                                  \
    R(vote, "the exact signed bytes of a granted vote, in its voter's place; empty: it gave none") \
    R(release, "the exact signed bytes of a HANDOVER, by whom and of which term")                  \
    R(standing, "how one member stands: for ranks, voters and reach")                              \
    R(place, "where the sender is in the network, and how far from the receiver")                  \
    R(attr, "one attribute of a machine's record")                                                 \
    R(hit, "one machine in an answer")                                                             \
    R(value, "one attribute of one hit")                                                           \
    R(condition, "how many machines one condition of a query excludes")                            \
    R(offer, "a group below: a sub-Grid that a machine may go to, or a region")                    \
    R(word, "one word of a command or one NAME=value of an environment")                           \
    R(routed_hit, "one machine in an answer from anywhere in the grid")                            \
    R(absent, "a part of the grid whose machines the answer may lack, and why")

#define GP_RECORD_member(F, L)                                                                     \
    F(PEER, id, 0)                                                                                 \
    F(U64, incarnation, 0)                                                                         \
    F(U8, state, 5)                                                                                \
    F(U8, cause, 31)                                                                               \
    F(U8, flags, 0)                                                                                \
    F(BLOB, observers, GP_OBSERVERS_MAX * 32)                                                      \
    F(TEXT, name, GP_NAME_MAX)                                                                     \
    F(TEXT, address, GP_ADDRESS_MAX)                                                               \
    F(BLOB, cert, GP_CERT_MAX)

#define GP_RECORD_voter(F, L) F(PEER, id, 0) F(U16, score, 1000)

#define GP_RECORD_vote(F, L) F(BLOB, bytes, GP_VOTE_MAX)

#define GP_RECORD_release(F, L) F(ID, by, 0) F(U64, term, 0) F(BLOB, bytes, GP_RELEASE_MAX)

#define GP_RECORD_standing(F, L)                                                                   \
    F(PEER, id, 0) F(U64, incarnation, 0) F(U8, state, 5) F(U8, flags, 0) F(U16, score, 1000)      \
    F(BOOL, reached, 0)

/* rtt_us: to the receiver, as measured last; 0: not said */
#define GP_RECORD_place(F, L) F(BLOB, coordinate, GP_COORDINATE_MAX) F(U32, rtt_us, 0)

#define GP_RECORD_attr(F, L) F(U16, attr, 0) F(U64, number, 0) F(TEXT, text, GP_ATTR_TEXT_MAX)

#define GP_RECORD_hit(F, L)                                                                        \
    F(PEER, id, 0) F(TEXT, name, GP_NAME_MAX) F(TEXT, address, GP_ADDRESS_MAX) F(U32, rtt_us, 0)   \
    F(U64, incarnation, 0)

#define GP_RECORD_value(F, L)                                                                      \
    F(U8, hit, GP_HITS_MAX) F(U16, attr, 0) F(BOOL, known, 0) F(U64, number, 0)                    \
    F(TEXT, text, GP_ATTR_TEXT_MAX)

#define GP_RECORD_condition(F, L) F(TEXT, text, GP_QUERY_MAX) F(U32, excluded, 0) F(U32, unknown, 0)

/* name: of a region; full: it takes nobody in; address, leader_name: of the leader */
#define GP_RECORD_offer(F, L)                                                                      \
    F(U64, group, 0) F(TEXT, name, GP_NAME_MAX) F(PEER, leader, 0)                                 \
    F(TEXT, leader_name, GP_NAME_MAX) F(TEXT, address, GP_ADDRESS_MAX) F(U32, members, 0)          \
    F(BOOL, full, 0) F(BLOB, coordinate, GP_COORDINATE_MAX)

#define GP_RECORD_word(F, L) F(TEXT, text, GP_ARGS_BYTES_MAX)

/* group: its sub-Grid, whose name may be empty */
#define GP_RECORD_routed_hit(F, L)                                                                 \
    F(PEER, id, 0) F(TEXT, name, GP_NAME_MAX) F(TEXT, address, GP_ADDRESS_MAX) F(U32, rtt_us, 0)   \
    F(U64, incarnation, 0) F(U64, group, 0) F(TEXT, subgrid, GP_NAME_MAX)                          \
    F(TEXT, region, GP_NAME_MAX)

/* why: gp_absent_why_t */
#define GP_RECORD_absent(F, L) F(U64, group, 0) F(TEXT, name, GP_NAME_MAX) F(U8, why, 15)

/* ---- messages ------------------------------------------------------------------------------ */

#define GP_MESSAGES(M)                                                                             \
    /* overlay/group */                                                                            \
    M(BEAT, beat, 0x01, LINK, GROUP, "the leader or its deputy asks a member: still there?")       \
    M(BEAT_ACK, beat_ack, 0x02, LINK, GROUP, "the member answers, with its health")                \
    M(PROBE, probe, 0x03, LINK, GROUP, "any member asks any other: do you hear me?")               \
    M(PROBE_ACK, probe_ack, 0x04, LINK, GROUP, "the answer to PROBE")                              \
    M(VIEW, view, 0x05, SIGNED, GROUP, "numbered batch of membership verdicts, by the leader")     \
    M(VIEW_PULL, view_pull, 0x06, SIGNED, GROUP, "a member missed a batch: send all")              \
    M(VIEW_ACK, view_ack, 0x07, SIGNED, GROUP, "a voter holds the view up to this number")         \
    M(SUSPECT, suspect, 0x08, SIGNED, GROUP, "to the suspect and to the leader: I hear nothing")   \
    M(CONFIRM_ASK, confirm_ask, 0x09, SIGNED, GROUP, "to a confirmer: probe this member now")      \
    M(CONFIRM, confirm, 0x0a, SIGNED, GROUP, "a confirmer's answer")                               \
    M(REFUTE, refute, 0x0b, SIGNED, GROUP, "the suspect lives, with a higher incarnation")         \
    M(EVIDENCE, evidence, 0x0c, SIGNED, GROUP, "a fresh connection was refused: process gone")     \
    M(SEEK, seek, 0x0d, SIGNED, GROUP, "a member without a leader presents itself")                \
    M(SEEK_REPLY, seek_reply, 0x0e, SIGNED, GROUP, "who leads, as far as the asked one knows")     \
    M(INTRODUCE, introduce, 0x0f, SIGNED, GROUP, "to the leader: this certified machine belongs")  \
    M(LEAVE, leave, 0x10, SIGNED, GROUP, "a member goes: stopped, or left for good")               \
    M(GROUP_STATE, group_state, 0x11, STORED, GROUP, "the members last known")                     \
    M(GROUP_INTRODUCE, group_introduce, 0x12, LOCAL, GROUP, "admit this certified machine")        \
    M(GROUP_LEAVE, group_leave, 0x13, LOCAL, GROUP, "tell the group that this machine goes")       \
    M(GROUP_LEADER, group_leader, 0x14, LOCAL, GROUP, "the election's news for the group")         \
    M(GROUP_SELF, group_self, 0x15, LOCAL, GROUP, "this machine's own load and health changed")    \
    M(GROUP_CERT, group_cert, 0x16, LOCAL, GROUP, "this machine has a fresh certificate")          \
    M(GROUP_DISK, group_disk, 0x17, LOCAL, GROUP, "this machine's disk fails, or is well again")   \
    M(GROUP_TRY, group_try, 0x18, STORED, GROUP, "written to see whether the disk takes records")  \
    M(GROUP_INVITE, group_invite, 0x19, LOCAL, GROUP, "admit this machine, and tell it who leads") \
    M(MEMBER, member, 0x20, NOTICE, GROUP, "a member came, went or changed, and why")              \
    M(VIEW_APPLIED, view_applied, 0x21, NOTICE, GROUP, "this machine now holds this view")         \
    M(GONE, gone, 0x22, NOTICE, GROUP, "own evidence: that process is gone")                       \
    M(STANDINGS, standings, 0x23, NOTICE, GROUP, "all members as this machine sees them")          \
    M(SUSPICION, suspicion, 0x24, NOTICE, GROUP, "a suspicion opened, was cleared or confirmed")   \
    M(LATE, late, 0x25, NOTICE, GROUP, "this machine missed its own timers")                       \
    M(LEFT, left, 0x26, NOTICE, GROUP, "the group knows that this machine goes: it may stop")      \
    M(REFUSED, refused, 0x27, NOTICE, GROUP, "a message was refused, with the error")              \
    /* election */                                                                                 \
    M(LEASE, lease, 0x41, LINK, ELECTION, "the leader renews its lease with a voter")              \
    M(LEASE_ACK, lease_ack, 0x42, LINK, ELECTION, "the voter grants until its clock says so")      \
    M(PREVOTE_ASK, prevote_ask, 0x43, SIGNED, ELECTION, "would you vote for me?")                  \
    M(PREVOTE, prevote, 0x44, SIGNED, ELECTION, "I would, or why not; binds nobody")               \
    M(VOTE_ASK, vote_ask, 0x45, SIGNED, ELECTION, "vote for me in this term")                      \
    M(VOTE, vote, 0x46, SIGNED, ELECTION, "the vote, durable before it was sent; evidence")        \
    M(MANDATE, mandate, 0x47, SIGNED, ELECTION, "the votes of a majority: proof of leadership")    \
    M(MANDATE_ASK, mandate_ask, 0x48, SIGNED, ELECTION, "show me your mandate")                    \
    M(REGISTER, register_, 0x49, SIGNED, ELECTION, "the leader's versioned value for voters")      \
    M(REGISTER_ACK, register_ack, 0x4a, SIGNED, ELECTION, "the value is durable here")             \
    M(HANDOVER, handover, 0x4b, SIGNED, ELECTION, "I give the lease up in writing: stand now")     \
    M(RENEW_ASK, renew_ask, 0x4c, SIGNED, ELECTION, "sign your vote again: mandate runs out")      \
    M(CARETAKER, caretaker, 0x4d, SIGNED, ELECTION, "no majority here: I take care meanwhile")     \
    M(ELECTION_STATE, election_state, 0x4e, STORED, ELECTION, "term, vote, register")              \
    M(ELECTION_STANDINGS, election_standings, 0x4f, LOCAL, ELECTION, "members and their scores")   \
    M(ELECTION_EVIDENCE, election_evidence, 0x50, LOCAL, ELECTION, "that process is gone")         \
    M(ELECTION_RELINQUISH, election_relinquish, 0x51, LOCAL, ELECTION, "hand over, then go")       \
    M(ELECTION_FOUND, election_found, 0x52, LOCAL, ELECTION, "found the group: own roster")        \
    M(ELECTION_STAY, election_stay, 0x53, LOCAL, ELECTION, "this machine does not go after all")   \
    M(LEADER, leader, 0x60, NOTICE, ELECTION, "who leads, and by which right")                     \
    M(CAMPAIGN, campaign, 0x61, NOTICE, ELECTION, "this machine stands for election, and why")     \
    M(STEP_DOWN, step_down, 0x62, NOTICE, ELECTION, "this machine no longer leads, and why")       \
    M(ROSTER, roster, 0x63, NOTICE, ELECTION, "the roster changed")                                \
    M(RELINQUISHED, relinquished, 0x64, NOTICE, ELECTION, "the role is handed over, or nobody's")  \
    M(HEIRLESS, heirless, 0x65, NOTICE, ELECTION, "it does not go for good: nobody takes over")    \
    /* discovery */                                                                                \
    M(RECORD, record, 0x81, SIGNED, DISCOVERY, "attributes of the sender, whole or changed")       \
    M(RECORD_ASK, record_ask, 0x82, SIGNED, DISCOVERY, "to a member: send your whole record")      \
    M(FIND, find, 0x83, SIGNED, DISCOVERY, "a question to the super-peer")                         \
    M(FOUND, found, 0x84, SIGNED, DISCOVERY, "its answer: a hint, never a claim")                  \
    M(OWN_RECORD, own_record, 0x85, LOCAL, DISCOVERY, "collected attributes of this machine")      \
    M(DISCOVERY_FIND, discovery_find, 0x86, LOCAL, DISCOVERY, "a question from this machine")      \
    M(DISCOVERY_LEADER, discovery_leader, 0x87, LOCAL, DISCOVERY, "whom to report to and ask")     \
    M(DISCOVERY_MEMBER, discovery_member, 0x88, LOCAL, DISCOVERY, "a member came, went, changed")  \
    M(ANSWER, answer, 0xa0, NOTICE, DISCOVERY, "the answer to this machine's question")            \
    /* work */                                                                                     \
    M(CLAIM, claim, 0xc1, SIGNED, WORK, "the home asks a machine to run an attempt")               \
    M(CLAIMED, claimed, 0xc2, SIGNED, WORK, "the machine decided: taken, or refused and why")      \
    M(KEEP, keep, 0xc3, SIGNED, WORK, "the home renews the lease of an attempt")                   \
    M(KEPT, kept, 0xc4, SIGNED, WORK, "the executor answers: still running")                       \
    M(OUTPUT, output, 0xc5, SIGNED, WORK, "bytes that the program wrote")                          \
    M(OUTPUT_ACK, output_ack, 0xc6, SIGNED, WORK, "credit: bytes taken so far")                    \
    M(ENDED, ended, 0xc7, SIGNED, WORK, "how the attempt ended")                                   \
    M(ENDED_ACK, ended_ack, 0xc8, SIGNED, WORK, "the home has recorded the end")                   \
    M(CANCEL, cancel, 0xc9, SIGNED, WORK, "the home cancels the attempt")                          \
    M(JOB_STATE, job_state, 0xca, STORED, WORK, "one job's record at its home")                    \
    M(ATTEMPT_STATE, attempt_state, 0xcb, STORED, WORK, "one attempt's record at its executor")    \
    M(WORK_RUN, work_run, 0xcc, LOCAL, WORK, "run this, from the user")                            \
    M(WORK_CANCEL, work_cancel, 0xcd, LOCAL, WORK, "cancel this, from the user")                   \
    M(WORK_ANSWER, work_answer, 0xce, LOCAL, WORK, "discovery's answer for a job to place")        \
    M(WORK_MEMBER, work_member, 0xcf, LOCAL, WORK, "a member came or went")                        \
    M(WORK_STARTED, work_started, 0xd0, LOCAL, WORK, "the launcher started it, or could not")      \
    M(WORK_OUTPUT, work_output, 0xd1, LOCAL, WORK, "the launcher read output")                     \
    M(WORK_ENDED, work_ended, 0xd2, LOCAL, WORK, "the launcher reaped it")                         \
    M(WORK_CONSUMED, work_consumed, 0xd3, LOCAL, WORK, "the user has taken output to here")        \
    M(WORK_POLICY, work_policy, 0xd4, LOCAL, WORK, "what the owner lends; draining")               \
    M(WORK_STOP, work_stop, 0xd5, LOCAL, WORK, "the agent stops: end all work in good order")      \
    M(JOB, job, 0xe0, NOTICE, WORK, "a job changed its state, and why")                            \
    M(JOB_OUTPUT, job_output, 0xe1, NOTICE, WORK, "output for the user")                           \
    M(JOB_FIND, job_find, 0xe2, NOTICE, WORK, "a job asks discovery for machines")                 \
    M(JOB_START, job_start, 0xe3, NOTICE, WORK, "launcher: start this attempt")                    \
    M(JOB_STOP, job_stop, 0xe4, NOTICE, WORK, "launcher: end this attempt")                        \
    M(JOB_READ, job_read, 0xe5, NOTICE, WORK, "launcher: read on, up to this offset")              \
    M(JOB_LEASE, job_lease, 0xe6, NOTICE, WORK, "launcher: it may run on for this long")           \
    M(WORK_STOPPED, work_stopped, 0xe7, NOTICE, WORK, "no work is left: the agent may stop")       \
    /* joining: handled by the shell (agent/node), not by a core */                                \
    M(JOIN_ASK, join_ask, 0x101, SIGNED, JOIN, "a machine with an invitation asks to be let in")   \
    M(JOIN_OK, join_ok, 0x102, SIGNED, JOIN, "its certificate and where to go")                    \
    M(JOIN_NO, join_no, 0x103, SIGNED, JOIN, "refused, with the error")                            \
    M(CERT_RENEW, cert_renew, 0x104, SIGNED, JOIN, "a member asks for a fresh certificate")        \
    M(CERT_RENEWED, cert_renewed, 0x105, SIGNED, JOIN, "the fresh certificate")                    \
    M(VISIT, visit, 0x106, SIGNED, JOIN, "first on a connection: who opened it, by certificate")   \
    /* overlay/tiers */                                                                            \
    M(SEAT_ASK, seat_ask, 0x141, SIGNED, TIERS, "a voter asks its leader into the group above")    \
    M(TIERS_LEADER, tiers_leader, 0x142, LOCAL, TIERS, "the election's news of one seat")          \
    M(TIERS_SEAT, tiers_seat, 0x143, LOCAL, TIERS, "this machine has that seat now, or no more")   \
    M(SEAT_TAKE, seat_take, 0x160, NOTICE, TIERS, "this machine takes the seat it was offered")    \
    M(SEAT_GIVE, seat_give, 0x161, NOTICE, TIERS, "this machine gives that seat up")               \
    M(SEAT_OFFER, seat_offer, 0x162, NOTICE, TIERS, "that machine may come into that group")       \
    M(SEAT_ROLE, seat_role, 0x163, NOTICE, TIERS, "what this machine is there, by its part below") \
    M(SEAT_WANTED, seat_wanted, 0x164, NOTICE, TIERS, "members below are asked for that seat")     \
    M(CONTACT, contact, 0x170, NOTICE, TIERS, "shell: how to reach a machine that is no member")   \
    /* discovery, from group to group */                                                           \
    M(PLACE, place, 0x181, SIGNED, ROUTE, "a leader tells above what its group has to offer")      \
    M(ROUTE, route, 0x182, SIGNED, ROUTE, "a question on its way; relays carry it unopened")       \
    M(ROUTE_PASS, route_pass, 0x183, SIGNED, ROUTE, "a question carried on, and what of it to do") \
    M(ROUTE_FOUND, route_found, 0x184, SIGNED, ROUTE, "a super-peer's answer to a question")       \
    M(ROUTE_BACK, route_back, 0x185, SIGNED, ROUTE, "an answer carried back, unopened")            \
    M(ROUTE_DONE, route_done, 0x186, SIGNED, ROUTE, "no more answers: who was asked, who absent")  \
    M(ROUTE_LEADER, route_leader, 0x187, LOCAL, ROUTE, "the election's news of one seat")          \
    M(ROUTE_MEMBER, route_member, 0x188, LOCAL, ROUTE, "a member of one seat's group")             \
    M(ROUTE_SELF, route_self, 0x189, LOCAL, ROUTE, "this machine's certificate and coordinate")    \
    M(ROUTE_OWN, route_own, 0x18a, LOCAL, ROUTE, "what the own sub-Grid offers now")               \
    M(ROUTE_FIND, route_find, 0x18b, LOCAL, ROUTE, "a question from this machine")                 \
    M(ROUTE_LOCAL, route_local, 0x18c, LOCAL, ROUTE, "the own sub-Grid's answer")                  \
    M(ROUTE_ANSWER, route_answer, 0x1a0, NOTICE, ROUTE, "the answer to this machine's question")   \
    M(ROUTE_QUESTION, route_question, 0x1a1, NOTICE, ROUTE, "to the own sub-Grid: who matches?")   \
    M(PLACE_DUE, place_due, 0x1a2, NOTICE, ROUTE, "say what the own sub-Grid offers now")          \
    M(PLACE_KNOWN, place_known, 0x1a3, NOTICE, ROUTE, "a group below came, changed or went")  \
    /* overlay/tiers: forming */                                                                   \
    M(FORM_ASK, form_ask, 0x1c1, SIGNED, FORMING, "where may this machine go? or: let it in")      \
    M(FORM_TOLD, form_told, 0x1c2, SIGNED, FORMING, "the answer, on the way that the ask came")    \
    M(MOVE, move, 0x1c3, SIGNED, FORMING, "a super-peer to its machine: go to that sub-Grid")      \
    M(MOVE_NO, move_no, 0x1c4, SIGNED, FORMING, "the machine cannot go now, and why")              \
    M(FORM_STATE, form_state, 0x1c5, STORED, FORMING, "the sub-Grid that this machine moved to")   \
    M(FORM_PLACE, form_place, 0x1c6, LOCAL, FORMING, "place a newcomer, or list what there is")    \
    M(FORM_KEEP, form_keep, 0x1c7, LOCAL, FORMING, "it has left: write down where it goes")        \
    M(FORM_ANSWER, form_answer, 0x1e0, NOTICE, FORMING, "where the newcomer may go, or goes")      \
    M(FORM_INVITE, form_invite, 0x1e1, NOTICE, FORMING, "a machine may come into that group")      \
    M(FORM_GO, form_go, 0x1e2, NOTICE, FORMING, "this machine moves to another sub-Grid")          \
    M(FORM_MOVED, form_moved, 0x1e3, NOTICE, FORMING, "it is written: start anew, there")

/* ---- overlay/group ------------------------------------------------------------------------- */

/*
 * role: 1 leader, 2 deputy
 * places: now and then the sender's, which asks for the receiver's (proto/coordinate.h)
 */
#define GP_FIELDS_BEAT(F, L)                                                                       \
    F(U64, group, 0) F(U64, term, 0) F(U32, number, 0) F(U32, digest, 0) F(U32, sequence, 0)       \
    F(U8, role, 2) L(place, places, 1)
/* headroom and health in permille (1000: best) */
#define GP_FIELDS_BEAT_ACK(F, L)                                                                   \
    F(U64, group, 0) F(U64, incarnation, 0) F(U32, sequence, 0) F(U16, health, 1000)               \
    F(U16, headroom, 1000) L(place, places, 1)
#define GP_FIELDS_PROBE(F, L) F(U64, group, 0) F(U32, sequence, 0) L(place, places, 1)
#define GP_FIELDS_PROBE_ACK(F, L)                                                                  \
    F(U64, group, 0) F(U64, incarnation, 0) F(U32, sequence, 0) L(place, places, 1)
/* full: entries are the whole table; else the changes that lead from number-1 to number */
#define GP_FIELDS_VIEW(F, L)                                                                       \
    F(U64, group, 0) F(U64, term, 0) F(U32, number, 0) F(U32, digest, 0) F(BOOL, full, 0)          \
    F(ID, deputy, 0) L(member, entries, GP_MEMBERS_MAX)
#define GP_FIELDS_VIEW_PULL(F, L) F(U64, group, 0) F(U64, term, 0) F(U32, number, 0)
#define GP_FIELDS_VIEW_ACK(F, L) F(U64, group, 0) F(U64, term, 0) F(U32, number, 0)
#define GP_FIELDS_SUSPECT(F, L)                                                                    \
    F(U64, group, 0) F(ID, target, 0) F(U64, incarnation, 0) F(U8, cause, 31)
#define GP_FIELDS_CONFIRM_ASK(F, L)                                                                \
    F(U64, group, 0) F(ID, target, 0) F(U64, incarnation, 0) F(U32, round, 0)
#define GP_FIELDS_CONFIRM(F, L)                                                                    \
    F(U64, group, 0) F(ID, target, 0) F(U64, incarnation, 0) F(U32, round, 0) F(U8, cause, 31)
#define GP_FIELDS_REFUTE(F, L) F(U64, group, 0) F(U64, incarnation, 0)
#define GP_FIELDS_EVIDENCE(F, L)                                                                   \
    F(U64, group, 0) F(ID, target, 0) F(U64, incarnation, 0) F(U8, cause, 31)
#define GP_FIELDS_SEEK(F, L)                                                                       \
    F(U64, group, 0) F(U64, incarnation, 0) F(U64, term, 0) F(U32, number, 0) F(U8, flags, 0)      \
    F(TEXT, name, GP_NAME_MAX) F(TEXT, address, GP_ADDRESS_MAX) F(BLOB, cert, GP_CERT_MAX)
#define GP_FIELDS_SEEK_REPLY(F, L)                                                                 \
    F(U64, group, 0) F(ID, leader, 0) F(U64, term, 0) F(U8, right, 2) F(U64, incarnation, 0)       \
    L(member, entries, 2)
#define GP_FIELDS_INTRODUCE(F, L) F(U64, group, 0) L(member, entries, 1)
/* forever: the machine has left the grid; otherwise its agent only stops */
/* moves: for ever, but only into another sub-Grid */
#define GP_FIELDS_LEAVE(F, L)                                                                      \
    F(U64, group, 0) F(U64, incarnation, 0) F(BOOL, forever, 0) F(BOOL, moves, 0)
/* leader: who led then, or is said to; it is sought first */
#define GP_FIELDS_GROUP_STATE(F, L)                                                                \
    F(U64, group, 0) F(U64, term, 0) F(U32, number, 0) F(ID, leader, 0)                            \
    L(member, entries, GP_MEMBERS_MAX)
#define GP_FIELDS_GROUP_INTRODUCE(F, L) L(member, entries, 1)
#define GP_FIELDS_GROUP_INVITE(F, L) L(member, entries, 1)
#define GP_FIELDS_GROUP_LEAVE(F, L) F(BOOL, forever, 0) F(BOOL, moves, 0)
/* right: gp_right_t; lease_until: until when this machine itself may lead (0: it does not) */
#define GP_FIELDS_GROUP_LEADER(F, L)                                                               \
    F(U64, term, 0) F(ID, leader, 0) F(ID, deputy, 0) F(U8, right, 2) F(U64, lease_until, 0)       \
    L(voter, voters, GP_VOTERS_MAX)
#define GP_FIELDS_GROUP_SELF(F, L) F(U16, health, 1000) F(U16, headroom, 1000) F(U8, flags, 0)
#define GP_FIELDS_GROUP_CERT(F, L) F(BLOB, cert, GP_CERT_MAX)
#define GP_FIELDS_GROUP_DISK(F, L) F(BOOL, failing, 0)
#define GP_FIELDS_GROUP_TRY(F, L) F(U64, group, 0) F(U64, at, 0)
#define GP_FIELDS_MEMBER(F, L)                                                                     \
    F(U64, group, 0) F(U8, before, 5) F(BOOL, forgotten, 0) L(member, entries, 1)
#define GP_FIELDS_VIEW_APPLIED(F, L)                                                               \
    F(U64, group, 0) F(U64, term, 0) F(U32, number, 0) F(U32, digest, 0) F(U32, members, 0)
#define GP_FIELDS_GONE(F, L) F(U64, group, 0) F(ID, target, 0) F(U64, incarnation, 0)
#define GP_FIELDS_STANDINGS(F, L) F(U64, group, 0) L(standing, members, GP_MEMBERS_MAX)
/* phase: 1 opened, 2 cleared, 3 confirmed, 4 unknown (too many at once), 5 dropped (I was late) */
#define GP_FIELDS_SUSPICION(F, L)                                                                  \
    F(U64, group, 0) F(ID, target, 0) F(U64, incarnation, 0) F(U8, phase, 5) F(U8, cause, 31)      \
    F(U32, after_ms, 0)
#define GP_FIELDS_LATE(F, L) F(U64, group, 0) F(U32, late_ms, 0) F(U16, health, 1000)
#define GP_FIELDS_LEFT(F, L) F(U64, group, 0) F(BOOL, forever, 0)
#define GP_FIELDS_REFUSED(F, L) F(U16, kind, 0) F(U16, error, 0)

/* ---- election ------------------------------------------------------------------------------ */

#define GP_FIELDS_LEASE(F, L)                                                                      \
    F(U64, group, 0) F(U64, term, 0) F(U32, sequence, 0) F(U64, version, 0)
#define GP_FIELDS_LEASE_ACK(F, L)                                                                  \
    F(U64, group, 0) F(U64, term, 0) F(U32, sequence, 0) F(U64, version, 0)
/* evidence: the asker has itself seen that the old leader's process is gone */
#define GP_FIELDS_PREVOTE_ASK(F, L)                                                                \
    F(U64, group, 0) F(U64, term, 0) F(U64, value_term, 0) F(U64, version, 0) F(BOOL, evidence, 0)
#define GP_FIELDS_PREVOTE(F, L)                                                                    \
    F(U64, group, 0) F(U64, term, 0) F(BOOL, granted, 0) F(U8, reason, 15) F(U64, own_term, 0)
/*
 * roster: digest of the asker's roster, which the votes repeat: the mandate names that roster
 * releases: the signed HANDOVER by which the last leader gave its term up to the asker, if it did
 */
#define GP_FIELDS_VOTE_ASK(F, L)                                                                   \
    F(U64, group, 0) F(U64, term, 0) F(U64, value_term, 0) F(U64, version, 0) F(U64, roster, 0)    \
    F(BOOL, evidence, 0) L(release, releases, 1)
/*
 * version, roster: the register's version and the digest of the roster under which was voted
 * valid_ms: how long after the envelope's time this vote is worth as part of a mandate
 */
#define GP_FIELDS_VOTE(F, L)                                                                       \
    F(U64, group, 0) F(U64, term, 0) F(ID, candidate, 0) F(BOOL, granted, 0) F(U8, reason, 15)     \
    F(U64, own_term, 0) F(U64, version, 0) F(U64, roster, 0) F(U32, valid_ms, 3600000)
/* votes: of each voter, in the order of voters, its signed VOTE; empty if it gave none */
#define GP_FIELDS_MANDATE(F, L)                                                                    \
    F(U64, group, 0) F(U64, term, 0) F(ID, leader, 0) F(U64, version, 0)                           \
    L(voter, voters, GP_VOTERS_MAX) L(vote, votes, GP_VOTERS_MAX) L(release, releases, 1)
#define GP_FIELDS_MANDATE_ASK(F, L) F(U64, group, 0) F(U64, term, 0)
#define GP_FIELDS_REGISTER(F, L)                                                                   \
    F(U64, group, 0) F(U64, term, 0) F(U64, version, 0) L(voter, voters, GP_VOTERS_MAX)            \
    F(BLOB, value, GP_REGISTER_MAX)
#define GP_FIELDS_REGISTER_ACK(F, L)                                                               \
    F(U64, group, 0) F(U64, term, 0) F(U64, version, 0) F(BOOL, stored, 0)
#define GP_FIELDS_HANDOVER(F, L)                                                                   \
    F(U64, group, 0) F(U64, term, 0) F(ID, successor, 0) F(U64, version, 0)
#define GP_FIELDS_RENEW_ASK(F, L) F(U64, group, 0) F(U64, term, 0)
#define GP_FIELDS_CARETAKER(F, L)                                                                  \
    F(U64, group, 0) F(U64, term, 0) F(U16, score, 1000) F(BOOL, over, 0)
#define GP_FIELDS_ELECTION_STATE(F, L)                                                             \
    F(U64, group, 0) F(U64, term, 0) F(ID, voted_for, 0) F(U64, value_term, 0)                     \
    F(U64, version, 0) L(voter, voters, GP_VOTERS_MAX) F(BLOB, value, GP_REGISTER_MAX)
#define GP_FIELDS_ELECTION_STANDINGS(F, L) L(standing, members, GP_MEMBERS_MAX)
#define GP_FIELDS_ELECTION_EVIDENCE(F, L) F(ID, target, 0) F(U64, incarnation, 0)
/*
 * forever: who is needed and has no heir does not go, and says HEIRLESS
 * depended: others need that group, though they may not be in it yet
 */
#define GP_FIELDS_ELECTION_RELINQUISH(F, L) F(BOOL, forever, 0) F(BOOL, depended, 0)
/* found: gp_founds_t */
#define GP_FIELDS_ELECTION_FOUND(F, L) F(U16, score, 1000) F(U8, found, 3)
#define GP_FIELDS_ELECTION_STAY(F, L) F(U64, group, 0)
/* renewed: who leads and by which right is as it was, only the lease or the votes are newer */
#define GP_FIELDS_LEADER(F, L)                                                                     \
    F(U64, group, 0) F(U64, term, 0) F(ID, leader, 0) F(ID, deputy, 0) F(U8, right, 2)             \
    F(U64, lease_until, 0) F(BOOL, renewed, 0) L(voter, voters, GP_VOTERS_MAX)
/* why: gp_campaign_why_t */
#define GP_FIELDS_CAMPAIGN(F, L) F(U64, group, 0) F(U64, term, 0) F(U8, why, 15) F(BOOL, pre, 0)
#define GP_FIELDS_STEP_DOWN(F, L) F(U64, group, 0) F(U64, term, 0) F(U8, why, 15)
#define GP_FIELDS_ROSTER(F, L)                                                                     \
    F(U64, group, 0) F(U64, term, 0) F(U64, version, 0) F(BOOL, committed, 0)                      \
    L(voter, voters, GP_VOTERS_MAX)
#define GP_FIELDS_RELINQUISHED(F, L) F(U64, group, 0) F(ID, successor, 0)
#define GP_FIELDS_HEIRLESS(F, L) F(U64, group, 0)

/* ---- discovery ----------------------------------------------------------------------------- */

/*
 * whole: all attributes; else those that changed from version-1 to version
 * coordinate: the sender's; empty: it has none yet, or has hardly moved since it last told
 */
#define GP_FIELDS_RECORD(F, L)                                                                     \
    F(U64, group, 0) F(U64, incarnation, 0) F(U32, version, 0) F(BOOL, whole, 0)                   \
    L(attr, attrs, GP_ATTRS_MAX) F(BLOB, coordinate, GP_COORDINATE_MAX)
#define GP_FIELDS_RECORD_ASK(F, L) F(U64, group, 0) F(U32, version, 0)
/*
 * want: attributes to return, as big-endian u16 numbers
 * near: the coordinate of near_node, from which round trips count; empty: as the asked one knows it
 */
#define GP_FIELDS_FIND(F, L)                                                                       \
    F(U64, group, 0) F(U64, query_id, 0) F(TEXT, query, GP_QUERY_MAX) F(U16, limit, GP_HITS_MAX)   \
    F(TEXT, rank, GP_QUERY_MAX) F(BOOL, explain, 0) F(BLOB, want, 64)                              \
    F(BLOB, near, GP_COORDINATE_MAX) F(ID, near_node, 0)
/* alone: there is nothing but this sub-Grid, so there is nobody else to ask */
#define GP_FIELDS_FOUND(F, L)                                                                      \
    F(U64, group, 0) F(U64, query_id, 0) F(U64, term, 0) F(U8, right, 2) F(BOOL, partial, 0)       \
    F(BOOL, alone, 0) F(U16, error, 0) F(U32, column, 0) F(TEXT, text, GP_REASON_TEXT_MAX)         \
    F(U32, considered, 0)                                                                          \
    F(U32, matched, 0) L(hit, hits, GP_HITS_MAX) L(value, values, GP_VALUES_MAX)                   \
    L(condition, conditions, GP_EXPLAIN_MAX)
#define GP_FIELDS_OWN_RECORD(F, L) F(BOOL, whole, 0) L(attr, attrs, GP_ATTRS_MAX)
#define GP_FIELDS_DISCOVERY_FIND(F, L)                                                             \
    F(TEXT, query, GP_QUERY_MAX) F(U16, limit, GP_HITS_MAX) F(TEXT, rank, GP_QUERY_MAX)            \
    F(BOOL, explain, 0) F(BLOB, want, 64) F(U32, timeout_ms, 600000) F(ID, near_node, 0)
#define GP_FIELDS_DISCOVERY_LEADER(F, L)                                                           \
    F(U64, term, 0) F(ID, leader, 0) F(ID, deputy, 0) F(U8, right, 2) F(U64, lease_until, 0)
#define GP_FIELDS_DISCOVERY_MEMBER(F, L) F(BOOL, forgotten, 0) L(member, entries, 1)
#define GP_FIELDS_ANSWER(F, L)                                                                     \
    F(U64, query_id, 0) F(ID, by, 0) F(U64, term, 0) F(U8, right, 2) F(BOOL, partial, 0)           \
    F(BOOL, alone, 0) F(U16, error, 0) F(U32, column, 0) F(TEXT, text, GP_REASON_TEXT_MAX)         \
    F(U32, considered, 0)                                                                          \
    F(U32, matched, 0) L(hit, hits, GP_HITS_MAX) L(value, values, GP_VALUES_MAX)                   \
    L(condition, conditions, GP_EXPLAIN_MAX)

/* ---- work: a job is (home, number); an attempt of it is fenced by its incarnation ------------ */

#define GP_FIELDS_CLAIM(F, L)                                                                      \
    F(U64, job, 0) F(U32, incarnation, 0) F(U32, lease_ms, 3600000) F(TEXT, name, GP_NAME_MAX)     \
    F(TEXT, where, GP_QUERY_MAX) L(word, args, GP_ARGS_MAX) L(word, env, GP_ARGS_MAX)
/*
 * ticket: the executor's own number for one offer. An attempt starts only by a KEEP that carries
 * the ticket of an offer that still stands, so no late or repeated message starts anything. The
 * refusal of a CLAIM carries ticket 0; one with a ticket says: it never started and never will.
 */
#define GP_FIELDS_CLAIMED(F, L)                                                                    \
    F(U64, job, 0) F(U32, incarnation, 0) F(BOOL, taken, 0) F(U64, ticket, 0) F(U16, error, 0)     \
    F(TEXT, text, GP_REASON_TEXT_MAX)
/* received: output bytes taken in order so far; until: the offset up to which more may be sent */
#define GP_FIELDS_KEEP(F, L)                                                                       \
    F(U64, job, 0) F(U32, incarnation, 0) F(U64, ticket, 0) F(U32, lease_ms, 3600000)              \
    F(U64, received, 0) F(U64, until, 0)
#define GP_FIELDS_KEPT(F, L) F(U64, job, 0) F(U32, incarnation, 0) F(BOOL, running, 0)
/* stream: 1 stdout, 2 stderr; offset counts the bytes of both streams together */
#define GP_FIELDS_OUTPUT(F, L)                                                                     \
    F(U64, job, 0) F(U32, incarnation, 0) F(U8, stream, 2) F(U64, offset, 0)                       \
    F(BLOB, bytes, GP_OUTPUT_CHUNK_MAX)
#define GP_FIELDS_OUTPUT_ACK(F, L)                                                                 \
    F(U64, job, 0) F(U32, incarnation, 0) F(U64, received, 0) F(U64, until, 0)
/*
 * reason: gp_reason_t; code: exit code, signal or errno, as the reason says; output: bytes in all;
 * cut: output that the home has not taken yet is lost
 */
#define GP_FIELDS_ENDED(F, L)                                                                      \
    F(U64, job, 0) F(U32, incarnation, 0) F(U8, reason, 31) F(U32, code, 0) F(U64, output, 0)      \
    F(BOOL, cut, 0) F(U64, wall_us, 0) F(U64, cpu_us, 0) F(U64, peak_bytes, 0)                     \
    F(TEXT, text, GP_REASON_TEXT_MAX)
#define GP_FIELDS_ENDED_ACK(F, L) F(U64, job, 0) F(U32, incarnation, 0)
#define GP_FIELDS_CANCEL(F, L)                                                                     \
    F(U64, job, 0) F(U32, incarnation, 0) F(U64, ticket, 0) F(U8, reason, 31)
/* state 0: the record is removed */
#define GP_FIELDS_JOB_STATE(F, L)                                                                  \
    F(U64, job, 0) F(U32, incarnation, 0) F(U64, ticket, 0) F(U8, state, 15) F(U8, reason, 31)     \
    F(U32, code, 0) F(ID, executor, 0) F(TEXT, node, GP_NAME_MAX) F(TEXT, name, GP_NAME_MAX)       \
    F(TEXT, text, GP_REASON_TEXT_MAX) F(U64, wall_us, 0) F(U64, cpu_us, 0) F(U64, peak_bytes, 0)
#define GP_FIELDS_ATTEMPT_STATE(F, L)                                                              \
    F(ID, home, 0) F(U64, job, 0) F(U32, incarnation, 0) F(U64, ticket, 0) F(U8, state, 15)        \
    F(U8, reason, 31) F(U32, code, 0) F(U64, output, 0) F(U64, wall_us, 0) F(U64, cpu_us, 0)       \
    F(U64, peak_bytes, 0) F(TEXT, name, GP_NAME_MAX) F(TEXT, text, GP_REASON_TEXT_MAX)
#define GP_FIELDS_WORK_RUN(F, L)                                                                   \
    F(TEXT, name, GP_NAME_MAX) F(TEXT, where, GP_QUERY_MAX) F(TEXT, rank, GP_QUERY_MAX)            \
    F(ID, on, 0) L(word, args, GP_ARGS_MAX) L(word, env, GP_ARGS_MAX)
#define GP_FIELDS_WORK_CANCEL(F, L) F(U64, job, 0) F(U8, reason, 31)
#define GP_FIELDS_WORK_CONSUMED(F, L) F(U64, job, 0) F(U64, offset, 0)
#define GP_FIELDS_WORK_POLICY(F, L) F(BOOL, lend, 0) F(BOOL, draining, 0)
/* wait_ms: how long the agent can wait for the programs to end */
#define GP_FIELDS_WORK_STOP(F, L) F(U32, wait_ms, 600000)
#define GP_FIELDS_WORK_ANSWER(F, L)                                                                \
    F(U16, error, 0) F(TEXT, text, GP_REASON_TEXT_MAX) F(U32, considered, 0)                       \
    L(hit, hits, GP_HITS_MAX) L(condition, conditions, GP_EXPLAIN_MAX)
/* roles: gp_role_t bits of its certificate; 0: none is known of it */
#define GP_FIELDS_WORK_MEMBER(F, L) F(BOOL, forgotten, 0) F(U16, roles, 0) L(member, entries, 1)
#define GP_FIELDS_WORK_STARTED(F, L)                                                               \
    F(ID, home, 0) F(U64, job, 0) F(U32, incarnation, 0) F(BOOL, started, 0) F(U8, reason, 31)     \
    F(U32, code, 0) F(TEXT, text, GP_REASON_TEXT_MAX)
#define GP_FIELDS_WORK_OUTPUT(F, L)                                                                \
    F(ID, home, 0) F(U64, job, 0) F(U32, incarnation, 0) F(U8, stream, 2) F(U64, offset, 0)        \
    F(BLOB, bytes, GP_OUTPUT_CHUNK_MAX)
#define GP_FIELDS_WORK_ENDED(F, L)                                                                 \
    F(ID, home, 0) F(U64, job, 0) F(U32, incarnation, 0) F(U8, reason, 31) F(U32, code, 0)         \
    F(U64, output, 0) F(U64, wall_us, 0) F(U64, cpu_us, 0) F(U64, peak_bytes, 0)                   \
    F(TEXT, text, GP_REASON_TEXT_MAX)
#define GP_FIELDS_JOB(F, L)                                                                        \
    F(U64, job, 0) F(U32, incarnation, 0) F(U8, state, 15) F(U8, reason, 31) F(U32, code, 0)       \
    F(ID, executor, 0) F(TEXT, node, GP_NAME_MAX) F(TEXT, name, GP_NAME_MAX)                       \
    F(TEXT, text, GP_REASON_TEXT_MAX) F(U64, wall_us, 0) F(U64, cpu_us, 0) F(U64, peak_bytes, 0)
#define GP_FIELDS_JOB_OUTPUT(F, L)                                                                 \
    F(U64, job, 0) F(U8, stream, 2) F(U64, offset, 0) F(BLOB, bytes, GP_OUTPUT_CHUNK_MAX)
/* on: only this machine will do (none: any) */
#define GP_FIELDS_JOB_FIND(F, L)                                                                   \
    F(U64, job, 0) F(ID, on, 0) F(TEXT, query, GP_QUERY_MAX) F(TEXT, rank, GP_QUERY_MAX)           \
    F(U16, limit, 0) F(BOOL, explain, 0)
#define GP_FIELDS_JOB_START(F, L)                                                                  \
    F(ID, home, 0) F(U64, job, 0) F(U32, incarnation, 0) F(TEXT, name, GP_NAME_MAX)                \
    L(word, args, GP_ARGS_MAX) L(word, env, GP_ARGS_MAX)
#define GP_FIELDS_JOB_STOP(F, L)                                                                   \
    F(ID, home, 0) F(U64, job, 0) F(U32, incarnation, 0) F(U8, reason, 31)
#define GP_FIELDS_JOB_READ(F, L)                                                                   \
    F(ID, home, 0) F(U64, job, 0) F(U32, incarnation, 0) F(U64, until, 0)

#define GP_FIELDS_JOB_LEASE(F, L)                                                                  \
    F(ID, home, 0) F(U64, job, 0) F(U32, incarnation, 0) F(U32, lease_ms, 3600000)
#define GP_FIELDS_WORK_STOPPED(F, L) F(U32, left, 0)

/* ---- joining --------------------------------------------------------------------------------- */

/*
 * proof: the invitation's one-time key signs what gp_token_proof_bytes says
 * chosen, found: as in FORM_ASK; neither: it asks where it may go. It founds a region: `region` is
 * that one's name, and `chosen` is left 0
 */
#define GP_FIELDS_JOIN_ASK(F, L)                                                                   \
    F(BLOB, invitation, GP_TOKEN_MAX) F(BLOB, proof, 64) F(TEXT, name, GP_NAME_MAX)                \
    F(TEXT, region, GP_NAME_MAX) F(TEXT, address, GP_ADDRESS_MAX) F(U64, chosen, 0)                \
    F(U8, found, 3)
/*
 * region_group, grid_group: above that group; both 0: the grid was founded without them
 * group: 0: it is to choose one of the places, and ask again; found, above: as in FORM_TOLD
 */
#define GP_FIELDS_JOIN_OK(F, L)                                                                    \
    F(BLOB, cert, GP_CERT_MAX) F(ID, root, 0) F(TEXT, region, GP_NAME_MAX) F(U64, group, 0)        \
    F(U64, region_group, 0) F(U64, grid_group, 0) F(ID, leader, 0) F(U8, found, 3)                 \
    L(member, entries, GP_MEMBERS_MAX) L(member, above, 1)                                         \
    L(offer, places, GP_MEMBERS_MAX)
#define GP_FIELDS_JOIN_NO(F, L) F(U16, error, 0) F(TEXT, text, GP_REASON_TEXT_MAX)
#define GP_FIELDS_CERT_RENEW(F, L) F(BLOB, cert, GP_CERT_MAX)
#define GP_FIELDS_CERT_RENEWED(F, L) F(BLOB, cert, GP_CERT_MAX)
/* asks: it is to be answered by a VISIT, for the sender has seen no certificate of the receiver */
#define GP_FIELDS_VISIT(F, L)                                                                      \
    F(BOOL, asks, 0) F(TEXT, address, GP_ADDRESS_MAX) F(BLOB, cert, GP_CERT_MAX)

/* ---- overlay/tiers: seat: gp_seat_t -------------------------------------------------------- */

/* group: the one above that is asked for */
#define GP_FIELDS_SEAT_ASK(F, L) F(U64, group, 0)
#define GP_FIELDS_TIERS_LEADER(F, L)                                                               \
    F(U8, seat, 2) F(U64, term, 0) F(ID, leader, 0) F(U8, right, 2) F(U64, lease_until, 0)         \
    L(voter, voters, GP_VOTERS_MAX)
#define GP_FIELDS_TIERS_SEAT(F, L) F(U8, seat, 2) F(BOOL, held, 0) F(BOOL, standby, 0)
#define GP_FIELDS_SEAT_WANTED(F, L) F(U8, seat, 2)
#define GP_FIELDS_SEAT_TAKE(F, L) F(U8, seat, 2)
#define GP_FIELDS_SEAT_GIVE(F, L) F(U8, seat, 2)
#define GP_FIELDS_SEAT_OFFER(F, L) F(U8, seat, 2) F(ID, target, 0)
/* standby: it leads nothing below; resigns: it has no part there any more, and is to be replaced */
#define GP_FIELDS_SEAT_ROLE(F, L) F(U8, seat, 2) F(BOOL, standby, 0) F(BOOL, resigns, 0)
/* before the first message to it: what is sent to a machine that no group knows goes there */
#define GP_FIELDS_CONTACT(F, L) F(PEER, id, 0) F(TEXT, address, GP_ADDRESS_MAX)

/* ---- overlay/tiers: forming ------------------------------------------------------------------ */

/*
 * region: the group in which it is asked; origin: who asks; via: who asked the region peer for it
 * chosen: the sub-Grid that it is to go to; 0: say which there are, or, regions: which
 * regions
 * found: gp_founds_t: it begins a sub-Grid of its own, or a region, whose id is then `chosen`
 * entries: the machine itself, with its certificate
 */
#define GP_FIELDS_FORM_ASK(F, L)                                                                   \
    F(U64, region, 0) F(U64, number, 0) F(PEER, origin, 0) F(ID, via, 0) F(U64, chosen, 0)         \
    F(U8, found, 3) F(BOOL, regions, 0) L(member, entries, 1)
/*
 * entries: whom to turn to in the chosen sub-Grid, its leader first; above: in the group above what
 * it founds; places: those of the region, if none was chosen, or the regions of the grid
 */
#define GP_FIELDS_FORM_TOLD(F, L)                                                                  \
    F(U64, region, 0) F(U64, number, 0) F(PEER, origin, 0) F(ID, via, 0) F(U16, error, 0)          \
    F(U64, chosen, 0) F(U8, found, 3) L(member, entries, 1) L(member, above, 1)                    \
    L(offer, places, GP_MEMBERS_MAX)
#define GP_FIELDS_MOVE(F, L)                                                                       \
    F(U64, group, 0) F(U64, term, 0) F(U64, chosen, 0) F(U8, found, 3) L(member, entries, 1)       \
    L(member, above, 1)
#define GP_FIELDS_MOVE_NO(F, L) F(U64, group, 0) F(U16, error, 0)
/*
 * found: gp_founds_t: it begins so many groups, of which it has no record of an election already
 * entries: whom to turn to there; above: in the group above those that it founds
 */
#define GP_FIELDS_FORM_STATE(F, L)                                                                 \
    F(U64, subgrid, 0) F(U8, found, 3) L(member, entries, 1) L(member, above, 1)
#define GP_FIELDS_FORM_KEEP(F, L) F(U64, subgrid, 0)
#define GP_FIELDS_FORM_PLACE(F, L)                                                                 \
    F(U64, chosen, 0) F(U8, found, 3) F(BOOL, regions, 0) L(member, entries, 1)
#define GP_FIELDS_FORM_ANSWER(F, L)                                                                \
    F(U16, error, 0) F(U64, chosen, 0) F(U8, found, 3) L(member, entries, 1)                       \
    L(member, above, 1) L(offer, places, GP_MEMBERS_MAX)
/* seat: gp_seat_t */
#define GP_FIELDS_FORM_INVITE(F, L) F(U8, seat, 2) L(member, entries, 1)
#define GP_FIELDS_FORM_GO(F, L) F(U64, subgrid, 0)
#define GP_FIELDS_FORM_MOVED(F, L) F(U64, subgrid, 0)

/* ---- discovery, from group to group: seat: gp_seat_t; coordinate: empty if it is unknown ----- */

/*
 * group: the one above; below: the one told of, by its leader in `term`; version rises in a term.
 * gone: it offers nothing any more. partial: not all that its machines offer is known, ask always.
 * name: of the sub-Grid or region. names: digest of its machines' names (discovery/route_names.h)
 */
#define GP_FIELDS_PLACE(F, L)                                                                      \
    F(U64, group, 0) F(U64, below, 0) F(U64, term, 0) F(U32, version, 0) F(BOOL, gone, 0)          \
    F(BOOL, partial, 0) F(TEXT, name, GP_NAME_MAX) F(U32, members, 0)                              \
    F(BLOB, coordinate, GP_COORDINATE_MAX) F(BLOB, summary, GP_SUMMARY_MAX)                      \
    F(BLOB, names, GP_PLACE_NAMES_MAX)
/*
 * home: the asker's sub-Grid, which it asked itself; ask: gp_route_ask_t, of its receiver; limit:
 * machines wanted; hint_subgrid, hint_region: where the machine asked for was last (0: not known)
 * only: the one sub-Grid of the region that is asked; 0: any
 */
#define GP_FIELDS_ROUTE(F, L)                                                                      \
    F(U64, query_id, 0) F(U64, home, 0) F(U8, ask, 4) F(U8, scope, 2) F(U16, limit, GP_HITS_MAX)   \
    F(TEXT, query, GP_QUERY_MAX) F(TEXT, rank, GP_QUERY_MAX) F(BLOB, want, 64)                     \
    F(BLOB, coordinate, GP_COORDINATE_MAX) F(U64, hint_subgrid, 0) F(U64, hint_region, 0)        \
    F(U64, only, 0) F(U32, timeout_ms, 600000) F(BLOB, cert, GP_CERT_MAX)
/* group: the one that is asked; hops: from super-peer to super-peer; claim: the signed ROUTE */
#define GP_FIELDS_ROUTE_PASS(F, L)                                                                 \
    F(U8, ask, 4) F(U64, group, 0) F(U8, hops, GP_ROUTE_HOPS_MAX) F(U16, limit, GP_HITS_MAX)       \
    F(U32, timeout_ms, 600000) F(BLOB, claim, GP_ROUTE_QUESTION_MAX)
/*
 * group, above: the sub-Grid that answers, and its region's; term: of its leader; matched: there,
 * of `considered`
 */
#define GP_FIELDS_ROUTE_FOUND(F, L)                                                                \
    F(PEER, origin, 0) F(U64, query_id, 0) F(U64, group, 0) F(U64, above, 0) F(U64, term, 0)       \
    F(U8, right, 2) F(U32, round, 0)                                                               \
    F(BOOL, partial, 0) F(U16, error, 0) F(U8, hops, GP_ROUTE_HOPS_MAX)                            \
    F(TEXT, subgrid, GP_NAME_MAX) F(TEXT, region, GP_NAME_MAX) F(U32, considered, 0)               \
    F(U32, matched, 0) L(hit, hits, GP_HITS_MAX) L(value, values, GP_VALUES_MAX)       \
    F(BLOB, cert, GP_CERT_MAX)
/* round: of the search that carries it; claim: the signed ROUTE_FOUND */
#define GP_FIELDS_ROUTE_BACK(F, L)                                                                 \
    F(PEER, origin, 0) F(U64, query_id, 0) F(U32, round, 0) F(BLOB, claim, GP_ROUTE_CLAIM_MAX)
/*
 * sub-Grids: asked, answered, matching (of those: with a match); backs: answers carried back to the
 * receiver in that round, its own among them; absences: parts that are absent, of which `absent`
 * names the first
 */
#define GP_FIELDS_ROUTE_DONE(F, L)                                                                 \
    F(PEER, origin, 0) F(U64, query_id, 0) F(U32, round, 0) F(U16, error, 0) F(U32, asked, 0)      \
    F(U32, answered, 0)                                                                            \
    F(U32, matching, 0) F(U32, considered, 0) F(U32, matched, 0) F(U32, backs, 0)                  \
    F(U32, hits, 0) F(U32, absences, 0) L(absent, absent, GP_ROUTE_ABSENT_MAX)
/* group: 0, if this machine has no such seat any more */
#define GP_FIELDS_ROUTE_LEADER(F, L)                                                               \
    F(U8, seat, 2) F(U64, group, 0) F(U64, term, 0) F(ID, leader, 0) F(ID, deputy, 0)              \
    F(U8, right, 2)
/* back: it was not alive before, and is now */
#define GP_FIELDS_ROUTE_MEMBER(F, L) F(U8, seat, 2) F(PEER, id, 0) F(BOOL, gone, 0) F(BOOL, back, 0)
#define GP_FIELDS_ROUTE_SELF(F, L)                                                                 \
    F(BLOB, cert, GP_CERT_MAX) F(BLOB, coordinate, GP_COORDINATE_MAX)
/* partial: a machine's record is missing */
#define GP_FIELDS_ROUTE_OWN(F, L)                                                                  \
    F(BOOL, partial, 0) F(U32, members, 0) F(BLOB, summary, GP_SUMMARY_MAX)                        \
    F(BLOB, names, GP_PLACE_NAMES_MAX)
/* scope: gp_route_scope_t; only: the one other sub-Grid of the region that is asked; 0: any */
#define GP_FIELDS_ROUTE_FIND(F, L)                                                                 \
    F(U8, scope, 2) F(TEXT, query, GP_QUERY_MAX) F(U16, limit, GP_HITS_MAX)                        \
    F(TEXT, rank, GP_QUERY_MAX) F(BOOL, explain, 0) F(BLOB, want, 64) F(U64, only, 0)              \
    F(U32, timeout_ms, 600000)
#define GP_FIELDS_ROUTE_LOCAL(F, L)                                                                \
    F(U64, term, 0) F(U8, right, 2) F(BOOL, partial, 0) F(U16, error, 0) F(U32, column, 0)         \
    F(TEXT, text, GP_REASON_TEXT_MAX) F(U32, considered, 0) F(U32, matched, 0)                     \
    L(hit, hits, GP_HITS_MAX) L(value, values, GP_VALUES_MAX)                                      \
    L(condition, conditions, GP_EXPLAIN_MAX)
/* conditions: of the own sub-Grid; hops: the longest way of a question from super-peer on */
#define GP_FIELDS_ROUTE_ANSWER(F, L)                                                               \
    F(U64, query_id, 0) F(BOOL, partial, 0) F(U16, error, 0) F(U32, column, 0)                     \
    F(TEXT, text, GP_REASON_TEXT_MAX) F(U32, considered, 0) F(U32, matched, 0) F(U32, asked, 0)    \
    F(U32, answered, 0) F(U32, matching, 0) F(U8, hops, GP_ROUTE_HOPS_MAX)                         \
    L(routed_hit, hits, GP_HITS_MAX) L(value, values, GP_VALUES_MAX)                               \
    L(condition, conditions, GP_EXPLAIN_MAX) F(U32, absences, 0)                                   \
    L(absent, absent, GP_ROUTE_ABSENT_MAX)
#define GP_FIELDS_ROUTE_QUESTION(F, L)                                                             \
    F(TEXT, query, GP_QUERY_MAX) F(TEXT, rank, GP_QUERY_MAX) F(U16, limit, GP_HITS_MAX)            \
    F(BOOL, explain, 0) F(BLOB, want, 64) F(BLOB, coordinate, GP_COORDINATE_MAX)                 \
    F(U32, timeout_ms, 600000)
#define GP_FIELDS_PLACE_DUE(F, L) F(U64, below, 0)
#define GP_FIELDS_PLACE_KNOWN(F, L)                                                                \
    F(U8, seat, 2) F(U64, group, 0) F(ID, leader, 0) F(U32, members, 0)                            \
    F(BLOB, coordinate, GP_COORDINATE_MAX) F(BOOL, gone, 0)

#endif
