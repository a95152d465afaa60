#include "agent/replay/start.h"

#include "agent/replay/mask.h"

/*
 * Each number of the config but what the peer itself fills in, by its place in gp_peer_config_t;
 * for ever in this order.
 */
#define NUMBERS(N)                                                                                 \
    N(group.group)                                                                                 \
    N(group.tier)                                                                                  \
    N(group.flags)                                                                                 \
    N(group.boot)                                                                                  \
    N(group.members_max)                                                                           \
    N(group.cert_max)                                                                              \
    N(group.beat_period) N(group.beat_timeout) N(group.confirm_window) N(group.ring_period) N(     \
        group.late_after) N(group.redial_after) N(group.view_batch) N(group.view_gap)              \
        N(group.view_quiet) N(group.pull_period) N(group.seek_min) N(group.seek_max) N(            \
            group.many_hold) N(group.leave_limit) N(group.admit_hold) N(group.introduce_limit)     \
            N(group.forget_left_after) N(group.forget_stopped_after) N(                            \
                group.forget_never_after) N(group.forget_dead_after) N(group.store_period)         \
                N(election.group) N(election.tier) N(election.lease_ms) N(                         \
                    election.lease_beat_ms) N(election.drift_permille) N(election.rank_wait_ms)    \
                    N(election.jitter_ms) N(election.vote_wait_ms) N(election.vote_valid_ms) N(    \
                        election.dead_voter_after_ms) N(election.promote_after_ms)                 \
                        N(election.promote_gap) N(election.promote_every_ms) N(                    \
                            election.caretaker_after_ms) N(election.store_retry_ms)                \
                            N(election.can_lead) N(discovery.group) N(discovery.incarnation) N(    \
                                discovery.members_max) N(discovery.pool_bytes) N(work.epoch)       \
                                N(work.home_max) N(work.attempts_max) N(work.running_max) N(       \
                                    work.command_bytes) N(work.output_window)                      \
                                    N(work.lease_us) N(work.keep_us) N(work.claim_us) N(           \
                                        work.match_us) N(work.lend) N(work.certified)              \
                                        N(work.roles) N(group.try_period) N(group.invited) N(      \
                                            group.life) N(tiers.groups[GP_SEAT_REGION])            \
                                            N(tiers.groups[GP_SEAT_GRID]) N(tiers.ask_min) N(      \
                                                tiers.ask_max) N(tiers.give_after)                 \
                                                N(forming.members_aim) N(forming.members_max) N(   \
                                                    forming.members_min)                           \
                                                    N(forming.merge_after) N(forming.drift_us) N(  \
                                                        forming                                    \
                                                            .look_period) N(forming.ask_timeout)   \
                                                        N(forming                                  \
                                                              .move_timeout) N(forming.found_gap)  \
                                                            N(members_above) N(                    \
                                                                tiers                              \
                                                                    .leaders_only[GP_SEAT_REGION]) \
                                                                N(tiers                            \
                                                                      .leaders_only[GP_SEAT_GRID])

#define SLICES(S)                                                                                  \
    S(group.name)                                                                                  \
    S(group.address) S(group.cert) S(discovery.name) S(discovery.region) S(discovery.address)

#define N(field)     +1
#define S(field)     +1
#define NUMBER_COUNT (0 NUMBERS(N))
#define SLICE_COUNT  (0 SLICES(S))
enum { number_count = NUMBER_COUNT, slice_count = SLICE_COUNT };
#undef N
#undef S

/* A field that is new in one of the configs belongs into the table above. */
static_assert(sizeof(gp_group_config_t) == 264 && sizeof(gp_election_config_t) == 72 &&
                  sizeof(gp_discovery_config_t) == 96 && sizeof(gp_work_config_t) == 80 &&
                  sizeof(gp_tiers_config_t) == 72 && sizeof(gp_forming_config_t) == 144,
              "NUMBERS and SLICES are to have each field of the configs");

void gp_start_put(const gp_start_t *start, gp_put_t *put)
{
    const gp_peer_config_t *config = &start->config;
    gp_put_text(put, start->version);
    gp_put_number(put, start->fingerprint);
    gp_put_number(put, number_count);
    gp_put_number(put, start->wall_ms);
    gp_put_number(put, start->now);
    gp_put_raw(put, start->self.b, sizeof start->self.b);
    gp_put_number(put, start->seed);
#define N(field) gp_put_number(put, (uint64_t)config->field);
#define S(field) gp_put_text(put, config->field);
    NUMBERS(N)
    SLICES(S)
#undef N
#undef S
}

static bool fits(uint64_t number, size_t size)
{
    return size == sizeof number || number >> (8 * size) == 0;
}

gp_error_t gp_start_get(gp_get_t *get, gp_start_t *ret_start)
{
    memset(ret_start, 0, sizeof *ret_start);
    gp_peer_config_t *config = &ret_start->config;
    ret_start->version = gp_get_text(get);
    ret_start->fingerprint = gp_get_number(get);
    bool same = gp_get_number(get) == number_count;
    if (get->over) {
        return GP_E_REPLAY_DAMAGED;
    }
    if (!same || ret_start->fingerprint != gp_mask_fingerprint()) {
        return GP_E_REPLAY_VERSION;
    }
    ret_start->wall_ms = gp_get_number(get);
    ret_start->now = gp_get_number(get);
    ret_start->self = gp_get_id(get);
    ret_start->seed = gp_get_number(get);
    uint64_t number;
    bool all = true;
#define N(field)                                                                                   \
    number = gp_get_number(get);                                                                   \
    all = all && fits(number, sizeof config->field);                                               \
    memcpy(&config->field, &number, sizeof config->field);
#define S(field) config->field = gp_get_text(get);
    NUMBERS(N)
    SLICES(S)
#undef N
#undef S
    return all && !get->over ? GP_OK : GP_E_REPLAY_DAMAGED;
}
