/* Beacons: datagrams that anybody on the local network may send. */
#include "overlay/net/beacon.h"
#include "proto/text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_beacon_says_t says;
    uint8_t again[GP_BEACON_MAX];
    size_t n = 0;
    if (gp_beacon_read(gp_slice(data, size), &says) != GP_OK) {
        return 0;
    }
    FUZZ_CHECK(gp_name_check(gp_text(says.region)) == GP_OK);
    FUZZ_CHECK(gp_beacon_write(&says, again, &n) == GP_OK);
    FUZZ_CHECK(n == size && memcmp(again, data, n) == 0);
    return 0;
}
