/* The file of a recording: what is written is read, what is damaged is told, and the disk is full.
 */
#include "agent/replay/ring.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent_store_fixture.h"

#define SIZE GP_RING_BYTES_MIN

static char dir[128];
static gp_folder_t folder;
static gp_fail_t fail_text;
static uint8_t record[GP_RING_RECORD_MAX];

static int set_up(void **state)
{
    (void)state;
    test_dir_make(dir);
    folder = (gp_folder_t){.fd = open(dir, O_RDONLY | O_DIRECTORY), .path = dir};
    return folder.fd < 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)close(folder.fd);
    test_dir_remove(dir);
    return 0;
}

static gp_ring_t ring_new(void)
{
    gp_ring_t ring;
    assert_error(gp_ring_create(folder, "r", SIZE, &ring, &fail_text), GP_OK, &fail_text);
    return ring;
}

/* Record number i is n bytes that tell which it is. */
static void append(gp_ring_t *ring, uint64_t number, uint32_t n)
{
    memset(record, (int)(number % 251), n);
    memcpy(record, &number, sizeof number);
    assert_error(gp_ring_append(ring, gp_slice(record, n), &fail_text), GP_OK, &fail_text);
}

typedef struct read_back {
    uint64_t count;
    uint64_t tails;
    uint64_t first_tail;
    uint64_t last;
    unsigned gaps;
    bool torn;
    bool closed;
} read_back_t;

