#include "agent/http/document.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/text.h"

void gp_document_time(gp_wall_ms_t wall_ms, char ret_text[GP_DOCUMENT_TIME_TEXT])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char date[24];
    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900) {
        (void)snprintf(ret_text, GP_DOCUMENT_TIME_TEXT, "9999-12-31T23:59:59.999Z");
        return;
    }
    size_t n = strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    assert(n > 0);
    (void)snprintf(ret_text, GP_DOCUMENT_TIME_TEXT, "%s.%03uZ", date, (unsigned)(wall_ms % 1000));
}

json_t *gp_document_new(const char *kind, gp_wall_ms_t as_of, bool partial)
{
    assert(kind != NULL);
    char time[GP_DOCUMENT_TIME_TEXT];
    gp_document_time(as_of, time);
    return json_pack("{s:s, s:s, s:s, s:b, s:[]}", "schema", GP_DOCUMENT_SCHEMA, "kind", kind,
                     "as_of", time, "partial", (int)partial, "items");
}

bool gp_document_add(json_t *document, json_t *item)
{
    json_t *items = json_object_get(document, "items");
    return json_array_append_new(items, item) == 0;
}

const json_t *gp_document_items(const json_t *document, const char *kind)
{
    const char *schema = json_string_value(json_object_get(document, "schema"));
    const char *found = json_string_value(json_object_get(document, "kind"));
    const json_t *items = json_object_get(document, "items");
    if (schema == NULL || strcmp(schema, GP_DOCUMENT_SCHEMA) != 0 || found == NULL ||
        !json_is_array(items)) {
        return NULL;
    }
    return kind == NULL || strcmp(found, kind) == 0 ? items : NULL;
}

json_t *gp_document_error(const gp_document_fault_t *fault)
{
    char cut[GP_DETAIL_MAX];
    assert(fault->error != GP_OK);
    (void)gp_text_copy(cut, sizeof cut, gp_text(fault->detail == NULL ? "" : fault->detail));
    json_t *detail = gp_document_text(gp_text(cut));
    json_t *error = json_pack("{s:s, s:s, s:o, s:s, s:i}", "code", gp_error_name(fault->error),
                              "text", gp_error_text(fault->error), "detail", detail, "action",
                              gp_error_action(fault->error), "exit", gp_error_exit(fault->error));
    if (error != NULL && fault->column > 0 &&
        json_object_set_new(error, "column", gp_document_number(fault->column)) != 0) {
        json_decref(error);
        error = NULL;
    }
    if (error != NULL && fault->of != NULL &&
        json_object_set_new(error, "of", json_string(fault->of)) != 0) {
        json_decref(error);
        error = NULL;
    }
    return json_pack("{s:o}", "error", error);
}

json_t *gp_document_text(gp_slice_t text)
{
    json_t *string = json_stringn(text.n == 0 ? "" : (const char *)text.p, text.n);
    if (string != NULL) {
        return string;
    }
    size_t size = (size_t)text.n * 4 + 1;
    char *escaped = malloc(size);
    if (escaped == NULL) {
        return NULL;
    }
    bool whole = gp_text_escape(escaped, size, text);
    assert(whole);
    string = whole ? json_string(escaped) : NULL;
    free(escaped);
    return string;
}

json_t *gp_document_number(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}
