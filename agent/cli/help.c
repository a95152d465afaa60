/* --help and the manual page, both from the table of commands. */
#include "agent/cli/command.h"

#include <string.h>

static const struct {
    int code;
    const char *meaning;
} exits[] = {
    {GP_EXIT_DONE, "done, or healthy"},
    {GP_EXIT_FAILED, "the command's work failed"},
    {GP_EXIT_DEGRADED, "degraded"},
    {GP_EXIT_INVALID, "failed, or a validation failed"},
    {GP_EXIT_UNKNOWN, "unknown, or only a partial answer"},
    {GP_EXIT_REFUSED, "refused by a safety rule"},
    {GP_EXIT_TIMEOUT, "timed out"},
    {GP_EXIT_USAGE, "the command line is wrong"},
    {GP_EXIT_NO_AGENT, "the agent cannot be reached"},
    {GP_EXIT_NOT_PERMITTED, "not permitted"},
};

static const char about[] =
    "makes many machines act as one computer: agents that are near each other elect a super-peer, "
    "find machines that fit, and run work on them";

/* ---- --help ------------------------------------------------------------------------------------
 */

/* Prints text in lines of at most 78 columns, each after `indent` spaces. */
static void text_wrap(FILE *out, const char *text, int indent)
{
    int at = 0;
    while (*text != '\0') {
        int n = (int)strcspn(text, " \n");
        if (at > 0 && at + 1 + n > 78) {
            (void)fputc('\n', out);
            at = 0;
        }
        at += fprintf(out, "%*s%.*s", at == 0 ? indent : 1, "", n, text);
        text += n;
        if (*text == '\n') {
            (void)fputc('\n', out);
            at = 0;
        }
        text += *text == '\0' ? 0 : 1;
    }
    if (at > 0) {
        (void)fputc('\n', out);
    }
}

/* "gridpeer run [OPTION]... -- PROGRAM [ARGUMENT]..." */
static void usage_text(const gp_cli_command_t *command, char *text, size_t size)
{
    (void)snprintf(text, size, "gridpeer %s%s%s [OPTION]...%s", command->words,
                   command->operands[0] == '\0' ? "" : " ", command->operands,
                   command->rest ? " -- PROGRAM [ARGUMENT]..." : "");
}

static void options_print(FILE *out, const gp_cli_option_t *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char left[64];
        const gp_cli_option_t *option = &options[i];
        (void)snprintf(left, sizeof left, "--%s%s%s", option->name,
                       option->value == NULL ? "" : " ",
                       option->value == NULL ? "" : option->value);
        (void)fprintf(out, "  %-24s %s\n", left, option->help);
    }
}

void gp_cli_help(FILE *out)
{
    (void)fprintf(out, "gridpeer ");
    text_wrap(out, about, 0);
    (void)fprintf(out, "\nUsage: gridpeer COMMAND [OPTION]...\n\nCommands:\n");
    for (size_t i = 0; i < gp_cli_command_count; i++) {
        char left[96];
        const gp_cli_command_t *command = gp_cli_commands[i];
        (void)snprintf(left, sizeof left, "%s%s%s", command->words,
                       command->operands[0] == '\0' ? "" : " ", command->operands);
        (void)fprintf(out, "  %-24s %s\n", left, command->summary);
    }
    (void)fprintf(out, "\nOptions of every command:\n");
    options_print(out, gp_cli_common_options, gp_cli_common_option_count);
    (void)fprintf(out, "\nExit codes:\n");
    for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++) {
        (void)fprintf(out, "  %-3d %s\n", exits[i].code, exits[i].meaning);
    }
    (void)fprintf(out, "\nMore: gridpeer COMMAND --help, man gridpeer. To begin:\n"
                       "  gridpeer init lab            on the first machine\n"
                       "  gridpeer sim up 5            or try it: five agents on this machine\n");
}

void gp_cli_help_command(FILE *out, const gp_cli_command_t *command)
{
    char usage[128];
    usage_text(command, usage, sizeof usage);
    (void)fprintf(out, "Usage: %s\n\n%s.\n", usage, command->summary);
    if (command->alias != NULL) {
        (void)fprintf(out, "Also: gridpeer %s\n", command->alias);
    }
    if (command->details != NULL) {
        (void)fputc('\n', out);
        text_wrap(out, command->details, 0);
    }
    if (command->option_count > 0) {
        (void)fprintf(out, "\nOptions:\n");
        options_print(out, command->options, command->option_count);
    }
    (void)fprintf(out, "\nOptions of every command:\n");
    options_print(out, gp_cli_common_options, gp_cli_common_option_count);
    (void)fprintf(out, "\nExample:\n  %s\n", command->example);
}

