/*
 * The identity files of a machine: node.key, root.key, cert and grid. Input: bits, then the files,
 * each with its length. Bits: which of them are the right ones of a machine, and whether the sum at
 * the end of the grid file is made to fit. Only a whole and fitting set opens.
 */
#include <sodium.h>

#include "agent/store/identity.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/place.h"

#define NOW        UINT64_C(1700000000000)
#define FILE_MAX   2048
#define CHECK_LINE "check = "

#define RIGHT_KEY  1
#define RIGHT_CERT 2
#define RIGHT_GRID 4
#define WITH_ROOT  8
#define FIT_SUM    16
#define EXPIRED    32

static gp_state_dir_t dir = {.root_fd = -1, .lock_fd = -1, .name = "n1"};
static struct {
    const char *name;
    size_t n;
    uint8_t bytes[FILE_MAX];
} right[] = {{.name = GP_FILE_NODE_KEY}, {.name = GP_FILE_CERT}, {.name = GP_FILE_GRID}};

/* The machine whose files are right. */
static void set_up(void)
{
    static const uint8_t seeds[2][32] = {{1}, {2}};
    gp_identity_t identity = {.region = "lab", .group = 7, .seed_count = 1};
    gp_cert_t cert = {.roles = GP_ROLE_ALL,
                      .not_before_ms = NOW - 1000,
                      .not_after_ms = NOW + 1000,
                      .name = "n1",
                      .region = "lab"};
    gp_fail_t fail = {0};
    size_t n = 0;
    FUZZ_CHECK(gp_keys_init() == GP_OK && gp_secret_from_seed(seeds[0], &identity.node) == GP_OK &&
               gp_secret_from_seed(seeds[1], &identity.root) == GP_OK);
    identity.root_id = gp_secret_id(identity.root);
    cert.grid = gp_grid_id_of(&identity.root_id);
    cert.node = gp_secret_id(identity.node);
    memcpy(identity.seeds[0].address, "tcp://127.0.0.1:7777", 21);
    identity.seeds[0].id = cert.node;
    FUZZ_CHECK(gp_cert_issue(&cert, identity.root, (gp_slice_t){0}, identity.cert_bytes, &n) ==
               GP_OK);
    identity.cert_n = (uint32_t)n;
    (void)snprintf(dir.path, sizeof dir.path, "%s", fuzz_place(&dir.fd));
    dir.building = true;
    FUZZ_CHECK(gp_identity_write(&dir, &identity, &fail) == GP_OK);
    gp_identity_close(&identity);
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        right[i].n = fuzz_place_read(right[i].name, right[i].bytes, FILE_MAX);
    }
}

/* The text, and a sum that fits it if wanted. */
static void write_grid(gp_slice_t text, bool fit)
{
    static char file[FILE_MAX + 64];
    uint8_t sum[16];
    char hex[33];
    size_t n = text.n < FILE_MAX ? text.n : FILE_MAX;
    if (n > 0) {
        memcpy(file, text.p, n);
    }
    if (fit) {
        (void)crypto_generichash(sum, sizeof sum, (const uint8_t *)file, n, NULL, 0);
        (void)sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
        n += (size_t)snprintf(file + n, sizeof file - n, CHECK_LINE "%s\n", hex);
    }
    fuzz_place_write(GP_FILE_GRID, gp_slice(file, n));
}

static gp_slice_t file_of(fuzz_bytes_t *bytes, int which, bool is_right)
{
    gp_slice_t given = fuzz_slice(bytes, fuzz_number(bytes, 2) % FILE_MAX);
    return is_right ? gp_slice(right[which].bytes, right[which].n) : given;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_bytes_t bytes = {.p = data, .n = size};
    gp_identity_t identity;
    gp_fail_t fail = {0};
    if (dir.path[0] == '\0') {
        set_up();
    }
    uint8_t bits = fuzz_u8(&bytes);
    fuzz_place_write(GP_FILE_NODE_KEY, file_of(&bytes, 0, (bits & RIGHT_KEY) != 0));
    fuzz_place_write(GP_FILE_CERT, file_of(&bytes, 1, (bits & RIGHT_CERT) != 0));
    write_grid(file_of(&bytes, 2, (bits & RIGHT_GRID) != 0),
               (bits & (RIGHT_GRID | FIT_SUM)) == FIT_SUM);
    if ((bits & WITH_ROOT) != 0) {
        fuzz_place_write(GP_FILE_ROOT_KEY, fuzz_slice(&bytes, 40));
    } else {
        fuzz_place_remove(GP_FILE_ROOT_KEY);
    }
    gp_error_t error = gp_identity_open(&dir, NOW, (bits & EXPIRED) != 0, &identity, &fail);
    if (error != GP_OK) {
        FUZZ_CHECK(fail.code == error || fail.code == GP_OK);
        FUZZ_CHECK(memchr(fail.text, '\0', sizeof fail.text) != NULL);
        return 0;
    }
    gp_id_t id = gp_secret_id(identity.node);
    FUZZ_CHECK(gp_id_equal(&id, &identity.cert.node) && strcmp(identity.cert.name, "n1") == 0);
    FUZZ_CHECK(strcmp(identity.cert.region, identity.region) == 0);
    FUZZ_CHECK(identity.seed_count <= GP_TOKEN_SEEDS_MAX);
    gp_identity_close(&identity);
    return 0;
}
