#include "agent/cli/options.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/text.h"

#define DISTANCE_WORD_MAX 32
#define HOUR_MS           UINT64_C(3600000)

/* ---- near words -------------------------------------------------------------------------------
 */

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned gp_cli_distance(const char *a, const char *b)
{
    unsigned rows[3][DISTANCE_WORD_MAX + 1];
    size_t n = strlen(a);
    size_t m = strlen(b);
    if (n > DISTANCE_WORD_MAX || m > DISTANCE_WORD_MAX) {
        return DISTANCE_WORD_MAX + 1;
    }
    for (unsigned j = 0; j <= m; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3];
        const unsigned *above2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = smaller(smaller(above[j], row[j - 1]) + 1, change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = smaller(row[j], above2[j - 2] + 1);
            }
        }
    }
    return rows[n % 3][m];
}

const char *gp_cli_nearest(const char *word, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    unsigned best = (unsigned)strlen(word) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = gp_cli_distance(word, candidates[i]);
        if (distance < best && distance < strlen(candidates[i])) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

/* ---- values ------------------------------------------------------------------------------------
 */

static bool number_read(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || number > (UINT64_MAX - 9) / 10) {
            return false;
        }
        number = number * 10 + (uint64_t)(*text - '0');
    }
    *ret_number = number;
    return true;
}

/* "2", "0.5", "1.25": hours with at most three decimals, in milliseconds. */
static bool hours_read(const char *text, uint64_t *ret_ms)
{
    char whole[16];
    size_t n = strcspn(text, ".");
    uint64_t hours;
    if (n >= sizeof whole) {
        return false;
    }
    memcpy(whole, text, n);
    whole[n] = '\0';
    if (!number_read(whole, &hours) || hours > 1000000) {
        return false;
    }
    uint64_t thousandths = 0;
    if (text[n] == '.') {
        const char *decimals = text + n + 1;
        size_t count = strlen(decimals);
        if (count > 3 || !number_read(decimals, &thousandths)) {
            return false;
        }
        for (; count < 3; count++) {
            thousandths *= 10;
        }
    }
    *ret_ms = hours * HOUR_MS + thousandths * (HOUR_MS / 1000);
    return true;
}

/* "30d", as it is typed. */
static void duration_text(uint64_t ms, char *text, size_t size)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"d", 24 * HOUR_MS}, {"h", HOUR_MS}, {"m", 60000}, {"s", 1000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ms >= units[i].ms && ms % units[i].ms == 0) {
            (void)snprintf(text, size, "%llu%s", (unsigned long long)(ms / units[i].ms),
                           units[i].name);
            return;
        }
    }
    (void)snprintf(text, size, "%llums", (unsigned long long)ms);
}

/* A value that is out of its range: says which that is. */
static void range_say(const gp_cli_given_t *given, char *why, size_t why_size)
{
    const gp_cli_option_t *option = given->option;
    char least[32];
    char most[32];
    if (option->kind == GP_CLI_NUMBER) {
        (void)snprintf(least, sizeof least, "%llu", (unsigned long long)option->min);
        (void)snprintf(most, sizeof most, "%llu", (unsigned long long)option->max);
    } else if (option->kind == GP_CLI_HOURS) {
        (void)snprintf(least, sizeof least, "0.001");
        (void)snprintf(most, sizeof most, "%llu", (unsigned long long)(option->max / HOUR_MS));
    } else {
        duration_text(option->min, least, sizeof least);
        duration_text(option->max, most, sizeof most);
    }
    (void)snprintf(why, why_size, "--%s must be %s to %s, not '%s'", option->name, least, most,
                   given->text);
}

static bool value_read(gp_cli_given_t *given, char *why, size_t why_size)
{
    const gp_cli_option_t *option = given->option;
    const char *form = "a whole number";
    bool good = true;
    switch (option->kind) {
    case GP_CLI_NUMBER:
        good = number_read(given->text, &given->number);
        break;
    case GP_CLI_DURATION:
        good = gp_duration_parse(given->text, &given->number) == GP_OK;
        form = "a duration such as 500ms, 10s, 5m, 24h or 7d";
        break;
    case GP_CLI_HOURS:
        good = hours_read(given->text, &given->number);
        form = "hours, such as 1 or 0.5";
        break;
    case GP_CLI_FLAG:
    case GP_CLI_TEXT:
    case GP_CLI_LIST:
    default:
        return true;
    }
    if (!good) {
        (void)snprintf(why, why_size, "--%s takes %s, not '%s'", option->name, form, given->text);
        return false;
    }
    if (given->number < option->min || given->number > option->max) {
        range_say(given, why, why_size);
        return false;
    }
    return true;
}

/* ---- options -----------------------------------------------------------------------------------
 */

static size_t options_count(const gp_cli_options_t *options)
{
    return options->own_count + options->common_count;
}

static const gp_cli_option_t *options_at(const gp_cli_options_t *options, size_t i)
{
    assert(i < options_count(options));
    return i < options->own_count ? &options->own[i] : &options->common[i - options->own_count];
}

