#include "agent/shell/story.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/core.h"

typedef struct story {
    gp_story_name_t *name;
    void *context;
    char *text;
    size_t size;
    size_t used;
} story_t;

static const char *const tiers[GP_SEAT_COUNT] = {"sub-Grid", "region", "grid"};

static void say(story_t *story, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(story_t *story, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(story->text + story->used, story->size - story->used, format, arguments);
    va_end(arguments);
    if (n > 0) {
        size_t left = story->size - story->used - 1;
        story->used += (size_t)n < left ? (size_t)n : left;
    }
}

static const char *named(const story_t *story, const gp_id_t *id)
{
    return gp_id_is_none(id) ? "nobody" : story->name(story->context, id);
}

static void say_slice(story_t *story, gp_slice_t text)
{
    say(story, "%.*s", (int)text.n, (const char *)text.p);
}

static void say_observers(story_t *story, gp_slice_t observers)
{
    for (uint32_t i = 0; i + 32 <= observers.n; i += 32) {
        gp_id_t id;
        memcpy(id.b, observers.p + i, sizeof id.b);
        say(story, "%s%s", i == 0 ? ", seen by " : " and ", named(story, &id));
    }
}

static bool tell_member(story_t *story, const gp_msg_member_t *member)
{
    const gp_record_member_t *entry = &member->entries[0];
    if (member->forgotten) {
        say(story, "%s is forgotten", named(story, &entry->id));
        return true;
    }
    if (member->before == entry->state) {
        return false;
    }
    bool gave_up = entry->cause == GP_CAUSE_LEFT && gp_group_tier(member->group) != 0;
    say(story, "%s is %s: %s", named(story, &entry->id),
        gp_member_state_name((gp_member_state_t)entry->state),
        gave_up ? "it gave its seat up" : gp_cause_text((gp_cause_t)entry->cause));
    say_observers(story, entry->observers);
    return true;
}

static bool tell_leader(story_t *story, const gp_msg_leader_t *leader)
{
    if (leader->renewed) {
        return false;
    }
    switch ((gp_right_t)leader->right) {
    case GP_RIGHT_QUORUM:
        say(story, "%s leads in term %llu by mandate, deputy %s", named(story, &leader->leader),
            (unsigned long long)leader->term, named(story, &leader->deputy));
        return true;
    case GP_RIGHT_CARETAKER:
        say(story, "%s is caretaker in term %llu: no majority here", named(story, &leader->leader),
            (unsigned long long)leader->term);
        return true;
    case GP_RIGHT_NONE:
        break;
    }
    say(story, "nobody leads in term %llu", (unsigned long long)leader->term);
    return true;
}

static bool tell_campaign(story_t *story, const gp_msg_campaign_t *campaign)
{
    static const char *const whys[] = {"", "no leader yet", "the lease ran out",
                                       "the leader's process is gone", "it was handed over"};
    say(story, "%s for term %llu: %s", campaign->pre ? "asks who would vote for it" : "stands",
        (unsigned long long)campaign->term, campaign->why < 5 ? whys[campaign->why] : "");
    return true;
}

static bool tell_step_down(story_t *story, const gp_msg_step_down_t *step_down)
{
    static const char *const whys[] = {"",
                                       "a higher term",
                                       "no quorum renewed its lease",
                                       "it handed over",
                                       "there is a mandate",
                                       "its disk failed"};
    say(story, "steps down in term %llu: %s", (unsigned long long)step_down->term,
        step_down->why < 6 ? whys[step_down->why] : "");
    return true;
}

static bool tell_roster(story_t *story, const gp_msg_roster_t *roster)
{
    say(story, "roster %llu%s:", (unsigned long long)roster->version,
        roster->committed ? "" : " (proposed)");
    for (uint32_t i = 0; i < roster->voters_count; i++) {
        say(story, " %s", named(story, &roster->voters[i].id));
    }
    return true;
}

static bool tell_suspicion(story_t *story, const gp_msg_suspicion_t *suspicion)
{
    static const char *const phases[] = {"",
                                         "suspects",
                                         "hears again from",
                                         "is sure that it has lost",
                                         "cannot say what is with",
                                         "drops its suspicion of"};
    say(story, "%s %s", suspicion->phase < 6 ? phases[suspicion->phase] : "",
        named(story, &suspicion->target));
    return true;
}

static bool tell_answer(story_t *story, const gp_msg_answer_t *answer)
{
    if (answer->error != GP_OK) {
        say(story, "no answer: %s", gp_error_text((gp_error_t)answer->error));
        return true;
    }
    say(story, "%s answers%s, %u of %u match:", named(story, &answer->by),
        answer->partial ? " in part" : "", answer->matched, answer->considered);
    for (uint32_t i = 0; i < answer->hits_count; i++) {
        say(story, " ");
        say_slice(story, answer->hits[i].name);
    }
    return true;
}

static bool tell_job(story_t *story, const gp_msg_job_t *job)
{
    say(story, "job %llu is %s", (unsigned long long)job->job,
        gp_job_state_name((gp_job_state_t)job->state));
    if (!gp_id_is_none(&job->executor)) {
        say(story, " on %s", named(story, &job->executor));
    }
    if (job->reason != GP_REASON_NONE) {
        say(story, ": %s %u", gp_reason_name((gp_reason_t)job->reason), job->code);
    }
    if (job->text.n > 0) {
        say(story, " (");
        say_slice(story, job->text);
        say(story, ")");
    }
    return true;
}

static bool tell_seat(story_t *story, uint8_t seat, const char *what)
{
    say(story, "%s its seat in the %s", what, seat < GP_SEAT_COUNT ? tiers[seat] : "");
    return true;
}

/* False: it is no news. */
static bool tell(story_t *story, const gp_msg_t *notice)
{
    switch (notice->kind) {
    case GP_MSG_SEAT_TAKE:
        return tell_seat(story, notice->u.seat_take.seat, "takes");
    case GP_MSG_SEAT_GIVE:
        return tell_seat(story, notice->u.seat_give.seat, "gives up");
    case GP_MSG_MEMBER:
        return tell_member(story, &notice->u.member);
    case GP_MSG_LEADER:
        return tell_leader(story, &notice->u.leader);
    case GP_MSG_CAMPAIGN:
        return tell_campaign(story, &notice->u.campaign);
    case GP_MSG_STEP_DOWN:
        return tell_step_down(story, &notice->u.step_down);
    case GP_MSG_ROSTER:
        return tell_roster(story, &notice->u.roster);
    case GP_MSG_SUSPICION:
        return tell_suspicion(story, &notice->u.suspicion);
    case GP_MSG_GONE:
        say(story, "finds that the process of %s is gone", named(story, &notice->u.gone.target));
        return true;
    case GP_MSG_LATE:
        say(story, "was late by %u ms and trusts no suspicion of its own", notice->u.late.late_ms);
        return true;
    case GP_MSG_RELINQUISHED:
        say(story, "has handed over to %s", named(story, &notice->u.relinquished.successor));
        return true;
    case GP_MSG_HEIRLESS:
        say(story, "does not go for good: nobody could take over");
        return true;
    case GP_MSG_LEFT:
        say(story, "has said goodbye");
        return true;
    case GP_MSG_ANSWER:
        return tell_answer(story, &notice->u.answer);
    case GP_MSG_JOB:
        return tell_job(story, &notice->u.job);
    default:
        return false;
    }
}

bool gp_story_tell(const gp_msg_t *notice, gp_story_name_t *name, void *context, char *text,
                   size_t size)
{
    story_t story = {.name = name, .context = context, .text = text, .size = size};
    uint8_t tier = gp_group_tier(gp_msg_group(notice));
    assert(size > 0);
    text[0] = '\0';
    if (tier != GP_SEAT_SUBGRID && tier < GP_SEAT_COUNT) {
        say(&story, "%s: ", tiers[tier]);
    }
    bool told = tell(&story, notice);
    if (!told) {
        text[0] = '\0';
    }
    return told;
}
