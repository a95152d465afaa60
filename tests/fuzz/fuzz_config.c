/*
 * The configuration file. What is read and written again means the same; what is refused is told
 * with its line, in printable words, and nothing is taken from it.
 */
#include "agent/store/config.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"

#define LONGEST 2048

static char text[LONGEST + 1];
static char written[GP_CONFIG_BYTES_MAX];

static void check_fail(const gp_fail_t *fail, gp_error_t error)
{
    FUZZ_CHECK(error == fail->code && fail->text[0] != '\0');
    FUZZ_CHECK(memchr(fail->text, '\0', sizeof fail->text) != NULL);
    FUZZ_CHECK(gp_text_valid(gp_text(fail->text)));
}

/* The first byte chooses a setting; the rest is its value. */
static void try_set(gp_config_t *config, uint8_t choice, const char *value)
{
    static const struct {
        const char *section;
        const char *key;
    } settings[] = {
#define GP_C(TYPE, section, key, initial, min, max, doc) {#section, #key},
        GP_CONFIG(GP_C)
#undef GP_C
    };
    const size_t which = choice % (sizeof settings / sizeof settings[0]);
    const gp_config_t before = *config;
    gp_fail_t fail = {0};
    gp_error_t error =
        gp_config_set(config, settings[which].section, settings[which].key, value, &fail);
    if (error != GP_OK) {
        check_fail(&fail, error);
        FUZZ_CHECK(memcmp(&before, config, sizeof before) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gp_config_t config;
    static gp_config_t again;
    gp_fail_t fail = {0};
    if (size < 1 || size > LONGEST || memchr(data, '\0', size) != NULL) {
        return 0; /* gp_config_read refuses zero bytes */
    }
    memcpy(text, data, size);
    text[size] = '\0';
    gp_config_defaults(&config);
    gp_error_t error = gp_config_parse("f", text, &config, &fail);
    if (error != GP_OK) {
        check_fail(&fail, error);
    }
    try_set(&config, data[0], text + 1);
    size_t n = gp_config_file(&config, written, sizeof written);
    FUZZ_CHECK(n < sizeof written && strlen(written) == n);
    FUZZ_CHECK(gp_config_parse("f", written, &again, &fail) == GP_OK);
    FUZZ_CHECK(memcmp(&config, &again, sizeof config) == 0);
    return 0;
}