static void unknown_option(const gp_cli_options_t *options, const char *name, char *why,
                           size_t why_size)
{
    const char *names[2 * GP_CLI_OPTIONS_MAX];
    size_t count = options_count(options);
    assert(count <= sizeof names / sizeof names[0]);
    for (size_t i = 0; i < count; i++) {
        names[i] = options_at(options, i)->name;
    }
    const char *nearest = gp_cli_nearest(name, names, count);
    if (nearest != NULL) {
        (void)snprintf(why, why_size, "no option --%s: did you mean --%s?", name, nearest);
    } else {
        (void)snprintf(why, why_size, "no option --%s", name);
    }
}

static const gp_cli_option_t *option_find(const gp_cli_options_t *options, const char *name,
                                          size_t n)
{
    for (size_t i = 0; i < options_count(options); i++) {
        const gp_cli_option_t *option = options_at(options, i);
        if (strlen(option->name) == n && memcmp(option->name, name, n) == 0) {
            return option;
        }
    }
    return NULL;
}

/* What reading needs to know and to tell. */
typedef struct reader {
    int argc;
    char **argv;
    int at;
    const gp_cli_options_t *options;
    gp_cli_args_t *args;
    char *why;
    size_t why_size;
} reader_t;

/* "--name", "--name=value" or "--name value" at reader->at. */
static bool option_read(reader_t *reader, const char *name)
{
    size_t n = strcspn(name, "=");
    const gp_cli_option_t *option = option_find(reader->options, name, n);
    if (option == NULL) {
        char unknown[64];
        (void)snprintf(unknown, sizeof unknown, "%.*s", n < 60 ? (int)n : 60, name);
        unknown_option(reader->options, unknown, reader->why, reader->why_size);
        return false;
    }
    gp_cli_args_t *args = reader->args;
    if (option->kind != GP_CLI_LIST && gp_cli_given(args, option->name, 0) != NULL) {
        (void)snprintf(reader->why, reader->why_size, "--%s is given twice", option->name);
        return false;
    }
    if (args->given_count == GP_CLI_OPTIONS_MAX) {
        (void)snprintf(reader->why, reader->why_size, "more than %d options", GP_CLI_OPTIONS_MAX);
        return false;
    }
    gp_cli_given_t *given = &args->given[args->given_count];
    *given = (gp_cli_given_t){.option = option};
    if (option->kind == GP_CLI_FLAG) {
        if (name[n] == '=') {
            (void)snprintf(reader->why, reader->why_size, "--%s takes no value", option->name);
            return false;
        }
    } else if (name[n] == '=') {
        given->text = name + n + 1;
    } else if (reader->at < reader->argc && strcmp(reader->argv[reader->at], "--") != 0) {
        given->text = reader->argv[reader->at++];
    } else {
        (void)snprintf(reader->why, reader->why_size, "--%s needs a value: --%s %s", option->name,
                       option->name, option->value);
        return false;
    }
    args->given_count++;
    bool text = option->kind == GP_CLI_TEXT || option->kind == GP_CLI_LIST;
    if (text && given->text[0] == '\0') {
        (void)snprintf(reader->why, reader->why_size, "--%s needs a value, and '' is none: --%s %s",
                       option->name, option->name, option->value);
        return false;
    }
    return value_read(given, reader->why, reader->why_size);
}

bool gp_cli_args_read(int argc, char **argv, const gp_cli_options_t *options,
                      gp_cli_args_t *ret_args, char *why, size_t why_size)
{
    reader_t reader = {.argc = argc,
                       .argv = argv,
                       .options = options,
                       .args = ret_args,
                       .why = why,
                       .why_size = why_size};
    *ret_args = (gp_cli_args_t){0};
    while (reader.at < argc) {
        const char *word = argv[reader.at++];
        if (strcmp(word, "--") == 0) {
            ret_args->rest = argv + reader.at;
            ret_args->rest_count = (uint32_t)(argc - reader.at);
            return true;
        }
        if (strcmp(word, "-h") == 0) {
            word = "--help";
        }
        if (strncmp(word, "--", 2) == 0) {
            if (!option_read(&reader, word + 2)) {
                return false;
            }
        } else if (word[0] == '-' && word[1] != '\0') {
            (void)snprintf(why, why_size,
                           "no option %.40s: options are written out, and a program's own come "
                           "after --",
                           word);
            return false;
        } else if (ret_args->word_count == GP_CLI_WORDS_MAX) {
            (void)snprintf(why, why_size, "more than %d words", GP_CLI_WORDS_MAX);
            return false;
        } else {
            ret_args->words[ret_args->word_count++] = word;
        }
    }
    return true;
}

/* ---- what was given -----------------------------------------------------------------------------
 */

const gp_cli_given_t *gp_cli_given(const gp_cli_args_t *args, const char *name, uint32_t index)
{
    for (uint32_t i = 0; i < args->given_count; i++) {
        if (strcmp(args->given[i].option->name, name) == 0 && index-- == 0) {
            return &args->given[i];
        }
    }
    return NULL;
}

bool gp_cli_flag(const gp_cli_args_t *args, const char *name)
{
    return gp_cli_given(args, name, 0) != NULL;
}

const char *gp_cli_text(const gp_cli_args_t *args, const char *name, const char *otherwise)
{
    const gp_cli_given_t *given = gp_cli_given(args, name, 0);
    return given == NULL ? otherwise : given->text;
}

uint64_t gp_cli_number(const gp_cli_args_t *args, const char *name, uint64_t otherwise)
{
    const gp_cli_given_t *given = gp_cli_given(args, name, 0);
    return given == NULL ? otherwise : given->number;
}
