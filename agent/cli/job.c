#include "agent/cli/job.h"

#include <stdio.h>
#include <string.h>

bool gp_cli_job_path(const char *job, const char *after, char *path, size_t size)
{
    if (job[0] == '\0' || job[strspn(job, "0123456789")] != '\0') {
        return false;
    }
    int n = snprintf(path, size, "/v1/jobs/%s%s", job, after);
    return n > 0 && (size_t)n < size;
}
