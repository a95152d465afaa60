#include "tests/unit/heap.h"

#include <assert.h>
#include <string.h>

#define EVENT_MAX 256

static bool is_before(const void *a, const void *b)
{
    heap_key_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x.at != y.at ? x.at < y.at : x.order < y.order;
}

void heap_push(void *events, uint32_t *count, size_t size, const void *event)
{
    uint8_t *v = events;
    uint32_t i = (*count)++;
    while (i > 0 && is_before(event, v + (i - 1) / 2 * size)) {
        memcpy(v + i * size, v + (i - 1) / 2 * size, size);
        i = (i - 1) / 2;
    }
    memcpy(v + i * size, event, size);
}

void heap_pop(void *events, uint32_t *count, size_t size, void *ret_event)
{
    uint8_t *v = events;
    uint8_t last[EVENT_MAX];
    uint32_t i = 0;
    assert(*count > 0 && size <= sizeof last);
    memcpy(ret_event, v, size);
    memcpy(last, v + --*count * size, size);
    for (uint32_t child = 1; child < *count; child = 2 * i + 1) {
        if (child + 1 < *count && is_before(v + (child + 1) * size, v + child * size)) {
            child++;
        }
        if (!is_before(v + child * size, last)) {
            break;
        }
        memcpy(v + i * size, v + child * size, size);
        i = child;
    }
    memcpy(v + i * size, last, size);
}
