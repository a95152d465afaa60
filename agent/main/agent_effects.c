/* What the peer's actions do on a real machine. */
#include <stdio.h>
#include <time.h>

#include "agent/main/agent_state.h"
#include "agent/shell/record.h"
#include "agent/shell/story.h"

gp_usec_t agent_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now); /* counts suspension: a lease goes on while we sleep */
    return (gp_usec_t)now.tv_sec * GP_SECOND + (gp_usec_t)now.tv_nsec / 1000;
}

gp_wall_ms_t agent_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (gp_wall_ms_t)now.tv_sec * 1000 + (gp_wall_ms_t)now.tv_nsec / 1000000;
}

static gp_usec_t effect_now(void *context)
{
    (void)context;
    return agent_now();
}

static gp_wall_ms_t effect_wall(void *context)
{
    (void)context;
    return agent_wall();
}

static void effect_store(void *context, const gp_msg_t *msg, gp_slice_t bytes, uint64_t ticket)
{
    agent_t *agent = context;
    bool removed;
    gp_store_record_t record = {.room = gp_msg_room(msg->kind),
                                .kind = msg->kind,
                                .key = gp_record_key(msg, &removed),
                                .bytes = bytes};
    gp_store_put(agent->store, &record, ticket);
    if (removed) {
        gp_store_remove(agent->store, record.room, record.kind, record.key);
    }
}

/* Output of programs waits behind everything else. */
static gp_class_t class_of(gp_msg_kind_t kind)
{
    return kind == GP_MSG_OUTPUT ? GP_CLASS_DATA : GP_CLASS_CONTROL;
}

static void effect_send(void *context, const gp_id_t *to, gp_msg_kind_t kind, gp_slice_t frame)
{
    agent_t *agent = context;
    agent_admit_now(agent, to);
    gp_error_t error = gp_net_send(agent->net, to, frame, class_of(kind));
    (void)error; /* counted by the transport; every protocol here survives a lost frame */
}

static void effect_link(void *context, const gp_id_t *peer, bool hold)
{
    agent_t *agent = context;
    agent_admit_now(agent, peer);
    gp_error_t error = gp_net_link(agent->net, peer, hold);
    (void)error; /* a machine that cannot be reached is found out by its silence */
}

static void effect_dial(void *context, const gp_id_t *peer, gp_room_t room)
{
    agent_t *agent = context;
    agent_admit_now(agent, peer);
    if (gp_net_dial(agent->net, peer, (uint64_t)room) != GP_OK) {
        agent_defer_silence(agent, peer, room);
    }
}

/* ---- notices --------------------------------------------------------------------------------- */

/*
 * Of the region or the grid: what comes of it for names and the process follows from the sub-Grid's
 * notices alone.
 */
static bool is_of_a_seat_above(const gp_msg_t *notice)
{
    return gp_group_tier(gp_msg_group(notice)) != GP_SEAT_SUBGRID;
}

/*
 * Sixty machines that each write down that sixty are well would write all day: who leads keeps the
 * whole story, the others what is about themselves or about trouble.
 */
static bool is_news_here(const agent_t *agent, const gp_msg_t *msg)
{
    if (msg->kind != GP_MSG_MEMBER) {
        return true;
    }
    if (is_of_a_seat_above(msg)) {
        return false;
    }
    const gp_record_member_t *entry = &msg->u.member.entries[0];
    gp_id_t leader = gp_election_leader(agent_election(agent));
    bool trouble = entry->state == GP_MEMBER_UNAVAILABLE || entry->state == GP_MEMBER_LEFT;
    return trouble || gp_id_equal(&leader, &agent->identity.id) ||
           gp_id_equal(&entry->id, &agent->identity.id);
}

static void keep_story(agent_t *agent, const gp_msg_t *msg)
{
    char text[400];
    if (!is_news_here(agent, msg) || !gp_story_tell(msg, agent_name_of, agent, text, sizeof text)) {
        return;
    }
    gp_log_entry_t entry = {.at = agent_wall(),
                            .actor = gp_text("agent"),
                            .what = gp_text(gp_msg_name(msg->kind)),
                            .object = gp_text(agent->dir.name),
                            .detail = gp_text(text)};
    gp_store_log(agent->store, &entry);
}

