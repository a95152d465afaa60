#include "proto/text.h"

#define GP_BASE32 "abcdefghijklmnopqrstuvwxyz234567"

/* Base32 of n bytes, five bits a character, the last one filled with zero bits; terminated. */
static void base32_text(const uint8_t *bytes, size_t n, char *text)
{
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < n; i++) {
        bits = (bits << 8 | bytes[i]) & 0xfff;
        held += 8;
        while (held >= 5) {
            held -= 5;
            *text++ = GP_BASE32[bits >> held & 31];
        }
    }
    if (held > 0) {
        *text++ = GP_BASE32[bits << (5 - held) & 31];
    }
    *text = '\0';
}

void gp_id_text(const gp_id_t *id, char ret_text[GP_ID_TEXT])
{
    base32_text(id->b, sizeof id->b, ret_text);
}

void gp_id_short(const gp_id_t *id, char ret_text[GP_ID_SHORT_TEXT])
{
    static_assert(GP_ID_SHORT_TEXT == 9, "eight characters are the first five bytes");
    base32_text(id->b, 5, ret_text);
}

void gp_grid_id_text(const gp_grid_id_t *id, char ret_text[GP_GRID_ID_TEXT])
{
    base32_text(id->b, sizeof id->b, ret_text);
}

static int base32_value(char c)
{
    if (c >= 'a' && c <= 'z') {
        return c - 'a';
    }
    if (c >= '2' && c <= '7') {
        return c - '2' + 26;
    }
    return -1;
}

/* Exactly `size` bytes, whose text ends there; the bits left over are zero: one text for each. */
static bool base32_parse(const char *text, uint8_t *to, size_t size)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;

    if (strlen(text) != (size * 8 + 4) / 5) {
        return false;
    }
    for (; *text != '\0'; text++) {
        int value = base32_value(*text);
        if (value < 0) {
            return false;
        }
        bits = (bits << 5 | (uint32_t)value) & 0xfff;
        held += 5;
        if (held >= 8) {
            held -= 8;
            assert(n < size);
            to[n++] = (uint8_t)(bits >> held);
        }
    }
    return (bits & ((1U << held) - 1)) == 0;
}

gp_error_t gp_id_parse(const char *text, gp_id_t *ret_id)
{
    gp_id_t id;
    if (!base32_parse(text, id.b, sizeof id.b)) {
        return GP_E_NODE_UNKNOWN;
    }
    *ret_id = id;
    return GP_OK;
}

#define GROUP_BYTES 7

void gp_group_text(uint64_t group, char ret_text[GP_GROUP_TEXT])
{
    uint8_t bytes[GROUP_BYTES];
    for (unsigned i = 0; i < GROUP_BYTES; i++) {
        bytes[i] = (uint8_t)(group >> 8 * (GROUP_BYTES - 1 - i));
    }
    base32_text(bytes, sizeof bytes, ret_text);
}

gp_error_t gp_group_parse(const char *text, uint64_t *ret_group)
{
    uint8_t bytes[GROUP_BYTES];
    if (!base32_parse(text, bytes, sizeof bytes)) {
        return GP_E_NODE_UNKNOWN;
    }
    *ret_group = 0;
    for (unsigned i = 0; i < GROUP_BYTES; i++) {
        *ret_group = *ret_group << 8 | bytes[i];
    }
    return GP_OK;
}

gp_error_t gp_grid_id_parse(const char *text, gp_grid_id_t *ret_id)
{
    gp_grid_id_t id;
    if (!base32_parse(text, id.b, sizeof id.b)) {
        return GP_E_MESSAGE_GRID;
    }
    *ret_id = id;
    return GP_OK;
}

/* The length of the UTF-8 sequence at p, or 0: overlong forms, surrogates, NUL, cut ends. */
static uint32_t utf8_length(const uint8_t *p, uint32_t left)
{
    if (p[0] < 0x80) {
        return p[0] != 0 ? 1 : 0;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    }
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        uint8_t low = p[0] == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = p[0] == 0xed ? 0x9f : 0xbf;
        bool ok = left >= 3 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80;
        return ok ? 3 : 0;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        uint8_t low = p[0] == 0xf0 ? 0x90 : 0x80;
        uint8_t high = p[0] == 0xf4 ? 0x8f : 0xbf;
        bool ok = left >= 4 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 &&
                  (p[3] & 0xc0) == 0x80;
        return ok ? 4 : 0;
    }
    return 0;
}

