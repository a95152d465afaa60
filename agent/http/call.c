/*
 * Answers. What makes evhttp 2.1.12 delicate here:
 *
 * - A request whose connection died belongs to the user, who must free it; one that is still on
 *   its connection belongs to evhttp. The close callback sees both: the request's connection tells
 *   them apart.
 * - While a handler waits, evhttp reads nothing, so it does not see the client go: an EV_CLOSED
 *   event on the same descriptor does. (Reading on instead would end the process: data in that
 *   state is an "illegal connection state" for evhttp.)
 * - While a reply is written, reading is on, and so is the read timeout: a stream that is quiet for
 *   that long would be cut. Streams therefore have no timeouts, and end with their connection.
 */
#include "agent/http/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "proto/limits.h"

/* ---- life ------------------------------------------------------------------------------------ */

/* The connection goes down under an unanswered call. */
static void call_gone(struct evhttp_connection *connection, void *context)
{
    gp_http_call_t *call = context;
    assert(call->connection == connection && call->state != GP_HTTP_DONE);
    bool orphan = evhttp_request_get_connection(call->request) == NULL;
    call->connection = NULL;
    if (orphan) {
        evhttp_request_free(call->request);
    }
    call->request = NULL;
    gp_http_notify_t *on_close = call->on_close;
    void *on_close_context = call->context;
    call->state = GP_HTTP_DONE;
    if (!call->dispatching) {
        gp_http_call_free(call);
    }
    if (on_close != NULL) {
        on_close(on_close_context);
    }
}

gp_http_call_t *gp_http_call_new(struct evhttp_request *request)
{
    gp_http_call_t *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    call->request = request;
    call->connection = evhttp_request_get_connection(request);
    assert(call->connection != NULL);
    call->state = GP_HTTP_ASKED;
    TAILQ_INIT(&call->query);
    evhttp_connection_set_closecb(call->connection, call_gone, call);
    return call;
}

void gp_http_call_free(gp_http_call_t *call)
{
    assert(call->state == GP_HTTP_DONE);
    if (call->closed != NULL) {
        event_free(call->closed);
    }
    for (uint32_t i = 0; i < call->params.count; i++) {
        free(call->values[i]);
    }
    evhttp_clear_headers(&call->query);
    json_decref(call->body);
    free(call);
}

/* The answer is on its way: evhttp owns the request again, and nobody waits for the client. */
static struct evhttp_request *call_done(gp_http_call_t *call)
{
    struct evhttp_request *request = call->request;
    assert(call->state != GP_HTTP_DONE && request != NULL);
    evhttp_connection_set_closecb(call->connection, NULL, NULL);
    call->request = NULL;
    call->connection = NULL;
    call->state = GP_HTTP_DONE;
    if (!call->dispatching) {
        gp_http_call_free(call);
    }
    return request;
}

/* ---- what was asked -------------------------------------------------------------------------- */

const char *gp_http_call_param(const gp_http_call_t *call, const char *name)
{
    for (uint32_t i = 0; i < call->params.count; i++) {
        if (gp_slice_equal(call->params.names[i], gp_text(name))) {
            return call->values[i];
        }
    }
    return NULL;
}

const char *gp_http_call_query(const gp_http_call_t *call, const char *name)
{
    return evhttp_find_header(&call->query, name);
}

json_t *gp_http_call_body(const gp_http_call_t *call)
{
    assert(json_is_object(call->body));
    return call->body;
}

bool gp_http_call_unpack(gp_http_call_t *call, const char *format, ...)
{
    json_error_t reason;
    va_list arguments;
    va_start(arguments, format);
    int failed = json_vunpack_ex(gp_http_call_body(call), &reason, 0, format, arguments);
    va_end(arguments);
    if (failed != 0) {
        gp_http_call_error(call, GP_E_HTTP, reason.text);
    }
    return failed == 0;
}

const gp_http_peer_t *gp_http_call_peer(const gp_http_call_t *call)
{
    return &call->peer;
}

/* ---- answers --------------------------------------------------------------------------------- */

static int buffer_write(const char *bytes, size_t n, void *context)
{
    return evbuffer_add(context, bytes, n);
}

static void header_set(struct evhttp_request *request, const char *name, const char *value)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    (void)evhttp_remove_header(headers, name);
    (void)evhttp_add_header(headers, name, value);
}

/* Sends the JSON text of `document`, whose reference is taken, or an empty 500 without memory. */
static void document_send(gp_http_call_t *call, int status, json_t *document)
{
    struct evhttp_request *request = call_done(call);
    struct evbuffer *body = evhttp_request_get_output_buffer(request);
    header_set(request, "Content-Type", "application/json");
    header_set(request, "Cache-Control", "no-store");
    if (document == NULL ||
        json_dump_callback(document, buffer_write, body, GP_DOCUMENT_JSON_FLAGS) != 0 ||
        evbuffer_add(body, "\n", 1) != 0) {
        (void)evbuffer_drain(body, evbuffer_get_length(body));
        status = 500;
    }
    json_decref(document);
    evhttp_send_reply(request, status, NULL, NULL);
}

void gp_http_call_answer(gp_http_call_t *call, json_t *document)
{
    assert(call->state == GP_HTTP_ASKED || call->state == GP_HTTP_WAITING);
    if (document == NULL) {
        gp_http_call_error(call, GP_E_MEMORY, "the answer could not be built");
        return;
    }
    document_send(call, 200, document);
}

