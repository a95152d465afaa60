#include "agent/http/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/limits.h"

#define CHUNK_MAX (UINT64_C(1) << 32)

/* ---- buffers -----------------------------------------------------------------------------------
 */

static bool buffer_add(gp_http_buffer_t *buffer, const char *bytes, size_t n)
{
    if (n == 0) {
        return true;
    }
    if (buffer->size - buffer->n < n) {
        size_t size = buffer->size * 2 > buffer->n + n ? buffer->size * 2 : buffer->n + n;
        char *grown = realloc(buffer->bytes, size);
        if (grown == NULL) {
            return false;
        }
        buffer->bytes = grown;
        buffer->size = size;
    }
    memcpy(buffer->bytes + buffer->n, bytes, n);
    buffer->n += n;
    return true;
}

void gp_http_buffer_drop(gp_http_buffer_t *buffer, size_t n)
{
    assert(n <= buffer->n);
    if (n > 0) {
        buffer->n -= n;
        memmove(buffer->bytes, buffer->bytes + n, buffer->n);
    }
}

/* ---- the head ----------------------------------------------------------------------------------
 */

/* Digits of `base` at the start of text up to `end`; false if none or too large. */
static bool number_read(const char *text, const char *end, unsigned base, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *p = text;
    for (; p < end; p++) {
        unsigned digit = 99;
        if (*p >= '0' && *p <= '9') {
            digit = (unsigned)(*p - '0');
        } else if ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f') {
            digit = (unsigned)((*p | 0x20) - 'a') + 10;
        }
        if (digit >= base) {
            break;
        }
        number = number * base + digit;
        if (number > CHUNK_MAX) {
            return false;
        }
    }
    *ret_number = number;
    return p > text;
}

/* The value of a header line if it has this name. */
static const char *header_value(const char *line, const char *end, const char *name)
{
    size_t n = strlen(name);
    if ((size_t)(end - line) <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return NULL;
    }
    const char *value = line + n + 1;
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    return value;
}

static bool header_read(gp_http_wire_t *wire, const char *line, const char *end)
{
    const char *value = header_value(line, end, "Content-Length");
    if (value != NULL && wire->state == GP_HTTP_WIRE_UNTIL_END) {
        wire->state = GP_HTTP_WIRE_LENGTH;
        return number_read(value, end, 10, &wire->left);
    }
    value = header_value(line, end, "Transfer-Encoding");
    if (value != NULL) {
        wire->state = GP_HTTP_WIRE_CHUNK_SIZE;
        return end - value == 7 && strncasecmp(value, "chunked", 7) == 0;
    }
    return true;
}

/* The head, of which `n` bytes are whole, with the empty line. */
static bool head_read(gp_http_wire_t *wire, size_t n)
{
    const char *p = wire->in.bytes;
    const char *end = p + n;
    uint64_t status;
    if (n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ' ||
        !number_read(p + 9, p + 12, 10, &status) || status < 100) {
        return false;
    }
    wire->status = (int)status;
    wire->state = GP_HTTP_WIRE_UNTIL_END;
    while (p < end) {
        const char *line_end = memmem(p, (size_t)(end - p), "\r\n", 2);
        if (line_end == NULL || !header_read(wire, p, line_end)) {
            return false;
        }
        p = line_end + 2;
    }
    if (wire->status / 100 == 1) { /* an interim answer: the real one follows */
        wire->state = GP_HTTP_WIRE_HEAD;
    } else if (wire->state == GP_HTTP_WIRE_LENGTH && wire->left == 0) {
        wire->state = GP_HTTP_WIRE_ENDED;
    }
    return true;
}

/* ---- the body ----------------------------------------------------------------------------------
 */

/* Moves up to `left` bytes from the input to the body. */
static bool body_move(gp_http_wire_t *wire)
{
    size_t n = wire->left < wire->in.n ? (size_t)wire->left : wire->in.n;
    if (!buffer_add(&wire->body, wire->in.bytes, n)) {
        wire->error = GP_E_MEMORY;
        return false;
    }
    gp_http_buffer_drop(&wire->in, n);
    wire->left -= n;
    return true;
}

/* The length of the first line with its end, or 0 if it is not whole. */
static size_t line_whole(const gp_http_wire_t *wire)
{
    const char *end = wire->in.n == 0 ? NULL : memchr(wire->in.bytes, '\n', wire->in.n);
    return end == NULL ? 0 : (size_t)(end - wire->in.bytes) + 1;
}

