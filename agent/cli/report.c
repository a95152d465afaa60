#include "agent/cli/command.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "agent/http/document.h"

static gp_wall_ms_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (gp_wall_ms_t)now.tv_sec * 1000 + (gp_wall_ms_t)now.tv_nsec / 1000000;
}

void gp_cli_put(FILE *out, const char *text)
{
    char piece[512];
    size_t left = strlen(text);
    while (left > 0) {
        /* A piece ends between characters, so that none is torn. */
        size_t n = left < 100 ? left : 100;
        while (n < left && n > 90 && ((unsigned char)text[n] & 0xc0) == 0x80) {
            n--;
        }
        (void)gp_text_escape(piece, sizeof piece, gp_slice(text, n));
        (void)fputs(piece, out);
        text += n;
        left -= n;
    }
}

void gp_cli_quote(const char *text, char quoted[GP_CLI_QUOTED_MAX])
{
    size_t used = 0;
    quoted[used++] = '\'';
    for (; *text != '\0' && used + 6 < GP_CLI_QUOTED_MAX; text++) {
        if (*text == '\'') {
            memcpy(quoted + used, "'\\''", 4);
            used += 4;
        } else {
            quoted[used++] = *text;
        }
    }
    quoted[used++] = '\'';
    quoted[used] = '\0';
}

json_t *gp_cli_document(const char *kind, json_t *item)
{
    json_t *document = gp_document_new(kind, wall_ms(), false);
    if (item != NULL && !gp_document_add(document, item)) {
        json_decref(document);
        return NULL;
    }
    return document;
}

/* Shows the query, or the rank if the error is in that, with a caret under the wrong column. */
static void column_show(gp_cli_t *cli, const json_t *error, const char *query)
{
    json_int_t column = json_integer_value(json_object_get(error, "column"));
    const char *of = json_string_value(json_object_get(error, "of"));
    int shift = 0;
    if (of != NULL && strcmp(of, "rank") == 0) {
        query = gp_cli_text(&cli->args, of, NULL);
        shift = (int)strlen("--rank ");
    }
    if (query == NULL || column <= 0 || column > (json_int_t)strlen(query) + 1) {
        return;
    }
    (void)fputs(shift > 0 ? "  --rank " : "  ", cli->err);
    gp_cli_put(cli->err, query);
    (void)fprintf(cli->err, "\n  %*s\n", (int)column + shift, "^");
}

/* Says it in words, and as a document under --json. */
static int error_say(gp_cli_t *cli, const json_t *error, const char *query)
{
    const char *text = json_string_value(json_object_get(error, "text"));
    const char *detail = json_string_value(json_object_get(error, "detail"));
    const char *action = json_string_value(json_object_get(error, "action"));
    json_int_t code = json_integer_value(json_object_get(error, "exit"));
    (void)fputs("gridpeer: ", cli->err);
    gp_cli_put(cli->err, text == NULL ? "the agent told an error without words" : text);
    if (detail != NULL && detail[0] != '\0') {
        (void)fputs(": ", cli->err);
        gp_cli_put(cli->err, detail);
    }
    (void)fputc('\n', cli->err);
    column_show(cli, error, query);
    if (action != NULL && action[0] != '\0') {
        (void)fputs("  next: ", cli->err);
        gp_cli_put(cli->err, action);
        (void)fputc('\n', cli->err);
    }
    if (cli->json) {
        json_t *document = gp_cli_document("error", NULL);
        (void)json_object_set(document, "error", (json_t *)error);
        gp_cli_json(cli, document);
        json_decref(document);
    }
    return code > 0 && code < 256 ? (int)code : GP_EXIT_FAILED;
}

int gp_cli_fail_told(gp_cli_t *cli, const json_t *error, const char *query)
{
    return error_say(cli, error, query);
}

int gp_cli_fail(gp_cli_t *cli, gp_error_t error, const char *action, const char *detail, ...)
{
    char text[GP_CLI_DETAIL_MAX];
    va_list arguments;
    va_start(arguments, detail);
    (void)vsnprintf(text, sizeof text, detail, arguments);
    va_end(arguments);
    gp_document_fault_t fault = {.error = error, .detail = text};
    json_t *document = gp_document_error(&fault);
    json_t *told = json_object_get(document, "error");
    if (action != NULL) {
        (void)json_object_set_new(told, "action", gp_document_text(gp_text(action)));
    }
    (void)error_say(cli, told, NULL);
    json_decref(document);
    return gp_error_exit(error);
}

int gp_cli_usage(gp_cli_t *cli, const char *why, ...)
{
    char text[GP_CLI_DETAIL_MAX];
    char action[128];
    va_list arguments;
    va_start(arguments, why);
    (void)vsnprintf(text, sizeof text, why, arguments);
    va_end(arguments);
    if (cli->command == NULL) {
        (void)snprintf(action, sizeof action, "see gridpeer --help");
    } else {
        (void)snprintf(action, sizeof action, "see gridpeer %s --help", cli->command->words);
    }
    return gp_cli_fail(cli, GP_E_USAGE, action, "%s", text);
}

void gp_cli_note(gp_cli_t *cli, const char *text, ...)
{
    char words[GP_CLI_DETAIL_MAX];
    va_list arguments;
    va_start(arguments, text);
    (void)vsnprintf(words, sizeof words, text, arguments);
    va_end(arguments);
    (void)fputs("gridpeer: ", cli->err);
    gp_cli_put(cli->err, words);
    (void)fputc('\n', cli->err);
    (void)fflush(cli->err);
}
