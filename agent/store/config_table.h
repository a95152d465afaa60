/*
 * Every setting of an agent, once: the struct, the parser, the help and the commented default file
 * come from this table.
 *
 * C(TYPE, section, key, default, min, max, doc): the default is text, as it would be written in the
 * file; min and max bound a NUMBER, or a DURATION in milliseconds.
 */
#ifndef GP_AGENT_STORE_CONFIG_TABLE_H
#define GP_AGENT_STORE_CONFIG_TABLE_H

#include "proto/limits.h"

#define GP_CONFIG(C)                                                                               \
    C(ADDRESS, agent, listen, "tcp://*:7617", 0, 0,                                                \
      "where this machine listens for others: tcp://ADDR:PORT, * for every address, port 0 for "   \
      "any")                                                                                       \
    C(ADDRESS, agent, advertise, "", 0, 0,                                                         \
      "where others reach it, if not at `listen` (behind a forwarded port, say)")                  \
    C(FLAG, agent, relayed, "no", 0, 0,                                                            \
      "others cannot connect to this machine (a firewall, a NAT): it never becomes super-peer, "   \
      "and a refused connection is no sign of its death")                                          \
    C(FLAG, agent, debug, "no", 0, 0,                                                              \
      "allow core dumps and debuggers: they can see the secret key")                               \
    C(FLAG, beacon, enabled, "no", 0, 0,                                                           \
      "tell the local network by UDP where this machine listens, for those who join")              \
    C(NUMBER, beacon, port, "7617", 1, 65535, "the UDP port of the beacon")                        \
    C(DURATION, find, timeout, "5s", 100, 600000, "how long a question may wait for its answer")   \
    C(FLAG, lend, enabled, "yes", 0, 0, "run work of other machines of the grid here")             \
    C(NUMBER, run, jobs_max, "16", 1, GP_JOBS_MAX, "how many jobs may run here at once")           \
    C(DURATION, run, lease, "10s", 1000, 3600000,                                                  \
      "work stops itself when it has heard nothing from its home for so long (advanced)")          \
    C(DURATION, collect, period, "5s", 500, 3600000,                                               \
      "how often load, memory and disk of this machine are measured")                              \
    C(DURATION, group, beat, "1s", 50, 60000,                                                      \
      "super-peer and deputy each ask every member once in it (advanced)")                         \
    C(DURATION, election, lease, "1500ms", 200, 60000,                                             \
      "how long a super-peer may lead without a new word of the voters (advanced)")                \
    C(NUMBER, forming, members_max, "64", 2, GP_MEMBERS_MAX,                                       \
      "so many machines fill a sub-Grid, and newcomers go to others; the same on all machines of " \
      "a region (advanced)")                                                                       \
    C(NUMBER, activity, entries, "20000", 1000, GP_LOG_ENTRIES_MAX,                                \
      "how many entries of the activity log are kept at least")                                    \
    C(FLAG, replay, enabled, "no", 0, 0,                                                           \
      "record what the agent decides upon, for gridpeer replay: no secrets, but who said what")    \
    C(NUMBER, replay, mebibytes, "16", 1, GP_RING_MEBIBYTES_MAX,                                   \
      "how large that recording is: one half from the start on, the other the latest events")

#endif
