/*
 * Prints a dictionary for libFuzzer from the tables that the code itself runs on: what a harness
 * should know of messages, attributes and settings. Usage: dictionary NAME
 */
#include "agent/store/config_table.h"
#include "discovery/attributes.h"
#include "proto/message_table.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/proto_sample.h"

#define WORD_MAX 64 /* libFuzzer takes no longer ones */

static void word(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    if (n == 0 || n > WORD_MAX) {
        return;
    }
    putchar('"');
    for (size_t i = 0; i < n; i++) {
        bool plain = p[i] >= ' ' && p[i] <= '~' && p[i] != '"' && p[i] != '\\';
        printf(plain ? "%c" : "\\x%02x", p[i]);
    }
    printf("\"\n");
}

static void text(const char *words)
{
    word(words, strlen(words));
}

/* Words of one literal, separated by blanks. */
static void words(const char *list)
{
    while (*list != '\0') {
        size_t n = strcspn(list, " ");
        word(list, n);
        list += n + (list[n] != '\0' ? 1 : 0);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

/* A number as msgpack writes it. */
static void packed_number(uint64_t number)
{
    uint8_t bytes[9];
    unsigned width = number > UINT32_MAX ? 8 : number > UINT16_MAX ? 4 : number > UINT8_MAX ? 2 : 1;
    size_t n = 0;
    if (number > 0x7f) {
        bytes[n++] = (uint8_t)(width == 8 ? 0xcf : width == 4 ? 0xce : width == 2 ? 0xcd : 0xcc);
    }
    for (unsigned i = width; i-- > 0;) {
        bytes[n++] = (uint8_t)(number >> (8 * i));
    }
    word(bytes, n);
}

/* The largest value of a field, and one more; the head of a list or record. */
static void fields(const gp_field_t *field, uint32_t count)
{
    const uint8_t array[3] = {0xdc, (uint8_t)(count >> 8), (uint8_t)count};
    const uint8_t small = (uint8_t)(0x90 | (count & 15));
    word(count < 16 ? &small : array, count < 16 ? 1 : sizeof array);
    for (uint32_t i = 0; i < count; i++) {
        if (field[i].max > 0 && field[i].max < UINT32_MAX) {
            packed_number(field[i].max);
            packed_number(field[i].max + 1);
        }
    }
}

static void messages(const char *frame)
{
    for (size_t i = 0; i < sample_kind_count; i++) {
        const gp_msg_kind_t kind = sample_kinds[i];
        const gp_msg_table_t *table = gp_msg_table((uint32_t)kind);
        uint8_t head[6] = {'G',
                           frame[0] == 'G' ? (table->scope == GP_SCOPE_LINK ? 'L' : 'P') : 0,
                           1,
                           0,
                           (uint8_t)(kind >> 8),
                           (uint8_t)kind};
        word(frame[0] == 'G' ? head : head + 4, frame[0] == 'G' ? sizeof head : 2);
        fields(table->fields, table->field_count);
    }
    for (int kind = GP_RECORD_KIND_NONE + 1; kind < GP_RECORD_KIND_COUNT; kind++) {
        const gp_record_table_t *record = gp_record_table((gp_record_kind_t)kind);
        fields(record->fields, record->field_count);
    }
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void queries(void)
{
    for (uint32_t i = 1; i < GP_ATTR_COUNT; i++) {
        if (gp_attribute(i) != NULL) {
            text(gp_attribute(i)->name);
            text(gp_attribute_example(i));
        }
    }
    words("and or not in has like is set asc desc && || ! = == != < <= > >= ~= .. ( ) { } , \" * ? "
          "tag.k true false kB KiB MiB GiB TB % GHz MHz Mbit/s us ms s min h d w");
}

static void settings(void)
{
#define GP_C(TYPE, section, key, initial, min, max, doc)                                           \
    text("[" #section "]\n");                                                                      \
    text(#key " = ");                                                                              \
    text(initial);
    GP_CONFIG(GP_C)
#undef GP_C
    words("yes no ms s m h d # ; = : tcp://127.0.0.1:1 tcp://[::1]:2");
    text("\xef\xbb\xbf");
}

static void answers(void)
{
    static const char *const lines[] = {
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.0 404 x\r\n",
        "Content-Length: ",
        "Transfer-Encoding: chunked\r\n",
        "\r\n",
        "0\r\n\r\n",
        "\r\n\r\n",
        "5\r\nhello\r\n",
        "{\"schema\":\"gridpeer/v1\",",
        "\"kind\":\"status\",",
        "\"items\":[]}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        text(lines[i]);
    }
}

static void requests(void)
{
    words(
        "GET POST PUT DELETE HEAD /v1/status /v1/nodes /v1/wait /v1/find /v1/invitations /v1/run "
        "/v1/jobs /v1/jobs/1048577/cancel /v1/leave /v1/stop /v1/activity /v1/metrics /v1/subgrids "
        "/v1/regions ?members= "
        "&voters= leader=quorum node= state=alive any= timeout_ms= after= limit= %00 %2f %ff "
        "\"query\": \"limit\": \"rank\": \"explain\": \"want\": \"timeout_ms\": \"args\": "
        "\"env\": \"where\": \"on\": \"name\": \"near\": \"scope\": "
        "\"subgrid\": true [\"/bin/true\"] {\"A\":\"b\"} \"\\u0000\"");
    text(" HTTP/1.1\r\n");
    text("Content-Length: ");
    text("Transfer-Encoding: chunked\r\n");
    text("Expect: 100-continue\r\n");
    text("\r\n\r\n");
    queries();
}

static void grid_file(void)
{
    static const char *const lines[] = {"version = 1\n",
                                        "grid = ",
                                        "root = ",
                                        "region = ",
                                        "group = 0000000000000007\n",
                                        "seed0 = ",
                                        "check = x\n",
                                        "tcp://127.0.0.1:7777 "};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        text(lines[i]);
    }
}

int main(int argc, char **argv)
{
    const char *name = argc == 2 ? argv[1] : "";
    if (strcmp(name, "message") == 0) {
        messages("");
    } else if (strcmp(name, "envelope") == 0) {
        messages("G");
    } else if (strcmp(name, "query") == 0) {
        queries();
    } else if (strcmp(name, "config") == 0) {
        settings();
    } else if (strcmp(name, "http_client") == 0) {
        answers();
    } else if (strcmp(name, "http_api") == 0) {
        requests();
    } else if (strcmp(name, "identity") == 0) {
        grid_file();
    } else if (strcmp(name, "text") == 0) {
        words("tcp:// [::1]:1 [fe80::1%eth0] 127.0.0.1 :65535 * 1500ms 24h 7d 5m 90s");
    } else {
        fprintf(stderr, "usage: %s NAME\n", argv[0]);
        return 64;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
