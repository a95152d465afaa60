#include "agent/replay/bytes.h"

void gp_put_raw(gp_put_t *put, const void *bytes, size_t n)
{
    if (put->over || n > put->size - put->used) {
        put->over = true;
        return;
    }
    if (n > 0) {
        memcpy(put->to + put->used, bytes, n);
        put->used += n;
    }
}

void gp_put_number(gp_put_t *put, uint64_t number)
{
    uint8_t bytes[10];
    size_t n = 0;
    do {
        bytes[n++] = (uint8_t)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        number >>= 7;
    } while (number > 0);
    gp_put_raw(put, bytes, n);
}

void gp_put_text(gp_put_t *put, gp_slice_t text)
{
    gp_put_number(put, text.n);
    gp_put_raw(put, text.p, text.n);
}

gp_slice_t gp_get_raw(gp_get_t *get, size_t n)
{
    if (get->over || n > get->from.n - get->used) {
        get->over = true;
        return (gp_slice_t){0};
    }
    gp_slice_t raw = gp_slice(get->from.p + get->used, n);
    get->used += (uint32_t)n;
    return raw;
}

uint64_t gp_get_number(gp_get_t *get)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        gp_slice_t byte = gp_get_raw(get, 1);
        if (byte.n == 0) {
            return 0;
        }
        number |= (uint64_t)(byte.p[0] & 0x7f) << shift;
        if ((byte.p[0] & 0x80) == 0) {
            return number;
        }
    }
    get->over = true;
    return 0;
}

gp_slice_t gp_get_text(gp_get_t *get)
{
    uint64_t n = gp_get_number(get);
    return gp_get_raw(get, n > UINT32_MAX ? UINT32_MAX : (size_t)n);
}

gp_id_t gp_get_id(gp_get_t *get)
{
    gp_id_t id = {0};
    gp_slice_t raw = gp_get_raw(get, sizeof id.b);
    if (raw.n == sizeof id.b) {
        memcpy(id.b, raw.p, sizeof id.b);
    }
    return id;
}

void gp_bytes_put32(uint8_t to[4], uint32_t number)
{
    for (unsigned i = 0; i < 4; i++) {
        to[i] = (uint8_t)(number >> (8 * i));
    }
}

void gp_bytes_put64(uint8_t to[8], uint64_t number)
{
    gp_bytes_put32(to, (uint32_t)number);
    gp_bytes_put32(to + 4, (uint32_t)(number >> 32));
}

uint32_t gp_bytes_get32(const uint8_t from[4])
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

uint64_t gp_bytes_get64(const uint8_t from[8])
{
    return gp_bytes_get32(from) | (uint64_t)gp_bytes_get32(from + 4) << 32;
}
