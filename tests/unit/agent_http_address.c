/* Paths that do not fit a socket address. */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/http/address.h"
#include "agent_http_world.h"
#include "proto_cmocka.h"

static void a_long_path_works(void **state)
{
    world_t *world = *state;
    fake_stop(&world->fake);
    char directory[400];
    int n = snprintf(directory, sizeof directory, "%s/", world->fake.directory);
    memset(directory + n, 'd', 200);
    directory[n + 200] = '\0';
    assert_int_equal(mkdir(directory, 0700), 0);
    char path[420];
    (void)snprintf(path, sizeof path, "%s/api.sock", directory);
    struct event_base *base = event_base_new();
    gp_http_server_t *server = NULL;
    gp_http_config_t config = {.base = base, .socket_path = path};
    assert_int_equal(gp_http_server_new(&config, &server), GP_OK);
    gp_http_client_t *client = NULL;
    assert_int_equal(gp_http_client_open(path, &client), GP_OK);
    gp_http_client_close(client);
    gp_http_server_free(server);
    assert_int_equal(access(path, F_OK), -1);
    event_base_free(base);
}

static void errors_of_the_system_are_told_apart(void **state)
{
    (void)state;
    gp_http_address_t address;
    assert_int_equal(gp_http_address_error(EACCES), GP_E_NOT_PERMITTED);
    assert_int_equal(gp_http_address_error(ENOENT), GP_E_STATE_MISSING);
    assert_int_equal(gp_http_address_error(ECONNREFUSED), GP_E_NO_AGENT);
    assert_int_equal(gp_http_address_error(EAGAIN), GP_E_TIMED_OUT);
    assert_int_equal(gp_http_address_error(ENOSPC), GP_E_STATE_FULL);
    assert_int_equal(gp_http_address_error(EMFILE), GP_E_SYSTEM);
    char path[300];
    (void)snprintf(path, sizeof path, "/nowhere/%0200d/api.sock", 0);
    assert_int_equal(gp_http_address_open(path, &address), GP_E_STATE_MISSING);
    (void)snprintf(path, sizeof path, "/%0250d", 0);
    assert_int_equal(gp_http_address_open(path, &address), GP_E_SYSTEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_long_path_works),
        TEST(errors_of_the_system_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
