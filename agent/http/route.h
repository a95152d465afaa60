/*
 * Which handler a request is for: the pure part of the server.
 */
#ifndef GP_AGENT_HTTP_ROUTE_H
#define GP_AGENT_HTTP_ROUTE_H

#include "agent/http/server.h"
#include "proto/limits.h"

/* Segments of a path that matched {names}; both point into what was matched. */
typedef struct gp_http_params {
    uint32_t count;
    gp_slice_t names[GP_HTTP_PARAMS_MAX];
    gp_slice_t values[GP_HTTP_PARAMS_MAX];
} gp_http_params_t;

/* Does `path` (still percent-encoded) fit `pattern`? An empty segment fits no {name}. */
bool gp_http_route_match(const char *pattern, const char *path, gp_http_params_t *ret_params);

/*
 * The route for a method and a path, or NULL: then ret_allow lists the methods that the path has
 * ("GET, POST"), and is empty if nobody knows the path.
 */
const gp_http_route_t *gp_http_route_find(const gp_http_config_t *config, const char *method,
                                          const char *path, gp_http_params_t *ret_params,
                                          char ret_allow[64]);

/* The HTTP status that fits an error. */
int gp_http_route_status(gp_error_t error);

#endif
