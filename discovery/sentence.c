#include "discovery/sentence.h"

#define QUOTED_MAX 40

static void add_byte(gp_sentence_t *s, char c)
{
    assert(s->size > 0 && s->n < s->size);
    if (s->n + 1 < s->size) {
        s->text[s->n] = c;
        s->n += 1;
        s->text[s->n] = '\0';
    }
}

void gp_sentence_init(gp_sentence_t *sentence, char *text, uint32_t size)
{
    assert(text != NULL && size > 0);
    *sentence = (gp_sentence_t){.text = text, .size = size};
    text[0] = '\0';
}

void gp_sentence_add(gp_sentence_t *sentence, const char *literal)
{
    assert(literal != NULL);
    for (const char *c = literal; *c != '\0'; c++) {
        add_byte(sentence, *c);
    }
}

void gp_sentence_slice(gp_sentence_t *sentence, gp_slice_t slice)
{
    for (uint32_t i = 0; i < slice.n; i++) {
        add_byte(sentence, (char)slice.p[i]);
    }
}

void gp_sentence_quote(gp_sentence_t *sentence, gp_slice_t typed)
{
    uint32_t shown = typed.n <= QUOTED_MAX ? typed.n : QUOTED_MAX - 3;
    add_byte(sentence, '"');
    for (uint32_t i = 0; i < shown; i++) {
        bool printable = typed.p[i] >= 0x20 && typed.p[i] < 0x7f;
        add_byte(sentence, printable ? (char)typed.p[i] : '?');
    }
    if (shown < typed.n) {
        gp_sentence_add(sentence, "...");
    }
    add_byte(sentence, '"');
}

void gp_sentence_number(gp_sentence_t *sentence, uint64_t number)
{
    char digits[20];
    uint32_t n = 0;
    do {
        assert(n < sizeof digits); /* 2^64 has as many */
        digits[n] = (char)('0' + number % 10);
        number /= 10;
        n += 1;
    } while (number > 0);
    while (n > 0) {
        n -= 1;
        add_byte(sentence, digits[n]);
    }
}
