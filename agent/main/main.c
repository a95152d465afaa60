#include <malloc.h>
#include <stdio.h>

#include "agent/main/backend.h"
#include "proto/keys.h"

int main(int argc, char **argv)
{
    /* One heap for all threads: each further one costs memory that an idle agent never uses. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    if (gp_keys_init() != GP_OK) {
        fputs("gridpeer: the system's random generator does not work\n", stderr);
        return GP_EXIT_FAILED;
    }
    return gp_cli_main(argc, argv, &gp_backend);
}
