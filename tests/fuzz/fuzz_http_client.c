/*
 * The client's reader of HTTP answers: however the bytes come in, whole or in pieces, they mean the
 * same, and it holds no more than came in.
 */
#include <jansson.h>

#include "agent/http/document.h"
#include "agent/http/wire.h"
#include "tests/fuzz/fuzz.h"

#define LONGEST 4096 /* below GP_HTTP_HEAD_MAX, which counts what came in so far */

static void check_wire(const gp_http_wire_t *wire, size_t fed)
{
    FUZZ_CHECK(wire->in.n + wire->body.n <= fed);
    FUZZ_CHECK(wire->in.size <= 2 * fed + 16 && wire->body.size <= 2 * fed + 16);
    FUZZ_CHECK(wire->state == GP_HTTP_WIRE_HEAD || (wire->status >= 100 && wire->status <= 999));
}

static gp_error_t feed(gp_http_wire_t *wire, gp_slice_t bytes, size_t piece)
{
    gp_error_t error = GP_OK;
    for (size_t at = 0; at < bytes.n && error == GP_OK; at += piece) {
        size_t n = bytes.n - at < piece ? bytes.n - at : piece;
        error = gp_http_wire_feed(wire, (const char *)bytes.p + at, n);
        check_wire(wire, at + n);
    }
    return error == GP_OK ? gp_http_wire_end(wire) : error;
}

/* What a caller does with a whole answer. */
static void look_into(const gp_http_wire_t *wire)
{
    json_t *document = json_loadb(wire->body.n > 0 ? wire->body.bytes : "", wire->body.n, 0, NULL);
    (void)gp_document_items(document, NULL);
    json_decref(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_http_wire_t whole = {0};
    gp_http_wire_t pieces = {0};
    if (size < 1 || size > LONGEST) {
        return 0;
    }
    gp_slice_t bytes = gp_slice(data + 1, size - 1);
    gp_error_t error = feed(&whole, bytes, LONGEST);
    gp_error_t same = feed(&pieces, bytes, 1 + (size_t)data[0]);
    FUZZ_CHECK(error == same);
    if (error == GP_OK) {
        FUZZ_CHECK(whole.status == pieces.status && whole.body.n == pieces.body.n);
        FUZZ_CHECK(whole.body.n == 0 ||
                   memcmp(whole.body.bytes, pieces.body.bytes, whole.body.n) == 0);
        look_into(&whole);
    }
    gp_http_wire_done(&whole);
    gp_http_wire_done(&pieces);
    return 0;
}