/* ---- the manual page ------------------------------------------------------------------------- */

/* Text for roff: no request at the start of a line, and every character as it is typed. */
static void roff_put(FILE *out, const char *text)
{
    bool start = true;
    for (; *text != '\0'; text++) {
        if (start && *text == '.') {
            (void)fputs("\\&", out);
        }
        if (*text == '\\') {
            (void)fputs("\\e", out);
        } else if (*text == '-') {
            (void)fputs("\\-", out);
        } else if (*text == '\'') {
            (void)fputs("\\(aq", out);
        } else {
            (void)fputc(*text, out);
        }
        start = *text == '\n';
    }
}

static void roff_options(FILE *out, const gp_cli_option_t *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, ".TP\n\\fB\\-\\-");
        roff_put(out, options[i].name);
        (void)fprintf(out, "\\fR");
        if (options[i].value != NULL) {
            (void)fprintf(out, " \\fI");
            roff_put(out, options[i].value);
            (void)fprintf(out, "\\fR");
        }
        (void)fputc('\n', out);
        roff_put(out, options[i].help);
        (void)fputc('\n', out);
    }
}

static void roff_command(FILE *out, const gp_cli_command_t *command)
{
    char usage[128];
    usage_text(command, usage, sizeof usage);
    (void)fprintf(out, ".SS gridpeer ");
    roff_put(out, command->words);
    (void)fprintf(out, "\n");
    roff_put(out, usage);
    (void)fprintf(out, "\n.PP\n");
    roff_put(out, command->summary);
    (void)fprintf(out, ".\n");
    if (command->alias != NULL) {
        (void)fprintf(out, "Also: \\fBgridpeer ");
        roff_put(out, command->alias);
        (void)fprintf(out, "\\fR.\n");
    }
    if (command->details != NULL) {
        (void)fprintf(out, ".PP\n");
        roff_put(out, command->details);
        (void)fputc('\n', out);
    }
    roff_options(out, command->options, command->option_count);
    (void)fprintf(out, ".PP\nExample:\n.PP\n.nf\n.RS\n");
    roff_put(out, command->example);
    (void)fprintf(out, "\n.RE\n.fi\n");
}

void gp_cli_man(FILE *out, const char *version)
{
    (void)fprintf(out,
                  ".\\\" Written by scripts/man-page from the table of commands.\n"
                  ".TH GRIDPEER 1 \"\" \"gridpeer %s\" \"User Commands\"\n.SH NAME\n"
                  "gridpeer \\- many machines as one computer\n.SH SYNOPSIS\n"
                  "\\fBgridpeer\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n.SH DESCRIPTION\n"
                  "\\fBgridpeer\\fR ",
                  version);
    roff_put(out, about);
    (void)fprintf(out, ".\n.SH COMMANDS\n");
    for (size_t i = 0; i < gp_cli_command_count; i++) {
        roff_command(out, gp_cli_commands[i]);
    }
    (void)fprintf(out, ".SH OPTIONS\nOf every command:\n");
    roff_options(out, gp_cli_common_options, gp_cli_common_option_count);
    (void)fprintf(out, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < sizeof exits / sizeof exits[0]; i++) {
        (void)fprintf(out, ".TP\n%d\n", exits[i].code);
        roff_put(out, exits[i].meaning);
        (void)fputc('\n', out);
    }
    (void)fprintf(out,
                  ".PP\n\\fBgridpeer run\\fR passes on the exit code of its program: 128+n if "
                  "signal n ended it.\n.SH ENVIRONMENT\n"
                  ".TP\nGRIDPEER_DIR\nwhere agents keep their state, one folder each; default "
                  "/var/lib/gridpeer for root, else $XDG_STATE_HOME/gridpeer or "
                  "~/.local/state/gridpeer; what gridpeer sim up makes lives beside it, in the "
                  "directory of that name with \\-sim behind it, and is meant where nothing "
                  "else is\n"
                  ".TP\nGRIDPEER_NODE\nwhich agent of this machine commands are for; needed "
                  "only if several run\n");
}
