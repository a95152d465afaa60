/* A job's words in the work core's memory: what was packed is unpacked the same. */
#include "agent/work/work_state.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"

#define LONGEST 4096

static gp_record_word_t args[GP_ARGS_MAX];
static gp_record_word_t env[GP_ARGS_MAX];
static gp_record_word_t args_back[GP_ARGS_MAX];
static gp_record_word_t env_back[GP_ARGS_MAX];
static uint8_t packed[LONGEST];

static uint32_t list(fuzz_bytes_t *bytes, gp_record_word_t *words)
{
    uint32_t count = fuzz_u8(bytes) % (GP_ARGS_MAX + 1);
    for (uint32_t i = 0; i < count; i++) {
        words[i].text = fuzz_slice(bytes, fuzz_u8(bytes));
    }
    return count;
}

static void check_list(const gp_record_word_t *a, const gp_record_word_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        FUZZ_CHECK(gp_slice_equal(a[i].text, b[i].text));
    }
}

/* Short texts are cut where a character ends. */
static void check_texts(gp_slice_t bytes)
{
    work_name_t name;
    work_text_t text;
    gp_work_name_set(&name, bytes);
    gp_work_text_set(&text, bytes);
    gp_work_text_number(&text, bytes.n);
    gp_work_text_add(&text, bytes);
    FUZZ_CHECK(gp_text_valid(gp_work_name_slice(&name)));
    FUZZ_CHECK(gp_text_valid(gp_work_text_slice(&text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes_t bytes = {.p = data, .n = size};
    size_t room = fuzz_number(&bytes, 2) % (LONGEST + 1);
    work_words_t words = {.args = args, .env = env};
    work_words_t back;
    uint32_t used = 0;
    check_texts(gp_slice(bytes.p, bytes.n));
    words.where = fuzz_slice(&bytes, fuzz_u8(&bytes) * 8U);
    words.rank = fuzz_slice(&bytes, fuzz_u8(&bytes));
    words.args_count = list(&bytes, args);
    words.env_count = list(&bytes, env);
    if (gp_work_words_pack(&words, packed, (uint32_t)room, &used) != GP_OK) {
        return 0;
    }
    FUZZ_CHECK(used <= room);
    gp_work_words_unpack(gp_slice(packed, used), &back, args_back, env_back);
    FUZZ_CHECK(gp_slice_equal(words.where, back.where) && gp_slice_equal(words.rank, back.rank));
    FUZZ_CHECK(words.args_count == back.args_count && words.env_count == back.env_count);
    check_list(args, args_back, words.args_count);
    check_list(env, env_back, words.env_count);
    return 0;
}
