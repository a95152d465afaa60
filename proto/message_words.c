/* The enums of proto/message.h as words. */
#include "proto/message.h"

const char *gp_member_state_name(gp_member_state_t value)
{
    switch (value) {
    case GP_MEMBER_NONE:
        return "none";
    case GP_MEMBER_ALIVE:
        return "alive";
    case GP_MEMBER_SUSPECT:
        return "suspect";
    case GP_MEMBER_UNAVAILABLE:
        return "unavailable";
    case GP_MEMBER_UNKNOWN:
        return "unknown";
    case GP_MEMBER_LEFT:
        return "left";
    default:
        return "?";
    }
}

const char *gp_cause_name(gp_cause_t value)
{
    switch (value) {
    case GP_CAUSE_NONE:
        return "none";
    case GP_CAUSE_JOINED:
        return "joined";
    case GP_CAUSE_ANSWERS:
        return "answers";
    case GP_CAUSE_REFUTED:
        return "refuted";
    case GP_CAUSE_RESTARTED:
        return "restarted";
    case GP_CAUSE_REFUSED:
        return "refused";
    case GP_CAUSE_SILENT:
        return "silent";
    case GP_CAUSE_ONE_WAY:
        return "one-way";
    case GP_CAUSE_STOPPED:
        return "stopped";
    case GP_CAUSE_LEFT:
        return "left";
    case GP_CAUSE_NO_QUORUM:
        return "no-quorum";
    case GP_CAUSE_MANY_AT_ONCE:
        return "many-at-once";
    case GP_CAUSE_NO_LEADER:
        return "no-leader";
    case GP_CAUSE_MOVED:
        return "moved";
    default:
        return "?";
    }
}

const char *gp_cause_text(gp_cause_t value)
{
    switch (value) {
    case GP_CAUSE_NONE:
        return "no cause known";
    case GP_CAUSE_JOINED:
        return "admitted by its certificate";
    case GP_CAUSE_ANSWERS:
        return "heard again";
    case GP_CAUSE_REFUTED:
        return "it denied the suspicion itself";
    case GP_CAUSE_RESTARTED:
        return "its agent restarted";
    case GP_CAUSE_REFUSED:
        return "its agent is gone: its address refuses connections";
    case GP_CAUSE_SILENT:
        return "silent: several machines get no answer";
    case GP_CAUSE_ONE_WAY:
        return "some machines reach it, the super-peer does not";
    case GP_CAUSE_STOPPED:
        return "its agent was stopped in good order";
    case GP_CAUSE_LEFT:
        return "it left the grid for good";
    case GP_CAUSE_NO_QUORUM:
        return "this side of the sub-Grid has no majority and cannot know";
    case GP_CAUSE_MANY_AT_ONCE:
        return "too many fell silent at once: the network, or this machine";
    case GP_CAUSE_NO_LEADER:
        return "nobody leads the sub-Grid yet";
    case GP_CAUSE_MOVED:
        return "moved to another sub-Grid";
    default:
        return "?";
    }
}

const char *gp_right_name(gp_right_t value)
{
    switch (value) {
    case GP_RIGHT_NONE:
        return "none";
    case GP_RIGHT_QUORUM:
        return "quorum";
    case GP_RIGHT_CARETAKER:
        return "caretaker";
    default:
        return "?";
    }
}

const char *gp_campaign_why_name(gp_campaign_why_t value)
{
    switch (value) {
    case GP_CAMPAIGN_START:
        return "start";
    case GP_CAMPAIGN_SILENT:
        return "silent";
    case GP_CAMPAIGN_EVIDENCE:
        return "evidence";
    case GP_CAMPAIGN_HANDOVER:
        return "handover";
    default:
        return "?";
    }
}

const char *gp_step_down_why_name(gp_step_down_why_t value)
{
    switch (value) {
    case GP_STEP_DOWN_TERM:
        return "term";
    case GP_STEP_DOWN_LEASE:
        return "lease";
    case GP_STEP_DOWN_HANDOVER:
        return "handover";
    case GP_STEP_DOWN_MANDATE:
        return "mandate";
    case GP_STEP_DOWN_DISK:
        return "disk";
    default:
        return "?";
    }
}

const char *gp_vote_reason_name(gp_vote_reason_t value)
{
    switch (value) {
    case GP_VOTE_YES:
        return "yes";
    case GP_VOTE_STALE_TERM:
        return "stale-term";
    case GP_VOTE_LEASED:
        return "leased";
    case GP_VOTE_BEHIND:
        return "behind";
    case GP_VOTE_TAKEN:
        return "taken";
    case GP_VOTE_NOT_VOTER:
        return "not-voter";
    case GP_VOTE_NOT_DURABLE:
        return "not-durable";
    default:
        return "?";
    }
}

const char *gp_job_state_name(gp_job_state_t value)
{
    switch (value) {
    case GP_JOB_NEW:
        return "new";
    case GP_JOB_MATCHING:
        return "matching";
    case GP_JOB_CLAIMING:
        return "claiming";
    case GP_JOB_RUNNING:
        return "running";
    case GP_JOB_DONE:
        return "done";
    case GP_JOB_FAILED:
        return "failed";
    case GP_JOB_CANCELLED:
        return "cancelled";
    case GP_JOB_LOST:
        return "lost";
    default:
        return "?";
    }
}

const char *gp_reason_name(gp_reason_t value)
{
    switch (value) {
    case GP_REASON_NONE:
        return "none";
    case GP_REASON_EXIT:
        return "exit";
    case GP_REASON_SIGNAL:
        return "signal";
    case GP_REASON_OOM:
        return "oom";
    case GP_REASON_CANCELLED:
        return "cancelled";
    case GP_REASON_NOT_FOUND:
        return "not-found";
    case GP_REASON_NOT_EXECUTABLE:
        return "not-executable";
    case GP_REASON_START:
        return "start";
    case GP_REASON_NO_MATCH:
        return "no-match";
    case GP_REASON_REFUSED:
        return "refused";
    case GP_REASON_LEASE_LOST:
        return "lease-lost";
    case GP_REASON_NODE_FAILED:
        return "node-failed";
    case GP_REASON_AGENT_STOPPED:
        return "agent-stopped";
    case GP_REASON_HOME_RESTARTED:
        return "home-restarted";
    case GP_REASON_STORAGE:
        return "storage";
    case GP_REASON_POLICY:
        return "policy";
    default:
        return "?";
    }
}
