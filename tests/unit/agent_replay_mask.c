/* Messages as recordings keep them: nothing that is secret, and all that a core decides by. */
#include "agent/replay/mask.h"

#include "proto/message_table.h"
#include "tests/unit/proto_cmocka.h"

static gp_msg_t msg, scratch, back;
static uint8_t bytes[GP_MESSAGE_MAX];

static bool holds(size_t n, const char *text)
{
    return memmem(bytes, n, text, strlen(text)) != NULL;
}

/* Packs msg and reads it back; returns the bytes it has. */
static size_t pass(void)
{
    gp_put_t put = {.to = bytes, .size = sizeof bytes};
    assert_true(gp_mask_put(&msg, &scratch, &put));
    gp_get_t get = {.from = gp_slice(bytes, put.used)};
    assert_int_equal(gp_mask_get(&get, &back), GP_OK);
    assert_int_equal(get.used, put.used);
    assert_int_equal(back.kind, msg.kind);
    return put.used;
}

static void fill_run(void)
{
    msg = (gp_msg_t){.kind = GP_MSG_WORK_RUN};
    gp_msg_work_run_t *run = &msg.u.work_run;
    run->name = gp_text("job");
    run->where = gp_text("cpu >= 2");
    run->args_count = 3;
    run->args[0].text = gp_text("/bin/hush-program");
    run->args[1].text = gp_text("");
    run->args[2].text = gp_text("--password=hush-word");
    run->env_count = 1;
    run->env[0].text = gp_text("TOKEN=hush-env");
}

static void test_of_a_command_only_lengths_are_kept(void **state)
{
    (void)state;
    fill_run();
    size_t n = pass();
    assert_false(holds(n, "hush"));
    const gp_msg_work_run_t *run = &back.u.work_run;
    assert_true(gp_slice_equal(run->where, gp_text("cpu >= 2")));
    assert_true(gp_slice_equal(run->name, gp_text("job")));
    assert_int_equal(run->args_count, 3);
    assert_int_equal(run->env_count, 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(run->args[i].text.n, msg.u.work_run.args[i].text.n);
    }
    assert_int_equal(run->env[0].text.n, msg.u.work_run.env[0].text.n);
    assert_memory_equal(msg.u.work_run.args[2].text.p, "--password=hush-word", 20); /* as it was */
}

/* Whatever kinds are added to the table of work: their words and raw bytes are secret. */
static void test_no_kind_of_work_is_forgotten(void **state)
{
    (void)state;
    unsigned looked = 0;
    for (uint32_t code = 0; code < 512; code++) {
        const gp_msg_table_t *table = gp_msg_table(code);
        if (table == NULL || table->room != GP_ROOM_WORK) {
            continue;
        }
        msg = (gp_msg_t){.kind = table->kind};
        uint8_t *base = (uint8_t *)&msg.u;
        for (uint32_t i = 0; i < table->field_count; i++) {
            const gp_field_t *field = &table->fields[i];
            uint32_t one = 1;
            bool words = field->type == GP_FIELD_LIST && field->record == GP_RECORD_KIND_word;
            if (words || field->type == GP_FIELD_BLOB) {
                gp_slice_t secret = gp_text("hush");
                memcpy(base + field->offset, &secret, sizeof secret);
                looked++;
            }
            if (words) {
                memcpy(base + field->count_offset, &one, sizeof one);
            }
        }
        if (holds(pass(), "hush")) {
            fail_msg("%s shows a secret", table->name);
        }
    }
    assert_in_range(looked, 9, 100);
}

static void test_output_is_not_kept(void **state)
{
    (void)state;
    static uint8_t output[GP_OUTPUT_CHUNK_MAX];
    memset(output, 'h', sizeof output);
    msg = (gp_msg_t){.kind = GP_MSG_WORK_OUTPUT};
    msg.u.work_output.stream = 1;
    msg.u.work_output.bytes = gp_slice(output, sizeof output);
    size_t n = pass();
    assert_in_range(n, 1, 100);
    assert_int_equal(back.u.work_output.bytes.n, sizeof output);
    assert_int_equal(back.u.work_output.bytes.p[0], 'x');
}

