/*
 * gridpeer-beacon: the LAN beacon as a program of its own, so that only those who turn it on carry
 * czmq and its threads.
 *
 *   gridpeer-beacon say GRID REGION PORT UDP-PORT    until its standard input ends
 *   gridpeer-beacon hear GRID UDP-PORT MS            prints each address that it hears of, once
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "overlay/net/beacon.h"
#include "proto/text.h"

#define HEARD_MAX 16

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int fail(gp_error_t error)
{
    fprintf(stderr, "gridpeer-beacon: %s\n", gp_error_text(error));
    return gp_error_exit(error);
}

static int say(const gp_beacon_says_t *says, uint16_t udp_port)
{
    gp_beacon_t *beacon = NULL;
    gp_beacon_config_t config = {.udp_port = udp_port, .says = says};
    gp_error_t error = gp_beacon_open(&config, &beacon);
    if (error != GP_OK) {
        return fail(error);
    }
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
        /* whoever started this one lives */
    }
    gp_beacon_close(beacon);
    return GP_EXIT_DONE;
}

static int hear(const gp_grid_id_t *grid, uint16_t udp_port, uint64_t limit_ms)
{
    char heard[HEARD_MAX][GP_ADDRESS_MAX + 1];
    unsigned count = 0;
    gp_beacon_t *beacon = NULL;
    gp_beacon_config_t config = {.udp_port = udp_port};
    gp_error_t error = gp_beacon_open(&config, &beacon);
    if (error != GP_OK) {
        return fail(error);
    }
    for (uint64_t end = now_ms() + limit_ms; count < HEARD_MAX && now_ms() < end;) {
        gp_beacon_says_t says;
        char address[GP_ADDRESS_MAX + 1];
        if (gp_beacon_hear(beacon, grid, (uint32_t)(end - now_ms()), &says, address) != GP_OK) {
            break;
        }
        bool known = false;
        for (unsigned i = 0; i < count; i++) {
            known = known || strcmp(heard[i], address) == 0;
        }
        if (!known) {
            memcpy(heard[count++], address, sizeof address);
            printf("%s\n", address);
            fflush(stdout);
        }
    }
    gp_beacon_close(beacon);
    return count > 0 ? GP_EXIT_DONE : GP_EXIT_TIMEOUT;
}

int main(int argc, char **argv)
{
    gp_beacon_says_t says = {0};
    if (argc == 6 && strcmp(argv[1], "say") == 0 &&
        gp_grid_id_parse(argv[2], &says.grid) == GP_OK &&
        gp_text_copy(says.region, sizeof says.region, gp_text(argv[3]))) {
        says.port = (uint16_t)strtoul(argv[4], NULL, 10);
        return say(&says, (uint16_t)strtoul(argv[5], NULL, 10));
    }
    if (argc == 5 && strcmp(argv[1], "hear") == 0 &&
        gp_grid_id_parse(argv[2], &says.grid) == GP_OK) {
        return hear(&says.grid, (uint16_t)strtoul(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    }
    fprintf(stderr, "gridpeer-beacon: this is a part of gridpeer: see gridpeer --help\n");
    return GP_EXIT_USAGE;
}
