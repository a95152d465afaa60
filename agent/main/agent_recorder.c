/* The recording of this run, and that of the run before, if it did not end in good order. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/main/agent_state.h"

/* What the run before left: of good order nothing is kept, else the file is put aside. */
static gp_error_t put_aside(agent_t *agent, gp_fail_t *fail)
{
    gp_folder_t folder = gp_state_folder(&agent->dir);
    if (!gp_file_exists(folder, GP_FILE_REPLAY)) {
        return GP_OK;
    }
    agent->crashed = !gp_ring_ended_well(folder, GP_FILE_REPLAY);
    int failed = agent->crashed ? renameat(folder.fd, GP_FILE_REPLAY, folder.fd, GP_FILE_CRASHED)
                                : unlinkat(folder.fd, GP_FILE_REPLAY, 0);
    return failed == 0
               ? GP_OK
               : gp_fail_errno(fail, errno, "cannot put %s/" GP_FILE_REPLAY " aside", folder.path);
}

static void keep_entry(agent_t *agent, const char *what, const char *detail)
{
    gp_log_entry_t entry = {.at = agent_wall(),
                            .actor = gp_text("agent"),
                            .what = gp_text(what),
                            .object = gp_text(agent->dir.name),
                            .detail = gp_text(detail)};
    gp_store_log(agent->store, &entry);
}

/* The agent's work is more than its recording: it goes on without. */
static void on_trouble(void *context, gp_error_t error, const char *text)
{
    agent_t *agent = context;
    snprintf(agent->unrecorded, sizeof agent->unrecorded, "this run is recorded no further: %s; %s",
             text, gp_error_action(error));
    if (agent->storing) {
        keep_entry(agent, "record", agent->unrecorded);
    }
}

gp_error_t agent_recorder_open(agent_t *agent, gp_fail_t *fail)
{
    gp_error_t error = put_aside(agent, fail);
    if (error != GP_OK || !agent->config.replay_enabled) {
        return error;
    }
    gp_recorder_config_t config = {.folder = gp_state_folder(&agent->dir),
                                   .name = GP_FILE_REPLAY,
                                   .size = (uint64_t)agent->config.replay_mebibytes << 20,
                                   .version = GP_VERSION,
                                   .trouble = on_trouble,
                                   .context = agent};
    agent->recorder = gp_recorder_new(&config);
    return agent->recorder != NULL ? GP_OK : gp_fail(fail, GP_E_MEMORY, "nothing can be recorded");
}

void agent_recorder_tell(agent_t *agent)
{
    char path[GP_STATE_PATH_MAX + 16];
    char quoted[2 * GP_STATE_PATH_MAX + 32];
    char detail[GP_LOG_TEXT_MAX + sizeof quoted];
    if (agent->unrecorded[0] != '\0') {
        keep_entry(agent, "record", agent->unrecorded);
    }
    if (!agent->crashed) {
        return;
    }
    snprintf(path, sizeof path, "%s/" GP_FILE_CRASHED, agent->dir.path);
    snprintf(detail, sizeof detail,
             "the run before did not end in good order; what came to it: gridpeer replay %s",
             gp_text_quote(path, quoted, sizeof quoted));
    keep_entry(agent, "crash", detail);
    fprintf(stderr, "gridpeer: %s\n", detail);
}

void agent_recorder_untold(agent_t *agent)
{
    gp_folder_t folder = gp_state_folder(&agent->dir);
    if (agent->crashed) {
        (void)renameat(folder.fd, GP_FILE_CRASHED, folder.fd, GP_FILE_REPLAY);
    }
}
