/*
 * Who the transport knows. To let a machine in costs about a tenth of a millisecond: two signatures
 * to verify and a key to convert. In a sub-Grid of sixty that come up together that is most of the
 * work, and nearly all of it for machines that never talk to this one. So a member that nobody
 * waits for is let in a second later, when the rush is over; one that is sent something, or whose
 * leader this is, at once. When somebody knocks meanwhile all have their turn: it may be one of
 * them, and the transport holds it so long.
 *
 * Who was let in stays no longer than its certificate: a machine that nobody renews is out.
 */
#include "agent/main/agent_state.h"

#define ADMIT_BATCH   2
#define ADMIT_MS      10
#define ADMIT_AFTER_S 1

void agent_admit_member(agent_t *agent, const gp_id_t *id, const char *address, gp_slice_t cert)
{
    bool self = gp_id_equal(id, &agent->identity.id);
    if (self || !agent_cert_valid(agent, cert, id)) { /* which region belongs is the group's word */
        return;
    }
    bool reachable = gp_address_check(gp_text(address), false) == GP_OK;
    gp_error_t error = gp_net_admit(agent->net, id, reachable ? address : NULL);
    (void)error; /* it stays a stranger to the transport, and is found out by its silence */
}

/* Of whom no certificate is kept nothing is read from it either. */
bool agent_vouched(void *context, const gp_id_t *id)
{
    agent_t *agent = context;
    const gp_group_member_t *member = gp_group_member(agent_group(agent), id);
    return member == NULL || member->cert.n == 0 ||
           agent_certified(agent, GP_SEAT_SUBGRID, member->cert, id, (gp_slice_t){0});
}

void agent_admit_if_member(agent_t *agent, const gp_id_t *id)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        const void *group = gp_peer_seat_group(gp_runner_core(agent->runner), (gp_seat_t)seat);
        const gp_group_member_t *member = group != NULL ? gp_group_member(group, id) : NULL;
        if (member != NULL && member->cause != GP_CAUSE_LEFT) {
            agent_admit_member(agent, id, member->address, member->cert);
            return;
        }
    }
}

static void admit(agent_t *agent, uint32_t place)
{
    gp_id_t id = agent->waiting[place];
    agent->waiting[place] = agent->waiting[--agent->waiting_count];
    agent_admit_if_member(agent, &id);
}

static uint32_t place_of(const agent_t *agent, const gp_id_t *id)
{
    uint32_t place = 0;
    while (place < agent->waiting_count && !gp_id_equal(&agent->waiting[place], id)) {
        place++;
    }
    return place;
}

void agent_admit_now(agent_t *agent, const gp_id_t *id)
{
    uint32_t place = place_of(agent, id);
    if (place < agent->waiting_count) {
        admit(agent, place);
    }
}

void agent_admit_soon(agent_t *agent, const gp_id_t *id)
{
    static const struct timeval later = {.tv_sec = ADMIT_AFTER_S};
    if (place_of(agent, id) < agent->waiting_count) {
        return;
    }
    if (agent->waiting_count == AGENT_WAITING) {
        admit(agent, 0);
    }
    agent->waiting[agent->waiting_count++] = *id;
    if (!evtimer_pending(agent->admit, NULL)) {
        evtimer_add(agent->admit, &later);
    }
}

void agent_on_admit(evutil_socket_t fd, short what, void *context)
{
    static const struct timeval again = {.tv_usec = ADMIT_MS * 1000};
    agent_t *agent = context;
    (void)fd;
    (void)what;
    for (int i = 0; i < ADMIT_BATCH && agent->waiting_count > 0; i++) {
        admit(agent, 0);
    }
    if (agent->waiting_count > 0) {
        evtimer_add(agent->admit, &again);
    }
}

void agent_on_knock(void *context)
{
    agent_t *agent = context;
    while (agent->waiting_count > 0) {
        admit(agent, 0);
    }
}

/* ---- certificates that have ended ------------------------------------------------------------ */

static bool has_lapsed(const agent_t *agent, const gp_group_member_t *member)
{
    gp_cert_t cert;
    return !gp_id_equal(&member->id, &agent->identity.id) &&
           gp_cert_read(member->cert, &cert) == GP_OK &&
           gp_member_lapsed(cert.not_after_ms, agent_wall());
}

static bool is_among(const gp_id_t *ids, uint32_t count, const gp_id_t *id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (gp_id_equal(&ids[i], id)) {
            return true;
        }
    }
    return false;
}

static void keep_record(agent_t *agent, const gp_group_member_t *member)
{
    gp_log_entry_t entry = {
        .at = agent_wall(),
        .actor = gp_text("agent"),
        .what = gp_text("expire"),
        .object = gp_text(member->name),
        .detail = gp_text("its certificate has ended: no word with it until it has a fresh one")};
    gp_store_log(agent->store, &entry);
}

void agent_book_sweep(agent_t *agent)
{
    const void *group = agent_group(agent);
    gp_id_t lapsed[GP_MEMBERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < gp_group_count(group) && count < GP_MEMBERS_MAX; i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        bool was = is_among(agent->lapsed, agent->lapsed_count, &member->id);
        if (has_lapsed(agent, member)) {
            gp_net_forget(agent->net, &member->id);
            lapsed[count++] = member->id;
            if (!was) {
                keep_record(agent, member);
            }
        } else if (was) {
            agent_admit_soon(agent, &member->id); /* renewed, or a clock was set right */
        }
    }
    memcpy(agent->lapsed, lapsed, count * sizeof lapsed[0]);
    agent->lapsed_count = count;
}
