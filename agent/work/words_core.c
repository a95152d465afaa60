/*
 * Commands packed into bounded memory, and the short texts of reasons.
 *
 * Packed: where, rank, number of args, args, number of env, env; each text as a 16-bit length and
 * its bytes. It never leaves the machine, so the byte order is the machine's.
 */
#include "agent/work/work_state.h"
#include "proto/text.h"

/* What may stand in a TEXT field: a character that somebody cut in two goes; other bytes, all. */
static gp_slice_t valid(gp_slice_t text)
{
    for (uint32_t cut = 0; cut <= 3 && cut <= text.n; cut++) {
        gp_slice_t shorter = {.p = text.p, .n = text.n - cut};

        if (gp_text_valid(shorter)) {
            return shorter;
        }
    }
    return gp_slice(NULL, 0);
}

/* At most `most` bytes of it, cut before a character. */
static gp_slice_t shortened(gp_slice_t text, uint32_t most)
{
    text.n = text.n < most ? text.n : most;
    return valid(text);
}

void gp_work_name_set(work_name_t *name, gp_slice_t from)
{
    gp_slice_t text = shortened(from, GP_NAME_MAX);

    name->n = (uint8_t)text.n;
    if (text.n > 0) {
        memcpy(name->b, text.p, text.n);
    }
}

void gp_work_text_set(work_text_t *text, gp_slice_t from)
{
    text->n = 0;
    gp_work_text_add(text, from);
}

void gp_work_text_add(work_text_t *text, gp_slice_t from)
{
    gp_slice_t more = shortened(from, (uint32_t)(GP_REASON_TEXT_MAX - text->n));

    if (more.n > 0) {
        memcpy(text->b + text->n, more.p, more.n);
    }
    text->n = (uint16_t)(text->n + more.n);
    assert(text->n <= GP_REASON_TEXT_MAX);
}

void gp_work_text_number(work_text_t *text, uint64_t number)
{
    uint8_t digits[20];
    uint32_t at = sizeof digits;

    do {
        digits[--at] = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    gp_work_text_add(text, gp_slice(digits + at, sizeof digits - at));
}

gp_slice_t gp_work_name_slice(const work_name_t *name)
{
    return gp_slice(name->b, name->n);
}

gp_slice_t gp_work_text_slice(const work_text_t *text)
{
    return gp_slice(text->b, text->n);
}

typedef struct packing {
    uint8_t *to;
    uint32_t size;
    uint32_t used;
    bool over;
} packing_t;

static void pack_number(packing_t *packing, uint32_t number)
{
    uint16_t n = (uint16_t)number;

    assert(number <= UINT16_MAX);
    if (packing->over || packing->size - packing->used < sizeof n) {
        packing->over = true;
        return;
    }
    memcpy(packing->to + packing->used, &n, sizeof n);
    packing->used += (uint32_t)sizeof n;
}

static void pack_text(packing_t *packing, gp_slice_t text)
{
    pack_number(packing, text.n);
    if (packing->over || packing->size - packing->used < text.n) {
        packing->over = true;
        return;
    }
    if (text.n > 0) {
        memcpy(packing->to + packing->used, text.p, text.n);
    }
    packing->used += text.n;
}

static uint64_t words_bytes(const gp_record_word_t *words, uint32_t count)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < count; i++) {
        n += words[i].text.n;
    }
    return n;
}

static bool words_valid(const gp_record_word_t *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!gp_text_valid(words[i].text)) {
            return false;
        }
    }
    return true;
}

gp_error_t gp_work_words_pack(const work_words_t *words, uint8_t *to, uint32_t size,
                              uint32_t *ret_used)
{
    packing_t packing = {.to = to, .size = size};

    assert(words->args_count <= GP_ARGS_MAX && words->env_count <= GP_ARGS_MAX);
    if (words_bytes(words->args, words->args_count) > GP_ARGS_BYTES_MAX ||
        words_bytes(words->env, words->env_count) > GP_ENV_BYTES_MAX ||
        words->where.n > GP_QUERY_MAX || words->rank.n > GP_QUERY_MAX) {
        return GP_E_RUN_LIMIT;
    }
    if (!gp_text_valid(words->where) || !gp_text_valid(words->rank) ||
        !words_valid(words->args, words->args_count) ||
        !words_valid(words->env, words->env_count)) {
        return GP_E_MESSAGE_DECODE;
    }
    pack_text(&packing, words->where);
    pack_text(&packing, words->rank);
    pack_number(&packing, words->args_count);
    for (uint32_t i = 0; i < words->args_count; i++) {
        pack_text(&packing, words->args[i].text);
    }
    pack_number(&packing, words->env_count);
    for (uint32_t i = 0; i < words->env_count; i++) {
        pack_text(&packing, words->env[i].text);
    }
    if (packing.over) {
        return GP_E_RUN_LIMIT;
    }
    *ret_used = packing.used;
    return GP_OK;
}

static uint32_t unpack_number(gp_slice_t *bytes)
{
    uint16_t n;

    assert(bytes->n >= sizeof n);
    memcpy(&n, bytes->p, sizeof n);
    bytes->p += sizeof n;
    bytes->n -= (uint32_t)sizeof n;
    return n;
}

static gp_slice_t unpack_text(gp_slice_t *bytes)
{
    uint32_t n = unpack_number(bytes);
    gp_slice_t text = {.p = bytes->p, .n = n};

    assert(bytes->n >= n);
    bytes->p += n;
    bytes->n -= n;
    return text;
}

static uint32_t unpack_list(gp_slice_t *bytes, gp_record_word_t *words)
{
    uint32_t count = unpack_number(bytes);

    assert(count <= GP_ARGS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        words[i].text = unpack_text(bytes);
    }
    return count;
}

void gp_work_words_unpack(gp_slice_t bytes, work_words_t *ret_words, gp_record_word_t *args,
                          gp_record_word_t *env)
{
    ret_words->where = unpack_text(&bytes);
    ret_words->rank = unpack_text(&bytes);
    ret_words->args = args;
    ret_words->args_count = unpack_list(&bytes, args);
    ret_words->env = env;
    ret_words->env_count = unpack_list(&bytes, env);
    assert(bytes.n == 0);
}