static gp_error_t read_all(read_back_t *ret_read)
{
    gp_ring_file_t file;
    gp_ring_record_t got;
    bool some = true;
    *ret_read = (read_back_t){0};
    gp_error_t error = gp_ring_open(test_path(dir, "r"), &file, &fail_text);
    if (error != GP_OK) {
        return error;
    }
    while (error == GP_OK && some) {
        error = gp_ring_next(&file, &got, &some, &fail_text);
        if (error != GP_OK || !some) {
            break;
        }
        uint64_t number;
        memcpy(&number, got.bytes.p, sizeof number);
        assert_int_equal(number, got.number);
        assert_true(got.bytes.n == 8 || got.bytes.p[got.bytes.n - 1] == number % 251);
        ret_read->gaps += got.gap ? 1 : 0;
        ret_read->first_tail = got.tail && ret_read->tails == 0 ? number : ret_read->first_tail;
        ret_read->tails += got.tail ? 1 : 0;
        ret_read->last = number;
        ret_read->count++;
    }
    ret_read->torn = file.torn;
    ret_read->closed = file.closed;
    gp_ring_free(&file);
    return error;
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {8, 9, 256, 257, 5000, GP_RING_RECORD_MAX};
    struct stat status;
    read_back_t got;
    gp_ring_t ring = ring_new();
    assert_int_equal(stat(test_path(dir, "r"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, SIZE);
    assert_true((uint64_t)status.st_blocks * 512 >= SIZE); /* its room is there already */
    assert_int_equal(read_all(&got), GP_OK);
    assert_int_equal(got.count, 0);
    for (uint64_t i = 0; i < 6; i++) {
        append(&ring, i, sizes[i]);
        assert_int_equal(read_all(&got), GP_OK); /* at any moment */
        assert_int_equal(got.count, i + 1);
        assert_false(got.torn || got.closed);
    }
    assert_false(gp_ring_ended_well(folder, "r"));
    gp_ring_close(&ring);
    assert_true(gp_ring_ended_well(folder, "r"));
    assert_int_equal(read_all(&got), GP_OK);
    assert_true(got.closed);
}

static void test_the_head_stays_and_the_tails_take_turns(void **state)
{
    (void)state;
    read_back_t got;
    gp_ring_t ring = ring_new();
    uint64_t head = 0;
    for (uint64_t i = 0; i < 5000; i++) {
        head += gp_ring_ends_head(&ring, 1000) ? 0 : 1;
        append(&ring, i, 1000);
        if (i % 397 == 0 || i == 4999) {
            assert_int_equal(read_all(&got), GP_OK);
            assert_int_equal(got.last, i);
            assert_int_equal(got.count - got.tails, head);
        }
    }
    assert_in_range(head, SIZE / 2 / 1100, SIZE / 2 / 1000);
    assert_int_equal(got.gaps, 1);
    assert_in_range(got.tails, SIZE / 4 / 1100, SIZE / 2 / 1000);
    assert_int_equal(got.first_tail + got.tails, 5000);
    assert_int_equal(test_size(test_path(dir, "r")), SIZE);
}

/* Bytes of the last record that the disk did not get. */
static void test_a_torn_end_is_told_and_no_failure(void **state)
{
    (void)state;
    for (uint64_t lost = 1; lost < 100; lost += 7) {
        read_back_t got;
        gp_ring_t ring = ring_new();
        for (uint64_t i = 0; i < 20; i++) {
            append(&ring, i, 100);
        }
        uint8_t zeros[128] = {0};
        assert_int_equal(pwrite(ring.fd, zeros, lost, (off_t)(ring.at - lost)), (ssize_t)lost);
        gp_ring_close(&ring);
        assert_int_equal(read_all(&got), GP_OK);
        assert_true(got.torn);
        assert_int_equal(got.count, 19);
    }
}

static void test_a_changed_bit_is_damage(void **state)
{
    (void)state;
    gp_ring_t ring = ring_new();
    uint64_t places[20];
    for (uint64_t i = 0; i < 20; i++) {
        places[i] = ring.at;
        append(&ring, i, 100);
    }
    gp_ring_close(&ring);
    for (uint64_t at = places[5]; at < places[6]; at += 3) {
        read_back_t got;
        test_flip(test_path(dir, "r"), (long)at, 0x10);
        assert_int_equal(read_all(&got), GP_E_REPLAY_DAMAGED);
        assert_int_equal(got.count, 5); /* what is before it can be trusted */
        test_flip(test_path(dir, "r"), (long)at, 0x10);
    }
    read_back_t got;
    assert_int_equal(read_all(&got), GP_OK);
}

static void test_damage_of_a_full_head_is_never_a_torn_end(void **state)
{
    (void)state;
    read_back_t got;
    gp_ring_t ring = ring_new();
    uint64_t last = 0;
    for (uint64_t i = 0; ring.part == GP_RING_HEAD; i++) {
        last = ring.at;
        append(&ring, i, 1000);
    }
    gp_ring_close(&ring);
    (void)last;
    test_flip(test_path(dir, "r"), (long)(64 + (SIZE - 64) / 2 - 800), 1); /* of its last record */
    assert_int_equal(read_all(&got), GP_E_REPLAY_DAMAGED);
}

static void test_bad_files_are_refused(void **state)
{
    (void)state;
    read_back_t got;
    const char *path = test_path(dir, "r");
    assert_int_equal(read_all(&got), GP_E_REPLAY_FORMAT); /* there is none */
    test_write(path, "", 0);
    assert_int_equal(read_all(&got), GP_E_REPLAY_FORMAT);
    test_write(path, "gridpeer replay\n", 16);
    assert_int_equal(read_all(&got), GP_E_REPLAY_FORMAT);
    static uint8_t noise[200000];
    memset(noise, 0xa5, sizeof noise);
    test_write(path, noise, sizeof noise);
    assert_int_equal(read_all(&got), GP_E_REPLAY_FORMAT);
    gp_ring_t ring = ring_new();
    append(&ring, 0, 100);
    gp_ring_close(&ring);
    test_flip(path, 16, 2);
    assert_int_equal(read_all(&got), GP_E_REPLAY_VERSION);
    test_flip(path, 16, 2);
    test_flip(path, 30, 0xff); /* a huge size */
    assert_int_equal(read_all(&got), GP_E_REPLAY_DAMAGED);
    test_flip(path, 30, 0xff);
    test_flip(path, 64, 1); /* the head of its first part */
    assert_int_equal(read_all(&got), GP_E_REPLAY_DAMAGED);
    test_flip(path, 64, 1);
    assert_int_equal(read_all(&got), GP_OK);
    test_flip(path, 64 + 24 + 3, 0x7f); /* a huge length: the only record is gone, and told so */
    assert_int_equal(read_all(&got), GP_OK);
    assert_true(got.torn && got.count == 0);
    test_cut(path, SIZE - 1);
    assert_int_equal(read_all(&got), GP_E_REPLAY_DAMAGED);
    assert_int_equal(gp_ring_open(dir, &(gp_ring_file_t){0}, &fail_text), GP_E_REPLAY_FORMAT);
    assert_int_equal(gp_ring_open("/dev/zero", &(gp_ring_file_t){0}, &fail_text),
                     GP_E_REPLAY_FORMAT);
}

static void test_a_full_disk_makes_no_file(void **state)
{
    (void)state;
    struct rlimit before;
    gp_ring_t ring;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    struct rlimit little = {.rlim_cur = SIZE / 2, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    gp_error_t error = gp_ring_create(folder, "r", SIZE, &ring, &fail_text);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_not_equal(error, GP_OK);
    assert_non_null(strstr(fail_text.text, "1048576 bytes"));
    assert_false(test_exists(test_path(dir, "r")));
}

static void test_a_disk_that_fails_is_told(void **state)
{
    (void)state;
    gp_ring_t ring = ring_new();
    append(&ring, 0, 100);
    int readable = open(test_path(dir, "r"), O_RDONLY);
    assert_true(dup2(readable, ring.fd) == ring.fd);
    (void)close(readable);
    assert_int_equal(gp_ring_append(&ring, gp_slice(record, 100), &fail_text), GP_E_STATE_IO);
    gp_ring_close(&ring);
    read_back_t got;
    assert_int_equal(read_all(&got), GP_OK);
    assert_int_equal(got.count, 1);
}

/* What an earlier turn of a tail left behind is never taken for a record of this one. */
static void test_old_records_do_not_come_back(void **state)
{
    (void)state;
    read_back_t got;
    gp_ring_t ring = ring_new();
    uint64_t turn = 0;
    uint64_t number = 0;
    for (; ring.turn < 4; number++) {
        turn = ring.turn;
        append(&ring, number, 1000);
    }
    assert_int_equal(turn, 3); /* the last record began the first tail again */
    assert_int_equal(read_all(&got), GP_OK);
    assert_int_equal(got.last, number - 1);
    uint8_t ones[8] = {1}; /* even if its end is not there */
    assert_int_equal(pwrite(ring.fd, ones, sizeof ones, (off_t)ring.at), 8);
    assert_int_equal(read_all(&got), GP_OK);
    assert_true(got.torn);
    assert_int_equal(got.last, number - 1);
    gp_ring_close(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_head_stays_and_the_tails_take_turns, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_torn_end_is_told_and_no_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_changed_bit_is_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_of_a_full_head_is_never_a_torn_end, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_bad_files_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_makes_no_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_disk_that_fails_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_records_do_not_come_back, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
