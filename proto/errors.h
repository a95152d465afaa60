/*
 * The one table of errors: code, name, exit code, text, corrective action.
 *
 * The same codes are the agent's errors, HTTP errors, job reasons in detail and alert causes. The
 * text says what happened, the action what to do next; a caller adds to what it happened and why.
 *
 * E(NAME, code, exit code, text, action). Codes are for ever: a code is never reused.
 */
#ifndef GP_PROTO_ERRORS_H
#define GP_PROTO_ERRORS_H

#include <stddef.h>

#define GP_EXIT_DONE 0
#define GP_EXIT_FAILED 1
#define GP_EXIT_DEGRADED 2
#define GP_EXIT_INVALID 3
#define GP_EXIT_UNKNOWN 4
#define GP_EXIT_REFUSED 5
#define GP_EXIT_TIMEOUT 6
#define GP_EXIT_USAGE 64
#define GP_EXIT_NO_AGENT 69
#define GP_EXIT_NOT_PERMITTED 77

#define GP_ERRORS(E)                                                                               \
    /* the wire */                                                                                 \
    E(MESSAGE_SIZE, 10, 1, "a message is too large or too short", "upgrade the older agent")       \
    E(MESSAGE_MAGIC, 11, 1, "bytes that are not a gridpeer message",                               \
      "check who sends to this port")                                                              \
    E(MESSAGE_VERSION, 12, 1, "a message of another protocol version", "upgrade the older agent")  \
    E(MESSAGE_KIND, 13, 1, "a message of an unknown or forbidden kind", "upgrade the older agent") \
    E(MESSAGE_DECODE, 14, 1, "a message that is not in canonical form", "upgrade the sender")      \
    E(MESSAGE_LIMIT, 15, 1, "a message field is over its limit", "upgrade the sender")             \
    E(MESSAGE_GRID, 16, 1, "a message of another grid",                                            \
      "check the address: it belongs to another grid")                                             \
    E(MESSAGE_DESTINATION, 17, 1, "a message that is meant for somebody else",                     \
      "none: it was dropped")                                                                      \
    E(MESSAGE_REPLAY, 18, 1, "a message that was seen before", "none: it was dropped")             \
    E(MESSAGE_STALE, 19, 1, "a message that is too old or from the future",                        \
      "check the clocks of both machines")                                                         \
    E(MESSAGE_SIGNATURE, 20, 1, "a message whose signature is wrong", "none: it was dropped")      \
    E(MESSAGE_SENDER, 21, 1, "a message whose sender is not the key that connected",               \
      "none: it was dropped")                                                                      \
    E(MESSAGE_RATE, 22, 1, "a sender is over its quota", "see which machine: gridpeer node list")  \
    E(FENCED, 23, 5, "an order of an older term", "none: the newer leader's word holds")           \
    E(MANDATE, 24, 1, "a mandate that its votes do not prove", "none: it was dropped")             \
    E(RELEASE, 25, 1, "a handover that the named leader did not sign", "none: it was dropped")     \
    E(CLAIM, 26, 1, "a relayed message that is not what its carrier says",                         \
      "none: it was dropped")                                                                      \
    E(MESSAGE_REGION, 27, 1, "a message of another region in a group of this one",                 \
      "none: it was dropped")                                                                      \
    /* identity and joining */                                                                     \
    E(CERT_FORMAT, 30, 3, "a certificate that is damaged",                                         \
      "join again: gridpeer join REGION --token T")                                                \
    E(CERT_SIGNATURE, 31, 3, "a certificate that its issuer did not sign",                         \
      "join again: gridpeer join REGION --token T")                                                \
    E(CERT_EXPIRED, 32, 3, "a certificate that has expired",                                       \
      "check the clock, else join again: gridpeer join REGION --token T")                          \
    E(CERT_NOT_YET, 33, 3, "a certificate that is not valid yet",                                  \
      "check the clocks of both machines")                                                         \
    E(CERT_GRID, 34, 3, "a certificate of another grid", "use a machine and a token of this grid") \
    E(CERT_CHAIN, 35, 3, "a certificate whose issuer may not admit",                               \
      "ask an operator for a token")                                                               \
    E(CERT_ROLE, 36, 77, "the certificate lacks the role for this",                                \
      "ask an operator for the role")                                                              \
    E(TOKEN_FORMAT, 40, 3, "the token is damaged or incomplete",                                   \
      "copy it again, whole and in one line: gp1.…")                                               \
    E(TOKEN_SIGNATURE, 41, 3, "the token was altered",                                             \
      "copy it again or ask for a new one: gridpeer invite")                                       \
    E(TOKEN_EXPIRED, 42, 3, "the token has expired", "ask for a new one: gridpeer invite")         \
    E(TOKEN_USED, 43, 3, "the token is used up", "ask for a new one: gridpeer invite --uses N")    \
    E(TOKEN_REGION, 44, 3, "the token is for another region",                                      \
      "join the region that the token names")                                                      \
    E(TOKEN_GRID, 45, 3, "the token is of another grid",                                           \
      "ask a machine of that grid for a token: gridpeer invite")                                   \
    E(TOKEN_PROOF, 46, 3, "the proof of the token's key is wrong",                                 \
      "ask for a new token: gridpeer invite")                                                      \
    E(TOKEN_UNKNOWN, 47, 3, "the machine does not know this token",                                \
      "ask the machine that printed it: is it the right address?")                                 \
    E(JOIN_UNREACHABLE, 48, 69, "no machine named in the token answers",                           \
      "check that its agent runs and that its port is open")                                       \
    E(JOIN_REFUSED, 49, 3, "the machine refused to talk to this key",                              \
      "ask for a new token: gridpeer invite")                                                      \
    E(JOIN_NAME, 50, 3, "another machine of the region has this name",                             \
      "choose another: --name NAME")                                                               \
    E(JOIN_NOT_ISSUER, 51, 77, "this machine may not admit others",                                \
      "run gridpeer invite on a machine with the role admit")                                      \
    E(NAME, 52, 64, "a name must be 1 to 32 of a-z 0-9 - . and start with a letter or digit",      \
      "choose another name")                                                                       \
    E(REGION_UNKNOWN, 53, 3, "no such region", "see gridpeer status for the region's name")        \
    E(INVITE_LIMIT, 54, 5, "this machine has as many open invitations as it may",                  \
      "wait until one is used up or expires; one token can let many in: gridpeer invite --uses N") \
    E(LEAVE_ROOT, 55, 5, "leaving would destroy the grid's root key, and others need it",          \
      "only stop: gridpeer stop; or give the grid's key up: gridpeer leave --destroy-root")        \
    E(JOIN_UNANSWERED, 56, 6,                                                                      \
      "the machine took the question, its answer is lost, and the token may have lost one use",    \
      "join again; if the token is used up then, where it was printed: gridpeer invite")           \
    E(LEAVE_HEIR, 57, 5, "nobody could lead the sub-Grid after this machine",                      \
      "mend the machine that could (see gridpeer node list), then again: gridpeer leave")          \
    E(REGION_EXISTS, 58, 5, "the grid has a region of this name already",                          \
      "choose another name, or join it: gridpeer join REGION --token T")                           \
    E(TOKEN_ADMIT, 59, 77, "who founds a region admits others, and the token does not carry admit",\
      "where the grid was founded: gridpeer invite --roles member,lend,submit,admit")              \
    E(GRID_FLAT, 37, 5, "this grid was founded without regions, by an older gridpeer",             \
      "found a grid anew: gridpeer init REGION")                                                   \
    /* the state directory */                                                                      \
    E(STATE_MISSING, 60, 69, "there is no agent here",                                             \
      "found a grid: gridpeer init REGION, or join one: gridpeer join REGION --token T")           \
    E(STATE_EXISTS, 61, 5, "a machine of this name is already set up here",                        \
      "start it: gridpeer agent, or choose another: --name NAME")                                  \
    E(STATE_LOCKED, 62, 5, "the state directory is in use by another agent",                       \
      "stop that one first, or choose another: --name NAME")                                       \
    E(STATE_MODE, 63, 3, "the state directory can be read or written by others",                   \
      "restrict it: chmod")                                                                        \
    E(STATE_OWNER, 64, 3, "the state directory belongs to somebody else",                          \
      "run as its owner, or chown it")                                                             \
    E(STATE_DAMAGED, 65, 3, "the state on disk is damaged", "restore it, or leave and join again") \
    E(STATE_FULL, 66, 1, "the disk is full", "make room, then start again: gridpeer agent")        \
    E(STATE_IO, 67, 1, "the disk failed to read or write", "check the disk and the kernel's log")  \
    E(STATE_PLACE, 69, 64, "no state directory can be there", "choose another: --dir DIR")         \
    E(STATE_AMBIGUOUS, 68, 64, "several agents live here", "name one: --node NAME")                \
    /* transport */                                                                                \
    E(PORT_IN_USE, 70, 1, "the port is in use", "choose another: --listen tcp://ADDR:PORT")        \
    E(ADDRESS, 71, 64, "not an address", "write it as tcp://ADDR:PORT or tcp://[v6]:PORT")         \
    E(TRANSPORT, 72, 1, "the transport could not be set up",                                       \
      "check limits (ulimit -n) and the log")                                                      \
    E(TRANSPORT_OPEN, 73, 1, "the transport let an unknown key in",                                \
      "report this: the agent refuses to run unguarded")                                           \
    E(PEER_UNREACHABLE, 74, 1, "the machine cannot be reached", "see gridpeer node list")          \
    E(PEER_QUEUE, 75, 1, "too much waits for this machine", "see gridpeer node list")              \
    E(PEER_LIMIT, 76, 1, "the transport knows too many machines",                                  \
      "remove machines that left: gridpeer node list")                                             \
    E(ADDRESS_FOREIGN, 77, 64, "not an address of this machine",                                   \
      "choose one of its own, or all: --listen tcp://*:PORT")                                      \
    /* the grid */                                                                                 \
    E(NO_LEADER, 80, 4, "nobody leads the sub-Grid now",                                           \
      "wait for an election, see gridpeer status")                                                 \
    E(NO_QUORUM, 81, 4, "this side of the sub-Grid has no majority",                               \
      "bring the missing machines back, see gridpeer node list")                                   \
    E(GROUP_FULL, 82, 3, "the sub-Grid has no room",                                               \
      "wait for it to split, or remove machines that left")                                        \
    E(NODE_UNKNOWN, 83, 1, "no such machine", "see gridpeer node list")                            \
    E(PARTIAL, 84, 4, "not every machine answered", "see gridpeer node list")                      \
    E(BUSY, 85, 1, "too many requests are open", "try again in a moment")                          \
    E(SUBGRID_UNKNOWN, 86, 1, "no such sub-Grid", "see gridpeer subgrid list")                     \
    E(NO_REGION_PEER, 87, 4, "the region peer was not reached, and only it knows the others",      \
      "wait for an election, see gridpeer status")                                                 \
    E(NODE_ELSEWHERE, 88, 5, "the machine is in another sub-Grid",                                 \
      "leave out --on, or type it on a machine of that sub-Grid")                                  \
    /* queries */                                                                                  \
    E(QUERY_SYNTAX, 90, 64, "the query cannot be read", "see gridpeer find --help")                \
    E(QUERY_ATTRIBUTE, 91, 64, "no such attribute", "see gridpeer find --attributes")              \
    E(QUERY_UNIT, 92, 64, "the unit does not fit the attribute", "see gridpeer find --attributes") \
    E(QUERY_TYPE, 93, 64, "the value does not fit the attribute",                                  \
      "see gridpeer find --attributes")                                                            \
    E(QUERY_LIMIT, 94, 64, "the query is too large", "write fewer terms")                          \
    E(NO_MATCH, 95, 1, "no machine matches",                                                       \
      "see which condition excludes them: gridpeer find --explain")                                \
    /* work */                                                                                     \
    E(RUN_REFUSED, 100, 5, "the machine refused the work",                                         \
      "see its reason, or choose another: --where")                                                \
    E(RUN_NOT_FOUND, 101, 1, "the program does not exist on that machine",                         \
      "give a path that exists there, or choose with --where")                                     \
    E(RUN_NOT_EXECUTABLE, 102, 1, "the program is not executable on that machine",                 \
      "chmod +x it there, or name a program: a directory cannot run")                              \
    E(RUN_NODE_FAILED, 103, 1, "the machine that ran the work is unavailable",                     \
      "run it again if that is safe: it may have had effects")                                     \
    E(RUN_LIMIT, 104, 64, "the command or its environment is too large", "put it in a file")       \
    E(RUN_UNKNOWN, 105, 1, "no such job", "see gridpeer ps")                                       \
    E(RUN_FENCED, 106, 5, "an order for an older attempt", "none: the newer attempt holds")        \
    E(RUN_FULL, 107, 5, "the machine runs as many jobs as it may",                                 \
      "wait, or choose another: --where")                                                          \
    E(RUN_SUBMIT, 108, 77, "the machine may not run work: its certificate lacks the role submit",  \
      "leave and join again with a token of: gridpeer invite --roles lend,submit")                 \
    E(RUN_LEND, 109, 77, "the machine may not take work: its certificate lacks the role lend",     \
      "choose another: --where, or let it join again: gridpeer invite --roles lend")               \
    E(RUN_ENDED, 110, 1, "the job has ended already", "see gridpeer ps")                           \
    /* the user's side */                                                                          \
    E(USAGE, 120, 64, "the command line is wrong", "see gridpeer --help")                          \
    E(NO_AGENT, 121, 69, "the agent does not answer", "start it: gridpeer agent")                  \
    E(NOT_PERMITTED, 122, 77, "not permitted", "run as the agent's owner or as root")              \
    E(TIMED_OUT, 123, 6, "timed out", "wait longer: --timeout DURATION")                           \
    E(CONFIG, 124, 64, "the configuration file is wrong", "correct the line that is named")        \
    E(HTTP, 125, 1, "a bad request to the API", "see the API page")                                \
    E(MEMORY, 126, 1, "out of memory", "free memory, then start again: gridpeer agent")            \
    E(SYSTEM, 127, 1, "the operating system refused", "see the reason that is named")              \
    /* simulated grids on this machine */                                                          \
    E(SIM_EXISTS, 130, 5, "a simulated grid is up here already",                                   \
      "end it: gridpeer sim down, or use another --dir")                                           \
    E(SIM_OTHER, 131, 5, "sim commands touch only what gridpeer sim up made",                      \
      "see what it made: gridpeer sim status")                                                     \
    E(SIM_STOPPED, 132, 1, "a simulated machine is stopped",                                       \
      "start it: gridpeer sim start NAME")                                                         \
    E(AGENT_RUNS, 133, 5, "it runs already", "see gridpeer status, or stop it: gridpeer stop")     \
    E(INTERRUPTED, 134, 1, "interrupted", "type the command again when it may take its time")      \
    /* recordings */                                                                               \
    E(REPLAY_FORMAT, 140, 3, "not a recording of gridpeer",                                        \
      "name one: DIR/NAME/replay.last, or what gridpeer sim run --record FILE wrote")              \
    E(REPLAY_VERSION, 141, 3, "a recording of another version",                                    \
      "replay it with the gridpeer that wrote it")                                                 \
    E(REPLAY_DAMAGED, 142, 3, "the recording is damaged",                                          \
      "trust what was told before that place only, or copy the file again, whole")                 \
    E(REPLAY_DIVERGED, 143, 1, "the cores did otherwise than when it was recorded",                \
      "replay it with the gridpeer that wrote it; if this is that one, report it with the file")   \
    E(REPLAY_EXPECTED, 144, 1, "the story is another one than was expected",                       \
      "if the new one is right, keep it: gridpeer replay FILE > STORY")                            \
    E(REPLAY_ASSERT, 145, 1, "an assertion failed while it was replayed",                          \
      "report it with the file, which shows it again as often as you like")

typedef enum gp_error {
    GP_OK = 0,
#define GP_E(NAME, code, exit, text, action) GP_E_##NAME = code,
    GP_ERRORS(GP_E)
#undef GP_E
} gp_error_t;

/* The return value is the only news of a failure: look at it. */
#define GP_MUST_CHECK __attribute__((warn_unused_result))

const char *gp_error_name(gp_error_t error);   /* "E_TOKEN_USED"; "E_UNKNOWN" for other numbers */
const char *gp_error_text(gp_error_t error);   /* what happened */
const char *gp_error_action(gp_error_t error); /* what to do next */
int gp_error_exit(gp_error_t error);           /* the command's exit code */

#endif