static void follow_member(agent_t *agent, const gp_msg_member_t *member)
{
    const gp_record_member_t *entry = &member->entries[0];
    char address[GP_ADDRESS_MAX + 1];
    if (member->forgotten || entry->cause == GP_CAUSE_LEFT) {
        gp_net_forget(agent->net, &entry->id);
        agent_admit_if_member(agent, &entry->id); /* it may be in a group above */
        if (entry->cause == GP_CAUSE_LEFT) {
            gp_admit_forget(&agent->issuer, &entry->id); /* its name is free again */
        }
        return;
    }
    gp_id_t leader = gp_election_leader(agent_election(agent));
    if (gp_id_equal(&leader, &agent->identity.id) &&
        gp_text_copy(address, sizeof address, entry->address)) {
        agent_admit_member(agent, &entry->id, address, entry->cert);
    } else {
        agent_admit_soon(agent, &entry->id);
    }
}

/* Whoever sits there, too, has to be reached. */
static void follow_above(agent_t *agent, const gp_msg_t *msg)
{
    if (msg->kind == GP_MSG_MEMBER && !msg->u.member.forgotten) {
        agent_admit_if_member(agent, &msg->u.member.entries[0].id);
    }
}

static void effect_notice(void *context, gp_room_t room, uint64_t token, const gp_msg_t *msg)
{
    agent_t *agent = context;
    (void)room;
    keep_story(agent, msg);
    agent->changed = true;
    if (is_of_a_seat_above(msg)) {
        follow_above(agent, msg);
        return;
    }
    switch (msg->kind) {
    case GP_MSG_MEMBER:
        follow_member(agent, &msg->u.member);
        break;
    case GP_MSG_CONTACT:
        agent_contact(agent, &msg->u.contact);
        break;
    case GP_MSG_FORM_ANSWER:
        if (!agent_listed(agent, token, &msg->u.form_answer)) {
            agent_placed(agent, token, &msg->u.form_answer);
        }
        break;
    case GP_MSG_FORM_MOVED:
        agent_moved(agent);
        break;
    case GP_MSG_RELINQUISHED:
        agent_relinquished(agent, &msg->u.relinquished);
        break;
    case GP_MSG_HEIRLESS:
        agent_heirless(agent);
        break;
    case GP_MSG_LEFT:
        agent_left(agent);
        break;
    case GP_MSG_ANSWER:
        agent_answer(agent, token, &msg->u.answer);
        break;
    case GP_MSG_ROUTE_ANSWER:
        agent_routed(agent, token, &msg->u.route_answer);
        break;
    case GP_MSG_JOB:
    case GP_MSG_JOB_OUTPUT:
    case GP_MSG_JOB_START:
    case GP_MSG_JOB_STOP:
    case GP_MSG_JOB_READ:
    case GP_MSG_JOB_LEASE:
    case GP_MSG_WORK_STOPPED:
        agent_job_notice(agent, token, msg);
        break;
    default:
        break;
    }
}

static void effect_letter(void *context, const gp_id_t *peer, const gp_msg_t *msg)
{
    agent_letter(context, peer, msg);
}

/*
 * Beats carry no time, signed messages do: with a wrong clock a machine looks well and takes part
 * in nothing. So that is said, once a minute at most.
 */
static void tell_clock(agent_t *agent, const gp_id_t *peer)
{
    gp_usec_t now = agent_now();
    if (agent->clock_told_at != 0 && now - agent->clock_told_at < 60 * GP_SECOND) {
        return;
    }
    char text[GP_LOG_TEXT_MAX];
    agent->clock_told_at = now;
    snprintf(text, sizeof text,
             "what %s says is too old or from the future: its clock and this one differ by more "
             "than %u s; check both: timedatectl",
             agent_name_of(agent, peer), GP_ENVELOPE_SKEW_MS / 1000);
    gp_log_entry_t entry = {.at = agent_wall(),
                            .actor = gp_text("agent"),
                            .what = gp_text(gp_error_name(GP_E_MESSAGE_STALE)),
                            .object = gp_text(agent->dir.name),
                            .detail = gp_text(text)};
    gp_store_log(agent->store, &entry);
}

static void effect_dropped(void *context, const gp_id_t *peer, gp_error_t error)
{
    agent_t *agent = context;
    agent->refused[error < AGENT_ERRORS_MAX ? error : 0]++;
    if (error == GP_E_MESSAGE_STALE) {
        tell_clock(agent, peer);
    }
}

const gp_effects_t agent_effects = {
    .now = effect_now,
    .wall = effect_wall,
    .store = effect_store,
    .send = effect_send,
    .link = effect_link,
    .dial = effect_dial,
    .notice = effect_notice,
    .letter = effect_letter,
    .dropped = effect_dropped,
};
