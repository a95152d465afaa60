#include "agent/node/admit_core.h"

#define HOUR_MS 3600000
#define MINUTE  (60 * GP_SECOND)

gp_admit_verdict_t gp_admit_decide(const gp_admit_facts_t *facts, gp_error_t *ret_error)
{
    const struct {
        bool fine;
        gp_error_t error;
    } checks[] = {
        {facts->invitation == GP_OK, facts->invitation},
        {facts->issued_here, GP_E_TOKEN_UNKNOWN},
        {facts->guest && facts->proven, GP_E_TOKEN_PROOF},
        /* From here on it is known to hold the token: it may be told more. */
        {facts->may_admit, GP_E_JOIN_NOT_ISSUER},
        {facts->region_same, GP_E_TOKEN_REGION},
        {!facts->adds || facts->region_new, GP_E_REGION_EXISTS},
        {!facts->adds || facts->may_add, GP_E_TOKEN_ADMIT},
        {facts->name_valid, GP_E_NAME},
        {facts->address_valid, GP_E_ADDRESS},
        {!facts->admitted || facts->admitted_name, GP_E_JOIN_NAME},
        {facts->admitted || facts->used < facts->uses, GP_E_TOKEN_USED},
        {!facts->name_taken, GP_E_JOIN_NAME},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!checks[i].fine) {
            assert(checks[i].error != GP_OK);
            *ret_error = checks[i].error;
            return GP_ADMIT_REFUSE;
        }
    }
    *ret_error = GP_OK;
    return facts->admitted ? GP_ADMIT_AGAIN : GP_ADMIT_NEW;
}

static gp_admit_verdict_t refuse(gp_error_t error, gp_error_t *ret_error)
{
    assert(error != GP_OK);
    *ret_error = error;
    return GP_ADMIT_REFUSE;
}

gp_admit_verdict_t gp_renew_decide(const gp_renew_facts_t *facts, uint16_t *ret_roles,
                                   gp_error_t *ret_error)
{
    if (facts->cert != GP_OK) {
        return refuse(facts->cert, ret_error);
    }
    if (!facts->own) {
        return refuse(GP_E_MESSAGE_SENDER, ret_error);
    }
    if (!facts->region_same) {
        return refuse(GP_E_TOKEN_REGION, ret_error);
    }
    if (!facts->may_admit && !facts->has_root) {
        return refuse(GP_E_JOIN_NOT_ISSUER, ret_error);
    }
    assert(facts->not_after_ms > facts->not_before_ms);
    const uint64_t life = facts->not_after_ms - facts->not_before_ms;
    uint16_t roles = facts->roles;
    if (facts->now_ms < facts->not_before_ms + life / 2) {
        *ret_roles = roles;
        *ret_error = GP_OK;
        return GP_ADMIT_AGAIN;
    }
    if (!facts->has_root) {
        const bool last = facts->now_ms + life / 6 >= facts->not_after_ms;
        if ((roles & GP_ROLE_ADMIT) != 0 && !last) {
            return refuse(GP_E_JOIN_NOT_ISSUER, ret_error);
        }
        roles = (uint16_t)(roles & facts->own_roles & ~(unsigned)GP_ROLE_ADMIT);
    }
    if (roles == 0) {
        return refuse(GP_E_CERT_ROLE, ret_error);
    }
    *ret_roles = roles;
    *ret_error = GP_OK;
    return GP_ADMIT_NEW;
}

gp_wall_ms_t gp_renew_at(gp_wall_ms_t not_before_ms, gp_wall_ms_t not_after_ms, uint64_t spread,
                         uint32_t failures)
{
    assert(not_after_ms > not_before_ms);
    const uint64_t life = not_after_ms - not_before_ms;
    const uint64_t first = life / 3 * 2 + spread % (life / 12 + 1);
    assert(first <= life);
    /* Eight tries in what is left, however short a certificate's life is. */
    const uint64_t step = (life - first) / 8 < HOUR_MS ? (life - first) / 8 : HOUR_MS;
    return not_before_ms + first + step * (failures < 1000000 ? failures : 1000000);
}

bool gp_member_lapsed(gp_wall_ms_t not_after_ms, gp_wall_ms_t now_ms)
{
    return now_ms > not_after_ms && now_ms - not_after_ms > GP_CERT_GRACE_MS;
}

bool gp_asks_take(gp_asks_t *asks, gp_usec_t now)
{
    /* A microsecond earns GP_GUEST_ASKS_RATE millionths of an ask. */
    const uint64_t full = GP_GUEST_ASKS_BURST * GP_SECOND;
    const uint64_t passed = now > asks->used_at ? now - asks->used_at : 0;
    const uint64_t earned = passed > full / GP_GUEST_ASKS_RATE ? full : passed * GP_GUEST_ASKS_RATE;
    asks->spent = earned < asks->spent ? asks->spent - earned : 0;
    asks->used_at = now;
    if (asks->spent + GP_SECOND > full) {
        return false;
    }
    asks->spent += GP_SECOND;
    return true;
}

bool gp_refusals_take(gp_refusals_t *refusals, gp_usec_t now)
{
    if (refusals->written == 0 || now - refusals->since >= MINUTE) {
        refusals->since = now;
        refusals->written = 0;
    }
    if (refusals->written == GP_REFUSALS_LOGGED_MAX) {
        refusals->missed++;
        return false;
    }
    refusals->written++;
    return true;
}

uint64_t gp_refusals_missed(gp_refusals_t *refusals, gp_usec_t now)
{
    const uint64_t missed = now - refusals->since >= MINUTE ? refusals->missed : 0;
    refusals->missed -= missed;
    return missed;
}