void gp_http_call_text(gp_http_call_t *call, const char *content_type, gp_slice_t text)
{
    assert(call->state == GP_HTTP_ASKED || call->state == GP_HTTP_WAITING);
    struct evhttp_request *request = call_done(call);
    struct evbuffer *body = evhttp_request_get_output_buffer(request);
    header_set(request, "Content-Type", content_type);
    header_set(request, "Cache-Control", "no-store");
    int status = evbuffer_add(body, text.p, text.n) == 0 ? 200 : 500;
    evhttp_send_reply(request, status, NULL, NULL);
}

void gp_http_call_refuse(gp_http_call_t *call, int status, gp_error_t error, const char *detail)
{
    gp_document_fault_t fault = {.error = error, .detail = detail};
    document_send(call, status, gp_document_error(&fault));
}

void gp_http_call_fail(gp_http_call_t *call, const gp_document_fault_t *fault)
{
    assert(call->state == GP_HTTP_ASKED || call->state == GP_HTTP_WAITING);
    document_send(call, gp_http_route_status(fault->error), gp_document_error(fault));
}

void gp_http_call_error(gp_http_call_t *call, gp_error_t error, const char *detail)
{
    gp_document_fault_t fault = {.error = error, .detail = detail};
    gp_http_call_fail(call, &fault);
}

/* ---- later ----------------------------------------------------------------------------------- */

/* The client hung up (or was dropped): let evhttp find out as if it had read the end itself. */
static void client_closed(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    gp_http_call_t *call = context;
    assert(call->connection != NULL);
    bufferevent_trigger_event(evhttp_connection_get_bufferevent(call->connection),
                              BEV_EVENT_READING | BEV_EVENT_EOF, 0);
}

void gp_http_call_wait(gp_http_call_t *call, gp_http_notify_t *on_close, void *context)
{
    assert(call->state == GP_HTTP_ASKED && on_close != NULL);
    struct bufferevent *stream = evhttp_connection_get_bufferevent(call->connection);
    call->state = GP_HTTP_WAITING;
    call->on_close = on_close;
    call->context = context;
    call->closed = event_new(bufferevent_get_base(stream), bufferevent_getfd(stream), EV_CLOSED,
                             client_closed, call);
    if (call->closed != NULL) {
        (void)event_add(call->closed, NULL);
    }
}

void gp_http_stream_start(gp_http_call_t *call, gp_http_notify_t *on_drain)
{
    assert(call->state == GP_HTTP_WAITING);
    struct bufferevent *stream = evhttp_connection_get_bufferevent(call->connection);
    call->state = GP_HTTP_STREAM;
    call->on_drain = on_drain;
    bufferevent_set_timeouts(stream, NULL, NULL);
    header_set(call->request, "Content-Type", "application/x-ndjson");
    header_set(call->request, "Cache-Control", "no-store");
    header_set(call->request, "Connection", "close");
    evhttp_send_reply_start(call->request, 200, NULL);
}

static void stream_drained(struct evhttp_connection *connection, void *context)
{
    gp_http_call_t *call = context;
    assert(call->connection == connection);
    if (!call->draining || call->dropped) {
        return;
    }
    call->draining = false;
    if (call->on_drain != NULL) {
        call->on_drain(call->context);
    }
}

/* Nothing more is sent; the loop tells the producer that the client is gone. */
static void stream_drop(gp_http_call_t *call)
{
    call->dropped = true;
    if (call->closed != NULL) {
        event_active(call->closed, EV_CLOSED, 0);
    }
}

bool gp_http_stream_line(gp_http_call_t *call, json_t *line)
{
    assert(call->state == GP_HTTP_STREAM);
    struct evbuffer *chunk = evbuffer_new();
    if (line == NULL || chunk == NULL ||
        json_dump_callback(line, buffer_write, chunk, GP_DOCUMENT_JSON_FLAGS) != 0 ||
        evbuffer_add(chunk, "\n", 1) != 0) {
        stream_drop(call);
    }
    json_decref(line);
    struct bufferevent *stream = evhttp_connection_get_bufferevent(call->connection);
    struct evbuffer *unsent = bufferevent_get_output(stream);
    if (!call->dropped) {
        assert(evbuffer_get_length(chunk) <= GP_HTTP_LINE_MAX);
        evhttp_send_reply_chunk_with_cb(call->request, chunk, stream_drained, call);
        if (evbuffer_get_length(unsent) > GP_HTTP_STREAM_MAX) {
            stream_drop(call);
        }
    }
    if (chunk != NULL) {
        evbuffer_free(chunk);
    }
    if (call->dropped || evbuffer_get_length(unsent) >= GP_HTTP_STREAM_MARK) {
        call->draining = true;
        return false;
    }
    return true;
}

void gp_http_stream_end(gp_http_call_t *call)
{
    assert(call->state == GP_HTTP_STREAM);
    struct bufferevent *stream = evhttp_connection_get_bufferevent(call->connection);
    struct timeval limit = {.tv_sec = GP_HTTP_IDLE_MS / 1000};
    bufferevent_set_timeouts(stream, NULL, &limit);
    evhttp_send_reply_end(call_done(call));
}