bool gp_text_valid(gp_slice_t text)
{
    uint32_t i = 0;

    while (i < text.n) {
        uint32_t n = utf8_length(text.p + i, text.n - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

gp_error_t gp_name_check(gp_slice_t name)
{
    if (name.n < 1 || name.n > GP_NAME_MAX) {
        return GP_E_NAME;
    }
    for (uint32_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (i == 0 || (c != '-' && c != '.'))) {
            return GP_E_NAME;
        }
    }
    return GP_OK;
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* A decimal number without leading zeros, at most max. */
static bool is_decimal(gp_slice_t text, uint32_t max, uint32_t *ret)
{
    uint32_t number = 0;

    if (text.n < 1 || text.n > 5 || (text.p[0] == '0' && text.n > 1)) {
        return false;
    }
    for (uint32_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        number = number * 10 + (uint32_t)(text.p[i] - '0');
    }
    *ret = number;
    return number <= max;
}

/* How many bytes come before the first `c`; all if there is none. */
static uint32_t until(gp_slice_t text, char c)
{
    uint32_t n = 0;

    while (n < text.n && text.p[n] != (uint8_t)c) {
        n++;
    }
    return n;
}

static gp_slice_t after(gp_slice_t text, uint32_t n)
{
    assert(n <= text.n);
    return (gp_slice_t){.p = text.p + n, .n = text.n - n};
}

static bool is_ipv4(gp_slice_t text)
{
    uint32_t octet;

    for (int i = 0; i < 3; i++) {
        uint32_t n = until(text, '.');
        if (n == text.n || !is_decimal((gp_slice_t){.p = text.p, .n = n}, 255, &octet)) {
            return false;
        }
        text = after(text, n + 1);
    }
    return is_decimal(text, 255, &octet);
}

static bool is_hex(gp_slice_t text)
{
    for (uint32_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return text.n >= 1 && text.n <= 4;
}

/*
 * Groups of hex digits between colons; *ret_groups counts them, an IPv4 tail as two. An empty text
 * has none: it is one side of "::".
 */
static bool are_groups(gp_slice_t text, bool tail_allowed, uint32_t *ret_groups)
{
    *ret_groups = 0;
    if (text.n == 0) {
        return true;
    }
    for (;;) {
        uint32_t n = until(text, ':');
        gp_slice_t group = {.p = text.p, .n = n};
        if (n == text.n && tail_allowed && is_ipv4(group)) {
            *ret_groups += 2;
            return true;
        }
        if (!is_hex(group)) {
            return false;
        }
        *ret_groups += 1;
        if (n == text.n) {
            return true;
        }
        text = after(text, n + 1);
    }
}

/* RFC 4291, section 2.2, without zones. */
static bool is_ipv6(gp_slice_t text)
{
    uint32_t before;
    uint32_t behind;

    for (uint32_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] == ':' && text.p[i + 1] == ':') {
            return are_groups((gp_slice_t){.p = text.p, .n = i}, false, &before) &&
                   are_groups(after(text, i + 2), true, &behind) && before + behind <= 7;
        }
    }
    return are_groups(text, true, &before) && before == 8;
}

gp_error_t gp_address_check(gp_slice_t address, bool any_port)
{
    static const char scheme[] = "tcp://";
    uint32_t port_at;
    uint32_t port;
    gp_slice_t host;

    if (address.n > GP_ADDRESS_MAX || address.n <= sizeof scheme - 1 ||
        memcmp(address.p, scheme, sizeof scheme - 1) != 0) {
        return GP_E_ADDRESS;
    }
    host = after(address, sizeof scheme - 1);
    port_at = host.n;
    while (port_at > 0 && host.p[port_at - 1] != ':') {
        port_at--;
    }
    if (port_at < 2 || !is_decimal(after(host, port_at), 65535, &port) ||
        (port == 0 && !any_port)) {
        return GP_E_ADDRESS;
    }
    host.n = port_at - 1;
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        return is_ipv6((gp_slice_t){.p = host.p + 1, .n = host.n - 2}) ? GP_OK : GP_E_ADDRESS;
    }
    return gp_slice_equal(host, gp_text("*")) || is_ipv4(host) ? GP_OK : GP_E_ADDRESS;
}

/* ---- copies ---------------------------------------------------------------------------------- */

bool gp_text_copy(char *to, size_t size, gp_slice_t from)
{
    size_t n = from.n;

    assert(size > 0);
    if (n >= size) {
        n = size - 1;
        while (n > 0 && (from.p[n] & 0xc0) == 0x80) {
            n--; /* not through the middle of a character */
        }
    }
    if (n > 0) {
        memcpy(to, from.p, n);
    }
    to[n] = '\0';
    return n == from.n;
}

/* Would a terminal act on it? C0 and C1 control characters and DEL. */
static bool is_control(const uint8_t *p, uint32_t length)
{
    return (length == 1 && (p[0] < 0x20 || p[0] == 0x7f)) ||
           (length == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

bool gp_text_escape(char *to, size_t size, gp_slice_t from)
{
    static const char hex[] = "0123456789abcdef";
    size_t used = 0;
    uint32_t i = 0;

    assert(size > 0);
    while (i < from.n) {
        uint32_t length = utf8_length(from.p + i, from.n - i);
        bool plain = length > 0 && !is_control(from.p + i, length);
        size_t n = plain ? length : 4;

        if (used + n >= size) {
            break;
        }
        if (plain) {
            memcpy(to + used, from.p + i, n);
        } else {
            to[used] = '\\';
            to[used + 1] = 'x';
            to[used + 2] = hex[from.p[i] >> 4];
            to[used + 3] = hex[from.p[i] & 15];
        }
        used += n;
        i += plain ? length : 1;
    }
    to[used] = '\0';
    return i == from.n;
}

gp_error_t gp_duration_parse(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t number = 0;
    size_t i = 0;

    for (; text[i] >= '0' && text[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return GP_E_USAGE;
        }
        number = number * 10 + digit;
    }
    for (size_t k = 0; i > 0 && k < sizeof units / sizeof units[0]; k++) {
        if (strcmp(text + i, units[k].unit) == 0 && number <= UINT64_MAX / units[k].ms) {
            *ret_ms = number * units[k].ms;
            return GP_OK;
        }
    }
    return GP_E_USAGE;
}

const char *gp_text_quote(const char *text, char *to, size_t size)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "/._-+,@:";
    assert(size >= 4);
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        (void)gp_text_copy(to, size, gp_text(text));
        return to;
    }
    size_t used = 0;
    to[used++] = '\'';
    for (const char *at = text; *at != '\0' && used + 6 < size; at++) {
        if (*at == '\'') {
            memcpy(to + used, "'\\''", 4);
            used += 4;
        } else {
            to[used++] = *at;
        }
    }
    to[used++] = '\'';
    to[used] = '\0';
    return to;
}
