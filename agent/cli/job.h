/*
 * Jobs in paths of the API. Private to agent/cli.
 */
#ifndef GP_AGENT_CLI_JOB_H
#define GP_AGENT_CLI_JOB_H

#include <stdbool.h>
#include <stddef.h>

/* "/v1/jobs/" JOB `after`; false if JOB is no number. */
bool gp_cli_job_path(const char *job, const char *after, char *path, size_t size);

#endif