static void test_letters_of_joining_are_refused(void **state)
{
    (void)state;
    static const gp_msg_kind_t kinds[] = {GP_MSG_JOIN_ASK, GP_MSG_JOIN_OK, GP_MSG_JOIN_NO,
                                          GP_MSG_CERT_RENEW, GP_MSG_CERT_RENEWED};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        msg = (gp_msg_t){.kind = kinds[i]};
        gp_put_t put = {.to = bytes, .size = sizeof bytes};
        assert_false(gp_mask_put(&msg, &scratch, &put));
        assert_int_equal(put.used, 0);
    }
}

/* A vote's frame is what a mandate is made of; a claim's would show its command. */
static void test_frames_are_kept_as_evidence_only(void **state)
{
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_VOTE, .sent_ms = 77, .signed_bytes = gp_text("hush-frame")};
    assert_true(holds(pass(), "hush-frame"));
    assert_true(gp_slice_equal(back.signed_bytes, msg.signed_bytes));
    assert_int_equal(back.sent_ms, 77);
    msg = (gp_msg_t){.kind = GP_MSG_HANDOVER, .signed_bytes = gp_text("hush-frame")};
    assert_true(holds(pass(), "hush-frame"));
    msg = (gp_msg_t){.kind = GP_MSG_CLAIM, .signed_bytes = gp_text("hush-frame")};
    assert_false(holds(pass(), "hush-frame"));
    assert_int_equal(back.signed_bytes.n, 0);
}

static void test_what_is_cut_or_changed_is_refused(void **state)
{
    (void)state;
    fill_run();
    size_t n = pass();
    for (size_t i = 0; i < n; i++) {
        gp_get_t get = {.from = gp_slice(bytes, i)};
        assert_int_equal(gp_mask_get(&get, &back), GP_E_REPLAY_DAMAGED);
    }
    /* A length of the environment without an end. */
    gp_put_t put = {.to = bytes, .size = sizeof bytes, .used = n - 1};
    gp_put_raw(&put, "\xff", 1);
    gp_get_t get = {.from = gp_slice(bytes, n)};
    assert_int_equal(gp_mask_get(&get, &back), GP_E_REPLAY_DAMAGED);
    put = (gp_put_t){.to = bytes, .size = sizeof bytes};
    gp_put_number(&put, 511); /* no such kind */
    gp_put_raw(&put, "\0\0\0\0\0\0", 6);
    get = (gp_get_t){.from = gp_slice(bytes, put.used)};
    assert_int_equal(gp_mask_get(&get, &back), GP_E_REPLAY_DAMAGED);
}

static void test_what_does_not_fit_leaves_no_trace(void **state)
{
    (void)state;
    fill_run();
    size_t n = pass();
    for (size_t size = 0; size < n; size++) {
        gp_put_t put = {.to = bytes, .size = size};
        assert_false(gp_mask_put(&msg, &scratch, &put));
        assert_int_equal(put.used, 0);
    }
}

static void test_the_fingerprint_is_the_same_each_time(void **state)
{
    (void)state;
    assert_true(gp_mask_fingerprint() == gp_mask_fingerprint());
    assert_true(gp_mask_fingerprint() != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_command_only_lengths_are_kept),
        cmocka_unit_test(test_no_kind_of_work_is_forgotten),
        cmocka_unit_test(test_output_is_not_kept),
        cmocka_unit_test(test_letters_of_joining_are_refused),
        cmocka_unit_test(test_frames_are_kept_as_evidence_only),
        cmocka_unit_test(test_what_is_cut_or_changed_is_refused),
        cmocka_unit_test(test_what_does_not_fit_leaves_no_trace),
        cmocka_unit_test(test_the_fingerprint_is_the_same_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
