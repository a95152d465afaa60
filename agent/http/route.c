#include "agent/http/route.h"

/* The segment at *path up to the next slash; moves *path behind it. */
static gp_slice_t segment_next(const char **path)
{
    const char *start = *path;
    const char *end = start + strcspn(start, "/");
    *path = end;
    return gp_slice(start, (size_t)(end - start));
}

bool gp_http_route_match(const char *pattern, const char *path, gp_http_params_t *ret_params)
{
    gp_http_params_t params = {0};
    while (*pattern == '/' && *path == '/') {
        pattern++;
        path++;
        gp_slice_t want = segment_next(&pattern);
        gp_slice_t have = segment_next(&path);
        if (want.n >= 2 && want.p[0] == '{') {
            assert(want.p[want.n - 1] == '}' && params.count < GP_HTTP_PARAMS_MAX);
            if (have.n == 0) {
                return false;
            }
            params.names[params.count] = gp_slice(want.p + 1, want.n - 2);
            params.values[params.count] = have;
            params.count++;
        } else if (!gp_slice_equal(want, have)) {
            return false;
        }
    }
    if (*pattern != '\0' || *path != '\0') {
        return false;
    }
    *ret_params = params;
    return true;
}

static void allow_add(char allow[64], const char *method)
{
    size_t n = strlen(allow);
    size_t more = strlen(method);
    size_t comma = n == 0 ? 0 : 2;
    if (n + comma + more >= 64) {
        return;
    }
    memcpy(allow + n, ", ", comma);
    memcpy(allow + n + comma, method, more + 1);
}

const gp_http_route_t *gp_http_route_find(const gp_http_config_t *config, const char *method,
                                          const char *path, gp_http_params_t *ret_params,
                                          char ret_allow[64])
{
    assert(config->routes != NULL || config->route_count == 0);
    ret_allow[0] = '\0';
    for (size_t i = 0; i < config->route_count; i++) {
        const gp_http_route_t *route = &config->routes[i];
        if (!gp_http_route_match(route->path, path, ret_params)) {
            continue;
        }
        if (strcmp(route->method, method) == 0) {
            return route;
        }
        allow_add(ret_allow, route->method);
    }
    return NULL;
}

int gp_http_route_status(gp_error_t error)
{
    switch (error) {
    case GP_E_NODE_UNKNOWN:
    case GP_E_RUN_UNKNOWN:
    case GP_E_NO_MATCH:
        return 404;
    case GP_E_HTTP:
        return 400;
    case GP_E_BUSY:
    case GP_E_NO_LEADER:
    case GP_E_NO_QUORUM:
    case GP_E_RUN_FULL:
        return 503;
    default:
        break;
    }
    switch (gp_error_exit(error)) {
    case GP_EXIT_USAGE:
        return 400;
    case GP_EXIT_NOT_PERMITTED:
        return 403;
    case GP_EXIT_REFUSED:
        return 409;
    case GP_EXIT_INVALID:
        return 422;
    case GP_EXIT_TIMEOUT:
        return 504;
    case GP_EXIT_UNKNOWN:
    case GP_EXIT_NO_AGENT:
        return 503;
    default:
        return 500;
    }
}