static bool chunk_size_read(gp_http_wire_t *wire, size_t n)
{
    uint64_t size;
    if (!number_read(wire->in.bytes, wire->in.bytes + n, 16, &size)) {
        return false;
    }
    gp_http_buffer_drop(&wire->in, n);
    wire->left = size;
    wire->state = size == 0 ? GP_HTTP_WIRE_TRAILER : GP_HTTP_WIRE_CHUNK_DATA;
    return true;
}

/* One step with a line: false if it can't go on. *ret_more: there was a line. */
static bool line_step(gp_http_wire_t *wire, bool *ret_more)
{
    size_t n = line_whole(wire);
    *ret_more = n > 0;
    if (n == 0) {
        return wire->in.n <= GP_HTTP_HEAD_MAX;
    }
    if (wire->state == GP_HTTP_WIRE_CHUNK_SIZE) {
        return chunk_size_read(wire, n);
    }
    bool empty = n <= 2;
    gp_http_buffer_drop(&wire->in, n);
    if (wire->state == GP_HTTP_WIRE_CHUNK_DATA) {
        wire->state = GP_HTTP_WIRE_CHUNK_SIZE;
        return empty;
    }
    assert(wire->state == GP_HTTP_WIRE_TRAILER);
    if (empty) {
        wire->state = GP_HTTP_WIRE_ENDED;
    }
    return true;
}

static bool head_step(gp_http_wire_t *wire, bool *ret_more)
{
    const char *end = memmem(wire->in.bytes, wire->in.n, "\r\n\r\n", 4);
    *ret_more = end != NULL;
    if (end == NULL) {
        return wire->in.n <= GP_HTTP_HEAD_MAX;
    }
    size_t n = (size_t)(end - wire->in.bytes) + 2;
    if (n > GP_HTTP_HEAD_MAX || !head_read(wire, n)) {
        return false;
    }
    gp_http_buffer_drop(&wire->in, n + 2);
    return true;
}

/* Understands a little more of the input; false if it is wrong. */
static bool wire_step(gp_http_wire_t *wire, bool *ret_more)
{
    switch (wire->state) {
    case GP_HTTP_WIRE_HEAD:
        return head_step(wire, ret_more);
    case GP_HTTP_WIRE_LENGTH:
        if (!body_move(wire)) {
            return false;
        }
        if (wire->left == 0) {
            wire->state = GP_HTTP_WIRE_ENDED;
        }
        *ret_more = wire->left == 0;
        return true;
    case GP_HTTP_WIRE_UNTIL_END:
        wire->left = wire->in.n;
        *ret_more = false;
        return body_move(wire);
    case GP_HTTP_WIRE_CHUNK_DATA:
        if (wire->left > 0) {
            *ret_more = wire->left <= wire->in.n;
            return body_move(wire);
        }
        return line_step(wire, ret_more);
    case GP_HTTP_WIRE_CHUNK_SIZE:
    case GP_HTTP_WIRE_TRAILER:
        return line_step(wire, ret_more);
    case GP_HTTP_WIRE_ENDED:
    default:
        *ret_more = false;
        return true;
    }
}

gp_error_t gp_http_wire_feed(gp_http_wire_t *wire, const char *bytes, size_t n)
{
    assert(wire->error == GP_OK);
    if (!buffer_add(&wire->in, bytes, n)) {
        wire->error = GP_E_MEMORY;
        return GP_E_MEMORY;
    }
    bool more = true;
    while (more && wire->in.n > 0) {
        if (!wire_step(wire, &more)) {
            wire->error = wire->error == GP_OK ? GP_E_HTTP : wire->error;
            return wire->error;
        }
    }
    return GP_OK;
}

gp_error_t gp_http_wire_end(gp_http_wire_t *wire)
{
    if (wire->state == GP_HTTP_WIRE_UNTIL_END) {
        wire->state = GP_HTTP_WIRE_ENDED;
    }
    if (wire->state != GP_HTTP_WIRE_ENDED) {
        wire->error = GP_E_NO_AGENT;
    }
    return wire->error;
}

void gp_http_wire_done(gp_http_wire_t *wire)
{
    free(wire->in.bytes);
    free(wire->body.bytes);
    *wire = (gp_http_wire_t){0};
}
