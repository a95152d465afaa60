#include "agent/cli/command.h"

#include <string.h>

#include "proto/cert.h"

#define DAY_MS         UINT64_C(86400000)
#define EXPIRES_MS     DAY_MS
#define EXPIRES_MIN_MS UINT64_C(60000)
#define EXPIRES_MAX_MS (GP_CERT_DAYS * DAY_MS) /* no machine's word is good for longer */

/* Is "lend,submit" made of roles only? The wrong one is named. 0 or an exit code. */
static int roles_check(gp_cli_t *cli, const char *roles)
{
    char known[128];
    gp_roles_text(GP_ROLE_ALL, known, sizeof known);
    for (const char *at = roles;; at++) {
        size_t n = strcspn(at, ",");
        const char *name = known;
        while (strcspn(name, ",") != n || memcmp(name, at, n) != 0) {
            name += strcspn(name, ",");
            if (*name++ == '\0') {
                return gp_cli_usage(cli, "--roles: no role '%.*s'; there are: %s", (int)n, at,
                                    known);
            }
        }
        at += n;
        if (*at == '\0') {
            return GP_EXIT_DONE;
        }
    }
}

static void invitation_print(gp_cli_t *cli, const json_t *item)
{
    const char *token = json_string_value(json_object_get(item, "token"));
    const char *region = json_string_value(json_object_get(item, "region"));
    const char *until = json_string_value(json_object_get(item, "expires"));
    json_int_t uses = json_integer_value(json_object_get(item, "uses"));
    (void)fputs("gridpeer join ", cli->out);
    gp_cli_put(cli->out, region == NULL ? "REGION" : region);
    (void)fputs(" --token ", cli->out);
    gp_cli_put(cli->out, token == NULL ? "" : token);
    (void)fputc('\n', cli->out);
    gp_cli_note(cli, "type this on %lld machine%s, until %s", (long long)uses, uses == 1 ? "" : "s",
                until == NULL ? "it expires" : until);
}

static int invite_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    const char *roles = gp_cli_text(&cli->args, "roles", NULL);
    int code = roles == NULL ? GP_EXIT_DONE : roles_check(cli, roles);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    json_t *body =
        json_pack("{s:I, s:I}", "uses", (json_int_t)gp_cli_number(&cli->args, "uses", 1),
                  "expires_ms", (json_int_t)gp_cli_number(&cli->args, "expires", EXPIRES_MS));
    if (roles != NULL) {
        (void)json_object_set_new(body, "roles", json_string(roles));
    }
    gp_cli_ask_t ask = {
        .method = "POST", .path = "/v1/invitations", .body = body, .kind = "invitation"};
    code = gp_cli_api(cli, &ask, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    if (cli->json || cli->fields != NULL) {
        return gp_cli_print(cli, document, NULL, 0);
    }
    invitation_print(cli, json_array_get(json_object_get(document, "items"), 0));
    json_decref(document);
    return GP_EXIT_DONE;
}

static const gp_cli_option_t options[] = {
    {"uses", GP_CLI_NUMBER, "N", "how many machines may join with it; default 1", 1,
     GP_TOKEN_USES_MAX},
    {"expires", GP_CLI_DURATION, "DURATION", "how long it is good for, 1m to 30d; default 24h",
     EXPIRES_MIN_MS, EXPIRES_MAX_MS},
    {"roles", GP_CLI_TEXT, "A,B",
     "what they may do: member, lend, submit, admit, operate, audit; default member,lend,submit", 0,
     0},
};

const gp_cli_command_t gp_cli_invite = {
    .words = "invite",
    .run = invite_run,
    .summary = "Print the command that lets machines join",
    .operands = "",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .timeout_ms = 10000,
    .example = "gridpeer invite --uses 5 --expires 24h",
    .details = "Works on a machine whose certificate has the role admit. Only the command goes to "
               "stdout, so it can be piped to where it is needed. A machine without the role "
               "lend is not used to run programs, one without submit may not run any. Whoever "
               "holds the token can join until it is used up or expires: keep it secret. A machine "
               "has at most 256 open invitations; one that is used up or has expired makes room.",
};
