#include "agent_lab_settle.h"

#include "proto_cmocka.h"

void lab_run(gp_world_t *world, gp_usec_t us)
{
    if (!gp_world_run(world, gp_world_now(world) + us)) {
        fail_msg("%s", gp_world_violation(world));
    }
}

static void tell(void *context, const char *line)
{
    (void)context;
    print_message("  %s\n", line);
}

gp_usec_t lab_settle(gp_world_t *world, gp_usec_t limit, gp_usec_t step)
{
    gp_usec_t from = gp_world_now(world);
    char why[256] = "";
    while (!gp_world_agrees(world, 0, why, sizeof why)) {
        if (gp_world_now(world) - from > limit) {
            gp_world_explain(world, 0, tell, world);
            fail_msg("not after %llu ms: %s", (unsigned long long)(limit / GP_MSEC), why);
        }
        lab_run(world, step);
    }
    return gp_world_now(world) - from;
}
