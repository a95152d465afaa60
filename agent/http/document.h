/*
 * The documents of the API: one shape for every answer, one for every error.
 *
 *   {"schema":"gridpeer/v1","kind":K,"as_of":"2024-05-01T12:00:00.000Z","partial":false,"items":[]}
 *   {"error":{"code":"E_...","text":...,"detail":...,"action":...,"exit":N,"column":N?,"of":...?}}
 *
 * The CLI prints the first as it is under --json, so what a table shows is what a program reads.
 * Memory is jansson's: who holds a reference owns it; functions say where they take one over. All
 * of them give NULL when memory is out, and accept NULL from each other, so a document is checked
 * once, at the end.
 */
#ifndef GP_AGENT_HTTP_DOCUMENT_H
#define GP_AGENT_HTTP_DOCUMENT_H

#include <jansson.h>

#include "proto/errors.h"
#include "proto/types.h"

#define GP_DOCUMENT_SCHEMA     "gridpeer/v1"
#define GP_DOCUMENT_TIME_TEXT  32 /* "2024-05-01T12:00:00.000Z", terminated, and far years */
#define GP_DOCUMENT_JSON_FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII)

/* An error as the API tells it. */
typedef struct gp_document_fault {
    gp_error_t error;
    const char *detail; /* to what it happened and why; may be NULL */
    uint32_t column;    /* where in a query or a rank, from 1; 0: nowhere */
    const char *of;     /* which field of the request the column is in; NULL: not said */
} gp_document_fault_t;

/* A document without items. `as_of`: when its facts were true. */
json_t *gp_document_new(const char *kind, gp_wall_ms_t as_of, bool partial);

/* Appends `item`, taking its reference even on failure. Returns false if memory is out. */
bool gp_document_add(json_t *document, json_t *item);

/* The items of a document that has the schema and the kind (any if NULL); else NULL. Borrowed. */
const json_t *gp_document_items(const json_t *document, const char *kind);

/* {"error":{...}}; a detail of GP_DETAIL_MAX bytes or more is cut. */
json_t *gp_document_error(const gp_document_fault_t *fault);

/*
 * Text of a user or a peer as a JSON string: bytes that are not UTF-8 are escaped as \xNN, since a
 * JSON text can't hold them.
 */
json_t *gp_document_text(gp_slice_t text);

/* A 64-bit count; what JSON's readers can't hold is shown as the largest number that they can. */
json_t *gp_document_number(uint64_t number);

/* ISO 8601 in UTC with milliseconds. */
void gp_document_time(gp_wall_ms_t wall_ms, char ret_text[GP_DOCUMENT_TIME_TEXT]);

#endif
