#include "agent/http/route.h"
#include "proto_cmocka.h"

static void nothing(gp_http_call_t *call, void *context)
{
    (void)call;
    (void)context;
}

static const gp_http_route_t routes[] = {
    {"GET", "/v1/status", nothing},
    {"GET", "/v1/jobs", nothing},
    {"POST", "/v1/jobs/{id}/cancel", nothing},
    {"GET", "/v1/jobs/{id}", nothing},
    {"DELETE", "/v1/jobs/{id}", nothing},
};
static const gp_http_config_t config = {.routes = routes, .route_count = 5};

static void paths_match_segment_by_segment(void **state)
{
    (void)state;
    gp_http_params_t params;
    assert_true(gp_http_route_match("/a/{b}/c", "/a/x%2Fy/c", &params));
    assert_int_equal(params.count, 1);
    assert_true(gp_slice_equal(params.names[0], gp_text("b")));
    assert_true(gp_slice_equal(params.values[0], gp_text("x%2Fy")));
    assert_true(gp_http_route_match("/{x}/{y}", "/1/2", &params));
    assert_int_equal(params.count, 2);
    static const char *const others[] = {"",        "/",       "/a",         "/a/b",    "/a//c",
                                         "a/b/c",   "/a/b/c/", "/a/b/c/d",   "//a/b/c", "/A/b/c",
                                         "/a/b/cc", "/a/b/",   "/a/b/c?x=1", "*"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(gp_http_route_match("/a/{b}/c", others[i], &params));
    }
}

static void a_route_has_a_method_and_a_path(void **state)
{
    (void)state;
    gp_http_params_t params;
    char allow[64];
    assert_ptr_equal(gp_http_route_find(&config, "GET", "/v1/status", &params, allow), &routes[0]);
    assert_ptr_equal(gp_http_route_find(&config, "POST", "/v1/jobs/n1.7/cancel", &params, allow),
                     &routes[2]);
    assert_true(gp_slice_equal(params.values[0], gp_text("n1.7")));
    assert_null(gp_http_route_find(&config, "PUT", "/v1/jobs/7", &params, allow));
    assert_string_equal(allow, "GET, DELETE");
    assert_null(gp_http_route_find(&config, "", "/v1/status", &params, allow));
    assert_string_equal(allow, "GET");
    assert_null(gp_http_route_find(&config, "GET", "/v2/status", &params, allow));
    assert_string_equal(allow, "");
}

static void errors_have_fitting_statuses(void **state)
{
    (void)state;
    assert_int_equal(gp_http_route_status(GP_E_HTTP), 400);
    assert_int_equal(gp_http_route_status(GP_E_QUERY_SYNTAX), 400);
    assert_int_equal(gp_http_route_status(GP_E_NOT_PERMITTED), 403);
    assert_int_equal(gp_http_route_status(GP_E_CERT_ROLE), 403);
    assert_int_equal(gp_http_route_status(GP_E_RUN_UNKNOWN), 404);
    assert_int_equal(gp_http_route_status(GP_E_STATE_LOCKED), 409);
    assert_int_equal(gp_http_route_status(GP_E_TOKEN_USED), 422);
    assert_int_equal(gp_http_route_status(GP_E_NO_LEADER), 503);
    assert_int_equal(gp_http_route_status(GP_E_TIMED_OUT), 504);
    assert_int_equal(gp_http_route_status(GP_E_MEMORY), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_match_segment_by_segment),
        cmocka_unit_test(a_route_has_a_method_and_a_path),
        cmocka_unit_test(errors_have_fitting_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
