/*
 * What users and peers write as text: ids, names, addresses, durations; and text on its way to a
 * terminal or a shell. The first byte chooses.
 */
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"

#define LONGEST 512

static char text[LONGEST + 1];
static char shown[4 * LONGEST + 3];

/* Ids have one text each. */
static void try_ids(void)
{
    gp_id_t id;
    gp_grid_id_t grid;
    char back[GP_ID_TEXT];
    if (gp_id_parse(text, &id) == GP_OK) {
        gp_id_text(&id, back);
        FUZZ_CHECK(strcmp(text, back) == 0);
    }
    if (gp_grid_id_parse(text, &grid) == GP_OK) {
        gp_grid_id_text(&grid, back);
        FUZZ_CHECK(strcmp(text, back) == 0);
    }
}

/* Names and addresses are printable ASCII within their limits. */
static void check_plain(size_t most)
{
    FUZZ_CHECK(strlen(text) <= most);
    for (const char *p = text; *p != '\0'; p++) {
        FUZZ_CHECK(*p > ' ' && *p <= '~');
    }
}

static void try_checks(void)
{
    uint64_t ms = 0;
    if (gp_name_check(gp_text(text)) == GP_OK) {
        check_plain(GP_NAME_MAX);
    }
    if (gp_address_check(gp_text(text), false) == GP_OK) {
        FUZZ_CHECK(gp_address_check(gp_text(text), true) == GP_OK);
    }
    if (gp_address_check(gp_text(text), true) == GP_OK) {
        check_plain(GP_ADDRESS_MAX);
    }
    if (gp_duration_parse(text, &ms) == GP_OK) {
        FUZZ_CHECK(text[0] >= '0' && text[0] <= '9');
    }
}

/* Cut anywhere, a text stays text and inside its room. */
static void try_copies(gp_slice_t bytes, size_t room)
{
    bool whole = gp_text_copy(shown, room, bytes);
    FUZZ_CHECK(strlen(shown) < room);
    FUZZ_CHECK(!gp_text_valid(bytes) || gp_text_valid(gp_text(shown)));
    FUZZ_CHECK(!whole || !gp_text_valid(bytes) || gp_slice_equal(bytes, gp_text(shown)));
    (void)gp_text_escape(shown, room, bytes);
    FUZZ_CHECK(strlen(shown) < room && gp_text_valid(gp_text(shown)));
    for (const char *p = shown; *p != '\0'; p++) {
        FUZZ_CHECK((uint8_t)*p >= ' ' && *p != 0x7f);
    }
    (void)gp_text_quote(text, shown, sizeof shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes_t bytes = {.p = data, .n = size};
    uint8_t choice = fuzz_u8(&bytes);
    gp_slice_t slice = fuzz_slice(&bytes, LONGEST);
    if (slice.n > 0) {
        memcpy(text, slice.p, slice.n);
    }
    text[slice.n] = '\0';
    switch (choice % 4) {
    case 0:
        try_ids();
        break;
    case 1:
        try_checks();
        break;
    default:
        try_copies(slice, 1 + choice / 4);
        break;
    }
    return 0;
}
