#include "agent/cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "proto_cmocka.h"

static const gp_cli_column_t columns[] = {
    {"name", "NAME", GP_CELL_TEXT, false},
    {"mem.free", "mem.free", GP_CELL_BYTES, false},
    {"why", "WHY", GP_CELL_TEXT, false},
};

static char *render(const char *items, size_t count)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    json_t *json = json_loads(items, 0, NULL);
    assert_non_null(json);
    gp_cli_table(out, json, columns, count);
    json_decref(json);
    (void)fclose(out);
    return text;
}

static void check(const char *items, const char *expected)
{
    char *text = render(items, 3);
    assert_string_equal(text, expected);
    free(text);
}

static void columns_are_aligned(void **state)
{
    (void)state;
    check("[{\"name\":\"n1\",\"mem.free\":8589934592,\"why\":\"\"},"
          "{\"name\":\"a-long-name\",\"mem.free\":512,\"why\":\"connection refused\"}]",
          "NAME         mem.free  WHY\n"
          "n1           8.0 GiB   -\n"
          "a-long-name  512 B     connection refused\n");
}

static void wide_letters_are_counted_as_wide(void **state)
{
    (void)state;
    check("[{\"name\":\"m\\u00fcller\",\"mem.free\":1,\"why\":\"x\"},"
          "{\"name\":\"\\u65e5\\u672c\",\"mem.free\":1,\"why\":\"y\"}]",
          "NAME    mem.free  WHY\n"
          "m\xc3\xbcller  1 B       x\n"
          "\xe6\x97\xa5\xe6\x9c\xac    1 B       y\n");
    assert_int_equal(gp_cli_width("\xe6\x97\xa5"), 2);
    assert_int_equal(gp_cli_width("e\xcc\x81"), 1);
    assert_int_equal(gp_cli_width("\xff\xfe"), 2);
    assert_int_equal(gp_cli_width(""), 0);
}

static void hostile_text_cannot_move_the_cursor(void **state)
{
    (void)state;
    char *text = render("[{\"name\":\"\\u001b[2Jx\\ny\\u009bz\",\"mem.free\":null}]", 1);
    assert_null(strchr(text, '\033'));
    assert_null(strstr(text, "\xc2\x9b"));
    assert_int_equal(strlen(text), strlen("NAME\n") + strlen(strchr(text, '\n') + 1));
    assert_ptr_equal(strrchr(text, '\n'), text + strlen(text) - 1);
    assert_non_null(strstr(text, "\\x1b[2Jx\\x0ay"));
    free(text);
}

static void no_items_print_nothing(void **state)
{
    (void)state;
    check("[]", "");
}

static void cells_have_human_units(void **state)
{
    (void)state;
    static const struct {
        gp_cli_cell_t cell;
        const char *value;
        const char *text;
    } cells[] = {
        {GP_CELL_TEXT, "null", "-"},
        {GP_CELL_TEXT, "\"\"", "-"},
        {GP_CELL_TEXT, "true", "yes"},
        {GP_CELL_TEXT, "false", "no"},
        {GP_CELL_TEXT, "42", "42"},
        {GP_CELL_TEXT, "-1", "-1"},
        {GP_CELL_TEXT, "1.5", "1.5"},
        {GP_CELL_TEXT, "[1,\"a\",[2]]", "1, a, ..."},
        {GP_CELL_TEXT, "{\"loss\":3}", "loss 3"},
        {GP_CELL_TEXT, "[]", "-"},
        {GP_CELL_BYTES, "0", "0 B"},
        {GP_CELL_BYTES, "1536", "1.5 KiB"},
        {GP_CELL_BYTES, "9223372036854775807", "8.0 EiB"},
        {GP_CELL_AGE_MS, "0", "0 ms"},
        {GP_CELL_AGE_MS, "999", "999 ms"},
        {GP_CELL_AGE_MS, "59999", "59 s"},
        {GP_CELL_AGE_MS, "90000", "1 min 30 s"},
        {GP_CELL_AGE_MS, "3600000", "1 h"},
        {GP_CELL_AGE_MS, "90061000", "1 d 1 h"},
        {GP_CELL_SPAN_US, "420", "0.42 ms"},
        {GP_CELL_SPAN_US, "2500000", "2 s"},
        {GP_CELL_SHARE, "0.125", "12.5 %"},
        {GP_CELL_HERTZ, "2400000000", "2.40 GHz"},
        {GP_CELL_BITRATE, "1000000000", "1.00 Gbit/s"},
        {GP_CELL_BITRATE, "10", "10 bit/s"},
        {GP_CELL_SHORT, "\"abcdefghijkl\"", "abcdefgh"},
        {GP_CELL_SHORT, "\"abc\"", "abc"},
    };
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        char text[64];
        json_t *value = json_loads(cells[i].value, JSON_DECODE_ANY, NULL);
        gp_cli_cell_text(cells[i].cell, value, text, sizeof text);
        assert_string_equal(text, cells[i].text);
        json_decref(value);
    }
}

static void long_values_are_cut(void **state)
{
    (void)state;
    char text[32];
    char large[200];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    json_t *value = json_pack("[s, s, s]", large, large, large);
    gp_cli_cell_text(GP_CELL_TEXT, value, text, sizeof text);
    assert_true(strlen(text) < sizeof text);
    gp_cli_cell_text(GP_CELL_TEXT, json_array_get(value, 0), text, sizeof text);
    assert_true(strlen(text) < sizeof text);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(wide_letters_are_counted_as_wide),
        cmocka_unit_test(hostile_text_cannot_move_the_cursor),
        cmocka_unit_test(no_items_print_nothing),
        cmocka_unit_test(cells_have_human_units),
        cmocka_unit_test(long_values_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
