#include "discovery/lexer.h"

#include "proto/text.h"

static bool is_word_byte(uint8_t c)
{
    static const char others[] = "._+-:/%*?@#$";
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        return true;
    }
    for (size_t i = 0; i + 1 < sizeof others; i++) {
        if (c == (uint8_t)others[i]) {
            return true;
        }
    }
    return false;
}

bool gp_lexer_failed(const gp_lexer_t *lexer)
{
    return lexer->error->error != GP_OK;
}

gp_sentence_t *gp_lexer_fail(gp_lexer_t *lexer, gp_error_t error, uint32_t at)
{
    assert(error != GP_OK && at <= lexer->text.n);
    if (gp_lexer_failed(lexer)) {
        return NULL;
    }
    lexer->error->error = error;
    lexer->error->column = at + 1;
    lexer->token = (gp_token_t){.type = GP_TOKEN_END};
    lexer->next = lexer->text.n;
    return &lexer->why;
}

void gp_lexer_fail_text(gp_lexer_t *lexer, gp_error_t error, uint32_t at, const char *text)
{
    gp_sentence_t *why = gp_lexer_fail(lexer, error, at);
    if (why != NULL) {
        gp_sentence_add(why, text);
    }
}

gp_slice_t gp_lexer_span(const gp_lexer_t *lexer, gp_span_t span)
{
    assert((uint32_t)span.at + span.n <= lexer->text.n);
    return gp_slice(lexer->text.p + span.at, span.n);
}

gp_slice_t gp_lexer_word(const gp_lexer_t *lexer)
{
    return gp_lexer_span(lexer, lexer->token.text);
}

bool gp_lexer_is(gp_slice_t slice, const char *word)
{
    uint32_t i = 0;
    while (i < slice.n && word[i] != '\0') {
        uint8_t c = slice.p[i];
        c = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
        if (c != (uint8_t)word[i]) {
            return false;
        }
        i += 1;
    }
    return i == slice.n && word[i] == '\0';
}

static gp_token_type_t keyword(gp_slice_t word)
{
    static const struct {
        const char *text;
        gp_token_type_t type;
    } keywords[] = {{"and", GP_TOKEN_AND}, {"or", GP_TOKEN_OR},   {"not", GP_TOKEN_NOT},
                    {"in", GP_TOKEN_IN},   {"has", GP_TOKEN_HAS}, {"like", GP_TOKEN_LIKE},
                    {"is", GP_TOKEN_IS}};
    for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++) {
        if (gp_lexer_is(word, keywords[i].text)) {
            return keywords[i].type;
        }
    }
    return GP_TOKEN_WORD;
}

static void take(gp_lexer_t *lexer, gp_token_type_t type, uint32_t n)
{
    uint32_t at = lexer->next;
    lexer->token = (gp_token_t){.type = type,
                                .text = {.at = (uint16_t)at, .n = (uint16_t)n},
                                .at = (uint16_t)at,
                                .end = (uint16_t)(at + n)};
    lexer->next = at + n;
}

static void take_word(gp_lexer_t *lexer)
{
    uint32_t end = lexer->next;
    while (end < lexer->text.n && is_word_byte(lexer->text.p[end])) {
        if (lexer->text.p[end] == '.' && end + 1 < lexer->text.n && lexer->text.p[end + 1] == '.') {
            break; /* a range */
        }
        end += 1;
    }
    uint32_t n = end - lexer->next;
    assert(n > 0);
    take(lexer, keyword(gp_slice(lexer->text.p + lexer->next, n)), n);
}

static void take_string(gp_lexer_t *lexer, uint8_t quote)
{
    uint32_t from = lexer->next;
    uint32_t end = from + 1;
    while (end < lexer->text.n && lexer->text.p[end] != quote) {
        if (lexer->text.p[end] < 0x20 || lexer->text.p[end] == 0x7f) {
            gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, end, "a control character in a text");
            return;
        }
        end += 1;
    }
    if (end >= lexer->text.n) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, from, "this quote is never closed");
        return;
    }
    take(lexer, GP_TOKEN_STRING, end + 1 - from);
    lexer->token.text = (gp_span_t){.at = (uint16_t)(from + 1), .n = (uint16_t)(end - from - 1)};
}

