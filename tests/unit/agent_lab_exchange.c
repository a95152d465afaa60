/* How `join` asks: what is told when it fails, of a transport that this test plays. */
#include "agent/lab/exchange.h"

#include <stdio.h>
#include <string.h>

#include "agent/lab/beacon_run.h"
#include "overlay/net/guest.h"
#include "tests/unit/proto_cmocka.h"

#define ADDRESS "tcp://192.0.2.1:7"

static gp_error_t played_error;
static gp_dial_t played_dial;

gp_error_t gp_guest_ask(const gp_guest_t *guest, uint8_t *answer, size_t size, size_t *ret_n,
                        gp_dial_t *ret_dial)
{
    (void)answer;
    (void)size;
    (void)ret_n;
    assert_string_equal(guest->address, ADDRESS);
    *ret_dial = played_dial;
    return played_error;
}

gp_error_t gp_beacon_listen(const gp_grid_id_t *grid, uint16_t udp_port, uint32_t limit_ms,
                            gp_beacon_run_t *ret_run, gp_fail_t *fail)
{
    (void)grid;
    (void)udp_port;
    (void)limit_ms;
    (void)ret_run;
    return gp_fail(fail, GP_E_SYSTEM, "no beacon here");
}

void gp_beacon_end(gp_beacon_run_t *run)
{
    (void)run;
}

static void the_connection_is_blamed_for_its_own_faults_only(void **state)
{
    static const struct {
        gp_error_t error;
        gp_dial_t dial;
        gp_error_t told;
        const char *text;
    } cases[] = {
        {GP_E_JOIN_UNREACHABLE, GP_DIAL_REFUSED, GP_E_JOIN_UNREACHABLE,
         ADDRESS ": nothing listens there"},
        {GP_E_JOIN_UNREACHABLE, GP_DIAL_SILENT, GP_E_JOIN_UNREACHABLE,
         ADDRESS ": there is no answer"},
        {GP_E_JOIN_UNREACHABLE, GP_DIAL_UNREACHABLE, GP_E_JOIN_UNREACHABLE,
         ADDRESS ": there is no way to it"},
        {GP_E_TIMED_OUT, GP_DIAL_SILENT, GP_E_TIMED_OUT, ADDRESS ": there is no answer"},
        {GP_E_TIMED_OUT, GP_DIAL_OPEN, GP_E_JOIN_UNANSWERED,
         ADDRESS " said nothing within 5000 ms"},
        {GP_E_JOIN_REFUSED, GP_DIAL_OPEN, GP_E_JOIN_REFUSED,
         ADDRESS ": who listens there is not the machine of the token, or does not know the token"},
        {GP_E_TRANSPORT, GP_DIAL_OPEN, GP_E_TRANSPORT, ADDRESS},
        {GP_E_TRANSPORT, GP_DIAL_UNREACHABLE, GP_E_TRANSPORT, ADDRESS},
        {GP_E_MESSAGE_SIZE, GP_DIAL_OPEN, GP_E_MESSAGE_SIZE, ADDRESS},
        {GP_E_ADDRESS, GP_DIAL_UNREACHABLE, GP_E_ADDRESS, ADDRESS},
    };
    static gp_join_reply_t reply;
    gp_msg_t ask;
    gp_join_t join = {.address = ""};
    gp_seed_t seed = {.address = ADDRESS};
    (void)state;
    assert_int_equal(gp_keys_init(), GP_OK);
    assert_int_equal(gp_secret_new(&join.node), GP_OK);
    join.id = gp_secret_id(join.node);
    gp_join_ask(&join, &ask);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gp_fail_t fail = {0};
        played_error = cases[i].error;
        played_dial = cases[i].dial;
        assert_int_equal(gp_exchange(NULL, &join, &seed, &ask, &reply, &fail), cases[i].told);
        assert_int_equal(fail.code, cases[i].told);
        assert_string_equal(fail.text, cases[i].text);
    }
    gp_secret_free(join.node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_connection_is_blamed_for_its_own_faults_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
