#include "agent/http/document.h"

#include "proto/limits.h"
#include "proto_cmocka.h"
#include <stdlib.h>

static void times_are_iso_8601(void **state)
{
    (void)state;
    char text[GP_DOCUMENT_TIME_TEXT];
    gp_document_time(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    gp_document_time(UINT64_C(1714564800123), text);
    assert_string_equal(text, "2024-05-01T12:00:00.123Z");
    gp_document_time(UINT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

static void documents_have_one_shape(void **state)
{
    (void)state;
    json_t *document = gp_document_new("node", 1000, true);
    assert_true(gp_document_add(document, json_pack("{s:s}", "name", "n1")));
    char *text = json_dumps(document, JSON_COMPACT);
    assert_string_equal(text, "{\"schema\":\"gridpeer/v1\",\"kind\":\"node\","
                              "\"as_of\":\"1970-01-01T00:00:01.000Z\",\"partial\":true,"
                              "\"items\":[{\"name\":\"n1\"}]}");
    free(text);
    assert_int_equal(json_array_size(gp_document_items(document, "node")), 1);
    assert_int_equal(json_array_size(gp_document_items(document, NULL)), 1);
    assert_null(gp_document_items(document, "find"));
    json_decref(document);
}

static void other_documents_have_no_items(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", "[]", "{\"schema\":\"gridpeer/v2\",\"kind\":\"node\",\"items\":[]}",
        "{\"schema\":\"gridpeer/v1\",\"kind\":\"node\",\"items\":{}}",
        "{\"schema\":\"gridpeer/v1\",\"items\":[]}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        json_t *document = json_loads(texts[i], 0, NULL);
        assert_non_null(document);
        assert_null(gp_document_items(document, NULL));
        json_decref(document);
    }
    assert_null(gp_document_items(NULL, NULL));
}

static void errors_tell_what_why_and_what_next(void **state)
{
    (void)state;
    gp_document_fault_t fault = {.error = GP_E_QUERY_ATTRIBUTE, .detail = "mem.fre", .column = 3};
    json_t *document = gp_document_error(&fault);
    const json_t *error = json_object_get(document, "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")), "E_QUERY_ATTRIBUTE");
    assert_string_equal(json_string_value(json_object_get(error, "text")), "no such attribute");
    assert_string_equal(json_string_value(json_object_get(error, "detail")), "mem.fre");
    assert_string_equal(json_string_value(json_object_get(error, "action")),
                        "see gridpeer find --attributes");
    assert_int_equal(json_integer_value(json_object_get(error, "exit")), GP_EXIT_USAGE);
    assert_int_equal(json_integer_value(json_object_get(error, "column")), 3);
    json_decref(document);
    fault = (gp_document_fault_t){.error = GP_E_MEMORY};
    document = gp_document_error(&fault);
    assert_null(json_object_get(json_object_get(document, "error"), "column"));
    json_decref(document);
    char endless[100 * GP_DETAIL_MAX];
    memset(endless, 'x', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    fault = (gp_document_fault_t){.error = GP_E_NODE_UNKNOWN, .detail = endless};
    document = gp_document_error(&fault);
    error = json_object_get(document, "error");
    assert_int_equal(json_string_length(json_object_get(error, "detail")), GP_DETAIL_MAX - 1);
    json_decref(document);
}

static void hostile_text_becomes_a_string(void **state)
{
    (void)state;
    json_t *text = gp_document_text(gp_text("a\xff\xfe z"));
    assert_string_equal(json_string_value(text), "a\\xff\\xfe z");
    json_decref(text);
    text = gp_document_text(gp_slice("a\0b", 3));
    assert_int_equal(json_string_length(text), 3);
    json_decref(text);
    text = gp_document_text((gp_slice_t){0});
    assert_string_equal(json_string_value(text), "");
    json_decref(text);
    json_t *number = gp_document_number(UINT64_MAX);
    assert_true(json_integer_value(number) == INT64_MAX);
    json_decref(number);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_iso_8601),
        cmocka_unit_test(documents_have_one_shape),
        cmocka_unit_test(other_documents_have_no_items),
        cmocka_unit_test(errors_tell_what_why_and_what_next),
        cmocka_unit_test(hostile_text_becomes_a_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