static bool take_operator(gp_lexer_t *lexer)
{
    static const struct {
        char text[3];
        uint8_t n;
        gp_token_type_t type;
        gp_compare_t compare;
    } operators[] = {
        {"==", 2, GP_TOKEN_COMPARE, GP_COMPARE_EQ},
        {"!=", 2, GP_TOKEN_COMPARE, GP_COMPARE_NE},
        {"<=", 2, GP_TOKEN_COMPARE, GP_COMPARE_LE},
        {">=", 2, GP_TOKEN_COMPARE, GP_COMPARE_GE},
        {"~=", 2, GP_TOKEN_COMPARE, GP_COMPARE_COMPATIBLE},
        {"&&", 2, GP_TOKEN_AND, 0},
        {"||", 2, GP_TOKEN_OR, 0},
        {"..", 2, GP_TOKEN_DOTS, 0},
        {"=", 1, GP_TOKEN_COMPARE, GP_COMPARE_EQ},
        {"<", 1, GP_TOKEN_COMPARE, GP_COMPARE_LT},
        {">", 1, GP_TOKEN_COMPARE, GP_COMPARE_GT},
        {"!", 1, GP_TOKEN_NOT, 0},
        {",", 1, GP_TOKEN_COMMA, 0},
        {"(", 1, GP_TOKEN_OPEN, 0},
        {")", 1, GP_TOKEN_CLOSE, 0},
        {"{", 1, GP_TOKEN_OPEN_SET, 0},
        {"}", 1, GP_TOKEN_CLOSE_SET, 0},
    };
    uint32_t left = lexer->text.n - lexer->next;
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (operators[i].n <= left &&
            memcmp(lexer->text.p + lexer->next, operators[i].text, operators[i].n) == 0) {
            take(lexer, operators[i].type, operators[i].n);
            lexer->token.compare = operators[i].compare;
            return true;
        }
    }
    return false;
}

/* What other languages write, and what it is here. */
static bool fail_foreign(gp_lexer_t *lexer)
{
    static const struct {
        char text[3];
        const char *hint;
    } foreign[] = {{"=>", "write >= for at least"},
                   {"=<", "write <= for at most"},
                   {"<>", "write != for not equal"}};
    uint32_t left = lexer->text.n - lexer->next;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        if (left >= 2 && memcmp(lexer->text.p + lexer->next, foreign[i].text, 2) == 0) {
            gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, lexer->next, foreign[i].hint);
            return true;
        }
    }
    return false;
}

static void fail_byte(gp_lexer_t *lexer, uint8_t c)
{
    if (c == '&' || c == '|') {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, lexer->next,
                           c == '&' ? "write \"and\" or \"&&\"" : "write \"or\" or \"||\"");
        return;
    }
    uint32_t at = lexer->next;
    gp_sentence_t *why = gp_lexer_fail(lexer, GP_E_QUERY_SYNTAX, at);
    if (why != NULL) {
        gp_sentence_quote(why, gp_slice(lexer->text.p + at, 1));
        gp_sentence_add(why, " has no meaning here; put texts with special characters in quotes");
    }
}

void gp_lexer_advance(gp_lexer_t *lexer)
{
    lexer->last_end = lexer->token.end;
    if (gp_lexer_failed(lexer)) {
        return;
    }
    const uint8_t *p = lexer->text.p;
    while (lexer->next < lexer->text.n &&
           (p[lexer->next] == ' ' || p[lexer->next] == '\t' || p[lexer->next] == '\n')) {
        lexer->next += 1;
    }
    if (lexer->next >= lexer->text.n) {
        take(lexer, GP_TOKEN_END, 0);
        return;
    }
    uint8_t c = p[lexer->next];
    if (c == '"' || c == '\'') {
        take_string(lexer, c);
    } else if (fail_foreign(lexer) || take_operator(lexer)) {
        return;
    } else if (is_word_byte(c)) {
        take_word(lexer);
    } else {
        fail_byte(lexer, c);
    }
}

void gp_lexer_init(gp_lexer_t *lexer, gp_slice_t text, gp_query_error_t *error)
{
    *error = (gp_query_error_t){.error = GP_OK};
    *lexer = (gp_lexer_t){.text = text, .error = error};
    gp_sentence_init(&lexer->why, error->text, sizeof error->text);
    if (text.n > GP_QUERY_MAX) {
        lexer->error->error = GP_E_QUERY_LIMIT;
        gp_sentence_add(&lexer->why, "more than ");
        gp_sentence_number(&lexer->why, GP_QUERY_MAX);
        gp_sentence_add(&lexer->why, " bytes: write fewer conditions");
        return;
    }
    if (!gp_text_valid(text)) {
        uint32_t at = 0;
        while (gp_text_valid(gp_slice(text.p, at + 1))) {
            at += 1; /* may stop at the first byte of a whole character: that is before the fault */
        }
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, at, "bytes that are not UTF-8 text");
        return;
    }
    gp_lexer_advance(lexer);
}

void gp_lexer_fail_attribute(gp_lexer_t *lexer, gp_slice_t name, uint32_t at)
{
    gp_sentence_t *why = gp_lexer_fail(lexer, GP_E_QUERY_ATTRIBUTE, at);
    if (why == NULL) {
        return;
    }
    uint32_t near = gp_attribute_suggest(name);
    gp_sentence_add(why, "no attribute ");
    gp_sentence_quote(why, name);
    if (near != 0) {
        gp_sentence_add(why, ": did you mean ");
        gp_sentence_add(why, gp_attribute(near)->name);
        gp_sentence_add(why, "?");
    } else {
        gp_sentence_add(why, ": gridpeer find --attributes lists them");
    }
}

void gp_lexer_finish(gp_lexer_t *lexer)
{
    lexer->error->text_n = lexer->why.n;
}
