#include "agent/http/wire.h"

#include "proto/limits.h"
#include "proto/random.h"
#include "proto_cmocka.h"
#include <string.h>

typedef struct sample {
    const char *text;
    int status;
    const char *body;
    bool until_end;
} sample_t;

static const sample_t samples[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
    {"HTTP/1.1 404 Not Found\r\ncontent-length:0\r\nX: y\r\n\r\n", 404, "", false},
    {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end", true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=1\r\n "
     "world\r\n0\r\n\r\n",
     200, "hello world", false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: "
     "1\r\n\r\n",
     200, "0123456789", false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok",
     false},
};

static void sample_check(const sample_t *sample, const gp_http_wire_t *wire)
{
    assert_int_equal(wire->state, GP_HTTP_WIRE_ENDED);
    assert_int_equal(wire->status, sample->status);
    assert_int_equal(wire->body.n, strlen(sample->body));
    assert_memory_equal(wire->body.bytes == NULL ? "" : wire->body.bytes, sample->body,
                        strlen(sample->body));
}

static void answers_are_read_whole_and_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        for (size_t step = 1; step < 100; step += step < 4 ? 1 : 13) {
            gp_http_wire_t wire = {0};
            size_t n = strlen(samples[i].text);
            for (size_t at = 0; at < n; at += step) {
                size_t m = n - at < step ? n - at : step;
                assert_int_equal(gp_http_wire_feed(&wire, samples[i].text + at, m), GP_OK);
            }
            if (samples[i].until_end) {
                assert_int_equal(gp_http_wire_end(&wire), GP_OK);
            }
            sample_check(&samples[i], &wire);
            gp_http_wire_done(&wire);
        }
    }
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SMTP ready\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        gp_http_wire_t wire = {0};
        assert_int_equal(gp_http_wire_feed(&wire, texts[i], strlen(texts[i])), GP_E_HTTP);
        assert_int_equal(wire.error, GP_E_HTTP);
        gp_http_wire_done(&wire);
    }
}

static void an_endless_head_is_refused(void **state)
{
    (void)state;
    gp_http_wire_t wire = {0};
    char bytes[1024];
    memset(bytes, 'x', sizeof bytes);
    gp_error_t error = gp_http_wire_feed(&wire, "HTTP/1.1 200 OK\r\nX: ", 20);
    for (size_t fed = 0; error == GP_OK; fed += sizeof bytes) {
        assert_true(fed <= GP_HTTP_HEAD_MAX + sizeof bytes);
        error = gp_http_wire_feed(&wire, bytes, sizeof bytes);
    }
    assert_int_equal(error, GP_E_HTTP);
    gp_http_wire_done(&wire);
}

static void a_cut_answer_is_a_lost_agent(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        gp_http_wire_t wire = {0};
        assert_int_equal(gp_http_wire_feed(&wire, texts[i], strlen(texts[i])), GP_OK);
        assert_int_equal(gp_http_wire_end(&wire), GP_E_NO_AGENT);
        gp_http_wire_done(&wire);
    }
}

/* Answers with bytes changed, cut and doubled: never more than an error. */
static void mutated_answers_do_not_hurt(void **state)
{
    (void)state;
    gp_random_t random;
    gp_random_init(&random, 7);
    uint32_t refused = 0;
    for (int round = 0; round < 20000; round++) {
        char text[256];
        const char *sample = samples[gp_random_below(&random, 6)].text;
        size_t n = strlen(sample);
        memcpy(text, sample, n);
        for (uint64_t i = gp_random_below(&random, 4) + 1; i > 0; i--) {
            text[gp_random_below(&random, n)] = (char)gp_random_next(&random);
        }
        gp_http_wire_t wire = {0};
        size_t step = gp_random_below(&random, n) + 1;
        gp_error_t error = GP_OK;
        for (size_t at = 0; at < n && error == GP_OK; at += step) {
            error = gp_http_wire_feed(&wire, text + at, n - at < step ? n - at : step);
        }
        error = error == GP_OK ? gp_http_wire_end(&wire) : error;
        refused += error == GP_OK ? 0 : 1;
        assert_true(wire.body.n <= n);
        gp_http_wire_done(&wire);
    }
    assert_true(refused > 1000 && refused < 19000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_whole_and_byte_by_byte),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(an_endless_head_is_refused),
        cmocka_unit_test(a_cut_answer_is_a_lost_agent),
        cmocka_unit_test(mutated_answers_do_not_hurt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
